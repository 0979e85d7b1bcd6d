/**
 * Snapshots to begin from, so that a look at one moment need not replay what lies long before it: of each shard that is wanted
 * the newest one before that moment, if it can be trusted.
 *
 * What is looked at may still need a fact from before, so the index of the whole log comes with them. Only of a stopped server:
 * a running one takes snapshots away. `replay` and `verify` never begin from a snapshot, they judge it.
 */
import { readSnapshot } from '../../engine/shard/snapshot-state.ts'
import type { ShardState } from '../../engine/domain/state.ts'
import { holdsEntry } from '../../persistence/entry-check.ts'
import type { EntryIndex } from '../../persistence/entry-index.ts'
import { JournalError } from '../../persistence/errors.ts'
import type { ShardHead } from '../../persistence/lane-merge.ts'
import { replayLog } from '../../persistence/recovery.ts'
import { listSnapshots } from '../../persistence/snapshot-file.ts'
import type { DataDirectory } from './data-directory.ts'

export interface SnapshotsInUse {
  /** All that are wanted, with and without a snapshot. */
  readonly shards: ReadonlySet<number>
  readonly states: ReadonlyMap<number, ShardState>
  readonly heads: ReadonlyMap<number, ShardHead>
  /** Of the wanted shards' whole log. */
  readonly index: EntryIndex
}

/** `before`: the first sequence to be looked at, by shard. null: there is no snapshot that helps. */
export function snapshotsBefore(
  { path, deployment, runningPid }: DataDirectory,
  before: ReadonlyMap<number, number>,
): SnapshotsInUse | null {
  if (runningPid !== null) return null
  const states = new Map<number, ShardState>()
  const heads = new Map<number, ShardHead>()
  for (const [shard, seq] of before) {
    const found = snapshotBefore({ path, deployment }, shard, seq)
    if (found === null) continue
    states.set(shard, found.state)
    heads.set(shard, found.head)
  }
  if (heads.size === 0) return null
  const shards = new Set(before.keys())
  const { index } = replayLog(path, deployment, shards, () => {}, undefined, { after: heads })
  return { shards, states, heads, index }
}

/** The newest of a shard that ends before a sequence; one that cannot be trusted is passed over. */
function snapshotBefore(
  { path, deployment }: Pick<DataDirectory, 'path' | 'deployment'>,
  shard: number,
  seq: number,
): ReturnType<typeof readSnapshot> | null {
  for (const file of listSnapshots(path, shard)) {
    if (file.seq >= seq) continue
    try {
      const snapshot = readSnapshot(file, deployment)
      if (holdsEntry(path, shard, snapshot.head)) return snapshot
    } catch (error) {
      if (!(error instanceof JournalError)) throw error
    }
  }
  return null
}
