// One coupon as the contract has it, one call after the other: what each may be answered, and what is true afterwards.
//
//     state ──call, answer, time──▶ the states it can be in now (none: no such answer is possible here)
//
// Written from the contract alone. It imports nothing from the engine and knows no sequence, sweep or flush. It is not
// deterministic where the clients cannot know: an order whose answer was lost has a redemption without a name, until an answer
// names it; a reservation whose answer was lost runs out at an unknown time. Where the contract allows two answers, both pass.

import {
  type CouponState,
  endOf,
  heldIn,
  inOrder,
  lapsed,
  openOf,
  type Redemption,
  replaced,
  type Reservation,
  usesOf,
  withEndKnown,
  withRedemptionNamed,
  withReservationNamed,
  withStatus,
} from './coupon-state.ts'
import type { Answer, Call, CouponRules, CouponView } from './operation.ts'

/** What a call comes to: the state after it, and what is to be told. */
interface Effect {
  readonly next: CouponState
  readonly told: Told
}

type Told =
  | { readonly kind: 'REDEMPTION'; readonly by: number; readonly isNew: boolean }
  | { readonly kind: 'RESERVATION'; readonly by: number; readonly isNew: boolean }
  | { readonly kind: 'RELEASED' }
  | { readonly kind: 'COUPON' }
  | { readonly kind: 'VALIDATED'; readonly reason: string | null; readonly totalMinor: number }
  | { readonly kind: 'REFUSED'; readonly codes: readonly string[] }

const NEVER_MS = Number.POSITIVE_INFINITY

export class CouponSpecification {
  private readonly rules: CouponRules
  private readonly isTimed: boolean

  constructor(rules: CouponRules, isTimed: boolean) {
    this.rules = rules
    this.isTimed = isTimed
  }

  /** The states after `call` was answered so; `by` is its number, unique in the history. */
  answered(state: CouponState, by: number, call: Call, answer: Answer, timeMs: number | null): CouponState[] {
    const found: CouponState[] = []
    for (const before of this.statesAt(state, timeMs)) {
      for (const { next, told } of this.effects(before, by, call)) {
        const after = this.agree(next, told, answer)
        if (after !== null) found.push(after)
      }
    }
    return found
  }

  /** The states after `call` took effect and nobody was told; none where it would have changed nothing. */
  unanswered(state: CouponState, by: number, call: Call): CouponState[] {
    const found: CouponState[] = []
    for (const before of this.statesAt(state, null)) {
      for (const { next } of this.effects(before, by, call)) if (next !== before) found.push(next)
    }
    return found
  }

  /** Time has gone on to `timeMs`, or to any later time, and what is over is over. */
  private statesAt(state: CouponState, timeMs: number | null): CouponState[] {
    if (!this.isTimed || timeMs === state.timeMs) return [state]
    if (timeMs !== null) return timeMs < state.timeMs ? [] : lapsed(state, timeMs)
    const ends = state.reservations.filter(({ status }) => status === 'RESERVED').map(endOf)
    const times = new Set([state.timeMs, ...ends.filter((endMs) => endMs > state.timeMs)])
    return [...times].flatMap((atMs) => lapsed(state, atMs))
  }

  private effects(state: CouponState, by: number, call: Call): Effect[] {
    switch (call.type) {
      case 'REDEEM':
        return [this.redeem(state, by, call.user, call.order, call.totalMinor)]
      case 'RESERVE':
        return this.reserve(state, by, call)
      case 'REDEEM_RESERVATION':
        return [this.redeemReservation(state, by, call)]
      case 'RELEASE':
        return [release(state, call.reservationId)]
      case 'REVERSE':
        return [reverse(state, call.redemptionId)]
      case 'SWITCH': {
        const isDisabled = !call.enabled
        return [{ next: state.isDisabled === isDisabled ? state : { ...state, isDisabled }, told: { kind: 'COUPON' } }]
      }
      case 'READ_COUPON':
        return [{ next: state, told: { kind: 'COUPON' } }]
      case 'READ_RESERVATION': {
        const found = state.reservations.find(({ id }) => id === call.reservationId)
        if (found === undefined) return [refused(state, 'RESERVATION_NOT_FOUND')]
        return [{ next: state, told: { kind: 'RESERVATION', by: found.by, isNew: false } }]
      }
      case 'READ_REDEMPTION': {
        const found = state.redemptions.find(({ id }) => id === call.redemptionId)
        if (found === undefined) return [refused(state, 'REDEMPTION_NOT_FOUND')]
        return [{ next: state, told: { kind: 'REDEMPTION', by: found.by, isNew: false } }]
      }
      case 'VALIDATE': {
        const reason = state.isDisabled ? 'COUPON_DISABLED' : this.refusalOfCoupon(state)
        return [{ next: state, told: { kind: 'VALIDATED', reason, totalMinor: call.totalMinor } }]
      }
    }
  }

  private redeem(state: CouponState, by: number, user: string, order: string, totalMinor: number): Effect {
    const earlier = state.redemptions.find((one) => one.order === order)
    if (earlier !== undefined) return retried(state, earlier, user, totalMinor)
    const open = openOf(state, user, order) ?? openOf(state, user, null)
    if (open !== undefined) return redeemed(state, { by, user, order, totalMinor, reservedBy: open.by, isLate: false })
    const refusal = this.refusalFor(state, user)
    if (refusal !== null) return refused(state, refusal)
    return redeemed(state, { by, user, order, totalMinor, reservedBy: null, isLate: false })
  }

  private reserve(state: CouponState, by: number, call: Extract<Call, { type: 'RESERVE' }>): Effect[] {
    const { user, order, totalMinor, ttlSeconds } = call
    const earlier = order === null ? undefined : state.redemptions.find((one) => one.order === order)
    if (earlier !== undefined) {
      return [refused(state, earlier.isReversed ? 'REDEMPTION_REVERSED' : 'ORDER_CONFLICT')]
    }
    // Without an order any open one of the user is meant; where there are several the contract does not say which.
    const open = state.reservations.filter(
      (one) => one.status === 'RESERVED' && one.user === user && (order === null || one.order === order),
    )
    if (open.length > 0) return open.map((one) => reservedAgain(state, one, totalMinor))
    const refusal = this.refusalFor(state, user)
    if (refusal !== null) return [refused(state, refusal)]
    const made: Reservation = {
      by,
      id: null,
      user,
      order,
      totalMinor,
      expiresAtMs: null,
      lastsUntilMs: this.isTimed ? state.timeMs + ttlSeconds * 1000 : NEVER_MS,
      status: 'RESERVED',
    }
    const next = { ...state, reservations: inOrder(state.reservations, made) }
    return [{ next, told: { kind: 'RESERVATION', by, isNew: true } }]
  }

  private redeemReservation(
    state: CouponState,
    by: number,
    call: Extract<Call, { type: 'REDEEM_RESERVATION' }>,
  ): Effect {
    const { order, allowLate } = call
    const found = state.reservations.find(({ id }) => id === call.reservationId)
    if (found === undefined) return refused(state, 'RESERVATION_NOT_FOUND')
    const { user } = found
    const earlier = state.redemptions.find((one) => one.order === order)
    // The same late call again must be answered, although the cart it brings was never the price.
    if (earlier !== undefined) return retried(state, earlier, user, earlier.isLate ? null : call.totalMinor)
    if (found.status === 'REDEEMED' || found.status === 'RELEASED') return refused(state, 'RESERVATION_CLOSED')
    if (found.order !== null && found.order !== order) return refused(state, 'ORDER_CONFLICT')
    if (found.status === 'EXPIRED') {
      if (!allowLate) return refused(state, 'RESERVATION_EXPIRED')
      const refusal = this.refusalOfLimits(state, user)
      if (refusal !== null) return refused(state, refusal)
    }
    const isLate = found.status === 'EXPIRED'
    const totalMinor = isLate ? found.totalMinor : (call.totalMinor ?? found.totalMinor)
    return redeemed(state, { by, user, order, totalMinor, reservedBy: found.by, isLate })
  }

  private refusalFor(state: CouponState, user: string): string | null {
    return state.isDisabled ? 'COUPON_DISABLED' : this.refusalOfLimits(state, user)
  }

  private refusalOfLimits(state: CouponState, user: string): string | null {
    const { maxUsesPerUser } = this.rules
    const ofUser = state.redemptions.filter((one) => one.user === user)
    const heldOfUser = state.reservations.filter((one) => one.user === user && one.status === 'RESERVED').length
    if (maxUsesPerUser !== null && usesOf(ofUser) + heldOfUser >= maxUsesPerUser) return 'USER_LIMIT_REACHED'
    return this.refusalOfCoupon(state)
  }

  private refusalOfCoupon(state: CouponState): string | null {
    const { maxUses } = this.rules
    const uses = usesOf(state.redemptions)
    if (maxUses === null || uses + heldIn(state) < maxUses) return null
    return uses >= maxUses ? 'COUPON_EXHAUSTED' : 'COUPON_LOCKED'
  }

  /** The state once the answer is known, or null where it is another than has to be told. */
  private agree(state: CouponState, told: Told, answer: Answer): CouponState | null {
    switch (told.kind) {
      case 'REDEMPTION':
        return answer.kind === 'REDEMPTION' ? this.agreeOnRedemption(state, told, answer) : null
      case 'RESERVATION':
        return answer.kind === 'RESERVATION' ? this.agreeOnReservation(state, told, answer) : null
      case 'RELEASED':
        return answer.kind === 'RELEASED' ? state : null
      case 'COUPON':
        return answer.kind === 'COUPON' && isSameView(this.view(state), answer) ? state : null
      case 'VALIDATED': {
        if (answer.kind !== 'VALIDATED' || answer.reason !== told.reason) return null
        return told.reason !== null || answer.amountMinor === this.discountOf(told.totalMinor) ? state : null
      }
      case 'REFUSED':
        return answer.kind === 'REFUSED' && told.codes.includes(answer.code) ? state : null
    }
  }

  private agreeOnRedemption(
    state: CouponState,
    { by, isNew }: Extract<Told, { kind: 'REDEMPTION' }>,
    answer: Extract<Answer, { kind: 'REDEMPTION' }>,
  ): CouponState | null {
    const one = state.redemptions.find((each) => each.by === by) as Redemption
    if (answer.isNew !== isNew || answer.discountMinor !== this.discountOf(one.totalMinor)) return null
    if (answer.status !== null && answer.status !== (one.isReversed ? 'REVERSED' : 'REDEEMED')) return null
    const named = answer.redemptionId === null ? state : withRedemptionNamed(state, one, answer.redemptionId)
    if (named === null || answer.reservationId === undefined) return named
    if (one.reservedBy === null) return answer.reservationId === null ? named : null
    if (answer.reservationId === null) return null
    const used = named.reservations.find((each) => each.by === one.reservedBy) as Reservation
    return withReservationNamed(named, used, answer.reservationId)
  }

  private agreeOnReservation(
    state: CouponState,
    { by, isNew }: Extract<Told, { kind: 'RESERVATION' }>,
    answer: Extract<Answer, { kind: 'RESERVATION' }>,
  ): CouponState | null {
    const one = state.reservations.find((each) => each.by === by) as Reservation
    if ((answer.isNew ?? isNew) !== isNew || answer.status !== one.status) return null
    // What a redeemed one shows, its own price or that of the cart it was redeemed for, the contract does not say.
    if (one.status !== 'REDEEMED' && answer.discountMinor !== this.discountOf(one.totalMinor)) return null
    const named = withReservationNamed(state, one, answer.reservationId)
    if (named === null || !this.isTimed) return named
    if (isNew && answer.expiresAtMs !== one.lastsUntilMs) return null
    return withEndKnown(named, by, answer.expiresAtMs)
  }

  private view(state: CouponState): CouponView {
    const { maxUses } = this.rules
    const uses = usesOf(state.redemptions)
    const reserved = heldIn(state)
    const remaining = maxUses === null ? null : maxUses - uses - reserved
    return { uses, reserved, remaining, status: this.statusOf(state, uses, reserved) }
  }

  /** The first that holds. */
  private statusOf(state: CouponState, uses: number, reserved: number): string {
    const { maxUses } = this.rules
    if (state.isDisabled) return 'DISABLED'
    if (maxUses !== null && uses >= maxUses) return maxUses === 1 ? 'REDEEMED' : 'EXHAUSTED'
    return maxUses === 1 && reserved > 0 ? 'LOCKED' : 'ACTIVE'
  }

  /** Half up to the minor unit. */
  private discountOf(totalMinor: number): number {
    return Math.floor((totalMinor * this.rules.percentBps + 5_000) / 10_000)
  }
}

function refused(state: CouponState, ...codes: readonly string[]): Effect {
  return { next: state, told: { kind: 'REFUSED', codes } }
}

/** The same order again. `totalMinor` null: no cart was brought, so none is compared. */
function retried(state: CouponState, earlier: Redemption, user: string, totalMinor: number | null): Effect {
  if (earlier.user !== user || (totalMinor !== null && earlier.totalMinor !== totalMinor)) {
    // Which of the two, where both are true, the contract leaves open.
    return earlier.isReversed
      ? refused(state, 'ORDER_CONFLICT', 'REDEMPTION_REVERSED')
      : refused(state, 'ORDER_CONFLICT')
  }
  if (earlier.isReversed) return refused(state, 'REDEMPTION_REVERSED')
  return { next: state, told: { kind: 'REDEMPTION', by: earlier.by, isNew: false } }
}

function redeemed(state: CouponState, made: Omit<Redemption, 'id' | 'isReversed'>): Effect {
  const { by, reservedBy } = made
  const redemptions = inOrder(state.redemptions, { ...made, id: null, isReversed: false })
  const next = { ...state, redemptions, reservations: withStatus(state.reservations, reservedBy, 'REDEEMED') }
  return { next, told: { kind: 'REDEMPTION', by, isNew: true } }
}

function reservedAgain(state: CouponState, open: Reservation, totalMinor: number): Effect {
  const told = { kind: 'RESERVATION', by: open.by, isNew: false } as const
  if (open.totalMinor === totalMinor) return { next: state, told }
  const reservations = replaced(state.reservations, { ...open, totalMinor })
  return { next: { ...state, reservations }, told }
}

function release(state: CouponState, reservationId: string): Effect {
  const found = state.reservations.find(({ id }) => id === reservationId)
  if (found === undefined) return refused(state, 'RESERVATION_NOT_FOUND')
  if (found.status === 'REDEEMED') return refused(state, 'RESERVATION_CLOSED')
  const told = { kind: 'RELEASED' } as const
  if (found.status !== 'RESERVED') return { next: state, told }
  return { next: { ...state, reservations: withStatus(state.reservations, found.by, 'RELEASED') }, told }
}

function reverse(state: CouponState, redemptionId: string): Effect {
  const found = state.redemptions.find(({ id }) => id === redemptionId)
  if (found === undefined) return refused(state, 'REDEMPTION_NOT_FOUND')
  const told = { kind: 'REDEMPTION', by: found.by, isNew: false } as const
  if (found.isReversed) return { next: state, told }
  return { next: { ...state, redemptions: replaced(state.redemptions, { ...found, isReversed: true }) }, told }
}

function isSameView(a: CouponView, b: CouponView): boolean {
  return a.uses === b.uses && a.reserved === b.reserved && a.remaining === b.remaining && a.status === b.status
}
