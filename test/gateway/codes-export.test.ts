// The export over a real socket and scripted shards: it goes at the pace of who reads it, holds no more than some pages, and never ends
// as if it were whole when it is not.

import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { EXPORT_PAGE_CODES, EXPORTS_MAX } from '../../gateway/limits.ts'
import { SETTLED } from '../../engine/transport/port.ts'
import { COMMAND } from '../../protocol/commands.ts'
import { BULK_ORDINALS } from '../../protocol/ordinals.ts'
import { type CampaignOutcome, type CodesOutcome, OUTCOME } from '../../protocol/outcomes.ts'
import { offerWith } from '../engine/support/samples.ts'
import { HttpClient } from '../support/http-client.ts'
import { AT_MS, type Asked, type Reply } from './support/fake-transport.ts'
import { send, startTestGateway, type TestGateway } from './support/gateway.ts'

const PAGES = 300
const STILL_MS = 200
const CAMPAIGN: CampaignOutcome = {
  type: OUTCOME.CAMPAIGN,
  index: 3,
  status: 'ACTIVE',
  codes: PAGES * EXPORT_PAGE_CODES,
  poolSize: 0,
  uses: 0,
  reserved: 0,
  discountTotalMinor: 0,
  version: 1,
  createdAtMs: AT_MS,
  updatedAtMs: AT_MS,
  definition: {
    name: 'sale',
    offer: offerWith({ type: 'FREESHIP', percentBps: 0 }),
    merchantId: null,
    listed: false,
    validFromMs: null,
    validUntilMs: null,
    timezone: 'UTC',
    maxUses: null,
    maxUsesPerUser: null,
    budgetMinor: null,
    dailyLimit: null,
    lockSeconds: 300,
    lowStockPpm: 100_000,
  },
}

let test: TestGateway

beforeEach(async () => {
  test = await startTestGateway({ drainMs: 100 })
  test.transport.script = allPages
})

afterEach(async () => {
  await test.gateway.close()
})

function allPages({ command }: Asked): Reply {
  if (command.type !== COMMAND.LIST_CODES) return CAMPAIGN
  return pageFrom(Math.max(BULK_ORDINALS, command.fromOrdinal), command.limit)
}

function pageFrom(first: number, limit: number): CodesOutcome {
  const codes = Array.from({ length: limit }, (_, index) => ({
    ordinal: first + index,
    code: `C${first + index}`,
    status: 'ACTIVE' as const,
    holder: null,
    createdAtMs: AT_MS,
    lockedUntilMs: 0,
    redeemedAtMs: 0,
  }))
  const next = first + limit
  return { type: OUTCOME.CODES, codes, nextOrdinal: next < BULK_ORDINALS + PAGES * EXPORT_PAGE_CODES ? next : 0 }
}

function pagesAsked(): number {
  return test.transport.asked.filter(({ command }) => command.type === COMMAND.LIST_CODES).length
}

/** Pages asked for when nothing has moved for a while. */
async function whenStill(): Promise<number> {
  for (;;) {
    const asked = pagesAsked()
    await pause(STILL_MS)
    if (asked > 0 && pagesAsked() === asked) return asked
  }
}

async function requestWithoutReading(): Promise<Socket> {
  const socket = connect({ port: test.gateway.port, host: '127.0.0.1' })
  socket.pause()
  await new Promise((resolve) => socket.once('connect', resolve))
  socket.write('GET /v1/campaigns/cmp_003/codes.csv HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n')
  return socket
}

it('waits for who reads slowly, and then gives him everything', { timeout: 60_000 }, async () => {
  const socket = await requestWithoutReading()
  // Some megabytes fit into the buffers of both ends.
  expect(await whenStill()).toBeLessThan(PAGES / 2)
  let lines = 0
  let tail = ''
  const ended = new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      for (let at = chunk.indexOf('Z,,\r\n'); at >= 0; at = chunk.indexOf('Z,,\r\n', at + 1)) lines++
      tail = (tail + chunk.toString('latin1')).slice(-64)
      if (tail.endsWith('\r\n0\r\n\r\n')) resolve()
    })
  })
  socket.resume()
  await ended
  socket.destroy()
  expect(pagesAsked()).toBe(PAGES)
  // A row that two pieces share is not seen.
  expect(lines).toBeGreaterThan(PAGES * EXPORT_PAGE_CODES * 0.99)
})

it('stops when the reader leaves', async () => {
  for (let i = 0; i <= EXPORTS_MAX; i++) {
    const asked = pagesAsked()
    const socket = await requestWithoutReading()
    await test.transport.waitForAsked(test.transport.asked.length + 1)
    socket.destroy()
    const still = await whenStill()
    expect(still - asked).toBeLessThan(PAGES)
  }
})

it('breaks off where a shard fails in the middle', async () => {
  test.transport.script = (asked) => (pagesAsked() > 3 ? { settled: SETTLED.NOT_DONE_UNAVAILABLE } : allPages(asked))
  const client = new HttpClient(test.gateway.port)
  await expect(client.get('/v1/campaigns/cmp_003/codes.csv')).rejects.toThrow('the answer was cut off')
  client.close()
})

it('refuses as usual what fails before its beginning', async () => {
  test.transport.script = () => ({ settled: SETTLED.NOT_DONE_UNAVAILABLE })
  const { status, json } = await send(test.gateway.port, { path: '/v1/campaigns/cmp_003/codes.csv' })
  expect([status, (json as { code: string }).code]).toEqual([503, 'SHARD_UNAVAILABLE'])
})

it('is refused beyond a number at a time', async () => {
  const sockets = await Promise.all(Array.from({ length: EXPORTS_MAX }, requestWithoutReading))
  await whenStill()
  const { status, headers } = await send(test.gateway.port, { path: '/v1/campaigns/cmp_003/codes.csv' })
  expect([status, headers['retry-after']]).toEqual([503, '1'])
  for (const socket of sockets) socket.destroy()
})
