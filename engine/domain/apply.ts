/**
 * apply: what an event does to the state. It cannot fail and reads no clock, no randomness, no configuration, so a
 * replay of the log ends in the same state, to the last counter. Everything was judged in `decide`; what is asserted here
 * are the promises themselves (no limit exceeded, no counter below zero).
 */
import { assert } from '../../protocol/assert.ts'
import { isBulk } from '../../protocol/ordinals.ts'
import { bytesOf } from '../../protocol/bytes.ts'
import { isCampaignEvent } from '../../protocol/campaign-event-codec.ts'
import {
  type CouponChanged,
  type CouponCreated,
  EVENT,
  type Event,
  type ImportedRow,
  type Redeemed,
  type RedemptionReversed,
  type Reserved,
} from '../../protocol/events.ts'
import {
  abortBranch,
  endClaim,
  forgetBranchOf,
  openStack,
  prepareBranch,
  reserveBranch,
  retime,
  useBranch,
} from './branches.ts'
import {
  applyBranchRedeemed,
  applyBranchReversed,
  applyDelivered,
  releaseBranch,
  retimeBranch,
} from './apply-branch.ts'
import { applyCampaignEvent, nextEdgeMs, setOwner } from './apply-campaign.ts'
import { applyKeyEvent, forgetMinutes } from './apply-key.ts'
import { partOfShard } from './price-fact.ts'
import { closeReservation, openReservation, reprice, rowOfReservation } from './holds.ts'
import { settlePool } from './pool.ts'
import { Key, type ShardState, txnKey } from './state.ts'
import { giveBudgetsBack, giveUsesBack, useOnce } from './uses.ts'

const MINUTE_MS = 60_000
/** Events between two marks at most, as far as time has moved. */
const MARK_EVENTS = 65_536

const key = new Key()

/** Applies the event that takes the next sequence. */
export function apply(state: ShardState, event: Event, timeMs: number): void {
  if (event.type === EVENT.REDEEMED) {
    state.hashUser(event.user, state.userKey)
    state.hashOrder(event.order, state.orderKey)
    applyRedeemed(state, event, timeMs)
    return
  }
  const seq = advance(state, timeMs)
  if (isCampaignEvent(event)) {
    applyCampaignEvent(state, event, seq, timeMs)
    return
  }
  switch (event.type) {
    case EVENT.COUPON_CREATED:
      applyCreated(state, event, seq, timeMs)
      return
    case EVENT.COUPON_CHANGED:
      applyChanged(state, event, seq, timeMs)
      return
    case EVENT.COUPON_SWITCHED:
      state.tables.coupons.disabled.set(event.ordinal, event.change === 'ENABLED' ? 0 : 1)
      touch(state, event.ordinal, timeMs)
      settlePool(state, event.ordinal)
      return
    case EVENT.COUPON_WINDOW_PASSED:
      // From the edge, not from now: where both lie behind (the process was down), the end gets its event too.
      setEdge(state, event.ordinal, state.tables.coupons.edgeAtMs.get(event.ordinal))
      return
    case EVENT.RESERVED:
      applyReserved(state, event, seq, timeMs)
      return
    case EVENT.RESERVATION_REPRICED: {
      const row = rowOfReservation(state, event.reservationSeq)
      assert(row >= 0, 'a repriced reservation is not open')
      state.tables.holds.priceSeq.set(row, seq)
      if (!state.stacks.has(event.reservationSeq)) reprice(state, row, event.price.amounts)
      return
    }
    case EVENT.RESERVATION_RETIMED:
      applyRetimed(state, event.reservationSeq, event.expiresAtMs, seq)
      return
    case EVENT.RESERVATION_RELEASED:
      applyReleased(state, event.reservationSeq, seq)
      return
    case EVENT.REDEMPTION_REVERSED:
      applyReversed(state, event, seq)
      return
    case EVENT.ORDERS_FORGOTTEN:
      state.rememberedFromSeq = event.beforeSeq
      forgetMinutes(state)
      return
    case EVENT.KEY_CLAIMED:
    case EVENT.KEY_ANSWERED:
    case EVENT.OPERATION_DONE:
    case EVENT.KEYS_FORGOTTEN:
      applyKeyEvent(state, event, seq)
      return
    case EVENT.CLOCK_DIFFERED:
      return
    case EVENT.BRANCH_PREPARED:
      state.hashUser(event.user, state.userKey)
      if (event.order !== null) state.hashOrder(event.order, state.orderKey)
      prepareBranch(state, event, seq)
      return
    case EVENT.BRANCH_ABORTED: {
      const { shards } = abortBranch(state, event.txn)
      if (shards.length > 0) state.outbox.set(seq, shards)
      return
    }
    case EVENT.BRANCH_RESERVED:
      reserveBranch(state, event.txn, event.expiresAtMs)
      return
    case EVENT.BRANCH_REDEEMED:
      applyBranchRedeemed(state, event, seq)
      return
    case EVENT.BRANCH_RETIMED:
      retimeBranch(state, event)
      return
    case EVENT.BRANCH_RELEASED:
      releaseBranch(state, event)
      return
    case EVENT.BRANCH_REVERSED:
      applyBranchReversed(state, event, seq)
      return
    case EVENT.MESSAGES_DELIVERED:
      applyDelivered(state, event)
      return
  }
}

/** The hot one: the keys of user and order are already in the state's hand. */
export function applyRedeemed(state: ShardState, event: Redeemed, timeMs: number): void {
  const seq = advance(state, timeMs)
  const txnSeq = event.stack?.txnSeq ?? event.dayTxnSeq ?? 0
  if (txnSeq !== 0) endTransaction(state, event, txnSeq, seq)
  if (event.reservationSeq !== 0 && !event.late) {
    if (event.stack === null) forgetBranchOf(state, rowOfReservation(state, event.reservationSeq))
    closeReservation(state, event.reservationSeq, seq)
  } else if (event.late) recloseReservation(state, event.reservationSeq, seq)
  const part = event.stack === null ? null : partOfShard(state.shard, event)
  const ordinals = part === null ? event.ordinals : part.ordinals
  const amounts = part === null ? event.price.amounts : part.amounts
  for (let i = 0; i < ordinals.length; i++) useOnce(state, ordinals[i] as number, seq, amounts[i] as number)
}

/** What the transaction has taken here is free for the uses that follow, and the other shards are to be told. */
function endTransaction(state: ShardState, event: Redeemed, txnSeq: number, seq: number): void {
  const takes = event.reservationSeq === 0 || event.late
  const { shards } = takes ? useBranch(state, { shard: state.shard, seq: txnSeq }) : endClaim(state, txnSeq)
  if (!takes) state.stacks.delete(event.reservationSeq)
  if (shards.length > 0) state.outbox.set(seq, shards)
}

function advance(state: ShardState, timeMs: number): number {
  assert(timeMs >= state.timeMs, 'time of a shard went backwards')
  const seq = state.seq + 1
  state.seq = seq
  state.timeMs = timeMs
  const minutes = state.minutes
  const last = minutes.length === 0 ? undefined : minutes[minutes.length - 1]
  if (last === undefined || timeMs - last.timeMs >= MINUTE_MS || isFar(last, timeMs, seq)) minutes.push({ timeMs, seq })
  return seq
}

/** A rush is forgotten in pieces: else all of a minute of it would have to be remembered. */
function isFar(last: { timeMs: number; seq: number }, timeMs: number, seq: number): boolean {
  return seq - last.seq >= MARK_EVENTS && timeMs > last.timeMs
}

function applyCreated(state: ShardState, event: CouponCreated, seq: number, timeMs: number): void {
  const { coupons, codes } = state.tables
  const ordinal = coupons.rows.alloc()
  assert(ordinal === event.ordinal && ordinal === state.couponCount, 'ordinals of coupons are not dense')
  state.couponCount++
  const code = bytesOf(event.definition.code)
  codes.set(code.buf, code.start, code.end, ordinal)
  state.setDefinition(ordinal, event.definition)
  coupons.uses.set(ordinal, 0)
  coupons.reserved.set(ordinal, 0)
  coupons.endless.set(ordinal, 0)
  coupons.version.set(ordinal, 1)
  coupons.disabled.set(ordinal, 0)
  coupons.createdAtMs.set(ordinal, timeMs)
  coupons.updatedAtMs.set(ordinal, timeMs)
  coupons.holds.set(ordinal, -1)
  coupons.edgeAtMs.set(ordinal, 0)
  importedBy(state, ordinal, event.imported)
  if (event.imported !== null) coupons.uses.set(ordinal, event.imported.uses)
  state.setSalt(coupons.salt, ordinal, 0)
  coupons.userLimitSinceSeq.set(ordinal, seq)
  state.setSalt(coupons.userSalt, ordinal, seq)
  setEdge(state, ordinal, timeMs)
}

function applyChanged(state: ShardState, event: CouponChanged, seq: number, timeMs: number): void {
  const { coupons } = state.tables
  const before = state.definition(event.ordinal)
  state.setDefinition(event.ordinal, event.definition)
  // What extends or ends a code leaves out whose it is: that stands with its job.
  if (isBulk(event.ordinal) && event.change === 'PATCHED') setOwner(state, event.ordinal, event.definition.userId)
  if (event.imported !== null) importedBy(state, event.ordinal, event.imported)
  settlePool(state, event.ordinal)
  if (before.maxUsesPerUser === null && event.definition.maxUsesPerUser !== null) {
    coupons.userLimitSinceSeq.set(event.ordinal, seq)
    state.setSalt(coupons.userSalt, event.ordinal, seq)
  }
  touch(state, event.ordinal, timeMs)
  setEdge(state, event.ordinal, timeMs)
}

function importedBy(state: ShardState, ordinal: number, row: ImportedRow | null): void {
  const { importJob, importLine } = state.tables.coupons
  importJob.set(ordinal, row === null ? 0 : txnKey(row.job))
  importLine.set(ordinal, row === null ? 0 : row.line)
}

function touch(state: ShardState, ordinal: number, timeMs: number): void {
  const { version, updatedAtMs } = state.tables.coupons
  version.set(ordinal, version.get(ordinal) + 1)
  updatedAtMs.set(ordinal, timeMs)
}

/** Puts the coupon's next edge after `timeMs` into the shard's heap; edges already passed get no event. */
function setEdge(state: ShardState, ordinal: number, timeMs: number): void {
  // Codes made in bulk begin and end with their job's window.
  if (isBulk(ordinal)) return
  const { edges, edgeAtMs } = state.tables.coupons
  if (edgeAtMs.get(ordinal) !== 0) state.edges = edges.remove(state.edges, ordinal)
  const next = nextEdgeMs(state.definition(ordinal), timeMs)
  edgeAtMs.set(ordinal, next)
  if (next !== 0) state.edges = edges.insert(state.edges, ordinal)
}

function applyReserved(state: ShardState, event: Reserved, seq: number, timeMs: number): void {
  state.hashUser(event.user, state.userKey)
  if (event.order !== null) state.hashOrder(event.order, state.orderKey)
  const txnSeq = event.stack?.txnSeq ?? event.dayTxnSeq ?? 0
  if (txnSeq === 0) {
    openReservation(state, event, seq, timeMs)
    return
  }
  const shards = openStack(state, event, txnSeq, seq, timeMs)
  if (shards.length > 0) state.outbox.set(seq, shards)
}

function applyRetimed(state: ShardState, reservationSeq: number, expiresAtMs: number, seq: number): void {
  const head = rowOfReservation(state, reservationSeq)
  assert(head >= 0, 'a retimed reservation is not open')
  state.tables.holds.untilMs.set(head, expiresAtMs)
  retime(state, head, expiresAtMs)
  tellOthers(state, reservationSeq, seq)
}

function applyReleased(state: ShardState, reservationSeq: number, seq: number): void {
  tellOthers(state, reservationSeq, seq)
  state.stacks.delete(reservationSeq)
  forgetBranchOf(state, rowOfReservation(state, reservationSeq))
  closeReservation(state, reservationSeq, seq)
}

/** Where the reservation has coupons on other shards, these have to act on the event at `seq`. */
function tellOthers(state: ShardState, reservationSeq: number, seq: number): void {
  const stack = state.stacks.get(reservationSeq)
  if (stack !== undefined && stack.shards.length > 0) state.outbox.set(seq, stack.shards)
}

/** A late redemption of a reservation that had run out: what closed it is now the redemption. */
function recloseReservation(state: ShardState, reservationSeq: number, seq: number): void {
  const { closed } = state.tables
  state.hashSeq(reservationSeq, key)
  const slot = closed.findOrInsert(key.k0, key.k1, key.k2, key.k3)
  closed.setRecord(slot, closed.digest0(slot), closed.digest1(slot), seq)
}

function applyReversed(state: ShardState, event: RedemptionReversed, seq: number): void {
  const { reversals } = state.tables
  state.hashSeq(event.redemptionSeq, key)
  reversals.setRecord(reversals.findOrInsert(key.k0, key.k1, key.k2, key.k3), 0, 0, seq)
  if (event.stack !== null && event.stack.shards.length > 0) state.outbox.set(seq, event.stack.shards)
  giveBudgetsBack(state, event.ordinals, event.amounts)
  if (!event.returnUse) return
  state.hashUser(event.user, state.userKey)
  giveUsesBack(state, event.ordinals, event.stack === null ? event.redemptionSeq : event.stack.heldSeq)
}
