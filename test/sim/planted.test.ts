/**
 * The simulator finds what it is for: ports that do not keep their word, each found within a few seeds. The
 * seeds are fixed, so nothing here hangs on luck. More faults, planted in the product itself: docs/adr/0022-simulator.md.
 */
import { expect, test } from 'vitest'
import type { EntryToAppend } from '../../engine/shard/lane.ts'
import { MESSAGE } from '../../protocol/messages.ts'
import { plan } from './plan.ts'
import { run } from './run.ts'
import { shrink } from './shrink.ts'
import type { Mode, Scenario } from './steps.ts'
import type { Plants } from './world.ts'

const SEEDS_MAX = 60
const OPERATIONS = 60
const LIMIT_MS = 120_000

type Wrap = NonNullable<Plants['journal']>

/** Says that a commit is on the disk while it is on its way there. */
const hasty: Wrap = (journal, soon) => {
  const waiting: EntryToAppend[][] = []
  const next = (): void => {
    const entries = waiting[0]
    if (entries === undefined) return
    journal.append(entries, () => {
      waiting.shift()
      next()
    })
  }
  return {
    append(entries, settled) {
      waiting.push(entries.map((entry) => ({ ...entry, events: entry.events.slice(0, entry.length) })))
      if (waiting.length === 1) next()
      soon(() => settled(null))
    },
    freeBytes: () => journal.freeBytes(),
  }
}

/** Loses, now and then, what a commit says of its last shard. */
const forgetful: Wrap = (journal) => {
  let commits = 0
  return {
    append(entries, settled) {
      const isLost = entries.length > 1 && ++commits % 5 === 0
      journal.append(isLost ? entries.slice(0, -1) : entries, settled)
    },
    freeBytes: () => journal.freeBytes(),
  }
}

const drops =
  (type: number): NonNullable<Plants['passes']> =>
  (message) =>
    message[0] !== type

const PLANTED: readonly (readonly [string, Mode, Plants, RegExp])[] = [
  ['a journal that says too early that it has flushed', 'local', { journal: hasty }, /on the disk/],
  ['a journal that loses a shard of a commit', 'local', { journal: forgetful }, /./],
  [
    'a transport that loses every commit',
    'network',
    { passes: drops(MESSAGE.COMMIT_REDEEMED) },
    /is undecided at the end/,
  ],
  ['a transport that loses every release', 'network', { passes: drops(MESSAGE.RELEASE) }, /still holds/],
]

/** The first run that fails. */
function firstFound(mode: Mode, plants: Plants): { readonly scenario: Scenario; readonly faults: readonly string[] } {
  for (let seed = 1; seed <= SEEDS_MAX; seed++) {
    const scenario = plan(seed, { mode, operations: OPERATIONS })
    const { faults } = run(scenario, plants)
    if (faults.length > 0) return { scenario, faults }
  }
  throw new Error(`not found within ${SEEDS_MAX} seeds`)
}

test.each(PLANTED)('finds %s', { timeout: LIMIT_MS }, (_, mode, plants, sentence) => {
  const { scenario, faults } = firstFound(mode, plants)
  expect(faults.join('\n')).toMatch(sentence)
  expect(run(scenario).faults).toEqual([])
})

test('makes what it has found short', { timeout: LIMIT_MS }, () => {
  const plants = { journal: hasty }
  const { scenario, faults } = firstFound('local', plants)
  const short = shrink(scenario, faults, (shorter) => run(shorter, plants)).scenario
  expect(scenario.steps.length).toBeGreaterThan(OPERATIONS)
  expect(short.steps.length).toBeLessThanOrEqual(OPERATIONS / 5)
  expect(run(short, plants).faults.join('\n')).toMatch(/on the disk/)
})
