/**
 * Events as they are kept: numbered as they are found, the oldest forgotten when there are too many.
 *
 *     id   7f3a09c1-2s      epoch, a hyphen, the number in base 36
 */
import { EVENTS_KEPT, EVENTS_SLACK } from './limits.ts'
import {
  EVENT_TYPES,
  type FeedEvent,
  type FeedEventType,
  type FeedPage,
  type FeedQuery,
} from '../gateway/events/event-feed.ts'
import { timeText } from '../gateway/json/json-text.ts'
import type { Database, Sql } from '../readmodel/database.ts'

const ID = /^([0-9a-f]{8})-([0-9a-z]{1,10})$/

/** An event that was just added. */
export interface Found {
  readonly type: FeedEventType
  readonly atMs: number
  readonly id: string
}

export class EventTable {
  private readonly epoch: string
  private readonly kept: number
  private readonly database: Database
  private readonly insert: Sql
  private readonly forget: Sql
  private last: number
  private oldest: number

  constructor(database: Database, epoch: string, kept: number = EVENTS_KEPT) {
    this.database = database
    this.epoch = epoch
    this.kept = kept
    this.insert = database.sql('INSERT INTO event VALUES (?, ?, ?, ?)')
    this.forget = database.sql('DELETE FROM event WHERE number < ?')
    const [first, last] = database.query('SELECT min(number), max(number) FROM event').first() ?? []
    this.last = (last as number | null | undefined) ?? 0
    this.oldest = (first as number | null | undefined) ?? 1
  }

  /** `membersJson` without braces, '' for none; part of the caller's transaction. */
  add(type: FeedEventType, atMs: number, membersJson: string): Found {
    const number = ++this.last
    const id = this.idOf(number)
    const members = membersJson === '' ? '' : `,${membersJson}`
    const text = `{"id":"${id}","type":"${type}","at":"${timeText(atMs)}"${members}}`
    this.insert.run(number, EVENT_TYPES.indexOf(type), atMs, text)
    if (this.last - this.oldest >= this.kept + Math.min(EVENTS_SLACK, this.kept)) {
      this.oldest = this.last - this.kept + 1
      this.forget.run(this.oldest)
    }
    return { type, atMs, id }
  }

  page({ types, after, limit }: FeedQuery): FeedPage {
    const behind = Math.max(this.numberOf(after), 0)
    const kinds = types.map((type) => EVENT_TYPES.indexOf(type)).join(',')
    const rows = this.database
      .query(`SELECT number, type, text FROM event WHERE number > ? AND type IN (${kinds}) ORDER BY number LIMIT ?`)
      .all(behind, limit + 1)
    const events = rows.slice(0, limit).map(
      ([number, type, text]): FeedEvent => ({
        id: this.idOf(number as number),
        type: EVENT_TYPES[type as number] as FeedEventType,
        text: text as string,
      }),
    )
    return { events, hasMore: rows.length > limit }
  }

  private idOf(number: number): string {
    return `${this.epoch}-${number.toString(36)}`
  }

  /** 0: of another epoch, or none. */
  private numberOf(id: string | null): number {
    const [, epoch, digits = ''] = ID.exec(id ?? '') ?? []
    return epoch === this.epoch ? Number.parseInt(digits, 36) : 0
  }
}
