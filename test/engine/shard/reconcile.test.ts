// Reconciliation says nothing of shards that count right, whatever they went through, and finds a counter that is wrong by one:
// with all counters at once, and a slice at a time.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ShardState } from '../../../engine/domain/state.ts'
import type { CounterDifference } from '../../../engine/shard/reconcile-compare.ts'
import { differencesIn, differenceText, questionsFor } from '../../../engine/shard/reconcile-compare.ts'
import { ShardCount } from '../../../engine/shard/reconcile-count.ts'
import { answerCounters } from '../../../engine/shard/reconcile-questions.ts'
import { Reconciliation, type SliceBounds } from '../../../engine/shard/reconcile-round.ts'
import { Slice, userHash } from '../../../engine/shard/reconcile-slice.ts'
import type { CounterTable } from '../../../engine/shard/tables/counter-table.ts'
import { ByteReader, bytesOf } from '../../../protocol/bytes.ts'
import { readEvent } from '../../../protocol/event-codec.ts'
import { BULK_ORDINALS, campaignOrdinal } from '../../../protocol/ordinals.ts'
import { deployment } from '../../persistence/support.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { removeDirectory, temporaryDirectory } from '../../support/temporary-directory.ts'
import type { RandomShard } from '../support/random-log.ts'
import { LogOfShards } from './snapshot-support.ts'

let dataDir: string
let log: LogOfShards
const open: Reconciliation[] = []

beforeEach(() => {
  dataDir = temporaryDirectory('reconcile')
  const random = new SeededRandom()
  process.stdout.write(`reconcile: TEST_SEED=${random.seed}\n`)
  log = new LogOfShards(dataDir, (below) => random.below(below))
  log.start(2)
})

afterEach(async () => {
  for (const each of open.splice(0)) each.close()
  await log.stop()
  removeDirectory(dataDir)
})

interface Watched {
  readonly reconciliation: Reconciliation
  readonly told: CounterDifference[]
}

/** Over the live states of the random shards. `meanwhile`: what happens before each answer and while it waits for the log. */
function watch(bounds?: SliceBounds, meanwhile: () => Promise<void> = async () => {}): Watched {
  const told: CounterDifference[] = []
  const reconciliation = new Reconciliation({
    dataDir,
    deployment,
    ask: async (shard, question) => {
      await meanwhile()
      const state = log.sources.get(shard)?.state
      if (state === undefined) return { seq: 0, columns: [[0, 0, 0, 0]], names: [] }
      return structuredClone(answerCounters(state, question))
    },
    rest: async () => {},
    wait: meanwhile,
    nowMs: () => 0,
    onDifference: (difference) => told.push(difference),
    ...(bounds === undefined ? {} : { bounds }),
  })
  open.push(reconciliation)
  return { reconciliation, told }
}

function stateOf(shard: number): ShardState {
  return (log.sources.get(shard) as RandomShard).state
}

/** Everything that a shard's log makes, counted in a slice. */
function countOf(shard: number, entries: RandomShard['entries'], slice: Slice): ShardCount {
  const count = new ShardCount(shard, slice)
  for (const entry of entries) {
    const reader = new ByteReader(entry.events, entry.start, entry.end)
    let seq = entry.firstSeq
    while (!reader.done) {
      const event = readEvent(reader)
      if (typeof event !== 'number') count.book(event, seq++, 0)
    }
  }
  return count
}

describe('counters that are right', () => {
  it('are passed over, round after round, while the log grows under them', async () => {
    await log.commits(60)
    const { reconciliation, told } = watch(undefined, async () => await log.commits(1))
    const first = await reconciliation.round()
    const second = await reconciliation.round()
    expect(told).toEqual([])
    expect(first).toMatchObject({ differences: 0, rounds: 1 })
    expect(first.counters).toBeGreaterThan(100)
    // Only what came since was read.
    expect(second.events).toBeLessThan(first.events + second.events)
    const events = [...log.sources.values()].reduce((sum, { state }) => sum + state.seq, 0)
    expect(first.events + second.events).toBeLessThanOrEqual(events)
  })

  it('are passed over in slices too', async () => {
    await log.commits(150)
    const { reconciliation, told } = watch({ rowPages: 3, users: 5 })
    let rounds = 0
    let counters = 0
    do {
      const result = await reconciliation.round()
      counters += result.counters
      rounds++
      if (rounds >= result.rounds) break
    } while (rounds < 64)
    expect(told).toEqual([])
    expect(rounds).toBeGreaterThan(1)
    expect(counters).toBeGreaterThan(100)
  })

  it('are the same at every single event', async () => {
    await log.commits(120)
    const everything = new Slice()
    for (const [shard, { entries }] of log.sources) {
      const count = countOf(shard, entries, everything)
      const state = stateOf(shard)
      expect(count.seq).toBe(state.seq)
      const found = [...questionsFor(count, everything)].flatMap((question) => {
        return differencesIn(count, question, answerCounters(state, question), { slice: everything, nowMs: 0 })
      })
      expect(found.map(differenceText)).toEqual([])
    }
  })

  it('are passed over when their slice has become narrower between the question and the comparison', async () => {
    await log.commits(400)
    let asked = 0
    let dropped = 0
    for (const [shard, { entries }] of log.sources) {
      const slice = new Slice()
      const count = countOf(shard, entries, slice)
      const questions = [...questionsFor(count, slice)]
      const before = count.users.size
      for (let bits = 0; bits < 3; bits++) {
        slice.narrow('users')
        slice.narrow('rows')
      }
      count.keepSlice()
      asked += questions.length
      dropped += before - count.users.size
      const found = questions.flatMap((question) => {
        return differencesIn(count, question, answerCounters(stateOf(shard), question), { slice, nowMs: 0 })
      })
      expect(found.map(differenceText)).toEqual([])
    }
    expect(asked).toBeGreaterThan(4)
    expect(dropped).toBeGreaterThan(0)
  })
})

describe('a counter that is wrong', () => {
  /** A shard with codes, a campaign and a user under a limit. */
  async function shardWithAll(): Promise<number> {
    for (let commits = 0; commits < 40; commits++) {
      await log.commits(25)
      for (const [shard, { state }] of log.sources) {
        const { bulk, users } = state.tables
        if (bulk.size > 0 && users.size > 0 && state.couponCount > 0 && state.campaigns.length > 0) return shard
      }
    }
    throw new Error('no such shard came about')
  }

  it('is found, named, and told once', async () => {
    const shard = await shardWithAll()
    const state = stateOf(shard)
    const { uses } = state.tables.coupons
    const before = uses.get(0)
    uses.set(0, before + 1)
    const { reconciliation, told } = watch()
    expect(await reconciliation.round()).toMatchObject({ differences: 1 })
    expect(await reconciliation.round()).toMatchObject({ differences: 1 })
    expect(told).toEqual([
      {
        shard,
        seq: state.seq,
        counter: 'uses',
        ordinal: 0,
        name: state.code(0),
        job: null,
        user: null,
        expected: before,
        seen: before + 1,
      },
    ])
    expect(differenceText(told[0] as CounterDifference)).toBe(
      `coupon ${state.code(0)} (ordinal 0): ${before + 1} uses in the state, ${before} counted from the log`,
    )
    // It becomes worse: that is news.
    uses.set(0, before + 2)
    await reconciliation.round()
    expect(told).toHaveLength(2)
  })

  it('is found wherever it is: campaigns, budgets, pools, codes, users', async () => {
    const shard = await shardWithAll()
    const state = stateOf(shard)
    const { coupons, campaigns, users } = state.tables
    const lastCode = BULK_ORDINALS + state.tables.bulk.size - 1
    const plants: readonly [string, () => void][] = [
      ['uses', () => coupons.uses.set(campaignOrdinal(0), coupons.uses.get(campaignOrdinal(0)) + 1)],
      ['reserved', () => coupons.reserved.set(lastCode, coupons.reserved.get(lastCode) + 1)],
      ['discountTotal', () => campaigns.discountTotal.set(0, campaigns.discountTotal.get(0) - 1)],
      ['discountHeld', () => campaigns.discountHeld.set(0, campaigns.discountHeld.get(0) + 1)],
      ['codes', () => campaigns.codes.set(0, campaigns.codes.get(0) + 1)],
      ['poolSize', () => campaigns.poolSize.set(0, campaigns.poolSize.get(0) + 1)],
      [
        'heldOfUser',
        () => {
          const table = users as CounterTable
          const slot = table.first()
          table.setHeld(slot, table.held(slot) + 1)
        },
      ],
    ]
    const { reconciliation, told } = watch()
    for (const [counter, plant] of plants) {
      plant()
      await reconciliation.round()
      expect(told.at(-1)?.counter, counter).toBe(counter)
    }
    expect(told).toHaveLength(plants.length)
  })

  it('is found by one of the slices', async () => {
    const shard = await shardWithAll()
    const { uses } = stateOf(shard).tables.coupons
    const lastCode = BULK_ORDINALS + stateOf(shard).tables.bulk.size - 1
    uses.set(lastCode, uses.get(lastCode) + 1)
    uses.set(0, uses.get(0) + 1)
    const { reconciliation, told } = watch({ rowPages: 4, users: 5 })
    for (let round = 0; round < 64; round++) {
      const { rounds } = await reconciliation.round()
      if (round + 1 >= rounds) break
    }
    expect(told.map(({ ordinal, counter }) => `${counter} ${ordinal}`).sort()).toEqual([`uses 0`, `uses ${lastCode}`])
  })
})

describe('a slice', () => {
  it('has every row and every user in one of its picks, and halves when it becomes narrower', () => {
    const rows = Array.from({ length: 800 }, (_, i) => i * 2_048)
    const hashes = Array.from({ length: 1_000 }, (_, i) => userHash(bytesOf(`user-${i}`)))
    let slice = new Slice()
    expect(slice.isWhole).toBe(true)
    for (let bits = 0; bits < 3; bits++) {
      slice.narrow('rows')
      slice.narrow('users')
    }
    const rowsSeen: number[] = []
    const usersSeen: number[] = []
    for (let pick = 0; pick < 8; pick++) {
      const mine = rows.filter((row) => slice.hasRow(3, row))
      // A hundred of them, give or take.
      expect(mine.length).toBeGreaterThan(50)
      expect(mine.length).toBeLessThan(150)
      expect(slice.hasRow(3, campaignOrdinal(pick))).toBe(true)
      rowsSeen.push(...mine)
      usersSeen.push(...hashes.filter((hash) => slice.hasUser(hash)))
      slice = slice.next()
    }
    expect(rowsSeen.sort((a, b) => a - b)).toEqual(rows)
    expect(usersSeen.sort((a, b) => a - b)).toEqual([...hashes].sort((a, b) => a - b))
  })
})
