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
import { type Bytes, textOf } from '../../protocol/bytes.ts'
import { COMMAND, type ExtendReservation, type RedeemReservation, type StackCommand } from '../../protocol/commands.ts'
import { EVENT, type Event, type Redeemed, type Reserved, type StackedCoupon } from '../../protocol/events.ts'
import { OUTCOME, type Quote, type QuotedRules, type Verdict } from '../../protocol/outcomes.ts'
import type { PriceFact } from '../../protocol/price.ts'
import { isUndecided } from './branches.ts'
import type { Cart } from './cart.ts'
import { type Combination, combineQuotes, decisiveVerdict } from './combine.ts'
import {
  beingRedeemed,
  isOrderClaimed,
  orderAlreadyRedeemed,
  orderInDoubt,
  redeemed,
  refuseRedeemedOrder,
  refuseVerdicts,
} from './decide-checkout.ts'
import { answered, decided, type Decision, refused, resolve } from './decision.ts'
import { isSamePrice, keepsPrice, priceAt, reservedPrice } from './held-price.ts'
import { type Asker, hangsOnOthers, refusalOfLimits } from './judge.ts'
import { OUTBOX_MAX, RESERVATION_MAX_MS, STACKS_MAX, UNDECIDED_MAX } from './limits.ts'
import { ANY_ORDER, openReservationForRedemption, openReservationOf, SAME_ORDER } from './open-reservation.ts'
import { releasesInTheWay } from './overdue.ts'
import { heldQuotes, quoteFor, quoteOf } from './quote.ts'
import { isSameStack, judgeRetry } from './retry.ts'
import { standingOf } from './standing.ts'
import { type History, type ShardState, txnKey } from './state.ts'

/** What the coordinator is going to do once every shard has prepared its part. */
export interface StackPlan {
  readonly redeems: boolean
  /** The reservation that is made final, or was and has run out; 0: none. */
  readonly reservationSeq: number
  /** Its transaction, where its capacity is kept; 0: capacity is taken. */
  readonly reservationTxnSeq: number
  readonly late: boolean
  readonly user: Bytes
  readonly order: Bytes | null
  readonly price: PriceFact | null
  /** RESERVE only. */
  readonly expiresAtMs: number
  /** In the order of the price. */
  readonly coupons: readonly PlannedCoupon[]
}

export interface PlannedCoupon {
  readonly shard: number
  readonly ordinal: number
  readonly code: string
  /** Of the rules that were priced. */
  readonly version: number
  /** Known where a reservation has the capacity; otherwise 0 until its shard has prepared. */
  readonly heldSeq: number
}

export function isPlan(made: Decision | StackPlan): made is StackPlan {
  return 'coupons' in made
}

/** `quotes`: one a coupon of the call; what stands for those of this shard is not looked at, they are judged now. */
export function decideStack(
  state: ShardState,
  command: StackCommand,
  remote: readonly (Quote | null)[],
  nowMs: number,
  history: History,
): Decision | StackPlan {
  const { call } = command
  if (call.user !== null) state.hashUser(call.user, state.userKey)
  if (call.order !== null) state.hashOrder(call.order, state.orderKey)
  const asker: Asker = { user: call.user, cart: call.cart, nowMs }
  const quotes = command.shards.map((shard, i) =>
    shard === state.shard ? quoteOf(state, resolve(state, call.coupons[i] as never), asker) : (remote[i] as Quote),
  )
  return new StackJudge(state, command, quotes, asker, history).judge()
}

class StackJudge {
  private readonly state: ShardState
  private readonly command: StackCommand
  private readonly quotes: readonly Quote[]
  private readonly asker: Asker
  private readonly history: History
  /** Of this shard. */
  private readonly ordinals: readonly number[]
  private readonly coupons: readonly PlannedCoupon[]

  constructor(state: ShardState, command: StackCommand, quotes: readonly Quote[], asker: Asker, history: History) {
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
    const combination = combineQuotes(this.quotes, call.cart)
    if (decisiveVerdict(combination.verdicts) >= 0) return this.refuseQuotes()
    return this.plan(combination.price)
  }

  private validate(): Decision {
    const { user, cart } = this.command.call
    const isHeld = user !== null && this.isKnown() && this.openReservation() >= 0
    const { verdicts, price } = combineQuotes(isHeld ? heldQuotes(this.quotes, cart) : this.quotes, cart)
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
    const { refusal, detail } = this.quotes[place] as Quote
    return refusal === null ? null : this.atEveryCode(refused(refusal, detail, place))
  }

  /** A refusal that the order earned stands at every code of the call. */
  private atEveryCode(found: Decision): Decision {
    const { answer } = found
    if (answer.type !== OUTCOME.REFUSED) return found
    const { refusal, detail } = answer
    const verdicts = this.quotes.map(({ ordinal }): Verdict => ({ ordinal, refusal, detail, amountMinor: null }))
    const ofOwn = this.coupons.findIndex(({ shard }) => shard === this.state.shard)
    const couponIndex = answer.verdicts === null ? answer.couponIndex : ofOwn
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
    const held = new HeldStack(this.state, head, begin, begin.stack.coupons, this.rulesByCoupon(), this.history)
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
    }
  }

  private refuseQuotes(): Decision {
    const combination = combineQuotes(this.quotes, this.command.call.cart)
    const place = decisiveVerdict(combination.verdicts)
    const { ordinal, refusal } = combination.verdicts[place] as Verdict
    const isOwn = this.command.shards[place] === this.state.shard
    const hangs =
      isOwn && ordinal >= 0 && refusal !== null && hangsOnOthers(this.state, ordinal, refusal, this.asker.nowMs)
    return refuseVerdicts(combination, this.quotes, hangs)
  }
}

/** An open reservation over several shards, and the rules of its coupons as they are now. */
class HeldStack {
  private readonly state: ShardState
  private readonly head: number
  private readonly begin: Reserved
  private readonly coupons: readonly StackedCoupon[]
  private readonly rules: readonly QuotedRules[]
  private readonly history: History

  constructor(
    state: ShardState,
    head: number,
    begin: Reserved,
    coupons: readonly StackedCoupon[],
    rulesOf: (coupon: StackedCoupon) => QuotedRules,
    history: History,
  ) {
    this.state = state
    this.head = head
    this.begin = begin
    this.coupons = coupons
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
      const combination = this.priced(cart)
      if (combination.price === null) return refuseVerdicts(this.inOrderOf(asked, combination))
      if (price === null || !this.keeps(price, cart)) price = combination.price
    }
    if (price === null) return refused('INVALID_REQUEST', 'a cart is needed: the reservation was made without one')
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
    }
  }

  private keeps(reserved: PriceFact, cart: Cart): boolean {
    const updates = this.rules.map(({ updatedAtMs }) => updatedAtMs)
    return keepsPrice(this.state, this.head, reserved, cart, updates, this.history)
  }

  private priced(cart: Cart): Combination {
    const quotes = this.coupons.map(
      ({ ordinal }, i): Quote => ({
        ordinal,
        refusal: null,
        detail: '',
        retryAfterMs: 0,
        rules: this.rules[i] as QuotedRules,
      }),
    )
    return combineQuotes(heldQuotes(quotes, cart), cart)
  }

  private inOrderOf(asked: readonly PlannedCoupon[], { verdicts, price }: Combination): Combination {
    const placeOf = ({ shard, ordinal }: PlannedCoupon) =>
      this.coupons.findIndex((each) => each.shard === shard && each.ordinal === ordinal)
    return { verdicts: asked.map((coupon) => verdicts[placeOf(coupon)] as Verdict), price }
  }
}

/**
 * The redemption of a reservation over several shards, once `decideRedeemReservation` has handed it over. `remote`: one quote
 * a coupon of the reservation, with the order alone checked, or the limits too where it has run out.
 */
export function decideRedeemStack(
  state: ShardState,
  command: RedeemReservation,
  remote: readonly (Quote | null)[],
  nowMs: number,
  history: History,
): Decision | StackPlan {
  const standing = standingOf(state, command.reservationSeq, nowMs, history)
  assert(standing !== null && standing.begin.stack !== null, 'no stacked reservation was handed over')
  const { begin } = standing
  const { coupons } = standing.begin.stack
  const { order, cart } = command
  state.hashUser(begin.user, state.userKey)
  state.hashOrder(order, state.orderKey)
  if (isOrderClaimed(state, begin.ordinals)) return orderInDoubt(state, begin.ordinals)
  const place = remote.findIndex(
    (quote) => quote?.refusal === 'ORDER_CONFLICT' || quote?.refusal === 'REDEMPTION_REVERSED',
  )
  if (place >= 0) {
    const { refusal, detail } = remote[place] as Quote
    if (refusal !== null) return refused(refusal, detail, place)
  }
  const asker: Asker = { user: begin.user, cart: null, nowMs }
  const quotes = coupons.map(({ shard, ordinal }, i) => {
    if (shard !== state.shard) return remote[i] as Quote
    const refusal = standing.status === 'EXPIRED' ? refusalOfLimits(state, ordinal, asker) : null
    return quoteFor(state, ordinal, asker, refusal)
  })
  if (standing.status === 'RESERVED') {
    if (isUndecided(state, standing.head)) return beingRedeemed()
    const rulesOf = (coupon: StackedCoupon) => quotes[coupons.indexOf(coupon)]?.rules as QuotedRules
    const asked = coupons.map((coupon) => ({ ...coupon, version: 0 }))
    return new HeldStack(state, standing.head, begin, coupons, rulesOf, history).redeem(order, cart, asked)
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
  if (decisiveVerdict(verdicts) >= 0) return refuseVerdicts({ verdicts, price: null }, quotes)
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
  }
}

/** As `decideExtendReservation`, bounded by coupons of other shards too. */
export function decideExtendStack(
  state: ShardState,
  command: ExtendReservation,
  remote: readonly (Quote | null)[],
  nowMs: number,
  history: History,
): Decision {
  const { reservationSeq } = command
  const standing = standingOf(state, reservationSeq, nowMs, history)
  if (standing?.status !== 'RESERVED') return refused('RESERVATION_EXPIRED', 'the reservation has run out')
  if (isUndecided(state, standing.head)) return beingRedeemed()
  const { holds } = state.tables
  let wantedMs = Math.min(nowMs + command.ttlSeconds * 1000, holds.startedAtMs.get(standing.head) + RESERVATION_MAX_MS)
  const own = standing.begin.ordinals.map((ordinal) => state.definition(ordinal).validUntilMs)
  for (const untilMs of [...own, ...remote.map((quote) => quote?.rules?.validUntilMs ?? null)]) {
    wantedMs = Math.min(wantedMs, untilMs ?? wantedMs)
  }
  const shown = { type: OUTCOME.RESERVATION, seq: reservationSeq, again: true } as const
  if (wantedMs <= holds.expiresAtMs.get(standing.head)) return answered(shown)
  return decided([{ type: EVENT.RESERVATION_RETIMED, reservationSeq, expiresAtMs: wantedMs }], shown)
}

/** Bounds of what may be under way; null: there is room. */
function fullness(state: ShardState): Decision | null {
  if (state.undecided.size < UNDECIDED_MAX && state.stacks.size < STACKS_MAX && state.outbox.size < OUTBOX_MAX)
    return null
  return refused('STORAGE_UNAVAILABLE', 'too many calls over several shards are under way; nothing was done')
}

/** The coordinator's own part: its event is the transaction. */
export function prepareOwn(state: ShardState, plan: StackPlan, nowMs: number): Event[] {
  const { coupons, user, order, reservationTxnSeq } = plan
  const ordinals = coupons.filter(({ shard }) => shard === state.shard).map(({ ordinal }) => ordinal)
  const shards = shardsOf(plan).slice(1)
  const txn = { shard: state.shard, seq: 0 }
  const events = reservationTxnSeq === 0 ? releasesInTheWay(state, ordinals, nowMs) : []
  events.push({ type: EVENT.BRANCH_PREPARED, txn, ordinals, user, order, reservationTxnSeq, shards })
  return events
}

/** The shards of a plan in ascending order: that of the coordinator is the first. */
export function shardsOf({ coupons }: StackPlan): number[] {
  const shards: number[] = []
  for (let i = 0; i < coupons.length; i++) {
    const { shard } = coupons[i] as PlannedCoupon
    if (!shards.includes(shard)) shards.push(shard)
  }
  return shards.sort((a, b) => a - b)
}

/** The decision, when every shard has prepared; `heldSeqs` says by which event each of `shards` has. */
export function concludeStack(
  state: ShardState,
  plan: StackPlan,
  txnSeq: number,
  shards: readonly number[],
  heldSeqs: readonly number[],
): Reserved | Redeemed {
  const { user, order, price, reservationSeq, late, expiresAtMs } = plan
  const coupons = plan.coupons.map(
    ({ shard, ordinal, code, heldSeq }): StackedCoupon => ({
      shard,
      ordinal,
      code,
      heldSeq: plan.reservationTxnSeq === 0 ? (heldSeqs[shards.indexOf(shard)] as number) : heldSeq,
    }),
  )
  const ordinals = coupons.filter(({ shard }) => shard === state.shard).map(({ ordinal }) => ordinal)
  const stack = { txnSeq, coupons }
  if (!plan.redeems) return { type: EVENT.RESERVED, ordinals, user, order, expiresAtMs, price, stack }
  assert(order !== null && price !== null, 'a redemption without an order or a price')
  return redeemed(reservationSeq, late, ordinals, user, order, price, stack)
}
