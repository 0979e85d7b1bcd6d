/**
 * Where entries lie, sparsely: for each shard the place of every 64th entry. From the next known place on, the entries
 * are found backwards by the links they carry, so a look-up takes at most 64 steps and the index about 22 bytes for 64
 * entries. Points are kept in pages of typed arrays that are never moved when the log grows.
 *
 *     sequence   1 ──────────────────────────── from the snapshot ─────────────────────▶ now
 *                stretches: which segment has     points: read at the start, or written since
 *                which; their points are in the
 *                files beside them (segment-index.ts), read when somebody asks, a few kept
 */

import type { EntryPosition } from './record.ts'
import type { SegmentIndex, ShardRange } from './segment-index.ts'
import type { SegmentName } from './segment-files.ts'

export const ENTRIES_PER_POINT = 64
const POINTS_PER_PAGE = 512
const LOADED_SEGMENTS_MAX = 8

export class EntryIndex {
  readonly #shards = new Map<number, ShardPoints>()
  readonly #stretches = new Map<number, Stretches>()
  readonly #load: (name: SegmentName) => SegmentIndex
  readonly #loaded = new Map<string, SegmentIndex>()

  /** `load` reads the index of a segment that `addStretch` named; it may throw JournalError. */
  constructor(load: (name: SegmentName) => SegmentIndex = noSegments) {
    this.#load = load
  }

  /** The entries of the shard up to that sequence lie in stretches; those behind it are added one by one. */
  beginBehind(shard: number, seq: number): void {
    this.#stretches.set(shard, { untilSeq: seq, ranges: [], names: [] })
  }

  /** A segment with entries of the shard that are not added one by one; stretches come in any order. */
  addStretch(name: SegmentName, range: ShardRange): void {
    const stretches = this.#stretches.get(range.shard)
    if (stretches === undefined) return
    let at = stretches.ranges.length
    while (at > 0 && (stretches.ranges[at - 1] as ShardRange).firstSeq > range.firstSeq) at--
    stretches.ranges.splice(at, 0, range)
    stretches.names.splice(at, 0, name)
  }

  /** Called for every entry of a shard, in order. */
  add(shard: number, firstSeq: number, lane: number, segment: number, record: number, offset: number): void {
    let points = this.#shards.get(shard)
    if (points === undefined) {
      points = new ShardPoints()
      this.#shards.set(shard, points)
    }
    points.add(firstSeq, lane, segment, record, offset)
  }

  /** The first known place with an entry that starts at that sequence or behind it; null when there is none. */
  atOrBehind(shard: number, seq: number): EntryPosition | null {
    const stretches = this.#stretches.get(shard)
    if (stretches !== undefined && seq <= stretches.untilSeq) return this.#inStretches(shard, seq, stretches)
    return this.#shards.get(shard)?.atOrBehind(seq) ?? null
  }

  #inStretches(shard: number, seq: number, { ranges, names }: Stretches): EntryPosition | null {
    let low = 0
    let high = ranges.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((ranges[middle] as ShardRange).lastSeq < seq) low = middle + 1
      else high = middle
    }
    const name = names[low]
    if (name === undefined) return null
    const place = this.#indexOf(name).atOrBehind(shard, seq)
    return place === null ? null : { lane: name.lane, segment: name.segment, ...place }
  }

  #indexOf(name: SegmentName): SegmentIndex {
    const key = `${name.lane}/${name.segment}`
    const index = this.#loaded.get(key) ?? this.#load(name)
    // Used last: moves behind all others.
    this.#loaded.delete(key)
    this.#loaded.set(key, index)
    if (this.#loaded.size > LOADED_SEGMENTS_MAX) {
      for (const oldest of this.#loaded.keys()) {
        this.#loaded.delete(oldest)
        break
      }
    }
    return index
  }
}

/** Of one shard, in order. */
interface Stretches {
  readonly untilSeq: number
  readonly ranges: ShardRange[]
  readonly names: SegmentName[]
}

function noSegments(name: SegmentName): never {
  throw new RangeError(`the index of lane ${name.lane}, segment ${name.segment} was not asked for`)
}

class ShardPoints {
  readonly #pages: PointPage[] = []
  #count = 0
  #entriesToNext = 0

  add(firstSeq: number, lane: number, segment: number, record: number, offset: number): void {
    if (this.#entriesToNext-- > 0) return
    this.#entriesToNext = ENTRIES_PER_POINT - 1
    const at = this.#count % POINTS_PER_PAGE
    if (at === 0) this.#pages.push(new PointPage())
    this.#pages.at(-1)?.set(at, firstSeq, lane, segment, record, offset)
    this.#count++
  }

  atOrBehind(seq: number): EntryPosition | null {
    let low = 0
    let high = this.#count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#firstSeqOf(middle) < seq) low = middle + 1
      else high = middle
    }
    return low === this.#count
      ? null
      : (this.#pages[Math.floor(low / POINTS_PER_PAGE)]?.get(low % POINTS_PER_PAGE) ?? null)
  }

  #firstSeqOf(point: number): number {
    return this.#pages[Math.floor(point / POINTS_PER_PAGE)]?.firstSeqs[point % POINTS_PER_PAGE] ?? 0
  }
}

class PointPage {
  readonly firstSeqs = new Float64Array(POINTS_PER_PAGE)
  readonly #places = new Uint32Array(POINTS_PER_PAGE * 3)
  readonly #lanes = new Uint16Array(POINTS_PER_PAGE)

  set(at: number, firstSeq: number, lane: number, segment: number, record: number, offset: number): void {
    this.firstSeqs[at] = firstSeq
    this.#lanes[at] = lane
    this.#places[at * 3] = segment
    this.#places[at * 3 + 1] = record
    this.#places[at * 3 + 2] = offset
  }

  get(at: number): EntryPosition {
    return {
      lane: this.#lanes[at] ?? 0,
      segment: this.#places[at * 3] ?? 0,
      record: this.#places[at * 3 + 1] ?? 0,
      offset: this.#places[at * 3 + 2] ?? 0,
    }
  }
}
