/**
 * Uses of a coupon, of a user on a coupon, and of an order: counted, and given back.
 */
import { assert } from '../../protocol/assert.ts'
import { Key, saltedInto, type ShardState } from './state.ts'

const key = new Key()

/** One use for the user and the order in hand. */
export function useOnce(state: ShardState, ordinal: number, seq: number): void {
  const { coupons, orders } = state.tables
  const uses = coupons.uses.get(ordinal) + 1
  coupons.uses.set(ordinal, uses)
  const { maxUses, maxUsesPerUser } = state.definition(ordinal)
  if (maxUses !== null) assert(uses + coupons.reserved.get(ordinal) <= maxUses, 'a coupon was used beyond its limit')
  if (maxUsesPerUser !== null) countUse(state, ordinal, state.userKey, 1)
  saltedInto(state.orderKey, coupons.salt, ordinal, key)
  orders.setRecord(orders.findOrInsert(key.k0, key.k1, key.k2, key.k3), 0, 0, seq)
}

/** For the user in hand. `sinceSeq`: of the event that decided whether the limit per user counted them. */
export function giveUsesBack(state: ShardState, ordinals: readonly number[], sinceSeq: number): void {
  const { coupons } = state.tables
  for (const ordinal of ordinals) {
    const uses = coupons.uses.get(ordinal) - 1
    assert(uses >= 0, 'uses of a coupon fell below zero')
    coupons.uses.set(ordinal, uses)
    const counted = sinceSeq > coupons.userLimitSinceSeq.get(ordinal)
    if (counted && state.definition(ordinal).maxUsesPerUser !== null) countUse(state, ordinal, state.userKey, -1)
  }
}

function countUse(state: ShardState, ordinal: number, userKey: Key, more: 1 | -1): void {
  const { users, coupons } = state.tables
  saltedInto(userKey, coupons.userSalt, ordinal, key)
  const slot = users.findOrInsert(key.k0, key.k1, key.k2, key.k3)
  const uses = users.uses(slot) + more
  assert(uses >= 0, 'a counter of a user fell below zero')
  if (uses === 0 && users.held(slot) === 0) users.remove(slot)
  else users.setUses(slot, uses)
}
