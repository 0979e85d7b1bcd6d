/**
 * The books of the audit: what one shard's events add up to, kept in plain maps, and every way in which they could break a
 * promise. It knows the contract, not the engine: no event is believed because the engine wrote it.
 *
 *     coupon       uses + reserved ≤ maxUses after every event; a user takes no more than maxUsesPerUser
 *     reservation  ends once; gives back what it held; is redeemed by its own user, in time unless said to be late
 *     redemption   one for each coupon and order; inside the coupon's window, while it is enabled, by whom it is for
 *     campaign     the same over all its codes, and its budget (audit-campaign.ts); days: audit-days.ts; jobs: audit-jobs.ts
 *
 * What calls over several shards took here is kept in audit-branches.ts.
 */
import { CampaignAccount } from './audit-campaign.ts'
import type { CampaignEventRead } from './audit-campaign-events.ts'
import type { BranchEvent, StackRead } from './audit-branch-events.ts'
import { type Branch, nameOf, ShardBranches } from './audit-branches.ts'
import { type Account, type AuditedRedemption, CouponAccount, isSameSet } from './audit-coupon.ts'
import { AuditFault } from './audit-cursor.ts'
import { ShardDays } from './audit-days.ts'
import type { AuditEvent } from './audit-events.ts'
import { idOf } from './audit-ids.ts'
import { BULK_CODES_FROM, ShardJobs } from './audit-jobs.ts'
import type { AuditRouting } from './audit-routing.ts'
import type { CouponTerms, DailyTerms } from './audit-terms.ts'

const CAMPAIGNS_FROM = 2 ** 29

interface OpenReservation {
  readonly seq: number
  /** Of what took the capacity: the reservation itself, or its transaction where it has coupons on other shards. */
  readonly heldSeq: number
  readonly accounts: readonly Account[]
  readonly userId: string
  /** null: all its coupons live here. */
  readonly branch: Branch | null
  /** What each of the accounts holds of a budget. */
  held: readonly number[]
  expiresAtMs: number
}

interface Redemption {
  readonly heldSeq: number
  readonly accounts: readonly Account[]
  readonly parts: readonly AuditedRedemption[]
  readonly userId: string
  readonly branch: Branch | null
  isReversed: boolean
}

type Reserved = Extract<AuditEvent, { kind: 'reserved' }>
type Redeemed = Extract<AuditEvent, { kind: 'redeemed' }>
type Reversed = Extract<AuditEvent, { kind: 'reversed' }>
type BranchRedeemed = Extract<BranchEvent, { kind: 'branchRedeemed' }>
type BranchReversed = Extract<BranchEvent, { kind: 'branchReversed' }>

/** What a reversal says. */
interface Back {
  readonly userId: string
  readonly accounts: readonly Account[]
  readonly givesUseBack: boolean
  readonly amounts: readonly number[]
}

export class ShardAccounts {
  readonly coupons: CouponAccount[] = []
  readonly campaigns: CampaignAccount[] = []
  readonly jobs: ShardJobs
  readonly days: ShardDays
  /** Codes of both kinds. */
  readonly codes = new Set<string>()
  /** The highest limit a day that ever held over everything. */
  mostAllowedOverAll = 0
  /** Of codes made in bulk to which something has happened, by ordinal. */
  readonly usedCodes = new Map<number, CouponAccount>()
  readonly branches: ShardBranches
  private readonly shard: number
  private readonly fault: (sentence: string) => void
  private readonly open = new Map<number, OpenReservation>()
  /** Reservations that ran out: only these can be redeemed late. */
  private readonly overdue = new Map<number, OpenReservation>()
  private readonly redemptions = new Map<number, Redemption>()
  /** Those that another shard coordinates, by its shard and their sequence there. */
  private readonly redemptionsElsewhere = new Map<string, Redemption>()
  private readonly seqOfOperation = new Map<string, number>()
  private rememberedFromSeq = 0

  private readonly routing: AuditRouting | null

  /** `routing`: where codes and users belong; null: nobody asks. */
  constructor(shard: number, fault: (sentence: string) => void, routing: AuditRouting | null = null) {
    this.shard = shard
    this.fault = fault
    this.routing = routing
    this.jobs = new ShardJobs(fault)
    this.days = new ShardDays(shard, fault, routing)
    this.branches = new ShardBranches(shard, fault)
  }

  /** Books one event. Faults that leave the books usable are told, others are thrown as AuditFault. */
  book(event: AuditEvent, seq: number, atMs: number): void {
    switch (event.kind) {
      case 'created':
        this.create(event.coupon, event.terms, event.uses, seq)
        return
      case 'changed':
        // What extends or ends a code of a job leaves out whose it is.
        this.coupon(event.coupon).change(event.terms, seq, event.coupon < BULK_CODES_FROM || event.isPatched)
        this.allowOverAll(event.terms.dailyLimit)
        return
      case 'switched':
        this.coupon(event.coupon).isEnabled = event.isEnabled
        return
      case 'windowPassed':
        this.coupon(event.coupon)
        return
      case 'reserved':
        this.reserve(event, seq, atMs)
        return
      case 'repriced':
        this.reprice(this.openReservation(event.reservation, 'is priced again'), event.price.amounts)
        return
      case 'retimed':
        this.retime(event.reservation, event.expiresAtMs, seq)
        return
      case 'released':
        this.release(event.reservation, event.isOverdue, seq, atMs)
        return
      case 'redeemed':
        this.redeem(event, seq, atMs)
        return
      case 'reversed':
        this.reverse(event, seq)
        return
      case 'forgotten':
        this.rememberedFromSeq = event.beforeSeq
        return
      case 'clockDiffered':
      case 'aboutKeys':
        return
      case 'operation':
        this.operate(event.name, seq)
        return
      case 'campaignCreated':
      case 'campaignChanged':
      case 'campaignSwitched':
      case 'campaignWindowPassed':
        this.bookCampaign(event, seq)
        return
      case 'jobStarted':
      case 'codesMade':
      case 'jobProgressed':
      case 'jobEnded':
      case 'batchWindowPassed':
        this.bookJob(event, seq)
        return
      case 'dayCounted':
        this.days.count(event.userId, event.day, atMs)
        return
      default:
        this.bookBranch(event, seq, atMs)
    }
  }

  private bookBranch(event: BranchEvent, seq: number, atMs: number): void {
    switch (event.kind) {
      case 'branchPrepared':
        this.prepare(event, seq, atMs)
        return
      case 'branchAborted': {
        const { userId, days } = this.branches.abort(event.transaction, seq)
        this.days.giveBack(userId, days)
        return
      }
      case 'branchReserved': {
        const branch = this.branches.settle(event.transaction, 'reserved', event.reservation)
        branch.expiresAtMs = event.expiresAtMs
        this.checkReserved(branch)
        return
      }
      case 'branchRedeemed':
        this.redeemBranch(event, seq, atMs)
        return
      case 'branchRetimed':
        this.branches.retime(event.transaction, event.expiresAtMs)
        return
      case 'branchReleased':
        this.branches.release(event.transaction)
        return
      case 'branchReversed':
        this.reverseBranch(event)
        return
      case 'delivered':
        this.branches.deliver(event)
        return
    }
  }

  private operate(name: string, seq: number): void {
    const before = this.seqOfOperation.get(name)
    if (before !== undefined) this.fault(`operation ${name} was done at ${before} and again at ${seq}`)
    this.seqOfOperation.set(name, seq)
  }

  private create(ordinal: number, terms: CouponTerms, uses: number, seq: number): void {
    if (ordinal !== this.coupons.length)
      throw new AuditFault(`coupon ${ordinal} is made where ${this.coupons.length} is next`)
    this.place(terms.code)
    this.allowOverAll(terms.dailyLimit)
    const account = this.opened(ordinal, terms, seq)
    account.bring(uses)
    this.coupons.push(account)
  }

  private opened(ordinal: number, terms: CouponTerms, seq: number): CouponAccount {
    const { campaign } = terms
    const here = campaign === null || campaign.shard !== this.shard ? null : this.campaign(campaign.campaign)
    return new CouponAccount(idOf('cpn_', this.shard, ordinal), ordinal, terms, seq, this.fault, here)
  }

  /** A code exists from now on, once, on the shard that its letters lead to. */
  private place(code: string): void {
    if (this.codes.has(code)) this.fault(`the code ${code} exists twice`)
    this.codes.add(code)
    const belongs = this.routing?.shardOfCode(code) ?? this.shard
    if (belongs !== this.shard) this.fault(`the code ${code} belongs to shard ${belongs}`)
  }

  private allowOverAll(limit: DailyTerms | null): void {
    if (limit?.isOverAll === true) this.mostAllowedOverAll = Math.max(this.mostAllowedOverAll, limit.perUser)
  }

  private bookCampaign(event: Extract<CampaignEventRead, { kind: `campaign${string}` }>, seq: number): void {
    switch (event.kind) {
      case 'campaignCreated': {
        const index = event.campaign
        if (index !== this.campaigns.length)
          throw new AuditFault(`campaign ${index} is made where ${this.campaigns.length} is next`)
        const id = idOf('cmp_', this.shard, index)
        this.campaigns.push(new CampaignAccount(id, CAMPAIGNS_FROM + index, event.terms, seq, this.fault))
        this.allowOverAll(event.terms.dailyLimit)
        return
      }
      case 'campaignChanged':
        this.campaign(event.campaign).change(event.terms, seq)
        this.allowOverAll(event.terms.dailyLimit)
        return
      case 'campaignSwitched':
        this.campaign(event.campaign).isEnabled = event.isEnabled
        return
      case 'campaignWindowPassed':
        this.campaign(event.campaign)
        return
    }
  }

  private bookJob(event: Parameters<ShardJobs['book']>[0], seq: number): void {
    this.jobs.book(event, seq, (code) => this.place(code))
    if (event.kind === 'jobStarted') this.allowOverAll(event.plan?.terms.dailyLimit ?? null)
    if (event.kind !== 'codesMade') return
    const { campaign } = this.jobs.termsOf(event.firstCode)
    if (campaign !== null && campaign.shard === this.shard) this.campaign(campaign.campaign).codes += event.count
  }

  private prepare(event: Extract<BranchEvent, { kind: 'branchPrepared' }>, seq: number, atMs: number): void {
    for (const day of event.days) this.days.count(event.userId, day, atMs)
    const branch = this.branches.prepare(event, this.accounts(event.coupons), seq, atMs)
    if (branch.kept === null) this.takeDays(branch.accounts, event.userId, true)
    this.days.forgetFresh()
  }

  /** Everything that has a limit a day was counted for it. */
  private takeDays(accounts: readonly Account[], userId: string, mayBeUncounted: boolean): void {
    for (const account of accounts) {
      const { dailyLimit } = account
      if (dailyLimit === null) continue
      const limit = dailyLimit.isOverAll ? null : account.countedAs
      if (limit !== null || this.days.isOfUser(userId)) {
        this.days.take(userId, limit, dailyLimit.perUser, mayBeUncounted)
      }
    }
  }

  private reserve(event: Reserved, seq: number, atMs: number): void {
    const { userId, orderId, expiresAtMs, stack, price, dayTransaction } = event
    const accounts = stack === null ? this.accounts(event.coupons) : this.accountsOf(stack, event.coupons)
    const decided = { accounts, userId, orderId }
    if (stack !== null || dayTransaction !== 0) {
      const branch =
        stack === null
          ? this.branches.decideAlone(dayTransaction, 'reserved', seq, decided)
          : this.branches.decide(stack, 'reserved', seq, decided)
      if (branch.kept !== null) throw new AuditFault(`transaction ${nameOf(branch.transaction)} was to redeem`)
      branch.expiresAtMs = expiresAtMs
      this.checkReserved(branch)
      const { heldSeq, held } = branch
      const reservation = { seq, heldSeq, accounts: branch.accounts, userId, held, expiresAtMs }
      this.open.set(seq, { ...reservation, branch: stack === null ? null : branch })
      return
    }
    const held = accounts.map((_, i) => price?.amounts[i] ?? 0)
    for (const [i, account] of accounts.entries()) {
      for (const sentence of account.termFaults(userId, atMs)) this.fault(sentence)
      if (account.validUntilMs !== null && expiresAtMs > account.validUntilMs) {
        this.fault(`${account.code}: a reservation outlives the coupon`)
      }
      account.hold(userId, held[i] ?? 0)
    }
    this.takeDays(accounts, userId, false)
    this.days.forgetFresh()
    this.open.set(seq, { seq, heldSeq: seq, accounts, userId, branch: null, held, expiresAtMs })
  }

  /** One over several shards keeps what was held when it was prepared. */
  private reprice(reservation: OpenReservation, amounts: readonly number[]): void {
    if (reservation.branch !== null) return
    const { accounts, held } = reservation
    // What goes back goes first: two codes of one campaign may only change places.
    const more = accounts.map((account, i) => ({ account, moreMinor: (amounts[i] ?? 0) - (held[i] ?? 0) }))
    for (const { account, moreMinor } of more) if (moreMinor < 0) account.holdMore(moreMinor)
    for (const { account, moreMinor } of more) if (moreMinor > 0) account.holdMore(moreMinor)
    reservation.held = accounts.map((_, i) => amounts[i] ?? 0)
  }

  /** Against the terms as they were when the capacity was taken: a change since then ends it by an event of its own. */
  private checkReserved({ termFaults, endsAtMs, expiresAtMs, accounts }: Branch): void {
    for (const sentence of termFaults) this.fault(sentence)
    if (endsAtMs !== null && expiresAtMs > endsAtMs) {
      this.fault(`${accounts.map(({ code }) => code).join(', ')}: a reservation outlives the coupon`)
    }
  }

  private retime(seq: number, expiresAtMs: number, retimedSeq: number): void {
    const reservation = this.openReservation(seq, 'gets another time')
    reservation.expiresAtMs = expiresAtMs
    const { branch } = reservation
    if (branch === null) return
    branch.expiresAtMs = expiresAtMs
    this.branches.told.set(retimedSeq, { branch, what: 'retimed' })
  }

  private release(seq: number, isOverdue: boolean, endSeq: number, atMs: number): void {
    const reservation = this.openReservation(seq, 'is released')
    if (isOverdue && atMs < reservation.expiresAtMs)
      this.fault(`reservation ${seq} ran out at ${endSeq}, before its time`)
    this.open.delete(seq)
    const { branch, accounts, userId, heldSeq } = reservation
    if (branch === null) {
      for (const [i, account] of accounts.entries()) account.letGo(userId, heldSeq, reservation.held[i] ?? 0)
    } else {
      this.branches.release(branch.transaction)
      this.branches.told.set(endSeq, { branch, what: 'released' })
    }
    if (isOverdue) this.overdue.set(seq, reservation)
  }

  private redeem(event: Redeemed, seq: number, atMs: number): void {
    const { userId, orderId, stack, isLate, dayTransaction } = event
    const accounts = stack === null ? this.accounts(event.coupons) : this.accountsOf(stack, event.coupons)
    const reservation = event.reservation === 0 ? null : this.reservationOf(event, atMs)
    if (reservation !== null && (reservation.userId !== userId || !isSameSet(reservation.accounts, accounts))) {
      this.fault(`sequence ${seq}: a reservation is redeemed by another user or for other coupons than it was made`)
    }
    const branch = this.branchOf(event, seq, accounts)
    if ((branch?.kept ?? null) !== (isLate ? null : (reservation?.branch ?? null))) {
      this.fault(`sequence ${seq}: another reservation is redeemed than the transaction kept`)
    }
    if (branch !== null) {
      if (!isLate) for (const sentence of branch.termFaults) this.fault(sentence)
      if (branch.kept !== null) branch.kept.end = 'redeemed'
      branch.isLate = isLate
      branch.amounts = event.price.amounts
    }
    const gives = (place: number): number => event.price.amounts[place] ?? 0
    const amounts =
      stack === null ? accounts.map((_, i) => gives(i)) : this.partHere(stack).map(({ place }) => gives(place))
    const used = branch === null ? (isLate ? null : reservation) : { ...(branch.kept ?? branch), held: heldBy(branch) }
    const parts = this.usedParts(accounts, amounts, used, { orderId, userId, shard: this.shard, seq, atMs }, seq)
    if (used === null && reservation === null) {
      for (const account of accounts) for (const sentence of account.termFaults(userId, atMs)) this.fault(sentence)
    }
    if (used === null) this.takeDays(accounts, userId, reservation !== null || dayTransaction !== 0)
    this.days.forgetFresh()
    const heldSeq = branch === null || stack === null ? seq : branch.heldSeq
    this.redemptions.set(seq, {
      heldSeq,
      accounts,
      parts,
      userId,
      branch: stack === null ? null : branch,
      isReversed: false,
    })
  }

  private branchOf(
    { stack, dayTransaction, userId, orderId }: Redeemed,
    seq: number,
    accounts: readonly Account[],
  ): Branch | null {
    const decided = { accounts, userId, orderId }
    if (stack !== null) return this.branches.decide(stack, 'redeemed', seq, decided)
    return dayTransaction === 0 ? null : this.branches.decideAlone(dayTransaction, 'redeemed', seq, decided)
  }

  /** A use of each account, in the place of what was held for it, where something was. */
  private usedParts(
    accounts: readonly Account[],
    amounts: readonly number[],
    held: Pick<OpenReservation, 'accounts' | 'heldSeq' | 'held'> | null,
    named: Omit<AuditedRedemption, 'discountMinor' | 'reversed'>,
    seq: number,
  ): AuditedRedemption[] {
    const left = held === null ? [] : held.accounts.map((account, i) => ({ account, minor: held.held[i] ?? 0 }))
    const parts = accounts.map(
      (_, i): AuditedRedemption => ({ ...named, discountMinor: amounts[i] ?? 0, reversed: false }),
    )
    for (const [i, account] of accounts.entries()) {
      const taking = { part: parts[i] as AuditedRedemption, seq, rememberedFromSeq: this.rememberedFromSeq }
      const at = left.findIndex((each) => each.account === account)
      const [own] = at < 0 ? [] : left.splice(at, 1)
      if (held === null || own === undefined) account.use(taking)
      else account.useHeld(taking, held.heldSeq, own.minor)
    }
    return parts
  }

  /** What a stack takes of this shard: coupons in the order of the price, then campaigns. */
  private partHere({ coupons }: StackRead): StackRead['coupons'] {
    return coupons.filter(({ shard }) => shard === this.shard)
  }

  private accountsOf(stack: StackRead, coupons: readonly number[]): Account[] {
    const here = this.partHere(stack)
    const named = here.filter(({ code }) => code !== null).map(({ coupon }) => coupon)
    if (named.length !== coupons.length || named.some((coupon, i) => coupon !== coupons[i])) {
      this.fault('a call over several shards names other coupons of this shard than its event')
    }
    return this.accounts(here.map(({ coupon }) => coupon))
  }

  /** The reservation that a redemption names, ended by it. Its hold is given back by the use. */
  private reservationOf(event: Redeemed, atMs: number): OpenReservation {
    if (event.isLate) {
      const overdue = this.overdue.get(event.reservation)
      if (overdue === undefined)
        throw new AuditFault(`reservation ${event.reservation} is redeemed late and had not run out`)
      this.overdue.delete(event.reservation)
      return overdue
    }
    const reservation = this.openReservation(event.reservation, 'is redeemed')
    // Over several shards the time was judged when it was prepared: from then on the reservation does not run out.
    if (reservation.branch === null && atMs >= reservation.expiresAtMs)
      this.fault(`reservation ${event.reservation} is redeemed after its time`)
    this.open.delete(event.reservation)
    return reservation
  }

  private redeemBranch(event: BranchRedeemed, seq: number, atMs: number): void {
    const { transaction, redemption, userId, orderId, amounts } = event
    const branch = this.branches.settle(transaction, 'redeemed', redemption)
    const accounts = this.accounts(event.coupons)
    if (branch.userId !== userId || branch.orderId !== orderId || !isSameSet(branch.accounts, accounts)) {
      this.fault(`transaction ${nameOf(transaction)} ends otherwise than it was prepared`)
    }
    // In the order of the accounts, whatever the order of the event.
    const gave = accounts.map((account, i) => ({ account, amount: amounts[i] ?? 0 }))
    branch.amounts = branch.accounts.map((account) => {
      const at = gave.findIndex((each) => each.account === account)
      return at < 0 ? -1 : (gave.splice(at, 1)[0]?.amount ?? -1)
    })
    if (branch.kept !== null) branch.kept.end = 'redeemed'
    const used = { ...(branch.kept ?? branch), held: heldBy(branch) }
    const { shard } = transaction
    const parts = this.usedParts(accounts, amounts, used, { orderId, userId, shard, seq: redemption, atMs }, seq)
    const name = nameOf({ shard: transaction.shard, seq: redemption })
    const { heldSeq } = branch
    this.redemptionsElsewhere.set(name, { heldSeq, accounts, parts, userId, branch, isReversed: false })
  }

  private reverse(event: Reversed, reversedSeq: number): void {
    const { redemption: seq, userId, coupons, givesUseBack, amounts, stack } = event
    const redemption = this.redemptions.get(seq)
    if (redemption === undefined) throw new AuditFault(`redemption ${seq} is reversed and does not exist`)
    const { branch, heldSeq } = redemption
    const others = branch === null ? null : { heldSeq, shards: shardsOf(branch, this.shard) }
    if (JSON.stringify(stack) !== JSON.stringify(others)) {
      this.fault(`the reversal of redemption ${seq} names other shards than the redemption`)
    }
    if (branch !== null) this.branches.told.set(reversedSeq, { branch, what: 'reversed' })
    this.giveBack(redemption, String(seq), { userId, accounts: this.accounts(coupons), givesUseBack, amounts })
  }

  private reverseBranch(event: BranchReversed): void {
    const name = nameOf(event.redemption)
    const redemption = this.redemptionsElsewhere.get(name)
    if (redemption === undefined) throw new AuditFault(`redemption ${name} is reversed and does not exist`)
    if (redemption.heldSeq !== event.heldSeq) this.fault(`the reversal of redemption ${name} names another hold`)
    const { userId, givesUseBack, amounts } = event
    this.giveBack(redemption, name, { userId, accounts: this.accounts(event.coupons), givesUseBack, amounts })
  }

  private giveBack(redemption: Redemption, name: string, back: Back): void {
    const { userId, accounts, givesUseBack, amounts } = back
    if (redemption.isReversed) this.fault(`redemption ${name} is reversed twice`)
    if (redemption.userId !== userId || !isSameSet(redemption.accounts, accounts)) {
      this.fault(`the reversal of redemption ${name} names another user or other coupons`)
    }
    const gave = redemption.accounts.map(
      (account, i) => `${account.ordinal} ${redemption.parts[i]?.discountMinor ?? 0}`,
    )
    const returned = accounts.map((account, i) => `${account.ordinal} ${amounts[i] ?? 0}`)
    // Where no campaign has a part in it no amounts are named.
    if (amounts.length > 0 && gave.sort().join() !== returned.sort().join()) {
      this.fault(`the reversal of redemption ${name} gives another amount back than was given`)
    }
    redemption.isReversed = true
    if (redemption.branch !== null) redemption.branch.reversal = { givesUseBack }
    for (const part of redemption.parts) part.reversed = true
    for (const [i, account] of redemption.accounts.entries()) {
      account.giveBudgetBack(redemption.parts[i]?.discountMinor ?? 0)
      if (givesUseBack) account.giveUseBack(userId, redemption.heldSeq)
    }
  }

  private openReservation(seq: number, what: string): OpenReservation {
    const reservation = this.open.get(seq)
    if (reservation === undefined) throw new AuditFault(`reservation ${seq} ${what} and is not open`)
    return reservation
  }

  private accounts(ordinals: readonly number[]): Account[] {
    return ordinals.map((ordinal) =>
      isCampaign(ordinal) ? this.campaign(ordinal - CAMPAIGNS_FROM) : this.coupon(ordinal),
    )
  }

  private campaign(index: number): CampaignAccount {
    const account = this.campaigns[index]
    if (account === undefined) throw new AuditFault(`there is no campaign ${index} yet`)
    return account
  }

  private coupon(ordinal: number): CouponAccount {
    const account = ordinal >= BULK_CODES_FROM ? this.codeMade(ordinal) : this.coupons[ordinal]
    if (account === undefined) throw new AuditFault(`there is no coupon ${ordinal} yet`)
    return account
  }

  private codeMade(ordinal: number): CouponAccount {
    const known = this.usedCodes.get(ordinal)
    if (known !== undefined) return known
    const account = this.opened(ordinal, this.jobs.termsOf(ordinal), 0)
    this.usedCodes.set(ordinal, account)
    return account
  }
}

function isCampaign(ordinal: number): boolean {
  return ordinal >= CAMPAIGNS_FROM && ordinal < BULK_CODES_FROM
}

/** What a decided transaction holds: its own, or what the reservation holds that it makes final. */
function heldBy(branch: Branch): readonly number[] {
  return (branch.kept ?? branch).held
}

/** The other shards that have coupons or campaigns in a decided transaction, ascending. */
function shardsOf({ coupons }: Branch, own: number): number[] {
  const shards = new Set(coupons.map(({ shard }) => shard))
  shards.delete(own)
  return [...shards].sort((a, b) => a - b)
}
