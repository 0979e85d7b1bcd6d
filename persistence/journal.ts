// Port first; the LMDB journal follows.
import type { Deployment } from './deployment.ts'
import type { JournalError } from './errors.ts'
import type { EntryDraft, StoredEntry } from './record.ts'
import type { RecoveredLog } from './recovery.ts'

export interface Journal {
  /**
   * Appends the entries (at most one a shard) as one record with one put. Calls back exactly once, never before it
   * returns: with null when the record is on disk, with an error when it failed or when its fate is unknown.
   * At most one append may be in flight. The drafts' bytes are copied before it returns.
   */
  append(entries: readonly EntryDraft[], settled: (error: JournalError | null) => void): void
  /** The entry that holds (shard, seq), from what is durable; null when the log does not hold it. */
  entryOf(shard: number, seq: number): StoredEntry | null
  /** Free bytes of the file system, at most a second old. Never blocks. */
  freeBytes(): number
  /** Bytes of records written since the journal was opened. */
  readonly bytes: number
  /** Drains what is in flight, then closes. */
  close(): Promise<void>
}

export interface JournalOptions {
  readonly dataDir: string
  readonly deployment: Deployment
  readonly lane: number
  /** What `replayLog` returned for the shards this lane is going to write. */
  readonly recovered: RecoveredLog
  readonly segmentBytesMax?: number
  readonly commitTimeoutMs?: number
}

/** Synchronous; throws JournalError. */
export function openJournal(_options: JournalOptions): Journal {
  throw new Error('not written yet')
}
