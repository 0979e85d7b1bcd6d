/**
 * Calls that wait for transactions over several shards to be decided, because what they were about to be refused for hangs on
 * these. Bounded in number and time; whoever has waited long enough takes the refusal.
 */
import { PATIENCE_MS, WAITING_CALLS_MAX } from './limits.ts'

interface Waiting {
  readonly untilMs: number
  /** Tries again, at the shard's time. */
  readonly again: (sinceMs: number, nowMs: number) => void
  readonly sinceMs: number
}

export class WaitingRoom {
  private waiting: Waiting[] = []

  /** False: there is no room, or the call has waited long enough. `sinceMs`: when it first came. */
  enter(sinceMs: number, nowMs: number, again: Waiting['again']): boolean {
    if (this.waiting.length >= WAITING_CALLS_MAX || nowMs >= sinceMs + PATIENCE_MS) return false
    this.waiting.push({ untilMs: sinceMs + PATIENCE_MS, again, sinceMs })
    return true
  }

  /** Something was decided: everybody looks again, in the order of their coming. */
  wakeAll(nowMs: number): void {
    if (this.waiting.length === 0) return
    for (const { again, sinceMs } of this.waiting.splice(0)) again(sinceMs, nowMs)
  }

  tick(nowMs: number): void {
    if (this.waiting.length === 0) return
    const due = this.waiting.filter(({ untilMs }) => untilMs <= nowMs)
    if (due.length === 0) return
    this.waiting = this.waiting.filter(({ untilMs }) => untilMs > nowMs)
    for (const { again, sinceMs } of due) again(sinceMs, nowMs)
  }
}
