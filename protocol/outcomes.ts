/**
 * Outcomes: what a shard answers. A refusal is an outcome like any other, a value of a closed union, never an exception.
 *
 * Facts of reservations and redemptions are handed out as the log tells them, so that a first answer, a replayed one and
 * a read by id are made from the same thing.
 */
import type { Bytes } from './bytes.ts'
import type { CouponDefinition } from './coupon.ts'
import type { PriceFact } from './price.ts'
import type { RefusalCode } from './refusals.ts'
import type { Offer } from '../engine/domain/offer.ts'

export const OUTCOME = {
  REFUSED: 1,
  VALIDATED: 2,
  QUOTED: 3,
  RESERVATION: 4,
  REDEMPTION: 5,
  COLUMNS: 6,
  RELEASED: 7,
  COUPON: 8,
  SHARD: 9,
} as const

/**
 * Ids of users and orders: strings where a gateway reads an outcome; a shard, which has them as ranges of the log, writes
 * them on without making strings of them.
 */
export type IdText = string | Bytes

/** The state an answer was made from: after event `seq` of the shard, judged at `timeMs`. */
export interface Position {
  shard: number
  seq: number
  timeMs: number
}

/** The judgement on one code of a cart. */
export interface Verdict {
  /** -1: no such coupon. */
  readonly ordinal: number
  /** null: applicable. */
  readonly refusal: RefusalCode | null
  readonly detail: string
  /** null: refused, or no cart to compute it from. */
  readonly amountMinor: number | null
}

export interface Refused {
  readonly type: typeof OUTCOME.REFUSED
  readonly refusal: RefusalCode
  readonly detail: string
  /** Index of the code it concerns; -1: none or the only one. */
  readonly couponIndex: number
  /** When it may be worth another try; 0: not known. */
  readonly retryAfterMs: number
  /** One a code, for calls that carry codes; otherwise null. */
  readonly verdicts: readonly Verdict[] | null
}

export interface Validated {
  readonly type: typeof OUTCOME.VALIDATED
  readonly verdicts: readonly Verdict[]
  /** null unless all are applicable and there is a cart. */
  readonly price: PriceFact | null
}

/** One coupon's side of a cart whose codes live on several shards. */
export interface Quote {
  readonly ordinal: number
  /** The first failing check, stacking left out; null: none. */
  readonly refusal: RefusalCode | null
  readonly detail: string
  /** When it may be worth another try; 0: not known. */
  readonly retryAfterMs: number
  readonly version: number
  /** null: no such coupon. */
  readonly offer: Offer | null
}

export interface Quoted {
  readonly type: typeof OUTCOME.QUOTED
  readonly quotes: readonly Quote[]
}

export interface NamedCoupon {
  readonly ordinal: number
  readonly code: string
}

export const RESERVATION_STATUSES = ['RESERVED', 'REDEEMED', 'RELEASED', 'EXPIRED'] as const
export type ReservationStatus = (typeof RESERVATION_STATUSES)[number]

export interface ReservationOutcome<Text extends IdText = string> {
  readonly type: typeof OUTCOME.RESERVATION
  /** It was there before this call. */
  readonly again: boolean
  readonly seq: number
  readonly status: ReservationStatus
  readonly userId: Text
  readonly orderId: Text | null
  readonly startedAtMs: number
  readonly expiresAtMs: number
  readonly coupons: readonly NamedCoupon[]
  readonly price: PriceFact | null
}

export interface RedemptionOutcome<Text extends IdText = string> {
  readonly type: typeof OUTCOME.REDEMPTION
  /** The first answer again. */
  readonly replayed: boolean
  readonly seq: number
  readonly atMs: number
  /** 0: direct. */
  readonly reservationSeq: number
  readonly userId: Text
  readonly orderId: Text
  readonly coupons: readonly NamedCoupon[]
  readonly price: PriceFact
  readonly reversed: { readonly atMs: number; readonly reason: string } | null
}

/** Columns of one length; `outcomes` as in the contract: 0 redeemed, 1 replayed, otherwise a refusal's number. */
export interface ColumnsOutcome {
  readonly type: typeof OUTCOME.COLUMNS
  readonly outcomes: readonly number[]
  readonly discounts: readonly number[]
}

export interface Released {
  readonly type: typeof OUTCOME.RELEASED
}

export const COUPON_STATUSES = [
  'DISABLED',
  'EXPIRED',
  'REDEEMED',
  'EXHAUSTED',
  'SCHEDULED',
  'LOCKED',
  'ACTIVE',
] as const
export type CouponStatus = (typeof COUPON_STATUSES)[number]

export interface CouponOutcome {
  readonly type: typeof OUTCOME.COUPON
  readonly ordinal: number
  readonly status: CouponStatus
  readonly uses: number
  readonly reserved: number
  readonly version: number
  readonly createdAtMs: number
  readonly updatedAtMs: number
  readonly lock: { readonly userId: string; readonly expiresAtMs: number } | null
  readonly definition: CouponDefinition
}

/** Sizes of one shard, for metrics. Bytes are those of its tables as allocated. */
export interface ShardOutcome {
  readonly type: typeof OUTCOME.SHARD
  readonly coupons: number
  readonly userCounters: number
  readonly orders: number
  readonly reservations: number
  readonly stateBytes: number
}

export type Outcome<Text extends IdText = string> =
  | Refused
  | Validated
  | Quoted
  | ReservationOutcome<Text>
  | RedemptionOutcome<Text>
  | ColumnsOutcome
  | Released
  | CouponOutcome
  | ShardOutcome
