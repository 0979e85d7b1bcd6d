// Searches over HTTP with a port that answers what a test wants: queries, cursors, roles, lag, and refusals.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Role } from '../../../gateway/access/authenticate.ts'
import { ReadModelUnavailable } from '../../../gateway/lists/read-model.ts'
import type { SearchItem, SearchPage, SearchPort, SearchQuestion } from '../../../gateway/lists/search-port.ts'
import type { Offer } from '../../../engine/domain/offer.ts'
import { COMMAND } from '../../../protocol/commands.ts'
import { formatId } from '../../../protocol/ids.ts'
import { type CampaignOutcome, OUTCOME } from '../../../protocol/outcomes.ts'
import { couponWith } from '../../engine/support/samples.ts'
import { coupon } from '../../gateway/support/outcomes.ts'
import { type HttpAnswer, send, startTestGateway, type TestGateway } from '../../gateway/support/gateway.ts'

function campaign(fields: Partial<CampaignOutcome> = {}): CampaignOutcome {
  return {
    type: OUTCOME.CAMPAIGN,
    index: 7,
    status: 'ACTIVE',
    codes: 9,
    poolSize: 4,
    uses: 3,
    reserved: 1,
    discountTotalMinor: 500,
    version: 2,
    createdAtMs: 1_760_000_000_000,
    updatedAtMs: 1_760_000_000_000,
    definition: {
      name: 'Sale',
      offer: couponWith('ANY').offer as Offer,
      merchantId: null,
      listed: true,
      validFromMs: null,
      validUntilMs: null,
      timezone: 'UTC',
      maxUses: 10,
      maxUsesPerUser: null,
      budgetMinor: null,
      dailyLimit: null,
      lockSeconds: 300,
      lowStockPpm: 100_000,
    },
    ...fields,
  }
}

class FakeSearch implements SearchPort {
  readonly asked: SearchQuestion[] = []
  answer: SearchPage | Error = { items: [], next: null, lagMs: 0 }

  async search(question: SearchQuestion): Promise<SearchPage> {
    this.asked.push(question)
    if (this.answer instanceof Error) throw this.answer
    return this.answer
  }

  indexBytes(): number {
    return 4_711
  }
}

let test: TestGateway
let port: FakeSearch

beforeEach(async () => {
  port = new FakeSearch()
  test = await startTestGateway({ search: port })
})
afterEach(async () => {
  await test.gateway.close()
})

function couponItem(text: string): SearchItem {
  return { kind: 'coupon', text }
}

async function search(query: string, gateway = test.gateway): Promise<HttpAnswer> {
  return await send(gateway.port, { path: `/v1/coupons/search${query}` })
}

const PLAIN: SearchQuestion = {
  text: '',
  sort: 'relevance',
  status: null,
  type: null,
  category: null,
  listedOnly: false,
  limit: 50,
  after: null,
}

describe('the query', () => {
  it('is handed on whole, with its defaults', async () => {
    await search('')
    await search('?search_term=')
    await search('?search_term=Caf%C3%A9%20sum&type=FIXED&category=a%26b&status=ACTIVE&sort=expiry&limit=200')
    expect(port.asked).toEqual([
      PLAIN,
      PLAIN,
      { ...PLAIN, text: 'Café sum', type: 'FIXED', category: 'a&b', status: 'ACTIVE', sort: 'expiry', limit: 200 },
    ])
  })

  it.each([
    ['?sort=price', '/sort'],
    ['?status=GONE', '/status'],
    ['?type=HALF', '/type'],
    ['?category=', '/category'],
    ['?limit=0', '/limit'],
    ['?limit=201', '/limit'],
    [`?search_term=${'x'.repeat(201)}`, '/search_term'],
    ['?q=summer', '/q'],
    ['?search_term=a&search_term=b', '/search_term'],
    ['?cursor=q1-2-3', '/cursor'],
    ['?cursor=n1-2', '/cursor'],
    ['?cursor=m1-2-3-4', '/cursor'],
    ['?cursor=q1-2-3-4&sort=newest', '/cursor'],
    ['?cursor=q99999999999-2-3-4', '/cursor'],
  ])('%s is refused with a pointer to %s', async (query, pointer) => {
    const { status, json } = await search(query)
    expect({ status, json }).toMatchObject({ status: 400, json: { code: 'INVALID_REQUEST', errors: [{ pointer }] } })
    expect(port.asked).toEqual([])
  })

  it.each(['relevance', 'newest', 'expiry'] as const)('by %s goes on where a cursor says', async (sort) => {
    const end = { score: 77, atMs: Number.MAX_SAFE_INTEGER, id: 2 ** 41 + 5, weights: 32 ** 10 - 1 }
    port.answer = { items: [couponItem('{}')], next: end, lagMs: 0 }
    const { nextCursor } = (await search(`?sort=${sort}`)).json as { nextCursor: string }
    port.answer = { items: [], next: null, lagMs: 0 }
    const last = await search(`?sort=${sort}&cursor=${nextCursor}`)
    expect(last.json).toEqual({ data: [], nextCursor: null })
    expect(port.asked[1]).toEqual({ ...PLAIN, sort, after: end })
  })
})

describe('the answer', () => {
  it('is what was found, with its lag', async () => {
    port.answer = { items: [couponItem('{"a":1}'), couponItem('{"b":2}')], next: null, lagMs: 12.6 }
    const { status, json, headers } = await search('?search_term=x')
    expect({ status, json }).toEqual({ status: 200, json: { data: [{ a: 1 }, { b: 2 }], nextCursor: null } })
    expect(headers['x-tearoff-lag-ms']).toBe('13')
  })

  it.each<[Role, boolean]>([
    ['checkout', true],
    ['marketing', false],
    ['operations', false],
  ])('for role %s is of what is listed only: %s', async (role, listedOnly) => {
    const authenticator = { roleOf: () => ({ role, name: role, keyId: role }) }
    const { gateway } = await startTestGateway({ search: port, authenticator })
    expect((await search('?search_term=x', gateway)).status).toBe(200)
    await gateway.close()
    expect(port.asked).toMatchObject([{ listedOnly }])
  })

  it('has campaigns among coupons as their shards show them', async () => {
    test.transport.script = ({ command }) => campaign({ index: (command as { index: number }).index })
    port.answer = { items: [couponItem('{"a":1}'), { kind: 'campaign', shard: 5, index: 7 }], next: null, lagMs: 0 }
    const { json, headers } = await search('?search_term=x')
    expect(json).toMatchObject({ data: [{ a: 1 }, { campaignId: formatId('cmp_', 5, 7), name: 'Sale', uses: 3 }] })
    expect(headers['x-tearoff-position']).toMatch(/^5:/)
    expect(test.transport.asked).toMatchObject([{ shard: 5, command: { type: COMMAND.GET_CAMPAIGN, index: 7 } }])
  })

  it('has coupons of a campaign as their shards show them, those without the status left out', async () => {
    test.transport.script = ({ command }) =>
      coupon({ status: (command as { coupon: { ordinal: number } }).coupon.ordinal === 4 ? 'ACTIVE' : 'EXPIRED' })
    const items: SearchItem[] = [4, 5].map((ordinal) => ({ kind: 'bound', shard: 3, ordinal }))
    port.answer = { items, next: null, lagMs: 0 }
    expect((await search('?status=ACTIVE')).json).toMatchObject({ data: [{ code: 'SAVE10', status: 'ACTIVE' }] })
    expect(test.transport.asked).toMatchObject([
      { shard: 3, command: { type: COMMAND.GET_COUPON, coupon: { ordinal: 4 } } },
      { shard: 3, command: { type: COMMAND.GET_COUPON, coupon: { ordinal: 5 } } },
    ])
  })

  it('has a coupon whose campaign lives elsewhere with the offer of that', async () => {
    const { definition } = coupon()
    const bound = coupon({ definition: { ...definition, offer: null, campaign: { shard: 9, index: 7 } } })
    test.transport.script = ({ command }) => (command.type === COMMAND.GET_CAMPAIGN ? campaign() : bound)
    port.answer = { items: [{ kind: 'bound', shard: 3, ordinal: 4 }], next: null, lagMs: 0 }
    const { json, headers } = await search('?search_term=x')
    const { type } = campaign().definition.offer
    expect(json).toMatchObject({ data: [{ code: 'SAVE10', campaignId: formatId('cmp_', 9, 7), type }] })
    expect(headers['x-tearoff-position']).toMatch(/^3:.*, 9:/)
  })

  it('leaves out a campaign that turns out not to have the status, or not to be listed', async () => {
    test.transport.script = () => campaign({ status: 'EXHAUSTED' })
    port.answer = { items: [{ kind: 'campaign', shard: 5, index: 7 }], next: null, lagMs: 0 }
    expect((await search('?status=ACTIVE')).json).toMatchObject({ data: [] })
    expect((await search('?status=EXHAUSTED')).json).toMatchObject({ data: [{ status: 'EXHAUSTED' }] })
    const authenticator = { roleOf: () => ({ role: 'checkout' as const, name: 'shop', keyId: 'shop' }) }
    const shop = await startTestGateway({ search: port, authenticator })
    shop.transport.script = () => campaign({ definition: { ...campaign().definition, listed: false } })
    expect((await search('', shop.gateway)).json).toMatchObject({ data: [] })
    await shop.gateway.close()
  })

  it('is SHARD_UNAVAILABLE while the search is away', async () => {
    port.answer = new ReadModelUnavailable('away')
    const { status, json } = await search('?search_term=x')
    expect({ status, json }).toMatchObject({ status: 503, json: { code: 'SHARD_UNAVAILABLE' } })
    const { gateway } = await startTestGateway()
    expect((await search('?search_term=x', gateway)).json).toMatchObject({ code: 'SHARD_UNAVAILABLE' })
    await gateway.close()
  })

  it('of a fault inside says nothing of its cause', async () => {
    port.answer = new Error('a secret of the inside')
    const { status, text } = await search('?search_term=x')
    expect(status).toBe(500)
    expect(text).not.toContain('secret')
    expect(JSON.stringify(test.log)).toContain('a secret of the inside')
  })
})

it('what the index takes is shown to Prometheus', async () => {
  const { text } = await send(test.gateway.port, { path: '/metrics' })
  expect(text).toMatch(/^tearoff_search_index_bytes 4711$/m)
})
