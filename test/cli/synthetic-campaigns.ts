// Events of campaigns, jobs and days for logs that no engine would write; beside synthetic-log.ts.

import { bytesOf } from '../../protocol/bytes.ts'
import type { CampaignDefinition } from '../../protocol/campaign.ts'
import { EVENT, type Event } from '../../protocol/events.ts'
import type { CodesPlan } from '../../protocol/jobs.ts'
import { BULK_ORDINALS } from '../../protocol/ordinals.ts'
import { BEGIN_MS, definitionOf, OFFER, redeemed, type RedeemedWith } from './synthetic-log.ts'

const DAY_MS = 86_400_000
export const DAY_BEGINS_MS = BEGIN_MS - (BEGIN_MS % DAY_MS)

export function campaignMade(index: number, terms: Partial<CampaignDefinition> = {}): Event {
  return { type: EVENT.CAMPAIGN_CREATED, index, by: null, definition: campaignOf(terms) }
}

export function campaignChanged(index: number, terms: Partial<CampaignDefinition>): Event {
  return { type: EVENT.CAMPAIGN_CHANGED, index, by: null, definition: campaignOf(terms) }
}

export function campaignSwitched(index: number, change: 'ENABLED' | 'DISABLED'): Event {
  return { type: EVENT.CAMPAIGN_SWITCHED, index, by: null, change }
}

function campaignOf(terms: Partial<CampaignDefinition>): CampaignDefinition {
  return {
    name: 'Spring',
    offer: OFFER,
    merchantId: null,
    listed: false,
    validFromMs: null,
    validUntilMs: null,
    timezone: 'UTC',
    maxUses: null,
    maxUsesPerUser: null,
    budgetMinor: null,
    dailyLimit: null,
    lockSeconds: 300,
    lowStockPpm: 100_000,
    ...terms,
  }
}

/** For codes of campaign 0 on shard 0: `P-` and two letters. */
export function jobStarted(count: number, plan: Partial<CodesPlan> = {}): Event {
  const terms = { offer: null, campaign: { shard: 0, index: 0 }, maxUses: 1 }
  const definition = definitionOf('', terms)
  const rest = { length: 4, prefix: 'P-', distribution: 'POOL', definition, userIds: [] } as const
  return { type: EVENT.JOB_STARTED, by: null, plan: { kind: 'CODES', count, ...rest, ...plan } }
}

/** Two letters each. */
export function codesMade(jobSeq: number, first: number, ...codes: readonly string[]): Event {
  const [firstOrdinal, count] = [BULK_ORDINALS + first, codes.length]
  return { type: EVENT.CODES_MADE, jobSeq, firstOrdinal, count, letters: bytesOf(codes.join('')) }
}

export function jobEnded(jobSeq: number, end: 'SUCCEEDED' | 'CANCELLED' = 'SUCCEEDED'): Event {
  return { type: EVENT.JOB_ENDED, jobSeq, end, reason: null }
}

/** A redemption of the so-many-th code that was made, which gives so much. */
export function codeRedeemed(user: string, order: string, code: number, amount = 100, more: RedeemedWith = {}): Event {
  const base = redeemed(user, order, { ...more, ordinals: [BULK_ORDINALS + code] })
  if (base.type !== EVENT.REDEEMED) throw new Error('a redemption is one')
  return { ...base, price: { ...base.price, amounts: [amount] } }
}

/** `limit` −1: over everything. */
export function dayCounted(user: string, limit: number, count = 1, startMs = DAY_BEGINS_MS): Event {
  return { type: EVENT.DAY_COUNTED, user: bytesOf(user), limit, dayStartMs: startMs, dayEndMs: startMs + DAY_MS, count }
}
