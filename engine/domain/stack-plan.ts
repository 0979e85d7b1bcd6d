/**
 * The plan of a call over several shards: what its coordinator is going to do, first as a transaction that every shard
 * prepares, then as the decision.
 */
import { assert } from '../../protocol/assert.ts'
import type { Bytes } from '../../protocol/bytes.ts'
import type { DayAsk } from '../../protocol/daily-limit.ts'
import {
  type BranchPrepared,
  EVENT,
  type Event,
  type Redeemed,
  type Reserved,
  type StackedCampaign,
  type StackedCoupon,
} from '../../protocol/events.ts'
import type { PriceFact } from '../../protocol/price.ts'
import { amountsForBudgets } from './budgets.ts'
import { daysOfBranch } from './daily.ts'
import { redeemed } from './decide-checkout.ts'
import { type Decision, refused } from './decision.ts'
import { OUTBOX_MAX, STACKS_MAX, UNDECIDED_MAX } from './limits.ts'
import { releasesInTheWay } from './overdue.ts'
import { partOfStack } from './price-fact.ts'
import type { ShardState } from './state.ts'

/** What the coordinator is going to do once every shard has prepared its part. */
export interface StackPlan {
  readonly redeems: boolean
  /** The reservation that is made final, or was and has run out; 0: none. */
  readonly reservationSeq: number
  /** Its transaction, where its capacity is kept; 0: capacity is taken. */
  readonly reservationTxnSeq: number
  readonly late: boolean
  readonly user: Bytes
  readonly order: Bytes | null
  readonly price: PriceFact | null
  /** RESERVE only. */
  readonly expiresAtMs: number
  /** In the order of the price. */
  readonly coupons: readonly PlannedCoupon[]
  /** Those of coupons of other shards than their own, in the order of their coupons. */
  readonly campaigns: readonly PlannedCampaign[]
  /** Coupons of the user's day over everything, and the shard that counts it. */
  readonly days: readonly DayAsk[]
  readonly dayShard: number
}

export interface PlannedCoupon {
  readonly shard: number
  readonly ordinal: number
  readonly code: string
  /** Of the rules that were priced. */
  readonly version: number
  /** Known where a reservation has the capacity; otherwise 0 until its shard has prepared. */
  readonly heldSeq: number
}

/** One use of a campaign. */
export interface PlannedCampaign {
  /** Of its coupon. */
  readonly place: number
  readonly shard: number
  readonly ordinal: number
  /** As of a coupon. */
  readonly version: number
  readonly heldSeq: number
}

export function isPlan(made: Decision | StackPlan): made is StackPlan {
  return 'coupons' in made
}

/** Bounds of what may be under way; null: there is room. */
export function fullness(state: ShardState): Decision | null {
  if (state.undecided.size < UNDECIDED_MAX && state.stacks.size < STACKS_MAX && state.outbox.size < OUTBOX_MAX)
    return null
  return refused('STORAGE_UNAVAILABLE', 'too many calls over several shards are under way; nothing was done')
}

/** The coordinator's own part: its event is the transaction. */
export function prepareOwn(state: ShardState, plan: StackPlan, nowMs: number): Event[] {
  const { user, order, reservationTxnSeq } = plan
  const part = partOfPlan(plan, state.shard)
  const { ordinals } = part
  const shards = shardsOf(plan).slice(1)
  const txn = { shard: state.shard, seq: 0 }
  const amounts = amountsForBudgets(state, ordinals, part.amounts)
  const takes = reservationTxnSeq === 0
  const days = takes && !plan.late ? daysOfBranch(state, ordinals, daysFor(plan, state.shard), nowMs) : []
  const events = takes ? releasesInTheWay(state, ordinals, nowMs, amounts) : []
  const event: BranchPrepared = {
    type: EVENT.BRANCH_PREPARED,
    txn,
    ordinals,
    user,
    order,
    reservationTxnSeq,
    shards,
    amounts,
  }
  events.push(days.length === 0 ? event : { ...event, days })
  return events
}

export interface PartOfPlan {
  /** Coupons, and behind them campaigns of coupons of other shards. */
  readonly ordinals: readonly number[]
  readonly versions: readonly number[]
  /** Empty where the price is not known yet. */
  readonly amounts: readonly number[]
}

export function partOfPlan(plan: StackPlan, shard: number): PartOfPlan {
  const { coupons, campaigns, price } = plan
  const versions: number[] = []
  for (const coupon of coupons) if (coupon.shard === shard) versions.push(coupon.version)
  for (const campaign of campaigns) if (campaign.shard === shard) versions.push(campaign.version)
  return { ...partOfStack(shard, plan, price?.amounts ?? []), versions }
}

/** What a shard is to count of the user's days over everything. */
export function daysFor({ days, dayShard }: StackPlan, shard: number): readonly DayAsk[] {
  return dayShard === shard ? days : []
}

/**
 * The shards of a plan in the order in which they prepare: those of coupons, ascending, so that of the coordinator is the
 * first; then those that have campaigns alone; then the user's.
 */
export function shardsOf({ coupons, campaigns, dayShard }: StackPlan): number[] {
  const shards: number[] = []
  for (let i = 0; i < coupons.length; i++) {
    const { shard } = coupons[i] as PlannedCoupon
    if (!shards.includes(shard)) shards.push(shard)
  }
  shards.sort((a, b) => a - b)
  const others: number[] = []
  for (const { shard } of campaigns) if (!shards.includes(shard) && !others.includes(shard)) others.push(shard)
  shards.push(...others.sort((a, b) => a - b))
  if (dayShard >= 0 && !shards.includes(dayShard)) shards.push(dayShard)
  return shards
}

/** The decision, when every shard has prepared; `heldSeqs` says by which event each of `shards` has. */
export function concludeStack(
  state: ShardState,
  plan: StackPlan,
  txnSeq: number,
  shards: readonly number[],
  heldSeqs: readonly number[],
): Reserved | Redeemed {
  const { user, order, price, reservationSeq, late, expiresAtMs } = plan
  const coupons = plan.coupons.map(
    ({ shard, ordinal, code, heldSeq }): StackedCoupon => ({
      shard,
      ordinal,
      code,
      heldSeq: plan.reservationTxnSeq === 0 ? (heldSeqs[shards.indexOf(shard)] as number) : heldSeq,
    }),
  )
  const campaigns = plan.campaigns.map(
    ({ place, shard, ordinal, heldSeq }): StackedCampaign => ({
      place,
      shard,
      ordinal,
      heldSeq: plan.reservationTxnSeq === 0 ? (heldSeqs[shards.indexOf(shard)] as number) : heldSeq,
    }),
  )
  const ordinals = coupons.filter(({ shard }) => shard === state.shard).map(({ ordinal }) => ordinal)
  const isOfThisShard = ordinals.length === coupons.length && campaigns.length === 0
  const stack = isOfThisShard ? null : campaigns.length === 0 ? { txnSeq, coupons } : { txnSeq, coupons, campaigns }
  const day = isOfThisShard ? { dayTxnSeq: txnSeq } : null
  if (!plan.redeems) return { type: EVENT.RESERVED, ordinals, user, order, expiresAtMs, price, stack, ...day }
  assert(order !== null && price !== null, 'a redemption without an order or a price')
  return { ...redeemed(reservationSeq, late, ordinals, user, order, price, stack), ...day }
}
