/**
 * Judging one coupon for one asker: the checks of the contract, in the contract's order, up to the first that fails.
 *
 * Two steps, because stacking stands between them and needs the other coupons: `refusalBefore` (disabled … applicability)
 * and `refusalOfLimits` (limit per user, limit of the coupon). Overdue holds count as free here although their release
 * may not be logged yet: judged by `nowMs`, never by what the sweep has got to.
 */
import { type Bytes, textOf } from '../../protocol/bytes.ts'
import type { CouponDefinition } from '../../protocol/coupon.ts'
import type { CouponStatus } from '../../protocol/outcomes.ts'
import type { RefusalCode } from '../../protocol/refusals.ts'
import type { Cart } from './cart.ts'
import { isEndless, isUndecided } from './branches.ts'
import { type CartRefusal, cartRefusal, cartRefusalDetail, CART_REFUSALS } from './eligibility.ts'
import { firstHoldOfUser, firstOpenHold, heldSinceSeq, reservedAt } from './holds.ts'
import { DOUBTFUL_HOLDS_MAX } from './limits.ts'
import { Key, saltedInto, type ShardState } from './state.ts'

/** Who asks, with what, when. The user's key is in `state.userKey` whenever `user` is there. */
export interface Asker {
  readonly user: Bytes | null
  readonly cart: Cart | null
  readonly nowMs: number
}

const key = new Key()

/** Disabled, window, user, channel, currency, minimums, applicability: the first that fails, or null. */
export function refusalBefore(state: ShardState, ordinal: number, asker: Asker): RefusalCode | null {
  const definition = state.definition(ordinal)
  const refusal = windowRefusal(state, ordinal, definition, asker.nowMs)
  if (refusal !== null) return refusal
  if (definition.userId !== null && asker.user !== null && textOf(asker.user) !== definition.userId) {
    return 'USER_NOT_ELIGIBLE'
  }
  return asker.cart === null ? null : cartRefusal(definition.offer, asker.cart)
}

export function windowRefusal(
  state: ShardState,
  ordinal: number,
  definition: CouponDefinition,
  nowMs: number,
): 'COUPON_DISABLED' | 'COUPON_NOT_STARTED' | 'COUPON_EXPIRED' | null {
  if (state.tables.coupons.disabled.get(ordinal) !== 0) return 'COUPON_DISABLED'
  if (definition.validFromMs !== null && nowMs < definition.validFromMs) return 'COUPON_NOT_STARTED'
  if (definition.validUntilMs !== null && nowMs >= definition.validUntilMs) return 'COUPON_EXPIRED'
  return null
}

/** Limit per user (held uses count), then the limit of the coupon; null when one more use fits under both. */
export function refusalOfLimits(state: ShardState, ordinal: number, asker: Asker): RefusalCode | null {
  const definition = state.definition(ordinal)
  if (definition.maxUsesPerUser !== null && asker.user !== null) {
    if (usesOfUserAt(state, ordinal, asker.nowMs) >= definition.maxUsesPerUser) return 'USER_LIMIT_REACHED'
  }
  if (definition.maxUses === null) return null
  const uses = state.tables.coupons.uses.get(ordinal)
  if (uses >= definition.maxUses) return 'COUPON_EXHAUSTED'
  return uses + reservedAt(state, ordinal, asker.nowMs) >= definition.maxUses ? 'COUPON_LOCKED' : null
}

/**
 * Whether a refusal may fall away in a moment: holds of transactions over several shards that are still undecided, or that
 * have run out and whose coordinator has not said so yet, are in the way.
 */
export function hangsOnOthers(state: ShardState, ordinal: number, refusal: RefusalCode, nowMs: number): boolean {
  if (state.tables.coupons.endless.get(ordinal) === 0) return false
  if (refusal === 'COUPON_LOCKED') return leavesRoom(state, ordinal, nowMs)
  if (refusal !== 'USER_LIMIT_REACHED') return false
  const { holds } = state.tables
  for (let row = firstHoldOfUser(state, state.userKey, ordinal); row >= 0; row = holds.nextOfUser.get(row)) {
    if (isInDoubt(state, holds.head.get(row), nowMs)) return true
  }
  return false
}

function leavesRoom(state: ShardState, ordinal: number, nowMs: number): boolean {
  const { coupons, holds } = state.tables
  const { maxUses } = state.definition(ordinal)
  if (maxUses === null) return false
  let wanted = coupons.uses.get(ordinal) + reservedAt(state, ordinal, nowMs) - maxUses + 1
  let row = holds.byCoupon.firstUpTo(coupons.holds.get(ordinal), Number.POSITIVE_INFINITY)
  for (let looked = 0; row >= 0 && wanted > 0 && looked < DOUBTFUL_HOLDS_MAX; looked++) {
    if (isInDoubt(state, holds.head.get(row), nowMs)) wanted--
    row = holds.byCoupon.nextUpTo(row, Number.POSITIVE_INFINITY)
  }
  return wanted <= 0
}

/** What was taken by a transaction that may still be aborted, or kept for a reservation that has run out. */
function isInDoubt(state: ShardState, head: number, nowMs: number): boolean {
  const { holds } = state.tables
  if (!isEndless(state, head)) return false
  const untilMs = holds.untilMs.get(head)
  return isUndecided(state, head) ? holds.claimSeq.get(head) === holds.txnSeq.get(head) : untilMs <= nowMs
}

/** Uses and held uses of the user in hand, overdue holds left out. */
function usesOfUserAt(state: ShardState, ordinal: number, nowMs: number): number {
  const { users, coupons } = state.tables
  saltedInto(state.userKey, coupons.userSalt, ordinal, key)
  const slot = users.find(key.k0, key.k1, key.k2, key.k3)
  if (slot < 0) return 0
  const counted = users.uses(slot) + users.held(slot)
  return users.held(slot) === 0 ? counted : counted - overdueOfUser(state, ordinal, nowMs)
}

/** Counted holds of the user in hand on a coupon that are overdue. */
function overdueOfUser(state: ShardState, ordinal: number, nowMs: number): number {
  const { holds, coupons } = state.tables
  const sinceSeq = coupons.userLimitSinceSeq.get(ordinal)
  let overdue = 0
  for (let row = firstHoldOfUser(state, state.userKey, ordinal); row >= 0; row = holds.nextOfUser.get(row)) {
    if (holds.expiresAtMs.get(row) <= nowMs && heldSinceSeq(state, row) > sinceSeq) overdue++
  }
  return overdue
}

/** Milliseconds until the first hold on a coupon may come back. */
export function retryAfterMs(state: ShardState, ordinal: number, nowMs: number): number {
  const row = firstOpenHold(state, ordinal, nowMs)
  if (row < 0) return 1
  const { holds } = state.tables
  const head = holds.head.get(row)
  return Math.max(1, (isEndless(state, head) ? holds.untilMs.get(head) : holds.expiresAtMs.get(row)) - nowMs)
}

/** The status of the contract: the first that holds. */
export function statusAt(state: ShardState, ordinal: number, nowMs: number): CouponStatus {
  const definition = state.definition(ordinal)
  const { maxUses } = definition
  const window = windowRefusal(state, ordinal, definition, nowMs)
  if (window === 'COUPON_DISABLED') return 'DISABLED'
  if (window === 'COUPON_EXPIRED') return 'EXPIRED'
  if (maxUses !== null && state.tables.coupons.uses.get(ordinal) >= maxUses) {
    return maxUses === 1 ? 'REDEEMED' : 'EXHAUSTED'
  }
  if (window === 'COUPON_NOT_STARTED') return 'SCHEDULED'
  return maxUses === 1 && reservedAt(state, ordinal, nowMs) > 0 ? 'LOCKED' : 'ACTIVE'
}

/** The sentence beside a refusal of a coupon: what was in the way, and by how much. */
export function refusalDetail(state: ShardState, ordinal: number, refusal: RefusalCode, asker: Asker): string {
  const definition = state.definition(ordinal)
  switch (refusal) {
    case 'COUPON_DISABLED':
      return 'the coupon is disabled'
    case 'COUPON_NOT_STARTED':
      return `the coupon is valid from ${timeText(definition.validFromMs)}`
    case 'COUPON_EXPIRED':
      return `the coupon was valid until ${timeText(definition.validUntilMs)}`
    case 'USER_NOT_ELIGIBLE':
      return 'the coupon belongs to another user'
    case 'USER_LIMIT_REACHED':
      return `this user has used or reserved the coupon ${timesText(definition.maxUsesPerUser)}, which is its limit per user`
    case 'COUPON_EXHAUSTED':
      return `all ${definition.maxUses} uses of the coupon are used`
    case 'COUPON_LOCKED':
      return 'all uses of the coupon that are left are reserved'
    default:
      return isCartRefusal(refusal) && asker.cart !== null
        ? cartRefusalDetail(refusal, definition.offer, asker.cart)
        : 'the coupon does not apply'
  }
}

function timesText(count: number | null): string {
  return count === 1 ? 'once' : `${count} times`
}

function isCartRefusal(code: RefusalCode): code is CartRefusal {
  return (CART_REFUSALS as readonly string[]).includes(code)
}

/** RFC 3339 without a Date object: the pure ring has no clock, and none of its constructors. */
function timeText(ms: number | null): string {
  if (ms === null) return 'no fixed time'
  const days = Math.floor(ms / 86_400_000)
  const rest = ms - days * 86_400_000
  return `${dayText(days)}T${two(rest / 3_600_000)}:${two((rest / 60_000) % 60)}:${two((rest / 1000) % 60)}Z`
}

/** Days since 1970 to a date (Howard Hinnant, "chrono-compatible low-level date algorithms", civil_from_days). */
function dayText(days: number): string {
  const shifted = days + 719_468
  const era = Math.floor(shifted / 146_097)
  const dayOfEra = shifted - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}`
}

function two(value: number): string {
  return String(Math.floor(value)).padStart(2, '0')
}
