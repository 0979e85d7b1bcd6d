/**
 * Late copies: what a participant must not act on a second time, whatever a transport between machines does with messages.
 *
 *     QUOTED seq 40 ──▶ PREPARE quoted 40 ──▶ prepared at 41 ──▶ settled at 45      a copy of that PREPARE says "quoted 40"
 *
 * A PREPARE names the sequence of this shard at which it was quoted, and whatever it led to was settled behind that. So it is
 * enough to remember what was settled since some sequence, and to take older quotes for stale: the call is quoted again. A
 * new life of the shard remembers nothing, and takes every quote of an earlier one for stale. No clock is asked.
 *
 * What is told of the end of a reservation is its end at the time of telling, and an older one never follows a newer one. What
 * is passed over here is not confirmed; the coordinator tells again whatever nobody has confirmed.
 */
import type { Prepare, Settlement } from '../../protocol/messages.ts'
import { type ShardState, txnKey } from '../domain/state.ts'
import { SETTLED_KEPT_MAX } from './limits.ts'

interface Told {
  readonly atMs: number
  readonly eventSeq: number
}

export class LateCopies {
  private readonly state: ShardState
  /** By `txnKey`: this shard's sequence when it was settled; in that order. */
  private readonly settled = new Map<number, number>()
  /** By `txnKey` of the reservation: when its end was told that holds now, and by which event. */
  private readonly retimed = new Map<number, Told>()
  /** What was settled up to here is not remembered. */
  private knownFromSeq: number
  /** Of reservations that are not remembered, only what was told since then is taken. */
  private retimesFromMs: number

  constructor(state: ShardState) {
    this.state = state
    this.knownFromSeq = state.seq
    this.retimesFromMs = state.timeMs
  }

  /** Its transaction was settled before: it is a copy, and nobody waits for an answer. */
  isCopy({ from, txnSeq }: Prepare): boolean {
    return this.settled.has(txnKey({ shard: from, seq: txnSeq }))
  }

  /** Nobody knows any more whether it is a copy. */
  isTooOld({ quotedSeq }: Prepare): boolean {
    return quotedSeq < this.knownFromSeq
  }

  /** A newer end of the same reservation was told before, or nobody knows whether it was. */
  isOvertaken({ from, txnSeq, eventSeq, atMs }: Settlement): boolean {
    const last = this.retimed.get(txnKey({ shard: from, seq: txnSeq }))
    if (last === undefined) return atMs < this.retimesFromMs
    return atMs < last.atMs || (atMs === last.atMs && eventSeq < last.eventSeq)
  }

  noteRetimed({ from, txnSeq, eventSeq, atMs }: Settlement): void {
    const { retimed } = this
    const key = txnKey({ shard: from, seq: txnSeq })
    retimed.delete(key)
    retimed.set(key, { atMs, eventSeq })
    if (retimed.size <= SETTLED_KEPT_MAX) return
    const [oldest, told] = retimed.entries().next().value as [number, Told]
    retimed.delete(oldest)
    this.retimesFromMs = Math.max(this.retimesFromMs, told.atMs)
  }

  /** The coordinator's word on a transaction has come, whether it was prepared here or is still to be. */
  noteSettled({ from, txnSeq }: Settlement): void {
    const { settled } = this
    const key = txnKey({ shard: from, seq: txnSeq })
    if (settled.has(key)) return
    settled.set(key, this.state.seq)
    if (settled.size <= SETTLED_KEPT_MAX) return
    const [oldest, seq] = settled.entries().next().value as [number, number]
    settled.delete(oldest)
    this.knownFromSeq = Math.max(this.knownFromSeq, seq)
  }
}
