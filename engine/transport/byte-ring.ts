/**
 * A ring of bytes in shared memory, one producer thread and one consumer thread: how frames cross between the gateway and
 * a worker without postMessage.
 *
 *     header   HEAD ── bytes ever written     TAIL ── bytes ever consumed     (both wrap at 2^32)
 *              SLEEPING ── 1: the consumer waits for its doorbell     WAITING ── 1: the producer waits for room
 *     data     ┌────────────┬────────┬────────┬──────────────┬─┬──────────────┐
 *              │ length u32 │ word A │ word B │ payload      │ │ FFFFFFFF …   │  a mark: the next frame is at the start
 *              └────────────┴────────┴────────┴──────────────┴─┴──────────────┘
 *                                        payload padded to 4 bytes; a frame is never split
 *
 * Backpressure is arithmetic: a frame that does not fit is refused, and the caller says OVERLOADED. The consumer is woken only
 * when it sleeps, so under load there are no system calls at all. Payload ranges are valid during the visit only.
 */

const HEAD = 0
const TAIL = 16
const SLEEPING = 32
const WAITING = 48
const HEADER_INTS = 64
const HEADER_BYTES = HEADER_INTS * 4
const FRAME_BYTES = 12
const WRAP_MARK = 0xffffffff

/**
 * A long turn rings before its end, so that the other side works on the first frames while the later ones are made. Without
 * it, gateway, worker and disk take turns in lockstep under a closed load.
 */
const FRAMES_PER_RING = 32

/** Shared memory for a ring of `capacityBytes`, a power of two of at most 2^30. */
export function ringMemory(capacityBytes: number): SharedArrayBuffer {
  if (capacityBytes > 2 ** 30 || (capacityBytes & (capacityBytes - 1)) !== 0) {
    throw new RangeError('the capacity of a ring is a power of two of at most 2^30 bytes')
  }
  return new SharedArrayBuffer(HEADER_BYTES + capacityBytes)
}

class RingEnd {
  protected readonly header: Int32Array
  protected readonly words: Uint32Array
  protected readonly data: Uint8Array
  protected readonly capacity: number

  constructor(memory: SharedArrayBuffer) {
    this.header = new Int32Array(memory, 0, HEADER_INTS)
    this.words = new Uint32Array(memory, HEADER_BYTES)
    this.data = new Uint8Array(memory, HEADER_BYTES)
    this.capacity = this.data.length
  }
}

export class RingProducer extends RingEnd {
  /** Bytes ever written, modulo 2^32; only this thread changes it. */
  private head = 0
  /** Frames pushed since the consumer was last woken. */
  private unannounced = 0
  /** The consumer's position as last seen; read again only when the ring looks full. */
  private tail = 0

  /** The largest payload that a ring takes when it is empty. */
  get payloadBytesMax(): number {
    return this.capacity / 2 - FRAME_BYTES - 4
  }

  /** Copies a frame in; false when there is no room. Visible to the consumer at once; it is woken by `ring`. */
  push(wordA: number, wordB: number, payload: Uint8Array, start: number, end: number): boolean {
    const length = end - start
    const size = FRAME_BYTES + ((length + 3) & ~3)
    let at = this.head & (this.capacity - 1)
    const toEnd = this.capacity - at
    const wraps = size > toEnd
    if (!this.hasRoom(wraps ? toEnd + size : size)) return false
    if (wraps) {
      this.words[at >>> 2] = WRAP_MARK
      this.head = (this.head + toEnd) >>> 0
      at = 0
    }
    const word = at >>> 2
    this.words[word] = length
    this.words[word + 1] = wordA
    this.words[word + 2] = wordB
    copyInto(this.data, at + FRAME_BYTES, payload, start, end)
    this.head = (this.head + size) >>> 0
    Atomics.store(this.header, HEAD, this.head | 0)
    if (++this.unannounced >= FRAMES_PER_RING) this.ring()
    return true
  }

  private hasRoom(size: number): boolean {
    if (((this.head - this.tail) >>> 0) + size <= this.capacity) return true
    this.tail = Atomics.load(this.header, TAIL) >>> 0
    return ((this.head - this.tail) >>> 0) + size <= this.capacity
  }

  /** Wakes the consumer if it sleeps. Call once a turn, after the last push. */
  ring(): void {
    this.unannounced = 0
    if (Atomics.load(this.header, SLEEPING) === 1 && Atomics.exchange(this.header, SLEEPING, 0) === 1) {
      Atomics.notify(this.header, SLEEPING)
    }
  }

  /** Calls back once the consumer has made room after a refused push; at once (in a microtask) when it has meanwhile. */
  whenRoom(wake: () => void): void {
    Atomics.store(this.header, WAITING, 1)
    // The refused push saw `tail`. Had the consumer moved on before the store above, it would not have seen it.
    if (Atomics.load(this.header, TAIL) >>> 0 !== this.tail) {
      Atomics.store(this.header, WAITING, 0)
      setImmediate(wake)
      return
    }
    const waiting = Atomics.waitAsync(this.header, WAITING, 1)
    if (waiting.async) void waiting.value.then(wake)
    else setImmediate(wake)
  }
}

/** Takes one frame; false ends the drain after it. */
export type FrameVisitor = (wordA: number, wordB: number, data: Uint8Array, start: number, end: number) => boolean

export class RingConsumer extends RingEnd {
  private tail = 0

  get isEmpty(): boolean {
    return Atomics.load(this.header, HEAD) >>> 0 === this.tail
  }

  /**
   * Visits the frames that are there, not those that come meanwhile: a turn must end, whatever the producer does. The room
   * of a frame is given back after its visit.
   */
  drain(visit: FrameVisitor): void {
    this.drainTo(Atomics.load(this.header, HEAD) >>> 0, visit)
    this.giveRoom()
  }

  private drainTo(head: number, visit: FrameVisitor): void {
    while (this.tail !== head) {
      let at = this.tail & (this.capacity - 1)
      let length = this.words[at >>> 2] as number
      if (length === WRAP_MARK) {
        this.tail = (this.tail + this.capacity - at) >>> 0
        at = 0
        length = this.words[0] as number
      }
      const word = at >>> 2
      const start = at + FRAME_BYTES
      const goOn = visit(
        this.words[word + 1] as number,
        this.words[word + 2] as number,
        this.data,
        start,
        start + length,
      )
      this.tail = (this.tail + FRAME_BYTES + ((length + 3) & ~3)) >>> 0
      Atomics.store(this.header, TAIL, this.tail | 0)
      if (!goOn) return
    }
  }

  private giveRoom(): void {
    if (Atomics.load(this.header, WAITING) === 1 && Atomics.exchange(this.header, WAITING, 0) === 1) {
      Atomics.notify(this.header, WAITING)
    }
  }

  /**
   * Calls back when there is something to drain: in the next turn of the event loop when there is already, otherwise when
   * the producer rings. Sockets, timers and finished flushes have their turn in between.
   */
  whenReadable(wake: () => void): void {
    Atomics.store(this.header, SLEEPING, 1)
    if (!this.isEmpty) {
      Atomics.store(this.header, SLEEPING, 0)
      setImmediate(wake)
      return
    }
    const waiting = Atomics.waitAsync(this.header, SLEEPING, 1)
    if (waiting.async) void waiting.value.then(wake)
    else setImmediate(wake)
  }
}

function copyInto(target: Uint8Array, at: number, source: Uint8Array, start: number, end: number): void {
  if (end - start > 96) {
    target.set(source.subarray(start, end), at)
    return
  }
  for (let from = start, to = at; from < end; from++, to++) target[to] = source[from] as number
}
