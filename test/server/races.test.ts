// Races against the built server: everybody wants the same thing at once, over HTTP and WebSocket mixed, and exactly as many
// get it as there is. Counts are taken from the answers and from the coupon, and have to agree.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { HttpClient } from '../support/http-client.ts'
import { type ServerProcess, startServer } from '../support/server-process.ts'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'
import { connectCalls, type WsCalls } from '../support/ws-calls.ts'

const SESSIONS = 4
const CART = { orderTotal: 5_000, currency: 'EUR' } as const

const dataDir = temporaryDirectory('races')
let server: ServerProcess
let http: HttpClient
let sessions: WsCalls[]

beforeAll(async () => {
  server = await startServer({ dataDir })
  http = new HttpClient(server.port, 256)
  sessions = await Promise.all(Array.from({ length: SESSIONS }, () => connectCalls(server.port)))
})

afterAll(async () => {
  for (const session of sessions) session.close()
  http.close()
  try {
    await server.stop()
  } finally {
    removeDirectory(dataDir)
  }
})

/** What became of one attempt, whichever way it was made. */
interface Attempt {
  /** `OK`, or the code of the refusal. */
  readonly outcome: string
  readonly redemptionId: string | null
  readonly replayed: boolean
}

async function redeemOverHttp(body: Record<string, unknown>): Promise<Attempt> {
  const { status, json, headers } = await http.post('/v1/redemptions', body)
  const ok = status === 201 || status === 200
  return {
    outcome: ok ? 'OK' : String(json['code']),
    redemptionId: ok ? String(json['redemptionId']) : null,
    replayed: headers['idempotent-replayed'] === 'true',
  }
}

async function redeemOverWebSocket(session: WsCalls, body: Record<string, unknown>): Promise<Attempt> {
  const { ok, result, error, replayed } = await session.call('redeem', body)
  return {
    outcome: ok ? 'OK' : String(error?.['code']),
    redemptionId: ok ? String(result?.['redemptionId']) : null,
    replayed: replayed === true,
  }
}

/** Every other attempt over HTTP, the rest spread over the sessions. */
function attempt(i: number, body: Record<string, unknown>): Promise<Attempt> {
  return i % 2 === 0 ? redeemOverHttp(body) : redeemOverWebSocket(sessions[i % SESSIONS] as WsCalls, body)
}

function countOf(outcomes: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1
  return counts
}

async function createCoupon(code: string, limits: Record<string, unknown>): Promise<void> {
  const { status, text } = await http.post('/v1/coupons', { code, type: 'PERCENT', value: 10, ...limits })
  expect(status, text).toBe(201)
}

async function coupon(code: string): Promise<Record<string, unknown>> {
  return (await http.get(`/v1/coupons/${code}`)).json
}

describe('races', () => {
  it('gives 100 uses to exactly 100 of 4,000 buyers', async () => {
    await createCoupon('RACE-100', { maxUses: 100 })
    const buyers = Array.from({ length: 4_000 }, (_, i) => ({
      codes: ['RACE-100'],
      userId: `buyer-${i}`,
      orderId: `race-${i}`,
      cart: CART,
    }))
    const attempts = await Promise.all(buyers.map((body, i) => attempt(i, body)))
    expect(countOf(attempts.map(({ outcome }) => outcome))).toEqual({ OK: 100, COUPON_EXHAUSTED: 3_900 })
    expect(new Set(attempts.map(({ redemptionId }) => redemptionId)).size).toBe(101)
    expect(await coupon('RACE-100')).toMatchObject({ uses: 100, reserved: 0, remaining: 0, status: 'EXHAUSTED' })
  })

  it('lets one user with 500 tabs open redeem once', async () => {
    await createCoupon('ONE-EACH', { maxUsesPerUser: 1 })
    const attempts = await Promise.all(
      Array.from({ length: 500 }, (_, i) =>
        attempt(i, { codes: ['ONE-EACH'], userId: 'tabs', orderId: `tab-${i}`, cart: CART }),
      ),
    )
    expect(countOf(attempts.map(({ outcome }) => outcome))).toEqual({ OK: 1, USER_LIMIT_REACHED: 499 })
    expect(await coupon('ONE-EACH')).toMatchObject({ uses: 1, remaining: null })
  })

  it('redeems one order sent 300 times at once over HTTP once, and replays it 299 times', async () => {
    await createCoupon('RETRIED', { maxUses: 1_000 })
    const body = { codes: ['RETRIED'], userId: 'patient', orderId: 'order-1', cart: CART }
    const replies = await Promise.all(Array.from({ length: 300 }, () => http.post('/v1/redemptions', body)))
    expect(countOf(replies.map(({ status }) => String(status)))).toEqual({ 201: 1, 200: 299 })
    for (const { status, headers } of replies) {
      expect(headers['idempotent-replayed']).toBe(status === 201 ? undefined : 'true')
    }
    // The whole body is the first one again, not only its id.
    expect(new Set(replies.map(({ text }) => text)).size).toBe(1)
    expect(await coupon('RETRIED')).toMatchObject({ uses: 1, remaining: 999 })
  })

  it('redeems one order sent 300 times at once over both ways once', async () => {
    await createCoupon('RETRIED-MIXED', { maxUses: 1_000 })
    const body = { codes: ['RETRIED-MIXED'], userId: 'patient', orderId: 'order-1', cart: CART }
    const attempts = await Promise.all(Array.from({ length: 300 }, (_, i) => attempt(i, body)))
    expect(attempts.filter(({ replayed }) => replayed)).toHaveLength(299)
    expect(new Set(attempts.map(({ redemptionId }) => redemptionId)).size).toBe(1)
    expect(countOf(attempts.map(({ outcome }) => outcome))).toEqual({ OK: 300 })
    expect(await coupon('RETRIED-MIXED')).toMatchObject({ uses: 1 })
  })

  it('reserves a single-use coupon for one of 500, and tells the others when to come back', async () => {
    await createCoupon('SINGLE', { maxUses: 1 })
    const replies = await Promise.all(
      Array.from({ length: 500 }, (_, i) =>
        http.post('/v1/reservations', { codes: ['SINGLE'], userId: `r-${i}`, cart: CART, ttlSeconds: 60 }),
      ),
    )
    expect(countOf(replies.map(({ status }) => String(status)))).toEqual({ 201: 1, 423: 499 })
    for (const { status, json, headers } of replies) {
      if (status === 201) continue
      expect(json['code']).toBe('COUPON_LOCKED')
      const retryAfterSeconds = Number(headers['retry-after'])
      expect(retryAfterSeconds).toBeGreaterThanOrEqual(1)
      expect(retryAfterSeconds).toBeLessThanOrEqual(60)
    }
    expect(await coupon('SINGLE')).toMatchObject({ uses: 0, reserved: 1, remaining: 0, status: 'LOCKED' })
  })

  it('counts what users reserve and what they redeem at once against both limits', async () => {
    // 20 users may take 2 each, so it is their limit that ends the race, 10 uses before the coupon's.
    await createCoupon('SHARED', { maxUses: 50, maxUsesPerUser: 2 })
    const users = Array.from({ length: 400 }, (_, i) => `shared-${i % 20}`)
    const taken = await Promise.all(
      users.map(async (userId, i) => {
        const base = { codes: ['SHARED'], userId, cart: CART, orderId: `shared-order-${i}` }
        if (Math.floor(i / 20) % 2 === 0) {
          return (await http.post('/v1/reservations', base)).status === 201 ? `reserved ${userId}` : ''
        }
        return (await attempt(i, base)).outcome === 'OK' ? `redeemed ${userId}` : ''
      }),
    )
    const won = taken.filter((one) => one !== '').map((one) => one.split(' ') as [string, string])
    const counts = countOf(won.map(([how]) => how))
    expect(await coupon('SHARED')).toMatchObject({
      uses: counts['redeemed'] ?? 0,
      reserved: counts['reserved'] ?? 0,
      remaining: 10,
    })
    const perUser = countOf(won.map(([, userId]) => userId))
    expect(Object.values(perUser)).toEqual(Array.from({ length: 20 }, () => 2))
  })

  it('decides rows of columns and single redemptions of the same users in one order', async () => {
    await createCoupon('COLUMNS-RACE', { maxUses: 700, maxUsesPerUser: 1 })
    const users = Array.from({ length: 1_000 }, (_, i) => `c-${i}`)
    const frames = Array.from({ length: 4 }, (_, f) =>
      (sessions[f] as WsCalls).callBinary('redeemColumns', {
        code: 'COLUMNS-RACE',
        currency: 'EUR',
        userIds: users,
        orderIds: users.map((user) => `frame-${f}-${user}`),
        orderTotals: 5_000,
      }),
    )
    const singles = users
      .slice(0, 300)
      .map((userId) => redeemOverHttp({ codes: ['COLUMNS-RACE'], userId, orderId: `single-${userId}`, cart: CART }))
    const rows = (await Promise.all(frames)).flatMap(({ outcomes }) => [...(outcomes ?? [])])
    const redeemedRows = rows.filter((outcome) => outcome === 0).length
    const redeemedSingles = (await Promise.all(singles)).filter(({ outcome }) => outcome === 'OK').length
    expect(redeemedRows + redeemedSingles).toBe(700)
    expect(rows).toHaveLength(4_000)
    expect(await coupon('COLUMNS-RACE')).toMatchObject({ uses: 700, status: 'EXHAUSTED' })
  })
})
