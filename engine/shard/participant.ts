/**
 * The participant: this shard's part in calls that another one coordinates. It quotes, prepares, logs what was decided, and
 * asks when it hears nothing.
 */
import { EVENT, type Event, type TxnId } from '../../protocol/events.ts'
import { campaignOrdinal } from '../../protocol/ordinals.ts'
import {
  type AskQuotes,
  type Message,
  MESSAGE,
  type Prepare,
  type PrepareResult,
  type Settlement,
} from '../../protocol/messages.ts'
import { rowOfBranch } from '../domain/branches.ts'
import { decidePrepare, decideQuotes, decideSettlement } from '../domain/decide-branch.ts'
import { type History, type ShardState, txnKey } from '../domain/state.ts'
import { failPoint } from './fail-points.ts'
import { LateCopies } from './late-copies.ts'
import { ASK_AFTER_MS } from './limits.ts'
import type { WaitingRoom } from './waiting-room.ts'

/** What a participant needs of the actor around it. */
export interface ParticipantPorts {
  readonly state: ShardState
  readonly history: History
  readonly waitingRoom: WaitingRoom
  readonly append: (event: Event, nowMs: number) => void
  readonly post: (message: Message) => void
}

export class Participant {
  private readonly ports: ParticipantPorts
  private readonly lateCopies: LateCopies
  /** When an undecided transaction of another shard was seen first, or asked after last. */
  private readonly quietSinceMs = new Map<number, number>()
  /** Transactions that made reservations which last longer than one of their coupons does now, by `txnKey`. */
  private readonly ending = new Map<number, TxnId>()
  private isLookedThrough = false
  private nextLookMs = 0

  constructor(ports: ParticipantPorts) {
    this.ports = ports
    this.lateCopies = new LateCopies(ports.state)
  }

  askQuotes(ask: AskQuotes, sinceMs: number, nowMs: number): void {
    const { state, history, waitingRoom, post } = this.ports
    const { quotes, hangs, isOrderInDoubt } = decideQuotes(state, ask, nowMs, history)
    const again = (since: number, later: number): void => this.askQuotes(ask, since, later)
    if (hangs && ask.waits && waitingRoom.enter(sinceMs, nowMs, again)) return
    if (isOrderInDoubt && ask.waits) {
      // No quote may say what is not known yet. Where that takes too long, the coordinator gives the call up as not done.
      waitingRoom.enter(nowMs, nowMs, again)
      return
    }
    const type = MESSAGE.QUOTED
    post({ type, from: state.shard, to: ask.from, atMs: nowMs, call: ask.call, seq: state.seq, quotes })
  }

  /** A PREPARE has arrived. */
  prepare(ask: Prepare, nowMs: number): void {
    if (this.lateCopies.isCopy(ask)) return
    if (this.lateCopies.isTooOld(ask)) this.postPrepared(ask, 'STALE', 0, nowMs)
    else this.takePart(ask, nowMs, nowMs)
  }

  private takePart(ask: Prepare, sinceMs: number, nowMs: number): void {
    const { state, waitingRoom } = this.ports
    const { events, result, heldSeq, hangs } = decidePrepare(state, ask, nowMs)
    const again = (since: number, later: number): void => {
      // Settled while it waited: the coordinator has given it up.
      if (!this.lateCopies.isCopy(ask)) this.takePart(ask, since, later)
    }
    if (hangs && waitingRoom.enter(sinceMs, nowMs, again)) return
    for (const event of events) this.ports.append(event, nowMs)
    if (events.length > 0) failPoint('stack.branch-prepared')
    this.postPrepared(ask, result, events.length > 0 ? state.seq : heldSeq, nowMs)
  }

  private postPrepared(
    { call, txnSeq, from: to }: Prepare,
    result: PrepareResult,
    heldSeq: number,
    atMs: number,
  ): void {
    const { state, post } = this.ports
    post({ type: MESSAGE.PREPARED, from: state.shard, to, atMs, call, txnSeq, result, heldSeq })
  }

  settle(told: Settlement, nowMs: number): void {
    if (told.type === MESSAGE.RETIME && this.lateCopies.isOvertaken(told)) return
    const events = decideSettlement(this.ports.state, told)
    // An earlier word of the coordinator has to come first; it tells both again.
    if (events === null) return
    for (const event of events) this.ports.append(event, nowMs)
    if (events.length > 0) failPoint('stack.branch-settled')
    this.note(told)
    const { eventSeq } = told
    if (eventSeq === 0) return
    const { state, post } = this.ports
    post({ type: MESSAGE.DELIVERED, from: state.shard, to: told.from, atMs: nowMs, eventSeq })
  }

  private note(told: Settlement): void {
    switch (told.type) {
      case MESSAGE.RETIME:
        this.lateCopies.noteRetimed(told)
        return
      case MESSAGE.RELEASE:
      case MESSAGE.REVERSE:
        return
      default:
        this.lateCopies.noteSettled(told)
    }
  }

  /** The end of a coupon or a campaign has moved: reservations whose end somebody else has to move are looked at. */
  limitChanged(ordinal: number, nowMs: number): void {
    const { state } = this.ports
    const { holds, coupons } = state.tables
    const { validUntilMs } = state.limits(ordinal)
    if (validUntilMs === null) return
    let row = holds.byCoupon.firstUpTo(coupons.holds.get(ordinal), Number.POSITIVE_INFINITY)
    for (; row >= 0; row = holds.byCoupon.nextUpTo(row, Number.POSITIVE_INFINITY)) {
      const head = holds.head.get(row)
      const txn = { shard: holds.txnShard.get(head), seq: holds.txnSeq.get(head) }
      if (txn.shard >= 0) this.ending.set(txnKey(txn), txn)
    }
    if (this.ending.size > 0) this.endReservations(nowMs)
  }

  tick(nowMs: number): void {
    if (!this.isLookedThrough) this.lookThrough(nowMs)
    if (nowMs < this.nextLookMs) return
    this.nextLookMs = nowMs + ASK_AFTER_MS / 10
    if (this.ports.state.undecided.size > 0 || this.quietSinceMs.size > 0) this.askAfterTransactions(nowMs)
    if (this.ending.size > 0) this.endReservations(nowMs)
  }

  /** After a start: what a crash left is not known from messages. */
  private lookThrough(nowMs: number): void {
    this.isLookedThrough = true
    const { state } = this.ports
    for (let ordinal = 0; ordinal < state.couponCount; ordinal++) {
      if (state.tables.coupons.holds.get(ordinal) >= 0) this.limitChanged(ordinal, nowMs)
    }
    for (const index of state.campaigns.keys()) {
      const ordinal = campaignOrdinal(index)
      if (state.tables.coupons.holds.get(ordinal) >= 0) this.limitChanged(ordinal, nowMs)
    }
  }

  private askAfterTransactions(nowMs: number): void {
    const { state, post } = this.ports
    for (const key of this.quietSinceMs.keys()) if (!state.undecided.has(key)) this.quietSinceMs.delete(key)
    for (const [key, { txn }] of state.undecided) {
      if (txn.shard === state.shard) continue
      const sinceMs = this.quietSinceMs.get(key)
      if (sinceMs !== undefined && sinceMs + ASK_AFTER_MS > nowMs) continue
      this.quietSinceMs.set(key, nowMs)
      if (sinceMs === undefined) continue
      post({ type: MESSAGE.IN_DOUBT, from: state.shard, to: txn.shard, atMs: nowMs, txnSeq: txn.seq })
    }
  }

  /** A reservation never lasts longer than its coupons; its coordinator is asked to see to it, again until it has. */
  private endReservations(nowMs: number): void {
    const { state, post } = this.ports
    const { holds } = state.tables
    for (const [name, txn] of this.ending) {
      const head = rowOfBranch(state, txn)
      const endsAtMs = head < 0 ? null : this.endOf(head)
      if (endsAtMs === null) {
        this.ending.delete(name)
        continue
      }
      if (holds.claimSeq.get(head) !== 0) continue
      post({ type: MESSAGE.ENDING, from: state.shard, to: txn.shard, atMs: nowMs, txnSeq: txn.seq, endsAtMs })
    }
  }

  /** The earliest end of its coupons here; null: it does not last longer than that. */
  private endOf(head: number): number | null {
    const { state } = this.ports
    const { holds } = state.tables
    let endsAtMs = Number.POSITIVE_INFINITY
    for (let row = head; row >= 0; row = holds.nextHold.get(row)) {
      endsAtMs = Math.min(endsAtMs, state.limits(holds.ordinal.get(row)).validUntilMs ?? endsAtMs)
    }
    const untilMs = holds.untilMs.get(head)
    return untilMs === 0 || untilMs > endsAtMs ? endsAtMs : null
  }
}

/** What the coordinator logs when a coupon of one of its reservations ends before that does; null: nothing to do. */
export function endingOf(state: ShardState, txnHead: number, endsAtMs: number, nowMs: number): Event | null {
  const { holds } = state.tables
  if (txnHead < 0 || holds.claimSeq.get(txnHead) !== 0) return null
  const reservationSeq = holds.seq.get(txnHead)
  const untilMs = holds.untilMs.get(txnHead)
  if (endsAtMs <= nowMs) {
    const cause = untilMs <= nowMs ? 'EXPIRED' : 'COUPON_EXPIRED'
    return { type: EVENT.RESERVATION_RELEASED, reservationSeq, cause, expiresAtMs: untilMs }
  }
  return endsAtMs < untilMs ? { type: EVENT.RESERVATION_RETIMED, reservationSeq, expiresAtMs: endsAtMs } : null
}
