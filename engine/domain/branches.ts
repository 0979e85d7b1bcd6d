/**
 * Branches: what a transaction over several shards has taken on this one (two-phase commit with presumed abort; Mohan,
 * Lindsay and Obermarck, "Transaction management in the R* distributed database management system", 1986).
 *
 *     prepared ──▶ aborted                                   capacity back
 *        ├───────▶ redeemed                                  a use of every coupon
 *        └───────▶ reserved ──▶ released                     capacity back
 *                      └──────▶ prepared again, for an order ──▶ redeemed, or reserved as before
 *
 * A branch is a reservation's rows (holds.ts) with the name of its transaction. Where another shard coordinates, and while a
 * transaction is undecided, its holds never run out by this shard's clock: whoever let go alone could break a promise that
 * somebody else has given meanwhile.
 */
import { assert } from '../../protocol/assert.ts'
import type { BranchPrepared, Reserved, Stack, TxnId } from '../../protocol/events.ts'
import { isCampaign } from '../../protocol/ordinals.ts'
import { raiseAmounts } from './branch-amounts.ts'
import { countPending, settlePending } from './days-taken.ts'
import { beginReservation, getWords, giveHolds, NEVER_MS, setWords, takeHolds } from './holds.ts'
import { Key, saltedInto, type ShardState, txnKey, type Undecided } from './state.ts'

const key = new Key()
const claimKey = new Key()

/** The first hold of what a transaction took here, or -1 when that is redeemed or given back. */
export function rowOfBranch(state: ShardState, { shard, seq }: TxnId): number {
  state.hashTxn(shard, seq, key)
  return state.tables.branches.get(key.k0, key.k1, key.k2, key.k3)
}

/** The first hold of an undecided transaction that redeems a coupon for the order in hand, or -1. */
export function rowOfClaim(state: ShardState, ordinal: number): number {
  saltedInto(state, state.orderKey, ordinal, key)
  return state.tables.claims.get(key.k0, key.k1, key.k2, key.k3)
}

export function isUndecided(state: ShardState, head: number): boolean {
  return state.tables.holds.claimSeq.get(head) !== 0
}

/** Whether this shard's clock must not let go of what stands at `head`. */
export function isEndless(state: ShardState, head: number): boolean {
  return state.tables.holds.expiresAtMs.get(head) === NEVER_MS
}

/** Takes capacity, or keeps that of a reservation for an order. Keys of user and order are in the state's hand. */
export function prepareBranch(state: ShardState, event: BranchPrepared, seq: number): void {
  const txn = event.txn.seq === 0 ? { shard: event.txn.shard, seq } : event.txn
  const { holds } = state.tables
  let head = -1
  if (event.reservationTxnSeq !== 0) {
    head = rowOfBranch(state, { shard: txn.shard, seq: event.reservationTxnSeq })
    assert(head >= 0 && holds.claimSeq.get(head) === 0, 'a reservation is redeemed that is not open')
    retime(state, head, NEVER_MS)
    raiseAmounts(state, head, event.amounts)
  } else if (event.ordinals.length > 0) {
    head = takeBranch(state, event, txn, seq)
  }
  if (head >= 0) {
    holds.claimSeq.set(head, txn.seq)
    if (event.order !== null) setClaims(state, head)
  }
  const days = countPending(state, event.days ?? [])
  state.undecided.set(txnKey(txn), { txn, head, shards: event.shards, days })
}

function takeBranch(state: ShardState, event: BranchPrepared, txn: TxnId, seq: number): number {
  const { holds, open, branches } = state.tables
  const head = takeHolds(state, event.ordinals, seq, NEVER_MS, event.amounts)
  state.expiries = holds.byShard.insert(state.expiries, head)
  holds.txnShard.set(head, txn.shard)
  holds.txnSeq.set(head, txn.seq)
  holds.untilMs.set(head, 0)
  holds.hasOrder.set(head, 0)
  state.hashSeq(seq, key)
  open.set(key.k0, key.k1, key.k2, key.k3, head)
  state.hashTxn(txn.shard, txn.seq, key)
  branches.set(key.k0, key.k1, key.k2, key.k3, head)
  return head
}

/** The transaction is over: what it took goes back, or the reservation stands as before. */
export function abortBranch(state: ShardState, txn: TxnId): Undecided {
  const undecided = takeUndecided(state, txn, true)
  const { head } = undecided
  const { holds } = state.tables
  if (head < 0) return undecided
  if (holds.txnSeq.get(head) === txn.seq) {
    closeBranch(state, head)
  } else {
    holds.claimSeq.set(head, 0)
    if (txn.shard === state.shard) retime(state, head, holds.untilMs.get(head))
  }
  return undecided
}

/** Where another shard coordinates: what was taken is a reservation's now. */
export function reserveBranch(state: ShardState, txn: TxnId, expiresAtMs: number): void {
  const { head } = takeUndecided(state, txn)
  const { holds } = state.tables
  if (head < 0) return
  holds.claimSeq.set(head, 0)
  holds.untilMs.set(head, expiresAtMs)
}

/**
 * On the coordinator: what was taken is a reservation now, and runs out by this shard's clock. The shards that prepared, for
 * they are to be told. Where all its capacity is here, it is from now on like any other of this shard.
 */
export function openStack(
  state: ShardState,
  event: Reserved,
  txnSeq: number,
  seq: number,
  timeMs: number,
): readonly number[] {
  const { head, shards } = takeUndecided(state, { shard: state.shard, seq: txnSeq })
  const { holds, open } = state.tables
  state.hashSeq(txnSeq, key)
  open.remove(key.k0, key.k1, key.k2, key.k3)
  for (let row = head; row >= 0; row = holds.nextHold.get(row)) holds.seq.set(row, seq)
  holds.claimSeq.set(head, 0)
  beginReservation(state, head, event, seq, timeMs)
  retime(state, head, event.expiresAtMs)
  if (event.stack !== null) state.stacks.set(seq, { txnSeq, shards: shardsBeside(event.stack, state.shard) })
  return shards
}

/** The other shards that keep capacity for a stack, ascending. */
export function shardsBeside({ coupons, campaigns }: Stack, own: number): number[] {
  const shards = new Set<number>()
  for (const { shard } of coupons) shards.add(shard)
  for (const { shard } of campaigns ?? []) shards.add(shard)
  shards.delete(own)
  return [...shards].sort((a, b) => a - b)
}

/** What is closed of an open reservation, where its capacity was taken by a transaction. */
export function forgetBranchOf(state: ShardState, head: number): void {
  if (head >= 0 && state.tables.holds.txnShard.get(head) >= 0) forgetBranch(state, head)
}

/** Whether the first hold of a reservation is that of one that is stacked, or about to be. */
export function isStacked(state: ShardState, head: number): boolean {
  const { holds } = state.tables
  const shard = holds.txnShard.get(head)
  if (shard < 0) return false
  return shard !== state.shard || holds.claimSeq.get(head) !== 0 || state.stacks.has(holds.seq.get(head))
}

/** The capacity that a transaction took, or kept of a reservation, is given back in order to be used. */
export function useBranch(state: ShardState, txn: TxnId): Undecided {
  const undecided = takeUndecided(state, txn)
  const { head } = undecided
  if (head >= 0) closeBranch(state, head)
  return undecided
}

/** On the coordinator: a claim on one of its reservations ends; the reservation itself is closed by whoever calls. */
export function endClaim(state: ShardState, txnSeq: number): Undecided {
  const undecided = takeUndecided(state, { shard: state.shard, seq: txnSeq })
  forgetBranch(state, undecided.head)
  return undecided
}

/** Gives back what stands at `head`, and forgets it. */
export function closeBranch(state: ShardState, head: number): void {
  const { holds, open } = state.tables
  state.hashSeq(holds.seq.get(head), key)
  open.remove(key.k0, key.k1, key.k2, key.k3)
  forgetBranch(state, head)
  state.expiries = holds.byShard.remove(state.expiries, head)
  giveHolds(state, head)
}

/** The name of the transaction stands for nothing any more. */
function forgetBranch(state: ShardState, head: number): void {
  const { holds, branches } = state.tables
  state.hashTxn(holds.txnShard.get(head), holds.txnSeq.get(head), key)
  branches.remove(key.k0, key.k1, key.k2, key.k3)
}

/** Moves the instant at which this shard's clock lets go of a reservation. */
export function retime(state: ShardState, head: number, expiresAtMs: number): void {
  const { holds, coupons } = state.tables
  state.expiries = holds.byShard.remove(state.expiries, head)
  for (let row = head; row >= 0; row = holds.nextHold.get(row)) {
    const ordinal = holds.ordinal.get(row)
    const root = holds.byCoupon.remove(coupons.holds.get(ordinal), row)
    const was = holds.expiresAtMs.get(row) === NEVER_MS ? 1 : 0
    const is = expiresAtMs === NEVER_MS ? 1 : 0
    if (is !== was) coupons.endless.set(ordinal, coupons.endless.get(ordinal) + is - was)
    holds.expiresAtMs.set(row, expiresAtMs)
    coupons.holds.set(ordinal, holds.byCoupon.insert(root, row))
  }
  state.expiries = holds.byShard.insert(state.expiries, head)
}

function takeUndecided(state: ShardState, txn: TxnId, isAborted = false): Undecided {
  const number = txnKey(txn)
  const undecided = state.undecided.get(number)
  assert(undecided !== undefined, `shard ${state.shard} has not prepared ${txn.shard}:${txn.seq}`)
  state.undecided.delete(number)
  settlePending(state, undecided.days, isAborted)
  if (undecided.head >= 0) dropClaims(state, undecided.head)
  return undecided
}

function setClaims(state: ShardState, head: number): void {
  const { holds, claims } = state.tables
  holds.hasClaim.set(head, 1)
  setWords(holds.claimKey, head, state.orderKey)
  for (let row = head; row >= 0; row = holds.nextHold.get(row)) {
    // An order redeems coupons; two of its calls may have coupons of one campaign.
    if (isCampaign(holds.ordinal.get(row))) continue
    saltedInto(state, state.orderKey, holds.ordinal.get(row), key)
    claims.set(key.k0, key.k1, key.k2, key.k3, head)
  }
}

function dropClaims(state: ShardState, head: number): void {
  const { holds, claims } = state.tables
  if (holds.hasClaim.get(head) === 0) return
  holds.hasClaim.set(head, 0)
  getWords(holds.claimKey, head, claimKey)
  for (let row = head; row >= 0; row = holds.nextHold.get(row)) {
    if (isCampaign(holds.ordinal.get(row))) continue
    saltedInto(state, claimKey, holds.ordinal.get(row), key)
    claims.remove(key.k0, key.k1, key.k2, key.k3)
  }
}
