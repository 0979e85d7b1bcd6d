/**
 * Quotes: what one coupon may do for one asker, and its rules. Carts are judged by them, whether their coupons live on one
 * shard or on several (combine.ts).
 */
import { isCampaign } from '../../protocol/ordinals.ts'
import type { Quote, QuotedRules } from '../../protocol/outcomes.ts'
import type { RefusalCode } from '../../protocol/refusals.ts'
import type { Cart } from './cart.ts'
import { budgetLeftAt } from './budgets.ts'
import { dayAskOf, ofSameDay } from './daily.ts'
import { cartRefusal, cartRefusalDetail } from './eligibility.ts'
import { type Asker, refusalBefore, refusalDetail, refusalOfLimits, lockWaitMs } from './judge.ts'
import type { ShardState } from './state.ts'

/** A code that nobody made, or that cannot exist. */
export const NO_SUCH_COUPON: Quote = {
  ordinal: -1,
  refusal: 'COUPON_NOT_FOUND',
  detail: 'there is no such coupon',
  retryAfterMs: 0,
  rules: null,
}

/** Every check of the contract on each coupon alone. */
export function quotesOf(state: ShardState, ordinals: readonly number[], asker: Asker): Quote[] {
  return ordinals.map((ordinal, i) => {
    const before = ofSameCampaign(state, ordinals, i)
    return quoteOf(state, ordinal, asker, before, ofSameDay(state, ordinals, i, asker.nowMs))
  })
}

/** How many of the codes before the one at `index` belong to its campaign. */
export function ofSameCampaign(state: ShardState, ordinals: readonly number[], index: number): number {
  if (index === 0 || state.campaigns.length === 0) return 0
  const campaign = campaignIn(state, ordinals[index] as number)
  let count = 0
  for (let i = 0; campaign >= 0 && i < index; i++) if (campaignIn(state, ordinals[i] as number) === campaign) count++
  return count
}

function campaignIn(state: ShardState, ordinal: number): number {
  if (ordinal < 0) return -1
  return isCampaign(ordinal) ? ordinal : state.campaignOf(ordinal)
}

/** `before`: uses of the same campaign that codes earlier in the call take; `dayBefore`: coupons of the same day. */
export function quoteOf(state: ShardState, ordinal: number, asker: Asker, before = 0, dayBefore = before): Quote {
  if (ordinal < 0) return NO_SUCH_COUPON
  const refusal = refusalBefore(state, ordinal, asker) ?? refusalOfLimits(state, ordinal, asker, before, dayBefore)
  return quoteFor(state, ordinal, asker, refusal)
}

/** The rules of a coupon beside a refusal that was found already. */
export function quoteFor(state: ShardState, ordinal: number, asker: Asker, refusal: RefusalCode | null): Quote {
  const detail = refusal === null ? '' : refusalDetail(state, ordinal, refusal, asker)
  const waitMs = refusal === 'COUPON_LOCKED' ? lockWaitMs(state, ordinal, asker.nowMs) : 0
  return { ordinal, refusal, detail, retryAfterMs: waitMs, rules: rulesOf(state, ordinal, asker.nowMs) }
}

/** The rules of a coupon, those of its campaign included where that lives here; or of a campaign. */
function rulesOf(state: ShardState, ordinal: number, nowMs: number): QuotedRules {
  const own = isCampaign(ordinal) ? ordinal : state.campaignOf(ordinal)
  const leftMinor = own < 0 ? Number.POSITIVE_INFINITY : budgetLeftAt(state, own, nowMs)
  return {
    version: state.rulesVersion(ordinal),
    updatedAtMs: state.rulesChangedAtMs(ordinal),
    validUntilMs: state.endsAtMs(ordinal),
    offer: isCampaign(ordinal) ? state.campaign(ordinal).offer : state.offer(ordinal),
    campaign: isCampaign(ordinal) ? null : state.definition(ordinal).campaign,
    day: dayAskOf(state, ordinal, nowMs),
    budgetLeftMinor: Number.isFinite(leftMinor) ? Math.max(0, leftMinor) : null,
  }
}

/** For coupons whose capacity an open reservation has already: only the cart is judged, by each offer. */
export function heldQuotes(quotes: readonly Quote[], cart: Cart | null): Quote[] {
  return quotes.map((quote) => {
    const { rules } = quote
    if (rules === null) return quote
    const { offer } = rules
    const refusal = cart === null || offer === null ? null : cartRefusal(offer, cart)
    const detail = refusal === null || cart === null || offer === null ? '' : cartRefusalDetail(refusal, offer, cart)
    return { ...quote, refusal, detail, retryAfterMs: 0 }
  })
}
