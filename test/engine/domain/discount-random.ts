/** Random carts and offers: mostly small numbers, where roundings and ties are dense, and some that fill the range of money. */

import fc from 'fast-check'
import { subtotalMinor } from '../../../engine/domain/cart.ts'
import type { Cart, CartLine } from '../../../engine/domain/cart.ts'
import type { Offer } from '../../../engine/domain/offer.ts'

export const MAX = Number.MAX_SAFE_INTEGER

/** Taken from the environment to repeat a failure, otherwise new at each run; the tests print it in their names. */
export const SEED = Number(process.env['FC_SEED'] ?? Math.floor(Math.random() * 2 ** 31))

const LINES_MAX = 8
const QUANTITY_MAX = 6
const PRODUCTS = ['p0', 'p1', 'p2', 'p3'] as const
const CATEGORIES = ['c0', 'c1', 'c2'] as const

const ids = (from: readonly string[]) =>
  fc.oneof({ weight: 3, arbitrary: fc.constant<string[]>([]) }, { weight: 1, arbitrary: fc.subarray([...from]) })

/** So that LINES_MAX lines of QUANTITY_MAX units and the shipping stay within the range of money. */
const HUGE_PRICE_MAX = Math.floor(MAX / (LINES_MAX * QUANTITY_MAX + 1))

export const randomPrice = fc.oneof(
  { weight: 4, arbitrary: fc.nat({ max: 20 }) },
  { weight: 4, arbitrary: fc.nat({ max: 100_000 }) },
  { weight: 2, arbitrary: fc.nat({ max: HUGE_PRICE_MAX }) },
)

export const randomQuantity = fc.integer({ min: 1, max: QUANTITY_MAX })

/** Up to the largest amount, but often small. */
const randomAmount = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 60 }) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 300_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: MAX }) },
)

export const randomOffer: fc.Arbitrary<Offer> = fc
  .record({
    type: fc.constantFrom('PERCENT', 'PERCENT', 'FIXED', 'FIXED', 'FREESHIP'),
    percentBps: fc.oneof(fc.constantFrom(1, 500, 1000, 2500, 3333, 5000, 10_000), fc.integer({ min: 1, max: 10_000 })),
    valueMinor: randomAmount,
    scope: fc.constantFrom('ORDER', 'ITEM'),
    allocation: fc.constantFrom('UNIT', 'LINE', 'ACROSS'),
    maxDiscountMinor: fc.option(randomAmount, { freq: 2 }),
    maxUnits: fc.option(fc.integer({ min: 1, max: 12 }), { freq: 2 }),
    applicableProductIds: ids(PRODUCTS),
    applicableCategoryIds: ids(CATEGORIES),
    excludedProductIds: ids(PRODUCTS),
    excludedCategoryIds: ids(CATEGORIES),
    priority: fc.integer({ min: -2, max: 2 }),
  } as const)
  .map((terms) => ({
    ...terms,
    percentBps: terms.type === 'PERCENT' ? terms.percentBps : 0,
    valueMinor: terms.type === 'FIXED' ? terms.valueMinor : 0,
    currency: 'EUR',
    minOrderMinor: null,
    minQuantity: null,
    channels: null,
    stacking: 'STACKABLE',
  }))

/** An offer that takes every line. */
export const randomOfferForAll: fc.Arbitrary<Offer> = randomOffer.map((offer) => ({
  ...offer,
  applicableProductIds: [],
  applicableCategoryIds: [],
  excludedProductIds: [],
  excludedCategoryIds: [],
}))

const randomLine = fc.record({
  productId: fc.option(fc.constantFrom(...PRODUCTS), { freq: 5 }),
  categoryIds: fc.subarray([...CATEGORIES]),
  quantity: randomQuantity,
  unitPriceMinor: randomPrice,
})

/** One cart in five is filled up by a last line to exactly 2^53 - 1 with its shipping. */
export const randomCart: fc.Arbitrary<Cart> = fc
  .record({
    lines: fc.array(randomLine, { minLength: 1, maxLength: LINES_MAX }),
    shippingMinor: randomPrice,
    isFilledUp: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
  })
  .map(({ lines, shippingMinor, isFilledUp }) => {
    const numbered: CartLine[] = lines.map((line, index) => ({ ...line, lineId: String(index) }))
    const cart = { currency: 'EUR', lines: numbered, shippingMinor, channel: null }
    if (!isFilledUp) return cart
    const rest = MAX - subtotalMinor(cart) - shippingMinor
    const filler = { lineId: 'rest', productId: 'p0', categoryIds: [], quantity: 1, unitPriceMinor: rest }
    return { ...cart, lines: [...numbered, filler] }
  })

export const randomOffers = fc.array(randomOffer, { minLength: 0, maxLength: 5 })
