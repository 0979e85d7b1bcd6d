/** Price cases: one offer on the sum of the order, and free shipping. Every figure is worked out by hand. */

import { cart, fixed, freeShipping, line, percent } from './discount-support.ts'
import type { PriceCase } from './discount-support.ts'

const MAX = 9_007_199_254_740_991

export const ORDER_PERCENT_CASES: readonly PriceCase[] = [
  {
    name: '10 % of one line',
    cart: cart([line('a', 1, 10_000)]),
    offers: [percent(10_00)],
    gives: { amounts: [1000], lines: [1000], total: 1000, final: 9000 },
  },
  {
    name: '0.01 % of 5,000 is half a minor unit and rounds up',
    cart: cart([line('a', 1, 5000)]),
    offers: [percent(1)],
    gives: { amounts: [1], lines: [1], total: 1, final: 4999 },
  },
  {
    name: '0.01 % of 4,999 stays below the half and is nothing',
    cart: cart([line('a', 1, 4999)]),
    offers: [percent(1)],
    gives: { amounts: [0], lines: [0], total: 0, final: 4999 },
  },
  {
    name: '33.33 % of 100 rounds down',
    cart: cart([line('a', 1, 100)]),
    offers: [percent(33_33)],
    gives: { amounts: [33], lines: [33], total: 33, final: 67 },
  },
  {
    name: '12.5 % of 999 is 124.875 and rounds up',
    cart: cart([line('a', 1, 999)]),
    offers: [percent(12_50)],
    gives: { amounts: [125], lines: [125], total: 125, final: 874 },
  },
  {
    name: '100 % takes the order and leaves the shipping',
    cart: cart([line('a', 2, 500)], { shippingMinor: 490 }),
    offers: [percent(100_00)],
    gives: { amounts: [1000], lines: [1000], total: 1000, final: 490 },
  },
  {
    name: 'the missing unit goes to the largest fraction',
    why: '15 % of 1,333 is 199.95, so 200. Shares 150.04 and 49.96: floors 150 and 49, the missing one to the second line.',
    cart: cart([line('a', 1, 1000), line('b', 1, 333)]),
    offers: [percent(15_00)],
    gives: { amounts: [200], lines: [150, 50], total: 200, final: 1133 },
  },
  {
    name: 'equal fractions: the missing units go to the earlier lines',
    why: '10 % of 15 is 1.5, so 2. Each share is 2/3: floors 0, the two missing ones to the first and second line.',
    cart: cart([line('a', 1, 5), line('b', 1, 5), line('c', 1, 5)]),
    offers: [percent(10_00)],
    gives: { amounts: [2], lines: [1, 1, 0], total: 2, final: 13 },
  },
  {
    name: 'a free line gets no part of it',
    cart: cart([line('a', 1, 0), line('b', 1, 100)]),
    offers: [percent(50_00)],
    gives: { amounts: [50], lines: [0, 50], total: 50, final: 50 },
  },
  {
    name: 'only the applicable product counts',
    cart: cart([line('a', 1, 2000), line('b', 1, 3000)]),
    offers: [percent(10_00, { applicableProductIds: ['a'] })],
    gives: { amounts: [200], lines: [200, 0], total: 200, final: 4800 },
  },
  {
    name: 'an excluded category beats an applicable one',
    cart: cart([line('a', 1, 1000, 'shoes'), line('b', 1, 1000, 'shoes', 'sale')]),
    offers: [percent(20_00, { applicableCategoryIds: ['shoes'], excludedCategoryIds: ['sale'] })],
    gives: { amounts: [200], lines: [200, 0], total: 200, final: 1800 },
  },
  {
    name: 'half of a line, but at most 1,000',
    cart: cart([line('a', 1, 10_000)]),
    offers: [percent(50_00, { maxDiscountMinor: 1000, currency: 'EUR' })],
    gives: { amounts: [1000], lines: [1000], total: 1000, final: 9000 },
  },
  {
    name: 'the cap is allocated in proportion to the uncapped amounts',
    why: '20 % is 1,200 and 800; a cap of 500 is split 3:2.',
    cart: cart([line('a', 1, 6000), line('b', 1, 4000)]),
    offers: [percent(20_00, { maxDiscountMinor: 500, currency: 'EUR' })],
    gives: { amounts: [500], lines: [300, 200], total: 500, final: 9500 },
  },
  {
    name: 'a cap that does not divide: ties to the earlier line',
    why: 'Uncapped 50 each; 100 / 3 is 33.33 each, the missing one to the first.',
    cart: cart([line('a', 1, 100), line('b', 1, 100), line('c', 1, 100)]),
    offers: [percent(50_00, { maxDiscountMinor: 100, currency: 'EUR' })],
    gives: { amounts: [100], lines: [34, 33, 33], total: 100, final: 200 },
  },
  {
    name: 'a cap just reached changes nothing',
    cart: cart([line('a', 1, 3), line('b', 1, 5)]),
    offers: [percent(50_00, { maxDiscountMinor: 4, currency: 'EUR' })],
    gives: { amounts: [4], lines: [2, 2], total: 4, final: 4 },
  },
  {
    name: 'the cap follows the uncapped amounts, not what is left on the lines',
    why:
      '50 % of 8 is 4; shares 1.5 and 2.5, floors 1 and 2, the tie to the first: 2 and 2. A cap of 3 over 2:2 is 1.5 each, ' +
      'the tie to the first: 2 and 1. In proportion to 3:5 it would have been 1 and 2.',
    cart: cart([line('a', 1, 3), line('b', 1, 5)]),
    offers: [percent(50_00, { maxDiscountMinor: 3, currency: 'EUR' })],
    gives: { amounts: [3], lines: [2, 1], total: 3, final: 5 },
  },
  {
    name: 'a cart of nothing',
    cart: cart([line('a', 3, 0)]),
    offers: [percent(50_00)],
    gives: { amounts: [0], lines: [0], total: 0, final: 0 },
  },
  {
    name: 'maxUnits is for ITEM offers and does not narrow an ORDER one',
    cart: cart([line('a', 4, 100)]),
    offers: [percent(10_00, { maxUnits: 1 })],
    gives: { amounts: [40], lines: [40], total: 40, final: 360 },
  },
  {
    name: '33.33 % of the largest amount',
    why: '9,007,199,254,740,991 × 0.3333 = 3,002,099,511,605,172.3003',
    cart: cart([line('a', 1, MAX)]),
    offers: [percent(33_33)],
    gives: {
      amounts: [3_002_099_511_605_172],
      lines: [3_002_099_511_605_172],
      total: 3_002_099_511_605_172,
      final: 6_005_099_743_135_819,
    },
  },
  {
    name: 'the fraction beside a huge line is seen',
    why:
      'Half of 2^53-1 ends in .5, so T = 4,503,599,627,370,496. The line of 1 has the share T/(2^53-1), a hair above 0.5, ' +
      'the other one the fraction a hair below: the missing unit goes to the line of 1. In doubles they would tie.',
    cart: cart([line('a', 1, MAX - 1), line('b', 1, 1)]),
    offers: [percent(50_00)],
    gives: {
      amounts: [4_503_599_627_370_496],
      lines: [4_503_599_627_370_495, 1],
      total: 4_503_599_627_370_496,
      final: 4_503_599_627_370_495,
    },
  },
]

export const ORDER_FIXED_CASES: readonly PriceCase[] = [
  {
    name: '500 off 2,000',
    cart: cart([line('a', 2, 1000)]),
    offers: [fixed(500)],
    gives: { amounts: [500], lines: [500], total: 500, final: 1500 },
  },
  {
    name: 'larger than the order gives the order, not the shipping',
    cart: cart([line('a', 1, 2000)], { shippingMinor: 400 }),
    offers: [fixed(3000)],
    gives: { amounts: [2000], lines: [2000], total: 2000, final: 400 },
  },
  {
    name: 'equal to the order',
    cart: cart([line('a', 1, 700), line('b', 1, 300)]),
    offers: [fixed(1000)],
    gives: { amounts: [1000], lines: [700, 300], total: 1000, final: 0 },
  },
  {
    name: '100 over three equal lines: one missing unit, to the first',
    cart: cart([line('a', 1, 1000), line('b', 1, 1000), line('c', 1, 1000)]),
    offers: [fixed(100)],
    gives: { amounts: [100], lines: [34, 33, 33], total: 100, final: 2900 },
  },
  {
    name: '200 over three equal lines: two missing units, to the first two',
    cart: cart([line('a', 1, 1000), line('b', 1, 1000), line('c', 1, 1000)]),
    offers: [fixed(200)],
    gives: { amounts: [200], lines: [67, 67, 66], total: 200, final: 2800 },
  },
  {
    name: 'one minor unit goes to the larger line, wherever it stands',
    why: 'Shares 0.001 and 0.999.',
    cart: cart([line('a', 1, 1), line('b', 1, 999)]),
    offers: [fixed(1)],
    gives: { amounts: [1], lines: [0, 1], total: 1, final: 999 },
  },
  {
    name: 'a line weighs by its amount, not by its unit price',
    why: '3 × 250 against 1 × 250 is 3:1.',
    cart: cart([line('a', 3, 250), line('b', 1, 250)]),
    offers: [fixed(100)],
    gives: { amounts: [100], lines: [75, 25], total: 100, final: 900 },
  },
  {
    name: 'gives no more than the eligible lines hold',
    cart: cart([line('a', 1, 700), line('b', 1, 300, 'books')]),
    offers: [fixed(500, { applicableCategoryIds: ['books'] })],
    gives: { amounts: [300], lines: [0, 300], total: 300, final: 700 },
  },
  {
    name: 'keeps off an excluded product',
    cart: cart([line('a', 1, 5000), line('b', 1, 1000)]),
    offers: [fixed(800, { excludedProductIds: ['a'] })],
    gives: { amounts: [800], lines: [0, 800], total: 800, final: 5200 },
  },
  {
    name: 'maxDiscount below the value',
    cart: cart([line('a', 1, 1000), line('b', 1, 1000)]),
    offers: [fixed(500, { maxDiscountMinor: 200 })],
    gives: { amounts: [200], lines: [100, 100], total: 200, final: 1800 },
  },
  {
    name: '10^15 over three lines that fill the range of money',
    why: 'Shares 333,333,333,333,333.33 each, the missing unit to the first; the products have 31 digits.',
    cart: cart([
      line('a', 1, 3_002_399_751_580_330),
      line('b', 1, 3_002_399_751_580_330),
      line('c', 1, 3_002_399_751_580_330),
    ]),
    offers: [fixed(1_000_000_000_000_000)],
    gives: {
      amounts: [1_000_000_000_000_000],
      lines: [333_333_333_333_334, 333_333_333_333_333, 333_333_333_333_333],
      total: 1_000_000_000_000_000,
      final: 8_007_199_254_740_990,
    },
  },
]

export const FREE_SHIPPING_CASES: readonly PriceCase[] = [
  {
    name: 'takes the shipping and no line',
    cart: cart([line('a', 1, 2000)], { shippingMinor: 490 }),
    offers: [freeShipping()],
    gives: { amounts: [490], lines: [0], shippingDiscount: 490, total: 490, final: 2000 },
  },
  {
    name: 'up to maxDiscount',
    cart: cart([line('a', 1, 2000)], { shippingMinor: 490 }),
    offers: [freeShipping({ maxDiscountMinor: 300, currency: 'EUR' })],
    gives: { amounts: [300], lines: [0], shippingDiscount: 300, total: 300, final: 2190 },
  },
  {
    name: 'of no shipping is nothing',
    cart: cart([line('a', 1, 2000)]),
    offers: [freeShipping()],
    gives: { amounts: [0], lines: [0], total: 0, final: 2000 },
  },
  {
    name: 'is the whole shipping, though only one line is eligible',
    cart: cart([line('a', 1, 2000), line('b', 1, 100)], { shippingMinor: 490 }),
    offers: [freeShipping({ applicableProductIds: ['b'] })],
    gives: { amounts: [490], lines: [0, 0], shippingDiscount: 490, total: 490, final: 2100 },
  },
  {
    name: 'on lines that cost nothing',
    cart: cart([line('a', 1, 0)], { shippingMinor: 490 }),
    offers: [freeShipping()],
    gives: { amounts: [490], lines: [0], shippingDiscount: 490, total: 490, final: 0 },
  },
]

export const NO_OFFER_CASES: readonly PriceCase[] = [
  {
    name: 'is the subtotal and the shipping',
    cart: cart([line('a', 2, 150), line('b', 1, 5)], { shippingMinor: 10 }),
    offers: [],
    gives: { amounts: [], lines: [0, 0], total: 0, final: 315 },
  },
]
