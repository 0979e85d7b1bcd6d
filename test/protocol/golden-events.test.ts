/** The bytes of events on disk, pinned; and the page that explains them, held against the same bytes. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ByteReader, Bytes, ByteWriter, textOf } from '../../protocol/bytes.ts'
import { readEvent, writeEvent, writeTick } from '../../protocol/event-codec.ts'
import { EVENT } from '../../protocol/events.ts'
import { GOLDEN_CAMPAIGN_EVENTS } from './golden-campaign-events.ts'
import { GOLDEN_EVENTS } from './golden-events.ts'

const GOLDEN = [...GOLDEN_EVENTS, ...GOLDEN_CAMPAIGN_EVENTS]
const PAGE = readFileSync(new URL('../../docs/formats/events.md', import.meta.url), 'utf8')

test.each(GOLDEN)('$name is written as it always was', ({ event, hex }) => {
  const w = new ByteWriter(1)
  writeEvent(w, event)
  expect(Buffer.from(w.view()).toString('hex')).toBe(hex)
})

test.each(GOLDEN)('$name is read from the bytes of old', ({ event, hex }) => {
  const r = new ByteReader(Uint8Array.from(Buffer.from(hex, 'hex')))
  expect(plain(readEvent(r))).toEqual(plain(event))
  expect(r.done).toBe(true)
})

test.each(GOLDEN)('$name stands in docs/formats/events.md with these bytes', ({ name, hex }) => {
  expect(bytesOnPage(`### ${name}\n`)).toBe(hex)
})

test('a tick is written, read and documented', () => {
  const w = new ByteWriter(1)
  writeTick(w, 1_500)
  expect(Buffer.from(w.view()).toString('hex')).toBe('0300dc0b')
  expect(readEvent(new ByteReader(w.view()))).toBe(1_500)
  expect(bytesOnPage('## Ticks\n')).toBe('0300dc0b')
})

test('there is a golden event of every type', () => {
  expect(new Set(GOLDEN.map(({ event }) => event.type))).toEqual(new Set(Object.values(EVENT)))
})

/** The first column of the first block behind a heading. */
function bytesOnPage(heading: string): string {
  const section = PAGE.slice(PAGE.indexOf(heading) + heading.length)
  const block = section.split('```')[1] ?? ''
  return block
    .trim()
    .split('\n')
    .map((line) => line.split(' ')[0])
    .join('')
}

/** Ranges as the text they hold. */
function plain(value: unknown): unknown {
  if (value instanceof Bytes) return { text: textOf(value) }
  if (Array.isArray(value)) return value.map(plain)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, plain(field)]))
}
