// The feed of a real server: what happens in a sale stands in it within moments, once, and stays there whatever is killed.

import { rmSync } from 'node:fs'
import { get } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { EVENTS_FILE } from '../../lifecycle/watch-database.ts'
import { HttpClient } from '../support/http-client.ts'
import { type ServerProcess, startServer } from '../support/server-process.ts'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'

interface FeedItem {
  readonly id: string
  readonly type: string
  readonly position?: string
  readonly code?: string
}

const EUR_50 = { orderTotal: 5_000, currency: 'EUR' }

let dataDir: string
let server: ServerProcess
let http: HttpClient

beforeAll(async () => {
  dataDir = temporaryDirectory('events')
  await start()
})
afterAll(async () => {
  http.close()
  await server.stop()
  removeDirectory(dataDir)
})

async function start(): Promise<void> {
  server = await startServer({ dataDir, settings: { LOG_LEVEL: 'info' } })
  http = new HttpClient(server.port)
}

async function made(code: string, maxUses: number): Promise<void> {
  const { status, text } = await http.post('/v1/coupons', { code, type: 'PERCENT', value: 10, maxUses })
  if (status !== 201) throw new Error(text)
}

async function redeemed(code: string, from: number, count: number): Promise<void> {
  for (let i = from; i < from + count; i++) {
    const { status, text } = await http.post('/v1/redemptions', {
      codes: [code],
      userId: `u${i}`,
      orderId: `${code}-${i}`,
      cart: EUR_50,
    })
    if (status !== 201) throw new Error(text)
  }
}

async function events(query = ''): Promise<readonly FeedItem[]> {
  const { status, json, text } = await http.get(`/v1/events?limit=200${query}`)
  if (status !== 200) throw new Error(text)
  return json['data'] as FeedItem[]
}

/** Reads the stream from `after` until so many events have come. */
async function streamed(count: number, after = ''): Promise<readonly FeedItem[]> {
  const headers = { accept: 'text/event-stream', ...(after === '' ? {} : { 'last-event-id': after }) }
  return await new Promise((resolve, reject) => {
    const request = get(
      { host: '127.0.0.1', port: server.port, path: '/v1/events', headers, agent: false },
      (incoming) => {
        let text = ''
        incoming.setEncoding('utf8')
        incoming.on('data', (piece: string) => {
          text += piece
          const found = [...text.matchAll(/^data: (.*)\n\n/gm)].map(
            ([, data]) => JSON.parse(data as string) as FeedItem,
          )
          if (found.length < count) return
          request.destroy()
          resolve(found)
        })
      },
    )
    request.on('error', reject)
  })
}

function named(found: readonly FeedItem[]): string[] {
  return found.map(({ type, code }) => `${type} ${code ?? ''}`)
}

test('low stock and exhausted come by stream as they happen, and are lines of the log', async () => {
  await made('SALE20', 20)
  const coming = streamed(2)
  await redeemed('SALE20', 0, 20)
  expect(named(await coming)).toEqual(['LOW_STOCK SALE20', 'EXHAUSTED SALE20'])
  expect(named(await events())).toEqual(['LOW_STOCK SALE20', 'EXHAUSTED SALE20'])
  expect(server.log.filter(({ msg }) => msg === 'event').map(({ event }) => event)).toEqual(['LOW_STOCK', 'EXHAUSTED'])
})

test('nothing is found twice after a SIGKILL, and nothing that was about to be found is missed', async () => {
  await made('KILL30', 30)
  await redeemed('KILL30', 0, 27)
  const before = await streamed(3)
  await redeemed('KILL30', 27, 3)
  // Perhaps looked at, perhaps not.
  http.close()
  await server.kill()
  await start()
  const last = before.at(-1)?.id as string
  expect(named(await streamed(1, last))).toEqual(['EXHAUSTED KILL30'])
  const all = await events()
  expect(named(all)).toEqual(['LOW_STOCK SALE20', 'EXHAUSTED SALE20', 'LOW_STOCK KILL30', 'EXHAUSTED KILL30'])
  expect(all.slice(0, 3)).toEqual(before)
})

test('a feed that was deleted is found again, under other ids', async () => {
  const before = await events()
  http.close()
  await server.stop()
  for (const ending of ['', '-wal', '-shm']) rmSync(join(dataDir, EVENTS_FILE + ending), { force: true })
  await start()
  // An id of the old feed: everything comes again.
  const again = await streamed(before.length, before.at(-1)?.id as string)
  expect(named(again).toSorted()).toEqual(named(before).toSorted())
  expect(again.every(({ id }) => before.every((old) => old.id !== id))).toBe(true)
})
