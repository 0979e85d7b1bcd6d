/**
 * The port to the read model: lists and histories, which no shard could answer alone. Whoever stands behind it follows the
 * log at a distance; every answer says how far behind it is. No decision is ever made from it.
 *
 * Coupons come from it whole. Redemptions and reservations come as places only: their shards show them, exactly as they
 * show them to whoever asks by id.
 */
import type { CampaignRef } from '../../protocol/coupon.ts'
import type { CouponStatus } from '../../protocol/outcomes.ts'

/** Where a page goes on: what its list is ordered by, and what tells equals apart. */
export type PageEnd = readonly [number, number]

export interface PageRange {
  /** At least 1. */
  readonly limit: number
  /** The page begins behind it; null: at the beginning. */
  readonly after: PageEnd | null
}

export interface Listed<Item> {
  readonly items: readonly Item[]
  /** null: there is nothing more. */
  readonly next: PageEnd | null
  /** How long before the request the moment lies that the answer shows; 0: it shows the request's. */
  readonly lagMs: number
}

/** null: any. */
export interface CouponFilter {
  readonly status: CouponStatus | null
  readonly type: string | null
  readonly category: string | null
  readonly merchantId: string | null
  readonly userId: string | null
  /** Exclusive. With either of these, coupons come in the order of their end, otherwise the newest first. */
  readonly expiresBeforeMs: number | null
  readonly expiresAfterMs: number | null
}

export interface CouponName {
  readonly shard: number
  readonly ordinal: number
}

export interface RedemptionFilter {
  /** Alone only: places of a campaign are in no order with those of a user. */
  readonly campaign: CampaignRef | null
  readonly coupon: CouponName | null
  readonly userId: string | null
  readonly orderId: string | null
  /** Inclusive. */
  readonly fromMs: number | null
  /** Exclusive. */
  readonly toMs: number | null
}

export interface ReservationFilter {
  readonly coupon: CouponName | null
  readonly userId: string | null
}

/** A redemption or reservation: where the event lies that began it. */
export interface Place {
  readonly shard: number
  readonly seq: number
}

/** An event of a coupon's life. */
export interface HistoryItem {
  readonly seq: number
  readonly atMs: number
  /** JSON members of the event, without braces: `"type":…,…`. null: a redemption, which its shard tells. */
  readonly membersJson: string | null
}

export interface ReadModel {
  /** JSON texts of coupons, as `GET /coupons/{coupon}` has them. */
  coupons(filter: CouponFilter, range: PageRange): Promise<Listed<string>>
  /** Newest first. */
  campaigns(range: PageRange): Promise<Listed<CampaignRef>>
  /** Newest first. Codes made in bulk are not among them. */
  couponsOfCampaign(campaign: CampaignRef, range: PageRange): Promise<Listed<CouponName>>
  /** Oldest first. */
  history(coupon: CouponName, range: PageRange): Promise<Listed<HistoryItem>>
  /** Newest first. */
  redemptions(filter: RedemptionFilter, range: PageRange): Promise<Listed<Place>>
  /** Newest first. */
  reservations(filter: ReservationFilter, range: PageRange): Promise<Listed<Place>>
  /** How far behind the log it is now; null: not known, because it does not run. */
  lagMs(): number | null
}

/** The read model cannot answer now; it will be back. */
export class ReadModelUnavailable extends Error {
  readonly code = 'READ_MODEL_UNAVAILABLE'
  readonly retryable = true
  override readonly name = 'ReadModelUnavailable'
}
