/**
 * Ordinals: one number space a shard for everything that has a limit on uses, so that one table, one hold and one judgement
 * serve them all.
 *
 *     0 …          coupons that were made one by one: a row each, wide
 *     2^29 …       campaigns: the limits over all their codes
 *     2^30 …       codes made in bulk: a few bytes each, in the order in which they were made
 *
 * A campaign is a limit and no coupon: it has no code, and nobody redeems it alone.
 */

export const CAMPAIGN_ORDINALS = 2 ** 29
export const BULK_ORDINALS = 2 ** 30
/** Ordinals are int32 wherever they are stored. */
export const ORDINALS_END = 2 ** 31 - 1

export function isCampaign(ordinal: number): boolean {
  return ordinal >= CAMPAIGN_ORDINALS && ordinal < BULK_ORDINALS
}

export function isBulk(ordinal: number): boolean {
  return ordinal >= BULK_ORDINALS
}

export function campaignOrdinal(index: number): number {
  return CAMPAIGN_ORDINALS + index
}

export function campaignIndex(ordinal: number): number {
  return ordinal - CAMPAIGN_ORDINALS
}
