// Rate limits over HTTP and WebSocket, in front of scripted shards and with a clock that stands still until a test moves it.

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Caller } from '../../gateway/access/authenticate.ts'
import { ADDRESS_CALLS, ADDRESS_WRONG_CODES, USER_CALLS, USER_WRONG_CODES } from '../../gateway/guard/guard-limits.ts'
import { RateLimits, SubjectHash } from '../../gateway/guard/rate-limits.ts'
import { addressBytes, addressText } from '../../gateway/http/remote-address.ts'
import { COMMAND } from '../../protocol/commands.ts'
import { OUTCOME } from '../../protocol/outcomes.ts'
import { connectWebSocket, type WsClient } from '../support/ws-client.ts'
import { Contract, type OpenApi } from './support/contract.ts'
import { type HttpAnswer, send, startTestGateway, type TestGateway } from './support/gateway.ts'
import { redemption } from './support/outcomes.ts'
import { refused } from './support/websocket-outcomes.ts'
import { startWebSocketServer, type WebSocketServer } from './support/websocket-server.ts'

const CART = { currency: 'EUR', lines: [{ productId: 'p1', quantity: 1, unitPrice: 4_999 }] }
const SHOP: Caller = { role: 'checkout', name: 'shop', keyId: 'key_1' }

let world: TestGateway
let nowMs = 50_000
let isWrong = false

async function start(caller: Caller | null = null): Promise<TestGateway> {
  nowMs = 50_000
  isWrong = false
  const started = await startTestGateway({
    rateLimits: true,
    nowMs: () => nowMs,
    authenticator: caller === null ? null : { roleOf: () => caller },
  })
  started.transport.script = ({ command }) => {
    if (isWrong) return refused('COUPON_NOT_FOUND')
    const call = command.type === COMMAND.STACK ? command.call : command
    if (call.type !== COMMAND.VALIDATE) return redemption()
    return {
      type: OUTCOME.VALIDATED,
      verdicts: call.coupons.map((_coupon, i) => ({
        ordinal: -1,
        refusal: i === 0 ? 'COUPON_NOT_FOUND' : 'COUPON_DISABLED',
        detail: 'no',
        amountMinor: null,
      })),
      price: null,
    }
  }
  return started
}

async function redeem(userId: string, extra: object = {}): Promise<HttpAnswer> {
  const body = { codes: ['SAVE10'], userId, orderId: 'o1', cart: CART, ...extra }
  return await send(world.gateway.port, { method: 'POST', path: '/v1/redemptions', body })
}

async function validate(userId: string, codes: readonly string[] = ['SAVE10']): Promise<HttpAnswer> {
  const body = { codes, userId, cart: CART }
  return await send(world.gateway.port, { method: 'POST', path: '/v1/validate', body })
}

async function times(count: number, call: (i: number) => Promise<HttpAnswer>): Promise<HttpAnswer[]> {
  const answers: HttpAnswer[] = []
  for (let i = 0; i < count; i++) answers.push(await call(i))
  return answers
}

describe('over HTTP', () => {
  beforeEach(async () => {
    world = await start()
  })
  afterEach(async () => {
    await world.gateway.close()
  })

  test('a user has its quota, then 429 with Retry-After and the RateLimit fields, and others go on', async () => {
    const answers = await times(USER_CALLS.tokens, () => redeem('u1'))
    expect(answers.every(({ status }) => status === 201)).toBe(true)
    expect(answers[0]?.headers['ratelimit-policy']).toBe(
      '"user";q=60;w=10, "address";q=1000;w=2, "user-wrong-codes";q=10;w=60, "address-wrong-codes";q=100;w=60',
    )
    expect(answers[0]?.headers['ratelimit']).toBe('"address";r=999;t=1, "user";r=59;t=1')
    expect(answers.at(-1)?.headers['ratelimit']).toMatch(/"user";r=0;t=10$/)
    const asked = world.transport.asked.length
    const refusal = await redeem('u1')
    expect(refusal).toMatchObject({
      status: 429,
      headers: { 'retry-after': '1', 'content-type': 'application/problem+json' },
      json: { code: 'RATE_LIMITED', status: 429 },
    })
    expect(refusal.headers['ratelimit']).toMatch(/"user";r=0;t=10$/)
    expect(world.transport.asked).toHaveLength(asked)
    expect((await redeem('u2')).status).toBe(201)
    const contract = new Contract((await send(world.gateway.port, { path: '/v1/openapi.json' })).json as OpenApi)
    contract.assertAnswer('POST', '/v1/redemptions', refusal)
    nowMs += 1_000
    expect((await redeem('u1')).status).toBe(201)
  })

  test('a user is the same user by whichever way the call is decoded', async () => {
    await times(USER_CALLS.tokens, (i) => (i % 2 === 0 ? redeem('u1') : redeem('u1', { codes: ['SAVE10', 'MORE'] })))
    const path = '/v1/coupons/SAVE10/lock'
    expect((await redeem('u1')).status).toBe(429)
    expect((await redeem('u1', { codes: ['SAVE10', 'MORE'] })).status).toBe(429)
    expect((await send(world.gateway.port, { method: 'POST', path, body: { userId: 'u1' } })).status).toBe(429)
    const keyed = { method: 'POST', path, body: { userId: 'u1' }, headers: { 'idempotency-key': 'k1' } }
    expect((await send(world.gateway.port, keyed)).status).toBe(429)
    expect((await send(world.gateway.port, { path: '/v1/coupons/SAVE10/validate?userId=u1' })).status).toBe(429)
  })

  test('an address has its quota, whoever the users are', async () => {
    const answers = await times(ADDRESS_CALLS.tokens, (i) => redeem(`u${i}`))
    expect(answers.every(({ status }) => status === 201)).toBe(true)
    expect(await redeem('somebody else')).toMatchObject({ status: 429, headers: { 'retry-after': '1' } })
    // Nothing of the shop's own is held up.
    expect((await send(world.gateway.port, { path: '/readyz' })).status).toBe(200)
    expect((await send(world.gateway.port, { path: '/v1/coupons' })).status).not.toBe(429)
    nowMs += 2_000
    expect((await redeem('somebody else')).status).toBe(201)
  })

  test('wrong codes have a stricter quota, which then closes every checkout call of the user', async () => {
    isWrong = true
    const wrong = await times(USER_WRONG_CODES.tokens, () => redeem('u1'))
    expect(wrong.every(({ status }) => status === 422)).toBe(true)
    expect(wrong[0]?.headers['ratelimit']).toContain('"user-wrong-codes";r=9;t=6, "address-wrong-codes";r=99;t=1')
    isWrong = false
    expect(await redeem('u1')).toMatchObject({ status: 429, headers: { 'retry-after': '3' } })
    expect((await redeem('u2')).status).toBe(201)
    nowMs += 6_000
    expect((await redeem('u1')).status).toBe(201)
  })

  test('wrong codes count one by one, where an answer is 200 too', async () => {
    // One of the two does not exist, the other may not be used now.
    const answers = await times(USER_WRONG_CODES.tokens, () => validate('u1', ['WRONG', 'OFF']))
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    expect((await validate('u1')).status).toBe(429)
  })

  test('wrong codes of an address without a key close it for everybody there', async () => {
    isWrong = true
    const wrong = await times(ADDRESS_WRONG_CODES.tokens, (i) => redeem(`u${i}`))
    expect(wrong.every(({ status }) => status === 422)).toBe(true)
    isWrong = false
    expect((await redeem('new')).status).toBe(429)
  })

  test('what was refused is counted by quota, without users', async () => {
    await times(USER_CALLS.tokens + 3, () => redeem('secret-user'))
    const { text } = await send(world.gateway.port, { path: '/metrics' })
    expect(text).toContain('\ntearoff_rate_limited_total{quota="user"} 3\n')
    expect(text).toContain('\ntearoff_rate_limited_total{quota="address"} 0\n')
    expect(text).not.toContain('secret-user')
  })
})

test('wrong codes of a shop with a key never close the shop', async () => {
  world = await start(SHOP)
  isWrong = true
  const limits = ADDRESS_WRONG_CODES.tokens * 3
  const wrong = await times(limits, (i) => redeem(`u${i}`))
  expect(wrong.every(({ status }) => status === 422)).toBe(true)
  expect(wrong[0]?.headers['ratelimit-policy']).toContain('"service";q=100000;w=2')
  isWrong = false
  expect((await redeem('new')).status).toBe(201)
  await world.gateway.close()
})

test('beyond the quota of a shop its wrong codes are 429, and right ones go on', () => {
  const limits = new RateLimits(() => nowMs)
  const hash = new SubjectHash((length) => new Uint8Array(length).fill(9))
  const address = hash.ofAddress(new Uint8Array([192, 0, 2, 1]))
  const first = limits.visit(address, true)
  expect(first.admitAddress()).toBeNull()
  expect(first.wrongCodes(5_999)).toBeNull()
  expect(limits.visit(address, true).wrongCodes(1)).toBeNull()
  const next = limits.visit(address, true)
  expect(next.admitAddress()).toBeNull()
  expect(next.wrongCodes(1)).toMatchObject({ code: 'RATE_LIMITED', retryAfterSeconds: 1 })
})

test('where limits are off there are no fields and no refusals', async () => {
  world = await startTestGateway()
  world.transport.script = () => redemption()
  const answers = await times(USER_CALLS.tokens + 5, () => redeem('u1'))
  expect(answers.every(({ status, headers }) => status === 201 && headers['ratelimit'] === undefined)).toBe(true)
  expect((await send(world.gateway.port, { path: '/metrics' })).text).not.toContain('tearoff_rate_limited_total')
  await world.gateway.close()
})

describe('over WebSocket', () => {
  let server: WebSocketServer
  let client: WsClient

  beforeEach(async () => {
    nowMs = 50_000
    server = await startWebSocketServer(() => redemption(), null, new RateLimits(() => nowMs))
    client = await connectWebSocket(server.port)
  })
  afterEach(() => {
    client.socket.destroy()
    server.stop()
  })

  test('a user beyond its quota gets the error', async () => {
    const call = { op: 'redeem', codes: ['SAVE10'], userId: 'u1', orderId: 'o1', cart: CART }
    for (let id = 0; id <= USER_CALLS.tokens; id++) client.say({ id, ...call })
    const answers = await client.messages(USER_CALLS.tokens + 1)
    const late = answers.filter(({ ok }) => ok === false)
    expect(late).toMatchObject([{ id: USER_CALLS.tokens, error: { code: 'RATE_LIMITED', status: 429, retryAfter: 1 } }])
    expect(server.shards.commands).toHaveLength(USER_CALLS.tokens)
  })
})

describe('an address', () => {
  test('is an IPv4 address whole, an IPv6 one by its network', () => {
    const v4 = new Uint8Array([192, 0, 2, 7])
    const mapped = new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 7])
    expect(addressText(addressBytes(v4.buffer))).toBe('192.0.2.7')
    expect(addressText(addressBytes(mapped.buffer))).toBe('192.0.2.7')
    const one = new Uint8Array([0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1])
    const other = Uint8Array.from(one, (byte, i) => (i === 15 ? 99 : byte))
    expect(addressText(addressBytes(one.buffer))).toBe('2001:db8:0:1::/64')
    expect(addressBytes(other.buffer)).toEqual(addressBytes(one.buffer))
    expect(addressText(addressBytes(new ArrayBuffer(0)))).toBe('')
  })
})
