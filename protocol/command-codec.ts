/**
 * Commands as bytes, for every transport. The first byte is the type; the rest is positional.
 * Gateways and owners of one deployment run the same version, so this format carries no version of its own.
 */
import { assert } from './assert.ts'
import type { ByteReader, Bytes, ByteWriter } from './bytes.ts'
import {
  type ChangeCoupon,
  type CheckoutCommand,
  COMMAND,
  type Command,
  type CouponRef,
  type RedeemColumns,
  type StackCommand,
} from './commands.ts'
import { readCampaignCommand, writeCampaignCommand } from './campaign-command-codec.ts'
import { readDefinition, writeDefinition } from './coupon.ts'
import { CHANGES, SWITCHES } from './events.ts'
import { readRecordedAnswer, writeRecordedAnswer } from './recorded-answer.ts'
import { type Cart, type CartLine, cartOfTotal } from '../engine/domain/cart.ts'

const NO_CART = 0
const CART = 1
/** A cart that stands for a bare total: one line, no product. */
const TOTAL = 2

export function writeCommand(w: ByteWriter, command: Command<string | Bytes>): void {
  w.u8(command.type)
  switch (command.type) {
    case COMMAND.VALIDATE:
    case COMMAND.RESERVE:
    case COMMAND.REDEEM:
      writeCheckout(w, command)
      return
    case COMMAND.STACK:
      for (const shard of [command.shards.length, ...command.shards]) w.u16(shard)
      w.u8(command.call.type)
      writeCheckout(w, command.call)
      return
    case COMMAND.REDEEM_COLUMNS:
      writeRef(w, command.coupon)
      w.u16(command.currency)
      w.varint(command.count)
      w.u8(command.oneTotal ? 1 : 0)
      w.range(command.users)
      w.range(command.orders)
      w.range(command.totals)
      return
    case COMMAND.REDEEM_RESERVATION:
      w.varint(command.reservationSeq)
      writeText(w, command.order)
      writeCart(w, command.cart)
      w.u8(command.allowLate ? 1 : 0)
      return
    case COMMAND.RELEASE:
      w.varint(command.reservationSeq)
      return
    case COMMAND.EXTEND_RESERVATION:
      w.varint(command.reservationSeq)
      w.varint(command.ttlSeconds)
      return
    case COMMAND.REVERSE:
      w.varint(command.redemptionSeq)
      w.text(command.reason)
      w.u8(command.returnUse ? 1 : 0)
      return
    case COMMAND.GET_COUPON:
      writeRef(w, command.coupon)
      return
    case COMMAND.GET_RESERVATION:
    case COMMAND.GET_REDEMPTION:
      w.varint(command.seq)
      return
    case COMMAND.CREATE_COUPON:
      w.maybeText(command.by)
      writeDefinition(w, command.definition)
      return
    case COMMAND.CHANGE_COUPON:
      writeRef(w, command.coupon)
      w.maybeText(command.by)
      w.u8(CHANGES.indexOf(command.change))
      w.maybeText(command.reason)
      w.varint(command.ifVersion)
      w.u8(command.definition === null ? 0 : 1)
      if (command.definition !== null) writeDefinition(w, command.definition)
      w.varint(command.validUntilMs)
      w.u8(command.override ? 1 : 0)
      return
    case COMMAND.SWITCH_COUPON:
      writeRef(w, command.coupon)
      w.maybeText(command.by)
      w.u8(SWITCHES.indexOf(command.change))
      return
    case COMMAND.DESCRIBE_SHARD:
      return
    case COMMAND.CLAIM:
      w.varint(command.index)
      writeText(w, command.user)
      return
    case COMMAND.GET_CAMPAIGN:
    case COMMAND.CREATE_CAMPAIGN:
    case COMMAND.CHANGE_CAMPAIGN:
    case COMMAND.SWITCH_CAMPAIGN:
    case COMMAND.START_JOB:
    case COMMAND.GET_JOB:
    case COMMAND.PROGRESS_JOB:
    case COMMAND.END_JOB:
    case COMMAND.LIST_CODES:
    case COMMAND.LIST_JOBS:
    case COMMAND.PUT_COUPON:
      writeCampaignCommand(w, command)
      return
    case COMMAND.CLAIM_KEY:
      w.maybeText(command.scope)
      w.text(command.key)
      w.range(command.digest)
      w.range(command.operation)
      return
    case COMMAND.ANSWER_KEY:
      w.maybeText(command.scope)
      w.text(command.key)
      w.varint(command.claimSeq)
      w.u8(command.answer === null ? 0 : 1)
      if (command.answer !== null) writeRecordedAnswer(w, command.answer)
      return
    case COMMAND.LET_GO_KEY:
      w.varint(command.claimSeq)
      return
    case COMMAND.KEYED:
      w.range(command.operation)
      writeCommand(w, command.inner)
      return
  }
}

/** What stands before the bytes of a command to make it a keyed one. */
export function writeKeyedHead(w: ByteWriter, operation: Bytes): void {
  w.u8(COMMAND.KEYED)
  w.range(operation)
}

export function readCommand(r: ByteReader): Command {
  const type = r.u8()
  switch (type) {
    case COMMAND.VALIDATE:
    case COMMAND.RESERVE:
    case COMMAND.REDEEM:
      return readCheckout(r, type)
    case COMMAND.STACK:
      return readStack(r)
    case COMMAND.REDEEM_COLUMNS:
      return readColumns(r)
    case COMMAND.REDEEM_RESERVATION:
      return { type, reservationSeq: r.varint(), order: r.range(), cart: readCart(r), allowLate: r.u8() === 1 }
    case COMMAND.RELEASE:
      return { type, reservationSeq: r.varint() }
    case COMMAND.EXTEND_RESERVATION:
      return { type, reservationSeq: r.varint(), ttlSeconds: r.varint() }
    case COMMAND.REVERSE:
      return { type, redemptionSeq: r.varint(), reason: r.text(), returnUse: r.u8() === 1 }
    case COMMAND.GET_COUPON:
      return { type, coupon: readRef(r) }
    case COMMAND.GET_RESERVATION:
    case COMMAND.GET_REDEMPTION:
      return { type, seq: r.varint() }
    case COMMAND.CREATE_COUPON:
      return { type, by: r.maybeText(), definition: readDefinition(r) }
    case COMMAND.CHANGE_COUPON:
      return readChange(r)
    case COMMAND.SWITCH_COUPON: {
      const coupon = readRef(r)
      const by = r.maybeText()
      const change = SWITCHES[r.u8()]
      assert(change !== undefined, 'unknown switch')
      return { type, coupon, by, change }
    }
    case COMMAND.DESCRIBE_SHARD:
      return { type }
    case COMMAND.CLAIM:
      return { type, index: r.varint(), user: r.range() }
    case COMMAND.GET_CAMPAIGN:
    case COMMAND.CREATE_CAMPAIGN:
    case COMMAND.CHANGE_CAMPAIGN:
    case COMMAND.SWITCH_CAMPAIGN:
    case COMMAND.START_JOB:
    case COMMAND.GET_JOB:
    case COMMAND.PROGRESS_JOB:
    case COMMAND.END_JOB:
    case COMMAND.LIST_CODES:
    case COMMAND.LIST_JOBS:
    case COMMAND.PUT_COUPON:
      return readCampaignCommand(r, type)
    case COMMAND.CLAIM_KEY:
      return { type, scope: r.maybeText(), key: r.text(), digest: r.range(), operation: r.range() }
    case COMMAND.ANSWER_KEY:
      return {
        type,
        scope: r.maybeText(),
        key: r.text(),
        claimSeq: r.varint(),
        answer: r.u8() === 1 ? readRecordedAnswer(r) : null,
      }
    case COMMAND.LET_GO_KEY:
      return { type, claimSeq: r.varint() }
    case COMMAND.KEYED:
      return { type, operation: r.range(), inner: readCommand(r) }
    default:
      assert(false, `command type ${type} is unknown`)
  }
}

function writeCheckout(w: ByteWriter, command: CheckoutCommand<string | Bytes>): void {
  w.u8(command.coupons.length)
  for (const coupon of command.coupons) writeRef(w, coupon)
  w.u8((command.user === null ? 0 : 1) | (command.order === null ? 0 : 2))
  if (command.user !== null) writeText(w, command.user)
  if (command.order !== null) writeText(w, command.order)
  writeCart(w, command.cart)
  w.varint(command.ttlSeconds)
}

function readStack(r: ByteReader): StackCommand {
  const count = r.u16()
  const shards: number[] = []
  for (let i = 0; i < count; i++) shards.push(r.u16())
  const type = r.u8()
  assert(type === COMMAND.VALIDATE || type === COMMAND.RESERVE || type === COMMAND.REDEEM, 'no call has several shards')
  return { type: COMMAND.STACK, shards, call: readCheckout(r, type) }
}

function readCheckout(r: ByteReader, type: CheckoutCommand['type']): CheckoutCommand {
  const count = r.u8()
  const coupons: CouponRef[] = []
  for (let i = 0; i < count; i++) coupons.push(readRef(r))
  const flags = r.u8()
  const user = (flags & 1) !== 0 ? r.range() : null
  const order = (flags & 2) !== 0 ? r.range() : null
  const cart = readCart(r)
  return { type, coupons, user, order, cart, ttlSeconds: r.varint() }
}

function readColumns(r: ByteReader): RedeemColumns {
  return {
    type: COMMAND.REDEEM_COLUMNS,
    coupon: readRef(r),
    currency: r.u16(),
    count: r.varint(),
    oneTotal: r.u8() === 1,
    users: r.range(),
    orders: r.range(),
    totals: r.range(),
  }
}

function readChange(r: ByteReader): ChangeCoupon {
  const coupon = readRef(r)
  const by = r.maybeText()
  const change = CHANGES[r.u8()]
  assert(change !== undefined, 'unknown change')
  return {
    type: COMMAND.CHANGE_COUPON,
    coupon,
    by,
    change,
    reason: r.maybeText(),
    ifVersion: r.varint(),
    definition: r.u8() === 1 ? readDefinition(r) : null,
    validUntilMs: r.varint(),
    override: r.u8() === 1,
  }
}

function writeText(w: ByteWriter, text: string | Bytes): void {
  if (typeof text === 'string') w.text(text)
  else w.range(text)
}

/** 0 and an ordinal + 1, or the code's length and its letters; two times 0 is a code without letters. */
export function writeRef(w: ByteWriter, ref: CouponRef<string | Bytes>): void {
  if (ref.code === null) {
    w.u8(0)
    w.varint(ref.ordinal + 1)
    return
  }
  const start = w.pos
  writeText(w, ref.code)
  // A code that a client left empty: no coupon has it, and it must not be read as an ordinal, nor what follows it.
  if (w.pos === start + 1) w.u8(0)
}

export function readRef(r: ByteReader): CouponRef {
  const code = r.range()
  if (code.end > code.start) return { code, ordinal: -1 }
  const ordinal = r.varint() - 1
  return ordinal < 0 ? { code, ordinal: -1 } : { code: null, ordinal }
}

export function writeCart(w: ByteWriter, cart: Cart | null): void {
  if (cart === null) {
    w.u8(NO_CART)
    return
  }
  const only = cart.lines.length === 1 ? cart.lines[0] : undefined
  if (only !== undefined && only.productId === null && only.quantity === 1 && isBareTotal(cart, only)) {
    w.u8(TOTAL)
    w.text(cart.currency)
    w.varint(only.unitPriceMinor)
    return
  }
  w.u8(CART)
  w.text(cart.currency)
  w.varint(cart.shippingMinor)
  w.maybeText(cart.channel)
  w.varint(cart.lines.length)
  for (const line of cart.lines) writeLine(w, line)
}

function isBareTotal(cart: Cart, line: CartLine): boolean {
  return line.lineId === '0' && line.categoryIds.length === 0 && cart.shippingMinor === 0 && cart.channel === null
}

function writeLine(w: ByteWriter, line: CartLine): void {
  w.text(line.lineId)
  w.maybeText(line.productId)
  w.texts(line.categoryIds)
  w.varint(line.quantity)
  w.varint(line.unitPriceMinor)
}

export function readCart(r: ByteReader): Cart | null {
  const form = r.u8()
  if (form === NO_CART) return null
  const currency = r.text()
  if (form === TOTAL) return cartOfTotal(r.varint(), currency)
  const shippingMinor = r.varint()
  const channel = r.maybeText()
  const count = r.varint()
  const lines: CartLine[] = []
  for (let i = 0; i < count; i++) {
    lines.push({
      lineId: r.text(),
      productId: r.maybeText(),
      categoryIds: r.texts(),
      quantity: r.varint(),
      unitPriceMinor: r.varint(),
    })
  }
  return { currency, lines, shippingMinor, channel }
}
