/**
 * Holds snapshots against the replayed state at the very sequence they were made at, section by section. Where they differ the
 * counters are looked at first, so that a difference has a coupon's name where it can have one.
 */
import { existsSync } from 'node:fs'
import type { ShardState } from '../../engine/domain/state.ts'
import type { ShardCount } from '../../engine/shard/reconcile-count.ts'
import { differenceFrom, readSnapshot } from '../../engine/shard/snapshot-state.ts'
import type { StoredEntry } from '../../persistence/record.ts'
import { listSnapshots, SnapshotReader, type SnapshotFile } from '../../persistence/snapshot-file.ts'
import type { DataDirectory } from '../rebuild/data-directory.ts'
import { Divergence } from '../rebuild/divergence.ts'
import { hashOf } from '../rebuild/entry-hash.ts'
import { counterDifference } from './compare-counters.ts'

export class SnapshotCheck {
  /** Held against the log so far. */
  checked = 0
  private readonly directory: DataDirectory
  /** By shard, the earliest last. */
  private readonly waiting = new Map<number, SnapshotFile[]>()

  constructor(directory: DataDirectory) {
    this.directory = directory
    for (let shard = 0; shard < directory.deployment.shards; shard++) {
      const files = listSnapshots(directory.path, shard)
      if (files.length > 0) this.waiting.set(shard, [...files])
    }
  }

  /** After every event. Throws Divergence, or JournalError where a snapshot cannot be read. */
  atEvent(state: ShardState, seq: number, entry: StoredEntry, count: ShardCount): void {
    const files = this.waiting.get(state.shard)
    const file = files?.at(-1)
    if (file === undefined || file.seq !== seq) return
    files?.pop()
    try {
      this.check(file, state, entry, count)
      this.checked++
    } catch (error) {
      // A running server takes old snapshots away.
      if (this.directory.runningPid === null || existsSync(file.path)) throw error
    }
  }

  /** After the last event; `isWhole`: nothing was cut off, so every snapshot has had its turn. */
  end(isWhole: boolean): void {
    if (!isWhole) return
    for (const files of this.waiting.values()) {
      const file = files.at(-1)
      if (file === undefined) continue
      // Beside a running server one may have been made, or an old one taken away, since the list was made.
      if (this.directory.runningPid !== null) continue
      throw divergence(file, 'is ahead of the log')
    }
  }

  private check(file: SnapshotFile, state: ShardState, entry: StoredEntry, count: ShardCount): void {
    const { deployment } = this.directory
    if (entry.firstSeq + entry.eventCount - 1 !== file.seq) throw divergence(file, 'is not at the end of an entry')
    const head = new SnapshotReader(file, deployment)
    head.close()
    if (Buffer.compare(head.head.hash, hashOf(entry)) !== 0)
      throw divergence(file, 'names another entry than the log has')
    const section = differenceFrom(file, deployment, state)
    if (section === null) return
    const loaded = readSnapshot(file, deployment).state
    const difference = counterDifference(loaded, count)
    throw divergence(file, difference ?? `differs from the log in its section ${section}`)
  }
}

function divergence({ path, shard, seq }: SnapshotFile, whatIsWrong: string): Divergence {
  return new Divergence(`${path} (shard ${shard}, sequence ${seq}): ${whatIsWrong}`, { shard, seq })
}
