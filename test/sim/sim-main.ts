/**
 * `npm run sim`: many runs of the simulator, one seed each, in as many processes side by side as there are processors.
 *
 *     npm run sim -- --seeds 1000 --from 1 --operations 500 --mode local|network --jobs 2
 *     npm run sim -- --steps test/sim/found/late-prepare.json       plays a run that was kept
 *     npm run sim -- --fail-points                                  names those of the product
 *
 * Ends with 1 where a run broke a promise, or where a kind of fault never came up in a thousand seeds and more.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { FAIL_POINTS } from '../../engine/shard/fail-points.ts'
import { faultKindsMissing } from './fault-kinds.ts'
import { inProcesses } from './in-processes.ts'
import { plan } from './plan.ts'
import { run } from './run.ts'
import { NO_RUNS, type SeedRange, sumOf } from './seed-runs.ts'
import { shrink } from './shrink.ts'
import { type FoundRun, type Mode, MODES, type Scenario } from './steps.ts'

const PROGRESS_EVERY = 500
const FAILED_RUNS_MAX = 5
const SHOWN_FAULTS = 8
const SEEDS_THAT_HAVE_ALL = 1_000

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    operations: { type: 'string', default: '500' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    mode: { type: 'string', default: 'local' },
    steps: { type: 'string' },
    'fail-points': { type: 'boolean', default: false },
    out: { type: 'string', default: 'sim-failure.json' },
  },
})

if (values['fail-points']) for (const point of FAIL_POINTS) console.log(point)
else if (values.steps !== undefined) play(values.steps)
else await runAll(rangeOf(values), countOf('jobs', values.jobs))

function rangeOf({ mode, from, seeds, operations }: typeof values): SeedRange {
  return {
    mode: modeOf(mode),
    from: countOf('from', from),
    seeds: countOf('seeds', seeds),
    operations: countOf('operations', operations),
  }
}

function countOf(name: string, text: string): number {
  const count = Number(text)
  if (!Number.isSafeInteger(count) || count < 1) throw new Error(`--${name} is a whole number from 1 on, not ${text}`)
  return count
}

function modeOf(name: string): Mode {
  const mode = MODES.find((each) => each === name)
  if (mode === undefined) throw new Error(`--mode is ${MODES.join(' or ')}, not ${name}`)
  return mode
}

function play(path: string): void {
  const { scenario, found } = JSON.parse(readFileSync(path, 'utf8')) as FoundRun
  const { faults, digest } = run(scenario)
  console.log(`${scenario.steps.length} steps, digest ${digest}, kept because: ${found}`)
  for (const sentence of faults) console.log(`  ${sentence}`)
  process.exitCode = faults.length === 0 ? 0 : 1
}

async function runAll(all: SeedRange, jobs: number): Promise<void> {
  const begunMs = performance.now()
  let sum = NO_RUNS
  let toldAt = 0
  const tell = (): void => {
    const rate = Math.round((sum.operations * 1_000) / (performance.now() - begunMs))
    const processorRate = Math.round((sum.operations * 1e6) / sum.processorUs)
    console.log(
      `${sum.seeds} seeds, ${sum.operations} operations (${rate}/s, ${processorRate} a second of processor time), ` +
        `${sum.commands} commands, ${sum.events} events, ${sum.failed.length} failed`,
    )
    toldAt = sum.seeds
  }
  await inProcesses(all, jobs, (runs) => {
    for (const { seed, faults } of runs.failed) {
      tellFailure({ ...all, from: seed, seeds: 1 }, faults)
      if (sum.failed.length === 0) keep(plan(seed, all), faults)
    }
    sum = sumOf(sum, runs)
    if (sum.seeds - toldAt >= PROGRESS_EVERY) tell()
    return sum.failed.length < FAILED_RUNS_MAX
  })
  tell()
  for (const [what, count] of Object.entries(sum.counts).sort(([a], [b]) => (a < b ? -1 : 1)))
    console.log(`  ${what}: ${count}`)
  const missing = sum.seeds >= SEEDS_THAT_HAVE_ALL ? faultKindsMissing(all.mode, sum.counts) : []
  if (missing.length > 0) console.log(`never came up: ${missing.join(', ')}`)
  if (sum.failed.length > 0 || missing.length > 0) process.exitCode = 1
}

function tellFailure({ mode, operations, from }: SeedRange, faults: readonly string[]): void {
  console.log(`seed ${from} failed: npm run sim -- --mode ${mode} --operations ${operations} --from ${from} --seeds 1`)
  for (const sentence of faults.slice(0, SHOWN_FAULTS)) console.log(`  ${sentence}`)
}

/** The first failure is made short and written down. */
function keep(scenario: Scenario, faults: readonly string[]): void {
  const { scenario: short, runs } = shrink(scenario, faults)
  const found: FoundRun = { found: run(short).faults[0] ?? '', scenario: short }
  writeFileSync(values.out, `${JSON.stringify(found, null, 1)}\n`)
  console.log(`  ${short.steps.length} of ${scenario.steps.length} steps are enough (${runs} runs): ${values.out}`)
}
