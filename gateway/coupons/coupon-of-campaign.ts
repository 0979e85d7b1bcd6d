/**
 * A coupon and the campaign it takes its rules from, where the two have to be looked at together: a window that has to lie
 * within the campaign's, and a coupon that is shown whole although its campaign lives on another shard.
 */
import { BadField } from '../json/decode-fields.ts'
import { timeText } from '../json/json-text.ts'
import type { CampaignDefinition } from '../../protocol/campaign.ts'
import type { CampaignRef, CouponDefinition } from '../../protocol/coupon.ts'
import type { CampaignOutcome, CouponOutcome, CouponStatus } from '../../protocol/outcomes.ts'

/** The campaign that has to be asked for the offer of this coupon; null: everything is here. */
export function campaignElsewhere({ definition }: CouponOutcome): CampaignRef | null {
  return definition.offer === null ? definition.campaign : null
}

/** The coupon as it would be shown if its campaign were on its shard. `nowMs`: when it was judged there. */
export function withCampaign(coupon: CouponOutcome, campaign: CampaignOutcome, nowMs: number): CouponOutcome {
  return {
    ...coupon,
    status: statusWithin(coupon.status, campaign.status === 'DISABLED', campaign.definition, nowMs),
    definition: { ...coupon.definition, offer: campaign.definition.offer },
  }
}

/** The first that holds of either, in the order of the contract. A campaign without uses left ends no coupon. */
export function statusWithin(
  own: CouponStatus,
  isCampaignDisabled: boolean,
  { validFromMs, validUntilMs }: Window,
  nowMs: number,
): CouponStatus {
  if (own === 'DISABLED' || isCampaignDisabled) return 'DISABLED'
  if (own === 'EXPIRED' || (validUntilMs !== null && validUntilMs <= nowMs)) return 'EXPIRED'
  if (own === 'REDEEMED' || own === 'EXHAUSTED') return own
  return validFromMs !== null && validFromMs > nowMs ? 'SCHEDULED' : own
}

type Window = Pick<CouponDefinition, 'validFromMs' | 'validUntilMs'>

/** Refuses a window that its campaign does not have. Without one of its own, a coupon has the campaign's. */
export function refuseWindowBeyond({ validFromMs, validUntilMs }: Window, campaign: CampaignDefinition): void {
  refuseMoment('/validFrom', validFromMs, campaign)
  refuseMoment('/validUntil', validUntilMs, campaign)
}

function refuseMoment(pointer: string, atMs: number | null, { validFromMs, validUntilMs }: CampaignDefinition): void {
  if (atMs === null) return
  if (validFromMs !== null && atMs < validFromMs) {
    throw new BadField(pointer, `lies before the campaign begins, at ${timeText(validFromMs)}`)
  }
  if (validUntilMs !== null && atMs > validUntilMs) {
    throw new BadField(pointer, `lies behind the end of the campaign, at ${timeText(validUntilMs)}`)
  }
}
