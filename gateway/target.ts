/**
 * What `{coupon}` and `{id}` of a path mean: which shard, and which thing there. Ids carry their shard, codes are routed by
 * their hash. What cannot exist is null, and the call answers that it was not found.
 */
import type { Router } from '../engine/routing.ts'
import { canonicalCode, codeFault } from '../protocol/codes.ts'
import type { CouponRef } from '../protocol/commands.ts'
import { type IdPrefix, parseId } from '../protocol/ids.ts'

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

/** A thing by id; its shard is one of this deployment. */
export function shardedTarget(
  router: Router,
  prefix: IdPrefix,
  target: string,
): { readonly shard: number; readonly number: number } | null {
  const id = parseId(prefix, target)
  return id !== null && id.shard < router.shards ? id : null
}
