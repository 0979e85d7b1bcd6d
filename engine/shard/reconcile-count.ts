/**
 * Counts a second time what a shard counts, in the simplest way there is: a Map of what is held, a Map of what each user has,
 * pages of uses. What comes out is compared with the tables that `apply` keeps, so a fault in either is found by the other: by
 * `tearoff replay` and `verify` with all of a log, by reconciliation beside a running server with a slice of the counters.
 *
 *     holds      who made it (reservation, or transaction over several shards) → coupons, user, money of budgets
 *     rows       uses and reserved of coupons, campaigns and codes
 *     users      where there is a limit per user: uses, held; and what a user has taken of a local day (`reconcile-users.ts`)
 *     campaigns  discounts given and held, codes made, codes that may be claimed
 *
 * Shares with the engine the form of events and nothing else. What must never happen here: a look at the state.
 */
import { Bytes } from '../../protocol/bytes.ts'
import {
  type BranchPrepared,
  type CouponChanged,
  type DayTake,
  EVENT,
  type Event,
  type Redeemed,
  type RedemptionReversed,
  type Reserved,
  type TxnId,
} from '../../protocol/events.ts'
import { BULK_ORDINALS, campaignIndex, campaignOrdinal, isBulk, isCampaign } from '../../protocol/ordinals.ts'
import { Batches, type ChangedCode } from './reconcile-batches.ts'
import { CampaignLinks, CountedRows } from './reconcile-rows.ts'
import { Slice } from './reconcile-slice.ts'
import { CountedUsers, type Who, whoOf } from './reconcile-users.ts'

export interface CampaignCount {
  discountTotal: number
  discountHeld: number
  /** Codes made for it here. */
  codes: number
}

interface Hold {
  readonly ordinals: readonly number[]
  /** null: none of its limits is a user's. */
  readonly who: Who | null
  readonly takenSeq: number
  /** What each coupon may take of its campaign's budget; shorter: nothing. */
  amounts: readonly number[]
}

/** A transaction over several shards that is not decided here yet. */
interface Prepared {
  /** Transaction whose hold it uses: its own, or that of the reservation it makes final. */
  readonly holdTxn: string
  readonly takes: boolean
  /** What it has counted for days, which only an abort takes back. */
  readonly days: readonly DayTake[]
  readonly user: Bytes | null
}

/** The transaction behind a reservation of this shard. */
interface Behind {
  readonly txn: string
  /** Other shards have a part in it. */
  readonly isStacked: boolean
}

const NO_AMOUNTS: readonly number[] = []

export class ShardCount {
  readonly shard: number
  readonly rows = new CountedRows()
  readonly batches: Batches
  readonly campaigns: CampaignCount[] = []
  readonly users: CountedUsers
  /** The last event booked. */
  seq = 0
  timeMs = 0
  couponCount = 0
  private readonly slice: Slice
  private readonly links = new CampaignLinks()
  private readonly holds = new Map<string, Hold>()
  private readonly prepared = new Map<string, Prepared>()
  /** Reservations of this shard that a transaction over several took the capacity of. */
  private readonly txnOfReservation = new Map<number, Behind>()
  /** Codes made in bulk that claims do not hand out though they are neither used nor held. */
  private readonly disabled = new Set<number>()
  private readonly changed = new Map<number, ChangedCode>()

  constructor(shard: number, slice = new Slice()) {
    this.shard = shard
    this.slice = slice
    this.batches = new Batches(shard)
    this.users = new CountedUsers(slice)
  }

  /** Things that hold capacity: reservations and undecided transactions. */
  get openHolds(): number {
    return this.holds.size
  }

  /** Codes that may be claimed now, by campaign. Only where every row is counted. */
  poolSizes(): number[] {
    const sizes = this.campaigns.map((_, index) => this.batches.poolableOf(index))
    for (const ordinal of this.touchedCodes()) {
      const asMade = this.batches.isPoolable(ordinal, null) ? 1 : 0
      const more = (this.isFree(ordinal) ? 1 : 0) - asMade
      if (more === 0) continue
      const campaign = this.batches.campaignOf(ordinal)
      sizes[campaign] = (sizes[campaign] ?? 0) + more
    }
    return sizes
  }

  hasUserLimit(ordinal: number): boolean {
    return this.limitedFrom(ordinal) !== null
  }

  /** Forgets what is not in the slice any more, which became narrower. */
  keepSlice(): void {
    this.rows.keep(this.slice, this.shard)
    this.users.keepSlice(this.shard)
  }

  /** Throws RangeError for an event about something that was never made. */
  book(event: Event, seq: number, atMs: number): void {
    this.seq = seq
    this.timeMs = atMs
    switch (event.type) {
      case EVENT.COUPON_CREATED: {
        const { ordinal, definition, imported } = event
        this.couponCount++
        const { campaign, maxUsesPerUser } = definition
        if (campaign?.shard === this.shard) this.links.set(ordinal, campaign.index)
        if (!this.slice.hasRow(this.shard, ordinal)) return
        if (imported !== null && imported.uses > 0) this.rows.use(ordinal, imported.uses)
        if (maxUsesPerUser !== null) this.rows.setLimit(ordinal, seq)
        return
      }
      case EVENT.COUPON_CHANGED:
        this.limit(event.ordinal, event.definition.maxUsesPerUser, seq)
        if (isBulk(event.ordinal)) this.changeCode(event)
        return
      case EVENT.COUPON_SWITCHED:
        if (!isBulk(event.ordinal)) return
        if (event.change === 'ENABLED') this.disabled.delete(event.ordinal)
        else this.disabled.add(event.ordinal)
        return
      case EVENT.RESERVED:
        this.reserved(event, seq)
        return
      case EVENT.RESERVATION_REPRICED: {
        // One over several shards keeps what was held when it was prepared.
        const behind = this.txnOfReservation.get(event.reservationSeq)
        if (behind?.isStacked === true) return
        this.reprice(behind?.txn ?? `reservation ${event.reservationSeq}`, event.price.amounts, false)
        return
      }
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
      case EVENT.BRANCH_RESERVED:
        this.prepared.delete(this.nameOf(event.txn))
        return
      case EVENT.BRANCH_REDEEMED:
        this.use(this.holdOfPrepared(this.nameOf(event.txn)), event.ordinals, event.user, event.amounts)
        return
      case EVENT.BRANCH_RELEASED:
        this.give(this.nameOf(event.txn))
        return
      case EVENT.BRANCH_REVERSED:
        this.reversed(event, event.heldSeq)
        return
      case EVENT.CAMPAIGN_CREATED: {
        this.campaigns[event.index] = { discountTotal: 0, discountHeld: 0, codes: 0 }
        const { maxUsesPerUser } = event.definition
        if (maxUsesPerUser !== null) this.rows.setLimit(campaignOrdinal(event.index), seq)
        return
      }
      case EVENT.CAMPAIGN_CHANGED:
        this.limit(campaignOrdinal(event.index), event.definition.maxUsesPerUser, seq)
        return
      case EVENT.JOB_STARTED:
        if (event.plan.kind !== 'IMPORT') this.batches.start(seq, event.plan)
        return
      case EVENT.CODES_MADE: {
        const { jobSeq, firstOrdinal, count } = event
        this.batches.add(jobSeq, firstOrdinal, count)
        const campaign = this.batches.campaignOf(firstOrdinal)
        if (campaign >= 0) this.campaign(campaign).codes += count
        return
      }
      case EVENT.DAY_COUNTED:
        this.users.countDay(whoOf(event.user), event, event.count)
        return
      default:
    }
  }

  /** Only a patch says whose it is. */
  private changeCode({ ordinal, change, definition }: CouponChanged): void {
    const isOwned = change === 'PATCHED' ? definition.userId !== null : (this.changed.get(ordinal)?.isOwned ?? null)
    this.changed.set(ordinal, { definition, isOwned })
  }

  private limit(ordinal: number, maxUsesPerUser: number | null, seq: number): void {
    if (!this.slice.hasRow(this.shard, ordinal)) return
    const before = this.limitedFrom(ordinal)
    if (maxUsesPerUser === null) {
      if (before === null) return
      this.users.leaveBehind(ordinal)
      this.rows.setLimit(ordinal, null)
    } else if (before === null) this.rows.setLimit(ordinal, seq)
  }

  /** Sequence since which a limit per user counts; null: there is none. */
  private limitedFrom(ordinal: number): number | null {
    const said = this.rows.limitedFrom(ordinal)
    if (said !== undefined) return said
    return isBulk(ordinal) && this.batches.isLimited(ordinal) ? 0 : null
  }

  private reserved({ ordinals, user, price, stack, dayTxnSeq }: Reserved, seq: number): void {
    const txnSeq = stack?.txnSeq ?? dayTxnSeq ?? 0
    if (txnSeq === 0) {
      this.take(`reservation ${seq}`, ordinals, user, seq, price?.amounts ?? NO_AMOUNTS)
      return
    }
    // Its capacity was taken when it was prepared.
    const txn = this.nameOf({ shard: this.shard, seq: txnSeq })
    this.prepared.delete(txn)
    this.txnOfReservation.set(seq, { txn, isStacked: stack !== null })
  }

  private redeemed(event: Redeemed): void {
    const { user, ordinals, stack, price, reservationSeq, late, dayTxnSeq } = event
    const txnSeq = stack?.txnSeq ?? dayTxnSeq ?? 0
    // A late redemption finds its reservation given back already.
    const isOfReservation = reservationSeq !== 0 && !late
    let held = isOfReservation ? this.holdOfReservation(reservationSeq) : null
    if (txnSeq !== 0) held = this.holdOfPrepared(this.nameOf({ shard: this.shard, seq: txnSeq }))
    if (stack === null) {
      this.use(held, ordinals, user, price.amounts)
      return
    }
    const coupons = [...stack.coupons.map((coupon, place) => ({ ...coupon, place })), ...(stack.campaigns ?? [])]
    const here = coupons.filter(({ shard }) => shard === this.shard)
    const amounts = here.map(({ place }) => price.amounts[place] ?? 0)
    this.use(
      held,
      here.map(({ ordinal }) => ordinal),
      user,
      amounts,
    )
  }

  private prepare(event: BranchPrepared, seq: number): void {
    const { txn: named, ordinals, user, amounts, reservationTxnSeq, days = [] } = event
    const txn = this.nameOf(named.seq === 0 ? { shard: named.shard, seq } : named)
    const takes = reservationTxnSeq === 0
    const holdTxn = takes ? txn : this.nameOf({ shard: named.shard, seq: reservationTxnSeq })
    this.prepared.set(txn, { holdTxn, takes, days, user: days.length > 0 ? copyOf(user) : null })
    if (takes) this.take(txn, ordinals, user, seq, amounts)
    else if (amounts.length > 0) this.reprice(holdTxn, amounts, true)
    for (const day of days) this.users.countDay(whoOf(user), day, day.count)
  }

  private abort(txn: string): void {
    const prepared = this.prepared.get(txn)
    this.prepared.delete(txn)
    if (prepared === undefined) return
    if (prepared.takes) this.give(txn)
    for (const day of prepared.days)
      if (prepared.user !== null) this.users.countDay(whoOf(prepared.user), day, -day.count)
  }

  /** The hold that a decided transaction uses up. */
  private holdOfPrepared(txn: string): string {
    const holdTxn = this.prepared.get(txn)?.holdTxn ?? txn
    this.prepared.delete(txn)
    return holdTxn
  }

  private holdOfReservation(reservationSeq: number): string {
    const behind = this.txnOfReservation.get(reservationSeq)
    this.txnOfReservation.delete(reservationSeq)
    return behind?.txn ?? `reservation ${reservationSeq}`
  }

  private nameOf({ shard, seq }: TxnId): string {
    return `transaction ${shard}:${seq}`
  }

  private take(
    name: string,
    ordinals: readonly number[],
    user: Bytes,
    takenSeq: number,
    amounts: readonly number[],
  ): void {
    let isCounted = false
    let who: Who | null = null
    for (let i = 0; i < ordinals.length; i++) {
      for (const row of this.rowsOf(ordinals[i] as number)) {
        if (!this.slice.hasRow(this.shard, row)) continue
        isCounted = true
        this.rows.hold(row, 1)
        if (this.limitedFrom(row) !== null) {
          who ??= whoOf(user)
          this.users.count(row, who, 0, 1)
        }
        if (isCampaign(row)) this.campaign(campaignIndex(row)).discountHeld += amounts[i] ?? 0
      }
    }
    if (isCounted) this.holds.set(name, { ordinals, who, takenSeq, amounts })
  }

  private give(name: string): void {
    const hold = this.holds.get(name)
    if (hold === undefined) return
    this.holds.delete(name)
    const { ordinals, who, takenSeq, amounts } = hold
    for (let i = 0; i < ordinals.length; i++) {
      for (const row of this.rowsOf(ordinals[i] as number)) {
        if (!this.slice.hasRow(this.shard, row)) continue
        this.rows.hold(row, -1)
        const from = this.limitedFrom(row)
        if (who !== null && from !== null && takenSeq > from) this.users.count(row, who, 0, -1)
        if (isCampaign(row)) this.campaign(campaignIndex(row)).discountHeld -= amounts[i] ?? 0
      }
    }
  }

  /** What a hold takes of budgets from now on; with `onlyMore` nothing less than before. */
  private reprice(name: string, amounts: readonly number[], onlyMore: boolean): void {
    const hold = this.holds.get(name)
    if (hold === undefined) return
    const before = hold.amounts
    hold.amounts = hold.ordinals.map((_, i) => Math.max(amounts[i] ?? 0, onlyMore ? (before[i] ?? 0) : 0))
    for (const [i, ordinal] of hold.ordinals.entries()) {
      const more = (hold.amounts[i] ?? 0) - (before[i] ?? 0)
      for (const row of this.rowsOf(ordinal)) {
        if (isCampaign(row)) this.campaign(campaignIndex(row)).discountHeld += more
      }
    }
  }

  /** One use of each coupon, in the place of a hold where there is one. */
  private use(held: string | null, ordinals: readonly number[], user: Bytes, amounts: readonly number[]): void {
    if (held !== null) this.give(held)
    let who: Who | null = null
    for (let i = 0; i < ordinals.length; i++) {
      for (const row of this.rowsOf(ordinals[i] as number)) {
        if (!this.slice.hasRow(this.shard, row)) continue
        this.rows.use(row, 1)
        if (this.limitedFrom(row) !== null) {
          who ??= whoOf(user)
          this.users.count(row, who, 1, 0)
        }
        if (isCampaign(row)) this.campaign(campaignIndex(row)).discountTotal += amounts[i] ?? 0
      }
    }
  }

  private reversed(
    event: Pick<RedemptionReversed, 'ordinals' | 'user' | 'returnUse' | 'amounts'>,
    /** Where the use was taken. */
    takenSeq: number,
  ): void {
    for (const [i, ordinal] of event.ordinals.entries()) {
      for (const row of this.rowsOf(ordinal)) {
        if (isCampaign(row)) this.campaign(campaignIndex(row)).discountTotal -= event.amounts[i] ?? 0
        if (!event.returnUse || !this.slice.hasRow(this.shard, row)) continue
        this.rows.use(row, -1)
        const from = this.limitedFrom(row)
        if (from !== null && takenSeq > from) this.users.count(row, whoOf(event.user), -1, 0)
      }
    }
  }

  /** What counts with a coupon: itself, and its campaign where that lives here. */
  private rowsOf(ordinal: number): readonly number[] {
    if (isCampaign(ordinal)) return [ordinal]
    if (!isBulk(ordinal) && ordinal >= this.couponCount) {
      throw new RangeError(`an event names coupon ${ordinal}, which was never created`)
    }
    const campaign = isBulk(ordinal) ? this.batches.campaignOf(ordinal) : this.links.get(ordinal)
    return campaign < 0 ? [ordinal] : [ordinal, campaignOrdinal(campaign)]
  }

  private campaign(index: number): CampaignCount {
    const campaign = this.campaigns[index]
    if (campaign === undefined) throw new RangeError(`an event names campaign ${index}, which was never created`)
    return campaign
  }

  private isFree(ordinal: number): boolean {
    if (this.rows.uses(ordinal) !== 0 || this.rows.reserved(ordinal) !== 0 || this.disabled.has(ordinal)) return false
    return this.batches.isPoolable(ordinal, this.changed.get(ordinal) ?? null)
  }

  /** Codes made in bulk that something may have happened to. */
  private *touchedCodes(): Generator<number, void, void> {
    const end = BULK_ORDINALS + this.batches.size
    yield* this.rows.touched((ordinal) => ordinal >= BULK_ORDINALS && ordinal < end)
    // Those of pages that exist came with them.
    for (const ordinal of new Set([...this.disabled, ...this.changed.keys()])) {
      if (!this.rows.hasPage(ordinal)) yield ordinal
    }
  }
}

/** The bytes of an event are its entry's, which does not stay. */
function copyOf({ buf, start, end }: Bytes): Bytes {
  return new Bytes(buf.slice(start, end), 0, end - start)
}
