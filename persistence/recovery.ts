/**
 * Replay: reads the log once and hands out each wanted shard's entries in the order of their sequence, whatever
 * lanes they were written to (the number of workers may have changed at any start): all of it, or what lies behind the
 * snapshots. Segments that hold nothing wanted are not read, as far as the index beside them tells.
 *
 * Each lane is a stream of records. A lane runs until the next entry of a wanted shard is not the one the shard waits
 * for; then it rests and the others run. What was written first is never behind something written later, so at least one
 * lane can always run: when none can, an entry is missing.
 *
 * Everything is checked: the pages of the file, the check sum of each record, each shard's sequence and chain of hashes.
 * The one thing that is not damage, a commit cut off by a power cut, is judged in segment-survey.ts before anything is
 * delivered. Nothing here writes; what was found is made final by `settleSegments` when a journal is opened.
 */

import type { Deployment } from './deployment.ts'
import { EntryIndex } from './entry-index.ts'
import { JournalError } from './errors.ts'
import { currentProcess, sameProcess } from './process-identity.ts'
import {
  ChainEnd,
  checkRecord,
  damagedRecord,
  type EntryHead,
  type EntryPosition,
  followChain,
  nameOf,
  readEntryHead,
  RECORD_HEAD_BYTES,
  type RecordPosition,
  type StoredEntry,
} from './record.ts'
import { type SegmentIndex, SegmentIndexBuilder, segmentIndexOf, type SegmentRanges } from './segment-index.ts'
import { listSegments, type SegmentName } from './segment-files.ts'
import { openSegment, type RecordBytes, type SegmentReader } from './segment-reader.ts'
import { type RecoveredSegment, surveySegment } from './segment-survey.ts'

/** The last entry of a shard, from which its journal goes on. */
export interface ShardHead {
  /** Sequence of the last event in the log. */
  readonly seq: number
  /** 32 bytes: the hash of the last entry. */
  readonly hash: Uint8Array
  readonly timeMs: number
  readonly where: EntryPosition
}

export interface ReplayProgress {
  readonly records: number
  /** Of the files, read so far. */
  readonly bytes: number
  readonly bytesTotal: number
  /** Delivered: of the wanted shards. */
  readonly events: number
}

export interface RecoveredLog {
  /** Of the wanted shards that have entries; a shard without entries is not in it. */
  readonly heads: ReadonlyMap<number, ShardHead>
  /** Read, of all shards. */
  readonly records: number
  /** Delivered, of the wanted shards. */
  readonly events: number
  readonly entries: number
  /** Of records, read. */
  readonly bytes: number
  readonly segments: readonly RecoveredSegment[]
  readonly index: EntryIndex
  /** Of the segments that were read whole and have no index beside them. */
  readonly indexes: readonly SegmentIndex[]
}

export interface ReplayOptions {
  /** Where a shard stands already, by a snapshot: what is before is not delivered. The log must follow it. */
  readonly after?: ReadonlyMap<number, ShardHead>
  /** Where to stop; nothing behind it is delivered, but an entry that reaches beyond it is delivered whole. */
  readonly until?: ReplayEnd
}

/** A position or a time in the past. What is not given has no end. */
export interface ReplayEnd {
  /** Last sequence wanted, by shard; shards that are not named run to their end. */
  readonly seqs?: ReadonlyMap<number, number>
  /** Entries of later times are not wanted; milliseconds since 1970. */
  readonly timeMs?: number
}

const PROGRESS_BYTES = 8 * 1024 * 1024

/**
 * Synchronous: runs in the thread that owns the shards, before it serves. Segments that this process has open for
 * writing are passed over: they hold nothing yet that the caller's shards could want. Throws JournalError.
 */
export function replayLog(
  dataDir: string,
  deployment: Deployment,
  shardsWanted: ReadonlySet<number>,
  onEntry: (entry: StoredEntry) => void,
  onProgress?: (progress: ReplayProgress) => void,
  options: ReplayOptions = {},
): RecoveredLog {
  const self = currentProcess()
  const segments = listSegments(dataDir)
    .filter((files) => files.seal !== null || files.openedBy === null || !sameProcess(files.openedBy, self))
    .map((files) => surveySegment(files, self))
  return new Replay(dataDir, deployment, shardsWanted, onEntry, onProgress, segments, options).run()
}

class Replay {
  readonly #dataDir: string
  readonly #deployment: Deployment
  readonly #wanted: ReadonlySet<number>
  readonly #onEntry: (entry: StoredEntry) => void
  readonly #onProgress: ((progress: ReplayProgress) => void) | undefined
  readonly #segments: readonly RecoveredSegment[]
  readonly #chains = new Map<number, ChainEnd>()
  readonly #index: EntryIndex
  readonly #after: ReadonlyMap<number, ShardHead>
  readonly #until: ReplayEnd
  readonly #built = new Map<string, SegmentIndex>()
  readonly #bytesTotal: number
  #records = 0
  #entries = 0
  #events = 0
  #bytes = 0
  #bytesOfProgress = 0

  constructor(
    dataDir: string,
    deployment: Deployment,
    wanted: ReadonlySet<number>,
    onEntry: (entry: StoredEntry) => void,
    onProgress: ((progress: ReplayProgress) => void) | undefined,
    segments: readonly RecoveredSegment[],
    { after = new Map(), until = {} }: ReplayOptions,
  ) {
    this.#dataDir = dataDir
    this.#deployment = deployment
    this.#wanted = wanted
    this.#onEntry = onEntry
    this.#onProgress = onProgress
    this.#segments = segments
    this.#after = after
    this.#until = until
    this.#index = new EntryIndex((name) => this.#built.get(keyOf(name)) ?? segmentIndexOf(dataDir, name))
    for (const shard of wanted) {
      const head = after.get(shard)
      if (head === undefined) continue
      this.#index.beginBehind(shard, head.seq)
      const chain = this.#chainOf(shard)
      Object.assign(chain, head.where, { seq: head.seq, timeMs: head.timeMs })
      chain.hash.set(head.hash)
    }
    const read = segments.filter((segment) => !this.#isBehind(segment))
    this.#bytesTotal = read.reduce((sum, { root }) => sum + (root === null ? 0 : root.lastPage), 0) * 4_096
  }

  run(): RecoveredLog {
    const lanes = new Map<number, RecoveredSegment[]>()
    for (const segment of this.#segments) {
      const { lane } = segment.files
      if (segment.ranges !== null) this.#addStretches(segment.files, segment.ranges)
      if (!this.#isBehind(segment)) lanes.set(lane, [...(lanes.get(lane) ?? []), segment])
    }
    let running = [...lanes.values()].map((segments) => new LaneStream(this.#dataDir, segments, this.#keepIndex))
    try {
      while (running.length > 0) {
        let moved = false
        for (const lane of running) moved = this.#runLane(lane) || moved
        if (!moved) throw this.#missingEntry(running)
        running = running.filter((lane) => !lane.ended)
      }
    } finally {
      for (const lane of running) lane.close()
    }
    this.#report(true)
    const heads = new Map<number, ShardHead>()
    for (const [shard, chain] of this.#chains) if (chain.seq > 0) heads.set(shard, headOf(chain))
    return {
      heads,
      records: this.#records,
      entries: this.#entries,
      events: this.#events,
      bytes: this.#bytes,
      segments: this.#segments,
      index: this.#index,
      indexes: [...this.#built.values()],
    }
  }

  /** Whether the index of the segment says that nothing in it is wanted. */
  #isBehind({ ranges }: RecoveredSegment): boolean {
    return ranges?.isBehind((shard) => this.#after.get(shard)?.seq ?? 0, this.#wanted) ?? false
  }

  /** Where look-ups find what lies before the snapshots. */
  #addStretches(name: SegmentName, { ranges }: SegmentRanges): void {
    for (const range of ranges.values()) {
      const head = this.#wanted.has(range.shard) ? this.#after.get(range.shard) : undefined
      if (head !== undefined && range.firstSeq <= head.seq) this.#index.addStretch(name, range)
    }
  }

  readonly #keepIndex = (index: SegmentIndex): void => {
    this.#built.set(keyOf(index.name), index)
    this.#addStretches(index.name, index)
  }

  /** Runs a lane as far as it goes; whether it got anywhere. */
  #runLane(lane: LaneStream): boolean {
    let moved = false
    for (;;) {
      if (lane.record === null) {
        if (!lane.next()) return true
        this.#records++
        this.#bytes += lane.length
        moved = true
      }
      while (lane.entriesLeft > 0) {
        if (!this.#takeEntry(lane)) return moved
        moved = true
      }
      lane.finishRecord()
      this.#report(false)
    }
  }

  /** False when the entry has to wait for another lane. */
  #takeEntry(lane: LaneStream): boolean {
    const { view, start, length } = lane
    const { where } = lane
    const entry = readEntryHead(view, start, length, lane.offset, where)
    if (entry.shard >= this.#deployment.shards) {
      throw damagedRecord(where, `has an entry of shard ${entry.shard} and there are ${this.#deployment.shards}`)
    }
    if (this.#wanted.has(entry.shard) && !this.#isPassedOver(entry, where)) {
      const chain = this.#chainOf(entry.shard)
      if (entry.firstSeq > chain.seq + 1) return false
      followChain(lane.bytes, start, entry, where, chain)
      this.#index.add(entry.shard, entry.firstSeq, where.lane, where.segment, where.record, entry.offset)
      this.#entries++
      this.#events += entry.eventCount
      this.#onEntry({
        shard: entry.shard,
        firstSeq: entry.firstSeq,
        eventCount: entry.eventCount,
        timeMs: entry.timeMs,
        events: lane.bytes,
        start: start + entry.endOffset - entry.eventsLength,
        end: start + entry.endOffset,
        where: { lane: where.lane, segment: where.segment, record: where.record, offset: entry.offset },
      })
    }
    lane.finishEntry(entry)
    return true
  }

  /** An entry that the snapshot has, or one behind the end. */
  #isPassedOver({ shard, firstSeq, eventCount, timeMs }: EntryHead, where: RecordPosition): boolean {
    const { seqs, timeMs: untilMs } = this.#until
    if (firstSeq > (seqs?.get(shard) ?? Number.POSITIVE_INFINITY)) return true
    if (timeMs > (untilMs ?? Number.POSITIVE_INFINITY)) return true
    const afterSeq = this.#after.get(shard)?.seq ?? 0
    if (firstSeq > afterSeq) return false
    if (firstSeq + eventCount - 1 <= afterSeq) return true
    throw damagedRecord(where, `has an entry of shard ${shard} in the midst of which a snapshot (${afterSeq}) ends`)
  }

  #chainOf(shard: number): ChainEnd {
    let chain = this.#chains.get(shard)
    if (chain === undefined) {
      chain = new ChainEnd()
      this.#chains.set(shard, chain)
    }
    return chain
  }

  #missingEntry(lanes: readonly LaneStream[]): JournalError {
    const waiting = lanes.flatMap((lane) => {
      const entry = readEntryHead(lane.view, lane.start, lane.length, lane.offset, lane.where)
      return [{ where: lane.where, shard: entry.shard, firstSeq: entry.firstSeq }]
    })
    const [first] = waiting
    if (first === undefined) throw new RangeError('no lane waits')
    const seq = this.#chainOf(first.shard).seq
    return new JournalError(
      'CHAIN_BROKEN',
      `shard ${first.shard} has no entry for sequence ${seq + 1} though ${nameOf(first.where)} goes on at ${first.firstSeq}: a file or record is missing, restore it from a backup`,
    )
  }

  #report(atEnd: boolean): void {
    if (this.#onProgress === undefined) return
    if (!atEnd && this.#bytes - this.#bytesOfProgress < PROGRESS_BYTES) return
    this.#bytesOfProgress = this.#bytes
    const bytesTotal = Math.max(this.#bytesTotal, this.#bytes)
    const bytes = atEnd ? bytesTotal : this.#bytes
    this.#onProgress({ records: this.#records, bytes, bytesTotal, events: this.#events })
  }
}

/** The records of a lane, one segment behind the other, and how far the current one has been taken. */
class LaneStream {
  readonly #dataDir: string
  readonly #keepIndex: (index: SegmentIndex) => void
  readonly #segments: readonly RecoveredSegment[]
  #segment = -1
  #reader: SegmentReader | null = null
  #records: Generator<RecordBytes, void, void> | null = null
  /** Where the segment has no index yet. */
  #builder: SegmentIndexBuilder | null = null
  record: RecordBytes | null = null
  where = { lane: 0, segment: 0, record: 0 }
  offset = 0
  entriesLeft = 0
  ended = false

  constructor(dataDir: string, segments: readonly RecoveredSegment[], keepIndex: (index: SegmentIndex) => void) {
    this.#dataDir = dataDir
    this.#keepIndex = keepIndex
    this.#segments = segments
  }

  get bytes(): Buffer {
    return this.#current.bytes
  }

  get view(): DataView {
    return this.#current.view
  }

  get start(): number {
    return this.#current.start
  }

  get length(): number {
    return this.#current.length
  }

  get #current(): RecordBytes {
    if (this.record === null) throw new RangeError('no record is current')
    return this.record
  }

  /** Reads and checks the next record; false at the end. */
  next(): boolean {
    for (;;) {
      const step = this.#records?.next()
      if (step !== undefined && step.done !== true) {
        const record = step.value
        this.where = { ...this.where, record: record.record }
        this.entriesLeft = checkRecord(record.bytes, record.view, record.start, record.length, this.where)
        this.offset = RECORD_HEAD_BYTES
        this.record = record
        return true
      }
      this.#endSegment()
      const segment = this.#segments[++this.#segment]
      if (segment === undefined) {
        this.ended = true
        return false
      }
      if (segment.root === null) continue
      const { lane, segment: number } = segment.files
      this.where = { lane, segment: number, record: 0 }
      this.#builder = segment.ranges === null ? new SegmentIndexBuilder({ lane, segment: number }) : null
      this.#reader = openSegment(this.#dataDir, { lane, segment: number })
      this.#records = this.#reader.records(segment.root)
    }
  }

  finishEntry(entry: EntryHead): void {
    this.#builder?.add(entry, this.where.record)
    this.offset = entry.endOffset
    this.entriesLeft--
  }

  #endSegment(): void {
    const root = this.#segments[this.#segment]?.root
    if (this.#builder !== null && root !== undefined && root !== null) this.#keepIndex(this.#builder.build(root))
    this.#builder = null
    this.close()
  }

  finishRecord(): void {
    if (this.offset !== this.length) throw damagedRecord(this.where, 'has bytes behind its last entry')
    this.record = null
  }

  close(): void {
    this.#reader?.close()
    this.#reader = null
    this.#records = null
  }
}

function keyOf({ lane, segment }: SegmentName): string {
  return `${lane}/${segment}`
}

function headOf(chain: ChainEnd): ShardHead {
  const { lane, segment, record, offset } = chain
  return {
    seq: chain.seq,
    hash: Uint8Array.from(chain.hash),
    timeMs: chain.timeMs,
    where: { lane, segment, record, offset },
  }
}
