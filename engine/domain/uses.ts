/**
 * Uses of a coupon, of its campaign, of a user on either, and of an order: counted, and given back.
 */
import { assert } from '../../protocol/assert.ts'
import { isBulk, isCampaign } from '../../protocol/ordinals.ts'
import { spend } from './budgets.ts'
import { settlePool } from './pool.ts'
import { Key, saltedInto, type ShardState, userSaltedInto } from './state.ts'

const key = new Key()

/** One use for the user and the order in hand, with what it gave. */
export function useOnce(state: ShardState, ordinal: number, seq: number, amountMinor: number): void {
  countOne(state, ordinal)
  if (isCampaign(ordinal)) {
    // The code lives elsewhere, and so does the order's record.
    spend(state, ordinal, amountMinor)
    return
  }
  const { orders, bulk } = state.tables
  saltedInto(state, state.orderKey, ordinal, key)
  orders.setRecord(orders.findOrInsert(key.k0, key.k1, key.k2, key.k3), 0, 0, seq)
  if (isBulk(ordinal)) {
    bulk.lastSeq.set(ordinal, seq)
    settlePool(state, ordinal)
  }
  const campaign = state.campaignOf(ordinal)
  if (campaign < 0) return
  countOne(state, campaign)
  spend(state, campaign, amountMinor)
}

function countOne(state: ShardState, ordinal: number): void {
  const { coupons } = state.tables
  const uses = coupons.uses.get(ordinal) + 1
  coupons.uses.set(ordinal, uses)
  const { maxUses, maxUsesPerUser } = state.limits(ordinal)
  if (maxUses !== null) assert(uses + coupons.reserved.get(ordinal) <= maxUses, 'a coupon was used beyond its limit')
  if (maxUsesPerUser !== null) countUse(state, ordinal, state.userKey, 1)
}

/** For the user in hand. `sinceSeq`: of the event that decided whether the limit per user counted them. */
export function giveUsesBack(state: ShardState, ordinals: readonly number[], sinceSeq: number): void {
  for (const ordinal of ordinals) {
    giveOneBack(state, ordinal, sinceSeq)
    settlePool(state, ordinal)
    const campaign = state.campaignOf(ordinal)
    if (campaign >= 0) giveOneBack(state, campaign, sinceSeq)
  }
}

/** What a reversed redemption had given is there for others, whether its uses come back or not. */
export function giveBudgetsBack(state: ShardState, ordinals: readonly number[], amounts: readonly number[]): void {
  for (let i = 0; i < amounts.length; i++) {
    const ordinal = ordinals[i] as number
    const campaign = isCampaign(ordinal) ? ordinal : state.campaignOf(ordinal)
    if (campaign >= 0) spend(state, campaign, -(amounts[i] as number))
  }
}

function giveOneBack(state: ShardState, ordinal: number, sinceSeq: number): void {
  const { coupons } = state.tables
  const uses = coupons.uses.get(ordinal) - 1
  assert(uses >= 0, 'uses of a coupon fell below zero')
  coupons.uses.set(ordinal, uses)
  const counted = sinceSeq > coupons.userLimitSinceSeq.get(ordinal)
  if (counted && state.limits(ordinal).maxUsesPerUser !== null) countUse(state, ordinal, state.userKey, -1)
}

function countUse(state: ShardState, ordinal: number, userKey: Key, more: 1 | -1): void {
  const { users } = state.tables
  userSaltedInto(state, userKey, ordinal, key)
  const slot = users.findOrInsert(key.k0, key.k1, key.k2, key.k3)
  const uses = users.uses(slot) + more
  assert(uses >= 0, 'a counter of a user fell below zero')
  if (uses === 0 && users.held(slot) === 0) users.remove(slot)
  else users.setUses(slot, uses)
}
