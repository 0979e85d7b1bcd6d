// Every operation and every refusal that exists so far, provoked on the built server with authentication on, and each answer
// held against the OpenAPI document which that server serves. What only a sick server says is provoked on sick servers.

import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FAILURE_GRACE_MS } from '../../engine/supervisor.ts'
import { USER_CALLS } from '../../gateway/guard/guard-limits.ts'
import { GATEWAY_STATUS } from '../../gateway/problem.ts'
import { REFUSALS } from '../../protocol/refusals.ts'
import { Contract, faultsOfRefusal, type OpenApi } from '../gateway/support/contract.ts'
import { type HttpAnswer, startTestGateway } from '../gateway/support/gateway.ts'
import { HttpClient, type HttpReply } from '../support/http-client.ts'
import { PRODUCT_ENTRY } from '../support/project.ts'
import { ServerProcess, startServer } from '../support/server-process.ts'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'
import { connectCalls } from '../support/ws-calls.ts'
import { CAMPAIGNS } from './campaign-provocations.ts'
import { PROVOCATIONS, type Provocation, type Role, Scene } from './provocations.ts'
import { boundedFiles, sick, Trigger } from './sick-server.ts'

/** What a busy machine may take for the last steps of a process. */
const BUSY_MS_MAX = 10_000

const dataDir = temporaryDirectory('contract')
const provokedCodes = new Set<string>()
let server: ServerProcess
let http: HttpClient
let scene: Scene
let contract: Contract

beforeAll(async () => {
  const keys = {
    checkout: createKey('checkout'),
    marketing: createKey('marketing'),
    operations: createKey('operations'),
  }
  server = await startServer({ dataDir, settings: { AUTH: 'on' } })
  http = new HttpClient(server.port)
  scene = new Scene(http, keys)
  contract = new Contract((await http.get('/v1/openapi.json')).json as unknown as OpenApi)
})

afterAll(async () => {
  http.close()
  try {
    await server.stop()
  } finally {
    removeDirectory(dataDir)
  }
})

function createKey(role: Role): string {
  const args = [PRODUCT_ENTRY, 'keys', 'create', '--role', role, '--name', `the ${role}`, '--data-dir', dataDir]
  return execFileSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
}

/** Status, media type, schema, and what stands beside particular codes. */
function expectAsDocumented({ operation, status, code }: Omit<Provocation, 'send'>, reply: HttpReply): void {
  const refusal = reply.status < 300 ? null : reply.json['code']
  expect({ status: reply.status, code: refusal }, reply.text).toEqual({ status, code })
  // Paths that the document does not have answer as every refusal does: the 404 of any call says how.
  const [method, path] = (operation === '' ? 'GET /v1/coupons/{coupon}' : operation).split(' ') as [string, string]
  const held = operation === '' ? { ...reply, status: 404 } : reply
  const isText = String(reply.headers['content-type']).startsWith('text/plain')
  contract.assertAnswer(method, path, isText ? plainText(held) : held)
  expect(code === null ? [] : faultsOfRefusal(reply)).toEqual([])
  if (code !== null) provokedCodes.add(code)
}

/** A media type is documented without its parameters, and its schema is of the text itself. */
function plainText(reply: HttpReply): HttpAnswer {
  return { ...reply, headers: { ...reply.headers, 'content-type': 'text/plain' }, json: reply.text }
}

describe('the contract', () => {
  for (const provocation of [...PROVOCATIONS, ...CAMPAIGNS]) {
    const { operation, status, code } = provocation
    it(`${operation === '' ? 'an unknown path or method' : operation} answers ${status}${code === null ? '' : ` ${code}`}`, async () => {
      expectAsDocumented(provocation, await provocation.send(scene))
    })
  }

  it('names the coupon and the verdicts in a refusal of a call with codes', async () => {
    const code = await scene.coupon({ minOrderAmount: 9_999, currency: 'EUR' })
    const { json } = await scene.redeem(` ${code.toLowerCase()} `)
    expect(json).toMatchObject({
      code: 'MIN_ORDER_NOT_MET',
      coupon: code,
      coupons: [{ code, applicable: false, reason: 'MIN_ORDER_NOT_MET' }],
    })
  })

  it('points at the field that is wrong', async () => {
    const { json } = await scene.send('POST', '/v1/redemptions', {
      codes: ['A-CODE'],
      userId: 'u',
      orderId: 'o',
      cart: { orderTotal: 1.5, currency: 'EUR' },
    })
    expect(json).toMatchObject({ code: 'INVALID_REQUEST', errors: [{ pointer: '/cart/orderTotal' }] })
  })
})

describe('a sick server', () => {
  it('says SHARD_UNAVAILABLE while its log is replayed, OVERLOADED when no more fits, and answers all it took', {
    timeout: 60_000,
  }, async () => {
    const directory = temporaryDirectory('held')
    const hold = new Trigger(directory)
    hold.set()
    const held = new ServerProcess({ dataDir: directory, ...sick('TEST_HOLD', hold) })
    const client = new HttpClient(await held.listening)
    try {
      const unready = await client.post('/v1/validate', { codes: ['X-1'], cart: { orderTotal: 1, currency: 'EUR' } })
      expectAsDocumented({ operation: 'POST /v1/validate', status: 503, code: 'SHARD_UNAVAILABLE' }, unready)
      expectAsDocumented(
        { operation: 'GET /readyz', status: 503, code: 'SHARD_UNAVAILABLE' },
        await client.get('/readyz'),
      )
      hold.clear()
      await held.ready
      expect((await client.post('/v1/coupons', { code: 'HELD', type: 'PERCENT', value: 10 })).status).toBe(201)
      hold.set()
      // Three connections ask for more than the transport takes: the rest is refused, at once.
      const sessions = await Promise.all([0, 1, 2].map((i) => connectCalls(held.port, `h${i}-`)))
      const asked = sessions.flatMap((session) =>
        Array.from({ length: 65_536 }, () => session.call('get', { coupon: 'HELD' })),
      )
      const refused = await Promise.any(
        asked.map(async (answer) => {
          const { error } = await answer
          if (error?.['code'] !== 'OVERLOADED') throw new Error('answered while held')
          return error
        }),
      )
      expect(refused).toMatchObject({ code: 'OVERLOADED', detail: expect.any(String) })
      expectAsDocumented(
        { operation: 'GET /v1/coupons/{coupon}', status: 503, code: 'OVERLOADED' },
        await client.get('/v1/coupons/HELD'),
      )
      hold.clear()
      const answers = await Promise.all(asked)
      expect(answers.filter(({ ok }) => ok).length).toBeGreaterThanOrEqual(65_536)
      expect(answers.every(({ ok, error }) => ok || error?.['code'] === 'OVERLOADED')).toBe(true)
      for (const session of sessions) session.close()
    } finally {
      hold.clear()
      client.close()
      await held.stop()
      removeDirectory(directory)
    }
  })

  it('says OUTCOME_UNKNOWN for what a dying worker had in flight, then SHARD_UNAVAILABLE or nothing, and ends with a sentence', async () => {
    const directory = temporaryDirectory('mortal')
    const die = new Trigger(directory)
    const dying = await startServer({ dataDir: directory, ...sick('TEST_DIE', die) })
    const client = new HttpClient(dying.port)
    try {
      expect((await client.post('/v1/coupons', { code: 'LAST', type: 'PERCENT', value: 10 })).status).toBe(201)
      die.set()
      const reply = await client.post('/v1/redemptions', {
        codes: ['LAST'],
        userId: 'u',
        orderId: 'o',
        cart: { orderTotal: 100, currency: 'EUR' },
      })
      expectAsDocumented({ operation: 'POST /v1/redemptions', status: 503, code: 'OUTCOME_UNKNOWN' }, reply)
      const repliedMs = performance.now()
      expect((await dying.ended).code).toBe(1)
      expect(performance.now() - repliedMs).toBeLessThan(FAILURE_GRACE_MS + BUSY_MS_MAX)
      expect(dying.lastErrorLine).toMatch(/^tearoff: worker 0 ended with exit code 7$/)
      // The order again, on the next process, settles what was unknown.
      die.clear()
      const next = await startServer({ dataDir: directory })
      const again = new HttpClient(next.port)
      const settled = await again.post('/v1/redemptions', {
        codes: ['LAST'],
        userId: 'u',
        orderId: 'o',
        cart: { orderTotal: 100, currency: 'EUR' },
      })
      expect([200, 201]).toContain(settled.status)
      again.close()
      await next.stop()
    } finally {
      client.close()
      if (dying.isRunning) await dying.kill()
      removeDirectory(directory)
    }
  })

  it('says STORAGE_UNAVAILABLE when its log may not grow, and ends with a sentence', async () => {
    const directory = temporaryDirectory('full')
    const full = await startServer({ dataDir: directory, ...boundedFiles(300) })
    const client = new HttpClient(full.port, 8)
    try {
      expect((await client.post('/v1/coupons', { code: 'FULL', type: 'PERCENT', value: 10 })).status).toBe(201)
      let refused: HttpReply | null = null
      for (let i = 0; refused === null && i < 2_000; i++) {
        const reply = await client.post('/v1/redemptions', {
          codes: ['FULL'],
          userId: 'u'.repeat(100),
          orderId: `o-${i}`,
          cart: { orderTotal: 100, currency: 'EUR' },
        })
        if (reply.status !== 201) refused = reply
      }
      expectAsDocumented(
        { operation: 'POST /v1/redemptions', status: 503, code: 'STORAGE_UNAVAILABLE' },
        refused as HttpReply,
      )
      expect((await full.ended).code).toBe(1)
      expect(full.lastErrorLine).toMatch(/^tearoff: worker 0: .*(start again).*\)$/)
    } finally {
      client.close()
      if (full.isRunning) await full.kill()
      removeDirectory(directory)
    }
  })

  it('says INTERNAL_ERROR, and nothing of the cause, when something inside it throws', async () => {
    let isSick = false
    const { gateway, log } = await startTestGateway({
      random: (length) => {
        if (isSick) throw new Error('a secret of the inside')
        return new Uint8Array(length)
      },
    })
    isSick = true
    const client = new HttpClient(gateway.port)
    const reply = await client.post('/v1/coupons', { type: 'PERCENT', value: 10 })
    expectAsDocumented({ operation: 'POST /v1/coupons', status: 500, code: 'INTERNAL_ERROR' }, reply)
    expect(reply.text).not.toContain('secret')
    expect(JSON.stringify(log)).toContain('a secret of the inside')
    client.close()
    await gateway.close()
  })

  it('says RATE_LIMITED, and when to come back, to a user that calls too often', async () => {
    const { gateway } = await startTestGateway({ rateLimits: true, nowMs: () => 0 })
    const client = new HttpClient(gateway.port)
    let reply = await client.get('/v1/coupons/SAVE10/validate?userId=u1')
    for (let call = 1; call <= USER_CALLS.tokens; call++)
      reply = await client.get('/v1/coupons/SAVE10/validate?userId=u1')
    expectAsDocumented({ operation: 'GET /v1/coupons/{coupon}/validate', status: 429, code: 'RATE_LIMITED' }, reply)
    expect(reply.headers['retry-after']).toBe('1')
    client.close()
    await gateway.close()
  })
})

describe('the table', () => {
  it('has provoked every operation of the served document, with every status of success', () => {
    const missing: string[] = []
    for (const [path, methods] of Object.entries(contract.document.paths)) {
      for (const [method, { responses }] of Object.entries(methods)) {
        for (const status of Object.keys(responses)) {
          const met = `${method.toUpperCase()} ${path} ${status}`
          if (Number(status) < 300 && !contract.met.has(met)) missing.push(met)
        }
      }
    }
    expect(missing).toEqual([])
  })

  it('has provoked every refusal that there is', () => {
    const all = [...Object.keys(REFUSALS), ...Object.keys(GATEWAY_STATUS)]
    expect(all.filter((code) => !provokedCodes.has(code))).toEqual([])
    expect(all.length).toBeGreaterThan(30)
  })
})
