// Outcomes that scripted shards answer with, and the coupon they are about.
import { currencyNumber } from '../../../protocol/currency.ts'
import {
  type CouponOutcome,
  OUTCOME,
  type RedemptionOutcome,
  type Refused,
  type ReservationOutcome,
} from '../../../protocol/outcomes.ts'
import type { RefusalCode } from '../../../protocol/refusals.ts'

const price = {
  currency: currencyNumber('EUR'),
  subtotalMinor: 2_000,
  shippingMinor: 0,
  shippingDiscountMinor: 0,
  amounts: [500],
  lines: null,
}

export function redemption(changes: Partial<RedemptionOutcome> = {}): RedemptionOutcome {
  return {
    type: OUTCOME.REDEMPTION,
    replayed: false,
    seq: 40,
    atMs: 1_700_000_000_000,
    reservationSeq: 0,
    userId: 'u1',
    orderId: 'o1',
    coupons: [{ shard: 0, ordinal: 3, code: 'SAVE10' }],
    price,
    reversed: null,
    ...changes,
  }
}

export function reservation(): ReservationOutcome {
  return {
    type: OUTCOME.RESERVATION,
    again: false,
    seq: 39,
    status: 'RESERVED',
    userId: 'u1',
    orderId: null,
    startedAtMs: 1_700_000_000_000,
    expiresAtMs: 1_700_000_300_000,
    coupons: [{ shard: 0, ordinal: 3, code: 'SAVE10' }],
    price: null,
  }
}

export function refused(refusal: RefusalCode, retryAfterMs = 0): Refused {
  return { type: OUTCOME.REFUSED, refusal, detail: 'the shard says no', couponIndex: -1, retryAfterMs, verdicts: null }
}

export function columns(
  outcomes: readonly number[],
  discounts: readonly number[],
): {
  readonly type: typeof OUTCOME.COLUMNS
  readonly outcomes: readonly number[]
  readonly discounts: readonly number[]
} {
  return { type: OUTCOME.COLUMNS, outcomes, discounts }
}

/** SAVE10: 5 off, 100 uses. */
export function coupon(changes: Partial<CouponOutcome> = {}): CouponOutcome {
  return {
    type: OUTCOME.COUPON,
    ordinal: 3,
    status: 'ACTIVE',
    uses: 0,
    reserved: 0,
    version: 1,
    createdAtMs: 1_700_000_000_000,
    updatedAtMs: 1_700_000_000_000,
    lock: null,
    definition: {
      code: 'SAVE10',
      offer: {
        type: 'FIXED',
        scope: 'ORDER',
        allocation: 'ACROSS',
        stacking: 'EXCLUSIVE',
        percentBps: 0,
        valueMinor: 500,
        currency: 'EUR',
        maxDiscountMinor: null,
        maxUnits: null,
        minOrderMinor: null,
        minQuantity: null,
        applicableProductIds: [],
        applicableCategoryIds: [],
        excludedProductIds: [],
        excludedCategoryIds: [],
        channels: null,
        priority: 0,
      },
      campaign: null,
      dailyLimit: null,
      merchantId: null,
      userId: null,
      category: null,
      description: null,
      listed: false,
      maxUses: 100,
      maxUsesPerUser: null,
      validFromMs: null,
      validUntilMs: null,
    },
    ...changes,
  }
}
