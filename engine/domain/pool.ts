/**
 * A campaign's pool: its codes that may be claimed at this moment, as a list through the codes themselves.
 *
 *     poolFirst ──▶ code ◀──▶ code ◀──▶ … ◀──▶ code ◀── poolLast          taken from the front, given back at the end
 *
 * A code stands in it exactly while it is free: made for the pool, for nobody in particular, not used, not held, not disabled,
 * and without a window of its own (one that somebody expired has one).
 * So a claim is one step however many codes there were and however few are left.
 */
import { campaignIndex, isBulk } from '../../protocol/ordinals.ts'
import type { ShardState } from './state.ts'

const OUTSIDE = 0
const END = -1

/** Puts a code into its campaign's pool or takes it out, as its counters say. To be called after every change of these. */
export function settlePool(state: ShardState, ordinal: number): void {
  if (!isBulk(ordinal)) return
  const isIn = state.tables.bulk.before.get(ordinal) !== OUTSIDE
  if (isIn === isFree(state, ordinal)) return
  const campaign = campaignIndex(state.campaignOf(ordinal))
  if (isIn) unlink(state, ordinal, campaign)
  else link(state, ordinal, campaign)
}

/** The code that is to be claimed next, or -1. */
export function firstOfPool(state: ShardState, campaign: number): number {
  return state.tables.campaigns.poolFirst.get(campaignIndex(campaign))
}

/** Whether claims may hand it out when it is free. */
export function isOfPool(state: ShardState, ordinal: number): boolean {
  if (!isBulk(ordinal) || state.campaignOf(ordinal) < 0) return false
  const plan = state.jobs.get(state.ranges.of(ordinal).jobSeq)?.plan
  if (plan === undefined || plan.kind === 'IMPORT' || plan.distribution !== 'POOL') return false
  // A window of its own would have to be looked at by every claim: such a code is handed out by hand.
  const { validFromMs, validUntilMs } = state.definition(ordinal)
  return validFromMs === null && validUntilMs === null && !state.hasOwner(ordinal)
}

function isFree(state: ShardState, ordinal: number): boolean {
  const { uses, reserved, disabled } = state.tables.coupons
  if (uses.get(ordinal) !== 0 || reserved.get(ordinal) !== 0 || disabled.get(ordinal) !== 0) return false
  return isOfPool(state, ordinal)
}

function link(state: ShardState, ordinal: number, campaign: number): void {
  const { bulk, campaigns } = state.tables
  const last = campaigns.poolLast.get(campaign)
  bulk.before.set(ordinal, last < 0 ? END : last)
  bulk.behind.set(ordinal, END)
  if (last < 0) campaigns.poolFirst.set(campaign, ordinal)
  else bulk.behind.set(last, ordinal)
  campaigns.poolLast.set(campaign, ordinal)
  campaigns.poolSize.set(campaign, campaigns.poolSize.get(campaign) + 1)
}

function unlink(state: ShardState, ordinal: number, campaign: number): void {
  const { bulk, campaigns } = state.tables
  const before = bulk.before.get(ordinal)
  const behind = bulk.behind.get(ordinal)
  if (before === END) campaigns.poolFirst.set(campaign, behind)
  else bulk.behind.set(before, behind)
  if (behind === END) campaigns.poolLast.set(campaign, before)
  else bulk.before.set(behind, before)
  bulk.before.set(ordinal, OUTSIDE)
  bulk.behind.set(ordinal, OUTSIDE)
  campaigns.poolSize.set(campaign, campaigns.poolSize.get(campaign) - 1)
}
