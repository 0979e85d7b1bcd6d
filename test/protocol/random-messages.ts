/**
 * Random commands, events, outcomes and messages between shards, every field of every kind; money and times up to the
 * largest that the formats carry.
 */
import fc from 'fast-check'
import { bytesOf } from '../../protocol/bytes.ts'
import { COMMAND, NO_SHARD } from '../../protocol/commands.ts'
import { CHANGES, DONE_KINDS, EVENT, RELEASE_CAUSES, SWITCHES } from '../../protocol/events.ts'
import { MESSAGE, PREPARE_RESULTS, QUOTE_CHECKS } from '../../protocol/messages.ts'
import { COUPON_STATUSES, OUTCOME, RESERVATION_STATUSES } from '../../protocol/outcomes.ts'
import { REFUSALS, type RefusalCode } from '../../protocol/refusals.ts'

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
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null })
const bytes = text.map(bytesOf)
const ordinals = fc.uniqueArray(uint, { minLength: 1, maxLength: 10 })
const constant = <T>(value: T) => fc.constant<T>(value)
const code = fc.stringMatching(/^[A-Z0-9_-]{3,64}$/)

const offer = fc.record({
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

const definition = fc.record({
  code,
  offer,
  merchantId: maybe(text),
  userId: maybe(text),
  category: maybe(text),
  description: maybe(text),
  listed: fc.boolean(),
  maxUses: maybe(uint),
  maxUsesPerUser: maybe(uint),
  validFromMs: maybe(uint),
  validUntilMs: maybe(uint),
})

const currency = fc.nat({ max: 17_575 })

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
const withPrice = <T extends readonly unknown[]>(list: fc.Arbitrary<T>) =>
  list.chain((coupons) => fc.tuple(constant(coupons), priceOf(coupons.length)))

/** One amount a coupon. */
const amountsOf = (list: fc.Arbitrary<number[]>) =>
  list.chain((here) =>
    fc.record({
      ordinals: constant(here),
      amounts: fc.array(uint, { minLength: here.length, maxLength: here.length }),
    }),
  )

const recordedAnswer = fc.record({
  status: fc.integer({ min: 200, max: 599 }),
  body: text,
  position: text,
  location: text,
  etag: text,
  retryAfterSeconds: uint,
})

const shard = fc.nat({ max: 1_023 })
const shards = fc.uniqueArray(shard, { maxLength: 9 })
const txn = fc.record({ shard, seq: uint })
const stackedCoupons = fc.array(fc.record({ shard, ordinal: uint, code, heldSeq: uint }), {
  minLength: 2,
  maxLength: 10,
})

/** An event of several shards: its coupons here, all its coupons, and a price with an amount for each of those. */
const stacked = fc
  .tuple(withPrice(stackedCoupons), uint, ordinals)
  .map(([[coupons, price], txnSeq, here]) => ({ ordinals: here, price, stack: { txnSeq, coupons } }))
/** The same of one shard. */
const whole = withPrice(ordinals).map(([here, price]) => ({ ordinals: here, price, stack: null }))
const taken = fc.oneof(whole, stacked)

export const event = fc.oneof(
  fc.record({ type: constant(EVENT.COUPON_CREATED), ordinal: uint, by: maybe(text), definition }),
  fc.record({
    type: constant(EVENT.COUPON_CHANGED),
    ordinal: uint,
    by: maybe(text),
    change: fc.constantFrom(...CHANGES),
    reason: maybe(text),
    definition,
  }),
  fc.record({
    type: constant(EVENT.COUPON_SWITCHED),
    ordinal: uint,
    by: maybe(text),
    change: fc.constantFrom(...SWITCHES),
  }),
  fc.record({
    type: constant(EVENT.COUPON_WINDOW_PASSED),
    ordinal: uint,
    edge: fc.constantFrom<'STARTED' | 'ENDED'>('STARTED', 'ENDED'),
  }),
  fc
    .tuple(taken, fc.boolean(), fc.record({ user: bytes, order: maybe(bytes), expiresAtMs: uint }))
    .map(([{ price, ...rest }, isPriced, fields]) => ({
      type: EVENT.RESERVED,
      ...rest,
      ...fields,
      price: isPriced ? price : null,
    })),
  fc.tuple(withPrice(ordinals), uint).map(([[list, price], reservationSeq]) => ({
    type: EVENT.RESERVATION_REPRICED,
    reservationSeq,
    ordinals: list,
    price,
  })),
  fc.record({ type: constant(EVENT.RESERVATION_RETIMED), reservationSeq: uint, expiresAtMs: uint }),
  fc.record({
    type: constant(EVENT.RESERVATION_RELEASED),
    reservationSeq: uint,
    cause: fc.constantFrom(...RELEASE_CAUSES),
    expiresAtMs: uint,
  }),
  fc
    .tuple(taken, fc.record({ reservationSeq: uint, late: fc.boolean(), user: bytes, order: bytes }))
    .map(([rest, fields]) => ({ type: EVENT.REDEEMED, ...rest, ...fields })),
  fc.record({
    type: constant(EVENT.REDEMPTION_REVERSED),
    redemptionSeq: uint,
    ordinals,
    user: bytes,
    reason: text,
    returnUse: fc.boolean(),
    stack: maybe(fc.record({ heldSeq: uint, shards })),
  }),
  fc.record({
    type: constant(EVENT.BRANCH_PREPARED),
    txn,
    ordinals,
    user: bytes,
    order: maybe(bytes),
    reservationTxnSeq: uint,
    shards,
  }),
  fc.record({ type: constant(EVENT.BRANCH_ABORTED), txn }),
  fc.record({ type: constant(EVENT.BRANCH_RESERVED), txn, reservationSeq: uint, expiresAtMs: uint }),
  fc
    .tuple(amountsOf(ordinals), fc.record({ txn, redemptionSeq: uint, user: bytes, order: bytes }))
    .map(([given, fields]) => ({ type: EVENT.BRANCH_REDEEMED, ...given, ...fields })),
  fc.record({ type: constant(EVENT.BRANCH_RETIMED), txn, expiresAtMs: uint }),
  fc.record({ type: constant(EVENT.BRANCH_RELEASED), txn, cause: fc.constantFrom(...RELEASE_CAUSES) }),
  fc.record({
    type: constant(EVENT.BRANCH_REVERSED),
    redemption: txn,
    heldSeq: uint,
    ordinals,
    user: bytes,
    reason: text,
    returnUse: fc.boolean(),
  }),
  fc.array(fc.tuple(uint, shard), { maxLength: 20 }).map((pairs) => ({
    type: EVENT.MESSAGES_DELIVERED,
    seqs: pairs.map(([seq]) => seq),
    shards: pairs.map(([, to]) => to),
  })),
  fc.record({ type: constant(EVENT.ORDERS_FORGOTTEN), beforeSeq: uint }),
  fc.record({ type: constant(EVENT.CLOCK_DIFFERED), wallMs: uint, stampedMs: uint }),
  fc.record({ type: constant(EVENT.KEY_CLAIMED), scope: maybe(text), key: text, digest: bytes, operation: bytes }),
  fc.record({
    type: constant(EVENT.KEY_ANSWERED),
    scope: maybe(text),
    key: text,
    claimSeq: uint,
    answer: maybe(recordedAnswer),
  }),
  fc.record({
    type: constant(EVENT.OPERATION_DONE),
    operation: bytes,
    shows: fc.constantFrom(...DONE_KINDS),
    number: uint,
    again: fc.boolean(),
  }),
  fc.record({ type: constant(EVENT.KEYS_FORGOTTEN), beforeSeq: uint }),
)

const line = fc.record({
  lineId: text,
  productId: maybe(text),
  categoryIds: fc.array(text, { maxLength: 3 }),
  quantity: uint,
  unitPriceMinor: uint,
})
const bareLine = uint.map((unitPriceMinor) => ({
  lineId: '0',
  productId: null,
  categoryIds: [],
  quantity: 1,
  unitPriceMinor,
}))
const cart = fc.oneof(
  fc.record({
    currency: fc.constantFrom('EUR', 'USD'),
    lines: fc.oneof(
      fc.array(line, { minLength: 1, maxLength: 6 }),
      bareLine.map((one) => [one]),
    ),
    shippingMinor: fc.oneof(constant(0), uint),
    channel: maybe(text),
  }),
  bareLine.map((one) => ({ currency: 'EUR', lines: [one], shippingMinor: 0, channel: null })),
)
const ref = fc.oneof(
  code.map((one) => ({ code: bytesOf(one), ordinal: -1 })),
  uint.map((ordinal) => ({ code: null, ordinal })),
)

const checkout = fc.record({
  type: fc.constantFrom(COMMAND.VALIDATE, COMMAND.RESERVE, COMMAND.REDEEM),
  coupons: fc.array(ref, { minLength: 1, maxLength: 10 }),
  user: maybe(bytes),
  order: maybe(bytes),
  cart: maybe(cart),
  ttlSeconds: fc.nat({ max: 3_600 }),
})
const stack = fc.record({
  type: constant(COMMAND.STACK),
  shards: fc.array(fc.oneof(shard, constant(NO_SHARD)), { minLength: 1, maxLength: 10 }),
  call: checkout,
})

export const command = fc.oneof(
  checkout,
  stack,
  fc.record({
    type: constant(COMMAND.REDEEM_COLUMNS),
    coupon: ref,
    currency,
    count: fc.nat({ max: 4_096 }),
    oneTotal: fc.boolean(),
    users: bytes,
    orders: bytes,
    totals: bytes,
  }),
  fc.record({
    type: constant(COMMAND.REDEEM_RESERVATION),
    reservationSeq: uint,
    order: bytes,
    cart: maybe(cart),
    allowLate: fc.boolean(),
  }),
  fc.record({ type: constant(COMMAND.RELEASE), reservationSeq: uint }),
  fc.record({ type: constant(COMMAND.EXTEND_RESERVATION), reservationSeq: uint, ttlSeconds: fc.nat({ max: 3_600 }) }),
  fc.record({ type: constant(COMMAND.REVERSE), redemptionSeq: uint, reason: text, returnUse: fc.boolean() }),
  fc.record({ type: constant(COMMAND.GET_COUPON), coupon: ref }),
  fc.record({ type: fc.constantFrom(COMMAND.GET_RESERVATION, COMMAND.GET_REDEMPTION), seq: uint }),
  fc.record({ type: constant(COMMAND.CREATE_COUPON), by: maybe(text), definition }),
  fc.record({
    type: constant(COMMAND.CHANGE_COUPON),
    coupon: ref,
    by: maybe(text),
    change: fc.constantFrom(...CHANGES),
    reason: maybe(text),
    ifVersion: uint,
    definition: maybe(definition),
    validUntilMs: uint,
    override: fc.boolean(),
  }),
  fc.record({
    type: constant(COMMAND.SWITCH_COUPON),
    coupon: ref,
    by: maybe(text),
    change: fc.constantFrom(...SWITCHES),
  }),
  fc.record({ type: constant(COMMAND.DESCRIBE_SHARD) }),
  fc.record({ type: constant(COMMAND.CLAIM_KEY), scope: maybe(text), key: text, digest: bytes, operation: bytes }),
  fc.record({
    type: constant(COMMAND.ANSWER_KEY),
    scope: maybe(text),
    key: text,
    claimSeq: uint,
    answer: maybe(recordedAnswer),
  }),
  fc.record({ type: constant(COMMAND.LET_GO_KEY), claimSeq: uint }),
  fc.record({
    type: constant(COMMAND.KEYED),
    operation: bytes,
    inner: fc.oneof(
      fc.record({ type: constant(COMMAND.RELEASE), reservationSeq: uint }),
      fc.record({ type: constant(COMMAND.CREATE_COUPON), by: maybe(text), definition }),
      stack,
    ),
  }),
)

const refusal = fc.constantFrom(...(Object.keys(REFUSALS) as RefusalCode[]))
const ordinalOrNone = fc.oneof(constant(-1), uint)
const verdict = fc.oneof(
  fc.record({ ordinal: ordinalOrNone, refusal, detail: text, amountMinor: constant(null) }),
  fc.record({ ordinal: ordinalOrNone, refusal: constant(null), detail: constant(''), amountMinor: maybe(uint) }),
)
const namedCoupons = fc.array(fc.record({ shard, ordinal: uint, code }), { minLength: 1, maxLength: 10 })

const plainOutcome = fc.oneof(
  fc.record({
    type: constant(OUTCOME.REFUSED),
    refusal,
    detail: text,
    couponIndex: fc.integer({ min: -1, max: 9 }),
    retryAfterMs: uint,
    verdicts: maybe(fc.array(verdict, { maxLength: 10 })),
  }),
  fc
    .tuple(withPrice(fc.array(verdict, { minLength: 1, maxLength: 10 })), fc.boolean())
    .map(([[verdicts, price], isPriced]) => ({ type: OUTCOME.VALIDATED, verdicts, price: isPriced ? price : null })),
  fc
    .tuple(
      withPrice(namedCoupons),
      fc.boolean(),
      fc.record({
        again: fc.boolean(),
        seq: uint,
        status: fc.constantFrom(...RESERVATION_STATUSES),
        userId: text,
        orderId: maybe(text),
        startedAtMs: uint,
        expiresAtMs: uint,
      }),
    )
    .map(([[coupons, price], isPriced, fields]) => ({
      type: OUTCOME.RESERVATION,
      ...fields,
      coupons,
      price: isPriced ? price : null,
    })),
  fc
    .tuple(
      withPrice(namedCoupons),
      fc.record({
        replayed: fc.boolean(),
        seq: uint,
        atMs: uint,
        reservationSeq: uint,
        userId: text,
        orderId: text,
        reversed: maybe(fc.record({ atMs: uint, reason: text })),
      }),
    )
    .map(([[coupons, price], fields]) => ({ type: OUTCOME.REDEMPTION, ...fields, coupons, price })),
  fc.array(fc.tuple(fc.nat({ max: 255 }), uint), { maxLength: 50 }).map((rows) => ({
    type: OUTCOME.COLUMNS,
    outcomes: rows.map(([one]) => one),
    discounts: rows.map(([, discount]) => discount),
  })),
  fc.record({ type: constant(OUTCOME.RELEASED) }),
  fc.record({
    type: constant(OUTCOME.COUPON),
    ordinal: uint,
    status: fc.constantFrom(...COUPON_STATUSES),
    uses: uint,
    reserved: uint,
    version: uint,
    createdAtMs: uint,
    updatedAtMs: uint,
    lock: maybe(fc.record({ userId: text, expiresAtMs: uint })),
    definition,
  }),
  fc.record({
    type: constant(OUTCOME.SHARD),
    coupons: uint,
    userCounters: uint,
    orders: uint,
    reservations: uint,
    stateBytes: uint,
  }),
  fc.record({ type: constant(OUTCOME.KEY_CLAIMED), claimSeq: uint, operation: bytes }),
  fc.record({ type: constant(OUTCOME.KEY_ANSWERED), answer: recordedAnswer }),
  fc.record({ type: fc.constantFrom(OUTCOME.KEY_BUSY, OUTCOME.KEY_KEPT) }),
  fc.record({
    type: constant(OUTCOME.DONE_BEFORE),
    outcome: fc.oneof(
      fc.record({ type: constant(OUTCOME.RELEASED) }),
      fc.record({ type: constant(OUTCOME.KEY_CLAIMED), claimSeq: uint, operation: bytes }),
    ),
  }),
)

export const position = fc.record({ shard, seq: uint, timeMs: uint })

export const outcome = fc.oneof(
  { weight: 12, arbitrary: plainOutcome },
  {
    weight: 1,
    arbitrary: fc.record({
      type: constant(OUTCOME.ACROSS),
      positions: fc.array(position, { maxLength: 9 }),
      outcome: plainOutcome,
    }),
  },
)

const quote = fc.record({
  ordinal: ordinalOrNone,
  refusal: maybe(refusal),
  detail: text,
  retryAfterMs: uint,
  rules: maybe(fc.record({ version: uint, updatedAtMs: uint, validUntilMs: maybe(uint), offer })),
})
const envelope = { from: shard, to: shard, atMs: uint }
const settlement = { ...envelope, eventSeq: uint, txnSeq: uint }

export const message = fc.oneof(
  fc.record({
    ...envelope,
    type: constant(MESSAGE.ASK_QUOTES),
    call: uint,
    coupons: fc.array(ref, { maxLength: 10 }),
    user: maybe(bytes),
    order: maybe(bytes),
    cart: maybe(cart),
    checks: fc.constantFrom(...QUOTE_CHECKS),
    waits: fc.boolean(),
  }),
  fc.record({
    ...envelope,
    type: constant(MESSAGE.QUOTED),
    call: uint,
    seq: uint,
    quotes: fc.array(quote, { maxLength: 10 }),
  }),
  fc.record({
    ...envelope,
    type: constant(MESSAGE.PREPARE),
    call: uint,
    txnSeq: uint,
    reservationTxnSeq: uint,
    late: fc.boolean(),
    ordinals,
    versions: fc.array(uint, { maxLength: 10 }),
    user: bytes,
    order: maybe(bytes),
  }),
  fc.record({
    ...envelope,
    type: constant(MESSAGE.PREPARED),
    call: uint,
    txnSeq: uint,
    result: fc.constantFrom(...PREPARE_RESULTS),
    heldSeq: uint,
  }),
  fc.record({
    ...settlement,
    type: fc.constantFrom(MESSAGE.COMMIT_RESERVED, MESSAGE.RETIME),
    expiresAtMs: uint,
  }),
  fc
    .tuple(
      amountsOf(ordinals),
      fc.record({ ...settlement, type: constant(MESSAGE.COMMIT_REDEEMED), user: bytes, order: bytes }),
    )
    .map(([given, fields]) => ({ ...fields, ...given })),
  fc.record({ ...settlement, type: constant(MESSAGE.ABORT) }),
  fc.record({ ...settlement, type: constant(MESSAGE.RELEASE), cause: fc.constantFrom(...RELEASE_CAUSES) }),
  fc.record({
    ...settlement,
    type: constant(MESSAGE.REVERSE),
    redemptionSeq: uint,
    heldSeq: uint,
    ordinals,
    user: bytes,
    reason: text,
    returnUse: fc.boolean(),
  }),
  fc.record({ ...envelope, type: constant(MESSAGE.DELIVERED), eventSeq: uint }),
  fc.record({ ...envelope, type: constant(MESSAGE.IN_DOUBT), txnSeq: uint }),
  fc.record({ ...envelope, type: constant(MESSAGE.ENDING), txnSeq: uint, endsAtMs: uint }),
)
