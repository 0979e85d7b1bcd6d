/**
 * The contract of campaigns, pools and claims as a program, beside what NaiveModel says of coupons: counted anew from lists
 * whenever somebody asks. Which of the free coupons a claim gets is left open by the contract; the model checks that the one
 * that was handed out is free.
 */
import type { CampaignDefinition } from '../../../protocol/campaign.ts'
import type { CouponDefinition } from '../../../protocol/coupon.ts'
import { BULK_ORDINALS } from '../../../protocol/ordinals.ts'
import { naiveDay, ZONES } from '../support/zones.ts'
import {
  endOf,
  hasEnded,
  type ModelAnswer,
  type ModelCampaign,
  type ModelCoupon,
  type ModelReservation,
} from './model-facts.ts'
import { NaiveModel, refuse } from './naive-model.ts'

export type CampaignAnswer = ModelAnswer | { readonly kind: 'CAMPAIGN'; readonly campaign: ModelCampaign }

export class CampaignModel extends NaiveModel {
  createCampaign(definition: CampaignDefinition, nowMs: number): CampaignAnswer {
    const campaign: ModelCampaign = {
      index: this.campaigns.length,
      definition,
      disabled: false,
      version: 1,
      createdAtMs: nowMs,
      updatedAtMs: nowMs,
      userLimitSince: this.tick,
    }
    this.campaigns.push(campaign)
    return { kind: 'CAMPAIGN', campaign }
  }

  getCampaign(index: number): CampaignAnswer {
    const campaign = this.campaigns[index]
    return campaign === undefined ? refuse('CAMPAIGN_NOT_FOUND') : { kind: 'CAMPAIGN', campaign }
  }

  switchCampaign(index: number, enabled: boolean, nowMs: number): CampaignAnswer {
    const campaign = this.campaigns[index]
    if (campaign === undefined) return refuse('CAMPAIGN_NOT_FOUND')
    if (campaign.disabled === enabled) {
      campaign.disabled = !enabled
      this.touch(campaign, nowMs)
    }
    return { kind: 'CAMPAIGN', campaign }
  }

  patchCampaign(index: number, definition: CampaignDefinition, ifVersion: number, nowMs: number): CampaignAnswer {
    const campaign = this.campaigns[index]
    if (campaign === undefined) return refuse('CAMPAIGN_NOT_FOUND')
    if (campaign.version !== ifVersion) return refuse('VERSION_CONFLICT')
    const { maxUses, budgetMinor } = definition
    if (maxUses !== null && maxUses < this.uses(campaign) + this.reserved(campaign, nowMs)) {
      return refuse('INVALID_TRANSITION')
    }
    if (budgetMinor !== null && budgetMinor < this.spent(campaign) + this.heldOf(campaign, null, nowMs)) {
      return refuse('INVALID_TRANSITION')
    }
    if (campaign.definition.maxUsesPerUser === null && definition.maxUsesPerUser !== null) {
      campaign.userLimitSince = this.tick
    }
    const open = this.openOn(campaign, nowMs)
    campaign.definition = definition
    for (const reservation of open) {
      if (hasEnded(campaign, nowMs)) reservation.state = 'ENDED'
      else reservation.expiresAtMs = Math.min(reservation.expiresAtMs, ...reservation.coupons.map(endOf))
    }
    this.touch(campaign, nowMs)
    return { kind: 'CAMPAIGN', campaign }
  }

  /** The next code of a job. */
  make(definition: CouponDefinition, bulk: 'POOL' | 'EXPORTED', nowMs: number): ModelCoupon {
    if (this.coupons.some((one) => one.definition.code === definition.code)) {
      throw new Error(`the code ${definition.code} was made twice`)
    }
    const coupon: ModelCoupon = {
      ordinal: BULK_ORDINALS + this.madeInBulk().length,
      definition,
      campaign: this.campaigns[definition.campaign?.index ?? -1] as ModelCampaign,
      bulk,
      disabled: false,
      version: 1,
      createdAtMs: nowMs,
      updatedAtMs: nowMs,
      userLimitSince: this.tick,
    }
    this.coupons.push(coupon)
    return coupon
  }

  madeInBulk(): ModelCoupon[] {
    return this.coupons.filter((one) => one.bulk !== null)
  }

  /** The coupons that a claim may hand out at this moment. */
  free(campaign: ModelCampaign, nowMs: number): ModelCoupon[] {
    return this.coupons.filter(
      (one) => isOfPool(one, campaign) && !one.disabled && this.uses(one) === 0 && this.reserved(one, nowMs) === 0,
    )
  }

  /** `handed`: what the engine handed out, where it did. */
  claim(index: number, user: string, handed: number | null, nowMs: number): CampaignAnswer {
    const campaign = this.campaigns[index]
    if (campaign === undefined) return refuse('CAMPAIGN_NOT_FOUND')
    const open = this.openClaim(campaign, user, nowMs)
    if (open !== null) return { kind: 'RESERVATION', again: true, reservation: open }
    const refusal = this.claimRefusal(campaign, user, nowMs)
    if (refusal !== null) return refusal
    const free = this.free(campaign, nowMs)
    if (free.length === 0) {
      const isHeld = this.openOn(campaign, nowMs).length > 0
      const retryAfterMs = isHeld ? this.firstBackMs(campaign, nowMs) - nowMs : 0
      return { kind: 'REFUSED', refusal: 'POOL_EMPTY', retryAfterMs }
    }
    const coupon = free.find(({ ordinal }) => ordinal === handed)
    if (coupon === undefined) throw new Error(`a claim was handed ${handed}, which is not free`)
    const reservation: ModelReservation = {
      seq: 0,
      tick: this.tick,
      user,
      order: null,
      coupons: [coupon],
      startedAtMs: nowMs,
      expiresAtMs: Math.min(nowMs + campaign.definition.lockSeconds * 1000, endOf(coupon)),
      cart: null,
      price: null,
      state: 'OPEN',
      wasExtended: false,
    }
    this.reservations.push(reservation)
    this.takeDays([coupon], user, nowMs)
    return { kind: 'RESERVATION', again: false, reservation }
  }

  statusOfCampaign(campaign: ModelCampaign, nowMs: number): string {
    const { maxUses, validFromMs } = campaign.definition
    if (campaign.disabled) return 'DISABLED'
    if (hasEnded(campaign, nowMs)) return 'EXPIRED'
    if (maxUses !== null && this.uses(campaign) >= maxUses) return 'EXHAUSTED'
    return nowMs < (validFromMs ?? 0) ? 'SCHEDULED' : 'ACTIVE'
  }

  /** The next local midnight of a campaign. */
  midnight(index: number, nowMs: number): number {
    const name = this.campaigns[index]?.definition.timezone
    const zone = ZONES.find((one) => one.name === name)
    return zone === undefined ? nowMs : naiveDay(zone, nowMs).endMs
  }

  private openClaim(campaign: ModelCampaign, user: string, nowMs: number): ModelReservation | null {
    const found = this.openOn(campaign, nowMs).filter(
      ({ user: whose, order, coupons }) =>
        whose === user && order === null && coupons.length === 1 && isOfPool(coupons[0] as ModelCoupon, campaign),
    )
    return found[found.length - 1] ?? null
  }

  private claimRefusal(campaign: ModelCampaign, user: string, nowMs: number): CampaignAnswer | null {
    const { validFromMs } = campaign.definition
    if (campaign.disabled) return refuse('COUPON_DISABLED')
    if (nowMs < (validFromMs ?? 0)) {
      return { kind: 'REFUSED', refusal: 'COUPON_NOT_STARTED', retryAfterMs: (validFromMs ?? 0) - nowMs }
    }
    if (hasEnded(campaign, nowMs)) return refuse('COUPON_EXPIRED')
    if (this.isBeyondDay(campaign, user, 0, nowMs)) {
      const retryAfterMs = this.midnight(campaign.index, nowMs) - nowMs
      return { kind: 'REFUSED', refusal: 'DAILY_LIMIT_REACHED', retryAfterMs }
    }
    if (this.isBeyondUser(campaign, user, 0, nowMs)) return refuse('USER_LIMIT_REACHED')
    const ofUses = this.campaignRefusal(campaign, 0, nowMs)
    if (ofUses === null) return null
    const retryAfterMs = ofUses === 'COUPON_LOCKED' ? this.firstBackMs(campaign, nowMs) - nowMs : 0
    return { kind: 'REFUSED', refusal: ofUses, retryAfterMs }
  }
}

/** Made for the pool, for nobody in particular, and without a window that somebody gave it. */
function isOfPool(coupon: ModelCoupon, campaign: ModelCampaign): boolean {
  const { userId, validFromMs, validUntilMs } = coupon.definition
  const isBound = userId !== null || validFromMs !== null || validUntilMs !== null
  return coupon.bulk === 'POOL' && coupon.campaign === campaign && !isBound
}
