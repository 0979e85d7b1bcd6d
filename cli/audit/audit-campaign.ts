/**
 * The account of one campaign: uses of all its codes together, what each user has of them, and the money. Every change of a
 * count goes through here, so that no limit and no budget can be passed unseen.
 */
import type { CampaignTerms } from './audit-campaign-events.ts'
import type { Account, Taking } from './audit-coupon.ts'
import type { DailyTerms } from './audit-terms.ts'

export interface AuditedCampaign {
  readonly campaignId: string
  readonly name: string
  /** As they are at the end of the log; null: unlimited. */
  readonly maxUses: number | null
  readonly maxUsesPerUser: number | null
  readonly budgetMinor: number | null
  readonly uses: number
  readonly reserved: number
  /** What redemptions gave that stand, and what reservations may still take. */
  readonly discountTotal: number
  readonly discountHeld: number
  /** The most that was ever used and reserved at once, and likewise of money. */
  readonly maxSeen: number
  readonly maxSpent: number
  /** Codes that jobs have made for it. */
  readonly codes: number
}

export class CampaignAccount implements AuditedCampaign, Account {
  readonly campaignId: string
  readonly ordinal: number
  uses = 0
  reserved = 0
  discountTotal = 0
  discountHeld = 0
  maxSeen = 0
  maxSpent = 0
  codes = 0
  isEnabled = true
  private terms: CampaignTerms
  /** Uses and holds before this sequence do not count against the limit per user. */
  private countedFromSeq: number
  private readonly takenByUser = new Map<string, number>()
  private readonly fault: (sentence: string) => void

  constructor(
    campaignId: string,
    ordinal: number,
    terms: CampaignTerms,
    seq: number,
    fault: (sentence: string) => void,
  ) {
    this.campaignId = campaignId
    this.ordinal = ordinal
    this.terms = terms
    this.countedFromSeq = seq
    this.fault = fault
  }

  get name(): string {
    return this.terms.name
  }

  /** Nobody has a code of it in hand: a call over several shards names none. */
  get code(): null {
    return null
  }

  get maxUses(): number | null {
    return this.terms.maxUses
  }

  get maxUsesPerUser(): number | null {
    return this.terms.maxUsesPerUser
  }

  get budgetMinor(): number | null {
    return this.terms.budgetMinor
  }

  get validFromMs(): number | null {
    return this.terms.validFromMs
  }

  get validUntilMs(): number | null {
    return this.terms.validUntilMs
  }

  get dailyLimit(): DailyTerms | null {
    return this.terms.dailyLimit
  }

  get countedAs(): number {
    return this.ordinal
  }

  change(terms: CampaignTerms, seq: number): void {
    if (this.terms.maxUsesPerUser === null && terms.maxUsesPerUser !== null) {
      this.countedFromSeq = seq
      this.takenByUser.clear()
    }
    this.terms = terms
    this.checkLimit()
    this.checkBudget()
  }

  termFaults(_userId: string, atMs: number): string[] {
    const { validFromMs, validUntilMs } = this.terms
    const faults: string[] = []
    if (!this.isEnabled) faults.push(`a code of ${this.shown} was taken while the campaign was disabled`)
    if (validFromMs !== null && atMs < validFromMs) faults.push(`a code of ${this.shown} was taken before it began`)
    if (validUntilMs !== null && atMs >= validUntilMs) faults.push(`a code of ${this.shown} was taken after its end`)
    return faults
  }

  hold(userId: string, amountMinor: number): void {
    this.reserved++
    this.take(userId)
    this.checkLimit()
    this.holdMore(amountMinor)
  }

  holdMore(moreMinor: number): void {
    this.discountHeld += moreMinor
    this.checkBudget()
  }

  letGo(userId: string, heldSeq: number, amountMinor: number): void {
    this.reserved--
    this.discountHeld -= amountMinor
    if (heldSeq > this.countedFromSeq) this.count(userId, -1)
  }

  use(taking: Taking): void {
    this.take(taking.part.userId)
    this.useCounted(taking)
  }

  useHeld(taking: Taking, heldSeq: number, heldMinor: number): void {
    this.reserved--
    this.discountHeld -= heldMinor
    if (heldSeq < this.countedFromSeq) this.count(taking.part.userId, 1)
    this.useCounted(taking)
  }

  giveUseBack(userId: string, heldSeq: number): void {
    this.uses--
    if (this.uses < 0) this.fault(`${this.shown} has fewer than no uses`)
    if (heldSeq > this.countedFromSeq) this.count(userId, -1)
  }

  giveBudgetBack(amountMinor: number): void {
    this.discountTotal -= amountMinor
    if (this.discountTotal < 0) this.fault(`${this.shown} has given less than nothing`)
  }

  private get shown(): string {
    return `campaign ${this.terms.name}`
  }

  private useCounted({ part }: Taking): void {
    this.uses++
    this.checkLimit()
    this.discountTotal += part.discountMinor
    this.checkBudget()
  }

  /** One more for the user: the only moment at which a limit per user can be broken. */
  private take(userId: string): void {
    const taken = this.count(userId, 1)
    const { maxUsesPerUser } = this.terms
    if (maxUsesPerUser !== null && taken > maxUsesPerUser) {
      this.fault(`${this.shown}: a user has it ${taken} times, and the limit for a user is ${maxUsesPerUser}`)
    }
  }

  private checkLimit(): void {
    const taken = this.uses + this.reserved
    if (taken > this.maxSeen) this.maxSeen = taken
    const { maxUses } = this.terms
    if (maxUses !== null && taken > maxUses) {
      this.fault(`${this.shown}: ${this.uses} used and ${this.reserved} reserved, and the limit is ${maxUses}`)
    }
  }

  private checkBudget(): void {
    const spent = this.discountTotal + this.discountHeld
    if (spent > this.maxSpent) this.maxSpent = spent
    const { budgetMinor } = this.terms
    if (budgetMinor !== null && spent > budgetMinor) {
      this.fault(
        `${this.shown}: ${this.discountTotal} given and ${this.discountHeld} held, and the budget is ${budgetMinor}`,
      )
    }
  }

  private count(userId: string, more: number): number {
    const counted = (this.takenByUser.get(userId) ?? 0) + more
    if (counted === 0) this.takenByUser.delete(userId)
    else this.takenByUser.set(userId, counted)
    return counted
  }
}
