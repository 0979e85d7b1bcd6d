/**
 * Lists of campaigns, and of the coupons of one: places only, their shards show them.
 */
import type { Database, Sql } from './database.ts'
import { shardOf, withinShard } from './list-keys.ts'
import type { CouponName, Listed, PageEnd, PageRange } from '../gateway/lists/read-model.ts'
import type { CampaignRef } from '../protocol/coupon.ts'
import { campaignIndex } from '../protocol/ordinals.ts'
import { campaignNumber } from './campaign-members.ts'

type Page<Item> = Omit<Listed<Item>, 'lagMs'>

/** Behind every time there is. */
const NEWEST: PageEnd = [Number.MAX_SAFE_INTEGER, 0]

export class CampaignList {
  private readonly campaignsBefore: Sql
  private readonly couponsBefore: Sql

  constructor(database: Database) {
    this.campaignsBefore = database.query(
      'SELECT created_at, id FROM campaign WHERE (created_at, id) < (?, ?) ORDER BY created_at DESC, id DESC LIMIT ?',
    )
    this.couponsBefore = database.query(
      `SELECT created_at, id FROM coupon_campaign WHERE campaign = ? AND (created_at, id) < (?, ?)
       ORDER BY created_at DESC, id DESC LIMIT ?`,
    )
  }

  campaigns({ limit, after }: PageRange): Page<CampaignRef> {
    const rows = this.campaignsBefore.all(...(after ?? NEWEST), limit + 1) as [number, number][]
    return pageOf(rows, limit, (id) => ({ shard: shardOf(id), index: campaignIndex(withinShard(id)) }))
  }

  coupons(campaign: CampaignRef, { limit, after }: PageRange): Page<CouponName> {
    const rows = this.couponsBefore.all(campaignNumber(campaign), ...(after ?? NEWEST), limit + 1) as [number, number][]
    return pageOf(rows, limit, (id) => ({ shard: shardOf(id), ordinal: withinShard(id) }))
  }
}

function pageOf<Item>(rows: readonly [number, number][], limit: number, item: (id: number) => Item): Page<Item> {
  const shown = rows.slice(0, limit)
  return { items: shown.map(([, id]) => item(id)), next: rows.length > limit ? (shown.at(-1) ?? null) : null }
}
