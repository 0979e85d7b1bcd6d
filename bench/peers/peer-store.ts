// What a usual design has to do for one redemption, and how it says what it did.
//
// The transport (peer-transport.ts) has judged the rules and the cart before it asks; a store counts, remembers the order
// and makes both durable before it answers. Nothing here may promise more than the parts behind it really do.

import type { CouponDefinition } from '../../protocol/coupon.ts'
import type { PriceFact } from '../../protocol/price.ts'

export interface PeerCoupon {
  /** Dense, from 0, in the order of creation. */
  readonly ordinal: number
  readonly definition: CouponDefinition
  readonly createdAtMs: number
}

/** What is remembered of a redemption, enough to give the first answer again. */
export interface RedemptionFacts {
  readonly userId: string
  readonly orderId: string
  readonly atMs: number
  readonly price: PriceFact
}

export interface Remembered extends RedemptionFacts {
  /** Number of the redemption; unique in a store. */
  readonly seq: number
}

/** A number: redeemed under it. An object: the order redeemed this coupon before. A name: refused, nothing is changed. */
export type Redeemed = number | Remembered | 'USER_LIMIT_REACHED' | 'COUPON_EXHAUSTED'

export interface PeerStore {
  /** Durable when it settles. The caller has seen to it that the code is new. */
  createCoupon(coupon: PeerCoupon): Promise<void>
  /** Counts and remembers one use; durable when it settles. Rejects when nobody can say whether it was done. */
  redeem(coupon: PeerCoupon, facts: RedemptionFacts): Promise<Redeemed>
  /** The redemption of an order on a coupon, or null. */
  redemptionOf(coupon: PeerCoupon, orderId: string): Promise<Remembered | null>
  usesOf(coupon: PeerCoupon): Promise<number>
  close(): Promise<void>
}

type PriceList = readonly [number, number, number, number, readonly number[], PriceFact['lines']]

function listOf({
  currency,
  subtotalMinor,
  shippingMinor,
  shippingDiscountMinor,
  amounts,
  lines,
}: PriceFact): PriceList {
  return [currency, subtotalMinor, shippingMinor, shippingDiscountMinor, amounts, lines]
}

function priceOf([
  currency,
  subtotalMinor,
  shippingMinor,
  shippingDiscountMinor,
  amounts,
  lines,
]: PriceList): PriceFact {
  return { currency, subtotalMinor, shippingMinor, shippingDiscountMinor, amounts, lines }
}

/** The price as one text, for a column. */
export function priceText(price: PriceFact): string {
  return JSON.stringify(listOf(price))
}

export function priceOfText(text: string): PriceFact {
  return priceOf(JSON.parse(text) as PriceList)
}

/** Everything but the order as one text, for a field named by the order. */
export function factsText({ atMs, userId, price }: RedemptionFacts): string {
  return JSON.stringify([atMs, userId, listOf(price)])
}

export function factsOfText(orderId: string, text: string): RedemptionFacts {
  const [atMs, userId, price] = JSON.parse(text) as [number, string, PriceList]
  return { userId, orderId, atMs, price: priceOf(price) }
}
