// The load of a soak: everybody who takes part, put together and kept at its rate until the time is over.

import { seededRandom } from '../load/random.ts'
import type { Product } from '../server/product.ts'
import { Agenda, type Act } from './agenda.ts'
import { Calls } from './calls.ts'
import { type Heard, Listeners } from './listeners.ts'
import { Meters, type OperationTotals } from './meters.ts'
import { type ArrivingName, FULL_RATES, type OperationName, type SoakSize } from './mix.ts'
import { Readers } from './readers.ts'
import { Rounds, type RoundTotals } from './rounds.ts'
import { Shoppers } from './shoppers.ts'
import { Staff } from './staff.ts'
import { Stock } from './stock.ts'

export interface LoadTotals {
  readonly operations: Readonly<Record<OperationName, OperationTotals>>
  /** Answers that nobody asked for, in words; the first ones. */
  readonly examples: readonly string[]
  readonly rounds: RoundTotals
  readonly heard: Heard
}

export class Load {
  readonly meters = new Meters()
  readonly stock: Stock
  readonly #size: SoakSize
  readonly #calls: Calls
  readonly #agenda: Agenda
  readonly #staff: Staff
  readonly #rounds: Rounds
  readonly #listeners: Listeners
  #failure: unknown = null

  constructor(product: Product, size: SoakSize, seed: number) {
    this.#size = size
    this.stock = new Stock(seededRandom(seed))
    this.#calls = new Calls(product.port, this.meters)
    this.#agenda = new Agenda(seed + 1, (cause) => {
      this.#failure ??= cause
    })
    this.#staff = new Staff(this.#calls, this.stock, seed)
    this.#rounds = new Rounds(this.#calls, this.meters, this.stock, size, product.baseUrl)
    this.#listeners = new Listeners(product.port, this.stock)
    this.#schedule(
      new Shoppers(this.#calls, this.stock, this.#agenda, size),
      new Readers(this.#calls, this.stock, seed),
    )
  }

  get totals(): LoadTotals {
    return {
      operations: this.meters.totals(),
      examples: this.meters.examples,
      rounds: this.#rounds.totals,
      heard: this.#listeners.heard,
    }
  }

  async start(): Promise<void> {
    await this.#calls.open(this.#size.connections)
    await this.#staff.open()
    await this.#listeners.start()
    this.#rounds.start()
    this.#agenda.start()
  }

  /** What the load itself did wrong, thrown; a soak whose load is broken shows nothing. */
  check(): void {
    if (this.#failure !== null) throw new Error('the load failed', { cause: this.#failure })
  }

  /** Nobody comes any more; what was begun is ended. */
  async end(waitUntilLapsed: () => Promise<void>): Promise<void> {
    this.#agenda.endArrivals()
    await this.#rounds.end()
    await waitUntilLapsed()
    await this.#calls.answered()
    this.#agenda.stop()
    this.#listeners.stop()
    this.#calls.close()
    this.check()
  }

  #schedule(shoppers: Shoppers, readers: Readers): void {
    const staff = this.#staff
    const acts: Record<ArrivingName, Act> = {
      redeem: async (dueAtMs) => await shoppers.redeem(dueAtMs),
      'redeem again': async (dueAtMs) => await shoppers.redeemAgain(dueAtMs),
      'redeem stacked': async (dueAtMs) => await shoppers.redeemStacked(dueAtMs),
      'redeem single-use': async (dueAtMs) => await shoppers.redeemSingleUse(dueAtMs),
      reserve: async (dueAtMs) => await shoppers.reserve(dueAtMs),
      'reserve stacked': async (dueAtMs) => await shoppers.reserveStacked(dueAtMs),
      'reserve scarce': async (dueAtMs) => await shoppers.reserveScarce(dueAtMs),
      reverse: async (dueAtMs) => await shoppers.reverse(dueAtMs),
      claim: async (dueAtMs) => await shoppers.claim(dueAtMs),
      validate: async (dueAtMs) => await shoppers.validate(dueAtMs),
      'read coupon': async (dueAtMs) => await readers.coupon(dueAtMs),
      'read redemption': async (dueAtMs) => await readers.redemption(dueAtMs),
      'read reservation': async (dueAtMs) => await readers.reservation(dueAtMs),
      'list coupons': async (dueAtMs) => await readers.listCoupons(dueAtMs),
      'list redemptions': async (dueAtMs) => await readers.listRedemptions(dueAtMs),
      'list reservations': async (dueAtMs) => await readers.listReservations(dueAtMs),
      'list campaigns': async (dueAtMs) => await readers.listCampaigns(dueAtMs),
      history: async (dueAtMs) => await readers.history(dueAtMs),
      search: async (dueAtMs) => await readers.search(dueAtMs),
      'page events': async (dueAtMs) => await readers.pageEvents(dueAtMs),
      'create coupon': async (dueAtMs) => await staff.create(dueAtMs),
      'change coupon': async (dueAtMs) => await staff.change(dueAtMs),
      'switch coupon': async (dueAtMs) => await staff.switchOffAndOn(dueAtMs),
      'expire coupon': async (dueAtMs) => await staff.expire(dueAtMs),
      'generate coupons': async (dueAtMs) => await staff.generate(dueAtMs),
    }
    for (const [name, act] of Object.entries(acts)) {
      const perSecond = FULL_RATES[name as ArrivingName] * this.#size.share
      this.#agenda.every(Math.max(perSecond, this.#size.arrivalsPerSecondMin), act)
    }
  }
}
