/**
 * A shard's own log, looked up by sequence: what is not on disk yet from the open entries, the rest from the journal.
 *
 * Retries come in crowds and ask for neighbours, so the last few stored entries stay at hand with the places of their events.
 */
import { assert } from '../../protocol/assert.ts'
import { ByteReader } from '../../protocol/bytes.ts'
import { readEvent } from '../../protocol/event-codec.ts'
import type { Event } from '../../protocol/events.ts'
import type { History, PastEvent } from '../domain/state.ts'
import { type Entry, EventIndex } from './entry.ts'
import { READ_ENTRIES_MAX } from './limits.ts'

/** What a journal tells of one stored entry; its bytes stay valid. */
export interface StoredBytes {
  readonly firstSeq: number
  readonly eventCount: number
  readonly timeMs: number
  readonly events: Uint8Array
  readonly start: number
  readonly end: number
}

/** The durable part of the log. */
export interface StoredEntries {
  entryOf(shard: number, seq: number): StoredBytes | null
}

interface OpenEntries {
  readonly state: { readonly shard: number }
  readonly openEntry: Entry
  readonly flushing: Entry
}

interface ReadEntry {
  readonly stored: StoredBytes
  readonly index: EventIndex
}

export class EntryHistory implements History {
  private readonly open: OpenEntries
  private readonly stored: StoredEntries
  private readonly read: ReadEntry[] = []

  constructor(open: OpenEntries, stored: StoredEntries) {
    this.open = open
    this.stored = stored
  }

  at(seq: number): PastEvent | null {
    const { openEntry, flushing } = this.open
    if (openEntry.holds(seq)) return openEntry.at(seq)
    if (flushing.holds(seq)) return flushing.at(seq)
    const entry = this.readEntry(seq)
    if (entry === null) return null
    const { stored, index } = entry
    const offset = index.offsets[seq - stored.firstSeq]
    const atMs = index.times[seq - stored.firstSeq]
    assert(offset !== undefined && atMs !== undefined, 'a stored entry has fewer events than it says')
    const event = readEvent(new ByteReader(stored.events, offset, stored.end))
    return { event: event as Event, atMs }
  }

  private readEntry(seq: number): ReadEntry | null {
    for (const entry of this.read) {
      const { firstSeq, eventCount } = entry.stored
      if (seq >= firstSeq && seq < firstSeq + eventCount) return entry
    }
    const stored = this.stored.entryOf(this.open.state.shard, seq)
    if (stored === null) return null
    const entry = { stored, index: new EventIndex(stored.events, stored.start, stored.end, stored.timeMs) }
    if (this.read.length === READ_ENTRIES_MAX) this.read.shift()
    this.read.push(entry)
    return entry
  }
}
