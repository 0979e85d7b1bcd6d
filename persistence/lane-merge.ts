/**
 * The merge: brings the records of several lanes into the order of each shard's sequence, and checks everything on the way:
 * the check sum of each record, each shard's sequence and chain of hashes. It reads bytes that somebody hands it and nothing
 * else, so that files (recovery.ts) and a simulated disk go through the same decisions.
 *
 * A lane runs until the next entry of a wanted shard is not the one the shard waits for; then it rests and the others run.
 * What was written first is never behind something written later, so at least one lane can always run: when none can, an
 * entry is missing.
 */
import { JournalError } from './errors.ts'
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

/** The last entry of a shard, from which its journal goes on. */
export interface ShardHead {
  /** Sequence of the last event in the log. */
  readonly seq: number
  /** 32 bytes: the hash of the last entry. */
  readonly hash: Uint8Array
  readonly timeMs: number
  readonly where: EntryPosition
}

/** A position or a time in the past. What is not given has no end. */
export interface ReplayEnd {
  /** Last sequence wanted, by shard; shards that are not named run to their end. */
  readonly seqs?: ReadonlyMap<number, number>
  /** Entries of later times are not wanted; milliseconds since 1970. */
  readonly timeMs?: number
}

/** The bytes of one record: `bytes[start, start + length)`, `view` over all of `bytes`. */
export interface MergedRecord {
  readonly lane: number
  readonly segment: number
  readonly record: number
  readonly bytes: Buffer
  readonly view: DataView
  readonly start: number
  readonly length: number
}

/** The records of one lane, in the order in which they were written. */
export interface LaneRecords {
  /** Not yet judged; its bytes are valid until the next call. null: there are no more. */
  next(): MergedRecord | null
  /** An entry of the record that was handed out last has been read. */
  entryRead(entry: EntryHead): void
  close(): void
}

export interface MergeOptions {
  /** Of the deployment. */
  readonly shards: number
  readonly wanted: ReadonlySet<number>
  /** Where a shard stands already: what is before is not delivered. The log must follow it. */
  readonly after?: ReadonlyMap<number, ShardHead>
  /** Where to stop; nothing behind it is delivered, but an entry that reaches beyond it is delivered whole. */
  readonly until?: ReplayEnd
  readonly onEntry: (entry: StoredEntry) => void
  readonly onRecord?: (so: MergeProgress) => void
}

export interface MergeProgress {
  /** Read, of all shards. */
  readonly records: number
  /** Of records, read. */
  readonly bytes: number
  /** Delivered, of the wanted shards. */
  readonly entries: number
  readonly events: number
}

export interface Merged extends MergeProgress {
  /** Of the wanted shards that have entries; a shard without entries is not in it. */
  readonly heads: ReadonlyMap<number, ShardHead>
}

/** Throws JournalError: damage, or an entry that is missing. Closes what it was given. */
export function mergeLanes(lanes: readonly LaneRecords[], options: MergeOptions): Merged {
  return new Merge(options).run(lanes.map((lane) => new LaneCursor(lane)))
}

class Merge {
  readonly #options: MergeOptions
  readonly #after: ReadonlyMap<number, ShardHead>
  readonly #chains = new Map<number, ChainEnd>()
  #records = 0
  #entries = 0
  #events = 0
  #bytes = 0

  constructor(options: MergeOptions) {
    this.#options = options
    this.#after = options.after ?? new Map()
    for (const shard of options.wanted) {
      const head = this.#after.get(shard)
      if (head === undefined) continue
      const chain = this.#chainOf(shard)
      Object.assign(chain, head.where, { seq: head.seq, timeMs: head.timeMs })
      chain.hash.set(head.hash)
    }
  }

  run(lanes: readonly LaneCursor[]): Merged {
    let running = lanes
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
    const heads = new Map<number, ShardHead>()
    for (const [shard, chain] of this.#chains) if (chain.seq > 0) heads.set(shard, headOf(chain))
    return { ...this.#progress(), heads }
  }

  #progress(): MergeProgress {
    return { records: this.#records, bytes: this.#bytes, entries: this.#entries, events: this.#events }
  }

  /** Runs a lane as far as it goes; whether it got anywhere. */
  #runLane(lane: LaneCursor): boolean {
    let moved = false
    for (;;) {
      if (lane.current === null) {
        if (!lane.next()) return true
        this.#records++
        this.#bytes += lane.record.length
        moved = true
      }
      while (lane.entriesLeft > 0) {
        if (!this.#takeEntry(lane)) return moved
        moved = true
      }
      lane.finishRecord()
      this.#options.onRecord?.(this.#progress())
    }
  }

  /** False when the entry has to wait for another lane. */
  #takeEntry(lane: LaneCursor): boolean {
    const { record } = lane
    const { bytes, view, start, length } = record
    const { shards, wanted, onEntry } = this.#options
    const entry = readEntryHead(view, start, length, lane.offset, record)
    if (entry.shard >= shards) {
      throw damagedRecord(record, `has an entry of shard ${entry.shard} and there are ${shards}`)
    }
    if (wanted.has(entry.shard) && !this.#isPassedOver(entry, record)) {
      const chain = this.#chainOf(entry.shard)
      if (entry.firstSeq > chain.seq + 1) return false
      followChain(bytes, start, entry, record, chain)
      this.#entries++
      this.#events += entry.eventCount
      onEntry({
        shard: entry.shard,
        firstSeq: entry.firstSeq,
        eventCount: entry.eventCount,
        timeMs: entry.timeMs,
        events: bytes,
        start: start + entry.endOffset - entry.eventsLength,
        end: start + entry.endOffset,
        where: { lane: record.lane, segment: record.segment, record: record.record, offset: entry.offset },
      })
    }
    lane.finishEntry(entry)
    return true
  }

  /** An entry that the snapshot has, or one behind the end. */
  #isPassedOver({ shard, firstSeq, eventCount, timeMs }: EntryHead, where: RecordPosition): boolean {
    const { seqs, timeMs: untilMs } = this.#options.until ?? {}
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

  #missingEntry(lanes: readonly LaneCursor[]): JournalError {
    const waiting = lanes.flatMap(({ record, offset }) => {
      const entry = readEntryHead(record.view, record.start, record.length, offset, record)
      return [{ where: record, shard: entry.shard, firstSeq: entry.firstSeq }]
    })
    const [first] = waiting
    if (first === undefined) throw new RangeError('no lane waits')
    const seq = this.#chainOf(first.shard).seq
    return new JournalError(
      'CHAIN_BROKEN',
      `shard ${first.shard} has no entry for sequence ${seq + 1} though ${nameOf(first.where)} goes on at ${first.firstSeq}: a file or record is missing, restore it from a backup`,
    )
  }
}

/** How far the current record of a lane has been taken. */
class LaneCursor {
  readonly #records: LaneRecords
  current: MergedRecord | null = null
  offset = 0
  entriesLeft = 0
  ended = false

  constructor(records: LaneRecords) {
    this.#records = records
  }

  get record(): MergedRecord {
    if (this.current === null) throw new RangeError('no record is current')
    return this.current
  }

  /** Reads and checks the next record; false at the end. */
  next(): boolean {
    this.current = this.#records.next()
    if (this.current === null) {
      this.ended = true
      return false
    }
    const { bytes, view, start, length } = this.current
    this.entriesLeft = checkRecord(bytes, view, start, length, this.current)
    this.offset = RECORD_HEAD_BYTES
    return true
  }

  finishEntry(entry: EntryHead): void {
    this.#records.entryRead(entry)
    this.offset = entry.endOffset
    this.entriesLeft--
  }

  finishRecord(): void {
    const { record } = this
    if (this.offset !== record.length) throw damagedRecord(record, 'has bytes behind its last entry')
    this.current = null
  }

  close(): void {
    this.#records.close()
    this.current = null
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
