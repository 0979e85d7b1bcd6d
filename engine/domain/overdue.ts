/**
 * Overdue reservations in the way of a command: released by it, before it takes what they held.
 */
import { assert } from '../../protocol/assert.ts'
import { EVENT, type Event } from '../../protocol/events.ts'
import { firstHoldOfUser, overdueOn, rowOfReservation } from './holds.ts'
import { OVERDUE_RELEASES_MAX } from './limits.ts'
import type { ShardState } from './state.ts'

/**
 * The releases to log before one more use of each coupon is taken: overdue reservations stand in the way only where
 * a limit would be passed with them.
 */
export function releasesInTheWay(state: ShardState, ordinals: readonly number[], nowMs: number): Event[] {
  const overdue = new Set<number>()
  for (const ordinal of ordinals) {
    const { maxUses, maxUsesPerUser } = state.definition(ordinal)
    const { coupons } = state.tables
    if (coupons.holds.get(ordinal) < 0) continue
    if (maxUses !== null && coupons.uses.get(ordinal) + coupons.reserved.get(ordinal) >= maxUses) {
      overdueOn(state, ordinal, nowMs, OVERDUE_RELEASES_MAX, overdue)
    }
    if (maxUsesPerUser !== null) overdueOfUserOn(state, ordinal, nowMs, overdue)
  }
  const events: Event[] = []
  for (const reservationSeq of overdue) events.push(releaseOf(state, reservationSeq, nowMs))
  return events
}

/** The same for a reservation that is being made again late: its own release first, where the sweep has not come to it yet. */
export function releasesBeforeLate(
  state: ShardState,
  head: number,
  reservationSeq: number,
  ordinals: readonly number[],
  nowMs: number,
): Event[] {
  const others = releasesInTheWay(state, ordinals, nowMs)
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
