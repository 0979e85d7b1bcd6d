// An order as a state machine: events in, state and the next call out. Pure, so that a kill can be reasoned about.
//
//     PRICING ─▶ OPEN ─▶ PAYING ─▶ (PENDING) ─▶ REDEEMING ─▶ COMPLETED ─▶ REFUNDING ─▶ REVERSING ─▶ REFUNDED
//        ▲        │         └─ failed ─┴─▶ RELEASING ─▶ CANCELLED
//        └─ edit ─┘                             └─ coupon lost ─▶ COMPLETED at own cost, or REFUNDING ─▶ CANCELLED
//
// The rule that everything rests on: an event is on disk before the call that it makes due, and the call's outcome is
// the next event. `dueCall` is computed from the state alone, so a process that was killed anywhere reads its events,
// finds the call that was due, and makes it (again). That is safe because every call is idempotent by order or id.
// Nothing may be called that is not due.

import type { Cart, Refusal } from './tearoff-client.ts'

export type PaymentMethod = { readonly kind: 'CARD'; readonly token: string } | { readonly kind: 'INVOICE' }

/** What the shop does when the money is there and the coupon is not. */
export type LostCouponDecision = 'REFUND' | 'HONOUR'

export type OrderFact =
  | { readonly type: 'CART_SET'; readonly userId: string; readonly cart: Cart; readonly codes: readonly string[] }
  | { readonly type: 'RENEWAL_ASKED' }
  | {
      readonly type: 'RESERVED'
      readonly reservationId: string
      readonly expiresAt: string
      readonly discountMinor: number
      readonly totalMinor: number
    }
  | { readonly type: 'RESERVE_REFUSED'; readonly refusal: Refusal }
  | { readonly type: 'RELEASED'; readonly reservationId: string }
  | { readonly type: 'SUBMITTED'; readonly payment: PaymentMethod; readonly amountMinor: number }
  | { readonly type: 'PAYMENT_PENDING' | 'PAYMENT_CONFIRMED' | 'PAYMENT_FAILED'; readonly paymentId: string }
  | {
      readonly type: 'REDEEMED'
      readonly redemptionId: string
      readonly discountMinor: number
      readonly totalMinor: number
      /** It had been redeemed before: the process that asked first did not live to write it down. */
      readonly replayed: boolean
    }
  | { readonly type: 'REDEEM_REFUSED'; readonly refusal: Refusal }
  | { readonly type: 'COUPON_LOST'; readonly refusal: Refusal; readonly decision: LostCouponDecision }
  | { readonly type: 'REFUND_ASKED'; readonly reason: string }
  | { readonly type: 'PAID_BACK' }
  | { readonly type: 'REVERSED' }

export type OrderEvent = OrderFact & {
  readonly orderId: string
  /** RFC 3339. */
  readonly at: string
}

export type Phase =
  | 'PRICING'
  | 'OPEN'
  | 'PAYING'
  | 'PENDING'
  | 'REDEEMING'
  | 'RELEASING'
  | 'REFUNDING'
  | 'REVERSING'
  | 'COMPLETED'
  | 'CANCELLED'
  | 'REFUNDED'

export interface Price {
  readonly discountMinor: number
  readonly totalMinor: number
}

export interface Order {
  readonly orderId: string
  readonly phase: Phase
  readonly userId: string
  readonly cart: Cart
  readonly codes: readonly string[]
  /** The last reservation, which may have run out. */
  readonly reservation: { readonly reservationId: string; readonly expiresAt: string } | null
  /** A reservation of codes that are no longer in the cart; it goes back before anything else is reserved. */
  readonly staleReservationId: string | null
  /** null: the codes were refused, or there is no answer yet. */
  readonly price: Price | null
  readonly refusal: Refusal | null
  readonly payment: PaymentMethod | null
  readonly amountMinor: number
  readonly paymentId: string | null
  readonly redemptionId: string | null
  /** What the shop gave although the coupon was lost. */
  readonly ownCostMinor: number
  readonly refundReason: string | null
}

export type DueCall =
  | { readonly kind: 'RELEASE'; readonly reservationId: string }
  | { readonly kind: 'RESERVE' }
  | { readonly kind: 'CHARGE'; readonly token: string }
  | { readonly kind: 'LOOK_AT_PAYMENT'; readonly paymentId: string }
  | { readonly kind: 'REDEEM'; readonly reservationId: string }
  | { readonly kind: 'PAY_BACK'; readonly paymentId: string }
  | { readonly kind: 'REVERSE'; readonly redemptionId: string; readonly reason: string }

/** The call that has to be made next; null: it is the customer's turn, or nothing is left to do. */
export function dueCall(order: Order): DueCall | null {
  const { phase, reservation, staleReservationId, payment, paymentId, redemptionId } = order
  switch (phase) {
    case 'PRICING':
      return staleReservationId === null ? { kind: 'RESERVE' } : { kind: 'RELEASE', reservationId: staleReservationId }
    case 'PAYING':
      return { kind: 'CHARGE', token: payment?.kind === 'CARD' ? payment.token : missing(order, 'a card') }
    case 'PENDING':
      return { kind: 'LOOK_AT_PAYMENT', paymentId: paymentId ?? missing(order, 'a payment') }
    case 'REDEEMING':
      return { kind: 'REDEEM', reservationId: reservation?.reservationId ?? missing(order, 'a reservation') }
    case 'RELEASING':
      return { kind: 'RELEASE', reservationId: reservation?.reservationId ?? missing(order, 'a reservation') }
    case 'REFUNDING':
      return { kind: 'PAY_BACK', paymentId: paymentId ?? missing(order, 'a payment') }
    case 'REVERSING':
      return {
        kind: 'REVERSE',
        redemptionId: redemptionId ?? missing(order, 'a redemption'),
        reason: order.refundReason ?? missing(order, 'a reason'),
      }
    case 'OPEN':
    case 'COMPLETED':
    case 'CANCELLED':
    case 'REFUNDED':
      return null
  }
}

/** The order after one more event; `before` is undefined for the first. Throws where the event cannot follow. */
export function applyEvent(before: Order | undefined, event: OrderEvent): Order {
  if (before === undefined) {
    if (event.type !== 'CART_SET') throw new Error(`order ${event.orderId} begins with ${event.type}`)
    return priced(withCart(emptyOrder(event.orderId), event))
  }
  const order = before
  switch (event.type) {
    case 'CART_SET':
      return priced(withCart(order, event))
    case 'RENEWAL_ASKED':
      return priced({ ...order, phase: 'PRICING' })
    case 'RESERVED': {
      const { reservationId, expiresAt, discountMinor, totalMinor } = event
      const reservation = { reservationId, expiresAt }
      return { ...order, phase: 'OPEN', reservation, price: { discountMinor, totalMinor }, refusal: null }
    }
    case 'RESERVE_REFUSED':
    case 'REDEEM_REFUSED':
      return { ...order, phase: 'OPEN', price: null, refusal: event.refusal }
    case 'RELEASED':
      if (order.phase === 'RELEASING') return { ...order, phase: 'CANCELLED' }
      return priced({ ...order, staleReservationId: null })
    case 'SUBMITTED': {
      const submitted = { ...order, payment: event.payment, amountMinor: event.amountMinor }
      // Nothing to pay is nothing to charge: providers refuse an amount of 0.
      const isCharged = event.payment.kind === 'CARD' && event.amountMinor > 0
      return isCharged ? { ...submitted, phase: 'PAYING' } : redeemOrComplete(submitted)
    }
    case 'PAYMENT_PENDING':
      return { ...order, phase: 'PENDING', paymentId: event.paymentId }
    case 'PAYMENT_CONFIRMED':
      return redeemOrComplete({ ...order, paymentId: event.paymentId })
    case 'PAYMENT_FAILED':
      return { ...order, phase: order.reservation === null ? 'CANCELLED' : 'RELEASING' }
    case 'REDEEMED': {
      const { redemptionId, discountMinor, totalMinor } = event
      return { ...order, phase: 'COMPLETED', redemptionId, price: { discountMinor, totalMinor } }
    }
    case 'COUPON_LOST': {
      const lost = { ...order, refusal: event.refusal }
      if (event.decision === 'REFUND') return { ...lost, phase: 'REFUNDING' }
      return { ...lost, phase: 'COMPLETED', ownCostMinor: order.price?.discountMinor ?? 0 }
    }
    case 'REFUND_ASKED': {
      const asked = { ...order, refundReason: event.reason }
      return asked.paymentId === null ? reverseOrEnd(asked) : { ...asked, phase: 'REFUNDING' }
    }
    case 'PAID_BACK':
      return reverseOrEnd(order)
    case 'REVERSED':
      return { ...order, phase: 'REFUNDED' }
  }
}

function emptyOrder(orderId: string): Omit<Order, 'userId' | 'cart' | 'codes'> {
  return {
    orderId,
    phase: 'PRICING',
    reservation: null,
    staleReservationId: null,
    price: null,
    refusal: null,
    payment: null,
    amountMinor: 0,
    paymentId: null,
    redemptionId: null,
    ownCostMinor: 0,
    refundReason: null,
  }
}

/** A reservation is of a set of codes: with other codes it is stale, with the same ones it can be repriced. */
function withCart(
  order: Omit<Order, 'userId' | 'cart' | 'codes'> & { readonly codes?: readonly string[] },
  { userId, cart, codes }: OrderEvent & { readonly type: 'CART_SET' },
): Order {
  const changed: Order = { ...order, userId, cart, codes, phase: 'PRICING', price: null, refusal: null }
  if (order.reservation === null || sameCodes(order.codes ?? [], codes)) return changed
  return { ...changed, reservation: null, staleReservationId: order.reservation.reservationId }
}

/** Without codes there is nothing to ask: the shop knows the price itself. */
function priced(order: Order): Order {
  if (order.codes.length > 0 || order.staleReservationId !== null) return order
  return { ...order, phase: 'OPEN', price: { discountMinor: 0, totalMinor: undiscountedMinor(order.cart) } }
}

function redeemOrComplete(order: Order): Order {
  return { ...order, phase: order.codes.length === 0 ? 'COMPLETED' : 'REDEEMING' }
}

/** The money is back, or never moved: now the use, where there was one. */
function reverseOrEnd(order: Order): Order {
  if (order.redemptionId !== null) return { ...order, phase: 'REVERSING' }
  return { ...order, phase: order.refundReason === null ? 'CANCELLED' : 'REFUNDED' }
}

/** Whether both name the same set, in any order. */
export function sameCodes(these: readonly string[], those: readonly string[]): boolean {
  return these.length === those.length && these.every((code) => those.includes(code))
}

function undiscountedMinor({ lines, shipping }: Cart): number {
  return lines.reduce((sum, { quantity, unitPrice }) => sum + quantity * unitPrice, shipping)
}

function missing(order: Order, what: string): never {
  throw new Error(`order ${order.orderId} is ${order.phase} without ${what}`)
}
