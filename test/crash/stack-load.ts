// Buyers of one to three coupons on several shards, until they are told to stop or the server is gone. Every answer goes to the
// ledger before the next call of the same buyer; every call without one is kept as a doubt that asks the same again.

import { setImmediate as turn } from 'node:timers/promises'
import type { SeededRandom } from '../support/seeded-random.ts'
import type { Answer, Checkout, HttpCheckout } from './checkout.ts'
import { digestOf, Violation } from './ledger.ts'
import type { StackCoupon, StackLedger, StackOrder, StackRedemption, StackReservation } from './stack-ledger.ts'

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
const USERS = 400

/** Asks the same again, on a server that serves; false: in doubt still. */
export type StackDoubt = (http: HttpCheckout) => Promise<boolean>

type Ask = (on: Checkout) => Promise<Answer>

export class StackLoad {
  /** In the order in which they were lost. */
  readonly doubts: StackDoubt[] = []
  answers = 0
  private readonly ledger: StackLedger
  private readonly random: SeededRandom
  private readonly round: number
  private stopped = false
  private orders = 0

  constructor(ledger: StackLedger, random: SeededRandom, round: number) {
    this.ledger = ledger
    this.random = random
    this.round = round
  }

  stop(): void {
    this.stopped = true
  }

  async run(
    stock: readonly StackCoupon[],
    http: HttpCheckout,
    checkouts: readonly Checkout[],
    buyersEach: number,
  ): Promise<void> {
    const buyers: Promise<void>[] = [this.owner(stock, http)]
    for (const checkout of checkouts) {
      for (let i = 0; i < buyersEach; i++) buyers.push(this.buyer(stock, checkout, http))
    }
    await Promise.all(buyers)
  }

  private async buyer(stock: readonly StackCoupon[], checkout: Checkout, http: HttpCheckout): Promise<void> {
    while (!this.stopped) {
      const order = this.order(stock)
      const goesOn =
        this.random.below(2) === 0
          ? await this.redeemAndGoOn(checkout, http, order)
          : await this.reserveAndGoOn(checkout, http, order)
      this.answers++
      if (!goesOn) return
      await turn()
    }
  }

  /** Rules that move under the buyers: quotes become stale, and calls begin again. Nobody is to notice. */
  private async owner(stock: readonly StackCoupon[], http: HttpCheckout): Promise<void> {
    while (!this.stopped) {
      const { code } = this.random.pick(stock)
      const found = await http.get('coupon', code)
      if (found.kind !== 'done') return
      const changed = await http.describe(code, String(found.result['version']), `at ${this.answers} answers`)
      if (changed.kind === 'doubt') return
      if (changed.kind === 'refused') throw new Violation(`${code} was not changed: ${changed.code}, ${changed.detail}`)
    }
  }

  private order(stock: readonly StackCoupon[]): StackOrder {
    const coupons = new Set<StackCoupon>()
    const wanted = this.random.pick([1, 2, 2, 2, 3])
    while (coupons.size < wanted) coupons.add(this.random.pick(stock))
    this.orders++
    const orderId = `o-${this.round}-${this.orders}`
    const userId = `u-${this.random.below(USERS)}`
    return { coupons: [...coupons], userId, orderId, totalMinor: 1_000 + this.random.below(9_000) }
  }

  /** True: the buyer goes on. False: no answer came, so its connection is gone. What is in doubt is kept to be asked again. */
  private async settle(checkout: Checkout, ask: Ask, take: (answer: Answer) => void): Promise<boolean> {
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

  private async redeemAndGoOn(checkout: Checkout, http: HttpCheckout, order: StackOrder): Promise<boolean> {
    let entry: StackRedemption | null = null
    const isAnswered = await this.settle(
      checkout,
      (on) => on.redeem(stackBody(order)),
      (answer) => {
        entry = this.tookRedemption(order, answer)
      },
    )
    if (!isAnswered || entry === null || this.random.below(4) > 0) return isAnswered
    return await this.reverse(http, entry)
  }

  private tookRedemption(order: StackOrder, answer: Answer): StackRedemption | null {
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

  private reverse(http: HttpCheckout, entry: StackRedemption): Promise<boolean> {
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

  private async reserveAndGoOn(checkout: Checkout, http: HttpCheckout, order: StackOrder): Promise<boolean> {
    const { userId, orderId } = order
    const ttlSeconds = this.random.below(6) === 0 ? 1 : 300
    let entry: StackReservation | null = null
    const isAnswered = await this.settle(
      checkout,
      (on) => on.reserve({ codes: codesOf(order), userId, orderId, cart: cartOf(order), ttlSeconds }),
      (answer) => {
        entry = this.tookReservation(order, answer)
      },
    )
    if (!isAnswered || entry === null) return isAnswered
    const next = this.random.below(8)
    if (next < 2) return await this.release(checkout, entry)
    if (next < 5) return await this.redeemReserved(checkout, entry)
    if (next === 5) return await this.redeemByCodes(checkout, entry)
    if (next === 6) return await this.extend(http, entry)
    return true
  }

  private tookReservation(order: StackOrder, answer: Answer): StackReservation | null {
    if (answer.kind !== 'done') {
      if (answer.kind === 'refused' && LIMITS.has(answer.code)) return null
      throw new Violation(`a reservation of ${codesOf(order).join()} was answered ${JSON.stringify(answer)}`)
    }
    const { result } = answer
    if (!isWhole(result, order)) throw new Violation(`a reservation of other coupons: ${JSON.stringify(result)}`)
    const { coupons, userId, orderId, totalMinor } = order
    const reservationId = String(result['reservationId'])
    const expiresAtMs = Date.parse(String(result['expiresAt']))
    const entry: StackReservation = { coupons, userId, orderId, totalMinor, reservationId, expiresAtMs, state: 'OPEN' }
    this.ledger.addReservation(entry)
    return entry
  }

  private release(checkout: Checkout, entry: StackReservation): Promise<boolean> {
    return this.settle(
      checkout,
      (on) => on.release(entry.reservationId),
      (answer) => {
        if (answer.kind !== 'done') throw new Violation(`a release was answered ${JSON.stringify(answer)}`)
        this.ledger.close(entry, 'RELEASED')
      },
    )
  }

  private extend(http: HttpCheckout, entry: StackReservation): Promise<boolean> {
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

  private redeemReserved(checkout: Checkout, entry: StackReservation): Promise<boolean> {
    return this.settle(
      checkout,
      (on) => on.redeemReservation(entry.reservationId, { orderId: entry.orderId }),
      (answer) => {
        if (answer.kind === 'refused' && answer.code === 'RESERVATION_EXPIRED') return
        if (this.tookRedemption(entry, answer) !== null) this.ledger.close(entry, 'REDEEMED')
      },
    )
  }

  /** The other way to use a reservation: its codes and order. One that ran out meanwhile is a redemption of its own. */
  private redeemByCodes(checkout: Checkout, entry: StackReservation): Promise<boolean> {
    return this.settle(
      checkout,
      (on) => on.redeem(stackBody(entry)),
      (answer) => {
        this.tookRedemption(entry, answer)
        const isItsOwn = answer.kind === 'done' && answer.result['reservationId'] === entry.reservationId
        if (isItsOwn) this.ledger.close(entry, 'REDEEMED')
      },
    )
  }
}

/** Whether an answer names all coupons of its call, and no others. */
function isWhole(result: Record<string, unknown>, order: StackOrder): boolean {
  const named = (result['coupons'] as { readonly code: string }[] | undefined)?.map(({ code }) => code) ?? []
  return named.sort().join() === codesOf(order).sort().join()
}

function codesOf({ coupons }: StackOrder): string[] {
  return coupons.map(({ code }) => code)
}

function cartOf({ totalMinor }: StackOrder): Record<string, unknown> {
  return { orderTotal: totalMinor, currency: CURRENCY }
}

export function stackBody(order: StackOrder): Record<string, unknown> {
  return { codes: codesOf(order), userId: order.userId, orderId: order.orderId, cart: cartOf(order) }
}
