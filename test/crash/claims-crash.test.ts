// The proof by crashes for claims in small. At full length it is `npm run test:crash -- --load claims --kills 200`.

import { expect, it } from 'vitest'
import { ClaimsCrash } from './claims-crash.ts'
import { proveByCrashes } from './crash-rounds.ts'
import { ofEarlyReplies, seedOfRun } from './small-runs.ts'

const KILLS = 8
const LIMIT_MS = 240_000

it(`loses no claim and hands no coupon to two in ${KILLS} kills`, { timeout: LIMIT_MS }, async () => {
  const { kills, judged, load } = await proveByCrashes((random) => new ClaimsCrash(random), {
    kills: KILLS,
    seed: seedOfRun(),
    report: (line) => console.log(line),
    isEndWhole: true,
  })
  expect(kills).toBeGreaterThanOrEqual(KILLS)
  expect(judged).toBeGreaterThanOrEqual(2)
  expect(load['claims']).toBeGreaterThan(KILLS)
  expect(load['let go']).toBeGreaterThan(0)
  expect(load['redemptions']).toBeGreaterThan(0)
  expect(load['refused by the day']).toBeGreaterThan(0)
  expect(load['doubts']).toBeGreaterThan(0)
})

it('finds what a server loses that replies before the flush', { timeout: LIMIT_MS }, async () => {
  // Something that was acknowledged is missing; the server itself never failed.
  const found = await ofEarlyReplies((random) => new ClaimsCrash(random), KILLS * 4)
  expect(found).toMatch(/^seed \d+, round \d+: /)
  expect(found).not.toMatch(/the server ended/)
})
