/**
 * Messages between shards as bytes: type, envelope, then fields by place. All shards of a deployment run the same version.
 */
import { assert } from './assert.ts'
import type { ByteReader, ByteWriter } from './bytes.ts'
import { readCart, readRef, writeCart, writeRef } from './command-codec.ts'
import type { CouponRef } from './commands.ts'
import { readDays, writeDays } from './daily-limit.ts'
import { RELEASE_CAUSES } from './events.ts'
import { named, readMaybeRange, readNumbers, writeMaybeRange, writeNumbers } from './fields.ts'
import { type Message, MESSAGE, PREPARE_RESULTS, QUOTE_CHECKS } from './messages.ts'
import { readQuote, writeQuote } from './outcome-codec.ts'
import type { Quote } from './outcomes.ts'

const WITH_USER = 1
const WITH_ORDER = 2
const WAITS = 4

export function writeMessage(w: ByteWriter, message: Message): void {
  w.u8(message.type)
  w.u16(message.from)
  w.u16(message.to)
  w.varint(message.atMs)
  switch (message.type) {
    case MESSAGE.ASK_QUOTES:
      w.varint(message.call)
      w.varint(message.coupons.length)
      for (const coupon of message.coupons) writeRef(w, coupon)
      w.u8(
        (message.user === null ? 0 : WITH_USER) |
          (message.order === null ? 0 : WITH_ORDER) |
          (message.waits ? WAITS : 0),
      )
      w.u8(QUOTE_CHECKS.indexOf(message.checks))
      if (message.user !== null) w.range(message.user)
      if (message.order !== null) w.range(message.order)
      writeCart(w, message.cart)
      writeNumbers(w, message.before)
      writeDays(w, message.days)
      return
    case MESSAGE.QUOTED:
      w.varint(message.call)
      w.varint(message.seq)
      w.varint(message.quotes.length)
      for (const quote of message.quotes) writeQuote(w, quote)
      return
    case MESSAGE.PREPARE:
      w.varint(message.call)
      w.varint(message.txnSeq)
      w.varint(message.quotedSeq)
      w.varint(message.reservationTxnSeq)
      w.u8(message.late ? 1 : 0)
      writeNumbers(w, message.ordinals)
      writeNumbers(w, message.versions)
      writeNumbers(w, message.amounts)
      w.range(message.user)
      writeMaybeRange(w, message.order)
      writeDays(w, message.days)
      return
    case MESSAGE.PREPARED:
      w.varint(message.call)
      w.varint(message.txnSeq)
      w.u8(PREPARE_RESULTS.indexOf(message.result))
      w.varint(message.heldSeq)
      return
    case MESSAGE.COMMIT_RESERVED:
    case MESSAGE.RETIME:
      w.varint(message.eventSeq)
      w.varint(message.txnSeq)
      w.varint(message.expiresAtMs)
      return
    case MESSAGE.COMMIT_REDEEMED:
      w.varint(message.eventSeq)
      w.varint(message.txnSeq)
      writeNumbers(w, message.ordinals)
      w.range(message.user)
      w.range(message.order)
      writeNumbers(w, message.amounts)
      return
    case MESSAGE.ABORT:
      w.varint(message.eventSeq)
      w.varint(message.txnSeq)
      return
    case MESSAGE.RELEASE:
      w.varint(message.eventSeq)
      w.varint(message.txnSeq)
      w.u8(RELEASE_CAUSES.indexOf(message.cause))
      return
    case MESSAGE.REVERSE:
      w.varint(message.eventSeq)
      w.varint(message.txnSeq)
      w.varint(message.redemptionSeq)
      w.varint(message.heldSeq)
      writeNumbers(w, message.ordinals)
      w.range(message.user)
      w.text(message.reason)
      w.u8(message.returnUse ? 1 : 0)
      writeNumbers(w, message.amounts)
      return
    case MESSAGE.DELIVERED:
      w.varint(message.eventSeq)
      return
    case MESSAGE.IN_DOUBT:
      w.varint(message.txnSeq)
      return
    case MESSAGE.ENDING:
      w.varint(message.txnSeq)
      w.varint(message.endsAtMs)
      return
  }
}

/** Ranges in the message point into the reader's buffer. */
export function readMessage(r: ByteReader): Message {
  const type = r.u8()
  const from = r.u16()
  const to = r.u16()
  const atMs = r.varint()
  switch (type) {
    case MESSAGE.ASK_QUOTES: {
      const call = r.varint()
      const coupons: CouponRef[] = []
      for (let left = r.varint(); left > 0; left--) coupons.push(readRef(r))
      const flags = r.u8()
      const checks = named(QUOTE_CHECKS, r.u8())
      const user = (flags & WITH_USER) !== 0 ? r.range() : null
      const order = (flags & WITH_ORDER) !== 0 ? r.range() : null
      const cart = readCart(r)
      const waits = (flags & WAITS) !== 0
      const before = readNumbers(r)
      return { from, to, atMs, type, call, coupons, user, order, cart, checks, waits, before, days: readDays(r) }
    }
    case MESSAGE.QUOTED: {
      const call = r.varint()
      const seq = r.varint()
      const quotes: Quote[] = []
      for (let left = r.varint(); left > 0; left--) quotes.push(readQuote(r))
      return { from, to, atMs, type, call, seq, quotes }
    }
    case MESSAGE.PREPARE:
      return {
        from,
        to,
        atMs,
        type,
        call: r.varint(),
        txnSeq: r.varint(),
        quotedSeq: r.varint(),
        reservationTxnSeq: r.varint(),
        late: r.u8() === 1,
        ordinals: readNumbers(r),
        versions: readNumbers(r),
        amounts: readNumbers(r),
        user: r.range(),
        order: readMaybeRange(r),
        days: readDays(r),
      }
    case MESSAGE.PREPARED:
      return {
        from,
        to,
        atMs,
        type,
        call: r.varint(),
        txnSeq: r.varint(),
        result: named(PREPARE_RESULTS, r.u8()),
        heldSeq: r.varint(),
      }
    case MESSAGE.COMMIT_RESERVED:
    case MESSAGE.RETIME:
      return { from, to, atMs, type, eventSeq: r.varint(), txnSeq: r.varint(), expiresAtMs: r.varint() }
    case MESSAGE.COMMIT_REDEEMED:
      return {
        from,
        to,
        atMs,
        type,
        eventSeq: r.varint(),
        txnSeq: r.varint(),
        ordinals: readNumbers(r),
        user: r.range(),
        order: r.range(),
        amounts: readNumbers(r),
      }
    case MESSAGE.ABORT:
      return { from, to, atMs, type, eventSeq: r.varint(), txnSeq: r.varint() }
    case MESSAGE.RELEASE:
      return { from, to, atMs, type, eventSeq: r.varint(), txnSeq: r.varint(), cause: named(RELEASE_CAUSES, r.u8()) }
    case MESSAGE.REVERSE:
      return {
        from,
        to,
        atMs,
        type,
        eventSeq: r.varint(),
        txnSeq: r.varint(),
        redemptionSeq: r.varint(),
        heldSeq: r.varint(),
        ordinals: readNumbers(r),
        user: r.range(),
        reason: r.text(),
        returnUse: r.u8() === 1,
        amounts: readNumbers(r),
      }
    case MESSAGE.DELIVERED:
      return { from, to, atMs, type, eventSeq: r.varint() }
    case MESSAGE.IN_DOUBT:
      return { from, to, atMs, type, txnSeq: r.varint() }
    case MESSAGE.ENDING:
      return { from, to, atMs, type, txnSeq: r.varint(), endsAtMs: r.varint() }
    default:
      assert(false, `message type ${type} is unknown`)
  }
}
