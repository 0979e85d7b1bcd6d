/**
 * `GET /coupons/search`. Callers of role checkout find what is listed, and nothing by its code; the port is told so.
 *
 * Coupons come from the port whole. Campaigns and their coupons come as places, and their shards show them as they are now.
 */
import { campaignElsewhere, withCampaign } from '../coupons/coupon-of-campaign.ts'
import { ListCall, LISTS_UNAVAILABLE, type FinishedPage } from './list-call.ts'
import type { Operation } from '../operations/operations.ts'
import { campaignText } from '../campaigns/render-campaign.ts'
import { couponText } from '../coupons/render-coupon.ts'
import type { SearchItem, SearchPort, SearchQuestion } from './search-port.ts'
import { decodeSearchQuery, searchCursorText } from './search-query.ts'
import { COMMAND, type Command } from '../../protocol/commands.ts'
import { type CouponOutcome, OUTCOME } from '../../protocol/outcomes.ts'

export const searchCoupons: Operation = {
  name: 'searchCoupons',
  roles: ['checkout', 'marketing'],
  start(ports, input, sink) {
    const question = decodeSearchQuery(input.query, input.caller.role === 'checkout')
    if (ports.search === undefined) {
      sink.refused(LISTS_UNAVAILABLE, '')
      return
    }
    const call = new ListCall(ports, sink)
    call.finish(page(call, ports.search, question))
  },
}

async function page(call: ListCall, search: SearchPort, question: SearchQuestion): Promise<FinishedPage> {
  const { items, next, lagMs } = await search.search(question)
  const texts = await Promise.all(items.map(async (item) => await itemText(call, question, item)))
  return {
    data: texts.filter((text) => text !== null),
    cursor: next === null ? null : searchCursorText(question.sort, next),
    lagMs,
  }
}

/** null: it turned out not to fit. */
async function itemText(call: ListCall, question: SearchQuestion, item: SearchItem): Promise<string | null> {
  if (item.kind === 'coupon') return item.text
  const { shard } = item
  const outcome = await call.ask(shard, commandOf(item))
  if (outcome.type !== OUTCOME.CAMPAIGN && outcome.type !== OUTCOME.COUPON) {
    throw new Error(`an outcome of type ${outcome.type} shows nothing that can be found`)
  }
  const shown = outcome.type === OUTCOME.COUPON ? await whole(call, shard, outcome) : outcome
  if (question.listedOnly && !shown.definition.listed) return null
  if (question.status !== null && shown.status !== question.status) return null
  return shown.type === OUTCOME.CAMPAIGN ? campaignText(shard, shown) : couponText(shard, shown)
}

/** A coupon with what its campaign says, wherever that lives. */
async function whole(call: ListCall, shard: number, coupon: CouponOutcome): Promise<CouponOutcome> {
  const ref = campaignElsewhere(coupon)
  if (ref === null) return coupon
  const campaign = await call.ask(ref.shard, { type: COMMAND.GET_CAMPAIGN, index: ref.index })
  if (campaign.type !== OUTCOME.CAMPAIGN) throw new Error(`an outcome of type ${campaign.type} shows no campaign`)
  return withCampaign(coupon, campaign, call.judgedAtMs(shard))
}

function commandOf(item: Exclude<SearchItem, { readonly kind: 'coupon' }>): Command<string> {
  return item.kind === 'campaign'
    ? { type: COMMAND.GET_CAMPAIGN, index: item.index }
    : { type: COMMAND.GET_COUPON, coupon: { code: null, ordinal: item.ordinal } }
}
