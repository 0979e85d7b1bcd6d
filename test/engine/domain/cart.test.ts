/** Which carts can be priced at all. */

import { describe, expect, test } from 'vitest'
import { cartFault, cartOfTotal, subtotalMinor } from '../../../engine/domain/cart.ts'
import { cart, line } from './discount-support.ts'

const MAX = 9_007_199_254_740_991

test('a bare total stands for one line of that amount, without product or category', () => {
  expect(cartOfTotal(2599, 'EUR')).toEqual({
    currency: 'EUR',
    lines: [{ lineId: '0', productId: null, categoryIds: [], quantity: 1, unitPriceMinor: 2599 }],
    shippingMinor: 0,
    channel: null,
  })
})

test('the subtotal is the sum of all lines without the shipping', () => {
  expect(subtotalMinor(cart([line('a', 3, 250), line('b', 1, 49)], { shippingMinor: 490 }))).toBe(799)
})

describe('a cart without fault', () => {
  test.each([
    ['one line', cart([line('a', 1, 100)])],
    ['a line that costs nothing', cart([line('a', 1, 0)])],
    ['exactly the largest sum with its shipping', cart([line('a', 1, MAX - 1)], { shippingMinor: 1 })],
    ['exactly the largest number of free units', cart([line('a', MAX - 1, 0), line('b', 1, 0)])],
    ['a bare total of the largest amount', cartOfTotal(MAX, 'EUR')],
  ])('%s', (_name, request) => {
    expect(cartFault(request)).toBeNull()
  })
})

describe('the sentence for a cart that cannot be priced', () => {
  test.each([
    ['no lines', cart([]), 'the cart has no lines'],
    [
      'lines above 2^53-1',
      cart([line('a', 1, MAX), line('b', 1, 1)]),
      'the cart exceeds 2^53-1 minor units at line "b"',
    ],
    [
      'one above with its shipping',
      cart([line('a', 1, MAX)], { shippingMinor: 1 }),
      'the cart exceeds 2^53-1 minor units at line "a"',
    ],
    ['a product above', cart([line('a', 2, 4_503_599_627_370_496)]), 'the cart exceeds 2^53-1 minor units at line "a"'],
    ['a product far above', cart([line('a', MAX, MAX)]), 'the cart exceeds 2^53-1 minor units at line "a"'],
    [
      'free units above 2^53-1',
      cart([line('a', MAX, 0), line('b', 1, 0)]),
      'the cart exceeds 2^53-1 units at line "b"',
    ],
    ['a line id twice', cart([line('a', 1, 1), line('b', 1, 1), line('a', 1, 1)]), 'two lines have the id "a"'],
    ['no quantity', cart([line('a', 0, 100)]), 'the quantity of line "a" is not an integer from 1 to 2^53-1'],
    ['half a unit', cart([line('a', 0.5, 100)]), 'the quantity of line "a" is not an integer from 1 to 2^53-1'],
    ['a negative price', cart([line('a', 1, -1)]), 'the unit price of line "a" is not an integer from 0 to 2^53-1'],
    [
      'a price that is no number',
      cart([line('a', 1, Number.NaN)]),
      'the unit price of line "a" is not an integer from 0 to 2^53-1',
    ],
    [
      'a negative shipping',
      cart([line('a', 1, 1)], { shippingMinor: -1 }),
      'the shipping is not an integer from 0 to 2^53-1',
    ],
  ])('%s', (_name, request, sentence) => {
    expect(cartFault(request)).toBe(sentence)
  })
})
