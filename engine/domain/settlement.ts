/**
 * What another shard has to be told of an event of this one: made of the event, so it can be told again at any time.
 */
import { assert } from '../../protocol/assert.ts'
import { EVENT, type Event, type Stack, type StackedCoupon } from '../../protocol/events.ts'
import { MESSAGE, type Settlement } from '../../protocol/messages.ts'
import { redemptionAt } from './retry.ts'
import type { History } from './state.ts'

/** `event` is the one at `eventSeq` of the shard `from`, and `to` is in its outbox. */
export function settlementOf(
  from: number,
  to: number,
  atMs: number,
  event: Event,
  eventSeq: number,
  history: History,
): Settlement {
  switch (event.type) {
    case EVENT.REDEEMED: {
      const { txnSeq, coupons } = stackOf(event.stack)
      const ordinals: number[] = []
      const amounts: number[] = []
      for (let i = 0; i < coupons.length; i++) {
        const { shard, ordinal } = coupons[i] as StackedCoupon
        if (shard !== to) continue
        ordinals.push(ordinal)
        amounts.push(event.price.amounts[i] as number)
      }
      const { user, order } = event
      return { type: MESSAGE.COMMIT_REDEEMED, from, to, atMs, eventSeq, txnSeq, ordinals, user, order, amounts }
    }
    case EVENT.RESERVED: {
      const { txnSeq } = stackOf(event.stack)
      return { type: MESSAGE.COMMIT_RESERVED, from, to, atMs, eventSeq, txnSeq, expiresAtMs: event.expiresAtMs }
    }
    case EVENT.BRANCH_ABORTED:
      return { type: MESSAGE.ABORT, from, to, atMs, eventSeq, txnSeq: event.txn.seq }
    case EVENT.RESERVATION_RETIMED: {
      const txnSeq = txnOfReservation(history, event.reservationSeq)
      return { type: MESSAGE.RETIME, from, to, atMs, eventSeq, txnSeq, expiresAtMs: event.expiresAtMs }
    }
    case EVENT.RESERVATION_RELEASED: {
      const txnSeq = txnOfReservation(history, event.reservationSeq)
      return { type: MESSAGE.RELEASE, from, to, atMs, eventSeq, txnSeq, cause: event.cause }
    }
    case EVENT.REDEMPTION_REVERSED: {
      const { redemptionSeq, user, reason, returnUse } = event
      const { txnSeq, coupons } = stackOf(redemptionAt(history, redemptionSeq).stack)
      const there = coupons.filter(({ shard }) => shard === to)
      const [first] = there
      assert(first !== undefined, 'a shard is told of a redemption that it has no part in')
      const ordinals = there.map(({ ordinal }) => ordinal)
      const { heldSeq } = first
      const facts = { redemptionSeq, heldSeq, ordinals, user, reason, returnUse }
      return { type: MESSAGE.REVERSE, from, to, atMs, eventSeq, txnSeq, ...facts }
    }
    default:
      assert(false, `an event of type ${event.type} concerns no other shard`)
  }
}

function txnOfReservation(history: History, reservationSeq: number): number {
  const event = history.at(reservationSeq)?.event
  assert(event?.type === EVENT.RESERVED, `the log has no reservation at ${reservationSeq}`)
  return stackOf(event.stack).txnSeq
}

function stackOf(stack: Stack | null): Stack {
  assert(stack !== null, 'an event of one shard is told to another')
  return stack
}
