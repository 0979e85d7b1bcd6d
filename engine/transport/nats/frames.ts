/**
 * Frames between processes: many calls or answers in one message, as one turn of the event loop has made them.
 *
 *     message   ┌───────────┬─────────┬──────────────────┐
 *               │ format u8 │ what u8 │ frame, frame, …  │
 *               └───────────┴─────────┴──────────────────┘
 *     frame     │ call u32 │ length and kind u32 │ bytes │       kind: how a call has settled, in the upper 4 bits
 *     part      │ call u32 │ length and kind u32 │ place u32 │ bytes up to the end of the message │
 *
 * Little end first. What is larger than the bus takes travels as parts: `length` is the whole, `place` where this part
 * belongs; parts of one call come in order, from one sender.
 */
export const FORMAT = 1
const WHAT = { FRAMES: 1, PART: 2 } as const

const MESSAGE_HEAD_BYTES = 2
const FRAME_HEAD_BYTES = 8
const PART_HEAD_BYTES = MESSAGE_HEAD_BYTES + FRAME_HEAD_BYTES + 4
const KIND_SHIFT = 28
/** Bytes of a call or an answer. */
export const LENGTH_MAX = 2 ** KIND_SHIFT - 1
/** Messages are sent before they are larger, so that the other side begins while the rest is made. */
const MESSAGE_BYTES_MAX = 128 * 1024
const FIRST_BYTES = 1_024

/** A message of another format, or one that ends too early. */
export class BadFrame extends Error {
  override readonly name = 'BadFrame'
}

/** Gets a message, which is its own, and the calls that are in it, whole or in part. */
export type MessageSender = (message: Uint8Array, calls: readonly number[]) => void

/** Gathers frames for one destination. */
export class FrameGatherer {
  private readonly send: MessageSender
  private readonly messageBytesMax: number
  private buffer = new Uint8Array(FIRST_BYTES)
  private length = 0
  private calls: number[] = []

  constructor(payloadBytesMax: number, send: MessageSender) {
    this.send = send
    this.messageBytesMax = Math.min(payloadBytesMax, MESSAGE_BYTES_MAX)
  }

  get isEmpty(): boolean {
    return this.length === 0
  }

  /** Copies the bytes. May send what was gathered before. */
  add(call: number, kind: number, bytes: Uint8Array, start: number, end: number): void {
    const size = FRAME_HEAD_BYTES + end - start
    if (this.length > 0 && this.length + size > this.messageBytesMax) this.flush()
    if (MESSAGE_HEAD_BYTES + size > this.messageBytesMax) {
      this.addParts(call, kind, bytes, start, end)
      return
    }
    if (this.length === 0) this.length = MESSAGE_HEAD_BYTES
    this.makeRoom(size)
    writeHead(this.buffer, this.length, call, kind, end - start)
    this.buffer.set(bytes.subarray(start, end), this.length + FRAME_HEAD_BYTES)
    this.length += size
    this.calls.push(call)
  }

  flush(): void {
    if (this.length === 0) return
    const { calls, length } = this
    this.buffer[0] = FORMAT
    this.buffer[1] = WHAT.FRAMES
    this.length = 0
    this.calls = []
    this.send(this.buffer.slice(0, length), calls)
  }

  private addParts(call: number, kind: number, bytes: Uint8Array, start: number, end: number): void {
    const room = this.messageBytesMax - PART_HEAD_BYTES
    for (let from = start; from < end; from += room) {
      const to = Math.min(from + room, end)
      const part = new Uint8Array(PART_HEAD_BYTES + to - from)
      part[0] = FORMAT
      part[1] = WHAT.PART
      writeHead(part, MESSAGE_HEAD_BYTES, call, kind, end - start)
      writeU32(part, MESSAGE_HEAD_BYTES + FRAME_HEAD_BYTES, from - start)
      part.set(bytes.subarray(from, to), PART_HEAD_BYTES)
      this.send(part, [call])
    }
  }

  private makeRoom(more: number): void {
    const needed = this.length + more
    if (needed <= this.buffer.length) return
    const larger = new Uint8Array(Math.max(needed, Math.min(this.buffer.length * 2, this.messageBytesMax)))
    larger.set(this.buffer.subarray(0, this.length))
    this.buffer = larger
  }
}

/** Gets a frame; the range is valid during the call only. */
export type FrameVisitor = (call: number, kind: number, bytes: Uint8Array, start: number, end: number) => void

/** What has come of a call in parts, until it is whole. */
interface InParts {
  readonly bytes: Uint8Array
  filled: number
}

/** Calls in parts that are under way at a time; beyond, the oldest is given up. */
const PARTIALS_MAX = 64

/** Takes messages apart. Of a call in parts of which one is lost, nothing is visited. */
export class FrameReader {
  private readonly partials = new Map<number, InParts>()

  /** Throws BadFrame. */
  read(message: Uint8Array, visit: FrameVisitor): void {
    if (message[0] !== FORMAT) throw new BadFrame(`frames of format ${message[0]} are not known, ${FORMAT} is`)
    if (message[1] === WHAT.PART) this.takePart(message, visit)
    else if (message[1] === WHAT.FRAMES) readFrames(message, visit)
    else throw new BadFrame(`messages of kind ${message[1]} are not known`)
  }

  private takePart(message: Uint8Array, visit: FrameVisitor): void {
    if (message.length < PART_HEAD_BYTES) throw new BadFrame('a part ends within its head')
    const call = readU32(message, MESSAGE_HEAD_BYTES)
    const word = readU32(message, MESSAGE_HEAD_BYTES + 4)
    const place = readU32(message, MESSAGE_HEAD_BYTES + FRAME_HEAD_BYTES)
    const length = word & LENGTH_MAX
    const rest = message.subarray(PART_HEAD_BYTES)
    const partial = place === 0 ? this.begin(call, length) : this.partials.get(call)
    if (partial === undefined) return
    if (partial.filled !== place || partial.bytes.length !== length || place + rest.length > length) {
      this.partials.delete(call)
      return
    }
    partial.bytes.set(rest, place)
    partial.filled += rest.length
    if (partial.filled < length) return
    this.partials.delete(call)
    visit(call, word >>> KIND_SHIFT, partial.bytes, 0, length)
  }

  private begin(call: number, length: number): InParts {
    const partial = { bytes: new Uint8Array(length), filled: 0 }
    this.partials.delete(call)
    this.partials.set(call, partial)
    if (this.partials.size > PARTIALS_MAX) this.partials.delete(this.partials.keys().next().value as number)
    return partial
  }
}

function readFrames(message: Uint8Array, visit: FrameVisitor): void {
  for (let at = MESSAGE_HEAD_BYTES; at < message.length; ) {
    if (at + FRAME_HEAD_BYTES > message.length) throw new BadFrame('a message ends within a frame')
    const word = readU32(message, at + 4)
    const start = at + FRAME_HEAD_BYTES
    const end = start + (word & LENGTH_MAX)
    if (end > message.length) throw new BadFrame('a message ends within a frame')
    visit(readU32(message, at), word >>> KIND_SHIFT, message, start, end)
    at = end
  }
}

function writeHead(into: Uint8Array, at: number, call: number, kind: number, length: number): void {
  writeU32(into, at, call)
  writeU32(into, at + 4, ((kind << KIND_SHIFT) | length) >>> 0)
}

function writeU32(into: Uint8Array, at: number, value: number): void {
  into[at] = value
  into[at + 1] = value >>> 8
  into[at + 2] = value >>> 16
  into[at + 3] = value >>> 24
}

function readU32(from: Uint8Array, at: number): number {
  return (
    ((from[at] as number) |
      ((from[at + 1] as number) << 8) |
      ((from[at + 2] as number) << 16) |
      ((from[at + 3] as number) << 24)) >>>
    0
  )
}
