/**
 * apply: what an event does to the state. It cannot fail and reads no clock, no randomness, no configuration, so a
 * replay of the log ends in the same state, to the last counter. Everything was judged in `decide`; what is asserted here
 * are the promises themselves (no limit exceeded, no counter below zero).
 */
import { assert } from '../../protocol/assert.ts'
import { bytesOf } from '../../protocol/bytes.ts'
import type { CouponDefinition } from '../../protocol/coupon.ts'
import {
  type CouponChanged,
  type CouponCreated,
  EVENT,
  type Event,
  type Redeemed,
  type RedemptionReversed,
  type Reserved,
} from '../../protocol/events.ts'
import { closeReservation, openReservation, rowOfReservation } from './holds.ts'
import { Key, saltedInto, type ShardState } from './state.ts'

const MINUTE_MS = 60_000

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
      return
    }
    case EVENT.RESERVATION_RETIMED:
      applyRetimed(state, event.reservationSeq, event.expiresAtMs)
      return
    case EVENT.RESERVATION_RELEASED:
      closeReservation(state, event.reservationSeq, seq)
      return
    case EVENT.REDEMPTION_REVERSED:
      applyReversed(state, event, seq)
      return
    case EVENT.ORDERS_FORGOTTEN:
      state.rememberedFromSeq = event.beforeSeq
      while (state.minutes.length > 0 && (state.minutes[0] as { seq: number }).seq < event.beforeSeq)
        state.minutes.shift()
      return
    case EVENT.CLOCK_DIFFERED:
      return
  }
}

/** The hot one: the keys of user and order are already in the state's hand. */
export function applyRedeemed(state: ShardState, event: Redeemed, timeMs: number): void {
  const seq = advance(state, timeMs)
  if (event.reservationSeq !== 0 && !event.late) closeReservation(state, event.reservationSeq, seq)
  else if (event.late) recloseReservation(state, event.reservationSeq, seq)
  const { coupons, orders } = state.tables
  const ordinals = event.ordinals
  for (let i = 0; i < ordinals.length; i++) {
    const ordinal = ordinals[i] as number
    const uses = coupons.uses.get(ordinal) + 1
    coupons.uses.set(ordinal, uses)
    const { maxUses, maxUsesPerUser } = state.definition(ordinal)
    if (maxUses !== null) assert(uses + coupons.reserved.get(ordinal) <= maxUses, 'a coupon was used beyond its limit')
    if (maxUsesPerUser !== null) countUse(state, ordinal, state.userKey, 1)
    saltedInto(state.orderKey, coupons.salt, ordinal, key)
    orders.setRecord(orders.findOrInsert(key.k0, key.k1, key.k2, key.k3), 0, 0, seq)
  }
}

function advance(state: ShardState, timeMs: number): number {
  assert(timeMs >= state.timeMs, 'time of a shard went backwards')
  const seq = state.seq + 1
  state.seq = seq
  state.timeMs = timeMs
  const minutes = state.minutes
  const last = minutes.length === 0 ? undefined : minutes[minutes.length - 1]
  if (last === undefined || timeMs - last.timeMs >= MINUTE_MS) minutes.push({ timeMs, seq })
  return seq
}

function countUse(state: ShardState, ordinal: number, userKey: Key, more: 1 | -1): void {
  const { users, coupons } = state.tables
  saltedInto(userKey, coupons.userSalt, ordinal, key)
  const slot = users.findOrInsert(key.k0, key.k1, key.k2, key.k3)
  const uses = users.uses(slot) + more
  assert(uses >= 0, 'a counter of a user fell below zero')
  if (uses === 0 && users.held(slot) === 0) users.remove(slot)
  else users.setUses(slot, uses)
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
  coupons.version.set(ordinal, 1)
  coupons.disabled.set(ordinal, 0)
  coupons.createdAtMs.set(ordinal, timeMs)
  coupons.updatedAtMs.set(ordinal, timeMs)
  coupons.holds.set(ordinal, -1)
  coupons.edgeAtMs.set(ordinal, 0)
  state.setSalt(coupons.salt, ordinal, 0)
  coupons.userLimitSinceSeq.set(ordinal, seq)
  state.setSalt(coupons.userSalt, ordinal, seq)
  setEdge(state, ordinal, timeMs)
}

function applyChanged(state: ShardState, event: CouponChanged, seq: number, timeMs: number): void {
  const { coupons } = state.tables
  const before = state.definition(event.ordinal)
  state.setDefinition(event.ordinal, event.definition)
  if (before.maxUsesPerUser === null && event.definition.maxUsesPerUser !== null) {
    coupons.userLimitSinceSeq.set(event.ordinal, seq)
    state.setSalt(coupons.userSalt, event.ordinal, seq)
  }
  touch(state, event.ordinal, timeMs)
  setEdge(state, event.ordinal, timeMs)
}

function touch(state: ShardState, ordinal: number, timeMs: number): void {
  const { version, updatedAtMs } = state.tables.coupons
  version.set(ordinal, version.get(ordinal) + 1)
  updatedAtMs.set(ordinal, timeMs)
}

/** Puts the coupon's next edge after `timeMs` into the shard's heap; edges already passed get no event. */
function setEdge(state: ShardState, ordinal: number, timeMs: number): void {
  const { edges, edgeAtMs } = state.tables.coupons
  if (edgeAtMs.get(ordinal) !== 0) state.edges = edges.remove(state.edges, ordinal)
  const next = nextEdgeMs(state.definition(ordinal), timeMs)
  edgeAtMs.set(ordinal, next ?? 0)
  if (next !== null) state.edges = edges.insert(state.edges, ordinal)
}

function nextEdgeMs(definition: CouponDefinition, timeMs: number): number | null {
  const { validFromMs, validUntilMs } = definition
  if (validFromMs !== null && validFromMs > timeMs) return validFromMs
  return validUntilMs !== null && validUntilMs > timeMs ? validUntilMs : null
}

function applyReserved(state: ShardState, event: Reserved, seq: number, timeMs: number): void {
  state.hashUser(event.user, state.userKey)
  if (event.order !== null) state.hashOrder(event.order, state.orderKey)
  openReservation(state, event, seq, timeMs)
}

function applyRetimed(state: ShardState, reservationSeq: number, expiresAtMs: number): void {
  const { holds, coupons } = state.tables
  const head = rowOfReservation(state, reservationSeq)
  assert(head >= 0, 'a retimed reservation is not open')
  state.expiries = holds.byShard.remove(state.expiries, head)
  for (let row = head; row >= 0; row = holds.nextHold.get(row)) {
    const ordinal = holds.ordinal.get(row)
    const root = holds.byCoupon.remove(coupons.holds.get(ordinal), row)
    holds.expiresAtMs.set(row, expiresAtMs)
    coupons.holds.set(ordinal, holds.byCoupon.insert(root, row))
  }
  state.expiries = holds.byShard.insert(state.expiries, head)
}

/** A late redemption of a reservation that had run out: what closed it is now the redemption. */
function recloseReservation(state: ShardState, reservationSeq: number, seq: number): void {
  const { closed } = state.tables
  state.hashSeq(reservationSeq, key)
  const slot = closed.findOrInsert(key.k0, key.k1, key.k2, key.k3)
  closed.setRecord(slot, closed.digest0(slot), closed.digest1(slot), seq)
}

function applyReversed(state: ShardState, event: RedemptionReversed, seq: number): void {
  const { coupons, reversals } = state.tables
  state.hashSeq(event.redemptionSeq, key)
  reversals.setRecord(reversals.findOrInsert(key.k0, key.k1, key.k2, key.k3), 0, 0, seq)
  if (!event.returnUse) return
  state.hashUser(event.user, state.userKey)
  for (const ordinal of event.ordinals) {
    const uses = coupons.uses.get(ordinal) - 1
    assert(uses >= 0, 'uses of a coupon fell below zero')
    coupons.uses.set(ordinal, uses)
    const counted = event.redemptionSeq > coupons.userLimitSinceSeq.get(ordinal)
    if (counted && state.definition(ordinal).maxUsesPerUser !== null) countUse(state, ordinal, state.userKey, -1)
  }
}
