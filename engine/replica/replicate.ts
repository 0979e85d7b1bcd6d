/**
 * Joins the shards of a lane to their streams, before they serve:
 *
 *     own log and stream compared ──▶ what the stream has more: into the log and the state
 *                                 ──▶ what the log has more: into the stream; it was on disk and not confirmed yet
 *                                 ──▶ a claim at the stream's end: whoever served before is refused from here on
 */
import { JournalError } from '../../persistence/errors.ts'
import type { ShardState } from '../domain/state.ts'
import { replayEntry } from '../shard/replay.ts'
import { compare, type LogEnd } from './catch-up.ts'
import { claimMessage, entryBytes, entryMessages, readEntry } from './entry-message.ts'
import type { ReplicatedJournal } from './replicated-journal.ts'
import type { ShardStream } from './stream.ts'
import { StreamWriter } from './stream-writer.ts'

/** How long an append whose fate nobody tells is looked after, before the process gives up. */
const PATIENCE_MS = 10_000
const NO_HASH = Buffer.alloc(32)

export interface ShardToJoin {
  readonly stream: ShardStream
  readonly state: ShardState
  /** Where its own log ends. */
  readonly end: LogEnd
}

export interface Joined {
  /** Events that came from the stream. */
  readonly adopted: number
  /** Events that went there. */
  readonly confirmed: number
}

/** `owner`: of this process, like no other's. Throws JournalError: `FENCED` where the two cannot be brought together. */
export async function joinStream(
  journal: ReplicatedJournal,
  { stream, state, end: own }: ShardToJoin,
  owner: string,
): Promise<Joined> {
  const { end, missing, aheadOf } = await compare(stream, own)
  const before = state.seq
  for await (const entry of missing) {
    await journal.adopt(entry)
    replayEntry(state, { ...entry, start: 0, end: entry.length })
  }
  const writer = new StreamWriter(stream, end, PATIENCE_MS)
  if (aheadOf !== null) await confirm(journal, writer, aheadOf, own)
  await append(writer, [claimMessage(owner)])
  journal.writers.set(stream.shard, writer)
  return { adopted: state.seq - before, confirmed: aheadOf === null ? 0 : own.seq - aheadOf.seq }
}

/** Entries of the own log behind `from`, as long as they are what the own log's end says; nothing is sent before that is known. */
async function confirm(journal: ReplicatedJournal, writer: StreamWriter, from: LogEnd, own: LogEnd): Promise<void> {
  let last: LogEnd = from
  for (const bytes of entriesBehind(journal, writer.shard, from, own.seq)) last = endOf(bytes)
  if (last.seq !== own.seq || Buffer.compare(last.hash, own.hash) !== 0) {
    throw new JournalError(
      'FENCED',
      `shard ${writer.shard}: this machine's log and the cluster's differ before or at sequence ${from.seq}; what only this machine has was never confirmed. Move lanes, archive and snapshots of the data directory away and start again: it is built anew from the cluster's`,
    )
  }
  for (const bytes of entriesBehind(journal, writer.shard, from, own.seq)) {
    await append(writer, entryMessages(bytes, writer.messageBytesMax))
  }
}

function* entriesBehind(journal: ReplicatedJournal, shard: number, from: LogEnd, lastSeq: number): Generator<Buffer> {
  let { seq, hash } = from.seq === 0 ? { seq: 0, hash: NO_HASH as Uint8Array } : from
  while (seq < lastSeq) {
    const stored = journal.entryOf(shard, seq + 1)
    // An entry that began before: the two do not fit, and the end is never reached.
    if (stored === null || stored.firstSeq !== seq + 1) return
    const { events, start, end } = stored
    const bytes = entryBytes({ ...stored, events: events.subarray(start, end), length: end - start }, hash)
    yield bytes
    ;({ seq, hash } = endOf(bytes))
  }
}

function endOf(bytes: Buffer): LogEnd {
  const { firstSeq, eventCount, hash } = readEntry(bytes, 'an entry of the own log')
  return { seq: firstSeq + eventCount - 1, hash }
}

function append(writer: StreamWriter, messages: readonly Uint8Array[]): Promise<void> {
  return new Promise((resolve, reject) => {
    writer.append(messages, (error) => {
      if (error === null) resolve()
      else reject(error)
    })
  })
}
