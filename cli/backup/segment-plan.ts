/**
 * Which segments of a log can be copied whole when it is cut, and which have to be written anew.
 *
 *     lane 0   1 copied   2 copied   3 rewritten: an entry of it lies behind the cut
 *     lane 1   1 copied   2 rewritten: an entry of it names one of lane 0, segment 3 as the one before it
 *
 * An entry names the place of its shard's previous entry, and writing a segment anew moves places. So whatever comes behind
 * a rewritten segment, in its lane or along a shard's chain, is rewritten, too. A cut by time rewrites no more than the last
 * segment of each lane, because the times of a lane never fall.
 */
import type { StoredEntry } from '../../persistence/record.ts'
import type { SegmentFiles } from '../../persistence/segment-files.ts'
import type { ShardPosition } from '../rebuild/positions.ts'

export interface CutPosition extends ShardPosition {
  readonly timeMs: number
}

/** `lane/segment`. */
export function segmentKey({ lane, segment }: { readonly lane: number; readonly segment: number }): string {
  return `${lane}/${segment}`
}

export class SegmentPlan {
  /** Where each shard ends within the cut. */
  readonly ends = new Map<number, CutPosition>()
  events = 0
  private readonly rewritten = new Set<string>()
  private readonly lastSegments = new Map<number, string>()
  /** Segment → segments with entries that name one of it. */
  private readonly followers = new Map<string, Set<string>>()

  /** Every entry in order, with what the cut keeps of it. */
  note(entry: StoredEntry, keptEvents: number, lastTimeMs: number): void {
    const { shard, firstSeq, eventCount, where } = entry
    const key = segmentKey(where)
    if (keptEvents < eventCount) this.rewritten.add(key)
    if (keptEvents === 0) return
    this.events += keptEvents
    this.ends.set(shard, { shard, seq: firstSeq + keptEvents - 1, timeMs: lastTimeMs })
    const previous = this.lastSegments.get(shard)
    if (previous !== undefined && previous !== key) {
      const followers = this.followers.get(previous) ?? new Set()
      this.followers.set(previous, followers.add(key))
    }
    this.lastSegments.set(shard, key)
  }

  /** Segments to copy whole. One that is not sealed is never copied: nobody has said yet where it ends. */
  copied(segments: readonly SegmentFiles[]): ReadonlySet<string> {
    for (const files of segments) if (files.seal === null) this.rewritten.add(segmentKey(files))
    let before = -1
    while (this.rewritten.size !== before) {
      before = this.rewritten.size
      // Whatever is added on the way is looked at as well.
      for (const key of this.rewritten) {
        for (const follower of this.followers.get(key) ?? []) this.rewritten.add(follower)
      }
      this.rewriteTheRestOfLanes(segments)
    }
    return new Set(segments.map(segmentKey).filter((key) => !this.rewritten.has(key)))
  }

  private rewriteTheRestOfLanes(segments: readonly SegmentFiles[]): void {
    let lane = -1
    let isBehind = false
    for (const files of segments) {
      if (files.lane !== lane) isBehind = false
      lane = files.lane
      isBehind ||= this.rewritten.has(segmentKey(files))
      if (isBehind) this.rewritten.add(segmentKey(files))
    }
  }
}
