/** The in-process transport and the worker's ends of its rings, served by the test. A ring neither loses nor doubles. */
import { RingConsumer, ringMemory, RingProducer } from '../../engine/transport/byte-ring.ts'
import { InProcessTransport } from '../../engine/transport/in-process.ts'
import { SETTLED } from '../../engine/transport/port.ts'
import type { Arrival, TransportRig } from './transport-suite.ts'

const RING_BYTES = 2 ** 16
/** Of a frame with one byte in it. */
const SMALL_FRAME_BYTES = 16

export class InProcessRig implements TransportRig {
  readonly transport: InProcessTransport
  readonly requests: RingConsumer
  private readonly replies: RingProducer
  private readonly arrived: Arrival[] = []

  constructor(roomCalls?: number) {
    const requests = ringMemory(roomCalls === undefined ? RING_BYTES : roomCalls * SMALL_FRAME_BYTES)
    const replies = ringMemory(RING_BYTES)
    this.requests = new RingConsumer(requests)
    this.replies = new RingProducer(replies)
    const lane = { requests: new RingProducer(requests), replies: new RingConsumer(replies) }
    this.transport = new InProcessTransport([lane], [0, 0])
  }

  get waiting(): number {
    this.drain()
    return this.arrived.length
  }

  async arrivals(count: number): Promise<readonly Arrival[]> {
    for (this.drain(); this.arrived.length < count; this.drain()) {
      await new Promise<void>((resolve) => this.requests.whenReadable(resolve))
    }
    return this.arrived.splice(0, count)
  }

  answer({ token }: Arrival, bytes: readonly number[]): void {
    this.replies.push(token, SETTLED.ANSWERED, Uint8Array.from(bytes), 0, bytes.length)
    this.replies.ring()
  }

  close(kind: typeof SETTLED.UNKNOWN | typeof SETTLED.STORAGE): void {
    this.transport.close(kind)
  }

  private drain(): void {
    this.requests.drain((token, shard, data, start, end) => {
      this.arrived.push({ shard, bytes: [...data.subarray(start, end)], token })
      return true
    })
  }
}
