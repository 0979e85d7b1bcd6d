/**
 * Reads a log and counts for itself what every limit had taken after every event: of coupons, of codes made in bulk, and of
 * their campaigns. Shares nothing with `apply`: the proof that no limit was exceeded must not come from the code that keeps
 * the limits.
 */
import { textOf } from '../../../protocol/bytes.ts'
import type { CampaignDefinition } from '../../../protocol/campaign.ts'
import type { CouponDefinition } from '../../../protocol/coupon.ts'
import { EVENT } from '../../../protocol/events.ts'
import type { LoggedEvent } from '../support/live-shard.ts'

const FIRST_CAMPAIGN = 2 ** 29

interface Taken {
  readonly ordinals: readonly number[]
  readonly user: string
  readonly seq: number
  readonly amounts: readonly number[]
}

interface AuditedLimit {
  definition: CouponDefinition | CampaignDefinition
  /** Ordinal of the campaign that a coupon belongs to; -1: none, or it is one itself. */
  readonly campaign: number
  userLimitSinceSeq: number
  uses: number
  reserved: number
  /** Of a campaign: discounts of redemptions that stand, and those that open reservations may still take. */
  spent: number
  held: number
}

export class LogAudit {
  /** By ordinal. */
  readonly limits = new Map<number, AuditedLimit>()
  readonly open = new Map<number, Taken>()
  private readonly redemptions = new Map<number, Taken>()
  /** Redemptions that count: all but those reversed with their use given back. */
  private readonly standing = new Set<number>()
  private readonly jobs = new Map<number, CouponDefinition>()
  /** User, what counts and local day → so many. */
  readonly days = new Map<string, number>()

  constructor(log: readonly LoggedEvent[]) {
    for (const logged of log) this.read(logged)
  }

  usesOfUser(ordinal: number, user: string): number {
    const since = this.limit(ordinal).userLimitSinceSeq
    const of = (taken: Taken) =>
      taken.user === user && taken.seq > since ? this.limitsOf(taken).filter((one) => one === ordinal).length : 0
    let count = 0
    for (const seq of this.standing) count += of(this.redemptions.get(seq) as Taken)
    for (const taken of this.open.values()) count += of(taken)
    return count
  }

  private limit(ordinal: number): AuditedLimit {
    const limit = this.limits.get(ordinal)
    if (limit === undefined) throw new Error(`there is no ${ordinal}`)
    return limit
  }

  /** The coupons, and of each that has one its campaign. */
  private limitsOf({ ordinals }: Taken): number[] {
    const campaigns = ordinals.map((ordinal) => this.limit(ordinal).campaign).filter((ordinal) => ordinal >= 0)
    return [...ordinals, ...campaigns]
  }

  private add(ordinal: number, definition: CouponDefinition | CampaignDefinition, seq: number): void {
    if (this.limits.has(ordinal)) throw new Error(`event ${seq} makes ${ordinal} twice`)
    const campaign = 'campaign' in definition ? definition.campaign : null
    this.limits.set(ordinal, {
      definition,
      campaign: campaign === null ? -1 : FIRST_CAMPAIGN + campaign.index,
      userLimitSinceSeq: seq,
      uses: 0,
      reserved: 0,
      spent: 0,
      held: 0,
    })
  }

  private change(ordinal: number, definition: CouponDefinition | CampaignDefinition, seq: number): void {
    const limit = this.limit(ordinal)
    if (limit.definition.maxUsesPerUser === null) limit.userLimitSinceSeq = seq
    limit.definition = definition
    this.check(seq, ordinal, null)
  }

  private read({ seq, event }: LoggedEvent): void {
    switch (event.type) {
      case EVENT.COUPON_CREATED:
        this.add(event.ordinal, event.definition, seq)
        return
      case EVENT.CAMPAIGN_CREATED:
        this.add(FIRST_CAMPAIGN + event.index, event.definition, seq)
        return
      case EVENT.JOB_STARTED:
        if (event.plan.kind !== 'IMPORT') this.jobs.set(seq, event.plan.definition)
        return
      case EVENT.CODES_MADE: {
        const definition = this.jobs.get(event.jobSeq)
        if (definition === undefined) throw new Error(`event ${seq} makes codes for no job`)
        for (let i = 0; i < event.count; i++) this.add(event.firstOrdinal + i, definition, seq)
        return
      }
      case EVENT.COUPON_CHANGED:
        this.change(event.ordinal, event.definition, seq)
        return
      case EVENT.CAMPAIGN_CHANGED:
        this.change(FIRST_CAMPAIGN + event.index, event.definition, seq)
        return
      case EVENT.DAY_COUNTED: {
        const day = `${textOf(event.user)} ${event.limit} ${event.dayStartMs}`
        this.days.set(day, (this.days.get(day) ?? 0) + event.count)
        return
      }
      case EVENT.RESERVED:
        this.take(seq, { ordinals: event.ordinals, user: textOf(event.user), seq, amounts: event.price?.amounts ?? [] })
        return
      case EVENT.RESERVATION_REPRICED: {
        const taken = this.close(seq, event.reservationSeq)
        this.take(seq, { ...taken, amounts: event.price.amounts }, event.reservationSeq)
        return
      }
      case EVENT.RESERVATION_RELEASED:
        this.close(seq, event.reservationSeq)
        return
      case EVENT.REDEEMED: {
        const isHeld = event.reservationSeq !== 0 && !event.late
        if (isHeld) this.close(seq, event.reservationSeq)
        const { ordinals, price } = event
        this.redeem(seq, { ordinals, user: textOf(event.user), seq, amounts: price.amounts }, isHeld)
        return
      }
      case EVENT.REDEMPTION_REVERSED: {
        const redemption = this.redemptions.get(event.redemptionSeq)
        if (redemption === undefined) throw new Error(`event ${seq} reverses what was never redeemed`)
        this.money(redemption, 'spent', -1)
        if (!event.returnUse) return
        if (!this.standing.delete(event.redemptionSeq)) throw new Error(`event ${seq} gives a use back twice`)
        for (const ordinal of this.limitsOf(redemption)) this.limit(ordinal).uses--
        return
      }
      default:
        return
    }
  }

  private take(seq: number, taken: Taken, reservationSeq = seq): void {
    this.open.set(reservationSeq, taken)
    for (const ordinal of this.limitsOf(taken)) this.limit(ordinal).reserved++
    this.money(taken, 'held', 1)
    // What was reserved before a limit per user began is honoured, also where its price is made anew.
    for (const ordinal of this.limitsOf(taken)) this.check(seq, ordinal, reservationSeq === seq ? taken.user : null)
  }

  private redeem(seq: number, taken: Taken, isHeld: boolean): void {
    this.redemptions.set(seq, taken)
    this.standing.add(seq)
    for (const ordinal of this.limitsOf(taken)) this.limit(ordinal).uses++
    this.money(taken, 'spent', 1)
    // A reservation is honoured, even where the limit per user was set or lowered after it was made.
    for (const ordinal of this.limitsOf(taken)) this.check(seq, ordinal, isHeld ? null : taken.user)
  }

  private close(seq: number, reservationSeq: number): Taken {
    const taken = this.open.get(reservationSeq)
    if (taken === undefined) throw new Error(`event ${seq} closes reservation ${reservationSeq}, which is not open`)
    this.open.delete(reservationSeq)
    for (const ordinal of this.limitsOf(taken)) this.limit(ordinal).reserved--
    this.money(taken, 'held', -1)
    return taken
  }

  private money({ ordinals, amounts }: Taken, which: 'spent' | 'held', sign: 1 | -1): void {
    for (const [i, ordinal] of ordinals.entries()) {
      const { campaign } = this.limit(ordinal)
      if (campaign >= 0) this.limit(campaign)[which] += sign * (amounts[i] ?? 0)
    }
  }

  private check(seq: number, ordinal: number, user: string | null): void {
    const { definition, uses, reserved, spent, held } = this.limit(ordinal)
    const { maxUses, maxUsesPerUser } = definition
    if (maxUses !== null && uses + reserved > maxUses) {
      throw new Error(`event ${seq}: ${ordinal} has ${uses} uses and ${reserved} holds, and a limit of ${maxUses}`)
    }
    const budgetMinor = 'budgetMinor' in definition ? definition.budgetMinor : null
    if (budgetMinor !== null && spent + held > budgetMinor) {
      throw new Error(`event ${seq}: ${ordinal} has spent ${spent} and holds ${held} of a budget of ${budgetMinor}`)
    }
    if (user === null || maxUsesPerUser === null) return
    const taken = this.usesOfUser(ordinal, user)
    if (taken > maxUsesPerUser) {
      throw new Error(`event ${seq}: ${user} took ${taken} of ${maxUsesPerUser} uses of ${ordinal}`)
    }
  }
}
