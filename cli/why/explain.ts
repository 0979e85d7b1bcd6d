/**
 * What stood around a decision: the checks on each coupon of the call, the reservation it was about, and what would have
 * passed. Made from the state at the moment of the decision, which is gone when the walk goes on.
 */
import type { Cart } from '../../engine/domain/cart.ts'
import { resolve } from '../../engine/domain/decision.ts'
import {
  ANY_ORDER,
  openReservationForRedemption,
  openReservationOf,
  SAME_ORDER,
} from '../../engine/domain/open-reservation.ts'
import { standingOf } from '../../engine/domain/standing.ts'
import type { ShardState } from '../../engine/domain/state.ts'
import { type Bytes, textOf } from '../../protocol/bytes.ts'
import {
  type CheckoutCommand,
  type Claim,
  COMMAND,
  type Command,
  type CouponRef,
  NO_SHARD,
  type RedeemReservation,
} from '../../protocol/commands.ts'
import { formatId } from '../../protocol/ids.ts'
import { campaignOrdinal } from '../../protocol/ordinals.ts'
import { OUTCOME } from '../../protocol/outcomes.ts'
import { shownTime } from '../rebuild/positions.ts'
import { claimChecks } from './campaign-checks.ts'
import { checksOf } from './all-checks.ts'
import { type Check, cartChecks } from './checks.ts'
import type { JudgedCommand, PastShard, StackedCall } from './past-transport.ts'

export interface ExplainedCoupon {
  readonly code: string
  /** Of a claim that of its campaign; null: there is no such coupon. */
  readonly couponId: string | null
  /** The user's open reservation that has the capacity already, so that only the cart counts; null: none. */
  readonly heldBy: string | null
  readonly checks: readonly Check[]
}

export interface Explanation {
  readonly coupons: readonly ExplainedCoupon[]
  /** Whatever is to be said beside the checks. */
  readonly remarks: readonly string[]
}

export function explain(past: PastShard, judged: readonly JudgedCommand[]): Explanation {
  const coupons: ExplainedCoupon[] = []
  const remarks: string[] = []
  for (const { command, decision } of judged) {
    if (isCheckout(command)) coupons.push(...explainCodes(past, command))
    else if (command.type === COMMAND.REDEEM_RESERVATION) {
      remarks.push(...reservationRemarks(past, command))
      coupons.push(...explainReserved(past, command))
    } else if (command.type === COMMAND.CLAIM) {
      coupons.push(...explainClaim(past, command))
    } else if (command.type === COMMAND.RELEASE || command.type === COMMAND.EXTEND_RESERVATION) {
      remarks.push(standingText(past, command.reservationSeq))
    }
    remarks.push(...orderRemarks(decision.answer))
  }
  return { coupons, remarks: [...new Set(remarks)] }
}

function isCheckout(command: Command): command is CheckoutCommand {
  return command.type === COMMAND.VALIDATE || command.type === COMMAND.RESERVE || command.type === COMMAND.REDEEM
}

function explainCodes({ state, nowMs }: PastShard, command: CheckoutCommand): ExplainedCoupon[] {
  const { user, cart } = command
  const ordinals = command.coupons.map((ref) => resolve(state, ref))
  const reservation = reservationOf(state, command, ordinals, nowMs)
  return command.coupons.map((ref, place) => {
    const ordinal = ordinals[place] ?? -1
    if (ordinal < 0) return unknownCoupon(ref.code === null ? `number ${ref.ordinal}` : textOf(ref.code))
    const question = { user: user === null ? null : textOf(user), cart, nowMs, codes: ordinals.length }
    const heldBy = reservation === null ? null : formatId('rsv_', state.shard, reservation)
    const checks = heldBy === null ? checksOf(state, ordinal, question) : ofCart(state, ordinal, cart)
    return knownCoupon(state, ordinal, heldBy, [existence(true), ...checks])
  })
}

/** The coupons of another shard, or of this one, in a call over several; the capacity of a reservation is the coordinator's to tell. */
export function explainPart(
  { state, nowMs }: PastShard,
  refs: readonly CouponRef[],
  { command, question }: StackedCall,
): readonly ExplainedCoupon[] {
  const { user, cart, count } = question
  const brought = command.type === COMMAND.REDEEM_RESERVATION ? command.cart : cart
  return refs.map((ref) => {
    const ordinal = resolve(state, ref)
    if (ordinal < 0) return unknownCoupon(ref.code === null ? `number ${ref.ordinal}` : textOf(ref.code))
    const asked = { user: user === null ? null : textOf(user), cart: brought, nowMs, codes: count }
    return knownCoupon(state, ordinal, null, [existence(true), ...checksOf(state, ordinal, asked)])
  })
}

/** Those of the coordinator itself and those that cannot exist, at their places in the call; null: of another shard. */
export function codesOfStack(past: PastShard, call: StackedCall): readonly (ExplainedCoupon | null)[] {
  const { command } = call
  if (command.type !== COMMAND.STACK) return []
  return command.shards.map((shard, place) => {
    const ref = command.call.coupons[place]
    if (ref === undefined) return null
    if (shard === NO_SHARD) return unknownCoupon(ref.code === null ? '' : textOf(ref.code))
    return shard === past.state.shard ? (explainPart(past, [ref], call)[0] ?? null) : null
  })
}

/** A claim names a campaign; the coupon is the pool's to choose. */
function explainClaim({ state, nowMs }: PastShard, { index, user }: Claim): readonly ExplainedCoupon[] {
  if (index >= state.campaigns.length) return []
  const campaign = campaignOrdinal(index)
  const checks = claimChecks(state, campaign, { user: textOf(user), cart: null, nowMs, codes: 1 })
  const couponId = formatId('cmp_', state.shard, index)
  return [{ code: state.campaign(campaign).name, couponId, heldBy: null, checks }]
}

function existence(exists: boolean): Check {
  const fact = exists ? 'the code exists' : 'no coupon has this code'
  return { check: 'COUPON_NOT_FOUND', passed: exists, fact, wouldPass: exists ? null : 'once such a coupon is created' }
}

function unknownCoupon(code: string): ExplainedCoupon {
  return { code, couponId: null, heldBy: null, checks: [existence(false)] }
}

function knownCoupon(
  state: ShardState,
  ordinal: number,
  heldBy: string | null,
  checks: readonly Check[],
): ExplainedCoupon {
  const couponId = formatId('cpn_', state.shard, ordinal)
  return { code: state.code(ordinal), couponId, heldBy, checks }
}

/**
 * The user's open reservation that the call would use, by its sequence; null: none. Keys of user and order are put into the
 * state's hand.
 */
function reservationOf(
  state: ShardState,
  { type, user, order }: CheckoutCommand,
  ordinals: readonly number[],
  nowMs: number,
): number | null {
  if (user === null || ordinals.includes(-1)) return null
  state.hashUser(user, state.userKey)
  if (order !== null) state.hashOrder(order, state.orderKey)
  const { holds } = state.tables
  const isOfThisShard = (head: number): boolean => holds.txnShard.get(head) < 0
  const head =
    type === COMMAND.REDEEM
      ? openReservationForRedemption(state, ordinals, nowMs, isOfThisShard)
      : openReservationOf(state, ordinals, order === null ? ANY_ORDER : SAME_ORDER, nowMs, isOfThisShard)
  return head < 0 ? null : holds.seq.get(head)
}

/** While it is open only the cart is judged; once it ran out, the limits are. */
function explainReserved(past: PastShard, { reservationSeq, cart, allowLate }: RedeemReservation): ExplainedCoupon[] {
  const { state, nowMs, history } = past
  const standing = standingOf(state, reservationSeq, nowMs, history)
  if (standing === null || (standing.status !== 'RESERVED' && standing.status !== 'EXPIRED')) return []
  const { ordinals, user } = standing.begin
  const isOpen = standing.status === 'RESERVED'
  if (!isOpen && !allowLate) return []
  return ordinals.map((ordinal) => {
    const heldBy = isOpen ? formatId('rsv_', state.shard, reservationSeq) : null
    return knownCoupon(state, ordinal, heldBy, isOpen ? ofCart(state, ordinal, cart) : limits(past, ordinal, user))
  })
}

function ofCart(state: ShardState, ordinal: number, cart: Cart | null): readonly Check[] {
  const offer = state.offer(ordinal)
  return cart === null || offer === null ? [] : cartChecks(offer, cart)
}

const LIMITS: ReadonlySet<string> = new Set([
  'USER_LIMIT_REACHED',
  'COUPON_EXHAUSTED',
  'COUPON_LOCKED',
  'CAMPAIGN_EXHAUSTED',
  'BUDGET_EXHAUSTED',
])

function limits({ state, nowMs }: PastShard, ordinal: number, user: Bytes): readonly Check[] {
  const question = { user: textOf(user), cart: null, nowMs, codes: 1 }
  return checksOf(state, ordinal, question).filter(({ check }) => LIMITS.has(check))
}

function reservationRemarks(past: PastShard, command: RedeemReservation): readonly string[] {
  const { state, nowMs, history } = past
  const remarks = [standingText(past, command.reservationSeq)]
  const standing = standingOf(state, command.reservationSeq, nowMs, history)
  if (standing === null) return remarks
  const { order } = standing.begin
  if (order !== null && textOf(order) !== textOf(command.order)) {
    remarks.push(`it was made for order ${textOf(order)}; that order would pass`)
  }
  if (standing.status === 'EXPIRED' && !command.allowLate) {
    remarks.push('with allowLate: true it may still be redeemed while the capacity is there')
  }
  return remarks
}

function standingText({ state, nowMs, history }: PastShard, seq: number): string {
  const id = formatId('rsv_', state.shard, seq)
  const standing = standingOf(state, seq, nowMs, history)
  switch (standing?.status) {
    case undefined:
      return `there is no reservation ${id}, or it is too long ago to be remembered`
    case 'RESERVED':
      return `reservation ${id} is open until ${shownTime(state.tables.holds.expiresAtMs.get(standing.head))}`
    case 'EXPIRED':
      return `reservation ${id} ran out at ${shownTime(standing.expiresAtMs)}`
    case 'ENDED_WITH_COUPON':
      return `reservation ${id} ended with its coupon, at ${state.shard}:${standing.closingSeq}`
    case 'RELEASED':
      return `reservation ${id} was given back, at ${state.shard}:${standing.closingSeq}`
    case 'REDEEMED':
      return `reservation ${id} was redeemed: ${formatId('rdm_', state.shard, standing.closingSeq)}`
  }
}

function orderRemarks(answer: JudgedCommand['decision']['answer']): readonly string[] {
  if (answer.type !== OUTCOME.REFUSED) return []
  switch (answer.refusal) {
    case 'ORDER_CONFLICT':
      return ['the call as it came first for this order would be answered again; another order would be judged anew']
    case 'REDEMPTION_REVERSED':
      return ['another order would be judged anew']
    case 'VERSION_CONFLICT':
      return ['with the version of the coupon as it is now in If-Match']
    case 'CODE_TAKEN':
      return ['with another code']
    default:
      return []
  }
}
