/**
 * Commands: what a gateway asks of one shard. A closed union; the gateway has checked form and rights before it makes one,
 * the shard judges everything else.
 *
 * `Text` is how codes and ids of users and orders stand in it: strings when a gateway makes one, ranges when a shard reads
 * one. Those ranges point into the transport's memory and are valid during the handling of the command only.
 */
import type { Bytes } from './bytes.ts'
import type { CampaignDefinition } from './campaign.ts'
import type { CouponDefinition } from './coupon.ts'
import type { ChangeKind, ImportedRow, SwitchKind } from './events.ts'
import type { JobEnd, JobError, JobPlan } from './jobs.ts'
import type { RecordedAnswer } from './recorded-answer.ts'
import type { Cart } from '../engine/domain/cart.ts'

export const COMMAND = {
  VALIDATE: 1,
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
  STACK: 17,
  GET_CAMPAIGN: 18,
  CREATE_CAMPAIGN: 19,
  CHANGE_CAMPAIGN: 20,
  SWITCH_CAMPAIGN: 21,
  CLAIM: 22,
  START_JOB: 23,
  GET_JOB: 24,
  PROGRESS_JOB: 25,
  END_JOB: 26,
  LIST_CODES: 27,
  LIST_JOBS: 28,
  PUT_COUPON: 29,
  CLAIM_KEY: 30,
  ANSWER_KEY: 31,
  LET_GO_KEY: 32,
  KEYED: 33,
} as const

/** A coupon by code (canonical ASCII) or, with `code` null, by its ordinal on the shard. */
export interface CouponRef<Text = Bytes> {
  readonly code: Text | null
  readonly ordinal: number
}

/** VALIDATE judges, RESERVE and REDEEM act. `user` null: the checks on the user are left out; `cart` null: on the cart. */
export interface CheckoutCommand<Text = Bytes> {
  readonly type: typeof COMMAND.VALIDATE | typeof COMMAND.RESERVE | typeof COMMAND.REDEEM
  readonly coupons: readonly CouponRef<Text>[]
  readonly user: Text | null
  readonly order: Text | null
  readonly cart: Cart | null
  /** RESERVE only; 1 to 3600. */
  readonly ttlSeconds: number
}

/** The shard of a code that no coupon can have. */
export const NO_SHARD = 0xffff

/**
 * A checkout call whose codes live on several shards, for the lowest of these, which coordinates. All coupons stand in it by
 * code, each with its shard.
 */
export interface StackCommand<Text = Bytes> {
  readonly type: typeof COMMAND.STACK
  /** One a coupon; NO_SHARD: it cannot exist. */
  readonly shards: readonly number[]
  readonly call: CheckoutCommand<Text>
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

export interface GetCampaign {
  readonly type: typeof COMMAND.GET_CAMPAIGN
  readonly index: number
}

export interface CreateCampaign {
  readonly type: typeof COMMAND.CREATE_CAMPAIGN
  readonly by: string | null
  readonly definition: CampaignDefinition
}

/** Replaces a definition that was read at `ifVersion`. */
export interface ChangeCampaign {
  readonly type: typeof COMMAND.CHANGE_CAMPAIGN
  readonly index: number
  readonly by: string | null
  readonly ifVersion: number
  readonly definition: CampaignDefinition
}

export interface SwitchCampaign {
  readonly type: typeof COMMAND.SWITCH_CAMPAIGN
  readonly index: number
  readonly by: string | null
  readonly change: 'ENABLED' | 'DISABLED'
}

/** One free coupon of a campaign's pool for a user, kept for the campaign's `lockSeconds`. */
export interface Claim<Text = Bytes> {
  readonly type: typeof COMMAND.CLAIM
  readonly index: number
  readonly user: Text
}

export interface StartJob {
  readonly type: typeof COMMAND.START_JOB
  readonly by: string | null
  readonly plan: JobPlan
}

export interface GetJob {
  readonly type: typeof COMMAND.GET_JOB
  readonly jobSeq: number
}

/** How far the reader of an import has got; see JOB_PROGRESSED. */
export interface ProgressJob {
  readonly type: typeof COMMAND.PROGRESS_JOB
  readonly jobSeq: number
  readonly processed: number
  readonly failed: number
  readonly total: number
  readonly place: number
  readonly errors: readonly JobError[]
}

/** Cancels any job, or ends an import. A job that has ended stays as it ended. */
export interface EndJob {
  readonly type: typeof COMMAND.END_JOB
  readonly jobSeq: number
  readonly end: JobEnd
  readonly reason: string | null
}

/** A page of codes made in bulk for a campaign (or by one job), in the order in which they were made. */
export interface ListCodes {
  readonly type: typeof COMMAND.LIST_CODES
  /** -1: of any campaign. */
  readonly campaignIndex: number
  /** 0: of any job. */
  readonly jobSeq: number
  /** The first ordinal to look at; 0: from the beginning. */
  readonly fromOrdinal: number
  readonly limit: number
}

/** The jobs that are not ended, for those who drive them. */
export interface ListJobs {
  readonly type: typeof COMMAND.LIST_JOBS
}

/** A row of an import: makes the coupon, or changes it where its code exists. The same row twice does nothing twice. */
export interface PutCoupon {
  readonly type: typeof COMMAND.PUT_COUPON
  readonly by: string | null
  readonly row: ImportedRow
  readonly definition: CouponDefinition
}

export interface DescribeShard {
  readonly type: typeof COMMAND.DESCRIBE_SHARD
}

/** A call with an `Idempotency-Key` is about to begin: for the shard of the key. */
export interface ClaimKey {
  readonly type: typeof COMMAND.CLAIM_KEY
  /** Id of the API key that calls; null without authentication. */
  readonly scope: string | null
  readonly key: string
  /** SHA-256 of the request. */
  readonly digest: Bytes
  /** 16 random bytes: what the operation is called if this is the first time. */
  readonly operation: Bytes
}

/** What a claim came to: its answer, or null for a request that was malformed after all, so that its key stays free. */
export interface AnswerKey {
  readonly type: typeof COMMAND.ANSWER_KEY
  readonly scope: string | null
  readonly key: string
  readonly claimSeq: number
  readonly answer: RecordedAnswer | null
}

/** Nobody works on a claim any more, and what came of it is not known: the next call with its key takes it over. */
export interface LetGoKey {
  readonly type: typeof COMMAND.LET_GO_KEY
  readonly claimSeq: number
}

/**
 * A command of an operation with a key. It is done at most once under that operation's name: where the name was met before,
 * the answer is made from what was done then, whatever the command says.
 */
export interface Keyed<Text = Bytes> {
  readonly type: typeof COMMAND.KEYED
  readonly operation: Bytes
  readonly inner: Command<Text>
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
  | GetCampaign
  | CreateCampaign
  | ChangeCampaign
  | SwitchCampaign
  | Claim<Text>
  | StartJob
  | GetJob
  | ProgressJob
  | EndJob
  | ListCodes
  | ListJobs
  | PutCoupon
  | StackCommand<Text>
  | ClaimKey
  | AnswerKey
  | LetGoKey
  | Keyed<Text>
