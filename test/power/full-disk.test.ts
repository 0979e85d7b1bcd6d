// A disk that fills up under load, a real one of a few hundred mebibytes: first nearly full, where writes are refused and reads go on,
// then full to the last byte, where the process ends with a sentence. Either way all that was acknowledged is in the log and
// nothing else counts, and there is a clean start once there is room. Where mounting is not permitted a limit on the size of
// files stands for it (test/server/storage.test.ts).

import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { auditLog } from '../../cli/audit/audit-log.ts'
import { HttpClient } from '../support/http-client.ts'
import { ServerProcess, startServer } from '../support/server-process.ts'
import { canMount, SmallDisk } from './small-disk.ts'

const MIB = 1_024 * 1_024
/** Below it writes are refused, as docs/operations.md says. */
const RESERVE_BYTES = 256 * MIB
const LIMIT_MS = 120_000
const BUYERS = 8
const LOOK_EVERY_MS = 5
/** The free space is looked at once a second, and a commit comes every few milliseconds. */
const ROUNDS_MAX = 20
const CART = { orderTotal: 1_000, currency: 'EUR' } as const

let disk: SmallDisk
let servers: ServerProcess[]

afterEach(async () => {
  for (const server of servers) if (server.isRunning) await server.kill()
  disk?.unmount()
})

interface Bought {
  readonly acknowledged: Set<string>
  /** Refused, or without an answer. */
  readonly others: Set<string>
  readonly codes: Set<unknown>
  /** Why, of the last one that was refused; '' before. */
  lastRefusal: string
  /** Resolves when the buyers have stopped. */
  over: Promise<unknown>
  stop(): void
}

/** Orders until the server is gone or it is stopped; each order is long, so that the disk fills. */
function buy(http: HttpClient, prefix: string): Bought {
  const acknowledged = new Set<string>()
  const others = new Set<string>()
  const codes = new Set<unknown>()
  let isOver = false
  const buyer = async (name: string): Promise<void> => {
    for (let i = 0; !isOver; i++) {
      const orderId = `${prefix}-${name}-${i}-${'x'.repeat(80)}`
      const body = { codes: ['FULL'], userId: `user-${'y'.repeat(100)}-${name}`, orderId, cart: CART }
      const reply = await http.post('/v1/redemptions', body).catch(() => null)
      if (reply?.status === 201) {
        acknowledged.add(orderId)
        continue
      }
      others.add(orderId)
      if (reply === null) return
      codes.add(reply.json['code'])
      bought.lastRefusal = String(reply.json['detail'])
    }
  }
  const bought: Bought = {
    acknowledged,
    others,
    codes,
    lastRefusal: '',
    over: Promise.resolve(),
    stop: () => {
      isOver = true
    },
  }
  bought.over = Promise.all(Array.from({ length: BUYERS }, (_, i) => buyer(String(i))))
  return bought
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await wait(LOOK_EVERY_MS)
}

async function started(): Promise<{ readonly server: ServerProcess; readonly http: HttpClient }> {
  const server = await startServer({ dataDir: `${disk.path}/data` })
  servers.push(server)
  return { server, http: new HttpClient(server.port, 16) }
}

async function create(http: HttpClient): Promise<void> {
  expect((await http.post('/v1/coupons', { code: 'FULL', type: 'PERCENT', value: 10 })).status).toBe(201)
}

/** Orders of the coupon in the log; the audit finds no fault. */
function logged(): Set<string> {
  const audit = auditLog(`${disk.path}/data`)
  expect(audit.faults).toEqual([])
  const coupon = audit.coupons.get('FULL')
  expect(coupon?.uses).toBe(coupon?.redemptions.length)
  return new Set(coupon?.redemptions.map(({ orderId }) => orderId))
}

async function usesOf(http: HttpClient): Promise<number> {
  return Number((await http.get('/v1/coupons/FULL')).json['uses'])
}

function testsOnSmallDisk(): void {
  it('refuses writes while it is nearly full, reads on, and takes writes again', { timeout: LIMIT_MS }, async () => {
    servers = []
    disk = new SmallDisk(RESERVE_BYTES + 3 * MIB)
    const { server, http } = await started()
    await create(http)
    const first = buy(http, 'first')
    await until(() => first.lastRefusal !== '')
    first.stop()
    await first.over
    expect([...first.codes]).toEqual(['STORAGE_UNAVAILABLE'])
    expect(first.acknowledged.size).toBeGreaterThan(0)
    expect(disk.freeBytes).toBeLessThan(RESERVE_BYTES)
    // The reserve is not eaten up by what was under way.
    expect(disk.freeBytes).toBeGreaterThan(RESERVE_BYTES / 2)
    expect(await usesOf(http)).toBe(first.acknowledged.size)
    const validated = await http.post('/v1/validate', { codes: ['FULL'], cart: CART })
    expect(validated.json).toMatchObject({ valid: true })
    expect((await http.get('/v1/coupons?limit=1')).status).toBe(200)
    expect((await http.get('/v1/coupons/search?search_term=full')).status).toBe(200)
    expect((await http.get('/readyz')).status).toBe(200)

    disk.leaveFree(RESERVE_BYTES + 64 * MIB)
    const second = buy(http, 'second')
    await until(() => second.acknowledged.size > 0)
    second.stop()
    await second.over
    const told = new Set([...first.acknowledged, ...second.acknowledged])
    expect(await usesOf(http)).toBe(told.size)
    http.close()
    await server.stop()
    expect(logged()).toEqual(told)
  })

  it('ends the process when it is full, and starts clean once there is room', { timeout: LIMIT_MS }, async () => {
    servers = []
    disk = new SmallDisk(RESERVE_BYTES + 64 * MIB)
    const { server, http } = await started()
    await create(http)
    const bought = buy(http, 'order')
    await until(() => bought.acknowledged.size >= 100)
    // Now and then the server sees that there is little room before a commit meets the end of it: then once more.
    for (let round = 0; server.isRunning; round++) {
      expect(round).toBeLessThan(ROUNDS_MAX)
      const before = bought.acknowledged.size
      bought.lastRefusal = ''
      disk.leaveFree(4 * 1_024)
      await until(() => !server.isRunning || bought.lastRefusal.includes('nearly full'))
      if (!server.isRunning) break
      disk.leaveFree(RESERVE_BYTES + 64 * MIB)
      await until(() => !server.isRunning || bought.acknowledged.size > before)
    }
    expect((await server.ended).code).toBe(1)
    await bought.over
    http.close()
    for (const code of bought.codes) expect(code).toBe('STORAGE_UNAVAILABLE')
    expect(server.lastErrorLine).toMatch(/^tearoff: .*(?:the disk is full|nearly full).*start again/)
    expect(disk.freeBytes).toBeLessThan(MIB)

    const tooEarly = new ServerProcess({ dataDir: `${disk.path}/data` })
    servers.push(tooEarly)
    expect((await tooEarly.ended).code).toBe(1)
    expect(tooEarly.lastErrorLine).toMatch(/^tearoff: .*(?:full|no space)/)

    disk.leaveFree(RESERVE_BYTES + 64 * MIB)
    const again = await started()
    const uses = await usesOf(again.http)
    again.http.close()
    await again.server.stop()
    const found = logged()
    expect(found.size).toBe(uses)
    for (const orderId of bought.acknowledged) expect(found.has(orderId), orderId).toBe(true)
    // What was never answered may be there; what was never asked is not.
    for (const orderId of found) expect(bought.acknowledged.has(orderId) || bought.others.has(orderId)).toBe(true)
  })
}

function testWithoutDisk(): void {
  it('is not possible here: mounting is not permitted', () => expect(canMount()).toBe(false))
}

const tests = canMount() ? testsOnSmallDisk : testWithoutDisk

describe('a small disk', () => {
  tests()
})
