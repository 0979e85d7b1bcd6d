/** Durability `replicated` over a real JetStream: what is lost with a machine, who may go on, and who may not. */
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { auditLog } from '../../cli/audit/audit-log.ts'
import { HttpClient, type HttpReply } from '../support/http-client.ts'
import { ServerProcess } from '../support/server-process.ts'
import { putToSleep } from '../support/stopped-process.ts'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'
import { NatsServer } from './nats-server.ts'

const CART = { orderTotal: 1_000, currency: 'EUR' } as const
const LIMIT_MS = 120_000
const BUYERS = 16
const LOOK_MS = 10

let nats: NatsServer
let directory: string
let processes: ServerProcess[]
let clients: HttpClient[]

beforeEach(async () => {
  processes = []
  clients = []
  directory = temporaryDirectory('replicated')
  nats = await NatsServer.start('-js', '-sd', `${directory}/nats`)
})

afterEach(async () => {
  for (const client of clients) client.close()
  for (const each of processes) {
    if (each.isRunning) {
      each.signal('SIGCONT')
      await each.kill()
    }
  }
  await nats.kill()
  removeDirectory(directory)
})

/** A process with a disk of its own. */
function node(disk: string): ServerProcess {
  const settings = { NATS_URL: nats.url, DURABILITY: 'replicated', SHARDS: '4' }
  const server = new ServerProcess({ dataDir: `${directory}/${disk}`, settings })
  processes.push(server)
  return server
}

async function ready(disk: string): Promise<ServerProcess> {
  const server = node(disk)
  await server.ready
  return server
}

function clientOf({ port }: ServerProcess): HttpClient {
  const client = new HttpClient(port, BUYERS)
  clients.push(client)
  return client
}

function redeem(http: HttpClient, orderId: string): Promise<HttpReply> {
  return http.post('/v1/redemptions', { codes: ['FAR'], userId: `user-${orderId}`, orderId, cart: CART })
}

async function usesOf(http: HttpClient): Promise<unknown> {
  return (await http.get('/v1/coupons/FAR')).json['uses']
}

/** Orders of the coupon in the log of a stopped process; the audit finds no fault. */
function logged(disk: string): Set<string> {
  const { faults, coupons } = auditLog(`${directory}/${disk}`)
  expect(faults).toEqual([])
  return new Set(coupons.get('FAR')?.redemptions.map(({ orderId }) => orderId))
}

interface Buyers {
  readonly acknowledged: Set<string>
  stop(): Promise<void>
}

/** They buy for as long as somebody answers; each order once. */
function buyers(http: HttpClient, prefix: string): Buyers {
  const acknowledged = new Set<string>()
  let isOver = false
  const buyer = async (name: string): Promise<void> => {
    for (let i = 0; !isOver; i++) {
      const orderId = `${prefix}-${name}-${i}`
      const reply = await redeem(http, orderId).catch(() => null)
      if (reply === null) return
      if (reply.status === 201) acknowledged.add(orderId)
    }
  }
  const all = Promise.all(Array.from({ length: BUYERS }, (_, i) => buyer(String(i))))
  const stop = async (): Promise<void> => {
    isOver = true
    await all
  }
  return { acknowledged, stop }
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await wait(LOOK_MS)
}

it('loses nothing acknowledged with the whole disk of the owner: a new machine goes on', {
  timeout: LIMIT_MS,
}, async () => {
  const first = await ready('first')
  const http = clientOf(first)
  await http.post('/v1/coupons', { code: 'FAR', type: 'PERCENT', value: 10, maxUsesPerUser: 1 })
  expect((await http.get('/livez')).json['durability']).toBe('replicated')
  const sale = buyers(http, 'order')
  await until(() => sale.acknowledged.size >= 300)
  await first.kill()
  await sale.stop()
  removeDirectory(`${directory}/first`)

  const second = await ready('second')
  const again = clientOf(second)
  expect(Number(await usesOf(again))).toBeGreaterThanOrEqual(sale.acknowledged.size)
  for (const orderId of [...sale.acknowledged].slice(0, 50)) expect((await redeem(again, orderId)).status).toBe(200)
  expect((await redeem(again, 'later')).status).toBe(201)
  await second.stop()
  const found = logged('second')
  for (const orderId of sale.acknowledged) expect(found.has(orderId), orderId).toBe(true)
})

it('a machine that was away gets what it lacks, and goes on from there', { timeout: LIMIT_MS }, async () => {
  const first = await ready('first')
  const http = clientOf(first)
  await http.post('/v1/coupons', { code: 'FAR', type: 'PERCENT', value: 10 })
  for (let i = 0; i < 20; i++) expect((await redeem(http, `a-${i}`)).status).toBe(201)
  await first.stop()
  const second = await ready('second')
  const other = clientOf(second)
  for (let i = 0; i < 20; i++) expect((await redeem(other, `b-${i}`)).status).toBe(201)
  await second.stop()
  const third = await ready('first')
  const back = clientOf(third)
  expect(await usesOf(back)).toBe(40)
  expect((await redeem(back, 'b-7')).status).toBe(200)
  await third.stop()
  expect(logged('first').size).toBe(40)
})

it('an owner that slept while another took over is refused by the stream and steps down', {
  timeout: LIMIT_MS,
}, async () => {
  const first = await ready('first')
  const http = clientOf(first)
  await http.post('/v1/coupons', { code: 'FAR', type: 'PERCENT', value: 10, maxUses: 100 })
  for (let i = 0; i < 40; i++) expect((await redeem(http, `a-${i}`)).status).toBe(201)
  await putToSleep(first.pid)
  const inHand = Array.from({ length: BUYERS }, (_, i) => redeem(http, `asleep-${i}`).catch(() => null))
  const second = await ready('second')
  const other = clientOf(second)
  const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => redeem(other, `b-${i}`)))
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(60)
  expect(await usesOf(other)).toBe(100)

  first.signal('SIGCONT')
  // Nobody is told that something was redeemed, and whoever asks again elsewhere gets the truth.
  for (const reply of await Promise.all(inHand)) expect([503, undefined]).toContain(reply?.status)
  expect((await first.ended).code).toBe(1)
  expect(first.lastErrorLine).toMatch(/another process owns|owned by another process/)
  const retried = await redeem(other, 'asleep-0')
  expect([retried.status, retried.json['code']]).toEqual([409, 'COUPON_EXHAUSTED'])

  await second.stop()
  expect(logged('second').size).toBe(100)
  // What only the first had was never confirmed: it says so, and is built anew.
  const back = node('first')
  expect((await back.ended).code).toBe(1)
  expect(back.lastErrorLine).toMatch(/this machine's log and the cluster's differ/)
})

it('what was on disk and not yet in the stream when the owner died goes there at the next start', {
  timeout: LIMIT_MS,
}, async () => {
  const first = await ready('first')
  const http = clientOf(first)
  await http.post('/v1/coupons', { code: 'FAR', type: 'PERCENT', value: 10 })
  for (let i = 0; i < 10; i++) await redeem(http, `a-${i}`)
  await putToSleep(nats.pid)
  const inHand = Array.from({ length: BUYERS }, (_, i) => redeem(http, `cut-${i}`).catch(() => null))
  // Long enough for them to be on the disk; that they are not confirmed is what follows.
  await wait(500)
  await first.kill()
  nats.signal('SIGCONT')
  expect(await Promise.all(inHand)).toEqual(inHand.map(() => null))
  const again = await ready('first')
  const uses = Number(await usesOf(clientOf(again)))
  await again.stop()
  expect(logged('first').size).toBe(uses)
  // The stream has the same.
  const second = await ready('second')
  expect(await usesOf(clientOf(second))).toBe(uses)
  await second.stop()
})

it('a data directory of another deployment is not taken in', { timeout: LIMIT_MS }, async () => {
  await (await ready('first')).stop()
  const alone = new ServerProcess({ dataDir: `${directory}/alone` })
  processes.push(alone)
  await alone.ready
  await alone.stop()
  const stranger = node('alone')
  expect((await stranger.ended).code).toBe(1)
  expect(stranger.lastErrorLine).toMatch(/belongs to another deployment than the cluster's/)
})
