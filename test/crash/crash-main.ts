// `npm run test:crash -- --kills 200`: the proof by crashes at full length; with `--stacks` that of coupons on several shards, with
// `--jobs` that of codes made in bulk.
// Exit code 1 at the first violation.

import { parseArgs } from 'node:util'
import { proveJobsByCrashes } from './jobs-proof.ts'
import { proveByCrashes } from './proof.ts'
import { proveStacksByCrashes } from './stack-proof.ts'

const KILLS_DEFAULT = 200
/** Codes of the largest job, under `--jobs`. */
const CODES_MAX = 150_000

const { values } = parseArgs({
  options: {
    kills: { type: 'string' },
    seed: { type: 'string' },
    stacks: { type: 'boolean' },
    jobs: { type: 'boolean' },
  },
})
const kills = Number(values.kills ?? KILLS_DEFAULT)
const seed = Number(values.seed ?? Date.now() % 1_000_000_007)
if (!Number.isInteger(kills) || kills < 1 || !Number.isInteger(seed)) {
  console.error('test:crash takes --kills and --seed, both whole numbers, and --stacks or --jobs')
  process.exit(2)
}
console.log(`seed ${seed}, ${kills} kills`)
const startedMs = performance.now()
try {
  const report = (line: string): void => console.log(line)
  const counts =
    values.jobs === true
      ? await proveJobsByCrashes({ kills, seed, codesMax: CODES_MAX, report })
      : values.stacks === true
        ? await proveStacksByCrashes({ kills, seed, report })
        : await proveByCrashes({ kills, seed, report, fullEnd: true })
  if ('atFailPoints' in counts) console.log(`fail points met: ${JSON.stringify(counts.atFailPoints)}`)
  const seconds = Math.round((performance.now() - startedMs) / 1_000)
  console.log(`nothing lost, no limit exceeded, replay equal to live state: ${counts.kills} kills in ${seconds} s`)
} catch (error) {
  console.error((error as Error).message)
  process.exit(1)
}
