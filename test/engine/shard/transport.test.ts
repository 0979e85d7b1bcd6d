/**
 * The in-process transport: a call settles exactly once, as answered, as not done, or as unknown.
 */
import { describe, expect, test } from 'vitest'
import { RingConsumer, ringMemory, RingProducer } from '../../../engine/transport/byte-ring.ts'
import { InProcessTransport } from '../../../engine/transport/in-process.ts'
import { type ReplyHandler, SETTLED, type Settled } from '../../../engine/transport/port.ts'
import type { ByteReader } from '../../../protocol/bytes.ts'

class Recorder implements ReplyHandler {
  readonly settledAs: Settled[] = []
  readonly bytes: number[] = []
  private resolve: () => void = () => {}
  readonly done = new Promise<void>((resolve) => {
    this.resolve = resolve
  })

  settled(kind: Settled, reply: ByteReader): void {
    this.settledAs.push(kind)
    while (!reply.done) this.bytes.push(reply.u8())
    this.resolve()
  }
}

/** A transport and the worker's ends of its rings, served by the test. */
function pair(requestBytes = 1024) {
  const requests = ringMemory(requestBytes)
  const replies = ringMemory(1024)
  const transport = new InProcessTransport(
    [{ requests: new RingProducer(requests), replies: new RingConsumer(replies) }],
    [0, 0],
  )
  return { transport, worker: { requests: new RingConsumer(requests), replies: new RingProducer(replies) } }
}

type Worker = ReturnType<typeof pair>['worker']

/** Answers every request with its shard and its bytes. */
function serve({ requests, replies }: Worker): number {
  let served = 0
  requests.drain((slot, shard, data, start, end) => {
    const answer = Uint8Array.from([shard, ...data.subarray(start, end)])
    replies.push(slot, SETTLED.ANSWERED, answer, 0, answer.length)
    served++
    return true
  })
  replies.ring()
  return served
}

const call = (transport: InProcessTransport, shard: number, byte: number, handler: ReplyHandler) =>
  transport.call(shard, Uint8Array.of(byte, 0xee), 1, handler)

describe('a call', () => {
  test('is answered with what the worker said, once, and its slot serves the next', async () => {
    const { transport, worker } = pair()
    for (let round = 0; round < 50; round++) {
      const handlers = [new Recorder(), new Recorder(), new Recorder()]
      handlers.forEach((handler, i) => call(transport, i % 2, round + i, handler))
      expect(transport.inFlight).toBe(3)
      expect(serve(worker)).toBe(3)
      await Promise.all(handlers.map(({ done }) => done))
      expect(handlers.map(({ bytes }) => bytes)).toEqual([
        [0, round],
        [1, round + 1],
        [0, round + 2],
      ])
      expect(handlers.map(({ settledAs }) => settledAs)).toEqual([
        [SETTLED.ANSWERED],
        [SETTLED.ANSWERED],
        [SETTLED.ANSWERED],
      ])
    }
    expect(transport.inFlight).toBe(0)
  })

  test('finds the bell of a worker that sleeps, after the turn in which it was made', async () => {
    const { transport, worker } = pair()
    const awake = new Promise<void>((resolve) => worker.requests.whenReadable(resolve))
    const handler = new Recorder()
    call(transport, 1, 7, handler)
    await awake
    serve(worker)
    await handler.done
    expect(handler.bytes).toEqual([1, 7])
  })

  test('beyond a full ring is not done, and the ones before it are answered', async () => {
    const { transport, worker } = pair(256)
    const handlers = Array.from({ length: 40 }, () => new Recorder())
    for (const [i, handler] of handlers.entries()) call(transport, 0, i, handler)
    const taken = handlers.filter(({ settledAs }) => settledAs.length === 0)
    expect(taken).toHaveLength(256 / 16)
    for (const handler of handlers.slice(taken.length)) expect(handler.settledAs).toEqual([SETTLED.NOT_DONE_OVERLOADED])
    expect(transport.inFlight).toBe(taken.length)
    serve(worker)
    await Promise.all(taken.map(({ done }) => done))
    expect(taken.map(({ bytes }) => bytes[1])).toEqual(taken.map((_, i) => i))
    for (const handler of handlers) expect(handler.settledAs).toHaveLength(1)
  })
})

describe('a transport that is closed', () => {
  test.each([
    ['UNKNOWN', SETTLED.UNKNOWN, SETTLED.NOT_DONE_UNAVAILABLE],
    ['STORAGE', SETTLED.STORAGE, SETTLED.STORAGE],
  ])('as %s settles what is in flight so, once, and takes nothing more', async (_, kind, later) => {
    const { transport, worker } = pair()
    const answered = new Recorder()
    const open = new Recorder()
    call(transport, 0, 1, answered)
    serve(worker)
    call(transport, 0, 2, open)
    transport.close(kind)
    expect(answered.settledAs).toEqual([SETTLED.ANSWERED])
    expect(open.settledAs).toEqual([kind])
    const after = new Recorder()
    call(transport, 0, 3, after)
    expect(after.settledAs).toEqual([later])
    serve(worker)
    for (let i = 0; i < 5; i++) await new Promise<void>((resolve) => void setImmediate(resolve))
    for (const { settledAs } of [answered, open, after]) expect(settledAs).toHaveLength(1)
    expect(transport.inFlight).toBe(0)
  })
})
