// The proof by crashes for coupons on several shards in small: every fail point of theirs once. At full length it is
// `npm run test:crash -- --load stacks --kills 200`.

import { expect, it } from 'vitest'
import { proveByCrashes } from './crash-rounds.ts'
import { ofEarlyReplies, seedOfRun } from './small-runs.ts'
import { STACK_WAYS, StackCrash } from './stack-crash.ts'

/** Every other one at a fail point. */
const KILLS = STACK_WAYS.length * 2
const LIMIT_MS = 300_000

it(`leaves no half of a call and no hold behind in ${KILLS} kills`, { timeout: LIMIT_MS }, async () => {
  const { kills, judged, deaths, load } = await proveByCrashes((random) => new StackCrash(random), {
    kills: KILLS,
    seed: seedOfRun(),
    report: (line) => console.log(line),
    isEndWhole: true,
  })
  expect(kills).toBeGreaterThanOrEqual(KILLS)
  expect(judged).toBeGreaterThanOrEqual(3)
  expect(load['redemptions']).toBeGreaterThan(KILLS)
  expect(load['reservations']).toBeGreaterThan(KILLS)
  expect(load['doubts']).toBeGreaterThan(0)
  // A machine that is busy with other things may miss many within their time, not all.
  expect(Object.keys(deaths.points).filter((name) => name.startsWith('stack.')).length).toBeGreaterThan(2)
})

it('finds what a server loses that replies before the flush', { timeout: LIMIT_MS }, async () => {
  // Something that was acknowledged is missing; the server itself never failed.
  const found = await ofEarlyReplies((random) => new StackCrash(random), KILLS * 2)
  expect(found).toMatch(/^seed \d+, round \d+: /)
  expect(found).not.toMatch(/the server ended/)
})
