/**
 * Decisions: what `decide` returns. Either events, which the shell applies and appends in this order, and what to answer
 * afterwards; or a refusal or a read, which leave no trace in the log.
 */
import type { CouponRef, ListCodes } from '../../protocol/commands.ts'
import type { Event } from '../../protocol/events.ts'
import {
  type KeyAnsweredOutcome,
  type KeyBusy,
  type KeyClaimedOutcome,
  type KeyKept,
  OUTCOME,
  type PutOutcome,
  type Refused,
  type Released,
  type ShardOutcome,
  type Validated,
} from '../../protocol/outcomes.ts'
import { BULK_ORDINALS, campaignIndex, isBulk, isCampaign } from '../../protocol/ordinals.ts'
import type { RefusalCode } from '../../protocol/refusals.ts'
import type { ShardState } from './state.ts'

/** Points at the last event of the decision, whose sequence is known only once it is applied. */
export const LAST_EVENT = 0

/** A reservation, redemption or coupon to be shown from state and log after the events are applied. */
export type Shown =
  | { readonly type: typeof OUTCOME.RESERVATION; readonly seq: number; readonly again: boolean }
  | { readonly type: typeof OUTCOME.CLAIMED; readonly seq: number; readonly again: boolean }
  | { readonly type: typeof OUTCOME.REDEMPTION; readonly seq: number; readonly replayed: boolean }
  | { readonly type: typeof OUTCOME.COUPON; readonly ordinal: number }
  | { readonly type: typeof OUTCOME.CAMPAIGN; readonly index: number }
  | { readonly type: typeof OUTCOME.JOB; readonly seq: number }
  | { readonly type: typeof OUTCOME.JOBS }
  | { readonly type: typeof OUTCOME.CODES; readonly command: ListCodes }

/** What an operation did that was done before this call. */
export interface ShownBefore {
  readonly type: typeof OUTCOME.DONE_BEFORE
  readonly shown: Shown | Released
}

export type KeyAnswer = KeyClaimedOutcome | KeyAnsweredOutcome | KeyBusy | KeyKept | ShownBefore

/** Other shards have a part in the call: the coordinator goes on with it. */
export const HAND_OVER = 0

export interface HandOver {
  readonly type: typeof HAND_OVER
}

export interface Decision {
  readonly events: readonly Event[]
  readonly answer: Refused | Validated | Released | ShardOutcome | PutOutcome | Shown | KeyAnswer | HandOver
  /** A refusal that hangs on a transaction which is still undecided: worth another look when that is over. */
  readonly hangs: boolean
}

/**
 * Whether another call is at the same order and its end is not known: no conflict yet. Who has no patience left for it is
 * told that nothing was done, and asks again.
 */
export function isOrderInDoubt({ answer, hangs }: Decision): boolean {
  return hangs && answer.type === OUTCOME.REFUSED && answer.refusal === 'ORDER_CONFLICT'
}

const NO_EVENTS: readonly Event[] = []

export function decided(events: readonly Event[], answer: Decision['answer']): Decision {
  return { events, answer, hangs: false }
}

export function answered(answer: Decision['answer']): Decision {
  return { events: NO_EVENTS, answer, hangs: false }
}

/** A refusal that concerns the call, or the code at `couponIndex`. */
export function refused(refusal: RefusalCode, detail: string, couponIndex = -1): Decision {
  return answered({ type: OUTCOME.REFUSED, refusal, detail, couponIndex, retryAfterMs: 0, verdicts: null })
}

/** The ordinal that a reference means on this shard, or -1. */
export function resolve(state: ShardState, ref: CouponRef): number {
  if (ref.code !== null) return state.tables.codes.get(ref.code.buf, ref.code.start, ref.code.end)
  return isCoupon(state, ref.ordinal) ? ref.ordinal : -1
}

/** Whether an ordinal is that of a coupon of this shard, made alone or in bulk. */
function isCoupon(state: ShardState, ordinal: number): boolean {
  return isBulk(ordinal) ? ordinal - BULK_ORDINALS < state.tables.bulk.size : ordinal < state.couponCount
}

/** Whether something with a limit on uses has an ordinal: a coupon or a campaign of this shard. */
export function exists(state: ShardState, ordinal: number): boolean {
  return isCampaign(ordinal) ? campaignIndex(ordinal) < state.campaigns.length : isCoupon(state, ordinal)
}
