// A history as a file, to look at it again: JSON, one operation a line. No end is null there, as JSON has no infinity.

import type { History, Operation } from './operation.ts'

const ENDLESS: ReadonlySet<string> = new Set(['returnedAt', 'openUntil'])

export function textOfHistory({ rules, isTimed, operations }: History): string {
  const lines = operations.map((operation) => JSON.stringify(operation, (_, value: unknown) => value))
  return `{"rules":${JSON.stringify(rules)},"isTimed":${isTimed},"operations":[\n${lines.join(',\n')}\n]}\n`
}

export function historyOfText(text: string): History {
  const { rules, isTimed, operations } = JSON.parse(text) as History
  return { rules, isTimed, operations: operations.map(withEnds) }
}

function withEnds(operation: Operation): Operation {
  const found = Object.entries(operation).map(([name, value]) => {
    return [name, value === null && ENDLESS.has(name) ? Number.POSITIVE_INFINITY : (value as unknown)] as const
  })
  return Object.fromEntries(found) as unknown as Operation
}
