/**
 * Imports beside a server: one file at a time, read by a thread of its own, put into the shards row by row, and reported to
 * the shard of its job.
 *
 *     upload ──▶ spool ──▶ JOB_STARTED ──▶ reader thread ──▶ batch ──▶ shards ──▶ JOB_PROGRESSED ──▶ JOB_ENDED
 *                                              ▲                          │
 *                                              └──── goes on with place ◀─┘      after a crash: from the place last logged
 *
 * A row that is put twice does nothing the second time (engine/domain/decide-import.ts), so what a crash leaves between two
 * reports is done again. What must never happen here: progress beyond a row that no shard has answered for.
 */
import { Worker } from 'node:worker_threads'
import { Spool } from './spool.ts'
import {
  DETAIL_LENGTH_MAX,
  ERRORS_A_REPORT_MAX,
  HEAP_MIB_MAX,
  LOOK_AGAIN_MS,
  PROGRESS_EVERY_MS,
  RETRY_MS_MAX,
  RETRY_MS_MIN,
} from './limits.ts'
import type { BatchRow, FromReader, ToReader } from './messages.ts'
import { BACKGROUND_NEW_SPACE_MIB } from '../engine/idle-priority.ts'
import { failPoint } from '../engine/shard/fail-points.ts'
import { workerEntry } from '../engine/worker-entry.ts'
import { SETTLED, type ShardTransport } from '../engine/transport/port.ts'
import type { Imports, Upload } from '../gateway/codes/import-port.ts'
import { ByteWriter } from '../protocol/bytes.ts'
import { writeCommand } from '../protocol/command-codec.ts'
import { COMMAND, type Command } from '../protocol/commands.ts'
import type { ImportFormat, JobEnd, JobError } from '../protocol/jobs.ts'
import { readOutcome } from '../protocol/outcome-codec.ts'
import { type JobOutcome, type Outcome, OUTCOME } from '../protocol/outcomes.ts'

export interface ImportEvents {
  /** An import has ended, in its log line. */
  readonly onEnded: (job: { readonly end: JobEnd; readonly processed: number; readonly failed: number }) => void
  readonly onDied: (error: unknown) => void
}

export interface ImportHostOptions {
  readonly dataDir: string
  readonly transport: ShardTransport
  readonly secret: Uint8Array
  readonly events: ImportEvents
}

/** The job in hand. */
interface Running {
  readonly shard: number
  readonly seq: number
  readonly file: string
  processed: number
  failed: number
  place: number
  errors: JobError[]
  reportedAtMs: number
  isOver: boolean
}

/** What was asked is not answered any more; the next start goes on. */
class Stopping extends Error {}

const FORMATS: Readonly<Record<string, ImportFormat>> = { csv: 'CSV', ndjson: 'NDJSON' }

export class ImportHost implements Imports {
  private readonly options: ImportHostOptions
  private readonly spool: Spool
  private readonly writer = new ByteWriter(4_096)
  private readonly campaigns = new Map<string, boolean>()
  private worker: Worker | null = null
  private running: Running | null = null
  private again: NodeJS.Timeout | null = null
  private hasStopped = false
  private isLooking = false
  private looksAgain = false
  private batches: Promise<void> = Promise.resolve()

  constructor(options: ImportHostOptions) {
    this.options = options
    this.spool = new Spool(options.dataDir)
  }

  /** Once the shards answer: goes on with what a stop or a crash has interrupted. */
  async start(): Promise<void> {
    try {
      const open = await this.openJobs()
      this.spool.sweep(new Set(open.map(({ job }) => job.file ?? '')))
    } catch (error) {
      this.died(error)
    }
    this.look()
  }

  stop(): void {
    this.hasStopped = true
    if (this.again !== null) clearTimeout(this.again)
    this.tell({ type: 'stop' })
  }

  receive(format: ImportFormat): Upload | null {
    return this.hasStopped ? null : this.spool.receive(format)
  }

  started(): void {
    this.look()
  }

  discard(file: string): void {
    this.spool.remove(file)
  }

  /** Takes up the job that has waited longest, if none is in hand. */
  private look(): void {
    if (this.hasStopped || this.running !== null) return
    // A job that is logged now may lie on a shard that was asked already.
    this.looksAgain = this.isLooking
    if (this.isLooking) return
    this.isLooking = true
    this.openJobs()
      .then(
        ([first]) => {
          this.isLooking = false
          if (first !== undefined && !this.hasStopped) this.begin(first.shard, first.job)
          else if (this.looksAgain) this.look()
        },
        () => {
          this.isLooking = false
          this.lookLater()
        },
      )
      .catch((error: unknown) => this.died(error))
  }

  private lookLater(): void {
    if (this.hasStopped) return
    this.again = setTimeout(() => this.look(), LOOK_AGAIN_MS)
  }

  private async openJobs(): Promise<{ readonly shard: number; readonly job: JobOutcome }[]> {
    const found: { readonly shard: number; readonly job: JobOutcome }[] = []
    for (let shard = 0; shard < this.options.transport.shards; shard++) {
      const outcome = await this.askPatiently(shard, { type: COMMAND.LIST_JOBS })
      if (outcome.type !== OUTCOME.JOBS) continue
      for (const job of outcome.jobs) if (job.kind === 'IMPORT') found.push({ shard, job })
    }
    return found
  }

  private begin(shard: number, job: JobOutcome): void {
    const file = job.file ?? ''
    const { jobSeq: seq, processed, failed, place } = job
    this.running = { shard, seq, file, processed, failed, place, errors: [], reportedAtMs: 0, isOver: false }
    this.campaigns.clear()
    const format = FORMATS[file.slice(file.lastIndexOf('.') + 1)] ?? 'CSV'
    const path = this.spool.pathOf(file)
    this.batches = Promise.resolve()
    this.startWorker()
    this.tell({ type: 'work', task: { jobShard: shard, jobSeq: seq, path, format, place, processed, failed } })
  }

  private startWorker(): void {
    const { transport, secret } = this.options
    const worker = new Worker(workerEntry('../imports/reader-thread'), {
      workerData: { shards: transport.shards, secret },
      name: 'import',
      resourceLimits: {
        maxOldGenerationSizeMb: HEAP_MIB_MAX,
        maxYoungGenerationSizeMb: BACKGROUND_NEW_SPACE_MIB,
      },
    })
    this.worker = worker
    worker.on('message', (message: FromReader) => {
      // What an earlier job's thread still says concerns nobody.
      if (this.worker === worker) this.hear(message)
    })
    worker.on('error', (error) => {
      this.died(error)
      if (this.worker === worker) this.end('FAILED', 'the thread that reads the file failed')
    })
  }

  private hear(message: FromReader): void {
    // One after the other: progress is that of every row before.
    const { running } = this
    this.batches = this.batches.then(async () => {
      if (running === null || running.isOver || this.hasStopped) return
      if (message.type === 'batch') await this.put(running, message.rows, message.place)
      else if (message.type === 'end') await this.finish(running)
      else this.fail(running, message.line, message.detail)
    })
    this.batches.catch((error: unknown) => {
      this.died(error)
      if (!this.hasStopped) this.end('FAILED', 'an internal error')
    })
  }

  private async put(running: Running, rows: readonly BatchRow[], place: number): Promise<void> {
    const faults = await Promise.all(rows.map(async (row) => row.fault ?? (await this.putRow(row))))
    for (const fault of faults) {
      if (fault === null) continue
      running.failed++
      if (running.errors.length < ERRORS_A_REPORT_MAX) running.errors.push(fault)
    }
    failPoint('job.rows-put')
    running.processed += rows.length
    running.place = place
    this.tell({ type: 'goOn' })
    if (performance.now() - running.reportedAtMs >= PROGRESS_EVERY_MS) await this.report(running, 0)
  }

  /** null: the row has landed. */
  private async putRow({ line, shard, bytes, campaign }: BatchRow): Promise<JobError | null> {
    if (campaign !== '' && !(await this.hasCampaign(campaign))) {
      return { line, code: 'CAMPAIGN_NOT_FOUND', detail: 'there is no such campaign' }
    }
    const outcome = await this.patiently(() => this.call(shard, bytes, bytes.length))
    if (outcome.type === OUTCOME.REFUSED) {
      return { line, code: outcome.refusal, detail: outcome.detail.slice(0, DETAIL_LENGTH_MAX) }
    }
    if (outcome.type === OUTCOME.PUT && outcome.did === 'DUPLICATE') {
      return { line, code: 'DUPLICATE', detail: `line ${outcome.firstLine} has this code already` }
    }
    return null
  }

  private async hasCampaign(name: string): Promise<boolean> {
    const known = this.campaigns.get(name)
    if (known !== undefined) return known
    const [shard, index] = name.split(':').map(Number) as [number, number]
    if (shard >= this.options.transport.shards) return false
    const outcome = await this.askPatiently(shard, { type: COMMAND.GET_CAMPAIGN, index })
    const exists = outcome.type === OUTCOME.CAMPAIGN
    this.campaigns.set(name, exists)
    return exists
  }

  private async report(running: Running, total: number): Promise<void> {
    const { seq: jobSeq, shard, processed, failed, place, errors } = running
    running.errors = []
    running.reportedAtMs = performance.now()
    const command = { type: COMMAND.PROGRESS_JOB, jobSeq, processed, failed, total, place, errors } as const
    const outcome = await this.askPatiently(shard, command)
    failPoint('job.rows-reported')
    if (outcome.type !== OUTCOME.JOB || outcome.state === 'RUNNING') return
    running.isOver = true
    this.over(running, 'CANCELLED')
  }

  private async finish(running: Running): Promise<void> {
    await this.report(running, running.processed)
    if (!running.isOver) this.end('SUCCEEDED', null)
  }

  /** What is wrong with the file as a whole is told like a row's fault, but no row has failed by it. */
  private fail(running: Running, line: number, detail: string): void {
    running.errors.push({ line, code: 'INVALID_REQUEST', detail: detail.slice(0, DETAIL_LENGTH_MAX) })
    this.report(running, running.processed).then(
      () => this.end('FAILED', detail.slice(0, DETAIL_LENGTH_MAX)),
      (error: unknown) => this.died(error),
    )
  }

  private end(end: JobEnd, reason: string | null): void {
    const { running } = this
    if (running === null || running.isOver) return
    running.isOver = true
    this.askPatiently(running.shard, { type: COMMAND.END_JOB, jobSeq: running.seq, end, reason }).then(
      () => this.over(running, end),
      (error: unknown) => this.died(error),
    )
  }

  /** Its end is logged: nothing names the file any more. */
  private over(running: Running, end: JobEnd): void {
    const { processed, failed, file } = running
    this.spool.remove(file)
    this.running = null
    this.tell({ type: 'stop' })
    this.worker = null
    this.options.events.onEnded({ end, processed, failed })
    this.look()
  }

  private async askPatiently(shard: number, command: Command<string>): Promise<Outcome> {
    return await this.patiently(() => {
      this.writer.clear()
      writeCommand(this.writer, command)
      return this.call(shard, this.writer.buf, this.writer.pos)
    })
  }

  /** Everything that is asked here may be asked again, so it is, until there is an answer. */
  private async patiently(ask: () => Promise<Outcome | null>): Promise<Outcome> {
    let pauseMs = RETRY_MS_MIN
    for (;;) {
      // The shards take nothing more once they are stopping.
      if (this.hasStopped) throw new Stopping()
      const outcome = await ask()
      if (outcome !== null && !isForLater(outcome)) return outcome
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
      pauseMs = Math.min(RETRY_MS_MAX, pauseMs * 2)
    }
  }

  /** null: no answer. */
  private call(shard: number, bytes: Uint8Array, length: number): Promise<Outcome | null> {
    return new Promise((resolve) => {
      this.options.transport.call(shard, bytes, length, {
        settled(kind, reply) {
          if (kind !== SETTLED.ANSWERED) {
            resolve(null)
            return
          }
          reply.u16()
          reply.varint()
          reply.varint()
          resolve(readOutcome(reply))
        },
      })
    })
  }

  private died(error: unknown): void {
    if (!(error instanceof Stopping)) this.options.events.onDied(error)
  }

  private tell(message: ToReader): void {
    this.worker?.postMessage(message)
  }
}

/** There is no room on the disk now. */
function isForLater(outcome: Outcome): boolean {
  return outcome.type === OUTCOME.REFUSED && outcome.refusal === 'STORAGE_UNAVAILABLE'
}
