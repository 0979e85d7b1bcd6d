// What the client makes of the answers of a Tearoff that restarts, is overloaded or does not know: a server that
// answers from a script, and a clock that only moves when somebody waits, so that pauses are judged and not endured.

import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { type Pace, ServiceMisuse, ServiceUnavailable } from '../../examples/checkout/resilient-call.ts'
import { TearoffClient } from '../../examples/checkout/tearoff-client.ts'

const REDEMPTION = { redemptionId: 'rdm_1', status: 'REDEEMED', discount: { total: 100, finalPrice: 900 } }

type Scripted =
  | 'CUT'
  | { readonly status: number; readonly json?: unknown; readonly headers?: Readonly<Record<string, string>> }

interface Asked {
  readonly line: string
  readonly body: unknown
  readonly authorization: string | undefined
}

let server: Server | undefined
afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

/** A server that gives these answers in turn, and the client in front of it. */
async function scripted(answers: readonly Scripted[], patienceMs = 60_000, randomValue = 0.5) {
  const asked: Asked[] = []
  const pauses: number[] = []
  let nowMs = 0
  const left = [...answers]
  server = createServer((incoming, response) => {
    void textOf(incoming).then((text) => {
      const { method, url, headers } = incoming
      asked.push({ line: `${method} ${url}`, body: JSON.parse(text), authorization: headers.authorization })
      const answer = left.shift() ?? 'CUT'
      if (answer === 'CUT') return response.destroy()
      response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers })
      return response.end(JSON.stringify(answer.json ?? {}))
    })
  })
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
  const pace: Pace = {
    patienceMs,
    sleep: (ms) => {
      pauses.push(ms)
      nowMs += ms
      return Promise.resolve()
    },
    random: () => randomValue,
    nowMs: () => nowMs,
  }
  const { port } = server.address() as AddressInfo
  const client = new TearoffClient(`http://127.0.0.1:${port}`, 'a-key', pace)
  return { client, asked, pauses }
}

async function textOf(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

function problem(status: number, code: string, headers: Record<string, string> = {}): Scripted {
  return { status, json: { status, code, detail: 'because', requestId: 'r-1' }, headers }
}

describe('the client of Tearoff', () => {
  it.each<[string, Scripted]>([
    ['OUTCOME_UNKNOWN', problem(503, 'OUTCOME_UNKNOWN')],
    ['STORAGE_UNAVAILABLE', problem(503, 'STORAGE_UNAVAILABLE')],
    ['SHARD_UNAVAILABLE', problem(503, 'SHARD_UNAVAILABLE')],
    ['a proxy without a Tearoff behind it', { status: 502 }],
    ['a connection that breaks', 'CUT'],
  ])('asks again with the same order after %s, and gets the first answer', async (_, stumble) => {
    const replayed = { status: 200, json: REDEMPTION, headers: { 'idempotent-replayed': 'true' } }
    const { client, asked } = await scripted([stumble, stumble, replayed])
    const answer = await client.redeemReservation('rsv_1', { orderId: 'o-1', allowLate: true })
    expect(answer).toEqual({ ok: true, value: REDEMPTION, replayed: true })
    expect(asked).toEqual(
      Array.from({ length: 3 }, () => ({
        line: 'POST /v1/reservations/rsv_1/redeem',
        body: { orderId: 'o-1', allowLate: true },
        authorization: 'Bearer a-key',
      })),
    )
  })

  it('waits longer each time, by chance, up to a bound', async () => {
    const { client, pauses } = await scripted([
      ...Array.from({ length: 9 }, () => problem(503, 'OVERLOADED')),
      { status: 201 },
    ])
    await client.reverse('rdm_1', 'returned')
    expect(pauses).toEqual([25, 50, 100, 200, 400, 800, 1_600, 2_500, 2_500])
  })

  it('never comes before Retry-After, and not all at that very moment', async () => {
    const overloaded = problem(503, 'OVERLOADED', { 'retry-after': '3' })
    const limited = problem(429, 'RATE_LIMITED', { 'retry-after': '7' })
    const { client, pauses } = await scripted([overloaded, limited, { status: 201 }])
    await client.reverse('rdm_1', 'returned')
    expect(pauses).toEqual([3_025, 7_050])
  })

  it('gives up when patience is over rather than wait too long, and says when to come back', async () => {
    const { client, asked, pauses } = await scripted([problem(503, 'OVERLOADED', { 'retry-after': '20' })], 10_000)
    const error = await client.reverse('rdm_1', 'returned').catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(ServiceUnavailable)
    expect(error).toMatchObject({ retryAfterMs: 20_000, message: expect.stringContaining('503 OVERLOADED') })
    expect({ calls: asked.length, pauses }).toEqual({ calls: 1, pauses: [] })
  })

  it.each([
    [409, 'COUPON_EXHAUSTED'],
    [410, 'RESERVATION_EXPIRED'],
    [422, 'MIN_ORDER_NOT_MET'],
    [423, 'COUPON_LOCKED'],
    [404, 'RESERVATION_NOT_FOUND'],
  ])('hands a refusal on, and does not ask again: %i %s', async (status, code) => {
    const { client, asked } = await scripted([
      { status, json: { code, detail: 'because', coupon: 'SAVE10', requestId: 'r-1' } },
    ])
    const answer = await client.redeemReservation('rsv_1', { orderId: 'o-1' })
    expect(answer).toEqual({ ok: false, refusal: { code, detail: 'because', coupon: 'SAVE10' } })
    expect(asked).toHaveLength(1)
  })

  it.each<[number, string]>([
    [400, 'INVALID_REQUEST'],
    [401, 'UNAUTHENTICATED'],
    [403, 'FORBIDDEN'],
    [404, 'NOT_FOUND'],
    [409, 'ORDER_CONFLICT'],
  ])('throws what is our own fault, with the request id to look it up by: %i %s', async (status, code) => {
    const { client, asked } = await scripted([problem(status, code)])
    const error = await client.redeemReservation('rsv_1', { orderId: 'o-1' }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(ServiceMisuse)
    expect((error as Error).message).toMatch(new RegExp(`${status} ${code}.*r-1`))
    expect(asked).toHaveLength(1)
  })
})
