/**
 * Follows the log from outside of the threads that write it: durable entries behind a cursor, shard by shard in order.
 * It reads files only, so it may live in another thread or process, and takes nothing from the writers but cache.
 *
 * What may be delivered. A projection must never be ahead of the log, and a record stands in the system's cache, where
 * everybody can read it, before it is on disk. So of a segment that is being written only this counts:
 *
 *     records    1 … n − 1   n          n = the newest root in the file
 *                ▲           ▲
 *                │           └ on disk when the journal's mark says so (durable-mark.ts), or a later segment has a record
 *                └ on disk: a commit is only begun when the flush of the one before has returned
 *
 * A sealed segment is final: the root that its seal names counts. A segment that was left by a killed process is sealed
 * by the next start; until then its last record waits.
 *
 * Reading beside a writer: LMDB leaves the pages of the last two roots alone, so a slow reader may find a page used anew.
 * It is then not the page it was called for, or the record fails its check sum; the reader takes the roots again and
 * goes on behind the last record that it had whole. What fails while no root has moved is damage.
 */

import type { Deployment } from './deployment.ts'
import { readDurableMark } from './durable-mark.ts'
import { JournalError } from './errors.ts'
import { checkRecord, damagedRecord, ENTRY_HEAD_BYTES, readEntryHead, RECORD_HEAD_BYTES } from './record.ts'
import type { StoredEntry } from './record.ts'
import { describeSegment, lastSegment, listLanes, type SegmentFiles } from './segment-files.ts'
import { readSegmentRanges } from './segment-index.ts'
import { openSegment, type SegmentReader, type SegmentRoot } from './segment-reader.ts'

/** A page that is not what it was called for while roots move: so often it is looked at again in one poll. */
const ATTEMPTS_MAX = 8

export interface LogFollower {
  /**
   * Delivers entries that are durable now and behind the cursor, in order of each shard's sequence, at most about
   * `bytesMax` bytes of them (one entry at least, if there is any). Returns how many; 0: nothing new at present.
   * Synchronous, cheap when there is nothing new. The bytes of an entry are valid until the callback returns. An entry
   * that reaches beyond the cursor is delivered whole. Throws JournalError where the log is damaged; what was delivered
   * stays delivered, and what the callback throws is thrown on, its entry counted as delivered.
   */
  poll(onEntry: (entry: StoredEntry) => void, bytesMax: number): number
  close(): void
}

/** `after`: shard → last sequence already seen (absent: 0). Segments wholly behind the cursor are not read. */
export function followLog(dataDir: string, deployment: Deployment, after: ReadonlyMap<number, number>): LogFollower {
  return new Follower(dataDir, deployment, after)
}

/** How far a shard was delivered. */
class ShardCursor {
  seq: number
  /** Hash of the last entry delivered here; null before the first. */
  hash: Buffer | null = null

  constructor(seq: number) {
    this.seq = seq
  }
}

/** What is left of a poll. */
interface Budget {
  bytes: number
  entries: number
}

class Follower implements LogFollower {
  readonly #dataDir: string
  readonly #shards: number
  readonly #after: ReadonlyMap<number, number>
  readonly #cursors = new Map<number, ShardCursor>()
  readonly #lanes = new Map<number, LaneFollower>()

  constructor(dataDir: string, deployment: Deployment, after: ReadonlyMap<number, number>) {
    this.#dataDir = dataDir
    this.#shards = deployment.shards
    this.#after = after
  }

  poll(onEntry: (entry: StoredEntry) => void, bytesMax: number): number {
    const budget = { bytes: bytesMax, entries: 0 }
    this.#findLanes()
    let moved = true
    while (moved && budget.bytes > 0) {
      moved = false
      for (const lane of this.#lanes.values()) {
        if (budget.bytes > 0) moved = lane.run(onEntry, budget) || moved
      }
    }
    return budget.entries
  }

  close(): void {
    for (const lane of this.#lanes.values()) lane.close()
    this.#lanes.clear()
  }

  #findLanes(): void {
    for (const lane of listLanes(this.#dataDir)) {
      if (!this.#lanes.has(lane)) this.#lanes.set(lane, new LaneFollower(this.#dataDir, lane, this.#cursorOf))
    }
  }

  readonly #cursorOf = (shard: number): ShardCursor | null => {
    if (shard >= this.#shards) return null
    let cursor = this.#cursors.get(shard)
    if (cursor === undefined) {
      cursor = new ShardCursor(this.#after.get(shard) ?? 0)
      this.#cursors.set(shard, cursor)
    }
    return cursor
  }
}

/** The entry that a lane waits with: another lane has the ones before it. */
interface Gap {
  readonly shard: number
  readonly firstSeq: number
}

/** A lane, read segment by segment; it rests where an entry has to wait for another lane. */
class LaneFollower {
  readonly #dataDir: string
  readonly #lane: number
  readonly #cursorOf: (shard: number) => ShardCursor | null
  #segment = 1
  #reader: SegmentReader | null = null
  /** Set once the segment is final. */
  #finalRoot: SegmentRoot | null = null
  /** Records of the segment that were delivered whole, and entries of the next one. */
  #records = 0
  #entries = 0
  #gap: Gap | null = null
  /** An error now is the callback's. */
  #isDelivering = false

  constructor(dataDir: string, lane: number, cursorOf: (shard: number) => ShardCursor | null) {
    this.#dataDir = dataDir
    this.#lane = lane
    this.#cursorOf = cursorOf
  }

  /** Whether it got anywhere. */
  run(onEntry: (entry: StoredEntry) => void, budget: Budget): boolean {
    let moved = false
    for (;;) {
      this.#isDelivering = false
      if (this.#gap !== null && (this.#cursorOf(this.#gap.shard)?.seq ?? 0) + 1 < this.#gap.firstSeq) return moved
      this.#gap = null
      if (this.#readSegment(onEntry, budget)) moved = true
      if (this.#gap !== null || budget.bytes <= 0) return moved
      if (this.#finalRoot === null || this.#records < this.#finalRoot.records) return moved
      if (!this.#toNextSegment()) return moved
    }
  }

  close(): void {
    this.#reader?.close()
    this.#reader = null
  }

  #toNextSegment(): boolean {
    if (lastSegment(this.#dataDir, this.#lane) <= this.#segment) return false
    this.close()
    this.#segment++
    this.#records = 0
    this.#entries = 0
    this.#finalRoot = null
    return true
  }

  /** Reads what is durable of the segment and not delivered; whether anything was. */
  #readSegment(onEntry: (entry: StoredEntry) => void, budget: Budget): boolean {
    const recordsBefore = this.#records
    const entriesBefore = budget.entries
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
      const readable = this.#readable()
      if (readable === null || readable.records <= this.#records) break
      try {
        this.#readRecords(readable.root, readable.records, onEntry, budget)
        break
      } catch (error) {
        // When the writer was faster than this reader: from the new roots, now or in the next poll.
        if (this.#isDelivering || !(error instanceof JournalError) || !this.#hasMoved(readable.root)) throw error
      }
    }
    return this.#records > recordsBefore || budget.entries > entriesBefore
  }

  /** The root to read by, and how many of its records are on disk. Null: nothing to read at this moment. */
  #readable(): { readonly root: SegmentRoot; readonly records: number } | null {
    if (this.#finalRoot !== null) return { root: this.#finalRoot, records: this.#finalRoot.records }
    // Looked at in this order: what was found to be final before its roots are read is final in them.
    const files = describeSegment(this.#dataDir, { lane: this.#lane, segment: this.#segment })
    if (this.#passOver(files)) return null
    const isLeft = files.seal === null && this.#isLeft()
    const reader = this.#open(files)
    if (reader === null) {
      if (isLeft) this.#finalRoot = NO_RECORDS
      return null
    }
    const mark = readDurableMark(this.#dataDir, this.#lane)
    const roots = reader.rootsWhileWritten()
    if (roots === null) return null
    const { newest, previous } = roots
    if (files.seal !== null) {
      const { transaction, records } = files.seal
      const sealed = [newest, previous].find((root) => root.transaction === transaction && root.records === records)
      if (sealed === undefined) throw damagedRecord(this.#position(records), 'is not where the seal says')
      this.#finalRoot = sealed
      return { root: sealed, records }
    }
    if (isLeft) {
      this.#finalRoot = newest
      return { root: newest, records: newest.records }
    }
    const marked = mark?.segment === this.#segment ? Math.min(mark.record, newest.records) : 0
    return { root: newest, records: Math.max(marked, previous.records) }
  }

  /** A sealed segment that holds nothing new for anybody, as the index beside it says, counts as read. */
  #passOver({ path, seal, lane, segment }: SegmentFiles): boolean {
    if (seal === null || this.#records > 0 || this.#entries > 0) return false
    const ranges = readSegmentRanges(path, { lane, segment }, seal)
    if (ranges === null || !ranges.isBehind((shard) => this.#cursorOf(shard)?.seq ?? 0)) return false
    this.#records = seal.records
    this.#finalRoot = { ...NO_RECORDS, records: seal.records }
    return true
  }

  /** Whether its writer has gone on: a later segment has a record, or is marked. */
  #isLeft(): boolean {
    const last = lastSegment(this.#dataDir, this.#lane)
    if (last <= this.#segment) return false
    if ((readDurableMark(this.#dataDir, this.#lane)?.segment ?? 0) > this.#segment) return true
    for (let segment = this.#segment + 1; segment <= last; segment++) {
      const { openedBy, seal } = describeSegment(this.#dataDir, { lane: this.#lane, segment })
      if (seal !== null) return true
      if (openedBy === null) continue
      const reader = openSegment(this.#dataDir, { lane: this.#lane, segment })
      try {
        if ((reader.rootsWhileWritten()?.newest.records ?? 0) > 0) return true
      } finally {
        reader.close()
      }
    }
    return false
  }

  /** Null while the file is being made, or was left before it was. */
  #open({ openedBy, seal }: SegmentFiles): SegmentReader | null {
    if (this.#reader !== null) return this.#reader
    if (openedBy === null && seal === null) return null
    this.#reader = openSegment(this.#dataDir, { lane: this.#lane, segment: this.#segment })
    return this.#reader
  }

  #readRecords(root: SegmentRoot, records: number, onEntry: (entry: StoredEntry) => void, budget: Budget): void {
    const reader = this.#reader
    if (reader === null) return
    for (const { record, bytes, view, start, length } of reader.records(root, this.#records + 1)) {
      const position = this.#position(record)
      const entries = checkRecord(bytes, view, start, length, position)
      let offset = RECORD_HEAD_BYTES
      for (let entry = 0; entry < entries; entry++) {
        const head = readEntryHead(view, start, length, offset, position)
        offset = head.endOffset
        if (entry < this.#entries) continue
        const cursor = this.#cursorOf(head.shard)
        if (cursor === null) throw damagedRecord(position, `has an entry of shard ${head.shard}, which does not exist`)
        const lastSeq = head.firstSeq + head.eventCount - 1
        if (lastSeq > cursor.seq) {
          if (budget.bytes <= 0) return
          if (head.firstSeq > cursor.seq + 1) {
            this.#gap = head
            return
          }
          follow(cursor, bytes, start + head.offset, position)
          cursor.seq = lastSeq
          this.#entries = entry + 1
          budget.entries++
          budget.bytes -= ENTRY_HEAD_BYTES + head.eventsLength
          this.#isDelivering = true
          onEntry({
            shard: head.shard,
            firstSeq: head.firstSeq,
            eventCount: head.eventCount,
            timeMs: head.timeMs,
            events: bytes,
            start: start + head.endOffset - head.eventsLength,
            end: start + head.endOffset,
            where: { ...position, offset: head.offset },
          })
          this.#isDelivering = false
        } else if (lastSeq === cursor.seq) {
          follow(cursor, bytes, start + head.offset, position)
        }
        this.#entries = entry + 1
      }
      this.#records = record
      this.#entries = 0
      if (record === records || budget.bytes <= 0) return
    }
  }

  #hasMoved(root: SegmentRoot): boolean {
    if (this.#finalRoot !== null) return false
    return this.#reader?.rootsWhileWritten()?.newest.transaction !== root.transaction
  }

  #position(record: number): { lane: number; segment: number; record: number } {
    return { lane: this.#lane, segment: this.#segment, record }
  }
}

const NO_RECORDS: SegmentRoot = { transaction: 0, records: 0, depth: 0, root: 0, lastPage: 0 }

const AT_HASH = 20
const AT_PREV_HASH = 52
const HASH_BYTES = 32

/** Entries name the hash of the one before: cheap to compare, and what does not follow comes from another log. */
function follow(
  cursor: ShardCursor,
  bytes: Buffer,
  at: number,
  position: { lane: number; segment: number; record: number },
): void {
  const { hash } = cursor
  if (hash !== null && hash.compare(bytes, at + AT_PREV_HASH, at + AT_PREV_HASH + HASH_BYTES) !== 0) {
    throw damagedRecord(position, 'has an entry that does not name the hash of the one before it')
  }
  cursor.hash ??= Buffer.alloc(HASH_BYTES)
  bytes.copy(cursor.hash, 0, at + AT_HASH, at + AT_HASH + HASH_BYTES)
}
