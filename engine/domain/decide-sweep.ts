/**
 * The sweep: bookkeeping that puts into the log what time has done anyway. Reservations that ran out, windows that began or
 * ended, orders that are remembered no longer. No decision depends on how far it has got; it only keeps tables small and
 * tells the readers of the log. It works in slices, so that it never holds up a command for long.
 */
import { EVENT, type Event } from '../../protocol/events.ts'
import { releaseOf } from './decide-checkout.ts'
import type { ShardState } from './state.ts'

/**
 * At most `budget` events that are due at `nowMs`. Orders whose minute began before `forgetBeforeMs` are forgotten.
 */
export function decideSweep(state: ShardState, nowMs: number, forgetBeforeMs: number, budget: number): Event[] {
  const { holds, coupons } = state.tables
  const events: Event[] = []
  let head = holds.byShard.firstUpTo(state.expiries, nowMs)
  for (; head >= 0 && events.length < budget; head = holds.byShard.nextUpTo(head, nowMs)) {
    events.push(releaseOf(state, holds.seq.get(head), nowMs))
  }
  let ordinal = coupons.edges.firstUpTo(state.edges, nowMs)
  for (; ordinal >= 0 && events.length < budget; ordinal = coupons.edges.nextUpTo(ordinal, nowMs)) {
    const ended = coupons.edgeAtMs.get(ordinal) === state.definition(ordinal).validUntilMs
    events.push({ type: EVENT.COUPON_WINDOW_PASSED, ordinal, edge: ended ? 'ENDED' : 'STARTED' })
  }
  const beforeSeq = forgettableSeq(state, forgetBeforeMs)
  if (beforeSeq > state.rememberedFromSeq) events.push({ type: EVENT.ORDERS_FORGOTTEN, beforeSeq })
  return events
}

/** Whether a sweep at `nowMs` would find something. Cheap enough for every turn. */
export function sweepIsDue(state: ShardState, nowMs: number, forgetBeforeMs: number): boolean {
  const { holds, coupons } = state.tables
  if (holds.byShard.firstUpTo(state.expiries, nowMs) >= 0) return true
  if (coupons.edges.firstUpTo(state.edges, nowMs) >= 0) return true
  return forgettableSeq(state, forgetBeforeMs) > state.rememberedFromSeq
}

/** Events before this belong to minutes that began before `forgetBeforeMs`, whole minutes only. */
function forgettableSeq(state: ShardState, forgetBeforeMs: number): number {
  const { minutes } = state
  let seq = 0
  for (let i = 1; i < minutes.length; i++) {
    const minute = minutes[i] as { timeMs: number; seq: number }
    if (minute.timeMs > forgetBeforeMs) break
    seq = minute.seq
  }
  return seq
}
