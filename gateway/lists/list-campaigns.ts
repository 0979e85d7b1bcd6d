/**
 * `GET /campaigns`: the read model says which, their shards show them with the counters of the moment.
 */
import { ListCall } from './list-call.ts'
import { decodeCampaignsQuery, LIST_KINDS } from './list-query.ts'
import type { Operation } from '../operations/operations.ts'
import { campaignText } from '../campaigns/render-campaign.ts'
import { COMMAND } from '../../protocol/commands.ts'
import type { CampaignRef } from '../../protocol/coupon.ts'
import { type CampaignOutcome, OUTCOME } from '../../protocol/outcomes.ts'

export const listCampaigns: Operation = {
  name: 'listCampaigns',
  roles: ['marketing'],
  start(ports, input, sink) {
    const range = decodeCampaignsQuery(input.query)
    const call = new ListCall(ports, sink)
    call.run(LIST_KINDS.campaigns, async (readModel) => {
      const { items, next, lagMs } = await readModel.campaigns(range)
      const data = await Promise.all(items.map(async (ref) => textOf(ref, await campaignAt(call, ref))))
      return { data, next, lagMs }
    })
  },
}

function textOf({ shard }: CampaignRef, outcome: CampaignOutcome | null): string {
  if (outcome === null) throw new Error('a campaign that the log has is not on its shard')
  return campaignText(shard, outcome)
}

/** null: there is none. */
export async function campaignAt(call: ListCall, { shard, index }: CampaignRef): Promise<CampaignOutcome | null> {
  const outcome = await call.ask(shard, { type: COMMAND.GET_CAMPAIGN, index })
  if (outcome.type === OUTCOME.REFUSED && outcome.refusal === 'CAMPAIGN_NOT_FOUND') return null
  if (outcome.type !== OUTCOME.CAMPAIGN) throw new Error(`an outcome of type ${outcome.type} shows no campaign`)
  return outcome
}
