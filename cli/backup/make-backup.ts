/**
 * Makes a backup: a data directory that ends at the barrier, with a list of what it holds, and read again to the end before it
 * counts as one. A second backup into the same directory copies what is new.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { syncDirectory } from '../../persistence/durable-file.ts'
import { DEPLOYMENT_FILE, LANES_DIRECTORY } from '../../persistence/deployment.ts'
import { beside, describeSegment, listSegments, type SegmentFiles } from '../../persistence/segment-files.ts'
import { listSnapshots, SNAPSHOTS_DIRECTORY, snapshotPath } from '../../persistence/snapshot-file.ts'
import { replayDirectory } from '../replay/replay-directory.ts'
import { type DataDirectory, openDataDirectory } from '../rebuild/data-directory.ts'
import { Divergence } from '../rebuild/divergence.ts'
import { NO_CUT, shownTime, UsageFault } from '../rebuild/positions.ts'
import type { LogProgress } from '../rebuild/read-log.ts'
import type { Barrier } from './barrier.ts'
import {
  type BackedUpFile,
  beginManifest,
  describeFile,
  digestOf,
  type Manifest,
  manifestBefore,
  writeManifest,
} from './manifest.ts'
import type { CutPosition } from './segment-plan.ts'
import { copyDurably, type CutLog, writeCutLog } from './write-cut-log.ts'

export interface BackedUp {
  readonly events: number
  readonly until: string | null
  readonly positions: Manifest['positions']
  readonly files: number
  readonly bytes: number
  /** Of those, what was there already. */
  readonly keptFiles: number
}

/** Steps, each with a progress of its own. */
export type StepProgress = (step: string) => LogProgress

/** Throws UsageFault for a target that holds something else, Divergence or JournalError for a source that is damaged. */
export async function makeBackup(
  source: DataDirectory,
  { cut, atLeast }: Barrier,
  to: string,
  madeAtMs: number,
  progress: StepProgress,
): Promise<BackedUp> {
  const before = previousBackup(source, to)
  mkdirSync(to, { recursive: true })
  beginManifest(to, before)
  removeRewritten(to, before)
  copyDurably(join(source.path, DEPLOYMENT_FILE), join(to, DEPLOYMENT_FILE))
  const known = new Map((before?.files ?? []).map((file) => [file.path, file]))
  const log = await writeCutLog(source, {
    cut,
    atLeast,
    to,
    has: (path, files) => isThere(to, known.get(path), sealText(source.path, files)),
    onProgress: progress('copying the log'),
  })
  const snapshots = copySnapshots(source, log.positions, to)
  syncDirectory(to)
  checkAgain(to, log, progress('reading the backup again'))
  const files = listed(to, log, snapshots, known)
  const until = Number.isFinite(cut.untilMs) ? shownTime(cut.untilMs) : null
  const positions = log.positions.map(({ shard, seq, timeMs }) => ({ shard, seq, at: shownTime(timeMs) }))
  const { shards } = source.deployment
  writeManifest(to, { madeAt: shownTime(madeAtMs), until, shards, events: log.events, positions, files })
  return {
    events: log.events,
    until,
    positions,
    files: files.length,
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    keptFiles: log.segments.filter(({ isKept }) => isKept).length,
  }
}

/** The target is new, empty, or a backup of the same deployment. */
function previousBackup({ deployment }: DataDirectory, to: string): Manifest | null {
  if (!existsSync(to) || readdirSync(to).length === 0) return null
  const before = manifestBefore(to)
  if (before === null) throw new UsageFault(`${to} is not empty and holds no backup`)
  if (!existsSync(join(to, DEPLOYMENT_FILE))) return before
  const there = openDataDirectory(to).deployment
  if (Buffer.compare(there.secret, deployment.secret) === 0 && there.shards === deployment.shards) return before
  throw new UsageFault(`${to} holds a backup of another deployment`)
}

/** What an earlier backup wrote itself, or did not finish, is made anew; whole segments stay. */
function removeRewritten(to: string, before: Manifest | null): void {
  const whole = new Set((before?.files ?? []).filter(({ isWhole }) => isWhole).map(({ path }) => path))
  const lanes = join(to, LANES_DIRECTORY)
  if (existsSync(lanes)) {
    for (const lane of readdirSync(lanes)) {
      for (const name of readdirSync(join(lanes, lane))) {
        const data = `${LANES_DIRECTORY}/${lane}/${name.replace(/\.\w+$/, '.mdb')}`
        if (!whole.has(data)) rmSync(join(lanes, lane, name), { force: true })
      }
    }
  }
  rmSync(join(to, SNAPSHOTS_DIRECTORY), { recursive: true, force: true })
}

function sealText(dataDir: string, files: SegmentFiles): string {
  return readFileSync(beside(describeSegment(dataDir, files).path, 'sealed'), 'utf8')
}

function isThere(to: string, file: BackedUpFile | undefined, seal: string): boolean {
  if (file === undefined || !file.isWhole || file.seal !== seal) return false
  const path = join(to, file.path)
  return existsSync(path) && digestOf(path) === file.sha256
}

/** Snapshots of what the backup holds; of later moments they would be ahead of its log. Paths, relative. */
function copySnapshots(source: DataDirectory, positions: readonly CutPosition[], to: string): readonly string[] {
  const copied: string[] = []
  for (const { shard, seq } of positions) {
    for (const snapshot of listSnapshots(source.path, shard)) {
      if (snapshot.seq > seq) continue
      const target = snapshotPath(to, shard, snapshot.seq)
      mkdirSync(dirname(target), { recursive: true })
      if (!copiedWhileThere(snapshot.path, target)) continue
      syncDirectory(dirname(target))
      copied.push(relative(to, target))
    }
  }
  return copied
}

/** A running server takes old snapshots away when it has new ones; a backup can do without. */
function copiedWhileThere(from: string, to: string): boolean {
  try {
    copyDurably(from, to)
    return true
  } catch (error) {
    rmSync(to, { force: true })
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

/** The backup, rebuilt from its own files: it ends where it was meant to, and everything in it fits. */
export function checkAgain(to: string, { positions }: CutLog, onProgress: LogProgress): void {
  const replayed = replayDirectory(openDataDirectory(to), { cut: NO_CUT, coupon: null, onProgress })
  const found = replayed.shards.map(({ shard, seq, at }) => `${shard}:${seq}@${at ?? ''}`)
  const meant = positions.map(({ shard, seq, timeMs }) => `${shard}:${seq}@${shownTime(timeMs)}`)
  const differs = meant.findIndex((position, i) => position !== found[i])
  if (differs < 0 && found.length === meant.length) return
  throw new Divergence(
    `${to} was meant to end at ${meant[differs] ?? 'nothing more'} and ends at ${found[differs] ?? 'nothing'}`,
  )
}

function listed(
  to: string,
  log: CutLog,
  snapshots: readonly string[],
  known: ReadonlyMap<string, BackedUpFile>,
): readonly BackedUpFile[] {
  const whole = new Set(log.segments.filter(({ isWhole }) => isWhole).map(({ path }) => path))
  const kept = new Set(log.segments.filter(({ isKept }) => isKept).map(({ path }) => path))
  const segments = listSegments(to).map(({ path }) => relative(to, path))
  const files = [DEPLOYMENT_FILE]
  for (const path of segments) files.push(path, path.replace(/\.mdb$/, '.sealed'))
  files.push(...snapshots)
  return files.map((path) => {
    const before = kept.has(path) ? known.get(path) : undefined
    return before ?? describeFile(to, path, whole.has(path))
  })
}
