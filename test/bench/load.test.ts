// The load generators' own parts: a generator that miscounts would make every figure a guess.

import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Packr, Unpackr } from 'msgpackr'
import { describe, expect, it } from 'vitest'
import { poissonArrivals } from '../../bench/load/arrivals.ts'
import { findLoadTool, parseWrk, runClosedLoop, writeCodes } from '../../bench/load/closed-loop.ts'
import { encodeColumnsFrames } from '../../bench/load/columns-frames.ts'
import { ColumnsReplyJudge } from '../../bench/load/columns-reply.ts'
import { drawEvenly, drawZipf } from '../../bench/load/draw-codes.ts'
import { HttpReplyReader } from '../../bench/load/http-reply.ts'
import type { LatencySummary } from '../../bench/load/latency.ts'
import { runOpenLoop } from '../../bench/load/open-loop.ts'
import { RedeemRequest, redeemBody, validateBody } from '../../bench/load/redeem-request.ts'
import { OPCODE, WebSocketReader } from '../../bench/load/websocket-reader.ts'

describe('the reader of HTTP replies', () => {
  const reply = Buffer.from('HTTP/1.1 409 Conflict\r\nX-A: b\r\ncontent-length: 5\r\n\r\nhello')

  it('finds the end of a reply that comes byte by byte', () => {
    const reader = new HttpReplyReader()
    const statuses = [...reply].map((byte) => reader.feed(Buffer.from([byte]), 1))
    expect(statuses.slice(0, -1).every((status) => status === 0)).toBe(true)
    expect(statuses.at(-1)).toBe(409)
    expect(reader.lastBody).toBe('hello')
  })

  it('reads the next reply on the same connection', () => {
    const reader = new HttpReplyReader()
    expect(reader.feed(reply, reply.length)).toBe(409)
    const next = Buffer.from('HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n')
    expect(reader.feed(next, next.length)).toBe(201)
  })

  it('refuses bytes behind the reply and replies without a length', () => {
    const twice = Buffer.concat([reply, reply])
    expect(() => new HttpReplyReader().feed(twice, twice.length)).toThrow('after the end')
    const endless = Buffer.from('HTTP/1.1 200 OK\r\nX-A: b\r\n\r\nContent-Length: 5\r\n\r\n')
    expect(() => new HttpReplyReader().feed(endless, endless.length)).toThrow('without Content-Length')
  })
})

describe('the request of one connection', () => {
  it('becomes any number without changing its length', () => {
    const request = new RedeemRequest('SAVE10', 'x')
    request.become(12_345_678)
    const [head, body] = request.bytes.toString().split('\r\n\r\n') as [string, string]
    expect(JSON.parse(body)).toEqual({
      codes: ['SAVE10'],
      userId: 'ux12345678',
      orderId: 'ox12345678',
      cart: { currency: 'EUR', lines: [{ productId: 'p1', quantity: 1, unitPrice: 4_999 }] },
    })
    expect(head).toContain(`Content-Length: ${body.length}`)
    request.become(7)
    expect(request.bytes.toString()).toContain('"orderId":"ox00000007"')
  })
})

describe('arrivals', () => {
  it('come at the wanted rate, ascending, with exponential gaps', () => {
    const seed = 7
    const due = poissonArrivals(10_000, 10_000, seed)
    // 100,000 expected; five standard deviations are 1,581.
    expect(Math.abs(due.length - 100_000), `seed ${seed}`).toBeLessThan(1_581)
    const gaps = [...due].map((atMs, index) => atMs - (due[index - 1] ?? 0))
    expect(Math.min(...gaps.slice(0, 50_000))).toBeGreaterThanOrEqual(0)
    // An exponential gap is above its mean with probability 1/e = 0.3679.
    const above = gaps.filter((gap) => gap > 0.1).length / gaps.length
    expect(Math.abs(above - 0.3679), `seed ${seed}`).toBeLessThan(0.01)
  })
})

describe('drawn codes', () => {
  const codes = Array.from({ length: 1_000 }, (_, index) => `C${index}`)

  it('under Zipf follow 1/rank', () => {
    const seed = 11
    const drawn = drawZipf(codes, 1, 200_000, seed)
    const times = (code: string): number => drawn.filter((other) => other === code).length
    // The sum of 1/r up to 1,000 is 7.4855, so rank 1 takes 0.13359 of 200,000 and rank 10 a tenth of it.
    expect(Math.abs(times('C0') - 26_718), `seed ${seed}`).toBeLessThan(800)
    expect(Math.abs(times('C9') - 2_672), `seed ${seed}`).toBeLessThan(260)
  })

  it('evenly take every code equally often', () => {
    const counts = new Map<string, number>()
    for (const code of drawEvenly(codes, 5_000, 3)) counts.set(code, (counts.get(code) ?? 0) + 1)
    expect(counts.size).toBe(1_000)
    expect([...counts.values()].every((count) => count === 5)).toBe(true)
  })
})

describe('frames of columns', () => {
  function unmask(frame: Buffer): Buffer {
    expect(frame[0]).toBe(0x82)
    expect(frame[1]).toBe(0xff)
    expect(Number(frame.readBigUInt64BE(2))).toBe(frame.length - 14)
    const mask = frame.subarray(10, 14)
    return Buffer.from(frame.subarray(14).map((byte, index) => byte ^ (mask[index % 4] as number)))
  }

  it('decode to the operation of the contract, with no user or order twice', () => {
    const { frames } = encodeColumnsFrames({ code: 'SAVE10', rowsPerFrame: 37, rowsMax: 80, firstRow: 35 })
    expect(frames).toHaveLength(2)
    const messages = frames.map(
      (frame) => new Unpackr({ useRecords: false }).unpack(unmask(frame)) as Record<string, unknown>,
    )
    const [first, second] = messages as [Record<string, unknown>, Record<string, unknown>]
    const { userIds, orderIds, ...rest } = first
    expect(rest).toEqual({ id: 0, op: 'redeemColumns', code: 'SAVE10', currency: 'EUR', orderTotals: 4_999 })
    expect(second.id).toBe(1)
    expect((userIds as string[]).slice(0, 3)).toEqual(['u000000z', 'u0000010', 'u0000011'])
    expect((orderIds as string[]).slice(0, 3)).toEqual(['o000000z', 'o0000010', 'o0000011'])
    expect(new Set(messages.flatMap((message) => message.userIds as string[])).size).toBe(74)
    expect(new Set(messages.flatMap((message) => message.orderIds as string[])).size).toBe(74)
  })

  it('are counted row by row when an answer differs from "all redeemed"', () => {
    const packr = new Packr({ useRecords: false })
    const rows = 512
    const answer = (id: number, change: (outcomes: number[]) => void): Buffer => {
      const outcomes = new Array<number>(rows).fill(0)
      change(outcomes)
      return packr.pack({ id, ok: true, outcomes, discounts: new Array<number>(rows).fill(500) })
    }
    const judge = new ColumnsReplyJudge(rows, 500)
    judge.take(answer(0, () => {}))
    judge.take(answer(1, () => {}))
    expect(judge.tally.firstProblem).toBe('')
    judge.take(
      answer(2, (outcomes) => {
        outcomes[0] = 1
        outcomes[511] = 14
      }),
    )
    judge.take(packr.pack({ id: 3, ok: false, error: { code: 'OVERLOADED', detail: 'later' } }))
    expect(judge.tally).toEqual({
      frames: 4,
      failedFrames: 1,
      redeemed: 1_534,
      replayed: 1,
      refused: 1,
      firstProblem: 'frame 2, row 511: outcome 14',
    })
  })
})

describe('the reader of WebSocket frames', () => {
  it('hands out short, long and very long frames that come in any pieces', () => {
    const sizes = [3, 300, 70_000]
    const heads = [
      Buffer.from([0x82, 3]),
      Buffer.from([0x82, 126, 300 >>> 8, 300 & 0xff]),
      Buffer.from([0x82, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70]),
    ]
    const wire = Buffer.concat(sizes.flatMap((size, index) => [heads[index] as Buffer, Buffer.alloc(size, index + 1)]))
    for (const piece of [1, 7, 4_096, wire.length]) {
      const seen: number[][] = []
      const reader = new WebSocketReader((opcode, payload) => {
        seen.push([opcode, payload.length, payload[0] as number, payload.at(-1) as number])
      })
      for (let at = 0; at < wire.length; at += piece) {
        const part = wire.subarray(at, at + piece)
        reader.feed(part, part.length)
      }
      expect(seen, `pieces of ${piece}`).toEqual([
        [OPCODE.binary, 3, 1, 1],
        [OPCODE.binary, 300, 2, 2],
        [OPCODE.binary, 70_000, 3, 3],
      ])
    }
  })
})

describe('the open loop', () => {
  it('charges a stalled server for the requests that could not leave', { timeout: 20_000 }, async () => {
    // One connection and a server that stops once for 300 ms: a closed loop would see a single slow answer.
    const stallMs = 300
    let requests = 0
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.on('data', () => {
        requests += 1
        const reply = (): void => void socket.write('HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n')
        if (requests === 100) setTimeout(reply, stallMs)
        else reply()
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const port = (server.address() as AddressInfo).port
    const result = await runOpenLoop({
      port,
      code: 'SAVE10',
      tag: 't',
      ratePerSecond: 200,
      warmupSeconds: 0,
      seconds: 2,
      connections: 1,
      drainSeconds: 5,
      seed: 5,
    })
    server.close()
    expect(result.errors).toBe(0)
    expect(result.redeemed).toBe(result.planned)
    expect(result.latency.maxMs).toBeGreaterThanOrEqual(stallMs)
    // 200/s × 0.3 s leaves some 60 requests waiting, far more than 1 % of 400: the stall shows at p99.
    expect(result.latency.p99Ms).toBeGreaterThan(stallMs / 2)
    expect(result.sinceSend.p99Ms).toBeLessThan(stallMs / 2)
  })
})

describe('the slices of an open loop', () => {
  it('show in which stretch a stall was, by when requests were due', { timeout: 20_000 }, async () => {
    // At 200/s the 100th request comes after about half a second, in the first of two slices of a second; those of the second
    // that have to wait for the end of the stall wait for a tenth of it.
    const stallMs = 600
    let requests = 0
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.on('data', () => {
        requests += 1
        const reply = (): void => void socket.write('HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n')
        if (requests === 100) setTimeout(reply, stallMs)
        else reply()
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const port = (server.address() as AddressInfo).port
    const shared = { code: 'SAVE10', tag: 't', ratePerSecond: 200, warmupSeconds: 0, seconds: 2, connections: 1 }
    const result = await runOpenLoop({ port, ...shared, drainSeconds: 5, seed: 9, sliceSeconds: 1 })
    server.close()
    expect(result.slices).toHaveLength(2)
    const [first, second] = result.slices as [LatencySummary, LatencySummary]
    expect(first.count + second.count).toBe(result.planned)
    expect(first.maxMs).toBe(result.latency.maxMs)
    expect(first.maxMs).toBeGreaterThanOrEqual(stallMs)
    expect(second.maxMs).toBeLessThan(first.maxMs)
    expect(Date.now() - result.startedAtMs).toBeGreaterThanOrEqual(1_900)
  })

  it('are left out when nobody asks for them', { timeout: 20_000 }, async () => {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.on('data', () => void socket.write('HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n'))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const port = (server.address() as AddressInfo).port
    const shared = { code: 'SAVE10', tag: 't', ratePerSecond: 100, warmupSeconds: 0, seconds: 0.2, connections: 1 }
    const result = await runOpenLoop({ port, ...shared, drainSeconds: 5, seed: 9 })
    server.close()
    expect(result.latency.count).toBe(result.planned)
    expect(result.slices).toEqual([])
  })
})

describe('wrk', () => {
  it('is read by the line of JSON that the script prints', () => {
    const printed =
      'Running 1s test\n{"requests":1000,"durationUs":2000000,"statusErrors":3,"socketErrors":2,"timeouts":1,"p50Us":1,"p99Us":2}\n'
    expect(parseWrk(printed)).toEqual({ succeeded: 997, errors: 6, seconds: 2, succeededPerSecond: 498.5 })
    expect(() => parseWrk('unable to connect')).toThrow('no summary')
  })

  // Without wrk there is nothing to compare; the workloads then run with autocannon alone.
  for (const tool of findLoadTool() === 'wrk' ? (['wrk'] as const) : []) {
    it('makes the bodies that autocannon makes', { timeout: 20_000 }, async () => {
      const bodies: string[] = []
      const server = createServer((socket) => {
        socket.on('error', () => {})
        socket.on('data', (bytes: Buffer) => {
          bodies.push(bytes.toString().split('\r\n\r\n')[1] ?? '')
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
        })
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const port = (server.address() as AddressInfo).port
      const folder = mkdtempSync(join(tmpdir(), 'tearoff-wrk-'))
      try {
        // The second line is a cart with two codes.
        const codesFile = writeCodes(folder, 'two', ['AAA1', 'BBB2,CCC3'])
        for (const kind of ['redeem', 'validate'] as const) {
          bodies.length = 0
          await runClosedLoop(tool, { port, kind, codesFile, tag: 'w', connections: 1, seconds: 1 })
          const bodyOf = kind === 'redeem' ? redeemBody : validateBody
          // wrk asks for one request before the run begins, to see whether requests change: numbers start at 0 or 1.
          const start = bodies[0] === bodyOf('AAA1', 'w', 0) ? 0 : 1
          expect(bodies.length).toBeGreaterThan(2)
          for (const index of [0, 1, 2]) {
            const number = start + index
            expect(bodies[index]).toBe(bodyOf(number % 2 === 0 ? 'AAA1' : 'BBB2,CCC3', 'w', number))
          }
          expect((JSON.parse(bodies[2 - start] ?? '') as { codes: string[] }).codes).toEqual(['AAA1'])
          expect((JSON.parse(bodies[3 - start] ?? '') as { codes: string[] }).codes).toEqual(['BBB2', 'CCC3'])
        }
      } finally {
        server.close()
        rmSync(folder, { recursive: true, force: true })
      }
    })
  }
})
