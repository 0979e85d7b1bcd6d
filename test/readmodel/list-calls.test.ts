// Lists over HTTP with a read model and shards that say what a test wants: queries, cursors, lag, and what is left out.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  type CouponFilter,
  type CouponName,
  type HistoryItem,
  type Listed,
  type PageRange,
  type Place,
  type ReadModel,
  ReadModelUnavailable,
  type RedemptionFilter,
  type ReservationFilter,
} from '../../gateway/lists/read-model.ts'
import { SETTLED } from '../../engine/transport/port.ts'
import { COMMAND } from '../../protocol/commands.ts'
import type { CampaignRef } from '../../protocol/coupon.ts'
import { type ListedCode, OUTCOME } from '../../protocol/outcomes.ts'
import { formatId } from '../../protocol/ids.ts'
import { AT_MS, type Asked, type Reply } from '../gateway/support/fake-transport.ts'
import { type HttpAnswer, send, startTestGateway, type TestGateway } from '../gateway/support/gateway.ts'
import { campaign, coupon, DEFINITION, redemption, refused, reservation } from '../gateway/support/outcomes.ts'

/** Answers what it is told to, and remembers what it was asked. */
class FakeReadModel implements ReadModel {
  readonly asked: unknown[] = []
  answers: Listed<unknown>[] = []
  failure: Error | null = null

  async coupons(filter: CouponFilter, range: PageRange): Promise<Listed<string>> {
    return this.next({ filter, range }) as Listed<string>
  }
  async campaigns(range: PageRange): Promise<Listed<CampaignRef>> {
    return this.next({ range }) as Listed<CampaignRef>
  }
  async couponsOfCampaign(campaign: CampaignRef, range: PageRange): Promise<Listed<CouponName>> {
    return this.next({ campaign, range }) as Listed<CouponName>
  }
  async history(name: CouponName, range: PageRange): Promise<Listed<HistoryItem>> {
    return this.next({ coupon: name, range }) as Listed<HistoryItem>
  }
  async redemptions(filter: RedemptionFilter, range: PageRange): Promise<Listed<Place>> {
    return this.next({ filter, range }) as Listed<Place>
  }
  async reservations(filter: ReservationFilter, range: PageRange): Promise<Listed<Place>> {
    return this.next({ filter, range }) as Listed<Place>
  }
  lagMs(): number {
    return 321
  }

  private next(asked: unknown): Listed<unknown> {
    this.asked.push(asked)
    if (this.failure !== null) throw this.failure
    return this.answers.shift() ?? { items: [], next: null, lagMs: 0 }
  }
}

let test: TestGateway
let model: FakeReadModel

beforeEach(async () => {
  model = new FakeReadModel()
  test = await startTestGateway({ readModel: model })
  test.transport.script = showsAll
})
afterEach(async () => {
  await test.gateway.close()
})

/** Shards that have whatever they are asked for. */
function showsAll({ shard, command }: Asked): Reply {
  switch (command.type) {
    case COMMAND.GET_REDEMPTION:
      return redemption({ seq: command.seq, coupons: [{ shard, ordinal: 0, code: 'SAVE10' }] })
    case COMMAND.GET_RESERVATION:
      return reservation({ seq: command.seq, coupons: [{ shard, ordinal: 0, code: 'SAVE10' }] })
    default:
      return coupon({ ordinal: 4 })
  }
}

async function get(path: string): Promise<HttpAnswer> {
  return await send(test.gateway.port, { path: `/v1${path}` })
}

function places(...found: [number, number][]): Place[] {
  return found.map(([shard, seq]) => ({ shard, seq }))
}

const NO_FILTER = {
  status: null,
  type: null,
  category: null,
  merchantId: null,
  userId: null,
  expiresBeforeMs: null,
  expiresAfterMs: null,
}

describe('the query', () => {
  it('is handed on whole, with its defaults', async () => {
    await get('/coupons')
    await get(
      '/coupons?status=ACTIVE&type=FIXED&category=f%20%26%20b&merchantId=m&userId=u&expiresAfter=2026-01-01T00:00:00Z&limit=200',
    )
    expect(model.asked).toEqual([
      { filter: NO_FILTER, range: { limit: 50, after: null } },
      {
        filter: {
          status: 'ACTIVE',
          type: 'FIXED',
          category: 'f & b',
          merchantId: 'm',
          userId: 'u',
          expiresBeforeMs: null,
          expiresAfterMs: Date.UTC(2026, 0, 1),
        },
        range: { limit: 200, after: null },
      },
    ])
  })

  it.each([
    ['/coupons?status=GONE', '/status'],
    ['/coupons?type=HALF', '/type'],
    ['/coupons?expiresBefore=tomorrow', '/expiresBefore'],
    ['/coupons?userId=', '/userId'],
    ['/coupons?orderId=o', '/orderId'],
    ['/coupons?limit=0', '/limit'],
    ['/coupons?limit=201', '/limit'],
    ['/coupons?limit=1e2', '/limit'],
    ['/coupons?limit=5&limit=5', '/limit'],
    ['/coupons?cursor=x', '/cursor'],
    ['/coupons?cursor=n99999999999-1', '/cursor'],
    ['/coupons?cursor=r1-1', '/cursor'],
    ['/coupons?cursor=n1-1&expiresAfter=2026-01-01T00:00:00Z', '/cursor'],
    ['/coupons/SAVE10/history?type=REDEEMED', '/type'],
    ['/redemptions?status=REDEEMED', '/status'],
    ['/redemptions?from=2026-13-01T00:00:00Z', '/from'],
    [`/redemptions?couponId=${'x'.repeat(129)}`, '/couponId'],
    ['/reservations?orderId=o', '/orderId'],
    ['/reservations?a~b/c=1', '/a~0b~1c'],
  ])('%s is refused with a pointer to %s', async (path, pointer) => {
    const { status, json } = await get(path)
    expect({ status, json }).toMatchObject({ status: 400, json: { code: 'INVALID_REQUEST', errors: [{ pointer }] } })
    expect(model.asked).toEqual([])
  })

  it('goes on where a cursor says', async () => {
    model.answers = [{ items: ['{}'], next: [1_760_000_000_000, 2 ** 43 + 7], lagMs: 0 }]
    const first = await get('/coupons?limit=1')
    const { nextCursor } = first.json as { nextCursor: string }
    expect(nextCursor).toBeTypeOf('string')
    const last = await get(`/coupons?limit=1&cursor=${nextCursor}`)
    expect(last.json).toEqual({ data: [], nextCursor: null })
    expect(model.asked[1]).toMatchObject({ range: { limit: 1, after: [1_760_000_000_000, 2 ** 43 + 7] } })
  })
})

describe('the answer', () => {
  it('is what the read model made, with its lag', async () => {
    model.answers = [{ items: ['{"a":1}', '{"b":2}'], next: null, lagMs: 12.6 }]
    const { status, json, headers } = await get('/coupons')
    expect({ status, json }).toEqual({ status: 200, json: { data: [{ a: 1 }, { b: 2 }], nextCursor: null } })
    expect(headers['x-tearoff-lag-ms']).toBe('13')
    expect(headers['x-tearoff-position']).toBeUndefined()
  })

  it('of redemptions is what their shards show, and names the newest position of each', async () => {
    model.answers = [{ items: places([3, 33], [5, 7], [3, 2]), next: [9, 2_051], lagMs: 0 }]
    const { json, headers } = await get('/redemptions?limit=3')
    const one = await get(`/redemptions/${formatId('rdm_', 5, 7)}`)
    const { data, nextCursor } = json as { data: { redemptionId: string }[]; nextCursor: string }
    expect(data.map(({ redemptionId }) => redemptionId)).toEqual(['rdm_0311', 'rdm_057', 'rdm_032'])
    expect(data[1]).toEqual(one.json)
    expect(nextCursor).toBe('r9-1kz')
    expect(headers['x-tearoff-position']).toBe(`3:7@${AT_MS}, 5:7@${AT_MS}`)
    expect(headers['x-tearoff-lag-ms']).toBe('0')
  })

  it('of reservations is what their shards show', async () => {
    model.answers = [{ items: places([3, 32]), next: null, lagMs: 0 }]
    const { json } = await get('/reservations?userId=u1')
    const one = await get(`/reservations/${formatId('rsv_', 3, 32)}`)
    expect(json).toEqual({ data: [one.json], nextCursor: null })
    expect(model.asked).toEqual([{ filter: { userId: 'u1', coupon: null }, range: { limit: 50, after: null } }])
  })

  it('of a history has positions, times, and redemptions as their shard tells them', async () => {
    const target = test.router.shardOfCode('SAVE10')
    model.answers = [
      {
        items: [
          { seq: 2, atMs: AT_MS, membersJson: '"type":"COUPON_SWITCHED","change":"ENABLED"' },
          { seq: 33, atMs: AT_MS + 1, membersJson: null },
        ],
        next: null,
        lagMs: 4,
      },
    ]
    test.transport.script = ({ command }) =>
      command.type === COMMAND.GET_REDEMPTION
        ? redemption({
            seq: 33,
            reservationSeq: 9,
            coupons: [
              { shard: target + 1, ordinal: 4, code: 'OTHER' },
              { shard: target, ordinal: 4, code: 'SAVE10' },
            ],
            price: { ...redemption().price, amounts: [1, 2] },
          })
        : coupon({ ordinal: 4 })
    const { status, json, headers } = await get('/coupons/%20save10%20/history?limit=2')
    expect(status).toBe(200)
    expect(json).toEqual({
      data: [
        { position: `${target}:2`, at: new Date(AT_MS).toISOString(), type: 'COUPON_SWITCHED', change: 'ENABLED' },
        {
          position: `${target}:33`,
          at: new Date(AT_MS + 1).toISOString(),
          type: 'REDEEMED',
          redemptionId: formatId('rdm_', target, 33),
          reservationId: formatId('rsv_', target, 9),
          userId: 'u1',
          orderId: 'o1',
          amount: 2,
          currency: 'EUR',
        },
      ],
      nextCursor: null,
    })
    expect(headers['x-tearoff-lag-ms']).toBe('4')
    expect(model.asked).toEqual([{ coupon: { shard: target, ordinal: 4 }, range: { limit: 2, after: null } }])
  })

  it('leaves out whom a likeness of names brought in, and looks further for a full page', async () => {
    model.answers = [
      { items: places([3, 1], [3, 2]), next: [5, 6], lagMs: 0 },
      { items: places([3, 3]), next: [7, 8], lagMs: 2 },
    ]
    test.transport.script = ({ command }) =>
      command.type === COMMAND.GET_REDEMPTION && command.seq === 1
        ? redemption({ seq: 1, userId: 'somebody else' })
        : redemption({ seq: 2 })
    const { json, headers } = await get('/redemptions?userId=u1&limit=2')
    const { data, nextCursor } = json as { data: { userId: string }[]; nextCursor: string }
    expect(data.map(({ userId }) => userId)).toEqual(['u1', 'u1'])
    expect(nextCursor).toBe('r7-8')
    expect(headers['x-tearoff-lag-ms']).toBe('2')
    expect(model.asked).toMatchObject([{ range: { limit: 2, after: null } }, { range: { limit: 1, after: [5, 6] } }])
  })

  it('leaves out reservations that their shard has forgotten', async () => {
    model.answers = [{ items: places([3, 1], [3, 2]), next: null, lagMs: 0 }]
    test.transport.script = ({ command }) =>
      command.type === COMMAND.GET_RESERVATION && command.seq === 1
        ? refused('RESERVATION_NOT_FOUND')
        : reservation({ seq: 2 })
    const { json } = await get('/reservations')
    expect((json as { data: { reservationId: string }[] }).data).toMatchObject([{ reservationId: 'rsv_032' }])
  })

  it('of a coupon filter by id or code asks for that coupon', async () => {
    const shard = test.router.shardOfCode('SAVE10')
    await get(`/redemptions?couponId=${formatId('cpn_', 6, 11)}`)
    await get('/redemptions?couponId=save10')
    await get('/reservations?couponId=save10')
    expect(model.asked).toMatchObject([
      { filter: { coupon: { shard: 6, ordinal: 11 } } },
      { filter: { coupon: { shard, ordinal: 4 } } },
      { filter: { coupon: { shard, ordinal: 4 } } },
    ])
  })

  it.each(['couponId=NOT-THERE', 'couponId=no', 'couponId=cpn_zz1', 'campaignId=cmp_zz1'])(
    'of redemptions with %s is empty',
    async (query) => {
      test.transport.script = () => refused('COUPON_NOT_FOUND')
      const { status, json, headers } = await get(`/redemptions?${query}`)
      expect({ status, json }).toEqual({ status: 200, json: { data: [], nextCursor: null } })
      expect(headers['x-tearoff-lag-ms']).toBe('321')
      expect(model.asked).toEqual([])
    },
  )
})

describe('lists of a campaign', () => {
  const REF = { shard: 2, index: 3 }
  const CAMPAIGN_ID = formatId('cmp_', REF.shard, REF.index)
  const BULK = 2 ** 30
  const listed = (ordinal: number): ListedCode => ({
    ordinal,
    code: 'X',
    status: 'ACTIVE',
    holder: null,
    createdAtMs: AT_MS,
    lockedUntilMs: 0,
    redeemedAtMs: 0,
  })

  /** A campaign with so many codes, of which a page shows what was asked for. */
  function withCodes(count: number): (asked: Asked) => Reply {
    return ({ command }) => {
      if (command.type === COMMAND.GET_CAMPAIGN) return campaign()
      if (command.type === COMMAND.GET_COUPON) {
        const { ordinal } = command.coupon
        const rules = {
          ...DEFINITION,
          code: `C${ordinal % BULK}`,
          campaign: REF,
          category: ordinal % 2 === 0 ? 'even' : 'odd',
        }
        return coupon({ ordinal, definition: { ...rules, offer: ordinal < BULK ? null : DEFINITION.offer } })
      }
      if (command.type !== COMMAND.LIST_CODES) throw new Error('not asked for')
      const from = Math.max(BULK, command.fromOrdinal)
      const to = Math.min(BULK + count, from + command.limit)
      const codes = Array.from({ length: to - from }, (_, at) => listed(from + at))
      return { type: OUTCOME.CODES, codes, nextOrdinal: to < BULK + count ? to : 0 }
    }
  }

  async function codesOf(query: string): Promise<{ readonly codes: string[]; readonly cursor: string | null }> {
    const { json } = await get(`/coupons?campaignId=${CAMPAIGN_ID}&${query}`)
    const { data, nextCursor } = json as { data: { code: string; type: string }[]; nextCursor: string | null }
    expect(data.every(({ type }) => type === 'PERCENT')).toBe(true)
    return { codes: data.map(({ code }) => code), cursor: nextCursor }
  }

  it('begin with its coupons, go on with its codes, and end', async () => {
    test.transport.script = withCodes(3)
    model.answers = [
      {
        items: [
          { shard: 9, ordinal: 70 },
          { shard: 2, ordinal: 60 },
        ],
        next: [5, 60],
        lagMs: 7,
      },
      { items: [{ shard: 2, ordinal: 50 }], next: null, lagMs: 7 },
    ]
    const first = await codesOf('limit=2')
    expect(first.codes).toEqual(['C70', 'C60'])
    const second = await codesOf(`limit=2&cursor=${first.cursor}`)
    expect(second.codes).toEqual(['C50', 'C0'])
    const third = await codesOf(`limit=2&cursor=${second.cursor}`)
    expect(third).toEqual({ codes: ['C1', 'C2'], cursor: null })
    expect(model.asked).toEqual([
      { campaign: REF, range: { limit: 2, after: null } },
      { campaign: REF, range: { limit: 2, after: [5, 60] } },
    ])
  })

  it('take filters, coupon by coupon', async () => {
    test.transport.script = withCodes(10)
    model.answers = [
      {
        items: [
          { shard: 2, ordinal: 60 },
          { shard: 2, ordinal: 61 },
        ],
        next: null,
        lagMs: 0,
      },
    ]
    const page = await codesOf('limit=3&category=odd')
    expect(page.codes).toEqual(['C61', 'C1', 'C3'])
    expect((await codesOf(`limit=3&category=odd&cursor=${page.cursor}`)).codes).toEqual(['C5', 'C7', 'C9'])
    expect((await codesOf('status=REDEEMED')).codes).toEqual([])
    expect((await codesOf('userId=ann')).codes).toEqual([])
    expect((await codesOf('type=FIXED')).codes).toEqual([])
  })

  it.each(['cmp_zz1', 'x', formatId('cmp_', 2, 9)])('are empty for %s, which does not exist', async (name) => {
    test.transport.script = () => refused('CAMPAIGN_NOT_FOUND')
    expect((await get(`/coupons?campaignId=${name}`)).json).toEqual({ data: [], nextCursor: null })
    expect(model.asked).toEqual([])
  })

  it('do not take cursors of other lists', async () => {
    for (const cursor of ['n1-1', 'e1-1', 'c1-1']) {
      expect(await get(`/coupons?campaignId=${CAMPAIGN_ID}&cursor=${cursor}`)).toMatchObject({ status: 400 })
    }
    expect(await get('/coupons?cursor=k1-1')).toMatchObject({ status: 400 })
  })

  it('of redemptions: alone the read model knows, with a user the coupons are asked', async () => {
    test.transport.script = (asked) => {
      if (asked.command.type !== COMMAND.GET_COUPON) return showsAll(asked)
      const isMember = asked.shard === 2
      return coupon({ definition: { ...DEFINITION, campaign: isMember ? REF : { shard: 2, index: 4 } } })
    }
    const page = { items: places([1, 7], [2, 8]), next: null, lagMs: 0 }
    model.answers = [page, page]
    const idsOf = async (query: string): Promise<unknown> => {
      const { json } = await get(`/redemptions?campaignId=${CAMPAIGN_ID}${query}`)
      return (json as { data: { redemptionId: string }[] }).data.map(({ redemptionId }) => redemptionId)
    }
    expect(await idsOf('&userId=u1')).toEqual([formatId('rdm_', 2, 8)])
    await idsOf('')
    expect(model.asked).toMatchObject([
      { filter: { campaign: null, userId: 'u1' } },
      { filter: { campaign: REF, userId: null } },
    ])
  })
})

describe('a refusal', () => {
  it.each(['NOT-THERE', 'no', 'cpn_zz1'])('of the history of %s is 404', async (name) => {
    test.transport.script = () => refused('COUPON_NOT_FOUND')
    const { status, json } = await get(`/coupons/${name}/history`)
    expect({ status, json }).toMatchObject({ status: 404, json: { code: 'COUPON_NOT_FOUND' } })
  })

  it.each(['/coupons', '/coupons/SAVE10/history', '/redemptions', '/reservations'])(
    'of %s while the read model is away is SHARD_UNAVAILABLE with a sentence',
    async (path) => {
      model.failure = new ReadModelUnavailable('away')
      const { status, json } = await get(path)
      expect({ status, json }).toMatchObject({
        status: 503,
        json: { code: 'SHARD_UNAVAILABLE', detail: expect.stringMatching(/lists cannot be read now/) },
      })
    },
  )

  it('comes from a shard that cannot answer', async () => {
    model.answers = [{ items: places([3, 1]), next: null, lagMs: 0 }]
    test.transport.script = () => ({ settled: SETTLED.NOT_DONE_OVERLOADED })
    const { status, json } = await get('/redemptions')
    expect({ status, json }).toMatchObject({ status: 503, json: { code: 'OVERLOADED' } })
  })

  it('of a fault inside says nothing of its cause', async () => {
    model.failure = new Error('a secret of the inside')
    const { status, text } = await get('/coupons')
    expect(status).toBe(500)
    expect(text).not.toContain('secret')
    expect(JSON.stringify(test.log)).toContain('a secret of the inside')
  })

  it('needs the role of the call', async () => {
    const gateways = await Promise.all(
      (['checkout', 'marketing'] as const).map(async (role) => ({
        role,
        ...(await startTestGateway({
          readModel: model,
          authenticator: { roleOf: () => ({ role, name: role, keyId: role }) },
        })),
      })),
    )
    const statuses: Record<string, number> = {}
    for (const { role, gateway, transport } of gateways) {
      transport.script = showsAll
      for (const path of ['/coupons', '/coupons/SAVE10/history', '/redemptions', '/reservations']) {
        statuses[`${role} ${path}`] = (await send(gateway.port, { path: `/v1${path}` })).status
      }
      await gateway.close()
    }
    expect(statuses).toEqual({
      'checkout /coupons': 403,
      'checkout /coupons/SAVE10/history': 403,
      'checkout /redemptions': 200,
      'checkout /reservations': 200,
      'marketing /coupons': 200,
      'marketing /coupons/SAVE10/history': 200,
      'marketing /redemptions': 403,
      'marketing /reservations': 403,
    })
  })
})

it('the lag is shown to Prometheus', async () => {
  const { text } = await send(test.gateway.port, { path: '/metrics' })
  expect(text).toMatch(/^tearoff_read_model_lag_seconds 0\.321$/m)
})
