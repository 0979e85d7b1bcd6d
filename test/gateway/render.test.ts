// Answers against JSON written by hand. The texts are compared as text: members and their order are the contract's.

import { describe, expect, test } from 'vitest'
import { positionText, quoted, timeText } from '../../gateway/json/json-text.ts'
import { invalid, problem, problemBody } from '../../gateway/problem.ts'
import {
  lockText,
  redemptionText,
  reservationText,
  successText,
  validatedText,
} from '../../gateway/checkout/render-checkout.ts'
import { entityTag } from '../../gateway/http/if-match.ts'
import { couponText } from '../../gateway/coupons/render-coupon.ts'
import type { RedemptionOutcome, ReservationOutcome } from '../../protocol/outcomes.ts'
import type { PriceFact } from '../../protocol/price.ts'
import {
  coupon,
  DEFINITION,
  EUR,
  PRICE,
  redemption as redemptionOf,
  reservation as reservationOf,
} from './support/outcomes.ts'

const HERE = { coupons: [{ shard: 14, ordinal: 0, code: 'SAVE10' }] }
const redemption = (changes: Partial<RedemptionOutcome> = {}) => redemptionOf({ ...HERE, ...changes })
const reservation = (changes: Partial<ReservationOutcome> = {}) => reservationOf({ ...HERE, ...changes })

const SHORT_DISCOUNT =
  '{"currency":"EUR","total":500,"subtotal":4999,"shipping":0,"finalPrice":4499,' +
  '"lines":[{"lineId":"0","amount":4999,"discount":500,"final":4499,"coupons":[{"code":"SAVE10","amount":500}]}],' +
  '"shippingDiscount":0}'

test('a redemption', () => {
  expect(redemptionText(14, 'rdm_0e11', redemption())).toBe(
    '{"redemptionId":"rdm_0e11","status":"REDEEMED","orderId":"o1","userId":"u1","currency":"EUR",' +
      `"discount":${SHORT_DISCOUNT},"coupons":[{"couponId":"cpn_0e0","code":"SAVE10","amount":500}],` +
      '"redeemedAt":"2026-11-20T18:00:00.123Z"}',
  )
})

test('a reversed redemption of a reservation, with ids that need escapes', () => {
  const reversed = { atMs: Date.UTC(2026, 10, 21, 0, 0, 9, 5), reason: 'sent "back"\n' }
  const outcome = redemption({ reservationSeq: 32, userId: 'ü"1', orderId: 'o\\1', reversed })
  const text = redemptionText(14, 'rdm_0e11', outcome)
  expect(text).toBe(
    '{"redemptionId":"rdm_0e11","status":"REVERSED","orderId":"o\\\\1","userId":"ü\\"1","reservationId":"rsv_0e10",' +
      `"currency":"EUR","discount":${SHORT_DISCOUNT},"coupons":[{"couponId":"cpn_0e0","code":"SAVE10","amount":500}],` +
      '"redeemedAt":"2026-11-20T18:00:00.123Z","reversedAt":"2026-11-21T00:00:09.005Z","reason":"sent \\"back\\"\\n"}',
  )
  expect(JSON.parse(text)).toMatchObject({ userId: 'ü"1', orderId: 'o\\1', reason: 'sent "back"\n' })
})

/** 10 % off both lines by A, free shipping by B: 3,000 + 700 + 490 shipping. */
const STACKED: PriceFact = {
  currency: EUR,
  subtotalMinor: 3_700,
  shippingMinor: 490,
  shippingDiscountMinor: 490,
  amounts: [370, 490],
  lines: [
    { lineId: 'a', amountMinor: 3_000, perCoupon: [300, 0] },
    { lineId: 'b"', amountMinor: 700, perCoupon: [70, 0] },
  ],
}

const STACKED_DISCOUNT =
  '{"currency":"EUR","total":860,"subtotal":3700,"shipping":490,"finalPrice":3330,"lines":[' +
  '{"lineId":"a","amount":3000,"discount":300,"final":2700,"coupons":[{"code":"AAA","amount":300}]},' +
  '{"lineId":"b\\"","amount":700,"discount":70,"final":630,"coupons":[{"code":"AAA","amount":70}]}],' +
  '"shippingDiscount":490}'

describe('a validation', () => {
  test('of two codes on two shards', () => {
    const verdicts = [
      { ordinal: 1, refusal: null, detail: '', amountMinor: 370 },
      { ordinal: 2, refusal: null, detail: '', amountMinor: 490 },
    ]
    expect(validatedText([0, 15], ['AAA', 'BBB'], verdicts, STACKED)).toBe(
      `{"valid":true,"discount":${STACKED_DISCOUNT},"coupons":[` +
        '{"code":"AAA","couponId":"cpn_001","applicable":true,"amount":370},' +
        '{"code":"BBB","couponId":"cpn_0f2","applicable":true,"amount":490}]}',
    )
  })

  test('with a code that is refused has no discount', () => {
    const verdicts = [
      { ordinal: 1, refusal: null, detail: '', amountMinor: 370 },
      { ordinal: -1, refusal: 'COUPON_NOT_FOUND' as const, detail: 'there is no such coupon', amountMinor: null },
    ]
    expect(validatedText(3, ['AAA', 'B"B'], verdicts, null)).toBe(
      '{"valid":false,"discount":null,"coupons":[{"code":"AAA","couponId":"cpn_031","applicable":true,"amount":370},' +
        '{"code":"B\\"B","applicable":false,"reason":"COUPON_NOT_FOUND","detail":"there is no such coupon"}]}',
    )
  })

  test('without a cart is valid without a discount', () => {
    const verdicts = [{ ordinal: 0, refusal: null, detail: '', amountMinor: null }]
    expect(validatedText(3, ['AAA'], verdicts, null)).toBe(
      '{"valid":true,"discount":null,"coupons":[{"code":"AAA","couponId":"cpn_030","applicable":true}]}',
    )
  })
})

test('a free shipping on the only line takes nothing off it', () => {
  const price: PriceFact = { ...PRICE, shippingMinor: 490, shippingDiscountMinor: 490, amounts: [490] }
  expect(
    JSON.parse(validatedText(0, ['SHIP'], [{ ordinal: 0, refusal: null, detail: '', amountMinor: 490 }], price)),
  ).toMatchObject({
    discount: {
      total: 490,
      finalPrice: 4_999,
      shippingDiscount: 490,
      lines: [{ lineId: '0', amount: 4_999, discount: 0, final: 4_999, coupons: [] }],
    },
  })
})

test('a reservation without and with a cart and an order', () => {
  expect(reservationText(14, reservation())).toBe(
    '{"reservationId":"rsv_0e10","status":"RESERVED","userId":"u1","expiresAt":"2026-11-20T18:05:00.123Z",' +
      '"coupons":[{"couponId":"cpn_0e0","code":"SAVE10"}]}',
  )
  expect(reservationText(14, reservation({ orderId: 'o1', price: PRICE, status: 'REDEEMED' }))).toBe(
    '{"reservationId":"rsv_0e10","status":"REDEEMED","userId":"u1","orderId":"o1","expiresAt":"2026-11-20T18:05:00.123Z",' +
      `"discount":${SHORT_DISCOUNT},"coupons":[{"couponId":"cpn_0e0","code":"SAVE10","amount":500}]}`,
  )
})

test('a lock and a success of the form for one coupon', () => {
  expect(lockText(14, reservation())).toBe(
    '{"couponId":"cpn_0e0","status":"LOCKED","lockedBy":"u1","lockExpiresAt":"2026-11-20T18:05:00.123Z",' +
      '"reservationId":"rsv_0e10"}',
  )
  expect(successText('rdm_0e11', redemption({ price: STACKED }))).toBe(
    '{"status":"SUCCESS","discountApplied":860,"finalPrice":3330,"redemptionId":"rdm_0e11"}',
  )
})

test('a coupon that is locked', () => {
  const outcome = coupon({ status: 'LOCKED', lock: { userId: 'u9', expiresAtMs: Date.UTC(2026, 10, 20, 18, 5) } })
  expect(JSON.parse(couponText(14, outcome))).toEqual({
    couponId: 'cpn_0e0',
    code: 'SAVE10',
    type: 'PERCENT',
    value: 10,
    scope: 'ORDER',
    stacking: 'EXCLUSIVE',
    priority: 0,
    listed: false,
    maxUses: 100,
    status: 'LOCKED',
    uses: 3,
    reserved: 1,
    remaining: 96,
    lockedBy: 'u9',
    lockExpiresAt: '2026-11-20T18:05:00.000Z',
    version: 5,
    createdAt: '2026-11-20T18:00:00.123Z',
    updatedAt: '2026-11-20T18:00:00.123Z',
  })
  expect(entityTag(outcome)).toBe('"5"')
})

test('an unlimited coupon has null remaining and no maxUses', () => {
  const json: unknown = JSON.parse(couponText(0, coupon({ definition: { ...DEFINITION, maxUses: null } })))
  expect(json).toMatchObject({ remaining: null })
  expect(json).not.toHaveProperty('maxUses')
})

test('a problem with and without its further members', () => {
  expect(problemBody(problem('CODE_TAKEN', 'it "exists"'), 'r-1')).toBe(
    '{"type":"urn:tearoff:problem:code-taken","title":"Code taken","status":409,"code":"CODE_TAKEN",' +
      '"detail":"it \\"exists\\"","requestId":"r-1"}',
  )
  expect(problemBody(invalid('/cart/lines/0', 'bad'), 'r-2')).toBe(
    '{"type":"urn:tearoff:problem:invalid-request","title":"Invalid request","status":400,"code":"INVALID_REQUEST",' +
      '"detail":"bad","errors":[{"pointer":"/cart/lines/0","detail":"bad"}],"requestId":"r-2"}',
  )
})

test.each(['', 'plain-ID_1', '"', '\\', '\u0000', '\u001f', '\u007f', 'ü', '\u2028', '😀', '\ud800'])(
  '%j is quoted as JSON.stringify quotes it',
  (text) => {
    expect(quoted(text)).toBe(JSON.stringify(text))
  },
)

test('times print as toISOString prints them, whatever was printed before', () => {
  for (const ms of [0, 1, 999, 1_000, 59_999, 951_782_399_010, 951_782_400_000, 253_402_300_799_999, 5]) {
    expect(timeText(ms)).toBe(new Date(ms).toISOString())
  }
})

test('positions name shard, sequence and time', () => {
  expect(positionText(3, 17, 1_795_197_600_123)).toBe('3:17@1795197600123')
  expect(positionText(4, 1, 1_795_197_600_124)).toBe('4:1@1795197600124')
})
