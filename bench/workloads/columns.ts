// columns: redemptions by the frame, of a coupon without a limit per user and of one with one use a user, where every
// row also makes a counter. Both are held against the target. Each has a product of its own, so that neither pays for
// the other's memory.

import { runChild } from '../children.ts'
import type { ColumnsInput, ColumnsResult } from '../load/columns.ts'
import { ENTRIES } from '../project.ts'
import { atLeast, type Check, checkEqual, type WorkloadReport } from '../report/figure.ts'
import { couponUses, createCoupon, EXPECTED_DISCOUNT_MINOR, type PerUser } from '../server/coupons.ts'
import type { ColumnsSize } from '../sizes.ts'
import type { BenchContext } from './context.ts'
import { withProduct } from './with-product.ts'

const TARGET_PER_SECOND = 1_000_000
const CODE = 'COLUMNS01'

interface VariantResult extends ColumnsResult {
  readonly uses: number
}

export async function runColumnsWorkload(context: BenchContext, size: ColumnsSize): Promise<WorkloadReport> {
  const once = await runVariant(context, size, 'once')
  const unlimited = await runVariant(context, size, 'unlimited')
  return {
    workload: 'columns',
    figures: [
      {
        name: 'columns: redemptions, one use a user',
        value: once.redeemedPerSecond,
        unit: '/s',
        target: atLeast(TARGET_PER_SECOND),
      },
      {
        name: 'columns: redemptions, no limit a user',
        value: unlimited.redeemedPerSecond,
        unit: '/s',
        target: atLeast(TARGET_PER_SECOND),
      },
      { name: 'columns: p99 of a frame', value: once.frameLatency.p99Ms, unit: 'ms', target: null },
    ],
    checks: [...checksOf('one use a user', once, size), ...checksOf('no limit a user', unlimited, size)],
    detail: { once, unlimited },
  }
}

async function runVariant(context: BenchContext, size: ColumnsSize, perUser: PerUser): Promise<VariantResult> {
  return await withProduct(context, async (product) => {
    await createCoupon(product.baseUrl, CODE, perUser)
    const result = await runChild<ColumnsInput, ColumnsResult>(ENTRIES.columns, {
      port: product.port,
      code: CODE,
      discountMinor: EXPECTED_DISCOUNT_MINOR,
      ...size,
    })
    const rate = Math.round(result.redeemedPerSecond).toLocaleString('en')
    const ranOut = result.framesSent === result.framesPrepared ? ' (all prepared frames used up)' : ''
    context.say(
      `${perUser === 'once' ? 'one use a user ' : 'no limit a user'} ${rate}/s for ${result.elapsedSeconds.toFixed(1)} s${ranOut}` +
        `, client ${(result.clientCpu * 100).toFixed(0)} % of a core, by second ${result.rowsBySecond.join(' ')}`,
    )
    if (result.firstProblem !== '') context.say(`first problem: ${result.firstProblem}`)
    return { ...result, uses: await couponUses(product.baseUrl, CODE) }
  })
}

function checksOf(variant: string, result: VariantResult, size: ColumnsSize): Check[] {
  const sentRows = result.framesSent * size.rowsPerFrame
  return [
    checkEqual(`${variant}: frames answered`, result.framesSent, result.frames),
    checkEqual(`${variant}: rows redeemed`, sentRows, result.redeemed),
    checkEqual(`${variant}: uses of the coupon`, result.redeemed, result.uses),
    {
      name: `${variant}: problems`,
      expected: 'none',
      seen: result.firstProblem || 'none',
      holds: result.firstProblem === '',
    },
  ]
}
