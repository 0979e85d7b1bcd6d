/**
 * Events: what happened, on one shard, in order. The log holds these and nothing else.
 *
 * Every event has a sequence number (its place in the shard's log) and a time (the entry's, moved on by tick marks), which
 * the reader supplies; neither is a field. Coupons are named by their ordinal on the shard. Numbers of types are for ever.
 * Formats by example: docs/formats/events.md, which must change together with `event-codec.ts`.
 */
import type { Bytes } from './bytes.ts'
import type { CampaignDefinition } from './campaign.ts'
import type { CouponDefinition } from './coupon.ts'
import type { JobEnd, JobError, JobPlan } from './jobs.ts'
import type { PriceFact } from './price.ts'
import type { RecordedAnswer } from './recorded-answer.ts'

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
  BRANCH_PREPARED: 13,
  BRANCH_ABORTED: 14,
  BRANCH_RESERVED: 15,
  BRANCH_REDEEMED: 16,
  BRANCH_RETIMED: 17,
  BRANCH_RELEASED: 18,
  BRANCH_REVERSED: 19,
  MESSAGES_DELIVERED: 20,
  KEY_CLAIMED: 22,
  KEY_ANSWERED: 23,
  OPERATION_DONE: 24,
  KEYS_FORGOTTEN: 25,
  CAMPAIGN_CREATED: 28,
  CAMPAIGN_CHANGED: 29,
  CAMPAIGN_SWITCHED: 30,
  CAMPAIGN_WINDOW_PASSED: 31,
  JOB_STARTED: 32,
  CODES_MADE: 33,
  JOB_PROGRESSED: 34,
  JOB_ENDED: 35,
  DAY_COUNTED: 36,
  BATCH_WINDOW_PASSED: 37,
} as const

export interface CouponCreated {
  readonly type: typeof EVENT.COUPON_CREATED
  /** The next free one; ordinals are dense. */
  readonly ordinal: number
  /** Whose API key; null without authentication. */
  readonly by: string | null
  readonly definition: CouponDefinition
  /** null: made by a call. */
  readonly imported: ImportedRow | null
}

/** The row of an import that made or changed a coupon. */
export interface ImportedRow {
  readonly job: JobId
  /** Of the file, from 1. */
  readonly line: number
  /** Uses that another system has counted before; 0 where it only changes a coupon. */
  readonly uses: number
}

export interface JobId {
  readonly shard: number
  /** Sequence of its JOB_STARTED. */
  readonly seq: number
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
  /** null: changed by a call. */
  readonly imported: ImportedRow | null
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

/** A coupon of a call whose codes live on several shards, as the log of the coordinating shard knows it. */
export interface StackedCoupon {
  readonly shard: number
  readonly ordinal: number
  readonly code: string
  /** Sequence of the BRANCH_PREPARED on its shard that took its capacity. */
  readonly heldSeq: number
}

/** A campaign that lives on another shard than its coupon, in a call over several shards. */
export interface StackedCampaign {
  /** Of its coupon, in the stack. */
  readonly place: number
  readonly shard: number
  /** Of the campaign, on its shard. */
  readonly ordinal: number
  /** Sequence of the BRANCH_PREPARED on its shard that took its capacity. */
  readonly heldSeq: number
}

/** What a reservation or redemption over several shards has beside the share of this shard. */
export interface Stack {
  /** The transaction: sequence of the coordinator's BRANCH_PREPARED. */
  readonly txnSeq: number
  /** All coupons, in the order of the request and of the price. */
  readonly coupons: readonly StackedCoupon[]
  /** One a coupon whose campaign lives elsewhere; absent: none. */
  readonly campaigns?: readonly StackedCampaign[]
}

export interface Reserved {
  readonly type: typeof EVENT.RESERVED
  /** Those of this shard. */
  readonly ordinals: readonly number[]
  readonly user: Bytes
  readonly order: Bytes | null
  readonly expiresAtMs: number
  /** null: reserved without a cart. */
  readonly price: PriceFact | null
  /** null: all its coupons live here. */
  readonly stack: Stack | null
  /**
   * Where all its capacity is of this shard, and another one counted the user's day for it: the transaction, sequence of
   * this shard's BRANCH_PREPARED. Absent: there was none.
   */
  readonly dayTxnSeq?: number
}

export interface ReservationRepriced {
  readonly type: typeof EVENT.RESERVATION_REPRICED
  readonly reservationSeq: number
  /** In the order of the price; of a stacked reservation those on other shards too. */
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
  /** Those of this shard. */
  readonly ordinals: readonly number[]
  readonly user: Bytes
  readonly order: Bytes
  readonly price: PriceFact
  /** null: all its coupons live here. */
  readonly stack: Stack | null
  /** As in RESERVED. */
  readonly dayTxnSeq?: number
}

export interface RedemptionReversed {
  readonly type: typeof EVENT.REDEMPTION_REVERSED
  readonly redemptionSeq: number
  readonly ordinals: readonly number[]
  readonly user: Bytes
  readonly reason: string
  readonly returnUse: boolean
  /** What each of the ordinals had given, for the budgets of campaigns; empty where none of them has one. */
  readonly amounts: readonly number[]
  /** null: all its coupons live here. */
  readonly stack: ReversedStack | null
}

export interface ReversedStack {
  /** Sequence of the BRANCH_PREPARED here that took the capacity. */
  readonly heldSeq: number
  /** The other shards of the redemption, ascending. */
  readonly shards: readonly number[]
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

/** A transaction over several shards: the coordinating shard and the sequence of its BRANCH_PREPARED. */
export interface TxnId {
  readonly shard: number
  readonly seq: number
}

/**
 * A shard has done its part of a transaction so far that both ends are still possible: it has taken capacity, or it keeps the
 * capacity of a stacked reservation for the order that makes it final. Only the coordinator's word ends it.
 */
export interface BranchPrepared {
  readonly type: typeof EVENT.BRANCH_PREPARED
  /** On the coordinator `seq` is 0: this very event is the transaction. */
  readonly txn: TxnId
  /** Coupons, and behind them campaigns of coupons of other shards, one a use; empty where only a day is counted. */
  readonly ordinals: readonly number[]
  readonly user: Bytes
  /** null: a reservation that names none. */
  readonly order: Bytes | null
  /** Transaction of the stacked reservation that is made final; 0: capacity is taken now. */
  readonly reservationTxnSeq: number
  /** On the coordinator: the other shards, in the order in which they prepare. */
  readonly shards: readonly number[]
  /** What each of the ordinals would give, for the budgets of campaigns; empty where none of them has one. */
  readonly amounts: readonly number[]
  /** What is counted of the user's days; an abort takes it back, and nothing else does. Absent: nothing. */
  readonly days?: readonly DayTake[]
}

/** So many coupons of a user's local day. */
export type DayTake = Pick<DayCounted, 'limit' | 'dayStartMs' | 'dayEndMs' | 'count'>

export interface BranchAborted {
  readonly type: typeof EVENT.BRANCH_ABORTED
  readonly txn: TxnId
}

/** The capacity is that of a stacked reservation now, which the coordinator alone lets go. */
export interface BranchReserved {
  readonly type: typeof EVENT.BRANCH_RESERVED
  readonly txn: TxnId
  /** Sequence of the reservation on the coordinator. */
  readonly reservationSeq: number
  readonly expiresAtMs: number
}

export interface BranchRedeemed {
  readonly type: typeof EVENT.BRANCH_REDEEMED
  readonly txn: TxnId
  /** Sequence of the redemption on the coordinator, whose event has the whole price. */
  readonly redemptionSeq: number
  readonly ordinals: readonly number[]
  readonly user: Bytes
  readonly order: Bytes
  /** What each of the coupons here gave. */
  readonly amounts: readonly number[]
}

export interface BranchRetimed {
  readonly type: typeof EVENT.BRANCH_RETIMED
  /** The transaction that made the reservation. */
  readonly txn: TxnId
  readonly expiresAtMs: number
}

export interface BranchReleased {
  readonly type: typeof EVENT.BRANCH_RELEASED
  /** The transaction that made the reservation. */
  readonly txn: TxnId
  readonly cause: ReleaseCause
}

export interface BranchReversed {
  readonly type: typeof EVENT.BRANCH_REVERSED
  /** `seq` is that of the redemption, on the coordinator. */
  readonly redemption: TxnId
  /** Sequence of the BRANCH_PREPARED here that took the capacity. */
  readonly heldSeq: number
  readonly ordinals: readonly number[]
  readonly user: Bytes
  readonly reason: string
  readonly returnUse: boolean
  /** As in REDEMPTION_REVERSED. */
  readonly amounts: readonly number[]
}

/** Shards have said that they logged what these events of this shard mean for them: pairs of equal index. */
export interface MessagesDelivered {
  readonly type: typeof EVENT.MESSAGES_DELIVERED
  readonly seqs: readonly number[]
  readonly shards: readonly number[]
}

/** A call with an `Idempotency-Key` came for the first time. Logged on the shard of the key, before the call does anything. */
export interface KeyClaimed {
  readonly type: typeof EVENT.KEY_CLAIMED
  /** Id of the API key that called; null without authentication. */
  readonly scope: string | null
  readonly key: string
  /** SHA-256 of the request: the same key with another one is a conflict. */
  readonly digest: Bytes
  /** The name of the operation wherever it is done, 16 random bytes. Generated codes are drawn from it. */
  readonly operation: Bytes
}

/** What the call was answered, for its replays. Null: it turned out to be malformed, and the key is as if never used. */
export interface KeyAnswered {
  readonly type: typeof EVENT.KEY_ANSWERED
  readonly scope: string | null
  readonly key: string
  readonly claimSeq: number
  readonly answer: RecordedAnswer | null
}

export const DONE_KINDS = ['NOTHING', 'RESERVATION', 'REDEMPTION', 'COUPON', 'CAMPAIGN', 'JOB'] as const
export type DoneKind = (typeof DONE_KINDS)[number]

/**
 * The events right before this one are those of an operation with a key. Whoever finds it answers from it instead of doing
 * the operation again.
 */
export interface OperationDone {
  readonly type: typeof EVENT.OPERATION_DONE
  readonly operation: Bytes
  /** What its answer shows. */
  readonly shows: DoneKind
  /** Sequence of the reservation, redemption or job, ordinal of the coupon, index of the campaign; 0 with NOTHING. */
  readonly number: number
  /** The reservation was there before the operation. */
  readonly again: boolean
}

/** Claims of keys and records of operations before this sequence are no longer remembered. */
export interface KeysForgotten {
  readonly type: typeof EVENT.KEYS_FORGOTTEN
  readonly beforeSeq: number
}

export interface CampaignCreated {
  readonly type: typeof EVENT.CAMPAIGN_CREATED
  /** The next free one; indexes are dense. */
  readonly index: number
  readonly by: string | null
  readonly definition: CampaignDefinition
}

export interface CampaignChanged {
  readonly type: typeof EVENT.CAMPAIGN_CHANGED
  readonly index: number
  readonly by: string | null
  readonly definition: CampaignDefinition
}

export interface CampaignSwitched {
  readonly type: typeof EVENT.CAMPAIGN_SWITCHED
  readonly index: number
  readonly by: string | null
  readonly change: 'ENABLED' | 'DISABLED'
}

export interface CampaignWindowPassed {
  readonly type: typeof EVENT.CAMPAIGN_WINDOW_PASSED
  readonly index: number
  readonly edge: 'STARTED' | 'ENDED'
}

/** Work that takes longer than a call. Its sequence is its name. */
export interface JobStarted {
  readonly type: typeof EVENT.JOB_STARTED
  readonly by: string | null
  readonly plan: JobPlan
}

/** The next codes of a job that makes codes: their ordinals follow each other, in this order. */
export interface CodesMade {
  readonly type: typeof EVENT.CODES_MADE
  readonly jobSeq: number
  readonly firstOrdinal: number
  readonly count: number
  /** The letters behind the prefix, code after code without a gap. */
  readonly letters: Bytes
}

/** How far a job has got that is driven from outside. Numbers are totals, not steps. */
export interface JobProgressed {
  readonly type: typeof EVENT.JOB_PROGRESSED
  readonly jobSeq: number
  readonly processed: number
  readonly failed: number
  /** Known once the whole input was seen; 0 before. */
  readonly total: number
  /** Bytes of its input that are dealt with. */
  readonly place: number
  /** Those that came up since the last such event. */
  readonly errors: readonly JobError[]
}

export interface JobEnded {
  readonly type: typeof EVENT.JOB_ENDED
  readonly jobSeq: number
  readonly end: JobEnd
  /** Why it failed, or who cancelled it; null: there is nothing to say. */
  readonly reason: string | null
}

/** A user has taken coupons that count for a local day; they stay counted whatever becomes of them. */
export interface DayCounted {
  readonly type: typeof EVENT.DAY_COUNTED
  readonly user: Bytes
  /** Ordinal of the campaign whose coupons count; -1: everything with scope ALL. */
  readonly limit: number
  /** The local day, [start, end). */
  readonly dayStartMs: number
  readonly dayEndMs: number
  readonly count: number
}

/** The window of codes made in bulk began or ended. */
export interface BatchWindowPassed {
  readonly type: typeof EVENT.BATCH_WINDOW_PASSED
  readonly jobSeq: number
  readonly edge: 'STARTED' | 'ENDED'
}

export type CampaignEvent =
  | CampaignCreated
  | CampaignChanged
  | CampaignSwitched
  | CampaignWindowPassed
  | JobStarted
  | CodesMade
  | JobProgressed
  | JobEnded
  | DayCounted
  | BatchWindowPassed

export type Event =
  | CampaignEvent
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
  | BranchPrepared
  | BranchAborted
  | BranchReserved
  | BranchRedeemed
  | BranchRetimed
  | BranchReleased
  | BranchReversed
  | MessagesDelivered
  | KeyClaimed
  | KeyAnswered
  | OperationDone
  | KeysForgotten
