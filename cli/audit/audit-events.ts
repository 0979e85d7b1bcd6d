/**
 * Decodes events, as docs/formats/events.md describes them, into what the audit judges. Descriptive fields (offer, reasons,
 * names) are read over: they decide nothing about who got how many.
 *
 *     entry   │len varint│type u8│fields …│len│type│fields …│        type 0 is no event: it moves the time on
 */
import { AuditCursor, AuditFault } from './audit-cursor.ts'

/** What of a coupon's definition says who may have it, how often and when. */
export interface CouponTerms {
  readonly code: string
  readonly userId: string | null
  readonly maxUses: number | null
  readonly maxUsesPerUser: number | null
  readonly validFromMs: number | null
  readonly validUntilMs: number | null
}

export interface PriceRead {
  readonly subtotalMinor: number
  readonly shippingMinor: number
  /** One for each coupon. */
  readonly amounts: readonly number[]
}

export type AuditEvent =
  | { readonly kind: 'created'; readonly coupon: number; readonly terms: CouponTerms }
  | { readonly kind: 'changed'; readonly coupon: number; readonly terms: CouponTerms }
  | { readonly kind: 'switched'; readonly coupon: number; readonly isEnabled: boolean }
  | { readonly kind: 'windowPassed'; readonly coupon: number }
  | {
      readonly kind: 'reserved'
      readonly coupons: readonly number[]
      readonly userId: string
      readonly orderId: string | null
      readonly expiresAtMs: number
      readonly price: PriceRead | null
    }
  | {
      readonly kind: 'repriced'
      readonly reservation: number
      readonly coupons: readonly number[]
      readonly price: PriceRead
    }
  | { readonly kind: 'retimed'; readonly reservation: number; readonly expiresAtMs: number }
  | { readonly kind: 'released'; readonly reservation: number; readonly isOverdue: boolean }
  | {
      readonly kind: 'redeemed'
      /** 0: without a reservation. */
      readonly reservation: number
      readonly isLate: boolean
      readonly coupons: readonly number[]
      readonly userId: string
      readonly orderId: string
      readonly price: PriceRead
    }
  | {
      readonly kind: 'reversed'
      readonly redemption: number
      readonly coupons: readonly number[]
      readonly userId: string
      readonly givesUseBack: boolean
    }
  | { readonly kind: 'forgotten'; readonly beforeSeq: number }
  | { readonly kind: 'clockDiffered' }

const TIME_MOVED_ON = 0
const DEFINITION_LAYOUT = 1
const SWITCH_KINDS_MAX = 2
const RELEASED_AS_OVERDUE = 1
const RELEASE_KINDS_MAX = 2

/** The events of an entry in `bytes[start, end)`, each with its time. Throws AuditFault. */
export function* eventsOf(
  bytes: Uint8Array,
  start: number,
  end: number,
  timeMs: number,
): Generator<{ readonly event: AuditEvent; readonly atMs: number }, void, void> {
  const cursor = new AuditCursor(bytes, start, end)
  let atMs = timeMs
  while (!cursor.isAtEnd) {
    const part = cursor.part(cursor.varint())
    const type = part.byte()
    if (type === TIME_MOVED_ON) atMs += part.varint()
    else yield { event: decode(type, part), atMs }
    if (!part.isAtEnd) throw new AuditFault(`an event of type ${type} is longer than its fields`)
  }
}

function decode(type: number, from: AuditCursor): AuditEvent {
  switch (type) {
    case 1: {
      const coupon = from.varint()
      from.textOrNone()
      return { kind: 'created', coupon, terms: termsIn(from) }
    }
    case 2: {
      const coupon = from.varint()
      from.textOrNone()
      from.byte()
      from.textOrNone()
      return { kind: 'changed', coupon, terms: termsIn(from) }
    }
    case 3: {
      const coupon = from.varint()
      from.textOrNone()
      return { kind: 'switched', coupon, isEnabled: kindIn(from, SWITCH_KINDS_MAX) === 0 }
    }
    case 4: {
      const coupon = from.varint()
      from.isSaid()
      return { kind: 'windowPassed', coupon }
    }
    case 5:
      return reservedIn(from)
    case 6: {
      const reservation = from.varint()
      const coupons = couponsIn(from)
      return { kind: 'repriced', reservation, coupons, price: priceIn(from, coupons.length) }
    }
    case 7:
      return { kind: 'retimed', reservation: from.varint(), expiresAtMs: from.varint() }
    case 8: {
      const reservation = from.varint()
      const isOverdue = kindIn(from, RELEASE_KINDS_MAX) === RELEASED_AS_OVERDUE
      from.varint()
      return { kind: 'released', reservation, isOverdue }
    }
    case 9:
      return redeemedIn(from)
    case 10: {
      const redemption = from.varint()
      const coupons = couponsIn(from)
      const userId = from.text()
      from.text()
      return { kind: 'reversed', redemption, coupons, userId, givesUseBack: from.isSaid() }
    }
    case 11:
      return { kind: 'forgotten', beforeSeq: from.varint() }
    case 12:
      from.varint()
      from.varint()
      return { kind: 'clockDiffered' }
    default:
      throw new AuditFault(`there is no event of type ${type}; was the log written by a later version?`)
  }
}

function reservedIn(from: AuditCursor): AuditEvent {
  const coupons = couponsIn(from)
  const userId = from.text()
  const orderId = from.isSaid() ? from.text() : null
  const expiresAtMs = from.varint()
  const price = from.isSaid() ? priceIn(from, coupons.length) : null
  return { kind: 'reserved', coupons, userId, orderId, expiresAtMs, price }
}

/** Flags: 1 there was a reservation, 2 it had run out, 4 several coupons. */
function redeemedIn(from: AuditCursor): AuditEvent {
  const flags = from.byte()
  if (flags > 7) throw new AuditFault(`a redemption has the flags ${flags}`)
  const reservation = flags % 2 === 1 ? from.varint() : 0
  const isLate = Math.floor(flags / 2) % 2 === 1
  const coupons = flags >= 4 ? couponsIn(from) : [from.varint()]
  const userId = from.text()
  const orderId = from.text()
  return { kind: 'redeemed', reservation, isLate, coupons, userId, orderId, price: priceIn(from, coupons.length) }
}

function couponsIn(from: AuditCursor): number[] {
  return from.list(() => from.varint())
}

/** Flags: 1 there is shipping, 2 there are lines. Amounts that do not add up are a fault. */
function priceIn(from: AuditCursor, coupons: number): PriceRead {
  const flags = from.byte()
  if (flags > 3) throw new AuditFault(`a price has the flags ${flags}`)
  from.short()
  const subtotalMinor = from.varint()
  const amounts = Array.from({ length: coupons }, () => from.varint())
  const isShipped = flags % 2 === 1
  const shippingMinor = isShipped ? from.varint() : 0
  const shippingDiscountMinor = isShipped ? from.varint() : 0
  if (flags >= 2) linesIn(from, coupons, subtotalMinor, sum(amounts) - shippingDiscountMinor)
  if (shippingDiscountMinor > shippingMinor || sum(amounts) - shippingDiscountMinor > subtotalMinor) {
    throw new AuditFault('a discount is larger than what it is taken from')
  }
  return { subtotalMinor, shippingMinor, amounts }
}

function linesIn(from: AuditCursor, coupons: number, subtotalMinor: number, discountMinor: number): void {
  let lineTotal = 0
  let discountTotal = 0
  from.list(() => {
    from.text()
    const amount = from.varint()
    const discount = sum(Array.from({ length: coupons }, () => from.varint()))
    if (discount > amount) throw new AuditFault('a line of a cart got more discount than it costs')
    lineTotal += amount
    discountTotal += discount
  })
  if (lineTotal !== subtotalMinor || discountTotal !== discountMinor) {
    throw new AuditFault('the lines of a cart do not add up to its sums')
  }
}

function termsIn(from: AuditCursor): CouponTerms {
  const layout = from.byte()
  if (layout !== DEFINITION_LAYOUT)
    throw new AuditFault(`a coupon has the layout ${layout}; was it written by a later version?`)
  const code = from.text()
  skipOffer(from)
  from.textOrNone()
  const userId = from.textOrNone()
  from.textOrNone()
  from.textOrNone()
  from.isSaid()
  return {
    code,
    userId,
    maxUses: from.varintOrNone(),
    maxUsesPerUser: from.varintOrNone(),
    validFromMs: from.varintOrNone(),
    validUntilMs: from.varintOrNone(),
  }
}

function skipOffer(from: AuditCursor): void {
  for (let i = 0; i < 4; i++) from.byte()
  for (let i = 0; i < 2; i++) from.varint()
  from.textOrNone()
  for (let i = 0; i < 4; i++) from.varint()
  for (let i = 0; i < 4; i++) from.list(() => from.text())
  if (from.isSaid()) from.list(() => from.text())
  from.isSaid()
  from.varint()
}

function kindIn(from: AuditCursor, max: number): number {
  const kind = from.byte()
  if (kind > max) throw new AuditFault(`an event names the unknown kind ${kind}`)
  return kind
}

function sum(amounts: readonly number[]): number {
  return amounts.reduce((total, amount) => total + amount, 0)
}
