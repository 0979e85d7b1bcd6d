// The log of a directory in outline: the commits of each lane in the order they were made, with a digest of what each holds for each
// shard. One outline being the beginning of another, lane by lane, is what "a prefix of commits, each whole" means.

import { createHash } from 'node:crypto'
import { readDeployment } from '../../persistence/deployment.ts'
import { replayLog } from '../../persistence/recovery.ts'

interface OutlinedCommit {
  readonly segment: number
  readonly record: number
  /** By place in the record: shard, first sequence, events, digest. */
  readonly entries: Map<number, string>
}

export interface LogOutline {
  readonly lanes: ReadonlyMap<number, readonly OutlinedCommit[]>
  /** Last sequence by shard. */
  readonly lastSeqs: ReadonlyMap<number, number>
}

/** Reads as a start does, and writes nothing. Throws JournalError where a start would. */
export function outlineOf(dataDir: string): LogOutline {
  const deployment = readDeployment(dataDir)
  const lanes = new Map<number, Map<string, OutlinedCommit>>()
  const lastSeqs = new Map<number, number>()
  const all = new Set(Array.from({ length: deployment.shards }, (_, shard) => shard))
  replayLog(dataDir, deployment, all, ({ shard, firstSeq, eventCount, events, start, end, where }) => {
    const lane = lanes.get(where.lane) ?? new Map<string, OutlinedCommit>()
    lanes.set(where.lane, lane)
    const key = `${where.segment} ${where.record}`
    const commit = lane.get(key) ?? { segment: where.segment, record: where.record, entries: new Map() }
    lane.set(key, commit)
    const digest = createHash('sha1').update(events.subarray(start, end)).digest('hex')
    commit.entries.set(where.offset, `${shard}:${firstSeq}+${eventCount} ${digest}`)
    lastSeqs.set(shard, Math.max(lastSeqs.get(shard) ?? 0, firstSeq + eventCount - 1))
  })
  const sorted = new Map<number, OutlinedCommit[]>()
  for (const [lane, commits] of lanes) {
    sorted.set(
      lane,
      [...commits.values()].sort((a, b) => a.segment - b.segment || a.record - b.record),
    )
  }
  return { lanes: sorted, lastSeqs }
}

/** What is wrong with the claim that `part` is the beginning of `whole`, as a sentence; null: nothing. */
export function notBeginning(part: LogOutline, whole: LogOutline): string | null {
  for (const [lane, commits] of part.lanes) {
    const expected = whole.lanes.get(lane) ?? []
    for (const [index, commit] of commits.entries()) {
      const other = expected[index]
      if (other !== undefined && textOf(other) === textOf(commit)) continue
      const beside = other === undefined ? 'there is none' : `there is ${textOf(other)}`
      return `lane ${lane}: commit ${index + 1} holds ${textOf(commit)}, where ${beside}`
    }
  }
  return null
}

function textOf({ segment, record, entries }: OutlinedCommit): string {
  const sorted = [...entries].sort(([a], [b]) => a - b).map(([, text]) => text)
  return `segment ${segment}, record ${record}: ${sorted.join(', ')}`
}
