// The clock of the machine jumps by hours while a server runs: no limit is passed, the log's time never goes back, reservations end
// after their own time and no sooner or later, and a start far behind the log is refused. Needs a C compiler; where there is
// none, jumps are proved over the shards' clock alone (test/engine) and by Date.now replaced (test/server/storage.test.ts).

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { auditLog } from '../../cli/audit/audit-log.ts'
import { HttpClient } from '../support/http-client.ts'
import { ServerProcess, startServer } from '../support/server-process.ts'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'
import { canCompile, MovedClock } from './moved-clock.ts'

const HOUR_MS = 3_600_000
const LIMIT_MS = 120_000
const CART = { orderTotal: 1_000, currency: 'EUR' } as const
/** A short reservation, and what a busy machine may add until somebody sees its end. */
const SHORT_SECONDS = 1
const SEEN_LATE_MS = 10_000
const SCARCE_USES = 60

let directory: string
let dataDir: string
let clock: MovedClock
let servers: ServerProcess[]

beforeEach(() => {
  directory = temporaryDirectory('clock')
  dataDir = `${directory}/data`
  servers = []
})

afterEach(async () => {
  for (const server of servers) if (server.isRunning) await server.kill()
  removeDirectory(directory)
})

async function started(): Promise<{ readonly server: ServerProcess; readonly http: HttpClient }> {
  const server = await startServer({ dataDir, ...clock.server })
  servers.push(server)
  return { server, http: new HttpClient(server.port, 16) }
}

async function reserve(http: HttpClient, userId: string, ttlSeconds: number): Promise<string> {
  const reply = await http.post('/v1/reservations', { codes: ['HELD'], userId, cart: CART, ttlSeconds })
  expect(reply.status, reply.text).toBe(201)
  return String(reply.json['reservationId'])
}

async function statusOf(http: HttpClient, reservationId: string): Promise<string> {
  return String((await http.get(`/v1/reservations/${reservationId}`)).json['status'])
}

/** Milliseconds of this process's monotonic clock until the reservation has run out. */
async function lapse(http: HttpClient, userId: string): Promise<number> {
  const fromMs = performance.now()
  const id = await reserve(http, userId, SHORT_SECONDS)
  while ((await statusOf(http, id)) === 'RESERVED') await new Promise((resolve) => setImmediate(resolve))
  return performance.now() - fromMs
}

interface Bought {
  readonly acknowledged: string[]
  readonly refusals: Set<unknown>
}

/** Buys until it is stopped or the server is gone. */
async function buy(http: HttpClient, buyer: string, isOver: () => boolean): Promise<Bought> {
  const acknowledged: string[] = []
  const refusals = new Set<unknown>()
  for (let i = 0; !isOver(); i++) {
    const orderId = `${buyer}-${i}`
    const body = { codes: [i % 2 === 0 ? 'SCARCE' : 'OPEN'], userId: orderId, orderId, cart: CART }
    const reply = await http.post('/v1/redemptions', body).catch(() => null)
    if (reply === null) break
    if (reply.status === 201) acknowledged.push(orderId)
    else refusals.add(reply.json['code'])
  }
  return { acknowledged, refusals }
}

function testsWithCompiler(): void {
  it('by hours in both directions change nothing that was promised', { timeout: LIMIT_MS }, async () => {
    clock = new MovedClock(directory)
    const { server, http } = await started()
    const offer = { type: 'PERCENT', value: 10 }
    const validUntil = new Date(Date.now() + 3 * HOUR_MS).toISOString()
    const coupons = [
      { code: 'SCARCE', maxUses: SCARCE_USES, ...offer },
      { code: 'OPEN', validUntil, ...offer },
      { code: 'HELD', maxUses: 10, ...offer },
    ]
    for (const coupon of coupons) expect((await http.post('/v1/coupons', coupon)).status).toBe(201)
    let isOver = false
    const buyers = Array.from({ length: 4 }, async (_, i) => await buy(http, `buyer-${i}`, () => isOver))
    const long = await reserve(http, 'long', 300)
    for (const offsetMs of [6 * HOUR_MS, -12 * HOUR_MS, 0, -1 * HOUR_MS]) {
      clock.moveTo(offsetMs)
      const tookMs = await lapse(http, `short ${offsetMs}`)
      // The shards' clock is led by at most 1 % towards the other.
      expect(tookMs).toBeGreaterThan(SHORT_SECONDS * 980)
      expect(tookMs).toBeLessThan(SHORT_SECONDS * 1_000 + SEEN_LATE_MS)
      expect(await statusOf(http, long)).toBe('RESERVED')
    }
    isOver = true
    const bought = await Promise.all(buyers)
    const acknowledged = bought.flatMap((each) => each.acknowledged)
    // Nothing but the coupon that ran out: OPEN stays valid, whatever the clock of the machine says.
    expect(new Set(bought.flatMap(({ refusals }) => [...refusals]))).toEqual(new Set(['COUPON_EXHAUSTED']))
    const { json } = await http.get('/v1/coupons/OPEN')
    expect(json['status']).toBe('ACTIVE')
    const differed = (await http.get('/v1/events?types=CLOCK_DIFFERED')).json['data'] as unknown[]
    expect(differed.length).toBeGreaterThan(0)
    http.close()
    await server.kill()

    const audit = auditLog(dataDir)
    // Among them: that time goes backwards, that a limit was passed.
    expect(audit.faults).toEqual([])
    expect(audit.coupons.get('SCARCE')).toMatchObject({ uses: SCARCE_USES, maxSeen: SCARCE_USES })
    expect(audit.coupons.get('OPEN')?.uses).toBe(json['uses'])
    const logged = ['SCARCE', 'OPEN'].flatMap((code) => audit.coupons.get(code)?.redemptions ?? [])
    expect(new Set(logged.map(({ orderId }) => orderId))).toEqual(new Set(acknowledged))

    // An hour behind the log: refused, and nothing was written.
    const refused = new ServerProcess({ dataDir, ...clock.server })
    servers.push(refused)
    expect((await refused.ended).code).toBe(1)
    expect(refused.lastErrorLine).toMatch(
      /the clock of this machine is 3[56]\d\d s behind the last logged time; set the clock, then start again/,
    )

    // Hours ahead: what has run out meanwhile is over, and no use comes back.
    clock.moveTo(6 * HOUR_MS)
    const later = await started()
    expect(await statusOf(later.http, long)).toBe('EXPIRED')
    expect((await later.http.get('/v1/coupons/OPEN')).json['status']).toBe('EXPIRED')
    expect((await later.http.get('/v1/coupons/SCARCE')).json).toMatchObject({ uses: SCARCE_USES, remaining: 0 })
    later.http.close()
    await later.server.stop()
    clock.close()
    expect(auditLog(dataDir).faults).toEqual([])
  })
}

function testWithoutCompiler(): void {
  it('are not possible here: there is no C compiler', () => expect(canCompile()).toBe(false))
}

const tests = canCompile() ? testsWithCompiler : testWithoutCompiler

describe('jumps of the clock', () => {
  tests()
})
