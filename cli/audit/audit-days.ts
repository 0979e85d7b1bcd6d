/**
 * The books of days: how many coupons a user has taken in a local day, and that whoever takes one that has a limit a day is
 * counted for it, in a day that holds that moment.
 *
 * What counts for a campaign alone stands right before what takes it, in the same log. What counts over everything is counted on
 * the shard of the user; whether that is the right shard is judged here, whether it was enough in sum is judged over all shards.
 */
import type { DayRead } from './audit-campaign-events.ts'
import type { AuditRouting } from './audit-routing.ts'

const DAY_MS_MAX = 26 * 3_600_000
const DAY_MS_MIN = 22 * 3_600_000

export class ShardDays {
  /** The most that anybody took over everything in a day. */
  mostOverAll = 0
  private readonly shard: number
  private readonly fault: (sentence: string) => void
  private readonly routing: AuditRouting | null
  private readonly taken = new Map<string, number>()
  /** Counted since the last capacity was taken, by user and limit. */
  private readonly fresh = new Map<string, DayRead>()

  constructor(shard: number, fault: (sentence: string) => void, routing: AuditRouting | null) {
    this.shard = shard
    this.fault = fault
    this.routing = routing
  }

  count(userId: string, day: DayRead, atMs: number): void {
    const { limit, startMs, endMs, count } = day
    if (atMs < startMs || atMs >= endMs) this.fault('a coupon is counted for a day that does not hold its moment')
    if (endMs - startMs > DAY_MS_MAX || endMs - startMs < DAY_MS_MIN) this.fault('a local day is no day long')
    if (limit === null && !this.isOfUser(userId)) {
      this.fault("a user's day over everything is counted on another shard than the user's")
    }
    const taken = this.change(userId, day, count)
    if (limit === null) this.mostOverAll = Math.max(this.mostOverAll, taken)
    this.fresh.set(nameOf(userId, limit), day)
  }

  /** A transaction came to nothing: what it had counted goes back. */
  giveBack(userId: string, days: readonly DayRead[]): void {
    for (const day of days) {
      if (this.change(userId, day, -day.count) < 0) this.fault('a day is given back that nobody had counted')
    }
  }

  /** Whether days over everything are counted here for this user. */
  isOfUser(userId: string): boolean {
    return this.routing === null || this.routing.shardOfUser(userId) === this.shard
  }

  /**
   * A user takes a coupon that counts for `limit` (null: over everything), at most `perUser` a day. `mayBeUncounted`: the day was
   * counted when it was taken before.
   */
  take(userId: string, limit: number | null, perUser: number, mayBeUncounted: boolean): void {
    const day = this.fresh.get(nameOf(userId, limit))
    if (day === undefined) {
      if (!mayBeUncounted) {
        this.fault(`${this.shown(limit)}: a user takes a coupon with a limit a day, and no day is counted`)
      }
      return
    }
    const taken = this.taken.get(keyOf(userId, day)) ?? 0
    if (taken > perUser) {
      this.fault(`${this.shown(limit)}: a user has ${taken} coupons of one day, and the limit a day is ${perUser}`)
    }
  }

  /** Days that are counted from now on belong to what is taken next. */
  forgetFresh(): void {
    this.fresh.clear()
  }

  private shown(limit: number | null): string {
    return limit === null ? 'coupons of the day' : `what counts for ${limit}`
  }

  private change(userId: string, day: DayRead, more: number): number {
    const key = keyOf(userId, day)
    const taken = (this.taken.get(key) ?? 0) + more
    this.taken.set(key, taken)
    return taken
  }
}

function nameOf(userId: string, limit: number | null): string {
  return `${limit ?? 'all'} ${userId}`
}

function keyOf(userId: string, { limit, startMs }: DayRead): string {
  return `${startMs} ${nameOf(userId, limit)}`
}
