/**
 * What one offer takes off the lines it works on, given what earlier offers left there.
 *
 *   ITEM PERCENT, FIXED UNIT, FIXED LINE      each line by itself  ┐
 *   ORDER PERCENT, ORDER FIXED, ITEM ACROSS   once, then allocated ┴▶ uncapped amounts ──▶ maxDiscount ──▶ amounts
 *
 * `maxUnits` narrows an ITEM offer to the first so many units of the eligible lines, in request order. The contract says what
 * a percent then works on (that share of what is left on the line); FIXED is read the same way: it takes no more
 * than the touched units are worth, and ACROSS is allocated in proportion to that. Units are counted as they stand in the
 * cart, so a line that is already free uses them up too.
 * Must never happen here: an amount above what is left on its line.
 */

import { allocateByLargestRemainder, percentOf, percentOfShare, shareOf, sumMinor } from './money.ts'
import type { Offer } from './offer.ts'

/** A line as an offer finds it. */
export interface LineBalance {
  readonly quantity: number
  /** What earlier offers left of quantity * unit price. */
  readonly leftMinor: number
}

/** What the offer (not FREESHIP) takes off each of its eligible lines, parallel to them. */
export function discountsOnLines(offer: Offer, eligible: readonly LineBalance[]): number[] {
  const uncapped =
    offer.scope === 'ORDER'
      ? allocatedDiscounts(offer, eligible.map(leftOf))
      : itemDiscounts(offer, eligible, touchedUnits(offer.maxUnits, eligible))
  return capped(uncapped, offer.maxDiscountMinor)
}

/** `discountsOnLines` for a single eligible line, without allocating anything for ordinary numbers. */
export function discountOnOnlyLine(offer: Offer, leftMinor: number, quantity: number): number {
  let uncappedMinor: number
  if (offer.scope === 'ORDER') {
    uncappedMinor = discountOnSum(offer, leftMinor)
  } else {
    const units = offer.maxUnits === null ? quantity : Math.min(quantity, offer.maxUnits)
    uncappedMinor = discountOnItem(offer, leftMinor, quantity, units)
  }
  return capMinor(uncappedMinor, offer.maxDiscountMinor)
}

export function capMinor(amountMinor: number, maxMinor: number | null): number {
  return maxMinor === null ? amountMinor : Math.min(amountMinor, maxMinor)
}

function itemDiscounts(offer: Offer, eligible: readonly LineBalance[], units: readonly number[]): number[] {
  if (offer.type === 'FIXED' && offer.allocation === 'ACROSS') {
    return allocatedDiscounts(
      offer,
      eligible.map((line, index) => shareOf(line.leftMinor, units[index] ?? 0, line.quantity)),
    )
  }
  return eligible.map((line, index) => discountOnItem(offer, line.leftMinor, line.quantity, units[index] ?? 0))
}

/** One line of an ITEM offer. An ACROSS offer comes here only with a single line, where it is the same as LINE. */
function discountOnItem(offer: Offer, leftMinor: number, quantity: number, units: number): number {
  if (offer.type === 'PERCENT') return percentOfShare(leftMinor, units, quantity, offer.percentBps)
  // A product beyond 2^53 is inexact, but then larger than anything that can be left.
  const wantedMinor = offer.allocation === 'UNIT' ? offer.valueMinor * units : offer.valueMinor
  return Math.min(wantedMinor, shareOf(leftMinor, units, quantity))
}

/** Computed once over the sum, then allocated in proportion to the parts of that sum. */
function allocatedDiscounts(offer: Offer, partsMinor: readonly number[]): number[] {
  return allocateByLargestRemainder(discountOnSum(offer, sumMinor(partsMinor)), partsMinor)
}

function discountOnSum(offer: Offer, sumLeftMinor: number): number {
  return offer.type === 'PERCENT' ? percentOf(sumLeftMinor, offer.percentBps) : Math.min(offer.valueMinor, sumLeftMinor)
}

/**
 * A sum above `maxDiscount` is allocated anew in proportion to the uncapped amounts, as rounded: these, not what is left on
 * the lines, are what the contract names, and the two can differ by a minor unit.
 */
function capped(uncapped: number[], maxMinor: number | null): number[] {
  if (maxMinor === null || sumMinor(uncapped) <= maxMinor) return uncapped
  return allocateByLargestRemainder(maxMinor, uncapped)
}

function touchedUnits(maxUnits: number | null, eligible: readonly LineBalance[]): number[] {
  let unitsLeft = maxUnits ?? Number.MAX_SAFE_INTEGER
  return eligible.map(({ quantity }) => {
    const units = Math.min(quantity, unitsLeft)
    unitsLeft -= units
    return units
  })
}

function leftOf(line: LineBalance): number {
  return line.leftMinor
}
