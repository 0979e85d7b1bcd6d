/**
 * What another shard has to be told of an event of this one: made of the event, so it can be told again at any time.
 */
import { assert } from '../../protocol/assert.ts'
import { EVENT, type Event, type Redeemed, type Reserved, type Stack } from '../../protocol/events.ts'
import { MESSAGE, type Settlement } from '../../protocol/messages.ts'
import { type PartOfShard, partOfShard } from './price-fact.ts'
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
      const { user, order, stack } = event
      const txnSeq = txnOf(event)
      // A shard that only counted the user's day has no part in what is redeemed.
      const { ordinals, amounts } = stack === null ? NO_PART : partOfShard(to, event)
      return { type: MESSAGE.COMMIT_REDEEMED, from, to, atMs, eventSeq, txnSeq, ordinals, user, order, amounts }
    }
    case EVENT.RESERVED: {
      const txnSeq = txnOf(event)
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
      const redemption = redemptionAt(history, redemptionSeq)
      const { txnSeq, coupons, campaigns = [] } = stackOf(redemption.stack)
      const isThere = ({ shard }: { readonly shard: number }) => shard === to
      const first = coupons.find(isThere) ?? campaigns.find(isThere)
      assert(first !== undefined, 'a shard is told of a redemption that it has no part in')
      const { heldSeq } = first
      const { ordinals, amounts } = partOfShard(to, redemption)
      const facts = { redemptionSeq, heldSeq, ordinals, user, reason, returnUse, amounts }
      return { type: MESSAGE.REVERSE, from, to, atMs, eventSeq, txnSeq, ...facts }
    }
    default:
      assert(false, `an event of type ${event.type} concerns no other shard`)
  }
}

const NO_PART: PartOfShard = { ordinals: [], amounts: [] }

/** The transaction that an event decides. */
function txnOf({ stack, dayTxnSeq }: Reserved | Redeemed): number {
  const txnSeq = stack?.txnSeq ?? dayTxnSeq
  assert(txnSeq !== undefined, 'an event of one shard is told to another')
  return txnSeq
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
