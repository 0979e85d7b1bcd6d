/** An open entry finds every event and its time again, and so does the index of the same bytes once they are stored. */
import { expect, test } from 'vitest'
import { ByteReader } from '../../../protocol/bytes.ts'
import { readEvent } from '../../../protocol/event-codec.ts'
import { EVENT, type Event } from '../../../protocol/events.ts'
import { Entry, EventIndex } from '../../../engine/shard/entry.ts'

const FIRST_SEQ = 41

function event(number: number): Event {
  return { type: EVENT.ORDERS_FORGOTTEN, beforeSeq: number * 1_000 }
}

/** Enough events that the places outgrow their first arrays, some at the same moment, some later. */
function filled(entry: Entry, count: number): { event: Event; atMs: number }[] {
  entry.begin(FIRST_SEQ, 5_000)
  return Array.from({ length: count }, (_, i) => {
    const atMs = 5_000 + Math.floor(i / 3) * 7
    entry.append(event(i), atMs)
    return { event: event(i), atMs }
  })
}

test.each([1, 2, 256, 257, 1_000])('an entry of %i events gives each of them back with its time', (count) => {
  const entry = new Entry()
  const appended = filled(entry, count)
  expect(appended.map((_, i) => entry.at(FIRST_SEQ + i))).toEqual(appended)
  expect([FIRST_SEQ - 1, FIRST_SEQ, FIRST_SEQ + count - 1, FIRST_SEQ + count].map((seq) => entry.holds(seq))).toEqual([
    false,
    true,
    true,
    false,
  ])
})

test('the index of stored bytes finds the same events at the same times', () => {
  const entry = new Entry()
  const appended = filled(entry, 300)
  const stored = new Uint8Array(entry.length + 20).fill(0xff)
  stored.set(entry.events.subarray(0, entry.length), 10)
  const index = new EventIndex(stored, 10, 10 + entry.length, 5_000)
  expect(index.times).toEqual(appended.map(({ atMs }) => atMs))
  expect(index.offsets.map((offset) => readEvent(new ByteReader(stored, offset, 10 + entry.length)))).toEqual(
    appended.map((one) => one.event),
  )
})

test('an entry that begins again holds nothing of the one before', () => {
  const entry = new Entry()
  filled(entry, 5)
  entry.begin(100, 9_000)
  expect([entry.isEmpty, entry.length, entry.holds(FIRST_SEQ), entry.holds(100)]).toEqual([true, 0, false, false])
  entry.append(event(1), 9_000)
  expect(entry.at(100)).toEqual({ event: event(1), atMs: 9_000 })
})
