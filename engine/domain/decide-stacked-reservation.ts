/**
 * decide, for calls that name a reservation over several shards by its id, once decide-reservation.ts has handed them over.
 */
import { assert } from '../../protocol/assert.ts'
import type { ExtendReservation, RedeemReservation } from '../../protocol/commands.ts'
import { EVENT, type Stack, type StackedCoupon } from '../../protocol/events.ts'
import { OUTCOME, type Quote, type QuotedRules, type Verdict } from '../../protocol/outcomes.ts'
import { isUndecided } from './branches.ts'
import { decisiveVerdict } from './combine.ts'
import { beingRedeemed, isOrderClaimed, orderInDoubt, refuseVerdicts } from './decide-checkout.ts'
import { answered, decided, type Decision, refused } from './decision.ts'
import { priceAt } from './held-price.ts'
import { type Asker, refusalOfUses } from './judge.ts'
import { RESERVATION_MAX_MS } from './limits.ts'
import { WITH_OTHER_CODES } from './decide-branch.ts'
import { partOfStack } from './price-fact.ts'
import { NO_SUCH_COUPON, ofSameCampaign, quoteFor } from './quote.ts'
import { standingOf } from './standing.ts'
import type { History, ShardState } from './state.ts'
import { HeldStack } from './held-stack.ts'
import { fullness, type StackPlan } from './stack-plan.ts'
import { type Told, withCampaign, withinQuotedBudgets } from './stack-quotes.ts'

/**
 * The redemption of a reservation over several shards, once `decideRedeemReservation` has handed it over. `told`: of coupons
 * and campaigns of the reservation, with the order alone checked, or the limits too where it has run out.
 */
export function decideRedeemStack(
  state: ShardState,
  command: RedeemReservation,
  told: Told,
  nowMs: number,
  history: History,
): Decision | StackPlan {
  const standing = standingOf(state, command.reservationSeq, nowMs, history)
  assert(standing !== null && standing.begin.stack !== null, 'no stacked reservation was handed over')
  const { begin } = standing
  const { stack } = standing.begin
  const { coupons, campaigns = [] } = stack
  const { order, cart } = command
  state.hashUser(begin.user, state.userKey)
  state.hashOrder(order, state.orderKey)
  if (isOrderClaimed(state, begin.ordinals)) return orderInDoubt(state, begin.ordinals)
  const place = told.coupons.findIndex(
    (quote) => quote?.refusal === 'ORDER_CONFLICT' || quote?.refusal === 'REDEMPTION_REVERSED',
  )
  if (place >= 0) return refuseForOtherCodes(coupons, place)
  const asker: Asker = { user: begin.user, cart: null, nowMs }
  const quotes = quotesOfReservation(state, stack, told, asker, standing.status === 'EXPIRED')
  if (standing.status === 'RESERVED') {
    if (isUndecided(state, standing.head)) return beingRedeemed()
    const rulesOf = (coupon: StackedCoupon) => quotes[coupons.indexOf(coupon)]?.rules as QuotedRules
    const asked = coupons.map((coupon) => ({ ...coupon, version: 0 }))
    return new HeldStack(state, standing.head, begin, stack, rulesOf, history).redeem(order, cart, asked)
  }
  assert(standing.status === 'EXPIRED', 'a closed reservation was handed over')
  const price = priceAt(history, standing.priceSeq)
  assert(price !== null, 'a late redemption without a price was handed over')
  const verdicts = quotes.map(
    ({ ordinal, refusal, detail }, i): Verdict => ({
      ordinal,
      refusal,
      detail,
      amountMinor: refusal === null ? (price.amounts[i] as number) : null,
    }),
  )
  const combination = withinQuotedBudgets({ verdicts, price }, quotes)
  if (decisiveVerdict(combination.verdicts) >= 0) return refuseVerdicts(combination, quotes)
  const full = fullness(state)
  if (full !== null) return full
  return {
    redeems: true,
    reservationSeq: command.reservationSeq,
    reservationTxnSeq: 0,
    late: true,
    user: begin.user,
    order,
    price,
    expiresAtMs: 0,
    coupons: coupons.map((coupon) => ({ ...coupon, version: 0, heldSeq: 0 })),
    campaigns: campaigns.map((campaign) => ({ ...campaign, version: 0, heldSeq: 0 })),
    days: [],
    dayShard: -1,
  }
}

/** One quote a coupon of a reservation. `judgesLimits`: it has run out, and its capacity is taken anew. */
function quotesOfReservation(
  state: ShardState,
  { coupons, campaigns = [] }: Stack,
  told: Told,
  asker: Asker,
  judgesLimits: boolean,
): Quote[] {
  const here = partOfStack(state.shard, { coupons, campaigns }, []).ordinals
  let next = 0
  const ownQuote = (ordinal: number): Quote => {
    const before = ofSameCampaign(state, here, next++)
    return quoteFor(state, ordinal, asker, judgesLimits ? refusalOfUses(state, ordinal, asker, before) : null)
  }
  const quotes = coupons.map(({ shard, ordinal }, i) =>
    shard === state.shard ? ownQuote(ordinal) : (told.coupons[i] ?? NO_SUCH_COUPON),
  )
  for (const { place, shard, ordinal } of campaigns) {
    const its = shard === state.shard ? ownQuote(ordinal) : (told.campaigns[place] ?? null)
    quotes[place] = withCampaign(quotes[place] as Quote, its)
  }
  return quotes
}

/** The order has redeemed, alone or with others, a coupon that lives on another shard. */
function refuseForOtherCodes(coupons: readonly StackedCoupon[], couponIndex: number): Decision {
  const refusal = 'ORDER_CONFLICT'
  const detail = WITH_OTHER_CODES
  const verdicts = coupons.map(({ ordinal }): Verdict => ({ ordinal, refusal, detail, amountMinor: null }))
  return answered({ type: OUTCOME.REFUSED, refusal, detail, couponIndex, retryAfterMs: 0, verdicts })
}

/** As `decideExtendReservation`, bounded by coupons of other shards too. */
export function decideExtendStack(
  state: ShardState,
  command: ExtendReservation,
  told: Told,
  nowMs: number,
  history: History,
): Decision {
  const { reservationSeq } = command
  const standing = standingOf(state, reservationSeq, nowMs, history)
  if (standing?.status !== 'RESERVED') return refused('RESERVATION_EXPIRED', 'the reservation has run out')
  if (isUndecided(state, standing.head)) return beingRedeemed()
  const { holds } = state.tables
  let wantedMs = Math.min(nowMs + command.ttlSeconds * 1000, holds.startedAtMs.get(standing.head) + RESERVATION_MAX_MS)
  assert(standing.begin.stack !== null, 'no stacked reservation was handed over')
  const asker: Asker = { user: null, cart: null, nowMs }
  for (const { rules } of quotesOfReservation(state, standing.begin.stack, told, asker, false)) {
    wantedMs = Math.min(wantedMs, rules?.validUntilMs ?? wantedMs)
  }
  const shown = { type: OUTCOME.RESERVATION, seq: reservationSeq, again: true } as const
  if (wantedMs <= holds.expiresAtMs.get(standing.head)) return answered(shown)
  return decided([{ type: EVENT.RESERVATION_RETIMED, reservationSeq, expiresAtMs: wantedMs }], shown)
}
