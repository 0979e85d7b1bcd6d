/**
 * decide, for the calls that carry codes: validate, reserve, redeem. Here all codes live on this shard; decide-stack.ts is for
 * several.
 *
 * The order of the contract: existence, replay or conflict of the order, then check by check over all codes. A user's open
 * reservation of the same codes has its capacity already, so only the cart is judged for it: open reservations are honoured.
 */
import { assert } from '../../protocol/assert.ts'
import type { Bytes } from '../../protocol/bytes.ts'
import { type CheckoutCommand, COMMAND } from '../../protocol/commands.ts'
import { EVENT, type Redeemed, type Stack } from '../../protocol/events.ts'
import { OUTCOME, type Quote, type Verdict } from '../../protocol/outcomes.ts'
import type { PriceFact } from '../../protocol/price.ts'
import type { Cart } from './cart.ts'
import { isStacked, rowOfClaim } from './branches.ts'
import { fitsBudget, withinBudgets } from './budgets.ts'
import { type Combination, combineQuotes, decisiveVerdict } from './combine.ts'
import { answered, decided, type Decision, HAND_OVER, LAST_EVENT, refused, resolve } from './decision.ts'
import { daysCounted, isDayAway } from './daily.ts'
import { isSamePrice, keepsPrice, reservedPrice } from './held-price.ts'
import { type Asker, hangsOnOthers, refusalBefore, refusalOfLimits } from './judge.ts'
import {
  ANY_ORDER,
  heldAmountsOf,
  openReservationForRedemption,
  openReservationOf,
  ordinalsOf,
  SAME_ORDER,
} from './open-reservation.ts'
import { releasesForBudgets, releasesInTheWay } from './overdue.ts'
import { priceFact } from './price-fact.ts'
import { heldQuotes, quoteFor, quotesOf } from './quote.ts'
import { isReversed, judgeRetry, redemptionOfOrder, refusedForOrder } from './retry.ts'
import type { History, ShardState } from './state.ts'

/** A campaign, or the user's day, is kept by another shard. */
const HANDED_OVER: Decision = answered({ type: HAND_OVER })

export function decideCheckout(state: ShardState, command: CheckoutCommand, nowMs: number, history: History): Decision {
  const ordinals = command.coupons.map((ref) => resolve(state, ref))
  if (command.user !== null) state.hashUser(command.user, state.userKey)
  if (command.order !== null) state.hashOrder(command.order, state.orderKey)
  const asker: Asker = { user: command.user, cart: command.cart, nowMs }
  if (ordinals.some((ordinal) => ordinal >= 0 && state.isAway(ordinal))) return HANDED_OVER
  switch (command.type) {
    case COMMAND.VALIDATE: {
      const head = openHead(state, ordinals, asker)
      if (head < 0 && command.user !== null && isDayAway(state, ordinals, command.user)) return HANDED_OVER
      const quotes = quotesOf(state, ordinals, asker)
      const combination = combineQuotes(head < 0 ? quotes : heldQuotes(quotes, command.cart), command.cart)
      const { verdicts, price } =
        head < 0
          ? withinBudgets(state, combination, ordinals, nowMs)
          : withinBudget(state, combination, ordinals, head, nowMs)
      return answered({ type: OUTCOME.VALIDATED, verdicts, price })
    }
    case COMMAND.RESERVE:
      return decideReserve(state, command, ordinals, asker, history)
    case COMMAND.REDEEM:
      return decideRedeem(state, command, ordinals, asker, history)
  }
}

function decideReserve(
  state: ShardState,
  command: CheckoutCommand,
  ordinals: readonly number[],
  asker: Asker,
  history: History,
): Decision {
  const { user, order, cart } = command
  assert(user !== null, 'a reservation without a user')
  if (ordinals.includes(-1)) return refuseCombination(state, ordinals, asker)
  if (order !== null && isOrderClaimed(state, ordinals)) return orderInDoubt(state, ordinals)
  const earlier = order === null ? 0 : orderAlreadyRedeemed(state, ordinals)
  if (earlier !== 0) return refuseRedeemedOrder(state, history, ordinals, earlier)
  const orders = order === null ? ANY_ORDER : SAME_ORDER
  const head = openReservationOf(state, ordinals, orders, asker.nowMs, isLocal(state))
  if (head >= 0) return decideReserveAgain(state, head, ordinals, cart, asker.nowMs, history)
  if (isDayAway(state, ordinals, user)) return HANDED_OVER
  const quotes = quotesOf(state, ordinals, asker)
  const combination = withinBudgets(state, combineQuotes(quotes, cart), ordinals, asker.nowMs)
  if (decisiveVerdict(combination.verdicts) >= 0) return refuseQuotes(state, quotes, combination, asker.nowMs)
  const expiresAtMs = boundedExpiry(state, ordinals, asker.nowMs + command.ttlSeconds * 1000)
  const events = releasesInTheWay(state, ordinals, asker.nowMs, combination.price?.amounts)
  events.push(...daysCounted(state, ordinals, user, asker.nowMs))
  events.push({ type: EVENT.RESERVED, ordinals, user, order, expiresAtMs, price: combination.price, stack: null })
  return decided(events, { type: OUTCOME.RESERVATION, seq: LAST_EVENT, again: false })
}

/** Nothing is left to reserve for an order that redeemed one of the coupons before. */
export function refuseRedeemedOrder(
  state: ShardState,
  history: History,
  ordinals: readonly number[],
  earlier: number,
): Decision {
  return !isReversed(state, history, earlier)
    ? refusedForOrder(state, 'ORDER_CONFLICT', 'this order already redeemed the coupon', ordinals)
    : refusedForOrder(state, 'REDEMPTION_REVERSED', 'the redemption of this order was reversed', ordinals)
}

/** The user came back: the same reservation, its time unchanged, at the price of the cart that was brought. */
function decideReserveAgain(
  state: ShardState,
  head: number,
  asked: readonly number[],
  cart: Cart | null,
  nowMs: number,
  history: History,
): Decision {
  const reservationSeq = state.tables.holds.seq.get(head)
  const shown = { type: OUTCOME.RESERVATION, seq: reservationSeq, again: true } as const
  if (cart === null) return answered(shown)
  const reserved = reservedPrice(state, head, history)
  const ordinals = ordinalsOf(state, head)
  if (reserved !== null && keepsPrice(state, head, reserved, cart, updatesOf(state, ordinals), history)) {
    return answered(shown)
  }
  const combination = withinBudget(state, priceHeld(state, ordinals, cart), ordinals, head, nowMs)
  const { price } = combination
  if (price === null) return refuseVerdicts(inOrderOf(asked, combination))
  if (reserved !== null && isSamePrice(reserved, price)) return answered(shown)
  const events = releasesForBudgets(state, ordinals, price.amounts, heldAmountsOf(state, head), nowMs)
  events.push({ type: EVENT.RESERVATION_REPRICED, reservationSeq, ordinals, price })
  return decided(events, shown)
}

function decideRedeem(
  state: ShardState,
  command: CheckoutCommand,
  ordinals: readonly number[],
  asker: Asker,
  history: History,
): Decision {
  const { user, order, cart } = command
  assert(user !== null && order !== null, 'a redemption without a user or an order')
  if (ordinals.includes(-1)) return refuseCombination(state, ordinals, asker)
  if (isOrderClaimed(state, ordinals)) return orderInDoubt(state, ordinals)
  const earlier = orderAlreadyRedeemed(state, ordinals)
  if (earlier !== 0) return judgeRetry(state, history, earlier, user, ordinals, null, cart)
  const head = openReservationForRedemption(state, ordinals, asker.nowMs, isLocal(state))
  if (head >= 0) return decideRedeemHeld(state, head, ordinals, user, order, cart, asker.nowMs, history)
  if (cart === null) return refused('INVALID_REQUEST', 'orderTotal is needed: this user has no lock on the coupon')
  if (isDayAway(state, ordinals, user)) return HANDED_OVER
  let price = ordinals.length === 1 ? priceOfOnly(state, ordinals[0] as number, cart, asker) : null
  if (price === null) {
    const quotes = quotesOf(state, ordinals, asker)
    const combination = withinBudgets(state, combineQuotes(quotes, cart), ordinals, asker.nowMs)
    if (combination.price === null) return refuseQuotes(state, quotes, combination, asker.nowMs)
    price = combination.price
  }
  const events = releasesInTheWay(state, ordinals, asker.nowMs, price.amounts)
  events.push(...daysCounted(state, ordinals, user, asker.nowMs))
  events.push(redeemed(0, false, ordinals, user, order, price, null))
  return decided(events, { type: OUTCOME.REDEMPTION, seq: LAST_EVENT, replayed: false })
}

/** The price under the only code of a call, without the papers that several need; null: something is in the way. */
function priceOfOnly(state: ShardState, ordinal: number, cart: Cart, asker: Asker): PriceFact | null {
  if (refusalBefore(state, ordinal, asker) !== null || refusalOfLimits(state, ordinal, asker) !== null) return null
  const offer = state.offer(ordinal)
  assert(offer !== null, 'a coupon whose campaign lives elsewhere is judged alone')
  const price = priceFact(cart, [offer])
  const campaign = state.campaignOf(ordinal)
  if (campaign < 0) return price
  return fitsBudget(state, campaign, price.amounts[0] as number, asker.nowMs) ? price : null
}

/**
 * Makes an open reservation final: at the reserved price, or at that of the cart brought, which is judged now. `asked` are
 * its coupons in the order that the caller knows them in, and a refusal tells of them.
 */
export function decideRedeemHeld(
  state: ShardState,
  head: number,
  asked: readonly number[],
  user: Bytes,
  order: Bytes,
  cart: Cart | null,
  nowMs: number,
  history: History,
): Decision {
  const ordinals = ordinalsOf(state, head)
  const reservationSeq = state.tables.holds.seq.get(head)
  const reserved = reservedPrice(state, head, history)
  let price = reserved
  if (cart !== null) {
    const priced = priceHeld(state, ordinals, cart)
    const isKept = reserved !== null && keepsPrice(state, head, reserved, cart, updatesOf(state, ordinals), history)
    const combination = isKept ? priced : withinBudget(state, priced, ordinals, head, nowMs)
    if (combination.price === null) return refuseVerdicts(inOrderOf(asked, combination))
    price = isKept ? reserved : combination.price
  }
  if (price === null) return refused('INVALID_REQUEST', 'a cart is needed: the reservation was made without one')
  const events = releasesForBudgets(state, ordinals, price.amounts, heldAmountsOf(state, head), nowMs)
  events.push(redeemed(reservationSeq, false, ordinals, user, order, price, null))
  return decided(events, { type: OUTCOME.REDEMPTION, seq: LAST_EVENT, replayed: false })
}

export function redeemed(
  reservationSeq: number,
  late: boolean,
  ordinals: readonly number[],
  user: Bytes,
  order: Bytes,
  price: PriceFact,
  stack: Stack | null,
): Redeemed {
  return { type: EVENT.REDEEMED, reservationSeq, late, ordinals, user, order, price, stack }
}

/** Whether an undecided transaction redeems one of these coupons for the order in hand. */
export function isOrderClaimed(state: ShardState, ordinals: readonly number[]): boolean {
  return state.tables.claims.size > 0 && ordinals.some((ordinal) => rowOfClaim(state, ordinal) >= 0)
}

/** The same order is at it with other codes, or sent twice: what comes of it is known in a moment. */
export function orderInDoubt(state: ShardState, ordinals: readonly number[]): Decision {
  const couponIndex = ordinals.findIndex((ordinal) => rowOfClaim(state, ordinal) >= 0)
  const detail = 'another call redeems the coupon for this order at this moment'
  return { ...refused('ORDER_CONFLICT', detail, couponIndex), hangs: true }
}

/** Somebody else is making it final at this moment; what comes of it is known in a moment. */
export function beingRedeemed(): Decision {
  return { ...refused('COUPON_LOCKED', 'the reservation is being redeemed at this moment'), hangs: true }
}

/** A reservation of coupons of this shard alone: others are not for a call that names these alone. */
function isLocal(state: ShardState): (head: number) => boolean {
  return (head) => !isStacked(state, head)
}

function updatesOf(state: ShardState, ordinals: readonly number[]): number[] {
  return ordinals.map((ordinal) => state.rulesChangedAtMs(ordinal))
}

/** Sequence of the redemption by the order in hand of any of these coupons; 0: none. */
export function orderAlreadyRedeemed(state: ShardState, ordinals: readonly number[]): number {
  for (const ordinal of ordinals) {
    const seq = redemptionOfOrder(state, ordinal)
    if (seq !== 0) return seq
  }
  return 0
}

/** The reservation that has the capacity already, as far as a call without an order can tell, or -1. */
function openHead(state: ShardState, ordinals: readonly number[], asker: Asker): number {
  return asker.user === null ? -1 : openReservationOf(state, ordinals, ANY_ORDER, asker.nowMs, isLocal(state))
}

/** The price of a cart on coupons whose capacity is already held: only the cart and the combination are judged. */
function priceHeld(state: ShardState, ordinals: readonly number[], cart: Cart): Combination {
  const asker: Asker = { user: null, cart, nowMs: state.timeMs }
  const quotes = ordinals.map((ordinal) => quoteFor(state, ordinal, asker, null))
  return combineQuotes(heldQuotes(quotes, cart), cart)
}

/** What an open reservation would take more of a budget than it holds has to be there. */
function withinBudget(
  state: ShardState,
  combination: Combination,
  ordinals: readonly number[],
  head: number,
  nowMs: number,
): Combination {
  return withinBudgets(state, combination, ordinals, nowMs, heldAmountsOf(state, head))
}

/** The same verdicts for the same coupons, as another call named them. */
function inOrderOf(asked: readonly number[], { verdicts, price }: Combination): Combination {
  const ofCoupon = (ordinal: number) => verdicts.find((verdict) => verdict.ordinal === ordinal) as Verdict
  return { verdicts: asked.map(ofCoupon), price }
}

function refuseCombination(state: ShardState, ordinals: readonly number[], asker: Asker): Decision {
  const quotes = quotesOf(state, ordinals, asker)
  return refuseQuotes(state, quotes, combineQuotes(quotes, asker.cart), asker.nowMs)
}

/** Refuses for the first check that fails over all codes, quoted here. */
function refuseQuotes(state: ShardState, quotes: readonly Quote[], combination: Combination, nowMs: number): Decision {
  const { verdicts } = combination
  const { ordinal, refusal } = verdicts[decisiveVerdict(verdicts)] as Verdict
  const hangs = refusal !== null && ordinal >= 0 && hangsOnOthers(state, ordinal, refusal, nowMs)
  return refuseVerdicts(combination, quotes, hangs)
}

/** `quotes`: with the waits, where a limit may be what refuses. */
export function refuseVerdicts(combination: Combination, quotes: readonly Quote[] = [], hangs = false): Decision {
  const { verdicts } = combination
  const couponIndex = decisiveVerdict(verdicts)
  const { refusal, detail } = verdicts[couponIndex] as Verdict
  assert(refusal !== null, 'a refusal without a reason')
  const retryAfterMs = refusal === 'COUPON_LOCKED' ? (quotes[couponIndex]?.retryAfterMs ?? 0) : 0
  const refusedNow = answered({ type: OUTCOME.REFUSED, refusal, detail, couponIndex, retryAfterMs, verdicts })
  return hangs ? { ...refusedNow, hangs } : refusedNow
}

function boundedExpiry(state: ShardState, ordinals: readonly number[], wantedMs: number): number {
  let expiresAtMs = wantedMs
  for (const ordinal of ordinals) {
    const validUntilMs = state.endsAtMs(ordinal)
    if (validUntilMs !== null && validUntilMs < expiresAtMs) expiresAtMs = validUntilMs
  }
  return expiresAtMs
}
