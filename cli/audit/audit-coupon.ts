/**
 * The account of one coupon: what was taken of it, by whom, and the rules for taking. Every change of a count goes through
 * here, so that no limit can be passed unseen.
 */
import type { CouponTerms } from './audit-events.ts'

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

export class CouponAccount implements AuditedCoupon {
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

  constructor(couponId: string, ordinal: number, terms: CouponTerms, seq: number, fault: (sentence: string) => void) {
    this.couponId = couponId
    this.ordinal = ordinal
    this.code = terms.code
    this.maxUses = terms.maxUses
    this.maxUsesPerUser = terms.maxUsesPerUser
    this.terms = terms
    this.countedFromSeq = seq
    this.fault = fault
  }

  get validUntilMs(): number | null {
    return this.terms.validUntilMs
  }

  change(terms: CouponTerms, seq: number): void {
    if (terms.code !== this.code) this.fault(`${this.code} becomes ${terms.code}: a code never changes`)
    if (this.maxUsesPerUser === null && terms.maxUsesPerUser !== null) {
      this.countedFromSeq = seq
      this.takenByUser.clear()
    }
    this.terms = terms
    this.maxUses = terms.maxUses
    this.maxUsesPerUser = terms.maxUsesPerUser
    this.checkLimit()
  }

  hold(userId: string): void {
    this.reserved++
    this.take(userId)
    this.checkLimit()
  }

  /** Gives a hold back that was taken at `heldSeq`. */
  letGo(userId: string, heldSeq: number): void {
    this.reserved--
    if (heldSeq > this.countedFromSeq) this.count(userId, -1)
  }

  /** A use that nothing was held for. */
  use(part: AuditedRedemption, seq: number, rememberedFromSeq: number): void {
    this.take(part.userId)
    this.useCounted(part, seq, rememberedFromSeq)
  }

  /** A use of what was held since `heldSeq`: under the limit per user it counts even where the hold did not. */
  useHeld(part: AuditedRedemption, seq: number, rememberedFromSeq: number, heldSeq: number): void {
    this.reserved--
    if (heldSeq < this.countedFromSeq) this.count(part.userId, 1)
    this.useCounted(part, seq, rememberedFromSeq)
  }

  giveUseBack(userId: string, heldSeq: number): void {
    this.uses--
    if (this.uses < 0) this.fault(`${this.code} has fewer than no uses`)
    if (heldSeq > this.countedFromSeq) this.count(userId, -1)
  }

  /** What forbids that this user takes it at this time, as sentences. */
  termFaults(userId: string, atMs: number): string[] {
    const { validFromMs, validUntilMs, userId: onlyUser } = this.terms
    const faults: string[] = []
    if (!this.isEnabled) faults.push(`${this.code} was taken while it was disabled`)
    if (validFromMs !== null && atMs < validFromMs) faults.push(`${this.code} was taken before it began`)
    if (validUntilMs !== null && atMs >= validUntilMs) faults.push(`${this.code} was taken after it had expired`)
    if (onlyUser !== null && onlyUser !== userId) faults.push(`${this.code} was taken by somebody it is not for`)
    return faults
  }

  private useCounted(part: AuditedRedemption, seq: number, rememberedFromSeq: number): void {
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

export function isSameSet(a: readonly CouponAccount[], b: readonly CouponAccount[]): boolean {
  return a.length === b.length && a.every((account) => b.includes(account))
}
