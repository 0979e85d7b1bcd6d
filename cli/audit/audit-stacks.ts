/**
 * All or none: holds the logs of the shards against each other, where a call had coupons on several.
 *
 * What a shard says of a transaction has to be what its coordinator said, at whatever moment the logs end: nobody is told
 * before what he is told is on disk. Only the other way round something may be missing at the end, the last word of a
 * coordinator that another shard has not logged yet; unless the system had settled, or the shard had confirmed it.
 *
 *     coordinator 3     prepared ──────────────────▶ Redeemed ───────────▶ delivered
 *     shard 9                     prepared                     BranchRedeemed
 *                                          ▲ an end here leaves 9 undecided: it has its share to come
 */
import type { ShardAccounts } from './audit-accounts.ts'
import { type Branch, nameOf, type Told } from './audit-branches.ts'

export interface StackFindings {
  /** Sentences; none: the shards agree. */
  readonly faults: readonly string[]
  /** What the logs leave open at their end. */
  readonly open: readonly string[]
}

/** `books` of every shard that has a log. */
export function stackFindings(books: ReadonlyMap<number, ShardAccounts>): StackFindings {
  const faults: string[] = []
  const open: string[] = []
  for (const [shard, { branches }] of books) {
    for (const branch of branches.all.values()) {
      if (branch.transaction.shard === shard) coordinated(branch, books, faults, open)
      else faults.push(...disagreements(shard, branch, books))
    }
    for (const { seq, shard: by } of branches.delivered) {
      const told = branches.told.get(seq)
      if (told !== undefined && !isLogged(told, by, books)) {
        faults.push(`shard ${by} confirmed event ${shard}:${seq} and has not logged what it means`)
      }
    }
  }
  return { faults, open }
}

/** What a coordinator decided has a counterpart on every shard that it names. */
function coordinated(
  branch: Branch,
  books: ReadonlyMap<number, ShardAccounts>,
  faults: string[],
  open: string[],
): void {
  const name = nameOf(branch.transaction)
  if (branch.state === 'undecided') open.push(`transaction ${name} is undecided at the end`)
  for (const shard of branch.shards) {
    const theirs = books.get(shard)?.branches.all.get(name)
    if (theirs === undefined) {
      if (branch.state === 'reserved' || branch.state === 'redeemed')
        faults.push(`transaction ${name} was ${branch.state}, and shard ${shard} has no part in it`)
      continue
    }
    if (theirs.state === 'undecided' && branch.state !== 'undecided')
      open.push(`shard ${shard} is undecided at the end about transaction ${name}, which was ${branch.state}`)
    // Whoever only counted a day of the user's has no part in what becomes of it.
    if (theirs.state === 'undecided' || theirs.accounts.length === 0) continue
    if (branch.end === 'released' && theirs.end === null)
      open.push(`shard ${shard} still holds the reservation of transaction ${name}, which was released`)
    if (branch.reversal !== null && theirs.reversal === null)
      open.push(`shard ${shard} has not logged that the redemption of transaction ${name} was reversed`)
  }
}

/** What a shard logged otherwise than its coordinator. */
function disagreements(shard: number, branch: Branch, books: ReadonlyMap<number, ShardAccounts>): string[] {
  const name = nameOf(branch.transaction)
  const own = books.get(branch.transaction.shard)?.branches.all.get(name)
  if (own === undefined)
    return [`shard ${shard} has prepared transaction ${name}, of which its coordinator knows nothing`]
  const said = (what: string): string => `shard ${shard}, transaction ${name}: ${what}`
  const faults: string[] = []
  if (!own.shards.includes(shard)) faults.push(said('the coordinator does not name this shard'))
  const isSameCall =
    own.userId === branch.userId && own.orderId === branch.orderId && nameOfKept(own) === nameOfKept(branch)
  if (!isSameCall) faults.push(said('another user, order or reservation than on its coordinator'))
  if (branch.state !== 'undecided' && (branch.state !== own.state || isElsewhere(branch, own)))
    faults.push(said(`was ${branch.state}, and its coordinator says ${own.state}`))
  if (branch.end !== null && branch.end !== own.end)
    faults.push(said(`its reservation was ${branch.end}, and its coordinator says otherwise`))
  if (branch.reversal !== null && branch.reversal.givesUseBack !== own.reversal?.givesUseBack)
    faults.push(said('was reversed otherwise than on its coordinator'))
  if (own.state === 'reserved' || own.state === 'redeemed') faults.push(...sharesOf(shard, branch, own).map(said))
  return faults
}

/** Another reservation or redemption than the coordinator's. */
function isElsewhere(branch: Branch, own: Branch): boolean {
  return branch.decisionSeq !== own.decisionSeq && branch.state !== 'aborted'
}

/** The coupons and amounts of a shard, held against those that its coordinator names for it. */
function sharesOf(shard: number, branch: Branch, own: Branch): string[] {
  const faults: string[] = []
  const named = own.coupons.filter((coupon) => coupon.shard === shard)
  const codes = new Map(branch.accounts.map(({ ordinal, code }) => [ordinal, code]))
  const isSame =
    isSameList(
      named.map(({ coupon }) => coupon),
      branch.accounts.map(({ ordinal }) => ordinal),
    ) && named.every(({ coupon, code, heldSeq }) => codes.get(coupon) === code && heldSeq === branch.heldSeq)
  if (!isSame) faults.push('the coordinator names other coupons, or another hold, than were taken here')
  if (branch.state !== 'redeemed') return faults
  if (!own.isLate) faults.push(...branch.termFaults)
  for (const ordinal of codes.keys()) {
    const here = branch.amounts.filter((_, i) => branch.accounts[i]?.ordinal === ordinal)
    const there = named.filter(({ coupon }) => coupon === ordinal).map(({ place }) => own.amounts[place] ?? -1)
    if (!isSameList(here, there)) {
      const what = codes.get(ordinal) ?? `campaign ${ordinal}`
      faults.push(`${what} gave ${here.join(' and ')} here and ${there.join(' and ')} on the coordinator`)
    }
  }
  return faults
}

/** In any order. */
function isSameList(a: readonly number[], b: readonly number[]): boolean {
  const sorted = [...b].sort((one, other) => one - other)
  return a.length === b.length && [...a].sort((one, other) => one - other).every((each, i) => each === sorted[i])
}

function nameOfKept({ kept }: Branch): string | null {
  return kept === null ? null : nameOf(kept.transaction)
}

function isLogged({ branch, what }: Told, shard: number, books: ReadonlyMap<number, ShardAccounts>): boolean {
  const theirs = books.get(shard)?.branches.all.get(nameOf(branch.transaction))
  // Whoever had nothing to abort has nothing to log, even if a late word of the coordinator makes it prepare afterwards.
  if (what === 'aborted') return true
  if (theirs === undefined || theirs.state === 'undecided') return false
  if (what === 'released') return theirs.end === 'released'
  return what === 'reversed' ? theirs.reversal !== null : true
}
