/**
 * Retries of an order: the same order on the same coupon gets the first answer again, or learns what differs.
 *
 * Judged against the logged redemption itself, not a digest of it, so that nothing can collide and a conflict can name the
 * difference (docs/adr/0006). What the new call leaves out is not compared.
 */
import { assert } from '../../protocol/assert.ts'
import { type Bytes, sameBytes } from '../../protocol/bytes.ts'
import { currencyName, currencyNumber } from '../../protocol/currency.ts'
import { type BranchRedeemed, EVENT, type Redeemed, type Stack, type TxnId } from '../../protocol/events.ts'
import { OUTCOME } from '../../protocol/outcomes.ts'
import { type Cart, subtotalMinor } from './cart.ts'
import { answered, type Decision } from './decision.ts'
import { type History, Key, saltedInto, type ShardState } from './state.ts'

const key = new Key()

/** Sequence of the redemption of the order in hand (`state.orderKey`) on a coupon; 0 when there is none. */
export function redemptionOfOrder(state: ShardState, ordinal: number): number {
  const { orders } = state.tables
  saltedInto(state, state.orderKey, ordinal, key)
  const slot = orders.find(key.k0, key.k1, key.k2, key.k3)
  if (slot < 0) return 0
  const seq = orders.seq(slot)
  return seq < state.rememberedFromSeq ? 0 : seq
}

/** Sequence of the reversal of a redemption; 0 when it stands. */
export function reversalOf(state: ShardState, redemptionSeq: number): number {
  const { reversals } = state.tables
  state.hashSeq(redemptionSeq, key)
  const slot = reversals.find(key.k0, key.k1, key.k2, key.k3)
  return slot < 0 ? 0 : reversals.seq(slot)
}

/** Whether a redemption here, or one that another shard coordinates, was reversed. `seq` is that of the event here. */
export function isReversed(state: ShardState, history: History, seq: number): boolean {
  const past = history.at(seq)
  if (past?.event.type !== EVENT.BRANCH_REDEEMED) return reversalOf(state, seq) !== 0
  return isBranchReversed(state, { shard: past.event.txn.shard, seq: past.event.redemptionSeq })
}

/** Whether this shard has logged the reversal of a redemption that another one coordinates. */
export function isBranchReversed(state: ShardState, redemption: TxnId): boolean {
  const { reversals } = state.tables
  state.hashTxn(redemption.shard, redemption.seq, key)
  return reversals.find(key.k0, key.k1, key.k2, key.k3) >= 0
}

export function redemptionAt(history: History, seq: number): Redeemed {
  const past = history.at(seq)
  assert(past !== null && past.event.type === EVENT.REDEEMED, `the log has no redemption at ${seq}`)
  return past.event
}

/** Where a coupon of a call over several shards lives. */
export interface CouponOfShard {
  readonly shard: number
  readonly ordinal: number
}

function redeemedAt(history: History, seq: number): Redeemed | BranchRedeemed {
  const past = history.at(seq)
  return past?.event.type === EVENT.BRANCH_REDEEMED ? past.event : redemptionAt(history, seq)
}

/**
 * Judges a call for an order that already redeemed one of its coupons: of `ordinals` here, or of `stacked`, which are all
 * coupons of a call over several shards.
 */
export function judgeRetry(
  state: ShardState,
  history: History,
  seq: number,
  user: Bytes | null,
  ordinals: readonly number[],
  stacked: readonly CouponOfShard[] | null,
  cart: Cart | null,
): Decision {
  const first = redeemedAt(history, seq)
  const difference = differenceTo(first, user, ordinals, stacked, cart)
  if (difference !== null) {
    return refusedForOrder(state, 'ORDER_CONFLICT', `this order already redeemed the coupon ${difference}`, ordinals)
  }
  if (reversalOf(state, seq) !== 0) {
    return refusedForOrder(state, 'REDEMPTION_REVERSED', 'the redemption of this order was reversed', ordinals)
  }
  return answered({ type: OUTCOME.REDEMPTION, seq, replayed: true })
}

/** A refusal that the order earned, not a coupon: it stands at every code, and names the first that the order redeemed. */
export function refusedForOrder(
  state: ShardState,
  refusal: 'ORDER_CONFLICT' | 'REDEMPTION_REVERSED',
  detail: string,
  ordinals: readonly number[],
): Decision {
  const verdicts = ordinals.map((ordinal) => ({ ordinal, refusal, detail, amountMinor: null }))
  const couponIndex = ordinals.findIndex((ordinal) => redemptionOfOrder(state, ordinal) !== 0)
  assert(couponIndex >= 0, 'a refusal for an order that redeemed nothing')
  return answered({ type: OUTCOME.REFUSED, refusal, detail, couponIndex, retryAfterMs: 0, verdicts })
}

function differenceTo(
  first: Redeemed | BranchRedeemed,
  user: Bytes | null,
  ordinals: readonly number[],
  stacked: readonly CouponOfShard[] | null,
  cart: Cart | null,
): string | null {
  if (user !== null && !sameBytes(user, first.user)) return 'for another user'
  if (
    first.type === EVENT.BRANCH_REDEEMED ||
    !sameSet(ordinals, first.ordinals) ||
    !isSameStack(stacked, first.stack)
  ) {
    return 'with another set of codes'
  }
  if (cart === null) return null
  const { price } = first
  if (currencyNumber(cart.currency) !== price.currency) return `in another currency, ${currencyName(price.currency)}`
  const subtotal = subtotalMinor(cart)
  if (subtotal !== price.subtotalMinor) return `with a subtotal of ${price.subtotalMinor}, not ${subtotal}`
  if (cart.shippingMinor !== price.shippingMinor) {
    return `with a shipping of ${price.shippingMinor}, not ${cart.shippingMinor}`
  }
  return null
}

export function isSameStack(stacked: readonly CouponOfShard[] | null, stack: Stack | null): boolean {
  if (stacked === null || stack === null) return stacked === stack
  const isIn = ({ shard, ordinal }: CouponOfShard) =>
    stack.coupons.some((each) => each.shard === shard && each.ordinal === ordinal)
  return stacked.length === stack.coupons.length && stacked.every(isIn)
}

/** Codes of one call are distinct, so equal lengths and inclusion make equal sets. */
export function sameSet(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((ordinal) => b.includes(ordinal))
}
