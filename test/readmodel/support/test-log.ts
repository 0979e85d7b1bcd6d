// A log written by hand: events of any shard, in entries as the journal stores them, with nothing of the engine behind it.

import { ByteWriter } from '../../../protocol/bytes.ts'
import { writeEvent, writeTick } from '../../../protocol/event-codec.ts'
import type { Event } from '../../../protocol/events.ts'
import type { LogEntry } from '../../../readmodel/cursor.ts'

export const BEGIN_MS = 1_760_000_000_000

export class TestLog {
  readonly entries: LogEntry[] = []
  private readonly seqs = new Map<number, number>()

  /** One entry; the time of each event is the entry's unless it stands before it as a number of milliseconds more. */
  append(shard: number, atMs: number, ...events: (Event | number)[]): number {
    const writer = new ByteWriter()
    const firstSeq = this.seqOf(shard) + 1
    let eventCount = 0
    for (const event of events) {
      if (typeof event === 'number') {
        writeTick(writer, event)
      } else {
        writeEvent(writer, event)
        eventCount++
      }
    }
    const bytes = writer.view().slice()
    this.entries.push({ shard, firstSeq, eventCount, timeMs: atMs, events: bytes, start: 0, end: bytes.length })
    this.seqs.set(shard, firstSeq + eventCount - 1)
    return this.seqOf(shard)
  }

  seqOf(shard: number): number {
    return this.seqs.get(shard) ?? 0
  }
}
