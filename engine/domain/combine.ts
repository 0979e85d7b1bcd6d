/**
 * Several coupons in one cart: what each may do beside the others, and what they give together.
 *
 * Works on quotes, so that it does not matter whether the coupons live on one shard or on several. Of a code's failing
 * checks the first in the contract's order counts, and so over all codes; stacking stands between applicability and limits.
 */
import { assert } from '../../protocol/assert.ts'
import type { Quote, Verdict } from '../../protocol/outcomes.ts'
import type { PriceFact } from '../../protocol/price.ts'
import { REFUSALS, type RefusalCode } from '../../protocol/refusals.ts'
import type { Cart } from './cart.ts'
import type { Offer } from './offer.ts'
import { priceFact } from './price-fact.ts'

export interface Combination {
  /** One a code, in request order. */
  readonly verdicts: readonly Verdict[]
  /** null unless every code is applicable and there is a cart. */
  readonly price: PriceFact | null
}

const STACKING_RANK = REFUSALS.NOT_STACKABLE.rank

/**
 * Where some codes are refused, the amounts of the others are what they would give together without those.
 */
export function combineQuotes(quotes: readonly Quote[], cart: Cart | null): Combination {
  const refusals = quotes.map((quote) => refusalBesideOthers(quote, quotes.length))
  const applicable: number[] = []
  for (let i = 0; i < quotes.length; i++) if (refusals[i] === null) applicable.push(i)
  const price =
    cart === null || applicable.length === 0
      ? null
      : priceFact(
          cart,
          applicable.map((i) => offerOf(quotes[i])),
        )
  const verdicts: Verdict[] = []
  for (let i = 0; i < quotes.length; i++) {
    const quote = quotes[i] as Quote
    const refusal = refusals[i] ?? null
    if (refusal === null) {
      const amountMinor = price === null ? null : (price.amounts[applicable.indexOf(i)] as number)
      verdicts.push({ ordinal: quote.ordinal, refusal, detail: '', amountMinor })
    } else {
      const detail = refusal === quote.refusal ? quote.detail : 'the coupon does not combine with others'
      verdicts.push({ ordinal: quote.ordinal, refusal, detail, amountMinor: null })
    }
  }
  return { verdicts, price: applicable.length === quotes.length ? price : null }
}

function refusalBesideOthers(quote: Quote, codes: number): RefusalCode | null {
  const excluded = codes > 1 && quote.rules?.offer?.stacking === 'EXCLUSIVE'
  if (!excluded) return quote.refusal
  return quote.refusal !== null && REFUSALS[quote.refusal].rank < STACKING_RANK ? quote.refusal : 'NOT_STACKABLE'
}

function offerOf(quote: Quote | undefined): Offer {
  const offer = quote?.rules?.offer ?? null
  assert(offer !== null, 'an applicable coupon without an offer')
  return offer
}

/** Index of the verdict that answers for all: the first failing check over all codes; -1 when none failed. */
export function decisiveVerdict(verdicts: readonly Verdict[]): number {
  let decisive = -1
  let rank = Number.POSITIVE_INFINITY
  for (let i = 0; i < verdicts.length; i++) {
    const refusal = (verdicts[i] as Verdict).refusal
    if (refusal !== null && REFUSALS[refusal].rank < rank) {
      decisive = i
      rank = REFUSALS[refusal].rank
    }
  }
  return decisive
}
