/**
 * Counters of days: how many coupons a user has taken of those that count for a limit in a local day. `apply` only changes them.
 *
 * What a transaction over several shards has counted is pending until it is decided: an abort takes it back, and nothing
 * else does.
 */
import { assert } from '../../protocol/assert.ts'
import type { DayTake } from '../../protocol/events.ts'
import { Key, type PendingDays, type ShardState } from './state.ts'

const key = new Key()

/** How many coupons the user in hand has taken of those that count for `limit` in the day that begins then. */
export function takenInDay(state: ShardState, limit: number, dayStartMs: number): number {
  const slot = slotOf(state, limit, dayStartMs)
  return slot < 0 ? 0 : state.tables.days.digest0(slot)
}

/** How many of these were counted by transactions that may still be aborted. */
export function pendingInDay(state: ShardState, limit: number, dayStartMs: number): number {
  const slot = slotOf(state, limit, dayStartMs)
  return slot < 0 ? 0 : state.tables.days.digest1(slot)
}

/** Counts for the user in hand. */
export function countDay(state: ShardState, take: DayTake): void {
  change(state, state.userKey, take, take.count, 0)
}

/** Counts for the user in hand, until the transaction is decided; null: there is nothing to count. */
export function countPending(state: ShardState, takes: readonly DayTake[]): PendingDays | null {
  if (takes.length === 0) return null
  for (const take of takes) change(state, state.userKey, take, take.count, take.count)
  const user = new Key()
  const { k0, k1, k2, k3 } = state.userKey
  user.set(k0, k1, k2, k3)
  return { user, takes }
}

/** The transaction is decided: what it has counted stays, or goes back. */
export function settlePending(state: ShardState, pending: PendingDays | null, goesBack: boolean): void {
  if (pending === null) return
  for (const take of pending.takes) change(state, pending.user, take, goesBack ? -take.count : 0, -take.count)
}

function change(
  state: ShardState,
  user: Key,
  { limit, dayStartMs, dayEndMs }: DayTake,
  more: number,
  morePending: number,
) {
  const { days } = state.tables
  state.hashDay(user, limit, dayStartMs, key)
  const slot = days.findOrInsert(key.k0, key.k1, key.k2, key.k3)
  const taken = days.digest0(slot) + more
  const pending = days.digest1(slot) + morePending
  assert(taken >= pending && pending >= 0, 'a day was given back that nobody had taken')
  days.setRecord(slot, taken, pending, dayEndMs)
}

function slotOf(state: ShardState, limit: number, dayStartMs: number): number {
  state.hashDay(state.userKey, limit, dayStartMs, key)
  return state.tables.days.find(key.k0, key.k1, key.k2, key.k3)
}
