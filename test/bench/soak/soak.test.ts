// A soak of seconds against the built server with a leak planted in it: everything happens that happens in an hour, the judges find
// it exact, and the leak is seen. Speed is not judged here.

import { existsSync } from 'node:fs'
import { beforeAll, expect, it } from 'vitest'
import { ENTRIES, PRODUCT_ENTRY } from '../../../bench/project.ts'
import { meets } from '../../../bench/report/figure.ts'
import { growthPerMinute, judgeSoak } from '../../../bench/soak/judge.ts'
import { FULL_RATE_PER_SECOND, soakSize } from '../../../bench/soak/mix.ts'
import { runSoak } from '../../../bench/soak/run-soak.ts'
import { withScratch } from '../../../bench/workloads/context.ts'

const MINUTES = 8 / 60
const SEED = 42
/** Fifty megabytes a second: a server that has just begun grows by itself, but not like this. */
const LEAK_MB_PER_MINUTE = 3_000
const MB = 1_000_000

beforeAll(() => {
  for (const entry of [PRODUCT_ENTRY, ENTRIES.soakAudit, ENTRIES.soakLeak]) {
    if (!existsSync(entry)) throw new Error(`${entry} is not there: run "npm run build" first`)
  }
})

it('does everything, is exact, and shows a planted leak', { timeout: 120_000 }, async () => {
  const size = soakSize(MINUTES, FULL_RATE_PER_SECOND)
  const run = await withScratch(
    async (scratch) =>
      await runSoak({
        productEntry: PRODUCT_ENTRY,
        size,
        seed: SEED,
        leakMbPerMinute: LEAK_MB_PER_MINUTE,
        scratch,
        say: () => {},
      }),
  )
  const report = judgeSoak(run)
  expect(report.checks.filter(({ holds }) => !holds)).toEqual([])
  expect(report.checks).toHaveLength(17)
  expect(run.exactness.events).toBeGreaterThan(500)
  expect(run.exactness.uses.filter(({ told }) => told > 0).length).toBeGreaterThan(20)
  expect(growthPerMinute(run.samples, size.seconds) / MB).toBeGreaterThan(LEAK_MB_PER_MINUTE / 2)
  const held = judgeSoak({ ...run, size: { ...size, growthMbPerMinuteMax: LEAK_MB_PER_MINUTE / 2 } })
  expect(held.figures.filter((figure) => !meets(figure)).map(({ name }) => name)).toContain(
    'soak: memory beyond the state, growth over 8 s',
  )
})
