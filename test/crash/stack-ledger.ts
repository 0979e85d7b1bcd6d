// What buyers of several coupons at once were told. As `ledger.ts`, but an entry is about all its coupons or about none.

import type { Facts, LogEnd } from './judge.ts'
import { Violation } from './ledger.ts'

export interface StackCoupon {
  readonly code: string
  readonly maxUses: number | null
  readonly maxUsesPerUser: number | null
  /** null: it stands alone. */
  readonly campaign: StackCampaign | null
}

/** Most of its codes live on other shards than it. */
export interface StackCampaign {
  readonly campaignId: string
  readonly maxUses: number | null
  readonly budget: number | null
}

export interface StackOrder {
  readonly coupons: readonly StackCoupon[]
  readonly userId: string
  readonly orderId: string
  readonly totalMinor: number
}

export interface StackRedemption extends StackOrder {
  readonly redemptionId: string
  /** What each of the coupons gave. */
  readonly discounts: readonly number[]
  /** Digest of the receipt as it stands now. */
  receipt: string
  /** null: it stands. */
  reversal: { readonly returnUse: boolean } | null
}

export interface StackReservation extends StackOrder {
  readonly reservationId: string
  expiresAtMs: number
  /** Whether a redemption needs no cart. */
  readonly isPriced: boolean
  state: 'OPEN' | 'RELEASED' | 'REDEEMED'
}

export class StackLedger {
  readonly coupons: StackCoupon[] = []
  readonly campaigns: StackCampaign[] = []
  private readonly discountOf = new Map<string, number>()
  readonly redemptions: StackRedemption[] = []
  readonly reservations: StackReservation[] = []
  private readonly usesOf = new Map<string, number>()
  private readonly usesOfUser = new Map<string, number>()
  private readonly orders = new Map<string, string>()
  private readonly open = new Set<StackReservation>()

  addRedemption(entry: StackRedemption): void {
    const earlier = this.orders.get(entry.orderId)
    if (earlier !== undefined && earlier !== entry.redemptionId) {
      throw new Violation(`order ${entry.orderId} was redeemed as ${earlier} and again as ${entry.redemptionId}`)
    }
    if (earlier !== undefined) return
    this.orders.set(entry.orderId, entry.redemptionId)
    this.redemptions.push(entry)
    this.count(entry, 1)
    this.spend(entry, 1)
  }

  reverse(entry: StackRedemption, receipt: string, returnUse: boolean): void {
    if (entry.reversal !== null) return
    entry.reversal = { returnUse }
    entry.receipt = receipt
    if (returnUse) this.count(entry, -1)
    this.spend(entry, -1)
  }

  addReservation(entry: StackReservation): void {
    this.reservations.push(entry)
    this.open.add(entry)
  }

  close(entry: StackReservation, state: 'RELEASED' | 'REDEEMED'): void {
    entry.state = state
    this.open.delete(entry)
  }

  uses({ code }: StackCoupon): number {
    return this.usesOf.get(code) ?? 0
  }

  usesOfCampaign({ campaignId }: StackCampaign): number {
    return this.usesOf.get(campaignId) ?? 0
  }

  discountOfCampaign({ campaignId }: StackCampaign): number {
    return this.discountOf.get(campaignId) ?? 0
  }

  reservedOfCampaignAt(campaign: StackCampaign, timeMs: number): number {
    let reserved = 0
    for (const { coupons, expiresAtMs } of this.open) {
      if (expiresAtMs > timeMs) reserved += coupons.filter((coupon) => coupon.campaign === campaign).length
    }
    return reserved
  }

  reservedAt({ code }: StackCoupon, timeMs: number): number {
    let reserved = 0
    for (const { coupons, expiresAtMs } of this.open) {
      if (expiresAtMs > timeMs && coupons.some((coupon) => coupon.code === code)) reserved++
    }
    return reserved
  }

  /** Throws when the acknowledgements alone already pass a limit. */
  checkLimits(): void {
    for (const campaign of this.campaigns) {
      const uses = this.usesOfCampaign(campaign)
      const discount = this.discountOfCampaign(campaign)
      const { campaignId, maxUses, budget } = campaign
      if (maxUses !== null && uses > maxUses) throw new Violation(`${campaignId}: ${uses} uses were acknowledged`)
      if (budget !== null && discount > budget) throw new Violation(`${campaignId}: ${discount} were acknowledged`)
    }
    for (const coupon of this.coupons) {
      const { code, maxUses, maxUsesPerUser } = coupon
      if (maxUses !== null && this.uses(coupon) > maxUses) {
        throw new Violation(`${code}: ${this.uses(coupon)} redemptions were acknowledged, its limit is ${maxUses}`)
      }
      if (maxUsesPerUser === null) continue
      for (const [key, uses] of this.usesOfUser) {
        if (key.startsWith(`${code} `) && uses > maxUsesPerUser) {
          throw new Violation(`${key}: ${uses} redemptions were acknowledged, the limit per user is ${maxUsesPerUser}`)
        }
      }
    }
  }

  private spend({ coupons, discounts }: StackRedemption, sign: 1 | -1): void {
    for (const [i, { campaign }] of coupons.entries()) {
      if (campaign === null) continue
      this.discountOf.set(campaign.campaignId, this.discountOfCampaign(campaign) + sign * (discounts[i] as number))
    }
  }

  private count({ coupons, userId }: StackOrder, by: number): void {
    for (const coupon of coupons) {
      this.usesOf.set(coupon.code, this.uses(coupon) + by)
      const { campaign } = coupon
      if (campaign !== null) this.usesOf.set(campaign.campaignId, this.usesOfCampaign(campaign) + by)
      const key = `${coupon.code} ${userId}`
      this.usesOfUser.set(key, (this.usesOfUser.get(key) ?? 0) + by)
    }
  }
}

/** Where the process was killed, the shards of a call may not all have it in their logs yet: the next start ends what was decided. */
export function factsOf(ledger: StackLedger, end: LogEnd): Facts {
  return {
    end,
    redemptions:
      end === 'killed'
        ? []
        : ledger.redemptions.flatMap(({ coupons, orderId, userId, reversal }) =>
            coupons.map(({ code }) => ({ code, orderId, userId, isReversed: reversal !== null })),
          ),
    coupons: ledger.coupons.map((coupon) => ({
      code: coupon.code,
      maxUses: coupon.maxUses,
      uses: ledger.uses(coupon),
    })),
    jobs: [],
  }
}
