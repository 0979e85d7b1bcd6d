/**
 * decide, for calls that name a reservation or redemption by id: redeem it, release it, extend it, reverse it.
 *
 * What is no longer in the tables is looked up in the log: a reservation by the event that began it, its end by the event that
 * closed it. An overdue reservation is treated as run out, and a command on it logs its release first.
 */
import type { Bytes } from '../../protocol/bytes.ts'
import type { ExtendReservation, RedeemReservation, Release, Reverse } from '../../protocol/commands.ts'
import { EVENT, type Event, type Reserved } from '../../protocol/events.ts'
import { OUTCOME, type Verdict } from '../../protocol/outcomes.ts'
import type { PriceFact } from '../../protocol/price.ts'
import { type RefusalCode, REFUSALS } from '../../protocol/refusals.ts'
import {
  decideRedeemHeld,
  orderAlreadyRedeemed,
  priceAt,
  redeemed,
  releaseOf,
  releasesInTheWay,
} from './decide-checkout.ts'
import { answered, decided, type Decision, LAST_EVENT, refused } from './decision.ts'
import { closingOf, rowOfReservation } from './holds.ts'
import { type Asker, refusalDetail, refusalOfLimits, retryAfterMs } from './judge.ts'
import { RESERVATION_MAX_MS } from './limits.ts'
import { judgeRetry, redemptionAt, reversalOf } from './retry.ts'
import { type History, Key, type ShardState } from './state.ts'

const orderOfReservation = new Key()

/** How a reservation stands at `nowMs`. `head` is -1 unless it is in the tables, which an overdue one still is. */
export type Standing =
  | { readonly status: 'RESERVED'; readonly begin: Reserved; readonly head: number }
  | {
      readonly status: 'EXPIRED'
      readonly begin: Reserved
      readonly head: number
      readonly priceSeq: number
      /** When it ran out, which an extension may have put off. */
      readonly expiresAtMs: number
    }
  | {
      readonly status: 'ENDED_WITH_COUPON'
      readonly begin: Reserved
      readonly closingSeq: number
      readonly priceSeq: number
    }
  | { readonly status: 'RELEASED'; readonly begin: Reserved; readonly closingSeq: number; readonly priceSeq: number }
  | { readonly status: 'REDEEMED'; readonly begin: Reserved; readonly closingSeq: number }

/** null: there is no such reservation, or it is too long ago to be remembered. */
export function standingOf(state: ShardState, seq: number, nowMs: number, history: History): Standing | null {
  const past = seq >= 1 && seq <= state.seq ? history.at(seq) : null
  if (past === null || past.event.type !== EVENT.RESERVED) return null
  const begin = past.event
  const { holds } = state.tables
  const head = rowOfReservation(state, seq)
  if (head >= 0) {
    const expiresAtMs = holds.expiresAtMs.get(head)
    return expiresAtMs <= nowMs
      ? { status: 'EXPIRED', begin, head, priceSeq: holds.priceSeq.get(head), expiresAtMs }
      : { status: 'RESERVED', begin, head }
  }
  const closing = closingOf(state, seq)
  const end = closing === null ? null : history.at(closing.seq)
  if (closing === null || end === null) return null
  if (end.event.type === EVENT.REDEEMED) return { status: 'REDEEMED', begin, closingSeq: closing.seq }
  if (end.event.type !== EVENT.RESERVATION_RELEASED) return null
  const { seq: closingSeq, priceSeq } = closing
  switch (end.event.cause) {
    case 'EXPIRED':
      return { status: 'EXPIRED', begin, head: -1, priceSeq, expiresAtMs: end.event.expiresAtMs }
    case 'COUPON_EXPIRED':
      return { status: 'ENDED_WITH_COUPON', begin, closingSeq, priceSeq }
    case 'RELEASED':
      return { status: 'RELEASED', begin, closingSeq, priceSeq }
  }
}

const NOT_FOUND: Decision = refused('RESERVATION_NOT_FOUND', 'there is no such reservation')
const WAS_REDEEMED: Decision = refused('RESERVATION_CLOSED', 'the reservation was redeemed')
const WAS_RELEASED: Decision = refused('RESERVATION_CLOSED', 'the reservation was given back')
const COUPON_ENDED: Decision = refused('RESERVATION_EXPIRED', 'the reservation ended when its coupon was expired')

export function decideRedeemReservation(
  state: ShardState,
  command: RedeemReservation,
  nowMs: number,
  history: History,
): Decision {
  const standing = standingOf(state, command.reservationSeq, nowMs, history)
  if (standing === null) return NOT_FOUND
  const { user, order: reservedFor, ordinals } = standing.begin
  const { order, cart } = command
  state.hashUser(user, state.userKey)
  state.hashOrder(order, state.orderKey)
  const earlier = orderAlreadyRedeemed(state, ordinals)
  if (earlier !== 0) {
    // A late redemption took the reserved price whatever cart was brought, so its retry is not held against that cart.
    const judgedCart = redemptionAt(history, earlier).late ? null : cart
    return judgeRetry(state, history, earlier, user, ordinals, judgedCart)
  }
  if (standing.status === 'REDEEMED') return WAS_REDEEMED
  if (standing.status === 'RELEASED') return WAS_RELEASED
  if (standing.status === 'ENDED_WITH_COUPON') return COUPON_ENDED
  if (reservedFor !== null && !isSameOrder(state, reservedFor)) {
    return refused('ORDER_CONFLICT', 'the reservation was made for another order')
  }
  if (standing.status === 'RESERVED') {
    return decideRedeemHeld(state, standing.head, ordinals, user, order, cart, history)
  }
  if (!command.allowLate)
    return refused('RESERVATION_EXPIRED', 'the reservation has run out; allowLate may still redeem it')
  const price = priceAt(history, standing.priceSeq)
  if (price === null) {
    return refused('RESERVATION_EXPIRED', 'the reservation has run out and has no price; redeem with codes and a cart')
  }
  return decideRedeemLate(state, command, standing, price, nowMs)
}

/** After its time, at the reserved price, if the capacity is still there. */
function decideRedeemLate(
  state: ShardState,
  command: RedeemReservation,
  standing: Extract<Standing, { status: 'EXPIRED' }>,
  price: PriceFact,
  nowMs: number,
): Decision {
  const { ordinals, user } = standing.begin
  const asker: Asker = { user, cart: null, nowMs }
  const refusals = ordinals.map((ordinal) => refusalOfLimits(state, ordinal, asker))
  const index = firstByRank(refusals)
  const refusal = refusals[index] ?? null
  if (refusal !== null) {
    const ordinal = ordinals[index] as number
    const waitMs = refusal === 'COUPON_LOCKED' ? retryAfterMs(state, ordinal, nowMs) : 0
    const verdicts = ordinals.map((each, i): Verdict => {
      const its = refusals[i] ?? null
      return its === null
        ? { ordinal: each, refusal: null, detail: '', amountMinor: price.amounts[i] as number }
        : { ordinal: each, refusal: its, detail: refusalDetail(state, each, its, asker), amountMinor: null }
    })
    return answered({
      type: OUTCOME.REFUSED,
      refusal,
      detail: refusalDetail(state, ordinal, refusal, asker),
      couponIndex: index,
      retryAfterMs: waitMs,
      verdicts,
    })
  }
  const events = releasesOf(state, standing.head, command.reservationSeq, ordinals, nowMs)
  events.push(redeemed(command.reservationSeq, true, ordinals, user, command.order, price))
  return decided(events, { type: OUTCOME.REDEMPTION, seq: LAST_EVENT, replayed: false })
}

/** Check by check over all codes, as everywhere. */
function firstByRank(refusals: readonly (RefusalCode | null)[]): number {
  let first = -1
  let rank = Number.POSITIVE_INFINITY
  for (const [index, refusal] of refusals.entries()) {
    if (refusal === null || REFUSALS[refusal].rank >= rank) continue
    first = index
    rank = REFUSALS[refusal].rank
  }
  return first
}

/** Its own release first, where the sweep has not come to it yet, and then what else stands in the way. */
function releasesOf(
  state: ShardState,
  head: number,
  reservationSeq: number,
  ordinals: readonly number[],
  nowMs: number,
): Event[] {
  const others = releasesInTheWay(state, ordinals, nowMs)
  if (head < 0) return others
  const isOwn = (event: Event) => event.type === EVENT.RESERVATION_RELEASED && event.reservationSeq === reservationSeq
  return [releaseOf(state, reservationSeq, nowMs), ...others.filter((event) => !isOwn(event))]
}

function isSameOrder(state: ShardState, reservedFor: Bytes): boolean {
  state.hashOrder(reservedFor, orderOfReservation)
  const { orderKey } = state
  return (
    orderOfReservation.k0 === orderKey.k0 &&
    orderOfReservation.k1 === orderKey.k1 &&
    orderOfReservation.k2 === orderKey.k2 &&
    orderOfReservation.k3 === orderKey.k3
  )
}

const RELEASED = { type: OUTCOME.RELEASED } as const

export function decideRelease(state: ShardState, command: Release, nowMs: number, history: History): Decision {
  const { reservationSeq } = command
  const standing = standingOf(state, reservationSeq, nowMs, history)
  if (standing === null) return NOT_FOUND
  if (standing.status === 'REDEEMED') return WAS_REDEEMED
  if (standing.status === 'RESERVED') {
    const expiresAtMs = state.tables.holds.expiresAtMs.get(standing.head)
    return decided([{ type: EVENT.RESERVATION_RELEASED, reservationSeq, cause: 'RELEASED', expiresAtMs }], RELEASED)
  }
  if (standing.status === 'EXPIRED' && standing.head >= 0) {
    return decided([releaseOf(state, reservationSeq, nowMs)], RELEASED)
  }
  return answered(RELEASED)
}

/** Never shortens; never past an hour after the beginning, nor past the end of a coupon. */
export function decideExtendReservation(
  state: ShardState,
  command: ExtendReservation,
  nowMs: number,
  history: History,
): Decision {
  const { reservationSeq } = command
  const standing = standingOf(state, reservationSeq, nowMs, history)
  if (standing === null) return NOT_FOUND
  if (standing.status === 'REDEEMED') return WAS_REDEEMED
  if (standing.status === 'RELEASED') return WAS_RELEASED
  if (standing.status !== 'RESERVED') return refused('RESERVATION_EXPIRED', 'the reservation has run out')
  const { holds } = state.tables
  const presentMs = holds.expiresAtMs.get(standing.head)
  let wantedMs = Math.min(nowMs + command.ttlSeconds * 1000, holds.startedAtMs.get(standing.head) + RESERVATION_MAX_MS)
  for (const ordinal of standing.begin.ordinals) {
    wantedMs = Math.min(wantedMs, state.definition(ordinal).validUntilMs ?? Number.POSITIVE_INFINITY)
  }
  const shown = { type: OUTCOME.RESERVATION, seq: reservationSeq, again: true } as const
  if (wantedMs <= presentMs) return answered(shown)
  return decided([{ type: EVENT.RESERVATION_RETIMED, reservationSeq, expiresAtMs: wantedMs }], shown)
}

export function decideReverse(state: ShardState, command: Reverse, history: History): Decision {
  const seq = command.redemptionSeq
  const past = seq >= 1 && seq <= state.seq ? history.at(seq) : null
  if (past === null || past.event.type !== EVENT.REDEEMED) {
    return refused('REDEMPTION_NOT_FOUND', 'there is no such redemption')
  }
  const shown = { type: OUTCOME.REDEMPTION, seq, replayed: false } as const
  if (reversalOf(state, seq) !== 0) return answered(shown)
  const { ordinals, user } = past.event
  const { reason, returnUse } = command
  return decided([{ type: EVENT.REDEMPTION_REVERSED, redemptionSeq: seq, ordinals, user, reason, returnUse }], shown)
}
