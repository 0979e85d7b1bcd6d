// Claims under crashes: pools of codes, coupons of the day, redeemed, let go or run out, with kills in between. Afterwards every claim
// that was acknowledged is there, every code of a pool is where the ledger has it, and what is left of a pool can be claimed, all of it.

import { HttpClient } from '../support/http-client.ts'
import { setTimeout as wait } from 'node:timers/promises'
import type { SeededRandom } from '../support/seeded-random.ts'
import type { ServerProcess } from '../support/server-process.ts'
import { connectCalls } from '../support/ws-calls.ts'
import { type Checkout, HttpCheckout, WsCheckout } from './checkout.ts'
import { checkPool } from './claims-checks.ts'
import { type ClaimCampaign, ClaimsLedger } from './claims-ledger.ts'
import { ClaimsLoad } from './claims-load.ts'
import type { CrashLoad, Work } from './crash-load.ts'
import type { Facts, LogEnd } from './judge.ts'
import { Violation } from './ledger.ts'
import { settleAll, type StackDoubt } from './stack-calls.ts'
import { checkCampaign, checkRedemption, checkReservation, inWindows } from './stack-checks.ts'
import { factsOf } from './stack-ledger.ts'
import { STACK_WAYS } from './stack-crash.ts'

const BUYERS_EACH = 8
const PREPARED_LIVES_OF_A_SEASON = 3
const SAMPLE = 60
const TAKERS = 32
const LOOK_EVERY_MS = 10

/** A season's campaigns. Over all, a user gets one of three pools; of the last one a few change hands all the time. */
const SEASON = [
  { codes: 1_200, lockSeconds: 300, perUser: 1, isOverAll: false },
  { codes: 700, lockSeconds: 300, perUser: 1, isOverAll: true },
  { codes: 300, lockSeconds: 300, perUser: 1, isOverAll: true },
  { codes: 40, lockSeconds: 1, perUser: 3, isOverAll: false },
] as const

export class ClaimsCrash implements CrashLoad {
  readonly name = 'claims'
  readonly workers = [1, 2, 3]
  readonly loadMsMax = 500
  /** A coupon of the day over all is taken together with the day, on two shards. */
  readonly ways = STACK_WAYS.filter(({ point, when }) => when === 'now' && point !== 'stack.aborted')
  readonly isJobUnderWay = false
  private readonly random: SeededRandom
  private readonly ledger = new ClaimsLedger()
  private http: HttpCheckout | null = null
  private ws: WsCheckout | null = null
  private season: ClaimCampaign[] = []
  private since = { redemptions: 0, claims: 0 }
  private prepared = 0
  private readonly doubts: StackDoubt[] = []
  /** Users who may come again, after a crash as before. */
  private readonly idle: string[] = []
  private leftInDoubt: string[] = []
  private doubted = 0
  private cameTooLate = 0
  private refusedByDay = 0
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
    this.idle.push(...this.leftInDoubt)
    this.leftInDoubt = []
  }

  async check(isWhole: boolean): Promise<void> {
    const { ledger } = this
    const http = this.http as HttpCheckout
    const checkout = this.random.below(2) === 0 ? http : (this.ws as WsCheckout)
    ledger.stacks.checkLimits()
    ledger.judgeHolders()
    const since = isWhole ? { redemptions: 0, claims: 0 } : this.since
    const redemptions = this.chosen(ledger.stacks.redemptions, since.redemptions)
    const claims = this.chosen(ledger.claims, since.claims)
    await inWindows(redemptions, (entry) => checkRedemption(checkout, entry))
    await inWindows(claims, (entry) => checkReservation(checkout, entry))
    for (const campaign of isWhole ? (ledger.stacks.campaigns as ClaimCampaign[]) : this.season) {
      await checkCampaign(http, ledger.stacks, campaign)
      await checkPool(http.http, ledger, campaign)
      this.checked += campaign.codes
    }
    this.checked += redemptions.length + claims.length
    this.since = { redemptions: ledger.stacks.redemptions.length, claims: ledger.claims.length }
  }

  async prepare(round: number): Promise<void> {
    if (this.prepared % PREPARED_LIVES_OF_A_SEASON === 0) {
      await this.endSeason(round)
      this.season = []
      for (const [i, terms] of SEASON.entries()) this.season.push(await this.newCampaign(`${round}-${i}`, terms))
    }
    this.prepared++
  }

  begin(round: number): Work {
    const { ledger, random, http, ws, season } = this
    if (season.length === 0 || http === null || ws === null) return { done: Promise.resolve(), stop: () => {} }
    const load = new ClaimsLoad(ledger, random, String(round), this.idle)
    const done = load.run(season, [http, ws], BUYERS_EACH).then(() => {
      this.doubts.push(...load.calls.doubts)
      this.leftInDoubt.push(...load.leftInDoubt)
      this.doubted += load.calls.doubts.length
      this.cameTooLate += load.cameTooLate
      this.refusedByDay += load.refusedByDay
    })
    return { done, stop: () => load.stop() }
  }

  facts(end: LogEnd): Facts {
    return factsOf(this.ledger.stacks, end)
  }

  counts(): Readonly<Record<string, number>> {
    const { claims, stacks } = this.ledger
    return {
      claims: claims.length,
      'let go': stacks.reservations.filter(({ state }) => state === 'RELEASED').length,
      redemptions: stacks.redemptions.length,
      'refused by the day': this.refusedByDay,
      'came too late': this.cameTooLate,
      doubts: this.doubted,
      checks: this.checked,
    }
  }

  private chosen<Entry>(entries: readonly Entry[], since: number): Entry[] {
    const found = entries.slice(since)
    for (let i = 0; i < Math.min(SAMPLE, since); i++) found.push(entries[this.random.below(since)] as Entry)
    return found
  }

  /** Nothing that a crash has touched is lost for the next user: what nobody has is there for the taking. */
  private async endSeason(round: number): Promise<void> {
    const { stacks } = this.ledger
    for (const campaign of this.season) {
      // Where coupons run out within the taking, their number is not known.
      if (campaign.lockMs < 60_000) continue
      const kept = stacks.usesOfCampaign(campaign) + stacks.reservedOfCampaignAt(campaign, Date.now())
      const load = new ClaimsLoad(this.ledger, this.random, `end-${round}-${campaign.campaignId}`, this.idle)
      const got = await load.takeAll(campaign, this.ws as Checkout, TAKERS).finally(() => {
        this.doubts.push(...load.calls.doubts)
      })
      if (got !== campaign.codes - kept) {
        throw new Violation(`of ${campaign.campaignId} ${got} could be claimed, ${campaign.codes - kept} were left`)
      }
    }
  }

  private async newCampaign(name: string, terms: (typeof SEASON)[number]): Promise<ClaimCampaign> {
    const { codes, lockSeconds, perUser, isOverAll } = terms
    const { http } = this.http as HttpCheckout
    const created = await http.post('/v1/campaigns', {
      name,
      offer: { type: 'PERCENT', value: 10 },
      lockSeconds,
      dailyLimit: { perUser, scope: isOverAll ? 'ALL' : 'CAMPAIGN' },
    })
    if (created.status !== 201) throw new Violation(`a campaign was not created: ${created.text}`)
    const campaignId = String(created.json['campaignId'])
    const begun = await http.post(`/v1/campaigns/${campaignId}/codes`, { count: codes })
    if (begun.status !== 202) throw new Violation(`a pool was not begun: ${begun.text}`)
    await jobEnded(http, String(begun.json['jobId']))
    const limits = { maxUses: null, budget: null }
    const campaign = { campaignId, codes, lockMs: lockSeconds * 1_000, perUser, isOverAll, ...limits }
    this.ledger.stacks.campaigns.push(campaign)
    return campaign
  }
}

async function jobEnded(http: HttpClient, jobId: string): Promise<void> {
  for (;;) {
    const { json, text } = await http.get(`/v1/jobs/${jobId}`)
    if (json['state'] === 'SUCCEEDED') return
    if (json['state'] !== 'QUEUED' && json['state'] !== 'RUNNING') throw new Violation(`a pool was not made: ${text}`)
    await wait(LOOK_EVERY_MS)
  }
}
