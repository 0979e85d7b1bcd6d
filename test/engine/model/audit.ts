/**
 * Reads a log and counts for itself what every limit had taken after every event. Shares nothing with `apply`: the proof that
 * no limit was exceeded must not come from the code that keeps the limits.
 */
import { textOf } from '../../../protocol/bytes.ts'
import type { CouponDefinition } from '../../../protocol/coupon.ts'
import { EVENT } from '../../../protocol/events.ts'
import type { LoggedEvent } from '../support/live-shard.ts'

interface Taken {
  readonly ordinals: readonly number[]
  readonly user: string
  readonly seq: number
}

export interface AuditedCoupon {
  definition: CouponDefinition
  userLimitSinceSeq: number
  uses: number
  reserved: number
}

export class LogAudit {
  readonly coupons: AuditedCoupon[] = []
  readonly open = new Map<number, Taken>()
  private readonly redemptions = new Map<number, Taken>()
  /** Redemptions that count: all but those reversed with their use given back. */
  private readonly standing = new Set<number>()

  constructor(log: readonly LoggedEvent[]) {
    for (const logged of log) this.read(logged)
  }

  usesOfUser(ordinal: number, user: string): number {
    const since = (this.coupons[ordinal] as AuditedCoupon).userLimitSinceSeq
    const isCounted = (taken: Taken) => taken.user === user && taken.seq > since && taken.ordinals.includes(ordinal)
    const redeemed = [...this.standing].filter((seq) => isCounted(this.redemptions.get(seq) as Taken)).length
    return redeemed + [...this.open.values()].filter(isCounted).length
  }

  private read({ seq, event }: LoggedEvent): void {
    switch (event.type) {
      case EVENT.COUPON_CREATED: {
        if (event.ordinal !== this.coupons.length) throw new Error(`event ${seq}: ordinals are not dense`)
        this.coupons.push({ definition: event.definition, userLimitSinceSeq: seq, uses: 0, reserved: 0 })
        return
      }
      case EVENT.COUPON_CHANGED: {
        const coupon = this.coupons[event.ordinal] as AuditedCoupon
        if (coupon.definition.maxUsesPerUser === null) coupon.userLimitSinceSeq = seq
        coupon.definition = event.definition
        this.check(seq, event.ordinal, null)
        return
      }
      case EVENT.RESERVED: {
        const user = textOf(event.user)
        this.open.set(seq, { ordinals: event.ordinals, user, seq })
        for (const ordinal of event.ordinals) {
          ;(this.coupons[ordinal] as AuditedCoupon).reserved++
          this.check(seq, ordinal, user)
        }
        return
      }
      case EVENT.RESERVATION_RELEASED:
        this.close(seq, event.reservationSeq)
        return
      case EVENT.REDEEMED: {
        const user = textOf(event.user)
        const isHeld = event.reservationSeq !== 0 && !event.late
        if (isHeld) this.close(seq, event.reservationSeq)
        this.redemptions.set(seq, { ordinals: event.ordinals, user, seq })
        this.standing.add(seq)
        for (const ordinal of event.ordinals) {
          const coupon = this.coupons[ordinal] as AuditedCoupon
          coupon.uses++
          // A reservation is honoured, even where the limit per user was set or lowered after it was made.
          this.check(seq, ordinal, isHeld ? null : user)
        }
        return
      }
      case EVENT.REDEMPTION_REVERSED: {
        const redemption = this.redemptions.get(event.redemptionSeq)
        if (redemption === undefined) throw new Error(`event ${seq} reverses what was never redeemed`)
        if (!event.returnUse) return
        if (!this.standing.delete(event.redemptionSeq)) throw new Error(`event ${seq} gives a use back twice`)
        for (const ordinal of redemption.ordinals) (this.coupons[ordinal] as AuditedCoupon).uses--
        return
      }
      default:
        return
    }
  }

  private close(seq: number, reservationSeq: number): void {
    const taken = this.open.get(reservationSeq)
    if (taken === undefined) throw new Error(`event ${seq} closes reservation ${reservationSeq}, which is not open`)
    this.open.delete(reservationSeq)
    for (const ordinal of taken.ordinals) (this.coupons[ordinal] as AuditedCoupon).reserved--
  }

  private check(seq: number, ordinal: number, user: string | null): void {
    const { definition, uses, reserved } = this.coupons[ordinal] as AuditedCoupon
    const { maxUses, maxUsesPerUser, code } = definition
    if (maxUses !== null && uses + reserved > maxUses) {
      throw new Error(`event ${seq}: ${code} has ${uses} uses and ${reserved} holds, and a limit of ${maxUses}`)
    }
    if (user === null || maxUsesPerUser === null) return
    const taken = this.usesOfUser(ordinal, user)
    if (taken > maxUsesPerUser)
      throw new Error(`event ${seq}: ${user} took ${taken} of ${maxUsesPerUser} uses of ${code}`)
  }
}
