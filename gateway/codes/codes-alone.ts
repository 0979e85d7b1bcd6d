/**
 * Codes of a campaign that were made one by one, or imported: for its export, behind those that were made in bulk. They are few, and may
 * live on any shard; the read model knows which they are, their shards show them.
 */
import { EXPORT_ALONE_PAGE } from '../limits.ts'
import type { OperationPorts } from '../operations/operations.ts'
import type { CouponName, PageEnd, ReadModel } from '../lists/read-model.ts'
import { askShard } from '../operations/shard-question.ts'
import { COMMAND } from '../../protocol/commands.ts'
import type { CampaignRef } from '../../protocol/coupon.ts'
import { type CouponOutcome, type ListedCode, OUTCOME } from '../../protocol/outcomes.ts'

/** Page by page, the newest first. Without a read model there are none. */
export async function* codesAlone(ports: OperationPorts, campaign: CampaignRef): AsyncIterable<readonly ListedCode[]> {
  const { readModel } = ports
  if (readModel === undefined) return
  let after: PageEnd | null = null
  do {
    const page: Awaited<ReturnType<ReadModel['couponsOfCampaign']>> = await readModel.couponsOfCampaign(campaign, {
      limit: EXPORT_ALONE_PAGE,
      after,
    })
    if (page.items.length > 0) yield await Promise.all(page.items.map((name) => listed(ports, readModel, name)))
    after = page.next
  } while (after !== null)
}

async function listed(ports: OperationPorts, readModel: ReadModel, name: CouponName): Promise<ListedCode> {
  const { outcome } = await askShard(ports, name.shard, {
    type: COMMAND.GET_COUPON,
    coupon: { code: null, ordinal: name.ordinal },
  })
  if (outcome.type !== OUTCOME.COUPON) throw new Error(`an outcome of type ${outcome.type} shows no coupon`)
  const { lock, definition, status, createdAtMs } = outcome
  const redeemed = isSingle(outcome) && outcome.uses > 0 ? await redemptionOf(ports, readModel, name) : null
  return {
    ordinal: name.ordinal,
    code: definition.code,
    status,
    holder: redeemed?.userId ?? lock?.userId ?? definition.userId,
    createdAtMs,
    lockedUntilMs: lock?.expiresAtMs ?? 0,
    redeemedAtMs: redeemed?.atMs ?? 0,
  }
}

/** Whom a code is with is a question for codes of one use only. */
function isSingle({ definition }: CouponOutcome): boolean {
  return definition.maxUses === 1
}

/** The last one; null: lists do not have it yet. */
async function redemptionOf(
  ports: OperationPorts,
  readModel: ReadModel,
  coupon: CouponName,
): Promise<{ readonly userId: string; readonly atMs: number } | null> {
  const filter = { campaign: null, coupon, userId: null, orderId: null, fromMs: null, toMs: null }
  const { items } = await readModel.redemptions(filter, { limit: 1, after: null })
  const place = items[0]
  if (place === undefined) return null
  const { outcome } = await askShard(ports, place.shard, { type: COMMAND.GET_REDEMPTION, seq: place.seq })
  return outcome.type === OUTCOME.REDEMPTION ? outcome : null
}
