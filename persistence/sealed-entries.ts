/**
 * The entries of sealed segments behind a cursor, handed out one shard at a time: what a maker of snapshots reads.
 *
 *     segments ──one pass, every check sum──▶ places of entries, by shard ──a shard at a time──▶ entries, in order
 *                     │                       (24 bytes each, bounded)
 *                     └─▶ the index beside each segment, where there is none yet
 *
 * A start reads all shards side by side; here only one state may be in memory, and a deployment may have a thousand shards.
 * So the segments are read once for their places, and then each shard's entries are fetched from where they lie. Sealed
 * segments only: nothing here can be ahead of the disk, and nothing here touches what is being written.
 */

import type { Deployment } from './deployment.ts'
import {
  ChainEnd,
  checkRecord,
  damagedRecord,
  ENTRY_HEAD_BYTES,
  type EntryHead,
  followChain,
  readEntryHead,
  RECORD_HEAD_BYTES,
  type StoredEntry,
} from './record.ts'
import type { ShardHead } from './lane-merge.ts'
import { listSegments, type SegmentFiles, type SegmentName } from './segment-files.ts'
import { readSegmentRanges, SegmentIndexBuilder, writeSegmentIndex } from './segment-index.ts'
import { openSegment, type SegmentReader, type SegmentRoot } from './segment-reader.ts'

const OPEN_SEGMENTS_MAX = 16

/** Where the entries of one shard lie, in the order they were found. */
class Places {
  readonly firstSeqs: number[] = []
  readonly ats: number[] = []
  readonly lengths: number[] = []
  readonly records: number[] = []
  readonly offsets: number[] = []
  readonly segments: number[] = []
}

export class SealedEntries {
  readonly #dataDir: string
  readonly #segments: SegmentName[] = []
  readonly #shards = new Map<number, Places>()
  readonly #open = new Map<number, SegmentReader>()
  #count = 0
  #bytes = Buffer.alloc(64 * 1024)

  /**
   * Finds the entries behind the cursor (last sequence by shard, 0 before the first), at most about `entriesMax`: what is
   * beyond is found when the cursor has moved. `rest` is called now and then on the way. Throws JournalError.
   */
  constructor(
    dataDir: string,
    deployment: Deployment,
    seqOf: (shard: number) => number,
    entriesMax: number,
    rest: () => void = () => {},
  ) {
    this.#dataDir = dataDir
    for (const files of listSegments(dataDir)) {
      if (this.#count >= entriesMax) break
      if (files.seal === null) continue
      const ranges = readSegmentRanges(files.path, files, files.seal)
      if (ranges?.isBehind(seqOf) !== true) this.#collect(files, deployment, seqOf, ranges === null, entriesMax, rest)
    }
  }

  /** Shards that have entries here. */
  get shards(): readonly number[] {
    return [...this.#shards.keys()].sort((a, b) => a - b)
  }

  /**
   * Hands out the entries that follow `from` without a gap (null: from the first one on) and returns the last of them, or
   * `from` when there is none. Chain and hashes are checked. The bytes are valid until the callback returns.
   */
  follow(shard: number, from: ShardHead | null, onEntry: (entry: StoredEntry) => void): ShardHead | null {
    const places = this.#shards.get(shard)
    if (places === undefined) return from
    const chain = new ChainEnd()
    if (from !== null) {
      Object.assign(chain, from.where, { seq: from.seq, timeMs: from.timeMs })
      chain.hash.set(from.hash)
    }
    const order = places.firstSeqs.map((_, index) => index)
    order.sort((a, b) => (places.firstSeqs[a] as number) - (places.firstSeqs[b] as number))
    let head = from
    for (const index of order) {
      const firstSeq = places.firstSeqs[index] as number
      if (firstSeq <= chain.seq) continue
      if (firstSeq > chain.seq + 1) break
      this.#readEntry(places, index, chain, onEntry)
      const { lane, segment, record, offset } = chain
      head = { seq: chain.seq, timeMs: chain.timeMs, hash: chain.hash, where: { lane, segment, record, offset } }
    }
    return head === null || head === from ? from : { ...head, hash: Uint8Array.from(head.hash) }
  }

  close(): void {
    for (const reader of this.#open.values()) reader.close()
    this.#open.clear()
  }

  #collect(
    files: SegmentFiles,
    { shards }: Deployment,
    seqOf: (shard: number) => number,
    needsIndex: boolean,
    entriesMax: number,
    rest: () => void,
  ): void {
    const name = { lane: files.lane, segment: files.segment }
    const builder = needsIndex ? new SegmentIndexBuilder(name) : null
    const segment = this.#segments.push(name) - 1
    const reader = openSegment(this.#dataDir, name)
    try {
      const root = sealedRoot(reader, files)
      for (const { record, bytes, view, start, length, at } of reader.records(root)) {
        const position = { ...name, record }
        let left = checkRecord(bytes, view, start, length, position)
        for (let offset = RECORD_HEAD_BYTES; left > 0; left--) {
          const entry = readEntryHead(view, start, length, offset, position)
          if (entry.shard >= shards) throw damagedRecord(position, `has an entry of shard ${entry.shard}`)
          builder?.add(entry, record)
          const isNew = entry.firstSeq > seqOf(entry.shard) && this.#count < entriesMax
          if (isNew) this.#note(entry, segment, record, at)
          offset = entry.endOffset
        }
        rest()
        // A segment that has no index yet is read to its end for it.
        if (this.#count >= entriesMax && builder === null) return
      }
      if (builder !== null) writeSegmentIndex(reader.path, builder.build(root))
    } finally {
      reader.close()
    }
  }

  #note(entry: EntryHead, segment: number, record: number, recordAt: number): void {
    let places = this.#shards.get(entry.shard)
    if (places === undefined) {
      places = new Places()
      this.#shards.set(entry.shard, places)
    }
    places.firstSeqs.push(entry.firstSeq)
    places.ats.push(recordAt + entry.offset)
    places.lengths.push(ENTRY_HEAD_BYTES + entry.eventsLength)
    places.records.push(record)
    places.offsets.push(entry.offset)
    places.segments.push(segment)
    this.#count++
  }

  #readEntry(places: Places, index: number, chain: ChainEnd, onEntry: (entry: StoredEntry) => void): void {
    const segment = places.segments[index] as number
    const length = places.lengths[index] as number
    const record = places.records[index] as number
    const offset = places.offsets[index] as number
    const name = this.#segments[segment] as SegmentName
    if (length > this.#bytes.length) this.#bytes = Buffer.alloc(length * 2)
    const bytes = this.#bytes
    this.#reader(segment).readAt(bytes, 0, length, places.ats[index] as number)
    const position = { ...name, record }
    const view = new DataView(bytes.buffer, bytes.byteOffset)
    // The record's own offsets: the entry begins where the buffer does.
    const entry = readEntryHead(view, -offset, offset + length, offset, position)
    followChain(bytes, -offset, entry, position, chain)
    onEntry({
      shard: entry.shard,
      firstSeq: entry.firstSeq,
      eventCount: entry.eventCount,
      timeMs: entry.timeMs,
      events: bytes,
      start: length - entry.eventsLength,
      end: length,
      where: { ...position, offset },
    })
  }

  #reader(segment: number): SegmentReader {
    let reader = this.#open.get(segment)
    if (reader === undefined) {
      for (const [oldest, open] of this.#open) {
        if (this.#open.size < OPEN_SEGMENTS_MAX) break
        open.close()
        this.#open.delete(oldest)
      }
      reader = openSegment(this.#dataDir, this.#segments[segment] as SegmentName)
      this.#open.set(segment, reader)
    }
    return reader
  }
}

function sealedRoot(reader: SegmentReader, { lane, segment, seal }: SegmentFiles): SegmentRoot {
  const { newest, previous } = reader.roots()
  const root = [newest, previous].find(
    ({ transaction, records }) => transaction === seal?.transaction && records === seal.records,
  )
  if (root === undefined)
    throw damagedRecord({ lane, segment, record: seal?.records ?? 0 }, 'is not where the seal says')
  return root
}
