/**
 * A second price calculation, for comparison: naive, in BigInt and exact fractions, written from the contract's text
 * alone. It shares no code with the domain; it takes missing units one by one, never looks for a short way, and
 * reads the offers in an order found by repeated search rather than by sorting.
 */

import type { Cart } from '../../../engine/domain/cart.ts'
import type { Offer } from '../../../engine/domain/offer.ts'

export interface ModelPrice {
  readonly amounts: bigint[]
  readonly perLine: bigint[][]
  readonly shippingDiscount: bigint
}

export function modelPrice(cart: Cart, offers: readonly Offer[]): ModelPrice {
  const left = cart.lines.map((line) => BigInt(line.quantity) * BigInt(line.unitPriceMinor))
  const perLine = cart.lines.map(() => offers.map(() => 0n))
  const amounts = offers.map(() => 0n)
  let shipping = BigInt(cart.shippingMinor)
  const waiting = offers.map((_, index) => index)
  while (waiting.length > 0) {
    let next = 0
    for (let i = 1; i < waiting.length; i++) {
      if (goesBefore(offers, at(waiting, i), at(waiting, next))) next = i
    }
    const [index = -1] = waiting.splice(next, 1)
    const offer = at(offers, index)
    if (offer.type === 'FREESHIP') {
      let taken = shipping
      if (offer.maxDiscountMinor !== null && taken > BigInt(offer.maxDiscountMinor))
        taken = BigInt(offer.maxDiscountMinor)
      shipping -= taken
      amounts[index] = taken
      continue
    }
    const taken = modelOfOneOffer(cart, offer, left)
    for (const [i, part] of taken.entries()) {
      left[i] = at(left, i) - part
      at(perLine, i)[index] = part
      amounts[index] = at(amounts, index) + part
    }
  }
  return { amounts, perLine, shippingDiscount: BigInt(cart.shippingMinor) - shipping }
}

function goesBefore(offers: readonly Offer[], a: number, b: number): boolean {
  const first = at(offers, a)
  const second = at(offers, b)
  if ((first.type === 'FREESHIP') !== (second.type === 'FREESHIP')) return second.type === 'FREESHIP'
  if (first.type !== 'FREESHIP') {
    if (first.scope !== second.scope) return first.scope === 'ITEM'
    if (first.type !== second.type) return first.type === 'PERCENT'
  }
  if (first.priority !== second.priority) return first.priority > second.priority
  return a < b
}

function modelOfOneOffer(cart: Cart, offer: Offer, left: readonly bigint[]): bigint[] {
  let budget = offer.scope === 'ITEM' && offer.maxUnits !== null ? offer.maxUnits : Number.POSITIVE_INFINITY
  const units = cart.lines.map((line) => {
    if (!modelEligible(offer, line)) return 0n
    const touched = Math.min(line.quantity, budget)
    budget -= touched
    return BigInt(touched)
  })
  const quantities = cart.lines.map((line) => BigInt(line.quantity))
  const within = left.map((amount, i) => halfUp(amount * at(units, i), at(quantities, i)))
  const value = BigInt(offer.valueMinor)
  const bps = BigInt(offer.percentBps)
  let parts: bigint[]
  if (offer.type === 'PERCENT' && offer.scope === 'ITEM') {
    parts = left.map((amount, i) => halfUp(amount * at(units, i) * bps, at(quantities, i) * 10_000n))
  } else if (offer.type === 'FIXED' && offer.scope === 'ITEM' && offer.allocation === 'UNIT') {
    parts = within.map((amount, i) => smaller(value * at(units, i), amount))
  } else if (offer.type === 'FIXED' && offer.scope === 'ITEM' && offer.allocation === 'LINE') {
    parts = within.map((amount) => smaller(value, amount))
  } else {
    const sum = within.reduce((a, b) => a + b, 0n)
    parts = divided(offer.type === 'PERCENT' ? halfUp(sum * bps, 10_000n) : smaller(value, sum), within)
  }
  const sum = parts.reduce((a, b) => a + b, 0n)
  if (offer.maxDiscountMinor === null || sum <= BigInt(offer.maxDiscountMinor)) return parts
  return divided(BigInt(offer.maxDiscountMinor), parts)
}

function modelEligible(offer: Offer, line: Cart['lines'][number]): boolean {
  const products = line.productId === null ? [] : [line.productId]
  const meets = (productIds: readonly string[], categoryIds: readonly string[]) =>
    products.some((id) => productIds.includes(id)) || line.categoryIds.some((id) => categoryIds.includes(id))
  const named = offer.applicableProductIds.length + offer.applicableCategoryIds.length > 0
  if (meets(offer.excludedProductIds, offer.excludedCategoryIds)) return false
  return !named || meets(offer.applicableProductIds, offer.applicableCategoryIds)
}

/** Largest remainder: whole parts first, then one minor unit at a time to whoever is furthest below its exact share. */
function divided(total: bigint, weights: readonly bigint[]): bigint[] {
  const sum = weights.reduce((a, b) => a + b, 0n)
  if (sum === 0n) return weights.map(() => 0n)
  const parts = weights.map((weight) => (total * weight) / sum)
  const shortOf = (i: number) => total * at(weights, i) - at(parts, i) * sum
  for (let missing = total - parts.reduce((a, b) => a + b, 0n); missing > 0n; missing--) {
    let neediest = 0
    for (let i = 1; i < parts.length; i++) {
      if (shortOf(i) > shortOf(neediest)) neediest = i
    }
    parts[neediest] = at(parts, neediest) + 1n
  }
  return parts
}

function halfUp(numerator: bigint, denominator: bigint): bigint {
  const whole = numerator / denominator
  return (numerator - whole * denominator) * 2n >= denominator ? whole + 1n : whole
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}

function at<T>(list: readonly T[], index: number): T {
  const found = list[index]
  if (found === undefined) throw new Error(`nothing at ${index}`)
  return found
}
