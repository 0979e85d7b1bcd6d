/**
 * Reads the log of one shard and counts for itself, sharing nothing with `apply`: what every limit had taken after every event,
 * and where everything taken stands. What shards say of each other is compared by logs-agree.ts.
 *
 *     undecided take ──▶ given back | used | reserved ──▶ given back | claimed by a redemption ──▶ used | reserved again
 *
 * A sentence for every fault; none: the log keeps its promises.
 */
import { textOf } from '../../../protocol/bytes.ts'
import type { CouponDefinition } from '../../../protocol/coupon.ts'
import {
  type BranchPrepared,
  EVENT,
  type Event,
  type Redeemed,
  type RedemptionReversed,
  type Reserved,
} from '../../../protocol/events.ts'
import type { LoggedEvent } from '../support/live-shard.ts'

interface JudgedCoupon {
  definition: CouponDefinition
  userLimitSinceSeq: number
  uses: number
  reserved: number
}

/** Capacity that was taken together on one shard, and where it stands. */
interface Taken {
  readonly ordinals: readonly number[]
  readonly user: string
  readonly heldSeq: number
  /** `shard:seq` of the transaction; null: of this shard alone. */
  readonly txn: string | null
  state: 'UNDECIDED' | 'RESERVED' | 'CLAIMED'
  untilMs: number
}

interface Use {
  readonly ordinals: readonly number[]
  readonly user: string
  readonly heldSeq: number
  isGivenBack: boolean
}

/** What a shard has logged of a transaction that was decided: one line, equal on every shard but for its own coupons. */
interface Share {
  readonly ordinals: readonly number[]
  readonly amounts: readonly number[] | null
  readonly said: string
}

export class ShardLog {
  readonly shard: number
  readonly coupons: JudgedCoupon[] = []
  /** By `txn` or, of this shard alone, by `alone:seq`. */
  readonly taken = new Map<string, Taken>()
  /** Undecided transactions, and the name of what each has taken or claims. */
  readonly undecided = new Map<string, string>()
  readonly shares = new Map<string, Share>()
  readonly reversals = new Map<string, Share>()
  readonly releases = new Map<string, string>()
  readonly decisions: { readonly seq: number; readonly event: Reserved | Redeemed | RedemptionReversed }[] = []
  readonly redeemedOrders = new Map<string, number>()
  readonly faults: string[] = []
  private readonly uses = new Map<string, Use>()
  private readonly redeemedReservations = new Set<number>()
  private readonly deliveries = new Set<string>()
  private readonly reservationNames = new Map<number, string>()
  private readonly log: readonly LoggedEvent[]

  constructor(shard: number, log: readonly LoggedEvent[]) {
    this.shard = shard
    this.log = log
    for (const { seq, event } of log) this.read(seq, event)
  }

  timeOf(seq: number): number {
    return this.log[seq - 1]?.atMs ?? 0
  }

  eventAt(seq: number): Event | null {
    return this.log[seq - 1]?.event ?? null
  }

  /** Name of the capacity of a reservation that this shard coordinates. */
  nameOf(reservationSeq: number): string | undefined {
    return this.reservationNames.get(reservationSeq)
  }

  private fault(seq: number, what: string): void {
    this.faults.push(`shard ${this.shard}, event ${seq}: ${what}`)
  }

  private read(seq: number, event: Event): void {
    switch (event.type) {
      case EVENT.COUPON_CREATED:
        this.coupons.push({ definition: event.definition, userLimitSinceSeq: seq, uses: 0, reserved: 0 })
        return
      case EVENT.COUPON_CHANGED: {
        const coupon = this.coupons[event.ordinal] as JudgedCoupon
        const isNewLimit = coupon.definition.maxUsesPerUser === null && event.definition.maxUsesPerUser !== null
        if (isNewLimit) coupon.userLimitSinceSeq = seq
        coupon.definition = event.definition
        this.check(seq, event.ordinal, null)
        return
      }
      case EVENT.RESERVED:
        this.readReserved(seq, event)
        return
      case EVENT.RESERVATION_RETIMED: {
        const taken = this.taken.get(this.reservationNames.get(event.reservationSeq) ?? '')
        if (taken === undefined) this.fault(seq, 'a reservation is retimed that is not there')
        else taken.untilMs = event.expiresAtMs
        return
      }
      case EVENT.RESERVATION_RELEASED: {
        const name = this.reservationNames.get(event.reservationSeq) ?? ''
        if (this.redeemedReservations.has(event.reservationSeq)) this.fault(seq, `${name} is released and was redeemed`)
        this.releases.set(name, event.cause)
        this.giveBack(seq, name)
        return
      }
      case EVENT.REDEEMED:
        this.readRedeemed(seq, event)
        return
      case EVENT.REDEMPTION_REVERSED: {
        const name = `${this.shard}:${event.redemptionSeq}`
        if (event.stack !== null) this.decisions.push({ seq, event })
        this.reverse(seq, name, event)
        return
      }
      case EVENT.BRANCH_PREPARED:
        this.readPrepared(seq, event)
        return
      case EVENT.BRANCH_ABORTED: {
        const name = nameOfTxn(event.txn)
        const held = this.endOf(seq, name)
        if (held === null) return
        if (!this.shares.has(name)) this.shares.set(name, { ordinals: [], amounts: null, said: 'aborted' })
        if (held === name) this.giveBack(seq, held)
        else (this.taken.get(held) as Taken).state = 'RESERVED'
        return
      }
      case EVENT.BRANCH_RESERVED: {
        const name = nameOfTxn(event.txn)
        const taken = this.taken.get(this.endOf(seq, name) ?? '')
        if (taken === undefined) return
        taken.state = 'RESERVED'
        taken.untilMs = event.expiresAtMs
        const said = `reserved as ${event.reservationSeq}`
        this.shares.set(name, { ordinals: taken.ordinals, amounts: null, said })
        return
      }
      case EVENT.BRANCH_REDEEMED: {
        const name = nameOfTxn(event.txn)
        const { ordinals, amounts } = event
        const user = textOf(event.user)
        const order = textOf(event.order)
        const held = this.endOf(seq, name)
        if (held === null) return
        this.shares.set(name, { ordinals, amounts, said: `redeemed as ${event.redemptionSeq} by ${user} for ${order}` })
        this.use(seq, `${event.txn.shard}:${event.redemptionSeq}`, held, ordinals, user, order)
        return
      }
      case EVENT.BRANCH_RETIMED: {
        const taken = this.taken.get(nameOfTxn(event.txn))
        if (taken === undefined) this.fault(seq, 'a branch is retimed that is not there')
        else taken.untilMs = event.expiresAtMs
        return
      }
      case EVENT.BRANCH_RELEASED: {
        const name = nameOfTxn(event.txn)
        this.releases.set(name, event.cause)
        this.giveBack(seq, name)
        return
      }
      case EVENT.BRANCH_REVERSED: {
        const name = nameOfTxn(event.redemption)
        this.reverse(seq, name, event)
        return
      }
      case EVENT.MESSAGES_DELIVERED:
        for (const [i, told] of event.seqs.entries()) {
          const pair = `${told} to ${event.shards[i]}`
          if (this.deliveries.has(pair)) this.fault(seq, `the delivery of ${pair} is logged twice`)
          this.deliveries.add(pair)
        }
        return
      default:
        return
    }
  }

  private readPrepared(seq: number, event: BranchPrepared): void {
    const name = event.txn.seq === 0 ? `${this.shard}:${seq}` : nameOfTxn(event.txn)
    // A copy of a PREPARE that comes when all is over takes capacity once more, and is told that nobody knows of it.
    if (this.undecided.has(name) || this.taken.has(name) || this.shares.get(name)?.said.startsWith('redeemed')) {
      this.fault(seq, `${name} is prepared again`)
    }
    const user = textOf(event.user)
    if (event.reservationTxnSeq === 0) {
      this.take(seq, name, { ordinals: event.ordinals, user, heldSeq: seq, txn: name, state: 'UNDECIDED', untilMs: 0 })
      this.undecided.set(name, name)
      return
    }
    const held = `${event.txn.shard}:${event.reservationTxnSeq}`
    const taken = this.taken.get(held)
    if (taken?.state !== 'RESERVED') this.fault(seq, `${name} claims ${held}, which is ${taken?.state ?? 'not there'}`)
    else taken.state = 'CLAIMED'
    this.undecided.set(name, held)
  }

  private readReserved(seq: number, event: Reserved): void {
    const user = textOf(event.user)
    const { ordinals, expiresAtMs, stack } = event
    if (stack === null) {
      const name = `alone:${seq}`
      this.reservationNames.set(seq, name)
      this.take(seq, name, { ordinals, user, heldSeq: seq, txn: null, state: 'RESERVED', untilMs: expiresAtMs })
      return
    }
    const name = `${this.shard}:${stack.txnSeq}`
    this.reservationNames.set(seq, name)
    this.decisions.push({ seq, event })
    const taken = this.taken.get(this.endOf(seq, name) ?? '')
    if (taken === undefined) return
    taken.state = 'RESERVED'
    taken.untilMs = expiresAtMs
    this.shares.set(name, { ordinals, amounts: null, said: `reserved as ${seq}` })
  }

  private readRedeemed(seq: number, event: Redeemed): void {
    const { ordinals, stack, price, reservationSeq } = event
    if (reservationSeq !== 0 && this.redeemedReservations.has(reservationSeq)) {
      this.fault(seq, `reservation ${reservationSeq} is redeemed twice`)
    }
    this.redeemedReservations.add(reservationSeq)
    const user = textOf(event.user)
    const order = textOf(event.order)
    const id = `${this.shard}:${seq}`
    if (stack === null) {
      const isHeld = event.reservationSeq !== 0 && !event.late
      const name = isHeld ? (this.reservationNames.get(event.reservationSeq) ?? '') : id
      if (!isHeld) this.take(seq, name, { ordinals, user, heldSeq: seq, txn: null, state: 'RESERVED', untilMs: 0 })
      this.use(seq, id, name, ordinals, user, order)
      return
    }
    const name = `${this.shard}:${stack.txnSeq}`
    this.decisions.push({ seq, event })
    const held = this.endOf(seq, name)
    if (held === null) return
    const mine = price.amounts.filter((_, i) => stack.coupons[i]?.shard === this.shard)
    this.shares.set(name, { ordinals, amounts: mine, said: `redeemed as ${seq} by ${user} for ${order}` })
    this.use(seq, id, held, ordinals, user, order)
  }

  private endOf(seq: number, name: string): string | null {
    const held = this.undecided.get(name)
    if (held === undefined) this.fault(seq, `${name} ends and is not under way`)
    this.undecided.delete(name)
    return held ?? null
  }

  private take(seq: number, name: string, taken: Taken): void {
    this.taken.set(name, taken)
    for (const ordinal of taken.ordinals) {
      ;(this.coupons[ordinal] as JudgedCoupon).reserved++
      this.check(seq, ordinal, taken.user)
    }
  }

  private giveBack(seq: number, name: string): void {
    const taken = this.taken.get(name)
    if (taken === undefined || taken.state === 'CLAIMED') {
      this.fault(seq, `${name} is given back and is ${taken?.state ?? 'not there'}`)
    }
    this.taken.delete(name)
    for (const ordinal of taken?.ordinals ?? []) (this.coupons[ordinal] as JudgedCoupon).reserved--
  }

  private use(seq: number, id: string, name: string, ordinals: readonly number[], user: string, order: string): void {
    const taken = this.taken.get(name)
    if (taken === undefined) {
      this.fault(seq, `${id} uses ${name}, which is not there`)
      return
    }
    if (taken.user !== user || taken.ordinals.join() !== ordinals.join()) {
      this.fault(
        seq,
        `${id} uses ${ordinals.join()} for ${user}, but ${taken.ordinals.join()} for ${taken.user} was taken`,
      )
    }
    this.taken.delete(name)
    if (this.uses.has(id)) this.fault(seq, `${id} is redeemed twice`)
    this.uses.set(id, { ordinals, user, heldSeq: taken.heldSeq, isGivenBack: false })
    for (const ordinal of ordinals) {
      const coupon = this.coupons[ordinal] as JudgedCoupon
      coupon.reserved--
      coupon.uses++
      this.check(seq, ordinal, null)
      const key = `${ordinal} ${order}`
      if (this.redeemedOrders.has(key)) this.fault(seq, `order ${order} redeems coupon ${ordinal} a second time`)
      this.redeemedOrders.set(key, seq)
    }
  }

  private reverse(
    seq: number,
    name: string,
    { ordinals, returnUse, reason }: Pick<RedemptionReversed, 'ordinals' | 'returnUse' | 'reason'>,
  ): void {
    const use = this.uses.get(name)
    if (use === undefined || this.reversals.has(name) || use.ordinals.join() !== ordinals.join()) {
      this.fault(seq, `${name} is reversed and was not redeemed like that, or was reversed before`)
      return
    }
    this.reversals.set(name, { ordinals, amounts: null, said: `${reason}, ${returnUse}` })
    if (!returnUse) return
    use.isGivenBack = true
    for (const ordinal of ordinals) (this.coupons[ordinal] as JudgedCoupon).uses--
  }

  private check(seq: number, ordinal: number, user: string | null): void {
    const { definition, uses, reserved, userLimitSinceSeq } = this.coupons[ordinal] as JudgedCoupon
    const { maxUses, maxUsesPerUser, code } = definition
    if (maxUses !== null && uses + reserved > maxUses) {
      this.fault(seq, `${code} has ${uses} uses and ${reserved} holds, and a limit of ${maxUses}`)
    }
    if (user === null || maxUsesPerUser === null) return
    const counts = (one: { ordinals: readonly number[]; user: string; heldSeq: number }): boolean =>
      one.user === user && one.heldSeq > userLimitSinceSeq && one.ordinals.includes(ordinal)
    const held = [...this.taken.values()].filter(counts).length
    const used = [...this.uses.values()].filter((use) => !use.isGivenBack && counts(use)).length
    if (held + used > maxUsesPerUser)
      this.fault(seq, `${user} took ${held + used} of ${maxUsesPerUser} uses of ${code}`)
  }
}

function nameOfTxn({ shard, seq }: { readonly shard: number; readonly seq: number }): string {
  return `${shard}:${seq}`
}
