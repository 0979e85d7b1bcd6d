/**
 * What users have, counted a second time: uses and holds under limits per user, and what was taken of local days. A part of the
 * count of a shard (`reconcile-count.ts`), whose slice says which users are counted at all.
 *
 * A user who has nothing is not kept, as in the tables; a day stays until it is forgotten.
 */
import { type Bytes, textOf } from '../../protocol/bytes.ts'
import type { DayTake } from '../../protocol/events.ts'
import { type Slice, userHash } from './reconcile-slice.ts'

interface UserCount {
  uses: number
  held: number
  readonly hash: number
}

interface DayCount {
  readonly user: string
  readonly limit: number
  readonly dayStartMs: number
  readonly dayEndMs: number
  readonly hash: number
  count: number
}

/** A user, read from the bytes of an event. */
export interface Who {
  readonly name: string
  readonly hash: number
}

export function whoOf(user: Bytes): Who {
  return { name: textOf(user), hash: userHash(user) }
}

export class CountedUsers {
  /** By ordinal, of limits per user. */
  readonly under = new Map<number, Map<string, UserCount>>()
  readonly days = new Map<string, DayCount>()
  /** Users under all limits together. */
  size = 0
  /** Counters of users under limits that were taken away: the tables keep them, nobody reads them. */
  leftBehind = 0
  private readonly slice: Slice

  constructor(slice: Slice) {
    this.slice = slice
  }

  /** Counts uses and holds more, or fewer, under the limit of an ordinal. */
  count(ordinal: number, { name, hash }: Who, uses: number, held: number): void {
    if (!this.slice.hasUser(hash)) return
    const ofOne = this.under.get(ordinal) ?? new Map<string, UserCount>()
    if (ofOne.size === 0) this.under.set(ordinal, ofOne)
    const known = ofOne.get(name)
    const count = known ?? { uses: 0, held: 0, hash }
    if (known === undefined) {
      ofOne.set(name, count)
      this.size++
    }
    count.uses += uses
    count.held += held
    if (count.uses !== 0 || count.held !== 0) return
    this.drop(ofOne, name)
    if (ofOne.size === 0) this.under.delete(ordinal)
  }

  /** Counts more, or less, of a user's local day. */
  countDay({ name, hash }: Who, { limit, dayStartMs, dayEndMs }: Omit<DayTake, 'count'>, more: number): void {
    if (!this.slice.hasUser(hash)) return
    const key = `${limit} ${dayStartMs} ${name}`
    const known = this.days.get(key)
    // A day that is over may be forgotten here and given back later.
    if (known === undefined && more < 0) return
    if (known !== undefined) known.count += more
    else this.days.set(key, { user: name, limit, dayStartMs, dayEndMs, hash, count: more })
  }

  /** The limit of an ordinal was taken away. */
  leaveBehind(ordinal: number): void {
    const users = this.under.get(ordinal)?.size ?? 0
    this.leftBehind += users
    this.size -= users
    this.under.delete(ordinal)
  }

  /** Forgets what is not in the slice any more, which became narrower. */
  keepSlice(shard: number): void {
    const { slice, under, days } = this
    for (const [ordinal, ofOne] of under) {
      for (const [user, { hash }] of ofOne) {
        if (!slice.hasRow(shard, ordinal) || !slice.hasUser(hash)) this.drop(ofOne, user)
      }
      if (ofOne.size === 0) under.delete(ordinal)
    }
    for (const [key, { hash }] of days) if (!slice.hasUser(hash)) days.delete(key)
  }

  forgetDays(endedBeforeMs: number): void {
    for (const [key, { dayEndMs }] of this.days) if (dayEndMs < endedBeforeMs) this.days.delete(key)
  }

  private drop(ofOne: Map<string, UserCount>, user: string): void {
    if (ofOne.delete(user)) this.size--
  }
}
