// Lists of a real server: what was answered a moment ago stands in them, pages hold under load, and whatever is killed or
// deleted, the lists come back as the log has them.

import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DATABASE_FILE } from '../../readmodel/database.ts'
import { HttpClient, type HttpReply } from '../support/http-client.ts'
import { PRODUCT_ENTRY, PROJECT_ROOT } from '../support/project.ts'
import { type ServerProcess, startServer } from '../support/server-process.ts'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'

const EUR_50 = { orderTotal: 5_000, currency: 'EUR' }
const UNTIL_MS_MAX = 30_000

interface Page {
  readonly data: readonly Record<string, unknown>[]
  readonly nextCursor: string | null
}

class Shop {
  readonly http: HttpClient

  constructor(server: ServerProcess) {
    this.http = new HttpClient(server.port)
  }

  async coupon(code: string, fields: Record<string, unknown> = {}): Promise<void> {
    await done(201, this.http.post('/v1/coupons', { code, type: 'PERCENT', value: 10, ...fields }))
  }

  /** The answer. */
  async redeem(code: string, userId: string, orderId: string): Promise<Record<string, unknown>> {
    const body = { codes: [code], userId, orderId, cart: EUR_50 }
    return (await done(201, this.http.post('/v1/redemptions', body))).json
  }

  /** As soon as the lists have reached the moment of the request: they may lag, and say so. */
  async page(path: string): Promise<Page> {
    const untilMs = performance.now() + UNTIL_MS_MAX
    for (;;) {
      const { json, headers } = await done(200, this.http.get(`/v1${path}`))
      if (headers['x-tearoff-lag-ms'] === '0') return json as unknown as Page
      if (performance.now() > untilMs) throw new Error(`the lists are behind for ${UNTIL_MS_MAX} ms`)
    }
  }

  /** All pages of a list. */
  async all(path: string, limit: number, between: () => Promise<unknown> = async () => {}): Promise<Page['data']> {
    const data: Record<string, unknown>[] = []
    let cursor = ''
    for (;;) {
      const page = await this.page(`${path}${path.includes('?') ? '&' : '?'}limit=${limit}${cursor}`)
      if (page.data.length > limit) throw new Error(`${page.data.length} items on a page of ${limit}`)
      data.push(...page.data)
      if (page.nextCursor === null) return data
      cursor = `&cursor=${page.nextCursor}`
      await between()
    }
  }
}

async function done(status: number, sent: Promise<HttpReply>): Promise<HttpReply> {
  const reply = await sent
  if (reply.status !== status) throw new Error(`${reply.status} instead of ${status}: ${reply.text}`)
  return reply
}

/** Asks again until the status is that. */
async function until(status: number, send: () => Promise<HttpReply>): Promise<HttpReply> {
  const untilMs = performance.now() + UNTIL_MS_MAX
  while (performance.now() < untilMs) {
    const reply = await send()
    if (reply.status === status) return reply
  }
  throw new Error(`no ${status} within ${UNTIL_MS_MAX} ms`)
}

/** By the command; how many events it found. */
function rebuild(dataDir: string): number {
  const args = [PRODUCT_ENTRY, 'read-model', 'rebuild', '--json', '--data-dir', dataDir]
  return (JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as { events: number }).events
}

function ids(data: Page['data'], name = 'redemptionId'): string[] {
  return data.map((each) => String(each[name]))
}

describe('lists of a server', () => {
  const dataDir = temporaryDirectory('lists')
  let server: ServerProcess
  let shop: Shop

  beforeAll(async () => {
    server = await startServer({ dataDir })
    shop = new Shop(server)
  })
  afterAll(async () => {
    shop.http.close()
    await server.stop()
    removeDirectory(dataDir)
  })

  it('show what was answered a moment ago, as a read by id shows it', async () => {
    await shop.coupon('NOW', { maxUses: 9, category: 'now' })
    for (let i = 0; i < 5; i++) {
      const redemption = await shop.redeem('NOW', 'nora', `now-${i}`)
      expect(await shop.page(`/redemptions?orderId=now-${i}`)).toEqual({ data: [redemption], nextCursor: null })
      const { json: one } = await shop.http.get('/v1/coupons/NOW')
      expect((await shop.page('/coupons?category=now')).data).toEqual([one])
    }
    const { json: reservation } = await done(
      201,
      shop.http.post('/v1/reservations', { codes: ['NOW'], userId: 'nora', cart: EUR_50 }),
    )
    expect((await shop.page('/reservations?userId=nora&couponId=now')).data).toEqual([reservation])
    await done(204, shop.http.call('DELETE', `/v1/reservations/${String(reservation['reservationId'])}`))
    expect((await shop.page('/reservations?userId=nora')).data).toMatchObject([{ status: 'RELEASED' }])
    expect(ids((await shop.page('/redemptions?userId=nora')).data)).toHaveLength(5)
  })

  it('tell the life of a coupon', async () => {
    await shop.coupon('LIFE', { maxUses: 2 })
    const { redemptionId } = await shop.redeem('LIFE', 'lea', 'life-1')
    await done(200, shop.http.post(`/v1/redemptions/${String(redemptionId)}/reverse`, { reason: 'refund' }))
    await done(200, shop.http.post('/v1/coupons/LIFE/expire', { reason: 'over' }))
    const history = await shop.all('/coupons/LIFE/history', 2)
    expect(history).toMatchObject([
      { type: 'COUPON_CREATED', coupon: { code: 'LIFE', maxUses: 2 } },
      { type: 'REDEEMED', redemptionId, userId: 'lea', orderId: 'life-1', amount: 500, currency: 'EUR' },
      { type: 'REDEMPTION_REVERSED', redemptionId, reason: 'refund', returnUse: true },
      { type: 'COUPON_CHANGED', change: 'EXPIRED', reason: 'over' },
    ])
    const at = history.map((each) => Date.parse(String(each['at'])))
    expect(at).toEqual(at.toSorted((a, b) => a - b))
    expect((await shop.page('/coupons?status=EXPIRED')).data).toMatchObject([{ code: 'LIFE', uses: 0 }])
  })

  it('hold page by page while redemptions go on, on many coupons and shards', async () => {
    const codes = Array.from({ length: 24 }, (_, i) => `PAGE-${i}-${String.fromCharCode(65 + i)}`)
    for (const code of codes) await shop.coupon(code)
    const before = new Map<string, string>()
    for (let i = 0; i < 120; i++) {
      const { redemptionId, redeemedAt } = await shop.redeem(codes[i % codes.length] as string, 'paul', `page-${i}`)
      before.set(String(redemptionId), String(redeemedAt))
    }
    let order = 1_000
    const read = ids(
      await shop.all('/redemptions?userId=paul', 17, async () => {
        for (let i = 0; i < 5; i++) await shop.redeem(codes[order % codes.length] as string, 'paul', `page-${order++}`)
      }),
    )
    expect(new Set(read).size).toBe(read.length)
    expect([...before.keys()].filter((id) => !read.includes(id))).toEqual([])
    // The newest first; those of one millisecond in any order.
    const times = read.flatMap((id) => before.get(id) ?? [])
    expect(times).toEqual([...before.values()].toReversed())
  })

  it('filter by time', async () => {
    await shop.coupon('TIMED')
    const first = await shop.redeem('TIMED', 'tim', 'timed-1')
    const second = await shop.redeem('TIMED', 'tim', 'timed-2')
    const at = String(second['redeemedAt'])
    const sameMoment = first['redeemedAt'] === at
    expect(ids((await shop.page(`/redemptions?couponId=TIMED&to=${at}`)).data)).toEqual(sameMoment ? [] : ids([first]))
    expect(ids((await shop.page(`/redemptions?couponId=TIMED&from=${at}`)).data)).toEqual(
      sameMoment ? ids([second, first]) : ids([second]),
    )
  })
})

describe('lists after an accident', () => {
  it('are whole after a SIGKILL under load, after the database was deleted, and after a rebuild', {
    timeout: 60_000,
  }, async () => {
    const dataDir = temporaryDirectory('lists-killed')
    let server = await startServer({ dataDir })
    let shop = new Shop(server)
    await shop.coupon('KILLED')
    const acknowledged: string[] = []
    const buyers = Array.from({ length: 8 }, async (_, buyer) => {
      for (let i = 0; ; i++) {
        acknowledged.push(String((await shop.redeem('KILLED', `buyer-${buyer}`, `o-${buyer}-${i}`))['redemptionId']))
      }
    })
    const ended = Promise.allSettled(buyers)
    // Lists in between, so that it is killed at work.
    for (let i = 0; i < 10; i++) await shop.page('/redemptions?couponId=KILLED')
    await server.kill()
    await ended
    shop.http.close()
    const lists: string[][] = []
    let rebuiltEvents = 0
    for (const accident of ['killed', 'deleted', 'rebuilt'] as const) {
      if (accident === 'deleted') {
        for (const ending of ['', '-wal', '-shm']) rmSync(join(dataDir, DATABASE_FILE + ending), { force: true })
      }
      if (accident === 'rebuilt') rebuiltEvents = rebuild(dataDir)
      server = await startServer({ dataDir })
      shop = new Shop(server)
      lists.push(ids(await shop.all('/redemptions?couponId=KILLED', 200)))
      const { json } = await shop.http.get('/v1/coupons/KILLED')
      expect(lists.at(-1)).toHaveLength(Number(json['uses']))
      shop.http.close()
      await server.stop()
    }
    expect(acknowledged.length).toBeGreaterThan(20)
    expect(acknowledged.filter((id) => !(lists[0] as string[]).includes(id))).toEqual([])
    expect(rebuiltEvents).toBe(1 + (lists[0] as string[]).length)
    expect(lists[1]).toEqual(lists[0])
    expect(lists[2]).toEqual(lists[0])
    removeDirectory(dataDir)
  })

  it('are refused while their thread is dead, checkouts go on, and then they are back', {
    timeout: 60_000,
  }, async () => {
    const dataDir = temporaryDirectory('lists-dead')
    const trigger = join(dataDir, 'die')
    const preload = join(PROJECT_ROOT, 'dist', 'test', 'readmodel', 'sick-projector-thread.js')
    const server = await startServer({
      dataDir,
      nodeOptions: ['--import', preload],
      env: { TEST_LISTS_DIE: trigger },
    })
    const shop = new Shop(server)
    await shop.coupon('ALIVE')
    expect((await shop.page('/coupons')).data).toHaveLength(1)
    execFileSync('touch', [trigger])
    const refused = await until(503, () => shop.http.get('/v1/coupons'))
    expect(refused.json).toMatchObject({ code: 'SHARD_UNAVAILABLE', detail: expect.stringMatching(/lists/) })
    for (let i = 0; i < 20; i++) await shop.redeem('ALIVE', 'anna', `alive-${i}`)
    expect((await shop.http.get('/readyz')).status).toBe(200)
    rmSync(trigger)
    await until(200, () => shop.http.get('/v1/coupons'))
    expect(ids((await shop.page('/redemptions?userId=anna')).data)).toHaveLength(20)
    expect(server.log.some(({ msg }) => String(msg).startsWith('the read model died'))).toBe(true)
    shop.http.close()
    await server.stop()
    removeDirectory(dataDir)
  })

  it('of a directory put back to an earlier state are built anew', { timeout: 60_000 }, async () => {
    const dataDir = temporaryDirectory('lists-restored')
    const earlier = temporaryDirectory('lists-earlier')
    let server = await startServer({ dataDir })
    let shop = new Shop(server)
    await shop.coupon('KEPT')
    await shop.redeem('KEPT', 'kim', 'kept-1')
    shop.http.close()
    await server.stop()
    execFileSync('cp', ['-a', `${dataDir}/.`, earlier])
    server = await startServer({ dataDir })
    shop = new Shop(server)
    for (let i = 0; i < 5; i++) await shop.redeem('KEPT', 'kim', `lost-${i}`)
    expect((await shop.page('/redemptions?userId=kim')).data).toHaveLength(6)
    shop.http.close()
    await server.stop()
    // The log of before, beside the database of afterwards.
    execFileSync('cp', ['-a', join(dataDir, DATABASE_FILE), join(earlier, DATABASE_FILE)])
    server = await startServer({ dataDir: earlier })
    shop = new Shop(server)
    await shop.redeem('KEPT', 'kim', 'another')
    const read = await shop.all('/redemptions?userId=kim', 50)
    expect(read.map(({ orderId }) => orderId)).toEqual(['another', 'kept-1'])
    expect(server.log.some(({ msg }) => String(msg).startsWith('the read model is built anew'))).toBe(true)
    shop.http.close()
    await server.stop()
    removeDirectory(dataDir)
    removeDirectory(earlier)
  })
})
