/**
 * Rebuilds the states of shards: the newest snapshot that can be trusted, and the log behind it.
 *
 *     log   ├───────────── in a snapshot ─────────────┤├──── tail: replayed ────┤
 *           a damaged snapshot: the older one, with a longer tail; without any: the whole log
 *
 * The log is the truth. A snapshot counts only when every byte of it fits its check sums and the entry that it says it ends
 * with is in the log, with the same hash; the first entry of the tail has to follow it by that hash, too.
 */
import type { Deployment } from '../../persistence/deployment.ts'
import { JournalError } from '../../persistence/errors.ts'
import { holdsEntry } from '../../persistence/entry-check.ts'
import type { ShardHead } from '../../persistence/lane-merge.ts'
import { type RecoveredLog, replayLog, type ReplayProgress } from '../../persistence/recovery.ts'
import { listSnapshots } from '../../persistence/snapshot-file.ts'
import type { ShardState } from '../domain/state.ts'
import { failPoint } from './fail-points.ts'
import { growAhead, replayEntry } from './replay.ts'
import { emptyState, readSnapshot } from './snapshot-state.ts'

export interface Recovery {
  readonly states: ReadonlyMap<number, ShardState>
  /** What `openJournal` needs to go on. */
  readonly log: RecoveredLog
  /** Events that came from snapshots, over all shards; those replayed are `log.events`. */
  readonly snapshotEvents: number
  /** When the oldest of the snapshots used was made; null: none was used. */
  readonly snapshotAtMs: number | null
}

export interface RecoverOptions {
  readonly onProgress?: (progress: ReplayProgress) => void
  /** A snapshot was passed over: a sentence for the log. */
  readonly warn?: (sentence: string) => void
  /** Replay everything, as if there were no snapshots. */
  readonly ignoreSnapshots?: boolean
}

/**
 * Synchronous. Throws JournalError where the log is damaged, or ends before a snapshot does (`CHAIN_BROKEN`): a log that is
 * shorter than what was once read from it has lost something.
 */
export function recoverShards(
  dataDir: string,
  deployment: Deployment,
  shards: readonly number[],
  { onProgress, warn = () => {}, ignoreSnapshots = false }: RecoverOptions = {},
): Recovery {
  const states = new Map<number, ShardState>()
  const after = new Map<number, ShardHead>()
  let snapshotEvents = 0
  let snapshotAtMs: number | null = null
  for (const shard of shards) {
    const found = ignoreSnapshots ? null : newestSnapshot(dataDir, deployment, shard, warn)
    states.set(shard, found?.state ?? emptyState(shard, deployment))
    if (found === null) continue
    after.set(shard, found.head)
    snapshotEvents += found.head.seq
    snapshotAtMs = Math.min(snapshotAtMs ?? found.head.madeAtMs, found.head.madeAtMs)
  }
  if (after.size > 0) failPoint('recovery.snapshots-read')
  const log = replayLog(
    dataDir,
    deployment,
    new Set(shards),
    (entry) => {
      replayEntry(states.get(entry.shard) as ShardState, entry)
      failPoint('recovery.entry-replayed')
    },
    (progress) => {
      onProgress?.(progress)
      // Behind snapshots the tables have room for the tail already.
      if (after.size > 0) return
      for (const state of states.values()) growAhead(state, Math.min(1, progress.bytes / progress.bytesTotal))
    },
    { after },
  )
  failPoint('recovery.replayed')
  return { states, log, snapshotEvents, snapshotAtMs }
}

/** The newest snapshot of a shard that is whole and part of this log; null: there is none. */
function newestSnapshot(
  dataDir: string,
  deployment: Deployment,
  shard: number,
  warn: (sentence: string) => void,
): ReturnType<typeof readSnapshot> | null {
  for (const file of listSnapshots(dataDir, shard)) {
    let snapshot: ReturnType<typeof readSnapshot>
    try {
      snapshot = readSnapshot(file, deployment)
    } catch (error) {
      if (!(error instanceof JournalError)) throw error
      warn(`${error.message}; it is passed over, and more of the log is replayed`)
      continue
    }
    if (holdsEntry(dataDir, shard, snapshot.head)) return snapshot
    throw new JournalError(
      'CHAIN_BROKEN',
      `${file.path} ends with sequence ${file.seq} of shard ${shard}, which the log does not hold: files of the log are missing or mixed, restore them, or move the snapshots away if the log is known to be whole`,
    )
  }
  return null
}
