/**
 * What is in a data directory, by its files alone: no record is read, so it is quick however long the log is.
 */
import { statSync } from 'node:fs'
import { ARCHIVE_DIRECTORY } from '../../persistence/deployment.ts'
import { listSegments, type SegmentFiles } from '../../persistence/segment-files.ts'
import { openSegment } from '../../persistence/segment-reader.ts'
import { listSnapshots } from '../../persistence/snapshot-file.ts'
import type { DataDirectory } from '../rebuild/data-directory.ts'
import { shownTime } from '../rebuild/positions.ts'

export interface ListedSegment {
  readonly lane: number
  readonly segment: number
  /** `open`: a server may be writing it, or it was killed; the next start seals it. */
  readonly state: 'sealed' | 'archived' | 'open'
  readonly records: number
  readonly bytes: number
}

export interface ListedSnapshot {
  readonly shard: number
  readonly seq: number
  readonly bytes: number
}

export interface ListedDirectory {
  readonly dataDir: string
  readonly runningPid: number | null
  readonly deployment: {
    readonly shards: number
    readonly formatVersion: number
    readonly hashVersion: number
    readonly createdAt: string
  }
  readonly segments: readonly ListedSegment[]
  readonly snapshots: readonly ListedSnapshot[]
  /** Of segments and snapshots. */
  readonly bytes: number
}

export function listDirectory({ path, deployment, runningPid }: DataDirectory): ListedDirectory {
  const segments = listSegments(path).map((files) => listed(path, files))
  const snapshots: ListedSnapshot[] = []
  for (let shard = 0; shard < deployment.shards; shard++) {
    for (const file of listSnapshots(path, shard)) {
      snapshots.push({ shard, seq: file.seq, bytes: statSync(file.path, { throwIfNoEntry: false })?.size ?? 0 })
    }
  }
  const { shards, formatVersion, hashVersion, createdAtMs } = deployment
  return {
    dataDir: path,
    runningPid,
    deployment: { shards, formatVersion, hashVersion, createdAt: shownTime(createdAtMs) },
    segments,
    snapshots,
    bytes: [...segments, ...snapshots].reduce((sum, { bytes }) => sum + bytes, 0),
  }
}

function listed(dataDir: string, { lane, segment, path, seal }: SegmentFiles): ListedSegment {
  const isArchived = path.includes(`/${ARCHIVE_DIRECTORY}/`)
  const bytes = statSync(path).size
  if (seal !== null) return { lane, segment, state: isArchived ? 'archived' : 'sealed', records: seal.records, bytes }
  return { lane, segment, state: 'open', records: bytes === 0 ? 0 : recordsOf(dataDir, lane, segment), bytes }
}

/** Of a segment that may be growing. */
function recordsOf(dataDir: string, lane: number, segment: number): number {
  const reader = openSegment(dataDir, { lane, segment })
  try {
    return reader.rootsWhileWritten()?.newest.records ?? 0
  } finally {
    reader.close()
  }
}
