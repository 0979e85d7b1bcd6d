/**
 * decide, for a shard that takes part in a transaction which another one coordinates: quote, prepare, and log what the
 * coordinator has decided.
 *
 * Everything here may be told twice. What is known already changes nothing and is said again.
 */
import type { CouponRef } from '../../protocol/commands.ts'
import { EVENT, type Event } from '../../protocol/events.ts'
import { type AskQuotes, MESSAGE, type Prepare, type PrepareResult, type Settlement } from '../../protocol/messages.ts'
import type { Quote } from '../../protocol/outcomes.ts'
import { rowOfBranch } from './branches.ts'
import { isOrderClaimed, orderAlreadyRedeemed } from './decide-checkout.ts'
import { resolve } from './decision.ts'
import { type Asker, hangsOnOthers, refusalBefore, refusalOfLimits } from './judge.ts'
import { UNDECIDED_MAX } from './limits.ts'
import { releasesInTheWay } from './overdue.ts'
import { NO_SUCH_COUPON, quoteFor, quoteOf } from './quote.ts'
import { isBranchReversed, isReversed, redemptionOfOrder } from './retry.ts'
import { type History, type ShardState, txnKey } from './state.ts'

export interface BranchQuotes {
  readonly quotes: readonly Quote[]
  /** One of them hangs on a transaction that is undecided here. */
  readonly hangs: boolean
  /** The order is claimed by one, so that nothing can be said about it. */
  readonly isOrderInDoubt: boolean
}

export function decideQuotes(state: ShardState, ask: AskQuotes, nowMs: number, history: History): BranchQuotes {
  if (ask.user !== null) state.hashUser(ask.user, state.userKey)
  if (ask.order !== null) state.hashOrder(ask.order, state.orderKey)
  const ordinals = ask.coupons.map((ref: CouponRef) => resolve(state, ref))
  const asker: Asker = { user: ask.user, cart: ask.cart, nowMs }
  const quotes = ordinals.map((ordinal): Quote => {
    if (ordinal < 0) return NO_SUCH_COUPON
    const ofOrder = ask.order === null ? null : quoteOfOrder(state, ordinal, asker, history)
    if (ofOrder !== null) return ofOrder
    if (ask.checks === 'ALL') return quoteOf(state, ordinal, asker)
    return quoteFor(state, ordinal, asker, ask.checks === 'NONE' ? null : refusalOfLimits(state, ordinal, asker))
  })
  const known = ordinals.filter((ordinal) => ordinal >= 0)
  const isOrderInDoubt = ask.order !== null && isOrderClaimed(state, known) && orderAlreadyRedeemed(state, known) === 0
  const hangs =
    isOrderInDoubt ||
    quotes.some(
      ({ ordinal, refusal }) => refusal !== null && ordinal >= 0 && hangsOnOthers(state, ordinal, refusal, nowMs),
    )
  return { quotes, hangs, isOrderInDoubt }
}

/** Of an order that is new to the coordinator: what it redeemed here can only have been another set of codes. */
export const WITH_OTHER_CODES = 'this order already redeemed the coupon with another set of codes'

/** A coupon that the order in hand redeemed here before, or redeems at this moment; null: neither. */
function quoteOfOrder(state: ShardState, ordinal: number, asker: Asker, history: History): Quote | null {
  const seq = redemptionOfOrder(state, ordinal)
  if (seq === 0 && !isOrderClaimed(state, [ordinal])) return null
  const plain = quoteFor(state, ordinal, asker, null)
  return seq !== 0 && isReversed(state, history, seq)
    ? { ...plain, refusal: 'REDEMPTION_REVERSED', detail: 'the redemption of this order was reversed' }
    : {
        ...plain,
        refusal: 'ORDER_CONFLICT',
        detail: WITH_OTHER_CODES,
      }
}

export interface PrepareDecision {
  readonly events: readonly Event[]
  readonly result: PrepareResult
  /** 0: the last of the events is meant. */
  readonly heldSeq: number
  /** A refusal that hangs on another transaction, undecided here. */
  readonly hangs: boolean
}

const STALE: PrepareDecision = { events: [], result: 'STALE', heldSeq: 0, hangs: false }
const REFUSED: PrepareDecision = { events: [], result: 'REFUSED', heldSeq: 0, hangs: false }
const WAITING: PrepareDecision = { events: [], result: 'REFUSED', heldSeq: 0, hangs: true }

export function decidePrepare(state: ShardState, ask: Prepare, nowMs: number): PrepareDecision {
  const txn = { shard: ask.from, seq: ask.txnSeq }
  const before = state.undecided.get(txnKey(txn))
  if (before !== undefined) {
    return { events: [], result: 'PREPARED', heldSeq: state.tables.holds.seq.get(before.head), hangs: false }
  }
  const reserved = rowOfBranch(state, txn)
  if (reserved >= 0)
    return { events: [], result: 'PREPARED', heldSeq: state.tables.holds.seq.get(reserved), hangs: false }
  if (state.undecided.size >= UNDECIDED_MAX) return REFUSED
  state.hashUser(ask.user, state.userKey)
  if (ask.order !== null) {
    state.hashOrder(ask.order, state.orderKey)
    if (isOrderClaimed(state, ask.ordinals)) return WAITING
    if (orderAlreadyRedeemed(state, ask.ordinals) !== 0) return REFUSED
  }
  const fault = ask.reservationTxnSeq === 0 ? faultOfTaking(state, ask, nowMs) : faultOfKeeping(state, ask)
  if (fault !== null) return fault
  const { ordinals, user, order, reservationTxnSeq } = ask
  const events = reservationTxnSeq === 0 ? releasesInTheWay(state, ordinals, nowMs) : []
  events.push({ type: EVENT.BRANCH_PREPARED, txn, ordinals, user, order, reservationTxnSeq, shards: [] })
  return { events, result: 'PREPARED', heldSeq: 0, hangs: false }
}

/** null: one more use of every coupon fits, under the rules that were priced. */
function faultOfTaking(state: ShardState, ask: Prepare, nowMs: number): PrepareDecision | null {
  const asker: Asker = { user: ask.user, cart: null, nowMs }
  for (const [i, ordinal] of ask.ordinals.entries()) {
    if (ordinal >= state.couponCount) return REFUSED
    if (!ask.late && state.tables.coupons.version.get(ordinal) !== ask.versions[i]) return STALE
    const before = ask.late ? null : refusalBefore(state, ordinal, asker)
    const refusal = before ?? refusalOfLimits(state, ordinal, asker)
    if (refusal !== null) return hangsOnOthers(state, ordinal, refusal, nowMs) ? WAITING : REFUSED
  }
  return null
}

/** null: the reservation's branch is here and free. One that is undecided still has its commit on the way. */
function faultOfKeeping(state: ShardState, ask: Prepare): PrepareDecision | null {
  const head = rowOfBranch(state, { shard: ask.from, seq: ask.reservationTxnSeq })
  if (head < 0) return REFUSED
  return state.tables.holds.claimSeq.get(head) === 0 ? null : WAITING
}

/** What the coordinator's decision makes this shard log; null: not yet, an earlier word of it has to come first. */
export function decideSettlement(state: ShardState, told: Settlement): readonly Event[] | null {
  const txn = { shard: told.from, seq: told.txnSeq }
  const isUndecided = state.undecided.has(txnKey(txn))
  switch (told.type) {
    case MESSAGE.ABORT:
      return isUndecided ? [{ type: EVENT.BRANCH_ABORTED, txn }] : []
    case MESSAGE.COMMIT_RESERVED: {
      const { eventSeq: reservationSeq, expiresAtMs } = told
      return isUndecided ? [{ type: EVENT.BRANCH_RESERVED, txn, reservationSeq, expiresAtMs }] : []
    }
    case MESSAGE.COMMIT_REDEEMED: {
      const { eventSeq: redemptionSeq, ordinals, user, order, amounts } = told
      return isUndecided ? [{ type: EVENT.BRANCH_REDEEMED, txn, redemptionSeq, ordinals, user, order, amounts }] : []
    }
    case MESSAGE.RETIME: {
      if (isUndecided) return null
      const head = rowOfBranch(state, txn)
      const { expiresAtMs } = told
      const isNews = head >= 0 && state.tables.holds.untilMs.get(head) !== expiresAtMs
      return isNews ? [{ type: EVENT.BRANCH_RETIMED, txn, expiresAtMs }] : []
    }
    case MESSAGE.RELEASE: {
      if (isUndecided) return null
      const head = rowOfBranch(state, txn)
      if (head < 0) return []
      return state.tables.holds.claimSeq.get(head) === 0
        ? [{ type: EVENT.BRANCH_RELEASED, txn, cause: told.cause }]
        : null
    }
    case MESSAGE.REVERSE: {
      if (isUndecided) return null
      const redemption = { shard: told.from, seq: told.redemptionSeq }
      if (isBranchReversed(state, redemption)) return []
      const { heldSeq, ordinals, user, reason, returnUse } = told
      return [{ type: EVENT.BRANCH_REVERSED, redemption, heldSeq, ordinals, user, reason, returnUse }]
    }
  }
}
