// The read model against the engine itself: random walks through the life of a few coupons, then every coupon as the engine
// shows it and as the list does, at several instants; and the same tables, whether a log came in one batch, in many, or in
// many with a process killed in between.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { couponText } from '../../gateway/coupons/render-coupon.ts'
import { COMMAND } from '../../protocol/commands.ts'
import { COUPON_STATUSES, OUTCOME } from '../../protocol/outcomes.ts'
import type { LogEntry } from '../../readmodel/cursor.ts'
import { walk } from '../engine/model/steps.ts'
import { Walk } from '../engine/model/walk.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { ALL, ANY_COUPON, TestModel } from './support/model.ts'

const RUNS = Number(process.env['FC_RUNS'] ?? 150)
const SEED = Number(process.env['FC_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const TIMEOUT_MS = 60_000 + RUNS * 100

/** Instants after the last event, over the end of every reservation. */
const LATER_MS = [0, 1, 4_000, 300_000, 4_000_000]

function entriesOf(walked: Walk): LogEntry[] {
  const { live } = walked
  live.flushAll()
  return live.log.entries.map((entry) => ({ ...entry, shard: live.state.shard }))
}

/** Every coupon of the engine at an instant, as JSON, the newest first. */
function shownByEngine(walked: Walk, nowMs: number): unknown[] {
  const { live } = walked
  const shown: { readonly createdAtMs: number; readonly ordinal: number; readonly json: unknown }[] = []
  for (let ordinal = 0; ordinal < live.state.couponCount; ordinal++) {
    const { outcome } = live.send({ type: COMMAND.GET_COUPON, coupon: { code: null, ordinal } }, nowMs)
    if (outcome.type !== OUTCOME.COUPON) throw new Error(`no coupon ${ordinal}`)
    const json: unknown = JSON.parse(couponText(live.state.shard, outcome))
    shown.push({ createdAtMs: outcome.createdAtMs, ordinal, json })
  }
  return shown.toSorted((a, b) => b.createdAtMs - a.createdAtMs || b.ordinal - a.ordinal).map(({ json }) => json)
}

describe(`the list of coupons (seed ${SEED})`, () => {
  test(`after ${RUNS} random walks it shows what the engine shows, by every status`, { timeout: TIMEOUT_MS }, () => {
    const met = new Set<string>()
    const property = fc.property(walk, (steps) => {
      const walked = new Walk()
      walked.take(steps)
      const model = new TestModel()
      model.project(entriesOf(walked))
      for (const laterMs of LATER_MS) {
        const nowMs = walked.live.state.timeMs + laterMs
        const expected = shownByEngine(walked, nowMs) as { readonly status: string }[]
        expect(model.coupons(nowMs)).toEqual(expected)
        for (const status of COUPON_STATUSES) {
          const ofStatus = expected.filter((coupon) => coupon.status === status)
          expect(model.coupons(nowMs, { status })).toEqual(ofStatus)
          if (ofStatus.length > 0) met.add(status)
        }
      }
      model.drop()
    })
    fc.assert(property, { seed: SEED, numRuns: RUNS })
    expect(COUPON_STATUSES.filter((status) => !met.has(status))).toEqual([])
  })
})

describe(`a rebuild (seed ${SEED})`, () => {
  test('equals what was projected entry by entry, with merges and kills in between', { timeout: TIMEOUT_MS }, () => {
    const random = new SeededRandom(SEED)
    const property = fc.property(walk, (steps) => {
      const walked = new Walk()
      walked.take(steps)
      const entries = entriesOf(walked)
      const rebuilt = new TestModel()
      rebuilt.project(entries)
      const image = rebuilt.image()
      const killed = projectedWithKills(entries, random)
      expect(killed.image()).toEqual(image)
      expect(image).toMatchObject({ cursor: [[walked.live.state.shard, walked.live.state.seq]] })
      killed.drop()
      rebuilt.drop()
    })
    fc.assert(property, { seed: SEED, numRuns: Math.ceil(RUNS / 5) })
  })
})

/** Batches of random length; some are killed before their end, and then another process goes on from what is on disk. */
function projectedWithKills(entries: readonly LogEntry[], random: SeededRandom): TestModel {
  let model = new TestModel()
  for (let from = 0; from < entries.length; ) {
    const to = Math.min(entries.length, from + 1 + random.below(9))
    if (random.below(3) > 0) {
      model.project(entries.slice(from, to))
      if (model.projection.isUntidy) model.tidy()
      from = to
      continue
    }
    const killedAt = from + random.below(to - from + 1)
    expect(() =>
      model.projection.project((onEntry) => {
        for (const entry of entries.slice(from, killedAt)) onEntry(entry)
        throw new Error('killed')
      }),
    ).toThrow('killed')
    model.database.close()
    model = new TestModel(model.dataDir)
    // The last entry comes once more, is compared, and is not projected again.
    expect(model.project(entries.slice(Math.max(0, from - 1), from))).toBe(0)
    model.projection.cursor.confirmAll()
  }
  return model
}

test('a page of coupons goes on where the one before ended, whatever is created meanwhile', () => {
  const random = new SeededRandom()
  fc.assert(
    fc.property(walk, (steps) => {
      const walked = new Walk()
      walked.take(steps)
      const model = new TestModel()
      const entries = entriesOf(walked)
      const half = Math.ceil(entries.length / 2)
      model.project(entries.slice(0, half))
      const nowMs = walked.live.state.timeMs
      const before = model.codes(nowMs)
      const limit = 1 + random.below(2)
      const first = model.ask({ list: 'coupons', filter: ANY_COUPON, range: { limit, after: null } }, nowMs)
      model.project(entries.slice(half))
      const rest = first.next === null ? [] : model.codes(nowMs, {}, { ...ALL, after: first.next })
      const read = [...first.items.map((item) => (JSON.parse(item as string) as { code: string }).code), ...rest]
      expect(read).toEqual(before)
      model.drop()
    }),
    { seed: SEED, numRuns: 40 },
  )
})
