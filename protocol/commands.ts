/**
 * Commands: what a gateway asks of one shard. A closed union; the gateway has checked form and rights before it makes one,
 * the shard judges everything else.
 *
 * `Text` is how codes and ids of users and orders stand in it: strings when a gateway makes one, ranges when a shard reads
 * one. Those ranges point into the transport's memory and are valid during the handling of the command only.
 */
import type { Bytes } from './bytes.ts'
import type { CouponDefinition } from './coupon.ts'
import type { ChangeKind, SwitchKind } from './events.ts'
import type { Cart } from '../engine/domain/cart.ts'

export const COMMAND = {
  VALIDATE: 1,
  QUOTE: 2,
  RESERVE: 3,
  REDEEM: 4,
  REDEEM_COLUMNS: 5,
  REDEEM_RESERVATION: 6,
  RELEASE: 7,
  EXTEND_RESERVATION: 8,
  REVERSE: 9,
  GET_COUPON: 10,
  GET_RESERVATION: 11,
  GET_REDEMPTION: 12,
  CREATE_COUPON: 13,
  CHANGE_COUPON: 14,
  SWITCH_COUPON: 15,
  DESCRIBE_SHARD: 16,
} as const

/** A coupon by code (canonical ASCII) or, with `code` null, by its ordinal on the shard. */
export interface CouponRef<Text = Bytes> {
  readonly code: Text | null
  readonly ordinal: number
}

/**
 * VALIDATE judges, QUOTE judges and hands out the rules as well (for carts whose codes live on several shards), RESERVE
 * and REDEEM act. `user` null: the checks on the user are left out; `cart` null: the checks on the cart.
 */
export interface CheckoutCommand<Text = Bytes> {
  readonly type: typeof COMMAND.VALIDATE | typeof COMMAND.QUOTE | typeof COMMAND.RESERVE | typeof COMMAND.REDEEM
  readonly coupons: readonly CouponRef<Text>[]
  readonly user: Text | null
  readonly order: Text | null
  readonly cart: Cart | null
  /** RESERVE only; 1 to 3600. */
  readonly ttlSeconds: number
}

/** Many redemptions of one coupon; `rows` is the MessagePack of the columns, read by the shard row by row. */
export interface RedeemColumns<Text = Bytes> {
  readonly type: typeof COMMAND.REDEEM_COLUMNS
  readonly coupon: CouponRef<Text>
  /** See `currency.ts`. */
  readonly currency: number
  readonly count: number
  /** MessagePack array elements: `count` strings. */
  readonly users: Bytes
  readonly orders: Bytes
  /** `count` whole numbers, or one that stands for all when `oneTotal`. */
  readonly totals: Bytes
  readonly oneTotal: boolean
}

export interface RedeemReservation<Text = Bytes> {
  readonly type: typeof COMMAND.REDEEM_RESERVATION
  readonly reservationSeq: number
  readonly order: Text
  readonly cart: Cart | null
  readonly allowLate: boolean
}

export interface Release {
  readonly type: typeof COMMAND.RELEASE
  readonly reservationSeq: number
}

export interface ExtendReservation {
  readonly type: typeof COMMAND.EXTEND_RESERVATION
  readonly reservationSeq: number
  readonly ttlSeconds: number
}

export interface Reverse {
  readonly type: typeof COMMAND.REVERSE
  readonly redemptionSeq: number
  readonly reason: string
  readonly returnUse: boolean
}

export interface GetCoupon<Text = Bytes> {
  readonly type: typeof COMMAND.GET_COUPON
  readonly coupon: CouponRef<Text>
}

export interface GetBySeq {
  readonly type: typeof COMMAND.GET_RESERVATION | typeof COMMAND.GET_REDEMPTION
  readonly seq: number
}

export interface CreateCoupon {
  readonly type: typeof COMMAND.CREATE_COUPON
  readonly by: string | null
  readonly definition: CouponDefinition
}

/** Replaces a definition that was read at `ifVersion`; EXTENDED and EXPIRED change `validUntilMs` alone and need no version. */
export interface ChangeCoupon<Text = Bytes> {
  readonly type: typeof COMMAND.CHANGE_COUPON
  readonly coupon: CouponRef<Text>
  readonly by: string | null
  readonly change: ChangeKind
  readonly reason: string | null
  /** PATCHED only. */
  readonly ifVersion: number
  readonly definition: CouponDefinition | null
  /** EXTENDED only. */
  readonly validUntilMs: number
  /** EXTENDED only: also bring back what has expired. */
  readonly override: boolean
}

export interface SwitchCoupon<Text = Bytes> {
  readonly type: typeof COMMAND.SWITCH_COUPON
  readonly coupon: CouponRef<Text>
  readonly by: string | null
  readonly change: SwitchKind
}

export interface DescribeShard {
  readonly type: typeof COMMAND.DESCRIBE_SHARD
}

export type Command<Text = Bytes> =
  | CheckoutCommand<Text>
  | RedeemColumns<Text>
  | RedeemReservation<Text>
  | Release
  | ExtendReservation
  | Reverse
  | GetCoupon<Text>
  | GetBySeq
  | CreateCoupon
  | ChangeCoupon<Text>
  | SwitchCoupon<Text>
  | DescribeShard
