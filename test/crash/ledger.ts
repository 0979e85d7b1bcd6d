// The ledger: what the buyers were told, kept outside the server's process. It is the judge of every restart.
//
//     open ──▶ acknowledged (must be there for ever) | refused (must not be there) | in doubt (asked again after the restart)
//
// Entries change only when an answer came whole. What was under way when the process was killed is in doubt: the ledger
// keeps the call itself, and the same call after the restart has to settle it, as the contract promises to clients.

import { createHash } from 'node:crypto'

export interface CouponEntry {
  readonly code: string
  readonly maxUses: number | null
  readonly maxUsesPerUser: number | null
}

export interface RedemptionEntry {
  readonly redemptionId: string
  readonly coupon: CouponEntry
  readonly userId: string
  readonly orderId: string
  readonly totalMinor: number
  /** Digest of the receipt as it was first seen; null until it is seen whole (the short form names the id only). */
  receipt: string | null
  isReversed: boolean
  /** Digest of the receipt that the reversal answered. */
  reversal: string | null
}

export interface ReservationEntry {
  readonly reservationId: string
  readonly coupon: CouponEntry
  readonly userId: string
  readonly orderId: string
  readonly totalMinor: number
  readonly expiresAtMs: number
  /** What was done to it; time alone may have ended an open one. */
  state: 'OPEN' | 'RELEASED' | 'REDEEMED'
}

/** Rows of a column have no ids to be read by: the same order again must be a replay with the same discount. */
export interface RowEntry {
  readonly coupon: CouponEntry
  readonly userId: string
  readonly orderId: string
  readonly totalMinor: number
  readonly discountMinor: number
}

/** A broken promise. The message is the evidence. */
export class Violation extends Error {
  override readonly name = 'Violation'
  /** Where the log is kept; null while that is not decided. */
  readonly evidence: string | null

  constructor(message: string, options: { readonly cause?: unknown; readonly evidence?: string } = {}) {
    super(message, { cause: options.cause })
    this.evidence = options.evidence ?? null
  }
}

export class Ledger {
  readonly coupons: CouponEntry[] = []
  readonly redemptions: RedemptionEntry[] = []
  readonly reservations: ReservationEntry[] = []
  readonly rows: RowEntry[] = []
  /** Open reservations by coupon, so that a check need not walk all there ever were. */
  private readonly open = new Map<string, Set<ReservationEntry>>()
  private readonly usesOfCoupon = new Map<string, number>()
  private readonly usesOfUser = new Map<string, number>()
  private readonly orders = new Map<string, string>()

  addCoupon(coupon: CouponEntry): void {
    this.coupons.push(coupon)
  }

  /** An acknowledged redemption; throws when the order was acknowledged before under another id. */
  addRedemption(entry: RedemptionEntry): void {
    this.orderRedeemed(entry, entry.redemptionId)
    this.redemptions.push(entry)
    this.count(entry, 1)
  }

  addRow(entry: RowEntry): void {
    this.orderRedeemed(entry, 'row')
    this.rows.push(entry)
    this.count(entry, 1)
  }

  private orderRedeemed({ coupon, orderId }: RowEntry | RedemptionEntry, id: string): void {
    const key = `${coupon.code} ${orderId}`
    const earlier = this.orders.get(key)
    if (earlier !== undefined)
      throw new Violation(`order ${orderId} on ${coupon.code} was redeemed as ${earlier} and again as ${id}`)
    this.orders.set(key, id)
  }

  reverse(entry: RedemptionEntry, receipt: string): void {
    if (entry.isReversed) return
    entry.isReversed = true
    entry.reversal = receipt
    this.count(entry, -1)
  }

  addReservation(entry: ReservationEntry): void {
    this.reservations.push(entry)
    this.openOn(entry.coupon.code).add(entry)
  }

  close(entry: ReservationEntry, state: 'RELEASED' | 'REDEEMED'): void {
    entry.state = state
    this.openOn(entry.coupon.code).delete(entry)
  }

  uses(coupon: CouponEntry): number {
    return this.usesOfCoupon.get(coupon.code) ?? 0
  }

  /** Reservations on a coupon that hold capacity at that moment of the server's time. */
  reservedAt(coupon: CouponEntry, timeMs: number): number {
    let reserved = 0
    for (const { expiresAtMs } of this.openOn(coupon.code)) if (expiresAtMs > timeMs) reserved++
    return reserved
  }

  /** Throws when the acknowledgements alone already pass a limit. */
  checkLimits(): void {
    for (const coupon of this.coupons) {
      if (coupon.maxUses !== null && this.uses(coupon) > coupon.maxUses) {
        throw new Violation(
          `${coupon.code}: ${this.uses(coupon)} redemptions were acknowledged, its limit is ${coupon.maxUses}`,
        )
      }
    }
    const limits = new Map(this.coupons.map(({ code, maxUsesPerUser }) => [code, maxUsesPerUser]))
    for (const [key, uses] of this.usesOfUser) {
      const limit = limits.get(key.slice(0, key.indexOf(' '))) ?? null
      if (limit !== null && uses > limit)
        throw new Violation(`${key}: ${uses} redemptions were acknowledged, the limit per user is ${limit}`)
    }
  }

  private count({ coupon, userId }: { readonly coupon: CouponEntry; readonly userId: string }, by: number): void {
    this.usesOfCoupon.set(coupon.code, this.uses(coupon) + by)
    const key = `${coupon.code} ${userId}`
    this.usesOfUser.set(key, (this.usesOfUser.get(key) ?? 0) + by)
  }

  private openOn(code: string): Set<ReservationEntry> {
    let entries = this.open.get(code)
    if (entries === undefined) {
      entries = new Set()
      this.open.set(code, entries)
    }
    return entries
  }
}

/** A short digest of an answer: the same call again has to give the same text. */
export function digestOf(answer: unknown): string {
  return createHash('sha1').update(JSON.stringify(answer)).digest('base64').slice(0, 12)
}
