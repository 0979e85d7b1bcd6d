// The feed of events over HTTP: pages, roles, streams that go on where they were left.

import { get, type IncomingMessage } from 'node:http'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Role } from '../../gateway/access/authenticate.ts'
import { EVENT_STREAMS_MAX, USER_GUESSES } from '../../gateway/guard/guard-limits.ts'
import { Contract, type OpenApi } from './support/contract.ts'
import { FakeFeed } from './support/fake-feed.ts'
import { send, startTestGateway, type TestGateway } from './support/gateway.ts'
import { refused } from './support/websocket-outcomes.ts'

let feed: FakeFeed
let world: TestGateway
let role: Role = 'operations'

beforeEach(async () => {
  feed = new FakeFeed()
  role = 'operations'
  world = await startTestGateway({
    events: feed,
    authenticator: { roleOf: (header) => (header === '' ? null : { role, name: 'test', keyId: 'key_1' }) },
  })
})
afterEach(async () => {
  await world.gateway.close()
})

const KEY = { authorization: 'Bearer x' }

async function page(query = ''): ReturnType<typeof send> {
  return await send(world.gateway.port, { path: `/v1/events${query}`, headers: KEY })
}

function typesOf(json: unknown): string[] {
  return (json as { data: { type: string }[] }).data.map(({ type }) => type)
}

describe('a page', () => {
  test('shows events in their order, and goes on behind its cursor', async () => {
    feed.tell('LOW_STOCK', '"couponId":"cpn_030","uses":18,"maxUses":20')
    feed.tell('EXPIRED', '"couponId":"cpn_031"')
    feed.tell('JOB_ENDED', '"jobId":"job_031"')
    const first = await page('?limit=2')
    const contract = new Contract((await send(world.gateway.port, { path: '/v1/openapi.json' })).json as OpenApi)
    contract.assertAnswer('GET', '/v1/events', first)
    const { data, nextCursor } = first.json as { data: { id: string }[]; nextCursor: string }
    expect(nextCursor).toBe(data[1]?.id)
    for (const name of ['after', 'cursor']) {
      const rest = await page(`?limit=2&${name}=${nextCursor}`)
      expect(rest.json).toMatchObject({ data: [{ type: 'JOB_ENDED' }], nextCursor: null })
    }
    expect(typesOf((await page('?types=expired,JOB_ENDED')).json)).toEqual(['EXPIRED', 'JOB_ENDED'])
  })

  test('of a query that is none is INVALID_REQUEST', async () => {
    for (const query of ['?types=NONSENSE', '?limit=0', '?limit=201', '?after=%20', '?other=1', '?after=a&cursor=a']) {
      expect(await page(query)).toMatchObject({ status: 400, json: { code: 'INVALID_REQUEST' } })
    }
  })

  test('shows marketing what is its business', async () => {
    role = 'marketing'
    feed.tell('GUESSING', '"by":"user","userId":"u1"')
    feed.tell('EXPIRED', '"couponId":"cpn_031"')
    feed.tell('CLOCK_DIFFERED', '')
    expect(typesOf((await page()).json)).toEqual(['EXPIRED'])
    expect(await page('?types=GUESSING')).toMatchObject({ status: 403 })
    role = 'checkout'
    expect(await page()).toMatchObject({ status: 403 })
    expect(await send(world.gateway.port, { path: '/v1/events' })).toMatchObject({ status: 401 })
  })

  test('cannot be read while nobody watches', async () => {
    feed.isDown = true
    expect(await page()).toMatchObject({ status: 503, json: { code: 'SHARD_UNAVAILABLE' } })
  })
})

/** What is waited for stands at the end. */
const TAIL = 30_000

/** One stream, read piece by piece. */
class Stream {
  text = ''
  readonly response: IncomingMessage
  readonly closed: Promise<void>
  private wake: () => void = () => {}

  private constructor(response: IncomingMessage) {
    this.response = response
    response.setEncoding('utf8')
    response.on('data', (piece: string) => {
      this.text += piece
      this.wake()
    })
    this.closed = new Promise((resolve) => response.once('close', resolve))
  }

  static async open(query = '', headers: Record<string, string> = {}): Promise<Stream> {
    return await new Promise((resolve, reject) => {
      const all = { accept: 'text/event-stream', ...KEY, ...headers }
      const path = `/v1/events${query}`
      get({ host: '127.0.0.1', port: world.gateway.port, path, headers: all, agent: false }, (response) => {
        resolve(new Stream(response))
      }).on('error', reject)
    })
  }

  async until(part: string): Promise<void> {
    while (!this.text.slice(-TAIL).includes(part)) {
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
  }

  get ids(): string[] {
    return [...this.text.matchAll(/^id: (\S+)$/gm)].map(([, id]) => id as string)
  }
}

describe('a stream', () => {
  test('begins with what is kept and goes on with what comes', async () => {
    feed.tell('EXPIRED', '"couponId":"cpn_031"')
    const stream = await Stream.open()
    expect(stream.response.headers['content-type']).toBe('text/event-stream')
    expect(stream.response.headers['x-request-id']).toMatch(/^\S+$/)
    await stream.until('cpn_031')
    feed.tell('LOW_STOCK', '"couponId":"cpn_032"')
    await stream.until('cpn_032')
    expect(stream.text).toContain(
      `id: 0000000a-2\nevent: LOW_STOCK\ndata: {"id":"0000000a-2","type":"LOW_STOCK","at":"2026-11-20T18:00:00.000Z","couponId":"cpn_032"}\n\n`,
    )
    stream.response.destroy()
    await stream.closed
  })

  test('goes on behind the last id, whatever its address says', async () => {
    for (let i = 0; i < 5; i++) feed.tell('EXPIRED', '')
    const stream = await Stream.open('?after=0000000a-1&types=EXPIRED', { 'last-event-id': '0000000a-3' })
    await stream.until('0000000a-5')
    expect(stream.ids).toEqual(['0000000a-4', '0000000a-5'])
    stream.response.destroy()
    await stream.closed
  })

  test('gives everything to a reader that is slow, in order and once', async () => {
    const stream = await Stream.open()
    stream.response.pause()
    // Far more than sockets buffer.
    const filler = `"detail":"${'x'.repeat(10_000)}"`
    for (let i = 0; i < 1_500; i++) feed.tell('JOB_ENDED', filler)
    stream.response.resume()
    const last = feed.events.at(-1)?.id as string
    await stream.until(`id: ${last}\n`)
    await stream.until(`${last}","type":"JOB_ENDED"`)
    expect(stream.ids).toEqual(feed.events.map(({ id }) => id))
    stream.response.destroy()
    await stream.closed
  })

  test('ends with the gateway, and leaves nothing behind when its reader goes', async () => {
    const gone = await Stream.open()
    await gone.until(': events')
    expect(feed.listeners.size).toBe(1)
    const stays = await Stream.open()
    await stays.until(': events')
    gone.response.destroy()
    await gone.closed
    await feed.untilListeners(1)
    feed.tell('EXPIRED', '')
    await stays.until('EXPIRED')
    await world.gateway.close()
    await stays.closed
    expect(feed.listeners.size).toBe(0)
  })

  test('is refused like a page, and beyond the bound', async () => {
    role = 'checkout'
    expect((await Stream.open()).response.statusCode).toBe(403)
    role = 'operations'
    expect((await Stream.open('?types=NO')).response.statusCode).toBe(400)
    const open = await Promise.all(Array.from({ length: EVENT_STREAMS_MAX }, () => Stream.open()))
    expect((await Stream.open()).response.statusCode).toBe(503)
    for (const { response } of open) response.destroy()
  })
})

test('guessing is an event that names who it is', async () => {
  world.transport.script = () => refused('COUPON_NOT_FOUND')
  const cart = { currency: 'EUR', lines: [{ productId: 'p1', quantity: 1, unitPrice: 4_999 }] }
  const body = { codes: ['WRONG'], userId: 'u "1"', orderId: 'o1', cart }
  const call = { method: 'POST', path: '/v1/redemptions', headers: KEY, body }
  for (let i = 0; i <= USER_GUESSES.tokens; i++) await send(world.gateway.port, call)
  const found = await page('?types=GUESSING')
  expect((found.json as { data: unknown[] }).data).toMatchObject([{ by: 'user', userId: 'u "1"', moreThan: 9 }])
  expect((await send(world.gateway.port, { path: '/metrics', headers: KEY })).text).toContain(
    '\ntearoff_events_total{type="GUESSING"} 1\n',
  )
})
