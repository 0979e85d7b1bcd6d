// The proof by crashes in small: ten kills under mixed load. At full length it is `npm run test:crash -- --load single --kills 200`.

import { expect, it } from 'vitest'
import { proveByCrashes } from './crash-rounds.ts'
import { ofEarlyReplies, seedOfRun } from './small-runs.ts'
import { SingleCrash } from './single-crash.ts'

const KILLS = 10
const LIMIT_MS = 240_000

it(`loses nothing in ${KILLS} kills under load, and comes back to the state that was alive`, {
  timeout: LIMIT_MS,
}, async () => {
  const { kills, judged, deaths, load } = await proveByCrashes((random) => new SingleCrash(random), {
    kills: KILLS,
    seed: seedOfRun(),
    report: (line) => console.log(line),
  })
  expect(kills).toBeGreaterThanOrEqual(KILLS)
  expect(judged).toBeGreaterThanOrEqual(2)
  // There was something to lose, and something was under way when the process was killed.
  expect(load['redemptions']).toBeGreaterThan(KILLS)
  expect(load['rows']).toBeGreaterThan(0)
  expect(load['reservations']).toBeGreaterThan(0)
  expect(load['doubts']).toBeGreaterThan(0)
  expect(deaths.atPoints).toBeGreaterThan(0)
})

it('finds what a server loses that replies before the flush', { timeout: LIMIT_MS }, async () => {
  // Something that was acknowledged is missing; the server itself never failed.
  const found = await ofEarlyReplies((random) => new SingleCrash(random), KILLS * 4)
  expect(found).toMatch(/^seed \d+, round \d+: /)
  expect(found).not.toMatch(/the server ended/)
})
