/**
 * Answers on their way out: kept until the flush that covers what they saw, then sent in the order they were made.
 */
import { ByteWriter } from '../../protocol/bytes.ts'
import type { RingProducer } from '../transport/byte-ring.ts'
import type { Settled } from '../transport/port.ts'

const HEAD_BYTES = 9

/** Answers that wait for one group commit. */
export class WaitingReplies {
  private readonly writer = new ByteWriter(16 * 1024)

  add(requestId: number, kind: Settled, answer: Uint8Array, start: number, end: number): void {
    const { writer } = this
    writer.u32(requestId)
    writer.u8(kind)
    writer.u32(end - start)
    writer.raw(answer, start, end)
  }

  sendAll(sender: ReplySender): void {
    const { buf, pos } = this.writer
    const view = new DataView(buf.buffer, buf.byteOffset)
    let at = 0
    while (at < pos) {
      const length = view.getUint32(at + 5, true)
      const start = at + HEAD_BYTES
      sender.send(view.getUint32(at, true), buf[at + 4] as Settled, buf, start, start + length)
      at = start + length
    }
    this.writer.clear()
  }
}

interface HeldBack {
  readonly requestId: number
  readonly kind: Settled
  readonly answer: Uint8Array
}

/**
 * The worker's end of the ring of replies. Where the ring is full, answers are held back in order; their number is bounded by
 * the transport's bound on calls in flight.
 */
export class ReplySender {
  private readonly ring: RingProducer
  private heldBack: HeldBack[] = []

  constructor(ring: RingProducer) {
    this.ring = ring
  }

  get isEmpty(): boolean {
    return this.heldBack.length === 0
  }

  send(requestId: number, kind: Settled, answer: Uint8Array, start: number, end: number): void {
    if (this.heldBack.length === 0 && this.ring.push(requestId, kind, answer, start, end)) return
    this.heldBack.push({ requestId, kind, answer: answer.slice(start, end) })
    if (this.heldBack.length === 1) this.ring.whenRoom(() => this.sendHeldBack())
  }

  /** Wakes the gateway if it sleeps. */
  flush(): void {
    this.ring.ring()
  }

  private sendHeldBack(): void {
    let sent = 0
    for (const { requestId, kind, answer } of this.heldBack) {
      if (!this.ring.push(requestId, kind, answer, 0, answer.length)) break
      sent++
    }
    this.heldBack = this.heldBack.slice(sent)
    this.ring.ring()
    if (this.heldBack.length > 0) this.ring.whenRoom(() => this.sendHeldBack())
  }
}
