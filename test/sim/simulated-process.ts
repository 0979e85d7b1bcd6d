/**
 * A process of the simulation, in one life: lanes with their real actors, rebuilt from the simulated disk, and their journals.
 * It dies by an exception that runs through whatever it is doing, or between two events; then nothing of it happens any more.
 */
import { SteadyClock } from '../../engine/clock.ts'
import type { ShardState } from '../../engine/domain/state.ts'
import { type Post, ShardActor } from '../../engine/shard/actor.ts'
import { type GroupLog, Lane } from '../../engine/shard/lane.ts'
import { replayEntry } from '../../engine/shard/replay.ts'
import { dumpState, emptyState, loadState } from '../../engine/shard/snapshot-state.ts'
import { RingConsumer, ringMemory, RingProducer } from '../../engine/transport/byte-ring.ts'
import { MESSAGE_MARK } from '../../engine/transport/port.ts'
import type { Deployment } from '../../persistence/deployment.ts'
import type { ShardHead } from '../../persistence/lane-merge.ts'
import type { SimulatedDisk } from './simulated-disk.ts'
import { type Fate, SimulatedJournal, type JournalPorts } from './simulated-journal.ts'
import { WordsReader, WordsWriter } from './state-words.ts'

const RING_BYTES = 2 ** 17
const ORDER_WINDOW_MS = 7 * 86_400_000
const ORDER_ENTRIES_MAX = 1_000_000

/** A process of the simulation ends here and now. */
export class SimulatedDeath extends Error {
  override readonly name = 'SimulatedDeath'
}

/** What a shard's state comes to by the log, and where in it that is. */
export interface Rebuilt {
  readonly states: ReadonlyMap<number, ShardState>
  readonly heads: ReadonlyMap<number, ShardHead>
  readonly torn: number
}

/** The real replay over the simulated disk: snapshots and the log behind them. `onEntry` is told of every entry. */
export function rebuild(
  disk: SimulatedDisk,
  deployment: Deployment,
  shards: readonly number[],
  mine: (lane: number) => boolean,
  { isWithSnapshots = true, onEntry = () => {} }: { isWithSnapshots?: boolean; onEntry?: () => void } = {},
): Rebuilt {
  const states = new Map<number, ShardState>()
  const after = new Map<number, ShardHead>()
  for (const shard of shards) {
    const state = emptyState(shard, deployment)
    states.set(shard, state)
    const snapshot = isWithSnapshots ? disk.snapshots.get(shard) : undefined
    if (snapshot === undefined) continue
    loadState(state, new WordsReader(snapshot.words))
    after.set(shard, snapshot.head)
  }
  const { merged, torn } = disk.recover(mine, new Set(shards), after, (entry) => {
    onEntry()
    replayEntry(states.get(entry.shard) as ShardState, entry)
  })
  return { states, heads: merged.heads, torn }
}

/** The words of a state; two states with the same words are the same. */
export function wordsOf(state: ShardState): Int32Array {
  const writer = new WordsWriter()
  dumpState(state, writer)
  return writer.words()
}

export interface ProcessPorts {
  readonly deployment: Deployment
  readonly disk: SimulatedDisk
  /** As where every shard has a stream of its own: shards of one lane, too, speak behind their flushes. */
  readonly splitsRecords: boolean
  readonly wallMs: () => number
  readonly random: (bytes: number) => Uint8Array
  readonly journal: (lane: number) => Omit<JournalPorts, 'run'>
  /** The journal as the lane is to see it. */
  readonly wrapJournal: (process: SimulatedProcess, journal: GroupLog) => GroupLog
  /** Runs something of this process: where it dies of it, the process is dead. */
  readonly run: (process: SimulatedProcess, what: () => void) => void
  readonly onAnswer: (lane: number, request: number, kind: number, bytes: Uint8Array) => void
  readonly onMessage: (lane: number, bytes: Uint8Array) => void
  readonly onFailed: (process: SimulatedProcess, error: Error) => void
  readonly count: (what: string) => void
}

interface LaneLife {
  readonly lane: Lane
  readonly number: number
  readonly journal: SimulatedJournal
  readonly into: RingProducer
  readonly outOf: RingConsumer
  isTurnPlanned: boolean
}

export class SimulatedProcess {
  isAlive = true
  readonly lanes: readonly LaneLife[]
  readonly states: ReadonlyMap<number, ShardState>
  readonly monotonicAtMs: number
  private readonly ports: ProcessPorts
  private readonly laneOfShard = new Map<number, LaneLife>()

  /** `lanes`: their numbers and shards. `nowMs`: monotonic. The log must have been rebuilt this very moment. */
  constructor(
    ports: ProcessPorts,
    lanes: readonly { readonly lane: number; readonly shards: readonly number[] }[],
    { states, heads }: Rebuilt,
    monotonicMs: () => number,
  ) {
    this.ports = ports
    this.states = states
    this.monotonicAtMs = monotonicMs()
    const lastLoggedMs = Math.max(0, ...[...states.values()].map(({ timeMs }) => timeMs))
    const time = { wallMs: ports.wallMs, monotonicMs }
    this.lanes = lanes.map(({ lane, shards }) => this.begin(lane, shards, heads, new SteadyClock(time, lastLoggedMs)))
  }

  /** A frame for a shard; false: there is no room. */
  take(request: number, shard: number, bytes: Uint8Array): boolean {
    const life = this.laneOfShard.get(shard)
    if (life === undefined) throw new Error(`shard ${shard} does not live in this process`)
    return life.into.push(request, shard, bytes, 0, bytes.length)
  }

  laneOf(shard: number): LaneLife {
    return this.laneOfShard.get(shard) as LaneLife
  }

  turn(life: LaneLife): void {
    this.ports.run(this, () => life.lane.turn())
    this.collect(life)
  }

  sweep(life: LaneLife): void {
    this.ports.run(this, () => life.lane.sweep())
    this.collect(life)
  }

  boundOrderMemory(life: LaneLife): void {
    this.ports.run(this, () => life.lane.boundOrderMemory())
  }

  /** Dead from now on. */
  end(fateOf: () => Fate): void {
    this.isAlive = false
    for (const { journal } of this.lanes) journal.end(fateOf())
  }

  /** Sends out what a lane has let go. */
  private collect({ number, outOf }: LaneLife): void {
    if (!this.isAlive) return
    outOf.drain((request, kind, data, start, end) => {
      const bytes = data.slice(start, end)
      if (request === MESSAGE_MARK) this.ports.onMessage(number, bytes)
      else this.ports.onAnswer(number, request, kind, bytes)
      return true
    })
  }

  private begin(
    number: number,
    shards: readonly number[],
    heads: ReadonlyMap<number, ShardHead>,
    clock: SteadyClock,
  ): LaneLife {
    const { ports } = this
    const own = new Map([...heads].filter(([shard]) => shards.includes(shard)))
    const journal = new SimulatedJournal(number, own, {
      ...ports.journal(number),
      run: (what) => {
        if (!this.isAlive) return
        ports.run(this, what)
        this.collect(life)
      },
    })
    const requests = ringMemory(RING_BYTES)
    const replies = ringMemory(RING_BYTES)
    const lane = new Lane({
      actors: (post: Post) => {
        const actors = new Map<number, ShardActor>()
        for (const shard of shards) {
          const state = this.states.get(shard) as ShardState
          actors.set(shard, new ShardActor(state, ports.disk, post, ports.random))
        }
        return actors
      },
      journal: ports.wrapJournal(this, journal),
      clock,
      requests: new RingConsumer(requests),
      replies: new RingProducer(replies),
      relaxed: false,
      splitsRecords: ports.splitsRecords,
      orderWindowMs: ORDER_WINDOW_MS,
      orderEntriesMax: ORDER_ENTRIES_MAX,
      onFailed: (error) => ports.onFailed(this, error),
      onClockDiffered: () => ports.count('clock differed'),
    })
    const into = new RingProducer(requests)
    const life: LaneLife = { lane, number, journal, into, outOf: new RingConsumer(replies), isTurnPlanned: false }
    for (const shard of shards) this.laneOfShard.set(shard, life)
    return life
  }
}
