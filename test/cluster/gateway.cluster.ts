/** A gateway without shards, over a real NATS to their owner: what a checkout sees of it, and of everything that is lost on the way. */
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { auditLog } from '../../cli/audit/audit-log.ts'
import { HttpClient, type HttpReply } from '../support/http-client.ts'
import { ServerProcess, startServer } from '../support/server-process.ts'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'
import { NatsServer } from './nats-server.ts'

const CART = { orderTotal: 1_000, currency: 'EUR' } as const
const LIMIT_MS = 60_000
const BUYERS = 16
const LOOK_MS = 10

let nats: NatsServer
let dataDir: string
let processes: ServerProcess[]
let clients: HttpClient[]

beforeEach(async () => {
  processes = []
  clients = []
  dataDir = temporaryDirectory('cluster')
  nats = await NatsServer.start()
})

afterEach(async () => {
  for (const client of clients) client.close()
  for (const each of processes) if (each.isRunning) await each.kill()
  await nats.kill()
  removeDirectory(dataDir)
})

async function owner(): Promise<ServerProcess> {
  const server = await startServer({ dataDir, settings: { NATS_URL: nats.url } })
  processes.push(server)
  await server.hasSaid('shards are served over NATS')
  return server
}

function gatewayProcess(): ServerProcess {
  const server = new ServerProcess({
    dataDir: `${dataDir}/gateway`,
    command: 'gateway',
    settings: { NATS_URL: nats.url },
  })
  processes.push(server)
  return server
}

async function gateway(): Promise<HttpClient> {
  const server = gatewayProcess()
  await server.ready
  return clientOf(server)
}

function clientOf({ port }: ServerProcess): HttpClient {
  const client = new HttpClient(port, BUYERS)
  clients.push(client)
  return client
}

function redeem(http: HttpClient, orderId: string): Promise<HttpReply> {
  return http.post('/v1/redemptions', { codes: ['FAR'], userId: `user-${orderId}`, orderId, cart: CART })
}

/** The code of a refusal, or the status. */
function said({ status, json }: HttpReply): string {
  const { code } = json as { readonly code?: string }
  return code ?? String(status)
}

it('answers as the owner does: coupons, validation, reservations, redemptions, retries', {
  timeout: LIMIT_MS,
}, async () => {
  const own = clientOf(await owner())
  const http = await gateway()
  const created = await http.post('/v1/coupons', { code: 'FAR', type: 'PERCENT', value: 10, maxUses: 3 })
  expect(created.status).toBe(201)
  expect(await http.post('/v1/validate', { codes: ['FAR'], cart: CART })).toMatchObject({ json: { valid: true } })
  const reserved = await http.post('/v1/reservations', { codes: ['FAR'], userId: 'a', ttlSeconds: 60 })
  expect(reserved.status).toBe(201)
  const id = String(reserved.json['reservationId'])
  const redeemed = await http.post(`/v1/reservations/${id}/redeem`, { orderId: 'o-1', cart: CART })
  expect(redeemed.status).toBe(201)
  const again = await http.post(`/v1/reservations/${id}/redeem`, { orderId: 'o-1', cart: CART })
  expect([again.status, again.json['redemptionId']]).toEqual([200, redeemed.json['redemptionId']])
  expect((await redeem(http, 'o-2')).status).toBe(201)
  expect((await redeem(own, 'o-2')).status).toBe(200)
  expect((await redeem(own, 'o-3')).status).toBe(201)
  expect(said(await redeem(http, 'o-4'))).toBe('COUPON_EXHAUSTED')
  const [near, far] = await Promise.all([own.get('/v1/coupons/FAR'), http.get('/v1/coupons/FAR')])
  expect(far.json).toEqual(near.json)
  expect(far.json['uses']).toBe(3)
  expect((await http.get('/readyz')).status).toBe(200)
})

it('never gives a use twice, over two gateways and the owner at once', { timeout: LIMIT_MS }, async () => {
  const own = clientOf(await owner())
  const ways = [own, await gateway(), await gateway()]
  await own.post('/v1/coupons', { code: 'FAR', type: 'PERCENT', value: 10, maxUses: 500 })
  const answers = await Promise.all(
    Array.from({ length: 1_200 }, (_, i) => redeem(ways[i % ways.length] as HttpClient, `order-${i}`)),
  )
  const counts = new Map<string, number>()
  for (const answer of answers) counts.set(said(answer), (counts.get(said(answer)) ?? 0) + 1)
  expect(Object.fromEntries(counts)).toEqual({ 201: 500, COUPON_EXHAUSTED: 700 })
})

it('tells what is not done from what nobody knows, while the owner is killed and comes back', {
  timeout: LIMIT_MS,
}, async () => {
  const first = await owner()
  const http = await gateway()
  await http.post('/v1/coupons', { code: 'FAR', type: 'PERCENT', value: 10 })
  const acknowledged = new Set<string>()
  const refused = new Set<string>()
  const codes = new Set<string>()
  let isOver = false
  const buyer = async (name: string): Promise<void> => {
    for (let i = 0; !isOver; i++) {
      const orderId = `${name}-${i}`
      // One retry with the same order makes any answer safe; until it succeeds the buyer stays with it.
      for (let isBought = false; !isBought && !isOver; ) {
        const reply = await redeem(http, orderId)
        if (reply.status === 201 || reply.status === 200) {
          acknowledged.add(orderId)
          isBought = true
        } else {
          codes.add(said(reply))
          if (said(reply) === 'OUTCOME_UNKNOWN') refused.add(orderId)
          await wait(LOOK_MS)
        }
      }
    }
  }
  const buyers = Array.from({ length: BUYERS }, (_, i) => buyer(`buyer-${i}`))
  const bought = async (more: number): Promise<void> => {
    const from = acknowledged.size
    while (acknowledged.size < from + more) await wait(LOOK_MS)
  }
  await bought(200)
  await first.kill()
  while (codes.size === 0) await wait(LOOK_MS)
  const second = await owner()
  await bought(200)
  isOver = true
  await Promise.all(buyers)
  expect([...codes].filter((code) => code !== 'OUTCOME_UNKNOWN' && code !== 'SHARD_UNAVAILABLE')).toEqual([])
  const shown = Number((await http.get('/v1/coupons/FAR')).json['uses'])
  await second.stop()
  const audit = auditLog(dataDir)
  expect(audit.faults).toEqual([])
  const logged = new Set(audit.coupons.get('FAR')?.redemptions.map(({ orderId }) => orderId))
  expect(logged.size).toBe(shown)
  for (const orderId of acknowledged) expect(logged.has(orderId), orderId).toBe(true)
})

it('refuses while there is no owner and while NATS is gone, and goes on by itself', { timeout: LIMIT_MS }, async () => {
  const waiting = gatewayProcess()
  await waiting.hasSaid('waiting for a process that owns the shards')
  const first = await owner()
  await waiting.ready
  const http = clientOf(waiting)
  await http.post('/v1/coupons', { code: 'FAR', type: 'PERCENT', value: 10 })
  await first.stop()
  const alone = await redeem(http, 'o-1')
  expect([alone.status, said(alone)]).toEqual([503, 'SHARD_UNAVAILABLE'])
  const second = await owner()
  expect((await redeem(http, 'o-1')).status).toBe(201)

  await nats.kill()
  await waiting.hasSaid('the connection to NATS is lost; calls are refused until it is back')
  const cutOff = await redeem(http, 'o-2')
  expect([cutOff.status, said(cutOff)]).toEqual([503, 'SHARD_UNAVAILABLE'])
  expect((await http.get('/readyz')).status).toBe(503)
  expect((await redeem(clientOf(second), 'o-3')).status).toBe(201)
  await nats.start()
  await waiting.hasSaid('the connection to NATS is back')
  while ((await redeem(http, 'o-2')).status !== 201) await wait(LOOK_MS)
  expect((await redeem(http, 'o-3')).status).toBe(200)
})

it('lets no second owner begin', { timeout: LIMIT_MS }, async () => {
  await owner()
  const other = new ServerProcess({ dataDir: `${dataDir}/other`, settings: { NATS_URL: nats.url } })
  processes.push(other)
  expect((await other.ended).code).toBe(1)
  expect(other.lastErrorLine).toMatch(/^tearoff: the shards of cluster tearoff are owned by another process .* already/)
})

it('says what is wrong when NATS cannot be reached, and shows no password', { timeout: LIMIT_MS }, async () => {
  const settings = { NATS_URL: 'nats://shop:secret-word@127.0.0.1:1' }
  const server = new ServerProcess({ dataDir, command: 'gateway', settings })
  processes.push(server)
  expect((await server.ended).code).toBe(1)
  expect(server.lastErrorLine).toMatch(/^tearoff: NATS at 127\.0\.0\.1:1 cannot be used: /)
  expect(server.lastWords).not.toContain('secret-word')
})
