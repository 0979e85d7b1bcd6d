/**
 * `tearoff demo sale`: a flash sale on a campaign of a million codes, from its making to the proof from the log.
 *
 *     campaign ──▶ codes made ──▶ first crowd claims, buys, lets go ──▶ what was let go runs out ──▶ second crowd ──▶ proof
 *
 * Whatever happens, the server is ended and the directory removed (unless it is to be kept).
 */
import { setTimeout as pause } from 'node:timers/promises'
import { acknowledgementFaults } from '../../audit/audit-acknowledgements.ts'
import { auditLog } from '../../audit/audit-log.ts'
import { ApiClient } from '../../api-client.ts'
import { watchJob } from '../../watch-job.ts'
import { WorkBar } from '../../work-bar.ts'
import { shownCount } from '../progress-bar.ts'
import type { DemoServer } from '../server-process.ts'
import { showProof, withDemoServer } from '../with-server.ts'
import { type SaleTally, shop } from './shoppers.ts'

export interface SaleOptions {
  readonly codes: number
  readonly shoppers: number
  readonly keep: boolean
}

const LOCK_SECONDS = 2
/** Of the shoppers, so many find the campaign used up at the end. */
const SOLD_OUT_SHARE = 0.5
const PERCENT = 20
/** Cents of discount a use, on the average; the budget is for fewer than the uses, so one of both ends the sale. */
const DISCOUNT_AVERAGE = 2_100

/** Throws when the sale could not be run, or when the proof fails. */
export async function runSale(options: SaleOptions): Promise<void> {
  await withDemoServer(options.keep, async (server, dataDir) => {
    const { codes, shoppers } = options
    const maxUses = Math.max(1, Math.floor(shoppers * SOLD_OUT_SHARE))
    const budget = Math.floor(maxUses * DISCOUNT_AVERAGE * 0.95)
    say(
      `A campaign of ${shownCount(codes)} codes: ${PERCENT} % off, at most ${shownCount(maxUses)} uses, one coupon a user`,
    )
    say(
      `and day, a budget of ${shownCount(Math.floor(budget / 100))} EUR, and ${shownCount(shoppers)} shoppers who want one.`,
    )
    say(`Server: process ${server.pid} on ${server.url}, its log in ${dataDir}`)
    const api = new ApiClient({ url: server.url })
    const campaignId = await createCampaign(api, maxUses, budget)
    await makeCodes(api, campaignId, codes)
    const tallies = await sell(server, campaignId, shoppers)
    const campaign = await api.get(`/v1/campaigns/${campaignId}`)
    const { uses, discountTotal, status } = campaign as { uses: number; discountTotal: number; status: string }
    say(
      `The campaign is ${status}: ${shownCount(uses)} uses, ${shownCount(Math.floor(discountTotal / 100))} EUR given.`,
    )
    await server.stop()
    say('The server has ended. The proof, read from the files of its log by code that shares nothing with the engine:')
    const audit = auditLog(dataDir)
    const told = tallies.flatMap(({ acknowledgements }) => acknowledgements)
    const limits: string[] = []
    if (uses > maxUses) limits.push(`the campaign was used ${shownCount(uses)} times`)
    if (discountTotal > budget) limits.push(`${shownCount(discountTotal)} cents were given`)
    if (told.length !== uses)
      limits.push(`${shownCount(told.length)} purchases were acknowledged, ${shownCount(uses)} uses counted`)
    showProof([
      {
        sentence: `${shownCount(audit.events)} events follow one another, and every one keeps the rules: limits, budget, days, one holder a code`,
        faults: audit.faults,
      },
      { sentence: `never more than ${shownCount(maxUses)} uses, never more than the budget`, faults: limits },
      {
        sentence: `all ${shownCount(told.length)} purchases that shoppers were told of are in the log, and no other`,
        faults: acknowledgementFaults(audit, told, { isComplete: true }),
      },
    ])
  })
}

async function createCampaign(api: ApiClient, maxUses: number, budget: number): Promise<string> {
  const { campaignId } = await api.post('/v1/campaigns', {
    name: 'Flash sale',
    offer: { type: 'PERCENT', value: PERCENT, currency: 'EUR' },
    currency: 'EUR',
    maxUses,
    maxUsesPerUser: 1,
    budget,
    dailyLimit: { perUser: 1, scope: 'CAMPAIGN' },
    lockSeconds: LOCK_SECONDS,
    timezone: 'Europe/Berlin',
  })
  return String(campaignId)
}

async function makeCodes(api: ApiClient, campaignId: string, count: number): Promise<void> {
  const startedMs = performance.now()
  const { jobId } = await api.post(`/v1/campaigns/${campaignId}/codes`, { count })
  const job = await watchJob(api, String(jobId), 'codes')
  if (job.state !== 'SUCCEEDED') throw new Error(`the codes could not be made: ${job.state}`)
  say(`${shownCount(count)} codes made and durable in ${((performance.now() - startedMs) / 1_000).toFixed(1)} s.`)
}

/** Two crowds: what the first lets go has run out when the second comes. */
async function sell(server: DemoServer, campaignId: string, shoppers: number): Promise<SaleTally[]> {
  const half = Math.floor(shoppers / 2)
  const first = await crowd(server, campaignId, 0, half)
  await pause(LOCK_SECONDS * 1_000)
  return [first, await crowd(server, campaignId, half, shoppers)]
}

async function crowd(server: DemoServer, campaignId: string, from: number, to: number): Promise<SaleTally> {
  const bar = new WorkBar('shoppers served', process.stdout)
  const startedMs = performance.now()
  const tally = await shop(server.port, campaignId, from, to, ({ done }) => bar.show(done, to - from))
  bar.end()
  const rate = Math.round(((to - from) * 1_000) / (performance.now() - startedMs))
  const refusals = [...tally.refusals].map(([code, count]) => `${shownCount(count)} ${code}`)
  const words = [`${shownCount(tally.claimed)} got a coupon`, `${shownCount(tally.bought)} bought`]
  say(
    [...words, `${shownCount(tally.letGo)} let it run out`, ...refusals, `${shownCount(rate)} shoppers a second`].join(
      ', ',
    ),
  )
  return tally
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
