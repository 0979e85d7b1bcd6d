/**
 * The shards' clock: the wall clock at start, advanced by the monotonic clock, led towards the wall clock by at most 1 %
 * of the time that passes. So it never goes backwards and never jumps, whatever is done to the wall clock; only a message
 * from a shard whose clock is ahead takes it along, since what follows from a message never lies before it.
 */

export interface TimeSource {
  /** Milliseconds since 1970; may jump. */
  wallMs(): number
  /** Milliseconds since some beginning; never goes backwards. */
  monotonicMs(): number
}

const SLEW_MAX = 0.01

export class SteadyClock {
  private readonly source: TimeSource
  private atMs: number
  private monotonicMs: number
  /** How far the wall clock is ahead of this one. */
  gapMs = 0

  /** Begins at the wall clock, or at `notBeforeMs` if that is later. */
  constructor(source: TimeSource, notBeforeMs = 0) {
    this.source = source
    this.monotonicMs = source.monotonicMs()
    this.atMs = Math.max(source.wallMs(), notBeforeMs)
  }

  /** Somebody's clock says `atMs`, ms since 1970. Where that is later, this one goes on from there. */
  hear(atMs: number): void {
    if (atMs > this.atMs) this.atMs = atMs
  }

  /** Whole milliseconds since 1970. */
  nowMs(): number {
    const monotonicMs = this.source.monotonicMs()
    const elapsedMs = monotonicMs - this.monotonicMs
    this.monotonicMs = monotonicMs
    const freeMs = this.atMs + elapsedMs
    this.gapMs = this.source.wallMs() - freeMs
    const slewMs = elapsedMs * SLEW_MAX
    this.atMs = freeMs + Math.max(-slewMs, Math.min(slewMs, this.gapMs))
    return Math.floor(this.atMs)
  }
}
