/**
 * Where entries lie, sparsely: for each shard the place of every 64th entry. From the next known place on, the entries
 * are found backwards by the links they carry, so a look-up takes at most 64 steps and the index about 22 bytes for 64
 * entries. Points are kept in pages of typed arrays that are never moved when the log grows.
 */

import type { EntryPosition } from './record.ts'

export const ENTRIES_PER_POINT = 64
const POINTS_PER_PAGE = 512

export class EntryIndex {
  readonly #shards = new Map<number, ShardPoints>()

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
    return this.#shards.get(shard)?.atOrBehind(seq) ?? null
  }
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
