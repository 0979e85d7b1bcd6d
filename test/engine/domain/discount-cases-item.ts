/** Price cases: one offer on items. Every figure is worked out by hand. */

import { ACROSS, ITEM, LINE, UNIT, cart, fixed, line, percent } from './discount-support.ts'
import type { PriceCase } from './discount-support.ts'

export const ITEM_PERCENT_CASES: readonly PriceCase[] = [
  {
    name: 'rounds each line by itself',
    why: '10 % of 5 is 0.5 and rounds up three times; the same offer on the ORDER gives 2.',
    cart: cart([line('a', 1, 5), line('b', 1, 5), line('c', 1, 5)]),
    offers: [percent(10_00, ITEM)],
    gives: { amounts: [3], lines: [1, 1, 1], total: 3, final: 12 },
  },
  {
    name: 'rounds a line, not its units',
    why: '10 % of 3 × 5 is 1.5, so 2; unit by unit it would be 3.',
    cart: cart([line('a', 3, 5)]),
    offers: [percent(10_00, ITEM)],
    gives: { amounts: [2], lines: [2], total: 2, final: 13 },
  },
  {
    name: 'fractions of several lines are not collected',
    why: '25 % of 1, 1 and 2: 0.25 and 0.25 are nothing, 0.5 rounds up.',
    cart: cart([line('a', 1, 1), line('b', 1, 1), line('c', 1, 2)]),
    offers: [percent(25_00, ITEM)],
    gives: { amounts: [1], lines: [0, 0, 1], total: 1, final: 3 },
  },
  {
    name: 'a line is eligible by any of its categories',
    cart: cart([line('a', 1, 1000, 'shoes', 'red'), line('b', 1, 1000, 'shoes')]),
    offers: [percent(10_00, { ...ITEM, applicableCategoryIds: ['red'] })],
    gives: { amounts: [100], lines: [100, 0], total: 100, final: 1900 },
  },
  {
    name: 'a named product and a named category both count',
    cart: cart([line('a', 1, 1000), line('b', 1, 1000, 'red'), line('c', 1, 1000)]),
    offers: [percent(10_00, { ...ITEM, applicableProductIds: ['a'], applicableCategoryIds: ['red'] })],
    gives: { amounts: [200], lines: [100, 100, 0], total: 200, final: 2800 },
  },
  {
    name: 'maxUnits goes through the lines in request order and works on that share of the line',
    why: 'One unit of a: 500. One of three of b: 2,700 / 3 × 50 % = 450.',
    cart: cart([line('a', 1, 1000), line('b', 3, 900)]),
    offers: [percent(50_00, { ...ITEM, maxUnits: 2 })],
    gives: { amounts: [950], lines: [500, 450], total: 950, final: 2750 },
  },
  {
    name: 'maxUnits used up leaves later lines alone, also dearer ones',
    cart: cart([line('a', 2, 100), line('b', 1, 1000)]),
    offers: [percent(10_00, { ...ITEM, maxUnits: 2 })],
    gives: { amounts: [20], lines: [20, 0], total: 20, final: 1180 },
  },
  {
    name: 'lines that are not eligible do not use up maxUnits',
    cart: cart([line('a', 5, 100), line('b', 2, 300)]),
    offers: [percent(50_00, { ...ITEM, maxUnits: 1, applicableProductIds: ['b'] })],
    gives: { amounts: [150], lines: [0, 150], total: 150, final: 950 },
  },
  {
    name: 'an eligible line that is free does use it up',
    why: 'Units are counted as they stand in the cart.',
    cart: cart([line('a', 1, 0), line('b', 1, 100)]),
    offers: [percent(50_00, { ...ITEM, maxUnits: 1 })],
    gives: { amounts: [0], lines: [0, 0], total: 0, final: 100 },
  },
  {
    name: 'half of one unit of 333 rounds up',
    cart: cart([line('a', 3, 333)]),
    offers: [percent(50_00, { ...ITEM, maxUnits: 1 })],
    gives: { amounts: [167], lines: [167], total: 167, final: 832 },
  },
  {
    name: 'maxUnits above the units of the cart changes nothing',
    cart: cart([line('a', 2, 100), line('b', 1, 50)]),
    offers: [percent(10_00, { ...ITEM, maxUnits: 10 })],
    gives: { amounts: [25], lines: [20, 5], total: 25, final: 225 },
  },
  {
    name: 'maxDiscount is allocated anew',
    why: 'Uncapped 300 and 150; 100 over 2:1 is 66.67 and 33.33.',
    cart: cart([line('a', 1, 1000), line('b', 1, 500)]),
    offers: [percent(30_00, { ...ITEM, maxDiscountMinor: 100, currency: 'EUR' })],
    gives: { amounts: [100], lines: [67, 33], total: 100, final: 1400 },
  },
  {
    name: 'maxDiscount after maxUnits, over the touched lines only',
    why: 'maxUnits 2: uncapped 100 and 50, nothing on c. 60 over 2:1 is 40 and 20.',
    cart: cart([line('a', 1, 200), line('b', 1, 100), line('c', 1, 900)]),
    offers: [percent(50_00, { ...ITEM, maxUnits: 2, maxDiscountMinor: 60, currency: 'EUR' })],
    gives: { amounts: [60], lines: [40, 20, 0], total: 60, final: 1140 },
  },
  {
    name: '12.34 % of one of two units that fill the range of money',
    why: '4,503,599,627,370,495 × 0.1234 = 555,744,194,017,519.083; the product of amount, units and percent has 20 digits.',
    cart: cart([line('a', 2, 4_503_599_627_370_495)]),
    offers: [percent(12_34, { ...ITEM, maxUnits: 1 })],
    gives: {
      amounts: [555_744_194_017_519],
      lines: [555_744_194_017_519],
      total: 555_744_194_017_519,
      final: 8_451_455_060_723_471,
    },
  },
]

export const ITEM_FIXED_CASES: readonly PriceCase[] = [
  {
    name: 'UNIT: off each unit',
    cart: cart([line('a', 3, 500)]),
    offers: [fixed(100, UNIT)],
    gives: { amounts: [300], lines: [300], total: 300, final: 1200 },
  },
  {
    name: 'UNIT: larger than the price gives the price',
    cart: cart([line('a', 3, 80)]),
    offers: [fixed(100, UNIT)],
    gives: { amounts: [240], lines: [240], total: 240, final: 0 },
  },
  {
    name: 'UNIT: what a cheap line cannot take is not moved to a dear one',
    cart: cart([line('a', 2, 50), line('b', 2, 500)]),
    offers: [fixed(100, UNIT)],
    gives: { amounts: [300], lines: [100, 200], total: 300, final: 800 },
  },
  {
    name: 'UNIT: maxUnits in request order',
    cart: cart([line('a', 1, 300), line('b', 4, 300)]),
    offers: [fixed(100, { ...UNIT, maxUnits: 2 })],
    gives: { amounts: [200], lines: [100, 100], total: 200, final: 1300 },
  },
  {
    name: 'UNIT: larger than the price, one unit touched',
    why: 'The touched unit becomes free; the 20 above its price do not come off its neighbours.',
    cart: cart([line('a', 3, 80)]),
    offers: [fixed(100, { ...UNIT, maxUnits: 1 })],
    gives: { amounts: [80], lines: [80], total: 80, final: 160 },
  },
  {
    name: 'UNIT: maxDiscount is allocated anew',
    why: 'Uncapped 300 and 100; 200 over 3:1.',
    cart: cart([line('a', 3, 500), line('b', 1, 500)]),
    offers: [fixed(100, { ...UNIT, maxDiscountMinor: 200 })],
    gives: { amounts: [200], lines: [150, 50], total: 200, final: 1800 },
  },
  {
    name: 'UNIT: a value times units beyond the range of money gives what is left',
    cart: cart([line('a', 2, 4_503_599_627_370_495)]),
    offers: [fixed(9_007_199_254_740_991, UNIT)],
    gives: { amounts: [9_007_199_254_740_990], lines: [9_007_199_254_740_990], total: 9_007_199_254_740_990, final: 0 },
  },
  {
    name: 'LINE: off each line, whatever its quantity',
    cart: cart([line('a', 1, 500), line('b', 1, 50), line('c', 3, 200)]),
    offers: [fixed(100, LINE)],
    gives: { amounts: [250], lines: [100, 50, 100], total: 250, final: 900 },
  },
  {
    name: 'LINE: maxUnits leaves untouched lines alone',
    cart: cart([line('a', 1, 500), line('b', 1, 500)]),
    offers: [fixed(100, { ...LINE, maxUnits: 1 })],
    gives: { amounts: [100], lines: [100, 0], total: 100, final: 900 },
  },
  {
    name: 'LINE: no more than the touched units are worth',
    why: 'One of three units of 40 is touched.',
    cart: cart([line('a', 3, 40)]),
    offers: [fixed(100, { ...LINE, maxUnits: 1 })],
    gives: { amounts: [40], lines: [40], total: 40, final: 80 },
  },
  {
    name: 'LINE: maxDiscount is allocated anew, ties to the earlier lines',
    why: 'Uncapped 100 each; 200 / 3 is 66.67 each, two missing units.',
    cart: cart([line('a', 1, 500), line('b', 1, 500), line('c', 1, 500)]),
    offers: [fixed(100, { ...LINE, maxDiscountMinor: 200 })],
    gives: { amounts: [200], lines: [67, 67, 66], total: 200, final: 1300 },
  },
  {
    name: 'ACROSS: once, in proportion to the eligible lines',
    cart: cart([line('a', 1, 300), line('b', 2, 50), line('c', 1, 900)]),
    offers: [fixed(100, { ...ACROSS, excludedProductIds: ['c'] })],
    gives: { amounts: [100], lines: [75, 25, 0], total: 100, final: 1200 },
  },
  {
    name: 'ACROSS: larger than the eligible lines gives these',
    cart: cart([line('a', 1, 300), line('b', 1, 900)]),
    offers: [fixed(1000, { ...ACROSS, applicableProductIds: ['a'] })],
    gives: { amounts: [300], lines: [300, 0], total: 300, final: 900 },
  },
  {
    name: 'ACROSS: ties to the earlier line',
    cart: cart([line('a', 1, 200), line('b', 1, 200)]),
    offers: [fixed(101, ACROSS)],
    gives: { amounts: [101], lines: [51, 50], total: 101, final: 299 },
  },
  {
    name: 'ACROSS: maxUnits weighs the touched units only',
    why: 'Touched: one unit of a and one of b, 100 each, so 25 each; whole lines would weigh 1:3.',
    cart: cart([line('a', 1, 100), line('b', 3, 100)]),
    offers: [fixed(50, { ...ACROSS, maxUnits: 2 })],
    gives: { amounts: [50], lines: [25, 25], total: 50, final: 350 },
  },
  {
    name: 'ACROSS: no more than the touched units are worth',
    cart: cart([line('a', 2, 100), line('b', 1, 700)]),
    offers: [fixed(500, { ...ACROSS, maxUnits: 1 })],
    gives: { amounts: [100], lines: [100, 0], total: 100, final: 800 },
  },
]
