/**
 * Holds the counters of a shard's tables against those of the recount. Both come from the same events by different ways.
 */
import { bytesOf } from '../../protocol/bytes.ts'
import { Key, saltedInto, type ShardState } from '../../engine/domain/state.ts'
import type { CouponCount, ShardCount } from './recount.ts'

/** What differs first, as a sentence; null: nothing. */
export function counterDifference(state: ShardState, count: ShardCount): string | null {
  if (state.couponCount !== count.coupons.length) {
    return `the state has ${state.couponCount} coupons, the log ${count.coupons.length}`
  }
  let users = count.leftBehind
  for (const [ordinal, coupon] of count.coupons.entries()) {
    const difference = couponDifference(state, ordinal, coupon) ?? userDifference(state, ordinal, coupon)
    if (difference !== null) return `coupon ${coupon.code} (ordinal ${ordinal}): ${difference}`
    users += coupon.users?.size ?? 0
  }
  const { size } = state.tables.users
  return size === users ? null : `the table of users has ${size} counters, the log makes ${users}`
}

function couponDifference(state: ShardState, ordinal: number, coupon: CouponCount): string | null {
  const { uses, reserved } = state.tables.coupons
  if (uses.get(ordinal) !== coupon.uses) {
    return `${uses.get(ordinal)} uses in the state, ${coupon.uses} counted from the log`
  }
  return reserved.get(ordinal) === coupon.reserved
    ? null
    : `${reserved.get(ordinal)} reserved in the state, ${coupon.reserved} counted from the log`
}

const key = new Key()

function userDifference(state: ShardState, ordinal: number, coupon: CouponCount): string | null {
  const { users, coupons } = state.tables
  for (const [user, { uses, held }] of coupon.users ?? []) {
    state.hashUser(bytesOf(user), state.userKey)
    saltedInto(state.userKey, coupons.userSalt, ordinal, key)
    const slot = users.find(key.k0, key.k1, key.k2, key.k3)
    const [usesKept, heldKept] = slot < 0 ? [0, 0] : [users.uses(slot), users.held(slot)]
    if (usesKept !== uses || heldKept !== held) {
      return `user ${user} has ${usesKept} uses and ${heldKept} held in the state, ${uses} and ${held} counted from the log`
    }
  }
  return null
}
