// Campaigns, their coupons and claims through the gateway's operations, on real shards without threads: what people who run a
// sale see, step by step. What the shards decide is proved elsewhere (test/engine/domain); here stands that it comes out right.

import { describe, expect, test } from 'vitest'
import { formatId, parseId } from '../../protocol/ids.ts'
import { type Asked, codeOf, KeyedWorld, type Told } from './support/keyed-world.ts'

const CART = { orderTotal: 10_000, currency: 'EUR' }

type Json = Record<string, unknown>

class Sale extends KeyedWorld {
  async ask(
    operation: Asked['operation'],
    more: Partial<Asked> = {},
  ): Promise<{ status: number; json: Json; told: Told }> {
    const told = await this.call({ operation, ...more }, null)
    return { status: told.status, json: told.body === '' ? {} : (JSON.parse(told.body) as Json), told }
  }

  async shown(target: string): Promise<Json> {
    return (await this.ask('getCampaign', { target })).json
  }

  async redeem(code: string, userId = this.name('user'), total = 10_000): Promise<{ status: number; json: Json }> {
    const cart = { ...CART, orderTotal: total }
    return await this.ask('redeem', { body: { codes: [code], userId, orderId: this.name('order'), cart } })
  }

  async patch(target: string, body: unknown): Promise<{ status: number; json: Json }> {
    const { etag } = (await this.ask('getCampaign', { target })).told
    return await this.ask('patchCampaign', { target, ifMatch: etag, body })
  }

  async member(campaignId: string, fields: Json = {}): Promise<string> {
    const { status, json } = await this.ask('createCoupon', { body: { campaignId, ...fields } })
    if (status !== 201) throw new Error(JSON.stringify(json))
    return String(json['code'])
  }
}

describe('a campaign', () => {
  test('is created, read, changed and switched, with a version for each change', async () => {
    const sale = new Sale()
    const body = { name: 'Summer', offer: { type: 'FIXED', value: 500, currency: 'EUR' }, maxUses: 10, budget: 2_000 }
    const made = await sale.ask('createCampaign', { body })
    expect(made).toMatchObject({
      status: 201,
      json: {
        ...body,
        currency: 'EUR',
        status: 'ACTIVE',
        codes: 0,
        uses: 0,
        reserved: 0,
        discountTotal: 0,
        version: 1,
      },
      told: { etag: '"1"', location: `/v1/campaigns/${String(made.json['campaignId'])}` },
    })
    expect(made.told.position).toMatch(/^\d+:\d+@\d+$/)
    const target = String(made.json['campaignId'])
    expect(await sale.shown(target)).toEqual(made.json)
    expect(await sale.ask('patchCampaign', { target, body: {} })).toMatchObject({ status: 428 })
    const stale = await sale.ask('patchCampaign', { target, ifMatch: '"7"', body: { maxUses: 5 } })
    expect(stale).toMatchObject({ status: 412, json: { code: 'VERSION_CONFLICT' } })
    expect(await sale.patch(target, { maxUses: 5, offer: { value: 400 } })).toMatchObject({
      status: 200,
      json: { version: 2, maxUses: 5, offer: { value: 400, currency: 'EUR' } },
    })
    expect((await sale.ask('disableCampaign', { target })).json).toMatchObject({ status: 'DISABLED', version: 3 })
    expect((await sale.ask('disableCampaign', { target })).json).toMatchObject({ version: 3 })
    expect((await sale.ask('enableCampaign', { target })).json).toMatchObject({ status: 'ACTIVE', version: 4 })
  })

  test.each(['cmp_', 'cmp_zz0', 'cmp_000', 'cpn_000', 'sale'])('named %s does not exist', async (target) => {
    const sale = new Sale()
    for (const operation of ['getCampaign', 'disableCampaign', 'enableCampaign'] as const) {
      expect(await sale.ask(operation, { target })).toMatchObject({ status: 404, json: { code: 'CAMPAIGN_NOT_FOUND' } })
    }
    const patch = await sale.ask('patchCampaign', { target, ifMatch: '*', body: {} })
    expect(patch).toMatchObject({ status: 404, json: { code: 'CAMPAIGN_NOT_FOUND' } })
    const claim = await sale.ask('claimCoupon', { target, body: { userId: 'u' } })
    expect(claim).toMatchObject({ status: 404, json: { code: 'CAMPAIGN_NOT_FOUND' } })
  })

  test('cannot get limits below what is taken', async () => {
    const sale = new Sale()
    const id = await sale.campaign({ currency: 'EUR', budget: 5_000 })
    const code = await sale.member(id, { maxUses: 9 })
    expect((await sale.redeem(code)).status).toBe(201)
    expect((await sale.redeem(code)).status).toBe(201)
    for (const patch of [{ maxUses: 1 }, { budget: 1_999 }]) {
      expect(await sale.patch(id, patch)).toMatchObject({ status: 409, json: { code: 'INVALID_TRANSITION' } })
    }
    expect(await sale.patch(id, { maxUses: 2, budget: 2_000 })).toMatchObject({
      status: 200,
      json: { status: 'EXHAUSTED', uses: 2, discountTotal: 2_000 },
    })
  })

  test('lies on many shards when many are made', async () => {
    const sale = new Sale()
    const shards = new Set<number>()
    for (let i = 0; i < 64; i++) shards.add(parseId('cmp_', await sale.campaign())?.shard ?? -1)
    expect(shards.size).toBeGreaterThan(4)
  })
})

describe('a changed offer', () => {
  test('holds at once for what is not redeemed, and never for the price of a reservation', async () => {
    const sale = new Sale()
    const id = await sale.campaign()
    const [held, free] = [await sale.member(id), await sale.member(id)]
    const body = { codes: [held], userId: 'ann', cart: CART }
    const reserved = (await sale.ask('reserve', { body })).json
    expect(reserved).toMatchObject({ discount: { total: 1_000 } })
    expect((await sale.patch(id, { offer: { value: 25 } })).status).toBe(200)
    expect((await sale.ask('getCoupon', { target: free })).json).toMatchObject({ value: 25, campaignId: id })
    expect((await sale.redeem(free)).json).toMatchObject({ discount: { total: 2_500 } })
    const target = String(reserved['reservationId'])
    const redeemed = await sale.ask('redeemReservation', { target, body: { orderId: 'o-held' } })
    expect(redeemed).toMatchObject({ status: 201, json: { discount: { total: 1_000 } } })
    expect(await sale.shown(id)).toMatchObject({ uses: 2, discountTotal: 3_500 })
  })
})

describe('a coupon of a campaign', () => {
  test('has the campaign’s offer, one use by default, and lives on its shard when its code is drawn', async () => {
    const sale = new Sale()
    const id = await sale.campaign()
    const made = await sale.ask('createCoupon', { body: { campaignId: id } })
    expect(made).toMatchObject({
      status: 201,
      json: { campaignId: id, type: 'PERCENT', value: 10, scope: 'ORDER', maxUses: 1, remaining: 1, status: 'ACTIVE' },
    })
    expect(made.json['code']).toMatch(/^[A-HJ-NP-Z2-9]{10}$/)
    const shard = parseId('cmp_', id)?.shard
    expect(sale.transport.router.shardOfCode(String(made.json['code']))).toBe(shard)
    expect(parseId('cpn_', String(made.json['couponId']))?.shard).toBe(shard)
  })

  test('needs a campaign that exists', async () => {
    const sale = new Sale()
    for (const campaignId of [formatId('cmp_', 3, 0), formatId('cmp_', 1_000, 0)]) {
      const answer = await sale.ask('createCoupon', { body: { campaignId } })
      expect(answer).toMatchObject({ status: 404, json: { code: 'CAMPAIGN_NOT_FOUND' } })
    }
  })

  const WINDOW = { validFrom: '2026-06-01T00:00:00Z', validUntil: '2027-01-01T00:00:00Z' }

  test.each([
    [{ validFrom: '2026-05-31T23:59:59Z' }, '/validFrom'],
    [{ validFrom: '2027-01-02T00:00:00Z' }, '/validFrom'],
    [{ validUntil: '2027-01-01T00:00:00.001Z' }, '/validUntil'],
    [{ validUntil: '2026-01-01T00:00:00Z' }, '/validUntil'],
  ])('with the window %j is refused: it has to lie within the campaign’s', async (window, pointer) => {
    const sale = new Sale()
    const id = await sale.campaign(WINDOW)
    const created = await sale.ask('createCoupon', { body: { campaignId: id, ...window } })
    expect(created).toMatchObject({ status: 400, json: { code: 'INVALID_REQUEST', errors: [{ pointer }] } })
    const target = await sale.member(id, WINDOW)
    const patched = await sale.ask('patchCoupon', { target, ifMatch: '"1"', body: { ...window } })
    expect(patched).toMatchObject({ status: 400, json: { code: 'INVALID_REQUEST' } })
  })

  test('is not extended beyond its campaign', async () => {
    const sale = new Sale()
    const id = await sale.campaign(WINDOW)
    const target = await sale.member(id, { validUntil: '2026-12-01T00:00:00Z' })
    const beyond = { validUntil: '2027-02-01T00:00:00Z', reason: 'more' }
    expect(await sale.ask('extendCoupon', { target, body: beyond })).toMatchObject({
      status: 400,
      json: { errors: [{ pointer: '/validUntil' }] },
    })
    const within = { validUntil: '2026-12-31T00:00:00Z', reason: 'more' }
    expect(await sale.ask('extendCoupon', { target, body: within })).toMatchObject({
      status: 200,
      json: { version: 2 },
    })
  })

  test('keeps the offer of its campaign when it is patched', async () => {
    const sale = new Sale()
    const id = await sale.campaign()
    const target = await sale.member(id)
    const offer = await sale.ask('patchCoupon', { target, ifMatch: '"1"', body: { value: 20 } })
    expect(offer).toMatchObject({ status: 400, json: { errors: [{ pointer: '/value' }] } })
    expect((await sale.ask('patchCoupon', { target, ifMatch: '"1"', body: { description: 'd' } })).status).toBe(200)
    await sale.patch(id, { offer: { value: 30 } })
    expect((await sale.ask('getCoupon', { target })).json).toMatchObject({ description: 'd', value: 30 })
  })

  test('that lives elsewhere is shown whole, with what its campaign says of its status', async () => {
    const sale = new Sale()
    const id = await sale.campaign({ validFrom: '2026-01-01T00:00:00Z' })
    const home = parseId('cmp_', id)?.shard
    const code = Array.from({ length: 50 }, (_, i) => `AWAY-${i}`).find(
      (each) => sale.transport.router.shardOfCode(each) !== home,
    )
    const made = await sale.ask('createCoupon', { body: { campaignId: id, code } })
    expect(made).toMatchObject({
      status: 201,
      json: { code, type: 'PERCENT', value: 10, campaignId: id, status: 'ACTIVE' },
    })
    expect(made.told.position).toMatch(/^\d+:\d+@\d+, \d+:\d+@\d+$/)
    await sale.patch(id, { offer: { value: 40 } })
    expect((await sale.ask('getCoupon', { target: String(code) })).json).toMatchObject({ value: 40, status: 'ACTIVE' })
    const status = async (): Promise<unknown> => (await sale.ask('getCoupon', { target: String(code) })).json['status']
    await sale.ask('disableCampaign', { target: id })
    expect(await status()).toBe('DISABLED')
    await sale.ask('enableCampaign', { target: id })
    await sale.patch(id, { validFrom: '2026-12-01T00:00:00Z' })
    expect(await status()).toBe('SCHEDULED')
    await sale.patch(id, { validFrom: null, validUntil: '2026-11-01T00:00:00Z' })
    expect(await status()).toBe('EXPIRED')
    const patched = await sale.ask('patchCoupon', { target: String(code), ifMatch: '"1"', body: { category: 'c' } })
    expect(patched).toMatchObject({ status: 200, json: { category: 'c', value: 40, status: 'EXPIRED' } })
  })

  test('counts against the budget, which is refused whole and given back by a reversal', async () => {
    const sale = new Sale()
    const id = await sale.campaign({ currency: 'EUR', budget: 1_500 })
    const codes = [await sale.member(id), await sale.member(id), await sale.member(id)] as const
    const first = await sale.redeem(codes[0])
    expect(await sale.redeem(codes[1])).toMatchObject({ status: 409, json: { code: 'BUDGET_EXHAUSTED' } })
    expect((await sale.redeem(codes[1], 'bob', 5_000)).status).toBe(201)
    const target = String(first.json['redemptionId'])
    expect((await sale.ask('reverseRedemption', { target, body: { reason: 'refund' } })).status).toBe(200)
    expect(await sale.shown(id)).toMatchObject({ discountTotal: 500, uses: 1 })
    expect((await sale.redeem(codes[2])).status).toBe(201)
  })

  test('counts against the limit per user over all codes', async () => {
    const sale = new Sale()
    const id = await sale.campaign({ maxUsesPerUser: 2 })
    const codes = [await sale.member(id), await sale.member(id), await sale.member(id)] as const
    expect((await sale.redeem(codes[0], 'ann')).status).toBe(201)
    expect((await sale.redeem(codes[1], 'ann')).status).toBe(201)
    expect(await sale.redeem(codes[2], 'ann')).toMatchObject({ status: 409, json: { code: 'USER_LIMIT_REACHED' } })
    expect((await sale.redeem(codes[2], 'bob')).status).toBe(201)
  })
})

describe('a claim', () => {
  const claim = async (sale: Sale, target: string, userId: string) =>
    await sale.ask('claimCoupon', { target, body: { userId } })

  test('hands out a coupon exactly as it is read, and the same one again while it is open', async () => {
    const sale = new Sale()
    const id = await sale.pool(2, {
      offer: { type: 'FIXED', value: 500, currency: 'EUR', applicableProductIds: ['p"1'] },
      maxUses: 5,
      lockSeconds: 60,
    })
    const first = await claim(sale, id, 'ann "1"')
    expect(first).toMatchObject({
      status: 201,
      told: { location: `/v1/reservations/${String(first.json['reservationId'])}` },
    })
    const coupon = first.json['coupon'] as Json
    expect(coupon).toMatchObject({ status: 'LOCKED', lockedBy: 'ann "1"', remaining: 0, campaignId: id, value: 500 })
    expect(coupon['lockExpiresAt']).toBe(first.json['expiresAt'])
    expect(Date.parse(String(first.json['expiresAt']))).toBe(sale.transport.nowMs + 60_000)
    const read = await sale.ask('getCoupon', { target: String(coupon['code']) })
    expect(read.json).toEqual(coupon)
    expect(Object.keys(coupon)).toEqual(Object.keys(read.json))
    const again = await claim(sale, id, 'ann "1"')
    expect(again).toMatchObject({ status: 200, told: { location: '' } })
    expect(again.json).toEqual(first.json)
    const other = await claim(sale, id, 'bob')
    expect((other.json['coupon'] as Json)['code']).not.toBe(coupon['code'])
  })

  test('of a code that got a second use is shown as it is read', async () => {
    const sale = new Sale()
    const id = await sale.pool(1)
    const before = await claim(sale, id, 'ann')
    const target = String((before.json['coupon'] as Json)['code'])
    const patched = await sale.ask('patchCoupon', { target, ifMatch: '*', body: { maxUses: 2, description: 'twice' } })
    expect(patched.status).toBe(200)
    const again = await claim(sale, id, 'ann')
    expect(again.status).toBe(200)
    expect(again.json['coupon']).toEqual((await sale.ask('getCoupon', { target })).json)
    expect(again.json['coupon']).toMatchObject({ remaining: 1, description: 'twice' })
  })

  test('shows a new offer from the instant of its change', async () => {
    const sale = new Sale()
    const id = await sale.pool(3)
    const valueFor = async (user: string): Promise<unknown> =>
      ((await claim(sale, id, user)).json['coupon'] as Json)['value']
    expect(await valueFor('ann')).toBe(10)
    await sale.patch(id, { offer: { value: 33 } })
    expect(await valueFor('bob')).toBe(33)
    expect(await valueFor('ann')).toBe(33)
  })

  test('is redeemed by its reservation or by its code, and goes to somebody else when it runs out', async () => {
    const sale = new Sale()
    const id = await sale.pool(1)
    const first = (await claim(sale, id, 'ann')).json
    const empty = await claim(sale, id, 'bob')
    expect(empty).toMatchObject({ status: 409, json: { code: 'POOL_EMPTY' }, told: { retryAfterSeconds: 300 } })
    sale.transport.nowMs += 300_000
    const second = await claim(sale, id, 'bob')
    expect((second.json['coupon'] as Json)['code']).toBe((first['coupon'] as Json)['code'])
    const redeemed = await sale.ask('redeemReservation', {
      target: String(second.json['reservationId']),
      body: { orderId: 'o1', cart: CART },
    })
    expect(redeemed.status).toBe(201)
    expect(await claim(sale, id, 'cid')).toMatchObject({ json: { code: 'POOL_EMPTY' }, told: { retryAfterSeconds: 0 } })
  })

  test('counts for the day, and says when the next one begins', async () => {
    const sale = new Sale()
    const id = await sale.pool(5, { dailyLimit: { scope: 'CAMPAIGN' }, timezone: 'Asia/Kolkata' })
    const first = (await claim(sale, id, 'ann')).json
    await sale.ask('releaseReservation', { target: String(first['reservationId']) })
    const second = await claim(sale, id, 'ann')
    // 18:00 UTC is 23:30 in Kolkata.
    expect(second).toMatchObject({
      status: 409,
      json: { code: 'DAILY_LIMIT_REACHED' },
      told: { retryAfterSeconds: 1_800 },
    })
    sale.transport.nowMs += 1_800_000
    expect((await claim(sale, id, 'ann')).status).toBe(201)
  })

  test.each<[string, Json, string, number]>([
    ['disabled', {}, 'COUPON_DISABLED', 422],
    ['not begun', { validFrom: '2026-12-01T00:00:00Z' }, 'COUPON_NOT_STARTED', 422],
    ['over', { validUntil: '2026-11-01T00:00:00Z' }, 'COUPON_EXPIRED', 422],
  ])('of a campaign that is %s is refused', async (what, fields, code, status) => {
    const sale = new Sale()
    const id = await sale.pool(1, fields)
    if (what === 'disabled') await sale.ask('disableCampaign', { target: id })
    expect(await claim(sale, id, 'ann')).toMatchObject({ status, json: { code } })
  })

  test('is refused by the limits of the campaign', async () => {
    const sale = new Sale()
    const id = await sale.pool(5, { maxUses: 2, maxUsesPerUser: 1 })
    const mine = (await claim(sale, id, 'ann')).json
    await sale.redeem(String((mine['coupon'] as Json)['code']), 'ann')
    expect(await claim(sale, id, 'ann')).toMatchObject({ status: 409, json: { code: 'USER_LIMIT_REACHED' } })
    const theirs = (await claim(sale, id, 'bob')).json
    const locked = await claim(sale, id, 'cid')
    expect(locked).toMatchObject({ status: 423, json: { code: 'COUPON_LOCKED' }, told: { retryAfterSeconds: 300 } })
    await sale.redeem(String((theirs['coupon'] as Json)['code']), 'bob')
    expect(await claim(sale, id, 'cid')).toMatchObject({ status: 409, json: { code: 'CAMPAIGN_EXHAUSTED' } })
    expect(await sale.shown(id)).toMatchObject({ status: 'EXHAUSTED', codes: 5, uses: 2 })
  })

  test.each<[unknown, string]>([
    [{}, '/userId'],
    [{ userId: '' }, '/userId'],
    [{ userId: 'u', cart: CART }, '/cart'],
    [[], ''],
  ])('with the body %j is refused', async (body, pointer) => {
    const sale = new Sale()
    const id = await sale.pool(1)
    const answer = await sale.ask('claimCoupon', { target: id, body })
    expect(answer).toMatchObject({ status: 400, json: { errors: [{ pointer }] } })
  })

  test('that was done before its answer was lost is told with its coupon', async () => {
    const sale = new Sale()
    const id = await sale.pool(2)
    const asked: Asked = { operation: 'claimCoupon', target: id, body: { userId: 'ann' } }
    const first = await sale.call(asked, 'k')
    expect([first.status, codeOf(await sale.call({ ...asked, body: { userId: 'bob' } }, 'k'))]).toEqual([
      201,
      'IDEMPOTENCY_KEY_CONFLICT',
    ])
    expect(await sale.call(asked, 'k')).toEqual({ ...first, replayed: true })
  })
})
