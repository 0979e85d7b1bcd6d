/**
 * Counts uses and holds a second time, in the simplest way there is: a Map of what is held, a Map of what each user has. What
 * comes out is compared with the tables that `apply` keeps, so a fault in either is found by the other.
 *
 *     holds    who made it (reservation, or transaction over several shards) → coupons, user
 *     coupons  uses, reserved, and where there is a limit per user: user → uses, held
 *
 * Shares with the engine the form of events and nothing else. Memory: some hundred bytes for each user of a coupon with a
 * limit per user.
 */
import { textOf } from '../../protocol/bytes.ts'
import {
  type BranchPrepared,
  EVENT,
  type Event,
  type Redeemed,
  type RedemptionReversed,
  type Reserved,
  type TxnId,
} from '../../protocol/events.ts'

export interface UserCount {
  uses: number
  held: number
}

export interface CouponCount {
  readonly code: string
  uses: number
  reserved: number
  /** null: no limit per user. */
  users: Map<string, UserCount> | null
  /** Sequence at which the limit per user began to hold: what was taken before does not count for users. */
  limitedFromSeq: number
}

interface Hold {
  readonly ordinals: readonly number[]
  readonly user: string
  readonly takenSeq: number
}

/** A transaction over several shards that is not decided here yet. */
interface Prepared {
  /** Transaction whose hold it uses: its own, or that of the reservation it makes final. */
  readonly holdTxn: string
  readonly takes: boolean
}

export class ShardCount {
  readonly coupons: CouponCount[] = []
  /** Counters of users under limits that were taken away: the tables keep them, nobody reads them. */
  leftBehind = 0
  private readonly shard: number
  private readonly holds = new Map<string, Hold>()
  private readonly prepared = new Map<string, Prepared>()
  /** Stacked reservations of this coordinator: reservation → transaction that took its capacity. */
  private readonly txnOfReservation = new Map<number, string>()

  constructor(shard: number) {
    this.shard = shard
  }

  /** Things that hold capacity: reservations and undecided transactions. */
  get openHolds(): number {
    return this.holds.size
  }

  book(event: Event, seq: number): void {
    switch (event.type) {
      case EVENT.COUPON_CREATED: {
        const { code, maxUsesPerUser } = event.definition
        const users = maxUsesPerUser === null ? null : new Map<string, UserCount>()
        this.coupons[event.ordinal] = { code, uses: 0, reserved: 0, users, limitedFromSeq: seq }
        return
      }
      case EVENT.COUPON_CHANGED:
        this.limit(this.coupon(event.ordinal), event.definition.maxUsesPerUser, seq)
        return
      case EVENT.RESERVED:
        this.reserved(event, seq)
        return
      case EVENT.RESERVATION_RELEASED:
        this.give(this.holdOfReservation(event.reservationSeq))
        return
      case EVENT.REDEEMED:
        this.redeemed(event)
        return
      case EVENT.REDEMPTION_REVERSED:
        this.reversed(event, event.stack?.heldSeq ?? event.redemptionSeq)
        return
      case EVENT.BRANCH_PREPARED:
        this.prepare(event, seq)
        return
      case EVENT.BRANCH_ABORTED:
        this.abort(this.nameOf(event.txn))
        return
      case EVENT.BRANCH_REDEEMED:
        this.use(this.holdOfPrepared(this.nameOf(event.txn)), event.ordinals, textOf(event.user))
        return
      case EVENT.BRANCH_RELEASED:
        this.give(this.nameOf(event.txn))
        return
      case EVENT.BRANCH_REVERSED:
        this.reversed(event, event.heldSeq)
        return
      default:
    }
  }

  private limit(coupon: CouponCount, maxUsesPerUser: number | null, seq: number): void {
    if (maxUsesPerUser === null) {
      this.leftBehind += coupon.users?.size ?? 0
      coupon.users = null
    } else if (coupon.users === null) {
      coupon.users = new Map()
      coupon.limitedFromSeq = seq
    }
  }

  private reserved(event: Reserved, seq: number): void {
    if (event.stack === null) {
      this.take(`reservation ${seq}`, event.ordinals, textOf(event.user), seq)
      return
    }
    // Its capacity was taken when it was prepared.
    const txn = this.nameOf({ shard: this.shard, seq: event.stack.txnSeq })
    this.prepared.delete(txn)
    this.txnOfReservation.set(seq, txn)
  }

  private redeemed(event: Redeemed): void {
    const user = textOf(event.user)
    if (event.stack !== null) {
      this.use(this.holdOfPrepared(this.nameOf({ shard: this.shard, seq: event.stack.txnSeq })), event.ordinals, user)
      return
    }
    // A late redemption finds its reservation given back already.
    const held = event.reservationSeq !== 0 && !event.late ? `reservation ${event.reservationSeq}` : null
    this.use(held, event.ordinals, user)
  }

  private prepare(event: BranchPrepared, seq: number): void {
    const txn = this.nameOf(event.txn.seq === 0 ? { shard: event.txn.shard, seq } : event.txn)
    const takes = event.reservationTxnSeq === 0
    const holdTxn = takes ? txn : this.nameOf({ shard: event.txn.shard, seq: event.reservationTxnSeq })
    this.prepared.set(txn, { holdTxn, takes })
    if (takes) this.take(txn, event.ordinals, textOf(event.user), seq)
  }

  private abort(txn: string): void {
    const prepared = this.prepared.get(txn)
    this.prepared.delete(txn)
    if (prepared?.takes === true) this.give(txn)
  }

  /** The hold that a decided transaction uses up. */
  private holdOfPrepared(txn: string): string {
    const holdTxn = this.prepared.get(txn)?.holdTxn ?? txn
    this.prepared.delete(txn)
    return holdTxn
  }

  private holdOfReservation(reservationSeq: number): string {
    const txn = this.txnOfReservation.get(reservationSeq)
    this.txnOfReservation.delete(reservationSeq)
    return txn ?? `reservation ${reservationSeq}`
  }

  private nameOf({ shard, seq }: TxnId): string {
    return `transaction ${shard}:${seq}`
  }

  private take(name: string, ordinals: readonly number[], user: string, takenSeq: number): void {
    this.holds.set(name, { ordinals, user, takenSeq })
    for (const ordinal of ordinals) {
      const coupon = this.coupon(ordinal)
      coupon.reserved++
      if (coupon.users !== null) this.count(coupon.users, user, 0, 1)
    }
  }

  private give(name: string): void {
    const hold = this.holds.get(name)
    if (hold === undefined) return
    this.holds.delete(name)
    for (const ordinal of hold.ordinals) {
      const coupon = this.coupon(ordinal)
      coupon.reserved--
      if (coupon.users !== null && hold.takenSeq > coupon.limitedFromSeq) this.count(coupon.users, hold.user, 0, -1)
    }
  }

  /** One use of each coupon, in the place of a hold where there is one. */
  private use(held: string | null, ordinals: readonly number[], user: string): void {
    if (held !== null) this.give(held)
    for (const ordinal of ordinals) {
      const coupon = this.coupon(ordinal)
      coupon.uses++
      if (coupon.users !== null) this.count(coupon.users, user, 1, 0)
    }
  }

  private reversed(
    event: Pick<RedemptionReversed, 'ordinals' | 'user' | 'returnUse'>,
    /** Where the use was taken. */
    takenSeq: number,
  ): void {
    if (!event.returnUse) return
    for (const ordinal of event.ordinals) {
      const coupon = this.coupon(ordinal)
      coupon.uses--
      if (coupon.users !== null && takenSeq > coupon.limitedFromSeq) this.count(coupon.users, textOf(event.user), -1, 0)
    }
  }

  private count(users: Map<string, UserCount>, user: string, uses: number, held: number): void {
    const count = users.get(user) ?? { uses: 0, held: 0 }
    count.uses += uses
    count.held += held
    if (count.uses === 0 && count.held === 0) users.delete(user)
    else users.set(user, count)
  }

  private coupon(ordinal: number): CouponCount {
    const coupon = this.coupons[ordinal]
    if (coupon === undefined) throw new RangeError(`an event names coupon ${ordinal}, which was never created`)
    return coupon
  }
}
