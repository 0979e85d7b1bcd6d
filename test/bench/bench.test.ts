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
import { runColumnsWorkload } from '../../bench/workloads/columns.ts'
import type { BenchContext } from '../../bench/workloads/context.ts'
import { runRecovery } from '../../bench/workloads/recovery.ts'
import { runSpread } from '../../bench/workloads/spread.ts'

const TEST_TIME_LIMIT_MS = 60_000
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
    const { once, any } = report.detail as Record<'once' | 'any', ColumnsResult & { uses: number }>
    for (const variant of [once, any]) {
      expect(variant.redeemed).toBe(8_192)
      expect(variant.uses).toBe(8_192)
      expect(variant.replayed).toBe(0)
      expect(variant.refused).toBe(0)
    }
  })

  it('spread counts the uses of one and of many coupons', { timeout: TEST_TIME_LIMIT_MS }, async () => {
    const tool = loadTools[0] as LoadTool
    const report = await runSpread(contextFor(tool), SMALL.spread)
    expectSound(report, 4)
    const { runs } = report.detail as { runs: { succeeded: number }[] }
    expect(runs).toHaveLength(3)
    for (const run of runs) expect(run.succeeded).toBeGreaterThan(0)
  })

  it('recovery finds every acknowledged redemption after SIGKILL', { timeout: TEST_TIME_LIMIT_MS }, async () => {
    const report = await runRecovery(contextFor('wrk'), SMALL.recovery)
    expectSound(report, 10)
    type Recovered = { columnUses: number; singleUses: number; singles: OpenLoopResult }
    const { any, once } = report.detail as unknown as { any: Recovered; once: Recovered }
    for (const { columnUses, singleUses, singles } of [any, once]) {
      expect(columnUses).toBe(8_192)
      expect(singleUses).toBe(singles.planned)
      expect(singles.planned).toBeGreaterThan(0)
    }
  })
})
