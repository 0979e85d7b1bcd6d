// Trouble with storage and with the process, end to end on the built server: each ends in its sentence and its exit code, and
// never in a wrong answer. What was acknowledged before the trouble is looked for behind it.

import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { auditLog } from '../../cli/audit/audit-log.ts'
import { HttpClient } from '../support/http-client.ts'
import { type ServerOptions, ServerProcess, startServer } from '../support/server-process.ts'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'
import { connectCalls } from '../support/ws-calls.ts'
import { boundedFiles, clockBehind, sick, Trigger } from './sick-server.ts'

const STOP_MS_MAX = 10_000
const CART = { orderTotal: 1_000, currency: 'EUR' } as const

let dataDir: string
let servers: ServerProcess[]

beforeEach(() => {
  dataDir = temporaryDirectory('storage')
  servers = []
})

afterEach(async () => {
  for (const server of servers) if (server.isRunning) await server.kill()
  removeDirectory(dataDir)
})

async function started(
  options: Omit<ServerOptions, 'dataDir'> = {},
): Promise<{ server: ServerProcess; http: HttpClient }> {
  const server = await startServer({ dataDir, ...options })
  servers.push(server)
  return { server, http: new HttpClient(server.port, 32) }
}

/** A start that is meant to fail: its exit code and its last words. */
async function failedStart(
  options: Omit<ServerOptions, 'dataDir'> = {},
): Promise<{ code: number | null; sentence: string; lines: number }> {
  const server = new ServerProcess({ dataDir, ...options })
  servers.push(server)
  const { code } = await server.ended
  return { code, sentence: server.lastErrorLine, lines: server.errorLines.length }
}

async function createCoupon(http: HttpClient, code: string): Promise<void> {
  const { status, text } = await http.post('/v1/coupons', { code, type: 'PERCENT', value: 10 })
  expect(status, text).toBe(201)
}

function order(code: string, orderId: string): Record<string, unknown> {
  return { codes: [code], userId: `user-of-${orderId}`, orderId, cart: CART }
}

/** A directory with `count` acknowledged redemptions of SAVED; the server is stopped. */
async function filled(count: number): Promise<void> {
  const { server, http } = await started()
  await createCoupon(http, 'SAVED')
  for (let i = 0; i < count; i++)
    expect((await http.post('/v1/redemptions', order('SAVED', `order-${i}`))).status).toBe(201)
  http.close()
  await server.stop()
}

/** Data files, first to last. */
function segments(): string[] {
  const lanes = join(dataDir, 'lanes')
  return readdirSync(lanes).flatMap((lane) =>
    readdirSync(join(lanes, lane))
      .filter((name) => name.endsWith('.mdb'))
      .sort()
      .map((name) => join(lanes, lane, name)),
  )
}

describe('a disk without room', () => {
  it('ends the process with a sentence, and all that was acknowledged is there when it starts again', async () => {
    const { server, http } = await started(boundedFiles(400))
    await createCoupon(http, 'FULL')
    const acknowledged: string[] = []
    const refusals = new Set<unknown>()
    const buyers = Array.from({ length: 8 }, async (_, buyer) => {
      for (let i = 0; ; i++) {
        const orderId = `${buyer}-${i}-${'x'.repeat(80)}`
        const reply = await http.post('/v1/redemptions', order('FULL', orderId)).catch(() => null)
        if (reply === null) return
        if (reply.status === 201) acknowledged.push(orderId)
        else refusals.add(reply.json['code'])
        if (reply.status !== 201 && !server.isRunning) return
      }
    })
    expect((await server.ended).code).toBe(1)
    await Promise.all(buyers)
    http.close()
    expect([...refusals]).toEqual(['STORAGE_UNAVAILABLE'])
    expect(server.lastErrorLine).toMatch(/^tearoff: worker 0: lane 0: a commit could not be written.*start again/)
    expect(acknowledged.length).toBeGreaterThan(50)
    const again = await started()
    for (const orderId of acknowledged) {
      const { status, headers } = await again.http.post('/v1/redemptions', order('FULL', orderId))
      expect([status, headers['idempotent-replayed']]).toEqual([200, 'true'])
    }
    again.http.close()
    await again.server.stop()
    expect(auditLog(dataDir).faults).toEqual([])
  })

  it('refuses writes before it is full, goes on reading, and takes writes again when there is room', async () => {
    const full = new Trigger(dataDir)
    const { server, http } = await started(sick('TEST_FULL', full))
    await createCoupon(http, 'ROOM')
    full.set()
    // The free space is looked at once a second: the first refusal shows that it was.
    const outcomes: number[] = []
    for (let i = 0; outcomes.at(-1) !== 503 && i < 100_000; i++) {
      outcomes.push((await http.post('/v1/redemptions', order('ROOM', `before-${i}`))).status)
    }
    const uses = outcomes.filter((status) => status === 201).length
    const refused = await http.post('/v1/redemptions', order('ROOM', 'refused'))
    expect(refused.json).toMatchObject({ code: 'STORAGE_UNAVAILABLE', detail: expect.stringContaining('nearly full') })
    expect((await http.post('/v1/validate', { codes: ['ROOM'], cart: CART })).json).toMatchObject({ valid: true })
    expect((await http.get('/v1/coupons/ROOM')).json).toMatchObject({ uses })
    expect((await http.get('/readyz')).status).toBe(200)
    full.clear()
    let status = 503
    for (let i = 0; status === 503 && i < 100_000; i++)
      status = (await http.post('/v1/redemptions', order('ROOM', 'after'))).status
    expect(status).toBe(201)
    expect((await http.get('/v1/coupons/ROOM')).json).toMatchObject({ uses: uses + 1 })
    http.close()
    await server.stop()
  })
})

describe('a data directory', () => {
  it('is refused to a second process, and the first goes on', async () => {
    const { server, http } = await started()
    const second = await failedStart()
    expect(second.code).toBe(1)
    expect(second.sentence).toBe(
      `tearoff: the data directory ${dataDir} is in use by process ${server.pid}: stop that process, or start with another directory`,
    )
    await createCoupon(http, 'FIRST')
    http.close()
    await server.stop()
  })

  it('is taken over from a process that was killed', async () => {
    const { server, http } = await started()
    await createCoupon(http, 'KEPT')
    http.close()
    await server.kill()
    const next = await started()
    expect((await next.http.get('/v1/coupons/KEPT')).status).toBe(200)
    next.http.close()
    await next.server.stop()
  })

  it('with a data file cut short is refused with a sentence', async () => {
    await filled(20)
    const [path] = segments() as [string]
    // Its last pages may be free ones that nobody would miss; half of it is missed.
    truncateSync(path, Math.floor(readFileSync(path).length / 8_192) * 4_096)
    const { code, sentence, lines } = await failedStart()
    expect([code, lines]).toEqual([1, 1])
    expect(sentence).toMatch(/^tearoff: worker 0: .*was cut off, restore it from a backup \(JOURNAL_TRUNCATED\)$/)
  })

  it('with a damaged record is refused with a sentence that says where', async () => {
    await filled(20)
    const [path] = segments() as [string]
    const bytes = readFileSync(path)
    // The page is copied when it is written again, so every copy is damaged.
    for (let from = bytes.indexOf('user-of-order-7'); from >= 0; from = bytes.indexOf('user-of-order-7', from + 1))
      bytes[from] = 0x55
    writeFileSync(path, bytes)
    const { code, sentence, lines } = await failedStart()
    expect([code, lines]).toEqual([1, 1])
    expect(sentence).toMatch(/^tearoff: worker 0: .*lane 0.*segment 1.*record \d+.*\(JOURNAL_DAMAGED\)$/)
  })

  it('with a missing segment is refused with a sentence', async () => {
    await filled(3)
    const { server, http } = await started()
    expect((await http.post('/v1/redemptions', order('SAVED', 'later'))).status).toBe(201)
    http.close()
    await server.stop()
    const [path] = segments() as [string]
    writeFileSync(path, '')
    const { code, sentence } = await failedStart()
    expect(code).toBe(1)
    expect(sentence).toMatch(/^tearoff: worker 0: .*\((JOURNAL_TRUNCATED|JOURNAL_DAMAGED)\)$/)
  })

  it('of a newer format is refused with a sentence', async () => {
    await filled(1)
    const path = join(dataDir, 'deployment.json')
    const deployment = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>
    writeFileSync(path, JSON.stringify({ ...deployment, formatVersion: 2 }))
    const { code, sentence, lines } = await failedStart()
    expect([code, lines]).toEqual([1, 1])
    expect(sentence).toMatch(/newer|later/)
  })

  it('with another number of shards than asked for is refused, and opens with its own', async () => {
    await filled(1)
    const { code, sentence } = await failedStart({ settings: { SHARDS: '32' } })
    expect(code).toBe(1)
    expect(sentence).toMatch(/16.*32|32.*16/)
    const { server, http } = await started()
    http.close()
    await server.stop()
  })
})

describe('a clock', () => {
  it('far behind the log stops the start with a sentence', async () => {
    await filled(1)
    const { code, sentence } = await failedStart(clockBehind(3_600_000))
    expect(code).toBe(1)
    expect(sentence).toMatch(
      /^tearoff: worker 0: the clock of this machine is \d+ s behind the last logged time; set the clock, then start again/,
    )
  })

  it('a little behind the log is waited for, and time does not go backwards', async () => {
    const first = await started()
    await createCoupon(first.http, 'TICK')
    const before = await first.http.post('/v1/redemptions', order('TICK', 'before'))
    first.http.close()
    await first.server.stop()
    const next = await started(clockBehind(2_000))
    const after = await next.http.post('/v1/redemptions', order('TICK', 'after'))
    expect(after.status).toBe(201)
    expect(Date.parse(String(after.json['redeemedAt']))).toBeGreaterThanOrEqual(
      Date.parse(String(before.json['redeemedAt'])),
    )
    next.http.close()
    await next.server.stop()
  })
})

describe('a stop', () => {
  it('under load by SIGTERM answers what it took, ends with 0 in time, and loses nothing', {
    timeout: 60_000,
  }, async () => {
    const { server, http } = await started()
    const session = await connectCalls(server.port)
    await createCoupon(http, 'STOPPED')
    const acknowledged: string[] = []
    const codes = new Set<unknown>()
    let signalledAtMs = 0
    const signalOnce = (): void => {
      if (signalledAtMs !== 0) return
      signalledAtMs = performance.now()
      server.signal('SIGTERM')
    }
    const buyer = async (
      name: string,
      redeem: (body: Record<string, unknown>) => Promise<{ ok: boolean; code: unknown }>,
    ) => {
      for (let i = 0; ; i++) {
        const orderId = `${name}-${i}`
        const answer = await redeem(order('STOPPED', orderId)).catch(() => null)
        if (answer === null) return
        if (answer.ok) acknowledged.push(orderId)
        else codes.add(answer.code)
        if (acknowledged.length >= 500) signalOnce()
      }
    }
    const buyers = Array.from({ length: 16 }, (_, i) =>
      i % 2 === 0
        ? buyer(`http-${i}`, async (body) => {
            const { status, json } = await http.post('/v1/redemptions', body)
            return { ok: status === 201, code: json['code'] }
          })
        : buyer(`ws-${i}`, async (body) => {
            const { ok, error } = await session.call('redeem', body)
            return { ok, code: error?.['code'] }
          }),
    )
    expect((await server.ended).code).toBe(0)
    expect(performance.now() - signalledAtMs).toBeLessThan(STOP_MS_MAX)
    await Promise.all(buyers)
    http.close()
    session.close()
    // Refused while it stops, or not answered at all: never undecided.
    for (const code of codes) expect(code).toBe('SHARD_UNAVAILABLE')
    const logged = new Set(
      auditLog(dataDir)
        .coupons.get('STOPPED')
        ?.redemptions.map(({ orderId }) => orderId),
    )
    expect(acknowledged.filter((orderId) => !logged.has(orderId))).toEqual([])
    expect(acknowledged.length).toBeGreaterThanOrEqual(500)
  })

  it('by a second signal ends at once, with a sentence', async () => {
    const hold = new Trigger(dataDir)
    const { server, http } = await started(sick('TEST_HOLD', hold))
    await createCoupon(http, 'STUCK')
    hold.set()
    // The worker stands still, so the first signal waits for this call.
    const pending = http.get('/v1/coupons/STUCK').catch(() => null)
    server.signal('SIGTERM')
    while (!server.log.some(({ msg }) => msg === 'stopping')) await new Promise((resolve) => setImmediate(resolve))
    server.signal('SIGTERM')
    expect((await server.ended).code).toBe(1)
    expect(server.lastErrorLine).toBe('tearoff: ended at once by a second SIGTERM; the next start replays the log')
    await pending
    http.close()
  })
})
