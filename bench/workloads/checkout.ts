// checkout: a sale at a fixed rate. Every user and every order is new, one line in the cart, over HTTP.
//
// Latency counts from the moment the buyer would have pressed the button. The disk is measured right before and right
// after, on the same file system, because its tail is part of every durable answer.

import { runChild } from '../children.ts'
import { measureDiskSync } from '../load/disk-sync.ts'
import { latencyLine } from '../load/latency.ts'
import type { OpenLoopInput, OpenLoopResult } from '../load/open-loop.ts'
import { ENTRIES } from '../project.ts'
import { atLeast, atMost, checkEqual, type WorkloadReport } from '../report/figure.ts'
import { couponUses, createCoupon, EXPECTED_DISCOUNT_MINOR, probeDiscount } from '../server/coupons.ts'
import type { CheckoutSize } from '../sizes.ts'
import type { BenchContext } from './context.ts'
import { withProduct } from './with-product.ts'

const P99_TARGET_MS = 10
const P999_TARGET_MS = 50
/** A generator that falls behind by more has not held its rate. */
const RATE_SHARE_MIN = 0.99

const CODE = 'CHECKOUT1'

export async function runCheckout(
  context: BenchContext,
  size: CheckoutSize,
  diskSyncs: number,
): Promise<WorkloadReport> {
  return await withProduct(context, async (product, scratch) => {
    await createCoupon(product.baseUrl, CODE, 'once')
    const discountMinor = await probeDiscount(product.baseUrl, CODE)
    const diskBefore = measureDiskSync(scratch, diskSyncs)
    context.say(`disk before  ${latencyLine(diskBefore)}`)
    const result = await runChild<OpenLoopInput, OpenLoopResult>(ENTRIES.openLoop, {
      port: product.port,
      code: CODE,
      tag: 'a',
      seed: context.seed,
      ...size,
    })
    const diskAfter = measureDiskSync(scratch, diskSyncs)
    context.say(`latency      ${latencyLine(result.latency)}`)
    context.say(`since send   ${latencyLine(result.sinceSend)}`)
    context.say(
      `sent late    ${latencyLine(result.sendLag)}; generator ${(result.generatorCpu * 100).toFixed(0)} % of a core`,
    )
    context.say(`disk after   ${latencyLine(diskAfter)}`)
    if (result.firstError !== '') context.say(`first error  ${result.firstError}`)
    const uses = await couponUses(product.baseUrl, CODE)
    return {
      workload: 'checkout',
      figures: [
        {
          name: `checkout: redemptions at ${size.ratePerSecond.toLocaleString('en')}/s`,
          value: result.achievedPerSecond,
          unit: '/s',
          target: atLeast(size.ratePerSecond * RATE_SHARE_MIN),
        },
        { name: 'checkout: errors', value: result.errors, unit: '', target: atMost(0) },
        { name: 'checkout: p50', value: result.latency.p50Ms, unit: 'ms', target: null },
        { name: 'checkout: p99', value: result.latency.p99Ms, unit: 'ms', target: atMost(P99_TARGET_MS) },
        { name: 'checkout: p99.9', value: result.latency.p999Ms, unit: 'ms', target: atMost(P999_TARGET_MS) },
        { name: 'checkout: max', value: result.latency.maxMs, unit: 'ms', target: null },
        { name: 'checkout: fdatasync p99.9 (disk alone)', value: diskAfter.p999Ms, unit: 'ms', target: null },
      ],
      checks: [
        checkEqual('requests sent', result.planned, result.sent),
        checkEqual('discount promised', EXPECTED_DISCOUNT_MINOR, discountMinor ?? -1),
        checkEqual('redeemed and errors together', result.planned, result.redeemed + result.errors),
        // What failed for the client may still have been done; without errors it has to agree exactly.
        result.errors === 0
          ? checkEqual('uses of the coupon', result.redeemed, uses)
          : { name: 'errors', expected: 'none', seen: result.firstError, holds: false },
      ],
      detail: { ...result, uses, diskBefore, diskAfter },
    }
  })
}
