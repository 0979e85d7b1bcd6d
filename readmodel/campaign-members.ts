/**
 * Which campaign a coupon belongs to, as far as both live on one shard: of coupons made one by one a row each, of codes made
 * in bulk a row a job, because codes of one job follow each other.
 *
 *     coupon_campaign    coupon → campaign, for redemptions; campaign → its coupons, for lists
 *     code_job           the first ordinal of a job's codes and their campaign, 0 for none: they reach up to the next job's
 *
 * A redemption counts for a campaign on that campaign's shard, which knows of it whether the coupon lives there or not.
 */
import type { Database, Sql } from './database.ts'
import { couponNumber, placeOf, shardOf } from './list-keys.ts'
import { campaignOrdinal, isBulk, isCampaign } from '../protocol/ordinals.ts'
import type { CampaignRef, CouponDefinition } from '../protocol/coupon.ts'

/** No campaign has this number: ordinals of campaigns are large. */
const NONE = 0
/** Coupons whose campaign is kept in memory; beyond, all are looked up anew. */
const KEPT_MAX = 65_536

/** The codes of one job: from this ordinal on. */
interface Stretch {
  readonly firstOrdinal: number
  readonly campaign: number
}

export function campaignNumber({ shard, index }: CampaignRef): number {
  return couponNumber(shard, campaignOrdinal(index))
}

export class CampaignMembers {
  private readonly insert: Sql
  private readonly select: Sql
  private readonly begin: Sql
  private readonly reach: Sql
  /** Of coupons that were redeemed lately; NONE: of no campaign. */
  private readonly kept = new Map<number, number>()
  /** Of each shard, in the order of their ordinals. */
  private readonly stretches = new Map<number, Stretch[]>()
  /** Jobs whose first codes have not been made, by place. */
  private readonly waiting = new Map<number, number>()
  private readonly isEmpty: Sql
  private hasCoupons: boolean

  constructor(database: Database) {
    this.insert = database.sql('INSERT INTO coupon_campaign VALUES (?, ?, ?)')
    this.select = database.query('SELECT campaign FROM coupon_campaign WHERE id = ?')
    this.begin = database.sql('INSERT INTO code_job VALUES (?, ?, NULL)')
    this.reach = database.sql('UPDATE code_job SET first_ordinal = ? WHERE place = ?')
    this.isEmpty = database.query('SELECT 1 FROM coupon_campaign LIMIT 1')
    this.hasCoupons = this.isEmpty.first() !== null
    const jobs = database.query('SELECT place, campaign, first_ordinal FROM code_job ORDER BY first_ordinal').all()
    for (const [place, campaign, firstOrdinal] of jobs as [number, number, number | null][]) {
      if (firstOrdinal === null) this.waiting.set(place, campaign)
      else this.stretchesOf(shardOf(place)).push({ firstOrdinal, campaign })
    }
  }

  /** A coupon was made. */
  join(id: number, atMs: number, { campaign }: CouponDefinition): void {
    if (campaign === null) return
    const number = campaignNumber(campaign)
    this.insert.run(id, number, atMs)
    this.hasCoupons = true
    this.kept.set(id, number)
  }

  /** A job was started that makes codes. */
  startJob(shard: number, seq: number, { campaign }: CouponDefinition): void {
    const place = placeOf(shard, seq)
    const number = campaign === null ? NONE : campaignNumber(campaign)
    this.begin.run(place, number)
    this.waiting.set(place, number)
  }

  /** Codes of a job were made, from this ordinal on. */
  codesMade(shard: number, jobSeq: number, firstOrdinal: number): void {
    const place = placeOf(shard, jobSeq)
    const campaign = this.waiting.get(place)
    if (campaign === undefined) return
    this.waiting.delete(place)
    this.reach.run(firstOrdinal, place)
    this.stretchesOf(shard).push({ firstOrdinal, campaign })
  }

  /** The campaigns of this shard that a use of these counts for, each once. */
  campaignsOf(shard: number, ordinals: readonly number[]): readonly number[] {
    const found: number[] = []
    for (let i = 0; i < ordinals.length; i++) {
      const campaign = this.campaignOf(shard, ordinals[i] as number)
      if (campaign !== NONE && shardOf(campaign) === shard && !found.includes(campaign)) found.push(campaign)
    }
    return found
  }

  private campaignOf(shard: number, ordinal: number): number {
    if (isCampaign(ordinal)) return couponNumber(shard, ordinal)
    if (isBulk(ordinal)) return this.campaignOfCode(shard, ordinal)
    return this.hasCoupons ? this.campaignOfCoupon(couponNumber(shard, ordinal)) : NONE
  }

  private campaignOfCoupon(id: number): number {
    const known = this.kept.get(id)
    if (known !== undefined) return known
    const [campaign] = this.select.first(id) ?? [NONE]
    if (this.kept.size >= KEPT_MAX) this.kept.clear()
    this.kept.set(id, campaign as number)
    return campaign as number
  }

  private campaignOfCode(shard: number, ordinal: number): number {
    const stretches = this.stretchesOf(shard)
    let low = 0
    let high = stretches.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((stretches[middle] as Stretch).firstOrdinal <= ordinal) low = middle + 1
      else high = middle
    }
    return low === 0 ? NONE : (stretches[low - 1] as Stretch).campaign
  }

  private stretchesOf(shard: number): Stretch[] {
    let stretches = this.stretches.get(shard)
    if (stretches === undefined) {
      stretches = []
      this.stretches.set(shard, stretches)
    }
    return stretches
  }
}
