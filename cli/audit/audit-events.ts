/**
 * Decodes events, as docs/formats/events.md describes them, into what the audit judges. Reasons and names are read over: they
 * decide nothing about who got how many.
 *
 *     entry   │len varint│type u8│fields …│len│type│fields …│        type 0 is no event: it moves the time on
 */
import {
  type BranchEvent,
  branchEventIn,
  type ReversedStackRead,
  reversedStackIn,
  type StackRead,
  stackIn,
  tailIn,
  withCampaignsIn,
} from './audit-branch-events.ts'
import { type CampaignEventRead, campaignEventIn } from './audit-campaign-events.ts'
import { AuditCursor, AuditFault } from './audit-cursor.ts'
import { type CouponTerms, termsIn } from './audit-terms.ts'

export interface PriceRead {
  readonly subtotalMinor: number
  readonly shippingMinor: number
  /** One for each coupon, those of other shards too. */
  readonly amounts: readonly number[]
}

export type AuditEvent =
  | {
      readonly kind: 'created'
      readonly coupon: number
      readonly terms: CouponTerms
      /** That another system had counted before. */
      readonly uses: number
    }
  | { readonly kind: 'changed'; readonly coupon: number; readonly terms: CouponTerms; readonly isPatched: boolean }
  | { readonly kind: 'switched'; readonly coupon: number; readonly isEnabled: boolean }
  | { readonly kind: 'windowPassed'; readonly coupon: number }
  | {
      readonly kind: 'reserved'
      readonly coupons: readonly number[]
      readonly userId: string
      readonly orderId: string | null
      readonly expiresAtMs: number
      readonly price: PriceRead | null
      /** null: all its coupons live here. */
      readonly stack: StackRead | null
      /** The transaction that it ends, though all its coupons live here: another shard has counted a day. 0: none. */
      readonly dayTransaction: number
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
      readonly stack: StackRead | null
      readonly dayTransaction: number
    }
  | {
      readonly kind: 'reversed'
      readonly redemption: number
      readonly coupons: readonly number[]
      readonly userId: string
      readonly givesUseBack: boolean
      /** What each of the coupons goes back with to a budget; empty: nothing. */
      readonly amounts: readonly number[]
      readonly stack: ReversedStackRead | null
    }
  | BranchEvent
  | CampaignEventRead
  | { readonly kind: 'forgotten'; readonly beforeSeq: number }
  | { readonly kind: 'clockDiffered' }
  /** A call with a key, its answer, or the end of remembering these: nothing that a coupon's books hold. */
  | { readonly kind: 'aboutKeys' }
  /** What stands before it was done for a call with a key; the name in hexadecimal digits. */
  | { readonly kind: 'operation'; readonly name: string }

const TIME_MOVED_ON = 0
const IMPORT_NUMBERS = 4
const CHANGES_MAX = 2
const SWITCH_KINDS_MAX = 2
const RELEASED_AS_OVERDUE = 1
const RELEASE_KINDS_MAX = 2
const DONE_KINDS_MAX = 5

/** Over several shards these events have types of their own. */
const SEVERAL_SHARDS = { RESERVED: 21, REDEEMED: 26, REVERSED: 27 } as const

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
      const terms = termsIn(from)
      return { kind: 'created', coupon, terms, uses: importedIn(from) }
    }
    case 2: {
      const coupon = from.varint()
      from.textOrNone()
      const isPatched = kindIn(from, CHANGES_MAX) === 0
      from.textOrNone()
      const terms = termsIn(from)
      importedIn(from)
      return { kind: 'changed', coupon, terms, isPatched }
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
      return reservedIn(from, false)
    case SEVERAL_SHARDS.RESERVED:
      return reservedIn(from, true)
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
      return redeemedIn(from, false)
    case SEVERAL_SHARDS.REDEEMED:
      return redeemedIn(from, true)
    case 10:
      return reversedIn(from, false)
    case SEVERAL_SHARDS.REVERSED:
      return reversedIn(from, true)
    case 11:
      return { kind: 'forgotten', beforeSeq: from.varint() }
    case 12:
      from.varint()
      from.varint()
      return { kind: 'clockDiffered' }
    case 22:
      from.textOrNone()
      from.text()
      from.part(from.varint())
      operationIn(from)
      return { kind: 'aboutKeys' }
    case 23:
      from.textOrNone()
      from.text()
      from.varint()
      if (from.isSaid()) skipAnswer(from)
      return { kind: 'aboutKeys' }
    case 24: {
      const name = operationIn(from)
      kindIn(from, DONE_KINDS_MAX)
      from.varint()
      from.isSaid()
      return { kind: 'operation', name }
    }
    case 25:
      from.varint()
      return { kind: 'aboutKeys' }
    default: {
      const event = branchEventIn(type, from) ?? campaignEventIn(type, from)
      if (event !== null) return event
      throw new AuditFault(`there is no event of type ${type}; was the log written by a later version?`)
    }
  }
}

function operationIn(from: AuditCursor): string {
  const part = from.part(from.varint())
  let name = ''
  while (!part.isAtEnd) name += part.byte().toString(16).padStart(2, '0')
  return name
}

/** Status, body, position, location, etag, and when to come back. */
function skipAnswer(from: AuditCursor): void {
  from.short()
  for (let i = 0; i < 4; i++) from.text()
  from.varint()
}

function reservedIn(from: AuditCursor, isStacked: boolean): AuditEvent {
  const coupons = couponsIn(from)
  const userId = from.text()
  const orderId = from.isSaid() ? from.text() : null
  const expiresAtMs = from.varint()
  const stack = isStacked ? stackIn(from) : null
  const price = from.isSaid() ? priceIn(from, stack?.coupons.length ?? coupons.length) : null
  return { kind: 'reserved', coupons, userId, orderId, expiresAtMs, price, ...farTailIn(from, stack) }
}

/** Flags: 1 there was a reservation, 2 it had run out, 4 several coupons. */
function redeemedIn(from: AuditCursor, isStacked: boolean): AuditEvent {
  const flags = from.byte()
  if (flags > 7) throw new AuditFault(`a redemption has the flags ${flags}`)
  const reservation = flags % 2 === 1 ? from.varint() : 0
  const isLate = Math.floor(flags / 2) % 2 === 1
  const coupons = flags >= 4 ? couponsIn(from) : [from.varint()]
  const userId = from.text()
  const orderId = from.text()
  const stack = isStacked ? stackIn(from) : null
  const price = priceIn(from, stack?.coupons.length ?? coupons.length)
  return { kind: 'redeemed', reservation, isLate, coupons, userId, orderId, price, ...farTailIn(from, stack) }
}

/** What may stand behind the price. */
function farTailIn(
  from: AuditCursor,
  stack: StackRead | null,
): { readonly stack: StackRead | null; readonly dayTransaction: number } {
  if (stack !== null) return { stack: withCampaignsIn(from, stack), dayTransaction: 0 }
  return { stack, dayTransaction: from.isAtEnd ? 0 : from.varint() }
}

/** Uses that the row of an import brought; nothing stands there where a call made the coupon. */
function importedIn(from: AuditCursor): number {
  const numbers = tailIn(from)
  if (numbers.length !== 0 && numbers.length !== IMPORT_NUMBERS) {
    throw new AuditFault(`a row of an import is named by ${numbers.length} numbers`)
  }
  return numbers[IMPORT_NUMBERS - 1] ?? 0
}

function reversedIn(from: AuditCursor, isStacked: boolean): AuditEvent {
  const redemption = from.varint()
  const coupons = couponsIn(from)
  const userId = from.text()
  from.text()
  const givesUseBack = from.isSaid()
  const stack = isStacked ? reversedStackIn(from) : null
  return { kind: 'reversed', redemption, coupons, userId, givesUseBack, amounts: tailIn(from), stack }
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

function kindIn(from: AuditCursor, max: number): number {
  const kind = from.byte()
  if (kind > max) throw new AuditFault(`an event names the unknown kind ${kind}`)
  return kind
}

function sum(amounts: readonly number[]): number {
  return amounts.reduce((total, amount) => total + amount, 0)
}
