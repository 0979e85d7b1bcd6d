/**
 * `tearoff export`: a campaign's codes as CSV, to standard output or a file, as fast as it is taken.
 *
 * Rows are counted by their line ends. A holder's name with a line end in it counts as two: good enough for a bar, so the figure that is
 * reported is the same one.
 */
import type { Command } from 'commander'
import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { addApiFlags, ApiClient, type ApiFlags } from '../api-client.ts'
import { WorkBar } from '../work-bar.ts'

const LINE_END = 10
const PART = '.part'

interface ExportFlags extends ApiFlags {
  readonly campaign: string
  readonly to?: string
  readonly formulas: boolean
  readonly json: boolean
}

export function addExportCommand(program: Command): void {
  addApiFlags(program.command('export').description('write the codes of a campaign as CSV'))
    .requiredOption('--campaign <id>', 'the campaign')
    .option('--to <file>', 'where to (default: standard output)')
    .option('--formulas', 'leave cells that a spreadsheet would take for formulas as they are', false)
    .option('--json', 'print what was done as JSON, on standard error where the codes go to standard output', false)
    .action(async (flags: ExportFlags) => await exportCodes(flags))
}

async function exportCodes(flags: ExportFlags): Promise<void> {
  const { campaign, to, formulas, json } = flags
  const api = new ApiClient(flags)
  const path = `/v1/campaigns/${encodeURIComponent(campaign)}`
  const startedMs = performance.now()
  const total = Number((await api.get(path))['codes'])
  const pieces = await api.stream(`${path}/codes.csv${formulas ? '?formulas=keep' : ''}`)
  const counter = new RowCounter(total)
  try {
    if (to === undefined) await pipeline(Readable.from(counter.through(pieces)), process.stdout, { end: false })
    else await intoFile(to, counter.through(pieces))
  } finally {
    counter.bar.end()
  }
  const { rows, bytes } = counter
  const elapsedMs = Math.round(performance.now() - startedMs)
  const said = to === undefined ? process.stderr : process.stdout
  if (json) said.write(`${JSON.stringify({ campaignId: campaign, rows, bytes, elapsedMs })}\n`)
  else said.write(`${rows.toLocaleString('en-US')} codes written in ${(elapsedMs / 1_000).toFixed(1)} s\n`)
}

/** Under another name until it is whole: a file of that name is never a part of an export. */
async function intoFile(file: string, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  const part = file + PART
  try {
    await pipeline(Readable.from(pieces), createWriteStream(part))
    await rename(part, file)
  } catch (error) {
    await rm(part, { force: true })
    throw error
  }
}

class RowCounter {
  /** Without the header. */
  rows = -1
  bytes = 0
  readonly bar = new WorkBar('codes')
  private readonly total: number

  constructor(total: number) {
    this.total = total
  }

  async *through(pieces: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    for await (const piece of pieces) {
      for (let at = piece.indexOf(LINE_END); at >= 0; at = piece.indexOf(LINE_END, at + 1)) this.rows++
      this.bytes += piece.length
      this.bar.show(Math.max(0, this.rows), this.total)
      yield piece
    }
  }
}
