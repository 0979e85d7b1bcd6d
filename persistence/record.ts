/**
 * The bytes of a record: what one group commit leaves on disk. One record is one value in a segment, under its number.
 * It has one entry for each shard the commit touched; the events in an entry are opaque here. Little endian, no padding.
 *
 *   record                                    entry
 *    0  crc       u32  CRC-32 of all behind it  0  eventsLength  u32 ┐
 *    4  magic     u32  "TOJR"                   4  prevSegment   u32 │ where the shard's previous entry lies:
 *    8  version   u16  1                        8  prevRecord    u32 │ all zero when there is none
 *   10  lane      u16                          12  prevOffset    u32 │ (offset: of the entry in its record)
 *   12  segment   u32                          16  prevLane      u16 │
 *   16  record    u32                          18  zero          u16 ┘
 *   20  length    u32  of the whole record     20  hash       32 bytes  SHA-256 of all behind it in the entry
 *   24  entries   u16                          52  prevHash   32 bytes ┐ hash of the shard's previous entry, or zeros
 *   26  zero      u16                          84  shard         u16  │
 *   28  entries, one behind the other          86  firstSeq      u64  │ at most 2^53 − 1
 *                                              94  eventCount    u32  │
 *                                              98  timeMs        f64  │
 *                                             106  events             ┘ eventsLength bytes
 *
 * The CRC finds accidents of the disk, the chain of hashes finds records that are missing, doubled or from elsewhere.
 * The first 28 bytes mean the same in every version, so that an older program can tell "newer" from "damaged".
 * Whoever changes a byte here changes docs/formats/journal.md and adds a golden record to the tests.
 */

import assert from 'node:assert'
import { hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { JournalError } from './errors.ts'

const RECORD_VERSION = 1
export const RECORD_HEAD_BYTES = 28
export const ENTRY_HEAD_BYTES = 106
const HASH_BYTES = 32
/** An entry's events: what one shard may append with one commit. */
const ENTRY_EVENTS_BYTES_MAX = 16 * 1024 * 1024
export const RECORD_BYTES_MAX = 256 * 1024 * 1024

const MAGIC = 0x524a_4f54
const AT_HASH = 20
const AT_PREV_HASH = 52
const AT_SHARD = 84
const AT_FIRST_SEQ = 86
const AT_EVENT_COUNT = 94
const AT_TIME = 98
const TWO_32 = 0x1_0000_0000

/** Where a record lies: records count from 1 in each segment, segments from 1 in each lane. */
export interface RecordPosition {
  readonly lane: number
  readonly segment: number
  readonly record: number
}

/** Where an entry lies: `offset` bytes into its record. */
export interface EntryPosition extends RecordPosition {
  readonly offset: number
}

/** One shard's share of a group commit, to be written. The events' bytes are `events.subarray(0, length)`, opaque here. */
export interface EntryDraft {
  readonly shard: number
  /** Sequence of the first event; the entry holds `firstSeq … firstSeq + eventCount − 1`. */
  readonly firstSeq: number
  readonly eventCount: number
  /** Logged time of the entry, milliseconds since 1970, never less than the shard's last. */
  readonly timeMs: number
  readonly events: Uint8Array
  readonly length: number
}

/**
 * An entry as it lies in the log. Its events' bytes are `events.subarray(start, end)`.
 * During replay the bytes are only valid until the callback returns; from `entryOf` they stay valid.
 */
export interface StoredEntry {
  readonly shard: number
  readonly firstSeq: number
  readonly eventCount: number
  readonly timeMs: number
  readonly events: Uint8Array
  readonly start: number
  readonly end: number
  readonly where: EntryPosition
}

/** The end of a shard's chain: the entry the next one has to follow. Sequence 0 means that there is none yet. */
export class ChainEnd {
  /** Sequence of the last event. */
  seq = 0
  timeMs = 0
  lane = 0
  segment = 0
  record = 0
  offset = 0
  readonly hash = Buffer.alloc(HASH_BYTES)
}

/** The fixed part of an entry, read but not judged beyond its own bounds. */
export interface EntryHead {
  readonly offset: number
  readonly shard: number
  readonly firstSeq: number
  readonly eventCount: number
  readonly timeMs: number
  /** Null for the first entry of a shard. */
  readonly previous: EntryPosition | null
  readonly eventsLength: number
  /** Offset of the byte behind the entry, in the record. */
  readonly endOffset: number
}

/** Writes records into one buffer that grows and is used again: the bytes are valid until the next `encode`. */
export class RecordEncoder {
  #bytes: Buffer
  #view: DataView

  constructor(bytesAtStart = 256 * 1024) {
    this.#bytes = Buffer.alloc(bytesAtStart)
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset)
  }

  /**
   * The record of the drafts, each shard at most once; moves `chainOf(shard)` on to the new entry. Copies the events.
   * An entry that does not follow its shard's last one is a broken invariant of the caller: it throws an AssertionError.
   */
  encode(position: RecordPosition, drafts: readonly EntryDraft[], chainOf: (shard: number) => ChainEnd): Uint8Array {
    let length = RECORD_HEAD_BYTES
    for (const draft of drafts) length += ENTRY_HEAD_BYTES + draft.length
    assert(drafts.length > 0 && length <= RECORD_BYTES_MAX, `a record of ${drafts.length} entries has ${length} bytes`)
    this.#reserve(length)
    const view = this.#view
    view.setUint32(4, MAGIC, true)
    view.setUint16(8, RECORD_VERSION, true)
    view.setUint16(10, position.lane, true)
    view.setUint32(12, position.segment, true)
    view.setUint32(16, position.record, true)
    view.setUint32(20, length, true)
    view.setUint16(24, drafts.length, true)
    view.setUint16(26, 0, true)
    let offset = RECORD_HEAD_BYTES
    for (const draft of drafts) offset = this.#encodeEntry(position, draft, chainOf(draft.shard), offset)
    view.setUint32(0, crc32(this.#bytes.subarray(4, length)), true)
    return this.#bytes.subarray(0, length)
  }

  #encodeEntry(position: RecordPosition, draft: EntryDraft, chain: ChainEnd, at: number): number {
    const { shard, firstSeq, eventCount, timeMs, events, length } = draft
    assert(firstSeq === chain.seq + 1, `shard ${shard}: an entry starts at ${firstSeq}, the log ends at ${chain.seq}`)
    assert(
      Number.isInteger(eventCount) && eventCount > 0 && eventCount < TWO_32,
      `shard ${shard}: ${eventCount} events`,
    )
    assert(Number.isSafeInteger(firstSeq + eventCount), `shard ${shard}: sequence ${firstSeq} is too large`)
    assert(
      Number.isFinite(timeMs) && length <= ENTRY_EVENTS_BYTES_MAX,
      `shard ${shard}: time ${timeMs}, ${length} bytes`,
    )
    const view = this.#view
    const bytes = this.#bytes
    const end = at + ENTRY_HEAD_BYTES + length
    view.setUint32(at, length, true)
    view.setUint32(at + 4, chain.segment, true)
    view.setUint32(at + 8, chain.record, true)
    view.setUint32(at + 12, chain.offset, true)
    view.setUint16(at + 16, chain.lane, true)
    view.setUint16(at + 18, 0, true)
    bytes.set(chain.hash, at + AT_PREV_HASH)
    view.setUint16(at + AT_SHARD, shard, true)
    view.setUint32(at + AT_FIRST_SEQ, firstSeq % TWO_32, true)
    view.setUint32(at + AT_FIRST_SEQ + 4, Math.floor(firstSeq / TWO_32), true)
    view.setUint32(at + AT_EVENT_COUNT, eventCount, true)
    view.setFloat64(at + AT_TIME, timeMs, true)
    bytes.set(length === events.length ? events : events.subarray(0, length), at + ENTRY_HEAD_BYTES)
    const entryHash = hash('sha256', bytes.subarray(at + AT_PREV_HASH, end), 'buffer')
    bytes.set(entryHash, at + AT_HASH)
    chain.hash.set(entryHash)
    chain.seq = firstSeq + eventCount - 1
    chain.timeMs = timeMs
    chain.lane = position.lane
    chain.segment = position.segment
    chain.record = position.record
    chain.offset = at
    return end
  }

  #reserve(length: number): void {
    if (length <= this.#bytes.length) return
    this.#bytes = Buffer.alloc(Math.max(length, this.#bytes.length * 2))
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset)
  }
}

/** The entries of a record as `encode` has made it: of each, the bytes from its hash to its end. Nothing is checked or copied. */
export function* entriesOfRecord(
  record: Uint8Array,
): Generator<{ readonly shard: number; readonly bytes: Uint8Array }> {
  const view = new DataView(record.buffer, record.byteOffset, record.length)
  for (let at = RECORD_HEAD_BYTES; at < record.length; ) {
    const end = at + ENTRY_HEAD_BYTES + view.getUint32(at, true)
    yield { shard: view.getUint16(at + AT_SHARD, true), bytes: record.subarray(at + AT_HASH, end) }
    at = end
  }
}

/**
 * Checks that `bytes[start … start + length)` is the whole, undamaged record of that position and returns the number of
 * its entries. Throws `JOURNAL_DAMAGED`, or `JOURNAL_NEWER_FORMAT` when an intact record has a later version.
 */
export function checkRecord(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  length: number,
  position: RecordPosition,
): number {
  if (length < RECORD_HEAD_BYTES) throw damagedRecord(position, `has only ${length} bytes`)
  if (view.getUint32(start + 4, true) !== MAGIC) throw damagedRecord(position, 'does not start like a record')
  if (view.getUint32(start + 20, true) !== length) {
    throw damagedRecord(position, `says it has ${view.getUint32(start + 20, true)} bytes and has ${length}`)
  }
  if (crc32(bytes.subarray(start + 4, start + length)) !== view.getUint32(start, true)) {
    throw damagedRecord(position, 'does not fit its check sum')
  }
  const version = view.getUint16(start + 8, true)
  if (version !== RECORD_VERSION) {
    throw new JournalError(
      'JOURNAL_NEWER_FORMAT',
      `${nameOf(position)} was written by a later version of Tearoff (record format ${version}): start that version`,
    )
  }
  if (
    view.getUint16(start + 10, true) !== position.lane ||
    view.getUint32(start + 12, true) !== position.segment ||
    view.getUint32(start + 16, true) !== position.record
  ) {
    throw damagedRecord(position, 'is the record of another place')
  }
  return view.getUint16(start + 24, true)
}

/** The entry at an offset of a record that lies in `bytes[start … start + length)`. Throws `JOURNAL_DAMAGED`. */
export function readEntryHead(
  view: DataView,
  start: number,
  length: number,
  offset: number,
  position: RecordPosition,
): EntryHead {
  if (offset < RECORD_HEAD_BYTES || offset + ENTRY_HEAD_BYTES > length) {
    throw damagedRecord(position, 'ends within an entry')
  }
  const at = start + offset
  const eventsLength = view.getUint32(at, true)
  const endOffset = offset + ENTRY_HEAD_BYTES + eventsLength
  const firstSeq = view.getUint32(at + AT_FIRST_SEQ, true) + view.getUint32(at + AT_FIRST_SEQ + 4, true) * TWO_32
  const eventCount = view.getUint32(at + AT_EVENT_COUNT, true)
  if (endOffset > length) throw damagedRecord(position, 'ends within the events of an entry')
  if (firstSeq === 0 || eventCount === 0 || !Number.isSafeInteger(firstSeq + eventCount)) {
    throw damagedRecord(position, `has an entry of ${eventCount} events from sequence ${firstSeq}`)
  }
  const prevRecord = view.getUint32(at + 8, true)
  return {
    offset,
    shard: view.getUint16(at + AT_SHARD, true),
    firstSeq,
    eventCount,
    timeMs: view.getFloat64(at + AT_TIME, true),
    previous:
      prevRecord === 0
        ? null
        : {
            lane: view.getUint16(at + 16, true),
            segment: view.getUint32(at + 4, true),
            record: prevRecord,
            offset: view.getUint32(at + 12, true),
          },
    eventsLength,
    endOffset,
  }
}

/**
 * Checks that the entry at `bytes[at … end)` follows the end of its shard's chain, by sequence and by hash, and moves the
 * chain on to it. Throws `CHAIN_BROKEN`.
 */
export function followChain(
  bytes: Buffer,
  start: number,
  entry: EntryHead,
  position: RecordPosition,
  chain: ChainEnd,
): void {
  const at = start + entry.offset
  const end = start + entry.endOffset
  if (entry.firstSeq !== chain.seq + 1) {
    throw brokenChain(
      position,
      entry.shard,
      `starts at sequence ${entry.firstSeq} where ${chain.seq + 1} has to follow`,
    )
  }
  if (chain.hash.compare(bytes, at + AT_PREV_HASH, at + AT_SHARD) !== 0) {
    throw brokenChain(
      position,
      entry.shard,
      `(sequence ${entry.firstSeq}) does not name the hash of the entry before it`,
    )
  }
  const computed = hash('sha256', bytes.subarray(at + AT_PREV_HASH, end), 'buffer')
  if (computed.compare(bytes, at + AT_HASH, at + AT_PREV_HASH) !== 0) {
    throw brokenChain(position, entry.shard, `(sequence ${entry.firstSeq}) does not have the hash it names`)
  }
  chain.hash.set(computed)
  chain.seq = entry.firstSeq + entry.eventCount - 1
  chain.timeMs = entry.timeMs
  chain.lane = position.lane
  chain.segment = position.segment
  chain.record = position.record
  chain.offset = entry.offset
}

export function nameOf(position: RecordPosition): string {
  return `lane ${position.lane}, segment ${position.segment}, record ${position.record}`
}

export function damagedRecord(position: RecordPosition, whatIsWrong: string): JournalError {
  return new JournalError(
    'JOURNAL_DAMAGED',
    `${nameOf(position)} ${whatIsWrong}: the disk or somebody changed the log, restore it from a backup`,
  )
}

function brokenChain(position: RecordPosition, shard: number, whatIsWrong: string): JournalError {
  return new JournalError(
    'CHAIN_BROKEN',
    `${nameOf(position)}: the entry of shard ${shard} ${whatIsWrong}; files are missing or mixed, restore them from a backup`,
  )
}
