// What clients do wrong, and what networks do to them. Each ends in a problem with a request id, or in nothing at all where
// nobody is left to read it; and the next request is served.

import { setImmediate as turn } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Caller } from '../../gateway/access/authenticate.ts'
import { BODY_BYTES_MAX, BODY_DRAIN_BYTES_MAX } from '../../gateway/limits.ts'
import { Contract, type OpenApi } from './support/contract.ts'
import { send, startTestGateway, type TestGateway } from './support/gateway.ts'
import { redemption, validated } from './support/outcomes.ts'
import { postText, RawClient } from './support/raw-client.ts'

const CART = { currency: 'EUR', lines: [{ productId: 'p1', quantity: 1, unitPrice: 4_999 }] }
const REDEEM = { codes: ['SAVE10'], userId: 'u1', orderId: 'o1', cart: CART }
const REDEEM_TEXT = JSON.stringify(REDEEM)

let running: TestGateway
let contract: Contract
const clients: RawClient[] = []

beforeAll(async () => {
  running = await startTestGateway()
  running.transport.script = () => redemption()
  contract = new Contract((await send(running.gateway.port, { path: '/v1/openapi.json' })).json as OpenApi)
})
afterAll(async () => {
  await running.gateway.close()
})
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  await expectNothingLeft()
})

/** Whatever a test did, nothing is left behind and the next one is served. */
async function expectNothingLeft(): Promise<void> {
  running.transport.script = () => redemption()
  expect((await send(running.gateway.port, { method: 'POST', path: '/v1/redemptions', body: REDEEM })).status).toBe(201)
  expect(running.transport.inFlight).toBe(0)
  const metrics = await send(running.gateway.port, { path: '/metrics' })
  expect(metrics.text).toContain('\ntearoff_http_in_flight 0\n')
}

async function client(): Promise<RawClient> {
  const made = await RawClient.connect(running.gateway.port)
  clients.push(made)
  return made
}

async function post(
  body: string | Buffer,
  headers: Record<string, string> = {},
): Promise<Awaited<ReturnType<typeof send>>> {
  const raw = await client()
  const type = headers['content-type'] ?? 'application/json'
  const head = `POST /v1/redemptions HTTP/1.1\r\nhost: x\r\ncontent-type: ${type}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n`
  await raw.write(Buffer.concat([Buffer.from(head), Buffer.from(body)]))
  const text = await raw.until('}')
  const [top = '', json = ''] = text.split('\r\n\r\n')
  const parsed = Object.fromEntries(
    top
      .split('\r\n')
      .slice(1)
      .map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
  )
  return { status: Number(text.slice(9, 12)), headers: parsed, text: json, json: JSON.parse(json) as unknown }
}

describe('a body that is not what it should be', () => {
  test.each<[string, string | Buffer, string]>([
    ['empty', '', 'the body is empty; send a JSON object'],
    ['cut off', '{"codes":["AB"]', 'breaks at character 15'],
    ['cut off in a string', '{"codes":["A', 'breaks at character 12'],
    ['cut off before a value', '{"codes":', 'the body is not complete JSON'],
    ['no JSON', 'codes=SAVE10', 'the body is not JSON'],
    ['two values', '{} {}', 'the body is not JSON: it breaks at character 3'],
    ['an array', '[]', 'the body has to be a JSON object'],
    ['a number', '1e400', 'the body has to be a JSON object'],
    ['broken UTF-8', Buffer.from([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x3a, 0x31, 0x7d]), 'the body is not UTF-8'],
    ['deeply nested', '['.repeat(500_000), 'the body is not complete JSON'],
    ['nested and whole', `{"a":${'['.repeat(500_000)}${']'.repeat(500_000)}}`, 'the body nests deeper than 16 levels'],
    ['nested one too deep', `{"a":${'['.repeat(16)}${']'.repeat(16)}}`, 'the body nests deeper than 16 levels'],
    ['nested as deep as it may be', `{"a":${'['.repeat(15)}${']'.repeat(15)}}`, 'is no field of this request'],
    ['a huge number', REDEEM_TEXT.replace('4999', '1e400'), 'has to be an integer from 0 to 2^53-1'],
    ['half a surrogate pair', REDEEM_TEXT.replace('"o1"', '"\\ud83d"'), 'holds half of a surrogate pair'],
    [
      'a key of the prototype',
      REDEEM_TEXT.replace('{', '{"__proto__":{"isAdmin":true},'),
      'is no field of this request',
    ],
  ])('%s', async (_what, body, detail) => {
    const answer = await post(body)
    contract.assertAnswer('POST', '/v1/redemptions', answer)
    expect(answer.status).toBe(400)
    const problem = answer.json as { code: string; detail: string; requestId: string }
    expect(problem.code).toBe('INVALID_REQUEST')
    expect(problem.detail).toContain(detail)
    expect(answer.headers['x-request-id']).toBe(problem.requestId)
  })

  test('a deep patch under a key, whose form nobody judges before it is compared, is refused', async () => {
    const body = `{"x":${'['.repeat(100_000)}${']'.repeat(100_000)}}`
    const headers = { 'content-type': 'application/merge-patch+json', 'if-match': '"1"', 'idempotency-key': 'deep' }
    const answer = await send(running.gateway.port, { method: 'PATCH', path: '/v1/coupons/SAVE10', headers, body })
    contract.assertAnswer('PATCH', '/v1/coupons/{coupon}', answer)
    expect(answer).toMatchObject({ status: 400, json: { code: 'INVALID_REQUEST' } })
  })

  test('a replacement character that was sent on purpose is text like any other', async () => {
    expect((await post(REDEEM_TEXT.replace('"o1"', '"\ufffd"'))).status).toBe(201)
  })

  test.each([
    ['text/plain', 415],
    ['application/x-www-form-urlencoded', 415],
    ['application/jsonp', 415],
    ['application/json; charset=latin1', 415],
    ['application/merge-patch+json', 415],
    ['application/json; charset=utf-8', 201],
    ['Application/JSON;charset="UTF-8"', 201],
  ])('in %s is %d', async (type, status) => {
    const answer = await post(REDEEM_TEXT, { 'content-type': type })
    contract.assertAnswer('POST', '/v1/redemptions', answer)
    expect(answer.status).toBe(status)
  })
})

describe('a body of', () => {
  const padded = (bytes: number): string => REDEEM_TEXT.slice(0, -1) + ' '.repeat(bytes - REDEEM_TEXT.length) + '}'

  test('exactly 1 MiB is taken', async () => {
    expect((await post(padded(BODY_BYTES_MAX))).status).toBe(201)
  })

  test.each([BODY_BYTES_MAX + 1, 2 * BODY_BYTES_MAX])('%d bytes is too large', async (bytes) => {
    const answer = await post(padded(bytes))
    contract.assertAnswer('POST', '/v1/redemptions', answer)
    expect(answer).toMatchObject({ status: 413, json: { code: 'PAYLOAD_TOO_LARGE' } })
  })

  test('2 MiB in chunks is too large', async () => {
    const raw = await client()
    await raw.write(
      'POST /v1/redemptions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n',
    )
    const piece = `10000\r\n${'x'.repeat(65_536)}\r\n`
    for (let i = 0; i < 32; i++) await raw.write(piece)
    await raw.write('0\r\n\r\n')
    expect(await raw.until('}')).toMatch(/^HTTP\/1\.1 413 .*PAYLOAD_TOO_LARGE/s)
  })

  test('no end is closed after a bound', async () => {
    const raw = await client()
    await raw.write(
      `POST /v1/redemptions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${10 ** 12}\r\n\r\n`,
    )
    const piece = Buffer.alloc(1_048_576, 0x20)
    for (let sent = 0; sent <= BODY_DRAIN_BYTES_MAX; sent += piece.length) await raw.write(piece)
    expect(await raw.closed()).toMatch(/^HTTP\/1\.1 413 .*PAYLOAD_TOO_LARGE/s)
  })

  test('many pieces arrives whole', async () => {
    const raw = await client()
    const text = postText('/v1/redemptions', REDEEM_TEXT)
    for (const letter of text) await raw.write(letter)
    expect(await raw.until('redeemedAt')).toMatch(/^HTTP\/1\.1 201 /)
  })

  test('chunks without a length arrives whole', async () => {
    const raw = await client()
    const half = REDEEM_TEXT.length >> 1
    const chunk = (part: string): string => `${part.length.toString(16)}\r\n${part}\r\n`
    await raw.write(
      'POST /v1/redemptions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n' +
        chunk(REDEEM_TEXT.slice(0, half)),
    )
    await raw.write(chunk(REDEEM_TEXT.slice(half)) + '0\r\n\r\n')
    expect(await raw.until('redeemedAt')).toMatch(/^HTTP\/1\.1 201 /)
  })
})

describe('a client that goes away', () => {
  const text = postText('/v1/redemptions', REDEEM_TEXT)

  async function settledAsAborted(count: number): Promise<void> {
    for (;;) {
      const { text: metrics } = await send(running.gateway.port, { path: '/metrics' })
      const found = /tearoff_http_requests_total\{method="POST",route="\/v1\/redemptions",status="499"\} (\d+)/.exec(
        metrics,
      )
      if (Number(found?.[1] ?? 0) >= count) return
    }
  }

  test('half way through its head, its body, or while it waits leaves nothing behind', async () => {
    for (const cut of [10, 60, text.length - 20]) {
      const raw = await client()
      await raw.write(text.slice(0, cut))
      raw.end()
      expect(await raw.closed()).toBe('')
    }
    await settledAsAborted(1)
    const before = running.transport.asked.length
    running.transport.script = () => 'hold'
    running.transport.heldOutcome = () => redemption()
    const raw = await client()
    await raw.write(text)
    await running.transport.waitForAsked(before + 1)
    raw.destroy()
    // The server has seen the end of this connection once it serves one that was opened after.
    await send(running.gateway.port, { path: '/livez' })
    running.transport.script = () => redemption()
    running.transport.releaseHeld()
    await settledAsAborted(2)
  })

  test('with a hundred others at once leaves nothing behind', async () => {
    running.transport.script = () => 'hold'
    running.transport.heldOutcome = () => redemption()
    const before = running.transport.asked.length
    const others = await Promise.all(Array.from({ length: 100 }, async () => await client()))
    await Promise.all(others.map(async (raw) => await raw.write(text)))
    await running.transport.waitForAsked(before + 100)
    for (const [i, raw] of others.entries()) if (i % 2 === 0) raw.destroy()
    await send(running.gateway.port, { path: '/livez' })
    running.transport.releaseHeld()
    await Promise.all(others.filter((_raw, i) => i % 2 === 1).map(async (raw) => await raw.until('redeemedAt')))
    expect(running.transport.inFlight).toBe(0)
  })

  test.each(['/v1/openapi.json', '/livez', '/v1/nowhere'])(
    'that asks for %s and never reads is closed',
    async (path) => {
      const raw = await client()
      raw.pause()
      const isClosed = raw.closed()
      const requests = `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`.repeat(1_000)
      let isOpen = true
      void isClosed.then(() => (isOpen = false))
      let sent = 0
      for (; isOpen && sent < 500; sent++) {
        await raw.write(requests)
        await turn()
      }
      await isClosed
      // Closed for what it asked, not for its silence afterwards.
      expect(sent).toBeLessThan(500)
    },
  )

  test('that reads a long answer slowly gets all of it, and the next one', async () => {
    const raw = await client()
    raw.pause()
    const { text: document } = await send(running.gateway.port, { path: '/v1/openapi.json' })
    const expected = Buffer.from(document).toString('latin1')
    // Far more than the kernel keeps for both ends; each answer is asked for when the last has come.
    for (let round = 0; round < 2; round++) {
      raw.forget()
      await raw.write('GET /v1/openapi.json HTTP/1.1\r\nhost: x\r\n\r\n')
      await send(running.gateway.port, { path: '/livez' })
      raw.resume()
      const headBytes = (await raw.until('\r\n\r\n')).indexOf('\r\n\r\n') + 4
      const body = (await raw.untilBytes(headBytes + expected.length)).slice(headBytes)
      expect({ bytes: body.length, isSame: body === expected }).toEqual({ bytes: expected.length, isSame: true })
      raw.pause()
    }
  })

  test('a half-sent body is given up by the server itself', async () => {
    const raw = await client()
    await raw.write(text.slice(0, -10))
    expect(await raw.closed()).toBe('')
  })
})

describe('paths and methods', () => {
  test.each([
    ['GET', '/'],
    ['GET', '/v2/coupons'],
    ['GET', '/v1/coupons/A/B/C'],
    ['POST', '/v1/campaign'],
    ['GET', '/v1/coupons//lock'],
  ])('%s %s does not exist', async (method, path) => {
    const answer = await send(running.gateway.port, { method, path })
    expect(answer).toMatchObject({ status: 404, json: { code: 'NOT_FOUND' } })
    expect(answer.headers['content-type']).toBe('application/problem+json')
  })

  test.each([
    ['GET', '/v1/validate', 'POST'],
    ['PUT', '/v1/redemptions', 'POST, GET'],
    ['PUT', '/v1/coupons/SAVE10', 'GET, PATCH, DELETE'],
    ['OPTIONS', '/v1/reservations/rsv_001', 'GET, DELETE'],
    ['POST', '/livez', 'GET'],
  ])('%s %s names what the path takes', async (method, path, allow) => {
    const answer = await send(running.gateway.port, { method, path })
    expect(answer).toMatchObject({ status: 405, json: { code: 'METHOD_NOT_ALLOWED' } })
    expect(answer.headers['allow']).toBe(allow)
  })

  test('HEAD has no body', async () => {
    const answer = await send(running.gateway.port, { method: 'HEAD', path: '/v1/validate' })
    expect(answer).toMatchObject({ status: 405, text: '' })
  })

  test('a path that is not UTF-8 is refused', async () => {
    const answer = await send(running.gateway.port, { path: '/v1/coupons/%ff' })
    expect(answer).toMatchObject({ status: 400, json: { code: 'INVALID_REQUEST' } })
  })

  test('a query is judged', async () => {
    const answer = await send(running.gateway.port, { path: '/v1/coupons/SAVE10/validate?orderTotal=x' })
    expect(answer).toMatchObject({ status: 400, json: { errors: [{ pointer: '/orderTotal' }] } })
  })
})

describe('authentication', () => {
  const callers: Readonly<Record<string, Caller>> = {
    'Bearer c': { role: 'checkout', name: 'shop', keyId: 'key_c' },
    'Bearer m': { role: 'marketing', name: 'mara', keyId: 'key_m' },
    'Bearer o': { role: 'operations', name: 'ops', keyId: 'key_o' },
  }

  test('each role may do its own, and nobody without a key anything', async () => {
    const guarded = await startTestGateway({ authenticator: { roleOf: (header) => callers[header] ?? null } })
    guarded.transport.script = () => validated()
    const { port } = guarded.gateway
    const status = async (method: string, path: string, authorization?: string): Promise<number> => {
      const headers: Record<string, string> = authorization === undefined ? {} : { authorization }
      const body = method === 'POST' ? { codes: ['SAVE10'], cart: CART } : undefined
      return (await send(port, { method, path, headers, body })).status
    }
    expect(await status('POST', '/v1/validate')).toBe(401)
    expect(await status('POST', '/v1/validate', 'Bearer x')).toBe(401)
    expect(await status('POST', '/v1/validate', 'Bearer c')).toBe(200)
    expect(await status('POST', '/v1/validate', 'Bearer m')).toBe(403)
    expect(await status('POST', '/v1/validate', 'Bearer o')).toBe(200)
    expect(await status('DELETE', '/v1/coupons/SAVE10', 'Bearer c')).toBe(403)
    expect(await status('GET', '/metrics')).toBe(401)
    expect(await status('GET', '/metrics', 'Bearer m')).toBe(403)
    expect(await status('GET', '/livez')).toBe(200)
    expect(await status('GET', '/readyz')).toBe(200)
    expect(await status('GET', '/v1/openapi.json')).toBe(200)
    const denied = await send(port, { method: 'POST', path: '/v1/validate', body: {} })
    expect(denied.headers['www-authenticate']).toBe('Bearer')
    contract.assertAnswer('POST', '/v1/validate', denied)
    await guarded.gateway.close()
  })

  test('the name of the key goes into what is changed', async () => {
    const guarded = await startTestGateway({ authenticator: { roleOf: (header) => callers[header] ?? null } })
    const headers = { authorization: 'Bearer m' }
    await send(guarded.gateway.port, { method: 'POST', path: '/v1/coupons/SAVE10/disable', headers })
    expect(guarded.transport.asked[0]?.command).toMatchObject({ by: 'mara' })
    await guarded.gateway.close()
  })
})
