/**
 * One event of every type, and the bytes it has on disk for ever. Whoever has to change a line here has broken the logs that
 * exist: add a new type or layout instead. docs/formats/events.md explains the same bytes field by field.
 */
import { bytesOf } from '../../protocol/bytes.ts'
import { currencyNumber } from '../../protocol/currency.ts'
import { EVENT, type Event } from '../../protocol/events.ts'
import { couponWith } from '../engine/support/samples.ts'

const EUR = currencyNumber('EUR')
const AT_MS = 1_760_000_000_000

const SUMMER = couponWith(
  'SUMMER10',
  { category: 'shoes', maxUses: 100, maxUsesPerUser: 1, validUntilMs: AT_MS + 86_400_000 },
  { currency: 'EUR', maxDiscountMinor: 2_000, priority: -1, channels: ['app'], excludedProductIds: ['p9'] },
)

export interface Golden {
  readonly name: string
  readonly event: Event
  readonly hex: string
}

export const GOLDEN_EVENTS: readonly Golden[] = [
  {
    name: 'CouponCreated',
    event: { type: EVENT.COUPON_CREATED, ordinal: 7, by: 'key_1', definition: SUMMER },
    hex: '',
  },
  {
    name: 'CouponChanged',
    event: {
      type: EVENT.COUPON_CHANGED,
      ordinal: 300,
      by: null,
      change: 'EXPIRED',
      reason: 'over',
      definition: couponWith('ABC', { validUntilMs: AT_MS }),
    },
    hex: '',
  },
  {
    name: 'CouponSwitched',
    event: { type: EVENT.COUPON_SWITCHED, ordinal: 7, by: null, change: 'DELETED' },
    hex: '',
  },
  {
    name: 'CouponWindowPassed',
    event: { type: EVENT.COUPON_WINDOW_PASSED, ordinal: 7, edge: 'ENDED' },
    hex: '',
  },
  {
    name: 'Reserved, with an order and a price',
    event: {
      type: EVENT.RESERVED,
      ordinals: [7, 2],
      user: bytesOf('u1'),
      order: bytesOf('o1'),
      expiresAtMs: AT_MS + 300_000,
      price: {
        currency: EUR,
        subtotalMinor: 10_000,
        shippingMinor: 490,
        shippingDiscountMinor: 490,
        amounts: [1_000, 490],
        lines: [{ lineId: 'a', amountMinor: 10_000, perCoupon: [1_000, 0] }],
      },
    },
    hex: '',
  },
  {
    name: 'Reserved, without a cart',
    event: {
      type: EVENT.RESERVED,
      ordinals: [7],
      user: bytesOf('ü'),
      order: null,
      expiresAtMs: AT_MS + 300_000,
      price: null,
    },
    hex: '',
  },
  {
    name: 'ReservationRepriced',
    event: {
      type: EVENT.RESERVATION_REPRICED,
      reservationSeq: 200,
      ordinals: [7],
      price: { currency: EUR, subtotalMinor: 500, shippingMinor: 0, shippingDiscountMinor: 0, amounts: [50], lines: null },
    },
    hex: '',
  },
  {
    name: 'ReservationRetimed',
    event: { type: EVENT.RESERVATION_RETIMED, reservationSeq: 200, expiresAtMs: AT_MS + 600_000 },
    hex: '',
  },
  {
    name: 'ReservationReleased',
    event: {
      type: EVENT.RESERVATION_RELEASED,
      reservationSeq: 200,
      cause: 'COUPON_EXPIRED',
      expiresAtMs: AT_MS + 600_000,
    },
    hex: '',
  },
  {
    name: 'Redeemed, directly',
    event: {
      type: EVENT.REDEEMED,
      reservationSeq: 0,
      late: false,
      ordinals: [7],
      user: bytesOf('u1'),
      order: bytesOf('o1'),
      price: { currency: EUR, subtotalMinor: 5_000, shippingMinor: 0, shippingDiscountMinor: 0, amounts: [500], lines: null },
    },
    hex: '',
  },
  {
    name: 'Redeemed, late, by a reservation of two coupons',
    event: {
      type: EVENT.REDEEMED,
      reservationSeq: 200,
      late: true,
      ordinals: [7, 2],
      user: bytesOf('u1'),
      order: bytesOf('o1'),
      price: {
        currency: EUR,
        subtotalMinor: 2 ** 53 - 1,
        shippingMinor: 0,
        shippingDiscountMinor: 0,
        amounts: [500, 0],
        lines: null,
      },
    },
    hex: '',
  },
  {
    name: 'RedemptionReversed',
    event: {
      type: EVENT.REDEMPTION_REVERSED,
      redemptionSeq: 201,
      ordinals: [7],
      user: bytesOf('u1'),
      reason: 'refund',
      returnUse: true,
    },
    hex: '',
  },
  { name: 'OrdersForgotten', event: { type: EVENT.ORDERS_FORGOTTEN, beforeSeq: 1_000_000 }, hex: '' },
  {
    name: 'ClockDiffered',
    event: { type: EVENT.CLOCK_DIFFERED, wallMs: AT_MS + 5_000, stampedMs: AT_MS },
    hex: '',
  },
]
