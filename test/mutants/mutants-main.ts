// `npm run test:mutants`: plants every fault and sees that the suite notices it. `--only id` (several times, or a beginning)
// for some of them, `--jobs 1` on a busy machine, `--seed` for the random tests among them.
// Exit code 1: one survived, or nothing could be said; 2: wrong options.

import { parseArgs } from 'node:util'
import { ALL_FAULTS } from './faults/all-faults.ts'
import { type Hunted, huntAll, passUnmutated } from './hunt.ts'
import { planted } from './mutant.ts'
import { TreeCopy } from './tree-copy.ts'

const SEED_DEFAULT = 1

const { values } = parseArgs({
  options: { only: { type: 'string', multiple: true }, jobs: { type: 'string' }, seed: { type: 'string' } },
})
const jobs = Number(values.jobs ?? 2)
const seed = Number(values.seed ?? SEED_DEFAULT)
const mutants = ALL_FAULTS.filter(({ id }) => values.only?.some((wanted) => id.startsWith(wanted)) ?? true)
if (!Number.isInteger(jobs) || jobs < 1 || !Number.isInteger(seed) || mutants.length === 0) {
  console.error('test:mutants takes --only with the beginning of an id, --jobs and --seed with whole numbers')
  process.exit(2)
}

const startedMs = performance.now()
try {
  const copy = new TreeCopy()
  for (const mutant of mutants) planted(copy.read(mutant.file), mutant)
  const tests = await passUnmutated(copy, mutants, seed)
  copy.remove()
  console.log(`without a fault: ${tests} tests passed in ${secondsSince(startedMs)} s`)
  const all = await huntAll(mutants, { jobs, seed, report: (hunted) => console.log(row(hunted)) })
  const survivors = all.filter(({ caughtBy }) => caughtBy === null)
  console.log(`${all.length - survivors.length} of ${all.length} faults caught in ${secondsSince(startedMs)} s`)
  for (const { mutant, how } of survivors) {
    console.log(`SURVIVED ${mutant.id} (${mutant.file}): ${mutant.breaks}\n  ${how}`)
  }
  process.exitCode = survivors.length === 0 ? 0 : 1
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}

function row({ mutant, caughtBy, how, seconds }: Hunted): string {
  const by = caughtBy === null ? 'SURVIVED' : `${caughtBy.replace(/^test\//, '')} › ${how}`
  return `${mutant.id.padEnd(46)} ${seconds.toFixed(1).padStart(5)} s  ${by}`
}

function secondsSince(sinceMs: number): number {
  return Math.round((performance.now() - sinceMs) / 1_000)
}
