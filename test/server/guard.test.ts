// Rate limits and uniform refusals of the built server, switched on as an operator does, with real shards behind.

import { randomBytes } from 'node:crypto'
import { afterEach, expect, test } from 'vitest'
import { configuration } from '../../cli/configuration.ts'
import { createKey } from '../../gateway/access/keys.ts'
import { USER_CALLS } from '../../gateway/guard/guard-limits.ts'
import { HttpClient, type HttpReply } from '../support/http-client.ts'
import { type ServerProcess, startServer } from '../support/server-process.ts'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'

const EUR_50 = { orderTotal: 5_000, currency: 'EUR' }

let server: ServerProcess | null = null
let http: HttpClient
let dataDir: string

async function start(settings: Record<string, string>): Promise<void> {
  server = await startServer({ dataDir, settings })
  http = new HttpClient(server.port)
}

afterEach(async () => {
  if (server === null) return
  http.close()
  await server.stop()
  server = null
  removeDirectory(dataDir)
})

test('limits are on where others can come, and off on a loopback address', () => {
  expect(configuration({ HOST: '0.0.0.0' }).rateLimits).toBe(true)
  expect(configuration({ HOST: '0.0.0.0', RATE_LIMITS: 'off' }).rateLimits).toBe(false)
  expect(configuration({}).rateLimits).toBe(false)
  expect(configuration({ RATE_LIMITS: 'on', UNIFORM_REFUSALS: 'on' })).toMatchObject({
    rateLimits: true,
    uniformRefusals: true,
  })
  expect(() => configuration({ RATE_LIMITS: 'yes' })).toThrow('TEAROFF_RATE_LIMITS=yes is not one of on, off')
})

test('a user that calls too often is sent away, and nobody else', async () => {
  dataDir = temporaryDirectory('guard')
  await start({ RATE_LIMITS: 'on' })
  await http.post('/v1/coupons', { code: 'SALE', type: 'PERCENT', value: 10 })
  const redeem = async (userId: string, order: number): Promise<HttpReply> =>
    await http.post('/v1/redemptions', { codes: ['SALE'], userId, orderId: `${userId}-${order}`, cart: EUR_50 })
  const statuses = new Set<number>()
  let limited: HttpReply | null = null
  // Tokens drip in while it runs: a few more than there are.
  for (let order = 0; order < USER_CALLS.tokens * 3 && limited === null; order++) {
    const reply = await redeem('u1', order)
    statuses.add(reply.status)
    if (reply.status === 429) limited = reply
  }
  expect([...statuses]).toEqual([201, 429])
  expect(limited?.json).toMatchObject({ code: 'RATE_LIMITED' })
  expect(Number(limited?.headers['retry-after'])).toBeGreaterThanOrEqual(1)
  expect(limited?.headers['ratelimit']).toContain('"user";r=0;')
  expect((await redeem('u2', 0)).status).toBe(201)
})

test('a shop cannot tell a used-up, an ended, a disabled or a foreign code from one that does not exist', async () => {
  dataDir = temporaryDirectory('guard')
  const keyOf = (role: 'checkout' | 'operations'): Record<string, string> => {
    const key = createKey(dataDir, { role, name: role }, randomBytes, Date.now)
    return { authorization: `Bearer ${key}` }
  }
  const shop = keyOf('checkout')
  const boss = keyOf('operations')
  await start({ AUTH: 'on', UNIFORM_REFUSALS: 'on' })
  const made = { type: 'PERCENT', value: 10 }
  const coupons = [
    { code: 'USEDUP', maxUses: 1 },
    { code: 'ENDED', validFrom: '2020-01-01T00:00:00Z', validUntil: '2021-01-01T00:00:00Z' },
    { code: 'LATER', validFrom: '2099-01-01T00:00:00Z' },
    { code: 'OFF' },
    { code: 'ANNS', userId: 'ann' },
    { code: 'USEDUP2', maxUses: 1, minOrderAmount: 9_000, currency: 'EUR' },
    { code: 'GOOD' },
  ]
  for (const coupon of coupons) {
    const { status, text } = await http.post('/v1/coupons', { ...made, ...coupon }, boss)
    if (status !== 201) throw new Error(text)
  }
  const buy = (code: string, userId: string, cart: object): object => ({
    codes: [code],
    userId,
    orderId: `${code}-${userId}`,
    cart,
  })
  const used = await http.post('/v1/redemptions', buy('USEDUP', 'bea', EUR_50), boss)
  const used2 = await http.post('/v1/redemptions', buy('USEDUP2', 'bea', { ...EUR_50, orderTotal: 9_500 }), boss)
  const off = await http.post('/v1/coupons/OFF/disable', undefined, boss)
  expect([used.status, used2.status, off.status]).toEqual([201, 201, 200])

  const seen = async (code: string, headers: Record<string, string>): Promise<string[]> => {
    const replies = [
      await http.post('/v1/redemptions', buy(code, 'cem', EUR_50), headers),
      await http.post('/v1/validate', { codes: [code], userId: 'cem', cart: EUR_50 }, headers),
      await http.get(`/v1/coupons/${code}`, headers),
    ]
    return replies.map(
      ({ status, text, headers: { date: _date, 'content-length': _length, 'x-request-id': id, ...rest } }) =>
        JSON.stringify({ status, rest, text }).replaceAll(String(id), '').replaceAll(code, 'CODE'),
    )
  }
  // The length of a body is that of the text, which is compared whole but for its own names.
  const unknown = await Promise.all(
    ['NOSUCH', 'NEVER', 'NEVRE', 'NIX', 'NOPE', 'NOSUCH2'].map((code) => seen(code, shop)),
  )
  const hidden = await Promise.all(
    ['USEDUP', 'ENDED', 'LATER', 'OFF', 'ANNS', 'USEDUP2'].map((code) => seen(code, shop)),
  )
  expect(hidden).toEqual(unknown)
  const [good] = await seen('GOOD', shop)
  expect(good).toContain('"status":201')
  const [truth] = await seen('ENDED', boss)
  expect(truth).toContain('COUPON_EXPIRED')
})
