// The proof by crashes for jobs in small. At full length it is `npm run test:crash-jobs -- --kills 100`.

import { rmSync } from 'node:fs'
import { expect, it } from 'vitest'
import { proveJobsByCrashes } from './jobs-proof.ts'
import { Violation } from './ledger.ts'

const KILLS = 8
const CODES_MAX = 80_000
const LIMIT_MS = 180_000

function seedOfRun(): number {
  const seed = Number(process.env['TEST_SEED'] ?? Date.now() % 1_000_000_007)
  console.log(`seed ${seed}`)
  return seed
}

it(`makes every code once in ${KILLS} kills`, { timeout: LIMIT_MS }, async () => {
  const report = (line: string): void => console.log(line)
  const counts = await proveJobsByCrashes({ kills: KILLS, seed: seedOfRun(), codesMax: CODES_MAX, report })
  expect(counts.kills).toBe(KILLS)
  expect(counts.jobs).toBeGreaterThanOrEqual(KILLS)
  expect(counts.codes).toBeGreaterThan(CODES_MAX)
  expect(counts.audits).toBe(2)
  // There were jobs under way, some in their middle.
  expect(counts.cutOff).toBeGreaterThan(0)
})

it('finds what a server loses that replies before the flush', { timeout: LIMIT_MS }, async () => {
  const proof = proveJobsByCrashes({
    kills: KILLS * 4,
    seed: seedOfRun(),
    codesMax: CODES_MAX,
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
  expect(message).not.toMatch(/the server ended/)
})
