// What the transport over a bus does beyond the suite: nobody listens, no connection, messages that make no sense, calls in parts.

import { beforeEach, expect, it } from 'vitest'
import { BusCaller } from '../../../engine/transport/nats/caller.ts'
import { type BadFrame, FORMAT, FrameGatherer, FrameReader } from '../../../engine/transport/nats/frames.ts'
import { BusResponder } from '../../../engine/transport/nats/responder.ts'
import { Subjects } from '../../../engine/transport/nats/subjects.ts'
import { type ReplyHandler, SETTLED, type Settled, type ShardTransport } from '../../../engine/transport/port.ts'
import { ByteReader } from '../../../protocol/bytes.ts'
import { MemoryBus } from '../../conformance/memory-bus.ts'

const SHARDS = 4
const DEADLINE_MS = 1_000
const PAYLOAD_BYTES_MAX = 600

let bus: MemoryBus
let nowMs: number
let caller: BusCaller
let responder: BusResponder
let bad: string[]
let taken: number[][]

/** Answers every call at once with the bytes that it came with. */
const echo: ShardTransport = {
  shards: SHARDS,
  inFlight: 0,
  call(shard: number, bytes: Uint8Array, length: number, handler: ReplyHandler): void {
    taken.push([shard, ...bytes.subarray(0, length)])
    handler.settled(SETTLED.ANSWERED, new ByteReader(bytes.slice(0, length)))
  },
}

beforeEach(() => {
  bus = new MemoryBus(PAYLOAD_BYTES_MAX)
  nowMs = 0
  bad = []
  taken = []
  const subjects = new Subjects('test')
  const onBadMessage = ({ message }: BadFrame): void => void bad.push(message)
  responder = new BusResponder({ bus, subjects, transport: echo, onBadMessage })
  caller = new BusCaller({
    bus,
    subjects,
    shards: SHARDS,
    name: 'one',
    deadlineMs: DEADLINE_MS,
    nowMs: () => nowMs,
    onBadMessage,
  })
})

/** How a call settles, and with what bytes. */
function settlement(shard: number, bytes: readonly number[]): Promise<[Settled, number[]]> {
  return new Promise((resolve) => {
    const settled = (kind: Settled, reply: ByteReader): void =>
      resolve([kind, [...reply.buf.subarray(reply.pos, reply.end)]])
    caller.call(shard, Uint8Array.from(bytes), bytes.length, { settled })
  })
}

it('tells calls for a shard that nobody serves as not done, and those of the same turn for others as answered', async () => {
  responder.serve(1)
  const settled = await Promise.all([settlement(0, [1]), settlement(1, [2]), settlement(0, [3])])
  expect(settled).toEqual([
    [SETTLED.NOT_DONE_UNAVAILABLE, []],
    [SETTLED.ANSWERED, [2]],
    [SETTLED.NOT_DONE_UNAVAILABLE, []],
  ])
  expect(taken).toEqual([[1, 2]])
  expect(caller.inFlight).toBe(0)
})

it('never tells a call as not done because a message before it in the same turn found nobody', async () => {
  // Larger together than a message: the first goes out while the second is added.
  const [first, second] = [Array<number>(400).fill(1), Array<number>(400).fill(2)]
  const early = settlement(0, first)
  const late = settlement(0, second)
  // Between the two messages somebody begins to listen: the bus delivers one a turn.
  setImmediate(() => responder.serve(0))
  const [[earlyKind], [lateKind]] = await Promise.all([early, late])
  const arrived = taken.map(([, byte]) => byte)
  expect(arrived.includes(1)).toBe(earlyKind === SETTLED.ANSWERED)
  expect(arrived.includes(2)).toBe(lateKind === SETTLED.ANSWERED)
})

it('takes nothing while there is no connection: it would be sent when there is one again', async () => {
  responder.serve(0)
  bus.isConnected = false
  expect(await settlement(0, [1])).toEqual([SETTLED.NOT_DONE_UNAVAILABLE, []])
  bus.isConnected = true
  expect(await settlement(0, [2])).toEqual([SETTLED.ANSWERED, [2]])
  expect(taken).toEqual([[0, 2]])
})

it('stops serving a shard when it is told to, and goes on with the others', async () => {
  responder.serve(0)
  responder.serve(1)
  responder.leave(0)
  expect(await Promise.all([settlement(0, [1]), settlement(1, [2])])).toEqual([
    [SETTLED.NOT_DONE_UNAVAILABLE, []],
    [SETTLED.ANSWERED, [2]],
  ])
})

it('carries a call in parts, and takes nothing of one that lacks a part', async () => {
  responder.serve(0)
  const long = Array.from({ length: 2_000 }, (_, i) => i & 255)
  expect(await settlement(0, long)).toEqual([SETTLED.ANSWERED, long])
  const subject = new Subjects('test').shard(0)
  bus.nextArrives(subject, 0)
  const lacking = settlement(0, long)
  expect(await settlement(0, [9])).toEqual([SETTLED.ANSWERED, [9]])
  nowMs += DEADLINE_MS
  caller.giveUp()
  expect(await lacking).toEqual([SETTLED.UNKNOWN, []])
  expect(taken.map(({ length }) => length)).toEqual([2_001, 2])
})

it('says what is wrong with a message, and goes on', async () => {
  responder.serve(0)
  const subject = new Subjects('test').shard(0)
  bus.publish(subject, Uint8Array.of(FORMAT + 1, 1), 'nobody.1')
  bus.publish(subject, Uint8Array.of(FORMAT, 9), 'nobody.1')
  bus.publish(subject, Uint8Array.of(FORMAT, 1, 0, 0, 0, 0, 200, 0, 0, 0, 7), 'nobody.1')
  bus.publish(subject, Uint8Array.of(FORMAT, 1, 0, 0), 'nobody.1')
  expect(await settlement(0, [5])).toEqual([SETTLED.ANSWERED, [5]])
  expect(bad).toEqual([
    `frames of format ${FORMAT + 1} are not known, ${FORMAT} is`,
    'messages of kind 9 are not known',
    'a message ends within a frame',
    'a message ends within a frame',
  ])
})

it('settles no later call by a late answer to an earlier one in the same slot', async () => {
  responder.serve(0)
  let answerLate: () => void = () => {}
  const slow: ShardTransport = {
    ...echo,
    call: (_shard, _bytes, _length, handler) => {
      answerLate = () => handler.settled(SETTLED.ANSWERED, new ByteReader(Uint8Array.of(66)))
    },
  }
  responder.leave(0)
  const other = new BusResponder({ bus, subjects: new Subjects('test'), transport: slow, onBadMessage: () => {} })
  other.serve(0)
  const first = settlement(0, [1])
  await new Promise<void>((resolve) => void setImmediate(() => setImmediate(() => setImmediate(resolve))))
  nowMs += DEADLINE_MS
  caller.giveUp()
  expect(await first).toEqual([SETTLED.UNKNOWN, []])
  other.leave(0)
  responder.serve(0)
  const second = settlement(0, [2])
  answerLate()
  expect(await second).toEqual([SETTLED.ANSWERED, [2]])
})

it('gathers frames into messages no larger than asked for, in order', () => {
  const messages: { readonly bytes: Uint8Array; readonly calls: readonly number[] }[] = []
  const gatherer = new FrameGatherer(100, (bytes, calls) => void messages.push({ bytes, calls }))
  for (let call = 0; call < 20; call++) gatherer.add(call, call % 5, Uint8Array.of(call, call), 0, 2)
  gatherer.flush()
  const reader = new FrameReader()
  const read: number[][] = []
  for (const { bytes, calls } of messages) {
    expect(bytes.length).toBeLessThanOrEqual(100)
    const before = read.length
    reader.read(bytes, (call, kind, from, start, end) => read.push([call, kind, ...from.subarray(start, end)]))
    expect(read.slice(before).map(([call]) => call)).toEqual(calls)
  }
  expect(read).toEqual(Array.from({ length: 20 }, (_, call) => [call, call % 5, call, call]))
})
