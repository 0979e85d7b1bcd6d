/**
 * Reads the log of one shard and counts for itself, sharing nothing with `apply`: what every limit had taken after every event,
 * and where everything taken stands. What shards say of each other is compared by logs-agree.ts.
 *
 *     undecided take ──▶ given back | used | reserved ──▶ given back | claimed by a redemption ──▶ used | reserved again
 *
 * A sentence for every fault; none: the log keeps its promises.
 */
import { textOf } from '../../../protocol/bytes.ts'
import type { CampaignDefinition } from '../../../protocol/campaign.ts'
import type { CouponDefinition } from '../../../protocol/coupon.ts'
import {
  type BranchPrepared,
  EVENT,
  type Event,
  type Redeemed,
  type RedemptionReversed,
  type Reserved,
} from '../../../protocol/events.ts'
import { BULK_ORDINALS, CAMPAIGN_ORDINALS } from '../../../protocol/ordinals.ts'
import type { LoggedEvent } from '../support/live-shard.ts'

type Limits = Pick<CouponDefinition, 'maxUses' | 'maxUsesPerUser' | 'validUntilMs'>

/** A coupon made alone, a code made in bulk, or a campaign. */
interface JudgedLimit {
  name: string
  limits: Limits
  userLimitSinceSeq: number
  uses: number
  reserved: number
  /** Of a campaign. */
  spent: number
}

interface JudgedCoupon extends JudgedLimit {
  definition: CouponDefinition
}

interface JudgedCampaign extends JudgedLimit {
  definition: CampaignDefinition
}

/** Capacity that was taken together on one shard, and where it stands. */
interface Taken {
  readonly ordinals: readonly number[]
  readonly user: string
  readonly heldSeq: number
  /** What is held of budgets, one a thing; empty: nothing. */
  amounts: number[]
  /** `shard:seq` of the transaction; null: of this shard alone. */
  readonly txn: string | null
  state: 'UNDECIDED' | 'RESERVED' | 'CLAIMED'
  untilMs: number
}

interface Use {
  readonly ordinals: readonly number[]
  readonly amounts: readonly number[]
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
  readonly campaigns: JudgedCampaign[] = []
  readonly bulk = new Map<number, JudgedCoupon>()
  /** Coupons that users took, by `limit start user`. */
  readonly days = new Map<string, number>()
  /** What undecided transactions have counted of days. */
  private readonly pendingDays = new Map<string, readonly string[]>()
  private readonly plans = new Map<number, CouponDefinition>()
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
  private readonly perDay: number

  /** `perDay`: what every limit a day allows. */
  constructor(shard: number, log: readonly LoggedEvent[], perDay = Number.POSITIVE_INFINITY) {
    this.shard = shard
    this.perDay = perDay
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
        this.coupons.push(couponOf(event.definition, seq))
        return
      case EVENT.CAMPAIGN_CREATED: {
        const { definition } = event
        const fresh = { userLimitSinceSeq: seq, uses: 0, reserved: 0, spent: 0 }
        this.campaigns.push({ definition, name: `campaign ${event.index}`, limits: definition, ...fresh })
        return
      }
      case EVENT.CAMPAIGN_CHANGED: {
        const campaign = this.campaigns[event.index] as JudgedCampaign
        const isNewLimit = campaign.limits.maxUsesPerUser === null && event.definition.maxUsesPerUser !== null
        if (isNewLimit) campaign.userLimitSinceSeq = seq
        campaign.definition = event.definition
        campaign.limits = event.definition
        this.check(seq, CAMPAIGN_ORDINALS + event.index, null)
        return
      }
      case EVENT.JOB_STARTED:
        if (event.plan.kind !== 'IMPORT') this.plans.set(seq, event.plan.definition)
        return
      case EVENT.CODES_MADE:
        for (let i = 0; i < event.count; i++) {
          const definition = this.plans.get(event.jobSeq) as CouponDefinition
          this.bulk.set(event.firstOrdinal + i, couponOf(definition, seq))
        }
        return
      case EVENT.DAY_COUNTED: {
        const name = `${event.limit} ${event.dayStartMs} ${textOf(event.user)}`
        for (let i = 0; i < event.count; i++) this.countDay(seq, name)
        return
      }
      case EVENT.RESERVATION_REPRICED: {
        const taken = this.taken.get(this.reservationNames.get(event.reservationSeq) ?? '')
        if (taken === undefined) this.fault(seq, 'a reservation is repriced that is not there')
        // Over several shards it holds what it was made with.
        else if (taken.txn === null) taken.amounts = [...event.price.amounts]
        for (const ordinal of event.ordinals) if (taken?.txn === null) this.check(seq, ordinal, null)
        return
      }
      case EVENT.COUPON_CHANGED: {
        const coupon = this.limitOf(event.ordinal) as JudgedCoupon
        const isNewLimit = coupon.definition.maxUsesPerUser === null && event.definition.maxUsesPerUser !== null
        if (isNewLimit) coupon.userLimitSinceSeq = seq
        coupon.definition = event.definition
        coupon.limits = event.definition
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
        for (const day of this.pendingDays.get(name) ?? []) this.days.set(day, (this.days.get(day) ?? 0) - 1)
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
        if (taken.ordinals.length === 0) this.taken.delete(name)
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
        this.use(seq, `${event.txn.shard}:${event.redemptionSeq}`, held, ordinals, amounts, user, order)
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
    const amounts = [...event.amounts]
    const days = (event.days ?? []).flatMap(({ limit, dayStartMs, count }) =>
      Array.from({ length: count }, () => `${limit} ${dayStartMs} ${user}`),
    )
    this.pendingDays.set(name, days)
    for (const day of days) this.countDay(seq, day)
    if (event.reservationTxnSeq === 0) {
      const { ordinals } = event
      this.take(seq, name, { ordinals, amounts, user, heldSeq: seq, txn: name, state: 'UNDECIDED', untilMs: 0 })
      this.undecided.set(name, name)
      return
    }
    const held = `${event.txn.shard}:${event.reservationTxnSeq}`
    const taken = this.taken.get(held)
    if (taken?.state !== 'RESERVED') this.fault(seq, `${name} claims ${held}, which is ${taken?.state ?? 'not there'}`)
    else {
      taken.state = 'CLAIMED'
      // It keeps what it has, and takes what is missing.
      taken.amounts = taken.ordinals.map((_, i) => Math.max(taken.amounts[i] ?? 0, amounts[i] ?? 0))
      for (const ordinal of taken.ordinals) this.check(seq, ordinal, null)
    }
    this.undecided.set(name, held)
  }

  private readReserved(seq: number, event: Reserved): void {
    const user = textOf(event.user)
    const { expiresAtMs, stack, dayTxnSeq } = event
    const amounts = [...(event.price?.amounts ?? [])]
    if (stack === null) {
      const { ordinals } = event
      const name = `alone:${seq}`
      this.reservationNames.set(seq, name)
      const heldSeq = dayTxnSeq ?? seq
      if (dayTxnSeq !== undefined) {
        const txn = `${this.shard}:${dayTxnSeq}`
        this.giveBack(seq, this.endOf(seq, txn) ?? '')
        this.shares.set(txn, { ordinals, amounts: null, said: `reserved as ${seq}` })
        this.decisions.push({ seq, event })
      }
      this.take(seq, name, { ordinals, amounts, user, heldSeq, txn: null, state: 'RESERVED', untilMs: expiresAtMs })
      return
    }
    const { ordinals } = partOf(event, this.shard)
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
    const { stack, reservationSeq, dayTxnSeq } = event
    const { ordinals, amounts } = partOf(event, this.shard)
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
      if (dayTxnSeq !== undefined) {
        const txn = `${this.shard}:${dayTxnSeq}`
        this.giveBack(seq, this.endOf(seq, txn) ?? '')
        this.shares.set(txn, { ordinals, amounts, said: `redeemed as ${seq} by ${user} for ${order}` })
        this.decisions.push({ seq, event })
      }
      const heldSeq = dayTxnSeq ?? seq
      if (!isHeld)
        this.take(seq, name, { ordinals, amounts: [], user, heldSeq, txn: null, state: 'RESERVED', untilMs: 0 })
      this.use(seq, id, name, ordinals, amounts, user, order)
      return
    }
    const name = `${this.shard}:${stack.txnSeq}`
    this.decisions.push({ seq, event })
    const held = this.endOf(seq, name)
    if (held === null) return
    this.shares.set(name, { ordinals, amounts, said: `redeemed as ${seq} by ${user} for ${order}` })
    this.use(seq, id, held, ordinals, amounts, user, order)
  }

  private endOf(seq: number, name: string): string | null {
    const held = this.undecided.get(name)
    if (held === undefined) this.fault(seq, `${name} ends and is not under way`)
    this.undecided.delete(name)
    return held ?? null
  }

  private take(seq: number, name: string, taken: Taken): void {
    this.taken.set(name, taken)
    for (const limit of this.limitsOf(taken.ordinals)) limit.reserved++
    for (const ordinal of taken.ordinals) this.check(seq, ordinal, taken.user)
  }

  /** What an ordinal stands for: a coupon and its campaign, where that lives here; or a campaign. */
  private limitsOf(ordinals: readonly number[]): JudgedLimit[] {
    return ordinals.flatMap((ordinal) => {
      const campaign = this.campaignOf(ordinal)
      const own = this.limitOf(ordinal)
      return campaign === ordinal || campaign < 0 ? [own] : [own, this.limitOf(campaign)]
    })
  }

  limitOf(ordinal: number): JudgedLimit {
    if (ordinal >= BULK_ORDINALS) return this.bulk.get(ordinal) as JudgedCoupon
    return ordinal >= CAMPAIGN_ORDINALS
      ? (this.campaigns[ordinal - CAMPAIGN_ORDINALS] as JudgedCampaign)
      : (this.coupons[ordinal] as JudgedCoupon)
  }

  couponOf(ordinal: number): JudgedCoupon {
    return this.limitOf(ordinal) as JudgedCoupon
  }

  /** Of an ordinal; −1: it has none here. */
  private campaignOf(ordinal: number): number {
    if (ordinal >= CAMPAIGN_ORDINALS && ordinal < BULK_ORDINALS) return ordinal
    const { campaign } = (this.limitOf(ordinal) as JudgedCoupon).definition
    return campaign !== null && campaign.shard === this.shard ? CAMPAIGN_ORDINALS + campaign.index : -1
  }

  private countDay(seq: number, name: string): void {
    const count = (this.days.get(name) ?? 0) + 1
    this.days.set(name, count)
    if (count > this.perDay) this.fault(seq, `day ${name} has ${count} coupons`)
  }

  /** What is held of the budget of a campaign. */
  heldOf(campaign: number): number {
    let held = 0
    for (const { ordinals, amounts } of this.taken.values()) {
      for (const [i, ordinal] of ordinals.entries()) if (this.campaignOf(ordinal) === campaign) held += amounts[i] ?? 0
    }
    return held
  }

  private giveBack(seq: number, name: string): void {
    const taken = this.taken.get(name)
    if (taken === undefined || taken.state === 'CLAIMED') {
      this.fault(seq, `${name} is given back and is ${taken?.state ?? 'not there'}`)
    }
    this.taken.delete(name)
    for (const limit of this.limitsOf(taken?.ordinals ?? [])) limit.reserved--
  }

  private use(
    seq: number,
    id: string,
    name: string,
    ordinals: readonly number[],
    amounts: readonly number[],
    user: string,
    order: string,
  ): void {
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
    this.uses.set(id, { ordinals, amounts, user, heldSeq: taken.heldSeq, isGivenBack: false })
    for (const limit of this.limitsOf(ordinals)) {
      limit.reserved--
      limit.uses++
    }
    for (const [i, ordinal] of ordinals.entries()) {
      const campaign = this.campaignOf(ordinal)
      if (campaign >= 0) this.limitOf(campaign).spent += amounts[i] as number
    }
    for (const ordinal of ordinals) {
      this.check(seq, ordinal, null)
      if (this.campaignOf(ordinal) === ordinal) continue
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
    for (const [i, ordinal] of ordinals.entries()) {
      const campaign = this.campaignOf(ordinal)
      if (campaign >= 0) this.limitOf(campaign).spent -= use.amounts[i] as number
    }
    if (!returnUse) return
    use.isGivenBack = true
    for (const limit of this.limitsOf(ordinals)) limit.uses--
  }

  private check(seq: number, ordinal: number, user: string | null): void {
    this.checkLimit(seq, ordinal, user)
    const campaign = this.campaignOf(ordinal)
    if (campaign < 0) return
    if (campaign !== ordinal) this.checkLimit(seq, campaign, user)
    const { spent, definition } = this.limitOf(campaign) as JudgedCampaign
    const held = this.heldOf(campaign)
    if (definition.budgetMinor !== null && spent + held > definition.budgetMinor) {
      this.fault(seq, `${spent} of a budget of ${definition.budgetMinor} is spent, and ${held} held`)
    }
  }

  private checkLimit(seq: number, ordinal: number, user: string | null): void {
    const { limits, name, uses, reserved, userLimitSinceSeq } = this.limitOf(ordinal)
    const { maxUses, maxUsesPerUser } = limits
    if (maxUses !== null && uses + reserved > maxUses) {
      this.fault(seq, `${name} has ${uses} uses and ${reserved} holds, and a limit of ${maxUses}`)
    }
    if (user === null || maxUsesPerUser === null) return
    const countsOf = (one: { ordinals: readonly number[]; user: string; heldSeq: number }): number => {
      if (one.user !== user || one.heldSeq <= userLimitSinceSeq) return 0
      return one.ordinals.filter((each) => each === ordinal || this.campaignOf(each) === ordinal).length
    }
    let counted = 0
    for (const taken of this.taken.values()) counted += countsOf(taken)
    for (const use of this.uses.values()) if (!use.isGivenBack) counted += countsOf(use)
    if (counted > maxUsesPerUser) this.fault(seq, `${user} took ${counted} of ${maxUsesPerUser} uses of ${name}`)
  }
}

function couponOf(definition: CouponDefinition, seq: number): JudgedCoupon {
  return {
    name: definition.code,
    limits: definition,
    definition,
    userLimitSinceSeq: seq,
    uses: 0,
    reserved: 0,
    spent: 0,
  }
}

/** What a shard has of a call: its coupons, then campaigns of coupons of others. */
export function partOf(
  { ordinals, price, stack }: Reserved | Redeemed,
  shard: number,
): { readonly ordinals: readonly number[]; readonly amounts: readonly number[] } {
  const given = price?.amounts ?? []
  if (stack === null) return { ordinals, amounts: given }
  const coupons = stack.coupons.map((coupon, i) => ({ ...coupon, i })).filter((coupon) => coupon.shard === shard)
  const campaigns = (stack.campaigns ?? []).filter((campaign) => campaign.shard === shard)
  const places = [...coupons.map(({ i }) => i), ...campaigns.map(({ place }) => place)]
  return {
    ordinals: [...coupons.map(({ ordinal }) => ordinal), ...campaigns.map(({ ordinal }) => ordinal)],
    amounts: price === null ? [] : places.map((place) => given[place] as number),
  }
}

function nameOfTxn({ shard, seq }: { readonly shard: number; readonly seq: number }): string {
  return `${shard}:${seq}`
}
