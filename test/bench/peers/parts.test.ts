// What the peers bench can be tried on without any server: finding them, reading what Redis says, taking turns.

import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findBinaries } from '../../../bench/peers/binaries.ts'
import { factsOfText, factsText, priceOfText, priceText } from '../../../bench/peers/peer-store.ts'
import { connectRedis, RedisError, type RedisReply, ReplyReader } from '../../../bench/peers/redis-connection.ts'
import { rotated } from '../../../bench/workloads/peers.ts'
import { PROJECT_ROOT } from '../../support/project.ts'

let folder = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tearoff-peers-'))
})

afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

function makeProgram(path: string, mode = 0o755): string {
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, '#!/bin/sh\n')
  chmodSync(path, mode)
  return path
}

describe('the finder of servers', () => {
  const POSTGRES = ['initdb', 'postgres', 'pg_ctl']

  it('takes Redis from the path and the newest PostgreSQL', () => {
    const redisServer = makeProgram(join(folder, 'bin/redis-server'))
    for (const version of ['9.6', '15', '11']) {
      for (const name of POSTGRES) makeProgram(join(folder, 'pg', version, 'bin', name))
    }
    const found = findBinaries({
      folders: [join(folder, 'bin')],
      postgresRoots: [join(folder, 'none'), join(folder, 'pg')],
    })
    const bin = join(folder, 'pg/15/bin')
    expect(found).toEqual({
      binaries: {
        redisServer,
        initdb: join(bin, 'initdb'),
        postgres: join(bin, 'postgres'),
        pgCtl: join(bin, 'pg_ctl'),
      },
    })
  })

  it('names what is missing and how to get it', () => {
    const none = findBinaries({ folders: [folder], postgresRoots: [] })
    expect(none).toMatchObject({
      missing: expect.stringMatching(
        /^redis-server and postgresql are not installed; .* apt-get install .* redis-server postgresql /,
      ),
    })
    makeProgram(join(folder, 'redis-server'))
    makeProgram(join(folder, 'initdb'))
    makeProgram(join(folder, 'postgres'))
    // Not executable, so not there.
    makeProgram(join(folder, 'pg_ctl'), 0o644)
    const some = findBinaries({ folders: [folder], postgresRoots: [] })
    expect(some).toMatchObject({
      missing: expect.stringMatching(/^postgresql is not installed; .*-recommends postgresql /),
    })
  })

  it('lets the bench end with a status of its own and one sentence', () => {
    const entry = join(PROJECT_ROOT, 'dist/bench/peers/peers-main.js')
    if (!existsSync(entry)) throw new Error(`${entry} is not there: run "npm run build" first`)
    const ended = spawnSync(process.execPath, [entry, '--binaries', folder], { encoding: 'utf8' })
    expect(ended.status).toBe(3)
    expect(ended.stdout).toBe('')
    expect(ended.stderr).toMatch(/^bench:peers: redis-server and postgresql are not installed; [^\n]*\n$/)
  })
})

describe('the reader of what Redis answers', () => {
  const wire = Buffer.from(':12\r\n$5\r\nh\r\nē\r\n$-1\r\n+OK\r\n-ERR no such key\r\n:-2\r\n$0\r\n\r\n')
  const replies = [12, 'h\r\nē', null, 'OK', new RedisError('ERR no such key'), -2, '']

  it('finds every reply however the bytes are cut', () => {
    for (let piece = 1; piece <= wire.length; piece++) {
      const seen: (RedisReply | RedisError)[] = []
      const reader = new ReplyReader((reply) => seen.push(reply))
      for (let at = 0; at < wire.length; at += piece) reader.feed(wire.subarray(at, at + piece))
      expect(seen, `pieces of ${piece}`).toEqual(replies)
    }
  })

  it('refuses what no command here can be answered with', () => {
    expect(() => new ReplyReader(() => {}).feed(Buffer.from('*2\r\n'))).toThrow('unexpected')
  })
})

describe('the connection to Redis', () => {
  let server: Server
  let path = ''
  const sockets: Socket[] = []

  beforeEach(() => {
    path = join(folder, 'redis.sock')
  })

  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy()
    server.close()
  })

  async function listen(serve: (socket: Socket, text: string) => void): Promise<void> {
    server = createServer((socket) => {
      sockets.push(socket)
      socket.on('error', () => {})
      socket.on('data', (bytes: Buffer) => serve(socket, bytes.toString()))
    })
    await new Promise<void>((resolve) => server.listen(path, resolve))
  }

  it('sends the commands of one turn in one write, lengths in bytes, and keeps answers in order', async () => {
    const seen: string[] = []
    await listen((socket, text) => {
      seen.push(text)
      socket.write(':1\r\n-ERR second\r\n$2\r\nab\r\n')
    })
    const redis = await connectRedis(path)
    const add = redis.template(['HSET', 'k'], 2)
    const all = await Promise.allSettled([redis.send(['GET', 'ē']), add(['f', 'v']), redis.send(['PING'])])
    expect(seen).toEqual([
      '*2\r\n$3\r\nGET\r\n$2\r\nē\r\n*4\r\n$4\r\nHSET\r\n$1\r\nk\r\n$1\r\nf\r\n$1\r\nv\r\n*1\r\n$4\r\nPING\r\n',
    ])
    expect(all).toEqual([
      { status: 'fulfilled', value: 1 },
      { status: 'rejected', reason: new RedisError('ERR second') },
      { status: 'fulfilled', value: 'ab' },
    ])
    await redis.close()
  })

  it('fails everything that was on it when it is lost, and everything after', async () => {
    await listen((socket) => socket.destroy())
    const redis = await connectRedis(path)
    const lost = await Promise.allSettled([redis.send(['PING']), redis.send(['PING'])])
    expect(lost.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    await expect(redis.send(['PING'])).rejects.toThrow('closed')
  })
})

describe('facts as text', () => {
  const price = {
    currency: 3_035,
    subtotalMinor: 4_499,
    shippingMinor: 300,
    shippingDiscountMinor: 0,
    amounts: [562],
    lines: [{ lineId: 'a "quoted" line', amountMinor: 4_499, perCoupon: [562] }],
  }

  it('come back as they were', () => {
    const facts = { userId: 'u "1" ] [', orderId: 'o 1', atMs: 1_763_661_600_123, price }
    expect(factsOfText('o 1', factsText(facts))).toEqual(facts)
    expect(priceOfText(priceText({ ...price, lines: null }))).toEqual({ ...price, lines: null })
  })
})

describe('turns', () => {
  it('begin with another contender each round', () => {
    const items = ['a', 'b', 'c']
    expect([1, 2, 3, 4].map((round) => rotated(items, round).join(''))).toEqual(['bca', 'cab', 'abc', 'bca'])
  })
})
