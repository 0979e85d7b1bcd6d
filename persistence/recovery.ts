/**
 * Replay: reads the whole log once and hands out each wanted shard's entries in the order of their sequence, whatever
 * lanes they were written to (the number of workers may have changed at any start).
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
  type EntryPosition,
  followChain,
  nameOf,
  readEntryHead,
  RECORD_HEAD_BYTES,
  type StoredEntry,
} from './record.ts'
import { listSegments } from './segment-files.ts'
import { type RecordBytes, SegmentReader } from './segment-reader.ts'
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
): RecoveredLog {
  const self = currentProcess()
  const segments = listSegments(dataDir)
    .filter((files) => files.seal !== null || files.openedBy === null || !sameProcess(files.openedBy, self))
    .map((files) => surveySegment(files, self))
  return new Replay(deployment, shardsWanted, onEntry, onProgress, segments).run()
}

class Replay {
  readonly #deployment: Deployment
  readonly #wanted: ReadonlySet<number>
  readonly #onEntry: (entry: StoredEntry) => void
  readonly #onProgress: ((progress: ReplayProgress) => void) | undefined
  readonly #segments: readonly RecoveredSegment[]
  readonly #chains = new Map<number, ChainEnd>()
  readonly #index = new EntryIndex()
  readonly #bytesTotal: number
  #records = 0
  #entries = 0
  #events = 0
  #bytes = 0
  #bytesOfProgress = 0

  constructor(
    deployment: Deployment,
    wanted: ReadonlySet<number>,
    onEntry: (entry: StoredEntry) => void,
    onProgress: ((progress: ReplayProgress) => void) | undefined,
    segments: readonly RecoveredSegment[],
  ) {
    this.#deployment = deployment
    this.#wanted = wanted
    this.#onEntry = onEntry
    this.#onProgress = onProgress
    this.#segments = segments
    this.#bytesTotal = segments.reduce((sum, { root }) => sum + (root === null ? 0 : root.lastPage), 0) * 4_096
  }

  run(): RecoveredLog {
    const lanes = new Map<number, RecoveredSegment[]>()
    for (const segment of this.#segments) {
      const { lane } = segment.files
      lanes.set(lane, [...(lanes.get(lane) ?? []), segment])
    }
    let running = [...lanes.values()].map((segments) => new LaneStream(segments))
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
    }
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
    if (this.#wanted.has(entry.shard)) {
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
    lane.finishEntry(entry.endOffset)
    return true
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
  readonly #segments: readonly RecoveredSegment[]
  #segment = -1
  #reader: SegmentReader | null = null
  #records: Generator<RecordBytes, void, void> | null = null
  record: RecordBytes | null = null
  where = { lane: 0, segment: 0, record: 0 }
  offset = 0
  entriesLeft = 0
  ended = false

  constructor(segments: readonly RecoveredSegment[]) {
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
      this.close()
      const segment = this.#segments[++this.#segment]
      if (segment === undefined) {
        this.ended = true
        return false
      }
      if (segment.root === null) continue
      const { lane, segment: number, path } = segment.files
      this.where = { lane, segment: number, record: 0 }
      this.#reader = new SegmentReader({ lane, segment: number }, path)
      this.#records = this.#reader.records(segment.root)
    }
  }

  finishEntry(endOffset: number): void {
    this.offset = endOffset
    this.entriesLeft--
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

function headOf(chain: ChainEnd): ShardHead {
  const { lane, segment, record, offset } = chain
  return {
    seq: chain.seq,
    hash: Uint8Array.from(chain.hash),
    timeMs: chain.timeMs,
    where: { lane, segment, record, offset },
  }
}
