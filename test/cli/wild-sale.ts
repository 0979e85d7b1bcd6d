// A sale of campaigns at a real server, by many clients at once: codes of pools and for export, claims, budgets, limits of users and
// of days, codes that live on another shard than their campaign, reservations that are priced again, reversals, changed terms.

import type { HttpClient, HttpReply } from '../support/http-client.ts'
import type { SeededRandom } from '../support/seeded-random.ts'
import type { RecordedCall } from './recorded-calls.ts'

const USERS = 40
const CODES = 60
const JOB_LOOKS_MAX = 400
/** 5 % of an order of 2,000 at the least: the budget of 2,500 lasts for 25. */
const PAYERS_MAX = 26
const OFFER = { type: 'PERCENT', value: 10, stacking: 'STACKABLE' } as const

/** Terms of the campaigns; each has a pool. */
const CAMPAIGNS: readonly Readonly<Record<string, unknown>>[] = [
  { name: 'Plain', offer: OFFER, lockSeconds: 1 },
  { name: 'Few', offer: OFFER, maxUses: 12, maxUsesPerUser: 2 },
  { name: 'Poor', offer: { ...OFFER, currency: 'EUR' }, currency: 'EUR', budget: 2_500 },
  {
    name: 'Daily',
    offer: OFFER,
    dailyLimit: { perUser: 1, scope: 'CAMPAIGN' },
    timezone: 'Asia/Kolkata',
    lockSeconds: 1,
  },
  { name: 'Everywhere', offer: OFFER, dailyLimit: { perUser: 2, scope: 'ALL' }, lockSeconds: 1 },
  { name: 'Anywhere', offer: OFFER, dailyLimit: { perUser: 2, scope: 'ALL' }, maxUsesPerUser: 3 },
]

/** Those that `exhaust` adds. */
export const SMALL_CAMPAIGNS = 2

export class WildSale {
  readonly campaignIds: string[] = []
  /** Claims with their answers. */
  readonly claims: RecordedCall[] = []
  readonly statuses = new Map<string, number>()
  /** Of every campaign, and some that were made one by one and may live on other shards. */
  readonly codes: string[] = []
  private readonly http: HttpClient
  private readonly random: SeededRandom
  private readonly reservations: string[] = []
  private readonly redemptions: string[] = []
  private count = 0

  constructor(http: HttpClient, random: SeededRandom) {
    this.http = http
    this.random = random
  }

  idOf(name: string): string {
    return this.campaignIds[CAMPAIGNS.findIndex((terms) => terms['name'] === name)] ?? ''
  }

  async begin(): Promise<void> {
    for (const terms of CAMPAIGNS) {
      const { json } = await this.done('POST', '/v1/campaigns', terms)
      const campaignId = String(json['campaignId'])
      this.campaignIds.push(campaignId)
      for (const distribution of ['POOL', 'EXPORTED'] as const) {
        const made = await this.done('POST', `/v1/campaigns/${campaignId}/codes`, { count: CODES, distribution })
        await this.jobEnded(String(made.json['jobId']))
      }
      const { text } = await this.http.get(`/v1/campaigns/${campaignId}/codes.csv`)
      const codes = text
        .trimEnd()
        .split('\n')
        .slice(1)
        .map((line) => line.split(',')[0] ?? '')
      this.codes.push(...codes)
      for (let i = 0; i < 4; i++) {
        const code = `BY-HAND-${this.campaignIds.length}-${i}`
        await this.done('POST', '/v1/coupons', { code, campaignId, maxUses: 5 })
        this.codes.push(code)
      }
    }
  }

  /** One call that somebody might make. */
  async wild(): Promise<void> {
    const { random } = this
    const userId = `user-${random.below(USERS)}`
    const orderId = `order-${++this.count}`
    const cart = { orderTotal: 500 + 100 * random.below(20), currency: 'EUR' }
    switch (random.below(10)) {
      case 0:
      case 1:
      case 2:
        await this.claim(random.pick(this.campaignIds), userId)
        return
      case 3: {
        const body = {
          codes: this.some(),
          userId,
          ttlSeconds: 1 + random.below(4),
          ...(random.below(3) > 0 ? { cart } : {}),
        }
        const reply = await this.call('POST', '/v1/reservations', body)
        if (reply.status === 201) this.reservations.push(String(reply.json['reservationId']))
        // Priced again.
        if (reply.status === 201 && random.below(3) === 0) {
          await this.call('POST', '/v1/reservations', { ...body, cart: { ...cart, orderTotal: cart.orderTotal + 400 } })
        }
        return
      }
      case 4:
      case 5: {
        if (this.reservations.length === 0) return
        const id = random.pick(this.reservations)
        const reply = await this.call('POST', `/v1/reservations/${id}/redeem`, {
          orderId,
          cart,
          allowLate: random.below(2) === 0,
        })
        if (reply.status === 201) this.redemptions.push(String(reply.json['redemptionId']))
        return
      }
      case 6: {
        if (this.reservations.length === 0) return
        const id = random.pick(this.reservations)
        if (random.below(3) === 0) await this.call('POST', `/v1/reservations/${id}/extend`, { ttlSeconds: 2 })
        else await this.call('DELETE', `/v1/reservations/${id}`)
        return
      }
      case 7: {
        if (this.redemptions.length === 0) return
        const body = { reason: 'refund', returnUse: random.below(2) === 0 }
        await this.call('POST', `/v1/redemptions/${random.pick(this.redemptions)}/reverse`, body)
        return
      }
      default: {
        const reply = await this.call('POST', '/v1/redemptions', { codes: this.some(), userId, orderId, cart })
        if (reply.status === 201) this.redemptions.push(String(reply.json['redemptionId']))
      }
    }
  }

  /** Whatever the clients happened to do, each limit is met in the end: of uses, of one user, of a user's day and of money. */
  async exhaust(): Promise<void> {
    const few = await this.small({ maxUses: 2 })
    for (let i = 0; i < 3; i++) await this.redeemNew(few, `few-${i}`, 900)
    const once = await this.small({ maxUsesPerUser: 1 })
    for (let i = 0; i < 2; i++) await this.redeemNew(once, 'once', 900)
    for (let i = 0; i < 2; i++) await this.claim(this.idOf('Daily'), 'twice-a-day')
    const poor = this.idOf('Poor')
    for (let i = 0; i < PAYERS_MAX; i++) await this.redeemNew(poor, `payer-${i}`, 2_000)
  }

  private async small(limits: Readonly<Record<string, unknown>>): Promise<string> {
    const { json } = await this.done('POST', '/v1/campaigns', { name: 'Small', offer: OFFER, ...limits })
    return String(json['campaignId'])
  }

  /** A new coupon of the campaign, redeemed by the user at once. */
  private async redeemNew(campaignId: string, userId: string, orderTotal: number): Promise<void> {
    const code = `NEW-${++this.count}`
    await this.done('POST', '/v1/coupons', { code, campaignId })
    const cart = { orderTotal, currency: 'EUR' }
    await this.call('POST', '/v1/redemptions', { codes: [code], userId, orderId: code, cart })
  }

  /** Somebody changes a campaign or a code. */
  async change(): Promise<void> {
    const { random } = this
    const id = random.pick(this.campaignIds)
    const { headers } = await this.http.get(`/v1/campaigns/${id}`)
    const ifMatch = { 'if-match': String(headers['etag']) }
    switch (random.below(5)) {
      case 0:
        await this.call('PATCH', `/v1/campaigns/${id}`, { offer: { value: 5 + random.below(10) } }, ifMatch)
        return
      case 1:
        await this.call('PATCH', `/v1/campaigns/${id}`, { maxUsesPerUser: random.pick([null, 2, 4]) }, ifMatch)
        return
      case 2:
        await this.call('POST', `/v1/campaigns/${id}/disable`)
        await this.call('POST', `/v1/campaigns/${id}/enable`)
        return
      case 3:
        await this.call('DELETE', `/v1/coupons/${random.pick(this.codes)}`)
        return
      default:
        await this.call('POST', `/v1/coupons/${random.pick(this.codes)}/expire`, { reason: 'sold elsewhere' })
    }
  }

  private some(): readonly string[] {
    const first = this.random.pick(this.codes)
    const second = this.random.pick(this.codes)
    return this.random.below(4) > 0 || first === second ? [first] : [first, second]
  }

  private async claim(campaignId: string, userId: string): Promise<void> {
    const path = `/v1/campaigns/${campaignId}/claims`
    const body = { userId }
    const reply = await this.call('POST', path, body)
    if (reply.status === 201) this.reservations.push(String(reply.json['reservationId']))
    const position = reply.headers['x-tearoff-position']
    if (typeof position !== 'string') return
    const code = reply.status >= 400 ? String(reply.json['code']) : null
    this.claims.push({ method: 'POST', path, body, position, status: reply.status, code, answer: reply.json })
  }

  private async jobEnded(jobId: string): Promise<void> {
    for (let look = 0; look < JOB_LOOKS_MAX; look++) {
      const { json } = await this.http.get(`/v1/jobs/${jobId}`)
      if (json['state'] === 'SUCCEEDED') return
      if (json['state'] !== 'QUEUED' && json['state'] !== 'RUNNING')
        throw new Error(`${jobId}: ${JSON.stringify(json)}`)
    }
    throw new Error(`${jobId} does not end`)
  }

  private async done(method: string, path: string, body: unknown): Promise<HttpReply> {
    const reply = await this.http.call(method, path, body)
    if (reply.status >= 300) throw new Error(`${method} ${path}: ${reply.text}`)
    return reply
  }

  private async call(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<HttpReply> {
    const reply = await this.http.call(method, path, body, headers)
    // On a machine with much else to do a shard may not answer another in time, and nothing is done.
    const isLate = reply.json['code'] === 'SHARD_UNAVAILABLE'
    if (reply.status >= 500 && !isLate) throw new Error(`${method} ${path}: ${reply.status} ${reply.text}`)
    const said = reply.status >= 400 ? String(reply.json['code']) : String(reply.status)
    this.statuses.set(said, (this.statuses.get(said) ?? 0) + 1)
    return reply
  }
}
