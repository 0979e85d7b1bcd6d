// Calls on several coupons, or on a claimed one, with what their answers mean. Every answer goes to the ledger before the next call of
// the same buyer; every call without one is kept as a doubt that asks the same again.

import type { Answer, Checkout, HttpCheckout } from './checkout.ts'
import { digestOf, Violation } from './ledger.ts'
import type { StackLedger, StackOrder, StackRedemption, StackReservation } from './stack-ledger.ts'

/** Transactions that a crash cut off are ended by the shards themselves, and ends of reservations travel between them. */
export const SETTLED_WITHIN_MS = 30_000
const CURRENCY = 'EUR'
const LIMITS: ReadonlySet<string> = new Set([
  'COUPON_EXHAUSTED',
  'COUPON_LOCKED',
  'USER_LIMIT_REACHED',
  'CAMPAIGN_EXHAUSTED',
  'BUDGET_EXHAUSTED',
  'DAILY_LIMIT_REACHED',
])
/** Said by a server that lives. */
const NOT_DONE: ReadonlySet<string> = new Set(['SHARD_UNAVAILABLE', 'OVERLOADED'])
/** The server's clock may be so far from this one. */
const CLOCK_SLACK_MS = 2_000

/** Asks the same again, on a server that serves; false: in doubt still. */
export type StackDoubt = (http: HttpCheckout) => Promise<boolean>

export type Ask = (on: Checkout) => Promise<Answer>

export class StackCalls {
  /** In the order in which they were lost. */
  readonly doubts: StackDoubt[] = []
  private readonly ledger: StackLedger

  constructor(ledger: StackLedger) {
    this.ledger = ledger
  }

  /** True: the buyer goes on. False: no answer came, so its connection is gone. What is in doubt is kept to be asked again. */
  async settle(checkout: Checkout, ask: Ask, take: (answer: Answer) => void): Promise<boolean> {
    const answer = await ask(checkout)
    if (answer.kind !== 'doubt') {
      take(answer)
      return true
    }
    this.doubts.push(async (on) => {
      const again = await ask(on)
      if (again.kind !== 'doubt') take(again)
      return again.kind !== 'doubt'
    })
    return NOT_DONE.has(answer.why)
  }

  tookRedemption(order: StackOrder, answer: Answer): StackRedemption | null {
    if (answer.kind !== 'done') {
      if (answer.kind === 'refused' && LIMITS.has(answer.code)) return null
      throw new Violation(`order ${order.orderId} on ${codesOf(order).join()} was answered ${JSON.stringify(answer)}`)
    }
    const { result } = answer
    if (result['orderId'] !== order.orderId || result['userId'] !== order.userId || !isWhole(result, order)) {
      throw new Violation(`order ${order.orderId} was answered with another receipt: ${JSON.stringify(result)}`)
    }
    const { coupons, userId, orderId, totalMinor } = order
    const redemptionId = String(result['redemptionId'])
    const given = result['coupons'] as { readonly code: string; readonly amount: number }[]
    const discounts = coupons.map(({ code }) => given.find((each) => each.code === code)?.amount ?? 0)
    const receipt = digestOf(result)
    const entry = { coupons, userId, orderId, totalMinor, redemptionId, discounts, receipt, reversal: null }
    this.ledger.addRedemption(entry)
    return entry
  }

  reverse(http: HttpCheckout, entry: StackRedemption): Promise<boolean> {
    return this.settle(
      http,
      (on) => (on as HttpCheckout).reverse(entry.redemptionId),
      (answer) => {
        if (answer.kind !== 'done' || answer.result['status'] !== 'REVERSED') {
          throw new Violation(`the reversal of ${entry.redemptionId} was answered ${JSON.stringify(answer)}`)
        }
        this.ledger.reverse(entry, digestOf(answer.result), true)
      },
    )
  }

  tookReservation(order: StackOrder, answer: Answer): StackReservation | null {
    if (answer.kind !== 'done') {
      if (answer.kind === 'refused' && LIMITS.has(answer.code)) return null
      throw new Violation(`a reservation of ${codesOf(order).join()} was answered ${JSON.stringify(answer)}`)
    }
    const { result } = answer
    if (!isWhole(result, order)) throw new Violation(`a reservation of other coupons: ${JSON.stringify(result)}`)
    const { coupons, userId, orderId, totalMinor } = order
    const reservationId = String(result['reservationId'])
    const expiresAtMs = Date.parse(String(result['expiresAt']))
    const entry: StackReservation = {
      coupons,
      userId,
      orderId,
      totalMinor,
      reservationId,
      expiresAtMs,
      isPriced: true,
      state: 'OPEN',
    }
    this.ledger.addReservation(entry)
    return entry
  }

  release(checkout: Checkout, entry: StackReservation): Promise<boolean> {
    return this.settle(
      checkout,
      (on) => on.release(entry.reservationId),
      (answer) => {
        if (answer.kind !== 'done') throw new Violation(`a release was answered ${JSON.stringify(answer)}`)
        this.ledger.close(entry, 'RELEASED')
      },
    )
  }

  extend(http: HttpCheckout, entry: StackReservation): Promise<boolean> {
    return this.settle(
      http,
      (on) => (on as HttpCheckout).extend(entry.reservationId, 600),
      (answer) => {
        if (answer.kind === 'refused' && answer.code === 'RESERVATION_EXPIRED') return
        if (answer.kind !== 'done') throw new Violation(`an extension was answered ${JSON.stringify(answer)}`)
        entry.expiresAtMs = Date.parse(String(answer.result['expiresAt']))
      },
    )
  }

  redeemReserved(checkout: Checkout, entry: StackReservation): Promise<boolean> {
    return this.settle(
      checkout,
      (on) => {
        const { orderId, isPriced } = entry
        return on.redeemReservation(entry.reservationId, isPriced ? { orderId } : { orderId, cart: cartOf(entry) })
      },
      (answer) => {
        const isExpired = answer.kind === 'refused' && answer.code === 'RESERVATION_EXPIRED'
        if (isExpired && mayBeOver(entry)) return
        if (this.tookRedemption(entry, answer) !== null) this.ledger.close(entry, 'REDEEMED')
      },
    )
  }

  /** The other way to use a reservation: its codes and order. One that ran out meanwhile is a redemption of its own. */
  redeemByCodes(checkout: Checkout, entry: StackReservation): Promise<boolean> {
    return this.settle(
      checkout,
      (on) => on.redeem(stackBody(entry)),
      (answer) => {
        this.tookRedemption(entry, answer)
        const isItsOwn = answer.kind === 'done' && answer.result['reservationId'] === entry.reservationId
        if (isItsOwn) this.ledger.close(entry, 'REDEEMED')
        else if (!mayBeOver(entry)) {
          throw new Violation(`${entry.reservationId} is open and was not used: ${JSON.stringify(answer)}`)
        }
      },
    )
  }
}

/** Asks again whatever is in doubt, in the order in which it was lost. What is settled is taken out of the list. */
export async function settleAll(doubts: StackDoubt[], http: HttpCheckout): Promise<void> {
  for (let settle = doubts[0]; settle !== undefined; settle = doubts[0]) {
    // What a crash has left undecided between shards is in the way for a moment.
    const untilMs = performance.now() + SETTLED_WITHIN_MS
    let isSettled = await settle(http)
    while (!isSettled && performance.now() < untilMs) isSettled = await settle(http)
    if (!isSettled) throw new Violation('a call in doubt was not settled by a quiet server')
    doubts.shift()
  }
}

/** Whether it may have run out by the server's clock. */
export function mayBeOver({ expiresAtMs }: StackReservation): boolean {
  return Date.now() > expiresAtMs - CLOCK_SLACK_MS
}

/** Whether an answer names all coupons of its call, and no others. */
function isWhole(result: Record<string, unknown>, order: StackOrder): boolean {
  const named = (result['coupons'] as { readonly code: string }[] | undefined)?.map(({ code }) => code) ?? []
  return named.sort().join() === codesOf(order).sort().join()
}

export function codesOf({ coupons }: StackOrder): string[] {
  return coupons.map(({ code }) => code)
}

export function cartOf({ totalMinor }: StackOrder): Record<string, unknown> {
  return { orderTotal: totalMinor, currency: CURRENCY }
}

export function stackBody(order: StackOrder): Record<string, unknown> {
  return { codes: codesOf(order), userId: order.userId, orderId: order.orderId, cart: cartOf(order) }
}
