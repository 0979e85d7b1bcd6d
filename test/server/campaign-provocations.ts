// Campaigns and claims: every operation and every way it can be refused (see `provocations.ts`).

import type { HttpReply } from '../support/http-client.ts'
import { no, ok, type Provocation, type Scene } from './provocations.ts'

const OFFER = { type: 'PERCENT', value: 10 } as const
const NOWHERE = 'cmp_zz1'

async function campaign(s: Scene, fields: Record<string, unknown> = {}): Promise<string> {
  const { json } = await s.done(201, s.send('POST', '/v1/campaigns', { name: s.name('sale'), offer: OFFER, ...fields }))
  return String(json['campaignId'])
}

/** A campaign with so many codes in its pool. */
async function pool(s: Scene, count: number, fields: Record<string, unknown> = {}): Promise<string> {
  const id = await campaign(s, fields)
  const { json } = await s.done(202, s.send('POST', `/v1/campaigns/${id}/codes`, { count }))
  for (;;) {
    const job = await s.done(200, s.send('GET', `/v1/jobs/${String(json['jobId'])}`))
    if (job.json['state'] === 'SUCCEEDED') return id
    if (job.json['state'] === 'FAILED') throw new Error(job.text)
  }
}

/** A coupon of a campaign. */
async function member(s: Scene, campaignId: string): Promise<string> {
  const { json } = await s.done(201, s.send('POST', '/v1/coupons', { campaignId }))
  return String(json['code'])
}

function claim(s: Scene, id: string, userId: string): Promise<HttpReply> {
  return s.as('checkout', 'POST', `/v1/campaigns/${id}/claims`, { userId })
}

export const CAMPAIGNS: readonly Provocation[] = [
  ok('POST /v1/campaigns', 201, (s) => s.send('POST', '/v1/campaigns', { name: 'least', offer: { type: 'FREESHIP' } })),
  ok('POST /v1/campaigns', 201, (s) =>
    s.as('marketing', 'POST', '/v1/campaigns', {
      name: 'full',
      merchantId: 'm1',
      offer: { ...OFFER, maxDiscount: 500, channels: ['web'], stacking: 'STACKABLE', priority: 2 },
      currency: 'EUR',
      validFrom: '2020-01-01T00:00:00Z',
      validUntil: '2099-01-01T00:00:00Z',
      timezone: 'America/New_York',
      listed: true,
      maxUses: 100,
      maxUsesPerUser: 2,
      budget: 10_000,
      dailyLimit: { perUser: 1, scope: 'CAMPAIGN' },
      lockSeconds: 60,
      lowStockAt: 0.2,
    }),
  ),
  no('POST /v1/campaigns', 400, 'INVALID_REQUEST', (s) => s.send('POST', '/v1/campaigns', { name: 'no offer' })),
  no('POST /v1/campaigns', 400, 'INVALID_REQUEST', (s) =>
    s.send('POST', '/v1/campaigns', { name: 'x', offer: OFFER, timezone: 'Mars/Olympus' }),
  ),
  no('POST /v1/campaigns', 403, 'FORBIDDEN', (s) =>
    s.as('checkout', 'POST', '/v1/campaigns', { name: 'x', offer: OFFER }),
  ),
  ok('GET /v1/campaigns', 200, (s) => s.as('marketing', 'GET', '/v1/campaigns?limit=2')),
  no('GET /v1/campaigns', 400, 'INVALID_REQUEST', (s) => s.send('GET', '/v1/campaigns?status=ACTIVE')),
  ok('GET /v1/campaigns/{id}', 200, async (s) => s.send('GET', `/v1/campaigns/${await campaign(s)}`)),
  no('GET /v1/campaigns/{id}', 404, 'CAMPAIGN_NOT_FOUND', (s) => s.send('GET', `/v1/campaigns/${NOWHERE}`)),
  ok('PATCH /v1/campaigns/{id}', 200, async (s) =>
    s.send('PATCH', `/v1/campaigns/${await campaign(s)}`, { offer: { value: 15 } }, { 'if-match': '"1"' }),
  ),
  no('PATCH /v1/campaigns/{id}', 404, 'CAMPAIGN_NOT_FOUND', (s) =>
    s.send('PATCH', `/v1/campaigns/${NOWHERE}`, {}, { 'if-match': '*' }),
  ),
  no('PATCH /v1/campaigns/{id}', 400, 'INVALID_REQUEST', async (s) =>
    s.send('PATCH', `/v1/campaigns/${await campaign(s)}`, { currency: 'EUR' }, { 'if-match': '*' }),
  ),
  no('PATCH /v1/campaigns/{id}', 412, 'VERSION_CONFLICT', async (s) =>
    s.send('PATCH', `/v1/campaigns/${await campaign(s)}`, { maxUses: 5 }, { 'if-match': '"2"' }),
  ),
  no('PATCH /v1/campaigns/{id}', 428, 'PRECONDITION_REQUIRED', async (s) =>
    s.send('PATCH', `/v1/campaigns/${await campaign(s)}`, { maxUses: 5 }),
  ),
  no('PATCH /v1/campaigns/{id}', 409, 'INVALID_TRANSITION', async (s) => {
    const id = await campaign(s)
    for (let i = 0; i < 2; i++) await s.done(201, s.redeem(await member(s, id)))
    return await s.send('PATCH', `/v1/campaigns/${id}`, { maxUses: 1 }, { 'if-match': '*' })
  }),
  ok('POST /v1/campaigns/{id}/disable', 200, async (s) => s.send('POST', `/v1/campaigns/${await campaign(s)}/disable`)),
  ok('POST /v1/campaigns/{id}/enable', 200, async (s) => s.send('POST', `/v1/campaigns/${await campaign(s)}/enable`)),
  no('POST /v1/campaigns/{id}/disable', 404, 'CAMPAIGN_NOT_FOUND', (s) =>
    s.send('POST', `/v1/campaigns/${NOWHERE}/disable`),
  ),
  ok('POST /v1/coupons', 201, async (s) =>
    s.send('POST', '/v1/coupons', { campaignId: await campaign(s), maxUses: 3 }),
  ),
  no('POST /v1/coupons', 404, 'CAMPAIGN_NOT_FOUND', (s) => s.send('POST', '/v1/coupons', { campaignId: NOWHERE })),
  no('POST /v1/coupons', 400, 'INVALID_REQUEST', async (s) => {
    const campaignId = await campaign(s, { validUntil: '2098-01-01T00:00:00Z' })
    return await s.send('POST', '/v1/coupons', { campaignId, validUntil: '2099-01-01T00:00:00Z' })
  }),
  no('POST /v1/redemptions', 409, 'CAMPAIGN_EXHAUSTED', async (s) => {
    const id = await campaign(s, { maxUses: 1 })
    await s.done(201, s.redeem(await member(s, id)))
    return await s.redeem(await member(s, id))
  }),
  no('POST /v1/redemptions', 409, 'BUDGET_EXHAUSTED', async (s) => {
    const id = await campaign(s, { budget: 999, currency: 'EUR' })
    await s.done(201, s.redeem(await member(s, id)))
    return await s.redeem(await member(s, id))
  }),
  no('POST /v1/redemptions', 409, 'DAILY_LIMIT_REACHED', async (s) => {
    const id = await campaign(s, { dailyLimit: { scope: 'CAMPAIGN' } })
    const { userId } = s.buyer()
    await s.done(201, s.redeem(await member(s, id), { userId }))
    return await s.redeem(await member(s, id), { userId })
  }),
  ok('POST /v1/campaigns/{id}/claims', 201, async (s) => claim(s, await pool(s, 1), 'u')),
  ok('POST /v1/campaigns/{id}/claims', 200, async (s) => {
    const id = await pool(s, 1)
    await claim(s, id, 'u')
    return await claim(s, id, 'u')
  }),
  no('POST /v1/campaigns/{id}/claims', 404, 'CAMPAIGN_NOT_FOUND', (s) => claim(s, NOWHERE, 'u')),
  no('POST /v1/campaigns/{id}/claims', 400, 'INVALID_REQUEST', (s) => claim(s, NOWHERE, '')),
  no('POST /v1/campaigns/{id}/claims', 403, 'FORBIDDEN', (s) =>
    s.as('marketing', 'POST', `/v1/campaigns/${NOWHERE}/claims`, { userId: 'u' }),
  ),
  no('POST /v1/campaigns/{id}/claims', 409, 'POOL_EMPTY', async (s) => claim(s, await campaign(s), 'u')),
  no('POST /v1/campaigns/{id}/claims', 409, 'DAILY_LIMIT_REACHED', async (s) => {
    const id = await pool(s, 2, { dailyLimit: { scope: 'CAMPAIGN' } })
    const { json } = await s.done(201, claim(s, id, 'u'))
    await s.done(204, s.as('checkout', 'DELETE', `/v1/reservations/${String(json['reservationId'])}`))
    return await claim(s, id, 'u')
  }),
  no('POST /v1/campaigns/{id}/claims', 423, 'COUPON_LOCKED', async (s) => {
    const id = await pool(s, 2, { maxUses: 1 })
    await s.done(201, claim(s, id, 'first'))
    return await claim(s, id, 'second')
  }),
  no('POST /v1/campaigns/{id}/claims', 422, 'COUPON_DISABLED', async (s) => {
    const id = await pool(s, 1)
    await s.done(200, s.send('POST', `/v1/campaigns/${id}/disable`))
    return await claim(s, id, 'u')
  }),
]
