/**
 * Holds and reservations: how capacity is taken for a while and given back.
 *
 *     reservation 17 ── first hold (head) ── nextHold ──▶ second hold ── … (in order of the codes)
 *                          │                                │
 *                    coupon A's heap                  coupon B's heap          by expiry, for what is overdue
 *                    (user, A) chain                  (user, B) chain          to find "this user's reservation"
 *
 * A hold is overdue when `expiresAtMs ≤ nowMs`. It is free for every judgement from that instant on, but stays in the
 * tables until an event releases it: what `…At(nowMs)` functions tell is the truth of the moment, the columns are the log's.
 */
import { assert } from '../../protocol/assert.ts'
import { isBulk, isCampaign } from '../../protocol/ordinals.ts'
import type { Reserved } from '../../protocol/events.ts'
import { holdAmount } from './budgets.ts'
import { settlePool } from './pool.ts'
import { Key, saltedInto, type ShardState, userSaltedInto } from './state.ts'

/** The end of a hold that this shard's clock must not end. */
export const NEVER_MS = Number.POSITIVE_INFINITY

const NO_AMOUNTS: readonly number[] = []

const key = new Key()
const userKey = new Key()

/** The first hold of an open reservation (overdue ones included), or -1. */
export function rowOfReservation(state: ShardState, reservationSeq: number): number {
  state.hashSeq(reservationSeq, key)
  return state.tables.open.get(key.k0, key.k1, key.k2, key.k3)
}

/** What is remembered of a closed reservation, or null. */
export function closingOf(state: ShardState, reservationSeq: number): { seq: number; priceSeq: number } | null {
  const { closed } = state.tables
  state.hashSeq(reservationSeq, key)
  const slot = closed.find(key.k0, key.k1, key.k2, key.k3)
  if (slot < 0) return null
  const seq = closed.seq(slot)
  if (seq < state.rememberedFromSeq) return null
  return { seq, priceSeq: joined(closed.digest0(slot), closed.digest1(slot)) }
}

/** Takes a hold on every coupon of the event; keys of user and order are in the state's hand. */
export function openReservation(state: ShardState, event: Reserved, seq: number, timeMs: number): void {
  const head = takeHolds(state, event.ordinals, seq, event.expiresAtMs, event.price?.amounts ?? NO_AMOUNTS)
  beginReservation(state, head, event, seq, timeMs)
  state.expiries = state.tables.holds.byShard.insert(state.expiries, head)
}

/** Writes to its first hold what is known of a reservation as a whole. */
export function beginReservation(state: ShardState, head: number, event: Reserved, seq: number, timeMs: number): void {
  const { holds, open } = state.tables
  holds.startedAtMs.set(head, timeMs)
  holds.priceSeq.set(head, seq)
  holds.untilMs.set(head, event.expiresAtMs)
  holds.hasOrder.set(head, event.order === null ? 0 : 1)
  if (event.order !== null) setWords(holds.orderKey, head, state.orderKey)
  state.hashSeq(seq, key)
  open.set(key.k0, key.k1, key.k2, key.k3, head)
}

/**
 * Takes a hold on each coupon, and one on the campaign of each that has one here, for the user in hand; the first of them,
 * which stands for all. `amounts`: what each coupon may take of its campaign's budget; empty: not known.
 */
export function takeHolds(
  state: ShardState,
  ordinals: readonly number[],
  seq: number,
  expiresAtMs: number,
  amounts: readonly number[],
): number {
  const { holds } = state.tables
  let head = -1
  let last = -1
  const take = (ordinal: number, amountMinor: number): void => {
    const row = holds.rows.alloc()
    if (head < 0) head = row
    else holds.nextHold.set(last, row)
    last = row
    holds.nextHold.set(row, -1)
    holds.head.set(row, head)
    holds.ordinal.set(row, ordinal)
    holds.expiresAtMs.set(row, expiresAtMs)
    holds.seq.set(row, seq)
    holds.amount.set(row, amountMinor)
    setWords(holds.userKey, row, state.userKey)
    takeHold(state, row, ordinal)
  }
  for (let i = 0; i < ordinals.length; i++) {
    const ordinal = ordinals[i] as number
    take(ordinal, isCampaign(ordinal) ? (amounts[i] ?? 0) : 0)
  }
  for (let i = 0; i < ordinals.length; i++) {
    const campaign = state.campaignOf(ordinals[i] as number)
    if (campaign >= 0) take(campaign, amounts[i] ?? 0)
  }
  assert(head >= 0, 'a reservation without coupons')
  holds.txnShard.set(head, -1)
  holds.txnSeq.set(head, 0)
  holds.claimSeq.set(head, 0)
  holds.hasClaim.set(head, 0)
  return head
}

function takeHold(state: ShardState, row: number, ordinal: number): void {
  const { coupons, users, holds, holdsOfUser, bulk } = state.tables
  const { maxUses, maxUsesPerUser } = state.limits(ordinal)
  const reserved = coupons.reserved.get(ordinal) + 1
  coupons.reserved.set(ordinal, reserved)
  if (maxUses !== null)
    assert(coupons.uses.get(ordinal) + reserved <= maxUses, 'a coupon was reserved beyond its limit')
  if (maxUsesPerUser !== null) {
    userSaltedInto(state, state.userKey, ordinal, key)
    const slot = users.findOrInsert(key.k0, key.k1, key.k2, key.k3)
    users.setHeld(slot, users.held(slot) + 1)
  }
  saltedInto(state, state.userKey, ordinal, key)
  holds.nextOfUser.set(row, holdsOfUser.get(key.k0, key.k1, key.k2, key.k3))
  holdsOfUser.set(key.k0, key.k1, key.k2, key.k3, row)
  if (holds.expiresAtMs.get(row) === NEVER_MS) coupons.endless.set(ordinal, coupons.endless.get(ordinal) + 1)
  coupons.holds.set(ordinal, holds.byCoupon.insert(coupons.holds.get(ordinal), row))
  if (isCampaign(ordinal)) holdAmount(state, ordinal, holds.amount.get(row))
  if (!isBulk(ordinal)) return
  bulk.lastSeq.set(ordinal, holds.seq.get(row))
  settlePool(state, ordinal)
}

/** What the holds on campaigns of an open reservation take of their budgets from now on: one amount a coupon, in its order. */
export function reprice(state: ShardState, head: number, amounts: readonly number[]): void {
  const { holds } = state.tables
  let next = 0
  const ofCoupons: number[] = []
  const ofCampaigns: { readonly ordinal: number; readonly amountMinor: number }[] = []
  for (let row = head; row >= 0; row = holds.nextHold.get(row)) {
    const ordinal = holds.ordinal.get(row)
    if (!isCampaign(ordinal)) {
      if (state.campaignOf(ordinal) >= 0) ofCoupons.push(amounts[next] ?? 0)
      next++
      continue
    }
    const amountMinor = ofCoupons.shift() ?? 0
    holdAmount(state, ordinal, -holds.amount.get(row))
    holds.amount.set(row, amountMinor)
    ofCampaigns.push({ ordinal, amountMinor })
  }
  // All of it was let go before any of it is taken again: one coupon may have what another held of the same budget.
  for (const { ordinal, amountMinor } of ofCampaigns) holdAmount(state, ordinal, amountMinor)
}

/** Gives everything back that a reservation held, and remembers which event closed it. */
export function closeReservation(state: ShardState, reservationSeq: number, closingSeq: number): void {
  const { holds, open, closed } = state.tables
  const head = rowOfReservation(state, reservationSeq)
  assert(head >= 0, 'a closed reservation is not open')
  open.remove(key.k0, key.k1, key.k2, key.k3)
  const priceSeq = holds.priceSeq.get(head)
  closed.setRecord(closed.findOrInsert(key.k0, key.k1, key.k2, key.k3), low(priceSeq), high(priceSeq), closingSeq)
  state.expiries = holds.byShard.remove(state.expiries, head)
  giveHolds(state, head)
}

/** Gives back all that was taken together, and frees its rows. */
export function giveHolds(state: ShardState, head: number): void {
  const { holds, coupons } = state.tables
  const sinceSeq = heldSinceSeq(state, head)
  let row = head
  while (row >= 0) {
    const next = holds.nextHold.get(row)
    const ordinal = holds.ordinal.get(row)
    coupons.holds.set(ordinal, holds.byCoupon.remove(coupons.holds.get(ordinal), row))
    if (holds.expiresAtMs.get(row) === NEVER_MS) coupons.endless.set(ordinal, coupons.endless.get(ordinal) - 1)
    giveHold(state, row, ordinal, sinceSeq)
    if (isCampaign(ordinal)) holdAmount(state, ordinal, -holds.amount.get(row))
    settlePool(state, ordinal)
    holds.rows.free(row)
    row = next
  }
}

/** Sequence of the event that took a hold: what its count under a limit per user is decided by. */
export function heldSinceSeq(state: ShardState, row: number): number {
  const { holds } = state.tables
  const head = holds.head.get(row)
  return holds.txnShard.get(head) === state.shard ? holds.txnSeq.get(head) : holds.seq.get(head)
}

function giveHold(state: ShardState, row: number, ordinal: number, sinceSeq: number): void {
  const { coupons, users, holds } = state.tables
  const reserved = coupons.reserved.get(ordinal) - 1
  assert(reserved >= 0, 'holds of a coupon fell below zero')
  coupons.reserved.set(ordinal, reserved)
  getWords(holds.userKey, row, userKey)
  const counted = sinceSeq > coupons.userLimitSinceSeq.get(ordinal)
  if (counted && state.limits(ordinal).maxUsesPerUser !== null) {
    userSaltedInto(state, userKey, ordinal, key)
    const slot = users.find(key.k0, key.k1, key.k2, key.k3)
    assert(slot >= 0 && users.held(slot) > 0, 'holds of a user fell below zero')
    if (users.held(slot) === 1 && users.uses(slot) === 0) users.remove(slot)
    else users.setHeld(slot, users.held(slot) - 1)
  }
  unchain(state, row, ordinal)
}

/** Takes a hold out of the chain of its user on its coupon. Chains are short: a user's open reservations of one code. */
function unchain(state: ShardState, row: number, ordinal: number): void {
  const { holds, holdsOfUser } = state.tables
  saltedInto(state, userKey, ordinal, key)
  const next = holds.nextOfUser.get(row)
  let at = holdsOfUser.get(key.k0, key.k1, key.k2, key.k3)
  if (at === row) {
    if (next < 0) holdsOfUser.remove(key.k0, key.k1, key.k2, key.k3)
    else holdsOfUser.set(key.k0, key.k1, key.k2, key.k3, next)
    return
  }
  while (holds.nextOfUser.get(at) !== row) at = holds.nextOfUser.get(at)
  holds.nextOfUser.set(at, next)
}

/** First hold of a user on a coupon, or -1; `holds.nextOfUser` leads on. */
export function firstHoldOfUser(state: ShardState, user: Key, ordinal: number): number {
  saltedInto(state, user, ordinal, key)
  return state.tables.holdsOfUser.get(key.k0, key.k1, key.k2, key.k3)
}

/** Holds on a coupon that count at `nowMs`. */
export function reservedAt(state: ShardState, ordinal: number, nowMs: number): number {
  const { coupons, holds } = state.tables
  return coupons.reserved.get(ordinal) - holds.byCoupon.countUpTo(coupons.holds.get(ordinal), nowMs)
}

/** The hold on a coupon that runs out first of those that still count, or -1. Changes links, never the order. */
export function firstOpenHold(state: ShardState, ordinal: number, nowMs: number): number {
  const { coupons, holds } = state.tables
  let row = coupons.holds.get(ordinal)
  while (row >= 0 && holds.expiresAtMs.get(row) <= nowMs) row = holds.byCoupon.nextUpTo(row, Number.POSITIVE_INFINITY)
  return row
}

/** Reservations to release before capacity is taken from a coupon: the overdue ones in the way, at most `most`. */
export function overdueOn(state: ShardState, ordinal: number, nowMs: number, most: number, into: Set<number>): void {
  const { coupons, holds } = state.tables
  let row = holds.byCoupon.firstUpTo(coupons.holds.get(ordinal), nowMs)
  for (let i = 0; row >= 0 && i < most; i++) {
    into.add(holds.seq.get(holds.head.get(row)))
    row = holds.byCoupon.nextUpTo(row, nowMs)
  }
}

export function setWords(columns: ShardState['tables']['holds']['userKey'], row: number, from: Key): void {
  columns[0].set(row, from.k0)
  columns[1].set(row, from.k1)
  columns[2].set(row, from.k2)
  columns[3].set(row, from.k3)
}

export function getWords(columns: ShardState['tables']['holds']['userKey'], row: number, into: Key): void {
  into.set(columns[0].get(row), columns[1].get(row), columns[2].get(row), columns[3].get(row))
}

const TWO_32 = 4_294_967_296

function low(seq: number): number {
  return seq | 0
}

function high(seq: number): number {
  return (seq / TWO_32) | 0
}

function joined(lowWord: number, highWord: number): number {
  return highWord * TWO_32 + (lowWord >>> 0)
}
