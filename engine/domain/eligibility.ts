/**
 * Eligibility: whether an offer takes a cart, as far as the cart decides it, and which of its lines it works on.
 *
 * Judged on the cart as requested, before any discount, so the answer for one offer never depends on another one. The checks
 * stand in the order of the contract: channel, currency, minimums, applicability. Status, windows, users and limits
 * are judged elsewhere; so is stacking (see discount).
 * Must never happen here: a look at discounted amounts.
 */

import { subtotalMinor } from './cart.ts'
import type { Cart, CartLine } from './cart.ts'
import type { Offer } from './offer.ts'

/** What a cart can be refused for, in the order it is checked. Both minimums are one check of the contract. */
export const CART_REFUSALS = [
  'CHANNEL_NOT_ALLOWED',
  'CURRENCY_MISMATCH',
  'MIN_ORDER_NOT_MET',
  'MIN_QUANTITY_NOT_MET',
  'NOT_APPLICABLE',
] as const

export type CartRefusal = (typeof CART_REFUSALS)[number]

/** The first check that fails, or null. For a cart without fault. */
export function cartRefusal(offer: Offer, cart: Cart): CartRefusal | null {
  if (!takesChannel(offer, cart.channel)) return 'CHANNEL_NOT_ALLOWED'
  if (offer.currency !== null && offer.currency !== cart.currency) return 'CURRENCY_MISMATCH'
  if (offer.minOrderMinor !== null && subtotalMinor(cart) < offer.minOrderMinor) return 'MIN_ORDER_NOT_MET'
  if (offer.minQuantity === null && namesNoLine(offer)) return null
  const eligible = eligibleLines(offer, cart)
  // Comes first even where no line is eligible at all: then 0 units are short of the minimum.
  if (offer.minQuantity !== null && unitsOf(eligible) < offer.minQuantity) return 'MIN_QUANTITY_NOT_MET'
  return eligible.length === 0 ? 'NOT_APPLICABLE' : null
}

/** The sentence beside a refusal of `cartRefusal`, for the buyer's support desk: by how much, or against what. */
export function cartRefusalDetail(code: CartRefusal, offer: Offer, cart: Cart): string {
  switch (code) {
    case 'CHANNEL_NOT_ALLOWED': {
      const allowed = (offer.channels ?? []).join(', ')
      return cart.channel === null
        ? `the cart names no channel, and the coupon holds for ${allowed} only`
        : `the channel ${cart.channel} is not among those of the coupon: ${allowed}`
    }
    case 'CURRENCY_MISMATCH':
      return `the cart is in ${cart.currency}, the coupon in ${offer.currency ?? 'any currency'}`
    case 'MIN_ORDER_NOT_MET': {
      const minimum = offer.minOrderMinor ?? 0
      const missing = counted(minimum - subtotalMinor(cart), `${cart.currency} minor unit`)
      return `the cart is ${missing} short of the minimum of ${grouped(minimum)}`
    }
    case 'MIN_QUANTITY_NOT_MET': {
      const minimum = offer.minQuantity ?? 0
      const missing = counted(minimum - unitsOf(eligibleLines(offer, cart)), 'eligible unit')
      return `the cart is ${missing} short of the minimum of ${grouped(minimum)}`
    }
    case 'NOT_APPLICABLE':
      return 'the coupon applies to no line of the cart'
  }
}

/** The lines an offer works on, in request order. The cart's own array where the offer names nothing. */
export function eligibleLines(offer: Offer, cart: Cart): readonly CartLine[] {
  return namesNoLine(offer) ? cart.lines : cart.lines.filter(lineEligibility(offer, cart.lines.length))
}

/**
 * The test one offer puts to each line of a cart: its product or one of its categories is applicable, or nothing is named,
 * and none is excluded. Made once a cart, so that long lists under many lines are looked up instead of scanned.
 */
export function lineEligibility(offer: Offer, lineCount: number): (line: CartLine) => boolean {
  if (namesNoLine(offer)) return everyLine
  const isApplicableProduct = membership(offer.applicableProductIds, lineCount)
  const isApplicableCategory = membership(offer.applicableCategoryIds, lineCount)
  const isExcludedProduct = membership(offer.excludedProductIds, lineCount)
  const isExcludedCategory = membership(offer.excludedCategoryIds, lineCount)
  const takesAll = offer.applicableProductIds.length === 0 && offer.applicableCategoryIds.length === 0
  return ({ productId, categoryIds }) => {
    if (productId !== null && isExcludedProduct(productId)) return false
    if (categoryIds.some(isExcludedCategory)) return false
    if (takesAll) return true
    return (productId !== null && isApplicableProduct(productId)) || categoryIds.some(isApplicableCategory)
  }
}

function everyLine(): boolean {
  return true
}

function namesNoLine(offer: Offer): boolean {
  return (
    offer.applicableProductIds.length === 0 &&
    offer.applicableCategoryIds.length === 0 &&
    offer.excludedProductIds.length === 0 &&
    offer.excludedCategoryIds.length === 0
  )
}

/** An offer without a list takes every channel; one with a list takes no cart that names none. */
function takesChannel(offer: Offer, channel: string | null): boolean {
  if (offer.channels === null || offer.channels.length === 0) return true
  return channel !== null && offer.channels.includes(channel)
}

/** Below so many comparisons a scan beats building a set. */
const SCAN_COMPARISONS_MAX = 256

function membership(ids: readonly string[], lineCount: number): (id: string) => boolean {
  if (ids.length * lineCount <= SCAN_COMPARISONS_MAX) return (id) => ids.includes(id)
  const set = new Set(ids)
  return (id) => set.has(id)
}

function unitsOf(lines: readonly CartLine[]): number {
  let units = 0
  for (const line of lines) units += line.quantity
  return units
}

function counted(count: number, noun: string): string {
  return `${grouped(count)} ${noun}${count === 1 ? '' : 's'}`
}

/** 1234567 as 1,234,567, the same in every locale. */
function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',')
}
