// Outcomes as shards give them, for scripts of the fake transport.

import type { Offer } from '../../../engine/domain/offer.ts'
import { textOf } from '../../../protocol/bytes.ts'
import type { Bytes } from '../../../protocol/bytes.ts'
import type { CampaignDefinition } from '../../../protocol/campaign.ts'
import type { CouponDefinition } from '../../../protocol/coupon.ts'
import { currencyNumber } from '../../../protocol/currency.ts'
import {
  type CampaignOutcome,
  type ClaimedOutcome,
  type CouponOutcome,
  OUTCOME,
  type RedemptionOutcome,
  type Refused,
  type ReservationOutcome,
  type ShardOutcome,
  type Validated,
} from '../../../protocol/outcomes.ts'
import type { PriceFact } from '../../../protocol/price.ts'
import { AT_MS } from './fake-transport.ts'
import { offerWith } from '../../engine/support/samples.ts'

export const EUR = currencyNumber('EUR')

/** 10 % off 49.99. */
export const PRICE: PriceFact = {
  currency: EUR,
  subtotalMinor: 4_999,
  shippingMinor: 0,
  shippingDiscountMinor: 0,
  amounts: [500],
  lines: null,
}

export const DEFINITION: CouponDefinition = {
  code: 'SAVE10',
  offer: offerWith({}),
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
}

export function redemption(changes: Partial<RedemptionOutcome> = {}): RedemptionOutcome {
  return {
    type: OUTCOME.REDEMPTION,
    replayed: false,
    seq: 33,
    atMs: AT_MS,
    reservationSeq: 0,
    userId: 'u1',
    orderId: 'o1',
    coupons: [{ shard: 0, ordinal: 0, code: 'SAVE10' }],
    price: PRICE,
    reversed: null,
    ...changes,
  }
}

export function reservation(changes: Partial<ReservationOutcome> = {}): ReservationOutcome {
  return {
    type: OUTCOME.RESERVATION,
    again: false,
    seq: 32,
    status: 'RESERVED',
    userId: 'u1',
    orderId: null,
    startedAtMs: AT_MS,
    expiresAtMs: AT_MS + 300_000,
    coupons: [{ shard: 0, ordinal: 0, code: 'SAVE10' }],
    price: null,
    ...changes,
  }
}

export function coupon(changes: Partial<CouponOutcome> = {}): CouponOutcome {
  return {
    type: OUTCOME.COUPON,
    ordinal: 0,
    status: 'ACTIVE',
    uses: 3,
    reserved: 1,
    version: 5,
    createdAtMs: AT_MS,
    updatedAtMs: AT_MS,
    lock: null,
    definition: DEFINITION,
    ...changes,
  }
}

const CAMPAIGN: CampaignDefinition = {
  name: 'Summer',
  offer: DEFINITION.offer as Offer,
  merchantId: null,
  listed: false,
  validFromMs: null,
  validUntilMs: null,
  timezone: 'UTC',
  maxUses: 1_000,
  maxUsesPerUser: null,
  budgetMinor: null,
  dailyLimit: null,
  lockSeconds: 300,
  lowStockPpm: 100_000,
}

export function campaign(
  changes: Partial<CampaignOutcome> = {},
  rules: Partial<CampaignDefinition> = {},
): CampaignOutcome {
  return {
    type: OUTCOME.CAMPAIGN,
    index: 3,
    status: 'ACTIVE',
    codes: 100,
    poolSize: 90,
    uses: 4,
    reserved: 6,
    discountTotalMinor: 2_000,
    version: 5,
    createdAtMs: AT_MS,
    updatedAtMs: AT_MS,
    definition: { ...CAMPAIGN, ...rules },
    ...changes,
  }
}

export function claimed(changes: Partial<ClaimedOutcome> = {}): ClaimedOutcome {
  return {
    type: OUTCOME.CLAIMED,
    again: false,
    seq: 32,
    expiresAtMs: AT_MS + 300_000,
    ordinal: 2 ** 30 + 7,
    status: 'LOCKED',
    uses: 0,
    reserved: 1,
    version: 1,
    createdAtMs: AT_MS,
    updatedAtMs: AT_MS,
    code: 'POOL2345AA',
    rules: { ...DEFINITION, code: '', offer: null, campaign: { shard: 2, index: 3 }, maxUses: 1 },
    offer: DEFINITION.offer,
    ...changes,
  }
}

export function validated(changes: Partial<Validated> = {}): Validated {
  return {
    type: OUTCOME.VALIDATED,
    verdicts: [{ ordinal: 0, refusal: null, detail: '', amountMinor: 500 }],
    price: PRICE,
    ...changes,
  }
}

export function refused(refusal: Refused['refusal'], changes: Partial<Refused> = {}): Refused {
  return {
    type: OUTCOME.REFUSED,
    refusal,
    detail: 'a sentence',
    couponIndex: -1,
    retryAfterMs: 0,
    verdicts: null,
    ...changes,
  }
}

export const SHARD: ShardOutcome = {
  type: OUTCOME.SHARD,
  coupons: 2,
  userCounters: 3,
  orders: 4,
  reservations: 5,
  stateBytes: 6_000,
}

/** A text of a command as a string; commands read by a shard hold ranges. */
export function text(range: Bytes | null): string | null {
  return range === null ? null : textOf(range)
}
