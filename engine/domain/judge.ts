/**
 * Judging one coupon for one asker: the checks of the contract, in the contract's order, up to the first that fails.
 *
 * Two steps, because stacking stands between them and needs the other coupons: `refusalBefore` (disabled … applicability)
 * and `refusalOfLimits` (limit per user, limit of the coupon). Overdue holds count as free here although their release
 * may not be logged yet: judged by `nowMs`, never by what the sweep has got to.
 */
import { type Bytes, textOf } from '../../protocol/bytes.ts'
import { isCampaign } from '../../protocol/ordinals.ts'
import type { CouponStatus } from '../../protocol/outcomes.ts'
import { type RefusalCode, REFUSALS } from '../../protocol/refusals.ts'
import type { Cart } from './cart.ts'
import { isEndless, isUndecided } from './branches.ts'
import { type CartRefusal, cartRefusal, cartRefusalDetail, CART_REFUSALS } from './eligibility.ts'
import { OVER_BUDGET_DETAIL } from './budgets.ts'
import { firstHoldOfUser, firstOpenHold, heldSinceSeq, reservedAt } from './holds.ts'
import { isBeyondDay, isDayInDoubt } from './daily.ts'
import { DOUBTFUL_HOLDS_MAX } from './limits.ts'
import { Key, type Limits, type ShardState, userSaltedInto } from './state.ts'

/** Who asks, with what, when. The user's key is in `state.userKey` whenever `user` is there. */
export interface Asker {
  readonly user: Bytes | null
  readonly cart: Cart | null
  readonly nowMs: number
}

const key = new Key()

/**
 * Disabled, window, user, channel, currency, minimums, applicability: the first that fails, or null. A campaign that lives on
 * another shard is judged there.
 */
export function refusalBefore(state: ShardState, ordinal: number, asker: Asker): RefusalCode | null {
  const refusal = closedRefusal(state, ordinal, asker.nowMs)
  if (refusal !== null) return refusal
  if (isCampaign(ordinal)) return asker.cart === null ? null : cartRefusal(state.campaign(ordinal).offer, asker.cart)
  if (asker.user !== null && !serves(state, ordinal, asker.user)) return 'USER_NOT_ELIGIBLE'
  const offer = state.offer(ordinal)
  return asker.cart === null || offer === null ? null : cartRefusal(offer, asker.cart)
}

type Closed = 'COUPON_DISABLED' | 'COUPON_NOT_STARTED' | 'COUPON_EXPIRED'

/** Disabled or outside its window, the coupon itself or its campaign: check by check over both. */
function closedRefusal(state: ShardState, ordinal: number, nowMs: number): Closed | null {
  const own = windowRefusal(state, ordinal, state.limits(ordinal), nowMs)
  const campaign = state.campaignOf(ordinal)
  if (campaign < 0) return own
  const other = windowRefusal(state, campaign, state.campaign(campaign), nowMs)
  if (own === null || other === null) return own ?? other
  return REFUSALS[own].rank <= REFUSALS[other].rank ? own : other
}

export function windowRefusal(state: ShardState, ordinal: number, limits: Limits, nowMs: number): Closed | null {
  if (state.tables.coupons.disabled.get(ordinal) !== 0) return 'COUPON_DISABLED'
  if (limits.validFromMs !== null && nowMs < limits.validFromMs) return 'COUPON_NOT_STARTED'
  if (limits.validUntilMs !== null && nowMs >= limits.validUntilMs) return 'COUPON_EXPIRED'
  return null
}

function serves(state: ShardState, ordinal: number, user: Bytes): boolean {
  const { userId } = state.definition(ordinal)
  return (userId === null || textOf(user) === userId) && state.servesKey(ordinal)
}

/**
 * Limit a day, limit per user (held uses count), then the limits of uses, of the coupon and of its campaign; null when one more
 * use fits under all. `before`: uses of the same campaign that codes earlier in the call take; `dayBefore`: of the same day.
 */
export function refusalOfLimits(
  state: ShardState,
  ordinal: number,
  asker: Asker,
  before = 0,
  dayBefore = before,
): RefusalCode | null {
  if (isBeyondDay(state, ordinal, asker, dayBefore)) return 'DAILY_LIMIT_REACHED'
  return refusalOfUses(state, ordinal, asker, before)
}

/** The same without the day: for a reservation that has run out, whose day was counted when it was made. */
export function refusalOfUses(state: ShardState, ordinal: number, asker: Asker, before = 0): RefusalCode | null {
  const campaign = state.campaignOf(ordinal)
  if (isBeyondUser(state, ordinal, asker, campaign < 0 ? before : 0)) return 'USER_LIMIT_REACHED'
  if (campaign >= 0 && isBeyondUser(state, campaign, asker, before)) return 'USER_LIMIT_REACHED'
  const own = useRefusal(state, ordinal, asker.nowMs, campaign < 0 ? before : 0)
  if (own !== null || campaign < 0) return own
  return useRefusal(state, campaign, asker.nowMs, before)
}

function isBeyondUser(state: ShardState, ordinal: number, { user, nowMs }: Asker, before: number): boolean {
  const { maxUsesPerUser } = state.limits(ordinal)
  if (maxUsesPerUser === null || user === null) return false
  return usesOfUserAt(state, ordinal, nowMs) + before >= maxUsesPerUser
}

function useRefusal(
  state: ShardState,
  ordinal: number,
  nowMs: number,
  before: number,
): 'COUPON_EXHAUSTED' | 'CAMPAIGN_EXHAUSTED' | 'COUPON_LOCKED' | null {
  const { maxUses } = state.limits(ordinal)
  if (maxUses === null) return null
  const { coupons } = state.tables
  const uses = coupons.uses.get(ordinal) + before
  if (uses >= maxUses) return isCampaign(ordinal) ? 'CAMPAIGN_EXHAUSTED' : 'COUPON_EXHAUSTED'
  // Counting what is overdue takes a step for each: only where it decides.
  if (uses + coupons.reserved.get(ordinal) < maxUses) return null
  return uses + reservedAt(state, ordinal, nowMs) >= maxUses ? 'COUPON_LOCKED' : null
}

/** Of the coupon and its campaign the one whose uses are all held, where COUPON_LOCKED was the answer. */
function lockedOrdinal(state: ShardState, ordinal: number, nowMs: number): number {
  if (useRefusal(state, ordinal, nowMs, 0) !== null) return ordinal
  const campaign = state.campaignOf(ordinal)
  return campaign < 0 ? ordinal : campaign
}

/**
 * Whether a refusal may fall away in a moment: holds of transactions over several shards that are still undecided, or that
 * have run out and whose coordinator has not said so yet, are in the way.
 */
export function hangsOnOthers(state: ShardState, ordinal: number, refusal: RefusalCode, nowMs: number): boolean {
  if (refusal === 'DAILY_LIMIT_REACHED') return isDayInDoubt(state, ordinal, nowMs)
  const campaign = state.campaignOf(ordinal)
  return hangsOn(state, ordinal, refusal, nowMs) || (campaign >= 0 && hangsOn(state, campaign, refusal, nowMs))
}

function hangsOn(state: ShardState, ordinal: number, refusal: RefusalCode, nowMs: number): boolean {
  if (state.tables.coupons.endless.get(ordinal) === 0) return false
  if (refusal === 'COUPON_LOCKED') return leavesRoom(state, ordinal, nowMs)
  if (refusal === 'BUDGET_EXHAUSTED') return holdsBudget(state, ordinal, nowMs)
  if (refusal !== 'USER_LIMIT_REACHED') return false
  const { holds } = state.tables
  for (let row = firstHoldOfUser(state, state.userKey, ordinal); row >= 0; row = holds.nextOfUser.get(row)) {
    if (isInDoubt(state, holds.head.get(row), nowMs)) return true
  }
  return false
}

function leavesRoom(state: ShardState, ordinal: number, nowMs: number): boolean {
  const { coupons, holds } = state.tables
  const { maxUses } = state.limits(ordinal)
  if (maxUses === null) return false
  let wanted = coupons.uses.get(ordinal) + reservedAt(state, ordinal, nowMs) - maxUses + 1
  // It has room as it is: of a coupon and its campaign the other one is in the way.
  if (wanted <= 0) return false
  let row = holds.byCoupon.firstUpTo(coupons.holds.get(ordinal), Number.POSITIVE_INFINITY)
  for (let looked = 0; row >= 0 && wanted > 0 && looked < DOUBTFUL_HOLDS_MAX; looked++) {
    if (isInDoubt(state, holds.head.get(row), nowMs)) wanted--
    row = holds.byCoupon.nextUpTo(row, Number.POSITIVE_INFINITY)
  }
  return wanted <= 0
}

/** Whether what may still be aborted holds some of a campaign's budget. */
function holdsBudget(state: ShardState, campaign: number, nowMs: number): boolean {
  const { coupons, holds } = state.tables
  let row = holds.byCoupon.firstUpTo(coupons.holds.get(campaign), Number.POSITIVE_INFINITY)
  for (let looked = 0; row >= 0 && looked < DOUBTFUL_HOLDS_MAX; looked++) {
    if (holds.amount.get(row) > 0 && isInDoubt(state, holds.head.get(row), nowMs)) return true
    row = holds.byCoupon.nextUpTo(row, Number.POSITIVE_INFINITY)
  }
  return false
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
  const { users } = state.tables
  userSaltedInto(state, state.userKey, ordinal, key)
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

/** Milliseconds until the first hold may come back of what is locked: the coupon, or its campaign. */
export function lockWaitMs(state: ShardState, ordinal: number, nowMs: number): number {
  return retryAfterMs(state, lockedOrdinal(state, ordinal, nowMs), nowMs)
}

function retryAfterMs(state: ShardState, ordinal: number, nowMs: number): number {
  const row = firstOpenHold(state, ordinal, nowMs)
  if (row < 0) return 1
  const { holds } = state.tables
  const head = holds.head.get(row)
  return Math.max(1, (isEndless(state, head) ? holds.untilMs.get(head) : holds.expiresAtMs.get(row)) - nowMs)
}

/** The status of the contract: the first that holds. */
export function statusAt(state: ShardState, ordinal: number, nowMs: number): CouponStatus {
  const { maxUses } = state.limits(ordinal)
  const closed = closedRefusal(state, ordinal, nowMs)
  if (closed === 'COUPON_DISABLED') return 'DISABLED'
  // Here an end comes before a beginning, other than among refusals: a coupon may end before its campaign begins.
  if (nowMs >= (state.endsAtMs(ordinal) ?? Number.POSITIVE_INFINITY)) return 'EXPIRED'
  if (maxUses !== null && state.tables.coupons.uses.get(ordinal) >= maxUses) {
    return maxUses === 1 && !isCampaign(ordinal) ? 'REDEEMED' : 'EXHAUSTED'
  }
  if (closed === 'COUPON_NOT_STARTED') return 'SCHEDULED'
  return maxUses === 1 && !isCampaign(ordinal) && reservedAt(state, ordinal, nowMs) > 0 ? 'LOCKED' : 'ACTIVE'
}

/** The sentence beside a refusal of a coupon: what was in the way, and by how much. */
export function refusalDetail(state: ShardState, ordinal: number, refusal: RefusalCode, asker: Asker): string {
  const campaign = state.campaignOf(ordinal)
  switch (refusal) {
    case 'COUPON_DISABLED':
    case 'COUPON_NOT_STARTED':
    case 'COUPON_EXPIRED': {
      const isOwn = windowRefusal(state, ordinal, state.limits(ordinal), asker.nowMs) === refusal
      return windowDetail(state, isOwn ? ordinal : campaign, refusal)
    }
    case 'USER_NOT_ELIGIBLE':
      return 'the coupon belongs to another user'
    case 'DAILY_LIMIT_REACHED':
      return 'this user has taken as many coupons as a local day allows'
    case 'USER_LIMIT_REACHED': {
      const isOwn = campaign < 0 || isBeyondUser(state, ordinal, asker, 0)
      const limit = timesText(state.limits(isOwn ? ordinal : campaign).maxUsesPerUser)
      return isOwn && !isCampaign(ordinal)
        ? `this user has used or reserved the coupon ${limit}, which is its limit per user`
        : `this user has used or reserved coupons of the campaign as often as it allows a user, ${limit}`
    }
    case 'COUPON_EXHAUSTED':
      return `all ${state.limits(ordinal).maxUses} uses of the coupon are used`
    case 'CAMPAIGN_EXHAUSTED':
      return `all ${state.limits(campaign < 0 ? ordinal : campaign).maxUses} uses of the campaign are used`
    case 'BUDGET_EXHAUSTED':
      return OVER_BUDGET_DETAIL
    case 'COUPON_LOCKED':
      return isCampaign(lockedOrdinal(state, ordinal, asker.nowMs))
        ? 'all uses of the campaign that are left are reserved'
        : 'all uses of the coupon that are left are reserved'
    default: {
      const offer = isCampaign(ordinal) ? state.campaign(ordinal).offer : state.offer(ordinal)
      return isCartRefusal(refusal) && asker.cart !== null && offer !== null
        ? cartRefusalDetail(refusal, offer, asker.cart)
        : 'the coupon does not apply'
    }
  }
}

function windowDetail(state: ShardState, ordinal: number, refusal: Closed): string {
  const what = isCampaign(ordinal) ? 'campaign' : 'coupon'
  const { validFromMs, validUntilMs } = state.limits(ordinal)
  if (refusal === 'COUPON_DISABLED') return `the ${what} is disabled`
  return refusal === 'COUPON_NOT_STARTED'
    ? `the ${what} is valid from ${timeText(validFromMs)}`
    : `the ${what} was valid until ${timeText(validUntilMs)}`
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
