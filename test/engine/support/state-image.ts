/**
 * A shard's state as plain data, so that two states can be compared with deepEqual. Links of heaps and places in tables are
 * left out: they depend on the way there, what is held does not.
 */
import type { Bytes } from '../../../protocol/bytes.ts'
import { firstHoldOfUser } from '../../../engine/domain/holds.ts'
import { Key, saltedInto, type ShardState } from '../../../engine/domain/state.ts'
import type { CounterTable } from '../../../engine/shard/tables/counter-table.ts'
import type { OrderTable } from '../../../engine/shard/tables/order-table.ts'

export interface CouponImage {
  readonly uses: number
  readonly reserved: number
  readonly [field: string]: unknown
}

export interface StateImage {
  readonly coupons: readonly CouponImage[]
  readonly openReservations: number
  readonly [field: string]: unknown
}

export function tablesOf(state: ShardState): StateImage {
  const { tables } = state
  const coupons = Array.from({ length: state.couponCount }, (_, ordinal) => couponImage(state, ordinal))
  return {
    seq: state.seq,
    timeMs: state.timeMs,
    rememberedFromSeq: state.rememberedFromSeq,
    keysRememberedFromSeq: state.keysRememberedFromSeq,
    lastKeySeq: state.lastKeySeq,
    minutes: state.minutes.map(({ timeMs, seq }) => [timeMs, seq]),
    coupons,
    openReservations: tables.open.size,
    userHoldChains: tables.holdsOfUser.size,
    userCounters: countersOf(tables.users as CounterTable),
    orders: recordsOf(tables.orders as OrderTable),
    closed: recordsOf(tables.closed as OrderTable),
    reversals: recordsOf(tables.reversals as OrderTable),
    keys: recordsOf(tables.keys as OrderTable),
    operations: recordsOf(tables.operations as OrderTable),
    holds: holdsOf(state),
  }
}

/** Uses and holds counted for a user on a coupon at a moment; the user's key is left in the state's hand. */
export function judgeUser(state: ShardState, ordinal: number, user: Bytes, nowMs: number): number {
  const { users, coupons, holds } = state.tables
  state.hashUser(user, state.userKey)
  const key = new Key()
  saltedInto(state.userKey, coupons.userSalt, ordinal, key)
  const slot = users.find(key.k0, key.k1, key.k2, key.k3)
  let counted = slot < 0 ? 0 : users.uses(slot) + users.held(slot)
  for (let row = firstHoldOfUser(state, state.userKey, ordinal); row >= 0; row = holds.nextOfUser.get(row)) {
    const isCounted = holds.seq.get(row) > coupons.userLimitSinceSeq.get(ordinal)
    if (isCounted && holds.expiresAtMs.get(row) <= nowMs) counted--
  }
  return counted
}

function couponImage(state: ShardState, ordinal: number): CouponImage {
  const { coupons } = state.tables
  return {
    definition: state.definition(ordinal),
    uses: coupons.uses.get(ordinal),
    reserved: coupons.reserved.get(ordinal),
    version: coupons.version.get(ordinal),
    disabled: coupons.disabled.get(ordinal),
    createdAtMs: coupons.createdAtMs.get(ordinal),
    updatedAtMs: coupons.updatedAtMs.get(ordinal),
    userLimitSinceSeq: coupons.userLimitSinceSeq.get(ordinal),
    edgeAtMs: coupons.edgeAtMs.get(ordinal),
  }
}

function countersOf(users: CounterTable): string[] {
  const counters: string[] = []
  for (let slot = users.first(); slot >= 0; slot = users.next(slot)) {
    counters.push(`${keyOf(users, slot)} ${users.uses(slot)} ${users.held(slot)}`)
  }
  return counters.sort()
}

function recordsOf(table: OrderTable): string[] {
  const records: string[] = []
  for (let slot = table.first(); slot >= 0; slot = table.next(slot)) {
    records.push(`${keyOf(table, slot)} ${table.seq(slot)} ${table.digest0(slot)} ${table.digest1(slot)}`)
  }
  return records.sort()
}

function keyOf(table: { key(slot: number, index: number): number }, slot: number): string {
  return [0, 1, 2, 3].map((word) => table.key(slot, word)).join('.')
}

/** All open holds, by coupon in order of their expiry, with what their reservation remembers. */
function holdsOf(state: ShardState): string[] {
  const { holds, coupons } = state.tables
  const image: string[] = []
  for (let ordinal = 0; ordinal < state.couponCount; ordinal++) {
    let row = holds.byCoupon.firstUpTo(coupons.holds.get(ordinal), Number.POSITIVE_INFINITY)
    for (; row >= 0; row = holds.byCoupon.nextUpTo(row, Number.POSITIVE_INFINITY)) {
      const head = holds.head.get(row)
      const times = `${holds.startedAtMs.get(head)} ${holds.expiresAtMs.get(row)}`
      image.push(`${ordinal} ${holds.seq.get(row)} ${times} ${holds.priceSeq.get(head)} ${holds.hasOrder.get(head)}`)
    }
  }
  return image
}
