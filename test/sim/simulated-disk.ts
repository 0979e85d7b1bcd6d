/**
 * The disk of the simulation: what is left when processes die. Records are the bytes that the product writes, and a start
 * reads them by the product's own decisions (segment-survey.ts, lane-merge.ts); only the files around them are missing.
 *
 *     lane 0   segment 1 │ record │ record │ record │ sealed      segment 2 │ record │ … each start begins a new one
 *     lane 1   segment 1 │ record │ …
 *     snapshots by shard: where they end in the log, and the words of the state
 */
import { JournalError } from '../../persistence/errors.ts'
import {
  type LaneRecords,
  type Merged,
  type MergedRecord,
  mergeLanes,
  type ShardHead,
} from '../../persistence/lane-merge.ts'
import type { EntryDraft, StoredEntry } from '../../persistence/record.ts'
import { isTorn } from '../../persistence/segment-survey.ts'
import type { StoredBytes, StoredEntries } from '../../engine/shard/history.ts'

/** A record on the disk, with the drafts that are in it, for look-ups. */
interface RecordOnDisk {
  readonly bytes: Buffer
  readonly entries: readonly EntryOnDisk[]
}

interface EntryOnDisk extends StoredBytes {
  readonly shard: number
}

export interface SegmentOnDisk {
  readonly lane: number
  readonly segment: number
  readonly records: RecordOnDisk[]
  /** How often the machine had been started when it was begun. */
  readonly boot: number
  isSealed: boolean
}

export interface SnapshotOnDisk {
  readonly head: ShardHead
  readonly words: Int32Array
}

/** What a start finds, before it looks. */
export interface Recovered {
  readonly merged: Merged
  /** Records that were cut off by a power cut and left out. */
  readonly torn: number
}

export class SimulatedDisk implements StoredEntries {
  readonly snapshots = new Map<number, SnapshotOnDisk>()
  private readonly lanes = new Map<number, SegmentOnDisk[]>()
  /** How often the machine of a lane has lost its power. */
  private readonly powerCuts = new Map<number, number>()
  private readonly index = new Map<number, EntryOnDisk[]>()
  private readonly shards: number

  constructor(shards: number) {
    this.shards = shards
  }

  /** A new segment for a lane; those before it are not written to any more. */
  openSegment(lane: number): SegmentOnDisk {
    const segments = this.segmentsOf(lane)
    const segment = { lane, segment: segments.length + 1, records: [], boot: this.bootOf(lane), isSealed: false }
    segments.push(segment)
    return segment
  }

  /** The machine of these lanes starts anew. */
  powerCut(lanes: readonly number[]): void {
    for (const lane of lanes) this.powerCuts.set(lane, this.bootOf(lane) + 1)
  }

  /** The segment is full. */
  nextSegment(full: SegmentOnDisk): SegmentOnDisk {
    full.isSealed = true
    return this.openSegment(full.lane)
  }

  /** The bytes are the disk's own from now on. */
  put(segment: SegmentOnDisk, bytes: Buffer, drafts: readonly EntryDraft[]): void {
    const entries = entriesOf(bytes, drafts)
    segment.records.push({ bytes, entries })
    for (const entry of entries) this.entriesOf(entry.shard).push(entry)
  }

  /** The last record of a segment, of which a power cut has left a part. */
  putTorn(segment: SegmentOnDisk, bytes: Buffer): void {
    segment.records.push({ bytes, entries: [] })
  }

  entryOf(shard: number, seq: number): StoredBytes | null {
    const entries = this.entriesOf(shard)
    let from = 0
    let to = entries.length
    while (from < to) {
      const middle = (from + to) >> 1
      const { firstSeq, eventCount } = entries[middle] as EntryOnDisk
      if (firstSeq + eventCount <= seq) from = middle + 1
      else to = middle
    }
    const found = entries[from]
    return found !== undefined && seq >= found.firstSeq ? found : null
  }

  /** Sequence of a shard's last event. */
  lastSeq(shard: number): number {
    const last = this.entriesOf(shard).at(-1)
    return last === undefined ? 0 : last.firstSeq + last.eventCount - 1
  }

  /** Every record, for who judges the log: lane by lane, in the order of writing. */
  *records(): Generator<Buffer, void, void> {
    for (const segments of this.lanes.values()) {
      for (const { records } of segments) for (const { bytes } of records) yield bytes
    }
  }

  /**
   * What a start of these shards reads, behind `after`. Throws JournalError where the log is damaged. What was found is
   * final: torn records are gone, segments of lanes that are `mine` are sealed.
   */
  recover(
    mine: (lane: number) => boolean,
    wanted: ReadonlySet<number>,
    after: ReadonlyMap<number, ShardHead>,
    onEntry: (entry: StoredEntry) => void,
  ): Recovered {
    const torn = new Set(this.open().filter((segment) => this.endsTorn(segment)))
    const lanes = [...this.lanes.values()].map((segments) => new LaneOnDisk(segments, torn))
    const merged = mergeLanes(lanes, { shards: this.shards, wanted, after, onEntry })
    for (const segment of torn) segment.records.pop()
    for (const segment of this.open()) if (mine(segment.lane)) segment.isSealed = true
    return { merged, torn: torn.size }
  }

  /** Flips a bit of a record of these lanes; returns what turns it back, or null where there is nothing to flip. */
  flip(lanes: readonly number[], pick: (end: number) => number): (() => void) | null {
    const records = lanes.flatMap((lane) => this.segmentsOf(lane).flatMap((segment) => segment.records))
    if (records.length === 0) return null
    const { bytes } = records[pick(records.length)] as RecordOnDisk
    const at = pick(bytes.length)
    const mask = 1 << pick(8)
    const turn = (): void => {
      bytes[at] = (bytes[at] as number) ^ mask
    }
    turn()
    return turn
  }

  private open(): SegmentOnDisk[] {
    return [...this.lanes.values()].flatMap((segments) => segments.filter(({ isSealed }) => !isSealed))
  }

  private endsTorn(segment: SegmentOnDisk): boolean {
    const mayBe = segment.boot !== this.bootOf(segment.lane) && segment.records.length > 0
    return isTorn(mayBe, segment, toCheck(segment, segment.records.length))
  }

  private bootOf(lane: number): number {
    return this.powerCuts.get(lane) ?? 0
  }

  private segmentsOf(lane: number): SegmentOnDisk[] {
    const segments = this.lanes.get(lane) ?? []
    this.lanes.set(lane, segments)
    return segments
  }

  private entriesOf(shard: number): EntryOnDisk[] {
    const entries = this.index.get(shard) ?? []
    if (entries.length === 0) this.index.set(shard, entries)
    return entries
  }
}

class LaneOnDisk implements LaneRecords {
  private readonly all: Iterator<MergedRecord, void>

  constructor(segments: readonly SegmentOnDisk[], torn: ReadonlySet<SegmentOnDisk>) {
    this.all = recordsOf(segments, torn)
  }

  next(): MergedRecord | null {
    const step = this.all.next()
    return step.done === true ? null : step.value
  }

  entryRead(): void {}

  close(): void {}
}

function* recordsOf(
  segments: readonly SegmentOnDisk[],
  torn: ReadonlySet<SegmentOnDisk>,
): Generator<MergedRecord, void, void> {
  for (const segment of segments) yield* toCheck(segment, segment.records.length - (torn.has(segment) ? 1 : 0))
}

function* toCheck({ lane, segment, records }: SegmentOnDisk, count: number): Generator<MergedRecord, void, void> {
  for (let index = 0; index < count; index++) {
    const { bytes } = records[index] as RecordOnDisk
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    yield { lane, segment, record: index + 1, bytes, view, start: 0, length: bytes.length }
  }
}

/** A draft's events lie at the end of its entry, entries one behind the other at the end of the record. */
function entriesOf(bytes: Buffer, drafts: readonly EntryDraft[]): EntryOnDisk[] {
  const ENTRY_HEAD_BYTES = 106
  const entries: EntryOnDisk[] = []
  let end = bytes.length
  for (const { shard, firstSeq, eventCount, timeMs, length } of drafts.toReversed()) {
    entries.push({ shard, firstSeq, eventCount, timeMs, events: bytes, start: end - length, end })
    end -= length + ENTRY_HEAD_BYTES
  }
  return entries
}

/** Whether an error says that the log is damaged: what a start stops with. */
export function isDamage(error: unknown): error is JournalError {
  return error instanceof JournalError && DAMAGE.has(error.code)
}

const DAMAGE: ReadonlySet<string> = new Set([
  'JOURNAL_DAMAGED',
  'JOURNAL_NEWER_FORMAT',
  'JOURNAL_TRUNCATED',
  'CHAIN_BROKEN',
])
