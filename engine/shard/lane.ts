/**
 * A lane: the shards of one worker and the journal they share. Group commit happens here.
 *
 *     ring of requests ──▶ actors decide, apply, append ──▶ open group ──(no flush under way)──▶ journal.append
 *                                   │                                                               │ on disk
 *                                   └── answers wait for the group that holds what they saw ◀───────┘
 *
 * While a flush is under way the next group grows, so one flush covers whatever queued meanwhile. An answer that saw nothing
 * unflushed, such as a read on a quiet shard, leaves at once; none forces a flush. What must never happen here: an answer before the
 * flush that covers its shard's last event (unless durability is `relaxed`, which says so everywhere).
 */
import { ByteReader, ByteWriter } from '../../protocol/bytes.ts'
import { assert } from '../../protocol/assert.ts'
import { COMMAND } from '../../protocol/commands.ts'
import { EVENT } from '../../protocol/events.ts'
import { readMessage, writeMessage } from '../../protocol/message-codec.ts'
import type { Message } from '../../protocol/messages.ts'
import type { SteadyClock } from '../clock.ts'
import { KEY_MEMORY_MS } from '../domain/limits.ts'
import type { RingConsumer, RingProducer } from '../transport/byte-ring.ts'
import { MESSAGE_MARK, SETTLED, type Settled } from '../transport/port.ts'
import type { Post, ShardActor } from './actor.ts'
import { Arena } from './arena.ts'
import type { Entry } from './entry.ts'
import { failAfterFlush, failPoint } from './fail-points.ts'
import { CLOCK_GAP_MAX_MS, FREE_BYTES_MIN, GROUP_BYTES_MAX, KEY_MEMORY_SHARE, RELAXED_FLUSH_MS } from './limits.ts'
import { ReplySender, WaitingReplies } from './replies.ts'

/** The part of the journal that a lane writes to. */
export interface GroupLog {
  append(entries: readonly EntryToAppend[], settled: (error: Error | null) => void): void
  freeBytes(): number
}

export interface EntryToAppend {
  readonly shard: number
  readonly firstSeq: number
  readonly eventCount: number
  readonly timeMs: number
  readonly events: Uint8Array
  readonly length: number
}

export interface LaneOptions {
  /** Makes the actors of this lane's shards. */
  readonly actors: (post: Post) => ReadonlyMap<number, ShardActor>
  readonly journal: GroupLog
  readonly clock: SteadyClock
  readonly requests: RingConsumer
  readonly replies: RingProducer
  /** Entries of one record are kept apart, so that one may be lost without the others. */
  readonly splitsRecords?: boolean
  readonly relaxed: boolean
  readonly orderWindowMs: number
  readonly orderEntriesMax: number
  /** A flush failed, or its fate is unknown. Called once; the lane is silent from then on. */
  readonly onFailed: (error: Error) => void
  readonly onClockDiffered: (gapMs: number) => void
}

/** Commands that would append: refused when the disk is nearly full. */
const WRITES: ReadonlySet<number> = new Set([
  COMMAND.RESERVE,
  COMMAND.REDEEM,
  COMMAND.REDEEM_COLUMNS,
  COMMAND.REDEEM_RESERVATION,
  COMMAND.RELEASE,
  COMMAND.EXTEND_RESERVATION,
  COMMAND.REVERSE,
  COMMAND.CREATE_COUPON,
  COMMAND.CHANGE_COUPON,
  COMMAND.SWITCH_COUPON,
  COMMAND.CREATE_CAMPAIGN,
  COMMAND.CHANGE_CAMPAIGN,
  COMMAND.SWITCH_CAMPAIGN,
  COMMAND.CLAIM,
  COMMAND.START_JOB,
  COMMAND.PROGRESS_JOB,
  COMMAND.END_JOB,
  COMMAND.PUT_COUPON,
  COMMAND.CLAIM_KEY,
  COMMAND.ANSWER_KEY,
  COMMAND.KEYED,
])

/** Whether a command would append. A call over several shards says in its own command what it is. */
function isWrite(data: Uint8Array, start: number): boolean {
  if (data[start] !== COMMAND.STACK) return WRITES.has(data[start] as number)
  const shards = (data[start + 1] as number) | ((data[start + 2] as number) << 8)
  return WRITES.has(data[start + 3 + 2 * shards] as number)
}

interface Posted {
  readonly from: ShardActor
  readonly message: Message
}

export class Lane implements Post {
  private readonly options: LaneOptions
  private readonly actors: ReadonlyMap<number, ShardActor>
  private readonly message = new ByteWriter(4096)
  private readonly arena = new Arena()
  /** Messages between shards that wait for the call in hand to end. */
  private readonly posts: Posted[] = []
  private readonly sender: ReplySender
  private readonly reader = new ByteReader()
  private readonly answer = new ByteWriter(64 * 1024)
  private readonly touched: ShardActor[] = []
  private flushed: ShardActor[] = []
  private openGroup = 1
  private durableGroup = 0
  private openBytes = 0
  private isFlushing = false
  private isFailed = false
  private isFull = false
  private relaxedFlush: NodeJS.Timeout | null = null
  private openReplies = new WaitingReplies()
  private flushReplies = new WaitingReplies()
  private nowMs = 0
  private orderWindowMs: number
  private keyWindowMs = KEY_MEMORY_MS
  private hasClockDiffered = false
  private onIdle: (() => void) | null = null
  private onGoesOn: (() => void) | null = null
  private readonly visit = (
    requestId: number,
    shard: number,
    data: Uint8Array,
    start: number,
    end: number,
  ): boolean => {
    if (requestId === MESSAGE_MARK) this.receive(data, start, end)
    else this.handle(requestId, shard, data, start, end)
    return this.openBytes < GROUP_BYTES_MAX
  }
  private readonly settled = (error: Error | null): void => this.onFlushed(error)

  constructor(options: LaneOptions) {
    this.options = options
    this.actors = options.actors(this)
    this.sender = new ReplySender(options.replies)
    this.orderWindowMs = options.orderWindowMs
  }

  send(from: ShardActor, message: Message): void {
    this.posts.push({ from, message })
  }

  /** An answer that was not ready when its call was handled: it waits for everything that was appended on this lane. */
  reply(from: ShardActor, request: number, kind: Settled, answer: Uint8Array, start: number, end: number): void {
    this.noteAppended(from)
    if (this.options.relaxed) this.sender.send(request, kind, answer, start, end)
    else if (this.touched.length > 0) this.openReplies.add(request, kind, answer, start, end)
    else if (this.isFlushing) this.flushReplies.add(request, kind, answer, start, end)
    else this.sender.send(request, kind, answer, start, end)
  }

  /** One turn: handle what is there, then begin a flush if none is under way. */
  turn(): void {
    if (this.isFailed) return
    this.stampTime()
    this.lookForRoom()
    if (!this.isHeldUp) this.options.requests.drain(this.visit)
    this.work()
    this.flushIfDue()
    this.sender.flush()
  }

  /**
   * Calls back when the ring of requests is to be listened to again: at once, or, where the open group is full, after the
   * flush under way. Listening before that would find the same frames again and again, and never let the flush settle.
   */
  whenListening(listen: () => void): void {
    if (this.isHeldUp || this.isFailed) this.onGoesOn = listen
    else listen()
  }

  /** Logs what time has done to holds, windows and order records. */
  sweep(): void {
    if (this.isFailed || this.isHeldUp) return
    this.lookForRoom()
    if (this.isFull) return
    this.stampTime()
    this.watchClock()
    for (const actor of this.actors.values()) {
      const nowMs = this.timeOf(actor)
      actor.sweep(nowMs, nowMs - this.orderWindowMs, nowMs - this.keyWindowMs)
      this.noteAppended(actor)
    }
    this.deliverPosts()
    this.work()
    this.flushIfDue()
    this.sender.flush()
  }

  /** A slice of the codes that are being made on each shard, one a group, so that calls come in between. */
  private work(): void {
    if (this.isHeldUp || this.isFull) return
    for (const actor of this.actors.values()) {
      if (!actor.hasWork || actor.workedInGroup === this.openGroup) continue
      actor.workedInGroup = this.openGroup
      actor.work(this.timeOf(actor))
      this.noteAppended(actor)
    }
  }

  /** Order memory is bounded: while there are too many entries the window is halved, and given back when there are few. */
  boundOrderMemory(): void {
    const { orderEntriesMax, orderWindowMs } = this.options
    const { actors } = this
    let entries = 0
    for (const { state } of actors.values()) entries += state.tables.orders.size + state.tables.closed.size
    if (entries > orderEntriesMax) this.orderWindowMs /= 2
    else if (entries < orderEntriesMax / 4) this.orderWindowMs = Math.min(orderWindowMs, this.orderWindowMs * 2)
    this.boundKeyMemory(orderEntriesMax * KEY_MEMORY_SHARE)
  }

  /** Likewise for keys and operations. */
  private boundKeyMemory(entriesMax: number): void {
    let entries = 0
    for (const { state } of this.actors.values()) entries += state.tables.keys.size + state.tables.operations.size
    if (entries > entriesMax) this.keyWindowMs /= 2
    else if (entries < entriesMax / 4) this.keyWindowMs = Math.min(KEY_MEMORY_MS, this.keyWindowMs * 2)
  }

  /** Handles what has arrived, flushes it, and then settles. New frames must not arrive any more. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.onIdle = resolve
      this.turn()
      this.tellIdle()
    })
  }

  private handle(requestId: number, shard: number, data: Uint8Array, start: number, end: number): void {
    const actor = this.actors.get(shard)
    assert(actor !== undefined, `shard ${shard} does not live here`)
    const { reader, answer } = this
    reader.reset(data, start, end)
    answer.clear()
    let isReady = true
    if (this.isFull && isWrite(data, start)) actor.refuseForSpace(this.timeOf(actor), answer)
    else isReady = actor.handle(requestId, reader, this.timeOf(actor), answer)
    this.noteAppended(actor)
    if (isReady) this.leave(actor, requestId, SETTLED.ANSWERED, answer.buf, answer.pos)
    this.deliverPosts()
  }

  /** Lets something out as soon as the shard's last event is on disk. */
  private leave(actor: ShardActor, requestId: number, kind: Settled, bytes: Uint8Array, length: number): void {
    if (actor.lastGroup <= this.durableGroup || (this.options.relaxed && requestId !== MESSAGE_MARK)) {
      this.sender.send(requestId, kind, bytes, 0, length)
    } else {
      const waiting = actor.lastGroup === this.openGroup ? this.openReplies : this.flushReplies
      waiting.add(requestId, kind, bytes, 0, length)
    }
  }

  /** A message from a shard of another lane. */
  private receive(data: Uint8Array, start: number, end: number): void {
    const kept = this.arena.copy(data, start, end)
    this.give(readMessage(new ByteReader(kept.buf, kept.start, kept.end)))
    this.deliverPosts()
  }

  private give(message: Message): void {
    const actor = this.actors.get(message.to)
    assert(actor !== undefined, `shard ${message.to} does not live here`)
    // The time of a shard that was taken along must run on: what waits for it to pass would wait for the wall clock.
    if (message.atMs > this.nowMs) {
      this.options.clock.hear(message.atMs)
      this.nowMs = message.atMs
    }
    actor.receive(message, this.timeOf(actor))
    this.noteAppended(actor)
  }

  /**
   * Messages between shards of this lane are handled at once: both sides' events are in one record, so either both are on
   * disk or none is. What goes to another lane leaves like an answer does, behind its flush; and so does everything where
   * the entries of a record go to streams of their own, which may keep one and lose the other.
   */
  private deliverPosts(): void {
    for (let posted = this.posts.shift(); posted !== undefined; posted = this.posts.shift()) {
      const { from, message } = posted
      if (this.actors.has(message.to) && this.options.splitsRecords !== true) {
        this.give(message)
        continue
      }
      this.message.clear()
      writeMessage(this.message, message)
      this.leave(from, MESSAGE_MARK, SETTLED.ANSWERED, this.message.buf, this.message.pos)
    }
  }

  /** A shard whose entry has grown belongs to the open group. */
  private noteAppended(actor: ShardActor): void {
    if (actor.openEntry.isEmpty || actor.openEntry.length === actor.notedBytes) return
    this.openBytes += actor.openEntry.length - actor.notedBytes
    actor.notedBytes = actor.openEntry.length
    if (actor.lastGroup === this.openGroup) return
    actor.lastGroup = this.openGroup
    this.touched.push(actor)
  }

  private flushIfDue(): void {
    if (this.isFlushing || this.touched.length === 0) return
    if (!this.options.relaxed || this.openBytes >= GROUP_BYTES_MAX) {
      this.beginFlush()
    } else if (this.relaxedFlush === null) {
      this.relaxedFlush = setTimeout(() => {
        this.relaxedFlush = null
        if (!this.isFlushing && this.touched.length > 0 && !this.isFailed) this.beginFlush()
      }, RELAXED_FLUSH_MS)
    }
  }

  private beginFlush(): void {
    this.flushed = this.touched.splice(0)
    const drafts = this.flushed.map((actor) => draftOf(actor.state.shard, swapEntries(actor)))
    const replies = this.flushReplies
    this.flushReplies = this.openReplies
    this.openReplies = replies
    this.openGroup++
    this.openBytes = 0
    this.isFlushing = true
    failPoint('lane.flush-begins')
    this.options.journal.append(drafts, this.settled)
  }

  private onFlushed(error: Error | null): void {
    if (this.isFailed) return
    if (error !== null) {
      this.isFailed = true
      this.options.onFailed(error)
      return
    }
    failAfterFlush()
    failPoint('lane.flush-ended')
    this.isFlushing = false
    this.durableGroup = this.openGroup - 1
    for (const actor of this.flushed) actor.flushing.begin(0, 0)
    this.flushReplies.sendAll(this.sender)
    this.turn()
    this.goOn()
    this.tellIdle()
  }

  /** The open group is full, and the flush that would make room for another one is under way. */
  private get isHeldUp(): boolean {
    return this.isFlushing && this.openBytes >= GROUP_BYTES_MAX
  }

  private goOn(): void {
    const listen = this.onGoesOn
    if (listen === null || this.isHeldUp) return
    this.onGoesOn = null
    listen()
  }

  private tellIdle(): void {
    if (this.onIdle === null || this.isFlushing) return
    // Frames that were on their way when the end began are handled like all before them.
    if (!this.options.requests.isEmpty) setImmediate(() => this.drainOn())
    else if (this.touched.length > 0) this.beginFlush()
    else if (this.sender.isEmpty) this.onIdle()
    else setImmediate(() => this.tellIdle())
  }

  private drainOn(): void {
    if (this.isFailed) return
    this.turn()
    this.tellIdle()
  }

  private lookForRoom(): void {
    this.isFull = this.options.journal.freeBytes() < FREE_BYTES_MIN
  }

  private stampTime(): void {
    this.nowMs = this.options.clock.nowMs()
  }

  /** Never behind what the shard has logged. */
  private timeOf(actor: ShardActor): number {
    return Math.max(this.nowMs, actor.state.timeMs)
  }

  private watchClock(): void {
    const { gapMs } = this.options.clock
    const differs = Math.abs(gapMs) > CLOCK_GAP_MAX_MS
    if (differs && !this.hasClockDiffered) {
      const first = this.actors.values().next().value as ShardActor
      const stampedMs = this.timeOf(first)
      first.append({ type: EVENT.CLOCK_DIFFERED, wallMs: Math.round(stampedMs + gapMs), stampedMs }, stampedMs)
      this.noteAppended(first)
      this.options.onClockDiffered(gapMs)
    }
    this.hasClockDiffered = differs
  }
}

/** The open entry goes to the flush; an empty one takes its place. */
function swapEntries(actor: ShardActor): Entry {
  const entry = actor.openEntry
  actor.openEntry = actor.flushing
  actor.openEntry.begin(0, 0)
  actor.flushing = entry
  actor.notedBytes = 0
  return entry
}

function draftOf(shard: number, { firstSeq, eventCount, timeMs, events, length }: Entry): EntryToAppend {
  return { shard, firstSeq, eventCount, timeMs, events, length }
}
