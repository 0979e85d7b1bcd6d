/**
 * Keeps snapshots young: says when the next ones are due, has the lanes seal what they write, and lets the thread make them.
 *
 *     events since the last ─┐                ┌▶ every lane seals its segment ─▶ the thread makes snapshots ─▶ done
 *     time since the last  ──┴▶ due? ─ yes ───┘                                  (and moves segments to the archive)
 *
 * Lives in the main thread and works on numbers only. A run that fails is told and tried again later; nothing depends on it
 * but the length of the next start.
 */
import { Worker } from 'node:worker_threads'
import { workerEntry } from '../worker-entry.ts'
import type { SnapshotsMade } from './snapshot-maker.ts'
import type { FromSnapshotThread, SnapshotThreadSettings, ToSnapshotThread } from './snapshot-thread.ts'

/** With fewer new events than this share of the due ones, time alone makes nothing due. */
const TIMED_SHARE_MIN = 0.01

/** A run that failed is tried again after this. */
const RETRY_MS = 60_000

export interface SnapshotSettings {
  readonly dataDir: string
  /** New events over all shards that make snapshots due; 0: none are ever made. */
  readonly events: number
  /** Milliseconds after which fewer are enough. */
  readonly everyMs: number
}

/** What is known of the snapshots, for health and metrics. */
export interface SnapshotStatus {
  /** When the newest were made; null: there are none. */
  readonly madeAtMs: number | null
  /** Events in the log that no snapshot has. */
  readonly eventsBehind: number
  /** How long the last run took, its naps included; null: none in this process. */
  readonly elapsedMs: number | null
  readonly isMaking: boolean
  /** Bytes of segments in the archive; null: not looked at yet. */
  readonly archiveBytes: number | null
}

export interface SnapshotEvents {
  /** Has every lane seal what it writes; settles when all have. */
  readonly roll: () => Promise<void>
  readonly onMade: (made: SnapshotsMade, elapsedMs: number) => void
  /** Nothing is lost: a sentence for the log. */
  readonly onWarning: (sentence: string) => void
}

export class SnapshotKeeper {
  private readonly settings: SnapshotSettings
  private readonly events: SnapshotEvents
  private thread: Worker | null = null
  private logEvents = 0
  private coveredEvents = 0
  private madeAtMs: number | null = null
  private elapsedMs: number | null = null
  private archiveBytes: number | null = null
  private notBeforeMs = 0
  private lastRunMs = performance.now()
  private isMaking = false
  private isStopped = false

  constructor(settings: SnapshotSettings, events: SnapshotEvents) {
    this.settings = settings
    this.events = events
  }

  get status(): SnapshotStatus {
    const { madeAtMs, elapsedMs, isMaking, archiveBytes } = this
    return {
      madeAtMs,
      eventsBehind: Math.max(0, this.logEvents - this.coveredEvents),
      elapsedMs,
      isMaking,
      archiveBytes,
    }
  }

  /** What the start found: events that came from snapshots, and when the oldest of these was made. */
  begin(coveredEvents: number, madeAtMs: number | null): void {
    this.coveredEvents = coveredEvents
    this.madeAtMs = madeAtMs
  }

  /** Events in the log, over all shards; called about once a second. */
  note(logEvents: number): void {
    this.logEvents = logEvents
    if (!this.isDue()) return
    this.isMaking = true
    this.events.roll().then(
      () => this.make(),
      (error: unknown) => this.failed(`the segments could not be sealed: ${String(error)}`),
    )
  }

  /** Ends the thread wherever it is: what it was writing has no name yet. */
  async stop(): Promise<void> {
    this.isStopped = true
    await this.thread?.terminate()
    this.thread = null
  }

  private isDue(): boolean {
    const { events, everyMs } = this.settings
    const nowMs = performance.now()
    if (events === 0 || this.isMaking || this.isStopped || nowMs < this.notBeforeMs) return false
    const behind = this.logEvents - this.coveredEvents
    return behind >= events || (behind >= events * TIMED_SHARE_MIN && nowMs - this.lastRunMs >= everyMs)
  }

  private make(): void {
    if (this.isStopped) return
    const message: ToSnapshotThread = { type: 'make' }
    this.thread ??= this.startThread()
    this.thread.postMessage(message)
  }

  private startThread(): Worker {
    const settings: SnapshotThreadSettings = { dataDir: this.settings.dataDir }
    const thread = new Worker(workerEntry('shard/snapshot-thread'), { workerData: settings, name: 'snapshots' })
    thread.unref()
    thread.on('message', (message: FromSnapshotThread) => this.hear(message))
    thread.on('error', (error) => {
      this.thread = null
      this.failed(error.message)
    })
    return thread
  }

  private hear(message: FromSnapshotThread): void {
    switch (message.type) {
      case 'warned':
        this.events.onWarning(message.sentence)
        return
      case 'failed':
        this.failed(`${message.message} (${message.code})`)
        return
      case 'made':
        this.endThread()
        this.isMaking = false
        this.lastRunMs = performance.now()
        this.coveredEvents = message.made.coveredEvents
        this.archiveBytes = message.made.archivedBytes
        this.elapsedMs = message.elapsedMs
        this.madeAtMs = Date.now()
        // Where nothing could be covered, asking again at once would only make segments.
        this.notBeforeMs = message.made.events === 0 ? this.lastRunMs + RETRY_MS : 0
        this.events.onMade(message.made, message.elapsedMs)
        return
    }
  }

  /** A thread that waits for its next run would keep what the last one had in memory, which is whole states. */
  private endThread(): void {
    void this.thread?.terminate()
    this.thread = null
  }

  private failed(reason: string): void {
    if (this.isStopped) return
    this.endThread()
    this.isMaking = false
    this.notBeforeMs = performance.now() + RETRY_MS
    this.events.onWarning(`no snapshots were made: ${reason}; starts take longer until they are`)
  }
}
