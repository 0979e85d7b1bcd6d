/**
 * The checks of the contract on one coupon, one by one: whether each passed, by which numbers, and what would have passed
 * (`all-checks.ts` has their order). Looks at the state beside the rule book, never instead of it: `decide` says what the answer was, this
 * says what stood around it.
 */
import { eligibleLines, lineEligibility } from '../../engine/domain/eligibility.ts'
import { type Cart, type CartLine, subtotalMinor } from '../../engine/domain/cart.ts'
import { firstHoldOfUser, firstOpenHold, heldSinceSeq, reservedAt } from '../../engine/domain/holds.ts'
import type { Offer } from '../../engine/domain/offer.ts'
import { Key, type Limits, type ShardState, userSaltedInto } from '../../engine/domain/state.ts'
import type { RefusalCode } from '../../protocol/refusals.ts'
import type { CouponDefinition } from '../../protocol/coupon.ts'
import { bytesOf } from '../../protocol/bytes.ts'
import { shownTime } from '../rebuild/positions.ts'

export interface Check {
  /** The refusal that it ends in where it fails. */
  readonly check: RefusalCode
  readonly passed: boolean
  /** What was compared. */
  readonly fact: string
  /** null: it passed, or nothing would. */
  readonly wouldPass: string | null
}

/** Who asked, with what, when. */
export interface Question {
  readonly user: string | null
  readonly cart: Cart | null
  readonly nowMs: number
  /** Codes in the call. */
  readonly codes: number
}

export function passed(check: RefusalCode, fact: string): Check {
  return { check, passed: true, fact, wouldPass: null }
}

export function failed(check: RefusalCode, fact: string, wouldPass: string | null): Check {
  return { check, passed: false, fact, wouldPass }
}

export function windowChecks(state: ShardState, ordinal: number, definition: Limits, nowMs: number): Check[] {
  const { validFromMs, validUntilMs } = definition
  const isDisabled = state.tables.coupons.disabled.get(ordinal) !== 0
  const from = validFromMs === null ? 'valid since ever' : `valid from ${shownTime(validFromMs)}`
  const until = validUntilMs === null ? 'valid for ever' : `valid until ${shownTime(validUntilMs)}`
  return [
    isDisabled
      ? failed('COUPON_DISABLED', 'disabled', 'after the coupon is enabled')
      : passed('COUPON_DISABLED', 'enabled'),
    validFromMs !== null && nowMs < validFromMs
      ? failed('COUPON_NOT_STARTED', from, `after ${shownTime(validFromMs)}`)
      : passed('COUPON_NOT_STARTED', from),
    validUntilMs !== null && nowMs >= validUntilMs
      ? failed('COUPON_EXPIRED', until, `before ${shownTime(validUntilMs)}, or after the coupon is extended`)
      : passed('COUPON_EXPIRED', until),
  ]
}

export function userChecks(
  state: ShardState,
  ordinal: number,
  { userId }: CouponDefinition,
  user: string | null,
): Check[] {
  if (!state.hasOwner(ordinal) || user === null) return [passed('USER_NOT_ELIGIBLE', 'for every user')]
  state.hashUser(bytesOf(user), state.userKey)
  return state.servesKey(ordinal) && (userId === null || user === userId)
    ? [passed('USER_NOT_ELIGIBLE', 'for this user')]
    : [failed('USER_NOT_ELIGIBLE', 'for another user', 'for the user that the coupon belongs to')]
}

export function cartChecks(offer: Offer, cart: Cart): Check[] {
  return [channelCheck(offer, cart), currencyCheck(offer, cart), ...minimumChecks(offer, cart), lineCheck(offer, cart)]
}

function channelCheck({ channels }: Offer, { channel }: Cart): Check {
  const brought = channel === null ? 'the cart names no channel' : `the cart is of channel ${channel}`
  if (channels === null || channels.length === 0) return passed('CHANNEL_NOT_ALLOWED', `${brought}, every one is taken`)
  const allowed = channels.join(' or ')
  return channel !== null && channels.includes(channel)
    ? passed('CHANNEL_NOT_ALLOWED', `${brought}, taken: ${allowed}`)
    : failed('CHANNEL_NOT_ALLOWED', `${brought}, taken: ${allowed}`, `in channel ${allowed}`)
}

function currencyCheck({ currency }: Offer, cart: Cart): Check {
  const fact = `the cart is in ${cart.currency}, the coupon in ${currency ?? 'any currency'}`
  return currency === null || currency === cart.currency
    ? passed('CURRENCY_MISMATCH', fact)
    : failed('CURRENCY_MISMATCH', fact, `with a cart in ${currency}`)
}

function minimumChecks(offer: Offer, cart: Cart): Check[] {
  const { minOrderMinor, minQuantity } = offer
  const checks: Check[] = []
  if (minOrderMinor !== null) {
    const subtotal = subtotalMinor(cart)
    const fact = `the lines come to ${subtotal}, the minimum is ${minOrderMinor}`
    checks.push(
      subtotal >= minOrderMinor
        ? passed('MIN_ORDER_NOT_MET', fact)
        : failed('MIN_ORDER_NOT_MET', fact, `with ${minOrderMinor - subtotal} more in the cart`),
    )
  }
  if (minQuantity !== null) {
    const units = eligibleLines(offer, cart).reduce((sum, { quantity }) => sum + quantity, 0)
    const fact = `${units} eligible units, the minimum is ${minQuantity}`
    checks.push(
      units >= minQuantity
        ? passed('MIN_QUANTITY_NOT_MET', fact)
        : failed('MIN_QUANTITY_NOT_MET', fact, `with ${minQuantity - units} more eligible units`),
    )
  }
  return checks
}

function lineCheck(offer: Offer, cart: Cart): Check {
  const isEligible = lineEligibility(offer, cart.lines.length)
  const eligible = cart.lines.filter((line: CartLine) => isEligible(line)).length
  const fact = `${eligible} of ${cart.lines.length} lines are eligible`
  if (eligible > 0) return passed('NOT_APPLICABLE', fact)
  const wanted = [
    ...offer.applicableProductIds.map((id) => `product ${id}`),
    ...offer.applicableCategoryIds.map((id) => `category ${id}`),
  ]
  const excluded = [
    ...offer.excludedProductIds.map((id) => `product ${id}`),
    ...offer.excludedCategoryIds.map((id) => `category ${id}`),
  ]
  const line = wanted.length === 0 ? 'with a line' : `with a line of ${shortList(wanted)}`
  const without = excluded.length === 0 ? '' : `${wanted.length === 0 ? '' : ','} that is not of ${shortList(excluded)}`
  return failed('NOT_APPLICABLE', fact, line + without)
}

function shortList(names: readonly string[]): string {
  const shown = names.slice(0, 5).join(' or ')
  return names.length > 5 ? `${shown} or ${names.length - 5} others` : shown
}

export function stackingChecks({ stacking }: Offer, codes: number): Check[] {
  if (codes === 1) return []
  return stacking === 'STACKABLE'
    ? [passed('NOT_STACKABLE', 'combines with others')]
    : [failed('NOT_STACKABLE', `does not combine, and the call has ${codes} codes`, 'alone')]
}

const key = new Key()

export function userLimitChecks(
  state: ShardState,
  ordinal: number,
  { maxUsesPerUser }: Limits,
  { user, nowMs }: Question,
): Check[] {
  if (maxUsesPerUser === null || user === null) return []
  const { users, coupons, holds } = state.tables
  state.hashUser(bytesOf(user), state.userKey)
  userSaltedInto(state, state.userKey, ordinal, key)
  const slot = users.find(key.k0, key.k1, key.k2, key.k3)
  const uses = slot < 0 ? 0 : users.uses(slot)
  let held = slot < 0 ? 0 : users.held(slot)
  let firstEndsMs = Number.POSITIVE_INFINITY
  for (let row = firstHoldOfUser(state, state.userKey, ordinal); row >= 0; row = holds.nextOfUser.get(row)) {
    const expiresAtMs = holds.expiresAtMs.get(row)
    if (expiresAtMs > nowMs) firstEndsMs = Math.min(firstEndsMs, expiresAtMs)
    else if (heldSinceSeq(state, row) > coupons.userLimitSinceSeq.get(ordinal)) held--
  }
  const fact = `this user has ${uses} used and ${held} reserved, the limit per user is ${maxUsesPerUser}`
  if (uses + held < maxUsesPerUser) return [passed('USER_LIMIT_REACHED', fact)]
  const later = Number.isFinite(firstEndsMs) ? `, or once their reservation ends (${shownTime(firstEndsMs)})` : ''
  return [failed('USER_LIMIT_REACHED', fact, `for another user${later}`)]
}

export function limitChecks(state: ShardState, ordinal: number, { maxUses }: Limits, nowMs: number): Check[] {
  const uses = state.tables.coupons.uses.get(ordinal)
  const reserved = reservedAt(state, ordinal, nowMs)
  if (maxUses === null) return [passed('COUPON_EXHAUSTED', `${uses} used and ${reserved} reserved, without a limit`)]
  const fact = `${uses} used and ${reserved} reserved of ${maxUses}`
  if (uses >= maxUses) return [failed('COUPON_EXHAUSTED', fact, 'with a higher maxUses, or after a reversal')]
  if (uses + reserved < maxUses) return [passed('COUPON_EXHAUSTED', fact), passed('COUPON_LOCKED', fact)]
  const row = firstOpenHold(state, ordinal, nowMs)
  const endsMs = row < 0 ? Number.POSITIVE_INFINITY : state.tables.holds.expiresAtMs.get(row)
  const later = Number.isFinite(endsMs) ? `after ${shownTime(endsMs)}, when the first reservation may run out` : 'later'
  return [passed('COUPON_EXHAUSTED', fact), failed('COUPON_LOCKED', fact, later)]
}
