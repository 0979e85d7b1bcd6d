// The same on every shard: a campaign, a coupon, codes in bulk, redemptions. State grows evenly then, as it does under
// codes and users that come from everywhere, and the largest shard says as much as all of them.

import { runChild } from '../children.ts'
import type { ColumnsInput, ColumnsResult } from '../load/columns.ts'
import { ENTRIES } from '../project.ts'
import { campaignOf, createCampaign, makeCodes } from '../server/campaigns.ts'
import { createCouponOnShard, EXPECTED_DISCOUNT_MINOR } from '../server/coupons.ts'
import { CODES_PER_JOB, COLUMNS_RUN_SECONDS_MAX } from '../sizes.ts'

/** Shards of a deployment unless it says otherwise. */
export const SHARDS = 16

/** A draw of one shard of sixteen fails so often once in a million million. */
const DRAWS_MAX = 450

/** Ids of campaigns, one on each shard, in no order. */
export async function campaignOnEachShard(baseUrl: string): Promise<readonly string[]> {
  // Two letters behind the prefix are the shard.
  const byShard = new Map<string, string>()
  for (let draw = 0; byShard.size < SHARDS; draw++) {
    if (draw > DRAWS_MAX) throw new Error('campaigns do not reach every shard')
    const campaignId = await createCampaign(baseUrl, { name: `campaign ${draw}` })
    byShard.set(campaignId.slice(4, 6), campaignId)
  }
  return [...byShard.values()]
}

/** So many codes evenly over the campaigns, in jobs of a bounded size; all are on disk when it settles. */
export async function makeCodesOfAll(baseUrl: string, campaigns: readonly string[], codes: number): Promise<void> {
  let left = codes
  for (let index = 0; left > 0; index++) {
    const turnsLeft = Math.max(1, campaigns.length - (index % campaigns.length))
    const count = Math.min(CODES_PER_JOB, Math.ceil(left / turnsLeft))
    await makeCodes(baseUrl, campaigns[index % campaigns.length] as string, count)
    left -= count
  }
}

/** Codes of all campaigns together, as the server counts them. */
export async function codesOfAll(baseUrl: string, campaigns: readonly string[]): Promise<number> {
  let codes = 0
  for (const campaignId of campaigns) codes += Number((await campaignOf(baseUrl, campaignId))['codes'])
  return codes
}

/** Codes of coupons of one use a user that begin with the prefix, one on each shard, in the order of the shards. */
export async function couponOnEachShard(baseUrl: string, prefix: string): Promise<readonly string[]> {
  const codes: string[] = []
  for (let shard = 0; shard < SHARDS; shard++) {
    codes.push(await createCouponOnShard(baseUrl, prefix + String.fromCharCode(65 + shard), shard))
  }
  return codes
}

/** Rows of each shard: those from one number to another, of so many that it gets in all. */
export interface RowsOfShard {
  readonly perShard: number
  readonly from: number
  readonly to: number
}

export interface FramesSize {
  readonly rowsPerFrame: number
  readonly framesInFlight: number
}

/** Redeems each shard's coupon, one shard after the other, for users that are new; how often. Throws when a row is refused. */
export async function redeemOnEachShard(
  port: number,
  codes: readonly string[],
  { perShard, from, to }: RowsOfShard,
  { rowsPerFrame, framesInFlight }: FramesSize,
): Promise<number> {
  let redeemed = 0
  for (const [shard, code] of codes.entries()) {
    const result = await runChild<ColumnsInput, ColumnsResult>(ENTRIES.columns, {
      port,
      code,
      seconds: COLUMNS_RUN_SECONDS_MAX,
      rowsPerFrame,
      rowsMax: to - from,
      framesInFlight,
      discountMinor: EXPECTED_DISCOUNT_MINOR,
      firstRow: shard * perShard + from,
    })
    if (result.firstProblem !== '') throw new Error(`columns: ${result.firstProblem}`)
    redeemed += result.redeemed
  }
  return redeemed
}
