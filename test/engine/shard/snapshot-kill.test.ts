/**
 * The maker of snapshots is killed at every step, again and again on one directory. Whatever it leaves: a start gives the
 * same state as before, a follower delivers the same log, the independent audit finds nothing wrong, and the next run ends
 * what was begun. Nothing of the log is lost.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { auditLog } from '../../../cli/audit/audit-log.ts'
import { followLog } from '../../../persistence/log-follower.ts'
import { listSegments } from '../../../persistence/segment-files.ts'
import type { SnapshotStep } from '../../../engine/shard/snapshot-maker.ts'
import { deployment, seededRandom, temporaryDirectory } from '../../persistence/support.ts'
import { LogOfShards, recovered, snapshots } from './snapshot-support.ts'

const CHILD = join(
  import.meta.dirname,
  '..',
  '..',
  '..',
  'dist',
  'test',
  'engine',
  'shard',
  'children',
  'snapshotter.js',
)

const STEPS: readonly (readonly [SnapshotStep, number])[] = [
  ['snapshot.half-written', 1],
  ['snapshot.half-written', 3],
  ['snapshot.written', 1],
  ['snapshot.written', 2],
  ['snapshot.all-written', 1],
  ['archive.small-files', 1],
  ['archive.small-files', 2],
  ['archive.copied', 1],
  ['archive.moved', 1],
  ['archive.moved', 2],
  ['archive.removed', 1],
]

/** Ends the process at the step, if it comes there. */
function runAndKill(dataDir: string, step: SnapshotStep, times: number, copies: boolean): boolean {
  if (!existsSync(CHILD)) throw new Error(`${CHILD} is missing: run "npm run build" before the tests`)
  const args = [CHILD, dataDir, step, String(times), copies ? 'copies' : '']
  const { signal, status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  if (signal !== 'SIGKILL' && status !== 0) throw new Error(stderr)
  return signal === 'SIGKILL'
}

function followed(dataDir: string): Map<number, number> {
  const seqs = new Map<number, number>()
  const follower = followLog(dataDir, deployment, new Map())
  const onEntry = ({ shard, firstSeq, eventCount }: { shard: number; firstSeq: number; eventCount: number }) => {
    expect(firstSeq).toBe((seqs.get(shard) ?? 0) + 1)
    seqs.set(shard, firstSeq + eventCount - 1)
  }
  while (follower.poll(onEntry, 1_000_000) > 0);
  follower.close()
  return seqs
}

test.each([[false], [true]])(
  'a maker killed at any step leaves a directory that every start and tool survives (copies: %s)',
  { timeout: 120_000 },
  async (copies) => {
    const log = new LogOfShards(temporaryDirectory(), seededRandom(), 3)
    const { dataDir } = log
    let kills = 0
    for (const [step, times] of STEPS) {
      log.start(1)
      await log.commits(12)
      await log.stop()
      const before = recovered(dataDir, true)
      const bytes = listSegments(dataDir).map(({ path }) => statSync(path).size)
      if (runAndKill(dataDir, step, times, copies)) kills++

      const after = recovered(dataDir)
      expect(after.digests).toEqual(before.digests)
      expect(after.warnings).toEqual([])
      expect(recovered(dataDir, true).digests).toEqual(before.digests)
      expect(listSegments(dataDir).map(({ path }) => statSync(path).size)).toEqual(bytes)
      expect(followed(dataDir)).toEqual(new Map([...log.sources].map(([shard, { state }]) => [shard, state.seq])))
      const audit = auditLog(dataDir, { isSettled: false, isRouted: false })
      const segments = listSegments(dataDir)
      expect(audit.segments).toBe(segments.length)
      expect(audit.records).toBe(segments.reduce((sum, { seal }) => sum + (seal?.records ?? 0), 0))
      expect(audit.faults.filter((fault) => /missing|segment|record/.test(fault))).toEqual([])

      if (times === 1) continue
      // Every other time the next run ends what was begun.
      snapshots(dataDir, { copies })
      expect(recovered(dataDir).digests).toEqual(before.digests)
      expect(recovered(dataDir).replayed).toBe(0)
      expect(filesOf(dataDir).filter((path) => path.endsWith('.draft'))).toEqual([])
      for (const { path, lane, segment } of listSegments(dataDir)) {
        if (!path.includes('/archive/')) continue
        const name = `lanes/${String(lane).padStart(2, '0')}/${String(segment).padStart(6, '0')}`
        expect(filesOf(dataDir).filter((file) => file.startsWith(name))).toEqual([])
      }
    }
    expect(kills).toBeGreaterThanOrEqual(copies ? 10 : 8)
    expect(listSegments(dataDir).some(({ path }) => path.includes('/archive/'))).toBe(true)
  },
)

function filesOf(dataDir: string): string[] {
  return (readdirSync(dataDir, { recursive: true }) as string[]).filter(
    (path) => !statSync(join(dataDir, path)).isDirectory(),
  )
}
