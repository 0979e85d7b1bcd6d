/**
 * decide, for a shard that takes part in a transaction which another one coordinates: quote, prepare, and log what the
 * coordinator has decided.
 *
 * Everything here may be told twice. What is known already changes nothing and is said again.
 */
import type { CouponRef } from '../../protocol/commands.ts'
import { type BranchPrepared, EVENT, type Event } from '../../protocol/events.ts'
import { type AskQuotes, MESSAGE, type Prepare, type PrepareResult, type Settlement } from '../../protocol/messages.ts'
import { isCampaign } from '../../protocol/ordinals.ts'
import type { Quote } from '../../protocol/outcomes.ts'
import { fitsHeld } from './branch-amounts.ts'
import { amountsForBudgets, budgetLeftAt, campaignTakes } from './budgets.ts'
import { rowOfBranch } from './branches.ts'
import { isOrderClaimed, orderAlreadyRedeemed } from './decide-checkout.ts'
import { exists, resolve } from './decision.ts'
import { dayVerdicts, daysOfBranch, ofSameDay } from './daily.ts'
import { type Asker, hangsOnOthers, refusalBefore, refusalOfLimits, refusalOfUses } from './judge.ts'
import { UNDECIDED_MAX } from './limits.ts'
import { releasesInTheWay } from './overdue.ts'
import { NO_SUCH_COUPON, ofSameCampaign, quoteFor, quoteOf } from './quote.ts'
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
  const ordinals = ask.coupons.map((ref: CouponRef) => resolveLimit(state, ref))
  const asker: Asker = { user: ask.user, cart: ask.cart, nowMs }
  const quotes = ordinals.map((ordinal, i): Quote => {
    if (ordinal < 0) return NO_SUCH_COUPON
    const ofOrder = ask.order === null || isCampaign(ordinal) ? null : quoteOfOrder(state, ordinal, asker, history)
    if (ofOrder !== null) return ofOrder
    const elsewhere = ask.before[i] ?? 0
    const before = elsewhere + ofSameCampaign(state, ordinals, i)
    if (ask.checks === 'ALL') {
      return quoteOf(state, ordinal, asker, before, elsewhere + ofSameDay(state, ordinals, i, nowMs))
    }
    return quoteFor(state, ordinal, asker, ask.checks === 'NONE' ? null : refusalOfUses(state, ordinal, asker, before))
  })
  const days = dayVerdicts(state, ask.days)
  for (const { isBeyond } of days) quotes.push(isBeyond ? DAY_IS_FULL : DAY_IS_FREE)
  const known = ordinals.filter((ordinal) => ordinal >= 0 && !isCampaign(ordinal))
  const isOrderInDoubt = ask.order !== null && isOrderClaimed(state, known) && orderAlreadyRedeemed(state, known) === 0
  const hangs =
    isOrderInDoubt ||
    days.some(({ isInDoubt }) => isInDoubt) ||
    quotes.some(
      ({ ordinal, refusal }) => refusal !== null && ordinal >= 0 && hangsOnOthers(state, ordinal, refusal, nowMs),
    )
  return { quotes, hangs, isOrderInDoubt }
}

/** Quotes of coupons of the user's day. */
const DAY_IS_FREE: Quote = { ordinal: -1, refusal: null, detail: '', retryAfterMs: 0, rules: null }
const DAY_IS_FULL: Quote = { ...DAY_IS_FREE, refusal: 'DAILY_LIMIT_REACHED' }

/** A coupon, or a campaign whose coupon lives on another shard; -1: neither. */
function resolveLimit(state: ShardState, ref: CouponRef): number {
  if (ref.code === null && isCampaign(ref.ordinal)) return exists(state, ref.ordinal) ? ref.ordinal : -1
  return resolve(state, ref)
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
    // Where only a day is counted nobody asks for its sequence.
    const heldSeq = before.head < 0 ? state.seq : state.tables.holds.seq.get(before.head)
    return { events: [], result: 'PREPARED', heldSeq, hangs: false }
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
  const takes = reservationTxnSeq === 0 && !ask.late
  const days = takes ? daysOfBranch(state, ordinals, ask.days, nowMs) : []
  const amounts = amountsForBudgets(state, ordinals, ask.amounts)
  const events = reservationTxnSeq === 0 ? releasesInTheWay(state, ordinals, nowMs, amounts) : []
  const event: BranchPrepared = {
    type: EVENT.BRANCH_PREPARED,
    txn,
    ordinals,
    user,
    order,
    reservationTxnSeq,
    shards: [],
    amounts,
  }
  events.push(days.length === 0 ? event : { ...event, days })
  return { events, result: 'PREPARED', heldSeq: 0, hangs: false }
}

/** null: one more use of every coupon fits, under the rules that were priced. */
function faultOfTaking(state: ShardState, ask: Prepare, nowMs: number): PrepareDecision | null {
  const asker: Asker = { user: ask.user, cart: null, nowMs }
  for (const [i, ordinal] of ask.ordinals.entries()) {
    if (!exists(state, ordinal)) return REFUSED
    if (!ask.late && state.rulesVersion(ordinal) !== ask.versions[i]) return STALE
    const before = ofSameCampaign(state, ask.ordinals, i)
    const dayBefore = ofSameDay(state, ask.ordinals, i, nowMs)
    const refusal = ask.late
      ? refusalOfUses(state, ordinal, asker, before)
      : (refusalBefore(state, ordinal, asker) ?? refusalOfLimits(state, ordinal, asker, before, dayBefore))
    if (refusal !== null) return hangsOnOthers(state, ordinal, refusal, nowMs) ? WAITING : REFUSED
  }
  for (const { ordinal, amountMinor } of campaignTakes(state, ask.ordinals, ask.amounts)) {
    if (budgetLeftAt(state, ordinal, nowMs) >= amountMinor) continue
    return hangsOnOthers(state, ordinal, 'BUDGET_EXHAUSTED', nowMs) ? WAITING : REFUSED
  }
  const fullDay = dayVerdicts(state, ask.days).find(({ isBeyond }) => isBeyond)
  if (fullDay === undefined) return null
  return fullDay.isInDoubt ? WAITING : REFUSED
}

/** null: the reservation's branch is here and free. One that is undecided still has its commit on the way. */
function faultOfKeeping(state: ShardState, ask: Prepare): PrepareDecision | null {
  const head = rowOfBranch(state, { shard: ask.from, seq: ask.reservationTxnSeq })
  if (head < 0) return REFUSED
  if (state.tables.holds.claimSeq.get(head) !== 0) return WAITING
  return fitsHeld(state, head, amountsForBudgets(state, ask.ordinals, ask.amounts)) ? null : REFUSED
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
      const { heldSeq, ordinals, user, reason, returnUse, amounts } = told
      return [{ type: EVENT.BRANCH_REVERSED, redemption, heldSeq, ordinals, user, reason, returnUse, amounts }]
    }
  }
}
