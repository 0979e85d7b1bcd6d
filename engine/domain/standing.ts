/**
 * How a reservation stands: from the tables while it is open, from the log afterwards.
 */
import { EVENT, type Reserved } from '../../protocol/events.ts'
import { closingOf, rowOfReservation } from './holds.ts'
import type { History, ShardState } from './state.ts'

/** How a reservation stands at `nowMs`. `head` is -1 unless it is in the tables, which an overdue one still is. */
export type Standing =
  | { readonly status: 'RESERVED'; readonly begin: Reserved; readonly head: number }
  | {
      readonly status: 'EXPIRED'
      readonly begin: Reserved
      readonly head: number
      readonly priceSeq: number
      /** When it ran out, which an extension may have put off. */
      readonly expiresAtMs: number
    }
  | {
      readonly status: 'ENDED_WITH_COUPON'
      readonly begin: Reserved
      readonly closingSeq: number
      readonly priceSeq: number
    }
  | { readonly status: 'RELEASED'; readonly begin: Reserved; readonly closingSeq: number; readonly priceSeq: number }
  | { readonly status: 'REDEEMED'; readonly begin: Reserved; readonly closingSeq: number }

/** null: there is no such reservation, or it is too long ago to be remembered. */
export function standingOf(state: ShardState, seq: number, nowMs: number, history: History): Standing | null {
  const past = seq >= 1 && seq <= state.seq ? history.at(seq) : null
  if (past === null || past.event.type !== EVENT.RESERVED) return null
  const begin = past.event
  const { holds } = state.tables
  const head = rowOfReservation(state, seq)
  if (head >= 0) {
    const expiresAtMs = holds.expiresAtMs.get(head)
    return expiresAtMs <= nowMs
      ? { status: 'EXPIRED', begin, head, priceSeq: holds.priceSeq.get(head), expiresAtMs }
      : { status: 'RESERVED', begin, head }
  }
  const closing = closingOf(state, seq)
  const end = closing === null ? null : history.at(closing.seq)
  if (closing === null || end === null) return null
  if (end.event.type === EVENT.REDEEMED) return { status: 'REDEEMED', begin, closingSeq: closing.seq }
  if (end.event.type !== EVENT.RESERVATION_RELEASED) return null
  const { seq: closingSeq, priceSeq } = closing
  switch (end.event.cause) {
    case 'EXPIRED':
      return { status: 'EXPIRED', begin, head: -1, priceSeq, expiresAtMs: end.event.expiresAtMs }
    case 'COUPON_EXPIRED':
      return { status: 'ENDED_WITH_COUPON', begin, closingSeq, priceSeq }
    case 'RELEASED':
      return { status: 'RELEASED', begin, closingSeq, priceSeq }
  }
}
