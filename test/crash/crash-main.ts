// `npm run test:crash -- --kills 200`: the proof by crashes at full length; with `--stacks` that of coupons on several shards.
// Exit code 1 at the first violation.

import { parseArgs } from 'node:util'
import { proveByCrashes } from './proof.ts'
import { proveStacksByCrashes } from './stack-proof.ts'

const KILLS_DEFAULT = 200

const { values } = parseArgs({
  options: { kills: { type: 'string' }, seed: { type: 'string' }, stacks: { type: 'boolean' } },
})
const kills = Number(values.kills ?? KILLS_DEFAULT)
const seed = Number(values.seed ?? Date.now() % 1_000_000_007)
if (!Number.isInteger(kills) || kills < 1 || !Number.isInteger(seed)) {
  console.error('test:crash takes --kills and --seed, both whole numbers, and --stacks')
  process.exit(2)
}
console.log(`seed ${seed}, ${kills} kills`)
const startedMs = performance.now()
try {
  const report = (line: string): void => console.log(line)
  const counts =
    values.stacks === true
      ? await proveStacksByCrashes({ kills, seed, report })
      : await proveByCrashes({ kills, seed, report, fullEnd: true })
  if ('atFailPoints' in counts) console.log(`fail points met: ${JSON.stringify(counts.atFailPoints)}`)
  const seconds = Math.round((performance.now() - startedMs) / 1_000)
  console.log(`nothing lost, no limit exceeded, replay equal to live state: ${counts.kills} kills in ${seconds} s`)
} catch (error) {
  console.error((error as Error).message)
  process.exit(1)
}
