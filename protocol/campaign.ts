/**
 * A campaign's definition: what people decide about many coupons at once. Counters are state and never stand here.
 *
 * The byte form goes into events. It is positional and versioned by one leading byte, like a coupon's (`coupon.ts`).
 */
import { assert } from './assert.ts'
import type { ByteReader, ByteWriter } from './bytes.ts'
import { readOffer, writeOffer } from './coupon.ts'
import { type DailyLimit, readDailyLimit, writeDailyLimit } from './daily-limit.ts'
import type { Offer } from '../engine/domain/offer.ts'

export interface CampaignDefinition {
  readonly name: string
  /** Of all its unredeemed codes, from the instant of a change on. Its currency is the budget's. */
  readonly offer: Offer
  readonly merchantId: string | null
  readonly listed: boolean
  /** Inclusive; null: since ever. */
  readonly validFromMs: number | null
  /** Exclusive; null: for ever. */
  readonly validUntilMs: number | null
  /** IANA name: where its days begin. */
  readonly timezone: string
  /** Uses of all its codes together; null: unlimited. */
  readonly maxUses: number | null
  /** Uses of one user, over all its codes. */
  readonly maxUsesPerUser: number | null
  /** The sum of all discounts never exceeds it; null: unlimited. */
  readonly budgetMinor: number | null
  readonly dailyLimit: DailyLimit | null
  /** How long a claimed coupon is kept for its user. */
  readonly lockSeconds: number
  /** Share of a limit that is left when operators are told, in millionths. */
  readonly lowStockPpm: number
}

const LAYOUT = 1

export function writeCampaign(w: ByteWriter, campaign: CampaignDefinition): void {
  w.u8(LAYOUT)
  w.text(campaign.name)
  writeOffer(w, campaign.offer)
  w.maybeText(campaign.merchantId)
  w.u8(campaign.listed ? 1 : 0)
  w.maybeVarint(campaign.validFromMs)
  w.maybeVarint(campaign.validUntilMs)
  w.text(campaign.timezone)
  w.maybeVarint(campaign.maxUses)
  w.maybeVarint(campaign.maxUsesPerUser)
  w.maybeVarint(campaign.budgetMinor)
  writeDailyLimit(w, campaign.dailyLimit)
  w.varint(campaign.lockSeconds)
  w.varint(campaign.lowStockPpm)
}

export function readCampaign(r: ByteReader): CampaignDefinition {
  const layout = r.u8()
  assert(layout === LAYOUT, `campaign layout ${layout} is newer than this program`)
  return {
    name: r.text(),
    offer: readOffer(r),
    merchantId: r.maybeText(),
    listed: r.u8() === 1,
    validFromMs: r.maybeVarint(),
    validUntilMs: r.maybeVarint(),
    timezone: r.text(),
    maxUses: r.maybeVarint(),
    maxUsesPerUser: r.maybeVarint(),
    budgetMinor: r.maybeVarint(),
    dailyLimit: readDailyLimit(r),
    lockSeconds: r.varint(),
    lowStockPpm: r.varint(),
  }
}
