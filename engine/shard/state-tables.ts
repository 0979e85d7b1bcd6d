/**
 * Builds the tables of one shard's state (engine/domain/tables.ts) out of typed arrays.
 */
import type { CouponColumns, HoldColumns, StateTables } from '../domain/tables.ts'
import { CodeTable } from './tables/code-table.ts'
import { CounterTable } from './tables/counter-table.ts'
import { ExpiryHeap } from './tables/expiry-heap.ts'
import { HoldIndex } from './tables/hold-index.ts'
import { OrderTable } from './tables/order-table.ts'
import { type I32Column, RowPool } from './tables/row-pool.ts'

/** `secret` is the deployment's hash secret. */
export function stateTables(secret: Uint8Array): StateTables {
  return {
    codes: new CodeTable(secret),
    coupons: couponColumns(),
    users: new CounterTable(),
    orders: new OrderTable(false),
    holdsOfUser: new HoldIndex(),
    open: new HoldIndex(),
    branches: new HoldIndex(),
    claims: new HoldIndex(),
    closed: new OrderTable(),
    reversals: new OrderTable(false),
    keys: new OrderTable(),
    operations: new OrderTable(false),
    holds: holdColumns(),
  }
}

function couponColumns(): CouponColumns {
  const rows = new RowPool()
  const edgeAtMs = rows.f64Column()
  return {
    rows,
    uses: rows.f64Column(),
    reserved: rows.f64Column(),
    endless: rows.u32Column(),
    version: rows.u32Column(),
    disabled: rows.u32Column(),
    createdAtMs: rows.f64Column(),
    updatedAtMs: rows.f64Column(),
    userLimitSinceSeq: rows.f64Column(),
    holds: rows.i32Column(),
    edgeAtMs,
    edges: new ExpiryHeap(rows, edgeAtMs),
    salt: words(rows),
    userSalt: words(rows),
  }
}

function holdColumns(): HoldColumns {
  const rows = new RowPool()
  const expiresAtMs = rows.f64Column()
  return {
    rows,
    ordinal: rows.i32Column(),
    expiresAtMs,
    head: rows.i32Column(),
    nextHold: rows.i32Column(),
    nextOfUser: rows.i32Column(),
    userKey: words(rows),
    seq: rows.f64Column(),
    startedAtMs: rows.f64Column(),
    priceSeq: rows.f64Column(),
    hasOrder: rows.u32Column(),
    orderKey: words(rows),
    txnShard: rows.i32Column(),
    txnSeq: rows.f64Column(),
    claimSeq: rows.f64Column(),
    untilMs: rows.f64Column(),
    hasClaim: rows.u32Column(),
    claimKey: words(rows),
    byCoupon: new ExpiryHeap(rows, expiresAtMs),
    byShard: new ExpiryHeap(rows, expiresAtMs),
  }
}

function words(rows: RowPool): [I32Column, I32Column, I32Column, I32Column] {
  return [rows.i32Column(), rows.i32Column(), rows.i32Column(), rows.i32Column()]
}
