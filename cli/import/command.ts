/**
 * `tearoff import FILE`: uploads a file of coupons to a running server and watches its job. CSV or NDJSON by the ending of
 * its name; rows that did not land are printed with line and reason.
 *
 *     exit 0  every row landed      1  some did not, or the job failed      2  what was typed makes no sense
 */
import { type FileHandle, open } from 'node:fs/promises'
import { extname } from 'node:path'
import type { Command } from 'commander'
import { addApiFlags, ApiClient, type ApiFlags } from '../api-client.ts'
import { EXIT } from '../ending.ts'
import { UsageFault } from '../rebuild/positions.ts'
import { type Finding, runTool } from '../rebuild/tool.ts'
import { type Job, watchJob } from '../watch-job.ts'
import { WorkBar } from '../work-bar.ts'

const TYPES: Readonly<Record<string, string>> = {
  '.csv': 'text/csv',
  '.ndjson': 'application/x-ndjson',
  '.jsonl': 'application/x-ndjson',
}
/** Faults that are printed; `--json` has all that the server keeps. */
const FAULTS_PRINTED_MAX = 20

interface ImportFlags extends ApiFlags {
  readonly json: boolean
}

export function addImportCommand(program: Command): void {
  addApiFlags(program.command('import').description('create or change coupons of a running server from a file'))
    .argument('<file>', '.csv with a header of field names, or .ndjson')
    .option('--json', 'print the job as JSON at the end', false)
    .action(async (file: string, flags: ImportFlags) => {
      await runTool({ json: flags.json }, async () => await importFile(new ApiClient(flags), file))
    })
}

async function importFile(api: ApiClient, file: string): Promise<Finding> {
  const type = TYPES[extname(file).toLowerCase()]
  if (type === undefined) throw new UsageFault(`${file} ends neither in .csv nor in .ndjson`)
  const { handle, size } = await opened(file)
  const { jobId } = await api.upload('/v1/imports/coupons', type, sent(handle, size))
  const job = await watchJob(api, String(jobId), 'rows')
  const landed = job.state === 'SUCCEEDED' && job.failed === 0
  return { exitCode: landed ? EXIT.OK : EXIT.FAILED, json: job, lines: linesOf(job) }
}

/** Before anything is sent, so that what is wrong with the file is not told as something wrong with the server. */
async function opened(file: string): Promise<{ readonly handle: FileHandle; readonly size: number }> {
  let handle: FileHandle
  try {
    handle = await open(file)
  } catch (error) {
    throw new UsageFault(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
  const stats = await handle.stat()
  if (stats.isDirectory()) throw new UsageFault(`${file} cannot be read: it is a directory`)
  return { handle, size: stats.size }
}

/** The pieces of a file; the bar shows how much of it has left. */
async function* sent(handle: FileHandle, size: number): AsyncGenerator<Uint8Array> {
  const bar = new WorkBar('bytes sent')
  let bytes = 0
  for await (const piece of handle.createReadStream() as AsyncIterable<Uint8Array>) {
    yield piece
    bytes += piece.length
    bar.show(bytes, size)
  }
  bar.end()
}

function linesOf({ jobId, state, processed, failed, errors }: Job): string[] {
  const lines = [`${jobId} ${state.toLowerCase()}: ${processed - failed} of ${processed} rows landed`]
  for (const { line, code, detail } of errors.slice(0, FAULTS_PRINTED_MAX))
    lines.push(`line ${line}: ${code}, ${detail}`)
  if (failed > FAULTS_PRINTED_MAX) lines.push(`and ${failed - FAULTS_PRINTED_MAX} more; --json shows the first 1,000`)
  return lines
}
