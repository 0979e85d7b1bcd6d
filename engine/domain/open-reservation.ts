/**
 * Finding the reservation that a user has open for the coupons of a call.
 */
import { isCampaign } from '../../protocol/ordinals.ts'
import { firstHoldOfUser } from './holds.ts'
import { sameSet } from './retry.ts'
import type { Key, ShardState } from './state.ts'

/** Which orders a reservation may have been made for. */
export const ANY_ORDER = 0
export const SAME_ORDER = 1
export const NO_ORDER = 2
export type Orders = typeof ANY_ORDER | typeof SAME_ORDER | typeof NO_ORDER

/**
 * The head of an open, not overdue reservation of the user in hand for exactly these coupons of this shard, or -1. `matches`
 * says whether the one at a head is for the others of the call as well.
 */
export function openReservationOf(
  state: ShardState,
  ordinals: readonly number[],
  orders: Orders,
  nowMs: number,
  matches: (head: number) => boolean,
): number {
  const { holds } = state.tables
  const first = ordinals[0] as number
  if (first < 0 || state.tables.coupons.holds.get(first) < 0) return -1
  for (let row = firstHoldOfUser(state, state.userKey, first); row >= 0; row = holds.nextOfUser.get(row)) {
    if (holds.expiresAtMs.get(row) <= nowMs) continue
    const head = holds.head.get(row)
    if (orders === SAME_ORDER && !isOfOrder(state, head, state.orderKey)) continue
    if (orders === NO_ORDER && holds.hasOrder.get(head) !== 0) continue
    if (sameSet(ordinals, ordinalsOf(state, head)) && matches(head)) return head
  }
  return -1
}

/** A redemption takes the reservation made for its order, otherwise one made for none. */
export function openReservationForRedemption(
  state: ShardState,
  ordinals: readonly number[],
  nowMs: number,
  matches: (head: number) => boolean,
): number {
  const ofOrder = openReservationOf(state, ordinals, SAME_ORDER, nowMs, matches)
  return ofOrder >= 0 ? ofOrder : openReservationOf(state, ordinals, NO_ORDER, nowMs, matches)
}

function isOfOrder(state: ShardState, head: number, order: Key): boolean {
  const { hasOrder, orderKey } = state.tables.holds
  return (
    hasOrder.get(head) !== 0 &&
    orderKey[0].get(head) === order.k0 &&
    orderKey[1].get(head) === order.k1 &&
    orderKey[2].get(head) === order.k2 &&
    orderKey[3].get(head) === order.k3
  )
}

/** The coupons of a reservation, in the order of its codes. What it holds of their campaigns is left out. */
export function ordinalsOf(state: ShardState, head: number): number[] {
  const { holds } = state.tables
  const ordinals: number[] = []
  for (let row = head; row >= 0; row = holds.nextHold.get(row)) {
    const ordinal = holds.ordinal.get(row)
    if (!isCampaign(ordinal)) ordinals.push(ordinal)
  }
  return ordinals
}

/** What a reservation holds of budgets, one amount a coupon, in the order of its codes. */
export function heldAmountsOf(state: ShardState, head: number): number[] {
  const { holds } = state.tables
  const amounts: number[] = []
  const bound: number[] = []
  let next = 0
  for (let row = head; row >= 0; row = holds.nextHold.get(row)) {
    const ordinal = holds.ordinal.get(row)
    if (isCampaign(ordinal)) {
      const place = bound[next++]
      if (place !== undefined) amounts[place] = holds.amount.get(row)
    } else {
      if (state.campaignOf(ordinal) >= 0) bound.push(amounts.length)
      amounts.push(0)
    }
  }
  return amounts
}
