/**
 * Events: what happened, on one shard, in order. The log holds these and nothing else.
 *
 * Every event has a sequence number (its place in the shard's log) and a time (the entry's, moved on by tick marks), which
 * the reader supplies; neither is a field. Coupons are named by their ordinal on the shard. Numbers of types are for ever.
 * Formats by example: docs/formats/events.md, which must change together with `event-codec.ts`.
 */
import type { Bytes } from './bytes.ts'
import type { CouponDefinition } from './coupon.ts'
import type { PriceFact } from './price.ts'

export const EVENT = {
  COUPON_CREATED: 1,
  COUPON_CHANGED: 2,
  COUPON_SWITCHED: 3,
  COUPON_WINDOW_PASSED: 4,
  RESERVED: 5,
  RESERVATION_REPRICED: 6,
  RESERVATION_RETIMED: 7,
  RESERVATION_RELEASED: 8,
  REDEEMED: 9,
  REDEMPTION_REVERSED: 10,
  ORDERS_FORGOTTEN: 11,
  CLOCK_DIFFERED: 12,
} as const

export interface CouponCreated {
  readonly type: typeof EVENT.COUPON_CREATED
  /** The next free one; ordinals are dense. */
  readonly ordinal: number
  /** Whose API key; null without authentication. */
  readonly by: string | null
  readonly definition: CouponDefinition
}

export const CHANGES = ['PATCHED', 'EXTENDED', 'EXPIRED'] as const
export type ChangeKind = (typeof CHANGES)[number]

export interface CouponChanged {
  readonly type: typeof EVENT.COUPON_CHANGED
  readonly ordinal: number
  readonly by: string | null
  readonly change: ChangeKind
  readonly reason: string | null
  readonly definition: CouponDefinition
}

export const SWITCHES = ['ENABLED', 'DISABLED', 'DELETED'] as const
export type SwitchKind = (typeof SWITCHES)[number]

export interface CouponSwitched {
  readonly type: typeof EVENT.COUPON_SWITCHED
  readonly ordinal: number
  readonly by: string | null
  readonly change: SwitchKind
}

export interface CouponWindowPassed {
  readonly type: typeof EVENT.COUPON_WINDOW_PASSED
  readonly ordinal: number
  readonly edge: 'STARTED' | 'ENDED'
}

export interface Reserved {
  readonly type: typeof EVENT.RESERVED
  readonly ordinals: readonly number[]
  readonly user: Bytes
  readonly order: Bytes | null
  readonly expiresAtMs: number
  /** null: reserved without a cart. */
  readonly price: PriceFact | null
}

export interface ReservationRepriced {
  readonly type: typeof EVENT.RESERVATION_REPRICED
  readonly reservationSeq: number
  readonly ordinals: readonly number[]
  readonly price: PriceFact
}

/** Extended by its owner, or cut short because its coupon ends earlier now. */
export interface ReservationRetimed {
  readonly type: typeof EVENT.RESERVATION_RETIMED
  readonly reservationSeq: number
  readonly expiresAtMs: number
}

export const RELEASE_CAUSES = ['RELEASED', 'EXPIRED', 'COUPON_EXPIRED'] as const
export type ReleaseCause = (typeof RELEASE_CAUSES)[number]

export interface ReservationReleased {
  readonly type: typeof EVENT.RESERVATION_RELEASED
  readonly reservationSeq: number
  readonly cause: ReleaseCause
  /** Until when it would have lasted. */
  readonly expiresAtMs: number
}

/** Mutable only so that the column path can fill one object again and again; nobody else may write to it. */
export interface Redeemed {
  readonly type: typeof EVENT.REDEEMED
  /** 0: direct. Sequence numbers begin at 1. */
  readonly reservationSeq: number
  /** Redeemed after the reservation had run out. */
  readonly late: boolean
  readonly ordinals: readonly number[]
  readonly user: Bytes
  readonly order: Bytes
  readonly price: PriceFact
}

export interface RedemptionReversed {
  readonly type: typeof EVENT.REDEMPTION_REVERSED
  readonly redemptionSeq: number
  readonly ordinals: readonly number[]
  readonly user: Bytes
  readonly reason: string
  readonly returnUse: boolean
}

/** Order records and closed reservations of events before this sequence are no longer remembered in memory. */
export interface OrdersForgotten {
  readonly type: typeof EVENT.ORDERS_FORGOTTEN
  readonly beforeSeq: number
}

/** The wall clock and the shard's time have come apart by more than a second. */
export interface ClockDiffered {
  readonly type: typeof EVENT.CLOCK_DIFFERED
  readonly wallMs: number
  readonly stampedMs: number
}

export type Event =
  | CouponCreated
  | CouponChanged
  | CouponSwitched
  | CouponWindowPassed
  | Reserved
  | ReservationRepriced
  | ReservationRetimed
  | ReservationReleased
  | Redeemed
  | RedemptionReversed
  | OrdersForgotten
  | ClockDiffered
