// Coupons on several shards under crashes: all or none, no hold left behind, counters equal to what was told. It comes to every fail
// point of a call over several shards, at once (its event in memory and not on disk) and behind its flush (on disk, and nobody heard).

import { setTimeout as wait } from 'node:timers/promises'
import { HttpClient } from '../support/http-client.ts'
import type { SeededRandom } from '../support/seeded-random.ts'
import type { ServerProcess } from '../support/server-process.ts'
import { connectCalls } from '../support/ws-calls.ts'
import { type Checkout, HttpCheckout, WsCheckout } from './checkout.ts'
import type { CrashLoad, Work } from './crash-load.ts'
import type { Way } from './deaths.ts'
import type { Facts, LogEnd } from './judge.ts'
import { Violation } from './ledger.ts'
import { SETTLED_WITHIN_MS, settleAll, type StackDoubt } from './stack-calls.ts'
import { checkCampaign, checkRedemption, checkReservation, done, inWindows, LOOK_AGAIN_MS } from './stack-checks.ts'
import { factsOf, type StackCampaign, type StackCoupon, StackLedger } from './stack-ledger.ts'
import { StackLoad } from './stack-load.ts'

const BUYERS_EACH = 8
const STOCK_COUPONS = 12
/** Of these, codes of a campaign, which lie on whatever shards. */
const STOCK_OF_CAMPAIGN = 5
const PREPARED_LIVES_OF_A_STOCK = 3
const OFFER = { type: 'PERCENT', value: 10, stacking: 'STACKABLE' } as const
/** Counted on the shard of the user. */
const DAILY = { perUser: 40, scope: 'ALL' } as const
const SAMPLE = 60

/** `stack.aborted` seldom happens, so it is met the first few times. */
export const STACK_WAYS: readonly Way[] = (
  [
    ['stack.prepared', 40],
    ['stack.branch-prepared', 40],
    ['stack.decided', 40],
    ['stack.aborted', 3],
    ['stack.branch-settled', 40],
    ['stack.delivered', 40],
  ] as const
).flatMap(([point, timesMax]) => [
  { point, when: 'now' as const, timesMax },
  { point, when: 'flushed' as const, timesMax },
])

export class StackCrash implements CrashLoad {
  readonly name = 'stacks'
  readonly workers = [2, 3, 3]
  readonly loadMsMax = 500
  readonly ways = STACK_WAYS
  readonly isJobUnderWay = false
  private readonly random: SeededRandom
  private readonly ledger = new StackLedger()
  private http: HttpCheckout | null = null
  private ws: WsCheckout | null = null
  private stock: StackCoupon[] = []
  private since = { redemptions: 0, reservations: 0 }
  private prepared = 0
  private readonly doubts: StackDoubt[] = []
  private doubted = 0
  private checked = 0

  constructor(random: SeededRandom) {
    this.random = random
  }

  async connect({ port }: ServerProcess): Promise<void> {
    this.http = new HttpCheckout(new HttpClient(port, BUYERS_EACH * 4))
    this.ws = new WsCheckout(await connectCalls(port, 's-'))
  }

  disconnect(): void {
    this.http?.http.close()
    this.ws?.session.close()
    this.http = null
    this.ws = null
  }

  async settle(): Promise<void> {
    await settleAll(this.doubts, this.http as HttpCheckout)
  }

  async check(isWhole: boolean): Promise<void> {
    const { ledger } = this
    const http = this.http as HttpCheckout
    const checkout = this.random.below(2) === 0 ? http : (this.ws as WsCheckout)
    ledger.checkLimits()
    const since = isWhole ? { redemptions: 0, reservations: 0 } : this.since
    const redemptions = this.chosen(ledger.redemptions, since.redemptions)
    const reservations = this.chosen(ledger.reservations, since.reservations)
    await inWindows(redemptions, (entry) => checkRedemption(checkout, entry))
    await inWindows(reservations, (entry) => checkReservation(checkout, entry))
    await inWindows(ledger.coupons.slice(-3 * STOCK_COUPONS), (coupon) => this.checkCoupon(checkout, coupon))
    await inWindows(ledger.campaigns.slice(-3), (campaign) => checkCampaign(http, ledger, campaign))
    this.checked += redemptions.length + reservations.length + ledger.coupons.length
    this.since = { redemptions: ledger.redemptions.length, reservations: ledger.reservations.length }
  }

  async prepare(round: number): Promise<void> {
    if (this.prepared % PREPARED_LIVES_OF_A_STOCK === 0) await this.newStock(this.http as HttpCheckout, round)
    this.prepared++
  }

  begin(round: number): Work {
    const { ledger, random, http, ws, stock } = this
    if (stock.length === 0 || http === null || ws === null) return { done: Promise.resolve(), stop: () => {} }
    const load = new StackLoad(ledger, random, round)
    const ended = load.run(stock, http, [http, ws], BUYERS_EACH).then(() => {
      this.doubts.push(...load.calls.doubts)
      this.doubted += load.calls.doubts.length
    })
    return { done: ended, stop: () => load.stop() }
  }

  facts(end: LogEnd): Facts {
    return factsOf(this.ledger, end)
  }

  counts(): Readonly<Record<string, number>> {
    const { redemptions, reservations } = this.ledger
    return {
      redemptions: redemptions.length,
      reservations: reservations.length,
      doubts: this.doubted,
      checks: this.checked,
    }
  }

  private chosen<Entry>(entries: readonly Entry[], since: number): Entry[] {
    const found = entries.slice(since)
    for (let i = 0; i < Math.min(SAMPLE, since); i++) found.push(entries[this.random.below(since)] as Entry)
    return found
  }

  private async checkCoupon(checkout: Checkout, coupon: StackCoupon): Promise<void> {
    const untilMs = performance.now() + SETTLED_WITHIN_MS
    for (;;) {
      const { result, timeMs } = done(
        await checkout.get('coupon', coupon.code),
        `the coupon ${coupon.code} was created`,
      )
      const uses = this.ledger.uses(coupon)
      const reserved = this.ledger.reservedAt(coupon, timeMs)
      if (result['uses'] === uses && result['reserved'] === reserved) return
      const found = `${String(result['uses'])} uses and ${String(result['reserved'])} reserved`
      if (performance.now() > untilMs) {
        throw new Violation(`${coupon.code} has ${found}, acknowledged were ${uses} and ${reserved} at ${timeMs}`)
      }
      await wait(LOOK_AGAIN_MS)
    }
  }

  private async newStock(http: HttpCheckout, round: number): Promise<void> {
    this.stock = []
    const campaign = await this.newCampaign(http, round)
    for (let i = 0; i < STOCK_COUPONS; i++) {
      const isOfCampaign = i < STOCK_OF_CAMPAIGN
      const coupon: StackCoupon = {
        code: `STACK-${round}-${i}`,
        maxUses: this.random.pick([isOfCampaign ? 100 : null, 20, 200, 1_000]),
        maxUsesPerUser: this.random.pick([null, null, 3]),
        campaign: isOfCampaign ? campaign : null,
      }
      const body = isOfCampaign
        ? { code: coupon.code, campaignId: campaign.campaignId }
        : { code: coupon.code, ...OFFER, dailyLimit: this.random.pick([undefined, DAILY]) }
      const answer = await http.createCoupon({
        ...body,
        ...(coupon.maxUses === null ? {} : { maxUses: coupon.maxUses }),
        ...(coupon.maxUsesPerUser === null ? {} : { maxUsesPerUser: coupon.maxUsesPerUser }),
      })
      if (answer.kind !== 'done') throw new Violation(`${coupon.code} was not created: ${JSON.stringify(answer)}`)
      this.ledger.coupons.push(coupon)
      this.stock.push(coupon)
    }
  }

  private async newCampaign(http: HttpCheckout, round: number): Promise<StackCampaign> {
    const maxUses = this.random.pick([null, 60, 600])
    const budget = this.random.pick([null, 30_000, 300_000])
    const answer = await http.createCampaign({
      name: `Stack ${round}`,
      offer: OFFER,
      currency: 'EUR',
      dailyLimit: DAILY,
      ...(maxUses === null ? {} : { maxUses }),
      ...(budget === null ? {} : { budget }),
    })
    if (answer.kind !== 'done') throw new Violation(`no campaign was created: ${JSON.stringify(answer)}`)
    const campaign = { campaignId: String(answer.result['campaignId']), maxUses, budget }
    this.ledger.campaigns.push(campaign)
    return campaign
  }
}
