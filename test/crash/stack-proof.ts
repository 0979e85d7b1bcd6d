// The proof by crashes for coupons on several shards: all or none, no hold left behind, counters equal to what was told.
//
//     start ──▶ ask doubts again ──▶ check ──▶ load ──▶ SIGKILL at a random moment, or at a fail point ──▶ start …
//                                       └─ now and then: SIGTERM instead, and the audit of the settled log
//
// Every fail point is met in turn, at once (its event in memory and not on disk) and behind its flush (on disk, and nobody
// heard of it). At the first violation the directory stays as evidence.

import { setTimeout as wait } from 'node:timers/promises'
import { auditLog } from '../../cli/audit/audit-log.ts'
import { FAIL_POINTS } from '../../engine/shard/fail-points.ts'
import { HttpClient } from '../support/http-client.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { ServerProcess } from '../support/server-process.ts'
import { connectCalls } from '../support/ws-calls.ts'
import { type Checkout, HttpCheckout, WsCheckout } from './checkout.ts'
import { onKeptEvidence } from './keep-evidence.ts'
import { Violation } from './ledger.ts'
import { checkRedemption, checkReservation, done, SETTLED_WITHIN_MS } from './stack-checks.ts'
import { type StackCampaign, type StackCoupon, StackLedger } from './stack-ledger.ts'
import { type StackDoubt, StackLoad } from './stack-load.ts'

/** Those that calls over several shards pass. */
export const STACK_FAIL_POINTS = FAIL_POINTS.filter((point) => point.startsWith('stack.'))

const BUYERS_EACH = 8
const LOAD_MS_MAX = 500
/** A fail point that is not met within this is passed over: the process is killed as at a random moment. */
const FAIL_POINT_MS_MAX = 2_000
const FAIL_POINT_TIMES_MAX = 40
/** What seldom happens is met the first few times. */
const SELDOM = 'stack.aborted'
const SELDOM_TIMES_MAX = 3
const STOCK_COUPONS = 12
/** Of these, codes of a campaign, which lie on whatever shards. */
const STOCK_OF_CAMPAIGN = 5
/** Rounds are odd where the server is not sent to a fail point. */
const ROUNDS_OF_A_STOCK = 6
const GRACEFUL_EVERY = 14
const OFFER = { type: 'PERCENT', value: 10, stacking: 'STACKABLE' } as const
/** Counted on the shard of the user. */
const DAILY = { perUser: 40, scope: 'ALL' } as const
const SETTLED_EVERY = 15
const SAMPLE = 60
const WINDOW = 256
const LOOK_AGAIN_MS = 25

export interface StackProofOptions {
  readonly kills: number
  readonly seed: number
  readonly report: (line: string) => void
  /** TEAROFF_ settings of the server, without their prefix. */
  readonly settings?: Readonly<Record<string, string>>
}

export interface StackProofCounts {
  kills: number
  atFailPoints: Record<string, number>
  gracefulStops: number
  redemptions: number
  reservations: number
  doubts: number
  checked: number
  audits: number
}

/** Throws a Violation; the directory is kept then, and named in the message. */
export async function proveStacksByCrashes(options: StackProofOptions): Promise<StackProofCounts> {
  return await onKeptEvidence('crash-stacks', options.seed, (dataDir) => new StackProof(dataDir, options))
}

interface Serving {
  readonly server: ServerProcess
  readonly http: HttpCheckout
  readonly ws: WsCheckout
}

interface Since {
  readonly redemptions: number
  readonly reservations: number
}

class StackProof {
  round = 0
  readonly counts: StackProofCounts = {
    kills: 0,
    atFailPoints: {},
    gracefulStops: 0,
    redemptions: 0,
    reservations: 0,
    doubts: 0,
    checked: 0,
    audits: 0,
  }
  private readonly dataDir: string
  private readonly options: StackProofOptions
  private readonly random: SeededRandom
  private readonly ledger = new StackLedger()
  private stock: StackCoupon[] = []
  private doubts: StackDoubt[] = []
  private points = 0

  constructor(dataDir: string, options: StackProofOptions) {
    this.dataDir = dataDir
    this.options = options
    this.random = new SeededRandom(options.seed)
  }

  async run(): Promise<void> {
    let since: Since = { redemptions: 0, reservations: 0 }
    const { kills, report } = this.options
    while (this.counts.kills < kills) {
      this.round++
      // Every other round dies at a fail point, and is settled and judged by the next.
      if (this.round % 2 === 0) await this.dieAt(this.nextPoint())
      else since = await this.settleAndGoOn(since)
      if (this.round % 10 === 0) report(this.line())
    }
    await this.lastRound(since)
    report(this.line())
  }

  private async settleAndGoOn(since: Since): Promise<Since> {
    const serving = await this.start()
    try {
      await this.settleDoubts(serving)
      await this.check(serving, since)
      const { redemptions, reservations } = this.ledger
      const next = { redemptions: redemptions.length, reservations: reservations.length }
      if (this.round % SETTLED_EVERY === 0) {
        await this.stop(serving)
        return next
      }
      if (this.round % ROUNDS_OF_A_STOCK === 1) await this.newStock(serving.http)
      await this.loadAndEnd(serving, null)
      return next
    } finally {
      await this.disconnect(serving)
    }
  }

  private nextPoint(): string {
    const point = STACK_FAIL_POINTS[Math.floor(this.points / 2) % STACK_FAIL_POINTS.length] as string
    const when = this.points % 2 === 0 ? 'now' : 'flushed'
    this.points++
    const times = point === SELDOM ? SELDOM_TIMES_MAX : FAIL_POINT_TIMES_MAX
    return `${point}:${when}:${1 + this.random.below(times)}`
  }

  private async dieAt(point: string): Promise<void> {
    const serving = await this.startToDie(point)
    if (serving === null) return
    try {
      await this.loadAndEnd(serving, point)
    } finally {
      await this.disconnect(serving)
    }
  }

  /** Everything again, a graceful stop and a start: replay has to give the state that was alive. */
  private async lastRound(since: Since): Promise<void> {
    for (const from of [since, { redemptions: 0, reservations: 0 }]) {
      const serving = await this.start()
      try {
        await this.settleDoubts(serving)
        await this.check(serving, from)
        await this.stop(serving)
      } finally {
        await this.disconnect(serving)
      }
    }
  }

  private async loadAndEnd({ server, http, ws }: Serving, point: string | null): Promise<void> {
    const load = new StackLoad(this.ledger, this.random, this.round)
    const isGraceful = point === null && this.round % GRACEFUL_EVERY === GRACEFUL_EVERY / 2
    const running = load.run(this.stock, http, [http, ws], BUYERS_EACH)
    const failed = running.then(
      () => new Promise<never>(() => {}),
      (cause: unknown) => Promise.reject(cause as Error),
    )
    if (point === null) {
      await Promise.race([wait(this.random.below(LOAD_MS_MAX)), failed])
      if (!server.isRunning) throw new Violation(`the server ended by itself\n${server.lastWords}`)
    } else {
      await Promise.race([server.ended, wait(FAIL_POINT_MS_MAX), failed])
      this.metPoint(point, server)
    }
    // Nobody begins anything more with a server that says it is going, and what is under way is still answered.
    load.stop()
    if (isGraceful) {
      await server.stop()
      this.counts.gracefulStops++
    } else {
      if (server.isRunning) await server.kill()
      this.counts.kills++
    }
    ws.session.close()
    await running
    this.doubts.push(...load.doubts)
    this.counts.doubts += load.doubts.length
    if (isGraceful) this.audit(false)
  }

  private metPoint(point: string, server: ServerProcess): void {
    if (server.isRunning) return
    const name = point.slice(0, point.lastIndexOf(':'))
    this.counts.atFailPoints[name] = (this.counts.atFailPoints[name] ?? 0) + 1
    if (server.errorLines.some((line) => line.includes('Error'))) {
      throw new Violation(`the server failed before ${point}\n${server.lastWords}`)
    }
  }

  /** A server that had nothing under way. */
  private async stop({ server }: Serving): Promise<void> {
    await server.stop()
    this.counts.gracefulStops++
    this.audit(true)
  }

  private start(): Promise<Serving> {
    return this.connect(this.spawn(null))
  }

  private spawn(point: string | null): ServerProcess {
    return new ServerProcess({
      dataDir: this.dataDir,
      settings: { WORKERS: String(this.random.pick([2, 3, 3])), ...this.options.settings },
      ...(point === null ? {} : { env: { FAILPOINTS: point } }),
    })
  }

  private async connect(server: ServerProcess): Promise<Serving> {
    const port = await server.listening
    await server.ready
    const http = new HttpCheckout(new HttpClient(port, BUYERS_EACH * 4))
    const ws = new WsCheckout(await connectCalls(port, 's-'))
    return { server, http, ws }
  }

  /** null: it met its fail point before anybody was connected, with what an earlier crash had left. */
  private async startToDie(point: string): Promise<Serving | null> {
    const server = this.spawn(point)
    try {
      return await this.connect(server)
    } catch (error) {
      const { signal } = await server.ended
      if (signal !== 'SIGKILL') throw error
      this.metPoint(point, server)
      this.counts.kills++
      return null
    }
  }

  private async disconnect({ server, http, ws }: Serving): Promise<void> {
    http.http.close()
    ws.session.close()
    if (server.isRunning) await server.kill()
  }

  private async settleDoubts({ http, server }: Serving): Promise<void> {
    const doubts = this.doubts
    this.doubts = []
    // Those of one buyer are one after another in the load, and so they are here.
    for (const settle of doubts) {
      // What a crash has left undecided between shards is in the way for a moment.
      const untilMs = performance.now() + SETTLED_WITHIN_MS
      let isSettled = await settle(http)
      while (!isSettled && performance.now() < untilMs) isSettled = await settle(http)
      if (isSettled) continue
      throw new Violation(`a call in doubt was not settled by a quiet server\n${server.lastWords}`)
    }
  }

  private async check({ server, http, ws }: Serving, since: Since): Promise<void> {
    const { ledger } = this
    const checkout = this.round % 2 === 0 ? http : ws
    try {
      ledger.checkLimits()
      const redemptions = this.chosen(ledger.redemptions, since.redemptions)
      const reservations = this.chosen(ledger.reservations, since.reservations)
      await inWindows(redemptions, (entry) => checkRedemption(checkout, entry))
      await inWindows(reservations, (entry) => checkReservation(checkout, entry))
      await inWindows(ledger.coupons.slice(-3 * STOCK_COUPONS), (coupon) => this.checkCoupon(checkout, coupon))
      await inWindows(ledger.campaigns.slice(-3), (campaign) => this.checkCampaign(http, campaign))
      this.counts.checked += redemptions.length + reservations.length + ledger.coupons.length
    } catch (cause) {
      throw new Violation(`${(cause as Error).message}\n${server.lastWords}`, { cause })
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

  private async checkCampaign(http: HttpCheckout, campaign: StackCampaign): Promise<void> {
    const untilMs = performance.now() + SETTLED_WITHIN_MS
    for (;;) {
      const { campaignId } = campaign
      const { result, timeMs } = done(await http.getCampaign(campaignId), `the campaign ${campaignId} was created`)
      const uses = this.ledger.usesOfCampaign(campaign)
      const reserved = this.ledger.reservedOfCampaignAt(campaign, timeMs)
      const discount = this.ledger.discountOfCampaign(campaign)
      const found = `${String(result['uses'])}/${String(result['reserved'])} ${String(result['discountTotal'])}`
      if (found === `${uses}/${reserved} ${discount}`) return
      if (performance.now() > untilMs) {
        throw new Violation(
          `${campaignId} has ${found}, acknowledged were ${uses}/${reserved} ${discount} at ${timeMs}`,
        )
      }
      await wait(LOOK_AGAIN_MS)
    }
  }

  /** The log alone, read by code that shares nothing with the engine, has to tell the same. */
  private audit(isSettled: boolean): void {
    const { ledger } = this
    const audit = auditLog(this.dataDir, { isSettled })
    if (audit.faults.length > 0)
      throw new Violation(`the audit of the log found: ${audit.faults.slice(0, 5).join('; ')}`)
    for (const coupon of ledger.coupons) {
      const audited = audit.coupons.get(coupon.code)
      if (audited === undefined) throw new Violation(`the coupon ${coupon.code} was acknowledged and is not in the log`)
      if (isSettled && audited.uses !== ledger.uses(coupon)) {
        throw new Violation(`${coupon.code}: the log counts ${audited.uses}, acknowledged were ${ledger.uses(coupon)}`)
      }
      if (coupon.maxUses !== null && audited.maxSeen > coupon.maxUses) {
        throw new Violation(`${coupon.code} held ${audited.maxSeen} at once in the log, its limit is ${coupon.maxUses}`)
      }
    }
    for (const { coupons, orderId, userId } of ledger.redemptions) {
      for (const { code } of coupons) this.found(audit, code, orderId, userId)
    }
    this.counts.audits++
  }

  private found(audit: ReturnType<typeof auditLog>, code: string, orderId: string, userId: string): void {
    let orders = this.ordersOf.get(audit)
    if (orders === undefined) {
      orders = new Set<string>()
      for (const [each, { redemptions }] of audit.coupons) {
        for (const one of redemptions) orders.add(`${each} ${one.orderId} ${one.userId}`)
      }
      this.ordersOf.set(audit, orders)
    }
    if (!orders.has(`${code} ${orderId} ${userId}`)) {
      throw new Violation(`order ${orderId} of ${userId} on ${code} was acknowledged and is not in the log`)
    }
  }

  private readonly ordersOf = new WeakMap<object, Set<string>>()

  private async newStock(http: HttpCheckout): Promise<void> {
    this.stock = []
    const campaign = await this.newCampaign(http)
    for (let i = 0; i < STOCK_COUPONS; i++) {
      const isOfCampaign = i < STOCK_OF_CAMPAIGN
      const coupon: StackCoupon = {
        code: `STACK-${this.round}-${i}`,
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

  private async newCampaign(http: HttpCheckout): Promise<StackCampaign> {
    const maxUses = this.random.pick([null, 60, 600])
    const budget = this.random.pick([null, 30_000, 300_000])
    const answer = await http.createCampaign({
      name: `Stack ${this.round}`,
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

  private line(): string {
    const { counts, ledger, options } = this
    counts.redemptions = ledger.redemptions.length
    counts.reservations = ledger.reservations.length
    const atPoints = Object.values(counts.atFailPoints).reduce((sum, count) => sum + count, 0)
    return (
      `${counts.kills} of ${options.kills} kills (${atPoints} at fail points), ${counts.gracefulStops} graceful stops; ` +
      `acknowledged: ${counts.redemptions} redemptions, ${counts.reservations} reservations; ` +
      `${counts.doubts} in doubt and settled, ${counts.checked} checks, ${counts.audits} audits`
    )
  }
}

async function inWindows<Entry>(entries: readonly Entry[], check: (entry: Entry) => Promise<void>): Promise<void> {
  for (let at = 0; at < entries.length; at += WINDOW) await Promise.all(entries.slice(at, at + WINDOW).map(check))
}
