// The proof by crashes in small: ten kills under mixed load. At full length it is `npm run test:crash -- --kills 200`.

import { expect, it } from 'vitest'
import { proveByCrashes } from './proof.ts'

const KILLS = 10
const LIMIT_MS = 120_000

it(`loses nothing in ${KILLS} kills under load, and comes back to the state that was alive`, { timeout: LIMIT_MS }, async () => {
  const seed = Number(process.env['TEST_SEED'] ?? Date.now() % 1_000_000_007)
  console.log(`seed ${seed}`)
  const counts = await proveByCrashes({ kills: KILLS, seed, report: (line) => console.log(line) })
  expect(counts.kills).toBeGreaterThanOrEqual(KILLS)
  expect(counts.audits).toBeGreaterThanOrEqual(2)
  // There was something to lose, and something was under way when the process was killed.
  expect(counts.redemptions).toBeGreaterThan(KILLS * 20)
  expect(counts.rows).toBeGreaterThan(0)
  expect(counts.reservations).toBeGreaterThan(0)
  expect(counts.doubts).toBeGreaterThan(0)
})
