// The four calls of Tearoff that a checkout makes, over HTTP with an API key of role `checkout`.
//
// Three kinds of ending, and the caller handles each in another place:
//
//     an answer           the reservation or redemption
//     a refusal           a value: the coupon is gone, does not fit, is held by others. The customer has to hear of it
//     an error            thrown. ServiceUnavailable: ask again later. ServiceMisuse: a person has to look at it
//
// Every call may be repeated without harm, which is what makes the retries of resilient-call.ts right: a reservation of
// the same user, codes and order is returned as it stands, a redemption and a reversal give their first answer again,
// and what is given back can be given back again. So OUTCOME_UNKNOWN and STORAGE_UNAVAILABLE are settled by the same
// call, same order.

import { callUntilAnswered, type Call, type Pace, type Reply, ServiceMisuse } from './resilient-call.ts'

export interface CartLine {
  readonly productId: string
  readonly quantity: number
  /** Minor units. */
  readonly unitPrice: number
}

export interface Cart {
  /** ISO 4217. */
  readonly currency: string
  readonly lines: readonly CartLine[]
  /** Minor units. */
  readonly shipping: number
}

export interface Discount {
  readonly total: number
  readonly finalPrice: number
}

export interface Reservation {
  readonly reservationId: string
  /** RFC 3339. */
  readonly expiresAt: string
  readonly discount: Discount
}

export interface Redemption {
  readonly redemptionId: string
  readonly status: 'REDEEMED' | 'REVERSED'
  readonly discount: Discount
}

export interface Refusal {
  /** What programs read, such as COUPON_EXHAUSTED. */
  readonly code: string
  /** What people read. */
  readonly detail: string
  /** The one of several codes that the refusal concerns. */
  readonly coupon: string | null
}

export type Answer<Value> =
  /** `replayed`: it is the first answer of this order, given again. */
  | { readonly ok: true; readonly value: Value; readonly replayed: boolean }
  | { readonly ok: false; readonly refusal: Refusal }

export interface ReserveRequest {
  readonly codes: readonly string[]
  readonly userId: string
  readonly orderId: string
  readonly cart: Cart
  readonly ttlSeconds: number
}

export interface RedeemReservationRequest {
  readonly orderId: string
  /** With a cart: at that cart's price, checked now. Without: at the reserved price. */
  readonly cart?: Cart
  /** Also after the reservation ran out, at the reserved price, where the capacity is still there. */
  readonly allowLate?: boolean
}

const REFUSED_STATUSES: ReadonlySet<number> = new Set([404, 409, 410, 422, 423])

/** Statuses of refusals, but no news for a customer: a wrong address, or two different calls for one order. */
const OUR_FAULT: ReadonlySet<unknown> = new Set(['NOT_FOUND', 'ORDER_CONFLICT', 'REDEMPTION_REVERSED'])

export class TearoffClient {
  private readonly baseUrl: string
  private readonly apiKey: string
  private readonly pace: Pace

  constructor(baseUrl: string, apiKey: string, pace: Pace) {
    this.baseUrl = baseUrl
    this.apiKey = apiKey
    this.pace = pace
  }

  /** The same user, codes and order again: the same reservation while it is open, repriced if the cart is another. */
  reserve(request: ReserveRequest): Promise<Answer<Reservation>> {
    return this.call('POST', '/v1/reservations', request)
  }

  redeemReservation(reservationId: string, request: RedeemReservationRequest): Promise<Answer<Redemption>> {
    return this.call('POST', `/v1/reservations/${encodeURIComponent(reservationId)}/redeem`, request)
  }

  /** Gives the capacity back at once. */
  release(reservationId: string): Promise<Answer<unknown>> {
    return this.call('DELETE', `/v1/reservations/${encodeURIComponent(reservationId)}`)
  }

  /** The order was cancelled or refunded: gives the uses back. */
  reverse(redemptionId: string, reason: string): Promise<Answer<Redemption>> {
    return this.call('POST', `/v1/redemptions/${encodeURIComponent(redemptionId)}/reverse`, { reason })
  }

  private async call<Value>(method: Call['method'], path: string, body?: unknown): Promise<Answer<Value>> {
    const headers: Record<string, string> = this.apiKey === '' ? {} : { authorization: `Bearer ${this.apiKey}` }
    const reply = await callUntilAnswered({ method, url: this.baseUrl + path, headers, body }, this.pace)
    if (reply.status >= 200 && reply.status < 300) {
      const replayed = reply.headers.get('idempotent-replayed') === 'true'
      return { ok: true, value: reply.json as Value, replayed }
    }
    return { ok: false, refusal: refusalOf(reply, `${method} ${path}`) }
  }
}

/** Throws ServiceMisuse for problems that are not about coupons. */
function refusalOf({ status, json }: Reply, what: string): Refusal {
  const { code, detail, coupon, requestId } = json
  if (!REFUSED_STATUSES.has(status) || typeof code !== 'string' || OUR_FAULT.has(code)) {
    throw new ServiceMisuse(`${what}: ${status} ${String(code)}, ${String(detail)} (request ${String(requestId)})`)
  }
  return { code, detail: String(detail), coupon: typeof coupon === 'string' ? coupon : null }
}
