// People who look: at coupons, receipts and reservations by id, also at some that are long in the archive; at lists, at histories,
// at what a search finds, at the feed.

import { Descriptions } from '../load/descriptions.ts'
import type { Calls } from './calls.ts'
import type { OperationName } from './mix.ts'
import type { Stock } from './stock.ts'

const PAGE = 20
const SEARCHED_WORDS = 2_000
const OLD_SHARE = 0.2

export class Readers {
  readonly #calls: Calls
  readonly #stock: Stock
  readonly #words: readonly string[]
  #nextEvent = ''

  constructor(calls: Calls, stock: Stock, seed: number) {
    this.#calls = calls
    this.#stock = stock
    this.#words = new Descriptions(seed).words.slice(0, SEARCHED_WORDS)
  }

  async coupon(dueAtMs: number): Promise<void> {
    await this.#get('read coupon', dueAtMs, `/v1/coupons/${this.#stock.hotCode()}`)
  }

  async redemption(dueAtMs: number): Promise<void> {
    const { old, bought, random } = this.#stock
    const read = random() < OLD_SHARE ? old[Math.floor(random() * old.length)] : bought.any(random)
    if (read !== undefined) await this.#get('read redemption', dueAtMs, `/v1/redemptions/${read.redemptionId}`)
  }

  async reservation(dueAtMs: number): Promise<void> {
    const reservationId = this.#stock.reservations.any(this.#stock.random)
    if (reservationId !== undefined) await this.#get('read reservation', dueAtMs, `/v1/reservations/${reservationId}`)
  }

  async listCoupons(dueAtMs: number): Promise<void> {
    const path = `/v1/coupons?limit=${PAGE}&status=ACTIVE`
    const page = await this.#get('list coupons', dueAtMs, path)
    const { nextCursor } = JSON.parse(page ?? '{}') as { nextCursor?: string | null }
    if (typeof nextCursor === 'string') await this.#get('list coupons', performance.now(), withCursor(path, nextCursor))
  }

  async listRedemptions(dueAtMs: number): Promise<void> {
    const { random } = this.#stock
    const of = random() < 0.5 ? `userId=${this.#stock.buyer()}` : `couponId=${this.#stock.hotCode()}`
    await this.#get('list redemptions', dueAtMs, `/v1/redemptions?limit=${PAGE}&${of}`)
  }

  async listReservations(dueAtMs: number): Promise<void> {
    await this.#get('list reservations', dueAtMs, `/v1/reservations?limit=${PAGE}&userId=${this.#stock.reserver()}`)
  }

  async listCampaigns(dueAtMs: number): Promise<void> {
    await this.#get('list campaigns', dueAtMs, `/v1/campaigns?limit=${PAGE}`)
  }

  async history(dueAtMs: number): Promise<void> {
    const code = this.#stock.created.any(this.#stock.random)
    if (code !== undefined) await this.#get('history', dueAtMs, `/v1/coupons/${code}/history?limit=${PAGE}`)
  }

  async search(dueAtMs: number): Promise<void> {
    const { random } = this.#stock
    const word = this.#words[Math.floor(random() * this.#words.length)] as string
    // As a person types: sometimes the whole word, sometimes its beginning.
    const term = random() < 0.5 ? word : word.slice(0, 2 + Math.floor(random() * 3))
    await this.#get('search', dueAtMs, `/v1/coupons/search?limit=${PAGE}&search_term=${term}`)
  }

  /** From the beginning of what is kept to its end, and then what is new. */
  async pageEvents(dueAtMs: number): Promise<void> {
    const after = this.#nextEvent === '' ? '' : `&after=${encodeURIComponent(this.#nextEvent)}`
    const page = await this.#get('page events', dueAtMs, `/v1/events?limit=${PAGE}${after}`)
    const { data } = JSON.parse(page ?? '{"data":[]}') as { data: readonly { readonly id: string }[] }
    const last = data.at(-1)
    if (last !== undefined) this.#nextEvent = last.id
  }

  async #get(operation: OperationName, dueAtMs: number, path: string): Promise<string | null> {
    const answer = await this.#calls.done(operation, dueAtMs, { method: 'GET', path })
    return answer === null ? null : answer.body
  }
}

function withCursor(path: string, cursor: string): string {
  return `${path}&cursor=${encodeURIComponent(cursor)}`
}
