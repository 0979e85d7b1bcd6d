// Checkout calls of a real server with everything that `tearoff why` has to answer for: the request, where its answer was made,
// and what it said. Every refusal that such a call can get is provoked, mixed with calls that succeed, by many clients at once.

import type { HttpClient, HttpReply } from '../support/http-client.ts'
import type { SeededRandom } from '../support/seeded-random.ts'

export interface RecordedCall {
  readonly method: string
  readonly path: string
  readonly body?: unknown
  readonly ifMatch?: string
  /** X-Tearoff-Position. */
  readonly position: string
  readonly status: number
  /** null: a success. */
  readonly code: string | null
  readonly answer: Readonly<Record<string, unknown>>
}

const EUR_50 = { orderTotal: 5_000, currency: 'EUR' } as const
const PAST = '2020-01-01T00:00:00Z'
const FUTURE = '2099-01-01T00:00:00Z'
const LINES = { currency: 'EUR', lines: [{ productId: 'shirt', quantity: 1, unitPrice: 900 }] } as const

/** Codes with terms of their own; those that a wild client picks from. */
const TERMS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  PLAIN: {},
  ENDED: { validUntil: PAST },
  LATER: { validFrom: FUTURE },
  ANNS: { userId: 'ann' },
  APPS: { channels: ['app'] },
  DOLLARS: { currency: 'USD' },
  LARGE: { minOrderAmount: 6_000, currency: 'EUR' },
  MANY: { minQuantity: 3 },
  HATS: { applicableProductIds: ['hat'], excludedCategoryIds: ['gift'] },
  ONCE: { maxUsesPerUser: 1 },
  FEW: { maxUses: 5 },
  SINGLE: { maxUses: 1 },
  STACK1: { stacking: 'STACKABLE' },
  STACK2: { stacking: 'STACKABLE', maxUses: 40 },
  STACK3: { stacking: 'STACKABLE', maxUsesPerUser: 2 },
  STACK4: { stacking: 'STACKABLE', minOrderAmount: 3_000, currency: 'EUR' },
  STACK5: { stacking: 'STACKABLE' },
  STACK6: { stacking: 'STACKABLE' },
  STACK7: { stacking: 'STACKABLE' },
  OFF: {},
  BRIEF: {},
}
const CODES = Object.keys(TERMS)
const STACKABLE = CODES.filter((code) => code.startsWith('STACK'))
const USERS = 25

export class Recorder {
  readonly calls: RecordedCall[] = []
  private readonly http: HttpClient
  private readonly random: SeededRandom
  private count = 0
  private readonly reservations: string[] = []
  private readonly redemptions: string[] = []

  constructor(http: HttpClient, random: SeededRandom) {
    this.http = http
    this.random = random
  }

  get refusals(): number {
    return this.calls.filter(({ code }) => code !== null).length
  }

  /** Makes the coupons, and one refusal of each kind that wild clients would seldom meet. */
  async begin(): Promise<void> {
    for (const code of CODES) await this.done('POST', '/v1/coupons', couponBody(code))
    await this.done('POST', '/v1/coupons/OFF/disable')
    await this.rareRefusals()
  }

  /** One call that somebody might make. */
  async wild(): Promise<void> {
    const { random } = this
    const userId = random.below(10) === 0 ? 'ann' : `user-${random.below(USERS)}`
    const codes = this.codes()
    const cart = random.pick([EUR_50, LINES, { ...LINES, channel: 'web' }, { orderTotal: 2_000, currency: 'EUR' }])
    // Every tenth order comes back, perhaps with other coupons.
    const orderId = `order-${random.below(10) === 0 ? random.below(50) : ++this.count}`
    switch (random.below(8)) {
      case 0:
        await this.call('POST', '/v1/validate', { codes, userId, cart })
        return
      case 1: {
        const order = random.below(2) === 0 ? {} : { orderId }
        const ttlSeconds = 1 + random.below(3)
        const reply = await this.call('POST', '/v1/reservations', { codes, userId, cart, ttlSeconds, ...order })
        if (reply.status === 201) this.reservations.push(String(reply.json['reservationId']))
        return
      }
      case 2: {
        const id = this.reservations.length === 0 ? 'rsv_00zz' : random.pick(this.reservations)
        const allowLate = random.below(2) === 0
        await this.call('POST', `/v1/reservations/${id}/redeem`, { orderId, allowLate })
        return
      }
      case 3: {
        const id = this.reservations.length === 0 ? 'rsv_00zz' : random.pick(this.reservations)
        if (random.below(2) === 0) await this.call('POST', `/v1/reservations/${id}/extend`, { ttlSeconds: 2 })
        else await this.call('DELETE', `/v1/reservations/${id}`)
        return
      }
      case 4:
        await this.call('POST', `/v1/coupons/${codes[0] ?? ''}/redeem`, { userId, orderId, ...EUR_50 })
        return
      case 5:
        await this.call('POST', `/v1/coupons/${codes[0] ?? ''}/lock`, { userId, ...EUR_50 })
        return
      default: {
        const reply = await this.call('POST', '/v1/redemptions', { codes, userId, orderId, cart })
        if (reply.status !== 201) return
        const id = String(reply.json['redemptionId'])
        this.redemptions.push(id)
        if (random.below(6) === 0) await this.call('POST', `/v1/redemptions/${id}/reverse`, { reason: 'refund' })
      }
    }
  }

  private codes(): readonly string[] {
    const { random } = this
    const first = random.below(15) === 0 ? 'NOBODYS' : random.pick(CODES)
    if (random.below(3) > 0) return [first]
    const others = STACKABLE.filter((code) => code !== first)
    return [first, random.pick(others)]
  }

  private async rareRefusals(): Promise<void> {
    await this.call('POST', '/v1/coupons', couponBody('PLAIN'))
    await this.call('PATCH', '/v1/coupons/PLAIN', { description: 'x' }, '"7"')
    await this.call('POST', '/v1/coupons/ENDED/extend', { validUntil: FUTURE, reason: 'more' })
    await this.call('GET', '/v1/redemptions/rdm_00zz')
    await this.call('GET', '/v1/reservations/rsv_01zz')
    await this.call('GET', '/v1/coupons/NOBODYS')
    const body = { codes: ['PLAIN'], userId: 'eve', orderId: 'twice', cart: EUR_50 }
    const first = await this.call('POST', '/v1/redemptions', body)
    await this.call('POST', '/v1/redemptions', body)
    await this.call('POST', '/v1/redemptions', { ...body, userId: 'bob' })
    await this.call('POST', `/v1/redemptions/${String(first.json['redemptionId'])}/reverse`, { reason: 'refund' })
    await this.call('POST', '/v1/redemptions', body)
    const lock = await this.call('POST', '/v1/coupons/SINGLE/lock', { userId: 'eve', ...EUR_50 })
    await this.call('POST', '/v1/coupons/SINGLE/lock', { userId: 'bob', ...EUR_50 })
    const id = String(lock.json['reservationId'])
    await this.call('POST', `/v1/reservations/${id}/redeem`, { orderId: 'of-eve' })
    await this.call('DELETE', `/v1/reservations/${id}`)
    await this.call('POST', '/v1/redemptions', { ...body, codes: ['SINGLE'], orderId: 'late' })
    const brief = await this.call('POST', '/v1/coupons/BRIEF/lock', { userId: 'eve', ...EUR_50 })
    await this.done('POST', '/v1/coupons/BRIEF/expire', { reason: 'sold out' })
    await this.call('POST', `/v1/reservations/${String(brief.json['reservationId'])}/redeem`, { orderId: 'of-eve' })
    await this.call('POST', '/v1/redemptions', { ...body, codes: ['APPS'], orderId: 'desktop', cart: LINES })
    await this.call('POST', '/v1/redemptions', { ...body, codes: ['PLAIN', 'STACK1'], orderId: 'both' })
  }

  private async done(method: string, path: string, body?: unknown): Promise<void> {
    const reply = await this.http.call(method, path, body)
    if (reply.status >= 300) throw new Error(`${method} ${path}: ${reply.text}`)
  }

  private async call(method: string, path: string, body?: unknown, ifMatch?: string): Promise<HttpReply> {
    const reply = await this.http.call(method, path, body, ifMatch === undefined ? {} : { 'if-match': ifMatch })
    const { type: _, title: __, requestId: ___, ...problem } = reply.json
    const isRefusal = reply.status >= 400
    const position = reply.headers['x-tearoff-position']
    // Without a position no shard was asked, and the log can tell nothing.
    if (typeof position === 'string') {
      this.calls.push({
        method,
        path,
        ...(body === undefined ? {} : { body }),
        ...(ifMatch === undefined ? {} : { ifMatch }),
        position,
        status: reply.status,
        code: isRefusal ? String(reply.json['code']) : null,
        answer: isRefusal ? problem : reply.json,
      })
    }
    return reply
  }
}

function couponBody(code: string): Record<string, unknown> {
  return { code, type: 'PERCENT', value: 10, ...TERMS[code] }
}
