/**
 * Random events, every field of every kind.
 */
import fc from 'fast-check'
import { CHANGES, DONE_KINDS, EVENT, RELEASE_CAUSES, SWITCHES } from '../../protocol/events.ts'
import { campaignEvent, importedRow } from './random-campaigns.ts'
import {
  amountsOf,
  amountsOrNone,
  bytes,
  code,
  constant,
  definition,
  maybe,
  ordinals,
  recordedAnswer,
  shard,
  shards,
  text,
  txn,
  uint,
  withPrice,
} from './random-fields.ts'

const stackedCoupons = fc.array(fc.record({ shard, ordinal: uint, code, heldSeq: uint }), {
  minLength: 2,
  maxLength: 10,
})

/** Of coupons whose campaign lives elsewhere. */
const stackedCampaigns = fc.record(
  {
    campaigns: fc.array(fc.record({ place: fc.nat({ max: 9 }), shard, ordinal: uint, heldSeq: uint }), {
      minLength: 1,
      maxLength: 10,
    }),
  },
  { requiredKeys: [] },
)
/** Coupons and campaigns, a campaign once a use; none where only a day is counted. */
const ordinalsOfBranch = fc.oneof(ordinals, fc.array(uint, { maxLength: 10 }))

/** An event of several shards: its coupons here, all its coupons, and a price with an amount for each of those. */
const stacked = fc
  .tuple(withPrice(stackedCoupons), stackedCampaigns, uint, ordinalsOfBranch)
  .map(([[coupons, price], campaigns, txnSeq, here]) => ({
    ordinals: here,
    price,
    stack: { txnSeq, coupons, ...campaigns },
  }))
/** The same of one shard, a day of the user on another one perhaps aside. */
const whole = fc
  .tuple(withPrice(ordinals), fc.record({ dayTxnSeq: uint }, { requiredKeys: [] }))
  .map(([[here, price], day]) => ({ ordinals: here, price, stack: null, ...day }))
const taken = fc.oneof(whole, stacked)
const daysTaken = fc.array(
  fc.record({ limit: fc.integer({ min: -1, max: 2 ** 30 - 1 }), dayStartMs: uint, dayEndMs: uint, count: uint }),
  { minLength: 1, maxLength: 3 },
)

export const event = fc.oneof(
  fc.record({
    type: constant(EVENT.COUPON_CREATED),
    ordinal: uint,
    by: maybe(text),
    definition,
    imported: maybe(importedRow),
  }),
  fc.record({
    type: constant(EVENT.COUPON_CHANGED),
    ordinal: uint,
    by: maybe(text),
    change: fc.constantFrom(...CHANGES),
    reason: maybe(text),
    definition,
    imported: maybe(importedRow),
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
    amounts: amountsOrNone,
    stack: maybe(fc.record({ heldSeq: uint, shards })),
  }),
  fc.record(
    {
      type: constant(EVENT.BRANCH_PREPARED),
      txn,
      ordinals: ordinalsOfBranch,
      user: bytes,
      order: maybe(bytes),
      reservationTxnSeq: uint,
      shards,
      amounts: amountsOrNone,
      days: daysTaken,
    },
    { requiredKeys: ['type', 'txn', 'ordinals', 'user', 'order', 'reservationTxnSeq', 'shards', 'amounts'] },
  ),
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
    amounts: amountsOrNone,
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
  { weight: 10, arbitrary: campaignEvent },
)
