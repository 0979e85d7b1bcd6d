// The flow: what a customer may do with an order, and the calls that follow from it.
//
// Each order has a lane: whatever concerns it (a click, a second click, the provider's notification, the sweep after a
// restart) runs one after the other, so a double click finds the order submitted and gets its answer. In a lane there
// are two kinds of steps only: write down what somebody wants, and `drive`, which makes the calls that are due and
// writes down how they ended. Nothing is ever called before the event that makes it due is on disk, and no answer
// leaves before its event is.

import { OrderJournal } from './order-journal.ts'
import {
  applyEvent,
  type DueCall,
  dueCall,
  type LostCouponDecision,
  type Order,
  type OrderFact,
  type PaymentMethod,
  sameCodes,
} from './orders.ts'
import type { Payment, Payments } from './payments.ts'
import { ServiceMisuse, ServiceUnavailable } from './resilient-call.ts'
import type { Cart, Refusal, TearoffClient } from './tearoff-client.ts'

/**
 * Orders that a sweep works on side by side: after an outage all of them are due, and Tearoff has customers waiting
 * too.
 */
const SWEPT_AT_ONCE = 16

export interface CheckoutParts {
  readonly journalPath: string
  readonly tearoff: TearoffClient
  readonly payments: Payments
  /** Of a reservation: the time a customer has to pay, 1 to 3600. */
  readonly reservationSeconds: number
  readonly decideLostCoupon: (order: Order, refusal: Refusal) => LostCouponDecision
  /** Told of every step, for the log. */
  readonly onStep: (order: Order, fact: OrderFact) => void
  /** Told of what a person has to look at; the order is left alone until the next start. */
  readonly onTrouble: (order: Order, error: Error) => void
}

/** What the customer hears. `no` says why nothing came of the wish; the order tells the rest. */
export interface Outcome {
  readonly order: Order
  readonly no: 'NOT_YOURS' | 'TOO_LATE' | 'PRICE_CHANGED' | 'COUPON_REFUSED' | 'TRY_AGAIN' | 'NOT_COMPLETED' | null
}

export class Checkout {
  private readonly parts: CheckoutParts
  private readonly journal: OrderJournal
  private readonly orders = new Map<string, Order>()
  private readonly lanes = new Map<string, Promise<void>>()
  private readonly inTrouble = new Set<string>()
  /** Orders whose next call was asked to come later, and when. */
  private readonly restingUntilMs = new Map<string, number>()

  /** Reads what the last process knew. Nothing is called before `sweep`. */
  constructor(parts: CheckoutParts) {
    this.parts = parts
    this.journal = new OrderJournal(parts.journalPath)
    for (const event of this.journal.past) {
      this.orders.set(event.orderId, applyEvent(this.orders.get(event.orderId), event))
    }
  }

  order(orderId: string): Order | undefined {
    return this.orders.get(orderId)
  }

  /**
   * The checkout page: a new order, an edited one, or the same page again. The same codes lead to the same reservation,
   * repriced for the cart; other codes let the old reservation go first, so that one customer never holds two.
   */
  setCart(orderId: string, userId: string, cart: Cart, codes: readonly string[]): Promise<Outcome> {
    return this.inLane(orderId, async () => {
      const before = await this.drive(orderId)
      if (before !== undefined && before.userId !== userId) return { order: before, no: 'NOT_YOURS' }
      if (before?.phase === 'PRICING') return { order: before, no: 'TRY_AGAIN' }
      if (before !== undefined && before.phase !== 'OPEN') return { order: before, no: 'TOO_LATE' }
      const isReload = before !== undefined && sameCodes(before.codes, codes) && sameCart(before.cart, cart)
      if (!isReload) this.write(orderId, { type: 'CART_SET', userId, cart, codes })
      else if (codes.length > 0) this.write(orderId, { type: 'RENEWAL_ASKED' })
      return offered(await this.drive(orderId))
    })
  }

  /** "Buy now", at the total that the customer has seen. Again, it tells how far the order is. */
  submit(orderId: string, payment: PaymentMethod, seenTotalMinor: number): Promise<Outcome | undefined> {
    return this.inLane(orderId, async () => {
      const before = await this.drive(orderId)
      if (before === undefined) return undefined
      if (before.phase === 'PRICING') return { order: before, no: 'TRY_AGAIN' }
      if (before.phase !== 'OPEN') return { order: before, no: null }
      // No money is taken on a hold that may have run out: the reservation is renewed first, and stays the same if it
      // has not.
      if (before.codes.length > 0) this.write(orderId, { type: 'RENEWAL_ASKED' })
      const offer = offered(await this.drive(orderId))
      if (offer.no !== null || offer.order.price === null) return offer
      const amountMinor = offer.order.price.totalMinor
      if (amountMinor !== seenTotalMinor) return { order: offer.order, no: 'PRICE_CHANGED' }
      this.write(orderId, { type: 'SUBMITTED', payment, amountMinor })
      const order = known(await this.drive(orderId))
      return { order, no: order.phase === 'OPEN' ? 'COUPON_REFUSED' : null }
    })
  }

  /** The order was cancelled or sent back. Again, it is the same answer. */
  refund(orderId: string, reason: string): Promise<Outcome | undefined> {
    return this.inLane(orderId, async () => {
      const before = await this.drive(orderId)
      if (before === undefined) return undefined
      if (before.phase === 'COMPLETED') this.write(orderId, { type: 'REFUND_ASKED', reason })
      const order = known(await this.drive(orderId))
      return { order, no: order.refundReason === null ? 'NOT_COMPLETED' : null }
    })
  }

  /** Makes the calls that are due for one order: after the provider's notification, say. */
  resume(orderId: string): Promise<Order | undefined> {
    return this.inLane(orderId, () => this.drive(orderId))
  }

  /**
   * Resumes every order that has a call due: what a killed process left, what was unavailable, what is still to be
   * paid.
   */
  async sweep(): Promise<void> {
    const left = [...this.orders.values()].filter((order) => this.isLeftOver(order)).values()
    const work = async (): Promise<void> => {
      for (const { orderId } of left) await this.resume(orderId)
    }
    await Promise.all(Array.from({ length: SWEPT_AT_ONCE }, work))
  }

  private isLeftOver(order: Order): boolean {
    const { orderId } = order
    if (dueCall(order) === null || this.lanes.has(orderId) || this.inTrouble.has(orderId)) return false
    return (this.restingUntilMs.get(orderId) ?? 0) <= Date.now()
  }

  /**
   * Makes due calls until it is somebody else's turn. Returns early, with a call still due, where a service is
   * unavailable.
   */
  private async drive(orderId: string): Promise<Order | undefined> {
    for (;;) {
      const order = this.orders.get(orderId)
      const due = order === undefined ? null : dueCall(order)
      if (order === undefined || due === null) return order
      const fact = await this.attempt(order, due)
      if (fact === null) return order
      this.write(orderId, fact)
    }
  }

  /** How a due call ended; null: it is still due. */
  private async attempt(order: Order, due: DueCall): Promise<OrderFact | null> {
    try {
      const fact = await this.make(order, due)
      this.restingUntilMs.delete(order.orderId)
      return fact
    } catch (error) {
      if (error instanceof ServiceUnavailable) {
        this.restingUntilMs.set(order.orderId, Date.now() + error.retryAfterMs)
        return null
      }
      if (!(error instanceof ServiceMisuse)) throw error
      this.inTrouble.add(order.orderId)
      this.parts.onTrouble(order, error)
      return null
    }
  }

  private async make(order: Order, due: DueCall): Promise<OrderFact | null> {
    const { orderId, cart } = order
    const { tearoff, payments } = this.parts
    switch (due.kind) {
      case 'RESERVE':
        return await this.reserve(order)
      case 'RELEASE':
        // A refusal says that there is nothing to give back (any more), which is all that is wanted.
        await tearoff.release(due.reservationId)
        return { type: 'RELEASED', reservationId: due.reservationId }
      case 'CHARGE': {
        const { amountMinor } = order
        return afterPayment(await payments.charge({ orderId, token: due.token, amountMinor, currency: cart.currency }))
      }
      case 'LOOK_AT_PAYMENT': {
        const payment = await payments.look(due.paymentId)
        return payment.status === 'PENDING' ? null : afterPayment(payment)
      }
      case 'REDEEM':
        return await this.redeem(order, due.reservationId)
      case 'PAY_BACK':
        await payments.payBack(due.paymentId, orderId)
        return { type: 'PAID_BACK' }
      case 'REVERSE': {
        const { redemptionId, reason } = due
        const answer = await tearoff.reverse(redemptionId, reason)
        if (!answer.ok) throw new ServiceMisuse(`${redemptionId} is not reversed: ${answer.refusal.detail}`)
        return { type: 'REVERSED' }
      }
    }
  }

  private async reserve({ orderId, userId, cart, codes }: Order): Promise<OrderFact> {
    const ttlSeconds = this.parts.reservationSeconds
    const answer = await this.parts.tearoff.reserve({ codes, userId, orderId, cart, ttlSeconds })
    if (!answer.ok) return { type: 'RESERVE_REFUSED', refusal: answer.refusal }
    const { reservationId, expiresAt, discount } = answer.value
    return {
      type: 'RESERVED',
      reservationId,
      expiresAt,
      discountMinor: discount.total,
      totalMinor: discount.finalPrice,
    }
  }

  /**
   * Paid by card: at the reserved price, which is what was charged, and late if need be. On invoice no money has moved:
   * at the price of the cart as it is now, which is what the invoice will say, and a refusal only sends the customer
   * back to the page.
   */
  private async redeem(order: Order, reservationId: string): Promise<OrderFact> {
    const { orderId, cart, payment, paymentId } = order
    const isPaid = paymentId !== null
    const answer = await this.parts.tearoff.redeemReservation(reservationId, {
      orderId,
      ...(payment?.kind === 'INVOICE' ? { cart } : {}),
      ...(isPaid ? { allowLate: true } : {}),
    })
    if (answer.ok) {
      const { redemptionId, discount } = answer.value
      const { replayed } = answer
      return {
        type: 'REDEEMED',
        redemptionId,
        discountMinor: discount.total,
        totalMinor: discount.finalPrice,
        replayed,
      }
    }
    const { refusal } = answer
    if (!isPaid) return { type: 'REDEEM_REFUSED', refusal }
    return { type: 'COUPON_LOST', refusal, decision: this.parts.decideLostCoupon(order, refusal) }
  }

  /** On disk first, then in memory. */
  private write(orderId: string, fact: OrderFact): void {
    const event = { ...fact, orderId, at: new Date().toISOString() }
    const order = applyEvent(this.orders.get(orderId), event)
    this.journal.append(event)
    this.orders.set(orderId, order)
    this.parts.onStep(order, fact)
  }

  private inLane<Result>(orderId: string, task: () => Promise<Result>): Promise<Result> {
    const result = (this.lanes.get(orderId) ?? Promise.resolve()).then(task)
    const settled = result.then(
      () => {},
      () => {},
    )
    this.lanes.set(orderId, settled)
    void settled.then(() => {
      if (this.lanes.get(orderId) === settled) this.lanes.delete(orderId)
    })
    return result
  }
}

function afterPayment({ paymentId, status }: Payment): OrderFact {
  switch (status) {
    case 'PENDING':
      return { type: 'PAYMENT_PENDING', paymentId }
    case 'SUCCEEDED':
      return { type: 'PAYMENT_CONFIRMED', paymentId }
    case 'DECLINED':
      return { type: 'PAYMENT_FAILED', paymentId }
  }
}

/** What the page shows: a price, or why there is none. */
function offered(found: Order | undefined): Outcome {
  const order = known(found)
  if (order.phase === 'PRICING') return { order, no: 'TRY_AGAIN' }
  return { order, no: order.price === null ? 'COUPON_REFUSED' : null }
}

function known(order: Order | undefined): Order {
  if (order === undefined) throw new Error('an order that was written is not there')
  return order
}

function sameCart(one: Cart, other: Cart): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}
