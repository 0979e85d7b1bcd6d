// `npm run soak -- --minutes 60`: endurance. Prints a table, writes a page with charts and all samples beside the results of the
// bench. Exit code 1 when memory beyond the state grows, when anything is not exact, or when an error was none of the contract's.

import { Command, InvalidArgumentError } from 'commander'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describeMachine, machineLines } from '../machine.ts'
import { PRODUCT_ENTRY, RESULTS_DIR } from '../project.ts'
import { failedChecks, figureTable, shortFigures } from '../report/table.ts'
import { callerSettings } from '../server/product.ts'
import { withScratch } from '../workloads/context.ts'
import { judgeSoak } from './judge.ts'
import { FULL_RATE_PER_SECOND, soakSize } from './mix.ts'
import { soakPage } from './page.ts'
import { runSoak } from './run-soak.ts'

interface Options {
  readonly minutes: number
  readonly rate: number
  readonly product: string
  readonly seed: number
  readonly leak: number
  readonly name?: string
}

const MINUTES_DEFAULT = 60

async function main({ minutes, rate, product, seed, leak, name }: Options): Promise<boolean> {
  const startedAt = new Date()
  const size = soakSize(minutes, rate)
  return await withScratch(async (scratch) => {
    const machine = describeMachine(scratch, callerSettings())
    const small = size.growthMbPerMinuteMax === null ? ['SMALL: figures mean nothing'] : []
    const planted = leak > 0 ? [`PLANTED LEAK of ${leak} MB a minute: this run has to be judged short`] : []
    const about = [
      ...machineLines(machine),
      `${startedAt.toISOString()}, ${minutes} min, some ${rate} operations a second, seed ${seed}`,
      ...small,
      ...planted,
    ]
    for (const line of about) console.log(line)
    const say = (line: string): void => console.log(`  ${line}`)
    const run = await runSoak({ productEntry: resolve(product), size, seed, leakMbPerMinute: leak, scratch, say })
    const report = judgeSoak(run)
    console.log(`\n${figureTable([report]).join('\n')}`)
    const short = shortFigures([report])
    const failed = failedChecks([report])
    if (short.length > 0) console.log(`\nSHORT OF THE TARGET\n${short.join('\n')}`)
    console.log(failed.length === 0 ? '\nall checks hold' : `\nDOES NOT HOLD\n${failed.join('\n')}`)
    const file = join(RESULTS_DIR, name ?? `soak-${startedAt.toISOString().replace(/[:.]/g, '-')}`)
    mkdirSync(RESULTS_DIR, { recursive: true })
    writeFileSync(`${file}.json`, `${JSON.stringify({ about, short, failed, report }, null, 1)}\n`)
    writeFileSync(`${file}.html`, soakPage(run, report, about))
    console.log(`written to ${file}.html and .json`)
    return short.length === 0 && failed.length === 0
  })
}

function positive(text: string): number {
  const value = Number(text)
  if (!(value > 0)) throw new InvalidArgumentError('A number above 0 is needed.')
  return value
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => process.exit(130))
}

const program = new Command('soak')
  .description('One server under everything at once for a long time; nothing but its state may grow')
  .option('--minutes <n>', 'how long; below 2 it is only seen to work', positive, MINUTES_DEFAULT)
  .option('--rate <operations a second>', 'of all kinds together, more or less', positive, FULL_RATE_PER_SECOND)
  .option('--product <file>', 'the built entry to run', PRODUCT_ENTRY)
  .option('--seed <n>', 'for arrivals and draws', positive, 20_261_121)
  .option('--leak <MB a minute>', 'plant a leak, to see it found', positive, 0)
  .option('--name <name>', 'name of the files of results (default: the date)')

const options = program.parse().opts<Options>()
if (!existsSync(options.product)) program.error(`${options.product} is not there: run "npm run build" first`)
process.exitCode = (await main(options)) ? 0 : 1
