/**
 * The plan of a call over several shards: what its coordinator is going to do, first as a transaction that every shard
 * prepares, then as the decision.
 */
import { assert } from '../../protocol/assert.ts'
import type { Bytes } from '../../protocol/bytes.ts'
import { EVENT, type Event, type Redeemed, type Reserved, type StackedCoupon } from '../../protocol/events.ts'
import type { PriceFact } from '../../protocol/price.ts'
import { redeemed } from './decide-checkout.ts'
import { type Decision, refused } from './decision.ts'
import { OUTBOX_MAX, STACKS_MAX, UNDECIDED_MAX } from './limits.ts'
import { releasesInTheWay } from './overdue.ts'
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
  const { coupons, user, order, reservationTxnSeq } = plan
  const ordinals = coupons.filter(({ shard }) => shard === state.shard).map(({ ordinal }) => ordinal)
  const shards = shardsOf(plan).slice(1)
  const txn = { shard: state.shard, seq: 0 }
  const events = reservationTxnSeq === 0 ? releasesInTheWay(state, ordinals, nowMs) : []
  events.push({ type: EVENT.BRANCH_PREPARED, txn, ordinals, user, order, reservationTxnSeq, shards })
  return events
}

/** The shards of a plan in ascending order: that of the coordinator is the first. */
export function shardsOf({ coupons }: StackPlan): number[] {
  const shards: number[] = []
  for (let i = 0; i < coupons.length; i++) {
    const { shard } = coupons[i] as PlannedCoupon
    if (!shards.includes(shard)) shards.push(shard)
  }
  return shards.sort((a, b) => a - b)
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
  const ordinals = coupons.filter(({ shard }) => shard === state.shard).map(({ ordinal }) => ordinal)
  const stack = { txnSeq, coupons }
  if (!plan.redeems) return { type: EVENT.RESERVED, ordinals, user, order, expiresAtMs, price, stack }
  assert(order !== null && price !== null, 'a redemption without an order or a price')
  return redeemed(reservationSeq, late, ordinals, user, order, price, stack)
}
