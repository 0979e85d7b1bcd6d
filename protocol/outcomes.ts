/**
 * Outcomes: what a shard answers. A refusal is an outcome like any other, a value of a closed union, never an exception.
 *
 * Facts of reservations and redemptions are handed out as the log tells them, so that a first answer, a replayed one and
 * a read by id are made from the same thing.
 */
import type { Bytes } from './bytes.ts'
import type { CampaignDefinition } from './campaign.ts'
import type { CampaignRef, CouponDefinition } from './coupon.ts'
import type { DayAsk } from './daily-limit.ts'
import type { JobError, JobKind, JobState } from './jobs.ts'
import type { PriceFact } from './price.ts'
import type { RecordedAnswer } from './recorded-answer.ts'
import type { RefusalCode } from './refusals.ts'
import type { Offer } from '../engine/domain/offer.ts'

export const OUTCOME = {
  REFUSED: 1,
  VALIDATED: 2,
  RESERVATION: 4,
  REDEMPTION: 5,
  COLUMNS: 6,
  RELEASED: 7,
  COUPON: 8,
  SHARD: 9,
  ACROSS: 10,
  CAMPAIGN: 11,
  JOB: 12,
  CODES: 13,
  JOBS: 14,
  PUT: 15,
  CLAIMED: 16,
  KEY_CLAIMED: 20,
  KEY_ANSWERED: 21,
  KEY_BUSY: 22,
  KEY_KEPT: 23,
  DONE_BEFORE: 24,
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

/** One coupon's side of a cart whose codes may live on several shards. */
export interface Quote {
  /** -1: no such coupon. */
  readonly ordinal: number
  /** The first failing check, stacking left out; null: none. */
  readonly refusal: RefusalCode | null
  readonly detail: string
  /** When it may be worth another try; 0: not known. */
  readonly retryAfterMs: number
  /** null: no such coupon. */
  readonly rules: QuotedRules | null
}

/** What holds for a coupon at the time of a quote, whoever asks. */
export interface QuotedRules {
  readonly version: number
  /** Of the last change, on its shard's clock. */
  readonly updatedAtMs: number
  readonly validUntilMs: number | null
  /** null: that of its campaign, which lives on another shard. */
  readonly offer: Offer | null
  /** Its campaign, wherever that lives; null: it stands alone, or is a campaign itself. */
  readonly campaign: CampaignRef | null
  /** Counts for a day of the user's over everything; null: not. */
  readonly day: DayAsk | null
  /** What is left of the budget of its campaign, where that lives here, or of the campaign itself; null: it has none. */
  readonly budgetLeftMinor: number | null
}

export interface NamedCoupon {
  readonly shard: number
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

/** A coupon that was claimed from a pool, for the user who asked, and the reservation that keeps it. */
export interface ClaimedOutcome {
  readonly type: typeof OUTCOME.CLAIMED
  /** It was the user's before this call. */
  readonly again: boolean
  /** Of the reservation. */
  readonly seq: number
  readonly expiresAtMs: number
  readonly ordinal: number
  readonly status: CouponStatus
  readonly uses: number
  readonly reserved: number
  readonly version: number
  readonly createdAtMs: number
  readonly updatedAtMs: number
  readonly code: string
  /** What it has in common with the other codes of its job; without a code. */
  readonly rules: CouponDefinition
  /** That of the rules, or of the campaign. */
  readonly offer: Offer | null
}

export const CAMPAIGN_STATUSES = ['DISABLED', 'EXPIRED', 'EXHAUSTED', 'SCHEDULED', 'ACTIVE'] as const
export type CampaignStatus = (typeof CAMPAIGN_STATUSES)[number]

export interface CampaignOutcome {
  readonly type: typeof OUTCOME.CAMPAIGN
  readonly index: number
  readonly status: CampaignStatus
  /** Made for it on its shard. */
  readonly codes: number
  /** Of these, codes that may be claimed now. */
  readonly poolSize: number
  readonly uses: number
  readonly reserved: number
  readonly discountTotalMinor: number
  readonly version: number
  readonly createdAtMs: number
  readonly updatedAtMs: number
  readonly definition: CampaignDefinition
}

export interface JobOutcome {
  readonly type: typeof OUTCOME.JOB
  readonly jobSeq: number
  readonly kind: JobKind
  readonly state: JobState
  readonly processed: number
  readonly total: number
  readonly failed: number
  /** When its work began and ended; 0: not yet. */
  readonly begunAtMs: number
  readonly endedAtMs: number
  /** The first of them. */
  readonly errors: readonly JobError[]
  /** IMPORT: bytes of its file that are dealt with, and the file. */
  readonly place: number
  readonly file: string | null
  /** IMPORT: size of the file; otherwise 0. */
  readonly bytes: number
}

export interface ListedCode {
  readonly ordinal: number
  readonly code: string
  readonly status: CouponStatus
  /** Whose it is: the only user it serves, who holds it, who redeemed it. */
  readonly holder: string | null
  readonly createdAtMs: number
  /** 0: not locked, not redeemed. */
  readonly lockedUntilMs: number
  readonly redeemedAtMs: number
}

export interface CodesOutcome {
  readonly type: typeof OUTCOME.CODES
  readonly codes: readonly ListedCode[]
  /** To go on from; 0: that was all. */
  readonly nextOrdinal: number
}

export interface JobsOutcome {
  readonly type: typeof OUTCOME.JOBS
  readonly jobs: readonly JobOutcome[]
}

/** What became of a row of an import. */
export interface PutOutcome {
  readonly type: typeof OUTCOME.PUT
  readonly did: 'CREATED' | 'CHANGED' | 'UNCHANGED' | 'DUPLICATE'
  readonly ordinal: number
  /** DUPLICATE: the line of the same file that had this code first. */
  readonly firstLine: number
}

/** An outcome to which several shards have contributed: the coordinating one has the position of the answer itself. */
export interface AcrossOutcome<Text extends IdText = string> {
  readonly type: typeof OUTCOME.ACROSS
  /** Of the other shards, as they judged. */
  readonly positions: readonly Position[]
  readonly outcome: Outcome<Text>
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

/** The key is the caller's: do the operation, under this name, and say what came of it. */
export interface KeyClaimedOutcome {
  readonly type: typeof OUTCOME.KEY_CLAIMED
  readonly claimSeq: number
  /** That of the first claim, where an earlier try ended without an answer. */
  readonly operation: Bytes
}

/** The key was answered before; this is the answer. */
export interface KeyAnsweredOutcome {
  readonly type: typeof OUTCOME.KEY_ANSWERED
  readonly answer: RecordedAnswer
}

/** A call with this key is under way: ask again shortly. */
export interface KeyBusy {
  readonly type: typeof OUTCOME.KEY_BUSY
}

/** What a claim came to is kept. */
export interface KeyKept {
  readonly type: typeof OUTCOME.KEY_KEPT
}

/** The operation of a keyed command was done before: what it did, as it stands now. */
export interface DoneBefore<Text extends IdText = string> {
  readonly type: typeof OUTCOME.DONE_BEFORE
  readonly outcome: Outcome<Text>
}

export type Outcome<Text extends IdText = string> =
  | Refused
  | Validated
  | ReservationOutcome<Text>
  | RedemptionOutcome<Text>
  | ColumnsOutcome
  | Released
  | CouponOutcome
  | ShardOutcome
  | CampaignOutcome
  | JobOutcome
  | CodesOutcome
  | JobsOutcome
  | PutOutcome
  | ClaimedOutcome
  | AcrossOutcome<Text>
  | KeyClaimedOutcome
  | KeyAnsweredOutcome
  | KeyBusy
  | KeyKept
  | DoneBefore<Text>
