/**
 * The account of one coupon: what was taken of it, by whom, and the rules for taking. Every change of a count goes through
 * here, so that no limit can be passed unseen.
 */
import type { CampaignAccount } from './audit-campaign.ts'
import type { CouponTerms, DailyTerms } from './audit-terms.ts'

export interface AuditedRedemption {
  readonly orderId: string
  readonly userId: string
  /** Of the event that is the redemption; with its sequence the redemption's id. Of several shards: the coordinator's. */
  readonly shard: number
  readonly seq: number
  readonly atMs: number
  readonly discountMinor: number
  reversed: boolean
}

/** One use, and what is remembered of orders. */
export interface Taking {
  readonly part: AuditedRedemption
  /** Of the event that is logged here. */
  readonly seq: number
  readonly rememberedFromSeq: number
}

/** Whatever capacity is taken of. Amounts are what it gives of its campaign's budget, minor units. */
export interface Account {
  readonly ordinal: number
  /** null: a campaign. */
  readonly code: string | null
  readonly validUntilMs: number | null
  readonly dailyLimit: DailyTerms | null
  /** What a limit a day counts it for, where not over everything: its campaign, or itself where it stands alone. */
  readonly countedAs: number
  /** What forbids that this user takes it at this time, as sentences. */
  termFaults(userId: string, atMs: number): string[]
  hold(userId: string, amountMinor: number): void
  /** Holds more of the budget, or less. */
  holdMore(moreMinor: number): void
  /** Gives a hold back that was taken at `heldSeq`. */
  letGo(userId: string, heldSeq: number, amountMinor: number): void
  /** A use that nothing was held for. */
  use(taking: Taking): void
  /** A use of what was held since `heldSeq`: under the limit per user it counts even where the hold did not. */
  useHeld(taking: Taking, heldSeq: number, heldMinor: number): void
  giveUseBack(userId: string, heldSeq: number): void
  giveBudgetBack(amountMinor: number): void
}

export interface AuditedCoupon {
  readonly couponId: string
  readonly code: string
  /** As they are at the end of the log; null: unlimited. */
  readonly maxUses: number | null
  readonly maxUsesPerUser: number | null
  readonly uses: number
  /** Open reservations, and what undecided calls over several shards have taken. */
  readonly reserved: number
  /** The most that was ever used and reserved at once. */
  readonly maxSeen: number
  readonly redemptions: readonly AuditedRedemption[]
}

export class CouponAccount implements AuditedCoupon, Account {
  readonly couponId: string
  readonly code: string
  readonly ordinal: number
  maxUses: number | null
  maxUsesPerUser: number | null
  uses = 0
  reserved = 0
  maxSeen = 0
  isEnabled = true
  readonly redemptions: AuditedRedemption[] = []
  private terms: CouponTerms
  /** Uses and holds before this sequence do not count against the limit per user. */
  private countedFromSeq: number
  private readonly takenByUser = new Map<string, number>()
  private readonly seqOfOrder = new Map<string, number>()
  private readonly fault: (sentence: string) => void

  /** The campaign behind it, where that lives on the same shard. */
  private readonly campaign: CampaignAccount | null

  constructor(
    couponId: string,
    ordinal: number,
    terms: CouponTerms,
    seq: number,
    fault: (sentence: string) => void,
    campaign: CampaignAccount | null = null,
  ) {
    this.campaign = campaign
    this.couponId = couponId
    this.ordinal = ordinal
    this.code = terms.code
    this.maxUses = terms.maxUses
    this.maxUsesPerUser = terms.maxUsesPerUser
    this.terms = terms
    this.countedFromSeq = seq
    this.fault = fault
  }

  /** Its own end, or its campaign's. */
  get validUntilMs(): number | null {
    const ends = [this.terms.validUntilMs, this.campaign?.validUntilMs ?? null].filter((endMs) => endMs !== null)
    return ends.length === 0 ? null : Math.min(...ends)
  }

  get dailyLimit(): DailyTerms | null {
    return this.terms.dailyLimit ?? this.campaign?.dailyLimit ?? null
  }

  get countedAs(): number {
    return this.campaign?.ordinal ?? this.ordinal
  }

  /** Uses that were counted before the coupon came here. */
  bring(uses: number): void {
    this.uses += uses
    this.checkLimit()
  }

  /** `saysUser`: otherwise it stays whose it is. */
  change(terms: CouponTerms, seq: number, saysUser = true): void {
    if (terms.code !== '' && terms.code !== this.code)
      this.fault(`${this.code} becomes ${terms.code}: a code never changes`)
    if (this.maxUsesPerUser === null && terms.maxUsesPerUser !== null) {
      this.countedFromSeq = seq
      this.takenByUser.clear()
    }
    this.terms = saysUser ? terms : { ...terms, userId: this.terms.userId }
    this.maxUses = terms.maxUses
    this.maxUsesPerUser = terms.maxUsesPerUser
    this.checkLimit()
  }

  hold(userId: string, amountMinor: number): void {
    this.reserved++
    this.take(userId)
    this.checkLimit()
    this.campaign?.hold(userId, amountMinor)
  }

  holdMore(moreMinor: number): void {
    this.campaign?.holdMore(moreMinor)
  }

  letGo(userId: string, heldSeq: number, amountMinor: number): void {
    this.reserved--
    if (heldSeq > this.countedFromSeq) this.count(userId, -1)
    this.campaign?.letGo(userId, heldSeq, amountMinor)
  }

  use(taking: Taking): void {
    this.take(taking.part.userId)
    this.useCounted(taking)
    this.campaign?.use(taking)
  }

  useHeld(taking: Taking, heldSeq: number, heldMinor: number): void {
    this.reserved--
    if (heldSeq < this.countedFromSeq) this.count(taking.part.userId, 1)
    this.useCounted(taking)
    this.campaign?.useHeld(taking, heldSeq, heldMinor)
  }

  giveUseBack(userId: string, heldSeq: number): void {
    this.uses--
    if (this.uses < 0) this.fault(`${this.code} has fewer than no uses`)
    if (heldSeq > this.countedFromSeq) this.count(userId, -1)
    this.campaign?.giveUseBack(userId, heldSeq)
  }

  giveBudgetBack(amountMinor: number): void {
    this.campaign?.giveBudgetBack(amountMinor)
  }

  termFaults(userId: string, atMs: number): string[] {
    const { validFromMs, validUntilMs, userId: onlyUser } = this.terms
    const faults: string[] = []
    if (!this.isEnabled) faults.push(`${this.code} was taken while it was disabled`)
    if (validFromMs !== null && atMs < validFromMs) faults.push(`${this.code} was taken before it began`)
    if (validUntilMs !== null && atMs >= validUntilMs) faults.push(`${this.code} was taken after it had expired`)
    if (onlyUser !== null && onlyUser !== userId) faults.push(`${this.code} was taken by somebody it is not for`)
    return [...faults, ...(this.campaign?.termFaults(userId, atMs) ?? [])]
  }

  private useCounted({ part, seq, rememberedFromSeq }: Taking): void {
    this.checkOrder(part.orderId, seq, rememberedFromSeq)
    this.uses++
    this.checkLimit()
    this.redemptions.push(part)
  }

  /** One more for the user: the only moment at which a limit per user can be broken. */
  private take(userId: string): void {
    const taken = this.count(userId, 1)
    if (this.maxUsesPerUser !== null && taken > this.maxUsesPerUser) {
      this.fault(`${this.code}: a user has it ${taken} times, and the limit for a user is ${this.maxUsesPerUser}`)
    }
  }

  private checkLimit(): void {
    const taken = this.uses + this.reserved
    if (taken > this.maxSeen) this.maxSeen = taken
    if (this.maxUses !== null && taken > this.maxUses) {
      this.fault(`${this.code}: ${this.uses} used and ${this.reserved} reserved, and the limit is ${this.maxUses}`)
    }
  }

  /** Once for each order, for as long as orders are remembered. */
  private checkOrder(orderId: string, seq: number, rememberedFromSeq: number): void {
    const earlier = this.seqOfOrder.get(orderId)
    if (earlier !== undefined && earlier >= rememberedFromSeq) {
      this.fault(`${this.code}: one order redeemed it twice, at ${earlier} and ${seq}`)
    }
    this.seqOfOrder.set(orderId, seq)
  }

  private count(userId: string, more: number): number {
    const counted = (this.takenByUser.get(userId) ?? 0) + more
    if (counted === 0) this.takenByUser.delete(userId)
    else this.takenByUser.set(userId, counted)
    return counted
  }
}

/** In any order; a campaign may stand there once for each of its codes. */
export function isSameSet(a: readonly Account[], b: readonly Account[]): boolean {
  const left = [...b]
  for (const account of a) {
    const at = left.indexOf(account)
    if (at < 0) return false
    left.splice(at, 1)
  }
  return left.length === 0
}
