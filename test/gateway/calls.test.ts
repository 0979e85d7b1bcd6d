// Every call of the contract over the real server: which command reaches which shard, and what comes back. Answers are also
// held against the served OpenAPI document.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { SETTLED } from '../../engine/transport/port.ts'
import { COMMAND, type Command } from '../../protocol/commands.ts'
import { OUTCOME, type Outcome, type Quote } from '../../protocol/outcomes.ts'
import { formatId } from '../../protocol/ids.ts'
import { type RefusalCode, REFUSALS } from '../../protocol/refusals.ts'
import { ROUTES } from '../../gateway/routes.ts'
import { Contract, type OpenApi } from './support/contract.ts'
import { type HttpAnswer, send, type Sent, startTestGateway, type TestGateway } from './support/gateway.ts'
import { coupon, DEFINITION, redemption, refused, reservation, text, validated } from './support/outcomes.ts'

const CART = { currency: 'EUR', lines: [{ productId: 'p1', quantity: 1, unitPrice: 4_999 }] }
const REDEEM = { codes: ['SAVE10'], userId: 'u1', orderId: 'o1', cart: CART }

let running: TestGateway
let contract: Contract
let home = 0

beforeAll(async () => {
  running = await startTestGateway()
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

describe('validation', () => {
  /** Codes on two shards, by trying. */
  function codeElsewhere(): string {
    for (let i = 0; ; i++) if (running.router.shardOfCode(`OTHER${i}`) !== home) return `OTHER${i}`
  }
  const offer = { ...DEFINITION.offer, stacking: 'STACKABLE' as const }
  const quote: Quote = { ordinal: 0, refusal: null, detail: '', retryAfterMs: 0, version: 1, offer }

  test('of codes on one shard is one command', async () => {
    const answer = await call('/v1/validate', post('/v1/validate', { codes: ['SAVE10'], cart: CART }), validated())
    expect(answer).toMatchObject({ status: 200, json: { valid: true, discount: { total: 500 } } })
    expect(asked()).toEqual([
      { shard: home, type: COMMAND.VALIDATE, coupons: [REF], user: null, order: null, cart: CART_ASKED, ttlSeconds: 0 },
    ])
  })

  test('of codes on several shards combines their quotes', async () => {
    const other = codeElsewhere()
    const body = { codes: ['SAVE10', other], userId: 'u1', cart: CART }
    const quoted: Outcome = { type: OUTCOME.QUOTED, quotes: [quote] }
    const answer = await call('/v1/validate', post('/v1/validate', body), quoted, quoted)
    // 10 % of 4,999 is 499.9, so 500; then 10 % of 4,499 is 449.9, so 450.
    expect(answer.json).toMatchObject({
      valid: true,
      discount: { total: 950, finalPrice: 4_049 },
      coupons: [
        { code: 'SAVE10', couponId: formatId('cpn_', home, 0), amount: 500 },
        { code: other, couponId: formatId('cpn_', running.router.shardOfCode(other), 0), amount: 450 },
      ],
    })
    expect(running.transport.asked.map(({ shard }) => shard)).toEqual([home, running.router.shardOfCode(other)])
    expect(String(answer.headers['x-tearoff-position']).split(', ')).toHaveLength(2)
  })

  test('a malformed code is a coupon that does not exist; the others are judged', async () => {
    const quoted: Outcome = { type: OUTCOME.QUOTED, quotes: [quote] }
    const body = { codes: ['no such', 'SAVE10'], cart: CART }
    const answer = await call('/v1/validate', post('/v1/validate', body), quoted)
    expect(answer.json).toEqual({
      valid: false,
      discount: null,
      coupons: [
        { code: 'NO SUCH', applicable: false, reason: 'COUPON_NOT_FOUND', detail: 'there is no such coupon' },
        { code: 'SAVE10', couponId: formatId('cpn_', home, 0), applicable: true, amount: 500 },
      ],
    })
  })

  test('of malformed codes alone asks nobody', async () => {
    const answer = await call('/v1/validate', post('/v1/validate', { codes: ['x'], cart: CART }))
    expect(answer).toMatchObject({ status: 200, json: { valid: false } })
    expect(answer.headers).not.toHaveProperty('x-tearoff-position')
  })

  test('a shard that cannot answer ends it', async () => {
    running.transport.script = ({ shard }) =>
      shard === home ? { type: OUTCOME.QUOTED, quotes: [quote] } : { settled: SETTLED.NOT_DONE_UNAVAILABLE }
    const body = { codes: ['SAVE10', codeElsewhere()], cart: CART }
    const answer = await send(running.gateway.port, post('/v1/validate', body))
    expect(answer).toMatchObject({ status: 503, json: { code: 'SHARD_UNAVAILABLE' } })
  })

  test('redeeming codes on several shards is refused with a sentence', async () => {
    const body = { ...REDEEM, codes: ['SAVE10', codeElsewhere()] }
    const quoted: Outcome = { type: OUTCOME.QUOTED, quotes: [quote] }
    const answer = await call('/v1/redemptions', post('/v1/redemptions', body), quoted, quoted)
    expect(answer).toMatchObject({ status: 400, json: { code: 'INVALID_REQUEST', errors: [{ pointer: '/codes' }] } })
    expect(asked()).toMatchObject([{ type: COMMAND.QUOTE }, { type: COMMAND.QUOTE }])
  })

  test.each<[string, Quote, number, object, string | undefined]>([
    [
      'is unknown',
      { ...quote, ordinal: -1, refusal: 'COUPON_NOT_FOUND', detail: 'gone', offer: null },
      422,
      { code: 'COUPON_NOT_FOUND', detail: 'gone' },
      undefined,
    ],
    ['is exclusive', { ...quote, offer: DEFINITION.offer }, 422, { code: 'NOT_STACKABLE' }, undefined],
    [
      'is held by others',
      { ...quote, refusal: 'COUPON_LOCKED', detail: 'held', retryAfterMs: 41_001 },
      423,
      { code: 'COUPON_LOCKED', detail: 'held' },
      '42',
    ],
  ])(
    'of codes on several shards, the one that %s refuses a reservation',
    async (_, theirs, status, found, retryAfter) => {
      const other = codeElsewhere()
      running.transport.script = ({ shard }) => ({ type: OUTCOME.QUOTED, quotes: [shard === home ? quote : theirs] })
      const answer = await send(
        running.gateway.port,
        post('/v1/reservations', { codes: ['SAVE10', other], userId: 'u1', cart: CART }),
      )
      contract.assertAnswer('POST', '/v1/reservations', answer)
      const coupons = [
        { code: 'SAVE10', applicable: true, amount: 500 },
        { code: other, applicable: false },
      ]
      expect(answer).toMatchObject({ status, json: { ...found, coupon: other, coupons } })
      expect(answer.headers['retry-after']).toBe(retryAfter)
    },
  )

  test('redeeming a malformed code is 422 and tells about the others', async () => {
    const quoted: Outcome = { type: OUTCOME.QUOTED, quotes: [quote] }
    const body = { ...REDEEM, codes: ['SAVE10', 'x'] }
    const answer = await call('/v1/redemptions', post('/v1/redemptions', body), quoted)
    expect(answer).toMatchObject({
      status: 422,
      json: { code: 'COUPON_NOT_FOUND', coupon: 'X', coupons: [{ code: 'SAVE10', applicable: true }, { code: 'X' }] },
    })
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
    await call('/v1/coupons/{coupon}/extend', post('/v1/coupons/SAVE10/extend', until), coupon())
    await call('/v1/coupons/{coupon}/expire', post('/v1/coupons/SAVE10/expire', { reason: 'over' }), coupon())
    const change = { type: COMMAND.CHANGE_COUPON, shard: home, coupon: REF, by: null, ifVersion: 0, definition: null }
    expect(asked()).toEqual([
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

test('every route of the table has been answered with each of its successes', () => {
  const wanted = ROUTES.flatMap(({ method, path }) =>
    Object.keys(contract.operation(method, path).responses)
      .filter((status) => status.startsWith('2'))
      .map((status) => `${method} ${path} ${status}`),
  )
  expect(wanted.filter((success) => !contract.met.has(success))).toEqual([])
})
