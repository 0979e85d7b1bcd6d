// Every workload in its small size against the built server, so that none of them rots. Speed is not judged here: the
// machine of a test run is busy with other things. Counts are: nothing fails, every row is redeemed, and what the
// server counts is what it acknowledged.

import { existsSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { findLoadTool, type LoadTool } from '../../bench/load/closed-loop.ts'
import type { ColumnsResult } from '../../bench/load/columns.ts'
import type { OpenLoopResult } from '../../bench/load/open-loop.ts'
import { ENTRIES, PRODUCT_ENTRY } from '../../bench/project.ts'
import type { WorkloadReport } from '../../bench/report/figure.ts'
import { SMALL } from '../../bench/sizes.ts'
import { runCeiling } from '../../bench/workloads/ceiling.ts'
import { runCheckout } from '../../bench/workloads/checkout.ts'
import { runClaimsWorkload } from '../../bench/workloads/claims.ts'
import { runColumnsWorkload } from '../../bench/workloads/columns.ts'
import { runCodes } from '../../bench/workloads/codes.ts'
import type { BenchContext } from '../../bench/workloads/context.ts'
import { runHeld } from '../../bench/workloads/held.ts'
import { runImport } from '../../bench/workloads/imports.ts'
import { runMemory } from '../../bench/workloads/memory.ts'
import { runReadModel } from '../../bench/workloads/read-model.ts'
import { runReady } from '../../bench/workloads/ready.ts'
import { runRecovery } from '../../bench/workloads/recovery.ts'
import { runSearch } from '../../bench/workloads/search.ts'
import { runSpread } from '../../bench/workloads/spread.ts'
import { runStacked } from '../../bench/workloads/stacked.ts'

const TEST_TIME_LIMIT_MS = 90_000
const SEED = 42

function contextFor(loadTool: LoadTool): BenchContext {
  return { productEntry: PRODUCT_ENTRY, loadTool, seed: SEED, say: () => {} }
}

function expectSound(report: WorkloadReport, checks: number): void {
  expect(report.checks.filter((check) => !check.holds)).toEqual([])
  expect(report.checks).toHaveLength(checks)
  for (const figure of report.figures) expect(figure.value, figure.name).toBeGreaterThanOrEqual(0)
}

/** Both load tools make the same requests; without wrk only the other one can be tried. */
const loadTools: LoadTool[] = findLoadTool() === 'wrk' ? ['wrk', 'autocannon'] : ['autocannon']

describe('the bench, small', () => {
  beforeAll(() => {
    for (const entry of [PRODUCT_ENTRY, ...Object.values(ENTRIES)]) {
      if (!existsSync(entry)) throw new Error(`${entry} is not there: run "npm run build" first`)
    }
  })

  it('checkout redeems everything the schedule planned', { timeout: TEST_TIME_LIMIT_MS }, async () => {
    const report = await runCheckout(contextFor('wrk'), SMALL.checkout, SMALL.diskSyncs)
    expectSound(report, 4)
    const detail = report.detail as unknown as OpenLoopResult & { uses: number }
    // 1.2 s at 500 a second, drawn with the seed: 600 on average, 5 standard deviations of 24.5.
    expect(detail.planned).toBeGreaterThan(477)
    expect(detail.planned).toBeLessThan(723)
    expect(detail.redeemed).toBe(detail.planned)
    expect(detail.uses).toBe(detail.planned)
    expect(detail.errors).toBe(0)
    expect(detail.latency.count).toBeGreaterThan(0)
  })

  for (const tool of loadTools) {
    it(`ceiling loads both servers with ${tool} and loses no use`, { timeout: TEST_TIME_LIMIT_MS }, async () => {
      const report = await runCeiling(contextFor(tool), SMALL.ceiling)
      expectSound(report, 2)
      const { pairs } = report.detail as { pairs: { bare: { succeeded: number }; product: { succeeded: number } }[] }
      expect(pairs).toHaveLength(2)
      for (const pair of pairs) {
        expect(pair.bare.succeeded).toBeGreaterThan(0)
        expect(pair.product.succeeded).toBeGreaterThan(0)
      }
    })
  }

  it('columns redeems every row of every frame', { timeout: TEST_TIME_LIMIT_MS }, async () => {
    const report = await runColumnsWorkload(contextFor('wrk'), SMALL.columns)
    expectSound(report, 8)
    const { once, unlimited } = report.detail as Record<'once' | 'unlimited', ColumnsResult & { uses: number }>
    for (const variant of [once, unlimited]) {
      expect(variant.redeemed).toBe(8_192)
      expect(variant.uses).toBe(8_192)
      expect(variant.replayed).toBe(0)
      expect(variant.refused).toBe(0)
    }
  })

  it('claims hands out every coupon, to one user at a time', { timeout: TEST_TIME_LIMIT_MS }, async () => {
    const report = await runClaimsWorkload(contextFor('wrk'), SMALL.claims)
    expectSound(report, 7)
  })

  it('import lands every row of its file', { timeout: TEST_TIME_LIMIT_MS }, async () => {
    const report = await runImport(contextFor('wrk'), SMALL.import)
    expectSound(report, 3)
  })

  it('spread counts the uses of one and of many coupons', { timeout: TEST_TIME_LIMIT_MS }, async () => {
    const tool = loadTools[0] as LoadTool
    const report = await runSpread(contextFor(tool), SMALL.spread)
    expectSound(report, 4)
    const { runs } = report.detail as { runs: { succeeded: number }[] }
    expect(runs).toHaveLength(3)
    for (const run of runs) expect(run.succeeded).toBeGreaterThan(0)
  })

  for (const tool of loadTools) {
    it(`stacked redeems whole carts only, with ${tool}`, { timeout: TEST_TIME_LIMIT_MS }, async () => {
      const report = await runStacked(contextFor(tool), SMALL.stacked)
      type Side = {
        workers: number
        runs: { shape: string; succeeded: number }[]
        codes: Record<string, string[]>
        shards: Record<string, number>
      }
      const { own, others } = report.detail as unknown as { own: Side; others: Side[] }
      const sides = [own, ...others]
      // Of each side: the amounts and two counts of three carts, and the errors.
      expectSound(report, sides.length * 10)
      for (const { runs, codes, shards } of sides) {
        expect(runs).toHaveLength(3)
        for (const run of runs) expect(run.succeeded, run.shape).toBeGreaterThan(0)
        for (const [shape, count] of [
          ['one', 1],
          ['two', 2],
          ['three', 3],
        ] as const) {
          expect(new Set((codes[shape] as string[]).map((code) => shards[code])).size).toBe(count)
        }
      }
      // With two workers the two coupons of a cart are not on the same one.
      for (const { codes, shards } of sides.filter(({ workers }) => workers === 2)) {
        const [left, right] = codes.two as [string, string]
        expect((shards[left] as number) % 2).not.toBe((shards[right] as number) % 2)
      }
    })
  }

  it('read-model compares a server with lists and one without', { timeout: TEST_TIME_LIMIT_MS }, async () => {
    const report = await runReadModel(contextFor('wrk'), SMALL.readModel)
    // Both sides: read model on or off, errors, redeemed, uses; with it three more about lists.
    expectSound(report, 2 * 4 + 3)
    type Run = { side: string; load: OpenLoopResult; uses: number; lists: { polls: number } | null }
    const { runs } = report.detail as unknown as { runs: Run[] }
    expect(runs.map(({ side }) => side)).toEqual(['with', 'without'])
    for (const { load, uses } of runs) expect(uses).toBe(load.planned)
    expect(runs[0]?.lists?.polls).toBeGreaterThan(0)
    expect(runs[1]?.lists).toBeNull()
  })

  it('search finds words and new coupons beside redemptions', { timeout: TEST_TIME_LIMIT_MS }, async () => {
    const report = await runSearch(contextFor('wrk'), SMALL.search)
    expectSound(report, 6)
    type Detail = { made: { created: number }; searches: { answered: number }; load: OpenLoopResult; foundMs: number[] }
    const { made, searches, load, foundMs } = report.detail as unknown as Detail
    expect(made.created).toBe(500)
    expect(searches.answered).toBeGreaterThan(50)
    expect(load.redeemed).toBe(load.planned)
    expect(foundMs.length).toBeGreaterThan(0)
  })

  it('codes makes, exports and redeems codes in bulk', { timeout: TEST_TIME_LIMIT_MS }, async () => {
    const report = await runCodes(contextFor('wrk'), SMALL.codes)
    expectSound(report, 7)
    const { made, runs } = report.detail as { made: { bytes: number }; runs: { kind: string; succeeded: number }[] }
    expect(made.bytes).toBeGreaterThan(20_000 * 40)
    expect(runs.map(({ kind }) => kind)).toEqual(['limited', 'free'])
    for (const { succeeded } of runs) expect(succeeded).toBeGreaterThan(0)
  })

  it('memory fills a server with codes and users', { timeout: TEST_TIME_LIMIT_MS }, async () => {
    const report = await runMemory(contextFor('wrk'), SMALL.memory)
    expect(report.checks.filter((check) => !check.holds)).toEqual([])
    expect(report.checks).toHaveLength(2)
    const { steps, end } = report.detail as { steps: { codes: number }[]; end: { stateBytes: number } }
    expect(steps.map(({ codes }) => codes)).toEqual([4_000, 40_000])
    // A code takes 22 bytes at the least, a user and his order as much each.
    expect(end.stateBytes).toBeGreaterThan(40_000 * 22 + 16_384 * 44)
  })

  it('held sees three snapshots and a new segment under load', { timeout: TEST_TIME_LIMIT_MS }, async () => {
    const report = await runHeld(contextFor('wrk'), SMALL.held, SMALL.diskSyncs)
    expect(report.checks.filter((check) => !check.holds)).toEqual([])
    expect(report.checks).toHaveLength(8)
    const { load, uses, snapshots, segmentsBefore, segmentsAfter } = report.detail as unknown as {
      load: OpenLoopResult
      uses: number
      snapshots: unknown[]
      segmentsBefore: number
      segmentsAfter: number
    }
    expect(uses).toBe(load.planned)
    expect(snapshots.length).toBeGreaterThanOrEqual(3)
    expect(segmentsAfter).toBeGreaterThanOrEqual(segmentsBefore + 3)
    // 20 s in stretches of 2 s; every request due in the measured time is in one of them.
    expect(load.slices).toHaveLength(10)
    expect(load.slices.reduce((sum, slice) => sum + slice.count, 0)).toBe(load.latency.count)
    expect(report.series?.rows).toHaveLength(10)
  })

  it('ready finds every code and use after SIGKILL, from snapshots', { timeout: TEST_TIME_LIMIT_MS }, async () => {
    const report = await runReady(contextFor('wrk'), SMALL.ready)
    expectSound(report, 6)
    const { claimed, rowsRedeemed, replay } = report.detail as {
      claimed: number
      rowsRedeemed: number
      replay: { events: number }
    }
    expect(claimed).toBe(200)
    // 16 shards, each with 512 before the snapshots and 256 behind them.
    expect(rowsRedeemed).toBe(12_288)
    // Whoever replayed the whole log would have more than 12,000 events.
    expect(replay.events).toBeLessThan(8_192)
  })

  it('recovery finds every acknowledged redemption after SIGKILL', { timeout: TEST_TIME_LIMIT_MS }, async () => {
    const report = await runRecovery(contextFor('wrk'), SMALL.recovery)
    expectSound(report, 20)
    type Recovered = { columnUses: number; singleUses: number; singles: OpenLoopResult }
    type FromSnapshots = { uses: number; inSnapshots: number; replay: { events: number } }
    const { unlimited, once, unlimitedTail, onceTail } = report.detail as unknown as Record<
      'unlimited' | 'once',
      Recovered
    > &
      Record<'unlimitedTail' | 'onceTail', FromSnapshots>
    for (const { columnUses, singleUses, singles } of [unlimited, once]) {
      expect(columnUses).toBe(8_192)
      expect(singleUses).toBe(singles.planned)
      expect(singles.planned).toBeGreaterThan(0)
    }
    for (const { uses, inSnapshots, replay } of [unlimitedTail, onceTail]) {
      expect(uses).toBe(8_192 + 2_048)
      expect(inSnapshots).toBeGreaterThanOrEqual(8_192)
      // Whoever replayed the whole log would have more than 10,000 events.
      expect(replay.events).toBeLessThan(2_048 + 100)
    }
  })
})
