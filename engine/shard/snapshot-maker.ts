/**
 * Makes snapshots: previous snapshot + sealed segments → next, one shard at a time, by the same replay as a start.
 *
 *     sealed segments ──▶ places of entries ──▶ for each shard: load its newest snapshot, apply what follows, write, let go
 *                                               then: segments that both kept snapshots cover go to the archive
 *
 * It reads files only and never sees the live state, so it can be killed at any moment: a snapshot has its name only when
 * it is whole and on disk. It takes its time: whoever runs it gives it a rest after each stretch of work.
 */
import { archivedBytes, archiveSegments, type Archived, type ArchiveStep } from '../../persistence/archive.ts'
import type { Deployment } from '../../persistence/deployment.ts'
import { JournalError } from '../../persistence/errors.ts'
import type { ShardHead } from '../../persistence/lane-merge.ts'
import { SealedEntries } from '../../persistence/sealed-entries.ts'
import { listSnapshots, removeOldSnapshots, setSnapshotAside } from '../../persistence/snapshot-file.ts'
import type { ShardState } from '../domain/state.ts'
import { replayEntry } from './replay.ts'
import { emptyState, readSnapshot, writeSnapshot } from './snapshot-state.ts'

/** Snapshots kept of a shard: when the newest turns out to be damaged there is another one. */
const SNAPSHOTS_KEPT = 2

/** Entries looked for at once, about 50 bytes of memory each; a longer log is taken in several rounds. */
const ENTRIES_MAX = 400_000

/** The places where a test ends the process. */
export type SnapshotStep = ArchiveStep | 'snapshot.half-written' | 'snapshot.written' | 'snapshot.all-written'

export interface SnapshotRun {
  readonly dataDir: string
  readonly deployment: Deployment
  readonly nowMs: () => number
  /** Called often, between two small pieces of work of about equal cost; with a descriptor behind a write. */
  readonly rest: (fd: number | null, bytes: number) => void
  /** Something was passed over: a sentence for the log. */
  readonly warn: (sentence: string) => void
  readonly onStep?: (step: SnapshotStep) => void
  /** For tests: copies to the archive as to another disk. */
  readonly copies?: boolean
}

export interface SnapshotsMade {
  /** Shards that have a new snapshot. */
  readonly shards: number
  /** Events that were applied for them. */
  readonly events: number
  /** Of the snapshots written. */
  readonly bytes: number
  /** Sum over the shards of the sequences of their newest snapshots. */
  readonly coveredEvents: number
  readonly archived: Archived
  /** Bytes in the archive now. */
  readonly archivedBytes: number
}

/** Where a shard's snapshots stand: the newest that can be read, or the beginning. */
interface Standing {
  readonly state: ShardState
  readonly head: ShardHead | null
}

/** Throws JournalError where the log is damaged, the file system's error where it fails; what was made until then stays. */
export function makeSnapshots(run: SnapshotRun): SnapshotsMade {
  const { dataDir, deployment } = run
  const seqs = Array.from({ length: deployment.shards }, (_, shard) => listSnapshots(dataDir, shard)[0]?.seq ?? 0)
  const made = new Set<number>()
  let events = 0
  let bytes = 0
  for (;;) {
    const entries = new SealedEntries(
      dataDir,
      deployment,
      (shard) => seqs[shard] ?? 0,
      ENTRIES_MAX,
      () => run.rest(null, 0),
    )
    let moved = false
    try {
      for (const shard of entries.shards) {
        const before = seqs[shard] ?? 0
        const standing = standingOf(run, shard)
        const standsAt = standing.head?.seq ?? 0
        if (standsAt < before) {
          // The newest cannot be read: what follows the one before it is looked for in the next round.
          seqs[shard] = standsAt
          moved = true
          continue
        }
        const next = makeSnapshot(run, shard, standing, entries)
        if (next === null) continue
        seqs[shard] = next.seq
        events += next.seq - before
        bytes += next.bytes
        made.add(shard)
        moved = true
      }
    } finally {
      entries.close()
    }
    if (!moved) break
  }
  run.onStep?.('snapshot.all-written')
  const archived = archiveCovered(run)
  const coveredEvents = seqs.reduce((sum, seq) => sum + seq, 0)
  return { shards: made.size, events, bytes, coveredEvents, archived, archivedBytes: archivedBytes(dataDir) }
}

/** Null when nothing follows the newest snapshot. */
function makeSnapshot(
  run: SnapshotRun,
  shard: number,
  { state, head }: Standing,
  entries: SealedEntries,
): { seq: number; bytes: number } | null {
  const { dataDir, deployment } = run
  const last = entries.follow(shard, head, (entry) => {
    replayEntry(state, entry)
    run.rest(null, 0)
  })
  if (last === null || last === head) return null
  let isHalf = false
  const bytes = writeSnapshot(dataDir, deployment, state, last, run.nowMs(), (chunkBytes, fd) => {
    run.rest(fd, chunkBytes)
    if (!isHalf) run.onStep?.('snapshot.half-written')
    isHalf = true
  })
  run.onStep?.('snapshot.written')
  removeOldSnapshots(dataDir, shard, SNAPSHOTS_KEPT)
  return { seq: last.seq, bytes }
}

function standingOf(run: SnapshotRun, shard: number): Standing {
  for (const file of listSnapshots(run.dataDir, shard)) {
    try {
      return readSnapshot(file, run.deployment)
    } catch (error) {
      if (!(error instanceof JournalError)) throw error
      run.warn(`${error.message}; it is passed over`)
      // Out of the way, or it would be kept in place of one that is good.
      if (error.code === 'SNAPSHOT_DAMAGED') setSnapshotAside(file)
    }
  }
  return { state: emptyState(shard, run.deployment), head: null }
}

/**
 * The older of two kept snapshots says what is covered; a shard with a single one is covered by that. What cannot be moved
 * stays where it is and is read there.
 */
function archiveCovered(run: SnapshotRun): Archived {
  const covered = Array.from({ length: run.deployment.shards }, (_, shard) => {
    const [newest, older] = listSnapshots(run.dataDir, shard)
    return older?.seq ?? newest?.seq ?? 0
  })
  try {
    return archiveSegments(run.dataDir, {
      coveredSeq: (shard) => covered[shard] ?? 0,
      afterCopied: (bytes, fd) => run.rest(fd, bytes),
      copies: run.copies ?? false,
      ...(run.onStep === undefined ? {} : { onStep: run.onStep }),
    })
  } catch (error) {
    if (!(error instanceof JournalError)) throw error
    run.warn(error.message)
    return { segments: 0, bytes: 0 }
  }
}
