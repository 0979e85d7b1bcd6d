// Every call of the contract over the real server: which command reaches which shard, and what comes back. Answers are also
// held against the served OpenAPI document.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Offer } from '../../engine/domain/offer.ts'
import { SETTLED } from '../../engine/transport/port.ts'
import { COMMAND, type Command, NO_SHARD } from '../../protocol/commands.ts'
import { type JobOutcome, type NamedCoupon, OUTCOME, type Outcome } from '../../protocol/outcomes.ts'
import type { PriceFact } from '../../protocol/price.ts'
import { formatId } from '../../protocol/ids.ts'
import { type RefusalCode, REFUSALS } from '../../protocol/refusals.ts'
import type { ReadModel } from '../../gateway/read-model.ts'
import { couponText } from '../../gateway/render-coupon.ts'
import { ROUTES } from '../../gateway/routes.ts'
import type { SearchPort } from '../../gateway/search-port.ts'
import { Contract, type OpenApi } from './support/contract.ts'
import { FakeFeed } from './support/fake-feed.ts'
import { FakeImports } from './support/fake-imports.ts'
import { AT_MS } from './support/fake-transport.ts'
import { type HttpAnswer, send, type Sent, startTestGateway, type TestGateway } from './support/gateway.ts'
import {
  campaign,
  claimed,
  coupon,
  DEFINITION,
  PRICE,
  redemption,
  refused,
  reservation,
  text,
  validated,
} from './support/outcomes.ts'

const CART = { currency: 'EUR', lines: [{ productId: 'p1', quantity: 1, unitPrice: 4_999 }] }
const REDEEM = { codes: ['SAVE10'], userId: 'u1', orderId: 'o1', cart: CART }

/** A read model with one of everything. */
const oneOfEach: ReadModel = {
  campaigns: async () => ({ items: [{ shard: 0, index: 3 }], next: null, lagMs: 12 }),
  couponsOfCampaign: async () => ({ items: [{ shard: 0, ordinal: 5 }], next: null, lagMs: 12 }),
  coupons: async () => ({ items: [couponText(0, coupon())], next: null, lagMs: 12 }),
  history: async () => ({ items: [{ seq: 33, atMs: AT_MS, membersJson: null }], next: null, lagMs: 12 }),
  redemptions: async () => ({ items: [{ shard: 0, seq: 33 }], next: null, lagMs: 12 }),
  reservations: async () => ({ items: [{ shard: 0, seq: 32 }], next: null, lagMs: 12 }),
  lagMs: () => 12,
}

/** A search that finds one. */
const oneFound: SearchPort = {
  search: async () => ({ items: [{ kind: 'coupon', text: couponText(0, coupon()) }], next: null, lagMs: 12 }),
  indexBytes: () => 0,
}

/** A feed of one. */
const oneEvent = new FakeFeed()
oneEvent.tell('EXPIRED', '"couponId":"cpn_003"')

const imports = new FakeImports()

let running: TestGateway
let contract: Contract
let home = 0

beforeAll(async () => {
  running = await startTestGateway({ readModel: oneOfEach, search: oneFound, events: oneEvent, imports })
  contract = new Contract((await send(running.gateway.port, { path: '/v1/openapi.json' })).json as OpenApi)
  home = running.router.shardOfCode('SAVE10')
})
afterAll(async () => {
  await running.gateway.close()
})
beforeEach(() => {
  running.transport.asked.length = 0
})

/** Sends a call whose commands are all answered so, and holds the answer against the contract. */
async function call(template: string, sent: Sent, ...outcomes: Outcome[]): Promise<HttpAnswer> {
  const left = [...outcomes]
  running.transport.script = () => {
    const outcome = left.shift()
    if (outcome === undefined) throw new Error('more commands than outcomes')
    return outcome
  }
  const answer = await send(running.gateway.port, sent)
  contract.assertAnswer(sent.method ?? 'GET', template, answer)
  expect(left).toEqual([])
  return answer
}

function post(path: string, body: unknown): Sent {
  return { method: 'POST', path, body }
}

/** The commands that reached shards, with texts in place of ranges. */
function asked(): unknown[] {
  return running.transport.asked.map(({ shard, command }) => ({ shard, ...plain(command) }))
}

function plain(value: object): Record<string, unknown> {
  const shown: Record<string, unknown> = {}
  for (const [key, part] of Object.entries(value)) shown[key] = plainValue(part)
  return shown
}

function plainValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plainValue)
  if (typeof value !== 'object' || value === null) return value
  return 'buf' in value ? text(value as Parameters<typeof text>[0]) : plain(value)
}

const CART_ASKED = {
  currency: 'EUR',
  lines: [{ lineId: '0', productId: 'p1', categoryIds: [], quantity: 1, unitPriceMinor: 4_999 }],
  shippingMinor: 0,
  channel: null,
}
const TOTAL_ASKED = { ...CART_ASKED, lines: [{ ...CART_ASKED.lines[0], productId: null }] }
const REF = { code: 'SAVE10', ordinal: -1 }

describe('redemptions', () => {
  test('a new one is 201 with its place and position', async () => {
    const answer = await call('/v1/redemptions', post('/v1/redemptions', REDEEM), redemption())
    const redemptionId = formatId('rdm_', home, 33)
    expect(answer).toMatchObject({ status: 201, json: { redemptionId, status: 'REDEEMED', userId: 'u1' } })
    expect(answer.headers).toMatchObject({
      location: `/v1/redemptions/${redemptionId}`,
      'x-tearoff-position': `${home}:7@1795197600123`,
      'content-type': 'application/json',
    })
    expect(answer.headers).not.toHaveProperty('idempotent-replayed')
    expect(asked()).toEqual([
      { shard: home, type: COMMAND.REDEEM, coupons: [REF], user: 'u1', order: 'o1', cart: CART_ASKED, ttlSeconds: 0 },
    ])
  })

  test('a replayed one is 200 and says so', async () => {
    const answer = await call('/v1/redemptions', post('/v1/redemptions', REDEEM), redemption({ replayed: true }))
    expect(answer.status).toBe(200)
    expect(answer.headers).toMatchObject({ 'idempotent-replayed': 'true' })
    expect(answer.headers).not.toHaveProperty('location')
  })

  test('read, reverse', async () => {
    const path = `/v1/redemptions/${formatId('rdm_', 9, 33)}`
    expect((await call('/v1/redemptions/{id}', { path }, redemption())).status).toBe(200)
    const reversed = redemption({ reversed: { atMs: 1_795_197_600_000, reason: 'refund' } })
    const body = { reason: 'refund', returnUse: false }
    const answer = await call('/v1/redemptions/{id}/reverse', post(`${path}/reverse`, body), reversed)
    expect(answer).toMatchObject({ status: 200, json: { status: 'REVERSED', reason: 'refund' } })
    expect(asked()).toEqual([
      { shard: 9, type: COMMAND.GET_REDEMPTION, seq: 33 },
      { shard: 9, type: COMMAND.REVERSE, redemptionSeq: 33, reason: 'refund', returnUse: false },
    ])
  })

  test.each(['rdm_', 'rdm_zz5', 'rsv_091', 'rdm_0901', 'x'])(
    'the id %s is not found without asking a shard',
    async (id) => {
      const answer = await call('/v1/redemptions/{id}', { path: `/v1/redemptions/${id}` })
      expect(answer).toMatchObject({ status: 404, json: { code: 'REDEMPTION_NOT_FOUND' } })
    },
  )
})

describe('reservations', () => {
  test('a new one is 201, the open one again 200', async () => {
    const body = { codes: ['save10'], userId: 'u1', ttlSeconds: 60 }
    const first = await call('/v1/reservations', post('/v1/reservations', body), reservation())
    expect(first.status).toBe(201)
    expect(first.headers).toMatchObject({ location: `/v1/reservations/${formatId('rsv_', home, 32)}` })
    const again = await call('/v1/reservations', post('/v1/reservations', body), reservation({ again: true }))
    expect(again.status).toBe(200)
    expect(again.headers).not.toHaveProperty('location')
    expect(asked()[0]).toEqual({
      shard: home,
      type: COMMAND.RESERVE,
      coupons: [REF],
      user: 'u1',
      order: null,
      cart: null,
      ttlSeconds: 60,
    })
  })

  test('read, extend, redeem, release', async () => {
    const path = `/v1/reservations/${formatId('rsv_', 2, 32)}`
    await call('/v1/reservations/{id}', { path }, reservation({ status: 'EXPIRED' }))
    await call('/v1/reservations/{id}/extend', post(`${path}/extend`, { ttlSeconds: 90 }), reservation())
    const body = { orderId: 'o1', cart: CART, allowLate: true }
    const redeemed = redemption({ reservationSeq: 32 })
    const answer = await call('/v1/reservations/{id}/redeem', post(`${path}/redeem`, body), redeemed)
    expect(answer).toMatchObject({ status: 201, json: { reservationId: formatId('rsv_', 2, 32) } })
    const released = await call('/v1/reservations/{id}', { method: 'DELETE', path }, { type: OUTCOME.RELEASED })
    expect(released).toMatchObject({ status: 204, text: '' })
    expect(released.headers).not.toHaveProperty('content-length')
    expect(asked()).toEqual([
      { shard: 2, type: COMMAND.GET_RESERVATION, seq: 32 },
      { shard: 2, type: COMMAND.EXTEND_RESERVATION, reservationSeq: 32, ttlSeconds: 90 },
      {
        shard: 2,
        type: COMMAND.REDEEM_RESERVATION,
        reservationSeq: 32,
        order: 'o1',
        cart: CART_ASKED,
        allowLate: true,
      },
      { shard: 2, type: COMMAND.RELEASE, reservationSeq: 32 },
    ])
  })

  test('a reservation redeemed twice by its order is replayed', async () => {
    const path = `/v1/reservations/${formatId('rsv_', 2, 32)}/redeem`
    const answer = await call(
      '/v1/reservations/{id}/redeem',
      post(path, { orderId: 'o1' }),
      redemption({ replayed: true }),
    )
    expect(answer.status).toBe(200)
    expect(answer.headers).toMatchObject({ 'idempotent-replayed': 'true' })
  })
})

/** A code that lives on another shard than SAVE10, by trying. */
function codeWhere(isWanted: (shard: number) => boolean): string {
  for (let i = 0; ; i++) if (isWanted(running.router.shardOfCode(`OTHER${i}`))) return `OTHER${i}`
}

/** An answer to which these shards have contributed beside the one that coordinates. */
function across(outcome: Outcome, ...shards: number[]): Outcome {
  const positions = shards.map((shard) => ({ shard, seq: 100 + shard, timeMs: 1_795_197_600_100 }))
  return { type: OUTCOME.ACROSS, positions, outcome }
}

describe('validation', () => {
  test('of codes on one shard is one command', async () => {
    const answer = await call('/v1/validate', post('/v1/validate', { codes: ['SAVE10'], cart: CART }), validated())
    expect(answer).toMatchObject({ status: 200, json: { valid: true, discount: { total: 500 } } })
    expect(asked()).toEqual([
      { shard: home, type: COMMAND.VALIDATE, coupons: [REF], user: null, order: null, cart: CART_ASKED, ttlSeconds: 0 },
    ])
  })

  test.each(['x', 'no such', 'CPN_1'])(
    'of the malformed code %s alone asks one shard, which says that it does not exist',
    async (code) => {
      const unknown = { ordinal: -1, refusal: 'COUPON_NOT_FOUND', detail: 'there is none', amountMinor: null } as const
      const outcome = across(validated({ verdicts: [unknown], price: null }))
      const answer = await call('/v1/validate', post('/v1/validate', { codes: [code], cart: CART }), outcome)
      expect(answer).toMatchObject({
        status: 200,
        json: { valid: false, discount: null, coupons: [{ code: code.toUpperCase(), reason: 'COUPON_NOT_FOUND' }] },
      })
      expect(asked()).toMatchObject([{ shard: 0, type: COMMAND.STACK, shards: [NO_SHARD] }])
    },
  )
})

describe('codes on several shards', () => {
  const PRICE_OF_TWO: PriceFact = {
    ...PRICE,
    amounts: [500, 450],
    lines: [{ lineId: '0', amountMinor: 4_999, perCoupon: [500, 450] }],
  }
  let low = ''
  let high = ''
  let lowShard = 0
  let highShard = 0
  let codes: readonly string[] = []
  let named: readonly NamedCoupon[] = []
  beforeAll(() => {
    const other = codeWhere((shard) => shard !== home)
    const isLower = running.router.shardOfCode(other) < home
    ;[low, high] = isLower ? [other, 'SAVE10'] : ['SAVE10', other]
    lowShard = running.router.shardOfCode(low)
    highShard = running.router.shardOfCode(high)
    // The one on the higher shard first: who coordinates does not hang on the order of the codes.
    codes = [high, low]
    named = [
      { shard: highShard, ordinal: 4, code: high },
      { shard: lowShard, ordinal: 2, code: low },
    ]
  })

  /** Positions as the client sees them: of the coordinator alone, and of both. */
  const one = (): string => `${lowShard}:7@1795197600123`
  const both = (): string => `${one()}, ${highShard}:${100 + highShard}@1795197600100`
  const namedInAnswer = (): object[] => [
    { couponId: formatId('cpn_', highShard, 4), code: high, amount: 500 },
    { couponId: formatId('cpn_', lowShard, 2), code: low, amount: 450 },
  ]

  test('are one command to the lowest of these, with the shard of each', async () => {
    const done = redemption({ coupons: named, price: PRICE_OF_TWO })
    const answer = await call('/v1/redemptions', post('/v1/redemptions', { ...REDEEM, codes }), across(done, highShard))
    expect(asked()).toEqual([
      {
        shard: lowShard,
        type: COMMAND.STACK,
        shards: [highShard, lowShard],
        call: {
          type: COMMAND.REDEEM,
          coupons: codes.map((code) => ({ code, ordinal: -1 })),
          user: 'u1',
          order: 'o1',
          cart: CART_ASKED,
          ttlSeconds: 0,
        },
      },
    ])
    const redemptionId = formatId('rdm_', lowShard, 33)
    expect(answer).toMatchObject({
      status: 201,
      json: { redemptionId, discount: { total: 950, finalPrice: 4_049 }, coupons: namedInAnswer() },
      headers: { location: `/v1/redemptions/${redemptionId}`, 'x-tearoff-position': one() },
    })
  })

  test('of three codes on two shards, each stands in its own place', async () => {
    const third = codeWhere((shard) => shard === highShard)
    const three = [third, low, high].filter((code, i, all) => all.indexOf(code) === i)
    await call('/v1/redemptions', post('/v1/redemptions', { ...REDEEM, codes: three }), refused('ORDER_CONFLICT'))
    expect(asked()).toMatchObject([{ shard: lowShard, shards: three.map((code) => running.router.shardOfCode(code)) }])
  })

  test('a replayed redemption is 200 and has the position of the coordinator alone', async () => {
    const done = redemption({ coupons: named, price: PRICE_OF_TWO, replayed: true })
    const answer = await call('/v1/redemptions', post('/v1/redemptions', { ...REDEEM, codes }), across(done, highShard))
    expect(answer).toMatchObject({
      status: 200,
      json: { coupons: namedInAnswer() },
      headers: { 'idempotent-replayed': 'true', 'x-tearoff-position': one() },
    })
  })

  test('a reservation names its coupons wherever they live', async () => {
    const open = reservation({ coupons: named, price: PRICE_OF_TWO })
    const sent = post('/v1/reservations', { codes, userId: 'u1', ttlSeconds: 60, cart: CART })
    const answer = await call('/v1/reservations', sent, across(open, highShard))
    const reservationId = formatId('rsv_', lowShard, 32)
    expect(answer).toMatchObject({
      status: 201,
      json: { reservationId, coupons: namedInAnswer() },
      headers: { location: `/v1/reservations/${reservationId}`, 'x-tearoff-position': one() },
    })
    expect(asked()).toMatchObject([
      { shard: lowShard, type: COMMAND.STACK, call: { type: COMMAND.RESERVE, ttlSeconds: 60 } },
    ])
    const path = `/v1/reservations/${reservationId}`
    const read = await call('/v1/reservations/{id}', { path }, open)
    expect(read).toMatchObject({ status: 200, json: { coupons: namedInAnswer() } })
  })

  test('its redemption, extension and release go to the coordinator by the id alone', async () => {
    const path = `/v1/reservations/${formatId('rsv_', lowShard, 32)}`
    const open = reservation({ coupons: named })
    const extend = post(`${path}/extend`, { ttlSeconds: 90 })
    const extended = await call('/v1/reservations/{id}/extend', extend, across(open, highShard))
    expect(extended).toMatchObject({ status: 200, headers: { 'x-tearoff-position': one() } })
    const done = redemption({ coupons: named, price: PRICE_OF_TWO, reservationSeq: 32 })
    const redeem = post(`${path}/redeem`, { orderId: 'o1' })
    const answer = await call('/v1/reservations/{id}/redeem', redeem, across(done, highShard))
    expect(answer).toMatchObject({
      status: 201,
      json: { reservationId: formatId('rsv_', lowShard, 32), coupons: namedInAnswer() },
      headers: { 'x-tearoff-position': one() },
    })
    const released = across({ type: OUTCOME.RELEASED }, highShard)
    expect((await call('/v1/reservations/{id}', { method: 'DELETE', path }, released)).status).toBe(204)
    expect(asked()).toMatchObject([
      { shard: lowShard, type: COMMAND.EXTEND_RESERVATION },
      { shard: lowShard, type: COMMAND.REDEEM_RESERVATION },
      { shard: lowShard, type: COMMAND.RELEASE },
    ])
  })

  test('a reversal goes to the coordinator by the id alone', async () => {
    const reversed = redemption({
      coupons: named,
      price: PRICE_OF_TWO,
      reversed: { atMs: 1_795_197_600_000, reason: 'refund' },
    })
    const sent = post(`/v1/redemptions/${formatId('rdm_', lowShard, 33)}/reverse`, { reason: 'refund' })
    const answer = await call('/v1/redemptions/{id}/reverse', sent, across(reversed))
    expect(answer).toMatchObject({ status: 200, json: { status: 'REVERSED', coupons: namedInAnswer() } })
    expect(answer.headers['x-tearoff-position']).toBe(one())
  })

  test('a validation lists the position of every shard that judged, the coordinator first', async () => {
    const verdicts = [
      { ordinal: 4, refusal: null, detail: '', amountMinor: 500 },
      { ordinal: 2, refusal: null, detail: '', amountMinor: 450 },
    ]
    const outcome = across(validated({ verdicts, price: PRICE_OF_TWO }), highShard)
    const answer = await call('/v1/validate', post('/v1/validate', { codes, userId: 'u1', cart: CART }), outcome)
    expect(answer).toMatchObject({
      status: 200,
      json: {
        valid: true,
        discount: { total: 950, finalPrice: 4_049 },
        coupons: [
          { code: high, couponId: formatId('cpn_', highShard, 4), applicable: true, amount: 500 },
          { code: low, couponId: formatId('cpn_', lowShard, 2), applicable: true, amount: 450 },
        ],
      },
      headers: { 'x-tearoff-position': both() },
    })
    expect(asked()).toMatchObject([{ shard: lowShard, type: COMMAND.STACK, call: { type: COMMAND.VALIDATE } }])
  })

  test('so does a refusal, which names the code and says of each what is the matter', async () => {
    const verdicts = [
      { ordinal: 4, refusal: 'COUPON_LOCKED', detail: 'held', amountMinor: null },
      { ordinal: 2, refusal: null, detail: '', amountMinor: 450 },
    ] as const
    const locked = refused('COUPON_LOCKED', { couponIndex: 0, retryAfterMs: 41_001, verdicts })
    const answer = await call(
      '/v1/redemptions',
      post('/v1/redemptions', { ...REDEEM, codes }),
      across(locked, highShard),
    )
    expect(answer).toMatchObject({
      status: 423,
      json: {
        code: 'COUPON_LOCKED',
        coupon: high,
        coupons: [
          { code: high, applicable: false, reason: 'COUPON_LOCKED', detail: 'held' },
          { code: low, couponId: formatId('cpn_', lowShard, 2), applicable: true, amount: 450 },
        ],
      },
      headers: { 'retry-after': '42', 'x-tearoff-position': both() },
    })
  })

  test('a refused redemption of a reservation names the coupons of all its shards', async () => {
    const verdicts = [
      { ordinal: 4, refusal: null, detail: '', amountMinor: 500 },
      { ordinal: 2, refusal: 'MIN_ORDER_NOT_MET', detail: 'why', amountMinor: null },
    ] as const
    const outcome = across(refused('MIN_ORDER_NOT_MET', { couponIndex: 1, verdicts }), highShard)
    const sent = post(`/v1/reservations/${formatId('rsv_', lowShard, 32)}/redeem`, { orderId: 'o', cart: CART })
    const answer = await call('/v1/reservations/{id}/redeem', sent, outcome, reservation({ coupons: named }))
    expect(answer).toMatchObject({
      status: 422,
      json: {
        code: 'MIN_ORDER_NOT_MET',
        coupon: low,
        coupons: [
          { code: high, couponId: formatId('cpn_', highShard, 4), applicable: true },
          { code: low, applicable: false },
        ],
      },
      headers: { 'x-tearoff-position': both() },
    })
  })

  test('a code that cannot exist has no shard; the others are judged', async () => {
    const verdicts = [
      { ordinal: -1, refusal: 'COUPON_NOT_FOUND', detail: 'there is no such coupon', amountMinor: null },
      { ordinal: 0, refusal: null, detail: '', amountMinor: 500 },
    ] as const
    const body = { codes: ['no such', 'SAVE10'], cart: CART }
    const outcome = across(validated({ verdicts, price: null }))
    const answer = await call('/v1/validate', post('/v1/validate', body), outcome)
    expect(answer.json).toEqual({
      valid: false,
      discount: null,
      coupons: [
        { code: 'NO SUCH', applicable: false, reason: 'COUPON_NOT_FOUND', detail: 'there is no such coupon' },
        { code: 'SAVE10', couponId: formatId('cpn_', home, 0), applicable: true, amount: 500 },
      ],
    })
    expect(asked()).toMatchObject([{ shard: home, type: COMMAND.STACK, shards: [NO_SHARD, home] }])
    const gone = across(refused('COUPON_NOT_FOUND', { couponIndex: 0, verdicts }))
    const redeemed = await call('/v1/redemptions', post('/v1/redemptions', { ...REDEEM, codes: body.codes }), gone)
    expect(redeemed).toMatchObject({
      status: 422,
      json: { code: 'COUPON_NOT_FOUND', coupon: 'NO SUCH', coupons: [{ code: 'NO SUCH' }, { code: 'SAVE10' }] },
    })
  })

  test.each([
    [SETTLED.NOT_DONE_UNAVAILABLE, 'SHARD_UNAVAILABLE'],
    [SETTLED.NOT_DONE_OVERLOADED, 'OVERLOADED'],
    [SETTLED.UNKNOWN, 'OUTCOME_UNKNOWN'],
  ])('a coordinator that settles as %d is 503 %s', async (settled, code) => {
    running.transport.script = () => ({ settled })
    const answer = await send(running.gateway.port, post('/v1/redemptions', { ...REDEEM, codes }))
    contract.assertAnswer('POST', '/v1/redemptions', answer)
    expect(answer).toMatchObject({ status: 503, json: { code } })
  })
})

describe('the form for one coupon', () => {
  test.each(['/v1/coupons/{coupon}/lock', '/v1/coupons/locked/{coupon}'])('POST %s locks', async (template) => {
    const path = template.replace('{coupon}', 'save10')
    const answer = await call(template, post(path, { userId: 'u1', orderTotal: 4_999, currency: 'EUR' }), reservation())
    expect(answer).toMatchObject({ status: 201, json: { status: 'LOCKED', lockedBy: 'u1' } })
    const again = await call(template, post(path, { userId: 'u1' }), reservation({ again: true }))
    expect(again.status).toBe(200)
    expect(asked()).toEqual([
      {
        shard: home,
        type: COMMAND.RESERVE,
        coupons: [REF],
        user: 'u1',
        order: null,
        cart: TOTAL_ASKED,
        ttlSeconds: 300,
      },
      { shard: home, type: COMMAND.RESERVE, coupons: [REF], user: 'u1', order: null, cart: null, ttlSeconds: 300 },
    ])
  })

  test.each(['/v1/coupons/{coupon}/redeem', '/v1/coupons/redeem/{coupon}'])('POST %s redeems', async (template) => {
    const path = template.replace('{coupon}', formatId('cpn_', 5, 70))
    const body = { userId: 'u1', orderId: 'o1', cart: CART }
    const answer = await call(template, post(path, body), redemption())
    expect(answer).toMatchObject({
      status: 201,
      json: { status: 'SUCCESS', discountApplied: 500, finalPrice: 4_499, redemptionId: formatId('rdm_', 5, 33) },
    })
    expect((await call(template, post(path, body), redemption({ replayed: true }))).status).toBe(200)
    expect(asked()[0]).toMatchObject({ shard: 5, coupons: [{ code: null, ordinal: 70 }], cart: CART_ASKED })
  })

  test.each([
    ['by code', 'SAVE10', []],
    ['by id, whose code is asked for', formatId('cpn_', 5, 70), [coupon()]],
  ])('a refused lock %s tells what /validate would tell', async (_, named, more) => {
    const verdicts = [{ ordinal: 0, refusal: 'COUPON_LOCKED', detail: 'held', amountMinor: null }] as const
    const locked = refused('COUPON_LOCKED', { couponIndex: 0, retryAfterMs: 9_000, verdicts })
    const sent = post(`/v1/coupons/${named}/lock`, { userId: 'u1' })
    const answer = await call('/v1/coupons/{coupon}/lock', sent, locked, ...more)
    expect(answer).toMatchObject({
      status: 423,
      json: {
        code: 'COUPON_LOCKED',
        coupon: 'SAVE10',
        coupons: [{ code: 'SAVE10', applicable: false, reason: 'COUPON_LOCKED', detail: 'held' }],
      },
    })
    expect(answer.headers).toMatchObject({ 'retry-after': '9' })
    expect(asked()).toHaveLength(1 + more.length)
  })

  test('a refusal whose code cannot be asked for is the refusal all the same', async () => {
    const verdicts = [{ ordinal: 0, refusal: 'COUPON_LOCKED', detail: 'held', amountMinor: null }] as const
    const locked = refused('COUPON_LOCKED', { couponIndex: 0, verdicts })
    running.transport.script = ({ command }) =>
      command.type === COMMAND.GET_COUPON ? { settled: SETTLED.NOT_DONE_OVERLOADED } : locked
    const sent = post(`/v1/coupons/${formatId('cpn_', 5, 70)}/lock`, { userId: 'u1' })
    const answer = await send(running.gateway.port, sent)
    contract.assertAnswer('POST', '/v1/coupons/{coupon}/lock', answer)
    expect(answer).toMatchObject({ status: 423, json: { code: 'COUPON_LOCKED' } })
    expect(answer.headers['x-tearoff-position']).toBe('5:7@1795197600123')
  })

  test('GET validate by code, with and without a total', async () => {
    const template = '/v1/coupons/{coupon}/validate'
    await call(template, { path: '/v1/coupons/SAVE10/validate?userId=u1&orderTotal=4999&currency=EUR' }, validated())
    const bare = validated({ price: null, verdicts: [{ ordinal: 0, refusal: null, detail: '', amountMinor: null }] })
    const answer = await call(template, { path: '/v1/coupons/SAVE10/validate' }, bare)
    expect(answer.json).toMatchObject({ valid: true, discount: null })
    expect(asked()).toMatchObject([
      { user: 'u1', cart: TOTAL_ASKED },
      { user: null, cart: null },
    ])
  })

  test('GET validate by id learns the code first', async () => {
    const path = `/v1/coupons/${formatId('cpn_', 5, 70)}/validate`
    const answer = await call('/v1/coupons/{coupon}/validate', { path }, coupon(), validated())
    expect(answer.json).toMatchObject({ coupons: [{ code: 'SAVE10' }] })
    expect(asked()).toMatchObject([
      { shard: 5, type: COMMAND.GET_COUPON },
      { shard: 5, type: COMMAND.VALIDATE, coupons: [REF] },
    ])
  })

  test('a coupon of the path that is not there is 404', async () => {
    const gone = validated({
      price: null,
      verdicts: [{ ordinal: -1, refusal: 'COUPON_NOT_FOUND', detail: 'no', amountMinor: null }],
    })
    const path = '/v1/coupons/SAVE10/validate'
    expect((await call('/v1/coupons/{coupon}/validate', { path }, gone)).status).toBe(404)
    const lock = post('/v1/coupons/SAVE10/lock', { userId: 'u' })
    const answer = await call('/v1/coupons/{coupon}/lock', lock, refused('COUPON_NOT_FOUND'))
    expect(answer).toMatchObject({ status: 404, json: { code: 'COUPON_NOT_FOUND' } })
    expect(answer.json).not.toHaveProperty('coupon')
    for (const malformed of ['a', 'cpn_', 'cpn_zz1', 'S%C3%84VE']) {
      expect((await call('/v1/coupons/{coupon}', { path: `/v1/coupons/${malformed}` })).status).toBe(404)
    }
  })
})

describe('coupons', () => {
  const etag = { 'if-match': '"5"' }

  test('creation with a code', async () => {
    const body = { type: 'PERCENT', value: 10, code: 'save10', maxUses: 100 }
    const answer = await call('/v1/coupons', post('/v1/coupons', body), coupon({ version: 1 }))
    expect(answer.status).toBe(201)
    expect(answer.headers).toMatchObject({ location: `/v1/coupons/${formatId('cpn_', home, 0)}`, etag: '"1"' })
    expect(asked()).toEqual([{ shard: home, type: COMMAND.CREATE_COUPON, by: null, definition: DEFINITION }])
  })

  test('creation without a code makes one up, and another when that is taken', async () => {
    const taken = refused('CODE_TAKEN')
    const answer = await call('/v1/coupons', post('/v1/coupons', { type: 'FREESHIP' }), taken, taken, coupon())
    expect(answer.status).toBe(201)
    const codes = running.transport.asked.map(({ command }) => codeOf(command))
    expect(new Set(codes).size).toBe(3)
    for (const [i, code] of codes.entries()) {
      expect(code).toMatch(/^[ABCDEFGHJKLMNPQRSTUVWXYZ23456789]{10}$/)
      expect(running.transport.asked[i]?.shard).toBe(running.router.shardOfCode(code))
    }
  })

  test('creation with a taken code is refused at once', async () => {
    const body = { type: 'FREESHIP', code: 'SAVE10' }
    expect((await call('/v1/coupons', post('/v1/coupons', body), refused('CODE_TAKEN'))).status).toBe(409)
  })

  function codeOf(command: Command): string {
    return command.type === COMMAND.CREATE_COUPON ? command.definition.code : ''
  }

  test('reading', async () => {
    const answer = await call('/v1/coupons/{coupon}', { path: '/v1/coupons/%20save10' }, coupon())
    expect(answer.headers).toMatchObject({ etag: '"5"' })
    expect(asked()).toEqual([{ shard: home, type: COMMAND.GET_COUPON, coupon: REF }])
  })

  test('a patch reads, merges, and replaces at the version that was read', async () => {
    const path = '/v1/coupons/SAVE10'
    const headers = { ...etag, 'content-type': 'application/merge-patch+json' }
    const sent: Sent = { method: 'PATCH', path, headers, body: { maxUses: 7 } }
    const answer = await call('/v1/coupons/{coupon}', sent, coupon(), coupon({ version: 6 }))
    expect(answer.status).toBe(200)
    expect(answer.headers).toMatchObject({ etag: '"6"' })
    expect(asked()[1]).toEqual({
      shard: home,
      type: COMMAND.CHANGE_COUPON,
      coupon: REF,
      by: null,
      change: 'PATCHED',
      reason: null,
      ifVersion: 5,
      definition: { ...DEFINITION, maxUses: 7 },
      validUntilMs: 0,
      override: false,
    })
  })

  test('a patch needs If-Match, and the right one', async () => {
    const path = '/v1/coupons/SAVE10'
    const without = await call('/v1/coupons/{coupon}', { method: 'PATCH', path, body: {} })
    expect(without).toMatchObject({ status: 428, json: { code: 'PRECONDITION_REQUIRED' } })
    for (const tag of ['"4"', 'W/"5"', '5']) {
      const sent: Sent = { method: 'PATCH', path, headers: { 'if-match': tag }, body: {} }
      expect((await call('/v1/coupons/{coupon}', sent, coupon())).json).toMatchObject({ code: 'VERSION_CONFLICT' })
    }
    for (const tag of ['*', '"4", "5"']) {
      const sent: Sent = { method: 'PATCH', path, headers: { 'if-match': tag }, body: {} }
      expect((await call('/v1/coupons/{coupon}', sent, coupon(), coupon())).status).toBe(200)
    }
  })

  test('a patch that would make an impossible coupon points at the field', async () => {
    const sent: Sent = { method: 'PATCH', path: '/v1/coupons/SAVE10', headers: etag, body: { value: 101 } }
    const answer = await call('/v1/coupons/{coupon}', sent, coupon())
    expect(answer).toMatchObject({ status: 400, json: { errors: [{ pointer: '/value' }] } })
  })

  test.each([
    ['POST', '/disable', 'DISABLED'],
    ['POST', '/enable', 'ENABLED'],
    ['DELETE', '', 'DELETED'],
  ])('%s %s switches', async (method, suffix, change) => {
    const answer = await call(
      `/v1/coupons/{coupon}${suffix}`,
      { method, path: `/v1/coupons/SAVE10${suffix}` },
      coupon(),
    )
    expect(answer.status).toBe(200)
    expect(asked()).toEqual([{ shard: home, type: COMMAND.SWITCH_COUPON, coupon: REF, by: null, change }])
  })

  test('extend and expire', async () => {
    const until = { validUntil: '2027-01-01T00:00:00Z', reason: 'more', override: true }
    await call('/v1/coupons/{coupon}/extend', post('/v1/coupons/SAVE10/extend', until), coupon(), coupon())
    await call('/v1/coupons/{coupon}/expire', post('/v1/coupons/SAVE10/expire', { reason: 'over' }), coupon())
    const change = { type: COMMAND.CHANGE_COUPON, shard: home, coupon: REF, by: null, ifVersion: 0, definition: null }
    expect(asked()).toEqual([
      { shard: home, type: COMMAND.GET_COUPON, coupon: REF },
      { ...change, change: 'EXTENDED', reason: 'more', validUntilMs: Date.UTC(2027, 0, 1), override: true },
      { ...change, change: 'EXPIRED', reason: 'over', validUntilMs: 0, override: false },
    ])
  })
})

describe('refusals', () => {
  const sentences: readonly RefusalCode[] = (Object.keys(REFUSALS) as RefusalCode[]).filter(
    (code) => ![404, 410, 412].includes(REFUSALS[code].status),
  )

  test.each(sentences)('%s of a redemption has its status and names the code', async (code) => {
    const outcome = refused(code, {
      couponIndex: 0,
      verdicts: [{ ordinal: 0, refusal: code, detail: 'why', amountMinor: null }],
    })
    const answer = await call('/v1/redemptions', post('/v1/redemptions', REDEEM), outcome)
    expect(answer.status).toBe(REFUSALS[code].status)
    expect(answer.json).toMatchObject({
      code,
      detail: 'a sentence',
      coupon: 'SAVE10',
      coupons: [{ code: 'SAVE10', applicable: false, reason: code, detail: 'why' }],
    })
    expect(answer.headers['x-tearoff-position']).toBe(`${home}:7@1795197600123`)
  })

  test.each<[RefusalCode, string, string]>([
    ['RESERVATION_NOT_FOUND', '/v1/reservations/{id}', `/v1/reservations/${formatId('rsv_', 1, 2)}`],
    ['REDEMPTION_NOT_FOUND', '/v1/redemptions/{id}', `/v1/redemptions/${formatId('rdm_', 1, 2)}`],
    ['COUPON_NOT_FOUND', '/v1/coupons/{coupon}', '/v1/coupons/SAVE10'],
  ])('%s is 404', async (code, template, path) => {
    expect(await call(template, { path }, refused(code))).toMatchObject({ status: 404, json: { code } })
  })

  test('a refused redemption of a reservation names the coupons of the reservation', async () => {
    const path = `/v1/reservations/${formatId('rsv_', 1, 2)}/redeem`
    const verdicts = [{ ordinal: 0, refusal: 'CURRENCY_MISMATCH', detail: 'why', amountMinor: null }] as const
    const outcome = refused('CURRENCY_MISMATCH', { couponIndex: 0, verdicts })
    const sent = post(path, { orderId: 'o', cart: CART })
    const answer = await call('/v1/reservations/{id}/redeem', sent, outcome, reservation())
    expect(answer).toMatchObject({
      status: 422,
      json: {
        code: 'CURRENCY_MISMATCH',
        coupon: 'SAVE10',
        coupons: [{ code: 'SAVE10', applicable: false, reason: 'CURRENCY_MISMATCH', detail: 'why' }],
      },
    })
    expect(asked()).toMatchObject([
      { shard: 1, type: COMMAND.REDEEM_RESERVATION },
      { shard: 1, type: COMMAND.GET_RESERVATION, seq: 2 },
    ])
  })

  test('RESERVATION_EXPIRED is 410', async () => {
    const path = `/v1/reservations/${formatId('rsv_', 1, 2)}/redeem`
    const sent = post(path, { orderId: 'o' })
    expect((await call('/v1/reservations/{id}/redeem', sent, refused('RESERVATION_EXPIRED'))).status).toBe(410)
  })

  test('a version that moved meanwhile is 412', async () => {
    const sent: Sent = { method: 'PATCH', path: '/v1/coupons/SAVE10', headers: { 'if-match': '*' }, body: {} }
    expect((await call('/v1/coupons/{coupon}', sent, coupon(), refused('VERSION_CONFLICT'))).status).toBe(412)
  })

  test.each([
    [0, '1'],
    [1, '1'],
    [1_001, '2'],
    [300_000, '300'],
  ])('COUPON_LOCKED that may end in %d ms asks to come back in %s s', async (retryAfterMs, seconds) => {
    const answer = await call(
      '/v1/redemptions',
      post('/v1/redemptions', REDEEM),
      refused('COUPON_LOCKED', { retryAfterMs }),
    )
    expect(answer.headers).toMatchObject({ 'retry-after': seconds })
  })

  test.each([
    [SETTLED.NOT_DONE_OVERLOADED, 'OVERLOADED', '1'],
    [SETTLED.NOT_DONE_UNAVAILABLE, 'SHARD_UNAVAILABLE', undefined],
    [SETTLED.UNKNOWN, 'OUTCOME_UNKNOWN', undefined],
    [SETTLED.STORAGE, 'STORAGE_UNAVAILABLE', undefined],
  ])('a call that settles as %d is 503 %s', async (settled, code, retryAfter) => {
    running.transport.script = () => ({ settled })
    const answer = await send(running.gateway.port, post('/v1/redemptions', REDEEM))
    contract.assertAnswer('POST', '/v1/redemptions', answer)
    expect(answer).toMatchObject({ status: 503, json: { code } })
    expect(answer.headers['retry-after']).toBe(retryAfter)
  })

  test('an answer that cannot be read is OUTCOME_UNKNOWN and reported', async () => {
    running.transport.script = () => 'garbage'
    const answer = await send(running.gateway.port, post('/v1/redemptions', REDEEM))
    expect(answer).toMatchObject({ status: 503, json: { code: 'OUTCOME_UNKNOWN' } })
    expect(running.log.some((line) => line['msg'] === 'the gateway failed at a call')).toBe(true)
  })
})

describe('campaigns', () => {
  const CAMPAIGN_ID = formatId('cmp_', 2, 3)
  const PATH = `/v1/campaigns/${CAMPAIGN_ID}`
  const BODY = { name: 'Summer', offer: { type: 'PERCENT', value: 10 } }

  test('a new one is 201 with its place and tag, on any shard', async () => {
    const answer = await call('/v1/campaigns', post('/v1/campaigns', BODY), campaign({ version: 1 }))
    const [{ shard, command } = { shard: -1, command: null }] = running.transport.asked
    expect(command).toMatchObject({ type: COMMAND.CREATE_CAMPAIGN, by: null, definition: { name: 'Summer' } })
    expect(answer).toMatchObject({
      status: 201,
      json: { campaignId: formatId('cmp_', shard, 3), status: 'ACTIVE', codes: 100, discountTotal: 2_000 },
      headers: { location: `/v1/campaigns/${formatId('cmp_', shard, 3)}`, etag: '"1"' },
    })
  })

  test('read, disable, enable', async () => {
    expect(await call('/v1/campaigns/{id}', { path: PATH }, campaign())).toMatchObject({
      status: 200,
      json: { campaignId: CAMPAIGN_ID },
      headers: { etag: '"5"', 'x-tearoff-position': '2:7@1795197600123' },
    })
    expect((await call('/v1/campaigns/{id}/disable', post(`${PATH}/disable`, undefined), campaign())).status).toBe(200)
    expect((await call('/v1/campaigns/{id}/enable', post(`${PATH}/enable`, undefined), campaign())).status).toBe(200)
    expect(asked()).toEqual([
      { shard: 2, type: COMMAND.GET_CAMPAIGN, index: 3 },
      { shard: 2, type: COMMAND.SWITCH_CAMPAIGN, index: 3, by: null, change: 'DISABLED' },
      { shard: 2, type: COMMAND.SWITCH_CAMPAIGN, index: 3, by: null, change: 'ENABLED' },
    ])
  })

  test('a patch reads, merges, and replaces at the version that was read', async () => {
    const headers = { 'if-match': '"5"', 'content-type': 'application/merge-patch+json' }
    const sent = { method: 'PATCH', path: PATH, headers, body: { maxUses: 50, offer: { value: 20 } } }
    expect((await call('/v1/campaigns/{id}', sent, campaign(), campaign({ version: 6 }))).status).toBe(200)
    expect(running.transport.asked[1]?.command).toMatchObject({
      type: COMMAND.CHANGE_CAMPAIGN,
      ifVersion: 5,
      definition: { name: 'Summer', maxUses: 50, offer: { percentBps: 2_000 } },
    })
    const stale = await call('/v1/campaigns/{id}', { ...sent, headers: { ...headers, 'if-match': '"4"' } }, campaign())
    expect(stale).toMatchObject({ status: 412, json: { code: 'VERSION_CONFLICT' } })
  })

  test('a claim shows its coupon, and the same again', async () => {
    const path = `${PATH}/claims`
    const first = await call('/v1/campaigns/{id}/claims', post(path, { userId: 'u1' }), claimed())
    expect(first).toMatchObject({
      status: 201,
      json: {
        coupon: { code: 'POOL2345AA', campaignId: CAMPAIGN_ID, status: 'LOCKED', lockedBy: 'u1', remaining: 0 },
        reservationId: formatId('rsv_', 2, 32),
      },
      headers: { location: `/v1/reservations/${formatId('rsv_', 2, 32)}` },
    })
    expect(asked()).toEqual([{ shard: 2, type: COMMAND.CLAIM, index: 3, user: 'u1' }])
    const position = { shard: 5, seq: 9, timeMs: AT_MS }
    const across = { type: OUTCOME.ACROSS, positions: [position], outcome: claimed({ again: true }) } as const
    const again = await call('/v1/campaigns/{id}/claims', post(path, { userId: 'u1' }), across)
    expect(again).toMatchObject({ status: 200, json: first.json })
    const other = claimed({ offer: { ...(DEFINITION.offer as Offer), percentBps: 5_000 } })
    const changed = await call('/v1/campaigns/{id}/claims', post(path, { userId: 'u1' }), other)
    expect(changed.json).toMatchObject({ coupon: { value: 50 } })
  })

  test.each<[RefusalCode, number, string | undefined]>([
    ['CAMPAIGN_NOT_FOUND', 0, undefined],
    ['POOL_EMPTY', 4_200, '5'],
    ['POOL_EMPTY', 0, undefined],
    ['DAILY_LIMIT_REACHED', 60_000, '60'],
    ['CAMPAIGN_EXHAUSTED', 0, undefined],
    ['COUPON_LOCKED', 1, '1'],
    ['USER_LIMIT_REACHED', 0, undefined],
    ['COUPON_DISABLED', 0, undefined],
  ])('a claim refused with %s, to come back in %d ms', async (refusal, retryAfterMs, header) => {
    const outcome = refused(refusal, { retryAfterMs })
    const answer = await call('/v1/campaigns/{id}/claims', post(`${PATH}/claims`, { userId: 'u1' }), outcome)
    expect(answer).toMatchObject({ status: REFUSALS[refusal].status, json: { code: refusal } })
    expect(answer.headers['retry-after']).toBe(header)
  })

  test('a list shows each as its shard has it', async () => {
    const answer = await call('/v1/campaigns', { path: '/v1/campaigns?limit=1' }, campaign())
    expect(answer).toMatchObject({ status: 200, headers: { 'x-tearoff-lag-ms': '12' } })
    expect(answer.json).toMatchObject({ data: [{ campaignId: formatId('cmp_', 0, 3), uses: 4 }], nextCursor: null })
  })
})

describe('codes in bulk', () => {
  const job = (changes: Partial<JobOutcome> = {}): JobOutcome => ({
    type: OUTCOME.JOB,
    jobSeq: 33,
    kind: 'CODES',
    state: 'RUNNING',
    processed: 500,
    total: 2_000,
    failed: 0,
    begunAtMs: AT_MS - 1_000,
    endedAtMs: 0,
    errors: [],
    place: 0,
    bytes: 0,
    file: null,
    ...changes,
  })
  const CAMPAIGN = formatId('cmp_', 0, 3)
  const JOB = formatId('job_', 0, 33)
  const LISTED = {
    ordinal: 2 ** 30,
    code: 'GEN2345678',
    status: 'ACTIVE',
    holder: null,
    createdAtMs: AT_MS,
    lockedUntilMs: 0,
    redeemedAtMs: 0,
  } as const
  const page = { type: OUTCOME.CODES, codes: [LISTED], nextOrdinal: 0 } as const

  test('are begun as a job on the shard of their campaign', async () => {
    const path = `/v1/campaigns/${CAMPAIGN}/codes`
    const body = { count: 2_000, length: 12, prefix: 'x-', distribution: 'EXPORTED' }
    const answer = await call('/v1/campaigns/{id}/codes', post(path, body), job({ state: 'QUEUED' }))
    expect(answer).toMatchObject({ status: 202, json: { jobId: JOB }, headers: { location: `/v1/jobs/${JOB}` } })
    expect(asked()).toMatchObject([
      {
        shard: 0,
        type: COMMAND.START_JOB,
        plan: { kind: 'CODES', count: 2_000, length: 12, prefix: 'X-', distribution: 'EXPORTED', userIds: [] },
      },
    ])
    expect(asked()).toMatchObject([
      { plan: { definition: { offer: null, campaign: { shard: 0, index: 3 }, maxUses: 1 } } },
    ])
  })

  test('a file of coupons is begun as a job, once it is there whole', async () => {
    const path = '/v1/imports/coupons'
    const file = 'code,type,value\nSAVE10,PERCENT,10\n'
    const sent: Sent = { method: 'POST', path, headers: { 'content-type': 'text/csv; charset=utf-8' }, body: file }
    const answer = await call(path, sent, job({ kind: 'IMPORT', state: 'QUEUED', total: 0 }))
    expect(imports.uploads.map((upload) => [upload.fate, String(upload.bytes())])).toEqual([['FINISHED', file]])
    expect(imports.begun).toBe(1)
    const plan = { kind: 'IMPORT', format: 'CSV', file: 'upload-0', bytes: file.length }
    expect(asked()).toEqual([{ shard: running.transport.asked[0]?.shard, type: COMMAND.START_JOB, by: null, plan }])
    const jobId = formatId('job_', running.transport.asked[0]?.shard ?? -1, 33)
    expect(answer).toMatchObject({ status: 202, json: { jobId }, headers: { location: `/v1/jobs/${jobId}` } })
  })

  test('a job says how fast it is and how long it will take', async () => {
    const path = `/v1/jobs/${JOB}`
    const running = await call('/v1/jobs/{id}', { path }, job())
    expect(running.json).toEqual({
      jobId: JOB,
      kind: 'CODES',
      state: 'RUNNING',
      processed: 500,
      total: 2_000,
      failed: 0,
      ratePerSecond: 500,
      etaSeconds: 3,
      errors: [],
    })
    const queued = await call('/v1/jobs/{id}', { path }, job({ state: 'QUEUED', processed: 0, begunAtMs: 0 }))
    expect(queued.json).toMatchObject({ ratePerSecond: 0, etaSeconds: null })
    const reading = job({ kind: 'IMPORT', total: 0, place: 1_000, bytes: 4_000 })
    expect((await call('/v1/jobs/{id}', { path }, reading)).json).toMatchObject({ total: 0, etaSeconds: 3 })
    const ended = job({ state: 'SUCCEEDED', processed: 2_000, endedAtMs: AT_MS + 1_000 })
    expect((await call('/v1/jobs/{id}', { path }, ended)).json).toMatchObject({ ratePerSecond: 1_000, etaSeconds: 0 })
  })

  test('a job is cancelled', async () => {
    const sent = { method: 'POST', path: `/v1/jobs/${JOB}/cancel` }
    const answer = await call('/v1/jobs/{id}/cancel', sent, job({ state: 'CANCELLED', endedAtMs: AT_MS }))
    expect(answer).toMatchObject({ status: 200, json: { state: 'CANCELLED' } })
    expect(asked()).toEqual([{ shard: 0, type: COMMAND.END_JOB, jobSeq: 33, end: 'CANCELLED', reason: null }])
  })

  test('a few coupons are generated at once, when their job has ended', async () => {
    const outcomes = [
      job({ state: 'QUEUED' }),
      job(),
      job({ state: 'SUCCEEDED' }),
      page,
      coupon({ ordinal: LISTED.ordinal }),
    ]
    const answer = await call('/v1/coupons/generate', post('/v1/coupons/generate', { type: 'FREESHIP' }), ...outcomes)
    expect(answer.status).toBe(201)
    expect((answer.json as { data: unknown[] }).data).toHaveLength(1)
    const commands = asked() as { shard: number; type: number }[]
    expect(commands.map(({ type }) => type)).toEqual([
      COMMAND.START_JOB,
      COMMAND.GET_JOB,
      COMMAND.GET_JOB,
      COMMAND.LIST_CODES,
      COMMAND.GET_COUPON,
    ])
    expect(new Set(commands.map(({ shard }) => shard)).size).toBe(1)
  })

  test.each<[string, number, readonly Outcome[]]>([
    ['many', 1_001, [job({ state: 'QUEUED' })]],
    ['a few whose job was cancelled', 2, [job({ state: 'QUEUED' }), job({ state: 'CANCELLED' })]],
  ])('%s are left to their job', async (_which, count, outcomes) => {
    const body = { type: 'FREESHIP', count }
    const answer = await call('/v1/coupons/generate', post('/v1/coupons/generate', body), ...outcomes)
    expect(answer.status).toBe(202)
    expect(answer.json).toEqual({ jobId: expect.stringMatching(/^job_/) as string })
  })

  test('an export is rows under a header, those made one by one behind the others', async () => {
    const path = `/v1/campaigns/${CAMPAIGN}/codes.csv`
    const answer = await call('/v1/campaigns/{id}/codes.csv', { path }, campaign(), page, coupon())
    expect(answer.text).toBe(
      'code,status,holder,createdAt,lockedUntil,redeemedAt\r\n' +
        'GEN2345678,ACTIVE,,2026-11-20T18:00:00.123Z,,\r\n' +
        'SAVE10,ACTIVE,,2026-11-20T18:00:00.123Z,,\r\n',
    )
    expect(answer.headers['content-disposition']).toBe(`attachment; filename="${CAMPAIGN}.csv"`)
  })

  test.each<RefusalCode>(['JOB_NOT_FOUND', 'CODE_SPACE_TOO_SMALL', 'CAMPAIGN_NOT_FOUND'])(
    '%s is handed on',
    async (code) => {
      const path = `/v1/campaigns/${CAMPAIGN}/codes`
      const sent = code === 'JOB_NOT_FOUND' ? { path: `/v1/jobs/${JOB}` } : post(path, { count: 1 })
      const template = code === 'JOB_NOT_FOUND' ? '/v1/jobs/{id}' : '/v1/campaigns/{id}/codes'
      const answer = await call(template, sent, refused(code))
      expect(answer).toMatchObject({ status: REFUSALS[code].status, json: { code } })
    },
  )
})

describe('lists', () => {
  test.each<[string, string, ...Outcome[]]>([
    ['/v1/coupons', '/v1/coupons?limit=1'],
    ['/v1/coupons/search', '/v1/coupons/search?search_term=summer&limit=1'],
    ['/v1/coupons/{coupon}/history', '/v1/coupons/SAVE10/history', coupon(), redemption()],
    ['/v1/reservations', '/v1/reservations?userId=u1', reservation()],
    ['/v1/redemptions', '/v1/redemptions?orderId=o1', redemption({ seq: 33 })],
  ])('GET %s is a page that says how far behind it may be', async (template, path, ...outcomes) => {
    const answer = await call(template, { path }, ...outcomes)
    expect(answer).toMatchObject({ status: 200, headers: { 'x-tearoff-lag-ms': '12' } })
    expect((answer.json as { data: unknown[] }).data).toHaveLength(1)
  })
})

test('GET /v1/events is a page of the feed', async () => {
  expect((await call('/v1/events', { path: '/v1/events' })).json).toMatchObject({
    data: [{ type: 'EXPIRED', couponId: 'cpn_003' }],
    nextCursor: null,
  })
})

test('every route of the table has been answered with each of its successes', () => {
  const wanted = ROUTES.flatMap(({ method, path }) =>
    Object.keys(contract.operation(method, path).responses)
      .filter((status) => status.startsWith('2'))
      .map((status) => `${method} ${path} ${status}`),
  )
  expect(wanted.filter((success) => !contract.met.has(success))).toEqual([])
})
