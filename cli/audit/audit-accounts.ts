/**
 * The books of the audit: what one shard's events add up to, kept in plain maps, and every way in which they could break a
 * promise. It knows the contract, not the engine: no event is believed because the engine wrote it.
 *
 *     coupon       uses + reserved ≤ maxUses after every event; a user takes no more than maxUsesPerUser
 *     reservation  ends once; gives back what it held; is redeemed by its own user, in time unless said to be late
 *     redemption   one for each coupon and order; inside the coupon's window, while it is enabled, by whom it is for
 */
import { AuditFault } from './audit-cursor.ts'
import type { AuditEvent, CouponTerms } from './audit-events.ts'

export interface AuditedRedemption {
  readonly orderId: string
  readonly userId: string
  readonly shard: number
  /** Of the event; with the shard it is the redemption's id. */
  readonly seq: number
  readonly atMs: number
  readonly discountMinor: number
  reversed: boolean
}

export interface AuditedCoupon {
  readonly couponId: string
  readonly code: string
  /** As they are at the end of the log; null: unlimited. */
  maxUses: number | null
  maxUsesPerUser: number | null
  uses: number
  reserved: number
  /** The most that was ever used and reserved at once. */
  maxSeen: number
  readonly redemptions: AuditedRedemption[]
}

interface Account extends AuditedCoupon {
  terms: CouponTerms
  isEnabled: boolean
  /** Uses and holds before this sequence do not count against the limit per user. */
  countedFromSeq: number
  readonly takenByUser: Map<string, number>
  readonly seqOfOrder: Map<string, number>
}

interface OpenReservation {
  readonly seq: number
  readonly accounts: readonly Account[]
  readonly userId: string
  expiresAtMs: number
}

interface Redemption {
  readonly accounts: readonly Account[]
  readonly parts: readonly AuditedRedemption[]
  readonly userId: string
  isReversed: boolean
}

type Reserved = Extract<AuditEvent, { kind: 'reserved' }>
type Redeemed = Extract<AuditEvent, { kind: 'redeemed' }>
type Reversed = Extract<AuditEvent, { kind: 'reversed' }>

export class ShardAccounts {
  readonly coupons: Account[] = []
  private readonly shard: number
  private readonly fault: (sentence: string) => void
  private readonly open = new Map<number, OpenReservation>()
  /** Reservations that ran out: only these can be redeemed late. */
  private readonly overdue = new Map<number, OpenReservation>()
  private readonly redemptions = new Map<number, Redemption>()
  private rememberedFromSeq = 0

  constructor(shard: number, fault: (sentence: string) => void) {
    this.shard = shard
    this.fault = fault
  }

  /** Books one event. Faults that leave the books usable are told, others are thrown as AuditFault. */
  book(event: AuditEvent, seq: number, atMs: number): void {
    switch (event.kind) {
      case 'created':
        this.create(event.coupon, event.terms, seq)
        return
      case 'changed':
        this.change(this.account(event.coupon), event.terms, seq)
        return
      case 'switched':
        this.account(event.coupon).isEnabled = event.isEnabled
        return
      case 'windowPassed':
        this.account(event.coupon)
        return
      case 'reserved':
        this.reserve(event, seq, atMs)
        return
      case 'repriced':
        this.openReservation(event.reservation, 'is priced again')
        return
      case 'retimed':
        this.openReservation(event.reservation, 'gets another time').expiresAtMs = event.expiresAtMs
        return
      case 'released':
        this.release(event.reservation, event.isOverdue, seq, atMs)
        return
      case 'redeemed':
        this.redeem(event, seq, atMs)
        return
      case 'reversed':
        this.reverse(event)
        return
      case 'forgotten':
        this.rememberedFromSeq = event.beforeSeq
        return
      case 'clockDiffered':
        return
    }
  }

  private create(ordinal: number, terms: CouponTerms, seq: number): void {
    if (ordinal !== this.coupons.length)
      throw new AuditFault(`coupon ${ordinal} is made where ${this.coupons.length} is next`)
    this.coupons.push({
      couponId: idOf('cpn_', this.shard, ordinal),
      code: terms.code,
      maxUses: terms.maxUses,
      maxUsesPerUser: terms.maxUsesPerUser,
      uses: 0,
      reserved: 0,
      maxSeen: 0,
      redemptions: [],
      terms,
      isEnabled: true,
      countedFromSeq: seq,
      takenByUser: new Map(),
      seqOfOrder: new Map(),
    })
  }

  private change(account: Account, terms: CouponTerms, seq: number): void {
    if (terms.code !== account.code) this.fault(`${account.code} becomes ${terms.code}: a code never changes`)
    if (account.terms.maxUsesPerUser === null && terms.maxUsesPerUser !== null) {
      account.countedFromSeq = seq
      account.takenByUser.clear()
    }
    account.terms = terms
    account.maxUses = terms.maxUses
    account.maxUsesPerUser = terms.maxUsesPerUser
    this.checkLimit(account)
  }

  private reserve(event: Reserved, seq: number, atMs: number): void {
    const accounts = event.coupons.map((coupon) => this.account(coupon))
    for (const account of accounts) {
      this.checkTerms(account, event.userId, atMs)
      if (account.terms.validUntilMs !== null && event.expiresAtMs > account.terms.validUntilMs) {
        this.fault(`${account.code}: a reservation outlives the coupon`)
      }
      account.reserved++
      this.take(account, event.userId)
      this.checkLimit(account)
    }
    this.open.set(seq, { seq, accounts, userId: event.userId, expiresAtMs: event.expiresAtMs })
  }

  private release(seq: number, isOverdue: boolean, endSeq: number, atMs: number): void {
    const reservation = this.openReservation(seq, 'is released')
    if (isOverdue && atMs < reservation.expiresAtMs)
      this.fault(`reservation ${seq} ran out at ${endSeq}, before its time`)
    this.giveBackHolds(reservation)
    if (isOverdue) this.overdue.set(seq, reservation)
  }

  private redeem(event: Redeemed, seq: number, atMs: number): void {
    const accounts = event.coupons.map((coupon) => this.account(coupon))
    const reservation = event.reservation === 0 ? null : this.reservationOf(event, atMs)
    const { userId, orderId } = event
    if (reservation !== null && (reservation.userId !== userId || !isSameSet(reservation.accounts, accounts))) {
      this.fault(`sequence ${seq}: a reservation is redeemed by another user or for other coupons than it was made`)
    }
    const isTakenNow = reservation === null || event.isLate
    const parts = accounts.map((account, index): AuditedRedemption => {
      if (reservation === null) this.checkTerms(account, userId, atMs)
      this.checkOrder(account, orderId, seq)
      account.uses++
      if (isTakenNow) this.take(account, userId)
      else if ((reservation?.seq ?? 0) < account.countedFromSeq) count(account.takenByUser, userId, 1)
      this.checkLimit(account)
      const discountMinor = event.price.amounts[index] ?? 0
      const part = { orderId, userId, shard: this.shard, seq, atMs, discountMinor, reversed: false }
      account.redemptions.push(part)
      return part
    })
    this.redemptions.set(seq, { accounts, parts, userId, isReversed: false })
  }

  /** The reservation that a redemption names, ended by it. */
  private reservationOf(event: Redeemed, atMs: number): OpenReservation {
    if (event.isLate) {
      const overdue = this.overdue.get(event.reservation)
      if (overdue === undefined)
        throw new AuditFault(`reservation ${event.reservation} is redeemed late and had not run out`)
      this.overdue.delete(event.reservation)
      return overdue
    }
    const reservation = this.openReservation(event.reservation, 'is redeemed')
    if (atMs >= reservation.expiresAtMs) this.fault(`reservation ${event.reservation} is redeemed after its time`)
    this.open.delete(event.reservation)
    for (const account of reservation.accounts) account.reserved--
    return reservation
  }

  private reverse({ redemption: seq, userId, coupons, givesUseBack }: Reversed): void {
    const redemption = this.redemptions.get(seq)
    if (redemption === undefined) throw new AuditFault(`redemption ${seq} is reversed and does not exist`)
    if (redemption.isReversed) this.fault(`redemption ${seq} is reversed twice`)
    const accounts = coupons.map((coupon) => this.account(coupon))
    if (redemption.userId !== userId || !isSameSet(redemption.accounts, accounts)) {
      this.fault(`the reversal of redemption ${seq} names another user or other coupons`)
    }
    redemption.isReversed = true
    for (const part of redemption.parts) part.reversed = true
    if (!givesUseBack) return
    for (const account of redemption.accounts) {
      account.uses--
      if (account.uses < 0) this.fault(`${account.code} has fewer than no uses`)
      if (seq > account.countedFromSeq) count(account.takenByUser, userId, -1)
    }
  }

  private openReservation(seq: number, what: string): OpenReservation {
    const reservation = this.open.get(seq)
    if (reservation === undefined) throw new AuditFault(`reservation ${seq} ${what} and is not open`)
    return reservation
  }

  private giveBackHolds(reservation: OpenReservation): void {
    this.open.delete(reservation.seq)
    for (const account of reservation.accounts) {
      account.reserved--
      if (reservation.seq > account.countedFromSeq) count(account.takenByUser, reservation.userId, -1)
    }
  }

  /** One more for the user: the only moment at which a limit per user can be broken. */
  private take(account: Account, userId: string): void {
    const taken = count(account.takenByUser, userId, 1)
    const { maxUsesPerUser } = account.terms
    if (maxUsesPerUser !== null && taken > maxUsesPerUser) {
      this.fault(`${account.code}: a user has it ${taken} times, and the limit for a user is ${maxUsesPerUser}`)
    }
  }

  private checkLimit(account: Account): void {
    const taken = account.uses + account.reserved
    if (taken > account.maxSeen) account.maxSeen = taken
    const { maxUses } = account.terms
    if (maxUses !== null && taken > maxUses) {
      this.fault(`${account.code}: ${account.uses} used and ${account.reserved} reserved, and the limit is ${maxUses}`)
    }
  }

  private checkTerms(account: Account, userId: string, atMs: number): void {
    const { validFromMs, validUntilMs, userId: onlyUser } = account.terms
    if (!account.isEnabled) this.fault(`${account.code} was taken while it was disabled`)
    if (validFromMs !== null && atMs < validFromMs) this.fault(`${account.code} was taken before it began`)
    if (validUntilMs !== null && atMs >= validUntilMs) this.fault(`${account.code} was taken after it had expired`)
    if (onlyUser !== null && onlyUser !== userId) this.fault(`${account.code} was taken by somebody it is not for`)
  }

  /** Once for each order, for as long as orders are remembered. */
  private checkOrder(account: Account, orderId: string, seq: number): void {
    const earlier = account.seqOfOrder.get(orderId)
    if (earlier !== undefined && earlier >= this.rememberedFromSeq) {
      this.fault(`${account.code}: one order redeemed it twice, at ${earlier} and ${seq}`)
    }
    account.seqOfOrder.set(orderId, seq)
  }

  private account(ordinal: number): Account {
    const account = this.coupons[ordinal]
    if (account === undefined) throw new AuditFault(`there is no coupon ${ordinal} yet`)
    return account
  }
}

function count(counts: Map<string, number>, key: string, more: number): number {
  const counted = (counts.get(key) ?? 0) + more
  if (counted === 0) counts.delete(key)
  else counts.set(key, counted)
  return counted
}

function isSameSet(a: readonly Account[], b: readonly Account[]): boolean {
  return a.length === b.length && a.every((account) => b.includes(account))
}

const ID_DIGITS = '0123456789abcdefghjkmnpqrstvwxyz'

/** An id as clients see it: prefix, two digits for the shard, then the number; base 32. */
export function idOf(prefix: string, shard: number, number: number): string {
  let digits = ''
  for (let rest = number; rest > 0 || digits === ''; rest = Math.floor(rest / 32))
    digits = `${ID_DIGITS[rest % 32]}${digits}`
  return `${prefix}${ID_DIGITS[Math.floor(shard / 32)]}${ID_DIGITS[shard % 32]}${digits}`
}
