/**
 * What a sealed segment holds of each shard, in a small file beside it, so that a start, a look-up and a follower need not
 * read the segment to know whether it matters to them.
 *
 *   000001.index    head, ranges, points                                               (little endian, no padding)
 *
 *   head   0  "TEARSIDX"                          range (one a shard, 56 bytes)        point (every 64th entry, 16 bytes)
 *          8  crc   u32  of 12 … end of ranges     0  shard       u32                    0  firstSeq  f64
 *         12  version u32  1                       4  entries     u32                    8  record    u32
 *         16  lane · segment · records  u32 each   8  firstSeq    f64                   12  offset    u32
 *         28  transaction f64                     16  lastSeq     f64
 *         36  ranges u32                          24  firstTimeMs f64 ┐ of the first and
 *         40  points u32                          32  lastTimeMs  f64 ┘ the last entry
 *         44  crcOfPoints u32                     40  lastRecord · lastOffset  u32 each
 *                                                 48  points · firstPoint      u32 each
 *
 * It is a shortcut, never the truth: it is written without a flush, believed only when its check sums hold and it names the
 * seal of the very segment it lies beside, and made again from the segment when it is missing or wrong.
 */

import { closeSync, fstatSync, openSync, readFileSync, readSync, renameSync, writeFileSync } from 'node:fs'
import { threadId } from 'node:worker_threads'
import { crc32 } from 'node:zlib'
import { ENTRIES_PER_POINT } from './entry-index.ts'
import { checkRecord, type EntryHead, readEntryHead, RECORD_HEAD_BYTES } from './record.ts'
import { beside, describeSegment, type SegmentName, type SegmentSeal } from './segment-files.ts'
import { openSegment, type SegmentReader, type SegmentRoot } from './segment-reader.ts'

const MAGIC = Buffer.from('TEARSIDX')
const VERSION = 1
const HEAD_BYTES = 48
const RANGE_BYTES = 56
const POINT_BYTES = 16

/** Where an entry lies in its segment. */
export interface EntryPlace {
  readonly record: number
  readonly offset: number
}

/** A shard's part of a segment: always one stretch of its sequence. */
export interface ShardRange {
  readonly shard: number
  readonly entries: number
  readonly firstSeq: number
  /** Of the last event. */
  readonly lastSeq: number
  /** Logged time of the first and of the last entry. */
  readonly firstTimeMs: number
  readonly lastTimeMs: number
  /** Of the last entry. */
  readonly last: EntryPlace
}

interface Points {
  readonly firstSeqs: number[]
  readonly places: EntryPlace[]
}

/** The part of an index that says what is in the segment: all that a start reads of it. */
export class SegmentRanges {
  readonly name: SegmentName
  readonly seal: SegmentSeal
  readonly ranges: ReadonlyMap<number, ShardRange>

  constructor(name: SegmentName, seal: SegmentSeal, ranges: ReadonlyMap<number, ShardRange>) {
    this.name = name
    this.seal = seal
    this.ranges = ranges
  }

  /** Whether nothing in the segment lies behind the cursor (shard → last sequence seen), of these shards or of all. */
  isBehind(seqOf: (shard: number) => number, wanted: ReadonlySet<number> | null = null): boolean {
    for (const { shard, lastSeq } of this.ranges.values()) {
      if ((wanted === null || wanted.has(shard)) && lastSeq > seqOf(shard)) return false
    }
    return true
  }
}

/** The whole index: also where the entries lie. */
export class SegmentIndex extends SegmentRanges {
  readonly #points: ReadonlyMap<number, Points>

  constructor(
    name: SegmentName,
    seal: SegmentSeal,
    ranges: ReadonlyMap<number, ShardRange>,
    points: ReadonlyMap<number, Points>,
  ) {
    super(name, seal, ranges)
    this.#points = points
  }

  /** The first known entry of the shard that starts at that sequence or behind it, else its last one; null: it has none. */
  atOrBehind(shard: number, seq: number): EntryPlace | null {
    const points = this.#points.get(shard)
    const range = this.ranges.get(shard)
    if (points === undefined || range === undefined) return null
    let low = 0
    let high = points.firstSeqs.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((points.firstSeqs[middle] as number) < seq) low = middle + 1
      else high = middle
    }
    return points.places[low] ?? range.last
  }

  encode(): Buffer {
    const ranges = [...this.ranges.values()]
    const pointCount = ranges.reduce((sum, { shard }) => sum + (this.#points.get(shard)?.places.length ?? 0), 0)
    const pointsAt = HEAD_BYTES + ranges.length * RANGE_BYTES
    const bytes = Buffer.alloc(pointsAt + pointCount * POINT_BYTES)
    MAGIC.copy(bytes)
    bytes.writeUInt32LE(VERSION, 12)
    bytes.writeUInt32LE(this.name.lane, 16)
    bytes.writeUInt32LE(this.name.segment, 20)
    bytes.writeUInt32LE(this.seal.records, 24)
    bytes.writeDoubleLE(this.seal.transaction, 28)
    bytes.writeUInt32LE(ranges.length, 36)
    bytes.writeUInt32LE(pointCount, 40)
    let point = 0
    for (const [index, range] of ranges.entries()) {
      const points = this.#points.get(range.shard) ?? NO_POINTS
      encodeRange(bytes, HEAD_BYTES + index * RANGE_BYTES, range, points.places.length, point)
      for (const [at, { record, offset }] of points.places.entries()) {
        const to = pointsAt + point++ * POINT_BYTES
        bytes.writeDoubleLE(points.firstSeqs[at] ?? 0, to)
        bytes.writeUInt32LE(record, to + 8)
        bytes.writeUInt32LE(offset, to + 12)
      }
    }
    bytes.writeUInt32LE(crc32(bytes.subarray(pointsAt)), 44)
    bytes.writeUInt32LE(crc32(bytes.subarray(12, pointsAt)), 8)
    return bytes
  }
}

const NO_POINTS: Points = { firstSeqs: [], places: [] }

function encodeRange(bytes: Buffer, at: number, range: ShardRange, points: number, firstPoint: number): void {
  bytes.writeUInt32LE(range.shard, at)
  bytes.writeUInt32LE(range.entries, at + 4)
  bytes.writeDoubleLE(range.firstSeq, at + 8)
  bytes.writeDoubleLE(range.lastSeq, at + 16)
  bytes.writeDoubleLE(range.firstTimeMs, at + 24)
  bytes.writeDoubleLE(range.lastTimeMs, at + 32)
  bytes.writeUInt32LE(range.last.record, at + 40)
  bytes.writeUInt32LE(range.last.offset, at + 44)
  bytes.writeUInt32LE(points, at + 48)
  bytes.writeUInt32LE(firstPoint, at + 52)
}

/** Collects an index while a segment is read from its first record to its last. */
export class SegmentIndexBuilder {
  readonly #name: SegmentName
  readonly #ranges = new Map<number, { -readonly [field in keyof ShardRange]: ShardRange[field] }>()
  readonly #points = new Map<number, Points>()

  constructor(name: SegmentName) {
    this.#name = name
  }

  add(entry: EntryHead, record: number): void {
    const { shard, firstSeq, eventCount, timeMs, offset } = entry
    const lastSeq = firstSeq + eventCount - 1
    const place = { record, offset }
    let range = this.#ranges.get(shard)
    let points = this.#points.get(shard)
    if (range === undefined || points === undefined) {
      range = { shard, entries: 0, firstSeq, lastSeq, firstTimeMs: timeMs, lastTimeMs: timeMs, last: place }
      points = { firstSeqs: [], places: [] }
      this.#ranges.set(shard, range)
      this.#points.set(shard, points)
    }
    if (range.entries % ENTRIES_PER_POINT === 0) {
      points.firstSeqs.push(firstSeq)
      points.places.push(place)
    }
    range.entries++
    range.lastSeq = lastSeq
    range.lastTimeMs = timeMs
    range.last = place
  }

  build({ records, transaction }: SegmentSeal): SegmentIndex {
    return new SegmentIndex(this.#name, { records, transaction }, this.#ranges, this.#points)
  }
}

/** What the index beside a sealed segment says is in it; null when there is none that can be believed. */
export function readSegmentRanges(path: string, name: SegmentName, seal: SegmentSeal): SegmentRanges | null {
  let fd: number
  try {
    fd = openSync(beside(path, 'index'), 'r')
  } catch {
    return null
  }
  try {
    const head = Buffer.alloc(HEAD_BYTES)
    if (readSync(fd, head, 0, HEAD_BYTES, 0) !== HEAD_BYTES) return null
    const length = HEAD_BYTES + head.readUInt32LE(36) * RANGE_BYTES
    if (fstatSync(fd).size !== length + head.readUInt32LE(40) * POINT_BYTES) return null
    const bytes = Buffer.alloc(length)
    if (readSync(fd, bytes, 0, length, 0) !== length || !isHeadOf(bytes, name, seal)) return null
    return new SegmentRanges(name, seal, decodeRanges(bytes))
  } finally {
    closeSync(fd)
  }
}

/** The whole index beside a sealed segment; null when there is none that can be believed. */
function readSegmentIndex(path: string, name: SegmentName, seal: SegmentSeal): SegmentIndex | null {
  let bytes: Buffer
  try {
    bytes = readFileSync(beside(path, 'index'))
  } catch {
    return null
  }
  if (bytes.length < HEAD_BYTES) return null
  const pointsAt = HEAD_BYTES + bytes.readUInt32LE(36) * RANGE_BYTES
  if (bytes.length !== pointsAt + bytes.readUInt32LE(40) * POINT_BYTES) return null
  if (!isHeadOf(bytes.subarray(0, pointsAt), name, seal)) return null
  if (bytes.readUInt32LE(44) !== crc32(bytes.subarray(pointsAt))) return null
  return new SegmentIndex(name, seal, decodeRanges(bytes), decodePoints(bytes, pointsAt))
}

/** Writes the index beside its segment. Errors are swallowed: it can be made again at any time. */
export function writeSegmentIndex(path: string, index: SegmentIndex): void {
  const place = beside(path, 'index')
  const draft = `${place}.${process.pid}-${threadId}.draft`
  try {
    writeFileSync(draft, index.encode())
    renameSync(draft, place)
  } catch {
    // A full disk, or a directory that only can be read.
  }
}

/** The index of a sealed segment: the one beside it, or read from the segment anew. Throws JournalError. */
export function segmentIndexOf(dataDir: string, name: SegmentName): SegmentIndex {
  const { path, seal } = describeSegment(dataDir, name)
  const stored = seal === null ? null : readSegmentIndex(path, name, seal)
  if (stored !== null) return stored
  const reader = openSegment(dataDir, name)
  try {
    const { newest, previous } = reader.roots()
    const root = seal !== null && previous.transaction === seal.transaction ? previous : newest
    const index = indexOf(reader, root)
    if (seal !== null) writeSegmentIndex(reader.path, index)
    return index
  } finally {
    reader.close()
  }
}

/** Reads the segment whole, check sums and all. Throws JournalError. */
function indexOf(reader: SegmentReader, root: SegmentRoot): SegmentIndex {
  const { name } = reader
  const builder = new SegmentIndexBuilder(name)
  for (const { record, bytes, view, start, length } of reader.records(root)) {
    const position = { ...name, record }
    let left = checkRecord(bytes, view, start, length, position)
    for (let offset = RECORD_HEAD_BYTES; left > 0; left--) {
      const entry = readEntryHead(view, start, length, offset, position)
      builder.add(entry, record)
      offset = entry.endOffset
    }
  }
  return builder.build(root)
}

/** Whether head and ranges are whole, and of the segment with that seal. */
function isHeadOf(bytes: Buffer, name: SegmentName, seal: SegmentSeal): boolean {
  return (
    bytes.subarray(0, MAGIC.length).equals(MAGIC) &&
    bytes.readUInt32LE(8) === crc32(bytes.subarray(12)) &&
    bytes.readUInt32LE(12) === VERSION &&
    bytes.readUInt32LE(16) === name.lane &&
    bytes.readUInt32LE(20) === name.segment &&
    bytes.readUInt32LE(24) === seal.records &&
    bytes.readDoubleLE(28) === seal.transaction
  )
}

function decodeRanges(bytes: Buffer): Map<number, ShardRange> {
  const ranges = new Map<number, ShardRange>()
  for (let index = 0; index < bytes.readUInt32LE(36); index++) {
    const at = HEAD_BYTES + index * RANGE_BYTES
    const shard = bytes.readUInt32LE(at)
    ranges.set(shard, {
      shard,
      entries: bytes.readUInt32LE(at + 4),
      firstSeq: bytes.readDoubleLE(at + 8),
      lastSeq: bytes.readDoubleLE(at + 16),
      firstTimeMs: bytes.readDoubleLE(at + 24),
      lastTimeMs: bytes.readDoubleLE(at + 32),
      last: { record: bytes.readUInt32LE(at + 40), offset: bytes.readUInt32LE(at + 44) },
    })
  }
  return ranges
}

function decodePoints(bytes: Buffer, pointsAt: number): Map<number, Points> {
  const points = new Map<number, Points>()
  for (let index = 0; index < bytes.readUInt32LE(36); index++) {
    const at = HEAD_BYTES + index * RANGE_BYTES
    const own: Points = { firstSeqs: [], places: [] }
    const first = bytes.readUInt32LE(at + 52)
    for (let point = first; point < first + bytes.readUInt32LE(at + 48); point++) {
      const from = pointsAt + point * POINT_BYTES
      own.firstSeqs.push(bytes.readDoubleLE(from))
      own.places.push({ record: bytes.readUInt32LE(from + 8), offset: bytes.readUInt32LE(from + 12) })
    }
    points.set(bytes.readUInt32LE(at), own)
  }
  return points
}
