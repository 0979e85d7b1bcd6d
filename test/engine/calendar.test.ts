/**
 * Local days as shards take them from the system (engine/surroundings.ts), against zones whose laws are written out by hand.
 */
import { expect, test } from 'vitest'
import { Router } from '../../engine/routing.ts'
import { surroundingsOf } from '../../engine/surroundings.ts'
import { bytesOf } from '../../protocol/bytes.ts'
import { BERLIN, KOLKATA, LORD_HOWE, NEW_YORK, naiveDay, SAO_PAULO_2018, UTC, type Zone } from './support/zones.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const SECRET = new Uint8Array(32).fill(5)

const { calendar } = surroundingsOf(0, new Router(16, SECRET))

/** Every day of some years, on both sides of each of its edges and at odd moments between. */
function comparesOver(zone: Zone, fromMs: number, untilMs: number): Map<number, number> {
  const lengths = new Map<number, number>()
  let atMs = naiveDay(zone, fromMs).startMs
  while (atMs < untilMs) {
    const day = naiveDay(zone, atMs)
    const hours = (day.endMs - day.startMs) / HOUR_MS
    lengths.set(hours, (lengths.get(hours) ?? 0) + 1)
    const moments = [day.startMs, day.startMs + 1, day.startMs + 3_599_999, day.startMs + 11.3 * HOUR_MS, day.endMs - 1]
    for (const moment of moments) {
      expect(calendar.dayOf(zone.name, moment), `${zone.name} at ${new Date(moment).toISOString()}`).toEqual(day)
    }
    expect(calendar.dayOf(zone.name, day.endMs).startMs).toBe(day.endMs)
    atMs = day.endMs
  }
  return lengths
}

test.each<[Zone, number, Record<number, number>]>([
  [UTC, 2026, { 24: 365 }],
  [KOLKATA, 2026, { 24: 365 }],
  [BERLIN, 2026, { 23: 1, 24: 363, 25: 1 }],
  [NEW_YORK, 2027, { 23: 1, 24: 363, 25: 1 }],
  [LORD_HOWE, 2026, { 23.5: 1, 24: 363, 24.5: 1 }],
])('every day of a year in $name is the one that the zone’s law says', (zone, year, expected) => {
  const fromMs = naiveDay(zone, Date.UTC(year, 0, 1, 12)).startMs
  const untilMs = naiveDay(zone, Date.UTC(year, 11, 31, 12)).endMs
  expect(Object.fromEntries(comparesOver(zone, fromMs, untilMs))).toEqual(expected)
})

test('where clocks change at midnight a day begins at one o’clock, and another one has two eleventh hours', () => {
  const lengths = comparesOver(SAO_PAULO_2018, Date.UTC(2018, 9, 20), Date.UTC(2019, 2, 10))
  expect(lengths.get(23)).toBe(1)
  expect(lengths.get(25)).toBe(1)
  expect(calendar.dayOf('America/Sao_Paulo', Date.UTC(2018, 10, 4, 12)).startMs).toBe(Date.UTC(2018, 10, 4, 3))
  expect(calendar.dayOf('America/Sao_Paulo', Date.UTC(2019, 1, 16, 12)).endMs).toBe(Date.UTC(2019, 1, 17, 3))
})

test('a moment asked for after a later one, and zones in turn, are not answered from what is kept', () => {
  const zones = [BERLIN, KOLKATA, NEW_YORK, LORD_HOWE]
  for (let step = 0; step < 2_000; step++) {
    const zone = zones[step % zones.length] as Zone
    const atMs = Date.UTC(2026, 0, 1) + ((step * 2_654_435_761) % (365 * DAY_MS))
    expect(calendar.dayOf(zone.name, atMs)).toEqual(naiveDay(zone, atMs))
  }
})

test('a date that a zone skips altogether does no harm: Samoa went from the 29th to the 31st of December 2011', () => {
  const last = calendar.dayOf('Pacific/Apia', Date.UTC(2011, 11, 30, 9))
  expect(last).toEqual({ startMs: Date.UTC(2011, 11, 29, 10), endMs: Date.UTC(2011, 11, 30, 10) })
  expect(calendar.dayOf('Pacific/Apia', Date.UTC(2011, 11, 30, 10))).toEqual({
    startMs: Date.UTC(2011, 11, 30, 10),
    endMs: Date.UTC(2011, 11, 31, 10),
  })
})

test('every user has one shard, whoever asks, and users spread evenly', () => {
  const counts = new Array<number>(16).fill(0)
  const ask = Array.from({ length: 16 }, (_, shard) => surroundingsOf(shard, new Router(16, SECRET)))
  for (let user = 0; user < 16_000; user++) {
    const shard = (ask[user % 16] as (typeof ask)[number]).shardOfUser(bytesOf(`user-${user}`))
    expect(shard).toBe((ask[0] as (typeof ask)[number]).shardOfUser(bytesOf(`user-${user}`)))
    counts[shard] = (counts[shard] as number) + 1
  }
  // 1,000 expected; six standard deviations are about 184.
  for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(184)
})
