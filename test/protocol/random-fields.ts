/**
 * Fields that random events, commands, outcomes and messages are made of, every one over its whole range; money and times up
 * to the largest that the formats carry.
 */
import fc from 'fast-check'
import { bytesOf } from '../../protocol/bytes.ts'
import { DAILY_SCOPES } from '../../protocol/daily-limit.ts'

export const uint = fc.oneof(
  fc.nat({ max: 300 }),
  fc.maxSafeNat(),
  fc.constantFrom(127, 128, 16_383, 16_384, 2 ** 31, 2 ** 32, 2 ** 53 - 1),
)
/** ASCII short and long, and what is not ASCII; lone surrogates have no UTF-8. */
export const text = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 140 }),
  fc.constant('ü'.repeat(64)),
)
export const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null })
export const bytes = text.map(bytesOf)
export const ordinals = fc.uniqueArray(uint, { minLength: 1, maxLength: 10 })
export const constant = <T>(value: T) => fc.constant<T>(value)
export const code = fc.stringMatching(/^[A-Z0-9_-]{3,64}$/)

export const offer = fc.record({
  type: fc.constantFrom('PERCENT', 'FIXED', 'FREESHIP'),
  percentBps: fc.nat({ max: 10_000 }),
  valueMinor: uint,
  currency: maybe(fc.constantFrom('EUR', 'JPY')),
  scope: fc.constantFrom('ORDER', 'ITEM'),
  allocation: fc.constantFrom('UNIT', 'LINE', 'ACROSS'),
  maxDiscountMinor: maybe(uint),
  maxUnits: maybe(uint),
  minOrderMinor: maybe(uint),
  minQuantity: maybe(uint),
  applicableProductIds: fc.array(text, { maxLength: 4 }),
  applicableCategoryIds: fc.array(text, { maxLength: 4 }),
  excludedProductIds: fc.array(text, { maxLength: 4 }),
  excludedCategoryIds: fc.array(text, { maxLength: 4 }),
  channels: maybe(fc.array(text, { maxLength: 3 })),
  stacking: fc.constantFrom('EXCLUSIVE', 'STACKABLE'),
  priority: fc.integer({ min: -1_000_000, max: 1_000_000 }),
})

export const shard = fc.nat({ max: 1_023 })
export const shards = fc.uniqueArray(shard, { maxLength: 9 })
export const txn = fc.record({ shard, seq: uint })

export const campaignRef = fc.record({ shard, index: fc.nat({ max: 2 ** 29 - 1 }) })

export const dailyLimit = fc.record({
  perUser: fc.oneof(fc.integer({ min: 1, max: 300 }), constant(2 ** 53 - 1)),
  scope: fc.constantFrom(...DAILY_SCOPES),
})

const terms = {
  code,
  dailyLimit: maybe(dailyLimit),
  merchantId: maybe(text),
  userId: maybe(text),
  category: maybe(text),
  description: maybe(text),
  listed: fc.boolean(),
  maxUses: maybe(uint),
  maxUsesPerUser: maybe(uint),
  validFromMs: maybe(uint),
  validUntilMs: maybe(uint),
}

/** A coupon that stands alone has an offer; one of a campaign may leave it to that. */
export const definition = fc.oneof(
  fc.record({ ...terms, offer, campaign: constant(null) }),
  fc.record({ ...terms, offer: maybe(offer), campaign: campaignRef }),
)

export const currency = fc.nat({ max: 17_575 })

function priceOf(coupons: number) {
  const amounts = fc.array(uint, { minLength: coupons, maxLength: coupons })
  const line = fc.record({ lineId: text, amountMinor: uint, perCoupon: amounts })
  const lines = maybe(fc.array(line, { minLength: 1, maxLength: 5 }))
  const sums = fc.oneof(
    fc.record({ shippingMinor: constant(0), shippingDiscountMinor: constant(0) }),
    fc.record({ shippingMinor: fc.integer({ min: 1, max: 2 ** 53 - 1 }), shippingDiscountMinor: uint }),
  )
  return fc
    .tuple(fc.record({ currency, subtotalMinor: uint, amounts, lines }), sums)
    .map(([price, shipping]) => ({ ...price, ...shipping }))
}

/** A price has as many amounts as there are coupons, which stand beside it. */
export const withPrice = <T extends readonly unknown[]>(list: fc.Arbitrary<T>) =>
  list.chain((coupons) => fc.tuple(constant(coupons), priceOf(coupons.length)))

/** One amount a coupon. */
export const amountsOf = (list: fc.Arbitrary<number[]>) =>
  list.chain((here) =>
    fc.record({
      ordinals: constant(here),
      amounts: fc.array(uint, { minLength: here.length, maxLength: here.length }),
    }),
  )

/** What coupons of campaigns gave: empty where no campaign has a part. */
export const amountsOrNone = fc.array(uint, { maxLength: 10 })

export const recordedAnswer = fc.record({
  status: fc.integer({ min: 200, max: 599 }),
  body: text,
  position: text,
  location: text,
  etag: text,
  retryAfterSeconds: uint,
})
