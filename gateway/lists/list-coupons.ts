/**
 * `GET /coupons` and the history of one coupon.
 */
import { quoted, timeText } from '../json/json-text.ts'
import { couponsOfCampaign } from './list-campaign-coupons.ts'
import { ListCall, type Page } from './list-call.ts'
import { decodeCouponsQuery, decodeHistoryQuery, LIST_KINDS } from './list-query.ts'
import type { Operation } from '../operations/operations.ts'
import { couponOfPathNotFound } from '../problem.ts'
import type { HistoryItem, PageRange, ReadModel } from './read-model.ts'
import { refusalOfPath } from '../operations/shard-call.ts'
import { campaignTarget, type CouponTarget, couponTarget } from '../operations/target.ts'
import { COMMAND } from '../../protocol/commands.ts'
import { currencyName } from '../../protocol/currency.ts'
import { formatId } from '../../protocol/ids.ts'
import { OUTCOME, type RedemptionOutcome } from '../../protocol/outcomes.ts'

export const listCoupons: Operation = {
  name: 'listCoupons',
  roles: ['marketing'],
  start(ports, input, sink) {
    const query = decodeCouponsQuery(input.query)
    const { filter, campaignId, range, kind } = query
    const call = new ListCall(ports, sink)
    if (campaignId !== null) {
      const campaign = campaignTarget(ports.router, campaignId)
      call.runWhole(async (readModel) => {
        return campaign === null
          ? call.nothingAtAll(readModel)
          : await couponsOfCampaign(call, readModel, campaign, query)
      })
      return
    }
    call.run(kind, async (readModel) => {
      const { items, next, lagMs } = await readModel.coupons(filter, range)
      return { data: items, next, lagMs }
    })
  },
}

export const couponHistory: Operation = {
  name: 'couponHistory',
  roles: ['marketing'],
  start(ports, input, sink) {
    const range = decodeHistoryQuery(input.query)
    const target = couponTarget(ports.router, input.target)
    if (target === null) {
      sink.refused(couponOfPathNotFound(), '')
      return
    }
    const call = new ListCall(ports, sink)
    call.run(LIST_KINDS.history, async (readModel) => await historyPage(call, readModel, target, range))
  },
}

async function historyPage(
  call: ListCall,
  readModel: ReadModel,
  target: CouponTarget,
  range: PageRange,
): Promise<Page> {
  const { shard } = target
  const coupon = await call.ask(shard, { type: COMMAND.GET_COUPON, coupon: target.ref })
  if (coupon.type === OUTCOME.REFUSED) call.refuse(refusalOfPath(coupon))
  if (coupon.type !== OUTCOME.COUPON) throw new Error(`an outcome of type ${coupon.type} shows no coupon`)
  const { ordinal } = coupon
  const { items, next, lagMs } = await readModel.history({ shard, ordinal }, range)
  const data = await Promise.all(items.map(async (item) => await itemText(call, shard, ordinal, item)))
  return { data, next, lagMs }
}

async function itemText(call: ListCall, shard: number, ordinal: number, item: HistoryItem): Promise<string> {
  const members = item.membersJson ?? (await redemptionMembers(call, shard, ordinal, item.seq))
  return `{"position":"${shard}:${item.seq}","at":"${timeText(item.atMs)}",${members}}`
}

async function redemptionMembers(call: ListCall, shard: number, ordinal: number, seq: number): Promise<string> {
  const outcome = await call.ask(shard, { type: COMMAND.GET_REDEMPTION, seq })
  if (outcome.type !== OUTCOME.REDEMPTION) throw new Error(`an outcome of type ${outcome.type} shows no redemption`)
  const { reservationSeq, userId, orderId, price } = outcome
  const reserved = reservationSeq === 0 ? '' : `"reservationId":"${formatId('rsv_', shard, reservationSeq)}",`
  return (
    `"type":"REDEEMED","redemptionId":"${formatId('rdm_', shard, seq)}",${reserved}` +
    `"userId":${quoted(userId)},"orderId":${quoted(orderId)},` +
    `"amount":${amountOf(outcome, shard, ordinal)},"currency":"${currencyName(price.currency)}"`
  )
}

function amountOf({ coupons, price }: RedemptionOutcome, shard: number, ordinal: number): number {
  const index = coupons.findIndex((coupon) => coupon.shard === shard && coupon.ordinal === ordinal)
  return price.amounts[index] ?? 0
}
