/** Rounding and allocation: figures by hand, and the same in BigInt over the whole range of money. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  MONEY_MAX,
  allocateByLargestRemainder,
  divideHalfUp,
  percentOf,
  percentOfShare,
  shareOf,
} from '../../../engine/domain/money.ts'
import { SEED } from './discount-random.ts'

const RUNS = { seed: SEED, numRuns: 5000 }

/** Safe integers of every length, not only the longest. */
const anyAmount = fc.integer({ min: 0, max: 53 }).chain((bits) => fc.integer({ min: 0, max: 2 ** bits - 1 }))
const anyDivisor = anyAmount.map((amount) => Math.max(1, amount))
const anyPercent = fc.integer({ min: 0, max: 10_000 })

test('the largest amount is 2^53 - 1', () => {
  expect(MONEY_MAX).toBe(9_007_199_254_740_991)
})

describe('divideHalfUp', () => {
  test.each([
    [0, 7, 0],
    [1, 2, 1],
    [1, 3, 0],
    [2, 3, 1],
    [3, 2, 2],
    [5, 2, 3],
    [49, 100, 0],
    [50, 100, 1],
    [9_007_199_254_740_991, 1, 9_007_199_254_740_991],
    [9_007_199_254_740_991, 2, 4_503_599_627_370_496],
    // One below the half: 2 × 4,503,599,627,370,495 is 2^53 - 2.
    [4_503_599_627_370_495, 9_007_199_254_740_991, 0],
    [4_503_599_627_370_496, 9_007_199_254_740_991, 1],
    [9_007_199_254_740_991, 9_007_199_254_740_990, 1],
  ])('%i / %i is %i', (numerator, denominator, expected) => {
    expect(divideHalfUp(numerator, denominator)).toBe(expected)
  })
})

describe('percentOf', () => {
  test.each([
    [10_000, 10_00, 1000],
    [5000, 1, 1],
    [4999, 1, 0],
    [MONEY_MAX, 100_00, 9_007_199_254_740_991],
    [MONEY_MAX, 0, 0],
    // The last amount in plain numbers, 900,719,925,474, and the first that is split.
    [900_719_925_474, 99_99, 900_629_853_481],
    [900_719_925_475, 99_99, 900_629_853_482],
    // 9,007,199,254,740,991 × 0.0001 = 900,719,925,474.0991
    [MONEY_MAX, 1, 900_719_925_474],
  ])('of %i at %i bps is %i', (amountMinor, percentBps, expected) => {
    expect(percentOf(amountMinor, percentBps)).toBe(expected)
  })
})

describe('shareOf', () => {
  // Doubles are off by one on each of these.
  test.each([
    { amount: MONEY_MAX, units: 7, quantity: 11, share: 5_731_854_071_198_812 },
    { amount: MONEY_MAX - 1, units: 5, quantity: 7, share: 6_433_713_753_386_421 },
    { amount: MONEY_MAX - 1, units: 3, quantity: 4, share: 6_755_399_441_055_743 },
  ])('$units of $quantity of $amount', ({ amount, units, quantity, share }) => {
    expect(shareOf(amount, units, quantity)).toBe(share)
  })
})

describe('allocateByLargestRemainder', () => {
  test.each([
    { total: 100, weights: [1000, 1000, 1000], parts: [34, 33, 33] },
    { total: 200, weights: [1000, 1000, 1000], parts: [67, 67, 66] },
    { total: 1, weights: [1, 999], parts: [0, 1] },
    { total: 2, weights: [5, 5, 5], parts: [1, 1, 0] },
    { total: 10, weights: [0, 7, 0, 7], parts: [0, 5, 0, 5] },
    { total: 0, weights: [3, 4], parts: [0, 0] },
    { total: 7, weights: [3, 4], parts: [3, 4] },
    { total: 0, weights: [0, 0], parts: [0, 0] },
    { total: 0, weights: [], parts: [] },
    { total: MONEY_MAX - 1, weights: [MONEY_MAX - 1, 1], parts: [MONEY_MAX - 2, 1] },
  ])('$total over $weights', ({ total, weights, parts }) => {
    expect(allocateByLargestRemainder(total, weights)).toEqual(parts)
  })

  test('refuses a sum larger than what it is taken from', () => {
    expect(() => allocateByLargestRemainder(8, [3, 4])).toThrow(RangeError)
  })
})

describe(`against BigInt (FC_SEED=${SEED})`, () => {
  test('divideHalfUp', () => {
    fc.assert(
      fc.property(anyAmount, anyDivisor, (numerator, denominator) => {
        expect(BigInt(divideHalfUp(numerator, denominator))).toBe(halfUp(BigInt(numerator), BigInt(denominator)))
      }),
      RUNS,
    )
  })

  test('percentOf', () => {
    fc.assert(
      fc.property(anyAmount, anyPercent, (amount, bps) => {
        expect(BigInt(percentOf(amount, bps))).toBe(halfUp(BigInt(amount) * BigInt(bps), 10_000n))
      }),
      RUNS,
    )
  })

  test('shareOf and percentOfShare', () => {
    fc.assert(
      fc.property(anyAmount, anyAmount, anyDivisor, anyPercent, (amount, anyUnits, quantity, bps) => {
        const units = Math.min(anyUnits, quantity)
        const product = BigInt(amount) * BigInt(units)
        expect(BigInt(shareOf(amount, units, quantity))).toBe(halfUp(product, BigInt(quantity)))
        const ofShare = halfUp(product * BigInt(bps), BigInt(quantity) * 10_000n)
        expect(BigInt(percentOfShare(amount, units, quantity, bps))).toBe(ofShare)
      }),
      RUNS,
    )
  })

  test('an allocation adds up, keeps within one of the exact share, and never exceeds a weight', () => {
    const weightsAndTotal = fc
      .array(
        anyAmount.map((amount) => Math.floor(amount / 8)),
        { minLength: 1, maxLength: 8 },
      )
      .chain((weights) => {
        const weightSum = weights.reduce((a, b) => a + b, 0)
        return fc.record({ weights: fc.constant(weights), total: fc.integer({ min: 0, max: weightSum }) })
      })
    fc.assert(
      fc.property(weightsAndTotal, ({ weights, total }) => {
        const parts = allocateByLargestRemainder(total, weights)
        const weightSum = weights.reduce((a, b) => a + BigInt(b), 0n)
        expect(parts.reduce((a, b) => a + BigInt(b), 0n)).toBe(BigInt(total))
        for (const [index, weight] of weights.entries()) {
          const part = parts[index] ?? -1
          expect(part).toBeLessThanOrEqual(weight)
          const distance = BigInt(part) * weightSum - BigInt(total) * BigInt(weight)
          expect(distance === 0n || (distance < weightSum && distance > -weightSum)).toBe(true)
        }
      }),
      RUNS,
    )
  })
})

/** floor(x + 1/2), the definition of half up for what is not negative. */
function halfUp(numerator: bigint, denominator: bigint): bigint {
  return (numerator * 2n + denominator) / (denominator * 2n)
}
