/**
 * Claims of idempotency keys that somebody works on right now: what tells "under way, ask again" from "left behind by a
 * process that died". It is not part of a shard's state and empty after a start, so a claim without an answer is taken over
 * at once then.
 *
 * Each ends by its answer or by being let go. One whose gateway lost both messages ends by its lease, so that its key is
 * not busy for ever; should that call be alive after all, two work on one operation, which is still done once.
 */
import { CLAIM_LEASE_MS } from './limits.ts'

export class ClaimsInHand {
  /** By sequence of the claim, oldest lease first. As many as there are keyed calls in flight, and what leases left over. */
  private readonly endMsOf = new Map<number, number>()

  /** False: somebody has it. */
  take(claimSeq: number, nowMs: number): boolean {
    this.dropOverdue(nowMs)
    if (this.endMsOf.has(claimSeq)) return false
    this.endMsOf.set(claimSeq, nowMs + CLAIM_LEASE_MS)
    return true
  }

  letGo(claimSeq: number): void {
    this.endMsOf.delete(claimSeq)
  }

  private dropOverdue(nowMs: number): void {
    for (const [claimSeq, endMs] of this.endMsOf) {
      if (endMs > nowMs) return
      this.endMsOf.delete(claimSeq)
    }
  }
}
