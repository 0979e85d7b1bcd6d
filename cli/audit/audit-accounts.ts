/**
 * The books of the audit: what one shard's events add up to, kept in plain maps, and every way in which they could break a
 * promise. It knows the contract, not the engine: no event is believed because the engine wrote it.
 *
 *     coupon       uses + reserved ≤ maxUses after every event; a user takes no more than maxUsesPerUser
 *     reservation  ends once; gives back what it held; is redeemed by its own user, in time unless said to be late
 *     redemption   one for each coupon and order; inside the coupon's window, while it is enabled, by whom it is for
 *
 * What calls over several shards took here is kept in audit-branches.ts.
 */
import type { BranchEvent } from './audit-branch-events.ts'
import { type Branch, nameOf, ShardBranches } from './audit-branches.ts'
import { type AuditedRedemption, CouponAccount, isSameSet } from './audit-coupon.ts'
import { AuditFault } from './audit-cursor.ts'
import type { AuditEvent, CouponTerms } from './audit-events.ts'

interface OpenReservation {
  readonly seq: number
  /** Of what took the capacity: the reservation itself, or its transaction where it has coupons on other shards. */
  readonly heldSeq: number
  readonly accounts: readonly CouponAccount[]
  readonly userId: string
  /** null: all its coupons live here. */
  readonly branch: Branch | null
  expiresAtMs: number
}

interface Redemption {
  readonly heldSeq: number
  readonly accounts: readonly CouponAccount[]
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

export class ShardAccounts {
  readonly coupons: CouponAccount[] = []
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

  constructor(shard: number, fault: (sentence: string) => void) {
    this.shard = shard
    this.fault = fault
    this.branches = new ShardBranches(shard, fault)
  }

  /** Books one event. Faults that leave the books usable are told, others are thrown as AuditFault. */
  book(event: AuditEvent, seq: number, atMs: number): void {
    switch (event.kind) {
      case 'created':
        this.create(event.coupon, event.terms, seq)
        return
      case 'changed':
        this.account(event.coupon).change(event.terms, seq)
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
      default:
        this.bookBranch(event, seq, atMs)
    }
  }

  private bookBranch(event: BranchEvent, seq: number, atMs: number): void {
    switch (event.kind) {
      case 'branchPrepared':
        this.branches.prepare(event, this.accounts(event.coupons), seq, atMs)
        return
      case 'branchAborted':
        this.branches.abort(event.transaction, seq)
        return
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

  private create(ordinal: number, terms: CouponTerms, seq: number): void {
    if (ordinal !== this.coupons.length)
      throw new AuditFault(`coupon ${ordinal} is made where ${this.coupons.length} is next`)
    this.coupons.push(new CouponAccount(idOf('cpn_', this.shard, ordinal), ordinal, terms, seq, this.fault))
  }

  private reserve(event: Reserved, seq: number, atMs: number): void {
    const accounts = this.accounts(event.coupons)
    const { userId, orderId, expiresAtMs, stack } = event
    if (stack !== null) {
      const branch = this.branches.decide(stack, 'reserved', seq, { accounts, userId, orderId })
      if (branch.kept !== null) throw new AuditFault(`transaction ${nameOf(branch.transaction)} was to redeem`)
      branch.expiresAtMs = expiresAtMs
      this.checkReserved(branch)
      this.open.set(seq, { seq, heldSeq: branch.heldSeq, accounts, userId, branch, expiresAtMs })
      return
    }
    for (const account of accounts) {
      for (const sentence of account.termFaults(userId, atMs)) this.fault(sentence)
      if (account.validUntilMs !== null && expiresAtMs > account.validUntilMs) {
        this.fault(`${account.code}: a reservation outlives the coupon`)
      }
      account.hold(userId)
    }
    this.open.set(seq, { seq, heldSeq: seq, accounts, userId, branch: null, expiresAtMs })
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
    if (branch === null) for (const account of accounts) account.letGo(userId, heldSeq)
    else {
      this.branches.release(branch.transaction)
      this.branches.told.set(endSeq, { branch, what: 'released' })
    }
    if (isOverdue) this.overdue.set(seq, reservation)
  }

  private redeem(event: Redeemed, seq: number, atMs: number): void {
    const accounts = this.accounts(event.coupons)
    const { userId, orderId, stack, isLate } = event
    const reservation = event.reservation === 0 ? null : this.reservationOf(event, atMs)
    if (reservation !== null && (reservation.userId !== userId || !isSameSet(reservation.accounts, accounts))) {
      this.fault(`sequence ${seq}: a reservation is redeemed by another user or for other coupons than it was made`)
    }
    const branch = stack === null ? null : this.branches.decide(stack, 'redeemed', seq, { accounts, userId, orderId })
    if ((branch?.kept ?? null) !== (isLate ? null : (reservation?.branch ?? null))) {
      this.fault(`sequence ${seq}: another reservation is redeemed than the transaction kept`)
    }
    if (branch !== null) {
      if (!isLate) for (const sentence of branch.termFaults) this.fault(sentence)
      if (branch.kept !== null) branch.kept.end = 'redeemed'
      branch.isLate = isLate
      branch.amounts = event.price.amounts
    }
    const amounts = branch === null ? event.price.amounts : this.amountsHere(branch)
    const parts = accounts.map((account, index): AuditedRedemption => {
      const discountMinor = amounts[index] ?? 0
      const part = { orderId, userId, shard: this.shard, seq, atMs, discountMinor, reversed: false }
      if (branch !== null) account.useHeld(part, seq, this.rememberedFromSeq, branch.heldSeq)
      else if (reservation !== null && !isLate) {
        account.useHeld(part, seq, this.rememberedFromSeq, reservation.heldSeq)
      } else {
        if (reservation === null) for (const sentence of account.termFaults(userId, atMs)) this.fault(sentence)
        account.use(part, seq, this.rememberedFromSeq)
      }
      return part
    })
    const heldSeq = branch?.heldSeq ?? seq
    this.redemptions.set(seq, { heldSeq, accounts, parts, userId, branch, isReversed: false })
  }

  private amountsHere({ coupons, amounts }: Branch): number[] {
    return amounts.filter((_, i) => coupons[i]?.shard === this.shard)
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
    branch.amounts = branch.accounts.map((account) => amounts[accounts.indexOf(account)] ?? -1)
    if (branch.kept !== null) branch.kept.end = 'redeemed'
    const parts = accounts.map((account, index): AuditedRedemption => {
      const discountMinor = amounts[index] ?? 0
      const { shard } = transaction
      const part = { orderId, userId, shard, seq: redemption, atMs, discountMinor, reversed: false }
      account.useHeld(part, seq, this.rememberedFromSeq, branch.heldSeq)
      return part
    })
    const name = nameOf({ shard: transaction.shard, seq: redemption })
    const { heldSeq } = branch
    this.redemptionsElsewhere.set(name, { heldSeq, accounts, parts, userId, branch, isReversed: false })
  }

  private reverse({ redemption: seq, userId, coupons, givesUseBack, stack }: Reversed, reversedSeq: number): void {
    const redemption = this.redemptions.get(seq)
    if (redemption === undefined) throw new AuditFault(`redemption ${seq} is reversed and does not exist`)
    const { branch, heldSeq } = redemption
    const others = branch === null ? null : { heldSeq, shards: branch.shards }
    if (JSON.stringify(stack) !== JSON.stringify(others)) {
      this.fault(`the reversal of redemption ${seq} names other shards than the redemption`)
    }
    if (branch !== null) this.branches.told.set(reversedSeq, { branch, what: 'reversed' })
    this.giveBack(redemption, String(seq), userId, this.accounts(coupons), givesUseBack)
  }

  private reverseBranch(event: BranchReversed): void {
    const name = nameOf(event.redemption)
    const redemption = this.redemptionsElsewhere.get(name)
    if (redemption === undefined) throw new AuditFault(`redemption ${name} is reversed and does not exist`)
    if (redemption.heldSeq !== event.heldSeq) this.fault(`the reversal of redemption ${name} names another hold`)
    this.giveBack(redemption, name, event.userId, this.accounts(event.coupons), event.givesUseBack)
  }

  private giveBack(
    redemption: Redemption,
    name: string,
    userId: string,
    accounts: readonly CouponAccount[],
    givesUseBack: boolean,
  ): void {
    if (redemption.isReversed) this.fault(`redemption ${name} is reversed twice`)
    if (redemption.userId !== userId || !isSameSet(redemption.accounts, accounts)) {
      this.fault(`the reversal of redemption ${name} names another user or other coupons`)
    }
    redemption.isReversed = true
    if (redemption.branch !== null) redemption.branch.reversal = { givesUseBack }
    for (const part of redemption.parts) part.reversed = true
    if (givesUseBack) for (const account of redemption.accounts) account.giveUseBack(userId, redemption.heldSeq)
  }

  private openReservation(seq: number, what: string): OpenReservation {
    const reservation = this.open.get(seq)
    if (reservation === undefined) throw new AuditFault(`reservation ${seq} ${what} and is not open`)
    return reservation
  }

  private accounts(coupons: readonly number[]): CouponAccount[] {
    return coupons.map((coupon) => this.account(coupon))
  }

  private account(ordinal: number): CouponAccount {
    const account = this.coupons[ordinal]
    if (account === undefined) throw new AuditFault(`there is no coupon ${ordinal} yet`)
    return account
  }
}

const ID_DIGITS = '0123456789abcdefghjkmnpqrstvwxyz'

/** An id as clients see it: prefix, two digits for the shard, then the number; base 32. */
export function idOf(prefix: string, shard: number, number: number): string {
  let digits = ''
  for (let rest = number; rest > 0 || digits === ''; rest = Math.floor(rest / 32))
    digits = `${ID_DIGITS[rest % 32]}${digits}`
  return `${prefix}${ID_DIGITS[Math.floor(shard / 32)]}${ID_DIGITS[shard % 32]}${digits}`
}
