/**
 * `npm run sim`: many runs of the simulator, one seed each.
 *
 *     npm run sim -- --seeds 1000 --from 1 --operations 500 --mode local|network
 *     npm run sim -- --steps test/sim/found/late-prepare.json       plays a run that was kept
 *     npm run sim -- --fail-points                                  names those of the product
 *
 * Ends with 1 where a run broke a promise, or where a kind of fault never came up in a thousand seeds and more.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { FAIL_POINTS } from '../../engine/shard/fail-points.ts'
import { faultKindsMissing } from './fault-kinds.ts'
import { plan } from './plan.ts'
import { run, type RunResult } from './run.ts'
import { shrink } from './shrink.ts'
import { type FoundRun, type Mode, MODES } from './steps.ts'

const PROGRESS_EVERY = 500
const FAILED_RUNS_MAX = 5
const SHOWN_FAULTS = 8
const SEEDS_THAT_HAVE_ALL = 1_000

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    operations: { type: 'string', default: '500' },
    mode: { type: 'string', default: 'local' },
    steps: { type: 'string' },
    'fail-points': { type: 'boolean', default: false },
    out: { type: 'string', default: 'sim-failure.json' },
  },
})

if (values['fail-points']) for (const point of FAIL_POINTS) console.log(point)
else if (values.steps !== undefined) play(values.steps)
else runSeeds(modeOf(values.mode), Number(values.from), Number(values.seeds), Number(values.operations))

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

function runSeeds(mode: Mode, from: number, seeds: number, operations: number): void {
  const counts: Record<string, number> = {}
  const sum = { operations: 0, commands: 0, events: 0, failed: 0, done: 0 }
  const begunMs = performance.now()
  const begunCpu = process.cpuUsage()
  const tell = (): void => {
    const { user, system } = process.cpuUsage(begunCpu)
    const seconds = (performance.now() - begunMs) / 1_000
    const rate = Math.round(sum.operations / seconds)
    const cpuRate = Math.round((sum.operations * 1e6) / (user + system))
    console.log(
      `${sum.done} seeds, ${sum.operations} operations (${rate}/s, ${cpuRate} a second of processor time), ` +
        `${sum.commands} commands, ${sum.events} events, ${sum.failed} failed`,
    )
  }
  for (let seed = from; seed < from + seeds && sum.failed < FAILED_RUNS_MAX; seed++) {
    const scenario = plan(seed, { mode, operations })
    const result = run(scenario)
    for (const [what, count] of Object.entries(result.counts)) counts[what] = (counts[what] ?? 0) + count
    sum.done++
    sum.operations += operations
    sum.commands += result.commands
    sum.events += result.events
    if (result.faults.length > 0) {
      sum.failed++
      tellFailure(seed, mode, operations, result)
      if (sum.failed === 1) keep(scenario, result)
    }
    if (sum.done % PROGRESS_EVERY === 0) tell()
  }
  tell()
  for (const [what, count] of Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)))
    console.log(`  ${what}: ${count}`)
  const missing = sum.done >= SEEDS_THAT_HAVE_ALL ? faultKindsMissing(mode, counts) : []
  if (missing.length > 0) console.log(`never came up: ${missing.join(', ')}`)
  if (sum.failed > 0 || missing.length > 0) process.exitCode = 1
}

function tellFailure(seed: number, mode: Mode, operations: number, { faults }: RunResult): void {
  console.log(`seed ${seed} failed: npm run sim -- --mode ${mode} --operations ${operations} --from ${seed} --seeds 1`)
  for (const sentence of faults.slice(0, SHOWN_FAULTS)) console.log(`  ${sentence}`)
}

/** The first failure is made short and written down. */
function keep(scenario: Parameters<typeof shrink>[0], { faults }: RunResult): void {
  const { scenario: short, runs } = shrink(scenario, faults)
  const found: FoundRun = { found: run(short).faults[0] ?? '', scenario: short }
  writeFileSync(values.out, `${JSON.stringify(found, null, 1)}\n`)
  console.log(`  ${short.steps.length} of ${scenario.steps.length} steps are enough (${runs} runs): ${values.out}`)
}
