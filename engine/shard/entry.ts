/**
 * One shard's share of the open group commit: events appended as bytes, with the places where they begin, so that an event
 * can be looked up again before it is on disk.
 *
 *     events    │len type …│len type …│tick│len type …│
 *     offsets   0          17         34        37          one for each event; ticks have none
 *     times     t          t                    t+3
 */
import { ByteReader, ByteWriter } from '../../protocol/bytes.ts'
import { readEvent, TICK, writeEvent, writeTick } from '../../protocol/event-codec.ts'
import type { Event } from '../../protocol/events.ts'
import type { PastEvent } from '../domain/state.ts'

export class Entry {
  firstSeq = 0
  eventCount = 0
  /** Time of the first event. */
  timeMs = 0
  private lastMs = 0
  private readonly writer = new ByteWriter(4096)
  private offsets = new Uint32Array(256)
  private times = new Float64Array(256)

  get length(): number {
    return this.writer.pos
  }

  get events(): Uint8Array {
    return this.writer.buf
  }

  get isEmpty(): boolean {
    return this.eventCount === 0
  }

  begin(firstSeq: number, timeMs: number): void {
    this.writer.clear()
    this.firstSeq = firstSeq
    this.eventCount = 0
    this.timeMs = timeMs
    this.lastMs = timeMs
  }

  append(event: Event, timeMs: number): void {
    if (timeMs !== this.lastMs) {
      writeTick(this.writer, timeMs - this.lastMs)
      this.lastMs = timeMs
    }
    const count = this.eventCount
    if (count === this.offsets.length) this.grow()
    this.offsets[count] = this.writer.pos
    this.times[count] = timeMs
    this.eventCount = count + 1
    writeEvent(this.writer, event)
  }

  holds(seq: number): boolean {
    return seq >= this.firstSeq && seq < this.firstSeq + this.eventCount
  }

  /** An event of this entry. Its ranges point into a copy, so they stay valid. */
  at(seq: number): PastEvent {
    const index = seq - this.firstSeq
    const start = this.offsets[index] as number
    const end = index + 1 < this.eventCount ? (this.offsets[index + 1] as number) : this.writer.pos
    const event = readEvent(new ByteReader(this.writer.buf.slice(start, end)))
    return { event: event as Event, atMs: this.times[index] as number }
  }

  private grow(): void {
    const offsets = new Uint32Array(this.offsets.length * 2)
    offsets.set(this.offsets)
    this.offsets = offsets
    const times = new Float64Array(this.times.length * 2)
    times.set(this.times)
    this.times = times
  }
}

/** Where the events of a stored entry begin, and when they happened: what `Entry` keeps while it is open. */
export class EventIndex {
  readonly offsets: number[] = []
  readonly times: number[] = []

  constructor(events: Uint8Array, start: number, end: number, timeMs: number) {
    const reader = new ByteReader(events, start, end)
    let atMs = timeMs
    while (!reader.done) {
      const offset = reader.pos
      const length = reader.varint()
      const next = reader.pos + length
      if (reader.u8() === TICK) {
        atMs += reader.varint()
      } else {
        this.offsets.push(offset)
        this.times.push(atMs)
      }
      reader.pos = next
    }
  }
}
