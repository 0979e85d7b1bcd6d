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

function* entriesOf(segment: SegmentPages, place: RecordPlace): Generator<EntryPlace, void, void> {
  const { lane, segment: number, path } = segment.file
  const name = `${path}, record ${place.record}`
  const bytes = segment.bytesAt(place.at, place.length)
  if (place.length < RECORD_HEAD_BYTES || crc32(bytes.subarray(4)) !== bytes.readUInt32LE(0)) {
    throw new AuditFault(`${name}: does not fit its check sum`)
  }
  if (bytes.toString('latin1', 4, 8) !== MAGIC || bytes.readUInt16LE(8) !== VERSION) {
    throw new AuditFault(`${name}: is not a record of version ${VERSION}`)
  }
  const isInPlace =
    bytes.readUInt16LE(10) === lane &&
    bytes.readUInt32LE(12) === number &&
    bytes.readUInt32LE(16) === place.record &&
    bytes.readUInt32LE(20) === place.length
  if (!isInPlace) throw new AuditFault(`${name}: is the record of another place`)
  let at = RECORD_HEAD_BYTES
  for (let left = bytes.readUInt16LE(24); left > 0; left--) {
    const length = ENTRY_HEAD_BYTES + bytes.readUInt32LE(at)
    yield {
      shard: bytes.readUInt16LE(at + 84),
      firstSeq: bytes.readUInt32LE(at + 86) + bytes.readUInt32LE(at + 90) * TWO_32,
      eventCount: bytes.readUInt32LE(at + 94),
      timeMs: bytes.readDoubleLE(at + 98),
      segment,
      at: place.at + at + AT_HASH,
      length: length - AT_HASH,
    }
    at += length
  }
  if (at !== place.length) throw new AuditFault(`${name}: its entries do not fill it`)
}

/** The events of an entry that follows the one with `previousHash`, and its own hash. Throws AuditFault. */
export function chainedBytes(
  entry: EntryPlace,
  previousHash: string,
): { readonly events: Uint8Array; readonly hash: string } {
  const bytes = entry.segment.bytesAt(entry.at, entry.length)
  const hash = bytes.toString('hex', 0, HASH_BYTES)
  if (createHash('sha256').update(bytes.subarray(HASH_BYTES)).digest('hex') !== hash) {
    throw new AuditFault('an entry does not have the hash it names')
  }
  if (bytes.toString('hex', HASH_BYTES, 2 * HASH_BYTES) !== previousHash) {
    throw new AuditFault('an entry does not name the hash of the one before it')
  }
  return { events: bytes.subarray(ENTRY_HEAD_BYTES - AT_HASH), hash }
}
