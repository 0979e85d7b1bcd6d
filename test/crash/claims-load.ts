// Users who come for a coupon of the day, until they are told to stop or the server is gone: most are new, some come again, some
// click twice. What they got they redeem, let go, or let run out.

import { setImmediate as turn } from 'node:timers/promises'
import type { SeededRandom } from '../support/seeded-random.ts'
import type { Answer, Checkout } from './checkout.ts'
import type { Claim, ClaimCampaign, ClaimsLedger, IntendedOrder } from './claims-ledger.ts'
import { Violation } from './ledger.ts'
import { mayBeOver, StackCalls } from './stack-calls.ts'

const COMES_AGAIN_EVERY = 4
const CLICKS_TWICE_EVERY = 6

/** What a claim may be refused with beside the day: there is none left, or this user claims at this moment. */
const NONE_NOW: ReadonlySet<string> = new Set(['POOL_EMPTY', 'COUPON_LOCKED'])

export class ClaimsLoad {
  readonly calls: StackCalls
  /** Users who were refused because nothing was left. */
  cameTooLate = 0
  refusedByDay = 0
  private readonly ledger: ClaimsLedger
  private readonly random: SeededRandom
  private readonly name: string
  private stopped = false
  private users = 0
  private orders = 0
  /** Users with nothing under way and nothing in doubt, from earlier lives of the server too. */
  private readonly idle: string[]
  /** Users who may come again when their doubts are settled. */
  readonly leftInDoubt: string[] = []

  /** `name` begins the names of users and orders. */
  constructor(ledger: ClaimsLedger, random: SeededRandom, name: string, idle: string[]) {
    this.ledger = ledger
    this.idle = idle
    this.random = random
    this.name = name
    this.calls = new StackCalls(ledger.stacks)
  }

  stop(): void {
    this.stopped = true
  }

  async run(campaigns: readonly ClaimCampaign[], checkouts: readonly Checkout[], buyersEach: number): Promise<void> {
    const buyers: Promise<void>[] = []
    for (const [i, checkout] of checkouts.entries()) {
      const other = checkouts[(i + 1) % checkouts.length] as Checkout
      for (let buyer = 0; buyer < buyersEach; buyer++) buyers.push(this.buyer(campaigns, checkout, other))
    }
    await Promise.all(buyers)
  }

  /** Takes what is left of a pool, one user a coupon. Everybody is answered. */
  async takeAll(campaign: ClaimCampaign, checkout: Checkout, atOnce: number): Promise<number> {
    const before = this.ledger.claims.length
    const lateBefore = this.cameTooLate
    const buyer = async (): Promise<void> => {
      while (this.cameTooLate === lateBefore) {
        if (!(await this.claim(campaign, this.newUser(), checkout)))
          throw new Violation('a quiet server does not answer')
      }
    }
    await Promise.all(Array.from({ length: atOnce }, buyer))
    return this.ledger.claims.length - before
  }

  private async buyer(campaigns: readonly ClaimCampaign[], checkout: Checkout, other: Checkout): Promise<void> {
    while (!this.stopped) {
      const userId = this.nextUser()
      const doubtsBefore = this.calls.doubts.length
      const goesOn = await this.claimAndGoOn(this.random.pick(campaigns), userId, checkout, other)
      // Somebody else's doubt may have come meanwhile: that user waits too.
      if (this.calls.doubts.length > doubtsBefore) this.leftInDoubt.push(userId)
      else this.idle.push(userId)
      if (!goesOn) return
      await turn()
    }
  }

  private async claimAndGoOn(
    campaign: ClaimCampaign,
    userId: string,
    checkout: Checkout,
    other: Checkout,
  ): Promise<boolean> {
    if (!(await this.claimTwiceOrOnce(campaign, userId, checkout, other))) return false
    const open = this.ledger.claimsOf(userId).filter((claim) => claim.state === 'OPEN' && !mayBeOver(claim))
    return open.length === 0 || (await this.goOn(checkout, this.random.pick(open)))
  }

  private nextUser(): string {
    if (this.idle.length === 0 || this.random.below(COMES_AGAIN_EVERY) > 0) return this.newUser()
    const [userId] = this.idle.splice(this.random.below(this.idle.length), 1)
    return userId as string
  }

  private newUser(): string {
    this.users++
    return `u-${this.name}-${this.users}`
  }

  /** Two calls of one user at once, over two connections, give one coupon. */
  private async claimTwiceOrOnce(
    campaign: ClaimCampaign,
    userId: string,
    checkout: Checkout,
    other: Checkout,
  ): Promise<boolean> {
    if (this.random.below(CLICKS_TWICE_EVERY) > 0) return await this.claim(campaign, userId, checkout)
    const both = await Promise.all([this.claim(campaign, userId, checkout), this.claim(campaign, userId, other)])
    return both.every(Boolean)
  }

  private claim(campaign: ClaimCampaign, userId: string, checkout: Checkout): Promise<boolean> {
    this.orders++
    const orderId = `o-${this.name}-${this.orders}`
    const order: IntendedOrder = { userId, orderId, totalMinor: 1_000 + this.random.below(9_000) }
    let isFirst = true
    return this.calls.settle(
      checkout,
      async (on) => {
        const answer = await on.claim(campaign.campaignId, userId)
        if (answer.kind === 'doubt' && isFirst) this.ledger.doubt(campaign, userId)
        isFirst = false
        return answer
      },
      (answer) => this.tookClaim(campaign, order, answer),
    )
  }

  private tookClaim(campaign: ClaimCampaign, order: IntendedOrder, answer: Answer): void {
    const { userId } = order
    if (answer.kind === 'done') {
      const { coupon, reservationId, expiresAt } = answer.result
      const { code, status, lockedBy } = coupon as { readonly code: string; status: string; lockedBy: string }
      if (status !== 'LOCKED' || lockedBy !== userId) {
        throw new Violation(`${userId} was handed ${code}, which is ${status} by ${lockedBy}`)
      }
      const expiresAtMs = Date.parse(String(expiresAt))
      this.ledger.addClaim(campaign, order, { code, reservationId: String(reservationId), expiresAtMs })
      return
    }
    if (answer.kind === 'refused' && answer.code === 'DAILY_LIMIT_REACHED') {
      this.refusedByDay++
      this.ledger.dayIsFull(campaign, userId, Date.now())
      return
    }
    if (answer.kind !== 'refused' || !NONE_NOW.has(answer.code)) {
      throw new Violation(`a claim of ${userId} was answered ${JSON.stringify(answer)}`)
    }
    if (answer.code === 'POOL_EMPTY') this.cameTooLate++
  }

  private async goOn(checkout: Checkout, claim: Claim): Promise<boolean> {
    const next = this.random.below(8)
    if (next < 2) return await this.calls.release(checkout, claim)
    if (next < 4) return await this.calls.redeemReserved(checkout, claim)
    if (next < 6) return await this.calls.redeemByCodes(checkout, claim)
    return true
  }
}
