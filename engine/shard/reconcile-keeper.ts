/**
 * Keeps the thread that reconciles, carries its questions to the workers, and knows how far it is.
 *
 * Lives in the main thread. A difference is told and nothing more: which of the two is right, people find out
 * (`tearoff replay`, `verify`); the shard goes on.
 */
import { Worker } from 'node:worker_threads'
import { BACKGROUND_NEW_SPACE_MIB } from '../idle-priority.ts'
import { workerEntry } from '../worker-entry.ts'
import type { CounterDifference } from './reconcile-compare.ts'
import { RECONCILE_HEAP_MIB_MAX, RECONCILE_RETRY_MS } from './reconcile-limits.ts'
import type { FromReconciler, ReconcileSettings, ToReconciler } from './reconcile-messages.ts'
import type { CountersAnswer, CountersQuestion } from './reconcile-questions.ts'

/** For health and metrics, since the start of the process. */
export interface ReconcileStatus {
  /** When the last round ended; null: none yet. */
  readonly endedAtMs: number | null
  /** How long it took, its rests included. */
  readonly elapsedMs: number | null
  readonly rounds: number
  readonly countersCompared: number
  /** So many rounds see every counter; null: not known yet. */
  readonly roundsForAll: number | null
  /** Differences that were told. */
  readonly differences: number
  /** When the last of them was found; null: none was. */
  readonly lastDifferenceAtMs: number | null
}

export interface ReconcileEvents {
  /** Has the worker of a shard answer; see `answered`. */
  readonly ask: (id: number, shard: number, question: CountersQuestion) => void
  readonly onDifference: (difference: CounterDifference) => void
  /** Nothing is lost: a sentence for the log. */
  readonly onWarning: (sentence: string) => void
}

export class ReconcileKeeper {
  private readonly settings: ReconcileSettings
  private readonly events: ReconcileEvents
  private thread: Worker | null = null
  private restart: NodeJS.Timeout | null = null
  private isStopped = false
  private current: ReconcileStatus = {
    endedAtMs: null,
    elapsedMs: null,
    rounds: 0,
    countersCompared: 0,
    roundsForAll: null,
    differences: 0,
    lastDifferenceAtMs: null,
  }

  constructor(settings: ReconcileSettings, events: ReconcileEvents) {
    this.settings = settings
    this.events = events
  }

  get status(): ReconcileStatus {
    return this.current
  }

  start(): void {
    if (this.isStopped) return
    const thread = new Worker(workerEntry('shard/reconcile-thread'), {
      workerData: this.settings,
      name: 'reconciliation',
      resourceLimits: {
        maxOldGenerationSizeMb: RECONCILE_HEAP_MIB_MAX,
        maxYoungGenerationSizeMb: BACKGROUND_NEW_SPACE_MIB,
      },
    })
    this.thread = thread
    thread.unref()
    thread.on('message', (message: FromReconciler) => this.hear(message))
    thread.on('error', (error) => this.events.onWarning(`reconciliation died and begins again later: ${error.message}`))
    thread.on('exit', () => {
      this.thread = null
      if (this.isStopped) return
      this.restart = setTimeout(() => this.start(), RECONCILE_RETRY_MS)
      this.restart.unref()
    })
  }

  answered(id: number, answer: CountersAnswer): void {
    const message: ToReconciler = { type: 'counters', id, answer }
    this.thread?.postMessage(message)
  }

  /** It only reads, so it may be ended anywhere; nobody waits for a thread that runs when nobody else does. */
  stop(): void {
    this.isStopped = true
    if (this.restart !== null) clearTimeout(this.restart)
    void this.thread?.terminate()
  }

  private hear(message: FromReconciler): void {
    if (this.isStopped) return
    const { current } = this
    switch (message.type) {
      case 'ask':
        this.events.ask(message.id, message.shard, message.question)
        return
      case 'difference':
        this.current = { ...current, differences: current.differences + 1, lastDifferenceAtMs: Date.now() }
        this.events.onDifference(message.difference)
        return
      case 'round': {
        const { counters, rounds } = message.result
        this.current = {
          ...current,
          endedAtMs: Date.now(),
          elapsedMs: message.elapsedMs,
          rounds: current.rounds + 1,
          countersCompared: current.countersCompared + counters,
          roundsForAll: rounds,
        }
        return
      }
      case 'failed':
        this.events.onWarning(`counters were not compared with the log: ${message.message}`)
        return
    }
  }
}
