/**
 * Replay: reads the log once and hands out each wanted shard's entries in the order of their sequence, whatever
 * lanes they were written to (the number of workers may have changed at any start): all of it, or what lies behind the
 * snapshots. Segments that hold nothing wanted are not read, as far as the index beside them tells.
 *
 * The order, and what is checked on the way, is lane-merge.ts; here are the files. The one thing that is not damage, a
 * commit cut off by a power cut, is judged in segment-survey.ts before anything is delivered. Nothing here writes; what was
 * found is made final by `settleSegments` when a journal is opened.
 */

import type { Deployment } from './deployment.ts'
import { EntryIndex } from './entry-index.ts'
import {
  type LaneRecords,
  type Merged,
  type MergedRecord,
  type MergeProgress,
  mergeLanes,
  type ReplayEnd,
  type ShardHead,
} from './lane-merge.ts'
import { currentProcess, sameProcess } from './process-identity.ts'
import type { EntryHead, StoredEntry } from './record.ts'
import { type SegmentIndex, SegmentIndexBuilder, segmentIndexOf, type SegmentRanges } from './segment-index.ts'
import { listSegments, type SegmentName } from './segment-files.ts'
import { openSegment, type RecordBytes, type SegmentReader } from './segment-reader.ts'
import { type RecoveredSegment, surveySegment } from './segment-survey.ts'

export interface ReplayProgress {
  readonly records: number
  /** Of the files, read so far. */
  readonly bytes: number
  readonly bytesTotal: number
  /** Delivered: of the wanted shards. */
  readonly events: number
}

export interface RecoveredLog extends Merged {
  readonly segments: readonly RecoveredSegment[]
  readonly index: EntryIndex
  /** Of the segments that were read whole and have no index beside them. */
  readonly indexes: readonly SegmentIndex[]
}

export interface ReplayOptions {
  /** Where a shard stands already, by a snapshot: what is before is not delivered. The log must follow it. */
  readonly after?: ReadonlyMap<number, ShardHead>
  /** Where to stop; nothing behind it is delivered, but an entry that reaches beyond it is delivered whole. */
  readonly until?: ReplayEnd
}

const PROGRESS_BYTES = 8 * 1024 * 1024

/**
 * Synchronous: runs in the thread that owns the shards, before it serves. Segments that this process has open for
 * writing are passed over: they hold nothing yet that the caller's shards could want. Throws JournalError.
 */
export function replayLog(
  dataDir: string,
  deployment: Deployment,
  shardsWanted: ReadonlySet<number>,
  onEntry: (entry: StoredEntry) => void,
  onProgress?: (progress: ReplayProgress) => void,
  options: ReplayOptions = {},
): RecoveredLog {
  const self = currentProcess()
  const segments = listSegments(dataDir)
    .filter((files) => files.seal !== null || files.openedBy === null || !sameProcess(files.openedBy, self))
    .map((files) => surveySegment(files, self))
  return new Replay(dataDir, deployment, shardsWanted, onEntry, onProgress, segments, options).run()
}

class Replay {
  readonly #dataDir: string
  readonly #deployment: Deployment
  readonly #wanted: ReadonlySet<number>
  readonly #onEntry: (entry: StoredEntry) => void
  readonly #onProgress: ((progress: ReplayProgress) => void) | undefined
  readonly #segments: readonly RecoveredSegment[]
  readonly #index: EntryIndex
  readonly #after: ReadonlyMap<number, ShardHead>
  readonly #until: ReplayEnd
  readonly #built = new Map<string, SegmentIndex>()
  readonly #bytesTotal: number
  #bytesOfProgress = 0

  constructor(
    dataDir: string,
    deployment: Deployment,
    wanted: ReadonlySet<number>,
    onEntry: (entry: StoredEntry) => void,
    onProgress: ((progress: ReplayProgress) => void) | undefined,
    segments: readonly RecoveredSegment[],
    { after = new Map(), until = {} }: ReplayOptions,
  ) {
    this.#dataDir = dataDir
    this.#deployment = deployment
    this.#wanted = wanted
    this.#onEntry = onEntry
    this.#onProgress = onProgress
    this.#segments = segments
    this.#after = after
    this.#until = until
    this.#index = new EntryIndex((name) => this.#built.get(keyOf(name)) ?? segmentIndexOf(dataDir, name))
    for (const shard of wanted) {
      const head = after.get(shard)
      if (head !== undefined) this.#index.beginBehind(shard, head.seq)
    }
    const read = segments.filter((segment) => !this.#isBehind(segment))
    this.#bytesTotal = read.reduce((sum, { root }) => sum + (root === null ? 0 : root.lastPage), 0) * 4_096
  }

  run(): RecoveredLog {
    const lanes = new Map<number, RecoveredSegment[]>()
    for (const segment of this.#segments) {
      const { lane } = segment.files
      if (segment.ranges !== null) this.#addStretches(segment.files, segment.ranges)
      if (!this.#isBehind(segment)) lanes.set(lane, [...(lanes.get(lane) ?? []), segment])
    }
    const merged = mergeLanes(
      [...lanes.values()].map((segments) => new LaneFiles(this.#dataDir, segments, this.#keepIndex)),
      {
        shards: this.#deployment.shards,
        wanted: this.#wanted,
        after: this.#after,
        until: this.#until,
        onEntry: this.#takeEntry,
        onRecord: (so) => this.#report(so, false),
      },
    )
    this.#report(merged, true)
    return { ...merged, segments: this.#segments, index: this.#index, indexes: [...this.#built.values()] }
  }

  readonly #takeEntry = (entry: StoredEntry): void => {
    const { lane, segment, record, offset } = entry.where
    this.#index.add(entry.shard, entry.firstSeq, lane, segment, record, offset)
    this.#onEntry(entry)
  }

  /** Whether the index of the segment says that nothing in it is wanted. */
  #isBehind({ ranges }: RecoveredSegment): boolean {
    return ranges?.isBehind((shard) => this.#after.get(shard)?.seq ?? 0, this.#wanted) ?? false
  }

  /** Where look-ups find what lies before the snapshots. */
  #addStretches(name: SegmentName, { ranges }: SegmentRanges): void {
    for (const range of ranges.values()) {
      const head = this.#wanted.has(range.shard) ? this.#after.get(range.shard) : undefined
      if (head !== undefined && range.firstSeq <= head.seq) this.#index.addStretch(name, range)
    }
  }

  readonly #keepIndex = (index: SegmentIndex): void => {
    this.#built.set(keyOf(index.name), index)
    this.#addStretches(index.name, index)
  }

  #report(so: MergeProgress, atEnd: boolean): void {
    if (this.#onProgress === undefined) return
    if (!atEnd && so.bytes - this.#bytesOfProgress < PROGRESS_BYTES) return
    this.#bytesOfProgress = so.bytes
    const bytesTotal = Math.max(this.#bytesTotal, so.bytes)
    this.#onProgress({ records: so.records, bytes: atEnd ? bytesTotal : so.bytes, bytesTotal, events: so.events })
  }
}

/** The records of a lane, one segment behind the other. */
class LaneFiles implements LaneRecords {
  readonly #dataDir: string
  readonly #keepIndex: (index: SegmentIndex) => void
  readonly #segments: readonly RecoveredSegment[]
  #at = -1
  #reader: SegmentReader | null = null
  #records: Generator<RecordBytes, void, void> | null = null
  #record = 0
  /** Where the segment has no index yet. */
  #builder: SegmentIndexBuilder | null = null

  constructor(dataDir: string, segments: readonly RecoveredSegment[], keepIndex: (index: SegmentIndex) => void) {
    this.#dataDir = dataDir
    this.#keepIndex = keepIndex
    this.#segments = segments
  }

  next(): MergedRecord | null {
    for (;;) {
      const step = this.#records?.next()
      if (step !== undefined && step.done !== true) {
        const { lane, segment } = (this.#segments[this.#at] as RecoveredSegment).files
        const { record, bytes, view, start, length } = step.value
        this.#record = record
        return { lane, segment, record, bytes, view, start, length }
      }
      this.#endSegment()
      const next = this.#segments[++this.#at]
      if (next === undefined) return null
      if (next.root === null) continue
      const { lane, segment } = next.files
      this.#builder = next.ranges === null ? new SegmentIndexBuilder({ lane, segment }) : null
      this.#reader = openSegment(this.#dataDir, { lane, segment })
      this.#records = this.#reader.records(next.root)
    }
  }

  entryRead(entry: EntryHead): void {
    this.#builder?.add(entry, this.#record)
  }

  #endSegment(): void {
    const root = this.#segments[this.#at]?.root
    if (this.#builder !== null && root !== undefined && root !== null) this.#keepIndex(this.#builder.build(root))
    this.#builder = null
    this.close()
  }

  close(): void {
    this.#reader?.close()
    this.#reader = null
    this.#records = null
  }
}

function keyOf({ lane, segment }: SegmentName): string {
  return `${lane}/${segment}`
}
