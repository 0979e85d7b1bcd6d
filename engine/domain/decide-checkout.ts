/**
 * decide, for the calls that carry codes: validate, quote, reserve, redeem.
 *
 * The order of the contract: existence, replay or conflict of the order, then check by check over all codes. A user's open
 * reservation of the same codes has its capacity already, so only the cart is judged for it: open reservations are honoured.
 */
import { assert } from '../../protocol/assert.ts'
import type { Bytes } from '../../protocol/bytes.ts'
import { type CheckoutCommand, COMMAND } from '../../protocol/commands.ts'
import { currencyNumber } from '../../protocol/currency.ts'
import { EVENT, type Event, type Redeemed } from '../../protocol/events.ts'
import { OUTCOME, type Quote, type Verdict } from '../../protocol/outcomes.ts'
import type { PriceFact } from '../../protocol/price.ts'
import { type Cart, lineAmountMinor, subtotalMinor } from './cart.ts'
import { type Combination, combineQuotes, decisiveVerdict } from './combine.ts'
import { answered, decided, type Decision, LAST_EVENT, refused, resolve } from './decision.ts'
import { cartRefusal } from './eligibility.ts'
import { firstHoldOfUser, overdueOn, rowOfReservation } from './holds.ts'
import { type Asker, refusalBefore, refusalDetail, refusalOfLimits, retryAfterMs } from './judge.ts'
import { OVERDUE_RELEASES_MAX } from './limits.ts'
import { priceFact } from './price-fact.ts'
import { judgeRetry, redemptionOfOrder, refusedForOrder, reversalOf, sameSet } from './retry.ts'
import type { History, Key, ShardState } from './state.ts'

export function decideCheckout(state: ShardState, command: CheckoutCommand, nowMs: number, history: History): Decision {
  const ordinals = command.coupons.map((ref) => resolve(state, ref))
  if (command.user !== null) state.hashUser(command.user, state.userKey)
  if (command.order !== null) state.hashOrder(command.order, state.orderKey)
  const asker: Asker = { user: command.user, cart: command.cart, nowMs }
  switch (command.type) {
    case COMMAND.VALIDATE: {
      const quotes = quotesOf(state, ordinals, asker, holdsThese(state, ordinals, asker))
      const { verdicts, price } = combineQuotes(quotes, command.cart)
      return answered({ type: OUTCOME.VALIDATED, verdicts, price })
    }
    case COMMAND.QUOTE:
      // The codes here are a part of a set, and reservations are made of whole sets on one shard: none is of this one.
      return answered({ type: OUTCOME.QUOTED, quotes: quotesOf(state, ordinals, asker, false) })
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
  const earlier = order === null ? 0 : orderAlreadyRedeemed(state, ordinals)
  if (earlier !== 0) return refuseRedeemedOrder(state, ordinals, earlier)
  const head = openReservationOf(state, ordinals, order === null ? ANY_ORDER : SAME_ORDER, asker.nowMs)
  if (head >= 0) return decideReserveAgain(state, head, ordinals, cart, history)
  const combination = combineQuotes(quotesOf(state, ordinals, asker, false), cart)
  if (decisiveVerdict(combination.verdicts) >= 0) return refuseVerdicts(state, combination, asker)
  const expiresAtMs = boundedExpiry(state, ordinals, asker.nowMs + command.ttlSeconds * 1000)
  const events = releasesInTheWay(state, ordinals, asker.nowMs)
  events.push({ type: EVENT.RESERVED, ordinals, user, order, expiresAtMs, price: combination.price })
  return decided(events, { type: OUTCOME.RESERVATION, seq: LAST_EVENT, again: false })
}

/** Nothing is left to reserve for an order that redeemed one of the coupons before. */
function refuseRedeemedOrder(state: ShardState, ordinals: readonly number[], earlier: number): Decision {
  return reversalOf(state, earlier) === 0
    ? refusedForOrder(state, 'ORDER_CONFLICT', 'this order already redeemed the coupon', ordinals)
    : refusedForOrder(state, 'REDEMPTION_REVERSED', 'the redemption of this order was reversed', ordinals)
}

/** The user came back: the same reservation, its time unchanged, at the price of the cart that was brought. */
function decideReserveAgain(
  state: ShardState,
  head: number,
  asked: readonly number[],
  cart: Cart | null,
  history: History,
): Decision {
  const reservationSeq = state.tables.holds.seq.get(head)
  const shown = { type: OUTCOME.RESERVATION, seq: reservationSeq, again: true } as const
  if (cart === null) return answered(shown)
  const reserved = reservedPrice(state, head, history)
  if (reserved !== null && keepsPrice(state, head, reserved, cart, history)) return answered(shown)
  const ordinals = ordinalsOf(state, head)
  const combination = priceHeld(state, ordinals, cart)
  const { price } = combination
  if (price === null) {
    return refuseVerdicts(state, inOrderOf(asked, combination), { user: null, cart, nowMs: state.timeMs })
  }
  if (reserved !== null && isSamePrice(reserved, price)) return answered(shown)
  return decided([{ type: EVENT.RESERVATION_REPRICED, reservationSeq, ordinals, price }], shown)
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
  const earlier = orderAlreadyRedeemed(state, ordinals)
  if (earlier !== 0) return judgeRetry(state, history, earlier, user, ordinals, cart)
  const head = openReservationForRedemption(state, ordinals, asker.nowMs)
  if (head >= 0) return decideRedeemHeld(state, head, ordinals, user, order, cart, history)
  if (cart === null) return refused('INVALID_REQUEST', 'orderTotal is needed: this user has no lock on the coupon')
  let price = ordinals.length === 1 ? priceOfOnly(state, ordinals[0] as number, cart, asker) : null
  if (price === null) {
    const combination = combineQuotes(quotesOf(state, ordinals, asker, false), cart)
    if (combination.price === null) return refuseVerdicts(state, combination, asker)
    price = combination.price
  }
  const events = releasesInTheWay(state, ordinals, asker.nowMs)
  events.push(redeemed(0, false, ordinals, user, order, price))
  return decided(events, { type: OUTCOME.REDEMPTION, seq: LAST_EVENT, replayed: false })
}

/** The price under the only code of a call, without the papers that several need; null: something is in the way. */
function priceOfOnly(state: ShardState, ordinal: number, cart: Cart, asker: Asker): PriceFact | null {
  if (refusalBefore(state, ordinal, asker) !== null || refusalOfLimits(state, ordinal, asker) !== null) return null
  return priceFact(cart, [state.definition(ordinal).offer])
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
  history: History,
): Decision {
  const ordinals = ordinalsOf(state, head)
  const reservationSeq = state.tables.holds.seq.get(head)
  const reserved = reservedPrice(state, head, history)
  let price = reserved
  if (cart !== null) {
    const combination = priceHeld(state, ordinals, cart)
    if (combination.price === null) {
      return refuseVerdicts(state, inOrderOf(asked, combination), { user, cart, nowMs: state.timeMs })
    }
    const isKept = reserved !== null && keepsPrice(state, head, reserved, cart, history)
    price = isKept ? reserved : combination.price
  }
  if (price === null) return refused('INVALID_REQUEST', 'a cart is needed: the reservation was made without one')
  return decided([redeemed(reservationSeq, false, ordinals, user, order, price)], {
    type: OUTCOME.REDEMPTION,
    seq: LAST_EVENT,
    replayed: false,
  })
}

export function redeemed(
  reservationSeq: number,
  late: boolean,
  ordinals: readonly number[],
  user: Bytes,
  order: Bytes,
  price: PriceFact,
): Redeemed {
  return { type: EVENT.REDEEMED, reservationSeq, late, ordinals, user, order, price }
}

/** Sequence of the redemption by the order in hand of any of these coupons; 0: none. */
export function orderAlreadyRedeemed(state: ShardState, ordinals: readonly number[]): number {
  for (const ordinal of ordinals) {
    const seq = redemptionOfOrder(state, ordinal)
    if (seq !== 0) return seq
  }
  return 0
}

/** Whether the capacity is there already, as far as a call without an order can tell. */
function holdsThese(state: ShardState, ordinals: readonly number[], asker: Asker): boolean {
  return asker.user !== null && openReservationOf(state, ordinals, ANY_ORDER, asker.nowMs) >= 0
}

/** `held`: the capacity comes from an open reservation. A reservation for another order lends nothing to this one. */
function quotesOf(state: ShardState, ordinals: readonly number[], asker: Asker, held: boolean): Quote[] {
  return ordinals.map((ordinal) => quoteOf(state, ordinal, asker, held))
}

function quoteOf(state: ShardState, ordinal: number, asker: Asker, held: boolean): Quote {
  if (ordinal < 0) {
    const detail = 'there is no such coupon'
    return { ordinal, refusal: 'COUPON_NOT_FOUND', detail, retryAfterMs: 0, version: 0, offer: null }
  }
  const { offer } = state.definition(ordinal)
  const refusal = held
    ? asker.cart === null
      ? null
      : cartRefusal(offer, asker.cart)
    : (refusalBefore(state, ordinal, asker) ?? refusalOfLimits(state, ordinal, asker))
  const detail = refusal === null ? '' : refusalDetail(state, ordinal, refusal, asker)
  const waitMs = refusal === 'COUPON_LOCKED' ? retryAfterMs(state, ordinal, asker.nowMs) : 0
  const version = state.tables.coupons.version.get(ordinal)
  return { ordinal, refusal, detail, retryAfterMs: waitMs, version, offer }
}

/** The price of a cart on coupons whose capacity is already held: only the cart and the combination are judged. */
function priceHeld(state: ShardState, ordinals: readonly number[], cart: Cart): Combination {
  const asker: Asker = { user: null, cart, nowMs: state.timeMs }
  return combineQuotes(
    ordinals.map((ordinal) => quoteOf(state, ordinal, asker, true)),
    cart,
  )
}

/** The same verdicts for the same coupons, as another call named them. */
function inOrderOf(asked: readonly number[], { verdicts, price }: Combination): Combination {
  const ofCoupon = (ordinal: number) => verdicts.find((verdict) => verdict.ordinal === ordinal) as Verdict
  return { verdicts: asked.map(ofCoupon), price }
}

function refuseCombination(state: ShardState, ordinals: readonly number[], asker: Asker): Decision {
  return refuseVerdicts(state, combineQuotes(quotesOf(state, ordinals, asker, false), asker.cart), asker)
}

function refuseVerdicts(state: ShardState, combination: Combination, asker: Asker): Decision {
  const { verdicts } = combination
  const couponIndex = decisiveVerdict(verdicts)
  const verdict = verdicts[couponIndex] as Verdict
  const refusal = verdict.refusal
  assert(refusal !== null, 'a refusal without a reason')
  const waitMs = refusal === 'COUPON_LOCKED' ? retryAfterMs(state, verdict.ordinal, asker.nowMs) : 0
  return answered({
    type: OUTCOME.REFUSED,
    refusal,
    detail: verdict.detail,
    couponIndex,
    retryAfterMs: waitMs,
    verdicts,
  })
}

const ANY_ORDER = 0
const SAME_ORDER = 1
const NO_ORDER = 2

/** The head of an open, not overdue reservation of the user in hand for exactly these coupons, or -1. */
function openReservationOf(
  state: ShardState,
  ordinals: readonly number[],
  orders: typeof ANY_ORDER | typeof SAME_ORDER | typeof NO_ORDER,
  nowMs: number,
): number {
  const { holds } = state.tables
  const first = ordinals[0] as number
  if (first < 0 || state.tables.coupons.holds.get(first) < 0) return -1
  for (let row = firstHoldOfUser(state, state.userKey, first); row >= 0; row = holds.nextOfUser.get(row)) {
    if (holds.expiresAtMs.get(row) <= nowMs) continue
    const head = holds.head.get(row)
    if (orders === SAME_ORDER && !isOfOrder(state, head, state.orderKey)) continue
    if (orders === NO_ORDER && holds.hasOrder.get(head) !== 0) continue
    if (sameSet(ordinals, ordinalsOf(state, head))) return head
  }
  return -1
}

/** A redemption takes the reservation made for its order, otherwise one made for none. */
function openReservationForRedemption(state: ShardState, ordinals: readonly number[], nowMs: number): number {
  const ofOrder = openReservationOf(state, ordinals, SAME_ORDER, nowMs)
  return ofOrder >= 0 ? ofOrder : openReservationOf(state, ordinals, NO_ORDER, nowMs)
}

function isOfOrder(state: ShardState, head: number, order: Key): boolean {
  const { hasOrder, orderKey } = state.tables.holds
  return (
    hasOrder.get(head) !== 0 &&
    orderKey[0].get(head) === order.k0 &&
    orderKey[1].get(head) === order.k1 &&
    orderKey[2].get(head) === order.k2 &&
    orderKey[3].get(head) === order.k3
  )
}

function ordinalsOf(state: ShardState, head: number): number[] {
  const { holds } = state.tables
  const ordinals: number[] = []
  for (let row = head; row >= 0; row = holds.nextHold.get(row)) ordinals.push(holds.ordinal.get(row))
  return ordinals
}

/** The price an open reservation stands at; null: it was made without a cart. */
function reservedPrice(state: ShardState, head: number, history: History): PriceFact | null {
  return priceAt(history, state.tables.holds.priceSeq.get(head))
}

export function priceAt(history: History, priceSeq: number): PriceFact | null {
  const past = history.at(priceSeq)
  assert(past !== null, `the log has no event at ${priceSeq}`)
  const { event } = past
  assert(event.type === EVENT.RESERVED || event.type === EVENT.RESERVATION_REPRICED, 'the price of no reservation')
  return event.price
}

/**
 * Whether a cart keeps the reserved price whatever it would cost today: an offer was changed since the reservation was
 * priced, and the cart has the amounts it was priced for. A changed offer never reaches a reservation's price.
 */
function keepsPrice(state: ShardState, head: number, reserved: PriceFact, cart: Cart, history: History): boolean {
  if (!isPriceOf(reserved, cart)) return false
  const pricedAtMs = history.at(state.tables.holds.priceSeq.get(head))?.atMs ?? 0
  const { updatedAtMs } = state.tables.coupons
  return ordinalsOf(state, head).some((ordinal) => updatedAtMs.get(ordinal) >= pricedAtMs)
}

function isSamePrice(a: PriceFact, b: PriceFact): boolean {
  const equal = (x: readonly number[], y: readonly number[]) => x.length === y.length && x.every((v, i) => v === y[i])
  if (a.currency !== b.currency || a.subtotalMinor !== b.subtotalMinor || a.shippingMinor !== b.shippingMinor)
    return false
  if (!equal(a.amounts, b.amounts)) return false
  if (a.lines === null || b.lines === null) return a.lines === b.lines
  const { lines } = b
  return (
    a.lines.length === lines.length &&
    a.lines.every((line, i) => {
      const other = lines[i]
      if (other === undefined || other.lineId !== line.lineId) return false
      return other.amountMinor === line.amountMinor && equal(other.perCoupon, line.perCoupon)
    })
  )
}

/** Whether a remembered price was computed from a cart of these amounts. */
function isPriceOf(price: PriceFact, cart: Cart): boolean {
  if (currencyNumber(cart.currency) !== price.currency || cart.shippingMinor !== price.shippingMinor) return false
  if (subtotalMinor(cart) !== price.subtotalMinor) return false
  if (price.lines === null) return cart.lines.length === 1 && cart.lines[0]?.lineId === '0'
  const { lines } = price
  return (
    lines.length === cart.lines.length &&
    cart.lines.every((line, i) => lines[i]?.lineId === line.lineId && lines[i]?.amountMinor === lineAmountMinor(line))
  )
}

function boundedExpiry(state: ShardState, ordinals: readonly number[], wantedMs: number): number {
  let expiresAtMs = wantedMs
  for (const ordinal of ordinals) {
    const { validUntilMs } = state.definition(ordinal)
    if (validUntilMs !== null && validUntilMs < expiresAtMs) expiresAtMs = validUntilMs
  }
  return expiresAtMs
}

/**
 * The releases to log before one more use of each coupon is taken: overdue reservations stand in the way only where
 * a limit would be passed with them.
 */
export function releasesInTheWay(state: ShardState, ordinals: readonly number[], nowMs: number): Event[] {
  const overdue = new Set<number>()
  for (const ordinal of ordinals) {
    const { maxUses, maxUsesPerUser } = state.definition(ordinal)
    const { coupons } = state.tables
    if (coupons.holds.get(ordinal) < 0) continue
    if (maxUses !== null && coupons.uses.get(ordinal) + coupons.reserved.get(ordinal) >= maxUses) {
      overdueOn(state, ordinal, nowMs, OVERDUE_RELEASES_MAX, overdue)
    }
    if (maxUsesPerUser !== null) overdueOfUserOn(state, ordinal, nowMs, overdue)
  }
  const events: Event[] = []
  for (const reservationSeq of overdue) events.push(releaseOf(state, reservationSeq, nowMs))
  return events
}

function overdueOfUserOn(state: ShardState, ordinal: number, nowMs: number, into: Set<number>): void {
  const { holds } = state.tables
  for (let row = firstHoldOfUser(state, state.userKey, ordinal); row >= 0; row = holds.nextOfUser.get(row)) {
    if (holds.expiresAtMs.get(row) <= nowMs) into.add(holds.seq.get(row))
  }
}

/** The event that lets go of an open reservation which ran out. */
export function releaseOf(state: ShardState, reservationSeq: number, nowMs: number): Event {
  const { holds } = state.tables
  const expiresAtMs = holds.expiresAtMs.get(rowOfReservation(state, reservationSeq))
  assert(expiresAtMs <= nowMs, 'released as overdue before its time')
  return { type: EVENT.RESERVATION_RELEASED, reservationSeq, cause: 'EXPIRED', expiresAtMs }
}
