// What lies in the data directory of a server, counted from outside: segments of the log and snapshots.
//
// Only names are read, never a file, and the names are those of docs/formats/journal.md: so the bench does not depend on the
// code it measures, and counting costs the disk nothing.

import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** Segments of all lanes: a segment that moved to the archive counts once, also while it moves. */
export function countSegments(dataDir: string): number {
  const found = new Set<string>()
  for (const place of ['lanes', 'archive']) {
    for (const path of filesBelow(join(dataDir, place))) if (path.endsWith('.mdb')) found.add(path)
  }
  return found.size
}

/** Segments that were moved out of the way. */
export function countArchived(dataDir: string): number {
  return filesBelow(join(dataDir, 'archive')).filter((path) => path.endsWith('.mdb')).length
}

/** The sequence up to which each shard's newest snapshot goes, added up: events that a start need not replay. */
export function snapshottedEvents(dataDir: string): number {
  const newest = new Map<string, number>()
  for (const path of filesBelow(join(dataDir, 'snapshots'))) {
    const [shard, file] = path.split('/') as [string, string]
    const seq = /^(\d+)\.snapshot$/.exec(file)?.[1]
    if (seq !== undefined) newest.set(shard, Math.max(newest.get(shard) ?? 0, Number(seq)))
  }
  return [...newest.values()].reduce((sum, seq) => sum + seq, 0)
}

/** `folder/file` of every file one level down. */
function filesBelow(directory: string): string[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory).flatMap((folder) =>
    readdirSync(join(directory, folder)).map((file) => `${folder}/${file}`),
  )
}
