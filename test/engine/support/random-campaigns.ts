/**
 * Random steps about campaigns, for `random-log.ts`: their limits, budgets and windows, jobs that make codes a slice at a time,
 * claims, codes that are changed one by one, rows of imports.
 */
import { COMMAND } from '../../../protocol/commands.ts'
import type { CampaignDefinition } from '../../../protocol/campaign.ts'
import type { CampaignRef, CouponDefinition } from '../../../protocol/coupon.ts'
import type { DailyLimit } from '../../../protocol/daily-limit.ts'
import type { Event } from '../../../protocol/events.ts'
import type { CodesPlan } from '../../../protocol/jobs.ts'
import { BULK_ORDINALS, campaignOrdinal } from '../../../protocol/ordinals.ts'
import { OUTCOME } from '../../../protocol/outcomes.ts'
import { decideCodes, randomBytesFor } from '../../../engine/domain/decide-job.ts'
import type { Decision } from '../../../engine/domain/decision.ts'
import { jobInTurn } from '../../../engine/domain/jobs.ts'
import type { ShardState } from '../../../engine/domain/state.ts'
import { type AnyCommand, byOrdinal, couponWith, offerOf } from './samples.ts'

const CAMPAIGNS_MAX = 4
/** Of randomness: less than a job's, so that it takes several slices. */
const SLICE_BYTES = 120
const TIMEZONES = ['UTC', 'Europe/Berlin', 'Pacific/Kiritimati', 'America/St_Johns']
/** Packed in the tables, and too long for that. */
const FORMS = [
  { prefix: '', length: 10 },
  { prefix: 'AB', length: 8 },
  { prefix: 'SOMETHING-LONG_', length: 24 },
]

/** The shard that the steps are done on. */
export interface ShardInHand {
  readonly shard: number
  readonly state: ShardState
  readonly nowMs: () => number
  readonly user: () => string
  readonly send: (command: AnyCommand) => Decision['answer']
  readonly append: (event: Event) => number
}

export class RandomCampaigns {
  private readonly hand: ShardInHand
  private readonly random: (below: number) => number
  private imports = 0

  constructor(hand: ShardInHand, random: (below: number) => number) {
    this.hand = hand
    this.random = random
  }

  step(): void {
    const { random } = this
    const { campaigns } = this.hand.state
    const what = random(100)
    if (campaigns.length === 0 || (what < 6 && campaigns.length < CAMPAIGNS_MAX)) this.createCampaign()
    else if (what < 16) this.startCodes()
    else if (what < 30) this.makeCodes()
    else if (what < 60) this.claim()
    else if (what < 68) this.changeCampaign()
    else if (what < 72) this.switchCampaign()
    else if (what < 82) this.changeCode()
    else if (what < 86) this.createCoupon()
    else if (what < 98) this.import()
    else this.cancel()
  }

  /** A code that a job has made; null: there is none yet. */
  madeCode(): string | null {
    const ordinal = this.madeOrdinal()
    return ordinal === null ? null : this.hand.state.code(ordinal)
  }

  private madeOrdinal(): number | null {
    const { size } = this.hand.state.tables.bulk
    return size === 0 ? null : BULK_ORDINALS + this.random(size)
  }

  private createCampaign(): void {
    this.hand.send({ type: COMMAND.CREATE_CAMPAIGN, by: 'marketing', definition: this.campaign() })
  }

  private campaign(): CampaignDefinition {
    const { random } = this
    const nowMs = this.hand.nowMs()
    const fields = { type: 'FIXED', percentBps: 0, valueMinor: 1 + random(300), currency: 'EUR' } as const
    return {
      name: random(2) === 0 ? 'Herbst für alle' : 'Spring',
      offer: offerOf(couponWith('', {}, fields)),
      merchantId: null,
      listed: random(2) === 0,
      validFromMs: random(4) === 0 ? nowMs + random(100_000) : null,
      validUntilMs: random(3) === 0 ? nowMs + 100_000 + random(4_000_000) : null,
      timezone: TIMEZONES[random(TIMEZONES.length)] as string,
      maxUses: random(3) === 0 ? 40 + random(100) : null,
      maxUsesPerUser: random(2) === 0 ? 1 + random(6) : null,
      budgetMinor: random(2) === 0 ? 10_000 + random(50_000) : null,
      dailyLimit: this.dailyLimit(),
      lockSeconds: 1 + random(300),
      lowStockPpm: 100_000,
    }
  }

  private dailyLimit(): DailyLimit | null {
    const { random } = this
    return random(2) === 0 ? null : { perUser: 1 + random(3), scope: random(6) === 0 ? 'ALL' : 'CAMPAIGN' }
  }

  private ref(): CampaignRef {
    const { shard, state } = this.hand
    return { shard, index: this.random(state.campaigns.length) }
  }

  private startCodes(): void {
    const { random } = this
    const isOfCampaign = random(3) > 0
    // The window of a campaign's codes is the campaign's.
    const validUntilMs = isOfCampaign || random(6) === 0 ? null : this.hand.nowMs() + 200_000 + random(2_000_000)
    const plain = couponWith('', { maxUses: 1, validUntilMs })
    const count = 1 + random(40)
    const plan: CodesPlan = {
      ...(FORMS[random(FORMS.length)] as (typeof FORMS)[number]),
      kind: isOfCampaign ? 'CODES' : 'COUPONS',
      count,
      distribution: isOfCampaign && random(4) > 0 ? 'POOL' : 'EXPORTED',
      definition: isOfCampaign ? { ...plain, offer: null, campaign: this.ref() } : plain,
      userIds: random(4) === 0 ? Array.from({ length: count }, () => this.hand.user()) : [],
    }
    this.hand.send({ type: COMMAND.START_JOB, by: null, plan })
  }

  private makeCodes(): void {
    const { state, append } = this.hand
    const job = jobInTurn(state)
    if (job === null) return
    const length = Math.min(randomBytesFor(job), SLICE_BYTES)
    const bytes = Uint8Array.from({ length }, () => this.random(256))
    for (const event of decideCodes(state, job, bytes)) append(event)
  }

  private claim(): void {
    this.hand.send({ type: COMMAND.CLAIM, index: this.ref().index, user: this.hand.user() })
  }

  private changeCampaign(): void {
    const { index } = this.ref()
    const ifVersion = this.hand.state.tables.coupons.version.get(campaignOrdinal(index))
    this.hand.send({ type: COMMAND.CHANGE_CAMPAIGN, index, by: null, ifVersion, definition: this.campaign() })
  }

  private switchCampaign(): void {
    const change = this.random(3) === 0 ? 'DISABLED' : 'ENABLED'
    this.hand.send({ type: COMMAND.SWITCH_CAMPAIGN, index: this.ref().index, by: 'ops', change })
  }

  private changeCode(): void {
    const { random } = this
    const { state, send, nowMs } = this.hand
    const ordinal = this.madeOrdinal()
    if (ordinal === null) return
    const coupon = byOrdinal(ordinal)
    if (random(2) === 0) {
      const change = random(3) === 0 ? 'DISABLED' : 'ENABLED'
      send({ type: COMMAND.SWITCH_COUPON, coupon, by: null, change })
      return
    }
    const definition: CouponDefinition = {
      ...state.definition(ordinal),
      code: state.code(ordinal),
      description: 'anders',
      userId: random(4) === 0 ? this.hand.user() : null,
      maxUsesPerUser: random(2) === 0 ? 1 : null,
      maxUses: 1 + random(2),
      validUntilMs: random(3) === 0 ? nowMs() + random(200_000) : null,
    }
    const ifVersion = state.tables.coupons.version.get(ordinal)
    const rest = { reason: null, ifVersion, definition, validUntilMs: 0, override: false }
    send({ type: COMMAND.CHANGE_COUPON, coupon, by: null, change: random(8) === 0 ? 'EXPIRED' : 'PATCHED', ...rest })
  }

  /** One by one, of a campaign. */
  private createCoupon(): void {
    const code = `OF-CAMPAIGN-${this.hand.state.couponCount}`
    this.hand.send({ type: COMMAND.CREATE_COUPON, by: null, definition: this.couponOfCampaign(code) })
  }

  private couponOfCampaign(code: string): CouponDefinition {
    const limits = { maxUses: 1 + this.random(9), dailyLimit: this.dailyLimit() }
    return { ...couponWith(code, { ...limits, campaign: this.ref() }), offer: null }
  }

  /** A job, or the next row of the one that is open, or its end. */
  private import(): void {
    const { random } = this
    const { state, send, shard } = this.hand
    const job = [...state.openJobs.values()].find(({ plan }) => plan.kind === 'IMPORT')
    if (job === undefined) {
      this.imports++
      send({ type: COMMAND.START_JOB, by: null, plan: { kind: 'IMPORT', format: 'CSV', file: 'rows', bytes: 1_000 } })
      return
    }
    const line = job.processed + 1
    const code = `ROW-${shard}-${random(2) === 0 ? random(8) : `${this.imports}-${line}`}`
    const definition = random(3) === 0 ? this.couponOfCampaign(code) : couponWith(code, { maxUses: 5 + random(5) })
    const row = { job: { shard, seq: job.seq }, line, uses: random(4) === 0 ? random(4) : 0 }
    const { type } = send({ type: COMMAND.PUT_COUPON, by: 'marketing', row, definition })
    const isRefused = type === OUTCOME.REFUSED
    const numbers = { processed: line, failed: job.failed + (isRefused ? 1 : 0), total: 0, place: 20 * line }
    const errors = isRefused ? [{ line, code: 'CODE_TAKEN', detail: 'schon vergeben' }] : []
    send({ type: COMMAND.PROGRESS_JOB, jobSeq: job.seq, ...numbers, errors })
    if (random(12) === 0) send({ type: COMMAND.END_JOB, jobSeq: job.seq, end: 'FAILED', reason: 'no more rows' })
  }

  private cancel(): void {
    const [job] = this.hand.state.openJobs.values()
    if (job === undefined) return
    this.hand.send({ type: COMMAND.END_JOB, jobSeq: job.seq, end: 'CANCELLED', reason: null })
  }
}
