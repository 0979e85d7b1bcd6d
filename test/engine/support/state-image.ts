/**
 * A shard's state as plain data, so that two states can be compared with deepEqual. Links of heaps and places in tables are
 * left out: they depend on the way there, what is held does not.
 */
import { type Bytes, bytesOf } from '../../../protocol/bytes.ts'
import { BULK_ORDINALS, campaignOrdinal } from '../../../protocol/ordinals.ts'
import { firstHoldOfUser } from '../../../engine/domain/holds.ts'
import { Key, type ShardState, userSaltedInto } from '../../../engine/domain/state.ts'
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
    days: recordsOf(tables.days as OrderTable),
    campaigns: state.campaigns.map((_, index) => campaignImage(state, index)),
    madeCodes: madeOrdinals(state).map((ordinal) => madeCodeImage(state, ordinal)),
    changedCodes: [...state.changedCodes],
    jobs: [...state.jobs.values()].map((job) => ({ ...job, errors: [...job.errors] })),
    openJobs: [...state.openJobs.keys()],
    batchEdgeMs: state.batchEdgeMs,
    ranges: [...state.ranges.all],
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
  userSaltedInto(state, state.userKey, ordinal, key)
  const slot = users.find(key.k0, key.k1, key.k2, key.k3)
  let counted = slot < 0 ? 0 : users.uses(slot) + users.held(slot)
  for (let row = firstHoldOfUser(state, state.userKey, ordinal); row >= 0; row = holds.nextOfUser.get(row)) {
    const isCounted = holds.seq.get(row) > coupons.userLimitSinceSeq.get(ordinal)
    if (isCounted && holds.expiresAtMs.get(row) <= nowMs) counted--
  }
  return counted
}

function couponImage(state: ShardState, ordinal: number): CouponImage {
  const { importJob, importLine } = state.tables.coupons
  return {
    ...limitImage(state, ordinal),
    code: codeOf(state, state.definition(ordinal).code),
    import: `${importJob.get(ordinal)} ${importLine.get(ordinal)}`,
  }
}

/** What the code leads to. */
function codeOf({ tables }: ShardState, code: string): string {
  const { buf, start, end } = bytesOf(code)
  return `${code} ${tables.codes.get(buf, start, end)}`
}

function campaignImage(state: ShardState, index: number): CouponImage {
  const { campaigns, bulk } = state.tables
  const pool: number[] = []
  for (let ordinal = campaigns.poolFirst.get(index); ordinal >= 0; ordinal = bulk.behind.get(ordinal))
    pool.push(ordinal)
  return {
    ...limitImage(state, campaignOrdinal(index)),
    discountTotal: campaigns.discountTotal.get(index),
    discountHeld: campaigns.discountHeld.get(index),
    codes: campaigns.codes.get(index),
    pool,
    poolLast: campaigns.poolLast.get(index),
    poolSize: campaigns.poolSize.get(index),
  }
}

function madeCodeImage(state: ShardState, ordinal: number): CouponImage {
  const { lastSeq, before, behind, owner } = state.tables.bulk
  return {
    ...limitImage(state, ordinal),
    code: codeOf(state, state.code(ordinal)),
    lastSeq: lastSeq.get(ordinal),
    links: `${before.get(ordinal)} ${behind.get(ordinal)}`,
    owner: owner.map((word) => word.get(ordinal)).join('.'),
  }
}

function madeOrdinals({ tables }: ShardState): number[] {
  return Array.from({ length: tables.bulk.size }, (_, index) => BULK_ORDINALS + index)
}

/** Everything with a limit on uses: coupons, campaigns, codes made in bulk. */
function limitedOrdinals(state: ShardState): number[] {
  return [
    ...Array.from({ length: state.couponCount }, (_, ordinal) => ordinal),
    ...state.campaigns.map((_, index) => campaignOrdinal(index)),
    ...madeOrdinals(state),
  ]
}

/** What all of them have. */
function limitImage(state: ShardState, ordinal: number): CouponImage {
  const { coupons } = state.tables
  return {
    definition: state.limits(ordinal),
    uses: coupons.uses.get(ordinal),
    reserved: coupons.reserved.get(ordinal),
    endless: coupons.endless.get(ordinal),
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

/** All open holds, by coupon or campaign in order of their expiry, with what their reservation remembers. */
function holdsOf(state: ShardState): string[] {
  const { holds, coupons } = state.tables
  const image: string[] = []
  for (const ordinal of limitedOrdinals(state)) {
    let row = holds.byCoupon.firstUpTo(coupons.holds.get(ordinal), Number.POSITIVE_INFINITY)
    for (; row >= 0; row = holds.byCoupon.nextUpTo(row, Number.POSITIVE_INFINITY)) {
      const head = holds.head.get(row)
      const times = `${holds.startedAtMs.get(head)} ${holds.expiresAtMs.get(row)}`
      const rest = `${holds.priceSeq.get(head)} ${holds.hasOrder.get(head)} ${holds.amount.get(row)}`
      image.push(`${ordinal} ${holds.seq.get(row)} ${times} ${rest}`)
    }
  }
  return image
}
