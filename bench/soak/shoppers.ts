// Shoppers of the soak: they redeem, reserve, change their mind, come late, send an order twice, take one back.
//
//   reserve, by turns ─┬─ 9 redeem after a moment       ─┐
//   of 20              ├─ 1 extends, then redeems        ├─▶ bought ─▶ read, sent again, reversed
//                      ├─ 2 lapse, and are redeemed late ─┘
//                      ├─ 5 release
//                      └─ 3 lapse and are forgotten
//
// What follows a call later goes to the agenda, so that a lapse of five seconds keeps no promise waiting.

import type { Act, Agenda } from './agenda.ts'
import type { Answer, Calls } from './calls.ts'
import type { SoakSize } from './mix.ts'
import type { OperationName } from './mix.ts'
import type { Bought, Stock } from './stock.ts'

const AMOUNT_MINOR = 4_999
/** Of those that are not left to lapse. */
const TTL_SECONDS = 60
/** Behind the end of a reservation, so that the sweep has released it. */
const LATE_MS = 1_500
/** Order memory is two minutes; an order that it has forgotten would be redeemed a second time. */
const AGAIN_WITHIN_MS = 60_000

const ONE_LINE = `{"orderTotal":${AMOUNT_MINOR},"currency":"EUR"}`
const THREE_LINES =
  '{"currency":"EUR","shipping":499,"lines":[{"productId":"p1","quantity":1,"unitPrice":1999},' +
  '{"productId":"p2","categoryIds":["shoes"],"quantity":2,"unitPrice":750},{"productId":"p3","quantity":3,"unitPrice":500}]}'

/** What becomes of reservations, by turns: what a run has done must not depend on draws. */
type Fate = 'redeem' | 'extend' | 'release' | 'late' | 'lapse'
const FATES: readonly Fate[] = [
  ...(['redeem', 'release', 'extend', 'late', 'redeem', 'lapse', 'redeem', 'release', 'redeem', 'redeem'] as const),
  ...(['release', 'redeem', 'late', 'redeem', 'lapse', 'redeem', 'release', 'redeem', 'lapse', 'release'] as const),
]
/** Of five that have claimed three redeem, one lets go, one lets it lapse. */
const CLAIM_TURNS = 5

/** A reservation as its owner knows it. */
interface Held {
  readonly reservationId: string
  readonly codes: readonly string[]
  readonly campaignId: string | null
  readonly userId: string
}

export class Shoppers {
  readonly #calls: Calls
  readonly #stock: Stock
  readonly #agenda: Agenda
  readonly #size: SoakSize
  readonly #thinkMs: number
  #claims = 0
  #reserved = 0

  constructor(calls: Calls, stock: Stock, agenda: Agenda, size: SoakSize) {
    this.#calls = calls
    this.#stock = stock
    this.#agenda = agenda
    this.#size = size
    this.#thinkMs = size.thinkSeconds * 1_000
  }

  async redeem(dueAtMs: number): Promise<void> {
    await this.#buy('redeem', dueAtMs, [this.#stock.hotCode()])
  }

  async redeemStacked(dueAtMs: number): Promise<void> {
    await this.#buy('redeem stacked', dueAtMs, this.#stock.stackedCodes())
  }

  async redeemSingleUse(dueAtMs: number): Promise<void> {
    const code = this.#stock.singleUse.pop()
    if (code !== undefined) await this.#buy('redeem single-use', dueAtMs, [code])
  }

  async redeemAgain(dueAtMs: number): Promise<void> {
    const bought = this.#stock.bought.any(this.#stock.random)
    if (bought === undefined || !bought.isDirect || dueAtMs - bought.atMs > AGAIN_WITHIN_MS) return
    const body = orderBody(bought.codes, bought.userId, bought.orderId)
    await this.#calls.done('redeem again', dueAtMs, { method: 'POST', path: '/v1/redemptions', body })
  }

  async reserve(dueAtMs: number): Promise<void> {
    await this.#reserve('reserve', dueAtMs, [this.#stock.hotCode()])
  }

  async reserveStacked(dueAtMs: number): Promise<void> {
    await this.#reserve('reserve stacked', dueAtMs, this.#stock.stackedCodes())
  }

  /** Of a coupon that is nearly always reserved whole; whoever gets it lets it lapse. */
  async reserveScarce(dueAtMs: number): Promise<void> {
    const body = reservationBody([this.#stock.scarceCode()], this.#stock.reserver(), this.#size.lapseSeconds)
    await this.#calls.done('reserve scarce', dueAtMs, { method: 'POST', path: '/v1/reservations', body })
  }

  async reverse(dueAtMs: number): Promise<void> {
    const bought = this.#stock.takeToReverse()
    if (bought === undefined) return
    const answer = await this.#calls.done('reverse', dueAtMs, {
      method: 'POST',
      path: `/v1/redemptions/${bought.redemptionId}/reverse`,
      body: '{"reason":"sent back"}',
    })
    this.#stock.reversed(bought, answer !== null)
  }

  async claim(dueAtMs: number): Promise<void> {
    const { campaignId } = this.#stock
    if (campaignId === null) return
    const userId = this.#stock.claimer()
    const path = `/v1/campaigns/${campaignId}/claims`
    const answer = await this.#calls.done('claim', dueAtMs, {
      method: 'POST',
      path,
      body: `{"userId":"${userId}"}`,
    })
    // 200: the user still has the last one, and something is planned for it.
    if (answer?.status !== 201) return
    const { coupon, reservationId } = JSON.parse(answer.body) as { coupon: { code: string }; reservationId: string }
    const held = { reservationId, codes: [coupon.code], campaignId, userId }
    const turn = this.#claims++ % CLAIM_TURNS
    if (turn < 3) this.#later(async (atMs) => await this.#redeemHeld('redeem claimed', atMs, held))
    else if (turn === 3) this.#later(async (atMs) => await this.#release(atMs, held))
  }

  async validate(dueAtMs: number): Promise<void> {
    const codes = this.#stock.random() < 0.5 ? [this.#stock.hotCode()] : this.#stock.stackedCodes()
    const body = `{"codes":${JSON.stringify(codes)},"userId":"${this.#stock.buyer()}","cart":${cartFor(codes)}}`
    await this.#calls.done('validate', dueAtMs, { method: 'POST', path: '/v1/validate', body })
  }

  async #buy(operation: OperationName, dueAtMs: number, codes: readonly string[]): Promise<void> {
    const userId = this.#stock.buyer()
    const orderId = this.#stock.order()
    const body = orderBody(codes, userId, orderId)
    const answer = await this.#calls.done(operation, dueAtMs, { method: 'POST', path: '/v1/redemptions', body })
    this.#bought(answer, { codes, campaignId: null, userId, orderId, isDirect: true, atMs: dueAtMs })
  }

  async #reserve(operation: OperationName, dueAtMs: number, codes: readonly string[]): Promise<void> {
    const fate = FATES[this.#reserved++ % FATES.length] as Fate
    const { lapseSeconds } = this.#size
    const userId = this.#stock.reserver()
    const ttlSeconds = fate === 'late' || fate === 'lapse' ? lapseSeconds : TTL_SECONDS
    const body = reservationBody(codes, userId, ttlSeconds)
    const answer = await this.#calls.done(operation, dueAtMs, { method: 'POST', path: '/v1/reservations', body })
    // 200: one of an earlier call, for which something is planned.
    if (answer?.status !== 201) return
    const { reservationId } = JSON.parse(answer.body) as { reservationId: string }
    this.#stock.reservations.add(reservationId)
    const held = { reservationId, codes, campaignId: null, userId }
    if (fate === 'redeem') this.#later(async (atMs) => await this.#redeemHeld('redeem reserved', atMs, held))
    else if (fate === 'extend') this.#later(async (atMs) => await this.#extend(atMs, held))
    else if (fate === 'release') this.#later(async (atMs) => await this.#release(atMs, held))
    else if (fate === 'late') {
      const waitMs = lapseSeconds * 1_000 + LATE_MS
      this.#agenda.after(waitMs, async (atMs) => await this.#redeemHeld('redeem late', atMs, held))
    }
  }

  async #extend(dueAtMs: number, held: Held): Promise<void> {
    await this.#calls.done('extend', dueAtMs, {
      method: 'POST',
      path: `/v1/reservations/${held.reservationId}/extend`,
      body: `{"ttlSeconds":${TTL_SECONDS}}`,
    })
    this.#later(async (atMs) => await this.#redeemHeld('redeem reserved', atMs, held))
  }

  #later(act: Act): void {
    this.#agenda.after(this.#thinkMs, act)
  }

  async #release(dueAtMs: number, { reservationId }: Held): Promise<void> {
    await this.#calls.done('release', dueAtMs, { method: 'DELETE', path: `/v1/reservations/${reservationId}` })
  }

  async #redeemHeld(operation: OperationName, dueAtMs: number, held: Held): Promise<void> {
    const { codes, campaignId, userId, reservationId } = held
    const orderId = this.#stock.order()
    const late = operation === 'redeem late' ? ',"allowLate":true' : ''
    const cart = campaignId === null ? '' : `,"cart":${ONE_LINE}`
    const answer = await this.#calls.done(operation, dueAtMs, {
      method: 'POST',
      path: `/v1/reservations/${reservationId}/redeem`,
      body: `{"orderId":"${orderId}"${late}${cart}}`,
    })
    this.#bought(answer, { codes, campaignId, userId, orderId, isDirect: false, atMs: dueAtMs })
  }

  #bought(answer: Answer | null, what: Omit<Bought, 'redemptionId' | 'isReversed'>): void {
    if (answer?.status !== 201) return
    const { redemptionId } = JSON.parse(answer.body) as { redemptionId: string }
    this.#stock.addBought({ ...what, redemptionId, isReversed: false })
  }
}

function orderBody(codes: readonly string[], userId: string, orderId: string): string {
  return `{"codes":${JSON.stringify(codes)},"userId":"${userId}","orderId":"${orderId}","cart":${cartFor(codes)}}`
}

function reservationBody(codes: readonly string[], userId: string, ttlSeconds: number): string {
  return `{"codes":${JSON.stringify(codes)},"userId":"${userId}","ttlSeconds":${ttlSeconds},"cart":${cartFor(codes)}}`
}

function cartFor(codes: readonly string[]): string {
  return codes.length === 1 ? ONE_LINE : THREE_LINES
}
