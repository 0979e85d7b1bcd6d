/**
 * `GET /coupons?campaignId=`: the coupons of one campaign. Those that were made one by one come first, the newest first, as the
 * read model knows them; then its codes made in bulk, in the order in which they were made, from the table of its shard. Idle codes are no
 * rows of the read model, so filters are judged here, coupon by coupon, and a page may be short though there is a next one.
 *
 *     cursor   m<time>-<coupon>     behind that coupon of the read model
 *              k<ordinal>-0         from that code on
 */
import { campaignElsewhere, withCampaign } from '../coupons/coupon-of-campaign.ts'
import { campaignAt } from './list-campaigns.ts'
import type { FinishedPage, ListCall } from './list-call.ts'
import { cursorText, LIST_KINDS, type CouponsQuery } from './list-query.ts'
import type { CouponFilter, CouponName, PageEnd, ReadModel } from './read-model.ts'
import { couponText } from '../coupons/render-coupon.ts'
import { COMMAND } from '../../protocol/commands.ts'
import type { CampaignRef } from '../../protocol/coupon.ts'
import { type CampaignOutcome, type CouponOutcome, OUTCOME } from '../../protocol/outcomes.ts'

/** Looks at the table of codes for one page. */
const LOOKS_MAX = 8

export async function couponsOfCampaign(
  call: ListCall,
  readModel: ReadModel,
  ref: CampaignRef,
  query: CouponsQuery,
): Promise<FinishedPage> {
  const campaign = await campaignAt(call, ref)
  if (campaign === null) return call.nothingAtAll(readModel)
  const list = new CampaignCoupons(call, readModel, ref, campaign, query)
  const { codesFrom } = query
  return codesFrom === null ? await list.rows() : await list.codes(codesFrom, [], readModel.lagMs() ?? 0)
}

class CampaignCoupons {
  private readonly call: ListCall
  private readonly readModel: ReadModel
  private readonly ref: CampaignRef
  private readonly campaign: CampaignOutcome
  private readonly query: CouponsQuery

  constructor(call: ListCall, readModel: ReadModel, ref: CampaignRef, campaign: CampaignOutcome, query: CouponsQuery) {
    this.call = call
    this.readModel = readModel
    this.ref = ref
    this.campaign = campaign
    this.query = query
  }

  async rows(): Promise<FinishedPage> {
    const { range } = this.query
    const { items, next, lagMs } = await this.readModel.couponsOfCampaign(this.ref, range)
    const data = await this.texts(items)
    if (next !== null) return { data, cursor: cursorText(LIST_KINDS.campaignCoupons, next), lagMs }
    return data.length < range.limit ? await this.codes(0, data, lagMs) : { data, cursor: codesCursor(0), lagMs }
  }

  /** Goes on with the table of codes. */
  async codes(fromOrdinal: number, before: readonly string[], lagMs: number): Promise<FinishedPage> {
    const { shard, index: campaignIndex } = this.ref
    const data = [...before]
    let from = fromOrdinal
    for (let look = 0; look < LOOKS_MAX; look++) {
      const limit = this.query.range.limit - data.length
      if (limit === 0) break
      const command = { type: COMMAND.LIST_CODES, campaignIndex, jobSeq: 0, fromOrdinal: from, limit } as const
      const outcome = await this.call.ask(shard, command)
      if (outcome.type !== OUTCOME.CODES) throw new Error(`an outcome of type ${outcome.type} lists no codes`)
      data.push(...(await this.texts(outcome.codes.map(({ ordinal }) => ({ shard, ordinal })))))
      from = outcome.nextOrdinal
      if (from === 0) return { data, cursor: null, lagMs }
    }
    return { data, cursor: codesCursor(from), lagMs }
  }

  private async texts(names: readonly CouponName[]): Promise<string[]> {
    const texts = await Promise.all(names.map(async (name) => await this.text(name)))
    return texts.filter((text) => text !== null)
  }

  /** null: the filters do not want it. */
  private async text({ shard, ordinal }: CouponName): Promise<string | null> {
    const outcome = await this.call.ask(shard, { type: COMMAND.GET_COUPON, coupon: { code: null, ordinal } })
    if (outcome.type !== OUTCOME.COUPON) throw new Error(`an outcome of type ${outcome.type} shows no coupon`)
    const coupon =
      campaignElsewhere(outcome) === null ? outcome : withCampaign(outcome, this.campaign, this.call.judgedAtMs(shard))
    return passes(coupon, this.query.filter) ? couponText(shard, coupon) : null
  }
}

function codesCursor(ordinal: number): string {
  const end: PageEnd = [ordinal, 0]
  return cursorText(LIST_KINDS.campaignCodes, end)
}

function passes({ status, definition }: CouponOutcome, filter: CouponFilter): boolean {
  const { offer, category, merchantId, userId, validUntilMs } = definition
  const { expiresBeforeMs, expiresAfterMs } = filter
  return (
    (filter.status === null || filter.status === status) &&
    (filter.type === null || filter.type === offer?.type) &&
    (filter.category === null || filter.category === category) &&
    (filter.merchantId === null || filter.merchantId === merchantId) &&
    (filter.userId === null || filter.userId === userId) &&
    (expiresBeforeMs === null || (validUntilMs !== null && validUntilMs < expiresBeforeMs)) &&
    (expiresAfterMs === null || (validUntilMs !== null && validUntilMs > expiresAfterMs))
  )
}
