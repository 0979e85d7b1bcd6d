/**
 * The sweep: bookkeeping that puts into the log what time has done anyway. Reservations that ran out, windows that began or
 * ended, orders that are remembered no longer. No decision depends on how far it has got; it only keeps tables small and
 * tells the readers of the log. It works in slices, so that it never holds up a command for long.
 */
import { EVENT, type Event } from '../../protocol/events.ts'
import { campaignOrdinal } from '../../protocol/ordinals.ts'
import { remembersKeys } from './apply-key.ts'
import { releaseOf } from './overdue.ts'
import type { ShardState } from './state.ts'

/**
 * At most `budget` events that are due at `nowMs`. Orders whose minute began before `forgetBeforeMs` are forgotten, keys
 * and operations likewise before `forgetKeysBeforeMs`.
 */
export function decideSweep(
  state: ShardState,
  nowMs: number,
  forgetBeforeMs: number,
  forgetKeysBeforeMs: number,
  budget: number,
): Event[] {
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
  events.push(...campaignEdges(state, nowMs), ...batchEdges(state, nowMs))
  const beforeSeq = forgettableSeq(state, forgetBeforeMs)
  if (beforeSeq > state.rememberedFromSeq) events.push({ type: EVENT.ORDERS_FORGOTTEN, beforeSeq })
  const keysBeforeSeq = forgettableKeySeq(state, forgetKeysBeforeMs)
  if (keysBeforeSeq > state.keysRememberedFromSeq) {
    events.push({ type: EVENT.KEYS_FORGOTTEN, beforeSeq: keysBeforeSeq })
  }
  return events
}

/** Campaigns are few. */
function campaignEdges(state: ShardState, nowMs: number): Event[] {
  const { coupons } = state.tables
  const events: Event[] = []
  let index = coupons.campaignEdges.firstUpTo(state.campaignEdges, nowMs)
  for (; index >= 0; index = coupons.campaignEdges.nextUpTo(index, nowMs)) {
    const ordinal = campaignOrdinal(index)
    const isEnd = coupons.edgeAtMs.get(ordinal) === state.campaign(ordinal).validUntilMs
    events.push({ type: EVENT.CAMPAIGN_WINDOW_PASSED, index, edge: isEnd ? 'ENDED' : 'STARTED' })
  }
  return events
}

/** So are the jobs that made codes. */
function batchEdges(state: ShardState, nowMs: number): Event[] {
  if (state.batchEdgeMs === 0 || state.batchEdgeMs > nowMs) return []
  const events: Event[] = []
  for (const { seq: jobSeq, plan, edgeAtMs } of state.jobs.values()) {
    if (edgeAtMs === 0 || edgeAtMs > nowMs || plan.kind === 'IMPORT') continue
    const isEnd = edgeAtMs === plan.definition.validUntilMs
    events.push({ type: EVENT.BATCH_WINDOW_PASSED, jobSeq, edge: isEnd ? 'ENDED' : 'STARTED' })
  }
  return events
}

/** Whether a sweep at `nowMs` would find something. Cheap enough for every turn. */
export function sweepIsDue(
  state: ShardState,
  nowMs: number,
  forgetBeforeMs: number,
  forgetKeysBeforeMs: number,
): boolean {
  const { holds, coupons } = state.tables
  if (holds.byShard.firstUpTo(state.expiries, nowMs) >= 0) return true
  if (coupons.edges.firstUpTo(state.edges, nowMs) >= 0) return true
  if (coupons.campaignEdges.firstUpTo(state.campaignEdges, nowMs) >= 0) return true
  if (state.batchEdgeMs !== 0 && state.batchEdgeMs <= nowMs) return true
  if (forgettableSeq(state, forgetBeforeMs) > state.rememberedFromSeq) return true
  return forgettableKeySeq(state, forgetKeysBeforeMs) > state.keysRememberedFromSeq
}

/** A shard that remembers no key logs no horizon for them. */
function forgettableKeySeq(state: ShardState, forgetBeforeMs: number): number {
  return remembersKeys(state) ? forgettableSeq(state, forgetBeforeMs) : 0
}

/**
 * Events before this belong to minutes that began before `forgetBeforeMs`, whole minutes only. Looked up by halves: with two
 * horizons there may be a week of minutes before the one that is wanted.
 */
function forgettableSeq(state: ShardState, forgetBeforeMs: number): number {
  const { minutes } = state
  let low = 0
  let high = minutes.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((minutes[middle] as { timeMs: number }).timeMs <= forgetBeforeMs) low = middle + 1
    else high = middle
  }
  return low < 2 ? 0 : (minutes[low - 1] as { seq: number }).seq
}
