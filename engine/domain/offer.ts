/**
 * Offer: what a coupon gives and to which carts. The terms only; codes, limits and windows belong to the coupon.
 *
 * It is plain, frozen data with every field present, so that one shape reaches the discount calculation whether the
 * terms came from a coupon, a campaign or the log. Defaults of the contract are filled in before it is made.
 * Must never happen here: parsing of requests, and anything that depends on a cart (see eligibility and discount).
 */

export type OfferType = 'PERCENT' | 'FIXED' | 'FREESHIP'
export type OfferScope = 'ORDER' | 'ITEM'
export type OfferAllocation = 'UNIT' | 'LINE' | 'ACROSS'
export type OfferStacking = 'EXCLUSIVE' | 'STACKABLE'

export interface Offer {
  readonly type: OfferType
  /** PERCENT: 1 to 10,000 basis points (12.5 % is 1,250). Otherwise 0. */
  readonly percentBps: number
  /** FIXED: minor units of `currency`, 1 to 2^53 - 1. Otherwise 0. */
  readonly valueMinor: number
  /** ISO 4217. Required with any money field (value of FIXED, maxDiscount, minOrder); null: any currency. */
  readonly currency: string | null
  /** Whether the sum of the eligible lines or each of them is discounted. Without meaning for FREESHIP. */
  readonly scope: OfferScope
  /** FIXED with scope ITEM: `valueMinor` off each unit, off each line, or once across all. Otherwise without meaning. */
  readonly allocation: OfferAllocation
  /** The most this offer takes off one cart. */
  readonly maxDiscountMinor: number | null
  /** Scope ITEM: the most units of one cart it touches, lines in request order. */
  readonly maxUnits: number | null
  /** The least subtotal of all lines, eligible or not, without shipping. */
  readonly minOrderMinor: number | null
  /** The least number of units on eligible lines. */
  readonly minQuantity: number | null
  /** Both applicable lists empty: every line is applicable. */
  readonly applicableProductIds: readonly string[]
  readonly applicableCategoryIds: readonly string[]
  /** Exclusion beats applicability. */
  readonly excludedProductIds: readonly string[]
  readonly excludedCategoryIds: readonly string[]
  /** Null or empty: every channel, and carts that name none. */
  readonly channels: readonly string[] | null
  readonly stacking: OfferStacking
  /** Higher goes first among offers of one scope and type. May be negative. */
  readonly priority: number
}
