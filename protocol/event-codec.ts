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
import { isCampaignEvent, readCampaignEvent, writeCampaignEvent } from './campaign-event-codec.ts'
import { readDefinition, writeDefinition } from './coupon.ts'
import {
  CHANGES,
  EVENT,
  type Event,
  type DayTake,
  type ImportedRow,
  RELEASE_CAUSES,
  type Redeemed,
  type Reserved,
  type ReversedStack,
  type Stack,
  type StackedCampaign,
  type StackedCoupon,
  SWITCHES,
  type TxnId,
} from './events.ts'
import { named, readMaybeRange, readNumbers, writeMaybeRange, writeNumbers } from './fields.ts'
import { readKeyEvent, writeKeyEvent } from './key-event-codec.ts'
import { readPrice, writePrice } from './price.ts'

/** The type byte of a tick mark. */
export const TICK = 0

/**
 * Events with coupons on several shards have types of their own, so that those of one shard stay as they were: the same
 * fields, and their `stack` before the price.
 */
const STACK_RESERVED = 21
const STACK_REDEEMED = 26
const STACK_REVERSED = 27

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
  w.u8(typeByte(event))
  if (isCampaignEvent(event)) {
    writeCampaignEvent(w, event)
    return
  }
  switch (event.type) {
    case EVENT.REDEEMED:
      writeRedeemed(w, event)
      return
    case EVENT.COUPON_CREATED:
      w.varint(event.ordinal)
      w.maybeText(event.by)
      writeDefinition(w, event.definition)
      writeImported(w, event.imported)
      return
    case EVENT.COUPON_CHANGED:
      w.varint(event.ordinal)
      w.maybeText(event.by)
      w.u8(CHANGES.indexOf(event.change))
      w.maybeText(event.reason)
      writeDefinition(w, event.definition)
      writeImported(w, event.imported)
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
      writeNumbers(w, event.ordinals)
      w.range(event.user)
      writeMaybeRange(w, event.order)
      w.varint(event.expiresAtMs)
      if (event.stack !== null) writeStack(w, event.stack)
      w.u8(event.price === null ? 0 : 1)
      if (event.price !== null) writePrice(w, event.price)
      writeFarTail(w, event)
      return
    case EVENT.RESERVATION_REPRICED:
      w.varint(event.reservationSeq)
      writeNumbers(w, event.ordinals)
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
      writeNumbers(w, event.ordinals)
      w.range(event.user)
      w.text(event.reason)
      w.u8(event.returnUse ? 1 : 0)
      if (event.stack !== null) {
        w.varint(event.stack.heldSeq)
        writeNumbers(w, event.stack.shards)
      }
      writeTail(w, event.amounts)
      return
    case EVENT.ORDERS_FORGOTTEN:
      w.varint(event.beforeSeq)
      return
    case EVENT.CLOCK_DIFFERED:
      w.varint(event.wallMs)
      w.varint(event.stampedMs)
      return
    case EVENT.BRANCH_PREPARED:
      writeTxn(w, event.txn)
      writeNumbers(w, event.ordinals)
      w.range(event.user)
      writeMaybeRange(w, event.order)
      w.varint(event.reservationTxnSeq)
      writeNumbers(w, event.shards)
      if (event.days === undefined) {
        writeTail(w, event.amounts)
      } else {
        writeNumbers(w, event.amounts)
        for (const { limit, dayStartMs, dayEndMs, count } of event.days) {
          w.varint(limit + 1)
          w.varint(dayStartMs)
          w.varint(dayEndMs)
          w.varint(count)
        }
      }
      return
    case EVENT.BRANCH_ABORTED:
      writeTxn(w, event.txn)
      return
    case EVENT.BRANCH_RESERVED:
      writeTxn(w, event.txn)
      w.varint(event.reservationSeq)
      w.varint(event.expiresAtMs)
      return
    case EVENT.BRANCH_REDEEMED:
      writeTxn(w, event.txn)
      w.varint(event.redemptionSeq)
      writeNumbers(w, event.ordinals)
      w.range(event.user)
      w.range(event.order)
      for (const amount of event.amounts) w.varint(amount)
      return
    case EVENT.BRANCH_RETIMED:
      writeTxn(w, event.txn)
      w.varint(event.expiresAtMs)
      return
    case EVENT.BRANCH_RELEASED:
      writeTxn(w, event.txn)
      w.u8(RELEASE_CAUSES.indexOf(event.cause))
      return
    case EVENT.BRANCH_REVERSED:
      writeTxn(w, event.redemption)
      w.varint(event.heldSeq)
      writeNumbers(w, event.ordinals)
      w.range(event.user)
      w.text(event.reason)
      w.u8(event.returnUse ? 1 : 0)
      writeTail(w, event.amounts)
      return
    case EVENT.MESSAGES_DELIVERED:
      writeNumbers(w, event.seqs)
      for (const shard of event.shards) w.varint(shard)
      return
    case EVENT.KEY_CLAIMED:
    case EVENT.KEY_ANSWERED:
    case EVENT.OPERATION_DONE:
    case EVENT.KEYS_FORGOTTEN:
      writeKeyEvent(w, event)
      return
  }
}

function typeByte(event: Event): number {
  switch (event.type) {
    case EVENT.REDEEMED:
      return event.stack === null ? event.type : STACK_REDEEMED
    case EVENT.RESERVED:
      return event.stack === null ? event.type : STACK_RESERVED
    case EVENT.REDEMPTION_REVERSED:
      return event.stack === null ? event.type : STACK_REVERSED
    default:
      return event.type
  }
}

function writeRedeemed(w: ByteWriter, event: Redeemed): void {
  const several = event.ordinals.length !== 1
  const reserved = event.reservationSeq !== 0
  w.u8((reserved ? REDEEMED_RESERVED : 0) | (event.late ? REDEEMED_LATE : 0) | (several ? REDEEMED_SEVERAL : 0))
  if (reserved) w.varint(event.reservationSeq)
  if (several) writeNumbers(w, event.ordinals)
  else w.varint(event.ordinals[0] as number)
  w.range(event.user)
  w.range(event.order)
  if (event.stack !== null) writeStack(w, event.stack)
  writePrice(w, event.price)
  writeFarTail(w, event)
}

/** Behind the price: the campaigns of a stack that live elsewhere, or the transaction of a day. */
function writeFarTail(w: ByteWriter, { stack, dayTxnSeq }: Reserved | Redeemed): void {
  if (stack === null) {
    if (dayTxnSeq !== undefined) w.varint(dayTxnSeq)
    return
  }
  for (const { place, shard, ordinal, heldSeq } of stack.campaigns ?? []) {
    w.varint(place)
    w.varint(shard)
    w.varint(ordinal)
    w.varint(heldSeq)
  }
}

/** What `writeFarTail` has written, put into the event; nothing where there is nothing. */
function withFarTail<E extends Reserved | Redeemed>(r: ByteReader, end: number, event: E): E {
  if (r.pos >= end) return event
  const { stack } = event
  if (stack === null) return { ...event, dayTxnSeq: r.varint() }
  const campaigns: StackedCampaign[] = []
  while (r.pos < end) {
    campaigns.push({ place: r.varint(), shard: r.varint(), ordinal: r.varint(), heldSeq: r.varint() })
  }
  return { ...event, stack: { ...stack, campaigns } }
}

/** At the end of an event, where older ones have nothing: left out when there is nothing to say. */
function writeTail(w: ByteWriter, numbers: readonly number[]): void {
  if (numbers.length > 0) writeNumbers(w, numbers)
}

function readTail(r: ByteReader, end: number): number[] {
  return r.pos < end ? readNumbers(r) : []
}

function readDaysTaken(r: ByteReader, end: number): { days?: DayTake[] } {
  if (r.pos >= end) return {}
  const days: DayTake[] = []
  while (r.pos < end) {
    days.push({ limit: r.varint() - 1, dayStartMs: r.varint(), dayEndMs: r.varint(), count: r.varint() })
  }
  return { days }
}

function writeImported(w: ByteWriter, row: ImportedRow | null): void {
  if (row !== null) writeNumbers(w, [row.job.shard, row.job.seq, row.line, row.uses])
}

function readImported(r: ByteReader, end: number): ImportedRow | null {
  const [shard = 0, seq = 0, line = 0, uses = 0] = readTail(r, end)
  return seq === 0 ? null : { job: { shard, seq }, line, uses }
}

function writeTxn(w: ByteWriter, { shard, seq }: TxnId): void {
  w.varint(shard)
  w.varint(seq)
}

function readTxn(r: ByteReader): TxnId {
  return { shard: r.varint(), seq: r.varint() }
}

function writeStack(w: ByteWriter, { txnSeq, coupons }: Stack): void {
  w.varint(txnSeq)
  w.varint(coupons.length)
  for (const { shard, ordinal, code, heldSeq } of coupons) {
    w.varint(shard)
    w.varint(ordinal)
    w.text(code)
    w.varint(heldSeq)
  }
}

function readStack(r: ByteReader): Stack {
  const txnSeq = r.varint()
  const count = r.varint()
  const coupons: StackedCoupon[] = []
  for (let i = 0; i < count; i++) {
    coupons.push({ shard: r.varint(), ordinal: r.varint(), code: r.text(), heldSeq: r.varint() })
  }
  return { txnSeq, coupons }
}

function readReversedStack(r: ByteReader): ReversedStack {
  return { heldSeq: r.varint(), shards: readNumbers(r) }
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
  const event = type === TICK ? r.varint() : readBody(r, type, end)
  assert(r.pos === end, `an event of type ${type} has another length than it says`)
  return event
}

function readBody(r: ByteReader, type: number, end: number): Event {
  switch (type) {
    case EVENT.REDEEMED:
      return readRedeemed(r, false, end)
    case STACK_REDEEMED:
      return readRedeemed(r, true, end)
    case EVENT.COUPON_CREATED:
      return {
        type,
        ordinal: r.varint(),
        by: r.maybeText(),
        definition: readDefinition(r),
        imported: readImported(r, end),
      }
    case EVENT.COUPON_CHANGED:
      return {
        type,
        ordinal: r.varint(),
        by: r.maybeText(),
        change: named(CHANGES, r.u8()),
        reason: r.maybeText(),
        definition: readDefinition(r),
        imported: readImported(r, end),
      }
    case EVENT.COUPON_SWITCHED:
      return { type, ordinal: r.varint(), by: r.maybeText(), change: named(SWITCHES, r.u8()) }
    case EVENT.COUPON_WINDOW_PASSED:
      return { type, ordinal: r.varint(), edge: r.u8() === 1 ? 'ENDED' : 'STARTED' }
    case EVENT.RESERVED:
    case STACK_RESERVED: {
      const ordinals = readNumbers(r)
      const user = r.range()
      const order = readMaybeRange(r)
      const expiresAtMs = r.varint()
      const stack = type === STACK_RESERVED ? readStack(r) : null
      const price = r.u8() === 1 ? readPrice(r, stack?.coupons.length ?? ordinals.length) : null
      return withFarTail(r, end, { type: EVENT.RESERVED, ordinals, user, order, expiresAtMs, price, stack })
    }
    case EVENT.RESERVATION_REPRICED: {
      const reservationSeq = r.varint()
      const ordinals = readNumbers(r)
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
    case STACK_REVERSED:
      return {
        type: EVENT.REDEMPTION_REVERSED,
        redemptionSeq: r.varint(),
        ordinals: readNumbers(r),
        user: r.range(),
        reason: r.text(),
        returnUse: r.u8() === 1,
        stack: type === STACK_REVERSED ? readReversedStack(r) : null,
        amounts: readTail(r, end),
      }
    case EVENT.ORDERS_FORGOTTEN:
      return { type, beforeSeq: r.varint() }
    case EVENT.CLOCK_DIFFERED:
      return { type, wallMs: r.varint(), stampedMs: r.varint() }
    case EVENT.BRANCH_PREPARED:
      return {
        type,
        txn: readTxn(r),
        ordinals: readNumbers(r),
        user: r.range(),
        order: readMaybeRange(r),
        reservationTxnSeq: r.varint(),
        shards: readNumbers(r),
        amounts: readTail(r, end),
        ...readDaysTaken(r, end),
      }
    case EVENT.BRANCH_ABORTED:
      return { type, txn: readTxn(r) }
    case EVENT.BRANCH_RESERVED:
      return { type, txn: readTxn(r), reservationSeq: r.varint(), expiresAtMs: r.varint() }
    case EVENT.BRANCH_REDEEMED: {
      const txn = readTxn(r)
      const redemptionSeq = r.varint()
      const ordinals = readNumbers(r)
      const user = r.range()
      const order = r.range()
      return { type, txn, redemptionSeq, ordinals, user, order, amounts: ordinals.map(() => r.varint()) }
    }
    case EVENT.BRANCH_RETIMED:
      return { type, txn: readTxn(r), expiresAtMs: r.varint() }
    case EVENT.BRANCH_RELEASED:
      return { type, txn: readTxn(r), cause: named(RELEASE_CAUSES, r.u8()) }
    case EVENT.BRANCH_REVERSED:
      return {
        type,
        redemption: readTxn(r),
        heldSeq: r.varint(),
        ordinals: readNumbers(r),
        user: r.range(),
        reason: r.text(),
        returnUse: r.u8() === 1,
        amounts: readTail(r, end),
      }
    case EVENT.MESSAGES_DELIVERED: {
      const seqs = readNumbers(r)
      return { type, seqs, shards: seqs.map(() => r.varint()) }
    }
    case EVENT.KEY_CLAIMED:
    case EVENT.KEY_ANSWERED:
    case EVENT.OPERATION_DONE:
    case EVENT.KEYS_FORGOTTEN:
      return readKeyEvent(r, type)
    case EVENT.CAMPAIGN_CREATED:
    case EVENT.CAMPAIGN_CHANGED:
    case EVENT.CAMPAIGN_SWITCHED:
    case EVENT.CAMPAIGN_WINDOW_PASSED:
    case EVENT.JOB_STARTED:
    case EVENT.CODES_MADE:
    case EVENT.JOB_PROGRESSED:
    case EVENT.JOB_ENDED:
    case EVENT.DAY_COUNTED:
    case EVENT.BATCH_WINDOW_PASSED:
      return readCampaignEvent(r, type)
    default:
      assert(false, `event type ${type} is unknown to this program; it was written by a newer one`)
  }
}

function readRedeemed(r: ByteReader, stacked: boolean, end: number): Redeemed {
  const flags = r.u8()
  const reservationSeq = (flags & REDEEMED_RESERVED) !== 0 ? r.varint() : 0
  const ordinals = (flags & REDEEMED_SEVERAL) !== 0 ? readNumbers(r) : [r.varint()]
  const user: Bytes = r.range()
  const order: Bytes = r.range()
  const stack = stacked ? readStack(r) : null
  const price = readPrice(r, stack?.coupons.length ?? ordinals.length)
  const late = (flags & REDEEMED_LATE) !== 0
  return withFarTail(r, end, { type: EVENT.REDEEMED, reservationSeq, late, ordinals, user, order, price, stack })
}

/** Type byte of the event at the reader's place, which stays where it is; TICK for a tick. See `plainType`. */
export function typeAt(r: ByteReader): number {
  const start = r.pos
  r.varint()
  const type = r.u8()
  r.pos = start
  return type
}

/** Steps over the event at the reader's place. */
export function skipEvent(r: ByteReader): void {
  r.skip(r.varint())
}

/** The event's type, of its type byte: events with coupons on several shards have bytes of their own. */
export function plainType(byte: number): number {
  if (byte === STACK_REDEEMED) return EVENT.REDEEMED
  if (byte === STACK_RESERVED) return EVENT.RESERVED
  return byte === STACK_REVERSED ? EVENT.REDEMPTION_REVERSED : byte
}

/**
 * Ordinals of the redemption at the reader's place, for whoever only counts: a fraction of what the whole event costs. They
 * stand in `ordinals` from 0; returns how many. Leaves the reader behind the event.
 */
export function readRedeemedOrdinals(r: ByteReader, ordinals: number[]): number {
  const length = r.varint()
  const end = r.pos + length
  r.skip(1)
  const flags = r.u8()
  if ((flags & REDEEMED_RESERVED) !== 0) r.varint()
  const count = (flags & REDEEMED_SEVERAL) !== 0 ? r.varint() : 1
  for (let i = 0; i < count; i++) ordinals[i] = r.varint()
  r.pos = end
  return count
}
