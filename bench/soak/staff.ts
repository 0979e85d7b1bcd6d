// Marketing of the soak: coupons are made, changed, switched off and on, expired by their window or by hand, generated a hundred at
// a time. Half of those that are made expire by themselves within the run.

import { Descriptions } from '../load/descriptions.ts'
import type { Calls } from './calls.ts'
import type { Stock } from './stock.ts'

const CATEGORIES = 32
const EXPIRES_AFTER_MS = 15_000
const GENERATED = 100
/** Single-use codes that nobody has bought with; beyond, none are generated. */
const UNUSED_MAX = 5_000

/** What the hot, stackable and scarce coupons are; no run reaches the limits of the first two, and all count their users. */
const MANY_USES = 1_000_000_000
const USES_OF_A_USER = 1_000_000
const SCARCE_USES = 20

export class Staff {
  readonly #calls: Calls
  readonly #stock: Stock
  readonly #descriptions: Descriptions
  #created = 0

  constructor(calls: Calls, stock: Stock, seed: number) {
    this.#calls = calls
    this.#stock = stock
    this.#descriptions = new Descriptions(seed)
  }

  /** The coupons of the run. */
  async open(): Promise<void> {
    const { hot, stackable, scarce } = this.#stock
    const limits = { maxUses: MANY_USES, maxUsesPerUser: USES_OF_A_USER }
    for (const code of hot) await this.#create({ code, type: 'PERCENT', value: 10, ...limits })
    for (const code of stackable)
      await this.#create({ code, type: 'PERCENT', value: 5, stacking: 'STACKABLE', ...limits })
    for (const code of scarce) await this.#create({ code, type: 'PERCENT', value: 10, maxUses: SCARCE_USES })
  }

  async create(dueAtMs: number): Promise<void> {
    const number = this.#created++
    const code = `MADE${String(number).padStart(6, '0')}`
    const validUntil = new Date(Date.now() + EXPIRES_AFTER_MS).toISOString()
    const answer = await this.#calls.done('create coupon', dueAtMs, {
      method: 'POST',
      path: '/v1/coupons',
      headers: `Idempotency-Key: made-${number}\r\n`,
      body: JSON.stringify({
        code,
        type: 'PERCENT',
        value: 10,
        listed: true,
        description: this.#descriptions.next(),
        category: `category${number % CATEGORIES}`,
        ...(number % 2 === 0 ? {} : { validUntil }),
      }),
    })
    if (answer !== null) this.#stock.created.add(code)
  }

  /** Reads first, as `If-Match` wants it. */
  async change(dueAtMs: number): Promise<void> {
    const path = this.#madePath()
    if (path === null) return
    const read = await this.#calls.done('read coupon', dueAtMs, { method: 'GET', path })
    if (read === null) return
    const { version } = JSON.parse(read.body) as { version: number }
    await this.#calls.done('change coupon', performance.now(), {
      method: 'PATCH',
      path,
      headers: `If-Match: "${version}"\r\n`,
      body: JSON.stringify({ description: this.#descriptions.next() }),
    })
  }

  async switchOffAndOn(dueAtMs: number): Promise<void> {
    const path = this.#madePath()
    if (path === null) return
    await this.#calls.done('switch coupon', dueAtMs, { method: 'POST', path: `${path}/disable`, body: '{}' })
    await this.#calls.done('switch coupon', performance.now(), { method: 'POST', path: `${path}/enable`, body: '{}' })
  }

  async expire(dueAtMs: number): Promise<void> {
    const path = this.#madePath()
    if (path === null) return
    await this.#calls.done('expire coupon', dueAtMs, {
      method: 'POST',
      path: `${path}/expire`,
      body: '{"reason":"a mistake"}',
    })
  }

  async generate(dueAtMs: number): Promise<void> {
    const { singleUse } = this.#stock
    if (singleUse.length > UNUSED_MAX) return
    const answer = await this.#calls.done('generate coupons', dueAtMs, {
      method: 'POST',
      path: '/v1/coupons/generate',
      body: JSON.stringify({ count: GENERATED, type: 'FIXED', value: 500, currency: 'EUR', maxUses: 1 }),
    })
    if (answer?.status !== 201) return
    const { data } = JSON.parse(answer.body) as { data: readonly { readonly code: string }[] }
    singleUse.push(...data.map(({ code }) => code))
  }

  async #create(coupon: object): Promise<void> {
    const body = JSON.stringify(coupon)
    const answer = await this.#calls.done('create coupon', performance.now(), {
      method: 'POST',
      path: '/v1/coupons',
      body,
    })
    if (answer === null) throw new Error(`the coupon was not made: ${body}`)
  }

  #madePath(): string | null {
    const code = this.#stock.created.any(this.#stock.random)
    return code === undefined ? null : `/v1/coupons/${code}`
  }
}
