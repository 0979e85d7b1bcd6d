// recovery: the process is killed and started again; how long until it answers, and how fast the log was read.
//
// Everything sent was acknowledged before the kill, so the counter afterwards has to be exactly that number. The speed
// is the server's own report of its replay where `/readyz` carries one; otherwise redemptions ÷ time to ready, which
// is lower, because it holds the start of the process too.

import { join } from 'node:path'
import { runChild } from '../children.ts'
import type { ColumnsInput, ColumnsResult } from '../load/columns.ts'
import type { OpenLoopInput, OpenLoopResult } from '../load/open-loop.ts'
import { ENTRIES } from '../project.ts'
import { atLeast, checkEqual, type WorkloadReport } from '../report/figure.ts'
import { couponUses, createCoupon, EXPECTED_DISCOUNT_MINOR, type PerUser } from '../server/coupons.ts'
import { type Product, startProduct } from '../server/product.ts'
import type { RecoverySize } from '../sizes.ts'
import { type BenchContext, withScratch } from './context.ts'

const TARGET_EVENTS_PER_SECOND = 1_000_000

const NAMES: Readonly<Record<PerUser, string>> = { any: 'no limit a user', once: 'one use a user' }

const COLUMNS_CODE = 'RECOVERY1'
const SINGLE_CODE = 'RECOVERY2'

/** Long enough for any machine; the run ends when its rows are used up. */
const FILL_SECONDS_MAX = 60

/** Once with a coupon that anybody may use as often as he likes, once with one use a user, which counts every user. */
export async function runRecovery(context: BenchContext, size: RecoverySize): Promise<WorkloadReport> {
  const any = await recoverOne(context, size, 'any')
  const once = await recoverOne(context, size, 'once')
  return {
    workload: 'recovery',
    figures: [...any.figures, ...once.figures],
    checks: [...any.checks, ...once.checks],
    detail: { any: any.detail, once: once.detail },
  }
}

async function recoverOne(context: BenchContext, size: RecoverySize, perUser: PerUser): Promise<WorkloadReport> {
  return await withScratch(async (scratch) => {
    const dataDir = join(scratch, 'data')
    const first = await startProduct(context.productEntry, dataDir)
    let filled: Filled
    try {
      filled = await fill(context, first, size, perUser)
    } finally {
      await first.kill()
    }
    context.say(
      `killed after ${(filled.columns.redeemed + filled.singles.redeemed).toLocaleString('en')} acknowledged redemptions`,
    )
    const second = await startProduct(context.productEntry, dataDir)
    const columnUses = await couponUses(second.baseUrl, COLUMNS_CODE)
    const singleUses = await couponUses(second.baseUrl, SINGLE_CODE)
    await second.stop()
    return reportOf(size, filled, second, columnUses, singleUses, NAMES[perUser])
  })
}

interface Filled {
  readonly columns: ColumnsResult
  readonly singles: OpenLoopResult
}

async function fill(context: BenchContext, product: Product, size: RecoverySize, perUser: PerUser): Promise<Filled> {
  await createCoupon(product.baseUrl, COLUMNS_CODE, perUser)
  await createCoupon(product.baseUrl, SINGLE_CODE, perUser)
  const columns = await runChild<ColumnsInput, ColumnsResult>(ENTRIES.columns, {
    port: product.port,
    code: COLUMNS_CODE,
    seconds: FILL_SECONDS_MAX,
    rowsPerFrame: size.rowsPerFrame,
    rowsMax: size.columnRows,
    framesInFlight: size.framesInFlight,
    discountMinor: EXPECTED_DISCOUNT_MINOR,
  })
  const singles = await runChild<OpenLoopInput, OpenLoopResult>(ENTRIES.openLoop, {
    port: product.port,
    code: SINGLE_CODE,
    tag: 'r',
    ratePerSecond: size.singleRatePerSecond,
    warmupSeconds: 0,
    seconds: size.singleRedemptions / size.singleRatePerSecond,
    connections: size.connections,
    drainSeconds: 10,
    seed: context.seed,
  })
  return { columns, singles }
}

function reportOf(
  size: RecoverySize,
  { columns, singles }: Filled,
  restarted: Product,
  columnUses: number,
  singleUses: number,
  which: string,
): WorkloadReport {
  const acknowledged = columns.redeemed + singles.redeemed
  const { replay, readyMs } = restarted
  const eventsPerSecond =
    replay === null ? acknowledged / (readyMs / 1_000) : replay.events / (replay.elapsedMs / 1_000)
  return {
    workload: 'recovery',
    figures: [
      {
        name:
          replay === null ? `recovery: redemptions ÷ time to ready, ${which}` : `recovery: events replayed, ${which}`,
        value: eventsPerSecond,
        unit: '/s',
        target: atLeast(TARGET_EVENTS_PER_SECOND),
      },
      {
        name: `recovery: ready after ${acknowledged.toLocaleString('en')} redemptions, ${which}`,
        value: readyMs,
        unit: 'ms',
        target: null,
      },
    ],
    checks: [
      checkEqual(
        'rows redeemed',
        Math.floor(size.columnRows / size.rowsPerFrame) * size.rowsPerFrame,
        columns.redeemed,
      ),
      checkEqual('errors of single redemptions', 0, singles.errors),
      checkEqual('uses after the kill, columns', columns.redeemed, columnUses),
      checkEqual('uses after the kill, singles', singles.redeemed, singleUses),
      {
        name: 'events replayed',
        expected: `at least ${acknowledged}, or no report`,
        seen: String(replay?.events ?? 'no report'),
        holds: replay === null || replay.events >= acknowledged,
      },
    ],
    detail: { columns, singles, columnUses, singleUses, readyMs, replay },
  }
}
