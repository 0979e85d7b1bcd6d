/**
 * What crosses between the main thread and a worker besides frames: rare, so plain messages.
 */
import type { Durability } from '../../protocol/durability.ts'
import type { ReplicaSettings } from '../replica/open-replica.ts'
import type { CountersAnswer, CountersQuestion } from './reconcile-questions.ts'

export interface WorkerSettings {
  readonly dataDir: string
  readonly lane: number
  readonly shards: readonly number[]
  readonly durability: Durability
  /** With durability `replicated`: where the streams of the shards are. */
  readonly replica: ReplicaSettings | null
  readonly orderWindowMs: number
  /** Entries of order memory this lane may hold before it forgets earlier than the window says. */
  readonly orderEntriesMax: number
  readonly requests: SharedArrayBuffer
  readonly replies: SharedArrayBuffer
}

/**
 * `serve` comes when every worker is ready: none may begin a segment of its lane while another still looks at what the log
 * holds, or a segment without a record yet would be taken for one that a killed process left behind, and sealed.
 */
export type ToWorker =
  | { readonly type: 'serve' }
  /** Seal the segment being written, for a snapshot; answered by `rolled`. */
  | { readonly type: 'roll' }
  /** Answered by `counters`, as they stand between two turns. */
  | { readonly type: 'count'; readonly id: number; readonly shard: number; readonly question: CountersQuestion }
  | { readonly type: 'stop' }

export type FromWorker =
  | { readonly type: 'progress'; readonly events: number; readonly bytes: number; readonly bytesTotal: number }
  | {
      readonly type: 'ready'
      /** Replayed from the log. */
      readonly events: number
      /** Taken from snapshots, and when the oldest of them was made. */
      readonly snapshotEvents: number
      readonly snapshotAtMs: number | null
      readonly elapsedMs: number
    }
  /** Events in the log of this lane's shards, told now and then. */
  | { readonly type: 'grown'; readonly events: number }
  | { readonly type: 'rolled' }
  | { readonly type: 'counters'; readonly id: number; readonly answer: CountersAnswer }
  /** Nothing is lost: a sentence for the log. */
  | { readonly type: 'warned'; readonly sentence: string }
  /** Memory is ahead of the disk, or an invariant broke: nothing more is answered, the process ends. */
  | { readonly type: 'failed'; readonly storage: boolean; readonly code: string; readonly message: string }
  | { readonly type: 'clockDiffered'; readonly gapMs: number }
  | { readonly type: 'stopped' }
