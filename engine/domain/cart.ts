/**
 * Cart: what a checkout wants to buy, as far as coupons care: lines, shipping, channel.
 *
 * A cart is judged once, by `cartFault`, before anything else reads it. After that every sum over it (line amounts,
 * subtotal, subtotal with shipping, units) is known to be at most 2^53 - 1, and the rest of the domain adds without looking.
 * Must never happen here: discounts, and names or addresses of buyers.
 */

import { MONEY_MAX } from './money.ts'

export interface CartLine {
  /** Unique in its cart; where the client gave none, the line's index as text. */
  readonly lineId: string
  /** Null for a cart that stands for a bare total. */
  readonly productId: string | null
  readonly categoryIds: readonly string[]
  /** At least 1. */
  readonly quantity: number
  /** At least 0. */
  readonly unitPriceMinor: number
}

export interface Cart {
  /** ISO 4217, upper case. */
  readonly currency: string
  /** 1 to 500, in request order. */
  readonly lines: readonly CartLine[]
  readonly shippingMinor: number
  readonly channel: string | null
}

const NO_CATEGORIES: readonly string[] = Object.freeze([])

/** The cart that `{orderTotal, currency}` stands for: one line of that amount, no product, no shipping, no channel. */
export function cartOfTotal(orderTotalMinor: number, currency: string): Cart {
  const line = {
    lineId: '0',
    productId: null,
    categoryIds: NO_CATEGORIES,
    quantity: 1,
    unitPriceMinor: orderTotalMinor,
  }
  return { currency, lines: [line], shippingMinor: 0, channel: null }
}

export function lineAmountMinor(line: CartLine): number {
  return line.quantity * line.unitPriceMinor
}

/** Sum of all lines without shipping, for a cart without fault. */
export function subtotalMinor(cart: Cart): number {
  let sum = 0
  for (const line of cart.lines) sum += lineAmountMinor(line)
  return sum
}

/**
 * The sentence that says why a cart cannot be priced (INVALID_REQUEST), or null.
 *
 * The contract bounds sums of money; here it is read as the sum of lines *and* shipping, because `finalPrice` is made from
 * it. The sum of quantities is bounded likewise, which only a cart of free lines can exceed.
 */
export function cartFault(cart: Cart): string | null {
  if (cart.lines.length === 0) return 'the cart has no lines'
  if (!isAmount(cart.shippingMinor)) return 'the shipping is not an integer from 0 to 2^53-1'
  let sum = cart.shippingMinor
  let units = 0
  for (const line of cart.lines) {
    const fault = lineFault(line)
    if (fault !== null) return fault
    sum += lineAmountMinor(line)
    units += line.quantity
    // Checked line by line: only sums that are still exact may be added to (see money).
    if (sum > MONEY_MAX) return `the cart exceeds 2^53-1 minor units at line "${line.lineId}"`
    if (units > MONEY_MAX) return `the cart exceeds 2^53-1 units at line "${line.lineId}"`
  }
  return cart.lines.length > 1 ? duplicateLineFault(cart.lines) : null
}

function lineFault(line: CartLine): string | null {
  if (!isAmount(line.quantity) || line.quantity === 0) {
    return `the quantity of line "${line.lineId}" is not an integer from 1 to 2^53-1`
  }
  if (!isAmount(line.unitPriceMinor))
    return `the unit price of line "${line.lineId}" is not an integer from 0 to 2^53-1`
  return null
}

/** A line without an id has its index as id, so "1" given to another line is a duplicate too. */
function duplicateLineFault(lines: readonly CartLine[]): string | null {
  const seen = new Set<string>()
  for (const { lineId } of lines) {
    if (seen.has(lineId)) return `two lines have the id "${lineId}"`
    seen.add(lineId)
  }
  return null
}

function isAmount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}
