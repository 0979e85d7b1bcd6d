// Every operation of the contract and every way it can be refused, as a table: what to send, and what has to come back. The
// table is in the order of the sections of the contract; helpers that set a scene stand above it.

import type { HttpClient, HttpReply } from '../support/http-client.ts'

export interface Provocation {
  /** `METHOD template`, as the served document has it; '' for a path that it does not have. */
  readonly operation: string
  readonly status: number
  /** null: a success. */
  readonly code: string | null
  readonly send: (scene: Scene) => Promise<HttpReply>
}

export type Role = 'checkout' | 'marketing' | 'operations'

const EUR_50 = { orderTotal: 5_000, currency: 'EUR' } as const
const PAST = '2020-01-01T00:00:00Z'
const FUTURE = '2099-01-01T00:00:00Z'
const BODY_BYTES_MAX = 1_048_576

/** Makes what a provocation needs, with names of its own, and sends as a role. */
export class Scene {
  private readonly http: HttpClient
  private readonly keys: Readonly<Record<Role, string>>
  private count = 0

  constructor(http: HttpClient, keys: Readonly<Record<Role, string>>) {
    this.http = http
    this.keys = keys
  }

  send(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<HttpReply> {
    return this.http.call(method, path, body, { authorization: `Bearer ${this.keys.operations}`, ...headers })
  }

  as(role: Role | null, method: string, path: string, body?: unknown): Promise<HttpReply> {
    return this.http.call(method, path, body, role === null ? {} : { authorization: `Bearer ${this.keys[role]}` })
  }

  name(prefix: string): string {
    this.count++
    return `${prefix}-${this.count}`
  }

  async coupon(fields: Record<string, unknown> = {}): Promise<string> {
    const code = this.name('C')
    await this.done(201, this.send('POST', '/v1/coupons', { code, type: 'PERCENT', value: 10, ...fields }))
    return code
  }

  /** The id of a new campaign. */
  async campaign(fields: Record<string, unknown> = {}): Promise<string> {
    const body = { name: this.name('sale'), offer: { type: 'PERCENT', value: 10 }, ...fields }
    return String((await this.done(201, this.send('POST', '/v1/campaigns', body))).json['campaignId'])
  }

  /** The id of a job of a new campaign. */
  async job(): Promise<string> {
    const path = `/v1/campaigns/${await this.campaign()}/codes`
    return String((await this.done(202, this.send('POST', path, { count: 3 }))).json['jobId'])
  }

  /** Two coupons on different shards: the same letters before the last two, whose numbers 0 and 1 differ modulo the shards. */
  async pair(fields: Record<string, unknown> = {}): Promise<string[]> {
    const base = this.name('PAIR')
    const codes = [`${base}-AB`, `${base}-AA`]
    const offer = { type: 'PERCENT', value: 10, stacking: 'STACKABLE', ...fields }
    for (const code of codes) await this.done(201, this.send('POST', '/v1/coupons', { code, ...offer }))
    return codes
  }

  redeem(code: string, fields: Record<string, unknown> = {}): Promise<HttpReply> {
    return this.send('POST', '/v1/redemptions', { ...this.buyer(), codes: [code], cart: EUR_50, ...fields })
  }

  reserve(code: string, fields: Record<string, unknown> = {}): Promise<HttpReply> {
    const { userId } = this.buyer()
    return this.send('POST', '/v1/reservations', { userId, codes: [code], cart: EUR_50, ...fields })
  }

  buyer(): { userId: string; orderId: string } {
    return { userId: this.name('user'), orderId: this.name('order') }
  }

  /** The id of a new reservation of a new coupon. */
  async reservation(fields: Record<string, unknown> = {}): Promise<string> {
    const { json } = await this.done(201, this.reserve(await this.coupon(), fields))
    return String(json['reservationId'])
  }

  async redemption(): Promise<string> {
    const { json } = await this.done(201, this.redeem(await this.coupon()))
    return String(json['redemptionId'])
  }

  async closedReservation(): Promise<string> {
    const id = await this.reservation()
    await this.done(201, this.send('POST', `/v1/reservations/${id}/redeem`, { orderId: this.name('order') }))
    return id
  }

  /** A reservation that ended with its coupon. */
  async endedReservation(): Promise<string> {
    const code = await this.coupon()
    const { json } = await this.done(201, this.reserve(code))
    await this.done(200, this.send('POST', `/v1/coupons/${code}/expire`, { reason: 'sold out' }))
    return String(json['reservationId'])
  }

  async done(status: number, sent: Promise<HttpReply>): Promise<HttpReply> {
    const reply = await sent
    if (reply.status !== status) throw new Error(`${reply.status} instead of ${status}: ${reply.text}`)
    return reply
  }
}

/** Sends the same twice and gives the second answer. */
async function twice(send: () => Promise<HttpReply>): Promise<HttpReply> {
  await send()
  return await send()
}

export function ok(operation: string, status: number, send: Provocation['send']): Provocation {
  return { operation, status, code: null, send }
}

export function no(operation: string, status: number, code: string, send: Provocation['send']): Provocation {
  return { operation, status, code, send }
}

const COUPONS: readonly Provocation[] = [
  ok('POST /v1/coupons', 201, (s) =>
    s.send('POST', '/v1/coupons', { type: 'FREESHIP', maxDiscount: 500, currency: 'EUR' }),
  ),
  ok('POST /v1/coupons', 201, (s) =>
    s.send('POST', '/v1/coupons', {
      code: s.name('FULL'),
      type: 'FIXED',
      value: 500,
      currency: 'EUR',
      scope: 'ITEM',
      allocation: 'UNIT',
      maxDiscount: 900,
      maxUnits: 2,
      minOrderAmount: 1_000,
      minQuantity: 1,
      applicableProductIds: ['p1'],
      applicableCategoryIds: ['c1'],
      excludedProductIds: ['p2'],
      excludedCategoryIds: ['c2'],
      channels: ['web'],
      stacking: 'STACKABLE',
      priority: 3,
      merchantId: 'm1',
      userId: 'u1',
      category: 'food',
      description: 'all fields there are',
      listed: true,
      maxUses: 10,
      maxUsesPerUser: 2,
      validFrom: PAST,
      validUntil: FUTURE,
    }),
  ),
  no('POST /v1/coupons', 409, 'CODE_TAKEN', async (s) =>
    s.send('POST', '/v1/coupons', { code: await s.coupon(), type: 'PERCENT', value: 5 }),
  ),
  no('POST /v1/coupons', 422, 'IDEMPOTENCY_KEY_CONFLICT', async (s) => {
    const key = { 'idempotency-key': s.name('key') }
    await s.send('POST', '/v1/coupons', { type: 'PERCENT', value: 5 }, key)
    return await s.send('POST', '/v1/coupons', { type: 'PERCENT', value: 6 }, key)
  }),
  no('POST /v1/coupons', 400, 'INVALID_REQUEST', (s) => s.send('POST', '/v1/coupons', { type: 'PERCENT', value: 101 })),
  no('POST /v1/coupons', 400, 'INVALID_REQUEST', (s) => s.send('POST', '/v1/coupons', '{"type":')),
  no('POST /v1/coupons', 400, 'INVALID_REQUEST', (s) =>
    s.send('POST', '/v1/coupons', { type: 'PERCENT', value: 5, colour: 'red' }),
  ),
  no('POST /v1/coupons', 401, 'UNAUTHENTICATED', (s) =>
    s.as(null, 'POST', '/v1/coupons', { type: 'PERCENT', value: 5 }),
  ),
  no('POST /v1/coupons', 403, 'FORBIDDEN', (s) =>
    s.as('checkout', 'POST', '/v1/coupons', { type: 'PERCENT', value: 5 }),
  ),
  no('POST /v1/coupons', 413, 'PAYLOAD_TOO_LARGE', (s) =>
    s.send('POST', '/v1/coupons', JSON.stringify({ description: 'x'.repeat(BODY_BYTES_MAX) })),
  ),
  no('POST /v1/coupons', 415, 'UNSUPPORTED_MEDIA_TYPE', (s) =>
    s.send('POST', '/v1/coupons', 'type=PERCENT', { 'content-type': 'text/plain' }),
  ),
  ok('GET /v1/coupons/{coupon}', 200, async (s) => s.send('GET', `/v1/coupons/${await s.coupon({ maxUses: 3 })}`)),
  ok('GET /v1/coupons/{coupon}', 200, async (s) => {
    const code = await s.coupon({ maxUses: 1 })
    await s.done(201, s.reserve(code))
    return s.send('GET', `/v1/coupons/${code.toLowerCase()}`)
  }),
  no('GET /v1/coupons/{coupon}', 404, 'COUPON_NOT_FOUND', (s) => s.send('GET', '/v1/coupons/NOT-THERE')),
  ok('PATCH /v1/coupons/{coupon}', 200, async (s) =>
    s.send('PATCH', `/v1/coupons/${await s.coupon()}`, { maxUses: 7 }, { 'if-match': '"1"' }),
  ),
  no('PATCH /v1/coupons/{coupon}', 412, 'VERSION_CONFLICT', async (s) =>
    s.send('PATCH', `/v1/coupons/${await s.coupon()}`, { maxUses: 7 }, { 'if-match': '"9"' }),
  ),
  no('PATCH /v1/coupons/{coupon}', 428, 'PRECONDITION_REQUIRED', async (s) =>
    s.send('PATCH', `/v1/coupons/${await s.coupon()}`, { maxUses: 7 }),
  ),
  no('PATCH /v1/coupons/{coupon}', 400, 'INVALID_REQUEST', async (s) =>
    s.send('PATCH', `/v1/coupons/${await s.coupon()}`, { code: 'OTHER' }, { 'if-match': '"1"' }),
  ),
  no('PATCH /v1/coupons/{coupon}', 409, 'INVALID_TRANSITION', async (s) => {
    const code = await s.coupon({ maxUses: 5 })
    for (let i = 0; i < 2; i++) await s.done(201, s.redeem(code))
    return s.send('PATCH', `/v1/coupons/${code}`, { maxUses: 1 }, { 'if-match': '"1"' })
  }),
  ok('DELETE /v1/coupons/{coupon}', 200, async (s) => s.send('DELETE', `/v1/coupons/${await s.coupon()}`)),
  ok('POST /v1/coupons/{coupon}/disable', 200, async (s) => s.send('POST', `/v1/coupons/${await s.coupon()}/disable`)),
  ok('POST /v1/coupons/{coupon}/enable', 200, async (s) => {
    const code = await s.coupon()
    await s.done(200, s.send('POST', `/v1/coupons/${code}/disable`))
    return s.send('POST', `/v1/coupons/${code}/enable`)
  }),
  no('POST /v1/coupons/{coupon}/disable', 404, 'COUPON_NOT_FOUND', (s) =>
    s.send('POST', '/v1/coupons/NOT-THERE/disable'),
  ),
  ok('POST /v1/coupons/{coupon}/extend', 200, async (s) =>
    s.send('POST', `/v1/coupons/${await s.coupon({ validUntil: '2098-01-01T00:00:00Z' })}/extend`, {
      validUntil: FUTURE,
      reason: 'more time',
    }),
  ),
  no('POST /v1/coupons/{coupon}/extend', 409, 'INVALID_TRANSITION', async (s) => {
    const code = await s.coupon({ validUntil: FUTURE })
    await s.done(200, s.send('POST', `/v1/coupons/${code}/expire`, { reason: 'over' }))
    return s.send('POST', `/v1/coupons/${code}/extend`, { validUntil: FUTURE, reason: 'again' })
  }),
  ok('POST /v1/coupons/{coupon}/expire', 200, async (s) =>
    s.send('POST', `/v1/coupons/${await s.coupon()}/expire`, { reason: 'over' }),
  ),
]

const LISTS: readonly Provocation[] = [
  ok('GET /v1/coupons', 200, async (s) => {
    await s.coupon({ category: 'listed' })
    return s.as('marketing', 'GET', '/v1/coupons?category=listed&limit=1')
  }),
  ok('GET /v1/coupons', 200, async (s) => {
    await s.done(201, s.reserve(await s.coupon({ maxUses: 1, category: 'locked' })))
    return s.send('GET', '/v1/coupons?category=locked&status=LOCKED')
  }),
  no('GET /v1/coupons', 400, 'INVALID_REQUEST', (s) => s.send('GET', '/v1/coupons?limit=201')),
  no('GET /v1/coupons', 403, 'FORBIDDEN', (s) => s.as('checkout', 'GET', '/v1/coupons')),
  ok('GET /v1/coupons/search', 200, async (s) => {
    const code = await s.coupon({ description: 'a lantern for the garden', listed: true })
    for (;;) {
      const reply = await s.as('marketing', 'GET', '/v1/coupons/search?search_term=lantern&limit=2')
      // The search follows the log; until it has come to the coupon, nothing is found.
      if (reply.status !== 200 || reply.text.includes(code)) return reply
    }
  }),
  no('GET /v1/coupons/search', 400, 'INVALID_REQUEST', (s) => s.send('GET', '/v1/coupons/search?sort=price')),
  no('GET /v1/coupons/search', 401, 'UNAUTHENTICATED', (s) => s.as(null, 'GET', '/v1/coupons/search')),
  ok('GET /v1/coupons/{coupon}/history', 200, async (s) => {
    const code = await s.coupon({ maxUses: 9, description: 'all that can happen' })
    const reserved = async (): Promise<string> => {
      const { json } = await s.done(201, s.reserve(code))
      return String(json['reservationId'])
    }
    await s.done(200, s.send('POST', `/v1/coupons/${code}/disable`))
    await s.done(200, s.send('POST', `/v1/coupons/${code}/enable`))
    await s.done(200, s.send('POST', `/v1/reservations/${await reserved()}/extend`, { ttlSeconds: 900 }))
    await s.done(204, s.send('DELETE', `/v1/reservations/${await reserved()}`))
    const redeem = { orderId: s.name('order') }
    const { json } = await s.done(201, s.send('POST', `/v1/reservations/${await reserved()}/redeem`, redeem))
    await s.done(200, s.send('POST', `/v1/redemptions/${String(json['redemptionId'])}/reverse`, { reason: 'refund' }))
    await s.done(200, s.send('POST', `/v1/coupons/${code}/expire`, { reason: 'over' }))
    return s.send('GET', `/v1/coupons/${code}/history`)
  }),
  no('GET /v1/coupons/{coupon}/history', 404, 'COUPON_NOT_FOUND', (s) =>
    s.send('GET', '/v1/coupons/NOT-THERE/history'),
  ),
  ok('GET /v1/redemptions', 200, async (s) => {
    const code = await s.coupon()
    const { json } = await s.done(201, s.redeem(code))
    await s.done(200, s.send('POST', `/v1/redemptions/${String(json['redemptionId'])}/reverse`, { reason: 'refund' }))
    await s.done(201, s.redeem(code))
    return s.as('checkout', 'GET', `/v1/redemptions?couponId=${code}`)
  }),
  no('GET /v1/redemptions', 400, 'INVALID_REQUEST', (s) => s.send('GET', '/v1/redemptions?from=yesterday')),
  ok('GET /v1/reservations', 200, async (s) => {
    const code = await s.coupon()
    await s.done(201, s.reserve(code, { cart: undefined, orderId: s.name('order') }))
    await s.done(201, s.reserve(code))
    return s.as('checkout', 'GET', `/v1/reservations?couponId=${code}`)
  }),
]

const CHECKOUT: readonly Provocation[] = [
  ok('POST /v1/validate', 200, async (s) =>
    s.send('POST', '/v1/validate', { codes: [await s.coupon(), 'NOT-THERE'], cart: EUR_50 }),
  ),
  ok('POST /v1/validate', 200, async (s) =>
    s.as('checkout', 'POST', '/v1/validate', {
      codes: [await s.coupon()],
      userId: 'u',
      cart: {
        currency: 'EUR',
        lines: [{ productId: 'p', categoryIds: ['c'], quantity: 3, unitPrice: 333 }],
        shipping: 490,
        channel: 'web',
      },
    }),
  ),
  ok('POST /v1/validate', 200, async (s) => s.send('POST', '/v1/validate', { codes: await s.pair(), cart: EUR_50 })),
  no('POST /v1/validate', 400, 'INVALID_REQUEST', async (s) => {
    const code = await s.coupon()
    return s.send('POST', '/v1/validate', { codes: [code, ` ${code.toLowerCase()} `], cart: EUR_50 })
  }),
  ok('POST /v1/reservations', 201, async (s) => s.reserve(await s.coupon())),
  ok('POST /v1/reservations', 201, async (s) =>
    s.reserve(await s.coupon(), { cart: undefined, orderId: s.name('order'), ttlSeconds: 60 }),
  ),
  ok('POST /v1/reservations', 200, async (s) => {
    const code = await s.coupon()
    return await twice(() => s.reserve(code, { userId: 'same' }))
  }),
  ok('POST /v1/reservations', 201, async (s) => s.reserve('', { codes: await s.pair() })),
  ok('POST /v1/reservations', 200, async (s) => {
    const fields = { codes: await s.pair(), userId: 'same' }
    return await twice(() => s.reserve('', fields))
  }),
  no('POST /v1/reservations', 423, 'COUPON_LOCKED', async (s) => {
    const [first, second] = (await s.pair({ maxUses: 1 })) as [string, string]
    await s.done(201, s.reserve(first))
    return s.reserve('', { codes: [second, first] })
  }),
  no('POST /v1/reservations', 422, 'COUPON_NOT_FOUND', (s) => s.reserve('NOT-THERE')),
  ...['', ' '].flatMap((nothing) => [
    no('POST /v1/reservations', 422, 'COUPON_NOT_FOUND', (s) => s.reserve(nothing)),
    no('POST /v1/reservations', 422, 'COUPON_NOT_FOUND', async (s) =>
      s.reserve('', { codes: [await s.coupon(), nothing] }),
    ),
    no('POST /v1/redemptions', 422, 'COUPON_NOT_FOUND', (s) => s.redeem(nothing)),
    ok('POST /v1/validate', 200, (s) => s.send('POST', '/v1/validate', { codes: [nothing], cart: EUR_50 })),
  ]),
  no('POST /v1/reservations', 422, 'COUPON_NOT_FOUND', async (s) =>
    s.reserve('', { codes: ['no such', await s.coupon()] }),
  ),
  no('POST /v1/reservations', 423, 'COUPON_LOCKED', async (s) => {
    const code = await s.coupon({ maxUses: 1 })
    await s.done(201, s.reserve(code))
    return s.reserve(code)
  }),
  ok('GET /v1/reservations/{id}', 200, async (s) => s.send('GET', `/v1/reservations/${await s.reservation()}`)),
  ok('GET /v1/reservations/{id}', 200, async (s) => s.send('GET', `/v1/reservations/${await s.closedReservation()}`)),
  ok('GET /v1/reservations/{id}', 200, async (s) => s.send('GET', `/v1/reservations/${await s.endedReservation()}`)),
  no('GET /v1/reservations/{id}', 404, 'RESERVATION_NOT_FOUND', (s) => s.send('GET', '/v1/reservations/rsv_00zz')),
  ok('POST /v1/reservations/{id}/extend', 200, async (s) =>
    s.send('POST', `/v1/reservations/${await s.reservation()}/extend`, { ttlSeconds: 900 }),
  ),
  no('POST /v1/reservations/{id}/extend', 409, 'RESERVATION_CLOSED', async (s) =>
    s.send('POST', `/v1/reservations/${await s.closedReservation()}/extend`, { ttlSeconds: 900 }),
  ),
  ok('POST /v1/reservations/{id}/extend', 200, async (s) => {
    const { json } = await s.done(201, s.reserve('', { codes: await s.pair(), ttlSeconds: 60 }))
    return s.send('POST', `/v1/reservations/${String(json['reservationId'])}/extend`, { ttlSeconds: 90 })
  }),
  ok('POST /v1/reservations/{id}/redeem', 201, async (s) => {
    const { json } = await s.done(201, s.reserve('', { codes: await s.pair() }))
    const body = { orderId: s.name('order') }
    return s.send('POST', `/v1/reservations/${String(json['reservationId'])}/redeem`, body)
  }),
  ok('DELETE /v1/reservations/{id}', 204, async (s) => {
    const { json } = await s.done(201, s.reserve('', { codes: await s.pair() }))
    return s.send('DELETE', `/v1/reservations/${String(json['reservationId'])}`)
  }),
  ok('POST /v1/reservations/{id}/redeem', 201, async (s) =>
    s.send('POST', `/v1/reservations/${await s.reservation()}/redeem`, { orderId: s.name('order') }),
  ),
  ok('POST /v1/reservations/{id}/redeem', 200, async (s) => {
    const id = await s.reservation()
    return await twice(() => s.send('POST', `/v1/reservations/${id}/redeem`, { orderId: 'kept', cart: EUR_50 }))
  }),
  no('POST /v1/reservations/{id}/redeem', 410, 'RESERVATION_EXPIRED', async (s) =>
    s.send('POST', `/v1/reservations/${await s.endedReservation()}/redeem`, { orderId: s.name('order') }),
  ),
  ok('DELETE /v1/reservations/{id}', 204, async (s) => s.send('DELETE', `/v1/reservations/${await s.reservation()}`)),
  no('DELETE /v1/reservations/{id}', 409, 'RESERVATION_CLOSED', async (s) =>
    s.send('DELETE', `/v1/reservations/${await s.closedReservation()}`),
  ),
  ok('POST /v1/redemptions', 201, async (s) => s.redeem(await s.coupon())),
  ok('POST /v1/redemptions', 200, async (s) => {
    const code = await s.coupon()
    const buyer = s.buyer()
    return await twice(() => s.redeem(code, buyer))
  }),
  ok('POST /v1/redemptions', 201, async (s) => {
    // The same letters before the last two, whose numbers 0 and 16 agree modulo the shards: one shard, so one redemption.
    const base = s.name('STACK')
    for (const last of ['AA', 'AS']) {
      const code = `${base}-${last}`
      await s.done(201, s.send('POST', '/v1/coupons', { code, type: 'PERCENT', value: 10, stacking: 'STACKABLE' }))
    }
    return s.redeem('', { codes: [`${base}-AA`, `${base}-AS`] })
  }),
  ok('POST /v1/redemptions', 201, async (s) => s.redeem('', { codes: await s.pair() })),
  ok('POST /v1/redemptions', 200, async (s) => {
    const fields = { ...s.buyer(), codes: await s.pair() }
    return await twice(() => s.redeem('', fields))
  }),
  no('POST /v1/redemptions', 409, 'ORDER_CONFLICT', async (s) => {
    const buyer = s.buyer()
    const codes = await s.pair()
    await s.done(201, s.redeem('', { ...buyer, codes }))
    return s.redeem('', { ...buyer, codes: codes.slice(1) })
  }),
  no('POST /v1/redemptions', 422, 'NOT_STACKABLE', async (s) =>
    s.redeem('', { codes: await s.pair({ stacking: 'EXCLUSIVE' }) }),
  ),
  no('POST /v1/redemptions', 409, 'ORDER_CONFLICT', async (s) => {
    const code = await s.coupon()
    const buyer = s.buyer()
    await s.done(201, s.redeem(code, buyer))
    return s.redeem(code, { ...buyer, cart: { orderTotal: 4_999, currency: 'EUR' } })
  }),
  no('POST /v1/redemptions', 409, 'REDEMPTION_REVERSED', async (s) => {
    const code = await s.coupon()
    const buyer = s.buyer()
    const { json } = await s.done(201, s.redeem(code, buyer))
    await s.done(200, s.send('POST', `/v1/redemptions/${String(json['redemptionId'])}/reverse`, { reason: 'refund' }))
    return s.redeem(code, buyer)
  }),
  no('POST /v1/redemptions', 422, 'COUPON_DISABLED', async (s) => {
    const code = await s.coupon()
    await s.done(200, s.send('DELETE', `/v1/coupons/${code}`))
    return s.redeem(code)
  }),
  no('POST /v1/redemptions', 422, 'COUPON_NOT_STARTED', async (s) => s.redeem(await s.coupon({ validFrom: FUTURE }))),
  no('POST /v1/redemptions', 422, 'COUPON_EXPIRED', async (s) => s.redeem(await s.coupon({ validUntil: PAST }))),
  no('POST /v1/redemptions', 422, 'USER_NOT_ELIGIBLE', async (s) => s.redeem(await s.coupon({ userId: 'somebody' }))),
  no('POST /v1/redemptions', 422, 'CHANNEL_NOT_ALLOWED', async (s) =>
    s.redeem(await s.coupon({ channels: ['store'] })),
  ),
  no('POST /v1/redemptions', 422, 'CURRENCY_MISMATCH', async (s) => s.redeem(await s.coupon({ currency: 'USD' }))),
  no('POST /v1/redemptions', 422, 'MIN_ORDER_NOT_MET', async (s) =>
    s.redeem(await s.coupon({ minOrderAmount: 5_001, currency: 'EUR' })),
  ),
  no('POST /v1/redemptions', 422, 'MIN_QUANTITY_NOT_MET', async (s) => s.redeem(await s.coupon({ minQuantity: 2 }))),
  no('POST /v1/redemptions', 422, 'NOT_APPLICABLE', async (s) =>
    s.redeem(await s.coupon({ applicableProductIds: ['other'] })),
  ),
  no('POST /v1/redemptions', 422, 'NOT_STACKABLE', async (s) => {
    const base = s.name('ALONE')
    for (const last of ['AA', 'AS'])
      await s.done(201, s.send('POST', '/v1/coupons', { code: `${base}-${last}`, type: 'PERCENT', value: 10 }))
    return s.redeem('', { codes: [`${base}-AA`, `${base}-AS`] })
  }),
  no('POST /v1/redemptions', 409, 'USER_LIMIT_REACHED', async (s) => {
    const code = await s.coupon({ maxUsesPerUser: 1 })
    await s.done(201, s.redeem(code, { userId: 'one' }))
    return s.redeem(code, { userId: 'one' })
  }),
  no('POST /v1/redemptions', 409, 'COUPON_EXHAUSTED', async (s) => {
    const code = await s.coupon({ maxUses: 1 })
    await s.done(201, s.redeem(code))
    return s.redeem(code)
  }),
  ok('GET /v1/redemptions/{id}', 200, async (s) => s.send('GET', `/v1/redemptions/${await s.redemption()}`)),
  ok('POST /v1/redemptions/{id}/reverse', 200, async (s) => {
    const { json } = await s.done(201, s.redeem('', { codes: await s.pair() }))
    return s.send('POST', `/v1/redemptions/${String(json['redemptionId'])}/reverse`, { reason: 'refund' })
  }),
  no('GET /v1/redemptions/{id}', 404, 'REDEMPTION_NOT_FOUND', (s) => s.send('GET', '/v1/redemptions/rdm_00zz')),
  ok('POST /v1/redemptions/{id}/reverse', 200, async (s) =>
    s.send('POST', `/v1/redemptions/${await s.redemption()}/reverse`, { reason: 'refund', returnUse: false }),
  ),
]

const ONE_COUPON: readonly Provocation[] = [
  ok('GET /v1/coupons/{coupon}/validate', 200, async (s) =>
    s.send('GET', `/v1/coupons/${await s.coupon()}/validate?userId=u&orderTotal=5000&currency=EUR`),
  ),
  ok('GET /v1/coupons/{coupon}/validate', 200, async (s) => s.send('GET', `/v1/coupons/${await s.coupon()}/validate`)),
  ok('POST /v1/coupons/{coupon}/lock', 201, async (s) =>
    s.send('POST', `/v1/coupons/${await s.coupon()}/lock`, { userId: 'u' }),
  ),
  ok('POST /v1/coupons/{coupon}/lock', 200, async (s) => {
    const code = await s.coupon({ maxUses: 1 })
    return await twice(() => s.send('POST', `/v1/coupons/${code}/lock`, { userId: 'u', ...EUR_50 }))
  }),
  ok('POST /v1/coupons/locked/{coupon}', 201, async (s) =>
    s.send('POST', `/v1/coupons/locked/${await s.coupon()}`, { userId: 'u' }),
  ),
  ok('POST /v1/coupons/locked/{coupon}', 200, async (s) => {
    const code = await s.coupon()
    return await twice(() => s.send('POST', `/v1/coupons/locked/${code}`, { userId: 'u' }))
  }),
  no('POST /v1/coupons/{coupon}/lock', 423, 'COUPON_LOCKED', async (s) => {
    const code = await s.coupon({ maxUses: 1 })
    await s.done(201, s.send('POST', `/v1/coupons/${code}/lock`, { userId: 'first' }))
    return s.send('POST', `/v1/coupons/${code}/lock`, { userId: 'second' })
  }),
  ok('POST /v1/coupons/{coupon}/redeem', 201, async (s) =>
    s.send('POST', `/v1/coupons/${await s.coupon()}/redeem`, { ...s.buyer(), ...EUR_50 }),
  ),
  ok('POST /v1/coupons/{coupon}/redeem', 200, async (s) => {
    const code = await s.coupon()
    const buyer = s.buyer()
    return await twice(() => s.send('POST', `/v1/coupons/${code}/redeem`, { ...buyer, ...EUR_50 }))
  }),
  ok('POST /v1/coupons/redeem/{coupon}', 201, async (s) =>
    s.send('POST', `/v1/coupons/redeem/${await s.coupon()}`, { ...s.buyer(), cart: EUR_50 }),
  ),
  ok('POST /v1/coupons/redeem/{coupon}', 200, async (s) => {
    const code = await s.coupon()
    const buyer = s.buyer()
    return await twice(() => s.send('POST', `/v1/coupons/redeem/${code}`, { ...buyer, cart: EUR_50 }))
  }),
  no('POST /v1/coupons/{coupon}/redeem', 404, 'COUPON_NOT_FOUND', (s) =>
    s.send('POST', '/v1/coupons/NOT-THERE/redeem', { ...s.buyer(), ...EUR_50 }),
  ),
]

const CODES: readonly Provocation[] = [
  ok('POST /v1/coupons/generate', 201, (s) => s.send('POST', '/v1/coupons/generate', { type: 'FREESHIP', count: 3 })),
  ok('POST /v1/coupons/generate', 202, (s) =>
    s.send('POST', '/v1/coupons/generate', { type: 'FREESHIP', count: 1_001 }),
  ),
  no('POST /v1/coupons/generate', 400, 'INVALID_REQUEST', (s) =>
    s.send('POST', '/v1/coupons/generate', { type: 'FREESHIP', code: 'MINE' }),
  ),
  no('POST /v1/coupons/generate', 404, 'CAMPAIGN_NOT_FOUND', (s) =>
    s.send('POST', '/v1/coupons/generate', { campaignId: 'cmp_00zz' }),
  ),
  ok('POST /v1/campaigns/{id}/codes', 202, async (s) =>
    s.as('marketing', 'POST', `/v1/campaigns/${await s.campaign()}/codes`, { count: 5, prefix: 'SALE-', length: 14 }),
  ),
  no('POST /v1/campaigns/{id}/codes', 422, 'CODE_SPACE_TOO_SMALL', async (s) =>
    s.send('POST', `/v1/campaigns/${await s.campaign()}/codes`, { count: 1_000, prefix: 'SUMMER', length: 8 }),
  ),
  no('POST /v1/campaigns/{id}/codes', 404, 'CAMPAIGN_NOT_FOUND', (s) =>
    s.send('POST', '/v1/campaigns/cmp_00zz/codes', { count: 1 }),
  ),
  no('POST /v1/campaigns/{id}/codes', 403, 'FORBIDDEN', async (s) =>
    s.as('checkout', 'POST', `/v1/campaigns/${await s.campaign()}/codes`, { count: 1 }),
  ),
  ok('GET /v1/campaigns/{id}/codes.csv', 200, async (s) =>
    s.as('marketing', 'GET', `/v1/campaigns/${await s.campaign()}/codes.csv?formulas=keep`),
  ),
  no('GET /v1/campaigns/{id}/codes.csv', 403, 'FORBIDDEN', async (s) =>
    s.as('checkout', 'GET', `/v1/campaigns/${await s.campaign()}/codes.csv`),
  ),
  no('GET /v1/campaigns/{id}/codes.csv', 404, 'CAMPAIGN_NOT_FOUND', (s) =>
    s.send('GET', '/v1/campaigns/cmp_00zz/codes.csv'),
  ),
  ok('GET /v1/jobs/{id}', 200, async (s) => s.as('marketing', 'GET', `/v1/jobs/${await s.job()}`)),
  no('GET /v1/jobs/{id}', 404, 'JOB_NOT_FOUND', (s) => s.send('GET', '/v1/jobs/job_00zz')),
  ok('POST /v1/jobs/{id}/cancel', 200, async (s) => s.as('marketing', 'POST', `/v1/jobs/${await s.job()}/cancel`)),
  no('POST /v1/jobs/{id}/cancel', 404, 'JOB_NOT_FOUND', (s) => s.send('POST', '/v1/jobs/nonsense/cancel')),
]

const IMPORTS: readonly Provocation[] = [
  ok('POST /v1/imports/coupons', 202, (s) =>
    s.send('POST', '/v1/imports/coupons', `code,type,value\n${s.name('CSV')},PERCENT,10\n`, {
      'content-type': 'text/csv; charset=utf-8',
    }),
  ),
  ok('POST /v1/imports/coupons', 202, async (s) => {
    const file = `{"code":"${s.name('NDJSON')}","type":"FREESHIP"}\n`
    const headers = { 'content-type': 'application/x-ndjson', 'idempotency-key': s.name('key') }
    return await twice(() => s.send('POST', '/v1/imports/coupons', file, headers))
  }),
  no('POST /v1/imports/coupons', 422, 'IDEMPOTENCY_KEY_CONFLICT', async (s) => {
    const headers = { 'content-type': 'text/csv', 'idempotency-key': s.name('key') }
    await s.done(202, s.send('POST', '/v1/imports/coupons', 'code,type\n', headers))
    return await s.send('POST', '/v1/imports/coupons', 'code,value\n', headers)
  }),
  no('POST /v1/imports/coupons', 415, 'UNSUPPORTED_MEDIA_TYPE', (s) =>
    s.as('marketing', 'POST', '/v1/imports/coupons', { code: 'JSON', type: 'FREESHIP' }),
  ),
  no('POST /v1/imports/coupons', 403, 'FORBIDDEN', (s) => s.as('checkout', 'POST', '/v1/imports/coupons', 'code\n')),
]

const OPERATOR: readonly Provocation[] = [
  ok('GET /v1/events', 200, (s) => s.as('marketing', 'GET', '/v1/events?types=LOW_STOCK,EXHAUSTED&limit=1')),
  no('GET /v1/events', 400, 'INVALID_REQUEST', (s) => s.send('GET', '/v1/events?types=NEWS')),
  no('GET /v1/events', 403, 'FORBIDDEN', (s) => s.as('marketing', 'GET', '/v1/events?types=GUESSING')),
  ok('GET /livez', 200, (s) => s.as(null, 'GET', '/livez')),
  ok('GET /readyz', 200, (s) => s.as(null, 'GET', '/readyz')),
  ok('GET /metrics', 200, (s) => s.send('GET', '/metrics')),
  no('GET /metrics', 403, 'FORBIDDEN', (s) => s.as('checkout', 'GET', '/metrics')),
  no('GET /metrics', 401, 'UNAUTHENTICATED', (s) => s.as(null, 'GET', '/metrics')),
  ok('GET /v1/openapi.json', 200, (s) => s.as(null, 'GET', '/v1/openapi.json')),
  no('', 404, 'NOT_FOUND', (s) => s.send('GET', '/v1/nothing/here')),
  no('', 405, 'METHOD_NOT_ALLOWED', (s) => s.send('PUT', '/v1/validate', {})),
]

export const PROVOCATIONS: readonly Provocation[] = [
  ...COUPONS,
  ...LISTS,
  ...CHECKOUT,
  ...ONE_COUPON,
  ...CODES,
  ...IMPORTS,
  ...OPERATOR,
]
