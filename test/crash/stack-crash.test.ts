// The proof by crashes for coupons on several shards in small: every fail point once. At full length it is
// `npm run test:crash -- --stacks --kills 200`.

import { rmSync } from 'node:fs'
import { expect, it } from 'vitest'
import { Violation } from './ledger.ts'
import { proveStacksByCrashes, STACK_FAIL_POINTS } from './stack-proof.ts'

/** Every other one at a fail point, of which there are two ways to die each. */
const KILLS = STACK_FAIL_POINTS.length * 4
const LIMIT_MS = 240_000

function seedOfRun(): number {
  const seed = Number(process.env['TEST_SEED'] ?? Date.now() % 1_000_000_007)
  console.log(`seed ${seed}`)
  return seed
}

it(`leaves no half of a call and no hold behind in ${KILLS} kills`, { timeout: LIMIT_MS }, async () => {
  const counts = await proveStacksByCrashes({ kills: KILLS, seed: seedOfRun(), report: (line) => console.log(line) })
  expect(counts.kills).toBeGreaterThanOrEqual(KILLS)
  expect(counts.audits).toBeGreaterThanOrEqual(3)
  expect(counts.redemptions).toBeGreaterThan(KILLS * 4)
  expect(counts.reservations).toBeGreaterThan(KILLS * 4)
  expect(counts.doubts).toBeGreaterThan(0)
  // A slow machine may miss one within its time, not most.
  expect(Object.keys(counts.atFailPoints).length).toBeGreaterThan(STACK_FAIL_POINTS.length)
})

it('finds what a server loses that replies before the flush', { timeout: LIMIT_MS }, async () => {
  const settings = { DURABILITY: 'relaxed' }
  const proof = proveStacksByCrashes({ kills: KILLS * 2, seed: seedOfRun(), report: () => {}, settings })
  const found = await proof.then(
    () => null,
    (error: unknown) => error,
  )
  expect(found).toBeInstanceOf(Violation)
  const { message, evidence } = found as Violation
  rmSync(evidence as string, { recursive: true, force: true })
  expect(message).not.toMatch(/the server ended/)
})
