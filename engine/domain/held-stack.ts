/**
 * An open reservation over several shards, met by a call for the same coupons: given again, repriced, or made final. Its
 * capacity is there, so only the cart is judged, by the rules that the quotes told.
 */
import type { Bytes } from '../../protocol/bytes.ts'
import { EVENT, type Reserved, type Stack, type StackedCampaign, type StackedCoupon } from '../../protocol/events.ts'
import { OUTCOME, type Quote, type QuotedRules, type Verdict } from '../../protocol/outcomes.ts'
import type { PriceFact } from '../../protocol/price.ts'
import { fitsHeld } from './branch-amounts.ts'
import { amountsForBudgets } from './budgets.ts'
import type { Cart } from './cart.ts'
import { type Combination, combineQuotes } from './combine.ts'
import { refuseVerdicts } from './decide-checkout.ts'
import { answered, decided, type Decision, refused } from './decision.ts'
import { isSamePrice, keepsPrice, reservedPrice } from './held-price.ts'
import { partOfStack } from './price-fact.ts'
import { heldQuotes } from './quote.ts'
import type { History, ShardState } from './state.ts'
import { fullness, type PlannedCoupon, type StackPlan } from './stack-plan.ts'
import { withinQuotedBudgets } from './stack-quotes.ts'

/** An open reservation over several shards, and the rules of its coupons as they are now. */
export class HeldStack {
  private readonly state: ShardState
  private readonly head: number
  private readonly begin: Reserved
  private readonly coupons: readonly StackedCoupon[]
  private readonly campaigns: readonly StackedCampaign[]
  private readonly rules: readonly QuotedRules[]
  private readonly history: History

  constructor(
    state: ShardState,
    head: number,
    begin: Reserved,
    { coupons, campaigns }: Stack,
    rulesOf: (coupon: StackedCoupon) => QuotedRules,
    history: History,
  ) {
    this.state = state
    this.head = head
    this.begin = begin
    this.coupons = coupons
    this.campaigns = campaigns ?? []
    this.rules = coupons.map(rulesOf)
    this.history = history
  }

  /** The user came back: the same reservation, its time unchanged, at the price of the cart that was brought. */
  reserveAgain(cart: Cart | null, asked: readonly PlannedCoupon[]): Decision {
    const reservationSeq = this.state.tables.holds.seq.get(this.head)
    const shown = { type: OUTCOME.RESERVATION, seq: reservationSeq, again: true } as const
    if (cart === null) return answered(shown)
    const reserved = reservedPrice(this.state, this.head, this.history)
    if (reserved !== null && this.keeps(reserved, cart)) return answered(shown)
    const combination = this.priced(cart)
    const { price } = combination
    if (price === null) return refuseVerdicts(this.inOrderOf(asked, combination))
    if (reserved !== null && isSamePrice(reserved, price)) return answered(shown)
    const ordinals = this.coupons.map(({ ordinal }) => ordinal)
    return decided([{ type: EVENT.RESERVATION_REPRICED, reservationSeq, ordinals, price }], shown)
  }

  /** `asked`: the coupons in the order that the caller knows them in. */
  redeem(order: Bytes, cart: Cart | null, asked: readonly PlannedCoupon[]): Decision | StackPlan {
    let price = reservedPrice(this.state, this.head, this.history)
    if (cart !== null) {
      const isKept = price !== null && this.keeps(price, cart)
      const combination = isKept ? this.combined(cart) : this.priced(cart)
      if (combination.price === null) return refuseVerdicts(this.inOrderOf(asked, combination))
      if (!isKept) price = combination.price
    }
    if (price === null) return refused('INVALID_REQUEST', 'a cart is needed: the reservation was made without one')
    if (!this.fitsHere(price))
      return refused('BUDGET_EXHAUSTED', 'the campaign’s budget has less left than this discount')
    const full = fullness(this.state)
    if (full !== null) return full
    const { holds } = this.state.tables
    return {
      redeems: true,
      reservationSeq: holds.seq.get(this.head),
      reservationTxnSeq: holds.txnSeq.get(this.head),
      late: false,
      user: this.begin.user,
      order,
      price,
      expiresAtMs: 0,
      coupons: this.coupons.map((coupon, i) => ({ ...coupon, version: this.rules[i]?.version ?? 0 })),
      campaigns: this.campaigns.map((campaign) => ({ ...campaign, version: 0 })),
      days: [],
      dayShard: -1,
    }
  }

  /** Whether what this shard's campaigns are to give beyond what is held for it is there. */
  private fitsHere(price: PriceFact): boolean {
    const { coupons, campaigns, state } = this
    const { ordinals, amounts } = partOfStack(state.shard, { coupons, campaigns }, price.amounts)
    return fitsHeld(state, this.head, amountsForBudgets(state, ordinals, amounts))
  }

  private keeps(reserved: PriceFact, cart: Cart): boolean {
    const updates = this.rules.map(({ updatedAtMs }) => updatedAtMs)
    return keepsPrice(this.state, this.head, reserved, cart, updates, this.history)
  }

  private priced(cart: Cart): Combination {
    return withinQuotedBudgets(this.combined(cart), this.quotes(), this.begin.price?.amounts)
  }

  private combined(cart: Cart): Combination {
    return combineQuotes(heldQuotes(this.quotes(), cart), cart)
  }

  private quotes(): Quote[] {
    return this.coupons.map(
      ({ ordinal }, i): Quote => ({
        ordinal,
        refusal: null,
        detail: '',
        retryAfterMs: 0,
        rules: this.rules[i] as QuotedRules,
      }),
    )
  }

  private inOrderOf(asked: readonly PlannedCoupon[], { verdicts, price }: Combination): Combination {
    const placeOf = ({ shard, ordinal }: PlannedCoupon) =>
      this.coupons.findIndex((each) => each.shard === shard && each.ordinal === ordinal)
    return { verdicts: asked.map((coupon) => verdicts[placeOf(coupon)] as Verdict), price }
  }
}
