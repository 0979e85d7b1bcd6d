/**
 * The in-process transport: one ring to each worker and one back. The default, and the fastest.
 *
 * A call takes a slot, whose number travels with the frame and comes back with the answer. Bounds: calls in flight, and the
 * rings themselves; beyond them a call is not taken, which is always safe to retry.
 */
import { ByteReader } from '../../protocol/bytes.ts'
import type { RingConsumer, RingProducer } from './byte-ring.ts'
import { MESSAGE_MARK, type ReplyHandler, SETTLED, type Settled, type ShardTransport } from './port.ts'

/** Calls that may wait for an answer. A WebSocket may have 65,536 redemptions in flight, each a call at worst. */
const CALLS_IN_FLIGHT_MAX = 131_072

const NOTHING = new ByteReader()

/** One worker as seen from here. */
export interface LaneEnds {
  readonly requests: RingProducer
  readonly replies: RingConsumer
}

export class InProcessTransport implements ShardTransport {
  readonly shards: number
  inFlight = 0
  private readonly lanes: readonly LaneEnds[]
  private readonly laneOfShard: readonly number[]
  private readonly handlers: (ReplyHandler | null)[] = []
  private readonly freeSlots: number[] = []
  private readonly reader = new ByteReader()
  private willRing = false
  /** Set when the workers are gone: what is said to every further call. */
  private closedAs: Settled | null = null
  private readonly ringAll = (): void => {
    this.willRing = false
    for (const lane of this.lanes) lane.requests.ring()
  }
  private readonly visit = (slot: number, kind: number, data: Uint8Array, start: number, end: number): boolean => {
    if (slot === MESSAGE_MARK) {
      this.forward(data, start, end)
      return true
    }
    this.reader.reset(data, start, end)
    this.settle(slot, kind as Settled, this.reader)
    return true
  }

  /** `laneOfShard[shard]` is the index of the lane that owns it. */
  constructor(lanes: readonly LaneEnds[], laneOfShard: readonly number[]) {
    this.lanes = lanes
    this.laneOfShard = laneOfShard
    this.shards = laneOfShard.length
    for (const lane of lanes) this.listen(lane)
  }

  call(shard: number, bytes: Uint8Array, length: number, handler: ReplyHandler): void {
    if (this.closedAs !== null) {
      handler.settled(this.closedAs === SETTLED.UNKNOWN ? SETTLED.NOT_DONE_UNAVAILABLE : this.closedAs, NOTHING)
      return
    }
    const lane = this.lanes[this.laneOfShard[shard] as number] as LaneEnds
    const slot = this.freeSlots.pop() ?? this.handlers.length
    if (this.inFlight >= CALLS_IN_FLIGHT_MAX || !lane.requests.push(slot, shard, bytes, 0, length)) {
      this.freeSlots.push(slot)
      if (slot === this.handlers.length) this.handlers.push(null)
      handler.settled(SETTLED.NOT_DONE_OVERLOADED, NOTHING)
      return
    }
    this.handlers[slot] = handler
    this.inFlight++
    this.ringSoon()
  }

  /** Answers everything in flight, and every later call: STORAGE, or UNKNOWN (for later calls: not done). */
  close(kind: Settled): void {
    for (const lane of this.lanes) lane.replies.drain(this.visit)
    this.closedAs = kind
    for (let slot = 0; slot < this.handlers.length; slot++) {
      if (this.handlers[slot] !== null) this.settle(slot, kind, NOTHING)
    }
  }

  /** From a shard to one of another worker. Its bytes name both (type, from u16, to u16); the sender says it again if it is lost. */
  private forward(data: Uint8Array, start: number, end: number): void {
    const to = (data[start + 3] as number) | ((data[start + 4] as number) << 8)
    const lane = this.lanes[this.laneOfShard[to] as number] as LaneEnds
    if (lane.requests.push(MESSAGE_MARK, to, data, start, end)) this.ringSoon()
  }

  private ringSoon(): void {
    if (this.willRing) return
    this.willRing = true
    setImmediate(this.ringAll)
  }

  private settle(slot: number, kind: Settled, reader: ByteReader): void {
    const handler = this.handlers[slot] as ReplyHandler
    this.handlers[slot] = null
    this.freeSlots.push(slot)
    this.inFlight--
    handler.settled(kind, reader)
  }

  private listen(lane: LaneEnds): void {
    const wake = (): void => {
      if (this.closedAs !== null) return
      lane.replies.drain(this.visit)
      lane.replies.whenReadable(wake)
    }
    lane.replies.whenReadable(wake)
  }
}
