/**
 * Events of a coupon's life as JSON: the members of one entry of its history, facts by the names of the contract.
 */
import { definitionJson } from '../gateway/coupons/coupon-json.ts'
import type { HISTORY_TYPES } from '../gateway/lists/history-types.ts'
import { timeText } from '../gateway/json/json-text.ts'
import type { CouponName } from '../gateway/lists/read-model.ts'
import { type Bytes, textOf } from '../protocol/bytes.ts'
import { currencyName } from '../protocol/currency.ts'
import { EVENT, type Event, type TxnId } from '../protocol/events.ts'
import { formatId } from '../protocol/ids.ts'
import type { PriceFact } from '../protocol/price.ts'

type HistoryType = (typeof HISTORY_TYPES)[number]

/** What an event says; members that are null or undefined are left out. */
type Facts = Readonly<Record<string, unknown>> & { readonly type: HistoryType }

/** `"type":…,…`, without braces. `seq` is the event's. */
export function historyMembers(coupon: CouponName, seq: number, event: Event): string {
  const text = JSON.stringify(factsOf(coupon, seq, event), (_, value: unknown) => value ?? undefined)
  return text.slice(1, -1)
}

function factsOf(coupon: CouponName, seq: number, event: Event): Facts {
  const { shard, ordinal } = coupon
  switch (event.type) {
    case EVENT.COUPON_CREATED:
      return { type: 'COUPON_CREATED', by: event.by, coupon: definitionJson(event.definition) }
    case EVENT.COUPON_CHANGED: {
      const { by, change, reason, definition } = event
      return { type: 'COUPON_CHANGED', by, change, reason, coupon: definitionJson(definition) }
    }
    case EVENT.COUPON_SWITCHED:
      return { type: 'COUPON_SWITCHED', by: event.by, change: event.change }
    case EVENT.COUPON_WINDOW_PASSED:
      return { type: 'COUPON_WINDOW_PASSED', edge: event.edge }
    case EVENT.RESERVED: {
      const index =
        event.stack === null
          ? event.ordinals.indexOf(ordinal)
          : event.stack.coupons.findIndex((each) => each.shard === shard && each.ordinal === ordinal)
      return {
        type: 'RESERVED',
        reservationId: formatId('rsv_', shard, seq),
        ...named(event.user, event.order),
        expiresAt: timeText(event.expiresAtMs),
        ...given(event.price, index),
      }
    }
    case EVENT.RESERVATION_REPRICED: {
      // Coupons of other shards stand among them by their numbers there: the same number twice tells nothing.
      const { ordinals } = event
      const index = ordinals.indexOf(ordinal) === ordinals.lastIndexOf(ordinal) ? ordinals.indexOf(ordinal) : -1
      const reservationId = formatId('rsv_', shard, event.reservationSeq)
      return { type: 'RESERVATION_REPRICED', reservationId, ...given(event.price, index) }
    }
    case EVENT.RESERVATION_RETIMED: {
      const reservationId = formatId('rsv_', shard, event.reservationSeq)
      return { type: 'RESERVATION_RETIMED', reservationId, expiresAt: timeText(event.expiresAtMs) }
    }
    case EVENT.RESERVATION_RELEASED: {
      const reservationId = formatId('rsv_', shard, event.reservationSeq)
      return { type: 'RESERVATION_RELEASED', reservationId, cause: event.cause }
    }
    case EVENT.REDEMPTION_REVERSED: {
      const { redemptionSeq, reason, returnUse } = event
      const redemptionId = formatId('rdm_', shard, redemptionSeq)
      return { type: 'REDEMPTION_REVERSED', redemptionId, ...named(event.user, null), reason, returnUse }
    }
    case EVENT.BRANCH_PREPARED:
      return {
        type: 'BRANCH_PREPARED',
        transaction: transactionText(event.txn.seq === 0 ? { shard, seq } : event.txn),
        ...named(event.user, event.order),
      }
    case EVENT.BRANCH_ABORTED:
      return { type: 'BRANCH_ABORTED', transaction: transactionText(event.txn) }
    case EVENT.BRANCH_RESERVED: {
      const { txn, reservationSeq, expiresAtMs } = event
      return {
        type: 'BRANCH_RESERVED',
        transaction: transactionText(txn),
        reservationId: formatId('rsv_', txn.shard, reservationSeq),
        expiresAt: timeText(expiresAtMs),
      }
    }
    case EVENT.BRANCH_REDEEMED: {
      const { txn, redemptionSeq, ordinals, amounts, user, order } = event
      return {
        type: 'BRANCH_REDEEMED',
        transaction: transactionText(txn),
        redemptionId: formatId('rdm_', txn.shard, redemptionSeq),
        ...named(user, order),
        amount: amounts[ordinals.indexOf(ordinal)],
      }
    }
    case EVENT.BRANCH_RETIMED: {
      const expiresAt = timeText(event.expiresAtMs)
      return { type: 'BRANCH_RETIMED', transaction: transactionText(event.txn), expiresAt }
    }
    case EVENT.BRANCH_RELEASED:
      return { type: 'BRANCH_RELEASED', transaction: transactionText(event.txn), cause: event.cause }
    case EVENT.BRANCH_REVERSED: {
      const { redemption, reason, returnUse } = event
      const redemptionId = formatId('rdm_', redemption.shard, redemption.seq)
      return { type: 'BRANCH_REVERSED', redemptionId, ...named(event.user, null), reason, returnUse }
    }
    default:
      throw new Error(`an event of type ${event.type} stands in the history of a coupon`)
  }
}

function named(user: Bytes, order: Bytes | null): Readonly<Record<string, unknown>> {
  return { userId: textOf(user), orderId: order === null ? null : textOf(order) }
}

function given(price: PriceFact | null, index: number): Readonly<Record<string, unknown>> {
  return price === null || index < 0 ? {} : { amount: price.amounts[index], currency: currencyName(price.currency) }
}

function transactionText({ shard, seq }: TxnId): string {
  return `${shard}:${seq}`
}
