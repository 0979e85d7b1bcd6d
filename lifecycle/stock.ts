/**
 * Stock: what is left of everything with a limit, counted along the log, and the two moments that somebody wants to hear of:
 * nearly gone, and gone. Uses of coupons and campaigns, and the budgets of campaigns.
 *
 *     left    100 % ────────── 10 % ────────── 0        (a campaign says its own share)
 *     told                       LOW_STOCK       EXHAUSTED
 *     told again               above twice that  above 0      (uses came back, or the limit was raised)
 *
 * Reservations are not counted: they come back within the hour. A coupon for one use is a ticket and no stock, and nobody is
 * told when it is used; it counts for its campaign where it has one. Rows are read when they are first used, and kept for a
 * while; a code made in bulk has no row, only its batch.
 */
import { Batches } from './batches.ts'
import { LOW_STOCK_PPM, STOCKS_CACHED } from './limits.ts'
import type { FeedEventType } from '../gateway/events/event-feed.ts'
import { quoted } from '../gateway/json/json-text.ts'
import type { CampaignDefinition } from '../protocol/campaign.ts'
import type { CouponDefinition } from '../protocol/coupon.ts'
import { formatId } from '../protocol/ids.ts'
import { campaignIndex, campaignOrdinal, isBulk, isCampaign } from '../protocol/ordinals.ts'
import type { Database, Sql } from '../readmodel/database.ts'

/** What was told already: of uses, and the same two bits further up of the budget. */
const TOLD_LOW = 1
const TOLD_EXHAUSTED = 2
const OF_BUDGET = 2

/** Ordinals are below 2^31. */
const ORDINALS = 2 ** 31
const PPM = 1_000_000

interface Stock {
  readonly id: number
  uses: number
  /** 0: unlimited, or a single use. */
  max: number
  told: number
  /** The code, or the name of the campaign. */
  readonly name: string
  lowPpm: number
  /** 0: none. */
  budget: number
  spent: number
  /** Ordinal of its campaign, on the same shard; -1: none here. */
  readonly campaign: number
  isChanged: boolean
}

export type TellStock = (type: FeedEventType, membersJson: string) => void

export class Stocks {
  readonly batches: Batches
  private readonly select: Sql
  private readonly put: Sql
  private readonly tell: TellStock
  /** null: no row. */
  private readonly cached = new Map<number, Stock | null>()
  private readonly changed: Stock[] = []

  constructor(database: Database, tell: TellStock) {
    this.tell = tell
    this.batches = new Batches(database)
    this.select = database.query(
      'SELECT uses, max, told, name, low_ppm, budget, spent, campaign FROM stock WHERE id = ?',
    )
    this.put = database.sql(
      `INSERT INTO stock VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET uses = excluded.uses,
         max = excluded.max, told = excluded.told, low_ppm = excluded.low_ppm, budget = excluded.budget,
         spent = excluded.spent`,
    )
  }

  /** A coupon is made or changed. `uses`: what another system has counted before. */
  coupon(shard: number, ordinal: number, { code, maxUses, campaign }: CouponDefinition, uses: number): void {
    if (isBulk(ordinal)) return
    const max = maxUses === null || maxUses < 2 ? 0 : maxUses
    const at = campaign !== null && campaign.shard === shard ? campaignOrdinal(campaign.index) : -1
    const fresh = { uses, max, name: code, lowPpm: LOW_STOCK_PPM, budget: 0, campaign: at }
    this.define(shard, ordinal, fresh, max > 0 || at >= 0)
  }

  campaign(shard: number, index: number, { name, maxUses, budgetMinor, lowStockPpm }: CampaignDefinition): void {
    const fresh = { uses: 0, max: maxUses ?? 0, name, lowPpm: lowStockPpm, budget: budgetMinor ?? 0, campaign: -1 }
    this.define(shard, campaignOrdinal(index), fresh, true)
  }

  /** Uses more, or fewer where it is negative, of a coupon and of its campaign. */
  use(shard: number, ordinal: number, uses: number): void {
    const stock = this.stockOf(shard, ordinal)
    if (stock !== null) this.count(stock, shard, ordinal, uses, 0)
    const campaign = this.campaignOf(shard, ordinal, stock)
    const shared = campaign < 0 ? null : this.stockOf(shard, campaign)
    if (shared !== null) this.count(shared, shard, campaign, uses, 0)
  }

  /** Whether a redemption of it takes from a budget here. */
  hasBudget(shard: number, ordinal: number): boolean {
    const at = this.budgetOf(shard, ordinal)
    return at >= 0 && (this.stockOf(shard, at)?.budget ?? 0) > 0
  }

  /** What it gave comes out of its campaign's budget, or back where it is negative. */
  spend(shard: number, ordinal: number, amountMinor: number): void {
    const at = this.budgetOf(shard, ordinal)
    const stock = at < 0 ? null : this.stockOf(shard, at)
    if (stock !== null) this.count(stock, shard, at, 0, amountMinor)
  }

  /** Code or name, where it is known. */
  nameOf(shard: number, ordinal: number): string | null {
    return this.stockOf(shard, ordinal)?.name ?? null
  }

  /** Writes what changed; part of the caller's transaction. */
  write(): void {
    for (const stock of this.changed) {
      const { id, uses, max, told, name, lowPpm, budget, spent, campaign } = stock
      stock.isChanged = false
      this.put.run(id, uses, max, told, name, lowPpm, budget, spent, campaign)
    }
    this.changed.length = 0
    if (this.cached.size > STOCKS_CACHED) this.cached.clear()
  }

  private define(
    shard: number,
    ordinal: number,
    fresh: Pick<Stock, 'uses' | 'max' | 'name' | 'lowPpm' | 'budget' | 'campaign'>,
    isStock: boolean,
  ): void {
    const stock = this.stockOf(shard, ordinal)
    if (stock === null) {
      if (isStock) this.change({ ...fresh, id: shard * ORDINALS + ordinal, told: 0, spent: 0, isChanged: false })
      return
    }
    stock.max = fresh.max
    stock.lowPpm = fresh.lowPpm
    stock.budget = fresh.budget
    this.count(stock, shard, ordinal, 0, 0)
  }

  private count(stock: Stock, shard: number, ordinal: number, uses: number, spent: number): void {
    stock.uses = Math.max(0, stock.uses + uses)
    stock.spent = Math.max(0, stock.spent + spent)
    this.change(stock)
    const { max, budget } = stock
    if (max > 0) {
      this.judge(stock, shard, ordinal, 0, stock.uses, max, `"uses":${stock.uses},"maxUses":${max}`)
    }
    if (budget > 0) {
      const figures = `"discountTotal":${stock.spent},"budget":${budget}`
      this.judge(stock, shard, ordinal, OF_BUDGET, stock.spent, budget, figures)
    }
  }

  private judge(
    stock: Stock,
    shard: number,
    ordinal: number,
    bits: number,
    taken: number,
    limit: number,
    figures: string,
  ): void {
    const low = TOLD_LOW << bits
    const exhausted = TOLD_EXHAUSTED << bits
    const left = limit - taken
    const lowAt = Math.floor((limit * stock.lowPpm) / PPM)
    if (left > 0) stock.told &= ~exhausted
    if (left > 2 * lowAt) stock.told &= ~low
    if (left <= 0 && (stock.told & exhausted) === 0) {
      stock.told |= low | exhausted
      this.tell('EXHAUSTED', `${namedText(shard, ordinal, stock.name)},${figures}`)
    } else if (left > 0 && left <= lowAt && (stock.told & low) === 0) {
      stock.told |= low
      this.tell('LOW_STOCK', `${namedText(shard, ordinal, stock.name)},${figures}`)
    }
  }

  private change(stock: Stock): void {
    this.cached.set(stock.id, stock)
    if (stock.isChanged) return
    stock.isChanged = true
    this.changed.push(stock)
  }

  /** The campaign whose budget it takes from, itself or its own; -1: none here. */
  private budgetOf(shard: number, ordinal: number): number {
    if (isCampaign(ordinal)) return ordinal
    return this.campaignOf(shard, ordinal, isBulk(ordinal) ? null : this.stockOf(shard, ordinal))
  }

  private campaignOf(shard: number, ordinal: number, stock: Stock | null): number {
    if (isBulk(ordinal)) return this.batches.campaignOf(shard, ordinal)
    return stock?.campaign ?? -1
  }

  private stockOf(shard: number, ordinal: number): Stock | null {
    if (isBulk(ordinal)) return null
    const id = shard * ORDINALS + ordinal
    const cached = this.cached.get(id)
    if (cached !== undefined) return cached
    const stock = stockOfRow(id, this.select.first(id))
    this.cached.set(id, stock)
    return stock
  }
}

function stockOfRow(id: number, row: readonly unknown[] | null): Stock | null {
  if (row === null) return null
  const [uses, max, told, name, lowPpm, budget, spent, campaign] = row as [
    number,
    number,
    number,
    string,
    number,
    number,
    number,
    number,
  ]
  return { id, uses, max, told, name, lowPpm, budget, spent, campaign, isChanged: false }
}

/** Members that name a coupon or a campaign; `name` null: not known. */
export function namedText(shard: number, ordinal: number, name: string | null): string {
  if (isCampaign(ordinal)) {
    const named = name === null ? '' : `,"name":${quoted(name)}`
    return `"campaignId":"${formatId('cmp_', shard, campaignIndex(ordinal))}"${named}`
  }
  const named = name === null ? '' : `,"code":${quoted(name)}`
  return `"couponId":"${formatId('cpn_', shard, ordinal)}"${named}`
}
