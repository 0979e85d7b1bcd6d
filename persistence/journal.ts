/**
 * The journal of one lane: appends the group commits of the shards of one worker and says when each is on disk.
 *
 * One record a group commit, one commit at a time, one flush for each. It is written to the lane's current segment; when
 * that passes its size, the next commit goes to a new one (made ahead) and the old one is sealed. Nothing is ever deleted.
 *
 * After any failure the journal is dead: memory is ahead of the disk and nobody knows how far, so every later append is
 * answered with an error at once, the process has to end, and the next start reads what is really there. A flush is
 * never retried. What must never happen here: `settled(null)` before the flush of that record returned without an error.
 */

import assert from 'node:assert'
import { accessSync, constants, statfs, statfsSync, type StatsFs } from 'node:fs'
import type { Deployment } from './deployment.ts'
import { makeDirectoryDurably } from './durable-file.ts'
import { DurableMarkWriter } from './durable-mark.ts'
import { EntryLookup } from './entry-lookup.ts'
import type { EntryIndex } from './entry-index.ts'
import { JournalError } from './errors.ts'
import { fileSumSlowly } from './file-sum.ts'
import { currentProcess } from './process-identity.ts'
import { ChainEnd, type EntryDraft, RECORD_BYTES_MAX, RecordEncoder, type StoredEntry } from './record.ts'
import type { RecoveredLog } from './recovery.ts'
import { laneDirectory, markOpened, markSealed, nextSegment, type SegmentName, segmentPath } from './segment-files.ts'
import { SegmentReader } from './segment-reader.ts'
import { settleSegments } from './segment-survey.ts'
import { openLmdbStore, type Store, type StoreOpener } from './segment-writer.ts'

const SEGMENT_BYTES_MAX = 1024 * 1024 * 1024
/** A commit that takes longer is taken for failed. */
const COMMIT_TIMEOUT_MS = 2_000
const FREE_BYTES_AGE_MAX_MS = 1_000
const LMDB_EIO = 5
const FULL_BELOW_BYTES = 1024 * 1024
/** The share of a segment after which the next one is made. */
const AHEAD_AT = 0.75

export interface Journal {
  /**
   * Appends the entries (at most one a shard) as one record with one put. Calls back exactly once, never before it
   * returns: with null when the record is on disk, with an error when it failed or when its fate is unknown.
   * At most one append may be in flight. The drafts' bytes are copied before it returns. Entries that do not follow
   * their shard's last one are a broken invariant: AssertionError.
   */
  append(entries: readonly EntryDraft[], settled: (error: JournalError | null) => void): void
  /**
   * The entry that holds (shard, seq), from what is durable; null when the log does not hold it or the shard was not
   * among those recovered or written here. Bounded work. Throws JournalError when the log was damaged meanwhile.
   */
  entryOf(shard: number, seq: number): StoredEntry | null
  /**
   * Ends the segment being written and seals it, between two commits, so that a snapshot can be made of what is in it. The
   * next commit goes to a new one. Resolves when all that is to be sealed is, at once when there is nothing in it; also
   * when the journal fails or closes meanwhile, which the journal tells by itself.
   */
  roll(): Promise<void>
  /** Free bytes of the file system, at most a second old when asked at least once a second. Never blocks. */
  freeBytes(): number
  /** Bytes of records written since the journal was opened. */
  readonly bytes: number
  /** Drains what is in flight, seals, closes. */
  close(): Promise<void>
}

export interface JournalOptions {
  readonly dataDir: string
  readonly deployment: Deployment
  readonly lane: number
  /** What `replayLog` returned for the shards this lane is going to write. */
  readonly recovered: RecoveredLog
  readonly segmentBytesMax?: number
  readonly commitTimeoutMs?: number
  /** Gets the bytes of each record before `append` returns; valid during the call only. */
  readonly onEncoded?: (record: Uint8Array) => void
  /** For tests: what stands between the journal and LMDB. */
  readonly openStore?: StoreOpener
}

/** Synchronous, some milliseconds: flushes what was recovered, seals it. Throws JournalError. */
export function openJournal(options: JournalOptions): Journal {
  const directory = laneDirectory(options.dataDir, options.lane)
  try {
    makeDirectoryDurably(directory)
    accessSync(directory, constants.W_OK)
    settleSegments(options.recovered.segments, options.recovered.indexes)
    return new SegmentedJournal(options)
  } catch (cause) {
    if (cause instanceof JournalError) throw cause
    throw storageError(cause, `the journal in ${directory} cannot be opened for writing`)
  }
}

/** The segment being written. */
interface OpenSegment {
  readonly name: SegmentName
  readonly path: string
  readonly store: Store
  records: number
  bytes: number
}

class SegmentedJournal implements Journal {
  readonly #dataDir: string
  readonly #lane: number
  readonly #shards: number
  readonly #segmentBytesMax: number
  readonly #commitTimeoutMs: number
  readonly #openStore: StoreOpener
  readonly #onEncoded: ((record: Uint8Array) => void) | undefined
  readonly #encoder = new RecordEncoder()
  readonly #chains = new Map<number, ChainEnd>()
  readonly #index: EntryIndex
  readonly #lookup: EntryLookup
  readonly #chainOf = (shard: number): ChainEnd => this.#chain(shard)
  readonly #flushed = (error: Error | null): void => this.#onFlushed(error)
  /** Of the commit in flight: the first sequence of each shard that is not durable yet. */
  readonly #notDurable = new Map<number, number>()
  readonly #watch: NodeJS.Timeout
  readonly #mark: DurableMarkWriter
  #nextSegment: number
  #current: OpenSegment | null = null
  #ahead: OpenSegment | null = null
  #settled: ((error: JournalError | null) => void) | null = null
  #appends = 0
  #flushing = false
  #failed: JournalError | null = null
  #closing: Promise<void> | null = null
  #drained: (() => void) | null = null
  readonly #retiring = new Set<Promise<void>>()
  readonly #rolled: (() => void)[] = []
  #bytes = 0
  #freeBytes: number
  #freeBytesAtMs: number
  #askingFreeBytes = false

  constructor(options: JournalOptions) {
    const { dataDir, lane, deployment, recovered } = options
    this.#dataDir = dataDir
    this.#lane = lane
    this.#shards = deployment.shards
    this.#segmentBytesMax = options.segmentBytesMax ?? SEGMENT_BYTES_MAX
    this.#commitTimeoutMs = options.commitTimeoutMs ?? COMMIT_TIMEOUT_MS
    this.#openStore = options.openStore ?? openLmdbStore
    this.#onEncoded = options.onEncoded
    this.#index = recovered.index
    this.#lookup = new EntryLookup(dataDir, this.#index)
    this.#nextSegment = nextSegment(dataDir, lane)
    this.#mark = new DurableMarkWriter(dataDir, lane)
    for (const [shard, head] of recovered.heads) {
      const chain = this.#chain(shard)
      Object.assign(chain, head.where, { seq: head.seq, timeMs: head.timeMs })
      chain.hash.set(head.hash)
    }
    this.#freeBytes = bytesOf(statfsSync(laneDirectory(dataDir, lane)))
    this.#freeBytesAtMs = performance.now()
    this.#watch = setTimeout(() => this.#onTimeout(), this.#commitTimeoutMs).unref()
  }

  get bytes(): number {
    return this.#bytes
  }

  append(entries: readonly EntryDraft[], settled: (error: JournalError | null) => void): void {
    if (this.#failed !== null || this.#closing !== null) {
      const error = closedError(this.#lane, this.#failed)
      process.nextTick(() => settled(error))
      return
    }
    assert(this.#settled === null, 'an append is in flight')
    this.#settled = settled
    this.#appends++
    try {
      const segment = this.#segmentForNext()
      this.#put(segment, entries)
      this.#watch.refresh()
      this.#flushing = true
      segment.store.flush(this.#flushed)
    } catch (cause) {
      if (cause instanceof assert.AssertionError) {
        this.#settled = null
        this.#failed = new JournalError('FLUSH_FAILED', `lane ${this.#lane}: ${cause.message}`, { cause })
        throw cause
      }
      const error = this.#putError(cause)
      process.nextTick(() => this.#fail(error))
    }
  }

  entryOf(shard: number, seq: number): StoredEntry | null {
    const chain = this.#chains.get(shard)
    if (chain === undefined || seq < 1 || seq > chain.seq) return null
    const notDurableFrom = this.#notDurable.get(shard)
    if (notDurableFrom !== undefined && seq >= notDurableFrom) return null
    const { lane, segment, record, offset } = chain
    return this.#lookup.find(shard, seq, { lane, segment, record, offset }, this.#current?.name ?? null)
  }

  async roll(): Promise<void> {
    if (this.#failed !== null || this.#closing !== null) return
    if (this.#settled === null) {
      this.#leaveCurrent()
    } else {
      await new Promise<void>((resolve) => {
        this.#rolled.push(resolve)
      })
    }
    await Promise.all(this.#retiring)
  }

  freeBytes(): number {
    if (!this.#askingFreeBytes && performance.now() - this.#freeBytesAtMs > FREE_BYTES_AGE_MAX_MS) {
      this.#askingFreeBytes = true
      statfs(laneDirectory(this.#dataDir, this.#lane), (error, stats) => {
        this.#askingFreeBytes = false
        this.#freeBytesAtMs = performance.now()
        // A file system that does not answer is not one to write to.
        this.#freeBytes = error === null ? bytesOf(stats) : 0
      })
    }
    return this.#freeBytes
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  #put(segment: OpenSegment, entries: readonly EntryDraft[]): void {
    const { lane, segment: number } = segment.name
    const record = segment.records + 1
    const bytes = this.#encoder.encode({ lane, segment: number, record }, entries, this.#chainOf)
    for (const { shard, firstSeq } of entries) {
      assert(!this.#notDurable.has(shard), `shard ${shard} has two entries in one commit`)
      this.#notDurable.set(shard, firstSeq)
      this.#index.add(shard, firstSeq, lane, number, record, this.#chain(shard).offset)
    }
    segment.store.put(record, bytes)
    this.#onEncoded?.(bytes)
    segment.records = record
    segment.bytes += bytes.length
    this.#bytes += bytes.length
  }

  /** LMDB calls a write that the disk took in part an I/O error: look whether the disk is full. */
  #putError(cause: unknown): JournalError {
    const what = `lane ${this.#lane}: a commit could not be written`
    const isIoError = (cause as NodeJS.ErrnoException | null)?.code === (LMDB_EIO as unknown)
    if (!isIoError || bytesOf(statfsSync(laneDirectory(this.#dataDir, this.#lane))) > FULL_BELOW_BYTES) {
      return storageError(cause, what)
    }
    return new JournalError('STORAGE_FULL', `${what}, the disk is full: make room, then start again`, { cause })
  }

  #onFlushed(error: Error | null): void {
    this.#flushing = false
    if (error !== null) {
      this.#fail(storageError(error, `lane ${this.#lane}: a commit could not be flushed`))
      return
    }
    const settled = this.#settled
    // Given up by the time-out, and answered.
    if (settled === null) {
      this.#drained?.()
      return
    }
    this.#settled = null
    this.#notDurable.clear()
    this.#drained?.()
    if (this.#rolled.length > 0) this.#leaveCurrent()
    this.#tellRolled()
    settled(null)
    this.#makeAhead()
    this.#markDurable()
  }

  /** For those who read along; a commit that follows at once proves this one by itself. */
  #markDurable(): void {
    if (this.#settled !== null || this.#failed !== null || this.#current === null) return
    this.#mark.write(this.#current.name.segment, this.#current.records)
  }

  /** Between two commits. */
  #leaveCurrent(): void {
    const left = this.#current
    if (left === null || left.records === 0) return
    this.#current = null
    this.#retire(left)
  }

  #tellRolled(): void {
    for (const resolve of this.#rolled.splice(0)) resolve()
  }

  /** If it was this thread that was held up, the disk's answer is there already and comes behind this timer: it is heard first. */
  #onTimeout(): void {
    const late = this.#appends
    setImmediate(() => {
      if (this.#settled === null || this.#appends !== late) return
      this.#fail(
        new JournalError(
          'FLUSH_FAILED',
          `lane ${this.#lane}: a commit was not on disk after ${this.#commitTimeoutMs} ms and its fate is unknown: check the disk, then start again`,
        ),
      )
    })
  }

  #fail(error: JournalError): void {
    this.#failed ??= error
    clearTimeout(this.#watch)
    const settled = this.#settled
    this.#settled = null
    this.#drained?.()
    this.#tellRolled()
    settled?.(error)
  }

  #segmentForNext(): OpenSegment {
    if (this.#current !== null && this.#current.bytes < this.#segmentBytesMax) return this.#current
    const left = this.#current
    this.#current = this.#ahead ?? this.#openSegment()
    this.#ahead = null
    if (left !== null) this.#retire(left)
    return this.#current
  }

  #makeAhead(): void {
    const current = this.#current
    if (current === null || this.#ahead !== null || current.bytes < this.#segmentBytesMax * AHEAD_AT) return
    try {
      this.#ahead = this.#openSegment()
    } catch {
      // Tried again when it is needed; then the error is that commit's.
    }
  }

  #openSegment(): OpenSegment {
    const name = { lane: this.#lane, segment: this.#nextSegment }
    const path = segmentPath(this.#dataDir, name)
    // Twice the limit: a tree needs more pages than its records, and the last record may be the largest one.
    const store = this.#openStore(path, this.#segmentBytesMax * 2 + RECORD_BYTES_MAX * 2)
    this.#nextSegment++
    markOpened(path, currentProcess())
    return { name, path, store, records: 0, bytes: 0 }
  }

  /** Seals a segment whose last commit is durable. */
  #retire(segment: OpenSegment): void {
    const retiring = this.#seal(segment)
      .catch((cause: unknown) => {
        this.#fail(storageError(cause, `lane ${this.#lane}: segment ${segment.name.segment} could not be sealed`))
      })
      .finally(() => this.#retiring.delete(retiring))
    this.#retiring.add(retiring)
  }

  async #seal(segment: OpenSegment): Promise<void> {
    await segment.store.close()
    this.#lookup.forget(segment.name)
    const reader = new SegmentReader(segment.name, segment.path)
    try {
      const { newest } = reader.roots()
      assert(newest.records === segment.records, `${segment.path} has ${newest.records} of ${segment.records} records`)
      const sum = await fileSumSlowly(segment.path)
      markSealed(segment.path, { records: newest.records, transaction: newest.transaction, sum })
    } finally {
      reader.close()
    }
  }

  async #close(): Promise<void> {
    if (this.#settled !== null) {
      await new Promise<void>((resolve) => {
        this.#drained = resolve
      })
    }
    clearTimeout(this.#watch)
    await Promise.all(this.#retiring)
    const open = [this.#current, this.#ahead].filter((segment) => segment !== null)
    this.#current = null
    this.#ahead = null
    // After a failure nothing is sealed: the next start has to look at what is really there. While the system still
    // works on a flush its descriptor must stay.
    if (this.#failed === null) for (const segment of open) await this.#seal(segment)
    else if (!this.#flushing) await Promise.all(open.map(({ store }) => store.close()))
    this.#lookup.close()
    this.#mark.close()
  }

  #chain(shard: number): ChainEnd {
    let chain = this.#chains.get(shard)
    if (chain === undefined) {
      assert(Number.isInteger(shard) && shard >= 0 && shard < this.#shards, `there is no shard ${shard}`)
      chain = new ChainEnd()
      this.#chains.set(shard, chain)
    }
    return chain
  }
}

function bytesOf(stats: StatsFs): number {
  return stats.bavail * stats.bsize
}

function closedError(lane: number, failed: JournalError | null): JournalError {
  if (failed === null) return new JournalError('JOURNAL_CLOSED', `the journal of lane ${lane} is closed`)
  return new JournalError(
    'JOURNAL_CLOSED',
    `the journal of lane ${lane} failed before and takes nothing more: start the process again`,
    { cause: failed },
  )
}

/** Full: ENOSPC, EDQUOT, EFBIG (a limit of the process), MDB_MAP_FULL. LMDB gives numbers, Node names. */
const FULL_CODES: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 28, 122, 27, -30_792])

function storageError(cause: unknown, what: string): JournalError {
  if (cause instanceof JournalError) return cause
  const code: unknown = (cause as NodeJS.ErrnoException | null)?.code
  const reason = cause instanceof Error ? cause.message : String(cause)
  return FULL_CODES.has(code)
    ? new JournalError('STORAGE_FULL', `${what}, the disk is full (${reason}): make room, then start again`, { cause })
    : new JournalError('FLUSH_FAILED', `${what} (${reason}): check the disk, then start again`, { cause })
}
