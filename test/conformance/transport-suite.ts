// What every transport behind `engine/transport/port.ts` does, whatever lies between: rings of shared memory, or a network.
//
//     caller ──▶ transport ──▶ medium ──▶ shards (played by the test, through the rig)
//        ▲                                  │ answers in any order, twice, late, never
//        └── settled once: answered │ notDone │ unknown
//
// A new transport brings a rig and calls `testTransport`. What a medium can do to frames (lose, double) is in its faults; a
// medium that cannot has none, and its tests are not made.

import { describe, expect, test } from 'vitest'
import { type ReplyHandler, SETTLED, type Settled, type ShardTransport } from '../../engine/transport/port.ts'
import type { ByteReader } from '../../protocol/bytes.ts'

/** A call as a shard gets it. */
export interface Arrival {
  readonly shard: number
  readonly bytes: readonly number[]
  /** The rig's own, to answer by. */
  readonly token: number
}

export interface TransportRig {
  readonly transport: ShardTransport
  /** The next so many calls, in the order in which they arrive. */
  arrivals(count: number): Promise<readonly Arrival[]>
  /** Calls that have arrived and were not asked for. */
  readonly waiting: number
  answer(arrival: Arrival, bytes: readonly number[]): void
  /** The shards are gone, or their storage is. */
  close(kind: typeof SETTLED.UNKNOWN | typeof SETTLED.STORAGE): void
  readonly faults?: MediumFaults
}

/** What happens between machines. */
export interface MediumFaults {
  /** The next call is taken and does not arrive. */
  loseNextCall(): void
  /** The next call arrives twice. */
  doubleNextCall(): void
  /** Answers, and the answer arrives twice. */
  answerTwice(arrival: Arrival, bytes: readonly number[]): void
  /** Lets so much time pass that calls are given up. */
  giveUp(): void
}

export interface TransportKit {
  readonly name: string
  /** `roomCalls`: it takes about so many small calls that nobody has read, and no more; plenty by default. */
  readonly make: (roomCalls?: number) => TransportRig
  readonly faults: boolean
}

const SHARDS = 2
/** Longer than any buffer that a transport would keep for small calls. */
const BYTES_MAX = 20_000

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

export function testTransport({ name, make, faults }: TransportKit): void {
  describe(`${name}: a call`, () => {
    test('carries bytes, copied before it returns, and brings bytes back', async () => {
      const { transport, arrivals, answer } = bound(make())
      for (const length of [1, 2, 3, 4, 96, 97, 1_000, BYTES_MAX]) {
        const sent = pattern(length, length)
        const buffer = Uint8Array.from([...sent, 0xee, 0xee])
        const handler = new Recorder()
        transport.call(length % SHARDS, buffer, length, handler)
        buffer.fill(0xdd)
        const [arrival] = (await arrivals(1)) as [Arrival]
        expect(arrival).toMatchObject({ shard: length % SHARDS, bytes: sent })
        answer(arrival, pattern(length + 1, 7))
        await handler.done
        expect(handler.bytes).toEqual(pattern(length + 1, 7))
      }
    })

    test('is answered once, with its own answer, whatever came in between and in whatever order', async () => {
      const { transport, arrivals, answer } = bound(make())
      for (let round = 0; round < 50; round++) {
        const handlers = Array.from({ length: 7 }, () => new Recorder())
        for (const [i, handler] of handlers.entries()) call(transport, i % SHARDS, [round, i], handler)
        expect(transport.inFlight).toBe(handlers.length)
        const arrived = await arrivals(handlers.length)
        const order = arrived.map((_, i) => arrived[(i * 3 + round) % arrived.length] as Arrival)
        for (const arrival of order) answer(arrival, [...arrival.bytes, arrival.shard])
        await Promise.all(handlers.map(({ done }) => done))
        expect(handlers.map(({ bytes }) => bytes)).toEqual(handlers.map((_, i) => [round, i, i % SHARDS]))
        for (const { settledAs } of handlers) expect(settledAs).toEqual([SETTLED.ANSWERED])
      }
      expect(transport.inFlight).toBe(0)
    })

    test('keeps its order among the calls to one shard', async () => {
      const { transport, arrivals } = bound(make())
      for (let i = 0; i < 100; i++) call(transport, i % SHARDS, [i], new Recorder())
      const arrived = await arrivals(100)
      for (let shard = 0; shard < SHARDS; shard++) {
        const numbers = arrived.filter((one) => one.shard === shard).map(({ bytes }) => bytes[0])
        expect(numbers).toEqual(Array.from({ length: 50 }, (_, i) => i * SHARDS + shard))
      }
    })

    test('whose answer is late waits for it, and those behind it do not', async () => {
      const { transport, arrivals, answer } = bound(make())
      const [slow, quick] = [new Recorder(), new Recorder()]
      call(transport, 0, [1], slow)
      call(transport, 0, [2], quick)
      const [first, second] = (await arrivals(2)) as [Arrival, Arrival]
      answer(second, [2])
      await quick.done
      expect(slow.settledAs).toEqual([])
      expect(transport.inFlight).toBe(1)
      answer(first, [1])
      await slow.done
      expect([slow.bytes, quick.bytes]).toEqual([[1], [2]])
    })

    test('beyond what it has room for is told as not done, and never arrives', async () => {
      const { transport, arrivals, answer, rig } = bound(make(16))
      const handlers = Array.from({ length: 200 }, () => new Recorder())
      for (const [i, handler] of handlers.entries()) call(transport, 0, [i], handler)
      const taken = handlers.filter(({ settledAs }) => settledAs.length === 0)
      expect(taken.length).toBeGreaterThan(0)
      expect(taken.length).toBeLessThan(handlers.length)
      for (const { settledAs } of handlers.filter((one) => !taken.includes(one))) {
        expect(settledAs).toEqual([SETTLED.NOT_DONE_OVERLOADED])
      }
      expect(transport.inFlight).toBe(taken.length)
      const arrived = await arrivals(taken.length)
      expect(arrived.map(({ bytes }) => bytes[0])).toEqual(taken.map((one) => handlers.indexOf(one)))
      for (const arrival of arrived) answer(arrival, arrival.bytes)
      await Promise.all(taken.map(({ done }) => done))
      // There is room again.
      const later = new Recorder()
      call(transport, 0, [250], later)
      const [arrival] = (await arrivals(1)) as [Arrival]
      expect(arrival.bytes).toEqual([250])
      answer(arrival, [250])
      await later.done
      for (const { settledAs } of [...handlers, later]) expect(settledAs).toHaveLength(1)
      expect(rig.waiting).toBe(0)
    })
  })

  describe(`${name}: closed`, () => {
    test.each([
      ['UNKNOWN', SETTLED.UNKNOWN, SETTLED.NOT_DONE_UNAVAILABLE],
      ['STORAGE', SETTLED.STORAGE, SETTLED.STORAGE],
    ] as const)(
      'as %s it settles what is in flight so, takes nothing more, and late answers change nothing',
      async (_, kind, later) => {
        const { transport, arrivals, answer, rig } = bound(make())
        const [answered, open] = [new Recorder(), new Recorder()]
        call(transport, 0, [1], answered)
        call(transport, 1, [2], open)
        const [first, second] = (await arrivals(2)) as [Arrival, Arrival]
        answer(first, [9])
        await answered.done
        rig.close(kind)
        expect(open.settledAs).toEqual([kind])
        const after = new Recorder()
        call(transport, 0, [3], after)
        expect(after.settledAs).toEqual([later])
        answer(second, [9])
        await settledTasks()
        expect(answered.settledAs).toEqual([SETTLED.ANSWERED])
        for (const { settledAs } of [open, after]) expect(settledAs).toHaveLength(1)
        expect(open.bytes).toEqual([])
        expect(transport.inFlight).toBe(0)
        expect(rig.waiting).toBe(0)
      },
    )
  })

  if (faults) testFaults(name, make)
}

function testFaults(name: string, make: TransportKit['make']): void {
  describe(`${name}: a medium with faults`, () => {
    test('a lost call is unknown once it is given up, and not before; others are not held up', async () => {
      const { transport, arrivals, answer, faults } = bound(make())
      const [lost, next] = [new Recorder(), new Recorder()]
      faults.loseNextCall()
      call(transport, 0, [1], lost)
      // In a later turn: calls of one turn may travel together.
      await settledTasks()
      call(transport, 0, [2], next)
      const [arrival] = (await arrivals(1)) as [Arrival]
      expect(arrival.bytes).toEqual([2])
      answer(arrival, [2])
      await next.done
      expect(lost.settledAs).toEqual([])
      faults.giveUp()
      await lost.done
      expect([lost.settledAs, next.settledAs]).toEqual([[SETTLED.UNKNOWN], [SETTLED.ANSWERED]])
    })

    test('a call whose answer is lost is unknown, never not done; an answer after that changes nothing', async () => {
      const { transport, arrivals, answer, faults } = bound(make())
      const handler = new Recorder()
      call(transport, 0, [1], handler)
      const [arrival] = (await arrivals(1)) as [Arrival]
      faults.giveUp()
      await handler.done
      const next = new Recorder()
      call(transport, 0, [2], next)
      answer(arrival, [1])
      const [second] = (await arrivals(1)) as [Arrival]
      answer(second, [2])
      await next.done
      expect(handler.settledAs).toEqual([SETTLED.UNKNOWN])
      expect(next.bytes).toEqual([2])
    })

    test('an answer that comes twice settles one call once, and none of those after it', async () => {
      const { transport, arrivals, answer, faults } = bound(make())
      const [first, next] = [new Recorder(), new Recorder()]
      call(transport, 0, [1], first)
      const [arrival] = (await arrivals(1)) as [Arrival]
      faults.answerTwice(arrival, [1])
      call(transport, 0, [2], next)
      await first.done
      const [second] = (await arrivals(1)) as [Arrival]
      answer(second, [2])
      await next.done
      expect([first.settledAs, next.settledAs]).toEqual([[SETTLED.ANSWERED], [SETTLED.ANSWERED]])
      expect([first.bytes, next.bytes]).toEqual([[1], [2]])
    })

    test('a call that arrives twice is answered twice and settles once', async () => {
      const { transport, arrivals, answer, faults } = bound(make())
      const handler = new Recorder()
      faults.doubleNextCall()
      call(transport, 0, [1], handler)
      const [first, second] = (await arrivals(2)) as [Arrival, Arrival]
      expect(second.bytes).toEqual(first.bytes)
      answer(first, [1])
      answer(second, [1])
      await handler.done
      await settledTasks()
      expect(handler.settledAs).toEqual([SETTLED.ANSWERED])
      expect(transport.inFlight).toBe(0)
    })
  })
}

/** The parts of a rig that tests call by name. */
function bound(rig: TransportRig) {
  return {
    rig,
    transport: rig.transport,
    arrivals: (count: number) => rig.arrivals(count),
    answer: (arrival: Arrival, bytes: readonly number[]) => rig.answer(arrival, bytes),
    get faults(): MediumFaults {
      if (rig.faults === undefined) throw new Error('the rig has no faults')
      return rig.faults
    },
  }
}

function call(transport: ShardTransport, shard: number, bytes: readonly number[], handler: ReplyHandler): void {
  transport.call(shard, Uint8Array.from(bytes), bytes.length, handler)
}

function pattern(length: number, seed: number): number[] {
  return Array.from({ length }, (_, i) => (seed + i * 31) & 255)
}

/** Everything that was due has run: tasks, microtasks and what they began. */
async function settledTasks(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise<void>((resolve) => void setImmediate(resolve))
}
