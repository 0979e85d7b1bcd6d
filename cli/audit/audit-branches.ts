/**
 * A shard's part in calls over several shards: what each transaction took here, and how it ended. Whether the shards agree is
 * judged when all their logs are read (audit-stacks.ts); here, that each log is consistent in itself.
 *
 *     prepared ──▶ aborted                        on the coordinator its own decision, elsewhere what it was told
 *        ├───────▶ redeemed
 *        └───────▶ reserved ──▶ released
 *                      └──────▶ redeemed by a transaction of its own, which keeps the hold instead of taking one
 */
import type { BranchEvent, StackRead, StackedCouponRead, TransactionName } from './audit-branch-events.ts'
import type { DayRead } from './audit-campaign-events.ts'
import { type Account, isSameSet } from './audit-coupon.ts'
import { AuditFault } from './audit-cursor.ts'

export interface Branch {
  /** Of the coordinator. */
  readonly transaction: TransactionName
  /** Sequence here of what took the capacity. */
  readonly heldSeq: number
  /** Coupons, and campaigns of coupons that live elsewhere. */
  readonly accounts: readonly Account[]
  readonly userId: string
  readonly orderId: string | null
  /** The reservation that is made final; null: capacity was taken. */
  readonly kept: Branch | null
  /** On the coordinator: the others. */
  readonly shards: readonly number[]
  /** What forbade the taking at its time. A late redemption is not bound by it. */
  readonly termFaults: readonly string[]
  /** The earliest end of its coupons as it was when they were taken; null: none ends. */
  readonly endsAtMs: number | null
  /** Coupons of the day that it has counted; an abort takes them back. */
  readonly days: readonly DayRead[]
  /** What each of the accounts holds of a budget. */
  held: readonly number[]
  state: 'undecided' | 'aborted' | 'reserved' | 'redeemed'
  /** On the coordinator, of the reservation or redemption; 0 while there is none. */
  decisionSeq: number
  /** On the coordinator, once decided: all coupons, and what each gave. */
  coupons: readonly StackedCouponRead[]
  /** In the order of the coupons on the coordinator, of the accounts elsewhere; empty: none is known. */
  amounts: readonly number[]
  isLate: boolean
  /** Of a reservation. */
  expiresAtMs: number
  end: 'released' | 'redeemed' | null
  /** The transaction that is making the reservation final. */
  claim: Branch | null
  /** null: it was not reversed. */
  reversal: { readonly givesUseBack: boolean } | null
}

/** An event of a coordinator that other shards have to act on. */
export interface Told {
  readonly branch: Branch
  readonly what: 'aborted' | 'decided' | 'retimed' | 'released' | 'reversed'
}

type Prepared = Extract<BranchEvent, { kind: 'branchPrepared' }>
type Delivered = Extract<BranchEvent, { kind: 'delivered' }>

export class ShardBranches {
  /** By the transaction's name. */
  readonly all = new Map<string, Branch>()
  /** On the coordinator, by the sequence of the event. */
  readonly told = new Map<number, Told>()
  /** Pairs of such an event and a shard that has logged what it means. */
  readonly delivered: { readonly seq: number; readonly shard: number }[] = []
  private readonly shard: number
  private readonly fault: (sentence: string) => void

  constructor(shard: number, fault: (sentence: string) => void) {
    this.shard = shard
    this.fault = fault
  }

  prepare(event: Prepared, accounts: readonly Account[], seq: number, atMs: number): Branch {
    const { userId, orderId, shards, amounts, days } = event
    if (amounts.length !== 0 && amounts.length !== accounts.length) {
      throw new AuditFault('a transaction holds amounts for other coupons than it takes')
    }
    const isOwn = event.transaction.shard === this.shard
    const transaction = isOwn ? { shard: this.shard, seq } : event.transaction
    const name = nameOf(transaction)
    if (isOwn !== (event.transaction.seq === 0)) throw new AuditFault(`transaction ${name} has the name of another`)
    if (isOwn ? shards.length === 0 || shards.includes(this.shard) : shards.length > 0) {
      throw new AuditFault(`transaction ${name} does not name its shards as it should`)
    }
    if (this.all.has(name)) throw new AuditFault(`transaction ${name} is prepared twice`)
    const kept = event.reservation === 0 ? null : this.keptBy(event, atMs)
    const branch: Branch = {
      transaction,
      heldSeq: kept === null ? seq : kept.heldSeq,
      accounts,
      userId,
      orderId,
      kept,
      shards,
      termFaults: kept === null ? accounts.flatMap((account) => account.termFaults(userId, atMs)) : [],
      endsAtMs: earliestEnd(accounts),
      days,
      held: accounts.map((_, i) => amounts[i] ?? 0),
      state: 'undecided',
      decisionSeq: 0,
      coupons: [],
      amounts: [],
      isLate: false,
      expiresAtMs: 0,
      end: null,
      claim: null,
      reversal: null,
    }
    this.all.set(name, branch)
    if (kept === null) for (const [i, account] of accounts.entries()) account.hold(userId, branch.held[i] ?? 0)
    else {
      holdMore(kept, accounts, amounts)
      kept.claim = branch
      if (kept.userId !== userId || !isSameSet(kept.accounts, accounts)) {
        this.fault(`transaction ${name} makes a reservation final for another user or other coupons than it was made`)
      }
    }
    return branch
  }

  private keptBy({ transaction: { shard }, reservation }: Prepared, atMs: number): Branch {
    const name = nameOf({ shard, seq: reservation })
    const kept = this.all.get(name)
    if (kept === undefined || kept.state !== 'reserved' || kept.end !== null) {
      throw new AuditFault(`the reservation of transaction ${name} is redeemed and is not open`)
    }
    if (kept.claim !== null) throw new AuditFault(`the reservation of transaction ${name} is redeemed twice at once`)
    // Its time is the coordinator's.
    if (shard === this.shard && atMs >= kept.expiresAtMs) {
      this.fault(`the reservation of transaction ${name} is redeemed after its time`)
    }
    return kept
  }

  /** The branch that came to nothing. */
  abort(transaction: TransactionName, seq: number): Branch {
    const branch = this.undecided(transaction)
    branch.state = 'aborted'
    if (branch.kept !== null) branch.kept.claim = null
    else letGoOf(branch)
    if (transaction.shard === this.shard) this.told.set(seq, { branch, what: 'aborted' })
    return branch
  }

  /** The coordinator's decision, with all coupons of the call. */
  decide(
    stack: StackRead,
    state: 'reserved' | 'redeemed',
    seq: number,
    decided: { readonly accounts: readonly Account[]; readonly userId: string; readonly orderId: string | null },
  ): Branch {
    const branch = this.undecided({ shard: this.shard, seq: stack.transaction })
    const here = stack.coupons.filter(({ shard }) => shard === this.shard)
    const others = new Set(stack.coupons.map(({ shard }) => shard))
    others.delete(this.shard)
    const isAsPrepared =
      branch.userId === decided.userId &&
      branch.orderId === decided.orderId &&
      isSameSet(branch.accounts, decided.accounts) &&
      here.length === decided.accounts.length &&
      here.every(({ coupon, code, heldSeq }, i) => {
        const account = decided.accounts[i]
        return account?.ordinal === coupon && account.code === code && heldSeq === branch.heldSeq
      }) &&
      // Beside those that have coupons in it there may be one that only counts a day.
      [...others].every((shard) => branch.shards.includes(shard))
    if (!isAsPrepared) this.fault(`transaction ${nameOf(branch.transaction)} ends otherwise than it was prepared`)
    branch.state = state
    branch.decisionSeq = seq
    branch.coupons = stack.coupons
    this.told.set(seq, { branch, what: 'decided' })
    return branch
  }

  /** All its coupons live here, another shard counts a day: from now on it is like any other of this shard. */
  decideAlone(
    txnSeq: number,
    state: 'reserved' | 'redeemed',
    seq: number,
    decided: { readonly accounts: readonly Account[]; readonly userId: string; readonly orderId: string | null },
  ): Branch {
    const branch = this.undecided({ shard: this.shard, seq: txnSeq })
    const isAsPrepared = branch.userId === decided.userId && branch.orderId === decided.orderId
    if (!isAsPrepared || !isSameSet(branch.accounts, decided.accounts)) {
      this.fault(`transaction ${nameOf(branch.transaction)} ends otherwise than it was prepared`)
    }
    branch.state = state
    branch.decisionSeq = seq
    this.told.set(seq, { branch, what: 'decided' })
    return branch
  }

  /** Elsewhere: the coordinator has decided. */
  settle(transaction: TransactionName, state: 'reserved' | 'redeemed', decisionSeq: number): Branch {
    if (transaction.shard === this.shard) throw new AuditFault(`transaction ${nameOf(transaction)} is told to itself`)
    const branch = this.undecided(transaction)
    branch.state = state
    branch.decisionSeq = decisionSeq
    return branch
  }

  retime(transaction: TransactionName, expiresAtMs: number): void {
    this.reservationOf(transaction, 'gets another time').expiresAtMs = expiresAtMs
  }

  release(transaction: TransactionName): void {
    const branch = this.reservationOf(transaction, 'is released')
    if (branch.claim !== null) {
      throw new AuditFault(`the reservation of transaction ${nameOf(transaction)} is released while it is redeemed`)
    }
    branch.end = 'released'
    letGoOf(branch)
  }

  deliver({ seqs, shards }: Delivered): void {
    for (const [i, seq] of seqs.entries()) {
      const shard = shards[i] as number
      const told = this.told.get(seq)
      if (told === undefined || !told.branch.shards.includes(shard)) {
        this.fault(`shard ${shard} confirmed event ${seq}, which does not concern it`)
      } else this.delivered.push({ seq, shard })
    }
  }

  private reservationOf(transaction: TransactionName, what: string): Branch {
    const branch = this.all.get(nameOf(transaction))
    if (branch === undefined || branch.state !== 'reserved' || branch.end !== null) {
      throw new AuditFault(`the reservation of transaction ${nameOf(transaction)} ${what} and is not open`)
    }
    return branch
  }

  private undecided(transaction: TransactionName): Branch {
    const branch = this.all.get(nameOf(transaction))
    if (branch?.state !== 'undecided') {
      throw new AuditFault(`transaction ${nameOf(transaction)} is decided and was not waiting for it`)
    }
    return branch
  }
}

export function nameOf({ shard, seq }: TransactionName): string {
  return `${shard}:${seq}`
}

function letGoOf({ accounts, userId, heldSeq, held }: Branch): void {
  for (const [i, account] of accounts.entries()) account.letGo(userId, heldSeq, held[i] ?? 0)
}

/** A reservation that is made final at another price holds what that needs, and never less than before. */
function holdMore(kept: Branch, accounts: readonly Account[], amounts: readonly number[]): void {
  const left = accounts.map((account, i) => ({ account, amountMinor: amounts[i] ?? 0 }))
  kept.held = kept.accounts.map((account, i) => {
    const before = kept.held[i] ?? 0
    const at = left.findIndex((each) => each.account === account)
    const wanted = at < 0 ? 0 : (left.splice(at, 1)[0]?.amountMinor ?? 0)
    if (wanted > before) account.holdMore(wanted - before)
    return Math.max(before, wanted)
  })
}

function earliestEnd(accounts: readonly Account[]): number | null {
  const ends = accounts.map(({ validUntilMs }) => validUntilMs).filter((endMs) => endMs !== null)
  return ends.length === 0 ? null : Math.min(...ends)
}
