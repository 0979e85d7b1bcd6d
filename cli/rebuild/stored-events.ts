/**
 * The events of a stored entry, one by one, each with its sequence, its time and its bytes.
 */
import type { StoredEntry } from '../../persistence/record.ts'
import { ByteReader } from '../../protocol/bytes.ts'
import { readEvent } from '../../protocol/event-codec.ts'
import type { Event } from '../../protocol/events.ts'
import { Divergence, placeText } from './divergence.ts'

export interface StoredEvent {
  readonly event: Event
  readonly seq: number
  readonly atMs: number
  /** Where its bytes lie in those of the entry, its length before it. */
  readonly start: number
  readonly end: number
}

/**
 * Calls back for every event until the callback says false. Strings of an event are ranges of the entry's bytes. Throws
 * Divergence where the bytes are no event.
 */
export function eachEvent(entry: StoredEntry, onEvent: (stored: StoredEvent) => boolean): void {
  const reader = new ByteReader(entry.events, entry.start, entry.end)
  let atMs = entry.timeMs
  let seq = entry.firstSeq
  while (!reader.done) {
    const start = reader.pos
    const event = eventAt(reader, entry, seq)
    if (typeof event === 'number') atMs += event
    else if (onEvent({ event, seq: seq++, atMs, start, end: reader.pos })) continue
    else return
  }
}

function eventAt(reader: ByteReader, { shard, where }: StoredEntry, seq: number): Event | number {
  try {
    return readEvent(reader)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const sentence = `${placeText(where)}: sequence ${seq} of shard ${shard} cannot be read: ${reason}`
    throw new Divergence(sentence, { shard, seq, where, cause })
  }
}
