/** The checks of one offer on a cart, in the order of the contract, and the sentences beside the refusals. */

import { describe, expect, test } from 'vitest'
import { cartOfTotal } from '../../../engine/domain/cart.ts'
import type { Cart } from '../../../engine/domain/cart.ts'
import { CART_REFUSALS, cartRefusal, cartRefusalDetail, eligibleLines } from '../../../engine/domain/eligibility.ts'
import type { CartRefusal } from '../../../engine/domain/eligibility.ts'
import type { Offer } from '../../../engine/domain/offer.ts'
import { cart, fixed, line, percent } from './discount-support.ts'

interface EligibilityCase {
  readonly name: string
  readonly terms: Partial<Offer>
  readonly cart: Cart
  readonly refusal: CartRefusal | null
}

const shirts = cart([line('shirt', 2, 1000, 'clothes')])
const shirtAndMug = cart([line('shirt', 2, 1000, 'clothes'), line('mug', 3, 500, 'kitchen')])

const CHANNELS: readonly EligibilityCase[] = [
  { name: 'no list takes a cart without channel', terms: {}, cart: shirts, refusal: null },
  { name: 'no list takes any channel', terms: {}, cart: { ...shirts, channel: 'web' }, refusal: null },
  { name: 'an empty list is no list', terms: { channels: [] }, cart: shirts, refusal: null },
  { name: 'a named channel', terms: { channels: ['app', 'web'] }, cart: { ...shirts, channel: 'web' }, refusal: null },
  {
    name: 'a channel not named',
    terms: { channels: ['app'] },
    cart: { ...shirts, channel: 'web' },
    refusal: 'CHANNEL_NOT_ALLOWED',
  },
  {
    name: 'a list refuses a cart without channel',
    terms: { channels: ['app'] },
    cart: shirts,
    refusal: 'CHANNEL_NOT_ALLOWED',
  },
]

const CURRENCIES: readonly EligibilityCase[] = [
  { name: 'an offer without currency takes any', terms: {}, cart: { ...shirts, currency: 'USD' }, refusal: null },
  { name: 'the same currency', terms: { currency: 'EUR' }, cart: shirts, refusal: null },
  {
    name: 'another one',
    terms: { currency: 'EUR' },
    cart: { ...shirts, currency: 'USD' },
    refusal: 'CURRENCY_MISMATCH',
  },
]

const MINIMUMS: readonly EligibilityCase[] = [
  { name: 'the order just reaches it', terms: { minOrderMinor: 2000 }, cart: shirts, refusal: null },
  { name: 'the order is one short', terms: { minOrderMinor: 2001 }, cart: shirts, refusal: 'MIN_ORDER_NOT_MET' },
  {
    name: 'shipping does not count',
    terms: { minOrderMinor: 2001 },
    cart: { ...shirts, shippingMinor: 500 },
    refusal: 'MIN_ORDER_NOT_MET',
  },
  {
    name: 'lines that are not eligible count for the order',
    terms: { minOrderMinor: 3500, applicableProductIds: ['mug'] },
    cart: shirtAndMug,
    refusal: null,
  },
  { name: 'the units just reach it', terms: { minQuantity: 2 }, cart: shirts, refusal: null },
  { name: 'the units are one short', terms: { minQuantity: 3 }, cart: shirts, refusal: 'MIN_QUANTITY_NOT_MET' },
  { name: 'units of several lines add up', terms: { minQuantity: 5 }, cart: shirtAndMug, refusal: null },
  {
    name: 'units that are not eligible do not count',
    terms: { minQuantity: 4, applicableCategoryIds: ['kitchen'] },
    cart: shirtAndMug,
    refusal: 'MIN_QUANTITY_NOT_MET',
  },
  {
    name: 'a bare total is one unit',
    terms: { minQuantity: 2 },
    cart: cartOfTotal(5000, 'EUR'),
    refusal: 'MIN_QUANTITY_NOT_MET',
  },
]

const APPLICABILITY: readonly EligibilityCase[] = [
  { name: 'nothing named takes every line', terms: {}, cart: shirts, refusal: null },
  { name: 'the product is named', terms: { applicableProductIds: ['shirt'] }, cart: shirts, refusal: null },
  { name: 'its category is named', terms: { applicableCategoryIds: ['clothes'] }, cart: shirts, refusal: null },
  {
    name: 'the category of one of several lines is named',
    terms: { applicableProductIds: ['hat'], applicableCategoryIds: ['kitchen'] },
    cart: shirtAndMug,
    refusal: null,
  },
  {
    name: 'another product is named',
    terms: { applicableProductIds: ['hat'] },
    cart: shirts,
    refusal: 'NOT_APPLICABLE',
  },
  {
    name: 'another category is named',
    terms: { applicableCategoryIds: ['hats'] },
    cart: shirts,
    refusal: 'NOT_APPLICABLE',
  },
  {
    name: 'the product is excluded',
    terms: { excludedProductIds: ['shirt'] },
    cart: shirts,
    refusal: 'NOT_APPLICABLE',
  },
  {
    name: 'its category is excluded',
    terms: { excludedCategoryIds: ['clothes'] },
    cart: shirts,
    refusal: 'NOT_APPLICABLE',
  },
  {
    name: 'an exclusion beats the named product',
    terms: { applicableProductIds: ['shirt'], excludedCategoryIds: ['clothes'] },
    cart: shirts,
    refusal: 'NOT_APPLICABLE',
  },
  {
    name: 'a category is not taken for a product',
    terms: { applicableProductIds: ['clothes'] },
    cart: shirts,
    refusal: 'NOT_APPLICABLE',
  },
  {
    name: 'a bare total has no product to be named',
    terms: { applicableProductIds: ['0'] },
    cart: cartOfTotal(5000, 'EUR'),
    refusal: 'NOT_APPLICABLE',
  },
  {
    name: 'a bare total has nothing to be excluded',
    terms: { excludedProductIds: ['0'] },
    cart: cartOfTotal(5000, 'EUR'),
    refusal: null,
  },
]

for (const [group, cases] of [
  ['channel', CHANNELS],
  ['currency', CURRENCIES],
  ['minimums', MINIMUMS],
  ['applicability', APPLICABILITY],
] as const) {
  describe(`check of ${group}`, () => {
    for (const eligibilityCase of cases) {
      test(`${group}: ${eligibilityCase.name}`, () => {
        expect(cartRefusal(percent(10_00, eligibilityCase.terms), eligibilityCase.cart)).toBe(eligibilityCase.refusal)
      })
    }
  })
}

describe('order of the checks', () => {
  /** Fails every check; curing them one by one uncovers the next. */
  const failsAll = fixed(100, {
    channels: ['app'],
    currency: 'USD',
    minOrderMinor: 5000,
    minQuantity: 3,
    applicableProductIds: ['hat'],
  })

  test('channel, currency, minimum order, minimum quantity, applicability', () => {
    const cures: readonly Partial<Offer>[] = [
      {},
      { channels: null },
      { currency: 'EUR' },
      { minOrderMinor: null },
      { minQuantity: null },
    ]
    let offer: Offer = failsAll
    const found = cures.map((cure) => {
      offer = { ...offer, ...cure }
      return cartRefusal(offer, shirts)
    })
    expect(found).toEqual(CART_REFUSALS)
    expect(cartRefusal({ ...offer, applicableProductIds: [] }, shirts)).toBeNull()
  })

  test('no eligible line at all is first of all too few units, where a minimum is set', () => {
    const offer = percent(10_00, { minQuantity: 1, applicableProductIds: ['hat'] })
    expect(cartRefusal(offer, shirts)).toBe('MIN_QUANTITY_NOT_MET')
  })
})

describe('eligible lines', () => {
  test('are given in request order', () => {
    const request = cart([line('a', 1, 1, 'x'), line('b', 1, 1), line('c', 1, 1, 'x'), line('d', 1, 1, 'x', 'y')])
    const offer = percent(10_00, { applicableCategoryIds: ['x'], excludedCategoryIds: ['y'] })
    expect(eligibleLines(offer, request).map(({ lineId }) => lineId)).toEqual(['a', 'c'])
  })

  test('are the same for long lists, which are looked up instead of scanned', () => {
    const productIds = Array.from({ length: 1000 }, (_, index) => `p${index}`)
    const request = cart([line('p999', 1, 1), line('p1000', 1, 1), line('p0', 1, 1, 'gone'), line('p1', 1, 1)])
    const offer = percent(10_00, {
      applicableProductIds: productIds,
      excludedCategoryIds: [...productIds, 'gone'],
    })
    expect(eligibleLines(offer, request).map(({ lineId }) => lineId)).toEqual(['p999', 'p1'])
  })
})

describe('the sentence says by how much', () => {
  test.each([
    [
      'CHANNEL_NOT_ALLOWED',
      { channels: ['app', 'store'] },
      { ...shirts, channel: 'web' },
      'the channel web is not among those of the coupon: app, store',
    ],
    [
      'CHANNEL_NOT_ALLOWED',
      { channels: ['app'] },
      shirts,
      'the cart names no channel, and the coupon holds for app only',
    ],
    ['CURRENCY_MISMATCH', { currency: 'USD' }, shirts, 'the cart is in EUR, the coupon in USD'],
    [
      'MIN_ORDER_NOT_MET',
      { minOrderMinor: 5000 },
      cartOfTotal(3750, 'EUR'),
      'the cart is 1,250 EUR minor units short of the minimum of 5,000',
    ],
    [
      'MIN_ORDER_NOT_MET',
      { minOrderMinor: 2001 },
      shirts,
      'the cart is 1 EUR minor unit short of the minimum of 2,001',
    ],
    [
      'MIN_ORDER_NOT_MET',
      { minOrderMinor: 1_234_567 },
      cartOfTotal(0, 'EUR'),
      'the cart is 1,234,567 EUR minor units short of the minimum of 1,234,567',
    ],
    ['MIN_QUANTITY_NOT_MET', { minQuantity: 5 }, shirts, 'the cart is 3 eligible units short of the minimum of 5'],
    ['MIN_QUANTITY_NOT_MET', { minQuantity: 3 }, shirts, 'the cart is 1 eligible unit short of the minimum of 3'],
    ['NOT_APPLICABLE', { applicableProductIds: ['hat'] }, shirts, 'the coupon applies to no line of the cart'],
  ] as const)('%s', (code, terms, request, sentence) => {
    const offer = percent(10_00, terms)
    expect(cartRefusal(offer, request)).toBe(code)
    expect(cartRefusalDetail(code, offer, request)).toBe(sentence)
  })
})
