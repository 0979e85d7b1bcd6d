// Mixed load on a few hot coupons, until it is told to stop or the server is gone. Every answer goes to the ledger before
// the next call of the same buyer; every call without an answer is kept as a doubt that knows how to settle itself.

import { setImmediate as turn } from 'node:timers/promises'
import type { SeededRandom } from '../support/seeded-random.ts'
import type { Answer, Checkout, HttpCheckout, WsCheckout } from './checkout.ts'
import {
  type CouponEntry,
  digestOf,
  type Ledger,
  type RedemptionEntry,
  type ReservationEntry,
  Violation,
} from './ledger.ts'

const CURRENCY = 'EUR'
const COLUMN_ROWS = 200
/** `outcomes` of a column that are no refusals. */
const ROW_REDEEMED = 0
const ROW_REPLAYED = 1
/** Refusals by limits, by number: USER_LIMIT_REACHED, COUPON_EXHAUSTED, COUPON_LOCKED. */
const ROW_LIMITS: ReadonlySet<number> = new Set([16, 17, 18])
const LIMITS: ReadonlySet<string> = new Set(['COUPON_EXHAUSTED', 'COUPON_LOCKED', 'USER_LIMIT_REACHED'])

/** The hot coupons of a stretch of the proof. */
export interface Stock {
  readonly limited: CouponEntry
  readonly perUser: CouponEntry
  readonly reserved: CouponEntry
  readonly columns: CouponEntry
}

/** Asks the same again, on a server that serves; false: in doubt still. */
export type Doubt = (http: HttpCheckout, ws: WsCheckout) => Promise<boolean>

interface Order {
  readonly coupon: CouponEntry
  readonly userId: string
  readonly orderId: string
  readonly totalMinor: number
}

export class Load {
  /** Calls without an answer, in the order in which they were lost. */
  readonly doubts: Doubt[] = []
  /** Answers that were recorded, refusals included. */
  answers = 0
  private readonly ledger: Ledger
  private readonly random: SeededRandom
  private readonly round: number
  private stopped = false
  private orders = 0

  constructor(ledger: Ledger, random: SeededRandom, round: number) {
    this.ledger = ledger
    this.random = random
    this.round = round
  }

  stop(): void {
    this.stopped = true
  }

  /** Runs buyers until stopped; each ends when its first call is in doubt, as its connection is gone then. */
  async run(stock: Stock, http: HttpCheckout, sessions: readonly WsCheckout[], buyersEach: number): Promise<void> {
    const buyers: Promise<void>[] = [this.creator(http), this.columnsBuyer(stock.columns, sessions[0] as WsCheckout)]
    for (const checkout of [http, ...sessions]) {
      for (let i = 0; i < buyersEach; i++) buyers.push(this.buyer(stock, checkout, http))
    }
    await Promise.all(buyers)
  }

  private async buyer(stock: Stock, checkout: Checkout, http: HttpCheckout): Promise<void> {
    let goesOn = true
    while (goesOn && !this.stopped) {
      const kind = this.random.below(10)
      if (kind < 3) goesOn = await this.redeem(checkout, this.order(stock.limited, 100_000), http)
      else if (kind < 5) goesOn = await this.redeem(checkout, this.order(stock.perUser, 60), http)
      else if (kind < 6) goesOn = await this.redeemOne(http, this.order(stock.limited, 100_000))
      else goesOn = await this.reserveAndGoOn(checkout, this.order(stock.reserved, 500))
      this.answers++
      await turn()
    }
  }

  private order(coupon: CouponEntry, users: number): Order {
    this.orders++
    const orderId = `o-${this.round}-${this.orders}`
    return { coupon, userId: `u-${this.random.below(users)}`, orderId, totalMinor: 1_000 + this.random.below(9_000) }
  }

  /** False: the buyer's connection is gone. */
  private async redeem(checkout: Checkout, order: Order, http: HttpCheckout): Promise<boolean> {
    const answer = await checkout.redeem(redeemBody(order))
    const entry = this.tookRedemption(order, answer, true)
    if (entry !== null && this.random.below(8) === 0) return await this.reverse(http, entry)
    if (answer.kind !== 'doubt') return true
    this.doubts.push(async (on) => {
      const again = await on.redeem(redeemBody(order))
      this.tookRedemption(order, again, true)
      return again.kind !== 'doubt'
    })
    return false
  }

  private async redeemOne(http: HttpCheckout, order: Order): Promise<boolean> {
    const { userId, orderId, totalMinor } = order
    const ask = (on: HttpCheckout): Promise<Answer> =>
      on.redeemOne(order.coupon.code, { userId, orderId, orderTotal: totalMinor, currency: CURRENCY })
    const answer = await ask(http)
    this.tookRedemption(order, answer, false)
    if (answer.kind !== 'doubt') return true
    this.doubts.push(async (on) => {
      const again = await ask(on)
      this.tookRedemption(order, again, false)
      return again.kind !== 'doubt'
    })
    return false
  }

  /** null when it is no redemption; a refusal must be one by a limit. `isWhole`: the answer is the receipt itself. */
  private tookRedemption(order: Order, answer: Answer, isWhole: boolean): RedemptionEntry | null {
    if (answer.kind === 'doubt') return null
    if (answer.kind === 'refused') {
      if (LIMITS.has(answer.code)) return null
      throw new Violation(`order ${order.orderId} was refused with ${answer.code}: ${answer.detail}`)
    }
    const { result } = answer
    if (isWhole && (result['orderId'] !== order.orderId || result['userId'] !== order.userId)) {
      throw new Violation(`order ${order.orderId} was answered with the receipt of another: ${JSON.stringify(result)}`)
    }
    const { coupon, userId, orderId, totalMinor } = order
    const redemptionId = String(result['redemptionId'])
    const receipt = isWhole ? digestOf(result) : null
    const entry = { coupon, userId, orderId, totalMinor, redemptionId, receipt, isReversed: false, reversal: null }
    this.ledger.addRedemption(entry)
    return entry
  }

  private async reverse(http: HttpCheckout, entry: RedemptionEntry): Promise<boolean> {
    const take = (answer: Answer): boolean => {
      if (answer.kind === 'doubt') return false
      if (answer.kind === 'refused')
        throw new Violation(`the reversal of ${entry.redemptionId} was refused with ${answer.code}`)
      if (answer.result['status'] !== 'REVERSED')
        throw new Violation(`a reversal answered ${JSON.stringify(answer.result)}`)
      this.ledger.reverse(entry, digestOf(answer.result))
      return true
    }
    if (take(await http.reverse(entry.redemptionId))) return true
    this.doubts.push(async (on) => take(await on.reverse(entry.redemptionId)))
    return false
  }

  private async reserveAndGoOn(checkout: Checkout, order: Order): Promise<boolean> {
    const { coupon, userId, orderId, totalMinor } = order
    const ttlSeconds = this.random.below(4) === 0 ? 1 : 300
    const cart = cartOf(totalMinor)
    const ask = (on: Checkout): Promise<Answer> =>
      on.reserve({ codes: [coupon.code], userId, orderId, cart, ttlSeconds })
    const answer = await ask(checkout)
    const entry = this.tookReservation(order, answer)
    if (answer.kind === 'doubt') {
      this.doubts.push(async (on) => {
        const again = await ask(on)
        this.tookReservation(order, again)
        return again.kind !== 'doubt'
      })
      return false
    }
    if (entry === null) return true
    const next = this.random.below(5)
    if (next === 0) return await this.release(checkout, entry)
    if (next < 3) return await this.redeemReserved(checkout, entry)
    if (next === 3) return await this.redeemByCode(checkout, entry)
    return true
  }

  private tookReservation(order: Order, answer: Answer): ReservationEntry | null {
    if (answer.kind === 'doubt') return null
    if (answer.kind === 'refused') {
      if (!LIMITS.has(answer.code))
        throw new Violation(`a reservation was refused with ${answer.code}: ${answer.detail}`)
      return null
    }
    const { result } = answer
    const entry: ReservationEntry = {
      ...order,
      reservationId: String(result['reservationId']),
      expiresAtMs: Date.parse(String(result['expiresAt'])),
      state: 'OPEN',
    }
    this.ledger.addReservation(entry)
    return entry
  }

  private async release(checkout: Checkout, entry: ReservationEntry): Promise<boolean> {
    const take = (answer: Answer): boolean => {
      if (answer.kind === 'doubt') return false
      if (answer.kind === 'refused')
        throw new Violation(`the release of ${entry.reservationId} was refused with ${answer.code}`)
      this.ledger.close(entry, 'RELEASED')
      return true
    }
    if (take(await checkout.release(entry.reservationId))) return true
    this.doubts.push(async (on) => take(await on.release(entry.reservationId)))
    return false
  }

  private async redeemReserved(checkout: Checkout, entry: ReservationEntry): Promise<boolean> {
    const ask = (on: Checkout): Promise<Answer> => on.redeemReservation(entry.reservationId, { orderId: entry.orderId })
    const take = (answer: Answer): boolean => {
      if (answer.kind === 'doubt') return false
      if (answer.kind === 'refused' && answer.code === 'RESERVATION_EXPIRED') return true
      if (answer.kind === 'refused')
        throw new Violation(`${entry.reservationId} was not redeemed: ${answer.code}, ${answer.detail}`)
      this.tookRedemption(entry, answer, true)
      this.ledger.close(entry, 'REDEEMED')
      return true
    }
    if (take(await ask(checkout))) return true
    this.doubts.push(async (on) => take(await ask(on)))
    return false
  }

  /** The other way to use a reservation: its code and order. One that ran out meanwhile is a redemption of its own. */
  private async redeemByCode(checkout: Checkout, entry: ReservationEntry): Promise<boolean> {
    const take = (answer: Answer): boolean => {
      if (answer.kind === 'doubt') return false
      const redeemed = this.tookRedemption(entry, answer, true) !== null && answer.kind === 'done'
      if (redeemed && answer.result['reservationId'] === entry.reservationId) this.ledger.close(entry, 'REDEEMED')
      return true
    }
    if (take(await checkout.redeem(redeemBody(entry)))) return true
    this.doubts.push(async (on) => take(await on.redeem(redeemBody(entry))))
    return false
  }

  private async columnsBuyer(coupon: CouponEntry, ws: WsCheckout): Promise<void> {
    while (!this.stopped) {
      const rows = Array.from({ length: COLUMN_ROWS }, () => this.order(coupon, 8_000))
      if (!(await this.columns(ws, coupon, rows))) {
        this.doubts.push(async (_http, on) => await this.columns(on, coupon, rows))
        return
      }
      this.answers++
    }
  }

  private async columns(ws: WsCheckout, coupon: CouponEntry, rows: readonly Order[]): Promise<boolean> {
    const answer = await ws.redeemColumns(columnsBody(coupon, rows))
    if (answer === null) return false
    for (const [i, row] of rows.entries()) {
      const outcome = answer.outcomes[i] as number
      if (outcome === ROW_REDEEMED || outcome === ROW_REPLAYED) {
        this.ledger.addRow({ ...row, discountMinor: answer.discounts[i] as number })
      } else if (!ROW_LIMITS.has(outcome)) {
        throw new Violation(`row ${row.orderId} of a column had the outcome ${outcome}`)
      }
    }
    return true
  }

  /** Makes single-use coupons, and redeems each. */
  private async creator(http: HttpCheckout): Promise<void> {
    for (let i = 0, goesOn = true; goesOn && !this.stopped; i++) {
      const coupon: CouponEntry = { code: `S-${this.round}-${i}`, maxUses: 1, maxUsesPerUser: null }
      const take = (answer: Answer): boolean => {
        if (answer.kind === 'doubt') return false
        if (answer.kind === 'refused' && answer.code !== 'CODE_TAKEN')
          throw new Violation(`${coupon.code} was not created: ${answer.code}`)
        this.ledger.addCoupon(coupon)
        return true
      }
      const answer = await http.createCoupon(couponBody(coupon))
      if (answer.kind === 'refused') throw new Violation(`a new coupon was refused with ${answer.code}`)
      if (!take(answer)) {
        this.doubts.push(async (on) => take(await on.createCoupon(couponBody(coupon))))
        return
      }
      goesOn = await this.redeem(http, this.order(coupon, 100_000), http)
      this.answers++
    }
  }
}

export function couponBody({ code, maxUses, maxUsesPerUser }: CouponEntry): Record<string, unknown> {
  return {
    code,
    type: 'PERCENT',
    value: 10,
    ...(maxUses === null ? {} : { maxUses }),
    ...(maxUsesPerUser === null ? {} : { maxUsesPerUser }),
  }
}

export function redeemBody({ coupon, userId, orderId, totalMinor }: Order): Record<string, unknown> {
  return { codes: [coupon.code], userId, orderId, cart: cartOf(totalMinor) }
}

export function columnsBody(coupon: CouponEntry, rows: readonly Order[]): Record<string, unknown> {
  return {
    code: coupon.code,
    currency: CURRENCY,
    userIds: rows.map(({ userId }) => userId),
    orderIds: rows.map(({ orderId }) => orderId),
    orderTotals: rows.map(({ totalMinor }) => totalMinor),
  }
}

function cartOf(totalMinor: number): Record<string, unknown> {
  return { orderTotal: totalMinor, currency: CURRENCY }
}
