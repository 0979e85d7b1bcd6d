/**
 * `tearoff verify`: its flags, and what it found in a sentence.
 */
import { type Command, InvalidArgumentError } from 'commander'
import { EXIT } from '../ending.ts'
import { withSteps } from '../rebuild/progress.ts'
import { serverCalls } from '../rebuild/server-calls.ts'
import { directoryOf, type Finding, type Flags, runTool, toolCommand } from '../rebuild/tool.ts'
import { verifyDirectory } from './verify-directory.ts'

interface VerifyFlags extends Flags {
  readonly url?: string
  readonly key?: string
  readonly coupons: number
}

const COUPONS_DEFAULT = 1_000

export function addVerifyCommand(program: Command): void {
  toolCommand(program, 'verify', 'hold every counter against the log, also beside a running server; changes nothing')
    .option('--url <url>', 'ask the server at this address, too, and hold its answers against the log')
    .option('--key <key>', 'an API key for it, of any role that reads coupons')
    .option(
      '--coupons <count>',
      'how many coupons to ask it for at most, spread over all',
      wholeNumber,
      COUPONS_DEFAULT,
    )
    .action(async (flags: VerifyFlags) => await runTool(flags, async () => await verify(flags)))
}

async function verify({ url, key, coupons, ...flags }: VerifyFlags): Promise<Finding> {
  const directory = directoryOf(flags)
  const server = url === undefined ? null : serverCalls(url, key ?? null)
  const verified = await withSteps(
    async (progress) => await verifyDirectory(directory, { server, couponsMax: coupons, progress }),
  )
  const { events, shards, snapshots, answersCompared } = verified
  const total = shards.reduce((sum, shard) => sum + shard.coupons, 0)
  const answers = answersCompared === null ? '' : `, and so are ${answersCompared} answers of the server`
  return {
    exitCode: EXIT.OK,
    json: { ok: true, ...verified },
    lines: [
      `the counters of ${total} coupons and ${snapshots} snapshots are what ${events} events of ${shards.length} shards make${answers}`,
    ],
  }
}

function wholeNumber(text: string): number {
  const value = Number(text)
  if (!/^\d{1,9}$/.test(text) || value < 1) throw new InvalidArgumentError('It is a whole number from 1.')
  return value
}
