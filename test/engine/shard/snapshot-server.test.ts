/** Snapshots in the real process: made while it serves, used by the start after a SIGKILL. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { auditLog } from '../../../cli/audit/audit-log.ts'
import { HttpClient } from '../../support/http-client.ts'
import { startServer, type ServerProcess } from '../../support/server-process.ts'
import { removeDirectory, temporaryDirectory } from '../../support/temporary-directory.ts'

const SETTINGS = { WORKERS: '2', SHARDS: '4', SNAPSHOT_EVENTS: '150' }
const COUPONS = 8
const REDEMPTIONS = 600

/** Redeems so many times, 32 calls at once; returns what was acknowledged. */
async function redeem(http: HttpClient, from: number, count: number): Promise<number> {
  let next = from
  let done = 0
  const buyer = async (): Promise<void> => {
    while (next < from + count) {
      const order = next++
      const cart = { currency: 'EUR', lines: [{ productId: 'p', quantity: 1, unitPrice: 1_000 }] }
      const body = { codes: [`SNAP-${order % COUPONS}`], userId: `u${order}`, orderId: `o${order}`, cart }
      const { status } = await http.post('/v1/redemptions', body)
      expect(status).toBe(201)
      done++
    }
  }
  await Promise.all(Array.from({ length: 32 }, buyer))
  return done
}

function linesOf(server: ServerProcess, message: string): Record<string, unknown>[] {
  return server.log.filter(({ msg }) => msg === message)
}

/** Resolves when the server has said so that often; fails with the test's own limit. */
async function said(server: ServerProcess, message: string, times: number): Promise<void> {
  while (linesOf(server, message).length < times) await new Promise((resolve) => setTimeout(resolve, 20))
}

test('a killed server starts from its snapshots with every counter as it was', { timeout: 60_000 }, async () => {
  const dataDir = temporaryDirectory('snapshots')
  let server = await startServer({ dataDir, settings: SETTINGS })
  let http = new HttpClient(server.port)
  for (let coupon = 0; coupon < COUPONS; coupon++) {
    await http.post('/v1/coupons', { code: `SNAP-${coupon}`, type: 'PERCENT', value: 10, maxUsesPerUser: 1 })
  }
  let acknowledged = 0
  for (let generation = 1; generation <= 3; generation++) {
    acknowledged += await redeem(http, acknowledged, REDEMPTIONS / 3)
    await said(server, 'snapshots made', generation)
  }
  // Behind the last snapshots.
  acknowledged += await redeem(http, acknowledged, 50)
  http.close()
  await server.kill()
  expect(readdirSync(join(dataDir, 'archive'), { recursive: true }).some((name) => String(name).endsWith('.mdb'))).toBe(
    true,
  )

  server = await startServer({ dataDir, settings: SETTINGS })
  const ready = linesOf(server, 'ready').at(-1)
  expect(Number(ready?.['events'])).toBeGreaterThan(0)
  expect(Number(ready?.['events'])).toBeLessThan(acknowledged)
  http = new HttpClient(server.port)
  let uses = 0
  for (let coupon = 0; coupon < COUPONS; coupon++) {
    uses += Number((await http.get(`/v1/coupons/SNAP-${coupon}`)).json['uses'])
  }
  expect(uses).toBe(acknowledged)
  // A retry of the very first order is found in the archive.
  const cart = { currency: 'EUR', lines: [{ productId: 'p', quantity: 1, unitPrice: 1_000 }] }
  const again = await http.post('/v1/redemptions', { codes: ['SNAP-0'], userId: 'u0', orderId: 'o0', cart })
  expect([again.status, again.headers['idempotent-replayed']]).toEqual([200, 'true'])
  http.close()
  await server.stop()

  const audit = auditLog(dataDir)
  expect(audit.faults).toEqual([])
  expect([...audit.coupons.values()].reduce((sum, coupon) => sum + coupon.uses, 0)).toBe(acknowledged)
  removeDirectory(dataDir)
})
