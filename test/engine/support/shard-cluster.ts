/**
 * Several lanes on one thread: real lanes, actors and rules, journals in memory whose flushes settle when the test says, and
 * a transport between the lanes that is the test's: it delivers, delays, drops, doubles and reorders. Time moves by hand. A
 * crash takes everything that was not flushed, and every message on its way.
 *
 *     call ──▶ ring ──▶ lane ──▶ journal (held) ──▶ `stored`, which a crash leaves
 *                         │
 *                         └──▶ ring ──▶ answers, and `wire`: frames from lane to lane, at the test's mercy
 */
import { ByteReader, type Bytes, ByteWriter } from '../../../protocol/bytes.ts'
import { writeCommand } from '../../../protocol/command-codec.ts'
import type { Command } from '../../../protocol/commands.ts'
import { readEvent } from '../../../protocol/event-codec.ts'
import { readMessage } from '../../../protocol/message-codec.ts'
import type { Message } from '../../../protocol/messages.ts'
import { readOutcome, readPosition } from '../../../protocol/outcome-codec.ts'
import { type Outcome, OUTCOME, type Position } from '../../../protocol/outcomes.ts'
import { SteadyClock } from '../../../engine/clock.ts'
import { KeyHash } from '../../../engine/domain/key-hash.ts'
import { UTC_DAYS } from '../../../engine/domain/calendar.ts'
import { ShardState } from '../../../engine/domain/state.ts'
import type { Surroundings } from '../../../engine/domain/surroundings.ts'
import { ShardActor } from '../../../engine/shard/actor.ts'
import { Lane } from '../../../engine/shard/lane.ts'
import { replayEntry } from '../../../engine/shard/replay.ts'
import { stateTables } from '../../../engine/shard/state-tables.ts'
import { RingConsumer, ringMemory, RingProducer } from '../../../engine/transport/byte-ring.ts'
import { MESSAGE_MARK, type Settled } from '../../../engine/transport/port.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { HeldJournal, MemoryDisk } from './held-journal.ts'
import type { LoggedEvent } from './live-shard.ts'

export const CLUSTER_BEGIN_MS = 1_760_000_000_000
const SECRET = new Uint8Array(32).map((_, i) => i * 5 + 3)
const RING_BYTES = 2 ** 17
/** How often a real lane sweeps. */
const SWEEP_MS = 20
const FRAMES_OF_A_MOMENT_MAX = 20_000

interface ClusterLane {
  readonly lane: Lane
  readonly journal: HeldJournal
  readonly into: RingProducer
  readonly outOf: RingConsumer
  readonly actors: ReadonlyMap<number, ShardActor>
}

export interface Answer {
  readonly kind: Settled
  readonly position: Position | null
  /** Unwrapped: what several shards have answered together stands here like what one has. */
  readonly outcome: Outcome | null
  readonly positions: readonly Position[]
}

export interface ClusterCall {
  readonly id: number
  readonly shard: number
  readonly command: Command<string | Bytes>
  readonly sentAtMs: number
  /** null: none yet; a crash leaves it so for ever. */
  answer: Answer | null
  answeredAtMs: number
  /** The process died while it was under way. */
  isLost: boolean
}

/** A frame between lanes. */
export interface OnWire {
  readonly message: Message
  readonly bytes: Uint8Array
}

export class ShardCluster {
  readonly disk = new MemoryDisk()
  readonly calls: ClusterCall[] = []
  readonly open = new Set<ClusterCall>()
  wire: OnWire[] = []
  elapsedMs = 0
  crashes = 0
  failures: Error[] = []
  private lanes: ClusterLane[] = []
  private readonly shardsOfLanes: readonly (readonly number[])[]
  private readonly writer = new ByteWriter()
  private readonly letters = new SeededRandom(4_711)
  private readonly random = (bytes: number) => Uint8Array.from({ length: bytes }, () => this.letters.below(256))

  private readonly relaxed: boolean

  /** `relaxed`: answers do not wait for flushes, which then begin by a timer. */
  constructor(shardsOfLanes: readonly (readonly number[])[] = [[0], [1], [2]], relaxed = false) {
    this.relaxed = relaxed
    this.shardsOfLanes = shardsOfLanes
    this.lanes = shardsOfLanes.map((shards) => this.startLane(shards))
  }

  get nowMs(): number {
    return CLUSTER_BEGIN_MS + this.elapsedMs
  }

  get shards(): readonly number[] {
    return this.shardsOfLanes.flat().sort((a, b) => a - b)
  }

  get laneCount(): number {
    return this.lanes.length
  }

  get hasFlush(): boolean {
    return this.lanes.some(({ journal }) => journal.waiting !== null)
  }

  state(shard: number): ShardState {
    return (this.laneOf(shard).actors.get(shard) as ShardActor).state
  }

  /** Sends a command; its lane has a turn. */
  call(shard: number, command: Command<string | Bytes>): ClusterCall {
    const id = this.calls.length
    const call = { id, shard, command, sentAtMs: this.nowMs, answer: null, answeredAtMs: 0, isLost: false }
    this.calls.push(call)
    this.open.add(call)
    this.writer.clear()
    writeCommand(this.writer, command)
    this.push(this.laneOf(shard), id, shard, this.writer.buf.slice(0, this.writer.pos))
    return call
  }

  /** Delivers one frame of the wire. */
  deliver(index: number): void {
    const frame = this.wire[index]
    if (frame === undefined) throw new Error('there is no such frame on the wire')
    this.wire.splice(index, 1)
    const { to } = frame.message
    this.push(this.laneOf(to), MESSAGE_MARK, to, frame.bytes)
  }

  drop(index: number): void {
    this.wire.splice(index, 1)
  }

  /** Drops what is on the wire and passes the test. */
  dropWhere(test: (message: Message) => boolean): number {
    const before = this.wire.length
    this.wire = this.wire.filter(({ message }) => !test(message))
    return before - this.wire.length
  }

  settleFlush(lane: number): boolean {
    const { journal } = this.lanes[lane] as ClusterLane
    const isUnderWay = journal.waiting !== null
    if (isUnderWay) journal.settle()
    this.collect()
    return isUnderWay
  }

  settleFlushes(): void {
    while (this.hasFlush) for (let lane = 0; lane < this.lanes.length; lane++) this.settleFlush(lane)
  }

  sweep(only?: number): void {
    for (const [index, { lane }] of this.lanes.entries()) if (only === undefined || only === index) lane.sweep()
    this.collect()
  }

  /** Everything that can happen now happens; time stands still. */
  run(): this {
    for (let i = 0; this.wire.length > 0 || this.hasFlush; i++) {
      if (i === FRAMES_OF_A_MOMENT_MAX) throw new Error('shards talk to each other without end')
      this.settleFlushes()
      if (this.wire.length > 0) this.deliver(0)
    }
    return this
  }

  /** Time passes in the steps of a real lane's sweeps. Flushes settle; nothing on the wire moves unless `delivers`. */
  pass(ms: number, delivers = true): this {
    const endMs = this.elapsedMs + ms
    while (this.elapsedMs < endMs) {
      this.elapsedMs = Math.min(endMs, this.elapsedMs + SWEEP_MS)
      this.settleFlushes()
      this.sweep()
      this.settleFlushes()
      if (delivers) this.run()
    }
    return this
  }

  /** The process dies and starts again. `isFlushed` says of each lane whether a flush under way has reached the disk. */
  crash(isFlushed: (lane: number) => boolean = () => false): this {
    this.crashes++
    for (const [index, { journal }] of this.lanes.entries()) if (isFlushed(index)) journal.settleUnheard()
    for (const call of this.open) call.isLost = true
    this.open.clear()
    this.wire = []
    this.lanes = this.shardsOfLanes.map((shards) => this.startLane(shards))
    return this
  }

  replayed(shard: number): ShardState {
    const state = emptyState(shard, this.shards.length)
    for (const entry of this.disk.stored) if (entry.shard === shard) replayEntry(state, entry)
    return state
  }

  /** Every event of a shard that is on disk. */
  loggedEvents(shard: number): LoggedEvent[] {
    const logged: LoggedEvent[] = []
    for (const entry of this.disk.stored) {
      if (entry.shard !== shard) continue
      if (entry.firstSeq !== logged.length + 1) throw new Error(`the log of shard ${shard} has a gap`)
      const reader = new ByteReader(entry.events, entry.start, entry.end)
      let atMs = entry.timeMs
      while (!reader.done) {
        const event = readEvent(reader)
        if (typeof event === 'number') atMs += event
        else logged.push({ seq: logged.length + 1, atMs, event })
      }
    }
    return logged
  }

  private laneOf(shard: number): ClusterLane {
    const index = this.shardsOfLanes.findIndex((shards) => shards.includes(shard))
    return this.lanes[index] as ClusterLane
  }

  private push({ into, lane }: ClusterLane, id: number, shard: number, bytes: Uint8Array): void {
    if (!into.push(id, shard, bytes, 0, bytes.length)) throw new Error('a ring of requests is full')
    lane.turn()
    this.collect()
  }

  /** Takes what the lanes have let out. */
  private collect(): void {
    for (const { outOf } of this.lanes) {
      outOf.drain((id, kind, data, start, end) => {
        const bytes = data.slice(start, end)
        if (id === MESSAGE_MARK) this.wire.push({ message: readMessage(new ByteReader(bytes.slice())), bytes })
        else this.answered(id, kind as Settled, bytes)
        return true
      })
    }
    const [failure] = this.failures
    if (failure !== undefined) throw failure
  }

  private answered(id: number, kind: Settled, bytes: Uint8Array): void {
    const call = this.calls[id] as ClusterCall
    if (!this.open.delete(call)) throw new Error(`call ${id} was answered twice`)
    call.answer = answerOf(kind, bytes)
    call.answeredAtMs = this.nowMs
  }

  private startLane(shards: readonly number[]): ClusterLane {
    const { disk } = this
    const requests = ringMemory(RING_BYTES)
    const replies = ringMemory(RING_BYTES)
    const journal = new HeldJournal(disk)
    const states = shards.map((shard) => this.replayed(shard))
    const actors = new Map<number, ShardActor>()
    const source = { wallMs: () => this.nowMs, monotonicMs: () => this.elapsedMs }
    const lane = new Lane({
      actors: (post) => {
        for (const state of states) actors.set(state.shard, new ShardActor(state, disk, post, this.random))
        return actors
      },
      journal,
      clock: new SteadyClock(source),
      requests: new RingConsumer(requests),
      replies: new RingProducer(replies),
      relaxed: this.relaxed,
      orderWindowMs: 1_000_000_000,
      orderEntriesMax: 1_000_000,
      onFailed: (error) => this.failures.push(error),
      onClockDiffered: () => {},
    })
    return { lane, journal, into: new RingProducer(requests), outOf: new RingConsumer(replies), actors }
  }
}

function emptyState(shard: number, shards: number): ShardState {
  const around: Surroundings = {
    shards,
    calendar: UTC_DAYS,
    endings: { count: 1_024, ending: (_head, _length, pick) => pick },
    shardOfUser: ({ buf, start }) => dayShardOf(buf[start] as number, shards),
  }
  return new ShardState(shard, stateTables(SECRET), new KeyHash(SECRET), around)
}

/** Where a user's days are counted: by the first letter of its id. */
export function dayShardOf(firstLetter: number, shards: number): number {
  return firstLetter % shards
}

function answerOf(kind: Settled, bytes: Uint8Array): Answer {
  if (bytes.length === 0) return { kind, position: null, outcome: null, positions: [] }
  const reader = new ByteReader(bytes)
  const position = readPosition(reader)
  const outcome = readOutcome(reader)
  if (outcome.type !== OUTCOME.ACROSS) return { kind, position, outcome, positions: [] }
  return { kind, position, outcome: outcome.outcome, positions: outcome.positions }
}
