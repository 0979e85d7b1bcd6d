/**
 * Deliveries: telling other shards what events of this one mean for them, until each has said that it is logged there.
 *
 * What is still to be told is state (`outbox`), so that a restart goes on with it; when it was told last, and what was
 * confirmed and is not logged yet, is known here alone. Confirmations are logged in bulk.
 */
import { assert } from '../../protocol/assert.ts'
import { EVENT, type Event } from '../../protocol/events.ts'
import { type Delivered, type Message, MESSAGE } from '../../protocol/messages.ts'
import { rowOfReservation } from '../domain/holds.ts'
import { settlementOf } from '../domain/settlement.ts'
import type { History, ShardState } from '../domain/state.ts'
import { failPoint } from './fail-points.ts'
import { DELIVERY_WAIT_MS, TELL_AGAIN_MS } from './limits.ts'

/** An answer that waits for deliveries. */
class HeldAnswer {
  /** Events that are not confirmed yet. */
  left: number
  readonly untilMs: number
  readonly send: () => void

  constructor(left: number, untilMs: number, send: () => void) {
    this.left = left
    this.untilMs = untilMs
    this.send = send
  }
}

/** What is under way about one event. */
class Delivery {
  toldAtMs: number
  /** Shards that have not confirmed. */
  open: readonly number[]
  answer: HeldAnswer | null = null

  constructor(open: readonly number[], nowMs: number) {
    this.open = open
    this.toldAtMs = nowMs
  }
}

export class Deliveries {
  private readonly state: ShardState
  private readonly history: History
  private readonly post: (message: Message) => void
  private readonly underWay = new Map<number, Delivery>()
  /** Confirmed and not logged as that yet: pairs of equal index. */
  private confirmedSeqs: number[] = []
  private confirmedShards: number[] = []
  private heldCount = 0
  private nextLookMs = 0

  constructor(state: ShardState, history: History, post: (message: Message) => void) {
    this.state = state
    this.history = history
    this.post = post
  }

  /** For an event of this shard that others have to act on. */
  tell(event: Event, seq: number, nowMs: number): void {
    const shards = this.state.outbox.get(seq)
    assert(shards !== undefined, `nobody waits for event ${seq}`)
    let delivery = this.underWay.get(seq)
    if (delivery === undefined) {
      delivery = new Delivery(shards, nowMs)
      this.underWay.set(seq, delivery)
    }
    delivery.toldAtMs = nowMs
    for (const to of delivery.open) {
      this.post(settlementOf(this.state.shard, to, nowMs, this.presentOf(event), seq, this.history))
    }
  }

  /** What is told late of the end of a reservation is its present end: an older one must not follow a newer one. */
  private presentOf(event: Event): Event {
    if (event.type !== EVENT.RESERVATION_RETIMED) return event
    const head = rowOfReservation(this.state, event.reservationSeq)
    return head < 0 ? event : { ...event, expiresAtMs: this.state.tables.holds.untilMs.get(head) }
  }

  /** Sends an answer when the events are confirmed, or when it has waited long enough: what they say is decided. */
  hold(seqs: readonly number[], nowMs: number, send: () => void): void {
    const answer = new HeldAnswer(0, nowMs + DELIVERY_WAIT_MS, send)
    for (const seq of seqs) {
      const delivery = this.underWay.get(seq)
      if (delivery === undefined || delivery.open.length === 0) continue
      delivery.answer = answer
      answer.left++
    }
    if (answer.left === 0) send()
    else this.heldCount++
  }

  delivered({ eventSeq, from }: Delivered): void {
    const delivery = this.underWay.get(eventSeq)
    if (delivery === undefined || !delivery.open.includes(from)) return
    delivery.open = delivery.open.filter((shard) => shard !== from)
    this.confirmedSeqs.push(eventSeq)
    this.confirmedShards.push(from)
    const { answer } = delivery
    if (delivery.open.length > 0 || answer === null) return
    answer.left--
    if (answer.left === 0) this.letGo(answer)
  }

  /** Tells again what is overdue, and lets go of answers that have waited long enough. */
  tick(nowMs: number): void {
    if (this.heldCount > 0) {
      for (const { answer } of this.underWay.values()) {
        if (answer === null || answer.left <= 0 || answer.untilMs > nowMs) continue
        answer.left = 0
        this.letGo(answer)
      }
    }
    if (this.state.outbox.size === 0 || nowMs < this.nextLookMs) return
    this.nextLookMs = nowMs + TELL_AGAIN_MS / 2
    for (const seq of this.state.outbox.keys()) {
      const delivery = this.underWay.get(seq)
      if (delivery !== undefined && (delivery.open.length === 0 || delivery.toldAtMs + TELL_AGAIN_MS > nowMs)) continue
      const past = this.history.at(seq)
      assert(past !== null, `the log has no event at ${seq}`)
      this.tell(past.event, seq, nowMs)
    }
  }

  /** The event that logs what was confirmed since; null: nothing. */
  confirmation(): Event | null {
    const { confirmedSeqs: seqs, confirmedShards: shards } = this
    if (seqs.length === 0) return null
    this.confirmedSeqs = []
    this.confirmedShards = []
    for (const seq of seqs) if (this.underWay.get(seq)?.open.length === 0) this.underWay.delete(seq)
    failPoint('stack.delivered')
    return { type: EVENT.MESSAGES_DELIVERED, seqs, shards }
  }

  /** A participant does not know how a transaction ended: it is told, or told that this shard does not know it either. */
  answerDoubt(txnSeq: number, to: number, nowMs: number): void {
    const { shard } = this.state
    for (const [seq, shards] of this.state.outbox) {
      if (!shards.includes(to)) continue
      const event = this.history.at(seq)?.event
      assert(event !== undefined, `the log has no event at ${seq}`)
      const settlement = settlementOf(shard, to, nowMs, event, seq, this.history)
      if (settlement.txnSeq !== txnSeq) continue
      this.post(settlement)
      return
    }
    this.post({ type: MESSAGE.ABORT, from: shard, to, atMs: nowMs, eventSeq: 0, txnSeq })
  }

  private letGo(answer: HeldAnswer): void {
    this.heldCount--
    answer.send()
  }
}
