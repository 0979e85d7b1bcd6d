/**
 * Decisions: what `decide` returns. Either events, which the shell applies and appends in this order, and what to answer
 * afterwards; or a refusal or a read, which leave no trace in the log.
 */
import type { CouponRef } from '../../protocol/commands.ts'
import type { Event } from '../../protocol/events.ts'
import {
  OUTCOME,
  type Quoted,
  type Refused,
  type Released,
  type ShardOutcome,
  type Validated,
} from '../../protocol/outcomes.ts'
import type { RefusalCode } from '../../protocol/refusals.ts'
import type { ShardState } from './state.ts'

/** Points at the last event of the decision, whose sequence is known only once it is applied. */
export const LAST_EVENT = 0

/** A reservation, redemption or coupon to be shown from state and log after the events are applied. */
export type Shown =
  | { readonly type: typeof OUTCOME.RESERVATION; readonly seq: number; readonly again: boolean }
  | { readonly type: typeof OUTCOME.REDEMPTION; readonly seq: number; readonly replayed: boolean }
  | { readonly type: typeof OUTCOME.COUPON; readonly ordinal: number }

export interface Decision {
  readonly events: readonly Event[]
  readonly answer: Refused | Validated | Quoted | Released | ShardOutcome | Shown
}

const NO_EVENTS: readonly Event[] = []

export function decided(events: readonly Event[], answer: Decision['answer']): Decision {
  return { events, answer }
}

export function answered(answer: Decision['answer']): Decision {
  return { events: NO_EVENTS, answer }
}

/** A refusal that concerns the call, or the code at `couponIndex`. */
export function refused(refusal: RefusalCode, detail: string, couponIndex = -1): Decision {
  return answered({ type: OUTCOME.REFUSED, refusal, detail, couponIndex, retryAfterMs: 0, verdicts: null })
}

/** The ordinal that a reference means on this shard, or -1. */
export function resolve(state: ShardState, ref: CouponRef): number {
  if (ref.code !== null) return state.tables.codes.get(ref.code.buf, ref.code.start, ref.code.end)
  return ref.ordinal < state.couponCount ? ref.ordinal : -1
}
