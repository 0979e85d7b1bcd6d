/**
 * What `{coupon}` and `{id}` of a path mean: which shard, and which thing there. Ids carry their shard, codes are routed by
 * their hash. What cannot exist is null, and the call answers that it was not found.
 */
import type { OperationPorts } from './operations.ts'
import type { Router } from '../../engine/routing.ts'
import { canonicalCode, codeFault } from '../../protocol/codes.ts'
import type { CouponRef } from '../../protocol/commands.ts'
import type { CampaignRef } from '../../protocol/coupon.ts'
import { type IdPrefix, parseId } from '../../protocol/ids.ts'

export interface CouponTarget {
  readonly shard: number
  readonly ref: CouponRef<string>
}

/** A coupon by id or code. */
export function couponTarget(router: Router, target: string): CouponTarget | null {
  if (target.startsWith('cpn_')) {
    const id = shardedTarget(router, 'cpn_', target)
    return id === null ? null : { shard: id.shard, ref: { code: null, ordinal: id.number } }
  }
  const code = canonicalCode(target)
  return codeFault(code) === null ? { shard: router.shardOfCode(code), ref: { code, ordinal: -1 } } : null
}

/**
 * The same for a checkout call. Ids are counted up, so a caller that must not find codes by trying may not use them: it would
 * be told the code.
 */
export function couponTargetFor({ router, isUniform }: OperationPorts, target: string): CouponTarget | null {
  return isUniform === true && target.startsWith('cpn_') ? null : couponTarget(router, target)
}

/** A thing by id; its shard is one of this deployment. */
export function shardedTarget(
  router: Router,
  prefix: IdPrefix,
  target: string,
): { readonly shard: number; readonly number: number } | null {
  const id = parseId(prefix, target)
  return id !== null && id.shard < router.shards ? id : null
}

/** A campaign by id, as coupons name it. */
export function campaignTarget(router: Router, target: string): CampaignRef | null {
  const id = shardedTarget(router, 'cmp_', target)
  return id === null ? null : { shard: id.shard, index: id.number }
}
