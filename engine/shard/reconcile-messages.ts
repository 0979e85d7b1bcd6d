/**
 * What crosses between the main thread and the thread that reconciles.
 */
import type { CounterDifference } from './reconcile-compare.ts'
import type { CountersAnswer, CountersQuestion } from './reconcile-questions.ts'
import type { RoundResult } from './reconcile-round.ts'

export interface ReconcileSettings {
  readonly dataDir: string
}

export type ToReconciler = { readonly type: 'counters'; readonly id: number; readonly answer: CountersAnswer }

export type FromReconciler =
  /** The main thread knows which worker has the shard. */
  | { readonly type: 'ask'; readonly id: number; readonly shard: number; readonly question: CountersQuestion }
  | { readonly type: 'difference'; readonly difference: CounterDifference }
  | { readonly type: 'round'; readonly result: RoundResult; readonly elapsedMs: number }
  /** It begins again later: a sentence for the log. */
  | { readonly type: 'failed'; readonly message: string }
