/**
 * `tearoff generate`: codes for a campaign, by a job of the server; watched until it ends.
 *
 * Whoever ends the command does not end the job: `GET /jobs/{id}` shows it, and the API cancels it.
 */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { CODES_OF_JOB_MAX } from '../../engine/domain/limits.ts'
import { DISTRIBUTIONS } from '../../protocol/jobs.ts'
import { addApiFlags, ApiClient, ApiFailed, type ApiFlags } from '../api-client.ts'
import { watchJob } from '../watch-job.ts'

interface GenerateFlags extends ApiFlags {
  readonly campaign: string
  readonly count: number
  readonly length?: number
  readonly prefix?: string
  readonly distribution?: string
  readonly json: boolean
}

export function addGenerateCommand(program: Command): void {
  addApiFlags(program.command('generate').description('make codes of a campaign on a running server'))
    .requiredOption('--campaign <id>', 'the campaign they belong to')
    .requiredOption('--count <number>', 'how many', wholeNumber)
    .option('--length <letters>', 'letters of a code, those of its prefix included', wholeNumber)
    .option('--prefix <letters>', 'how they begin')
    .addOption(new Option('--distribution <how>', 'POOL: may be claimed, EXPORTED: never').choices(DISTRIBUTIONS))
    .option('--json', 'print the job as JSON at the end', false)
    .action(async (flags: GenerateFlags) => await generate(flags))
}

async function generate(flags: GenerateFlags): Promise<void> {
  const { campaign, count, length, prefix, distribution, json } = flags
  const api = new ApiClient(flags)
  const startedMs = performance.now()
  const { jobId } = await api.post(`/v1/campaigns/${encodeURIComponent(campaign)}/codes`, {
    count,
    ...(length === undefined ? {} : { length }),
    ...(prefix === undefined ? {} : { prefix }),
    ...(distribution === undefined ? {} : { distribution }),
  })
  const job = await watchJob(api, String(jobId), 'codes')
  const elapsedMs = Math.round(performance.now() - startedMs)
  if (json) process.stdout.write(`${JSON.stringify({ ...job, elapsedMs })}\n`)
  if (job.state !== 'SUCCEEDED') throw new ApiFailed(`the job ${job.jobId} ended as ${job.state}`)
  if (json) return
  process.stdout.write(
    `${count.toLocaleString('en-US')} codes made in ${(elapsedMs / 1_000).toFixed(1)} s, ${job.jobId}\n`,
  )
}

function wholeNumber(text: string): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < 1 || value > CODES_OF_JOB_MAX) {
    throw new InvalidArgumentError(`It is a whole number from 1 to ${CODES_OF_JOB_MAX.toLocaleString('en-US')}.`)
  }
  return value
}
