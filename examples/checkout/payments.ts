// The payment provider as the checkout sees it: charge, look, pay back.
//
// Charging and paying back carry an Idempotency-Key made of the order alone. Whoever makes the call again (a retry, or
// the next process after a kill) uses the same key and gets the first answer, so an order is charged once and paid back
// once at most. A key made of anything random would have to be written down before the call; one made of the order
// needs no writing.

import { callUntilAnswered, type Pace, type Reply, ServiceMisuse } from './resilient-call.ts'

export type PaymentStatus = 'SUCCEEDED' | 'DECLINED' | 'PENDING'

export interface Payment {
  readonly paymentId: string
  readonly status: PaymentStatus
}

export interface ChargeRequest {
  readonly orderId: string
  /** Stands for the customer's card; numbers of cards never reach the shop. */
  readonly token: string
  readonly amountMinor: number
  readonly currency: string
}

export class Payments {
  private readonly baseUrl: string
  /** Where the provider reports payments that are settled later. */
  private readonly notifyUrl: string
  private readonly pace: Pace

  constructor(baseUrl: string, notifyUrl: string, pace: Pace) {
    this.baseUrl = baseUrl
    this.notifyUrl = notifyUrl
    this.pace = pace
  }

  async charge(request: ChargeRequest): Promise<Payment> {
    return paymentOf(
      await this.post('/payments', `${request.orderId}/charge`, { ...request, notifyUrl: this.notifyUrl }),
    )
  }

  async look(paymentId: string): Promise<Payment> {
    const url = `${this.baseUrl}/payments/${encodeURIComponent(paymentId)}`
    return paymentOf(await callUntilAnswered({ method: 'GET', url }, this.pace))
  }

  async payBack(paymentId: string, orderId: string): Promise<void> {
    paymentOf(await this.post(`/payments/${encodeURIComponent(paymentId)}/refund`, `${orderId}/refund`, {}))
  }

  private post(path: string, idempotencyKey: string, body: unknown): Promise<Reply> {
    const headers = { 'idempotency-key': idempotencyKey }
    return callUntilAnswered({ method: 'POST', url: this.baseUrl + path, headers, body }, this.pace)
  }
}

/** A declined card is an answer; anything that is no payment is not. */
function paymentOf({ status, json }: Reply): Payment {
  const { paymentId, status: payment } = json
  if (typeof paymentId === 'string' && (payment === 'SUCCEEDED' || payment === 'DECLINED' || payment === 'PENDING')) {
    return { paymentId, status: payment }
  }
  throw new ServiceMisuse(`the payment provider answered ${status} ${JSON.stringify(json)}`)
}
