/**
 * Showing reservations, redemptions and coupons as they stand: from the state where it is in memory, and from the log where
 * only the log knows. Used for first answers, replays and reads alike, so these cannot differ.
 */
import { assert } from '../../protocol/assert.ts'
import { type Bytes, textOf } from '../../protocol/bytes.ts'
import { EVENT, type Redeemed, type Stack } from '../../protocol/events.ts'
import { isBulk } from '../../protocol/ordinals.ts'
import {
  type CouponOutcome,
  type NamedCoupon,
  OUTCOME,
  type RedemptionOutcome,
  type ReservationOutcome,
  type ReservationStatus,
} from '../../protocol/outcomes.ts'
import { priceAt } from './held-price.ts'
import { type Standing, standingOf } from './standing.ts'
import { firstOpenHold, reservedAt } from './holds.ts'
import { statusAt } from './judge.ts'
import { ownerOf } from './show-campaign.ts'
import { reversalOf } from './retry.ts'
import type { History, ShardState } from './state.ts'

export function isReservation(state: ShardState, history: History, seq: number, nowMs: number): boolean {
  return standingOf(state, seq, nowMs, history) !== null
}

export function isRedemption(state: ShardState, history: History, seq: number): boolean {
  return seq >= 1 && seq <= state.seq && history.at(seq)?.event.type === EVENT.REDEEMED
}

export function showReservation(
  state: ShardState,
  history: History,
  seq: number,
  again: boolean,
  nowMs: number,
): ReservationOutcome<Bytes> {
  const standing = standingOf(state, seq, nowMs, history)
  const past = history.at(seq)
  assert(standing !== null && past !== null, `no reservation at ${seq}`)
  const { user, order, ordinals, stack } = standing.begin
  return {
    type: OUTCOME.RESERVATION,
    again,
    seq,
    status: statusOf(standing),
    userId: user,
    orderId: order,
    startedAtMs: past.atMs,
    expiresAtMs: expiryOf(state, standing, history),
    coupons: namedCoupons(state, ordinals, stack),
    price: priceOf(state, standing, history),
  }
}

function statusOf(standing: Standing): ReservationStatus {
  return standing.status === 'ENDED_WITH_COUPON' ? 'EXPIRED' : standing.status
}

function expiryOf(state: ShardState, standing: Standing, history: History): number {
  if (standing.status === 'RESERVED') return state.tables.holds.untilMs.get(standing.head)
  if (standing.status === 'EXPIRED') return standing.expiresAtMs
  const end = history.at(standing.closingSeq)
  return end !== null && end.event.type === EVENT.RESERVATION_RELEASED
    ? end.event.expiresAtMs
    : standing.begin.expiresAtMs
}

function priceOf(state: ShardState, standing: Standing, history: History) {
  if ('priceSeq' in standing) return priceAt(history, standing.priceSeq)
  if ('head' in standing) return priceAt(history, state.tables.holds.priceSeq.get(standing.head))
  const end = history.at(standing.closingSeq)
  return end !== null && end.event.type === EVENT.REDEEMED ? end.event.price : standing.begin.price
}

/** A redemption that was made this moment, by the event in hand: nobody can have reversed it yet. */
export function showNewRedemption(state: ShardState, event: Redeemed, nowMs: number): RedemptionOutcome<Bytes> {
  return redemptionOutcome(state, event, state.seq, false, nowMs, null)
}

export function showRedemption(
  state: ShardState,
  history: History,
  seq: number,
  replayed: boolean,
): RedemptionOutcome<Bytes> {
  const past = history.at(seq)
  assert(past !== null && past.event.type === EVENT.REDEEMED, `no redemption at ${seq}`)
  const { event, atMs } = past
  const reversalSeq = reversalOf(state, seq)
  const reversal = reversalSeq === 0 ? null : history.at(reversalSeq)
  const reversed =
    reversal !== null && reversal.event.type === EVENT.REDEMPTION_REVERSED
      ? { atMs: reversal.atMs, reason: reversal.event.reason }
      : null
  return redemptionOutcome(state, event, seq, replayed, atMs, reversed)
}

function redemptionOutcome(
  state: ShardState,
  event: Redeemed,
  seq: number,
  replayed: boolean,
  atMs: number,
  reversed: RedemptionOutcome['reversed'],
): RedemptionOutcome<Bytes> {
  return {
    type: OUTCOME.REDEMPTION,
    replayed,
    seq,
    atMs,
    reservationSeq: event.reservationSeq,
    userId: event.user,
    orderId: event.order,
    coupons: namedCoupons(state, event.ordinals, event.stack),
    price: event.price,
    reversed,
  }
}

export function showCoupon(state: ShardState, history: History, ordinal: number, nowMs: number): CouponOutcome {
  const { coupons, holds } = state.tables
  const own = state.definition(ordinal)
  const definition = {
    ...own,
    code: state.code(ordinal),
    offer: state.offer(ordinal),
    userId: isBulk(ordinal) ? ownerOf(state, ordinal) : own.userId,
  }
  const row = definition.maxUses === 1 ? firstOpenHold(state, ordinal, nowMs) : -1
  // While a transaction is undecided nobody knows yet for how long.
  const isLocked = row >= 0 && holds.untilMs.get(holds.head.get(row)) > 0
  const begin = isLocked ? history.at(holds.seq.get(row))?.event : undefined
  const lock =
    begin?.type === EVENT.RESERVED || begin?.type === EVENT.BRANCH_PREPARED
      ? { userId: textOf(begin.user), expiresAtMs: holds.untilMs.get(holds.head.get(row)) }
      : null
  return {
    type: OUTCOME.COUPON,
    ordinal,
    status: statusAt(state, ordinal, nowMs),
    uses: coupons.uses.get(ordinal),
    reserved: reservedAt(state, ordinal, nowMs),
    version: coupons.version.get(ordinal),
    createdAtMs: state.createdAtMs(ordinal),
    updatedAtMs: state.updatedAtMs(ordinal),
    lock,
    definition,
  }
}

function namedCoupons(state: ShardState, ordinals: readonly number[], stack: Stack | null): readonly NamedCoupon[] {
  if (stack !== null) return stack.coupons
  return ordinals.map((ordinal) => ({ shard: state.shard, ordinal, code: state.code(ordinal) }))
}
