/**
 * The caller's side of the transport over a bus: calls of one turn go out as one message a shard, answers come back to an inbox.
 *
 *     call ──▶ gathered by shard ──▶ (end of the turn) ──▶ shard's subject, reply to inbox.N
 *                                                             ├── nobody listens ──▶ not done, every call of message N
 *     settled ◀── inbox.… ◀── answers, in any order ◀─────────┘
 *             ◀── nothing heard for so long: unknown, it may have happened
 *
 * A call's number is its slot and how often the slot was used before, so that a late or doubled answer settles nobody else's.
 */
import { ByteReader } from '../../../protocol/bytes.ts'
import { type ReplyHandler, SETTLED, type Settled, type ShardTransport } from '../port.ts'
import type { Bus, BusMessage, BusSubscription } from './bus.ts'
import { BadFrame, FrameGatherer, FrameReader, LENGTH_MAX } from './frames.ts'
import type { Subjects } from './subjects.ts'

/** As in one process: see `in-process.ts`. */
const CALLS_MAX = 131_072
const SLOT_BITS = 17
const SLOT_MASK = 2 ** SLOT_BITS - 1
/** Bytes of calls that have not settled; beyond, calls are not taken. */
const BYTES_MAX = 64 * 1024 * 1024
/** How often what is overdue is looked for. */
const LOOK_MS = 50
const NOTHING = new ByteReader()

export interface CallerOptions {
  readonly bus: Bus
  readonly subjects: Subjects
  readonly shards: number
  /** Its name among all callers of the cluster: a token of a subject that nobody else uses. */
  readonly name: string
  /** How long an answer is waited for, milliseconds. */
  readonly deadlineMs: number
  /** Monotonic. */
  readonly nowMs: () => number
  /** A message could not be read: another version, or a defect. */
  readonly onBadMessage: (error: BadFrame) => void
  /** Calls that may wait for an answer. */
  readonly callsMax?: number
}

/** A message that went out, until its calls are settled or overdue: for whom nobody listened. */
interface SentMessage {
  readonly calls: readonly number[]
  readonly sentAtMs: number
}

export class BusCaller implements ShardTransport {
  readonly shards: number
  inFlight = 0
  private readonly options: CallerOptions
  private readonly callsMax: number
  private readonly inbox: string
  private readonly subscription: BusSubscription
  private readonly reader = new ByteReader()
  private readonly frames = new FrameReader()
  private readonly handlers: (ReplyHandler | null)[] = []
  private readonly sizes: number[] = []
  private readonly uses: number[] = []
  private readonly freeSlots: number[] = []
  private readonly outgoing: readonly FrameGatherer[]
  private readonly dirty: FrameGatherer[] = []
  private readonly sent = new Map<number, SentMessage>()
  /** Calls in the order in which they become overdue. */
  private queue: { readonly call: number; readonly atMs: number }[] = []
  private queueStart = 0
  private bytes = 0
  private messages = 0
  private willFlush = false
  private closedAs: Settled | null = null
  private readonly timer: NodeJS.Timeout
  private readonly flush = (): void => {
    this.willFlush = false
    for (const gathered of this.dirty.splice(0)) gathered.flush()
  }

  constructor(options: CallerOptions) {
    this.options = options
    this.shards = options.shards
    this.callsMax = options.callsMax ?? CALLS_MAX
    this.inbox = options.subjects.inbox(options.name)
    this.outgoing = Array.from({ length: options.shards }, (_, shard) => {
      return new FrameGatherer(options.bus.payloadBytesMax, (message, calls) => this.send(shard, message, calls))
    })
    this.subscription = options.bus.subscribe(`${this.inbox}.*`, (message) => this.hear(message))
    this.timer = setInterval(() => this.giveUp(), LOOK_MS)
    this.timer.unref()
  }

  call(shard: number, bytes: Uint8Array, length: number, handler: ReplyHandler): void {
    const refusal = this.refusal(length)
    if (refusal !== null) {
      handler.settled(refusal, NOTHING)
      return
    }
    const slot = this.freeSlots.pop() ?? this.handlers.push(null) - 1
    const use = ((this.uses[slot] ?? -1) + 1) & (2 ** (32 - SLOT_BITS) - 1)
    const call = ((use << SLOT_BITS) | slot) >>> 0
    this.uses[slot] = use
    this.handlers[slot] = handler
    this.sizes[slot] = length
    this.bytes += length
    this.inFlight++
    this.queue.push({ call, atMs: this.options.nowMs() + this.options.deadlineMs })
    const gatherer = this.outgoing[shard] as FrameGatherer
    if (gatherer.isEmpty) this.dirty.push(gatherer)
    gatherer.add(call, 0, bytes, 0, length)
    if (this.willFlush) return
    this.willFlush = true
    setImmediate(this.flush)
  }

  /** Calls that are overdue settle as unknown. Called by itself, often. */
  giveUp(): void {
    const nowMs = this.options.nowMs()
    const { queue } = this
    let at = this.queueStart
    for (; at < queue.length; at++) {
      const { call, atMs } = queue[at] as { call: number; atMs: number }
      if (atMs > nowMs) break
      this.settle(call, SETTLED.UNKNOWN, NOTHING)
    }
    this.queueStart = at
    if (at > queue.length / 2) {
      this.queue = queue.slice(at)
      this.queueStart = 0
    }
    for (const [message, { sentAtMs }] of this.sent) {
      if (sentAtMs + this.options.deadlineMs > nowMs) break
      this.sent.delete(message)
    }
  }

  /** Answers everything in flight, and every later call: STORAGE, or UNKNOWN (for later calls: not done). */
  close(kind: Settled): void {
    if (this.closedAs !== null) return
    this.closedAs = kind
    clearInterval(this.timer)
    this.subscription.end()
    for (let slot = 0; slot < this.handlers.length; slot++) {
      if (this.handlers[slot] !== null) this.settle(this.callOf(slot), kind, NOTHING)
    }
    this.sent.clear()
  }

  /** Why a call is not taken; null: it is. */
  private refusal(length: number): Settled | null {
    if (this.closedAs !== null) {
      return this.closedAs === SETTLED.UNKNOWN ? SETTLED.NOT_DONE_UNAVAILABLE : this.closedAs
    }
    // What is handed over now would be sent whenever the connection is back.
    if (!this.options.bus.isConnected) return SETTLED.NOT_DONE_UNAVAILABLE
    const isFull = this.inFlight >= this.callsMax || this.bytes + length > BYTES_MAX || length > LENGTH_MAX
    return isFull ? SETTLED.NOT_DONE_OVERLOADED : null
  }

  private send(shard: number, message: Uint8Array, calls: readonly number[]): void {
    if (this.closedAs !== null) return
    const { bus, subjects, nowMs } = this.options
    const number = ++this.messages
    this.sent.set(number, { calls, sentAtMs: nowMs() })
    bus.publish(subjects.shard(shard), message, `${this.inbox}.${number}`)
  }

  private hear({ subject, payload, isUndelivered }: BusMessage): void {
    if (isUndelivered) {
      this.undelivered(Number(subject.slice(this.inbox.length + 1)))
      return
    }
    try {
      this.frames.read(payload, (call, kind, bytes, start, end) => {
        this.reader.reset(bytes, start, end)
        this.settle(call, kind as Settled, this.reader)
      })
    } catch (error) {
      if (!(error instanceof BadFrame)) throw error
      this.options.onBadMessage(error)
    }
  }

  /** Nobody has the message: what was in it is safe elsewhere, or later. */
  private undelivered(message: number): void {
    const sent = this.sent.get(message)
    if (sent === undefined) return
    this.sent.delete(message)
    for (const call of sent.calls) this.settle(call, SETTLED.NOT_DONE_UNAVAILABLE, NOTHING)
  }

  private callOf(slot: number): number {
    return (((this.uses[slot] as number) << SLOT_BITS) | slot) >>> 0
  }

  private settle(call: number, kind: Settled, reader: ByteReader): void {
    const slot = call & SLOT_MASK
    const handler = this.handlers[slot]
    if (handler === null || handler === undefined || this.callOf(slot) !== call) return
    this.handlers[slot] = null
    this.freeSlots.push(slot)
    this.bytes -= this.sizes[slot] as number
    this.inFlight--
    handler.settled(kind, reader)
  }
}
