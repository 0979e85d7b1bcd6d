// `npm run bench:peers`: the usual designs with real parts against the product, in one run, on one machine.
//
// Needs servers that are not npm packages. Where they are missing it says how to get them and exits with 3, so that a script
// can tell "not installed" from "does not hold" (1). A missed target is a figure and no error. Children end with it, also
// when it is interrupted.

import { Command, InvalidArgumentError, Option } from 'commander'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { performance } from 'node:perf_hooks'
import { findLoadTool, type LoadTool } from '../load/closed-loop.ts'
import { measureDiskSync } from '../load/disk-sync.ts'
import { latencyLine } from '../load/latency.ts'
import { describeMachine, type Machine, machineLines } from '../machine.ts'
import { PRODUCT_ENTRY, RESULTS_DIR } from '../project.ts'
import { failedChecks, figureTable } from '../report/table.ts'
import { callerSettings } from '../server/product.ts'
import { FULL, type PeersSize, SMALL } from '../sizes.ts'
import { withScratch } from '../workloads/context.ts'
import { runPeers } from '../workloads/peers.ts'
import { findBinaries, type PeerBinaries, usualPlaces } from './binaries.ts'

const EXIT = { OK: 0, DOES_NOT_HOLD: 1, NOT_INSTALLED: 3 } as const

/** File systems in memory: a flush to them costs nothing and proves nothing. */
const IN_MEMORY = ['tmpfs', 'ramfs']

interface Options {
  readonly small: boolean
  readonly rounds?: number
  readonly seconds?: number
  readonly product: string
  readonly binaries?: string
  readonly loadTool?: LoadTool
  readonly name: string
}

async function main(options: Options, binaries: PeerBinaries): Promise<boolean> {
  const startedAt = new Date()
  const startMs = performance.now()
  const chosen = options.small ? SMALL : FULL
  const size: PeersSize = {
    ...chosen.peers,
    ...(options.rounds === undefined ? {} : { rounds: options.rounds }),
    ...(options.seconds === undefined ? {} : { secondsPerRun: options.seconds }),
  }
  const loadTool = options.loadTool ?? findLoadTool()
  const { machine, disk } = await withScratch((folder) =>
    Promise.resolve({
      machine: describeMachine(folder, callerSettings()),
      disk: measureDiskSync(folder, chosen.diskSyncs),
    }),
  )
  refuseMemory(machine)
  for (const line of machineLines(machine)) console.log(line)
  console.log(`fdatasync ${latencyLine(disk)}, 4 KiB appended to a preallocated file`)
  console.log(`load      ${loadTool}${options.small ? ', SMALL: figures mean nothing' : ''}\n\npeers`)
  const report = await runPeers(
    { productEntry: resolve(options.product), loadTool, seed: 0, say: (line) => console.log(`  ${line}`) },
    size,
    binaries,
  )
  const { settings } = report.detail as { settings: Record<string, string> }
  for (const [name, words] of Object.entries(settings)) if (words !== '') console.log(`  ${name}: ${words}`)
  const failed = failedChecks([report])
  const elapsedSeconds = (performance.now() - startMs) / 1_000
  console.log(`\n${figureTable([report]).join('\n')}`)
  console.log(
    failed.length === 0 ? `\nall ${report.checks.length} checks hold` : `\nDOES NOT HOLD\n${failed.join('\n')}`,
  )
  const results = {
    startedAt: startedAt.toISOString(),
    elapsedSeconds,
    small: options.small,
    machine,
    disk,
    failed,
    report,
  }
  mkdirSync(RESULTS_DIR, { recursive: true })
  const file = join(RESULTS_DIR, `${options.name}.json`)
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`)
  console.log(`${elapsedSeconds.toFixed(0)} s, written to ${file}`)
  return failed.length === 0
}

function refuseMemory({ disk }: Machine): void {
  const [, type] = disk.split(' ')
  if (type !== undefined && IN_MEMORY.includes(type)) {
    throw new Error(`the temporary folder lies in memory (${disk}); set TMPDIR to a folder on a disk`)
  }
}

function parsePositive(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('A whole number above 0 is needed.')
  return value
}

function parseName(text: string): string {
  if (!/^[\w.-]+$/.test(text)) throw new InvalidArgumentError('Letters, digits, dots and dashes only.')
  return text
}

const program = new Command('bench:peers')
  .description('Measures the usual designs (Redis Lua; Redis + PostgreSQL) and the product by turns; about two minutes')
  .option('--small', 'seconds instead of minutes, to see that everything works', false)
  .option('--rounds <n>', 'rounds, of which the median counts', parsePositive)
  .option('--seconds <n>', 'length of a run', parsePositive)
  .option('--product <file>', 'the built entry to measure', PRODUCT_ENTRY)
  .option('--binaries <folder>', 'where redis-server, initdb, postgres and pg_ctl are, instead of the usual places')
  .addOption(new Option('--load-tool <tool>', 'what drives the closed loops').choices(['wrk', 'autocannon']))
  .option('--name <name>', 'name of the file of results', parseName, 'peers')

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => process.exit(130))
}

const options = program.parse().opts<Options>()
const found = findBinaries(
  options.binaries === undefined ? usualPlaces() : { folders: [options.binaries], postgresRoots: [] },
)
if ('missing' in found) {
  process.stderr.write(`bench:peers: ${found.missing}\n`)
  process.exitCode = EXIT.NOT_INSTALLED
} else if (existsSync(options.product)) {
  try {
    process.exitCode = (await main(options, found.binaries)) ? EXIT.OK : EXIT.DOES_NOT_HOLD
  } catch (cause) {
    process.stderr.write(`bench:peers: ${cause instanceof Error ? cause.message : String(cause)}\n`)
    process.exitCode = EXIT.DOES_NOT_HOLD
  }
} else {
  program.error(`${options.product} is not there: run "npm run build" first`)
}
