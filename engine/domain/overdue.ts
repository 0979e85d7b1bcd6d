/**
 * Overdue reservations in the way of a command: released by it, before it takes what they held.
 */
import { assert } from '../../protocol/assert.ts'
import { EVENT, type Event } from '../../protocol/events.ts'
import { campaignIndex, isCampaign } from '../../protocol/ordinals.ts'
import { campaignTakes } from './budgets.ts'
import { firstHoldOfUser, overdueOn, rowOfReservation } from './holds.ts'
import { OVERDUE_RELEASES_MAX } from './limits.ts'
import type { ShardState } from './state.ts'

/**
 * The releases to log before one more use of each coupon is taken: overdue reservations stand in the way only where
 * a limit would be passed with them.
 */
export function releasesInTheWay(
  state: ShardState,
  ordinals: readonly number[],
  nowMs: number,
  amounts: readonly number[] = [],
): Event[] {
  const overdue = new Set<number>()
  for (const ordinal of ordinals) if (!isCampaign(ordinal)) overdueBefore(state, ordinal, 1, nowMs, overdue)
  for (const { ordinal, uses, amountMinor } of campaignTakes(state, ordinals, amounts)) {
    overdueBefore(state, ordinal, uses, nowMs, overdue)
    overdueBeforeBudget(state, ordinal, amountMinor, nowMs, overdue)
  }
  return releasesOf(state, overdue, nowMs)
}

/** The same for an open reservation that takes `amounts` of budgets where it holds `heldAmounts`, one each a coupon. */
export function releasesForBudgets(
  state: ShardState,
  ordinals: readonly number[],
  amounts: readonly number[],
  heldAmounts: readonly number[],
  nowMs: number,
): Event[] {
  const overdue = new Set<number>()
  const more = amounts.map((amountMinor, i) => amountMinor - (heldAmounts[i] ?? 0))
  for (const { ordinal, amountMinor } of campaignTakes(state, ordinals, more)) {
    if (amountMinor > 0) overdueBeforeBudget(state, ordinal, amountMinor, nowMs, overdue)
  }
  return releasesOf(state, overdue, nowMs)
}

function releasesOf(state: ShardState, overdue: ReadonlySet<number>, nowMs: number): Event[] {
  const events: Event[] = []
  for (const reservationSeq of overdue) events.push(releaseOf(state, reservationSeq, nowMs))
  return events
}

function overdueBefore(state: ShardState, ordinal: number, wanted: number, nowMs: number, into: Set<number>): void {
  const { coupons } = state.tables
  if (coupons.holds.get(ordinal) < 0) return
  const { maxUses, maxUsesPerUser } = state.limits(ordinal)
  if (maxUses !== null && coupons.uses.get(ordinal) + coupons.reserved.get(ordinal) + wanted > maxUses) {
    overdueOn(state, ordinal, nowMs, OVERDUE_RELEASES_MAX, into)
  }
  if (maxUsesPerUser !== null) overdueOfUserOn(state, ordinal, nowMs, into)
}

/** As many as it takes: one that has run out may hold next to nothing of a budget. */
function overdueBeforeBudget(
  state: ShardState,
  campaign: number,
  wantedMinor: number,
  nowMs: number,
  into: Set<number>,
): void {
  const { budgetMinor } = state.campaign(campaign)
  if (budgetMinor === null) return
  const { coupons, holds, campaigns } = state.tables
  const index = campaignIndex(campaign)
  let missing = campaigns.discountTotal.get(index) + campaigns.discountHeld.get(index) + wantedMinor - budgetMinor
  let row = missing > 0 ? holds.byCoupon.firstUpTo(coupons.holds.get(campaign), nowMs) : -1
  for (; row >= 0 && missing > 0; row = holds.byCoupon.nextUpTo(row, nowMs)) {
    into.add(holds.seq.get(holds.head.get(row)))
    missing -= holds.amount.get(row)
  }
}

/** The same for a reservation that is being made again late: its own release first, where the sweep has not come to it yet. */
export function releasesBeforeLate(
  state: ShardState,
  head: number,
  reservationSeq: number,
  ordinals: readonly number[],
  nowMs: number,
  amounts: readonly number[],
): Event[] {
  const others = releasesInTheWay(state, ordinals, nowMs, amounts)
  if (head < 0) return others
  const isOwn = (event: Event) => event.type === EVENT.RESERVATION_RELEASED && event.reservationSeq === reservationSeq
  return [releaseOf(state, reservationSeq, nowMs), ...others.filter((event) => !isOwn(event))]
}

function overdueOfUserOn(state: ShardState, ordinal: number, nowMs: number, into: Set<number>): void {
  const { holds } = state.tables
  for (let row = firstHoldOfUser(state, state.userKey, ordinal); row >= 0; row = holds.nextOfUser.get(row)) {
    if (holds.expiresAtMs.get(row) <= nowMs) into.add(holds.seq.get(row))
  }
}

/** The event that lets go of an open reservation which ran out. */
export function releaseOf(state: ShardState, reservationSeq: number, nowMs: number): Event {
  const { holds } = state.tables
  const expiresAtMs = holds.expiresAtMs.get(rowOfReservation(state, reservationSeq))
  assert(expiresAtMs <= nowMs, 'released as overdue before its time')
  return { type: EVENT.RESERVATION_RELEASED, reservationSeq, cause: 'EXPIRED', expiresAtMs }
}
