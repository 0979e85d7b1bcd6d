// The proof by crashes for jobs in small. At full length it is `npm run test:crash -- --load jobs --kills 100`.

import { expect, it } from 'vitest'
import { proveByCrashes } from './crash-rounds.ts'
import { JobsCrash } from './jobs-crash.ts'
import { ofEarlyReplies, seedOfRun } from './small-runs.ts'

const KILLS = 8
const CODES_MAX = 80_000
const LIMIT_MS = 300_000

it(`makes every code once and puts every row once in ${KILLS} kills`, { timeout: LIMIT_MS }, async () => {
  const { kills, judged, load, deaths } = await proveByCrashes((random) => new JobsCrash(random, CODES_MAX), {
    kills: KILLS,
    seed: seedOfRun(),
    report: (line) => console.log(line),
    isEndWhole: true,
  })
  expect(kills).toBeGreaterThanOrEqual(KILLS)
  expect(load['jobs']).toBeGreaterThanOrEqual(KILLS)
  expect(load['imports']).toBeGreaterThan(0)
  expect(load['codes']).toBeGreaterThan(CODES_MAX)
  expect(judged).toBeGreaterThanOrEqual(2)
  // There were jobs under way, some in their middle.
  expect(load['times cut off']).toBeGreaterThan(0)
  expect(deaths.phases['job']).toBeGreaterThan(0)
})

it('finds what a server loses that replies before the flush', { timeout: LIMIT_MS }, async () => {
  // Something that was acknowledged is missing; the server itself never failed.
  const found = await ofEarlyReplies((random) => new JobsCrash(random, CODES_MAX), KILLS * 4)
  expect(found).toMatch(/^seed \d+, round \d+: /)
  expect(found).not.toMatch(/the server ended/)
})
