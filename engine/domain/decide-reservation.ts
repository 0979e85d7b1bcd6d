/**
 * decide, for calls that name a reservation or redemption by id: redeem it, release it, extend it, reverse it.
 *
 * What is no longer in the tables is looked up in the log: a reservation by the event that began it, its end by the event that
 * closed it. An overdue reservation is treated as run out, and a command on it logs its release first.
 */
import { assert } from '../../protocol/assert.ts'
import type { Bytes } from '../../protocol/bytes.ts'
import type { ExtendReservation, RedeemReservation, Release, Reverse } from '../../protocol/commands.ts'
import { EVENT, type ReversedStack, type Stack } from '../../protocol/events.ts'
import { OUTCOME, type Verdict } from '../../protocol/outcomes.ts'
import type { PriceFact } from '../../protocol/price.ts'
import { type RefusalCode, REFUSALS } from '../../protocol/refusals.ts'
import {
  beingRedeemed,
  decideRedeemHeld,
  isOrderClaimed,
  orderAlreadyRedeemed,
  orderInDoubt,
  redeemed,
} from './decide-checkout.ts'
import { isUndecided, shardsBeside } from './branches.ts'
import { answered, decided, type Decision, HAND_OVER, LAST_EVENT, refused } from './decision.ts'
import { type Asker, lockWaitMs, refusalDetail, refusalOfUses } from './judge.ts'
import { RESERVATION_MAX_MS } from './limits.ts'
import { amountsForBudgets, fitsBudget } from './budgets.ts'
import { priceAt } from './held-price.ts'
import { partOfShard } from './price-fact.ts'
import { ofSameCampaign } from './quote.ts'
import { releaseOf, releasesBeforeLate } from './overdue.ts'
import { judgeRetry, reversalOf } from './retry.ts'
import { type Standing, standingOf } from './standing.ts'
import { type History, Key, type ShardState } from './state.ts'

const orderOfReservation = new Key()

const HANDED_OVER: Decision = answered({ type: HAND_OVER })
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
  const { user, order: reservedFor, ordinals, stack } = standing.begin
  const { order, cart } = command
  state.hashUser(user, state.userKey)
  state.hashOrder(order, state.orderKey)
  if (isOrderClaimed(state, ordinals)) return orderInDoubt(state, ordinals)
  const earlier = orderAlreadyRedeemed(state, ordinals)
  if (earlier !== 0) {
    const judgedCart = wasLate(history, earlier) ? null : cart
    return judgeRetry(state, history, earlier, user, ordinals, stack?.coupons ?? null, judgedCart)
  }
  if (standing.status === 'REDEEMED') return WAS_REDEEMED
  if (standing.status === 'RELEASED') return WAS_RELEASED
  if (standing.status === 'ENDED_WITH_COUPON') return COUPON_ENDED
  if (reservedFor !== null && !isSameOrder(state, reservedFor)) {
    return refused('ORDER_CONFLICT', 'the reservation was made for another order')
  }
  if (standing.status === 'RESERVED') {
    if (stack !== null) return HANDED_OVER
    return decideRedeemHeld(state, standing.head, ordinals, user, order, cart, nowMs, history)
  }
  if (!command.allowLate)
    return refused('RESERVATION_EXPIRED', 'the reservation has run out; allowLate may still redeem it')
  const price = priceAt(history, standing.priceSeq)
  if (price === null) {
    return refused('RESERVATION_EXPIRED', 'the reservation has run out and has no price; redeem with codes and a cart')
  }
  if (stack === null) return decideRedeemLate(state, command, standing, price, nowMs)
  // The other shards let go of what has run out before they are asked whether it fits again.
  return standing.head < 0
    ? HANDED_OVER
    : decided([releaseOf(state, command.reservationSeq, nowMs)], HANDED_OVER.answer)
}

/** A late redemption took the reserved price whatever cart was brought, so its retry is not held against that cart. */
function wasLate(history: History, seq: number): boolean {
  const event = history.at(seq)?.event
  return event?.type === EVENT.REDEEMED && event.late
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
  const refusals = ordinals.map(
    (ordinal, i) =>
      refusalOfUses(state, ordinal, asker, ofSameCampaign(state, ordinals, i)) ??
      budgetRefusal(state, ordinals, i, price, nowMs),
  )
  const index = firstByRank(refusals)
  const refusal = refusals[index] ?? null
  if (refusal !== null) {
    const ordinal = ordinals[index] as number
    const waitMs = refusal === 'COUPON_LOCKED' ? lockWaitMs(state, ordinal, nowMs) : 0
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
  const events = releasesBeforeLate(state, standing.head, command.reservationSeq, ordinals, nowMs, price.amounts)
  events.push(redeemed(command.reservationSeq, true, ordinals, user, command.order, price, null))
  return decided(events, { type: OUTCOME.REDEMPTION, seq: LAST_EVENT, replayed: false })
}

/** Whether the reserved discount still fits into its campaign's budget. */
function budgetRefusal(
  state: ShardState,
  ordinals: readonly number[],
  index: number,
  { amounts }: PriceFact,
  nowMs: number,
): 'BUDGET_EXHAUSTED' | null {
  const campaign = state.campaignOf(ordinals[index] as number)
  if (campaign < 0) return null
  let wantedMinor = 0
  for (let i = 0; i <= index; i++) {
    if (state.campaignOf(ordinals[i] as number) === campaign) wantedMinor += amounts[i] as number
  }
  return fitsBudget(state, campaign, wantedMinor, nowMs) ? null : 'BUDGET_EXHAUSTED'
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
    if (isUndecided(state, standing.head)) return beingRedeemed()
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
  if (standing.begin.stack !== null) return HANDED_OVER
  const { holds } = state.tables
  const presentMs = holds.expiresAtMs.get(standing.head)
  let wantedMs = Math.min(nowMs + command.ttlSeconds * 1000, holds.startedAtMs.get(standing.head) + RESERVATION_MAX_MS)
  for (const ordinal of standing.begin.ordinals) {
    wantedMs = Math.min(wantedMs, state.endsAtMs(ordinal) ?? Number.POSITIVE_INFINITY)
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
  const { user } = past.event
  const { reason, returnUse } = command
  const stack = reversedStack(state, past.event.stack)
  const part = partOfShard(state.shard, past.event)
  const { ordinals } = part
  const amounts = amountsForBudgets(state, ordinals, part.amounts)
  return decided(
    [{ type: EVENT.REDEMPTION_REVERSED, redemptionSeq: seq, ordinals, user, reason, returnUse, amounts, stack }],
    shown,
  )
}

function reversedStack(state: ShardState, stack: Stack | null): ReversedStack | null {
  if (stack === null) return null
  const own = stack.coupons.find(({ shard }) => shard === state.shard)
  assert(own !== undefined, 'a redemption is coordinated by a shard that has none of its coupons')
  return { heldSeq: own.heldSeq, shards: shardsBeside(stack, state.shard) }
}
