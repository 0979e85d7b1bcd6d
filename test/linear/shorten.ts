// The smallest part of a wrong history that is wrong by itself.
//
// Two cuts, both of which leave a right history right, so what is left proves the whole. The end is cut off: of what was not
// answered by then nobody knew anything. And calls that changed nothing (reads, refusals, replays) are left out one by one as
// long as the rest stays wrong.

import { judgeHistory, Undecided } from './checker.ts'
import { changedNothing } from './evidence.ts'
import type { History, Operation } from './operation.ts'

export function shortened(history: History): History {
  const ends = history.operations.flatMap(({ answer, returnedAt }) => (answer === null ? [] : [returnedAt]))
  const sorted = ends.sort((a, b) => a - b)
  let low = 0
  let high = sorted.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (isWrong(until(history, sorted[middle] as number))) high = middle
    else low = middle + 1
  }
  let found = until(history, sorted[low] as number)
  for (const operation of found.operations.toReversed()) {
    if (!changedNothing(operation)) continue
    const without = { ...found, operations: found.operations.filter(({ id }) => id !== operation.id) }
    if (isWrong(without)) found = without
  }
  return found
}

/** As it was known at that instant. */
function until(history: History, end: number): History {
  const operations = history.operations
    .filter(({ invokedAt }) => invokedAt <= end)
    .map((operation): Operation => {
      if (operation.returnedAt <= end) return operation
      return { ...operation, answer: null, timeMs: null, returnedAt: Number.POSITIVE_INFINITY }
    })
  return { ...history, operations }
}

function isWrong(history: History): boolean {
  try {
    return !judgeHistory(history).isLinearizable
  } catch (cause) {
    if (cause instanceof Undecided) return false
    throw cause
  }
}
