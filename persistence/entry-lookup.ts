/**
 * Finds a stored entry by shard and sequence: from the next place the index knows, backwards along the links of the
 * entries, at most 64 heads of 106 bytes, then one whole record that is checked like in replay. Bounded: steps, open
 * files, bytes kept. The segment being written is read too; its root moves with every commit, so it is looked up anew.
 */

import type { EntryIndex } from './entry-index.ts'
import { ENTRIES_PER_POINT } from './entry-index.ts'
import {
  checkRecord,
  damagedRecord,
  ENTRY_HEAD_BYTES,
  type EntryHead,
  type EntryPosition,
  readEntryHead,
  type RecordPosition,
  type StoredEntry,
} from './record.ts'
import { describeSegment, type SegmentName } from './segment-files.ts'
import { openSegment, type RecordPlace, type SegmentReader, type SegmentRoot } from './segment-reader.ts'

const OPEN_SEGMENTS_MAX = 16
const KEPT_RECORDS_MAX = 8
const KEPT_RECORD_BYTES_MAX = 1024 * 1024

interface OpenSegment {
  readonly reader: SegmentReader
  /** Null for the segment being written. */
  readonly root: SegmentRoot | null
}

interface KeptRecord {
  readonly bytes: Buffer
  readonly view: DataView
}

export class EntryLookup {
  readonly #dataDir: string
  readonly #index: EntryIndex
  readonly #open = new Map<string, OpenSegment>()
  readonly #kept = new Map<string, KeptRecord>()
  readonly #head = Buffer.alloc(ENTRY_HEAD_BYTES)
  readonly #headView = new DataView(this.#head.buffer, this.#head.byteOffset)

  constructor(dataDir: string, index: EntryIndex) {
    this.#dataDir = dataDir
    this.#index = index
  }

  /**
   * The entry of the shard that holds `seq`, which must be in the log and not behind the entry at `last`. `written` is
   * the segment being written, if any. Throws JournalError when the log no longer fits what was read or written before.
   */
  find(shard: number, seq: number, last: EntryPosition, written: SegmentName | null): StoredEntry {
    let position = this.#index.atOrBehind(shard, seq) ?? last
    for (let step = 0; step <= ENTRIES_PER_POINT; step++) {
      const entry = this.#readHead(position, written)
      if (entry.shard !== shard)
        throw damagedRecord(position, `holds shard ${entry.shard} where shard ${shard} was written`)
      if (entry.firstSeq <= seq) {
        if (seq >= entry.firstSeq + entry.eventCount) break
        return this.#readEntry(entry, position, written)
      }
      if (entry.previous === null) break
      position = entry.previous
    }
    throw damagedRecord(position, `does not lead to sequence ${seq} of shard ${shard}`)
  }

  /** The segment became final: it has to be opened anew. */
  forget(name: SegmentName): void {
    const key = `${name.lane}/${name.segment}`
    this.#open.get(key)?.reader.close()
    this.#open.delete(key)
  }

  close(): void {
    for (const { reader } of this.#open.values()) reader.close()
    this.#open.clear()
    this.#kept.clear()
  }

  #readHead(position: EntryPosition, written: SegmentName | null): EntryHead {
    const kept = this.#kept.get(keyOf(position))
    if (kept !== undefined) return readEntryHead(kept.view, 0, kept.bytes.length, position.offset, position)
    const { reader, place } = this.#locate(position, written)
    const { offset } = position
    if (offset + ENTRY_HEAD_BYTES > place.length) throw damagedRecord(position, 'ends within an entry')
    reader.readAt(this.#head, 0, ENTRY_HEAD_BYTES, place.at + offset)
    return readEntryHead(this.#headView, -offset, place.length, offset, position)
  }

  #readEntry(entry: EntryHead, position: EntryPosition, written: SegmentName | null): StoredEntry {
    const { bytes } = this.#readRecord(position, written)
    return {
      shard: entry.shard,
      firstSeq: entry.firstSeq,
      eventCount: entry.eventCount,
      timeMs: entry.timeMs,
      events: bytes,
      start: entry.endOffset - entry.eventsLength,
      end: entry.endOffset,
      where: position,
    }
  }

  #readRecord(position: RecordPosition, written: SegmentName | null): KeptRecord {
    const key = keyOf(position)
    const kept = this.#kept.get(key)
    if (kept !== undefined) return kept
    const { reader, place } = this.#locate(position, written)
    const bytes = Buffer.alloc(place.length)
    reader.readAt(bytes, 0, place.length, place.at)
    const record = { bytes, view: new DataView(bytes.buffer, bytes.byteOffset) }
    checkRecord(bytes, record.view, 0, place.length, position)
    if (place.length <= KEPT_RECORD_BYTES_MAX) {
      if (this.#kept.size >= KEPT_RECORDS_MAX) deleteOldest(this.#kept)
      this.#kept.set(key, record)
    }
    return record
  }

  #locate(position: RecordPosition, written: SegmentName | null): { reader: SegmentReader; place: RecordPlace } {
    const { reader, root } = this.#segment(position, written)
    const place = reader.find(root ?? reader.roots().newest, position.record)
    if (place === null) throw damagedRecord(position, 'is missing')
    return { reader, place }
  }

  #segment({ lane, segment }: SegmentName, written: SegmentName | null): OpenSegment {
    const key = `${lane}/${segment}`
    const open = this.#open.get(key)
    if (open !== undefined) {
      // Used last: moves behind all others.
      this.#open.delete(key)
      this.#open.set(key, open)
      return open
    }
    if (this.#open.size >= OPEN_SEGMENTS_MAX) deleteOldest(this.#open)?.reader.close()
    const isWritten = written !== null && written.lane === lane && written.segment === segment
    const reader = openSegment(this.#dataDir, { lane, segment })
    const opened = { reader, root: isWritten ? null : sealedRootOf(reader, this.#dataDir, { lane, segment }) }
    this.#open.set(key, opened)
    return opened
  }
}

/** A segment that was left behind a moment ago is not sealed yet; its newest root is its last. */
function sealedRootOf(reader: SegmentReader, dataDir: string, name: SegmentName): SegmentRoot {
  const { seal } = describeSegment(dataDir, name)
  const { newest, previous } = reader.roots()
  return seal !== null && previous.transaction === seal.transaction ? previous : newest
}

function keyOf({ lane, segment, record }: RecordPosition): string {
  return `${lane}/${segment}/${record}`
}

function deleteOldest<V>(map: Map<string, V>): V | undefined {
  for (const [key, value] of map) {
    map.delete(key)
    return value
  }
  return undefined
}
