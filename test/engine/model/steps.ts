/**
 * Random walks through the life of a few coupons: small pools, so that codes, users, orders and moments meet often. A step
 * names what it works on by a small number that is resolved when it is taken, so that a failing walk can be shortened.
 */
import fc from 'fast-check'
import type { Cart } from '../../../engine/domain/cart.ts'
import type { Offer } from '../../../engine/domain/offer.ts'
import { total } from '../support/samples.ts'

export const CODES = ['ALPHA', 'BRAVO-2', 'CHARLIE99', 'GENERATEDXYZ', 'NEVER-MADE'] as const
export const USERS = ['u-1', 'u-2', 'Zoë 買い手'] as const
export const ORDERS = ['o-1', 'o-2', 'o-3', 'bestellung-ä', 'o-5'] as const

/** Their line amounts differ pairwise: which cart a price was made for is never in doubt. */
export const CARTS: readonly Cart[] = [
  total(10_000),
  total(333),
  total(2_500, 'USD'),
  { ...total(7_777), shippingMinor: 490 },
  { ...total(50), channel: 'app' },
  {
    currency: 'EUR',
    shippingMinor: 300,
    channel: 'web',
    lines: [
      { lineId: 'a', productId: 'p1', categoryIds: ['c1'], quantity: 3, unitPriceMinor: 1_333 },
      { lineId: 'b', productId: null, categoryIds: [], quantity: 1, unitPriceMinor: 2 },
    ],
  },
  total(0),
]

export const OFFERS: readonly Partial<Offer>[] = [
  {},
  { stacking: 'STACKABLE' },
  { type: 'FIXED', percentBps: 0, valueMinor: 500, currency: 'EUR', stacking: 'STACKABLE' },
  { percentBps: 3_333, stacking: 'STACKABLE', priority: 5, maxDiscountMinor: 900, currency: 'EUR' },
  { type: 'FREESHIP', percentBps: 0, stacking: 'STACKABLE' },
  { minOrderMinor: 400, currency: 'EUR', minQuantity: 2 },
  { channels: ['app', 'web'] },
]

/** How far the clock moves, in milliseconds; EDGE goes to the next window edge or expiry, one before it, or one behind. */
export const EDGE = -1
const JUMPS_MS = [0, 1, 1, 7, 7, 400, 1_000, 5_000, 60_000, 299_999, 300_000, 300_001, EDGE, EDGE, EDGE, EDGE]

export const index = (length: number) => fc.nat({ max: length - 1 })
/** Null one time in so many. */
export const maybe = <T>(arbitrary: fc.Arbitrary<T>, nullOneIn = 2) =>
  fc.option(arbitrary, { nil: null, freq: nullOneIn })
/** Mostly the two coupons that nothing but commands of checkouts happens to, so that limits fill up and not only windows pass. */
const code = fc.constantFrom(0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 0, 1, 2, 3, 0, 1, CODES.length - 1)
const codes = fc.oneof(
  { weight: 5, arbitrary: code.map((one) => [one]) },
  { weight: 2, arbitrary: fc.uniqueArray(code, { minLength: 2, maxLength: 3 }) },
)
export const user = index(USERS.length)
const order = index(ORDERS.length)
const cart = index(CARTS.length)
const ttlSeconds = fc.constantFrom(1, 5, 300, 3_600)
/** Of what has been made: mostly one of the latest, sometimes something that never was. */
const latest = fc.constantFrom(0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 4, 8)

const terms = {
  offer: index(OFFERS.length),
  maxUses: maybe(fc.constantFrom(1, 1, 2, 3), 4),
  maxUsesPerUser: maybe(fc.constantFrom(1, 1, 2), 2),
  window: fc.constantFrom('OPEN', 'OPEN', 'OPEN', 'OPEN', 'OPEN', 'OPEN', 'BOTH', 'STARTS_LATER', 'ENDS_SOON', 'ENDED'),
  onlyUser: fc.constantFrom(null, null, null, null, null, null, null, null, null, 0, 1),
}

export const create = fc.record({ kind: fc.constant('create'), code: index(CODES.length - 1), ...terms })

/** The steps of a walk whose codes are drawn so. */
export const stepsOn = (code: fc.Arbitrary<number>, codes: fc.Arbitrary<number[]>) =>
  fc.oneof(
    { weight: 1, arbitrary: create },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('patch'),
        coupon: code,
        stale: fc.nat({ max: 9 }).map((n) => n === 0),
        ...terms,
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('switch'), coupon: code, enabled: fc.constantFrom(true, true, false) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('extend'),
        coupon: code,
        byMs: fc.constantFrom(-1_000, 0, 1, 5_000, 4_000_000),
        override: fc.boolean(),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('expire'), coupon: code }) },
    {
      weight: 10,
      arbitrary: fc.record({
        kind: fc.constant('reserve'),
        codes,
        user,
        order: maybe(order),
        cart: maybe(cart),
        ttlSeconds,
      }),
    },
    { weight: 14, arbitrary: fc.record({ kind: fc.constant('redeem'), codes, user, order, cart: maybe(cart, 8) }) },
    // The very call of an earlier redemption once more.
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('retry'), latest }) },
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('redeemReservation'),
        latest,
        order,
        cart: maybe(cart),
        late: fc.boolean(),
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('release'), latest }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('extendReservation'), latest, ttlSeconds }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('reverse'), latest, returnUse: fc.boolean() }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('validate'), codes, user: maybe(user), cart: maybe(cart) }) },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant('getCoupon'), coupon: code, byId: fc.boolean() }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('getReservation'), latest }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('getRedemption'), latest }) },
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant('wait'),
        jumpMs: fc.constantFrom(...JUMPS_MS),
        shiftMs: fc.integer({ min: -1, max: 1 }),
      }),
    },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('sweep') }) },
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('flush'), ends: fc.boolean() }) },
  )

const step = stepsOn(code, codes)

export type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

const beginning = fc.tuple(...CODES.slice(0, -1).map((_, code) => create.map((made) => ({ ...made, code }))))
const middle = fc.array(step, { minLength: 1, maxLength: 80, size: 'max' })

/** Without bias: fast-check would favour short walks and first choices, which meet little. */
export const walk = fc.noBias(fc.tuple(beginning, middle).map(([first, then]): readonly Step[] => [...first, ...then]))
