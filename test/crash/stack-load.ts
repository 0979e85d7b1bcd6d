// Buyers of one to three coupons on several shards, until they are told to stop or the server is gone. Every answer goes to the
// ledger before the next call of the same buyer; every call without one is kept as a doubt that asks the same again.

import { setImmediate as turn } from 'node:timers/promises'
import type { SeededRandom } from '../support/seeded-random.ts'
import type { Checkout, HttpCheckout } from './checkout.ts'
import { Violation } from './ledger.ts'
import { cartOf, codesOf, StackCalls, stackBody } from './stack-calls.ts'
import type { StackCoupon, StackLedger, StackOrder, StackRedemption, StackReservation } from './stack-ledger.ts'

const USERS = 400

export class StackLoad {
  answers = 0
  readonly calls: StackCalls
  private readonly random: SeededRandom
  private readonly round: number
  private stopped = false
  private orders = 0

  constructor(ledger: StackLedger, random: SeededRandom, round: number) {
    this.calls = new StackCalls(ledger)
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

  private async redeemAndGoOn(checkout: Checkout, http: HttpCheckout, order: StackOrder): Promise<boolean> {
    let entry: StackRedemption | null = null
    const isAnswered = await this.calls.settle(
      checkout,
      (on) => on.redeem(stackBody(order)),
      (answer) => {
        entry = this.calls.tookRedemption(order, answer)
      },
    )
    if (!isAnswered || entry === null || this.random.below(4) > 0) return isAnswered
    return await this.calls.reverse(http, entry)
  }

  private async reserveAndGoOn(checkout: Checkout, http: HttpCheckout, order: StackOrder): Promise<boolean> {
    const { userId, orderId } = order
    const ttlSeconds = this.random.below(6) === 0 ? 1 : 300
    let entry: StackReservation | null = null
    const isAnswered = await this.calls.settle(
      checkout,
      (on) => on.reserve({ codes: codesOf(order), userId, orderId, cart: cartOf(order), ttlSeconds }),
      (answer) => {
        entry = this.calls.tookReservation(order, answer)
      },
    )
    if (!isAnswered || entry === null) return isAnswered
    const next = this.random.below(8)
    if (next < 2) return await this.calls.release(checkout, entry)
    if (next < 5) return await this.calls.redeemReserved(checkout, entry)
    if (next === 5) return await this.calls.redeemByCodes(checkout, entry)
    if (next === 6) return await this.calls.extend(http, entry)
    return true
  }
}
