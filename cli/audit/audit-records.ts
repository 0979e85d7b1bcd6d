/**
 * Checks the records of a log and sorts their entries by shard: check sums here, the chains of hashes where an entry is
 * read (`chainedBytes`). The layout is the one of docs/formats/journal.md.
 *
 *     record   crc u32 · "TOJR" · version u16 · lane u16 · segment u32 · record u32 · length u32 · entries u16 · zero u16
 *     entry    eventsLength u32 · place of the previous one (16 bytes) · hash 32 │ prevHash 32 · shard u16 · firstSeq u64 ·
 *              eventCount u32 · timeMs f64 · events                               └ what the hash is of
 */
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { AuditFault } from './audit-cursor.ts'
import { type RecordPlace, type SegmentFile, SegmentPages } from './audit-segments.ts'

/** An entry, by its place. */
export interface EntryPlace {
  readonly shard: number
  readonly firstSeq: number
  readonly eventCount: number
  readonly timeMs: number
  readonly segment: SegmentPages
  /** In the file: of the entry's hash. */
  readonly at: number
  /** From there to its end. */
  readonly length: number
}

/** The entries of all segments by shard, in the order of their sequence. Close the segments when done. */
export interface EntryTable {
  readonly shards: ReadonlyMap<number, readonly EntryPlace[]>
  readonly segments: readonly SegmentPages[]
  readonly records: number
}

export const NO_HASH = '00'.repeat(32)

const RECORD_HEAD_BYTES = 28
const ENTRY_HEAD_BYTES = 106
const AT_HASH = 20
const HASH_BYTES = 32
const MAGIC = 'TOJR'
const VERSION = 1
const TWO_32 = 2 ** 32

/** Reads every record once. A segment that cannot be read further is told to `fault`. */
export function readEntries(files: readonly SegmentFile[], fault: (sentence: string) => void): EntryTable {
  const shards = new Map<number, EntryPlace[]>()
  const segments: SegmentPages[] = []
  let records = 0
  for (const file of files) {
    const segment = new SegmentPages(file)
    segments.push(segment)
    try {
      for (const place of segment.records()) {
        records++
        for (const entry of entriesOf(segment, place)) {
          const entries = shards.get(entry.shard)
          if (entries === undefined) shards.set(entry.shard, [entry])
          else entries.push(entry)
        }
      }
    } catch (error) {
      // A number that points nowhere ends in a RangeError of the buffer: damage as well.
      if (!(error instanceof AuditFault) && !(error instanceof RangeError)) throw error
      fault(error instanceof AuditFault ? error.message : `${file.path} is damaged (${error.message})`)
    }
  }
  for (const entries of shards.values()) entries.sort((a, b) => a.firstSeq - b.firstSeq)
  return { shards: new Map([...shards].sort(([a], [b]) => a - b)), segments, records }
}

/** An entry, by its place in its record. */
export interface EntryInRecord {
  readonly shard: number
  readonly firstSeq: number
  readonly eventCount: number
  readonly timeMs: number
  /** In the record: of the entry's hash. */
  readonly at: number
  /** From there to its end. */
  readonly length: number
}

function* entriesOf(segment: SegmentPages, place: RecordPlace): Generator<EntryPlace, void, void> {
  const { lane, segment: number, path } = segment.file
  const name = `${path}, record ${place.record}`
  const bytes = segment.bytesAt(place.at, place.length)
  // Not before the check sums: what is damaged is not in another place, it is damaged.
  const entries = [...entriesInRecord(bytes, name)]
  const isInPlace =
    bytes.readUInt16LE(10) === lane &&
    bytes.readUInt32LE(12) === number &&
    bytes.readUInt32LE(16) === place.record &&
    bytes.readUInt32LE(20) === place.length
  if (!isInPlace) throw new AuditFault(`${name}: is the record of another place`)
  for (const entry of entries) yield { ...entry, segment, at: place.at + entry.at }
}

/** The entries of a whole record. Throws AuditFault, with `name` for the record. */
export function* entriesInRecord(bytes: Buffer, name: string): Generator<EntryInRecord, void, void> {
  if (bytes.length < RECORD_HEAD_BYTES || crc32(bytes.subarray(4)) !== bytes.readUInt32LE(0)) {
    throw new AuditFault(`${name}: does not fit its check sum`)
  }
  if (bytes.toString('latin1', 4, 8) !== MAGIC || bytes.readUInt16LE(8) !== VERSION) {
    throw new AuditFault(`${name}: is not a record of version ${VERSION}`)
  }
  let at = RECORD_HEAD_BYTES
  for (let left = bytes.readUInt16LE(24); left > 0; left--) {
    const length = ENTRY_HEAD_BYTES + bytes.readUInt32LE(at)
    yield {
      shard: bytes.readUInt16LE(at + 84),
      firstSeq: bytes.readUInt32LE(at + 86) + bytes.readUInt32LE(at + 90) * TWO_32,
      eventCount: bytes.readUInt32LE(at + 94),
      timeMs: bytes.readDoubleLE(at + 98),
      at: at + AT_HASH,
      length: length - AT_HASH,
    }
    at += length
  }
  if (at !== bytes.length) throw new AuditFault(`${name}: its entries do not fill it`)
}

/** The events of an entry that follows the one with `previousHash`, and its own hash. Throws AuditFault. */
export function chainedBytes(entry: EntryPlace, previousHash: string): ChainedEvents {
  return chainedEvents(entry.segment.bytesAt(entry.at, entry.length), previousHash)
}

interface ChainedEvents {
  readonly events: Uint8Array
  readonly hash: string
}

/** The same for the bytes of an entry, from its hash to its end. */
export function chainedEvents(bytes: Buffer, previousHash: string): ChainedEvents {
  const hash = bytes.toString('hex', 0, HASH_BYTES)
  if (createHash('sha256').update(bytes.subarray(HASH_BYTES)).digest('hex') !== hash) {
    throw new AuditFault('an entry does not have the hash it names')
  }
  if (bytes.toString('hex', HASH_BYTES, 2 * HASH_BYTES) !== previousHash) {
    throw new AuditFault('an entry does not name the hash of the one before it')
  }
  return { events: bytes.subarray(ENTRY_HEAD_BYTES - AT_HASH), hash }
}
