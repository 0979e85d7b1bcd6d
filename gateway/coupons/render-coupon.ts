/**
 * A coupon as its owners see it: definition, state and counters of one moment.
 */
import { definitionJson } from './coupon-json.ts'
import { timeText } from '../json/json-text.ts'
import { formatId } from '../../protocol/ids.ts'
import type { CampaignOutcome, CouponOutcome } from '../../protocol/outcomes.ts'

export function couponText(shard: number, outcome: CouponOutcome): string {
  return JSON.stringify({
    couponId: formatId('cpn_', shard, outcome.ordinal),
    ...definitionJson(outcome.definition),
    status: outcome.status,
    uses: outcome.uses,
    reserved: outcome.reserved,
    remaining: remainingUses(outcome),
    ...(outcome.lock === null
      ? {}
      : { lockedBy: outcome.lock.userId, lockExpiresAt: timeText(outcome.lock.expiresAtMs) }),
    version: outcome.version,
    createdAt: timeText(outcome.createdAtMs),
    updatedAt: timeText(outcome.updatedAtMs),
  })
}

/** null: unlimited. */
export function remainingUses(outcome: CouponOutcome | CampaignOutcome): number | null {
  const { maxUses } = outcome.definition
  return maxUses === null ? null : maxUses - outcome.uses - outcome.reserved
}
