/**
 * The simulator: fresh seeds in every run of the tests, the same seed twice is the same run, and what it once found stays
 * mended. Longer runs: `npm run sim`.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { PROJECT_ROOT } from '../support/project.ts'
import { plan } from './plan.ts'
import { run } from './run.ts'
import { type FoundRun, MODES } from './steps.ts'

const FRESH_FROM = Number(process.env['TEST_SEED'] ?? Date.now() % 1_000_000_007)
const SEEDS_OF_A_MODE = 250
/** Fewer than in a long run, so that there are many seeds in little time. */
const OPERATIONS = 150
const LIMIT_MS = 240_000
const FOUND = join(PROJECT_ROOT, 'test/sim/found')

test.each(MODES)('the same seed is the same run, to the byte, mode %s', { timeout: LIMIT_MS }, (mode) => {
  const [one, same, other] = [7, 7, 8].map((seed) => run(plan(seed, { mode, operations: 500 })).digest)
  expect(same).toBe(one)
  expect(other).not.toBe(one)
})

test.each(MODES)(`fresh seeds from ${FRESH_FROM} break no promise, mode %s`, { timeout: LIMIT_MS }, (mode) => {
  for (let seed = FRESH_FROM; seed < FRESH_FROM + SEEDS_OF_A_MODE; seed++) {
    const { faults } = run(plan(seed, { mode, operations: OPERATIONS }))
    expect(faults, `npm run sim -- --mode ${mode} --operations ${OPERATIONS} --from ${seed} --seeds 1`).toEqual([])
  }
})

test.each(readdirSync(FOUND))('what was found once stays mended: %s', (name) => {
  const { scenario } = JSON.parse(readFileSync(join(FOUND, name), 'utf8')) as FoundRun
  expect(run(scenario).faults).toEqual([])
})
