/** Price cases: several offers on one cart. Every figure is worked out by hand; amounts stand in request order. */

import { ACROSS, ITEM, LINE, UNIT, cart, fixed, freeShipping, line, percent } from './discount-support.ts'
import type { PriceCase } from './discount-support.ts'

const MAX = 9_007_199_254_740_991

const hundred = cart([line('a', 1, 10_000)])
const halfUpTo1000 = { maxDiscountMinor: 1000, currency: 'EUR' } as const

export const ORDER_OF_APPLICATION_CASES: readonly PriceCase[] = [
  {
    name: 'the second percent works on what the first left',
    cart: hundred,
    offers: [percent(10_00), percent(10_00)],
    gives: { amounts: [1000, 900], lines: [1900], perOffer: [[1000, 900]], total: 1900, final: 8100 },
  },
  {
    name: 'PERCENT before FIXED, whatever the request says',
    why: 'Fixed first would leave 9,000 and a percent of 900.',
    cart: hundred,
    offers: [fixed(1000), percent(10_00)],
    gives: { amounts: [1000, 1000], lines: [2000], total: 2000, final: 8000 },
  },
  {
    name: 'ITEM before ORDER, also FIXED before PERCENT then',
    cart: hundred,
    offers: [percent(10_00), fixed(1000, LINE)],
    gives: { amounts: [900, 1000], lines: [1900], perOffer: [[900, 1000]], total: 1900, final: 8100 },
  },
  {
    name: 'higher priority first',
    why: 'The capped half first: 1,000; then 10 % of 9,000.',
    cart: hundred,
    offers: [percent(10_00), percent(50_00, { ...halfUpTo1000, priority: 5 })],
    gives: { amounts: [900, 1000], lines: [1900], total: 1900, final: 8100 },
  },
  {
    name: 'a negative priority goes after 0',
    cart: hundred,
    offers: [percent(50_00, { ...halfUpTo1000, priority: -1 }), percent(10_00)],
    gives: { amounts: [1000, 1000], lines: [2000], total: 2000, final: 8000 },
  },
  {
    name: 'equal priority: the order in the request',
    cart: hundred,
    offers: [percent(50_00, halfUpTo1000), percent(10_00)],
    gives: { amounts: [1000, 900], lines: [1900], total: 1900, final: 8100 },
  },
  {
    name: 'equal priority, requested the other way round',
    cart: hundred,
    offers: [percent(10_00), percent(50_00, halfUpTo1000)],
    gives: { amounts: [1000, 1000], lines: [2000], total: 2000, final: 8000 },
  },
  {
    name: 'priority does not lift ORDER above ITEM',
    cart: hundred,
    offers: [percent(10_00, { priority: 100 }), percent(50_00, ITEM)],
    gives: { amounts: [500, 5000], lines: [5500], total: 5500, final: 4500 },
  },
  {
    name: 'priority does not lift FIXED above PERCENT',
    cart: hundred,
    offers: [fixed(1000, { ...LINE, priority: 100 }), percent(10_00, ITEM)],
    gives: { amounts: [1000, 1000], lines: [2000], total: 2000, final: 8000 },
  },
  {
    name: 'FREESHIP last, though it stands first with the highest priority',
    cart: cart([line('a', 1, 1000)], { shippingMinor: 490 }),
    offers: [freeShipping({ priority: 99 }), fixed(5000)],
    gives: { amounts: [490, 1000], lines: [1000], perOffer: [[0, 1000]], shippingDiscount: 490, total: 1490, final: 0 },
  },
  {
    name: 'the scope of a FREESHIP does not move it',
    why: 'Ranked as an ITEM offer the first one would go first and take all 500.',
    cart: cart([line('a', 1, 1000)], { shippingMinor: 500 }),
    offers: [freeShipping(ITEM), freeShipping({ maxDiscountMinor: 300, currency: 'EUR', priority: 1 })],
    gives: { amounts: [200, 300], lines: [0], shippingDiscount: 500, total: 500, final: 1000 },
  },
  {
    name: 'ten codes of 10 % on a line of 100',
    why: 'Left: 90, 81, 73 (8.1), 66 (7.3), 59 (6.6), 53 (5.9), 48 (5.3), 43 (4.8), 39 (4.3), 35 (3.9).',
    cart: cart([line('a', 1, 100)]),
    offers: Array.from({ length: 10 }, () => percent(10_00, ITEM)),
    gives: { amounts: [10, 9, 8, 7, 7, 6, 5, 5, 4, 4], lines: [65], total: 65, final: 35 },
  },
]

export const WHAT_IS_LEFT_CASES: readonly PriceCase[] = [
  {
    name: 'a second FREESHIP takes the rest of the shipping',
    cart: cart([line('a', 1, 1000)], { shippingMinor: 500 }),
    offers: [freeShipping({ maxDiscountMinor: 300, currency: 'EUR' }), freeShipping()],
    gives: { amounts: [300, 200], lines: [0], shippingDiscount: 500, total: 500, final: 1000 },
  },
  {
    name: 'a second FIXED gets what is left',
    cart: cart([line('a', 1, 1000)]),
    offers: [fixed(800), fixed(500)],
    gives: { amounts: [800, 200], lines: [1000], perOffer: [[800, 200]], total: 1000, final: 0 },
  },
  {
    name: 'nothing left gives 0 and no refusal',
    cart: cart([line('a', 1, 1000)]),
    offers: [percent(100_00), fixed(500), fixed(1)],
    gives: { amounts: [1000, 0, 0], lines: [1000], total: 1000, final: 0 },
  },
  {
    name: 'ORDER FIXED is allocated in proportion to what is left',
    why: 'The ITEM offer leaves 500 and 1,000; 300 over 1:2.',
    cart: cart([line('a', 1, 1000), line('b', 1, 1000)]),
    offers: [percent(50_00, { ...ITEM, applicableProductIds: ['a'] }), fixed(300)],
    gives: {
      amounts: [500, 300],
      lines: [600, 200],
      perOffer: [
        [500, 100],
        [0, 200],
      ],
      total: 800,
      final: 1200,
    },
  },
  {
    name: 'a line with nothing left gets no part of a later offer',
    cart: cart([line('a', 1, 1000), line('b', 1, 1000)]),
    offers: [percent(100_00, { ...ITEM, applicableProductIds: ['a'] }), percent(50_00)],
    gives: {
      amounts: [1000, 500],
      lines: [1000, 500],
      perOffer: [
        [1000, 0],
        [0, 500],
      ],
      total: 1500,
      final: 500,
    },
  },
  {
    name: 'offers on different lines do not meet',
    cart: cart([line('a', 1, 1000), line('b', 1, 1000)]),
    offers: [
      percent(10_00, { ...ITEM, applicableProductIds: ['a'] }),
      percent(20_00, { ...ITEM, applicableProductIds: ['b'] }),
    ],
    gives: {
      amounts: [100, 200],
      lines: [100, 200],
      perOffer: [
        [100, 0],
        [0, 200],
      ],
      total: 300,
      final: 1700,
    },
  },
  {
    name: 'maxUnits: a percent of its share of what is left',
    why: '10 % of 300 leaves 270; one of three units is 90, half of it 45.',
    cart: cart([line('a', 3, 100)]),
    offers: [percent(10_00, ITEM), percent(50_00, { ...ITEM, maxUnits: 1 })],
    gives: { amounts: [30, 45], lines: [75], total: 75, final: 225 },
  },
  {
    name: 'maxUnits: share and percent are rounded once, together',
    why: '7 % of 99 is 6.93, so 7, left 92. 92 / 3 × 50 % = 15.33. Rounding the share first (31) would give 15.5, so 16.',
    cart: cart([line('a', 3, 33)]),
    offers: [percent(7_00, { ...ITEM, priority: 1 }), percent(50_00, { ...ITEM, maxUnits: 1 })],
    gives: { amounts: [7, 15], lines: [22], total: 22, final: 77 },
  },
  {
    name: 'maxUnits: the share a FIXED offer may take is rounded half up',
    why: '290 left on three units: one is worth 96.67, so 97.',
    cart: cart([line('a', 3, 100)]),
    offers: [fixed(10, { ...LINE, priority: 1 }), fixed(200, { ...UNIT, maxUnits: 1 })],
    gives: { amounts: [10, 97], lines: [107], total: 107, final: 193 },
  },
  {
    name: 'UNIT takes what is left of the line',
    cart: cart([line('a', 2, 150)]),
    offers: [fixed(100, UNIT), fixed(250, { ...LINE, priority: 1 })],
    gives: { amounts: [50, 250], lines: [300], total: 300, final: 0 },
  },
  {
    name: 'an ACROSS offer on one line shifts the proportions of a later ORDER FIXED',
    why: 'ACROSS 150 on b alone leaves 300:450; 250 over 2:3 is 100 and 150.',
    cart: cart([line('a', 1, 300), line('b', 2, 300)]),
    offers: [fixed(250), fixed(150, { ...ACROSS, applicableProductIds: ['b'] })],
    gives: {
      amounts: [250, 150],
      lines: [100, 300],
      perOffer: [
        [100, 0],
        [150, 150],
      ],
      total: 400,
      final: 500,
    },
  },
  {
    name: 'a whole checkout',
    why:
      'Shirts 3,998: 20 % is 799.6, so 800, left 3,198 : 1,250. ORDER 10 % of 4,448 is 444.8, so 445: 319.94 and 125.06, ' +
      'the missing one to the shirts: 320 and 125, left 2,878 : 1,125. ORDER 500: 359.48 and 140.52, the missing one to the ' +
      'mug: 359 and 141.',
    cart: cart([line('shirt', 2, 1999, 'clothes'), line('mug', 1, 1250)], { shippingMinor: 499 }),
    offers: [
      freeShipping(),
      fixed(500),
      percent(10_00),
      percent(20_00, { ...ITEM, applicableCategoryIds: ['clothes'] }),
    ],
    gives: {
      amounts: [499, 500, 445, 800],
      lines: [1479, 266],
      perOffer: [
        [0, 359, 320, 800],
        [0, 141, 125, 0],
      ],
      shippingDiscount: 499,
      total: 2244,
      final: 3503,
    },
  },
  {
    name: 'a cart of nothing but shipping',
    cart: cart([line('a', 1, 0), line('b', 2, 0)], { shippingMinor: 250 }),
    offers: [percent(10_00), fixed(100, UNIT), freeShipping()],
    gives: { amounts: [0, 0, 250], lines: [0, 0], shippingDiscount: 250, total: 250, final: 0 },
  },
  {
    name: 'the last minor unit of the largest amount',
    cart: cart([line('a', 1, MAX)]),
    offers: [fixed(MAX - 1), fixed(5)],
    gives: { amounts: [MAX - 1, 1], lines: [MAX], total: MAX, final: 0 },
  },
  {
    name: 'line and shipping that together are the largest amount',
    cart: cart([line('a', 1, MAX - 1000)], { shippingMinor: 1000 }),
    offers: [freeShipping(), fixed(1)],
    gives: { amounts: [1000, 1], lines: [1], shippingDiscount: 1000, total: 1001, final: 9_007_199_254_739_990 },
  },
]
