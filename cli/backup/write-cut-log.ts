/**
 * Writes a log that ends at a cut: whole segments as they are, the rest record by record. What a shard's chain says stays the
 * same, byte for byte, up to an entry that the cut goes through; only places are new.
 *
 *     pass 1   read everything, note what the cut keeps of each segment          → plan
 *     pass 2   copy the whole ones; read the others again and encode what is kept → sealed segments
 *
 * What must never happen here: a write into the directory that is read.
 */
import { copyFileSync, existsSync, fsyncSync, openSync, closeSync, statSync } from 'node:fs'
import { dirname, relative } from 'node:path'
import { makeDirectoryDurably, syncDirectory } from '../../persistence/durable-file.ts'
import { fileSum } from '../../persistence/file-sum.ts'
import {
  ChainEnd,
  type EntryDraft,
  RECORD_BYTES_MAX,
  RecordEncoder,
  type StoredEntry,
} from '../../persistence/record.ts'
import {
  beside,
  findSegment,
  laneDirectory,
  listSegments,
  markSealed,
  type SegmentFiles,
  segmentPath,
} from '../../persistence/segment-files.ts'
import { SegmentReader } from '../../persistence/segment-reader.ts'
import { openLmdbStore, type Store } from '../../persistence/segment-writer.ts'
import type { DataDirectory } from '../rebuild/data-directory.ts'
import { hashOf } from '../rebuild/entry-hash.ts'
import { type Cut, lastSeqOf } from '../rebuild/positions.ts'
import { type LogProgress, readLog } from '../rebuild/read-log.ts'
import { eachEventWithin } from '../rebuild/rebuild.ts'
import { type CutPosition, segmentKey, SegmentPlan } from './segment-plan.ts'

/** A data file that was written, relative to its directory. */
export interface WrittenSegment {
  readonly path: string
  /** The very file of the source. */
  readonly isWhole: boolean
  /** It was there already. */
  readonly isKept: boolean
}

export interface CutLog {
  readonly positions: readonly CutPosition[]
  readonly events: number
  readonly segments: readonly WrittenSegment[]
}

export interface CuttingLog {
  readonly cut: Cut
  /** Beside a running server: what the cut needs is durable up to here, by shard. */
  readonly atLeast?: ReadonlyMap<number, number> | undefined
  readonly to: string
  /** Whether a whole segment is there already and needs no copy; `path` is relative. */
  readonly has?: (path: string, source: SegmentFiles) => boolean
  readonly onProgress?: LogProgress | undefined
}

/** Entries kept in front of `cut`: how many of its events, and the time of the last. */
interface Kept {
  readonly events: number
  readonly lastTimeMs: number
  /** End of the last kept event in the entry's bytes. */
  readonly end: number
}

/** Throws JournalError or Divergence for a source that cannot be read, and the errors of the file system. */
export async function writeCutLog(source: DataDirectory, cutting: CuttingLog): Promise<CutLog> {
  const { cut, atLeast, to, onProgress } = cutting
  const plan = new SegmentPlan()
  // Before the log is read: a segment that is sealed by now holds all it will ever hold.
  const segments = listSegments(source.path)
  const half = (from: number): LogProgress | undefined =>
    onProgress === undefined ? undefined : (doneShare, events) => onProgress(from + doneShare / 2, events)
  readLog(source, {
    onEntry: (entry) => {
      const kept = keptOf(entry, cut)
      plan.note(entry, kept.events, kept.lastTimeMs)
    },
    onProgress: half(0),
    atLeast,
  })
  const copied = plan.copied(segments)
  const whole = segments.filter((files) => copied.has(segmentKey(files)))
  const written = whole.map((files) => copySegment(source.path, files, cutting))
  const writer = new SegmentsWriter(to, copied, segments)
  readLog(source, {
    onEntry: (entry) => writer.take(entry, keptOf(entry, cut)),
    onProgress: half(0.5),
    atLeast,
  })
  written.push(...(await writer.end()))
  return {
    positions: [...plan.ends.values()].sort((a, b) => a.shard - b.shard),
    events: plan.events,
    segments: written,
  }
}

/** Entries of equal treatment are not read event by event. */
function keptOf(entry: StoredEntry, cut: Cut): Kept {
  const { firstSeq, eventCount, shard, timeMs, end } = entry
  const lastSeq = lastSeqOf(cut, shard)
  if (firstSeq > lastSeq || timeMs > cut.untilMs) return { events: 0, lastTimeMs: timeMs, end: entry.start }
  let events = 0
  let lastTimeMs = timeMs
  let keptEnd = entry.start
  const isWhole = eachEventWithin(entry, cut, (stored) => {
    events++
    lastTimeMs = stored.atMs
    keptEnd = stored.end
  })
  return { events: isWhole ? eventCount : events, lastTimeMs, end: isWhole ? end : keptEnd }
}

/** `from`: the directory of the source. */
function copySegment(from: string, files: SegmentFiles, { to, has }: CuttingLog): WrittenSegment {
  const target = segmentPath(to, files)
  const path = relative(to, target)
  const isKept = has?.(path, files) === true
  if (!isKept) {
    makeDirectoryDurably(dirname(target))
    copyWhereItLies(from, files, target)
    syncDirectory(dirname(target))
  }
  return { path, isWhole: true, isKept }
}

/** A segment may move to the archive while it is copied: then it is there. */
function copyWhereItLies(from: string, files: SegmentFiles, target: string): void {
  for (;;) {
    const path = findSegment(from, files)
    try {
      copyDurably(path, target)
      copyDurably(beside(path, 'sealed'), beside(target, 'sealed'))
      return
    } catch (error) {
      if (findSegment(from, files) === path) throw error
    }
  }
}

/** Copies a file and flushes it; the directory is the caller's. */
export function copyDurably(from: string, to: string): void {
  copyFileSync(from, to)
  const fd = openSync(to, 'r+')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** A segment being written. */
interface OpenSegment {
  readonly path: string
  readonly lane: number
  readonly segment: number
  readonly store: Store
  records: number
}

/** What a record of the source leaves. */
interface PendingRecord {
  readonly target: OpenSegment
  readonly sourceKey: string
  readonly drafts: EntryDraft[]
}

class SegmentsWriter {
  private readonly to: string
  private readonly copied: ReadonlySet<string>
  private readonly sizes = new Map<string, number>()
  private readonly chains = new Map<number, ChainEnd>()
  private readonly encoder = new RecordEncoder()
  private readonly open = new Map<string, OpenSegment>()
  private readonly nextSegments = new Map<number, number>()
  private pending: PendingRecord | null = null

  constructor(to: string, copied: ReadonlySet<string>, segments: readonly SegmentFiles[]) {
    this.to = to
    this.copied = copied
    for (const files of segments) {
      this.sizes.set(segmentKey(files), existsSync(files.path) ? statSync(files.path).size : 0)
      if (copied.has(segmentKey(files))) this.nextSegments.set(files.lane, files.segment + 1)
    }
  }

  take(entry: StoredEntry, kept: Kept): void {
    if (kept.events === 0) return
    if (this.copied.has(segmentKey(entry.where))) {
      this.follow(entry)
      return
    }
    const sourceKey = `${segmentKey(entry.where)}/${entry.where.record}`
    const isOther =
      this.pending?.sourceKey !== sourceKey || this.pending.drafts.some(({ shard }) => shard === entry.shard)
    if (isOther) this.flushPending()
    this.pending ??= { target: this.targetOf(entry), sourceKey, drafts: [] }
    this.pending.drafts.push(draftOf(entry, kept))
  }

  /** Makes everything durable and final. */
  async end(): Promise<readonly WrittenSegment[]> {
    this.flushPending()
    const written: WrittenSegment[] = []
    for (const segment of this.open.values()) {
      await flushed(segment.store)
      await segment.store.close()
      seal(segment)
      written.push({ path: relative(this.to, segment.path), isWhole: false, isKept: false })
    }
    return written
  }

  /** The chain goes through a segment that is copied: its places are the source's. */
  private follow(entry: StoredEntry): void {
    this.flushPending()
    const chain = this.chainOf(entry.shard)
    const { lane, segment, record, offset } = entry.where
    chain.seq = entry.firstSeq + entry.eventCount - 1
    chain.timeMs = entry.timeMs
    Object.assign(chain, { lane, segment, record, offset })
    chain.hash.set(hashOf(entry))
  }

  private flushPending(): void {
    const { pending } = this
    if (pending === null) return
    this.pending = null
    const { target, drafts } = pending
    const record = ++target.records
    const bytes = this.encoder.encode({ lane: target.lane, segment: target.segment, record }, drafts, (shard) =>
      this.chainOf(shard),
    )
    target.store.put(record, bytes)
  }

  private targetOf({ where }: StoredEntry): OpenSegment {
    const key = segmentKey(where)
    const known = this.open.get(key)
    if (known !== undefined) return known
    const segment = this.nextSegments.get(where.lane) ?? 1
    this.nextSegments.set(where.lane, segment + 1)
    const path = segmentPath(this.to, { lane: where.lane, segment })
    makeDirectoryDurably(laneDirectory(this.to, where.lane))
    // As generous as the journal: pages for a tree, and room for the largest record. Sparse, so it costs nothing.
    const store = openLmdbStore(path, (this.sizes.get(key) ?? 0) * 2 + RECORD_BYTES_MAX * 2)
    const opened = { path, lane: where.lane, segment, store, records: 0 }
    this.open.set(key, opened)
    return opened
  }

  private chainOf(shard: number): ChainEnd {
    let chain = this.chains.get(shard)
    if (chain === undefined) {
      chain = new ChainEnd()
      this.chains.set(shard, chain)
    }
    return chain
  }
}

/** The bytes are copied: the source's are valid during its callback only. */
function draftOf({ shard, firstSeq, timeMs, events, start }: StoredEntry, kept: Kept): EntryDraft {
  const bytes = events.slice(start, kept.end)
  return { shard, firstSeq, eventCount: kept.events, timeMs, events: bytes, length: bytes.length }
}

function flushed(store: Store): Promise<void> {
  return new Promise((resolve, reject) => {
    store.flush((error) => (error === null ? resolve() : reject(error)))
  })
}

function seal({ path, lane, segment }: OpenSegment): void {
  const reader = new SegmentReader({ lane, segment }, path)
  try {
    const { newest } = reader.roots()
    markSealed(path, { records: newest.records, transaction: newest.transaction, sum: fileSum(path) })
  } finally {
    reader.close()
  }
}
