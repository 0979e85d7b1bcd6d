/**
 * Random commands, outcomes and messages between shards, every field of every kind; money and times up to the largest that the
 * formats carry.
 */
import fc from 'fast-check'
import { bytesOf } from '../../protocol/bytes.ts'
import { COMMAND, NO_SHARD } from '../../protocol/commands.ts'
import { CHANGES, RELEASE_CAUSES, SWITCHES } from '../../protocol/events.ts'
import { MESSAGE, PREPARE_RESULTS, QUOTE_CHECKS } from '../../protocol/messages.ts'
import { COUPON_STATUSES, OUTCOME, RESERVATION_STATUSES } from '../../protocol/outcomes.ts'
import { REFUSALS, type RefusalCode } from '../../protocol/refusals.ts'
import { campaignCommand, campaignOutcome } from './random-campaigns.ts'
import {
  amountsOf,
  amountsOrNone,
  bytes,
  campaignRef,
  code,
  constant,
  currency,
  definition,
  maybe,
  offer,
  ordinals,
  recordedAnswer,
  shard,
  text,
  uint,
  withPrice,
} from './random-fields.ts'

const dayAsked = fc.record({ perUser: uint, startMs: uint, endMs: uint })
const daysAsked = fc.array(dayAsked, { maxLength: 4 })

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
  // The gateway hands on what a client calls a code, were it nothing at all.
  fc.oneof(code, constant('')).map((one) => ({ code: bytesOf(one), ordinal: -1 })),
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
  { weight: 12, arbitrary: campaignCommand },
  fc.record({
    type: constant(COMMAND.KEYED),
    operation: bytes,
    inner: fc.oneof(
      fc.record({ type: constant(COMMAND.RELEASE), reservationSeq: uint }),
      fc.record({ type: constant(COMMAND.CREATE_COUPON), by: maybe(text), definition }),
      stack,
      campaignCommand,
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
  { weight: 6, arbitrary: campaignOutcome },
  fc.record({ type: constant(OUTCOME.KEY_CLAIMED), claimSeq: uint, operation: bytes }),
  fc.record({ type: constant(OUTCOME.KEY_ANSWERED), answer: recordedAnswer }),
  fc.record({ type: fc.constantFrom(OUTCOME.KEY_BUSY, OUTCOME.KEY_KEPT) }),
  fc.record({
    type: constant(OUTCOME.DONE_BEFORE),
    outcome: fc.oneof(
      fc.record({ type: constant(OUTCOME.RELEASED) }),
      campaignOutcome,
      fc.record({ type: constant(OUTCOME.KEY_CLAIMED), claimSeq: uint, operation: bytes }),
    ),
  }),
)

export const position = fc.record({ shard, seq: uint, timeMs: uint })

export const outcome = fc.oneof(
  { weight: 18, arbitrary: plainOutcome },
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
  rules: maybe(
    fc.record({
      version: uint,
      updatedAtMs: uint,
      validUntilMs: maybe(uint),
      offer: maybe(offer),
      campaign: maybe(campaignRef),
      day: maybe(dayAsked),
      budgetLeftMinor: maybe(uint),
    }),
  ),
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
    before: fc.array(uint, { maxLength: 10 }),
    days: daysAsked,
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
    quotedSeq: uint,
    reservationTxnSeq: uint,
    late: fc.boolean(),
    ordinals,
    versions: fc.array(uint, { maxLength: 10 }),
    amounts: amountsOrNone,
    user: bytes,
    order: maybe(bytes),
    days: daysAsked,
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
    amounts: amountsOrNone,
  }),
  fc.record({ ...envelope, type: constant(MESSAGE.DELIVERED), eventSeq: uint }),
  fc.record({ ...envelope, type: constant(MESSAGE.IN_DOUBT), txnSeq: uint }),
  fc.record({ ...envelope, type: constant(MESSAGE.ENDING), txnSeq: uint, endsAtMs: uint }),
)
