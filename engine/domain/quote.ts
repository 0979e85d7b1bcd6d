/**
 * Quotes: what one coupon may do for one asker, and its rules. Carts are judged by them, whether their coupons live on one
 * shard or on several (combine.ts).
 */
import type { Quote } from '../../protocol/outcomes.ts'
import type { RefusalCode } from '../../protocol/refusals.ts'
import type { Cart } from './cart.ts'
import { cartRefusal, cartRefusalDetail } from './eligibility.ts'
import { type Asker, refusalBefore, refusalDetail, refusalOfLimits, retryAfterMs } from './judge.ts'
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
  return ordinals.map((ordinal) => quoteOf(state, ordinal, asker))
}

export function quoteOf(state: ShardState, ordinal: number, asker: Asker): Quote {
  if (ordinal < 0) return NO_SUCH_COUPON
  const refusal = refusalBefore(state, ordinal, asker) ?? refusalOfLimits(state, ordinal, asker)
  return quoteFor(state, ordinal, asker, refusal)
}

/** The rules of a coupon beside a refusal that was found already. */
export function quoteFor(state: ShardState, ordinal: number, asker: Asker, refusal: RefusalCode | null): Quote {
  const detail = refusal === null ? '' : refusalDetail(state, ordinal, refusal, asker)
  const waitMs = refusal === 'COUPON_LOCKED' ? retryAfterMs(state, ordinal, asker.nowMs) : 0
  const { offer, validUntilMs } = state.definition(ordinal)
  const { version, updatedAtMs } = state.tables.coupons
  const rules = { version: version.get(ordinal), updatedAtMs: updatedAtMs.get(ordinal), validUntilMs, offer }
  return { ordinal, refusal, detail, retryAfterMs: waitMs, rules }
}

/** For coupons whose capacity an open reservation has already: only the cart is judged, by each offer. */
export function heldQuotes(quotes: readonly Quote[], cart: Cart | null): Quote[] {
  return quotes.map((quote) => {
    const { rules } = quote
    if (rules === null) return quote
    const refusal = cart === null ? null : cartRefusal(rules.offer, cart)
    const detail = refusal === null || cart === null ? '' : cartRefusalDetail(refusal, rules.offer, cart)
    return { ...quote, refusal, detail, retryAfterMs: 0 }
  })
}
