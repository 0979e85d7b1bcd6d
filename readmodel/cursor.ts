/**
 * Cursor: how far the log of each shard is in the database, and what its last entry there was. A directory may be put back
 * from a backup, or restored to a moment in the past, with the database of another history beside it: so the last entry of
 * every shard is read again at the start, and has to be the same.
 */
import { crc32 } from 'node:zlib'
import type { Database, Sql } from './database.ts'

/** What the projection reads of a stored entry. */
export interface LogEntry {
  readonly shard: number
  readonly firstSeq: number
  readonly eventCount: number
  /** Of its first event. */
  readonly timeMs: number
  readonly events: Uint8Array
  readonly start: number
  readonly end: number
}

/** The log has not gone on from where it was projected: another history. The database has to be built anew. */
export class LogDiffers extends Error {
  readonly code = 'LOG_DIFFERS'
  override readonly name = 'LogDiffers'
}

interface Last {
  readonly seq: number
  readonly firstSeq: number
  readonly timeMs: number
  /** CRC-32 of its events. */
  readonly sum: number
}

export class Cursor {
  private readonly put: Sql
  private readonly lasts = new Map<number, Last>()
  /** Shards whose last entry has not been read again yet. */
  private readonly unconfirmed = new Map<number, Last>()
  private readonly moved = new Set<number>()

  constructor(database: Database) {
    this.put = database.sql(
      `INSERT INTO cursor VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
         seq = excluded.seq, first_seq = excluded.first_seq, time_ms = excluded.time_ms, sum = excluded.sum`,
    )
    for (const row of database.query('SELECT shard, seq, first_seq, time_ms, sum FROM cursor').all()) {
      const [shard, seq, firstSeq, timeMs, sum] = row as number[] as [number, number, number, number, number]
      this.lasts.set(shard, { seq, firstSeq, timeMs, sum })
      this.unconfirmed.set(shard, { seq, firstSeq, timeMs, sum })
    }
  }

  /** Behind what a follower of the log has to begin: right before the last entry of each shard. */
  beginsAfter(): ReadonlyMap<number, number> {
    return new Map([...this.lasts].map(([shard, { firstSeq }]) => [shard, firstSeq - 1]))
  }

  /** Last sequence of a shard that is projected; 0: none. */
  seqOf(shard: number): number {
    return this.lasts.get(shard)?.seq ?? 0
  }

  /** Whether an entry has to be projected; the last one of a shard, which is there already, is compared. Throws LogDiffers. */
  isNew(entry: LogEntry): boolean {
    const { shard, firstSeq } = entry
    const last = this.unconfirmed.get(shard)
    if (last === undefined) {
      if (firstSeq === this.seqOf(shard) + 1) return true
      throw new LogDiffers(`the log of shard ${shard} goes on at ${firstSeq} and ${this.seqOf(shard)} was projected`)
    }
    const found = lastOf(entry)
    const isSame =
      found.firstSeq === last.firstSeq &&
      found.seq === last.seq &&
      found.timeMs === last.timeMs &&
      found.sum === last.sum
    if (!isSame) throw new LogDiffers(`the log of shard ${shard} is not the one that was projected up to ${last.seq}`)
    this.unconfirmed.delete(shard)
    return false
  }

  /** The log has nothing more at present, so every entry that was projected has to have come again. Throws LogDiffers. */
  confirmAll(): void {
    for (const [shard, { seq }] of this.unconfirmed) {
      throw new LogDiffers(`the log of shard ${shard} ends before ${seq}, which was projected`)
    }
  }

  advance(entry: LogEntry): void {
    this.lasts.set(entry.shard, lastOf(entry))
    this.moved.add(entry.shard)
  }

  /** Part of the caller's transaction. */
  write(): void {
    for (const shard of this.moved) {
      const { seq, firstSeq, timeMs, sum } = this.lasts.get(shard) as Last
      this.put.run(shard, seq, firstSeq, timeMs, sum)
    }
    this.moved.clear()
  }
}

function lastOf({ firstSeq, eventCount, timeMs, events, start, end }: LogEntry): Last {
  return { seq: firstSeq + eventCount - 1, firstSeq, timeMs, sum: crc32(events.subarray(start, end)) }
}
