/**
 * Facts: the bytes of events that a coupon's history tells, as they stand in the log, one behind the other in rows of about
 * 32 KiB. Redemptions are not among them: their shard tells them better, and they are most of a log.
 *
 *     ref = row · 65,536 + offset     rows count from 1, so 0 is no place
 */
import { assert } from '../protocol/assert.ts'
import { ByteReader, ByteWriter } from '../protocol/bytes.ts'
import { readEvent } from '../protocol/event-codec.ts'
import type { Event } from '../protocol/events.ts'
import type { Database, Sql } from './database.ts'

const OFFSETS = 65_536
/** A row is begun anew beyond; one event may be longer than that. */
const ROW_BYTES = 32 * 1_024

export class Facts {
  private readonly insert: Sql
  private readonly select: Sql
  private readonly row = new ByteWriter(ROW_BYTES)
  private rowId: number

  constructor(database: Database) {
    this.insert = database.sql('INSERT INTO fact VALUES (?, ?)')
    this.select = database.query('SELECT bytes FROM fact WHERE id = ?')
    const [last] = database.query('SELECT max(id) FROM fact').first() ?? []
    this.rowId = ((last as number | null | undefined) ?? 0) + 1
  }

  /** Keeps an event, length first; part of the caller's transaction. */
  add(buf: Uint8Array, start: number, end: number): number {
    if (this.row.pos >= ROW_BYTES) this.write()
    const ref = this.rowId * OFFSETS + this.row.pos
    this.row.raw(buf, start, end)
    return ref
  }

  /** Writes what was added; part of the caller's transaction. */
  write(): void {
    if (this.row.pos === 0) return
    this.insert.run(this.rowId, this.row.view())
    this.rowId++
    this.row.clear()
  }

  at(ref: number): Event {
    const row = this.select.first(Math.floor(ref / OFFSETS))
    assert(row !== null, 'a list names an event whose bytes are not kept')
    const event = readEvent(new ByteReader(row[0] as Uint8Array, ref % OFFSETS))
    assert(typeof event !== 'number', 'a list names a tick')
    return event
  }
}
