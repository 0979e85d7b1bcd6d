/** What holds for every cart and every set of offers, on random ones; and a comparison with a naive model. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cartFault } from '../../../engine/domain/cart.ts'
import { discountOfOneLine, priceCart } from '../../../engine/domain/discount.ts'
import { modelPrice } from './discount-model.ts'
import {
  MAX,
  SEED,
  randomCart,
  randomOffer,
  randomOfferForAll,
  randomOffers,
  randomPrice,
  randomQuantity,
} from './discount-random.ts'

const RUNS = { seed: SEED, numRuns: 3000 }

describe(`random carts and offers (FC_SEED=${SEED})`, () => {
  test('the naive model gives the same figures', () => {
    fc.assert(
      fc.property(randomCart, randomOffers, (cart, offers) => {
        expect(cartFault(cart)).toBeNull()
        const priced = priceCart(cart, offers)
        const model = modelPrice(cart, offers)
        expect(priced.amounts.map(BigInt)).toEqual(model.amounts)
        expect(priced.lines.map((line) => line.perOffer.map(BigInt))).toEqual(model.perLine)
        expect(BigInt(priced.shippingDiscountMinor)).toBe(model.shippingDiscount)
      }),
      RUNS,
    )
  })

  test('lines, offers and totals add up, to the minor unit', () => {
    fc.assert(
      fc.property(randomCart, randomOffers, (cart, offers) => {
        const priced = priceCart(cart, offers)
        for (const line of priced.lines) {
          expect(sum(line.perOffer)).toBe(BigInt(line.discountMinor))
          expect(sum([line.discountMinor, line.finalMinor])).toBe(BigInt(line.amountMinor))
        }
        const ofLines = sum(priced.lines.map((line) => line.discountMinor))
        expect(ofLines + BigInt(priced.shippingDiscountMinor)).toBe(BigInt(priced.totalMinor))
        expect(sum(priced.amounts)).toBe(BigInt(priced.totalMinor))
        expect(sum(priced.lines.map((line) => line.amountMinor))).toBe(BigInt(priced.subtotalMinor))
        expect(sum([priced.totalMinor, priced.finalMinor])).toBe(sum([priced.subtotalMinor, priced.shippingMinor]))
      }),
      RUNS,
    )
  })

  test('nothing is below zero, and nothing beyond what there is', () => {
    fc.assert(
      fc.property(randomCart, randomOffers, (cart, offers) => {
        const priced = priceCart(cart, offers)
        for (const line of priced.lines) {
          for (const part of line.perOffer) expectWithin(part, line.amountMinor)
          expectWithin(line.finalMinor, line.amountMinor)
        }
        for (const amount of priced.amounts) expectWithin(amount, priced.totalMinor)
        expectWithin(priced.totalMinor, priced.subtotalMinor + priced.shippingMinor)
        expectWithin(priced.finalMinor, priced.subtotalMinor + priced.shippingMinor)
        expectWithin(priced.shippingDiscountMinor, priced.shippingMinor)
      }),
      RUNS,
    )
  })

  test('only FREESHIP touches the shipping, and it touches nothing else', () => {
    fc.assert(
      fc.property(randomCart, randomOffers, (cart, offers) => {
        const priced = priceCart(cart, offers)
        const ofFreeShipping = priced.amounts.filter((_, index) => offers[index]?.type === 'FREESHIP')
        expect(BigInt(priced.shippingDiscountMinor)).toBe(sum(ofFreeShipping))
        for (const line of priced.lines) {
          const parts = line.perOffer.filter((_, index) => offers[index]?.type === 'FREESHIP')
          expect(sum(parts)).toBe(0n)
        }
      }),
      RUNS,
    )
  })

  test('no offer gives more than its maxDiscount', () => {
    fc.assert(
      fc.property(randomCart, randomOffers, (cart, offers) => {
        const { amounts } = priceCart(cart, offers)
        for (const [index, offer] of offers.entries()) {
          expectWithin(amounts[index], offer.maxDiscountMinor ?? MAX)
        }
      }),
      RUNS,
    )
  })

  test('a line that an offer excludes is left alone by it', () => {
    fc.assert(
      fc.property(randomCart, randomOffer, (cart, offer) => {
        const priced = priceCart(cart, [{ ...offer, excludedProductIds: ['p1'] }])
        const ofExcluded = priced.lines.filter((_, index) => cart.lines[index]?.productId === 'p1')
        expect(ofExcluded.map(({ discountMinor }) => discountMinor)).toEqual(ofExcluded.map(() => 0))
      }),
      RUNS,
    )
  })

  test('the short way for one line gives what the cart gives', () => {
    fc.assert(
      fc.property(randomOfferForAll, randomQuantity, randomPrice, randomPrice, (offer, quantity, price, shipping) => {
        const line = { lineId: '0', productId: null, categoryIds: [], quantity, unitPriceMinor: price }
        const cart = { currency: 'EUR', lines: [line], shippingMinor: shipping, channel: null }
        expect(discountOfOneLine(offer, quantity, price, shipping)).toBe(priceCart(cart, [offer]).amounts[0])
      }),
      { ...RUNS, numRuns: 10_000 },
    )
  })

  test('the short way holds up to the largest amount and quantity', () => {
    const anyQuantity = fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: MAX }))
    const amountOfAll = fc.maxSafeNat()
    fc.assert(
      fc.property(randomOfferForAll, anyQuantity, amountOfAll, (offer, quantity, amount) => {
        const unitPriceMinor = Math.floor(amount / quantity)
        const line = { lineId: '0', productId: null, categoryIds: [], quantity, unitPriceMinor }
        const cart = { currency: 'EUR', lines: [line], shippingMinor: 0, channel: null }
        const amountMinor = discountOfOneLine(offer, quantity, unitPriceMinor, 0)
        expect([BigInt(amountMinor)]).toEqual(modelPrice(cart, [offer]).amounts)
        expect(amountMinor).toBe(priceCart(cart, [offer]).amounts[0])
      }),
      RUNS,
    )
  })
})

function sum(amounts: readonly number[]): bigint {
  return amounts.reduce((total, amount) => total + BigInt(amount), 0n)
}

function expectWithin(amount: number | undefined, max: number): void {
  expect(Number.isSafeInteger(amount)).toBe(true)
  expect(amount).toBeGreaterThanOrEqual(0)
  expect(amount).toBeLessThanOrEqual(max)
}
