// Races for coupons on several shards against the built server with three workers: opposite orders, rings, crowds. Whoever
// loses has to find a coupon that is really gone; to lose for a hold that somebody else gave up again is a fault.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { HttpClient } from '../support/http-client.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { type ServerProcess, startServer } from '../support/server-process.ts'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'
import { connectCalls, type WsCalls } from '../support/ws-calls.ts'

const SESSIONS = 4
/** Both say that the other one has it: used already, or, on a machine that is very busy, about to be. */
const LOST: readonly string[] = ['COUPON_EXHAUSTED', 'COUPON_LOCKED']
const TRIES_MAX = 20
const CART = { orderTotal: 5_000, currency: 'EUR' } as const

const dataDir = temporaryDirectory('stack-races')
const random = new SeededRandom()
let server: ServerProcess
let http: HttpClient
let sessions: WsCalls[]
let orders = 0
let names = 0

beforeAll(async () => {
  server = await startServer({ dataDir, settings: { WORKERS: '3' } })
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

interface Attempt {
  readonly codes: readonly string[]
  /** `OK`, or the code of the refusal. */
  readonly outcome: string
  readonly id: string
}

async function redeem(codes: readonly string[], i: number): Promise<Attempt> {
  const orderId = `o-${++orders}`
  const body = { codes, userId: `u-${orders}`, orderId, cart: CART }
  if (i % 2 === 0) {
    const { status, json } = await http.post('/v1/redemptions', body)
    return { codes, outcome: status === 201 ? 'OK' : String(json['code']), id: String(json['redemptionId']) }
  }
  const { ok, result, error } = await (sessions[i % SESSIONS] as WsCalls).call('redeem', body)
  return { codes, outcome: ok ? 'OK' : String(error?.['code']), id: String(result?.['redemptionId']) }
}

/** 423 says to come again, and so does a 503 of a call that was not done. */
async function redeemAtLast(codes: readonly string[], i: number): Promise<Attempt> {
  for (let tries = 1; ; tries++) {
    const attempt = await redeem(codes, i)
    const comesAgain = attempt.outcome === 'COUPON_LOCKED' || attempt.outcome === 'SHARD_UNAVAILABLE'
    if (!comesAgain || tries === TRIES_MAX) return attempt
  }
}

async function reserve(codes: readonly string[], userId: string): Promise<Attempt> {
  const { status, json } = await http.post('/v1/reservations', { codes, userId, cart: CART, ttlSeconds: 300 })
  const isOk = status === 201 || status === 200
  return { codes, outcome: isOk ? 'OK' : String(json['code']), id: String(json['reservationId']) }
}

/** Coupons on so many different shards, told by the position that the server answers with. */
async function coupons(count: number, maxUses: number): Promise<string[]> {
  const found = new Map<string, string>()
  while (found.size < count) {
    const code = `RACE-${++names}`
    const offer = { type: 'PERCENT', value: 10, stacking: 'STACKABLE' }
    const { status, text, headers } = await http.post('/v1/coupons', { code, maxUses, ...offer })
    expect(status, text).toBe(201)
    const [shard] = String(headers['x-tearoff-position']).split(':')
    if (!found.has(shard as string)) found.set(shard as string, code)
  }
  return [...found.values()]
}

async function counters(code: string): Promise<{ uses: number; reserved: number }> {
  const { json } = await http.get(`/v1/coupons/${code}`)
  return { uses: Number(json['uses']), reserved: Number(json['reserved']) }
}

function shuffled<Item>(items: readonly Item[]): Item[] {
  const rest = [...items]
  return items.map(() => rest.splice(random.below(rest.length), 1)[0] as Item)
}

describe(`races over several shards (TEST_SEED=${random.seed})`, () => {
  it('gives one of each pair of opposite buyers both coupons, and the other nothing', async () => {
    for (let round = 0; round < 4; round++) {
      const pairs = await Promise.all(Array.from({ length: 32 }, () => coupons(2, 1)))
      const attempts = await Promise.all(
        shuffled(pairs.flatMap(([x, y]) => [[x, y] as string[], [y, x] as string[]])).map(redeem),
      )
      for (const pair of pairs) {
        const outcomes = attempts.filter(({ codes }) => pair.every((code) => codes.includes(code)))
        expect(outcomes.filter(({ outcome }) => outcome === 'OK')).toHaveLength(1)
        expect(outcomes.filter(({ outcome }) => LOST.includes(outcome))).toHaveLength(1)
        for (const code of pair) expect(await counters(code)).toEqual({ uses: 1, reserved: 0 })
      }
    }
  })

  it('gives one of each ring of three its two coupons', async () => {
    const rings = await Promise.all(Array.from({ length: 21 }, () => coupons(3, 1)))
    const wanted = rings.flatMap(([a, b, c]) => [[a, b] as string[], [b, c] as string[], [c, a] as string[]])
    const attempts = await Promise.all(shuffled(wanted).map(redeem))
    for (const ring of rings) {
      const ofRing = attempts.filter(({ codes }) => codes.every((code) => ring.includes(code)))
      expect(ofRing.filter(({ outcome }) => outcome === 'OK')).toHaveLength(1)
      expect(ofRing.filter(({ outcome }) => LOST.includes(outcome))).toHaveLength(2)
      const uses = await Promise.all(ring.map(counters))
      expect(uses.map((one) => one.uses).sort((a, b) => a - b)).toEqual([0, 1, 1])
    }
  })

  it('gives all of a ring theirs where there is one for each', async () => {
    const rings = await Promise.all(Array.from({ length: 21 }, () => coupons(3, 2)))
    const wanted = rings.flatMap(([a, b, c]) => [[a, b] as string[], [b, c] as string[], [c, a] as string[]])
    const attempts = await Promise.all(shuffled(wanted).map(redeem))
    expect(attempts.filter(({ outcome }) => outcome !== 'OK')).toEqual([])
    for (const code of rings.flat()) expect(await counters(code)).toEqual({ uses: 2, reserved: 0 })
  })

  it('lets nobody of a crowd lose for a coupon that is left', async () => {
    for (let round = 0; round < 4; round++) {
      const codes = await coupons(6, 9)
      const attempts = await Promise.all(
        Array.from({ length: 64 }, (_, i) => redeemAtLast(shuffled(codes).slice(0, 1 + random.below(3)), i)),
      )
      const left = new Map<string, number>()
      for (const code of codes) {
        const { uses, reserved } = await counters(code)
        const given = attempts.filter((attempt) => attempt.outcome === 'OK' && attempt.codes.includes(code))
        expect({ uses, reserved }).toEqual({ uses: given.length, reserved: 0 })
        expect(uses).toBeLessThanOrEqual(9)
        left.set(code, 9 - uses)
      }
      for (const { codes: asked, outcome } of attempts) {
        if (outcome === 'OK') continue
        expect(outcome).toBe('COUPON_EXHAUSTED')
        expect(asked.some((code) => left.get(code) === 0)).toBe(true)
      }
    }
  })

  it('reserves opposite pairs for one of each, releases them, and leaves nothing', async () => {
    const pairs = await Promise.all(Array.from({ length: 32 }, () => coupons(2, 1)))
    const attempts = await Promise.all(
      pairs.flatMap(([x, y], i) => [
        reserve([x, y] as string[], `left-${i}`),
        reserve([y, x] as string[], `right-${i}`),
      ]),
    )
    const won = attempts.filter(({ outcome }) => outcome === 'OK')
    expect(won).toHaveLength(32)
    expect(attempts.filter(({ outcome }) => outcome === 'COUPON_LOCKED')).toHaveLength(32)
    for (const code of pairs.flat()) expect(await counters(code)).toEqual({ uses: 0, reserved: 1 })
    const released = await Promise.all(won.map(({ id }) => http.call('DELETE', `/v1/reservations/${id}`)))
    expect(new Set(released.map(({ status }) => status))).toEqual(new Set([204]))
    for (const code of pairs.flat()) expect(await counters(code)).toEqual({ uses: 0, reserved: 0 })
  })

  it('gives a double click over several shards one reservation and one redemption', async () => {
    const codes = await coupons(3, 64)
    const clicks = await Promise.all(Array.from({ length: 16 }, () => reserve(shuffled(codes), 'tabs')))
    expect(new Set(clicks.map(({ id }) => id)).size).toBe(1)
    const body = { codes, userId: 'tabs', orderId: 'once', cart: CART }
    const bought = await Promise.all(Array.from({ length: 16 }, () => http.post('/v1/redemptions', body)))
    expect(bought.map(({ status }) => status).sort((a, b) => a - b)).toEqual([
      ...Array.from({ length: 15 }, () => 200),
      201,
    ])
    expect(new Set(bought.map(({ json }) => json['redemptionId'])).size).toBe(1)
    for (const code of codes) expect(await counters(code)).toEqual({ uses: 1, reserved: 0 })
  })
})
