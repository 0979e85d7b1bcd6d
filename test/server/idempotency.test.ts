// `Idempotency-Key` against the built server: answers that outlive a restart, and a storm of keyed calls on a process that is
// killed again and again. Every call is retried with its key until it is answered; in the end each was done once.

import { expect, it } from 'vitest'
import { HttpClient, type HttpReply } from '../support/http-client.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { type ServerProcess, startServer } from '../support/server-process.ts'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'

const CALLERS = 24
const KILLS = 6
/** Answers between two kills, at most. */
const ANSWERS_MAX = 150
const MINUTE_MS = 60_000

const random = new SeededRandom()

interface Call {
  readonly method: string
  readonly path: string
  readonly body: unknown
  readonly headers: Readonly<Record<string, string>>
}

function send(http: HttpClient, { method, path, body, headers }: Call): Promise<HttpReply> {
  return http.call(method, path, body, headers)
}

function withoutOwn({ status, text, headers }: HttpReply): unknown {
  const {
    'x-request-id': _,
    'idempotent-replayed': __,
    date: ___,
    connection: ____,
    'keep-alive': _____,
    ...rest
  } = headers
  return { status, text, headers: rest }
}

it('gives the first answer again after SIGTERM and after SIGKILL, byte for byte', { timeout: MINUTE_MS }, async () => {
  const dataDir = temporaryDirectory('keys')
  let server = await startServer({ dataDir })
  let http = new HttpClient(server.port)
  try {
    const calls: readonly Call[] = [
      { method: 'POST', path: '/v1/coupons', body: { code: 'K-ONE', type: 'PERCENT', value: 10 }, headers: key('a') },
      { method: 'POST', path: '/v1/coupons', body: { type: 'PERCENT', value: 10 }, headers: key('b') },
      { method: 'POST', path: '/v1/coupons', body: { code: 'K-ONE', type: 'PERCENT', value: 10 }, headers: key('c') },
      { method: 'PATCH', path: '/v1/coupons/K-ONE', body: { maxUses: 5 }, headers: { ...key('d'), 'if-match': '"1"' } },
      { method: 'POST', path: '/v1/coupons/K-ONE/lock', body: { userId: 'u' }, headers: key('e') },
      { method: 'POST', path: '/v1/coupons/NONE/disable', body: undefined, headers: key('f') },
    ]
    const first: HttpReply[] = []
    for (const call of calls) first.push(await send(http, call))
    expect(first.map(({ status }) => status)).toEqual([201, 201, 409, 200, 201, 404])
    for (const end of ['stop', 'kill'] as const) {
      http.close()
      await server[end]()
      server = await startServer({ dataDir })
      http = new HttpClient(server.port)
      for (const [i, call] of calls.entries()) {
        const again = await send(http, call)
        expect(withoutOwn(again)).toEqual(withoutOwn(first[i] as HttpReply))
        expect(again.headers['idempotent-replayed']).toBe('true')
      }
    }
  } finally {
    http.close()
    await server.kill()
    removeDirectory(dataDir)
  }
})

it('keeps the answer of a reservation over several shards like any other', { timeout: MINUTE_MS }, async () => {
  const dataDir = temporaryDirectory('keys-stacked')
  let server = await startServer({ dataDir })
  let http = new HttpClient(server.port)
  try {
    const codes = Array.from({ length: 6 }, (_, i) => `STACK-${'ABCDEF'[i]}${i}`)
    for (const code of codes) {
      await http.post('/v1/coupons', { code, type: 'PERCENT', value: 5, stacking: 'STACKABLE', maxUses: 1 })
    }
    const cart = { orderTotal: 10_000, currency: 'EUR' }
    const reserve = (userId: string, name: string): Call => {
      return { method: 'POST', path: '/v1/reservations', body: { codes, userId, cart }, headers: key(name) }
    }
    const first = await send(http, reserve('ann', 'a'))
    const refused = await send(http, reserve('bob', 'b'))
    expect([first.status, refused.status], first.text).toEqual([201, 423])
    const path = `/v1/reservations/${String(first.json['reservationId'])}`
    const extension: Call = { method: 'POST', path: `${path}/extend`, body: { ttlSeconds: 900 }, headers: key('c') }
    const extended = await send(http, extension)
    expect(extended.status, extended.text).toBe(200)
    const release: Call = { method: 'DELETE', path, body: undefined, headers: key('d') }
    const released = await send(http, release)
    expect(released.status, released.text).toBe(204)
    await server.kill()
    http.close()
    server = await startServer({ dataDir })
    http = new HttpClient(server.port)
    const calls = [reserve('ann', 'a'), reserve('bob', 'b'), extension, release]
    for (const [i, before] of [first, refused, extended, released].entries()) {
      const again = await send(http, calls[i] as Call)
      expect(withoutOwn(again)).toEqual(withoutOwn(before))
      expect(again.headers['idempotent-replayed']).toBe('true')
    }
    expect((await http.get(`/v1/coupons/${codes[0]}`)).json).toMatchObject({ reserved: 0, uses: 0 })
  } finally {
    http.close()
    await server.kill()
    removeDirectory(dataDir)
  }
})

it.each([
  'stack.prepared:now:1',
  'stack.prepared:flushed:1',
  'stack.branch-prepared:flushed:1',
  'stack.decided:now:1',
  'stack.decided:flushed:1',
  'stack.branch-settled:flushed:1',
])(
  'makes a reservation over several shards once where the process dies at %s',
  { timeout: MINUTE_MS },
  async (FAILPOINTS) => {
    const dataDir = temporaryDirectory('keys-failpoint')
    const dying = await startServer({ dataDir, env: { FAILPOINTS } })
    const http = new HttpClient(dying.port)
    const codes = ['STACK-AA', 'STACK-AB', 'STACK-AC']
    const cart = { orderTotal: 10_000, currency: 'EUR' }
    const call: Call = {
      method: 'POST',
      path: '/v1/reservations',
      body: { codes, userId: 'ann', cart },
      headers: key('a'),
    }
    try {
      for (const code of codes) {
        await http.post('/v1/coupons', { code, type: 'PERCENT', value: 5, stacking: 'STACKABLE', maxUses: 1 })
      }
      await expect(send(http, call)).rejects.toThrow(/.+/)
      expect((await dying.ended).signal).toBe('SIGKILL')
      const server = await startServer({ dataDir })
      const next = new HttpClient(server.port)
      try {
        // 201: made now, or found made under its name. A second one would be 200, the user's open reservation again.
        const second = await send(next, call)
        expect(second.status, second.text).toBe(201)
        const third = await send(next, call)
        expect(withoutOwn(third)).toEqual(withoutOwn(second))
        expect(third.headers['idempotent-replayed']).toBe('true')
        for (const code of codes) {
          expect((await next.get(`/v1/coupons/${code}`)).json).toMatchObject({ reserved: 1, uses: 0 })
        }
      } finally {
        next.close()
        await server.kill()
      }
    } finally {
      http.close()
      if (dying.isRunning) await dying.kill()
      removeDirectory(dataDir)
    }
  },
)

function key(name: string): Record<string, string> {
  return { 'idempotency-key': name }
}

/** The server of the moment; callers wait for the next one when theirs is gone. */
class Lives {
  http: HttpClient
  private server: ServerProcess
  private readonly dataDir: string
  private answersLeft: number
  private killsLeft = KILLS
  private isDying = false
  private reborn: Promise<void> = Promise.resolve()

  private constructor(dataDir: string, server: ServerProcess) {
    this.dataDir = dataDir
    this.server = server
    this.http = new HttpClient(server.port)
    this.answersLeft = 1 + random.below(ANSWERS_MAX)
  }

  static async begin(dataDir: string): Promise<Lives> {
    return new Lives(dataDir, await startServer({ dataDir }))
  }

  get isOver(): boolean {
    return this.killsLeft === 0 && !this.isDying
  }

  /** Sends until there is an answer that says what happened; tells how often it was sent. */
  async settle(call: Call): Promise<{ readonly reply: HttpReply; readonly sent: number }> {
    for (let sent = 1; ; sent++) {
      await this.reborn
      const { http } = this
      try {
        const reply = await send(http, call)
        this.answered()
        if (reply.status < 500) return { reply, sent }
      } catch {
        // No answer: the process is gone, and the next one is being started.
        if (http === this.http && !this.isDying) throw new Error('a connection was lost while the server lived')
      }
    }
  }

  async end(): Promise<void> {
    await this.reborn
    this.http.close()
    await this.server.kill()
  }

  private answered(): void {
    if (--this.answersLeft > 0 || this.killsLeft === 0 || this.isDying) return
    this.isDying = true
    this.reborn = this.again()
  }

  private async again(): Promise<void> {
    await this.server.kill()
    this.http.close()
    this.server = await startServer({ dataDir: this.dataDir })
    this.http = new HttpClient(this.server.port)
    this.killsLeft--
    this.answersLeft = 1 + random.below(ANSWERS_MAX)
    this.isDying = false
  }
}

it(`does every keyed call once, whenever the process dies (seed ${random.seed})`, {
  timeout: 4 * MINUTE_MS,
}, async () => {
  const dataDir = temporaryDirectory('keys-killed')
  const lives = await Lives.begin(dataDir)
  try {
    let created = 0
    let retried = 0
    const caller = async (number: number): Promise<void> => {
      for (let i = 0; !lives.isOver; i++) {
        const name = `${number}-${i}`
        const creation: Call = {
          method: 'POST',
          path: '/v1/coupons',
          body: { type: 'PERCENT', value: 10, maxUses: 3 },
          headers: key(`create ${name}`),
        }
        const { reply, sent } = await lives.settle(creation)
        expect(reply.status, reply.text).toBe(201)
        created++
        const path = `/v1/coupons/${String(reply.json['couponId'])}`
        const patch: Call = {
          method: 'PATCH',
          path,
          body: { maxUses: 4 },
          headers: { ...key(`patch ${name}`), 'if-match': '"1"' },
        }
        const patched = await lives.settle(patch)
        expect(patched.reply.status, patched.reply.text).toBe(200)
        expect(patched.reply.json).toMatchObject({ version: 2, maxUses: 4 })
        if (sent > 1 || patched.sent > 1) retried++
        const again = await lives.settle(creation)
        expect([again.reply.status, again.reply.text]).toEqual([201, reply.text])
        expect(again.reply.headers['idempotent-replayed']).toBe('true')
      }
    }
    await Promise.all(Array.from({ length: CALLERS }, (_, number) => caller(number)))
    const { text } = await lives.http.get('/metrics')
    const counts = [...text.matchAll(/^tearoff_shard_coupons\{[^}]*\} (\d+)$/gm)].map((found) => Number(found[1]))
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(created)
    // A storm that nobody had to retry in has shown nothing.
    expect(retried).toBeGreaterThan(KILLS)
  } finally {
    await lives.end()
    removeDirectory(dataDir)
  }
})
