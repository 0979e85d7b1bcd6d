/**
 * The supervisor: starts the workers, hands out the transport to their shards, and ends everything in order.
 *
 * Shard s lives on worker s mod workers, so any number of workers serves any number of shards. A worker that dies or whose
 * journal fails takes the whole process down: its memory may be ahead of the disk, and a guess is worse than a restart.
 */
import { Worker } from 'node:worker_threads'
import type { Durability } from '../protocol/durability.ts'
import type { ReplicaSettings } from './replica/open-replica.ts'
import type { FromWorker, WorkerSettings } from './shard/messages.ts'
import type { CounterDifference } from './shard/reconcile-compare.ts'
import { ReconcileKeeper, type ReconcileStatus } from './shard/reconcile-keeper.ts'
import { SnapshotKeeper, type SnapshotStatus } from './shard/snapshot-keeper.ts'
import type { SnapshotsMade } from './shard/snapshot-maker.ts'
import { RingConsumer, ringMemory, RingProducer } from './transport/byte-ring.ts'
import { InProcessTransport } from './transport/in-process.ts'
import { SETTLED, type ShardTransport } from './transport/port.ts'
import { workerEntry } from './worker-entry.ts'

/** Each worker has a ring of requests and a ring of replies of this size; full rings answer OVERLOADED. */
const RING_BYTES = 32 * 1024 * 1024

/** How long everything in flight may still be answered after a failure, before the process must end. */
export const FAILURE_GRACE_MS = 2_000

/** Bytes of memory that an order record takes, with the slack of its table: for turning a share of memory into entries. */
const ORDER_ENTRY_BYTES = 48

export interface EngineSettings {
  readonly dataDir: string
  readonly shards: number
  readonly workers: number
  readonly durability: Durability
  /** With durability `replicated`: where the streams of the shards are. */
  readonly replica: ReplicaSettings | null
  readonly orderWindowMs: number
  /** Memory for order records over all shards. */
  readonly orderBytesMax: number
  /** New events over all shards after which snapshots are made; 0: never. */
  readonly snapshotEvents: number
  /** Milliseconds after which fewer are enough. */
  readonly snapshotEveryMs: number
}

export interface EngineFailure {
  /** The journal failed; otherwise a worker died or an invariant broke. */
  readonly storage: boolean
  /** One sentence: the last line that the process says. */
  readonly message: string
}

export interface EngineEvents {
  /** Called once. The transport answers nothing but refusals from now on; end the process within FAILURE_GRACE_MS. */
  readonly onFailed: (failure: EngineFailure) => void
  readonly onClockDiffered: (lane: number, gapMs: number) => void
  readonly onSnapshots: (made: SnapshotsMade, elapsedMs: number) => void
  /** A counter of a shard is not what its log makes. Nothing was changed. */
  readonly onCounterDifference: (difference: CounterDifference) => void
  /** Nothing is lost: a sentence for the log. */
  readonly onWarning: (sentence: string) => void
}

interface LaneThread {
  readonly lane: number
  readonly worker: Worker
  replayedEvents: number
  readBytes: number
  totalBytes: number
  /** Events in the log of its shards. */
  logEvents: number
  snapshotEvents: number
  snapshotAtMs: number | null
  isReady: boolean
  isStopped: boolean
}

export class Engine {
  readonly transport: ShardTransport
  /** Resolves when every shard is rebuilt and serves; never, when the start fails (see `onFailed`). */
  readonly started: Promise<void>
  private readonly inProcess: InProcessTransport
  private readonly threads: readonly LaneThread[]
  private readonly events: EngineEvents
  private readonly snapshots: SnapshotKeeper
  private readonly reconciliation: ReconcileKeeper
  private rolling: { lanes: number; resolve: () => void } | null = null
  private readonly startedMs = performance.now()
  private readyMs = 0
  private failure: EngineFailure | null = null
  private isStopping = false
  private resolveStarted: () => void = () => {}
  private resolveStopped: () => void = () => {}

  constructor(settings: EngineSettings, events: EngineEvents) {
    this.events = events
    const workers = Math.min(settings.workers, settings.shards)
    const memories = Array.from({ length: workers }, () => ({
      requests: ringMemory(RING_BYTES),
      replies: ringMemory(RING_BYTES),
    }))
    const laneOfShard = Array.from({ length: settings.shards }, (_, shard) => shard % workers)
    this.inProcess = new InProcessTransport(
      memories.map(({ requests, replies }) => ({
        requests: new RingProducer(requests),
        replies: new RingConsumer(replies),
      })),
      laneOfShard,
    )
    this.transport = this.inProcess
    this.started = new Promise((resolve) => {
      this.resolveStarted = resolve
    })
    this.snapshots = new SnapshotKeeper(
      { dataDir: settings.dataDir, events: settings.snapshotEvents, everyMs: settings.snapshotEveryMs },
      { roll: () => this.roll(), onMade: events.onSnapshots, onWarning: events.onWarning },
    )
    this.reconciliation = new ReconcileKeeper(
      { dataDir: settings.dataDir },
      {
        ask: (id, shard, question) => {
          this.threads[laneOfShard[shard] ?? 0]?.worker.postMessage({ type: 'count', id, shard, question })
        },
        onDifference: events.onCounterDifference,
        onWarning: events.onWarning,
      },
    )
    this.threads = memories.map((memory, lane) => this.startWorker(settings, workers, lane, memory))
  }

  get isReady(): boolean {
    return this.failure === null && !this.isStopping && this.threads.every((thread) => thread.isReady)
  }

  get failed(): EngineFailure | null {
    return this.failure
  }

  progress(): { events: number; readBytes: number; totalBytes: number; elapsedMs: number } {
    let events = 0
    let readBytes = 0
    let totalBytes = 0
    for (const thread of this.threads) {
      events += thread.replayedEvents
      readBytes += thread.readBytes
      totalBytes += thread.totalBytes
    }
    const untilMs = this.readyMs === 0 ? performance.now() : this.readyMs
    return { events, readBytes, totalBytes, elapsedMs: Math.round(untilMs - this.startedMs) }
  }

  get snapshotStatus(): SnapshotStatus {
    return this.snapshots.status
  }

  get reconcileStatus(): ReconcileStatus {
    return this.reconciliation.status
  }

  /** Flushes what was handed over, closes the journals, ends the threads. No call may be made any more. */
  async stop(): Promise<void> {
    this.isStopping = true
    this.reconciliation.stop()
    await this.snapshots.stop()
    const stopped = new Promise<void>((resolve) => {
      this.resolveStopped = resolve
    })
    for (const { worker } of this.threads) worker.postMessage({ type: 'stop' })
    await stopped
    this.inProcess.close(SETTLED.UNKNOWN)
    await Promise.all(this.threads.map(({ worker }) => worker.terminate()))
  }

  private startWorker(
    settings: EngineSettings,
    workers: number,
    lane: number,
    memory: { readonly requests: SharedArrayBuffer; readonly replies: SharedArrayBuffer },
  ): LaneThread {
    const shards: number[] = []
    for (let shard = lane; shard < settings.shards; shard += workers) shards.push(shard)
    const workerData: WorkerSettings = {
      dataDir: settings.dataDir,
      lane,
      shards,
      durability: settings.durability,
      replica: settings.replica,
      orderWindowMs: settings.orderWindowMs,
      orderEntriesMax: Math.floor(settings.orderBytesMax / ORDER_ENTRY_BYTES / workers),
      ...memory,
    }
    const worker = new Worker(workerEntry('shard/thread'), { workerData, name: `lane ${lane}` })
    const thread: LaneThread = {
      lane,
      worker,
      replayedEvents: 0,
      readBytes: 0,
      totalBytes: 0,
      logEvents: 0,
      snapshotEvents: 0,
      snapshotAtMs: null,
      isReady: false,
      isStopped: false,
    }
    worker.on('message', (message: FromWorker) => this.hear(thread, message))
    worker.on('error', (error) => this.fail({ storage: false, message: `worker ${lane} died: ${error.message}` }))
    worker.on('exit', (code) => {
      if (!thread.isStopped) this.fail({ storage: false, message: `worker ${lane} ended with exit code ${code}` })
    })
    return thread
  }

  private hear(thread: LaneThread, message: FromWorker): void {
    switch (message.type) {
      case 'progress':
        thread.replayedEvents = message.events
        thread.readBytes = message.bytes
        thread.totalBytes = message.bytesTotal
        return
      case 'ready':
        thread.replayedEvents = message.events
        thread.snapshotEvents = message.snapshotEvents
        thread.snapshotAtMs = message.snapshotAtMs
        thread.isReady = true
        if (this.isReady) {
          this.readyMs = performance.now()
          this.beginSnapshots()
          for (const { worker } of this.threads) worker.postMessage({ type: 'serve' })
          this.resolveStarted()
          this.reconciliation.start()
        }
        return
      case 'grown':
        thread.logEvents = message.events
        if (this.isReady) this.snapshots.note(this.threads.reduce((sum, { logEvents }) => sum + logEvents, 0))
        return
      case 'rolled':
        if (this.rolling !== null && --this.rolling.lanes === 0) this.rolling.resolve()
        return
      case 'counters':
        this.reconciliation.answered(message.id, message.answer)
        return
      case 'warned':
        this.events.onWarning(message.sentence)
        return
      case 'clockDiffered':
        this.events.onClockDiffered(thread.lane, message.gapMs)
        return
      case 'failed':
        this.fail({ storage: message.storage, message: `worker ${thread.lane}: ${message.message} (${message.code})` })
        return
      case 'stopped':
        thread.isStopped = true
        if (this.threads.every(({ isStopped }) => isStopped)) this.resolveStopped()
        return
    }
  }

  private beginSnapshots(): void {
    const times = this.threads.flatMap(({ snapshotAtMs }) => (snapshotAtMs === null ? [] : [snapshotAtMs]))
    const covered = this.threads.reduce((sum, { snapshotEvents }) => sum + snapshotEvents, 0)
    this.snapshots.begin(covered, times.length === 0 ? null : Math.min(...times))
  }

  private roll(): Promise<void> {
    return new Promise((resolve) => {
      this.rolling = { lanes: this.threads.length, resolve }
      for (const { worker } of this.threads) worker.postMessage({ type: 'roll' })
    })
  }

  private fail(failure: EngineFailure): void {
    if (this.failure !== null) return
    this.failure = failure
    this.inProcess.close(failure.storage ? SETTLED.STORAGE : SETTLED.UNKNOWN)
    this.events.onFailed(failure)
  }
}
