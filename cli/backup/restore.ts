/**
 * Restores a backup, up to a time or to positions within it, as a data directory that a server can start on.
 *
 * The target is read again before it counts as restored. What must never happen here: a write into anything that is there.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DEPLOYMENT_FILE } from '../../persistence/deployment.ts'
import { makeDirectoryDurably, syncDirectory } from '../../persistence/durable-file.ts'
import { listSnapshots, snapshotPath } from '../../persistence/snapshot-file.ts'
import { openDataDirectory } from '../rebuild/data-directory.ts'
import { type Cut, shownTime, UsageFault } from '../rebuild/positions.ts'
import { checkAgain, type StepProgress } from './make-backup.ts'
import { checkFiles, type Manifest, readManifest } from './manifest.ts'
import { copyDurably, writeCutLog } from './write-cut-log.ts'

export interface Restored {
  readonly events: number
  readonly until: string | null
  readonly positions: readonly { readonly shard: number; readonly seq: number; readonly at: string }[]
}

/** Throws UsageFault for a target that is not empty or a cut outside the backup, Divergence for a backup that is damaged. */
export async function restore(
  from: string,
  to: string,
  cutOf: (manifest: Manifest) => Cut,
  progress: StepProgress,
): Promise<Restored> {
  const manifest = readManifest(from)
  const cut = cutOf(manifest)
  refuseOutside(manifest, cut)
  if (existsSync(to) && readdirSync(to).length > 0)
    throw new UsageFault(`${to} is not empty: restore into a new directory`)
  const checking = progress('checking the backup')
  const bytesTotal = manifest.files.reduce((sum, { bytes }) => sum + bytes, 1)
  let bytesDone = 0
  checkFiles(from, manifest, (bytes) => {
    bytesDone += bytes
    checking(bytesDone / bytesTotal, 0)
  })
  const source = openDataDirectory(from)
  // Without a deployment a server refuses to start on a log: so that file comes last.
  makeDirectoryDurably(to)
  const log = await writeCutLog(source, { cut, to, onProgress: progress('writing the log') })
  for (const { shard, seq } of log.positions) {
    for (const snapshot of listSnapshots(from, shard)) {
      if (snapshot.seq > seq) continue
      const target = snapshotPath(to, shard, snapshot.seq)
      makeDirectoryDurably(dirname(target))
      copyDurably(snapshot.path, target)
      syncDirectory(dirname(target))
    }
  }
  copyDurably(join(from, DEPLOYMENT_FILE), join(to, DEPLOYMENT_FILE))
  syncDirectory(to)
  try {
    checkAgain(to, log, progress('reading it again'))
  } catch (error) {
    rmSync(join(to, DEPLOYMENT_FILE), { force: true })
    throw error
  }
  const positions = log.positions.map(({ shard, seq, timeMs }) => ({ shard, seq, at: shownTime(timeMs) }))
  return {
    events: log.events,
    until: Number.isFinite(cut.untilMs) ? shownTime(cut.untilMs) : manifest.until,
    positions,
  }
}

/** A backup cannot tell what came after it. */
function refuseOutside(manifest: Manifest, { seqs, untilMs }: Cut): void {
  if (manifest.until !== null && Number.isFinite(untilMs) && untilMs > Date.parse(manifest.until)) {
    throw new UsageFault(`the backup ends at ${manifest.until}, before ${shownTime(untilMs)}`)
  }
  for (const [shard, seq] of seqs) {
    const endsAt = manifest.positions.find((position) => position.shard === shard)?.seq ?? 0
    if (seq > endsAt) throw new UsageFault(`the backup has events of shard ${shard} up to ${endsAt}, not ${seq}`)
  }
}
