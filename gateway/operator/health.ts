/**
 * What the gateway has to know of the engine behind it, supplied by whoever starts both.
 */
import type { Durability } from '../../protocol/durability.ts'

export interface ReplayProgress {
  readonly events: number
  /** null: not known yet. */
  readonly eventsTotal: number | null
  readonly elapsedMs: number
}

export interface SnapshotFigures {
  /** When the newest were made; null: there are none. */
  readonly madeAtMs: number | null
  /** Events that a start would replay. */
  readonly eventsBehind: number
  /** null: not looked at yet. */
  readonly archiveBytes: number | null
}

export interface ReconcileFigures {
  /** When the last round of comparing counters with the log ended; null: none yet. */
  readonly endedAtMs: number | null
  readonly countersCompared: number
  /** So many rounds see every counter; null: not known yet. */
  readonly roundsForAll: number | null
  readonly differences: number
  /** null: none was found since the start. */
  readonly lastDifferenceAtMs: number | null
}

export interface EngineHealth {
  /** Replay is done and shards take commands. */
  ready(): boolean
  progress(): ReplayProgress
  readonly durability: Durability
  snapshots(): SnapshotFigures
  reconciliation(): ReconcileFigures
  /** Why the process is about to stop, as a sentence; null: it is not. */
  failed(): string | null
}
