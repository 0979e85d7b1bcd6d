import { describe, expect, test } from 'vitest'
import {
  decodeExtendReservation,
  decodeOneCoupon,
  decodeRedeem,
  decodeRedeemReservation,
  decodeReserve,
  decodeReverse,
  decodeValidate,
  decodeValidateQuery,
} from '../../gateway/checkout/decode-checkout.ts'
import { BadField } from '../../gateway/json/decode-fields.ts'

const LINE = { productId: 'p1', quantity: 2, unitPrice: 1_500 }
const CART = { currency: 'EUR', lines: [LINE] }
const REDEEM = { codes: ['SAVE10'], userId: 'u1', orderId: 'o1', cart: CART }

/** The pointer and detail of the fault; '' where there is none. */
function faultOf(decode: () => unknown): string {
  try {
    decode()
    return ''
  } catch (error) {
    if (!(error instanceof BadField)) throw error
    return `${error.pointer}: ${error.message}`
  }
}

/** A body as it comes off the wire, so that `__proto__` is the key it is there. */
function wire(json: string): unknown {
  return JSON.parse(json)
}

test('a redemption is decoded with its defaults filled in', () => {
  expect(decodeRedeem({ ...REDEEM, codes: [' save10 ', 'Free_Ship-1'] })).toEqual({
    codes: ['SAVE10', 'FREE_SHIP-1'],
    userId: 'u1',
    orderId: 'o1',
    cart: {
      currency: 'EUR',
      lines: [{ lineId: '0', productId: 'p1', categoryIds: [], quantity: 2, unitPriceMinor: 1_500 }],
      shippingMinor: 0,
      channel: null,
    },
    ttlSeconds: 300,
  })
})

test('a cart keeps what it says about lines, shipping and channel', () => {
  const lines = [
    { lineId: 'a', productId: 'p1', categoryIds: ['c1', 'c2'], quantity: 1, unitPrice: 0 },
    { productId: 'p2', quantity: 3, unitPrice: 7 },
  ]
  const { cart } = decodeValidate({ codes: ['ABC'], cart: { currency: 'JPY', lines, shipping: 490, channel: 'app' } })
  expect(cart).toEqual({
    currency: 'JPY',
    lines: [
      { lineId: 'a', productId: 'p1', categoryIds: ['c1', 'c2'], quantity: 1, unitPriceMinor: 0 },
      { lineId: '1', productId: 'p2', categoryIds: [], quantity: 3, unitPriceMinor: 7 },
    ],
    shippingMinor: 490,
    channel: 'app',
  })
})

test('a total stands for a cart of one line without a product', () => {
  const { cart } = decodeValidate({ codes: ['ABC'], cart: { orderTotal: 4_999, currency: 'EUR' } })
  expect(cart).toEqual({
    currency: 'EUR',
    lines: [{ lineId: '0', productId: null, categoryIds: [], quantity: 1, unitPriceMinor: 4_999 }],
    shippingMinor: 0,
    channel: null,
  })
})

test.each([
  ['ab', 'AB'],
  ['a'.repeat(65), 'A'.repeat(65)],
  ['SÄVE', 'SÄVE'],
  [' save 10', 'SAVE 10'],
  ['search', 'SEARCH'],
  ['cpn_00', 'CPN_00'],
  ['', ''],
])('the code %j, which cannot exist, is kept as canonical as it gets', (code, canonical) => {
  expect(decodeValidate({ codes: ['GOOD', code], cart: CART }).codes).toEqual(['GOOD', canonical])
})

test('a user of 128 characters is counted in code points', () => {
  expect(decodeRedeem({ ...REDEEM, userId: '😀'.repeat(128) }).userId).toBe('😀'.repeat(128))
  expect(faultOf(() => decodeRedeem({ ...REDEEM, userId: '😀'.repeat(129) }))).toBe(
    '/userId: has to have 1 to 128 characters',
  )
})

const withCart = (cart: unknown): unknown => ({ ...REDEEM, cart })
const withLine = (line: unknown): unknown => withCart({ ...CART, lines: [LINE, line] })
const MANY_LINES = Array.from({ length: 501 }, () => LINE)

describe('a redemption is refused with a pointer', () => {
  test.each<[string, unknown, string]>([
    ['no object', [], ': the body has to be a JSON object'],
    ['null', null, ': the body has to be a JSON object'],
    ['a string', 'x', ': the body has to be a JSON object'],
    ['nothing in it', {}, '/codes: is required'],
    ['no user', { codes: ['ABC'] }, '/userId: is required'],
    ['no order', { codes: ['ABC'], userId: 'u' }, '/orderId: is required'],
    ['no cart', { codes: ['ABC'], userId: 'u', orderId: 'o' }, '/cart: is required'],
    ['an unknown field', { ...REDEEM, colour: 1 }, '/colour: is no field of this request'],
    ['an unknown field with a slash', { ...REDEEM, 'a/b~c': 1 }, '/a~1b~0c: is no field of this request'],
    ['__proto__', wire('{"__proto__":{"codes":["ABC"]}}'), '/__proto__: is no field of this request'],
    ['constructor', wire('{"constructor":1}'), '/constructor: is no field of this request'],
    ['a ttl', { ...REDEEM, ttlSeconds: 10 }, '/ttlSeconds: is no field of this request'],
    ['codes that are no array', { ...REDEEM, codes: 'ABC' }, '/codes: has to be an array'],
    ['no codes', { ...REDEEM, codes: [] }, '/codes: has to have 1 to 10 elements, not 0'],
    ['11 codes', { ...REDEEM, codes: 'ABCDEFGHIJK'.split('') }, '/codes: has to have 1 to 10 elements, not 11'],
    ['a code that is a number', { ...REDEEM, codes: ['ABC', 5] }, '/codes/1: has to be a string'],
    ['half a surrogate pair in a code', { ...REDEEM, codes: ['\ud800'] }, '/codes/0: holds half of a surrogate pair'],
    ['the same code twice', { ...REDEEM, codes: ['abc', 'X_Y', ' ABC'] }, '/codes/2: is the same code a second time'],
    ['an empty user', { ...REDEEM, userId: '' }, '/userId: has to have 1 to 128 characters'],
    ['a user of 129', { ...REDEEM, userId: 'u'.repeat(129) }, '/userId: has to have 1 to 128 characters'],
    ['a null user', { ...REDEEM, userId: null }, '/userId: has to be a string'],
    [
      'half a surrogate pair in an order',
      { ...REDEEM, orderId: 'a\udc00' },
      '/orderId: holds half of a surrogate pair, which is not Unicode text',
    ],
    ['a cart that is an array', withCart([]), '/cart: has to be an object'],
    ['a cart without currency', withCart({ lines: [LINE] }), '/cart/currency: is required'],
    ['a cart without lines', withCart({ currency: 'EUR' }), '/cart/lines: is required'],
    ['an unknown field of the cart', withCart({ ...CART, tax: 1 }), '/cart/tax: is no field of this request'],
    [
      'a currency in small letters',
      withCart({ ...CART, currency: 'eur' }),
      '/cart/currency: has to be an ISO 4217 code of three capital letters',
    ],
    ['no lines', withCart({ ...CART, lines: [] }), '/cart/lines: has to have 1 to 500 elements, not 0'],
    ['501 lines', withCart({ ...CART, lines: MANY_LINES }), '/cart/lines: has to have 1 to 500 elements, not 501'],
    ['a line that is null', withLine(null), '/cart/lines/1: has to be an object'],
    ['a line that is an array', withLine([1]), '/cart/lines/1: has to be an object'],
    ['a line without product', withLine({ quantity: 1, unitPrice: 1 }), '/cart/lines/1/productId: is required'],
    ['a line without quantity', withLine({ productId: 'p', unitPrice: 1 }), '/cart/lines/1/quantity: is required'],
    ['a line without price', withLine({ productId: 'p', quantity: 1 }), '/cart/lines/1/unitPrice: is required'],
    ['an unknown field of a line', withLine({ ...LINE, sku: 1 }), '/cart/lines/1/sku: is no field of this request'],
    ['quantity 0', withLine({ ...LINE, quantity: 0 }), '/cart/lines/1/quantity: has to be an integer from 1 to 2^53-1'],
    [
      'quantity 1.5',
      withLine({ ...LINE, quantity: 1.5 }),
      '/cart/lines/1/quantity: has to be an integer from 1 to 2^53-1',
    ],
    ['quantity "1"', withLine({ ...LINE, quantity: '1' }), '/cart/lines/1/quantity: has to be a number'],
    [
      'a negative price',
      withLine({ ...LINE, unitPrice: -1 }),
      '/cart/lines/1/unitPrice: has to be an integer from 0 to 2^53-1',
    ],
    [
      'a price of 2^53',
      wire(JSON.stringify(withLine(LINE)).replace(/1500}]/, '9007199254740992}]')),
      '/cart/lines/1/unitPrice: has to be an integer from 0 to 2^53-1',
    ],
    [
      'a price of 1e400',
      wire(JSON.stringify(withLine(LINE)).replace(/1500}]/, '1e400}]')),
      '/cart/lines/1/unitPrice: has to be an integer from 0 to 2^53-1',
    ],
    [
      'an empty category',
      withLine({ ...LINE, categoryIds: [''] }),
      '/cart/lines/1/categoryIds/0: has to have 1 to 128 characters',
    ],
    ['two lines of one id', withLine({ ...LINE, lineId: '0' }), '/cart: two lines have the id "0"'],
    [
      'a sum beyond 2^53-1',
      withLine({ ...LINE, unitPrice: Number.MAX_SAFE_INTEGER, quantity: 1 }),
      '/cart: the cart exceeds 2^53-1 minor units at line "1"',
    ],
    [
      'shipping below zero',
      withCart({ ...CART, shipping: -1 }),
      '/cart/shipping: has to be an integer from 0 to 2^53-1',
    ],
    ['a total without currency', withCart({ orderTotal: 5 }), '/cart/currency: is required'],
    ['a total and lines', withCart({ ...CART, orderTotal: 5 }), '/cart/lines: is no field of this request'],
  ])('%s', (_what, body, expected) => {
    expect(faultOf(() => decodeRedeem(body))).toBe(expected)
  })
})

test('a validation takes no order', () => {
  expect(faultOf(() => decodeValidate({ codes: ['ABC'], cart: CART, orderId: 'o' }))).toBe(
    '/orderId: is no field of this request',
  )
})

test.each([
  [1, ''],
  [3_600, ''],
  [0, '/ttlSeconds: has to be an integer from 1 to 3600'],
  [3_601, '/ttlSeconds: has to be an integer from 1 to 3600'],
  ['60', '/ttlSeconds: has to be a number'],
])('a reservation of %j seconds', (ttlSeconds, expected) => {
  expect(faultOf(() => decodeReserve({ codes: ['ABC'], userId: 'u', ttlSeconds }))).toBe(expected)
  expect(faultOf(() => decodeExtendReservation({ ttlSeconds }))).toBe(expected)
})

describe('the form for one coupon', () => {
  test('takes a total with its currency in place of a cart', () => {
    const { cart, userId } = decodeOneCoupon({ userId: 'u', orderTotal: 0, currency: 'USD' }, false)
    expect(userId).toBe('u')
    expect(cart).toMatchObject({ currency: 'USD', lines: [{ unitPriceMinor: 0, productId: null }] })
  })

  test('takes neither total nor cart', () => {
    expect(decodeOneCoupon({ userId: 'u' }, false).cart).toBeNull()
  })

  test.each<[unknown, boolean, string]>([
    [{}, false, '/userId: is required'],
    [{ userId: 'u' }, true, '/orderId: is required'],
    [{ userId: 'u', orderId: 'o' }, false, '/orderId: is no field of this request'],
    [{ userId: 'u', orderTotal: 5 }, false, '/currency: is required'],
    [
      { userId: 'u', orderTotal: 5, currency: 'EUR', cart: CART },
      false,
      '/orderTotal: stands for a cart; send one of them',
    ],
    [{ userId: 'u', currency: 'USD', cart: CART }, false, '/currency: differs from the currency of the cart'],
    [{ userId: 'u', currency: 'EUR', cart: CART }, false, ''],
  ])('%j', (body, needsOrder, expected) => {
    expect(faultOf(() => decodeOneCoupon(body, needsOrder))).toBe(expected)
  })
})

describe('a query', () => {
  test.each([
    ['', ''],
    ['userId=u%2F1&orderTotal=100&currency=EUR', ''],
    ['currency=EUR', ''],
    ['orderTotal=100', '/currency: is required'],
    ['orderTotal=1e3&currency=EUR', '/orderTotal: has to be an integer from 0 to 2^53-1'],
    ['orderTotal=&currency=EUR', '/orderTotal: has to be an integer from 0 to 2^53-1'],
    ['orderTotal=-5&currency=EUR', '/orderTotal: has to be an integer from 0 to 2^53-1'],
    ['userId=', '/userId: has to have 1 to 128 characters'],
    ['userId=a&userId=b', '/userId: stands twice in the query'],
    ['colour=red', '/colour: is no field of this request'],
  ])('%j', (query, expected) => {
    expect(faultOf(() => decodeValidateQuery(query))).toBe(expected)
  })

  test('is percent-decoded', () => {
    expect(decodeValidateQuery('userId=u%2F1+x').userId).toBe('u/1 x')
  })
})

test.each<[unknown, string]>([
  [{ orderId: 'o' }, ''],
  [{ orderId: 'o', allowLate: true, cart: CART }, ''],
  [{ allowLate: true }, '/orderId: is required'],
  [{ orderId: 'o', allowLate: 1 }, '/allowLate: has to be true or false'],
  [{ orderId: 'o', userId: 'u' }, '/userId: is no field of this request'],
])('redeeming a reservation with %j', (body, expected) => {
  expect(faultOf(() => decodeRedeemReservation(body))).toBe(expected)
})

test.each<[unknown, string]>([
  [{ reason: 'refund' }, ''],
  [{ reason: 'refund', returnUse: false }, ''],
  [{}, '/reason: is required'],
  [{ reason: '' }, '/reason: has to have 1 to 500 characters'],
])('reversing with %j', (body, expected) => {
  expect(faultOf(() => decodeReverse(body))).toBe(expected)
})
