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
import { failedChecks, figureTable } from './report/table.ts'
import { callerSettings } from './server/product.ts'
import { type BenchSize, FULL, SMALL, withSeconds } from './sizes.ts'
import { runCeiling } from './workloads/ceiling.ts'
import { runCheckout } from './workloads/checkout.ts'
import { runColumnsWorkload } from './workloads/columns.ts'
import { type BenchContext, withScratch } from './workloads/context.ts'
import { runRecovery } from './workloads/recovery.ts'
import { runSpread } from './workloads/spread.ts'

interface Options {
  readonly only: readonly WorkloadName[]
  readonly small: boolean
  readonly seconds?: number
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
}

async function main(options: Options): Promise<boolean> {
  const startedAt = new Date()
  const startMs = performance.now()
  const chosen = options.small ? SMALL : FULL
  const size = options.seconds === undefined ? chosen : withSeconds(chosen, options.seconds)
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
  for (const workload of options.only) {
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
  console.log(failed.length === 0 ? '\nall checks hold' : `\nDOES NOT HOLD\n${failed.join('\n')}`)
  const results = {
    startedAt: startedAt.toISOString(),
    elapsedSeconds,
    small: options.small,
    seed: context.seed,
    machine,
    disk,
    failed,
    reports,
  }
  mkdirSync(RESULTS_DIR, { recursive: true })
  const file = join(RESULTS_DIR, `${options.name ?? startedAt.toISOString().replace(/[:.]/g, '-')}.json`)
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`)
  console.log(`${elapsedSeconds.toFixed(0)} s, written to ${file}`)
  return failed.length === 0
}

function parseWorkloads(text: string): WorkloadName[] {
  const names = text.split(',').map((name) => name.trim())
  const unknown = names.filter((name) => !(WORKLOADS as readonly string[]).includes(name))
  if (unknown.length > 0) throw new InvalidArgumentError(`Known are ${WORKLOADS.join(', ')}.`)
  return WORKLOADS.filter((name) => names.includes(name))
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
  .description('Measures the built product on loopback; under five minutes when all workloads run')
  .option('--only <workloads>', `some of ${WORKLOADS.join(',')}`, parseWorkloads, [...WORKLOADS])
  .option('--small', 'seconds instead of minutes, to see that everything works', false)
  .option('--seconds <n>', 'length of the checkout and columns runs', parsePositive)
  .option('--product <file>', 'the built entry to measure', PRODUCT_ENTRY)
  .addOption(new Option('--load-tool <tool>', 'what drives the closed loops').choices(['wrk', 'autocannon']))
  .option('--seed <n>', 'for arrivals and draws', parsePositive, 20_261_120)
  .option('--name <name>', 'name of the file of results (default: the date)', parseName)

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => process.exit(130))
}

const options = program.parse().opts<Options>()
if (!existsSync(options.product)) program.error(`${options.product} is not there: run "npm run build" first`)
process.exitCode = (await main(options)) ? 0 : 1
