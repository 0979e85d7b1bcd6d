/**
 * Projection: what the events of the log mean for the tables. A batch of entries is one transaction, rows and cursor together,
 * so the database is always the image of one moment of the log, whatever is killed when.
 *
 * Nothing is decided here, no limit judged, no price computed: an event that could not have happened is a broken log.
 */
import { CampaignMembers } from './campaign-members.ts'
import { CampaignRows } from './campaign-rows.ts'
import { CouponRows } from './coupon-rows.ts'
import { Cursor, type LogEntry } from './cursor.ts'
import type { Database } from './database.ts'
import { PostingColumns } from './block.ts'
import { Facts } from './facts.ts'
import { Holds, transactionOwner } from './holds.ts'
import { couponNumber, keyOfAll, keyOfName, keyOfNumber, LIST, placeOf } from './list-keys.ts'
import { Runs } from './runs.ts'
import { SearchChanges } from './search-changes.ts'
import { ByteReader, textOf } from '../protocol/bytes.ts'
import { readEvent } from '../protocol/event-codec.ts'
import {
  type BranchPrepared,
  EVENT,
  type Event,
  type Redeemed,
  type Reserved,
  type StackedCoupon,
  type TxnId,
} from '../protocol/events.ts'
import { CAMPAIGN_ORDINALS, campaignOrdinal } from '../protocol/ordinals.ts'

/** Postings that one slice of tidying moves: some ten milliseconds. */
const TIDY_POSTINGS = 32 * 1_024

export class Projection {
  readonly cursor: Cursor
  readonly runs: Runs
  readonly facts: Facts
  private readonly database: Database
  private readonly coupons: CouponRows
  private readonly campaigns: CampaignRows
  private readonly members: CampaignMembers
  private readonly searchChanges: SearchChanges
  private readonly holds: Holds
  private readonly postings = new PostingColumns(64 * 1_024)
  private readonly reader = new ByteReader()
  private shard = 0
  private seq = 0
  private atMs = 0
  /** Where the event at hand lies in the reader's bytes. */
  private eventStart = 0

  constructor(database: Database) {
    this.database = database
    this.cursor = new Cursor(database)
    this.runs = new Runs(database)
    this.facts = new Facts(database)
    this.coupons = new CouponRows(database)
    this.campaigns = new CampaignRows(database)
    this.members = new CampaignMembers(database)
    this.searchChanges = new SearchChanges(database)
    this.holds = new Holds(database)
  }

  /**
   * One batch: `deliver` hands entries on, those of a shard in order and behind the cursor. Returns the number of events. Throws
   * LogDiffers when an entry does not fit what was projected; after any error this object must not be used again.
   */
  project(deliver: (onEntry: (entry: LogEntry) => void) => void): number {
    let events = 0
    this.database.transaction(() => {
      deliver((entry) => {
        if (!this.cursor.isNew(entry)) return
        this.entry(entry)
        events += entry.eventCount
        this.cursor.advance(entry)
      })
      if (events > 0) this.write()
    })
    return events
  }

  /** Whether `tidy` would do anything. */
  get isUntidy(): boolean {
    return this.runs.isUntidy
  }

  /** A slice of work that keeps lists short to look for: some ten milliseconds. */
  tidy(): void {
    this.runs.tidy(TIDY_POSTINGS)
  }

  private write(): void {
    this.coupons.write()
    this.searchChanges.write()
    this.holds.write()
    this.facts.write()
    this.runs.append(this.postings)
    this.postings.count = 0
    this.cursor.write()
  }

  private entry({ shard, firstSeq, timeMs, events, start, end }: LogEntry): void {
    const { reader } = this
    this.shard = shard
    this.seq = firstSeq - 1
    this.atMs = timeMs
    reader.reset(events, start, end)
    while (!reader.done) {
      this.eventStart = reader.pos
      const event = readEvent(reader)
      if (typeof event === 'number') {
        this.atMs += event
        continue
      }
      this.seq++
      this.event(event)
    }
  }

  private event(event: Event): void {
    const { shard, atMs } = this
    switch (event.type) {
      case EVENT.REDEEMED:
        this.redeemed(event)
        return
      case EVENT.COUPON_CREATED:
        this.coupons.create(couponNumber(shard, event.ordinal), atMs, event.definition)
        this.members.join(couponNumber(shard, event.ordinal), atMs, event.definition)
        if (event.imported !== null) this.coupons.use(couponNumber(shard, event.ordinal), event.imported.uses)
        this.changed(event.ordinal)
        return
      case EVENT.COUPON_CHANGED:
        this.coupons.changeTo(couponNumber(shard, event.ordinal), atMs, event.definition)
        this.changed(event.ordinal)
        return
      case EVENT.COUPON_SWITCHED:
        this.coupons.switchTo(couponNumber(shard, event.ordinal), atMs, event.change !== 'ENABLED')
        this.changed(event.ordinal)
        return
      case EVENT.CAMPAIGN_CREATED:
        this.campaigns.create(this.campaignNumber(event.index), atMs, event.definition)
        return
      case EVENT.CAMPAIGN_CHANGED:
        this.campaigns.changeTo(this.campaignNumber(event.index), event.definition)
        return
      case EVENT.CAMPAIGN_SWITCHED:
        this.campaigns.switchTo(this.campaignNumber(event.index), event.change === 'DISABLED')
        return
      case EVENT.COUPON_WINDOW_PASSED:
        this.tellOrdinals([event.ordinal])
        return
      case EVENT.RESERVED:
        this.reserved(event)
        return
      case EVENT.RESERVATION_REPRICED:
        this.tell(this.holds.couponsOf(placeOf(shard, event.reservationSeq)))
        return
      case EVENT.RESERVATION_RETIMED: {
        const name = placeOf(shard, event.reservationSeq)
        this.holds.promise(name, event.expiresAtMs, false)
        this.tell(this.holds.couponsOf(name))
        return
      }
      case EVENT.RESERVATION_RELEASED:
        this.tell(this.holds.close(placeOf(shard, event.reservationSeq)))
        return
      case EVENT.REDEMPTION_REVERSED:
      case EVENT.BRANCH_REVERSED:
        if (event.returnUse) this.use(event.ordinals, -1)
        this.tellOrdinals(event.ordinals)
        return
      case EVENT.BRANCH_PREPARED:
        this.prepared(event)
        return
      case EVENT.BRANCH_ABORTED:
        this.aborted(event.txn)
        return
      case EVENT.BRANCH_RESERVED: {
        const owner = this.ownerOf(event.txn)
        // A shard that only counted a day of the user's holds nothing.
        if (this.holds.couponsOf(owner).length === 0) return
        this.holds.promise(owner, event.expiresAtMs, true)
        this.tell(this.holds.couponsOf(owner))
        return
      }
      case EVENT.BRANCH_REDEEMED:
        this.holds.close(this.ownerOf(event.txn))
        this.use(event.ordinals, 1)
        this.tellOrdinals(event.ordinals)
        this.countForCampaigns(event.ordinals, placeOf(event.txn.shard, event.redemptionSeq))
        return
      case EVENT.BRANCH_RETIMED: {
        const owner = this.ownerOf(event.txn)
        this.holds.promise(owner, event.expiresAtMs, true)
        this.tell(this.holds.couponsOf(owner))
        return
      }
      case EVENT.BRANCH_RELEASED:
        this.tell(this.holds.close(this.ownerOf(event.txn)))
        return
      case EVENT.JOB_STARTED:
        if (event.plan.kind !== 'IMPORT') this.members.startJob(shard, this.seq, event.plan.definition)
        return
      case EVENT.CODES_MADE:
        this.members.codesMade(shard, event.jobSeq, event.firstOrdinal)
        return
      case EVENT.ORDERS_FORGOTTEN:
      case EVENT.CLOCK_DIFFERED:
      case EVENT.MESSAGES_DELIVERED:
      case EVENT.KEY_CLAIMED:
      case EVENT.KEY_ANSWERED:
      case EVENT.OPERATION_DONE:
      case EVENT.KEYS_FORGOTTEN:
      case EVENT.CAMPAIGN_WINDOW_PASSED:
      case EVENT.JOB_PROGRESSED:
      case EVENT.JOB_ENDED:
      case EVENT.DAY_COUNTED:
      case EVENT.BATCH_WINDOW_PASSED:
        return
    }
  }

  /** The hot one. */
  private redeemed(event: Redeemed): void {
    const { shard, seq, atMs, postings } = this
    const place = placeOf(shard, seq)
    this.endHolds(event)
    this.use(event.ordinals, 1)
    postings.add(keyOfAll(LIST.REDEMPTIONS), atMs, place, 0)
    postings.add(keyOfName(LIST.REDEMPTIONS_OF_USER, event.user), atMs, place, 0)
    postings.add(keyOfName(LIST.REDEMPTIONS_OF_ORDER, event.order), atMs, place, 0)
    this.countForCampaigns(campaignsBeside(event, shard), place)
    if (event.stack === null) {
      for (const ordinal of event.ordinals) {
        postings.add(keyOfNumber(LIST.REDEMPTIONS_OF_COUPON, couponNumber(shard, ordinal)), atMs, place, 0)
      }
      return
    }
    for (const coupon of event.stack.coupons) {
      postings.add(keyOfNumber(LIST.REDEMPTIONS_OF_COUPON, numberOf(coupon)), atMs, place, 0)
    }
  }

  /** A redemption stands in the list of each campaign of this shard that has a part in it. */
  private countForCampaigns(ordinals: readonly number[], place: number): void {
    for (const campaign of this.members.campaignsOf(this.shard, ordinals)) {
      this.postings.add(keyOfNumber(LIST.REDEMPTIONS_OF_CAMPAIGN, campaign), this.atMs, place, 0)
    }
  }

  /** What was held for a redemption is used now. A late one has a reservation that was closed before. */
  private endHolds({ reservationSeq, late, stack, dayTxnSeq }: Redeemed): void {
    const { shard } = this
    if (dayTxnSeq !== undefined) this.holds.close(transactionOwner(shard, shard, dayTxnSeq))
    const takesNow = reservationSeq === 0 || late
    if (stack !== null) {
      const owner = transactionOwner(shard, shard, stack.txnSeq)
      if (takesNow) this.holds.close(owner)
      else this.holds.unname(owner)
    }
    if (!takesNow) this.holds.close(placeOf(shard, reservationSeq))
  }

  private reserved(event: Reserved): void {
    const { shard, seq, atMs, postings } = this
    const place = placeOf(shard, seq)
    if (event.stack === null) {
      if (event.dayTxnSeq !== undefined) this.holds.close(transactionOwner(shard, shard, event.dayTxnSeq))
      this.holds.reserve(place, shard, event.ordinals, event.expiresAtMs, textOf(event.user))
    } else {
      const owner = transactionOwner(shard, shard, event.stack.txnSeq)
      this.holds.name(place, owner)
      this.holds.promise(owner, event.expiresAtMs, false)
    }
    const ref = this.keep()
    postings.add(keyOfAll(LIST.RESERVATIONS), atMs, place, 0)
    postings.add(keyOfName(LIST.RESERVATIONS_OF_USER, event.user), atMs, place, 0)
    const coupons =
      event.stack === null
        ? event.ordinals.map((ordinal) => couponNumber(shard, ordinal))
        : event.stack.coupons.map(numberOf)
    for (const coupon of coupons) postings.add(keyOfNumber(LIST.RESERVATIONS_OF_COUPON, coupon), atMs, place, ref)
  }

  private prepared({ txn, ordinals, user, reservationTxnSeq }: BranchPrepared): void {
    const owner = transactionOwner(this.shard, txn.shard, txn.seq === 0 ? this.seq : txn.seq)
    if (ordinals.length === 0) return
    if (reservationTxnSeq === 0) {
      this.holds.prepare(owner, this.shard, [...new Set(ordinals)], textOf(user))
    } else {
      this.holds.name(owner, transactionOwner(this.shard, txn.shard, reservationTxnSeq))
      this.holds.keep(owner)
    }
    this.tellOrdinals(ordinals)
  }

  private aborted(txn: TxnId): void {
    const owner = this.ownerOf(txn)
    const coupons = this.holds.couponsOf(owner)
    if (this.holds.hasAlias(owner)) {
      // The reservation stands as before.
      if (txn.shard === this.shard) this.holds.letGoInTime(owner)
      this.holds.unname(owner)
    } else {
      this.holds.close(owner)
    }
    this.tell(coupons)
  }

  /** A coupon was made or changed; it is told in its life, and to the search. */
  private changed(ordinal: number): void {
    this.searchChanges.note(couponNumber(this.shard, ordinal))
    this.tellOrdinals([ordinal])
  }

  /** A campaign that is made or changed by the event at hand. */
  private campaignNumber(index: number): number {
    const id = couponNumber(this.shard, campaignOrdinal(index))
    this.searchChanges.note(id)
    return id
  }

  private ownerOf({ shard, seq }: TxnId): number {
    return transactionOwner(this.shard, shard, seq)
  }

  private use(ordinals: readonly number[], more: 1 | -1): void {
    for (let i = 0; i < ordinals.length; i++) {
      const ordinal = ordinals[i] as number
      if (ordinal < CAMPAIGN_ORDINALS) this.coupons.use(couponNumber(this.shard, ordinal), more)
    }
  }

  private tellOrdinals(ordinals: readonly number[]): void {
    this.tell(ordinals.map((ordinal) => couponNumber(this.shard, ordinal)))
  }

  /** The event at hand is one of the life of these coupons of this shard. */
  private tell(coupons: readonly number[]): void {
    if (coupons.length === 0) return
    const ref = this.keep()
    const place = placeOf(this.shard, this.seq)
    for (const coupon of coupons) {
      this.postings.add(keyOfNumber(LIST.MOMENTS_OF_COUPON, coupon), this.atMs, place, ref)
    }
  }

  private keep(): number {
    return this.facts.add(this.reader.buf, this.eventStart, this.reader.pos)
  }
}

/** Coupons of this shard, and campaigns of this shard whose coupons live elsewhere. */
function campaignsBeside({ ordinals, stack }: Redeemed, shard: number): readonly number[] {
  if (stack?.campaigns === undefined) return ordinals
  const campaigns = stack.campaigns.filter((each) => each.shard === shard).map(({ ordinal }) => ordinal)
  return [...ordinals, ...campaigns]
}

function numberOf({ shard, ordinal }: StackedCoupon): number {
  return couponNumber(shard, ordinal)
}
