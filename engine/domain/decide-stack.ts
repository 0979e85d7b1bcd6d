/**
 * decide, for a call whose coupons live on several shards, on the one that coordinates it (the lowest of them, so that holds
 * are taken in ascending order of coupon ids and two calls can never wait for each other).
 *
 *     quotes of the other shards ──▶ decide… ──▶ refusal, replay, read         nothing is logged
 *                                         └────▶ plan ──▶ prepareOwn           BRANCH_PREPARED here
 *                                                            … the other shards prepare …
 *                                                         concludeStack        RESERVED or REDEEMED: the decision
 *
 * The same judgements as for one shard (decide-checkout.ts): only where the quotes come from differs, and that what is
 * decided takes two steps.
 */
import { assert } from '../../protocol/assert.ts'
import { textOf } from '../../protocol/bytes.ts'
import { COMMAND, type StackCommand } from '../../protocol/commands.ts'
import { EVENT, type StackedCoupon } from '../../protocol/events.ts'
import { OUTCOME, type Quote, type QuotedRules, type Verdict } from '../../protocol/outcomes.ts'
import type { PriceFact } from '../../protocol/price.ts'
import { isUndecided } from './branches.ts'
import { WITH_OTHER_CODES } from './decide-branch.ts'
import { type Combination, combineQuotes, decisiveVerdict } from './combine.ts'
import {
  beingRedeemed,
  isOrderClaimed,
  orderAlreadyRedeemed,
  orderInDoubt,
  refuseRedeemedOrder,
  refuseVerdicts,
} from './decide-checkout.ts'
import { answered, type Decision, refused } from './decision.ts'
import type { Asker } from './judge.ts'
import { ANY_ORDER, openReservationForRedemption, openReservationOf, SAME_ORDER } from './open-reservation.ts'
import { heldQuotes } from './quote.ts'
import { isSameStack, judgeRetry } from './retry.ts'
import { type History, type ShardState, txnKey } from './state.ts'
import { HeldStack } from './held-stack.ts'
import { fullness, type PlannedCampaign, type PlannedCoupon, type StackPlan } from './stack-plan.ts'
import { type QuotedCall, quotedCall, type Told, withinQuotedBudgets } from './stack-quotes.ts'

/** What was told of this shard is not looked at: its coupons are judged now. */
export function decideStack(
  state: ShardState,
  command: StackCommand,
  told: Told,
  nowMs: number,
  history: History,
): Decision | StackPlan {
  const { call, shards } = command
  if (call.user !== null) state.hashUser(call.user, state.userKey)
  if (call.order !== null) state.hashOrder(call.order, state.orderKey)
  const asker: Asker = { user: call.user, cart: call.cart, nowMs }
  const quoted = quotedCall(state, { shards, coupons: call.coupons }, told, asker)
  return new StackJudge(state, command, quoted, asker, history).judge()
}

class StackJudge {
  private readonly state: ShardState
  private readonly command: StackCommand
  private readonly quoted: QuotedCall
  private readonly quotes: readonly Quote[]
  private readonly asker: Asker
  private readonly history: History
  /** Of this shard. */
  private readonly ordinals: readonly number[]
  private readonly coupons: readonly PlannedCoupon[]

  constructor(state: ShardState, command: StackCommand, quoted: QuotedCall, asker: Asker, history: History) {
    const { quotes } = quoted
    this.quoted = quoted
    this.state = state
    this.command = command
    this.quotes = quotes
    this.asker = asker
    this.history = history
    this.coupons = command.shards.map((shard, i) => {
      const { ordinal, rules } = quotes[i] as Quote
      const code = command.call.coupons[i]?.code ?? null
      return { shard, ordinal, code: code === null ? '' : textOf(code), version: rules?.version ?? 0, heldSeq: 0 }
    })
    this.ordinals = this.coupons.filter(({ shard }) => shard === state.shard).map(({ ordinal }) => ordinal)
  }

  judge(): Decision | StackPlan {
    const { type, order } = this.command.call
    if (type === COMMAND.VALIDATE) return this.validate()
    if (this.quotes.some(({ ordinal }) => ordinal < 0)) return this.refuseQuotes()
    const ofOrder = order === null ? null : this.judgeOrder()
    if (ofOrder !== null) return ofOrder
    const head = this.openReservation()
    if (head >= 0) return this.withReservation(head)
    if (type === COMMAND.RESERVE && order === null && this.isBeingReserved()) {
      return { ...refused('COUPON_LOCKED', 'this user reserves the coupons at this moment'), hangs: true }
    }
    const { call } = this.command
    if (call.cart === null && type === COMMAND.REDEEM) {
      return refused('INVALID_REQUEST', 'a cart is needed: this user has no reservation of these coupons')
    }
    const combination = withinQuotedBudgets(combineQuotes(this.quotes, call.cart), this.quotes)
    if (decisiveVerdict(combination.verdicts) >= 0) return this.refuse(combination)
    return this.plan(combination.price)
  }

  private validate(): Decision {
    const { user, cart } = this.command.call
    const isHeld = user !== null && this.isKnown() && this.openReservation() >= 0
    const combination = combineQuotes(isHeld ? heldQuotes(this.quotes, cart) : this.quotes, cart)
    const { verdicts, price } = isHeld ? combination : withinQuotedBudgets(combination, this.quotes)
    return answered({ type: OUTCOME.VALIDATED, verdicts, price })
  }

  private isKnown(): boolean {
    return this.quotes.every(({ ordinal }) => ordinal >= 0)
  }

  /** Replay or conflict; null: the order is new to all these coupons. */
  private judgeOrder(): Decision | null {
    const { state, history, ordinals } = this
    const { type, user, cart } = this.command.call
    if (isOrderClaimed(state, ordinals)) return orderInDoubt(state, ordinals)
    const earlier = orderAlreadyRedeemed(state, ordinals)
    if (earlier !== 0) {
      const found =
        type === COMMAND.REDEEM
          ? judgeRetry(state, history, earlier, user, ordinals, this.coupons, cart)
          : refuseRedeemedOrder(state, history, ordinals, earlier)
      return this.atEveryCode(found)
    }
    const place = this.quotes.findIndex(
      ({ refusal }) => refusal === 'ORDER_CONFLICT' || refusal === 'REDEMPTION_REVERSED',
    )
    if (place < 0) return null
    // To a redemption it is a conflict even where that other one was reversed.
    if (type === COMMAND.REDEEM) return this.atEveryCode(refused('ORDER_CONFLICT', WITH_OTHER_CODES, place))
    const { refusal, detail } = this.quotes[place] as Quote
    return refusal === null ? null : this.atEveryCode(refused(refusal, detail, place))
  }

  /** A refusal that the order earned stands at every code of the call. */
  private atEveryCode(found: Decision): Decision {
    const { answer } = found
    if (answer.type !== OUTCOME.REFUSED) return found
    const { refusal, detail } = answer
    const verdicts = this.quotes.map(({ ordinal }): Verdict => ({ ordinal, refusal, detail, amountMinor: null }))
    const own = [...this.coupons.keys()].filter((place) => this.coupons[place]?.shard === this.state.shard)
    const couponIndex = answer.verdicts === null ? answer.couponIndex : (own[answer.couponIndex] as number)
    return answered({ ...answer, couponIndex, verdicts })
  }

  private openReservation(): number {
    const { state, ordinals, history, coupons } = this
    const { type, order } = this.command.call
    const matches = (head: number): boolean => {
      if (state.tables.holds.txnShard.get(head) !== state.shard) return false
      const begin = history.at(state.tables.holds.seq.get(head))?.event
      // What is still undecided has no reservation yet.
      return begin?.type === EVENT.RESERVED && isSameStack(coupons, begin.stack)
    }
    const { nowMs } = this.asker
    if (type === COMMAND.REDEEM) return openReservationForRedemption(state, ordinals, nowMs, matches)
    const orders = order === null || type === COMMAND.VALIDATE ? ANY_ORDER : SAME_ORDER
    return openReservationOf(state, ordinals, orders, nowMs, matches)
  }

  /**
   * The same user is about to have a reservation of these coupons, as far as this shard can tell: who asks twice at once
   * is to get one.
   */
  private isBeingReserved(): boolean {
    const { state, ordinals } = this
    const { holds } = state.tables
    const others = new Set(this.command.shards)
    for (const away of this.quoted.away) if (away !== null) others.add(away.shard)
    if (this.quoted.dayShard >= 0) others.add(this.quoted.dayShard)
    others.delete(state.shard)
    const matches = (head: number): boolean => {
      if (holds.txnShard.get(head) !== state.shard || holds.hasClaim.get(head) !== 0) return false
      const undecided = state.undecided.get(txnKey({ shard: state.shard, seq: holds.claimSeq.get(head) }))
      const isTaking = undecided !== undefined && holds.claimSeq.get(head) === holds.txnSeq.get(head)
      return isTaking && undecided.shards.length === others.size && undecided.shards.every((shard) => others.has(shard))
    }
    return openReservationOf(state, ordinals, ANY_ORDER, this.asker.nowMs, matches) >= 0
  }

  private withReservation(head: number): Decision | StackPlan {
    const { call } = this.command
    const begin = this.history.at(this.state.tables.holds.seq.get(head))?.event
    assert(begin?.type === EVENT.RESERVED && begin.stack !== null, 'a stacked reservation without its event')
    if (isUndecided(this.state, head)) return beingRedeemed()
    const held = new HeldStack(this.state, head, begin, begin.stack, this.rulesByCoupon(), this.history)
    if (call.type === COMMAND.REDEEM) {
      assert(call.user !== null && call.order !== null, 'a redemption without a user or an order')
      return held.redeem(call.order, call.cart, this.coupons)
    }
    return held.reserveAgain(call.cart, this.coupons)
  }

  private rulesByCoupon(): (coupon: StackedCoupon) => QuotedRules {
    return ({ shard, ordinal }) => {
      const place = this.coupons.findIndex((each) => each.shard === shard && each.ordinal === ordinal)
      return this.quotes[place]?.rules as QuotedRules
    }
  }

  private plan(price: PriceFact | null): Decision | StackPlan {
    const { state } = this
    const { type, user, order, ttlSeconds } = this.command.call
    assert(user !== null, 'a call that acts without a user')
    const redeems = type === COMMAND.REDEEM
    const full = fullness(state)
    if (full !== null) return full
    let expiresAtMs = redeems ? 0 : this.asker.nowMs + ttlSeconds * 1000
    for (const { rules } of this.quotes) expiresAtMs = Math.min(expiresAtMs, rules?.validUntilMs ?? expiresAtMs)
    return {
      redeems,
      reservationSeq: 0,
      reservationTxnSeq: 0,
      late: false,
      user,
      order,
      price,
      expiresAtMs,
      coupons: this.coupons,
      campaigns: this.campaigns(),
      days: this.quoted.days.map(({ day }) => day),
      dayShard: this.quoted.dayShard,
    }
  }

  private campaigns(): PlannedCampaign[] {
    const campaigns: PlannedCampaign[] = []
    for (const away of this.quoted.away) {
      if (away === null) continue
      const { place, shard, ordinal } = away
      campaigns.push({ place, shard, ordinal, version: this.quoted.campaignVersions[place] as number, heldSeq: 0 })
    }
    return campaigns
  }

  private refuseQuotes(): Decision {
    return this.refuse(combineQuotes(this.quotes, this.command.call.cart))
  }

  private refuse(combination: Combination): Decision {
    const place = decisiveVerdict(combination.verdicts)
    const { refusal } = combination.verdicts[place] as Verdict
    const isAsQuoted = refusal === this.quotes[place]?.refusal
    return refuseVerdicts(combination, this.quotes, isAsQuoted && this.quoted.hanging[place] === true)
  }
}
