// The proof by crashes in small: ten kills under mixed load. At full length it is `npm run test:crash -- --kills 200`.

import { rmSync } from 'node:fs'
import { expect, it } from 'vitest'
import { Violation } from './ledger.ts'
import { proveByCrashes } from './proof.ts'

const KILLS = 10
const LIMIT_MS = 120_000

function seedOfRun(): number {
  const seed = Number(process.env['TEST_SEED'] ?? Date.now() % 1_000_000_007)
  console.log(`seed ${seed}`)
  return seed
}

it(`loses nothing in ${KILLS} kills under load, and comes back to the state that was alive`, {
  timeout: LIMIT_MS,
}, async () => {
  const counts = await proveByCrashes({ kills: KILLS, seed: seedOfRun(), report: (line) => console.log(line) })
  expect(counts.kills).toBeGreaterThanOrEqual(KILLS)
  expect(counts.audits).toBeGreaterThanOrEqual(2)
  // There was something to lose, and something was under way when the process was killed.
  expect(counts.redemptions).toBeGreaterThan(KILLS * 20)
  expect(counts.rows).toBeGreaterThan(0)
  expect(counts.reservations).toBeGreaterThan(0)
  expect(counts.doubts).toBeGreaterThan(0)
})

it('finds what a server loses that replies before the flush', { timeout: LIMIT_MS }, async () => {
  const proof = proveByCrashes({
    kills: KILLS * 4,
    seed: seedOfRun(),
    report: () => {},
    settings: { DURABILITY: 'relaxed' },
  })
  const found = await proof.then(
    () => null,
    (error: unknown) => error,
  )
  expect(found).toBeInstanceOf(Violation)
  const { message, evidence } = found as Violation
  rmSync(evidence as string, { recursive: true, force: true })
  // Something that was acknowledged is missing; the server itself never failed.
  expect(message).not.toMatch(/the server ended/)
})
