/**
 * Events as bytes. Every event has its length before it, so that a reader can skip to the n-th one:
 *
 *     ┌────────────┬─────────┬─────────────┐
 *     │ len varint │ type u8 │ fields …    │   len counts type and fields
 *     └────────────┴─────────┴─────────────┘
 *     ┌────────────┬─────────┬─────────────┐
 *     │     len    │    0    │ ms varint   │   a tick: later events of the entry are so much later. No event, no sequence
 *     └────────────┴─────────┴─────────────┘
 *
 * A redemption of one coupon takes 12 bytes beside its user, its order and its amounts.
 * Whoever changes a layout changes docs/formats/events.md and adds a golden log to the tests.
 */
import { assert } from './assert.ts'
import type { Bytes, ByteReader, ByteWriter } from './bytes.ts'
import { readDefinition, writeDefinition } from './coupon.ts'
import { CHANGES, EVENT, type Event, RELEASE_CAUSES, type Redeemed, SWITCHES } from './events.ts'
import { readPrice, writePrice } from './price.ts'

/** The type byte of a tick mark. */
export const TICK = 0

const REDEEMED_RESERVED = 1
const REDEEMED_LATE = 2
const REDEEMED_SEVERAL = 4

/** Room for the length: events of up to 127 bytes take one byte, longer ones are moved up once. */
export function writeEvent(w: ByteWriter, event: Event): void {
  const at = w.pos
  w.u8(0)
  const body = w.pos
  writeBody(w, event)
  closeLength(w, at, body)
}

/** Moves the clock of the events that follow. */
export function writeTick(w: ByteWriter, elapsedMs: number): void {
  const at = w.pos
  w.u8(0)
  const body = w.pos
  w.u8(TICK)
  w.varint(elapsedMs)
  closeLength(w, at, body)
}

function closeLength(w: ByteWriter, at: number, body: number): void {
  const length = w.pos - body
  if (length < 128) {
    w.buf[at] = length
    return
  }
  let extra = 0
  for (let rest = Math.floor(length / 128); rest > 0; rest = Math.floor(rest / 128)) extra++
  w.ensure(extra)
  w.buf.copyWithin(body + extra, body, body + length)
  w.pos = at
  w.varint(length)
  w.pos = body + extra + length
}

function writeBody(w: ByteWriter, event: Event): void {
  w.u8(event.type)
  switch (event.type) {
    case EVENT.REDEEMED:
      writeRedeemed(w, event)
      return
    case EVENT.COUPON_CREATED:
      w.varint(event.ordinal)
      w.maybeText(event.by)
      writeDefinition(w, event.definition)
      return
    case EVENT.COUPON_CHANGED:
      w.varint(event.ordinal)
      w.maybeText(event.by)
      w.u8(CHANGES.indexOf(event.change))
      w.maybeText(event.reason)
      writeDefinition(w, event.definition)
      return
    case EVENT.COUPON_SWITCHED:
      w.varint(event.ordinal)
      w.maybeText(event.by)
      w.u8(SWITCHES.indexOf(event.change))
      return
    case EVENT.COUPON_WINDOW_PASSED:
      w.varint(event.ordinal)
      w.u8(event.edge === 'ENDED' ? 1 : 0)
      return
    case EVENT.RESERVED:
      writeOrdinals(w, event.ordinals)
      w.range(event.user)
      w.u8(event.order === null ? 0 : 1)
      if (event.order !== null) w.range(event.order)
      w.varint(event.expiresAtMs)
      w.u8(event.price === null ? 0 : 1)
      if (event.price !== null) writePrice(w, event.price)
      return
    case EVENT.RESERVATION_REPRICED:
      w.varint(event.reservationSeq)
      writeOrdinals(w, event.ordinals)
      writePrice(w, event.price)
      return
    case EVENT.RESERVATION_RETIMED:
      w.varint(event.reservationSeq)
      w.varint(event.expiresAtMs)
      return
    case EVENT.RESERVATION_RELEASED:
      w.varint(event.reservationSeq)
      w.u8(RELEASE_CAUSES.indexOf(event.cause))
      w.varint(event.expiresAtMs)
      return
    case EVENT.REDEMPTION_REVERSED:
      w.varint(event.redemptionSeq)
      writeOrdinals(w, event.ordinals)
      w.range(event.user)
      w.text(event.reason)
      w.u8(event.returnUse ? 1 : 0)
      return
    case EVENT.ORDERS_FORGOTTEN:
      w.varint(event.beforeSeq)
      return
    case EVENT.CLOCK_DIFFERED:
      w.varint(event.wallMs)
      w.varint(event.stampedMs)
      return
  }
}

function writeRedeemed(w: ByteWriter, event: Redeemed): void {
  const several = event.ordinals.length !== 1
  const reserved = event.reservationSeq !== 0
  w.u8((reserved ? REDEEMED_RESERVED : 0) | (event.late ? REDEEMED_LATE : 0) | (several ? REDEEMED_SEVERAL : 0))
  if (reserved) w.varint(event.reservationSeq)
  if (several) writeOrdinals(w, event.ordinals)
  else w.varint(event.ordinals[0] as number)
  w.range(event.user)
  w.range(event.order)
  writePrice(w, event.price)
}

function writeOrdinals(w: ByteWriter, ordinals: readonly number[]): void {
  w.varint(ordinals.length)
  for (const ordinal of ordinals) w.varint(ordinal)
}

function readOrdinals(r: ByteReader): number[] {
  const count = r.varint()
  const ordinals: number[] = []
  for (let i = 0; i < count; i++) ordinals.push(r.varint())
  return ordinals
}

/**
 * Reads the event at the reader's place, length first, and leaves the reader behind it. A tick comes back as its
 * milliseconds. Ranges in the event point into the reader's buffer.
 */
export function readEvent(r: ByteReader): Event | number {
  const length = r.varint()
  const end = r.pos + length
  assert(end <= r.end && length > 0, 'an event is longer than its entry')
  const type = r.u8()
  const event = type === TICK ? r.varint() : readBody(r, type)
  assert(r.pos === end, `an event of type ${type} has another length than it says`)
  return event
}

function readBody(r: ByteReader, type: number): Event {
  switch (type) {
    case EVENT.REDEEMED:
      return readRedeemed(r)
    case EVENT.COUPON_CREATED:
      return { type, ordinal: r.varint(), by: r.maybeText(), definition: readDefinition(r) }
    case EVENT.COUPON_CHANGED:
      return {
        type,
        ordinal: r.varint(),
        by: r.maybeText(),
        change: named(CHANGES, r.u8()),
        reason: r.maybeText(),
        definition: readDefinition(r),
      }
    case EVENT.COUPON_SWITCHED:
      return { type, ordinal: r.varint(), by: r.maybeText(), change: named(SWITCHES, r.u8()) }
    case EVENT.COUPON_WINDOW_PASSED:
      return { type, ordinal: r.varint(), edge: r.u8() === 1 ? 'ENDED' : 'STARTED' }
    case EVENT.RESERVED: {
      const ordinals = readOrdinals(r)
      const user = r.range()
      const order = r.u8() === 1 ? r.range() : null
      const expiresAtMs = r.varint()
      const price = r.u8() === 1 ? readPrice(r, ordinals.length) : null
      return { type, ordinals, user, order, expiresAtMs, price }
    }
    case EVENT.RESERVATION_REPRICED: {
      const reservationSeq = r.varint()
      const ordinals = readOrdinals(r)
      return { type, reservationSeq, ordinals, price: readPrice(r, ordinals.length) }
    }
    case EVENT.RESERVATION_RETIMED:
      return { type, reservationSeq: r.varint(), expiresAtMs: r.varint() }
    case EVENT.RESERVATION_RELEASED:
      return {
        type,
        reservationSeq: r.varint(),
        cause: named(RELEASE_CAUSES, r.u8()),
        expiresAtMs: r.varint(),
      }
    case EVENT.REDEMPTION_REVERSED:
      return {
        type,
        redemptionSeq: r.varint(),
        ordinals: readOrdinals(r),
        user: r.range(),
        reason: r.text(),
        returnUse: r.u8() === 1,
      }
    case EVENT.ORDERS_FORGOTTEN:
      return { type, beforeSeq: r.varint() }
    case EVENT.CLOCK_DIFFERED:
      return { type, wallMs: r.varint(), stampedMs: r.varint() }
    default:
      assert(false, `event type ${type} is unknown to this program; it was written by a newer one`)
  }
}

function readRedeemed(r: ByteReader): Redeemed {
  const flags = r.u8()
  const reservationSeq = (flags & REDEEMED_RESERVED) !== 0 ? r.varint() : 0
  const ordinals = (flags & REDEEMED_SEVERAL) !== 0 ? readOrdinals(r) : [r.varint()]
  const user: Bytes = r.range()
  const order: Bytes = r.range()
  const price = readPrice(r, ordinals.length)
  return { type: EVENT.REDEEMED, reservationSeq, late: (flags & REDEEMED_LATE) !== 0, ordinals, user, order, price }
}

function named<T>(names: readonly T[], index: number): T {
  const name = names[index]
  assert(name !== undefined, `an event names the unknown kind ${index}`)
  return name
}
