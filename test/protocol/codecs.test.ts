/**
 * Commands, events, outcomes and messages between shards go through bytes and come back as they were. FC_SEED repeats a failure.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteReader, Bytes, ByteWriter, textOf } from '../../protocol/bytes.ts'
import { readCommand, writeCommand } from '../../protocol/command-codec.ts'
import { COMMAND } from '../../protocol/commands.ts'
import { readEvent, writeEvent, writeTick } from '../../protocol/event-codec.ts'
import { EVENT } from '../../protocol/events.ts'
import { readMessage, writeMessage } from '../../protocol/message-codec.ts'
import { MESSAGE } from '../../protocol/messages.ts'
import { readOutcome, readPosition, writeOutcome, writePosition } from '../../protocol/outcome-codec.ts'
import { OUTCOME } from '../../protocol/outcomes.ts'
import { event } from './random-events.ts'
import { text, uint } from './random-fields.ts'
import { command, message, outcome, position } from './random-messages.ts'

const SEED = Number(process.env['FC_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const RUNS = 2_000

/** Bytes before and behind, which a codec must neither read nor write. */
const GUARD = 0xa5

describe(`codecs (seed ${SEED})`, () => {
  test('every event comes back, and the reader stands behind it', () => {
    const met = new Set<number>()
    fc.assert(
      fc.property(fc.array(fc.oneof(event, uint), { minLength: 1, maxLength: 5 }), (events) => {
        const w = guarded()
        for (const one of events) {
          if (typeof one === 'number') writeTick(w, one)
          else writeEvent(w, one)
        }
        const r = readerOf(w)
        for (const one of events) {
          if (typeof one !== 'number') met.add(one.type)
          expect(plain(readEvent(r))).toEqual(plain(one))
        }
        expect(r.done).toBe(true)
      }),
      { seed: SEED, numRuns: RUNS },
    )
    expect(met).toEqual(new Set(Object.values(EVENT)))
  })

  test('every command comes back', () => {
    const met = new Set<number>()
    fc.assert(
      fc.property(command, (one) => {
        met.add(one.type)
        const w = guarded()
        writeCommand(w, one)
        const r = readerOf(w)
        expect(plain(readCommand(r))).toEqual(plain(one))
        expect(r.done).toBe(true)
      }),
      { seed: SEED, numRuns: RUNS },
    )
    expect(met).toEqual(new Set(Object.values(COMMAND)))
  })

  test('every outcome comes back, behind its position', () => {
    const met = new Set<number>()
    fc.assert(
      fc.property(position, outcome, (where, one) => {
        met.add(one.type)
        const w = guarded()
        writePosition(w, where)
        writeOutcome(w, one)
        const r = readerOf(w)
        expect(readPosition(r)).toEqual(where)
        expect(plain(readOutcome(r))).toEqual(plain(one))
        expect(r.done).toBe(true)
      }),
      { seed: SEED, numRuns: RUNS },
    )
    expect(met).toEqual(new Set(Object.values(OUTCOME)))
  })

  test('every message between shards comes back', () => {
    const met = new Set<number>()
    fc.assert(
      fc.property(message, (one) => {
        met.add(one.type)
        const w = guarded()
        writeMessage(w, one)
        const r = readerOf(w)
        expect(plain(readMessage(r))).toEqual(plain(one))
        expect(r.done).toBe(true)
      }),
      { seed: SEED, numRuns: RUNS },
    )
    expect(met).toEqual(new Set(Object.values(MESSAGE)))
  })

  test('texts and numbers come back, alone and absent', () => {
    fc.assert(
      fc.property(fc.array(text), fc.array(fc.option(uint, { nil: null })), (texts, numbers) => {
        const w = guarded()
        w.texts(texts)
        for (const one of texts) w.maybeText(one)
        w.maybeText(null)
        for (const number of numbers) w.maybeVarint(number)
        const r = readerOf(w)
        expect(r.texts()).toEqual(texts)
        for (const one of texts) expect(r.maybeText()).toBe(one)
        expect(r.maybeText()).toBe(null)
        for (const number of numbers) expect(r.maybeVarint()).toBe(number)
        expect(r.done).toBe(true)
      }),
      { seed: SEED, numRuns: RUNS },
    )
  })

  test('a text that begins with a mark of byte order keeps it', () => {
    const w = guarded()
    w.text('\u{feff}ann')
    expect(readerOf(w).text()).toBe('\u{feff}ann')
  })
})

describe('bytes that nobody wrote', () => {
  test.each([
    ['an event longer than its entry', [5, EVENT.ORDERS_FORGOTTEN, 1]],
    ['an event of length nothing', [0]],
    ['an event that ends before its length', [3, EVENT.ORDERS_FORGOTTEN, 1, 1]],
    ['an event of a later version', [2, 99, 1]],
    ['a number without an end', [3, EVENT.ORDERS_FORGOTTEN, 0xff, 0xff]],
    ['a change of a kind that is unknown', [4, EVENT.COUPON_SWITCHED, 0, 0, 9]],
    ['a coupon of a later layout', [4, EVENT.COUPON_CREATED, 0, 0, 3]],
    ['a campaign of a later layout', [4, EVENT.CAMPAIGN_CREATED, 0, 0, 2]],
    ['a job of a kind that is unknown', [3, EVENT.JOB_STARTED, 0, 3]],
    ['an end of a job that is unknown', [4, EVENT.JOB_ENDED, 1, 3, 0]],
  ])('%s stops the reader', (_, bytes) => {
    expect(() => readEvent(new ByteReader(Uint8Array.from(bytes)))).toThrow(
      /INVARIANT|longer|length|unknown|past|newer|not know/,
    )
  })

  test.each([0, 34, 255])('a command of type %i stops the reader', (type) => {
    expect(() => readCommand(new ByteReader(Uint8Array.of(type)))).toThrow(`command type ${type} is unknown`)
  })

  test('a call over several shards that is none of the three with codes stops the reader', () => {
    const bytes = Uint8Array.of(COMMAND.STACK, 2, 0, 3, 0, 9, 0, COMMAND.RELEASE, 1)
    expect(() => readCommand(new ByteReader(bytes))).toThrow('no call has several shards')
  })

  test.each([0, 14, 255])('a message of type %i stops the reader', (type) => {
    const envelope = [type, 0, 0, 0, 0, 0]
    expect(() => readMessage(new ByteReader(Uint8Array.from(envelope)))).toThrow(`message type ${type} is unknown`)
  })
})

function guarded(): ByteWriter {
  const w = new ByteWriter(8)
  w.u8(GUARD)
  return w
}

/** A reader of a copy that lies between guards, in a buffer of its own. */
function readerOf(w: ByteWriter): ByteReader {
  expect(w.buf[0]).toBe(GUARD)
  const copy = new Uint8Array(w.pos + 2).fill(GUARD)
  copy.set(w.view())
  return new ByteReader(copy, 1, w.pos)
}

/** Ranges as the text they hold, wherever it lies. */
function plain(value: unknown): unknown {
  if (value instanceof Bytes) return { text: textOf(value) }
  if (Array.isArray(value)) return value.map(plain)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, plain(field)]))
}
