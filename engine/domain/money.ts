/**
 * Money: whole minor units of one currency, 0 to 2^53 - 1, held in plain numbers.
 *
 * Owns every rounding of the engine: half up to the minor unit, and division of a sum by largest remainder. A product of
 * two amounts may need 106 bits; each function here says where it stays in plain numbers and where it widens to BigInt,
 * so that ordinary prices cost a few float operations and extreme ones are still exact.
 *
 * What all of it rests on: the product or sum of two non-negative safe integers, computed in doubles, is exact when it is
 * at most 2^53 - 1, and otherwise comes out as at least 2^53 (rounding is monotonic and 2^53 is a double). Comparing
 * the computed value with MONEY_MAX therefore always tells the truth.
 *
 * Must never happen here: a fraction, a negative amount, a currency conversion.
 */

/** The largest amount, and the largest sum of a cart, in minor units: 2^53 - 1. */
export const MONEY_MAX = Number.MAX_SAFE_INTEGER

/** 100 %, in basis points of a percent (1 bps = 0.01 %, the finest percent an offer can have). */
const WHOLE_BPS = 10_000

/** Up to here an amount times any percentage fits plain numbers. */
const PLAIN_PERCENT_MINOR_MAX = Math.floor(MONEY_MAX / WHOLE_BPS)

/**
 * numerator / denominator, rounded half up. Both safe integers, numerator >= 0, denominator >= 1.
 *
 * `Math.floor` of the float quotient is exact: its error is below numerator/denominator * 2^-53 < 1/denominator, and a
 * quotient that is no integer lies at least 1/denominator below the next one.
 */
export function divideHalfUp(numerator: number, denominator: number): number {
  const quotient = Math.floor(numerator / denominator)
  const remainder = numerator - quotient * denominator
  return remainder >= denominator - remainder ? quotient + 1 : quotient
}

function divideHalfUpWide(numerator: bigint, denominator: bigint): number {
  return Number((2n * numerator + denominator) / (2n * denominator))
}

/**
 * A percentage (0 to 10,000 bps) of an amount, half up, exact over the whole range of money.
 * A large amount is split at 10,000: the upper part times bps is a whole number of minor units, so only the lower rounds.
 */
export function percentOf(amountMinor: number, percentBps: number): number {
  if (amountMinor <= PLAIN_PERCENT_MINOR_MAX) return divideHalfUp(amountMinor * percentBps, WHOLE_BPS)
  const upper = Math.floor(amountMinor / WHOLE_BPS)
  const lower = amountMinor - upper * WHOLE_BPS
  return upper * percentBps + divideHalfUp(lower * percentBps, WHOLE_BPS)
}

/** What `units` of `quantity` equal units are worth when all are worth the amount, half up. 0 <= units <= quantity. */
export function shareOf(amountMinor: number, units: number, quantity: number): number {
  if (units === quantity) return amountMinor
  const product = amountMinor * units
  if (product <= MONEY_MAX) return divideHalfUp(product, quantity)
  return divideHalfUpWide(BigInt(amountMinor) * BigInt(units), BigInt(quantity))
}

/** A percentage of such a share. Rounds once, at the end: rounding the share first could be off by a minor unit. */
export function percentOfShare(amountMinor: number, units: number, quantity: number, percentBps: number): number {
  if (units === quantity) return percentOf(amountMinor, percentBps)
  const product = amountMinor * units * percentBps
  const divisor = quantity * WHOLE_BPS
  if (product <= MONEY_MAX && divisor <= MONEY_MAX) return divideHalfUp(product, divisor)
  return divideHalfUpWide(
    BigInt(amountMinor) * BigInt(units) * BigInt(percentBps),
    BigInt(quantity) * BigInt(WHOLE_BPS),
  )
}

/** The sum of amounts whose sum is known to be at most MONEY_MAX. */
export function sumMinor(amounts: readonly number[]): number {
  let sum = 0
  for (const amount of amounts) sum += amount
  return sum
}

/**
 * Divides a sum in proportion to weights by largest remainder: each gets the whole part of its exact share, and the minor
 * units then missing go, one each, to the largest fractions, ties to the earlier. The parts always add up to the sum, and
 * no part exceeds its weight, which is how no line goes below zero. For that the sum must not exceed the weights' sum;
 * it throws RangeError when it does, because the money would have to come from nowhere.
 */
export function allocateByLargestRemainder(totalMinor: number, weights: readonly number[]): number[] {
  const weightSum = sumMinor(weights)
  if (totalMinor > weightSum) throw new RangeError(`cannot take ${totalMinor} from ${weightSum}`)
  if (totalMinor === weightSum) return weights.slice()
  if (totalMinor === 0) return weights.map(() => 0)

  const parts: number[] = []
  const remainders: number[] = []
  let missing = totalMinor
  for (const weight of weights) {
    const { quotient, remainder } = multiplyThenDivide(totalMinor, weight, weightSum)
    parts.push(quotient)
    remainders.push(remainder)
    missing -= quotient
  }
  if (missing > 0) addOneToLargest(parts, remainders, missing)
  return parts
}

/** a * b / divisor as whole part and remainder. Both fit plain numbers for b <= divisor, though the product may not. */
function multiplyThenDivide(a: number, b: number, divisor: number): { quotient: number; remainder: number } {
  const product = a * b
  if (product <= MONEY_MAX) {
    const quotient = Math.floor(product / divisor)
    return { quotient, remainder: product - quotient * divisor }
  }
  const wideProduct = BigInt(a) * BigInt(b)
  const wideDivisor = BigInt(divisor)
  return { quotient: Number(wideProduct / wideDivisor), remainder: Number(wideProduct % wideDivisor) }
}

/** There are fewer missing units than non-zero remainders (they sum to missing * divisor, each below divisor). */
function addOneToLargest(parts: number[], remainders: readonly number[], missing: number): void {
  const byRemainder = remainders
    .map((remainder, index) => ({ remainder, index }))
    .sort((a, b) => b.remainder - a.remainder || a.index - b.index)
  for (const { index } of byRemainder.slice(0, missing)) parts[index] = (parts[index] ?? 0) + 1
}
