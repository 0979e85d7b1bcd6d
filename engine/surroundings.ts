/**
 * What shards know of the deployment around them (engine/domain/surroundings.ts), from its router and the system's time zones.
 */
import type { Calendar, LocalDay } from './domain/calendar.ts'
import type { Surroundings } from './domain/surroundings.ts'
import type { Router } from './routing.ts'

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
/** Endings of a code: two letters of 32. */
const ENDINGS = 1_024

export function surroundingsOf(shard: number, router: Router): Surroundings {
  return {
    shards: router.shards,
    calendar: systemCalendar,
    endings: {
      count: ENDINGS / router.shards,
      ending: (head, length, pick) => router.endingFor(shard, head, length, pick),
    },
    shardOfUser: (user) => router.shardOfUser(user),
  }
}

/** Local days of the system's time zone data. The last day of each zone is kept: one look-up a zone and day. */
class SystemCalendar implements Calendar {
  private readonly days = new Map<string, LocalDay>()
  private readonly formats = new Map<string, Intl.DateTimeFormat>()

  dayOf(timezone: string, atMs: number): LocalDay {
    const kept = this.days.get(timezone)
    if (kept !== undefined && atMs >= kept.startMs && atMs < kept.endMs) return kept
    const day = this.lookUp(timezone, atMs)
    this.days.set(timezone, day)
    return day
  }

  private lookUp(timezone: string, atMs: number): LocalDay {
    const date = this.dateAt(timezone, atMs)
    return { startMs: this.edge(timezone, date, atMs, -1), endMs: this.edge(timezone, date, atMs, 1) }
  }

  /**
   * The first instant of the local date (`direction` −1), or the first behind it: found by halves, so whatever a zone does at
   * midnight comes out right. A date that a zone skips or has twice is one day of its own length.
   */
  private edge(timezone: string, date: string, atMs: number, direction: 1 | -1): number {
    let inside = atMs
    let outside = atMs + direction * HOUR_MS
    while (this.dateAt(timezone, outside) === date) {
      inside = outside
      outside += direction * HOUR_MS
      if (Math.abs(outside - atMs) > 2 * DAY_MS) break
    }
    while (Math.abs(outside - inside) > 1) {
      const middle = Math.floor((inside + outside) / 2)
      if (this.dateAt(timezone, middle) === date) inside = middle
      else outside = middle
    }
    return direction < 0 ? inside : outside
  }

  private dateAt(timezone: string, atMs: number): string {
    let format = this.formats.get(timezone)
    if (format === undefined) {
      format = new Intl.DateTimeFormat('en-CA', {
        timeZone: timezone,
        year: 'numeric',
        month: '2-digit',
        day: '2-digit',
      })
      this.formats.set(timezone, format)
    }
    return format.format(atMs)
  }
}

/** One for all shards of a thread. */
const systemCalendar = new SystemCalendar()
