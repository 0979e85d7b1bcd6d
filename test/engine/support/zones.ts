/**
 * Time zones by their laws, written out by hand: what the calendar of the engine (which asks the system's zone data) is held
 * against. A day is the time in which the local date is the same.
 */
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
const SUNDAY = 0

export interface Zone {
  readonly name: string
  /** How far its clocks are ahead of UTC. */
  offsetMs(atMs: number): number
  /** All that it ever has. */
  readonly offsetsMs: readonly number[]
}

export interface NaiveDay {
  readonly startMs: number
  readonly endMs: number
}

export const KOLKATA: Zone = fixed('Asia/Kolkata', 5.5 * HOUR_MS)
export const UTC: Zone = fixed('UTC', 0)

/** Directive 2000/84/EC: from the last Sunday of March to the last of October, at 01:00 UTC. */
export const BERLIN: Zone = withSummer('Europe/Berlin', HOUR_MS, HOUR_MS, (year) => [
  lastSunday(year, 3) + HOUR_MS,
  lastSunday(year, 10) + HOUR_MS,
])

/** Energy Policy Act of 2005: from the second Sunday of March to the first of November, at 02:00 by the clock. */
export const NEW_YORK: Zone = withSummer('America/New_York', -5 * HOUR_MS, HOUR_MS, (year) => [
  sundayFrom(year, 3, 8) + 7 * HOUR_MS,
  sundayFrom(year, 11, 1) + 6 * HOUR_MS,
])

/** Half an hour, the other way round: summer from the first Sunday of October to the first of April, at 02:00 by the clock. */
export const LORD_HOWE: Zone = {
  name: 'Australia/Lord_Howe',
  offsetsMs: [10.5 * HOUR_MS, 11 * HOUR_MS],
  offsetMs(atMs) {
    const year = new Date(atMs).getUTCFullYear()
    const endsMs = sundayFrom(year, 4, 1) + 2 * HOUR_MS - 11 * HOUR_MS
    const beginsMs = sundayFrom(year, 10, 1) + 2 * HOUR_MS - 10.5 * HOUR_MS
    return atMs < endsMs || atMs >= beginsMs ? 11 * HOUR_MS : 10.5 * HOUR_MS
  },
}

/** Clocks changed at midnight: a day without its first hour, and one of 25 hours. Decree 9,242 of 2017; ended in 2019. */
export const SAO_PAULO_2018: Zone = {
  name: 'America/Sao_Paulo',
  offsetsMs: [-3 * HOUR_MS, -2 * HOUR_MS],
  offsetMs(atMs) {
    const isSummer = atMs >= Date.UTC(2018, 10, 4, 3) && atMs < Date.UTC(2019, 1, 17, 2)
    return isSummer ? -2 * HOUR_MS : -3 * HOUR_MS
  },
}

export const ZONES: readonly Zone[] = [UTC, KOLKATA, BERLIN, NEW_YORK, LORD_HOWE]

/** The local day in which `atMs` lies. */
export function naiveDay(zone: Zone, atMs: number): NaiveDay {
  const date = dateIn(zone, atMs)
  return { startMs: beginOf(zone, date), endMs: beginOf(zone, date + 1) }
}

/** Days since 1970 of the local date. */
export function dateIn(zone: Zone, atMs: number): number {
  return Math.floor((atMs + zone.offsetMs(atMs)) / DAY_MS)
}

/** Midnight by one of the clocks that a zone has: the earliest at which the date really is that day's. */
function beginOf(zone: Zone, date: number): number {
  const midnights = zone.offsetsMs.map((offsetMs) => date * DAY_MS - offsetMs)
  return Math.min(...midnights.filter((atMs) => dateIn(zone, atMs) === date))
}

function fixed(name: string, offsetMs: number): Zone {
  return { name, offsetsMs: [offsetMs], offsetMs: () => offsetMs }
}

/** `changes`: when summer begins and ends in a year. */
function withSummer(
  name: string,
  winterMs: number,
  moreMs: number,
  changes: (year: number) => readonly [number, number],
): Zone {
  return {
    name,
    offsetsMs: [winterMs, winterMs + moreMs],
    offsetMs(atMs) {
      const [beginsMs, endsMs] = changes(new Date(atMs).getUTCFullYear())
      return atMs >= beginsMs && atMs < endsMs ? winterMs + moreMs : winterMs
    },
  }
}

/** Midnight UTC of the first Sunday of a month (1 to 12) from a day on. */
function sundayFrom(year: number, month: number, day: number): number {
  const atMs = Date.UTC(year, month - 1, day)
  const weekday = new Date(atMs).getUTCDay()
  return atMs + ((SUNDAY - weekday + 7) % 7) * DAY_MS
}

function lastSunday(year: number, month: number): number {
  return sundayFrom(year, month, 31 - 6)
}
