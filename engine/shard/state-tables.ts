/**
 * Builds the tables of one shard's state (engine/domain/tables.ts) out of typed arrays.
 *
 * What has a limit on uses is found by its ordinal (protocol/ordinals.ts); a column leads to one of three places by its size:
 *
 *     coupons made one by one    rows of a pool, every column
 *     campaigns                  rows of another pool, every column
 *     codes made in bulk         pages that exist only where something happened
 */
import { BULK_ORDINALS, CAMPAIGN_ORDINALS } from '../../protocol/ordinals.ts'
import type { CampaignColumns, Column, CouponColumns, HoldColumns, StateTables } from '../domain/tables.ts'
import { BulkTable } from './tables/bulk-table.ts'
import { CodeTable } from './tables/code-table.ts'
import { CounterTable } from './tables/counter-table.ts'
import { DefinitionTable } from './tables/definition-table.ts'
import { ExpiryHeap } from './tables/expiry-heap.ts'
import { HoldIndex } from './tables/hold-index.ts'
import { f64Lazy, i32Lazy, u32Lazy, u8Lazy } from './tables/lazy-column.ts'
import { OrderTable } from './tables/order-table.ts'
import { type I32Column, RowPool } from './tables/row-pool.ts'

/** `secret` is the deployment's hash secret. */
export function stateTables(secret: Uint8Array): StateTables {
  const bulk = new BulkTable()
  const campaignRows = new RowPool()
  return {
    codes: new CodeTable(secret),
    coupons: couponColumns(campaignRows, bulk),
    definitions: new DefinitionTable(),
    campaigns: campaignColumns(campaignRows),
    bulk,
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
    days: new OrderTable(),
  }
}

function couponColumns(campaigns: RowPool, bulk: BulkTable): CouponColumns {
  const rows = new RowPool()
  const edgeAtMs = rows.f64Column()
  const campaignEdgeAtMs = campaigns.f64Column()
  return {
    rows,
    uses: new ByKind(rows.f64Column(), campaigns.f64Column(), bulk.column(u32Lazy())),
    reserved: new ByKind(rows.f64Column(), campaigns.f64Column(), bulk.column(u32Lazy())),
    endless: new ByKind(rows.u32Column(), campaigns.u32Column(), bulk.column(u32Lazy())),
    version: new ByKind(rows.u32Column(), campaigns.u32Column(), bulk.column(u32Lazy(1))),
    disabled: new ByKind(rows.u32Column(), campaigns.u32Column(), bulk.column(u8Lazy())),
    createdAtMs: new ByKind(rows.f64Column(), campaigns.f64Column(), bulk.column(f64Lazy())),
    updatedAtMs: new ByKind(rows.f64Column(), campaigns.f64Column(), bulk.column(f64Lazy())),
    userLimitSinceSeq: new ByKind(rows.f64Column(), campaigns.f64Column(), bulk.column(f64Lazy())),
    holds: new ByKind(rows.i32Column(), campaigns.i32Column(), bulk.column(i32Lazy(-1))),
    edgeAtMs: new ByKind(edgeAtMs, campaignEdgeAtMs, bulk.column(f64Lazy())),
    edges: new ExpiryHeap(rows, edgeAtMs),
    campaignEdges: new ExpiryHeap(campaigns, campaignEdgeAtMs),
    importJob: rows.f64Column(),
    importLine: rows.u32Column(),
    salt: wordsByKind(rows, campaigns),
    userSalt: wordsByKind(rows, campaigns),
  }
}

function campaignColumns(rows: RowPool): CampaignColumns {
  return {
    rows,
    discountTotal: rows.f64Column(),
    discountHeld: rows.f64Column(),
    codes: rows.f64Column(),
    poolFirst: rows.i32Column(),
    poolLast: rows.i32Column(),
    poolSize: rows.u32Column(),
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
    amount: rows.f64Column(),
    claimKey: words(rows),
    byCoupon: new ExpiryHeap(rows, expiresAtMs),
    byShard: new ExpiryHeap(rows, expiresAtMs),
  }
}

function words(rows: RowPool): [I32Column, I32Column, I32Column, I32Column] {
  return [rows.i32Column(), rows.i32Column(), rows.i32Column(), rows.i32Column()]
}

/** Salts of codes made in bulk are computed when they are needed. */
const NO_SALT: Column = { get: () => 0, set: () => undefined }

function wordsByKind(rows: RowPool, campaigns: RowPool): [Column, Column, Column, Column] {
  const word = (): Column => new ByKind(rows.i32Column(), campaigns.i32Column(), NO_SALT)
  return [word(), word(), word(), word()]
}

class ByKind implements Column {
  private readonly coupons: Column
  private readonly campaigns: Column
  private readonly bulk: Column

  constructor(coupons: Column, campaigns: Column, bulk: Column) {
    this.coupons = coupons
    this.campaigns = campaigns
    this.bulk = bulk
  }

  get(ordinal: number): number {
    if (ordinal < CAMPAIGN_ORDINALS) return this.coupons.get(ordinal)
    return ordinal < BULK_ORDINALS ? this.campaigns.get(ordinal - CAMPAIGN_ORDINALS) : this.bulk.get(ordinal)
  }

  set(ordinal: number, value: number): void {
    if (ordinal < CAMPAIGN_ORDINALS) this.coupons.set(ordinal, value)
    else if (ordinal < BULK_ORDINALS) this.campaigns.set(ordinal - CAMPAIGN_ORDINALS, value)
    else this.bulk.set(ordinal, value)
  }
}
