/**
 * The least that a transport between machines has to do: calls numbered once and for all, answers matched by number, and a
 * call without an answer given up as unknown. Over a medium in memory that loses and doubles frames when it is told to, so that
 * the suite's faults have something to happen to. No test of the product runs on it.
 */
import { type ReplyHandler, SETTLED, type Settled, type ShardTransport } from '../../engine/transport/port.ts'
import { ByteReader } from '../../protocol/bytes.ts'
import type { Arrival, MediumFaults, TransportRig } from './transport-suite.ts'

const NOTHING = new ByteReader()

interface Frame {
  readonly call: number
  readonly shard: number
  readonly bytes: Uint8Array
}

class WireTransport implements ShardTransport {
  readonly shards = 2
  private readonly post: (frame: Frame) => boolean
  private readonly open = new Map<number, ReplyHandler>()
  private calls = 0
  private closedAs: Settled | null = null

  constructor(post: (frame: Frame) => boolean) {
    this.post = post
  }

  get inFlight(): number {
    return this.open.size
  }

  call(shard: number, bytes: Uint8Array, length: number, handler: ReplyHandler): void {
    if (this.closedAs !== null) {
      handler.settled(this.closedAs === SETTLED.UNKNOWN ? SETTLED.NOT_DONE_UNAVAILABLE : this.closedAs, NOTHING)
      return
    }
    const call = ++this.calls
    if (!this.post({ call, shard, bytes: bytes.slice(0, length) })) {
      handler.settled(SETTLED.NOT_DONE_OVERLOADED, NOTHING)
      return
    }
    this.open.set(call, handler)
  }

  answered(call: number, bytes: Uint8Array): void {
    this.settle(call, SETTLED.ANSWERED, new ByteReader(bytes))
  }

  giveUp(): void {
    for (const call of this.open.keys()) this.settle(call, SETTLED.UNKNOWN, NOTHING)
  }

  close(kind: Settled): void {
    this.closedAs = kind
    for (const call of this.open.keys()) this.settle(call, kind, NOTHING)
  }

  private settle(call: number, kind: Settled, reply: ByteReader): void {
    const handler = this.open.get(call)
    if (handler === undefined) return
    this.open.delete(call)
    handler.settled(kind, reply)
  }
}

export class WireRig implements TransportRig {
  readonly transport: WireTransport
  readonly faults: MediumFaults
  private readonly frames: Frame[] = []
  private losesNext = false
  private doublesNext = false

  constructor(roomCalls = 1_000) {
    this.transport = new WireTransport((frame) => {
      if (this.frames.length >= roomCalls) return false
      if (!this.losesNext) this.frames.push(frame)
      if (this.doublesNext) this.frames.push(frame)
      this.losesNext = false
      this.doublesNext = false
      return true
    })
    this.faults = {
      loseNextCall: () => {
        this.losesNext = true
      },
      doubleNextCall: () => {
        this.doublesNext = true
      },
      answerTwice: (arrival, bytes) => {
        this.answer(arrival, bytes)
        this.answer(arrival, bytes)
      },
      giveUp: () => this.transport.giveUp(),
    }
  }

  get waiting(): number {
    return this.frames.length
  }

  arrivals(count: number): Promise<readonly Arrival[]> {
    if (this.frames.length < count) throw new Error(`${this.frames.length} of ${count} calls have arrived`)
    const frames = this.frames.splice(0, count)
    return Promise.resolve(frames.map(({ call, shard, bytes }) => ({ shard, bytes: [...bytes], token: call })))
  }

  answer({ token }: Arrival, bytes: readonly number[]): void {
    setImmediate(() => this.transport.answered(token, Uint8Array.from(bytes)))
  }

  close(kind: typeof SETTLED.UNKNOWN | typeof SETTLED.STORAGE): void {
    this.transport.close(kind)
  }
}
