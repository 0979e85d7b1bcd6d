// Campaigns of the workloads and their codes: made over the API, as marketing would.

import { setTimeout as pause } from 'node:timers/promises'

const POLL_MS = 20

export interface CampaignTerms {
  readonly name: string
  readonly lockSeconds?: number
  readonly maxUses?: number
  readonly maxUsesPerUser?: number
  readonly budget?: number
  readonly dailyLimit?: { readonly perUser: number; readonly scope: 'ALL' | 'CAMPAIGN' }
}

/** Creates a campaign of 10 % in the bench's currency; its id. */
export async function createCampaign(baseUrl: string, terms: CampaignTerms): Promise<string> {
  const offer = { type: 'PERCENT', value: 10, currency: 'EUR' }
  const { campaignId } = await sendJson(baseUrl, 'POST', '/v1/campaigns', { offer, currency: 'EUR', ...terms }, 201)
  return String(campaignId)
}

/** Makes codes for a campaign and waits for the end of the job; how long it took. */
export async function makeCodes(baseUrl: string, campaignId: string, count: number, length = 10): Promise<number> {
  const startMs = performance.now()
  const { jobId } = await sendJson(baseUrl, 'POST', `/v1/campaigns/${campaignId}/codes`, { count, length }, 202)
  await jobEnded(baseUrl, String(jobId))
  return performance.now() - startMs
}

export interface EndedJob {
  readonly processed: number
  readonly failed: number
}

/** Throws unless it succeeds. */
export async function jobEnded(baseUrl: string, jobId: string): Promise<EndedJob> {
  for (;;) {
    const job = await sendJson(baseUrl, 'GET', `/v1/jobs/${jobId}`, undefined, 200)
    if (job['state'] === 'SUCCEEDED') return { processed: Number(job['processed']), failed: Number(job['failed']) }
    if (job['state'] !== 'QUEUED' && job['state'] !== 'RUNNING') throw new Error(`a job ended: ${JSON.stringify(job)}`)
    await pause(POLL_MS)
  }
}

export async function campaignOf(baseUrl: string, campaignId: string): Promise<Record<string, unknown>> {
  return await sendJson(baseUrl, 'GET', `/v1/campaigns/${campaignId}`, undefined, 200)
}

async function sendJson(
  baseUrl: string,
  method: string,
  path: string,
  body: unknown,
  expected: number,
): Promise<Record<string, unknown>> {
  const answer = await fetch(baseUrl + path, {
    method,
    ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  if (answer.status !== expected) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 300)}`)
  return JSON.parse(text) as Record<string, unknown>
}
