/**
 * Messages: what shards say to each other. Nothing outside hears them; they travel by the transport of commands, may be lost,
 * and may come twice.
 *
 *     coordinator ── ASK_QUOTES ─▶ participant        reads
 *                 ◀──── QUOTED ──
 *                 ─── PREPARE ──▶                     logs, or refuses
 *                 ◀── PREPARED ──
 *                 ── COMMIT_… | ABORT | RETIME | RELEASE | REVERSE ──▶      until DELIVERED comes back
 *                 ◀── IN_DOUBT | ENDING ──            a participant asks
 *
 * `call` names a conversation in the coordinator's memory; everything else is in the logs. `eventSeq` is the event of the
 * coordinator that a message tells of. Ids of users and orders point into memory that is valid while a message is handled.
 */
import type { Bytes } from './bytes.ts'
import type { CouponRef } from './commands.ts'
import type { DayAsk } from './daily-limit.ts'
import type { ReleaseCause } from './events.ts'
import type { Quote } from './outcomes.ts'
import type { Cart } from '../engine/domain/cart.ts'

export const MESSAGE = {
  ASK_QUOTES: 1,
  QUOTED: 2,
  PREPARE: 3,
  PREPARED: 4,
  COMMIT_RESERVED: 5,
  COMMIT_REDEEMED: 6,
  ABORT: 7,
  RETIME: 8,
  RELEASE: 9,
  REVERSE: 10,
  DELIVERED: 11,
  IN_DOUBT: 12,
  ENDING: 13,
} as const

interface Envelope {
  /** Shards. */
  readonly from: number
  readonly to: number
  /** The sender's time: the receiver's is never behind it, so that a cut of all logs at one time is consistent (Lamport). */
  readonly atMs: number
}

/** What is checked beside the order: everything; the limits, for a reservation that has run out; nothing, where it is open. */
export const QUOTE_CHECKS = ['ALL', 'LIMITS', 'NONE'] as const
export type QuoteChecks = (typeof QUOTE_CHECKS)[number]

export interface AskQuotes extends Envelope {
  readonly type: typeof MESSAGE.ASK_QUOTES
  readonly call: number
  /** Coupons; or campaigns of coupons of other shards, by ordinal. */
  readonly coupons: readonly CouponRef[]
  readonly user: Bytes | null
  /** null: the call has none; otherwise a coupon that the order redeemed before is refused for it. */
  readonly order: Bytes | null
  readonly cart: Cart | null
  readonly checks: QuoteChecks
  /** The call is going to act: a refusal that hangs on an undecided transaction may wait for its end. */
  readonly waits: boolean
  /** Uses of the same campaign that the call takes beside, one number a coupon; empty: only what stands before it here. */
  readonly before: readonly number[]
  /** Coupons of the user's day; their quotes stand behind those of the coupons. */
  readonly days: readonly DayAsk[]
}

export interface Quoted extends Envelope {
  readonly type: typeof MESSAGE.QUOTED
  readonly call: number
  /** The participant's state that it judged from. */
  readonly seq: number
  readonly quotes: readonly Quote[]
}

export interface Prepare extends Envelope {
  readonly type: typeof MESSAGE.PREPARE
  readonly call: number
  readonly txnSeq: number
  /** Sequence of the shard that is asked, as it stood when it was quoted: see engine/shard/late-copies.ts. */
  readonly quotedSeq: number
  /** Transaction of the reservation that is made final; 0: capacity is taken. */
  readonly reservationTxnSeq: number
  /** A reservation that has run out: only the limits are checked. */
  readonly late: boolean
  readonly ordinals: readonly number[]
  /** Of the rules that were priced, one a coupon; not looked at for a reservation. */
  readonly versions: readonly number[]
  /** What each would give, for the budgets of campaigns; empty where that is not known yet, or no campaign has a part. */
  readonly amounts: readonly number[]
  readonly user: Bytes
  readonly order: Bytes | null
  /** Coupons of the user's day that are to be counted. */
  readonly days: readonly DayAsk[]
}

export const PREPARE_RESULTS = ['PREPARED', 'STALE', 'REFUSED'] as const
export type PrepareResult = (typeof PREPARE_RESULTS)[number]

export interface Prepared extends Envelope {
  readonly type: typeof MESSAGE.PREPARED
  readonly call: number
  readonly txnSeq: number
  readonly result: PrepareResult
  /** Sequence of the BRANCH_PREPARED; 0 unless prepared. */
  readonly heldSeq: number
}

export interface CommitReserved extends Envelope {
  readonly type: typeof MESSAGE.COMMIT_RESERVED
  /** The reservation. */
  readonly eventSeq: number
  readonly txnSeq: number
  readonly expiresAtMs: number
}

export interface CommitRedeemed extends Envelope {
  readonly type: typeof MESSAGE.COMMIT_REDEEMED
  /** The redemption. */
  readonly eventSeq: number
  readonly txnSeq: number
  readonly ordinals: readonly number[]
  readonly user: Bytes
  readonly order: Bytes
  readonly amounts: readonly number[]
}

export interface Abort extends Envelope {
  readonly type: typeof MESSAGE.ABORT
  /** 0: the coordinator does not know the transaction, and waits for no word. */
  readonly eventSeq: number
  readonly txnSeq: number
}

export interface Retime extends Envelope {
  readonly type: typeof MESSAGE.RETIME
  readonly eventSeq: number
  /** Of the reservation. */
  readonly txnSeq: number
  readonly expiresAtMs: number
}

export interface ReleaseBranch extends Envelope {
  readonly type: typeof MESSAGE.RELEASE
  readonly eventSeq: number
  /** Of the reservation. */
  readonly txnSeq: number
  readonly cause: ReleaseCause
}

export interface ReverseBranch extends Envelope {
  readonly type: typeof MESSAGE.REVERSE
  readonly eventSeq: number
  /** Of the redemption. */
  readonly txnSeq: number
  readonly redemptionSeq: number
  readonly heldSeq: number
  readonly ordinals: readonly number[]
  readonly user: Bytes
  readonly reason: string
  readonly returnUse: boolean
  readonly amounts: readonly number[]
}

export interface Delivered extends Envelope {
  readonly type: typeof MESSAGE.DELIVERED
  readonly eventSeq: number
}

export interface InDoubt extends Envelope {
  readonly type: typeof MESSAGE.IN_DOUBT
  readonly txnSeq: number
}

export interface Ending extends Envelope {
  readonly type: typeof MESSAGE.ENDING
  /** Of the reservation, a coupon of which ends before it does. */
  readonly txnSeq: number
  readonly endsAtMs: number
}

/** What a coordinator tells until it is logged at the other end. */
export type Settlement = CommitReserved | CommitRedeemed | Abort | Retime | ReleaseBranch | ReverseBranch

export type Message = AskQuotes | Quoted | Prepare | Prepared | Settlement | Delivered | InDoubt | Ending
