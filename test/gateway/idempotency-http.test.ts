// `Idempotency-Key` on the two wires: the headers and bytes of HTTP, the members of a WebSocket message, and a key that is
// used on both.

import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Caller } from '../../gateway/access/authenticate.ts'
import type { Gateway } from '../../gateway/server.ts'
import { attachSessions } from '../../cli/sessions.ts'
import { createLogger } from '../../gateway/operator/log.ts'
import { COMMAND } from '../../protocol/commands.ts'
import { EVENT } from '../../protocol/events.ts'
import { WsCalls, type WsReply } from '../support/ws-calls.ts'
import { connectWebSocket } from '../support/ws-client.ts'
import { ActorTransport } from './support/actor-transport.ts'
import { type HttpAnswer, send, type Sent, startTestGateway } from './support/gateway.ts'

const CALLERS: Readonly<Record<string, Caller>> = {
  'Bearer a': { role: 'operations', name: 'a', keyId: 'key_a' },
  'Bearer b': { role: 'operations', name: 'b', keyId: 'key_b' },
}
const COUPON = { code: 'SAVE10', type: 'PERCENT', value: 10 }
const EUR_10 = { orderTotal: 1_000, currency: 'EUR' }

let gateway: Gateway
let transport: ActorTransport

beforeEach(async () => {
  transport = new ActorTransport(16)
  const started = await startTestGateway({
    transport,
    authenticator: { roleOf: (header) => CALLERS[header] ?? null },
    attachSessions: attachSessions(createLogger('silent', new PassThrough())),
  })
  gateway = started.gateway
})

afterEach(async () => {
  await gateway.close()
})

function call(method: string, path: string, body: unknown, headers: Record<string, string> = {}): Promise<HttpAnswer> {
  const sent: Sent = { method, path, headers: { authorization: 'Bearer a', ...headers } }
  return send(gateway.port, body === undefined ? sent : { ...sent, body })
}

function keyed(method: string, path: string, body?: unknown, key = 'a key'): Promise<HttpAnswer> {
  return call(method, path, body, { 'idempotency-key': key })
}

/** Headers that belong to the answer and not to the request or the connection. */
function ownHeaders({ headers }: HttpAnswer): Record<string, unknown> {
  const { 'x-request-id': _, 'idempotent-replayed': __, date: ___, ...rest } = headers
  return rest
}

function expectReplay(again: HttpAnswer, first: HttpAnswer): void {
  expect([again.status, again.text]).toEqual([first.status, first.text])
  expect(ownHeaders(again)).toEqual(ownHeaders(first))
  expect(first.headers['idempotent-replayed']).toBeUndefined()
  expect(again.headers['idempotent-replayed']).toBe('true')
  expect(again.headers['x-request-id']).not.toBe(first.headers['x-request-id'])
}

describe('over HTTP', () => {
  test('a creation comes again byte for byte, with Location, ETag and position', async () => {
    const first = await keyed('POST', '/v1/coupons', COUPON)
    expect(first.status).toBe(201)
    for (const header of ['location', 'etag', 'x-tearoff-position']) expect(first.headers[header]).toBeTypeOf('string')
    await call('POST', '/v1/coupons/SAVE10/disable', undefined)
    expectReplay(await keyed('POST', '/v1/coupons', COUPON), first)
  })

  test('a refusal comes again byte for byte, with Retry-After, and names the request that was refused', async () => {
    await call('POST', '/v1/coupons', { ...COUPON, maxUses: 1 })
    await call('POST', '/v1/coupons/SAVE10/lock', { userId: 'ann', ...EUR_10 })
    const first = await keyed('POST', '/v1/reservations', { codes: ['SAVE10'], userId: 'bob', cart: EUR_10 })
    expect(first.status).toBe(423)
    expect(Number(first.headers['retry-after'])).toBeGreaterThan(0)
    expect(first.json).toMatchObject({ code: 'COUPON_LOCKED', coupon: 'SAVE10' })
    expect(first.json).toMatchObject({ requestId: first.headers['x-request-id'] })
    transport.nowMs += 60_000
    expectReplay(await keyed('POST', '/v1/reservations', { codes: ['SAVE10'], userId: 'bob', cart: EUR_10 }), first)
  })

  test('an answer without a body comes again without one', async () => {
    await call('POST', '/v1/coupons', COUPON)
    const lock = await call('POST', '/v1/coupons/SAVE10/lock', { userId: 'ann', ...EUR_10 })
    const path = `/v1/reservations/${(lock.json as { reservationId: string }).reservationId}`
    const first = await keyed('DELETE', path)
    expect([first.status, first.text]).toEqual([204, ''])
    expectReplay(await keyed('DELETE', path), first)
  })

  test('the two paths of one call share its keys', async () => {
    await call('POST', '/v1/coupons', COUPON)
    const first = await keyed('POST', '/v1/coupons/SAVE10/lock', { userId: 'ann', ...EUR_10 })
    expectReplay(await keyed('POST', '/v1/coupons/locked/SAVE10', { userId: 'ann', ...EUR_10 }), first)
  })

  test('another request with the key is a conflict, and two API keys never meet', async () => {
    const first = await keyed('POST', '/v1/coupons', COUPON)
    const conflict = await keyed('POST', '/v1/coupons', { ...COUPON, value: 20 })
    expect([conflict.status, conflict.json]).toMatchObject([422, { code: 'IDEMPOTENCY_KEY_CONFLICT' }])
    const other = { 'idempotency-key': 'a key', authorization: 'Bearer b' }
    const foreign = await call('POST', '/v1/coupons', { ...COUPON, value: 20 }, other)
    expect([foreign.status, foreign.json]).toMatchObject([409, { code: 'CODE_TAKEN' }])
    expectReplay(await keyed('POST', '/v1/coupons', COUPON), first)
  })

  test('a key that is too long is INVALID_REQUEST, with nothing claimed and no field blamed', async () => {
    const refused = await keyed('POST', '/v1/coupons', COUPON, 'k'.repeat(129))
    expect([refused.status, refused.json]).toMatchObject([400, { code: 'INVALID_REQUEST' }])
    expect(refused.json).not.toHaveProperty('errors')
    expect(transport.events()).toEqual([])
    expect((await keyed('POST', '/v1/coupons', COUPON, 'k'.repeat(128))).status).toBe(201)
  })

  test('a body that is no JSON, too long or of another type is refused as ever, and leaves the key free', async () => {
    expect((await keyed('POST', '/v1/coupons', '{')).status).toBe(400)
    expect((await keyed('POST', '/v1/coupons', 'x'.repeat(1_048_577))).status).toBe(413)
    const text = { 'idempotency-key': 'a key', 'content-type': 'text/plain' }
    expect((await call('POST', '/v1/coupons', JSON.stringify(COUPON), text)).status).toBe(415)
    expect((await call('POST', '/v1/coupons', COUPON, { 'idempotency-key': 'a key', authorization: '' })).status).toBe(
      401,
    )
    expect((await keyed('POST', '/v1/coupons', COUPON)).status).toBe(201)
  })

  test('redemptions and reads do not look at it', async () => {
    await call('POST', '/v1/coupons', COUPON)
    const before = transport.events().length
    const body = { codes: ['SAVE10'], userId: 'ann', cart: EUR_10 }
    for (const orderId of ['o-1', 'o-2']) {
      expect((await keyed('POST', '/v1/redemptions', { ...body, orderId }, 'k'.repeat(200))).status).toBe(201)
    }
    expect((await keyed('GET', '/v1/coupons/SAVE10')).headers['idempotent-replayed']).toBeUndefined()
    expect((await keyed('POST', '/v1/validate', body)).status).toBe(200)
    const types = transport.events().map(({ type }) => type)
    expect(types.filter((type) => type === EVENT.REDEEMED)).toHaveLength(2)
    expect(types).toHaveLength(before + 2)
  })

  test('the answer is kept for a client that hung up before it came', async () => {
    const controller = new AbortController()
    transport.fateOf = ({ type }) => {
      if (type === COMMAND.KEYED) controller.abort()
      return 'ANSWERED'
    }
    const body = JSON.stringify(COUPON)
    const headers = { authorization: 'Bearer a', 'content-type': 'application/json', 'idempotency-key': 'a key' }
    const url = `http://127.0.0.1:${gateway.port}/v1/coupons`
    const hungUp = fetch(url, { method: 'POST', headers, body, signal: controller.signal })
    await expect(hungUp).rejects.toThrow(/abort/)
    const again = await keyed('POST', '/v1/coupons', COUPON)
    expect([again.status, again.headers['idempotent-replayed']]).toEqual([201, 'true'])
  })
})

describe('over WebSocket', () => {
  let session: WsCalls
  beforeEach(async () => {
    session = new WsCalls(await connectWebSocket(gateway.port, '/v1/ws', { authorization: 'Bearer a' }), 'm')
    await call('POST', '/v1/coupons', { ...COUPON, maxUses: 1 })
  })
  afterEach(() => {
    session.close()
  })

  const RESERVE = { codes: ['SAVE10'], userId: 'ann', cart: EUR_10 }
  const KEY = { idempotencyKey: 'a key' }

  function withoutId(reply: WsReply): WsReply {
    return { ...reply, id: '' }
  }

  test.each(['call', 'callBinary'] as const)('(%s) an answer comes again, and says so', async (send) => {
    const first = await session[send]('reserve', { ...RESERVE, ...KEY })
    expect(first).toMatchObject({ ok: true, result: { status: 'RESERVED' } })
    expect(first.replayed).toBeUndefined()
    const again = await session[send]('reserve', { ...RESERVE, ...KEY })
    expect(withoutId(again)).toEqual({ ...withoutId(first), replayed: true })
    const { reservationId } = first.result as { reservationId: string }
    const key = { idempotencyKey: 'for the release' }
    expect(await session[send]('release', { reservationId, ...key })).toMatchObject({ ok: true, result: null })
    expect(await session[send]('release', { reservationId, ...key })).toMatchObject({ ok: true, replayed: true })
  })

  test('a refusal comes again, after its cause is gone too', async () => {
    const lock = await session.call('reserve', { ...RESERVE, userId: 'bob' })
    const first = await session.call('reserve', { ...RESERVE, ...KEY })
    expect(first).toMatchObject({ ok: false, error: { status: 423, code: 'COUPON_LOCKED', coupon: 'SAVE10' } })
    await session.call('release', { reservationId: (lock.result as { reservationId: string }).reservationId })
    const again = await session.call('reserve', { ...RESERVE, ...KEY })
    expect(withoutId(again)).toEqual({ ...withoutId(first), replayed: true })
  })

  test('an answer to HTTP comes again here, and one from here over HTTP', async () => {
    const first = await keyed('POST', '/v1/reservations', RESERVE)
    const again = await session.call('reserve', { ...RESERVE, ...KEY })
    expect(again).toMatchObject({ ok: true, result: first.json, replayed: true })
    const refused = await session.call('reserve', { ...RESERVE, userId: 'bob', idempotencyKey: 'k' })
    const overHttp = await keyed('POST', '/v1/reservations', { ...RESERVE, userId: 'bob' }, 'k')
    expect(overHttp.status).toBe(423)
    expect(overHttp.headers['idempotent-replayed']).toBe('true')
    expect(Number(overHttp.headers['retry-after'])).toBe(refused.error?.['retryAfter'])
    const { code, detail, coupons } = refused.error as Record<string, unknown>
    expect(overHttp.json).toMatchObject({ code, detail, coupons, requestId: expect.stringMatching(/./) })
  })

  test.each([
    [{ idempotencyKey: '' }, '/idempotencyKey'],
    [{ idempotencyKey: 'k'.repeat(129) }, '/idempotencyKey'],
    [{ idempotencyKey: 7 }, '/idempotencyKey'],
    [{ idempotencyKey: null }, '/idempotencyKey'],
  ])('%j is refused with a pointer to it', async (key, pointer) => {
    const { error } = await session.call('reserve', { ...RESERVE, ...key })
    expect(error).toMatchObject({ code: 'INVALID_REQUEST', errors: [{ pointer }] })
  })

  test('redemptions and reads do not look at it', async () => {
    const order = { ...RESERVE, orderId: 'o-1', idempotencyKey: '' }
    expect(await session.call('redeem', order)).toMatchObject({ ok: true })
    expect(await session.call('get', { coupon: 'SAVE10', ...KEY })).toMatchObject({ ok: true })
    expect(transport.events().filter(({ type }) => type === EVENT.KEY_CLAIMED)).toEqual([])
  })
})
