/**
 * apply, for what the coordinator of a transaction over several shards makes another shard log.
 */
import { assert } from '../../protocol/assert.ts'
import type {
  BranchRedeemed,
  BranchReleased,
  BranchRetimed,
  BranchReversed,
  MessagesDelivered,
} from '../../protocol/events.ts'
import { closeBranch, rowOfBranch, useBranch } from './branches.ts'
import { Key, type ShardState } from './state.ts'
import { giveBudgetsBack, giveUsesBack, useOnce } from './uses.ts'

const key = new Key()

export function applyBranchRedeemed(state: ShardState, event: BranchRedeemed, seq: number): void {
  useBranch(state, event.txn)
  state.hashUser(event.user, state.userKey)
  state.hashOrder(event.order, state.orderKey)
  for (const [i, ordinal] of event.ordinals.entries()) useOnce(state, ordinal, seq, event.amounts[i] as number)
}

export function retimeBranch(state: ShardState, { txn, expiresAtMs }: BranchRetimed): void {
  const head = rowOfBranch(state, txn)
  assert(head >= 0, 'a retimed branch is not here')
  state.tables.holds.untilMs.set(head, expiresAtMs)
}

export function releaseBranch(state: ShardState, { txn }: BranchReleased): void {
  const head = rowOfBranch(state, txn)
  assert(head >= 0 && state.tables.holds.claimSeq.get(head) === 0, 'a released branch is not here, or undecided')
  closeBranch(state, head)
}

export function applyBranchReversed(state: ShardState, event: BranchReversed, seq: number): void {
  const { reversals } = state.tables
  state.hashTxn(event.redemption.shard, event.redemption.seq, key)
  reversals.setRecord(reversals.findOrInsert(key.k0, key.k1, key.k2, key.k3), 0, 0, seq)
  giveBudgetsBack(state, event.ordinals, event.amounts)
  if (!event.returnUse) return
  state.hashUser(event.user, state.userKey)
  giveUsesBack(state, event.ordinals, event.heldSeq)
}

export function applyDelivered(state: ShardState, { seqs, shards }: MessagesDelivered): void {
  for (const [i, seq] of seqs.entries()) {
    const waiting = state.outbox.get(seq)
    if (waiting === undefined) continue
    const left = waiting.filter((shard) => shard !== shards[i])
    if (left.length === 0) state.outbox.delete(seq)
    else state.outbox.set(seq, left)
  }
}
