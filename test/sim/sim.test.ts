/** The simulator: fresh seeds in every run of the tests, and the same seed twice is the same run. */
import { expect, test } from 'vitest'
import { plan } from './plan.ts'
import { run } from './run.ts'

const FRESH_FROM = Number(process.env['TEST_SEED'] ?? Date.now() % 1_000_000_007)
const RUNS = 50
const LIMIT_MS = 240_000

test('the same seed is the same run, to the byte', { timeout: LIMIT_MS }, () => {
  const digests = [0, 1].map(() => run(plan(7, { mode: 'local', operations: 500 })).digest)
  expect(digests[0]).toBe(digests[1])
  expect(run(plan(8, { mode: 'local', operations: 500 })).digest).not.toBe(digests[0])
})

test(`fresh seeds from ${FRESH_FROM} break nothing in one process`, { timeout: LIMIT_MS }, () => {
  for (let seed = FRESH_FROM; seed < FRESH_FROM + RUNS; seed++) {
    const { faults } = run(plan(seed, { mode: 'local', operations: 500 }))
    expect(faults, `npm run sim -- --mode local --from ${seed} --seeds 1`).toEqual([])
  }
})
