// `npm run bench`: runs the workloads one after the other, prints one table, writes one file of results.
//
// A missed target does not end it with an error, it is a figure; a check that does not hold and a workload that broke
// do. Children end with it, also when it is interrupted.

import { Command, InvalidArgumentError, Option } from 'commander'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { performance } from 'node:perf_hooks'
import { findLoadTool, type LoadTool } from './load/closed-loop.ts'
import { measureDiskSync } from './load/disk-sync.ts'
import { latencyLine } from './load/latency.ts'
import { describeMachine, machineLines } from './machine.ts'
import { PRODUCT_ENTRY, RESULTS_DIR } from './project.ts'
import { WORKLOADS, type WorkloadName, type WorkloadReport } from './report/figure.ts'
import { csvText } from './report/series.ts'
import { failedChecks, figureTable, shortFigures } from './report/table.ts'
import { callerSettings } from './server/product.ts'
import { type BenchSize, FULL, SMALL, withCoupons, withMemory, withMinutes, withSeconds } from './sizes.ts'
import { runCeiling } from './workloads/ceiling.ts'
import { runCheckout } from './workloads/checkout.ts'
import { runClaimsWorkload } from './workloads/claims.ts'
import { runCodes } from './workloads/codes.ts'
import { runColumnsWorkload } from './workloads/columns.ts'
import { type BenchContext, withScratch } from './workloads/context.ts'
import { runHeld } from './workloads/held.ts'
import { runImport } from './workloads/imports.ts'
import { runMemory } from './workloads/memory.ts'
import { runReadModel } from './workloads/read-model.ts'
import { runReady } from './workloads/ready.ts'
import { runRecovery } from './workloads/recovery.ts'
import { runSearch } from './workloads/search.ts'
import { runSpread } from './workloads/spread.ts'
import { runStacked } from './workloads/stacked.ts'

/** What runs when nothing is named: all but those that take minutes each. */
const LONG: readonly WorkloadName[] = ['held', 'read-model', 'search', 'claims', 'import', 'memory', 'ready']
const USUAL: readonly WorkloadName[] = WORKLOADS.filter((name) => !LONG.includes(name))

interface Options {
  readonly only?: readonly WorkloadName[]
  readonly small: boolean
  readonly seconds?: number
  readonly minutes?: number
  readonly coupons?: number
  readonly codes?: number
  readonly users?: number
  readonly product: string
  readonly loadTool?: LoadTool
  readonly seed: number
  readonly name?: string
}

const RUN: Record<WorkloadName, (context: BenchContext, size: BenchSize) => Promise<WorkloadReport>> = {
  checkout: async (context, size) => await runCheckout(context, size.checkout, size.diskSyncs),
  ceiling: async (context, size) => await runCeiling(context, size.ceiling),
  columns: async (context, size) => await runColumnsWorkload(context, size.columns),
  spread: async (context, size) => await runSpread(context, size.spread),
  recovery: async (context, size) => await runRecovery(context, size.recovery),
  ready: async (context, size) => await runReady(context, size.ready),
  stacked: async (context, size) => await runStacked(context, size.stacked),
  'read-model': async (context, size) => await runReadModel(context, size.readModel),
  search: async (context, size) => await runSearch(context, size.search),
  codes: async (context, size) => await runCodes(context, size.codes),
  memory: async (context, size) => await runMemory(context, size.memory),
  claims: async (context, size) => await runClaimsWorkload(context, size.claims),
  import: async (context, size) => await runImport(context, size.import),
  held: async (context, size) => await runHeld(context, size.held, size.diskSyncs),
}

function sizeFor({ small, seconds, minutes, coupons, codes, users }: Options): BenchSize {
  const chosen = small ? SMALL : FULL
  const withLength = seconds === undefined ? chosen : withSeconds(chosen, seconds)
  const withTime = minutes === undefined ? withLength : withMinutes(withLength, minutes)
  const withMuch = withMemory(withTime, codes, users)
  return coupons === undefined ? withMuch : withCoupons(withMuch, coupons)
}

async function main(workloads: readonly WorkloadName[], options: Options): Promise<boolean> {
  const startedAt = new Date()
  const startMs = performance.now()
  const size = sizeFor(options)
  const context: BenchContext = {
    productEntry: resolve(options.product),
    loadTool: options.loadTool ?? findLoadTool(),
    seed: options.seed,
    say: (line) => console.log(`  ${line}`),
  }
  const { machine, disk } = await withScratch((folder) => {
    return Promise.resolve({
      machine: describeMachine(folder, callerSettings()),
      disk: measureDiskSync(folder, size.diskSyncs),
    })
  })
  for (const line of machineLines(machine)) console.log(line)
  console.log(`fdatasync ${latencyLine(disk)}, 4 KiB appended to a preallocated file`)
  console.log(
    `load      ${context.loadTool}, seed ${context.seed}${options.small ? ', SMALL: figures mean nothing' : ''}`,
  )
  const reports: WorkloadReport[] = []
  const broken: string[] = []
  for (const workload of workloads) {
    console.log(`\n${workload}`)
    try {
      reports.push(await RUN[workload](context, size))
    } catch (cause) {
      const words = cause instanceof Error ? cause.message : String(cause)
      console.log(`  broke: ${words}`)
      broken.push(`${workload}: ${words.split('\n')[0] ?? ''}`)
    }
  }
  const elapsedSeconds = (performance.now() - startMs) / 1_000
  const failed = [...broken, ...failedChecks(reports)]
  console.log(`\n${figureTable(reports).join('\n')}`)
  const short = shortFigures(reports)
  if (short.length > 0) console.log(`\nSHORT OF THE TARGET\n${short.join('\n')}`)
  console.log(failed.length === 0 ? '\nall checks hold' : `\nDOES NOT HOLD\n${failed.join('\n')}`)
  const results = {
    startedAt: startedAt.toISOString(),
    elapsedSeconds,
    small: options.small,
    seed: context.seed,
    machine,
    disk,
    failed,
    short,
    reports,
  }
  mkdirSync(RESULTS_DIR, { recursive: true })
  const name = options.name ?? startedAt.toISOString().replace(/[:.]/g, '-')
  const file = join(RESULTS_DIR, `${name}.json`)
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`)
  for (const { workload, series } of reports) {
    if (series !== undefined) writeFileSync(join(RESULTS_DIR, `${name}.${workload}.csv`), csvText(series))
  }
  console.log(`${elapsedSeconds.toFixed(0)} s, written to ${file}`)
  return failed.length === 0
}

function parseWorkloads(text: string): WorkloadName[] {
  const names = text.split(',').map((name) => name.trim())
  const unknown = names.filter((name) => !(WORKLOADS as readonly string[]).includes(name))
  if (unknown.length > 0) throw new InvalidArgumentError(`Known are ${WORKLOADS.join(', ')}.`)
  return WORKLOADS.filter((name) => names.includes(name))
}

/** Named one by one, by `--only`, or none. */
function chosenWorkloads(command: Command, { only }: Options): readonly WorkloadName[] {
  const named = [...command.args, ...(only ?? [])]
  if (named.length === 0) return USUAL
  try {
    return parseWorkloads(named.join(','))
  } catch (error) {
    return command.error((error as Error).message)
  }
}

function parsePositive(text: string): number {
  const value = Number(text)
  if (!(value > 0)) throw new InvalidArgumentError('A number above 0 is needed.')
  return value
}

function parseName(text: string): string {
  if (!/^[\w.-]+$/.test(text)) throw new InvalidArgumentError('Letters, digits, dots and dashes only.')
  return text
}

const program = new Command('bench')
  .description('Measures the built product on loopback')
  .argument('[workloads...]', `some of ${WORKLOADS.join(', ')} (without: ${USUAL.join(', ')})`)
  .option('--only <workloads>', 'the same, with commas between them', parseWorkloads)
  .option('--small', 'seconds instead of minutes, to see that everything works', false)
  .option('--seconds <n>', 'length of the checkout and columns runs', parsePositive)
  .option('--product <file>', 'the built entry to measure', PRODUCT_ENTRY)
  .addOption(new Option('--load-tool <tool>', 'what drives the closed loops').choices(['wrk', 'autocannon']))
  .option('--minutes <n>', 'length of the held run', parsePositive)
  .option('--coupons <n>', 'coupons of the search run', parsePositive)
  .option('--codes <n>', 'codes of the memory run', parsePositive)
  .option('--users <n>', 'users of the memory run', parsePositive)
  .option('--seed <n>', 'for arrivals and draws', parsePositive, 20_261_120)
  .option('--name <name>', 'name of the file of results (default: the date)', parseName)

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => process.exit(130))
}

const options = program.parse().opts<Options>()
if (!existsSync(options.product)) program.error(`${options.product} is not there: run "npm run build" first`)
process.exitCode = (await main(chosenWorkloads(program, options), options)) ? 0 : 1
