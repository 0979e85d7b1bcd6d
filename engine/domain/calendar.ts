/**
 * Local days: what "today" is for a campaign. The shell knows time zones; here stands what the domain asks of it.
 *
 * Judgements take the bounds of a day from here, and the event that counts a coupon for a day holds them, so that a replay
 * needs no time zones.
 */

/** A local day, [start, end). 23 to 25 hours long, where clocks are put forward or back. */
export interface LocalDay {
  readonly startMs: number
  readonly endMs: number
}

export interface Calendar {
  /** The day in which `atMs` lies. `timezone` is an IANA name that was checked when it came in. */
  dayOf(timezone: string, atMs: number): LocalDay
}

const DAY_MS = 86_400_000

/** Days of Greenwich, wherever one is: for states that never judge. */
export const UTC_DAYS: Calendar = {
  dayOf(_timezone, atMs) {
    const startMs = atMs - (atMs % DAY_MS)
    return { startMs, endMs: startMs + DAY_MS }
  },
}
