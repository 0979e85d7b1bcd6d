/**
 * A campaign as its owners see it: definition, state and counters of one moment.
 */
import { campaignJson } from './campaign-json.ts'
import { timeText } from '../json/json-text.ts'
import { formatId } from '../../protocol/ids.ts'
import type { CampaignOutcome } from '../../protocol/outcomes.ts'

export function campaignText(shard: number, outcome: CampaignOutcome): string {
  return JSON.stringify({
    campaignId: formatId('cmp_', shard, outcome.index),
    ...campaignJson(outcome.definition),
    status: outcome.status,
    codes: outcome.codes,
    uses: outcome.uses,
    reserved: outcome.reserved,
    discountTotal: outcome.discountTotalMinor,
    version: outcome.version,
    createdAt: timeText(outcome.createdAtMs),
    updatedAt: timeText(outcome.updatedAtMs),
  })
}
