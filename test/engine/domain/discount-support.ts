/**
 * Short words for offers and carts, so that a table of prices can be read like one.
 * Only builds data: nothing here computes a price.
 */

import type { Cart, CartLine } from '../../../engine/domain/cart.ts'
import type { Offer } from '../../../engine/domain/offer.ts'

const PLAIN_OFFER: Offer = {
  type: 'PERCENT',
  percentBps: 0,
  valueMinor: 0,
  currency: null,
  scope: 'ORDER',
  allocation: 'ACROSS',
  maxDiscountMinor: null,
  maxUnits: null,
  minOrderMinor: null,
  minQuantity: null,
  applicableProductIds: [],
  applicableCategoryIds: [],
  excludedProductIds: [],
  excludedCategoryIds: [],
  channels: null,
  stacking: 'STACKABLE',
  priority: 0,
}

/** 12.5 % is percent(12_50). */
export function percent(percentBps: number, terms: Partial<Offer> = {}): Offer {
  return { ...PLAIN_OFFER, percentBps, ...terms }
}

export function fixed(valueMinor: number, terms: Partial<Offer> = {}): Offer {
  return { ...PLAIN_OFFER, type: 'FIXED', valueMinor, currency: 'EUR', ...terms }
}

export function freeShipping(terms: Partial<Offer> = {}): Offer {
  return { ...PLAIN_OFFER, type: 'FREESHIP', ...terms }
}

export const ITEM = { scope: 'ITEM' } as const
export const UNIT = { scope: 'ITEM', allocation: 'UNIT' } as const
export const LINE = { scope: 'ITEM', allocation: 'LINE' } as const
export const ACROSS = { scope: 'ITEM', allocation: 'ACROSS' } as const

/** quantity × unit price of a product; the product's name is the line's id. */
export function line(
  productId: string,
  quantity: number,
  unitPriceMinor: number,
  ...categoryIds: readonly string[]
): CartLine {
  return { lineId: productId, productId, categoryIds, quantity, unitPriceMinor }
}

export function cart(lines: readonly CartLine[], terms: Partial<Cart> = {}): Cart {
  return { currency: 'EUR', lines, shippingMinor: 0, channel: null, ...terms }
}

/** A cart, the offers on it, and what these give. */
export interface PriceCase {
  readonly name: string
  /** The reasoning, where the figure is not obvious. */
  readonly why?: string
  readonly cart: Cart
  readonly offers: readonly Offer[]
  readonly gives: ExpectedPrice
}

/** All figures are worked out by hand. */
export interface ExpectedPrice {
  /** What each offer takes off, in request order. */
  readonly amounts: readonly number[]
  /** What is taken off each line. */
  readonly lines: readonly number[]
  /** Where several offers share lines: for each line, each offer's part. */
  readonly perOffer?: readonly (readonly number[])[]
  /** Absent: 0. */
  readonly shippingDiscount?: number
  readonly total: number
  readonly final: number
}
