/**
 * Reading lists: one list over all runs, in either direction, from any place; and what several lists have in common.
 *
 *     runs      ▪ ▬ ▬▬▬        a cursor into each that has the list
 *     list      1 2 3 4 …      the least (or greatest) of their heads is next
 *     common    a: 1   4       whoever is behind jumps to where the other stands: the shorter list sets the pace
 *               b: 1 2 3 4
 */
import { comparePlaces, decodeBlock, type Posting, PostingColumns } from './block.ts'
import type { Database, Sql } from './database.ts'
import { shardOf } from './list-keys.ts'
import type { Runs } from './runs.ts'

/** A place in a list: lists are ordered by time, then by place. */
export interface ListPlace {
  readonly atMs: number
  readonly place: number
}

export type Direction = 'oldestFirst' | 'newestFirst'

/** Instants: from, inclusive, and to, exclusive; null: any. */
export interface ListBounds {
  readonly fromMs: number | null
  readonly toMs: number | null
}

export const NO_BOUNDS: ListBounds = { fromMs: null, toMs: null }

export interface ListQuestion {
  readonly keys: readonly number[]
  readonly direction: Direction
  /** null: from the beginning. */
  readonly after: ListPlace | null
  readonly bounds: ListBounds
  readonly limit: number
  /** Events of this shard only; null: of all. */
  readonly shard: number | null
}

export interface ListPage {
  readonly postings: readonly Posting[]
  /** null: there is nothing more. */
  readonly next: ListPlace | null
}

/** Jumps that the search for one page may take; then what was found is the page, and the next one goes on behind it. */
const JUMPS_MAX = 5_000

export class Lists {
  private readonly runs: Runs
  private readonly blocks: BlockQueries

  constructor(database: Database, runs: Runs) {
    this.runs = runs
    this.blocks = blockQueries(database)
  }

  /** Up to `limit` postings that stand in all of the lists, as the first of them has them. */
  page({ keys, direction, after, bounds, limit, shard }: ListQuestion): ListPage {
    const cursors = keys.map((key) => new ListCursor(this.blocks, this.runs.readable, key, direction))
    const [leader] = cursors as [ListCursor, ...ListCursor[]]
    leader.seek(startOf(direction, after, bounds))
    if (after !== null && leader.head?.atMs === after.atMs && leader.head.place === after.place) leader.step()
    const postings: Posting[] = []
    let jumps = 0
    for (;;) {
      const { head } = leader
      if (head === null || isBeyond(direction, head, bounds)) return { postings, next: null }
      if (postings.length === limit) return { postings, next: postings.at(-1) ?? null }
      if (jumps > JUMPS_MAX) return { postings, next: previousOf(direction, head) }
      const obstacle = firstThatLacks(cursors, head)
      jumps++
      if (obstacle === null) {
        if (shard === null || shardOf(head.place) === shard) postings.push(head)
        leader.step()
      } else if (obstacle.head === null) return { postings, next: null }
      else leader.seek(obstacle.head)
    }
  }
}

/** The first cursor whose list does not have that place, moved to where it goes on; null: all have it. */
function firstThatLacks(cursors: readonly ListCursor[], wanted: ListPlace): ListCursor | null {
  for (let i = 1; i < cursors.length; i++) {
    const cursor = cursors[i] as ListCursor
    cursor.seek(wanted)
    if (cursor.head?.atMs !== wanted.atMs || cursor.head.place !== wanted.place) return cursor
  }
  return null
}

function startOf(direction: Direction, after: ListPlace | null, { fromMs, toMs }: ListBounds): ListPlace {
  if (after !== null) return after
  if (direction === 'oldestFirst') return { atMs: fromMs ?? 0, place: 0 }
  return { atMs: toMs ?? Number.MAX_SAFE_INTEGER, place: -1 }
}

function isBeyond(direction: Direction, { atMs }: ListPlace, { fromMs, toMs }: ListBounds): boolean {
  return direction === 'oldestFirst' ? toMs !== null && atMs >= toMs : fromMs !== null && atMs < fromMs
}

/** The place right before, so that a search goes on at this one. */
function previousOf(direction: Direction, { atMs, place }: ListPlace): ListPlace {
  return { atMs, place: direction === 'oldestFirst' ? place - 1 : place + 1 }
}

interface BlockQueries {
  readonly atOrBefore: Sql
  readonly before: Sql
  readonly behind: Sql
}

function blockQueries(database: Database): BlockQueries {
  const select = (comparison: string, order: string): Sql =>
    database.query(
      `SELECT key, at_ms, place, bytes FROM block WHERE run = ? AND (key, at_ms, place) ${comparison} (?, ?, ?)
       ORDER BY key ${order}, at_ms ${order}, place ${order} LIMIT 1`,
    )
  return { atOrBefore: select('<=', 'DESC'), before: select('<', 'DESC'), behind: select('>', 'ASC') }
}

class ListCursor {
  head: Posting | null = null
  private readonly runs: readonly RunCursor[]
  private readonly direction: Direction
  private current: RunCursor | null = null

  constructor(blocks: BlockQueries, runs: readonly { readonly id: number }[], key: number, direction: Direction) {
    this.direction = direction
    this.runs = runs.map(({ id }) => new RunCursor(blocks, id, key, direction))
  }

  /** Moves to that place, or to the one behind it where there is none. */
  seek(place: ListPlace): void {
    for (const run of this.runs) run.seek(place)
    this.choose()
  }

  step(): void {
    this.current?.step()
    this.choose()
  }

  private choose(): void {
    let best: RunCursor | null = null
    for (const run of this.runs) {
      if (run.head !== null && (best === null || isAhead(this.direction, run.head, best.head as Posting))) best = run
    }
    this.current = best
    this.head = best?.head ?? null
  }
}

function isAhead(direction: Direction, a: Posting, b: Posting): boolean {
  const order = comparePlaces(0, a.atMs, a.place, 0, b.atMs, b.place)
  return direction === 'oldestFirst' ? order < 0 : order > 0
}

/** A list within one run. */
class RunCursor {
  head: Posting | null = null
  private readonly blocks: BlockQueries
  private readonly run: number
  private readonly key: number
  private readonly isForward: boolean
  private readonly columns = new PostingColumns(1)
  private at = 0

  constructor(blocks: BlockQueries, run: number, key: number, direction: Direction) {
    this.blocks = blocks
    this.run = run
    this.key = key
    this.isForward = direction === 'oldestFirst'
  }

  seek({ atMs, place }: ListPlace): void {
    const found =
      this.holds(atMs, place) ||
      this.load(this.blocks.atOrBefore, this.key, atMs, place) ||
      (this.isForward && this.load(this.blocks.behind, this.key, atMs, place))
    if (!found) {
      this.head = null
      return
    }
    this.at = this.searched(atMs, place)
    this.settle()
  }

  /** Whether that place lies within the block at hand. */
  private holds(atMs: number, place: number): boolean {
    const { count } = this.columns
    return count > 0 && this.compared(0, atMs, place) <= 0 && this.compared(count - 1, atMs, place) >= 0
  }

  private compared(at: number, atMs: number, place: number): number {
    const { keys, atMs: times, places } = this.columns
    return comparePlaces(keys[at] as number, times[at] as number, places[at] as number, this.key, atMs, place)
  }

  step(): void {
    this.at += this.isForward ? 1 : -1
    this.settle()
  }

  /** Forwards the first posting at that place or behind, backwards the last at it or before. */
  private searched(atMs: number, place: number): number {
    const { columns } = this
    let low = 0
    let high = columns.count
    while (low < high) {
      const middle = (low + high) >>> 1
      const order = this.compared(middle, atMs, place)
      if (this.isForward ? order < 0 : order <= 0) low = middle + 1
      else high = middle
    }
    return this.isForward ? low : low - 1
  }

  /** Makes `head` what stands at the cursor, in the next block where this one has ended. */
  private settle(): void {
    const { columns } = this
    if (this.at < 0 || this.at >= columns.count) {
      const edge = this.isForward ? columns.count - 1 : 0
      const moved = this.load(
        this.isForward ? this.blocks.behind : this.blocks.before,
        columns.keys[edge] as number,
        columns.atMs[edge] as number,
        columns.places[edge] as number,
      )
      if (!moved) {
        this.head = null
        return
      }
      this.at = this.isForward ? 0 : columns.count - 1
    }
    const { at } = this
    this.head =
      columns.keys[at] === this.key
        ? {
            key: this.key,
            atMs: columns.atMs[at] as number,
            place: columns.places[at] as number,
            ref: columns.refs[at] as number,
          }
        : null
  }

  private load(query: Sql, key: number, atMs: number, place: number): boolean {
    const row = query.first(this.run, key, atMs, place)
    if (row === null) return false
    decodeBlock(row[3] as Uint8Array, this.columns)
    return true
  }
}
