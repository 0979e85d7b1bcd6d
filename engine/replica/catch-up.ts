/**
 * Brings a shard's own log and its stream together, before its owner serves: one of them may be ahead, and neither may say
 * anything else than the other.
 *
 *     own log  ├── same ──┤├── ahead: not confirmed yet ──┤      goes to the stream
 *     stream   ├── same ──┤├── ahead: another had the shard ──┤  comes from the stream, into the log and the state
 *                          └── both ahead: the own part was never confirmed. It is void: the start stops with a sentence
 */
import { JournalError } from '../../persistence/errors.ts'
import { BadStream, readEntry, readStreamMessage, type StreamEntry, type StreamItem } from './entry-message.ts'
import type { ShardStream } from './stream.ts'

/** Where a log ends: sequence 0 and a hash of zeros where there is nothing in it. */
export interface LogEnd {
  readonly seq: number
  readonly hash: Uint8Array
}

/** A place in a stream: a whole entry, and the number of the message that ends it. */
interface Found {
  readonly entry: StreamEntry
  /** Of its first message. */
  readonly firstMessage: number
  readonly lastMessage: number
}

class StreamReader {
  private readonly stream: ShardStream

  constructor(stream: ShardStream) {
    this.stream = stream
  }

  /** The last whole entry at or before this message; null: there is none. */
  async lastEntry(message: number): Promise<Found | null> {
    for (let at = message; at >= 1; at--) {
      const item = await this.item(at)
      if (item.type === 'ENTRY') return { entry: item.entry, firstMessage: at, lastMessage: at }
      if (item.type !== 'PART' || item.place !== item.places - 1) continue
      const found = await this.wholeEntry(at - item.places + 1)
      if (found !== null) return found
    }
    return null
  }

  /** The first whole entry at or behind this message, up to `end`; null: there is none. */
  async nextEntry(message: number, end: number): Promise<Found | null> {
    for (let at = message; at <= end; at++) {
      const item = await this.item(at)
      if (item.type === 'ENTRY') return { entry: item.entry, firstMessage: at, lastMessage: at }
      if (item.type !== 'PART' || item.place !== 0) continue
      const found = await this.wholeEntry(at)
      if (found !== null) return found
    }
    return null
  }

  /** The message from which on the entries behind `seq` are, by halving: entries are in the order of their sequences. */
  async messageBehind(seq: number, end: number): Promise<number> {
    let from = 1
    let to = end + 1
    while (from < to) {
      const middle = (from + to) >> 1
      const found = await this.nextEntry(middle, end)
      if (found !== null && found.entry.firstSeq <= seq) from = found.lastMessage + 1
      else to = middle
    }
    return from
  }

  /** The entry whose first part is this message; null where it was left before it was whole. */
  private async wholeEntry(first: number): Promise<Found | null> {
    const parts: Buffer[] = []
    for (let at = first; ; at++) {
      const item = at < 1 ? null : await this.itemOrNull(at)
      if (item === null || item.type !== 'PART' || item.place !== parts.length) return null
      parts.push(item.bytes)
      if (parts.length < item.places) continue
      return { entry: readEntry(Buffer.concat(parts), this.nameOf(first)), firstMessage: first, lastMessage: at }
    }
  }

  private async item(message: number): Promise<StreamItem> {
    const item = await this.itemOrNull(message)
    if (item === null) throw new BadStream(`${this.nameOf(message)} is missing`)
    return item
  }

  private async itemOrNull(message: number): Promise<StreamItem | null> {
    const found = await this.stream.read(message)
    return found === null ? null : readStreamMessage(found.bytes, this.nameOf(message))
  }

  private nameOf(message: number): string {
    return `message ${message} of the stream of shard ${this.stream.shard}`
  }
}

export interface Difference {
  /** Number of the stream's last message. */
  readonly end: number
  /** What the stream has and the log has not, in order. */
  readonly missing: AsyncIterable<StreamEntry>
  /** The sequence behind which the log is ahead of the stream; null: it is not. */
  readonly aheadOf: LogEnd | null
}

/** How the two differ. Throws JournalError (`FENCED`) where each has something that the other has not. */
export async function compare(stream: ShardStream, own: LogEnd): Promise<Difference> {
  const reader = new StreamReader(stream)
  const end = await stream.lastSeq()
  const last = await reader.lastEntry(end)
  const there = endOf(last)
  if (there.seq > own.seq) return { end, missing: missingEntries(reader, stream.shard, own, end), aheadOf: null }
  if (there.seq === own.seq && Buffer.compare(there.hash, own.hash) !== 0) throw diverged(stream.shard, own.seq)
  return { end, missing: none(), aheadOf: there.seq === own.seq ? null : there }
}

async function* missingEntries(
  reader: StreamReader,
  shard: number,
  own: LogEnd,
  end: number,
): AsyncGenerator<StreamEntry, void, void> {
  let { seq, hash } = own
  let at = await reader.messageBehind(seq, end)
  const before = endOf(await reader.lastEntry(at - 1))
  if (before.seq !== seq || Buffer.compare(before.hash, hash) !== 0) throw diverged(shard, seq)
  for (;;) {
    const found = await reader.nextEntry(at, end)
    if (found === null) return
    const { entry } = found
    if (entry.firstSeq !== seq + 1 || Buffer.compare(entry.prevHash, hash) !== 0) throw diverged(shard, seq)
    yield entry
    seq = lastSeqOf(entry)
    hash = entry.hash
    at = found.lastMessage + 1
  }
}

async function* none(): AsyncGenerator<StreamEntry, void, void> {}

function endOf(found: Found | null): LogEnd {
  return found === null ? NOTHING : { seq: lastSeqOf(found.entry), hash: found.entry.hash }
}

function lastSeqOf({ firstSeq, eventCount }: StreamEntry): number {
  return firstSeq + eventCount - 1
}

const NOTHING: LogEnd = { seq: 0, hash: Buffer.alloc(32) }

function diverged(shard: number, seq: number): JournalError {
  return new JournalError(
    'FENCED',
    `shard ${shard}: this machine's log and the cluster's differ before or at sequence ${seq}; what only this machine has was never confirmed. Move lanes, archive and snapshots of the data directory away and start again: it is built anew from the cluster's`,
  )
}
