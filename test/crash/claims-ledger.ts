// What users who claim coupons were told, and what may never be true of it: a coupon with two at once, a user with two of one pool at
// once, a user with more of a day than its limit, a limit of the day that somebody is refused by who has taken nothing.
//
//     claim ──▶ open until it runs out ──┬─▶ redeemed: nobody's any more
//                                        ├─▶ let go: the next one's     (its user's day stays counted)
//                                        └─▶ run out: the next one's    (as well)
//
// A claim begins when its time to live says: `expiresAt` less the lock of its campaign, by the server's clock. So claims of a coupon
// can be put in order whatever order their answers came in.

import { Violation } from './ledger.ts'
import { type StackCampaign, type StackCoupon, StackLedger, type StackReservation } from './stack-ledger.ts'

const DAY_MS = 24 * 60 * 60 * 1_000
/** Longer than a restart takes: a claim in doubt with such a lock is found open when it is asked for again. */
const LONG_LOCK_MS = 60_000

export interface ClaimCampaign extends StackCampaign {
  /** In its pool. */
  readonly codes: number
  readonly lockMs: number
  /** A local day; the campaign's zone is UTC. */
  readonly perUser: number
  /** Counted together with all others that are. */
  readonly isOverAll: boolean
}

export interface Claim extends StackReservation {
  readonly campaign: ClaimCampaign
  readonly beganAtMs: number
}

/** What a claim answered. */
export interface ClaimAnswer {
  readonly code: string
  readonly reservationId: string
  readonly expiresAtMs: number
}

/** What a claim becomes when it is redeemed. */
export interface IntendedOrder {
  readonly userId: string
  readonly orderId: string
  readonly totalMinor: number
}

export class ClaimsLedger {
  readonly stacks = new StackLedger()
  /** In the order of their answers. */
  readonly claims: Claim[] = []
  private readonly byReservation = new Map<string, Claim>()
  private readonly ofUser = new Map<string, Claim[]>()
  private readonly ofCode = new Map<string, Claim[]>()
  private readonly coupons = new Map<string, StackCoupon>()
  /** By user, limit and day. */
  private readonly taken = new Map<string, number>()
  /** Claims that may have been done and have run out before anybody was told, by user and limit. */
  private readonly unseen = new Map<string, number>()

  /** Null: the user was told of this claim before. Throws a Violation. */
  addClaim(campaign: ClaimCampaign, order: IntendedOrder, answer: ClaimAnswer): Claim | null {
    const { userId } = order
    const { code, reservationId, expiresAtMs } = answer
    const known = this.byReservation.get(reservationId)
    if (known !== undefined) {
      const isSame =
        known.userId === userId && known.coupons[0]?.code === code && known.expiresAtMs === answer.expiresAtMs
      if (!isSame) throw new Violation(`${reservationId} of ${known.userId} was ${named(known)}, and now ${code}`)
      if (known.state !== 'OPEN') throw new Violation(`${reservationId} is ${known.state} and was claimed again`)
      return null
    }
    const beganAtMs = expiresAtMs - campaign.lockMs
    const open = this.claimsOf(userId).find((claim) => claim.campaign === campaign && isOpenAt(claim, beganAtMs))
    if (open !== undefined) {
      throw new Violation(`${userId} has ${named(open)} of ${campaign.campaignId} at ${beganAtMs}, and got ${code} too`)
    }
    const claim: Claim = {
      ...order,
      campaign,
      coupons: [this.coupon(campaign, code)],
      reservationId,
      expiresAtMs,
      beganAtMs,
      isPriced: false,
      state: 'OPEN',
    }
    this.claims.push(claim)
    this.stacks.addReservation(claim)
    this.byReservation.set(reservationId, claim)
    added(this.ofUser, userId, claim)
    added(this.ofCode, code, claim)
    this.countDay(claim)
    return claim
  }

  /** A claim without an answer. */
  doubt(campaign: ClaimCampaign, userId: string): void {
    if (campaign.lockMs >= LONG_LOCK_MS) return
    const key = `${userId} ${limitOf(campaign)}`
    this.unseen.set(key, (this.unseen.get(key) ?? 0) + 1)
  }

  /** Throws a Violation where a user is refused who has room, by the day of the server's or a minute before. */
  dayIsFull(campaign: ClaimCampaign, userId: string, nowMs: number): void {
    const key = `${userId} ${limitOf(campaign)}`
    const days = new Set([dayOf(nowMs), dayOf(nowMs - LONG_LOCK_MS), dayOf(nowMs + LONG_LOCK_MS)])
    for (const day of days) {
      const known = (this.taken.get(`${key} ${day}`) ?? 0) + (this.unseen.get(key) ?? 0)
      if (known >= campaign.perUser) return
    }
    throw new Violation(`${userId} was refused by the day of ${campaign.campaignId} and has taken nothing of it`)
  }

  claimsOf(userId: string): readonly Claim[] {
    return this.ofUser.get(userId) ?? []
  }

  lastOfCode(code: string): Claim | null {
    return this.inOrder(code).at(-1) ?? null
  }

  /** Throws a Violation where a coupon was somebody's while it was somebody else's. To be asked when nothing is in doubt. */
  judgeHolders(): void {
    for (const code of this.ofCode.keys()) {
      const claims = this.inOrder(code)
      for (const [i, later] of claims.entries()) {
        const earlier = claims[i - 1]
        if (earlier === undefined) continue
        if (earlier.state === 'REDEEMED')
          throw new Violation(`${code} was redeemed by ${earlier.userId}, and handed on`)
        if (isOpenAt(earlier, later.beganAtMs)) {
          throw new Violation(
            `${code} was ${earlier.userId}'s until ${earlier.expiresAtMs}, and ${later.userId}'s from ${later.beganAtMs}`,
          )
        }
      }
    }
  }

  private inOrder(code: string): Claim[] {
    return [...(this.ofCode.get(code) ?? [])].sort((a, b) => a.beganAtMs - b.beganAtMs)
  }

  private countDay(claim: Claim): void {
    const { campaign, userId, beganAtMs } = claim
    const key = `${userId} ${limitOf(campaign)} ${dayOf(beganAtMs)}`
    const count = (this.taken.get(key) ?? 0) + 1
    this.taken.set(key, count)
    if (count > campaign.perUser) {
      throw new Violation(
        `${userId} took ${count} in a day, ${named(claim)} the last: the limit is ${campaign.perUser}`,
      )
    }
  }

  private coupon(campaign: ClaimCampaign, code: string): StackCoupon {
    const known = this.coupons.get(code)
    if (known !== undefined) {
      if (known.campaign !== campaign) throw new Violation(`${code} was claimed of two campaigns`)
      return known
    }
    const coupon = { code, maxUses: 1, maxUsesPerUser: null, campaign }
    this.coupons.set(code, coupon)
    this.stacks.coupons.push(coupon)
    return coupon
  }
}

function isOpenAt({ state, expiresAtMs }: Claim, timeMs: number): boolean {
  return state === 'OPEN' && expiresAtMs > timeMs
}

function named({ coupons }: Claim): string {
  return String(coupons[0]?.code)
}

function limitOf({ isOverAll, campaignId }: ClaimCampaign): string {
  return isOverAll ? 'all' : campaignId
}

function dayOf(timeMs: number): number {
  return Math.floor(timeMs / DAY_MS)
}

function added(lists: Map<string, Claim[]>, key: string, claim: Claim): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [claim])
  else list.push(claim)
}
