// Events, plain where a test says nothing.

import { bytesOf } from '../../../protocol/bytes.ts'
import type { CouponDefinition } from '../../../protocol/coupon.ts'
import { currencyNumber } from '../../../protocol/currency.ts'
import {
  type BranchPrepared,
  type CouponCreated,
  EVENT,
  type Redeemed,
  type RedemptionReversed,
  type Reserved,
  type Stack,
} from '../../../protocol/events.ts'
import type { PriceFact } from '../../../protocol/price.ts'
import type { Offer } from '../../../engine/domain/offer.ts'
import { couponWith } from '../../engine/support/samples.ts'

export function priceOf(...amounts: number[]): PriceFact {
  return {
    currency: currencyNumber('EUR'),
    subtotalMinor: 10_000,
    shippingMinor: 0,
    shippingDiscountMinor: 0,
    amounts,
    lines: null,
  }
}

export function created(
  ordinal: number,
  code: string,
  fields: Partial<Omit<CouponDefinition, 'code' | 'offer'>> = {},
  offer: Partial<Offer> = {},
): CouponCreated {
  const definition = couponWith(code, fields, offer)
  return { type: EVENT.COUPON_CREATED, ordinal, by: 'marketing', definition, imported: null }
}

export interface Buying {
  readonly user?: string
  readonly order?: string
  readonly reservationSeq?: number
  readonly late?: boolean
  readonly stack?: Stack | null
}

export function redeemed(ordinals: readonly number[], buying: Buying = {}): Redeemed {
  const { user = 'ann', order = 'order-1', reservationSeq = 0, late = false, stack = null } = buying
  const amounts = (stack?.coupons ?? ordinals).map((_, index) => 100 + index)
  return {
    type: EVENT.REDEEMED,
    reservationSeq,
    late,
    ordinals,
    user: bytesOf(user),
    order: bytesOf(order),
    price: priceOf(...amounts),
    stack,
  }
}

export function reserved(
  ordinals: readonly number[],
  expiresAtMs: number,
  { user = 'ann', order = null, stack = null }: { user?: string; order?: string | null; stack?: Stack | null } = {},
): Reserved {
  const amounts = (stack?.coupons ?? ordinals).map((_, index) => 100 + index)
  return {
    type: EVENT.RESERVED,
    ordinals,
    user: bytesOf(user),
    order: order === null ? null : bytesOf(order),
    expiresAtMs,
    price: priceOf(...amounts),
    stack,
  }
}

export function reversed(redemptionSeq: number, ordinals: readonly number[], returnUse: boolean): RedemptionReversed {
  return {
    type: EVENT.REDEMPTION_REVERSED,
    redemptionSeq,
    ordinals,
    user: bytesOf('ann'),
    reason: 'refund',
    returnUse,
    amounts: [],
    stack: null,
  }
}

export function prepared(
  txn: { shard: number; seq: number },
  ordinals: readonly number[],
  fields: { user?: string; reservationTxnSeq?: number; shards?: readonly number[] } = {},
): BranchPrepared {
  const { user = 'ann', reservationTxnSeq = 0, shards = [] } = fields
  return {
    type: EVENT.BRANCH_PREPARED,
    txn,
    ordinals,
    user: bytesOf(user),
    order: bytesOf('order-1'),
    reservationTxnSeq,
    shards,
    amounts: [],
  }
}
