/**
 * Which job made a code: codes made in bulk have ordinals in the order in which they were made, so a stretch of them has one
 * answer. One range an event, looked up by halves; the last one found is tried first, because neighbours are asked for together.
 */
import { assert } from '../../protocol/assert.ts'

export interface CodeRange {
  readonly firstOrdinal: number
  readonly jobSeq: number
  /** Of the event that made them. */
  readonly seq: number
  readonly atMs: number
}

export class CodeRanges {
  private readonly ranges: CodeRange[] = []
  private last = 0

  get all(): readonly CodeRange[] {
    return this.ranges
  }

  add(range: CodeRange): void {
    this.ranges.push(range)
  }

  /** The range that an ordinal lies in. */
  of(ordinal: number): CodeRange {
    const { ranges } = this
    if (!this.holds(this.last, ordinal)) {
      this.last = this.holds(this.last + 1, ordinal) ? this.last + 1 : this.find(ordinal)
    }
    const range = ranges[this.last]
    assert(range !== undefined && range.firstOrdinal <= ordinal, 'a code that was never made')
    return range
  }

  /** The first ordinal behind the range that an ordinal lies in; of the last range, beyond all that were made. */
  endOf(ordinal: number): number {
    this.of(ordinal)
    return this.ranges[this.last + 1]?.firstOrdinal ?? Number.POSITIVE_INFINITY
  }

  private holds(index: number, ordinal: number): boolean {
    const range = this.ranges[index]
    const next = this.ranges[index + 1]
    return range !== undefined && range.firstOrdinal <= ordinal && (next === undefined || ordinal < next.firstOrdinal)
  }

  private find(ordinal: number): number {
    let low = 0
    let high = this.ranges.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.ranges[middle] as CodeRange).firstOrdinal <= ordinal) low = middle + 1
      else high = middle
    }
    return low - 1
  }
}
