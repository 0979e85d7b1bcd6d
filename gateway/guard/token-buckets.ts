/**
 * TokenBuckets: one token bucket a subject, for as many subjects as there may ever be, in memory of a fixed size.
 *
 * A bucket is one number, the moment when it will be full again (the generic cell rate algorithm): a token costs an interval
 * of that moment, and what lies in the past is a full bucket, which is the same as none at all.
 *
 *     set   = k0 mod sets
 *     marks │ k1 │ k1 │ k1 │ k1 │   four subjects a set, u32 each, 0: free
 *     fullAt│ ms │ ms │ ms │ ms │   f64 each
 *
 * A subject that is not found takes the place of the one whose bucket is full earliest: nearly always one that is full
 * already, and so loses nothing. Only when four subjects of one set are all short of tokens is one forgotten, in its favour.
 * Must never happen here: memory that grows with the number of subjects, or a refusal of one that was not there before.
 */
import type { Quota } from './guard-limits.ts'

const WAYS = 4

export class TokenBuckets {
  readonly quota: Quota
  /** About the bucket of the last call, after it: whole tokens left, */
  left = 0
  /** how long until the next one, 0 where there is one, */
  waitMs = 0
  /** and until the bucket is full. */
  fullMs = 0
  private readonly windowMs: number
  private readonly intervalMs: number
  private readonly setMask: number
  private readonly marks: Uint32Array
  private readonly fullAtMs: Float64Array

  /** `subjectsMax` is a power of two. */
  constructor(quota: Quota, subjectsMax: number) {
    this.quota = quota
    this.windowMs = quota.windowSeconds * 1_000
    this.intervalMs = this.windowMs / quota.tokens
    this.setMask = subjectsMax / WAYS - 1
    this.marks = new Uint32Array(subjectsMax)
    this.fullAtMs = new Float64Array(subjectsMax)
  }

  /** Takes a token; false: there is none, and nothing changed. `k0` and `k1` are a keyed hash of the subject. */
  take(k0: number, k1: number, nowMs: number): boolean {
    const slot = this.slotOf(k0, k1)
    const fullAtMs = this.fullMomentOf(slot, k1, nowMs) + this.intervalMs
    // Half an interval of grace for rounding: the sum of all intervals is not quite the window.
    if (fullAtMs - nowMs > this.windowMs + this.intervalMs / 2) {
      this.describe(fullAtMs - this.intervalMs, nowMs)
      return false
    }
    this.keep(slot, k1, fullAtMs)
    this.describe(fullAtMs, nowMs)
    return true
  }

  /** Whether there is a token; nothing changes. */
  has(k0: number, k1: number, nowMs: number): boolean {
    const slot = this.found(k0, k1)
    this.describe(slot < 0 ? nowMs : Math.max(nowMs, this.fullAtMs[slot] as number), nowMs)
    return this.left > 0
  }

  /** Takes so many tokens, or what is left: for what has happened already. */
  charge(k0: number, k1: number, nowMs: number, tokens: number): void {
    const slot = this.slotOf(k0, k1)
    const wantedMs = this.fullMomentOf(slot, k1, nowMs) + tokens * this.intervalMs
    const fullAtMs = Math.min(wantedMs, nowMs + this.windowMs)
    this.keep(slot, k1, fullAtMs)
    this.describe(fullAtMs, nowMs)
  }

  private describe(fullAtMs: number, nowMs: number): void {
    const { windowMs, intervalMs } = this
    this.fullMs = Math.max(0, fullAtMs - nowMs)
    this.left = Math.max(0, Math.floor((windowMs - this.fullMs) / intervalMs + 0.5))
    this.waitMs = this.left > 0 ? 0 : Math.max(1, this.fullMs - windowMs + intervalMs / 2)
  }

  private fullMomentOf(slot: number, k1: number, nowMs: number): number {
    if (this.marks[slot] !== markOf(k1)) return nowMs
    return Math.max(nowMs, this.fullAtMs[slot] as number)
  }

  private keep(slot: number, k1: number, fullAtMs: number): void {
    this.marks[slot] = markOf(k1)
    this.fullAtMs[slot] = fullAtMs
  }

  /** The subject's own place, or the one it would take. */
  private slotOf(k0: number, k1: number): number {
    const found = this.found(k0, k1)
    if (found >= 0) return found
    const { fullAtMs } = this
    const first = (k0 & this.setMask) * WAYS
    let place = first
    for (let slot = first + 1; slot < first + WAYS; slot++) {
      if ((fullAtMs[slot] as number) < (fullAtMs[place] as number)) place = slot
    }
    return place
  }

  /** -1: it has no place. Looks at the marks only, which lie together. */
  private found(k0: number, k1: number): number {
    const { marks } = this
    const mark = markOf(k1)
    const first = (k0 & this.setMask) * WAYS
    for (let slot = first; slot < first + WAYS; slot++) if (marks[slot] === mark) return slot
    return -1
  }
}

/** Never 0, which marks a free place. */
function markOf(k1: number): number {
  return k1 >>> 0 || 1
}
