/**
 * Discount: the price of a cart under one or several offers that were already judged eligible and combinable.
 *
 * One rule carries it: each offer works on what earlier ones left, in the order of the contract (ITEM before ORDER, PERCENT
 * before FIXED, higher priority, request order, FREESHIP last). What an offer takes off lines is computed in
 * discount-lines; here the offers are put in order, taken off line by line, and summed up.
 *
 * Must never happen here: a line or the shipping below zero, a sum of lines that differs from its total, or a judgement
 * whether an offer may be used at all (see eligibility, and `notStackable` below).
 */

import { lineAmountMinor } from './cart.ts'
import type { Cart, CartLine } from './cart.ts'
import { capMinor, discountOnOnlyLine, discountsOnLines } from './discount-lines.ts'
import { lineEligibility } from './eligibility.ts'
import type { Offer } from './offer.ts'

export interface PricedLine {
  readonly lineId: string
  /** quantity * unit price. */
  readonly amountMinor: number
  readonly discountMinor: number
  /** amount - discount. */
  readonly finalMinor: number
  /** Each offer's part of the discount, offers in request order. 0 for FREESHIP. */
  readonly perOffer: readonly number[]
}

export interface PricedCart {
  readonly currency: string
  /** Sum of all lines, without shipping. */
  readonly subtotalMinor: number
  readonly shippingMinor: number
  /** All that is taken off, shipping included. */
  readonly totalMinor: number
  readonly shippingDiscountMinor: number
  /** subtotal + shipping - total. */
  readonly finalMinor: number
  /** What each offer takes off, shipping included, offers in request order. Sums to the total. */
  readonly amounts: readonly number[]
  /** In request order. */
  readonly lines: readonly PricedLine[]
}

/** A line while offers are being taken off it. */
interface OpenLine {
  readonly line: CartLine
  readonly quantity: number
  readonly amountMinor: number
  leftMinor: number
  readonly perOffer: number[]
}

interface NumberedOffer {
  readonly offer: Offer
  /** Its place in the request. */
  readonly index: number
}

/** Prices a cart without fault. An offer that is eligible for no line, or finds nothing left, gives 0. */
export function priceCart(cart: Cart, offers: readonly Offer[]): PricedCart {
  const lines = cart.lines.map((line) => openLine(line, offers.length))
  const amounts = zeros(offers.length)
  let shippingLeftMinor = cart.shippingMinor
  for (const { offer, index } of inOrderOfApplication(offers)) {
    if (offer.type === 'FREESHIP') {
      const amountMinor = capMinor(shippingLeftMinor, offer.maxDiscountMinor)
      shippingLeftMinor -= amountMinor
      amounts[index] = amountMinor
    } else {
      amounts[index] = takeOffLines(offer, index, lines)
    }
  }
  return summedUp(cart, lines, amounts, cart.shippingMinor - shippingLeftMinor)
}

/**
 * What one offer takes off a cart of one eligible line: `priceCart(cart, [offer]).amounts[0]`, for the path where nobody
 * asked for lines. Allocates nothing for ordinary numbers. The amount of the line must be at most 2^53 - 1.
 */
export function discountOfOneLine(
  offer: Offer,
  quantity: number,
  unitPriceMinor: number,
  shippingMinor: number,
): number {
  if (offer.type === 'FREESHIP') return capMinor(shippingMinor, offer.maxDiscountMinor)
  return discountOnOnlyLine(offer, quantity * unitPriceMinor, quantity)
}

/** The places of the offers that forbid a combination: the EXCLUSIVE ones when there are several offers, otherwise none. */
export function notStackable(offers: readonly Offer[]): number[] {
  const exclusive: number[] = []
  if (offers.length < 2) return exclusive
  for (const [index, offer] of offers.entries()) {
    if (offer.stacking === 'EXCLUSIVE') exclusive.push(index)
  }
  return exclusive
}

function openLine(line: CartLine, offerCount: number): OpenLine {
  const amountMinor = lineAmountMinor(line)
  return { line, quantity: line.quantity, amountMinor, leftMinor: amountMinor, perOffer: zeros(offerCount) }
}

function inOrderOfApplication(offers: readonly Offer[]): NumberedOffer[] {
  const numbered = offers.map((offer, index) => ({ offer, index }))
  return numbered.sort(
    (a, b) => rankOf(a.offer) - rankOf(b.offer) || b.offer.priority - a.offer.priority || a.index - b.index,
  )
}

/** Scope first, then type. FREESHIP has no scope of its own and comes after both. */
function rankOf(offer: Offer): number {
  if (offer.type === 'FREESHIP') return 4
  return (offer.scope === 'ITEM' ? 0 : 2) + (offer.type === 'PERCENT' ? 0 : 1)
}

function takeOffLines(offer: Offer, offerIndex: number, lines: readonly OpenLine[]): number {
  const isEligible = lineEligibility(offer, lines.length)
  const eligible = lines.filter(({ line }) => isEligible(line))
  const discounts = discountsOnLines(offer, eligible)
  let sum = 0
  for (const [place, open] of eligible.entries()) {
    const discountMinor = discounts[place] ?? 0
    open.perOffer[offerIndex] = discountMinor
    open.leftMinor -= discountMinor
    sum += discountMinor
  }
  return sum
}

function summedUp(
  cart: Cart,
  lines: readonly OpenLine[],
  amounts: readonly number[],
  shippingDiscountMinor: number,
): PricedCart {
  let subtotalMinor = 0
  let linesLeftMinor = 0
  for (const open of lines) {
    subtotalMinor += open.amountMinor
    linesLeftMinor += open.leftMinor
  }
  const totalMinor = subtotalMinor - linesLeftMinor + shippingDiscountMinor
  return {
    currency: cart.currency,
    subtotalMinor,
    shippingMinor: cart.shippingMinor,
    totalMinor,
    shippingDiscountMinor,
    finalMinor: subtotalMinor + cart.shippingMinor - totalMinor,
    amounts,
    lines: lines.map(({ line, amountMinor, leftMinor, perOffer }) => ({
      lineId: line.lineId,
      amountMinor,
      discountMinor: amountMinor - leftMinor,
      finalMinor: leftMinor,
      perOffer,
    })),
  }
}

function zeros(count: number): number[] {
  return new Array<number>(count).fill(0)
}
