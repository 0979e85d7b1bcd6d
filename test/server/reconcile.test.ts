// A counter that goes wrong in a running server is found by its reconciliation, named, and told where operators look; the server
// goes on. A server that counts right says nothing.

import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseId } from '../../protocol/ids.ts'
import { HttpClient } from '../support/http-client.ts'
import { PROJECT_ROOT } from '../support/project.ts'
import { type ServerProcess, startServer } from '../support/server-process.ts'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'
import { Trigger } from './sick-server.ts'

const PLANTED = join(PROJECT_ROOT, 'dist', 'test', 'server', 'children', 'planted-counter.js')
const ROUND_MS_MAX = 60_000
let dataDir: string
let besides: string
let server: ServerProcess | null = null

beforeEach(() => {
  dataDir = temporaryDirectory('reconcile-server')
  besides = temporaryDirectory('reconcile-trigger')
})

afterEach(async () => {
  if (server?.isRunning === true) await server.kill()
  server = null
  removeDirectory(dataDir)
  removeDirectory(besides)
})

async function soldOnce(started: ServerProcess): Promise<{ http: HttpClient; couponId: string }> {
  const http = new HttpClient(started.port)
  const made = await http.call('POST', '/v1/coupons', { code: 'SAVE10', type: 'PERCENT', value: 10, maxUses: 100 })
  const cart = { orderTotal: 5_000, currency: 'EUR' }
  const body = { codes: ['SAVE10'], userId: 'ann', orderId: 'o1', cart }
  expect((await http.call('POST', '/v1/redemptions', body)).status).toBe(201)
  return { http, couponId: String(made.json['couponId']) }
}

async function metric(http: HttpClient, name: string): Promise<number> {
  const { text } = await http.call('GET', '/metrics')
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN)
}

describe('reconciliation', () => {
  it('finds a counter that was planted, names the coupon, and lets the server go on', async () => {
    const trigger = new Trigger(besides)
    const started = await startServer({
      dataDir,
      settings: { SHARDS: '1', LOG_LEVEL: 'info' },
      nodeOptions: ['--import', PLANTED],
      env: { TEST_PLANT: trigger.path, TEST_PLANT_ROW: '0:0', TEST_PLANT_MORE: '3' },
    })
    server = started
    const { http, couponId } = await soldOnce(started)
    expect(parseId('cpn_', couponId)).toEqual({ shard: 0, number: 0 })
    trigger.set()
    const line = (): unknown =>
      started.log.find((entry) => entry['event'] === 'COUNTERS_DIFFERED' && 'counter' in entry)
    await expect.poll(line, { timeout: ROUND_MS_MAX, interval: 100 }).toMatchObject({
      level: 50,
      counter: 'uses',
      couponId,
      expected: 1,
      seen: 4,
      msg: 'a counter is not what the log makes',
    })
    // The log names nobody's code; the feed is for those who may know it.
    expect(JSON.stringify(line())).not.toContain('SAVE10')
    expect(await metric(http, 'tearoff_counter_differences_total')).toBe(1)
    const compared = async (): Promise<number> => await metric(http, 'tearoff_reconcile_counters_total')
    await expect.poll(compared, { timeout: ROUND_MS_MAX, interval: 100 }).toBeGreaterThan(0)
    const events = async (): Promise<unknown> =>
      (await http.call('GET', '/v1/events?types=COUNTERS_DIFFERED')).json['data']
    await expect
      .poll(events, { timeout: ROUND_MS_MAX, interval: 100 })
      .toMatchObject([{ type: 'COUNTERS_DIFFERED', couponId, code: 'SAVE10', expected: 1, seen: 4 }])
    const body = { codes: ['SAVE10'], userId: 'bob', orderId: 'o2', cart: { orderTotal: 900, currency: 'EUR' } }
    expect((await http.call('POST', '/v1/redemptions', body)).status).toBe(201)
  }, 120_000)

  it('says nothing of a server that counts right', async () => {
    server = await startServer({ dataDir, settings: { SHARDS: '4' } })
    const { http } = await soldOnce(server)
    const compared = async (): Promise<number> => await metric(http, 'tearoff_reconcile_counters_total')
    await expect.poll(compared, { timeout: ROUND_MS_MAX, interval: 250 }).toBeGreaterThan(0)
    expect(await metric(http, 'tearoff_reconcile_rounds_for_all')).toBe(1)
    expect(await metric(http, 'tearoff_counter_differences_total')).toBe(0)
  }, 120_000)
})
