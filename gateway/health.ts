/**
 * What the gateway has to know of the engine behind it, supplied by whoever starts both.
 */
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

export interface EngineHealth {
  /** Replay is done and shards take commands. */
  ready(): boolean
  progress(): ReplayProgress
  readonly durability: 'flush' | 'relaxed'
  snapshots(): SnapshotFigures
  /** Why the process is about to stop, as a sentence; null: it is not. */
  failed(): string | null
}
