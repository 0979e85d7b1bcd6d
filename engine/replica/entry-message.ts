/**
 * Messages in a shard's stream. An entry is there as it lies in the journal, from its hash to its end, so that the chain of hashes
 * runs through the stream as it does through the files.
 *
 *     entry   │ 1 │ place u16 │ places u16 │ hash 32 │ prevHash 32 │ shard u16 │ firstSeq u64 │ eventCount u32 │ timeMs f64 │ events │
 *             an entry that is too large for a message comes as several, one behind the other; each but the first goes on in the middle
 *     claim   │ 2 │ owner UTF-8 │      somebody owns the shard from here on; entries in parts before it that are not whole are void
 */
import { hash } from 'node:crypto'
import type { EntryDraft } from '../../persistence/record.ts'

const ENTRY = 1
const CLAIM = 2
const HEAD_BYTES = 5
const HASH_BYTES = 32
const AT_PREV_HASH = HASH_BYTES
const AT_SHARD = 2 * HASH_BYTES
const AT_FIRST_SEQ = AT_SHARD + 2
const AT_EVENT_COUNT = AT_FIRST_SEQ + 8
const AT_TIME = AT_EVENT_COUNT + 4
const AT_EVENTS = AT_TIME + 8
const PARTS_MAX = 65_535

/** A message of a stream that cannot be what it should be. */
export class BadStream extends Error {
  readonly code = 'STREAM_DAMAGED'
  override readonly name = 'BadStream'
}

/** An entry out of a stream, its bytes as in the journal. */
export interface StreamEntry extends EntryDraft {
  readonly hash: Buffer
  readonly prevHash: Buffer
}

export type StreamItem =
  | { readonly type: 'ENTRY'; readonly entry: StreamEntry }
  | { readonly type: 'PART'; readonly place: number; readonly places: number; readonly bytes: Buffer }
  | { readonly type: 'CLAIM'; readonly owner: string }

/** The messages of an entry; `bytes` from its hash to its end, as in a record. */
export function entryMessages(bytes: Uint8Array, messageBytesMax: number): Uint8Array[] {
  const room = messageBytesMax - HEAD_BYTES
  const places = Math.ceil(bytes.length / room)
  if (places > PARTS_MAX)
    throw new RangeError(`an entry of ${bytes.length} bytes does not go into ${PARTS_MAX} messages`)
  return Array.from({ length: places }, (_, place) => {
    const part = bytes.subarray(place * room, (place + 1) * room)
    const message = Buffer.alloc(HEAD_BYTES + part.length)
    message[0] = ENTRY
    message.writeUInt16LE(place, 1)
    message.writeUInt16LE(places, 3)
    message.set(part, HEAD_BYTES)
    return message
  })
}

/** An entry from what it says, following the one with `prevHash`. */
export function entryBytes(
  { shard, firstSeq, eventCount, timeMs, events, length }: EntryDraft,
  prevHash: Uint8Array,
): Buffer {
  const bytes = Buffer.alloc(AT_EVENTS + length)
  bytes.set(prevHash, AT_PREV_HASH)
  bytes.writeUInt16LE(shard, AT_SHARD)
  bytes.writeBigUInt64LE(BigInt(firstSeq), AT_FIRST_SEQ)
  bytes.writeUInt32LE(eventCount, AT_EVENT_COUNT)
  bytes.writeDoubleLE(timeMs, AT_TIME)
  bytes.set(events.subarray(0, length), AT_EVENTS)
  bytes.set(hashOf(bytes), 0)
  return bytes
}

export function claimMessage(owner: string): Uint8Array {
  return Buffer.concat([Buffer.of(CLAIM), Buffer.from(owner)])
}

/** Throws BadStream, also where an entry does not have the hash that it names. */
export function readStreamMessage(message: Uint8Array, where: string): StreamItem {
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.length)
  if (bytes[0] === CLAIM) return { type: 'CLAIM', owner: bytes.toString('utf8', 1) }
  if (bytes[0] !== ENTRY || bytes.length <= HEAD_BYTES) throw new BadStream(`${where} is no message of Tearoff`)
  const place = bytes.readUInt16LE(1)
  const places = bytes.readUInt16LE(3)
  const rest = bytes.subarray(HEAD_BYTES)
  return places === 1 ? { type: 'ENTRY', entry: readEntry(rest, where) } : { type: 'PART', place, places, bytes: rest }
}

/** An entry from its bytes, which become its own. Throws BadStream. */
export function readEntry(bytes: Buffer, where: string): StreamEntry {
  if (bytes.length < AT_EVENTS) throw new BadStream(`${where} ends within an entry`)
  const named = bytes.subarray(0, HASH_BYTES)
  if (!named.equals(hashOf(bytes))) throw new BadStream(`${where} does not have the hash that it names`)
  const events = bytes.subarray(AT_EVENTS)
  return {
    hash: named,
    prevHash: bytes.subarray(AT_PREV_HASH, AT_SHARD),
    shard: bytes.readUInt16LE(AT_SHARD),
    firstSeq: Number(bytes.readBigUInt64LE(AT_FIRST_SEQ)),
    eventCount: bytes.readUInt32LE(AT_EVENT_COUNT),
    timeMs: bytes.readDoubleLE(AT_TIME),
    events,
    length: events.length,
  }
}

function hashOf(bytes: Buffer): Buffer {
  return hash('sha256', bytes.subarray(AT_PREV_HASH), 'buffer')
}
