/**
 * The entry of the thread that reads imports: rows to commands, in batches, as far as the host lets it. It knows no shard and
 * logs nothing; the host says when to go on.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { basename } from 'node:path'
import { constants, setPriority } from 'node:os'
import { decodeRow, isField } from './decode-row.ts'
import { BATCH_ROWS, BATCHES_IN_FLIGHT_MAX } from './limits.ts'
import type { BatchRow, FromReader, ImportTask, ToReader } from './messages.ts'
import { type FileRow, readRows, UnreadableFile } from './read-rows.ts'
import { Router } from '../engine/routing.ts'
import { assert } from '../protocol/assert.ts'
import { ByteWriter } from '../protocol/bytes.ts'
import { writeCommand } from '../protocol/command-codec.ts'
import { COMMAND } from '../protocol/commands.ts'

const port = parentPort
assert(port !== null, 'this thread is started by the host of imports')

interface Settings {
  readonly shards: number
  readonly secret: Uint8Array
}

const { shards, secret } = workerData as Settings
const router = new Router(shards, secret)
const writer = new ByteWriter(4_096)
let allowed = BATCHES_IN_FLIGHT_MAX
let goOn: (() => void) | null = null

function tell(message: FromReader): void {
  port?.postMessage(message)
}

async function work(task: ImportTask): Promise<void> {
  const seed = basename(task.path)
  let rows: BatchRow[] = []
  let place = task.place
  const send = async (): Promise<void> => {
    while (allowed === 0) {
      await new Promise<void>((resolve) => {
        goOn = resolve
      })
    }
    allowed--
    tell({ type: 'batch', rows, place })
    rows = []
  }
  for await (const row of readRows(task.path, task.format, task.place, isField)) {
    rows.push(batchRow(row, task, seed))
    place = row.place
    if (rows.length === BATCH_ROWS) await send()
  }
  if (rows.length > 0) await send()
  tell({ type: 'end' })
}

const NOTHING = new Uint8Array(0)

function batchRow(row: FileRow, task: ImportTask, seed: string): BatchRow {
  const { line } = row
  const decoded = decodeRow(row, task.format, seed)
  if ('detail' in decoded) return { line, shard: 0, bytes: NOTHING, campaign: '', fault: decoded }
  const { definition, uses } = decoded
  writer.clear()
  writeCommand(writer, {
    type: COMMAND.PUT_COUPON,
    by: null,
    row: { job: { shard: task.jobShard, seq: task.jobSeq }, line, uses },
    definition,
  })
  const campaign = definition.campaign === null ? '' : `${definition.campaign.shard}:${definition.campaign.index}`
  const shard = router.shardOfCode(definition.code)
  return { line, shard, bytes: writer.buf.slice(0, writer.pos), campaign, fault: null }
}

function failed(error: unknown): void {
  const detail = error instanceof Error ? error.message : String(error)
  tell({
    type: 'failed',
    line: 1,
    detail: error instanceof UnreadableFile ? detail : `the file cannot be read: ${detail}`,
  })
}

// Somebody waits for the end of an import, but checkouts come first.
if (process.platform === 'linux') setPriority(0, constants.priority.PRIORITY_LOW)
port.on('message', (message: ToReader) => {
  if (message.type === 'work') {
    work(message.task).catch(failed)
  } else if (message.type === 'goOn') {
    allowed++
    goOn?.()
    goOn = null
  } else {
    port.close()
  }
})
