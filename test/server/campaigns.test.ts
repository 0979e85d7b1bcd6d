// Campaigns and claims on the built server: limits and budgets under races from 64 clients, one coupon a user, and everything
// there again after a stop and after a kill. Counts come from the answers and from the campaign, and have to agree.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { HttpClient } from '../support/http-client.ts'
import { type ServerProcess, startServer } from '../support/server-process.ts'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'
import { connectCalls, type WsCalls } from '../support/ws-calls.ts'

type Json = Record<string, unknown>

const CLIENTS = 64
const dataDir = temporaryDirectory('campaigns')
let server: ServerProcess
let http: HttpClient
let sessions: WsCalls[]

beforeAll(start)
afterAll(async () => {
  leave()
  try {
    await server.stop()
  } finally {
    removeDirectory(dataDir)
  }
})

async function start(): Promise<void> {
  server = await startServer({ dataDir })
  http = new HttpClient(server.port, CLIENTS)
  sessions = await Promise.all([0, 1, 2, 3].map(() => connectCalls(server.port)))
}

function leave(): void {
  for (const session of sessions) session.close()
  http.close()
}

async function made(status: number, path: string, body: unknown): Promise<Json> {
  const reply = await http.post(path, body)
  expect(reply.status, reply.text).toBe(status)
  return reply.json
}

async function campaign(fields: Json): Promise<string> {
  const body = { name: 'race', offer: { type: 'PERCENT', value: 10 }, ...fields }
  return String((await made(201, '/v1/campaigns', body))['campaignId'])
}

async function shown(id: string): Promise<Json> {
  return (await http.get(`/v1/campaigns/${id}`)).json
}

async function makeCodes(id: string, count: number): Promise<void> {
  const { jobId } = await made(202, `/v1/campaigns/${id}/codes`, { count })
  for (;;) {
    const { json } = await http.get(`/v1/jobs/${String(jobId)}`)
    if (json['state'] === 'SUCCEEDED') return
    expect(['QUEUED', 'RUNNING']).toContain(json['state'])
  }
}

/** Codes of a campaign, by its list. */
async function codesOf(id: string): Promise<string[]> {
  const codes: string[] = []
  let cursor = ''
  for (;;) {
    const { json } = await http.get(`/v1/coupons?campaignId=${id}&limit=200${cursor}`)
    codes.push(...(json['data'] as Json[]).map(({ code }) => String(code)))
    const next = json['nextCursor']
    if (typeof next !== 'string') return codes
    cursor = `&cursor=${next}`
  }
}

/** `OK`, or the code of the refusal; every other call over HTTP, the rest over WebSocket. */
async function redeem(i: number, body: Json): Promise<string> {
  if (i % 2 === 0) {
    const { status, json } = await http.post('/v1/redemptions', body)
    return status === 201 ? 'OK' : String(json['code'])
  }
  const { ok, error } = await (sessions[i % sessions.length] as WsCalls).call('redeem', body)
  return ok ? 'OK' : String(error?.['code'])
}

function buying(code: string, i: number, fields: Json = {}): Json {
  return {
    codes: [code],
    userId: `user-${i}`,
    orderId: `order-${code}-${i}`,
    cart: { orderTotal: 7_000, currency: 'EUR' },
    ...fields,
  }
}

function countOf(outcomes: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1
  return counts
}

describe('a race of 64 clients', () => {
  it('spends a budget to the last whole discount, and not a cent beyond', async () => {
    const id = await campaign({ budget: 70_349, currency: 'EUR' })
    await makeCodes(id, 300)
    const codes = await codesOf(id)
    expect(new Set(codes).size).toBe(300)
    const outcomes = await Promise.all(codes.map((code, i) => redeem(i, buying(code, i))))
    expect(countOf(outcomes)).toEqual({ OK: 100, BUDGET_EXHAUSTED: 200 })
    expect(await shown(id)).toMatchObject({ uses: 100, reserved: 0, discountTotal: 70_000, codes: 300 })
    // What still fits is still given.
    const left = codes[outcomes.indexOf('BUDGET_EXHAUSTED')] as string
    expect(await redeem(0, buying(left, 1_000, { cart: { orderTotal: 3_490, currency: 'EUR' } }))).toBe('OK')
    expect(await shown(id)).toMatchObject({ discountTotal: 70_349 })
  })

  it('keeps the limit of the campaign and that of each user over all codes', async () => {
    const id = await campaign({ maxUses: 50, maxUsesPerUser: 2 })
    await makeCodes(id, 200)
    const codes = await codesOf(id)
    // 40 users want 5 each: 80 uses by their limits, 50 by the campaign's.
    const outcomes = await Promise.all(codes.map((code, i) => redeem(i, buying(code, i, { userId: `u-${i % 40}` }))))
    expect(outcomes.filter((outcome) => outcome === 'OK')).toHaveLength(50)
    const perUser = countOf(outcomes.flatMap((outcome, i) => (outcome === 'OK' ? [`u-${i % 40}`] : [])))
    expect(Math.max(...Object.values(perUser))).toBeLessThanOrEqual(2)
    expect(await shown(id)).toMatchObject({ uses: 50, status: 'EXHAUSTED' })
  })

  it('hands every coupon of a pool to one user, and no user two', async () => {
    const id = await campaign({ dailyLimit: { scope: 'CAMPAIGN' } })
    await makeCodes(id, 100)
    const claims = await Promise.all(
      Array.from({ length: 600 }, async (_, i) => {
        const userId = `c-${i % 200}`
        if (i % 2 === 0) {
          const { status, json } = await http.post(`/v1/campaigns/${id}/claims`, { userId })
          return { userId, status, ...(json['coupon'] as Json | undefined), refusal: json['code'] }
        }
        const { ok, result, error } = await (sessions[i % sessions.length] as WsCalls).call('claim', {
          campaignId: id,
          userId,
        })
        return { userId, status: ok ? 200 : 409, ...(result?.['coupon'] as Json | undefined), refusal: error?.['code'] }
      }),
    )
    const handed = claims.filter((claim) => 'couponId' in claim) as unknown as {
      userId: string
      couponId: string
      lockedBy: string
    }[]
    const owners = new Map<string, Set<string>>()
    for (const { couponId, userId, lockedBy } of handed) {
      expect(lockedBy).toBe(userId)
      owners.set(couponId, (owners.get(couponId) ?? new Set()).add(userId))
    }
    expect(owners.size).toBe(100)
    expect([...owners.values()].every((users) => users.size === 1)).toBe(true)
    expect(new Set(handed.map(({ userId }) => userId)).size).toBe(100)
    const refusals = new Set(claims.filter((claim) => !('couponId' in claim)).map(({ refusal }) => refusal))
    expect([...refusals]).toEqual(['POOL_EMPTY'])
    expect(await shown(id)).toMatchObject({ reserved: 100, uses: 0 })
  })
})

describe('the coupon of the day over all campaigns', () => {
  it('is one a user, however many campaigns there are', async () => {
    const ids = await Promise.all([0, 1, 2].map(() => campaign({ dailyLimit: { scope: 'ALL' } })))
    for (const id of ids) await makeCodes(id, 20)
    const outcomes = await Promise.all(
      Array.from({ length: 60 }, async (_, i) => {
        const userId = `day-${i % 20}`
        const { status, json } = await http.post(`/v1/campaigns/${ids[Math.floor(i / 20)] as string}/claims`, {
          userId,
        })
        return status === 201 ? userId : String(json['code'])
      }),
    )
    const { DAILY_LIMIT_REACHED: refused, ...taken } = countOf(outcomes)
    expect(refused).toBe(40)
    expect(Object.values(taken)).toEqual(Array.from({ length: 20 }, () => 1))
  })
})

describe('a restart', () => {
  it.each(['stopped', 'killed'])(
    'keeps campaigns, their limits, offers and claims where the server was %s',
    async (how) => {
      const id = await campaign({ budget: 5_000, currency: 'EUR', maxUsesPerUser: 1, lockSeconds: 3_600 })
      await makeCodes(id, 30)
      const code = String((await made(201, '/v1/coupons', { campaignId: id }))['code'])
      expect(await redeem(0, buying(code, 1))).toBe('OK')
      const claimed = await made(201, `/v1/campaigns/${id}/claims`, { userId: 'claimer' })
      const patched = await http.call('PATCH', `/v1/campaigns/${id}`, { offer: { value: 20 } }, { 'if-match': '*' })
      expect(patched.status, patched.text).toBe(200)
      const before = await shown(id)
      leave()
      if (how === 'stopped') await server.stop()
      else await server.kill()
      await start()
      expect(await shown(id)).toEqual(before)
      expect(before).toMatchObject({ uses: 1, reserved: 1, discountTotal: 700, codes: 30, offer: { value: 20 } })
      const again = await http.post(`/v1/campaigns/${id}/claims`, { userId: 'claimer' })
      expect(again.status).toBe(200)
      expect(again.json).toMatchObject({ reservationId: claimed['reservationId'], expiresAt: claimed['expiresAt'] })
      expect(await redeem(0, buying(code, 2))).toBe('COUPON_EXHAUSTED')
      const other = String((await made(201, '/v1/coupons', { campaignId: id }))['code'])
      expect(await redeem(0, { ...buying(other, 2), userId: 'user-1' })).toBe('USER_LIMIT_REACHED')
      const { json } = await http.get(`/v1/redemptions?campaignId=${id}`)
      expect((json['data'] as Json[]).map(({ userId }) => userId)).toEqual(['user-1'])
      const { json: list } = await http.get('/v1/campaigns?limit=1')
      expect((list['data'] as Json[])[0]).toMatchObject({ campaignId: id })
    },
  )
})
