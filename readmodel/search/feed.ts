/**
 * The feed: what the projector wrote, read by a connection of its own beside it, and put into the index a slice at a time.
 *
 *     load    all campaigns, then all coupons in the order in which they were made
 *     follow  search_change: a row for every batch that made or changed something since
 *
 * Where the load begins is noted before it begins, so what changes meanwhile comes again; an entry may be put any number of
 * times. Each slice is a statement that ends at once: no snapshot is held open beside somebody who writes.
 */
import { campaignOf } from '../campaign-rows.ts'
import { definitionOf } from '../coupon-rows.ts'
import type { Database, Sql, SqlRow } from '../database.ts'
import { withinShard } from '../list-keys.ts'
import { changedEntries } from '../search-changes.ts'
import { isCampaign } from '../../protocol/ordinals.ts'
import type { SearchEntry } from './entries.ts'
import type { SearchIndex } from './index.ts'

/** Coupons of a slice: some three milliseconds. */
const SLICE_ROWS = 200

const COLUMNS = 'c.id, c.created_at, c.disabled, d.bytes'
const CAMPAIGN_COLUMNS = 'c.id, c.created_at, c.disabled, c.bytes'

export class SearchFeed {
  private readonly index: SearchIndex
  private readonly lastChange: Sql
  private readonly behind: Sql
  private readonly changesBehind: Sql
  private readonly couponsById: Sql
  private readonly campaignsBehind: Sql
  private readonly campaignsById: Sql
  /** The last campaign of the load; null: it has them all. */
  private campaignsTo: number | null = -1
  /** Where the load stands; null: it is done. */
  private loadedTo: readonly [atMs: number, id: number] | null = [-1, -1]
  private seq: number
  /** Of the batch at `seq`, and how far it is dealt with. */
  private changes: Float64Array = new Float64Array(0)
  private changesDone = 0

  constructor(database: Database, index: SearchIndex) {
    this.index = index
    this.lastChange = database.query('SELECT ifnull(max(seq), 0) FROM search_change')
    this.behind = database.query(
      `SELECT ${COLUMNS} FROM coupon c INDEXED BY coupon_by_created JOIN coupon_definition d ON d.id = c.id
       WHERE (c.created_at, c.id) > (?, ?) ORDER BY c.created_at, c.id LIMIT ${SLICE_ROWS}`,
    )
    this.changesBehind = database.query('SELECT seq, entries FROM search_change WHERE seq > ? ORDER BY seq LIMIT 1')
    this.campaignsBehind = database.query(
      `SELECT ${CAMPAIGN_COLUMNS} FROM campaign c WHERE c.id > ? ORDER BY c.id LIMIT ${SLICE_ROWS}`,
    )
    this.campaignsById = database.query(
      `SELECT ${CAMPAIGN_COLUMNS} FROM json_each(?) j JOIN campaign c ON c.id = j.value`,
    )
    this.couponsById = database.query(
      `SELECT ${COLUMNS} FROM json_each(?) j JOIN coupon c ON c.id = j.value JOIN coupon_definition d ON d.id = c.id`,
    )
    this.seq = this.lastChange.first()?.[0] as number
  }

  get isLoaded(): boolean {
    return this.loadedTo === null
  }

  /** Puts one slice into the index; whether there was nothing more. Throws FeedBroken where changes are missing. */
  step(): boolean {
    if (this.campaignsTo !== null) this.loadCampaigns(this.campaignsTo)
    else if (this.loadedTo !== null) this.loadCoupons(this.loadedTo)
    else return this.follow()
    return false
  }

  private loadCampaigns(from: number): void {
    const rows = this.campaignsBehind.all(from)
    for (const row of rows) this.index.put(campaignEntry(row))
    this.campaignsTo = rows.length < SLICE_ROWS ? null : ((rows.at(-1) as SqlRow)[0] as number)
  }

  private loadCoupons(from: readonly [number, number]): void {
    const rows = this.behind.all(...from)
    for (const row of rows) this.index.put(couponEntry(row))
    const last = rows.at(-1)
    this.loadedTo = rows.length < SLICE_ROWS || last === undefined ? null : [last[1] as number, last[0] as number]
  }

  private follow(): boolean {
    if (this.changesDone === this.changes.length && !this.nextBatch()) return true
    const ids = [...this.changes.subarray(this.changesDone, this.changesDone + SLICE_ROWS)]
    this.changesDone += ids.length
    const campaigns = ids.filter((id) => isCampaign(withinShard(id)))
    if (campaigns.length < ids.length) {
      for (const row of this.couponsById.all(JSON.stringify(ids))) this.index.put(couponEntry(row))
    }
    if (campaigns.length > 0) {
      for (const row of this.campaignsById.all(JSON.stringify(campaigns))) this.index.put(campaignEntry(row))
    }
    return false
  }

  /** Whether there is one. */
  private nextBatch(): boolean {
    const row = this.changesBehind.first(this.seq)
    if (row === null) return false
    const [seq, entries] = row as [number, Uint8Array]
    if (seq > this.seq + 1) throw new FeedBroken('changes were thrown away before they were read')
    this.seq = seq
    this.changes = changedEntries(entries)
    this.changesDone = 0
    return true
  }
}

/** The index has to be made anew. */
export class FeedBroken extends Error {
  readonly code = 'FEED_BROKEN'
  override readonly name = 'FeedBroken'
}

function couponEntry(row: SqlRow): SearchEntry {
  const [id, createdAtMs, disabled] = row as [number, number, number]
  const { code, offer, category, merchantId, description, listed, maxUses, validFromMs, validUntilMs } = definitionOf(
    row[3] as Uint8Array,
  )
  return {
    id,
    createdAtMs,
    validFromMs,
    validUntilMs,
    type: offer?.type ?? null,
    category,
    merchant: merchantId,
    description,
    code,
    isListed: listed,
    isDisabled: disabled === 1,
    maxUses,
  }
}

/** Its name is its text. It is never REDEEMED, however few uses it has. */
function campaignEntry(row: SqlRow): SearchEntry {
  const [id, createdAtMs, disabled] = row as [number, number, number]
  const { name, offer, merchantId, listed, maxUses, validFromMs, validUntilMs } = campaignOf(row[3] as Uint8Array)
  return {
    id,
    createdAtMs,
    validFromMs,
    validUntilMs,
    type: offer.type,
    category: null,
    merchant: merchantId,
    description: name,
    code: null,
    isListed: listed,
    isDisabled: disabled === 1,
    maxUses: maxUses === null ? null : Math.max(2, maxUses),
  }
}
