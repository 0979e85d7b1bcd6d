// recovery: the process is killed and started again; how long until it answers, and how fast the log was read.
//
//   whole log     columns, singles ── SIGKILL ── start replays everything
//   with snapshot columns ── snapshots, awaited ── columns ── SIGKILL ── start loads them and replays the tail
//
// Everything sent was acknowledged before the kill, so the counter afterwards has to be exactly that number. The speed
// is the server's own report of its replay where `/readyz` carries one; otherwise redemptions ÷ time to ready, which
// is lower, because it holds the start of the process too.

import { join } from 'node:path'
import { runChild } from '../children.ts'
import type { ColumnsInput, ColumnsResult } from '../load/columns.ts'
import type { OpenLoopInput, OpenLoopResult } from '../load/open-loop.ts'
import { ENTRIES } from '../project.ts'
import { atLeast, atMost, checkBetween, checkEqual, type WorkloadReport } from '../report/figure.ts'
import { couponUses, createCoupon, EXPECTED_DISCOUNT_MINOR, type PerUser } from '../server/coupons.ts'
import { snapshottedEvents } from '../server/data-directory.ts'
import { type Product, startProduct } from '../server/product.ts'
import { SNAPSHOTS_MADE } from '../server/server-log.ts'
import { type RecoverySize, SNAPSHOTS_TIME_LIMIT_MS } from '../sizes.ts'
import { type BenchContext, withScratch } from './context.ts'

const TARGET_EVENTS_PER_SECOND = 1_000_000
const READY_TARGET_MS = 5_000

const NAMES: Readonly<Record<PerUser, string>> = { unlimited: 'no limit a user', once: 'one use a user' }

const COLUMNS_CODE = 'RECOVERY1'
const SINGLE_CODE = 'RECOVERY2'

/** Events of a run that are no redemptions: the coupon was made, shards began. */
const NOT_REDEMPTIONS_MAX = 64

/** Long enough for any machine; the run ends when its rows are used up. */
const FILL_SECONDS_MAX = 60

/** Once with a coupon that anybody may use as often as he likes, once with one use a user, which counts every user. */
export async function runRecovery(context: BenchContext, size: RecoverySize): Promise<WorkloadReport> {
  const unlimited = await recoverOne(context, size, 'unlimited')
  const once = await recoverOne(context, size, 'once')
  const unlimitedTail = await recoverTail(context, size, 'unlimited')
  const onceTail = await recoverTail(context, size, 'once')
  const all = [unlimited, once, unlimitedTail, onceTail]
  return {
    workload: 'recovery',
    figures: all.flatMap(({ figures }) => figures),
    checks: all.flatMap(({ checks }) => checks),
    detail: {
      unlimited: unlimited.detail,
      once: once.detail,
      unlimitedTail: unlimitedTail.detail,
      onceTail: onceTail.detail,
    },
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
  const columns = await fillColumns(product, size, 0, size.columnRows)
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

async function fillColumns(
  product: Product,
  { rowsPerFrame, framesInFlight }: RecoverySize,
  firstRow: number,
  rowsMax: number,
): Promise<ColumnsResult> {
  return await runChild<ColumnsInput, ColumnsResult>(ENTRIES.columns, {
    port: product.port,
    code: COLUMNS_CODE,
    seconds: FILL_SECONDS_MAX,
    rowsPerFrame,
    rowsMax,
    framesInFlight,
    discountMinor: EXPECTED_DISCOUNT_MINOR,
    firstRow,
  })
}

/** Rows are sent in whole frames. */
function wholeRows(rows: number, { rowsPerFrame }: RecoverySize): number {
  return Math.floor(rows / rowsPerFrame) * rowsPerFrame
}

/**
 * A start from snapshots with a tail behind them. Snapshots are due at exactly as many events as the first fill makes, so
 * that there is one run of them, begun when the fill is over; what follows is too little for another.
 */
async function recoverTail(context: BenchContext, size: RecoverySize, perUser: PerUser): Promise<WorkloadReport> {
  const before = wholeRows(size.snapshotRows, size)
  const tail = wholeRows(size.tailRows, size)
  const options = { settings: { TEAROFF_SNAPSHOT_EVENTS: String(before) } }
  return await withScratch(async (scratch) => {
    const dataDir = join(scratch, 'data')
    const first = await startProduct(context.productEntry, dataDir, options)
    let redeemed: number
    let runs: number
    try {
      await createCoupon(first.baseUrl, COLUMNS_CODE, perUser)
      redeemed = (await fillColumns(first, size, 0, before)).redeemed
      await first.log.until(SNAPSHOTS_MADE, 1, SNAPSHOTS_TIME_LIMIT_MS)
      redeemed += (await fillColumns(first, size, before, tail)).redeemed
      runs = first.log.all(SNAPSHOTS_MADE).length
    } finally {
      await first.kill()
    }
    const inSnapshots = snapshottedEvents(dataDir)
    const words = `${redeemed.toLocaleString('en')} redemptions, ${inSnapshots.toLocaleString('en')} events of them in snapshots`
    context.say(`killed after ${words}`)
    const second = await startProduct(context.productEntry, dataDir, options)
    const uses = await couponUses(second.baseUrl, COLUMNS_CODE)
    await second.stop()
    const { readyMs, replay } = second
    context.say(
      `ready after ${readyMs.toFixed(0)} ms; replayed ${replay?.events.toLocaleString('en') ?? 'unknown'} events`,
    )
    const name = `${NAMES[perUser]}, from snapshots`
    return {
      workload: 'recovery',
      figures: [
        {
          name: `recovery: ready after ${redeemed.toLocaleString('en')} redemptions, ${tail.toLocaleString('en')} behind the snapshots, ${NAMES[perUser]}`,
          value: readyMs,
          unit: 'ms',
          target: atMost(READY_TARGET_MS),
        },
      ],
      checks: [
        checkEqual(`${name}: rows redeemed`, before + tail, redeemed),
        checkEqual(`${name}: runs of snapshots before the kill`, 1, runs),
        checkBetween(`${name}: events in snapshots`, before, before + NOT_REDEMPTIONS_MAX, inSnapshots),
        checkEqual(`${name}: uses after the kill`, redeemed, uses),
        checkBetween(`${name}: events replayed`, tail, tail + NOT_REDEMPTIONS_MAX, replay?.events ?? Number.NaN),
      ],
      detail: { redeemed, runs, inSnapshots, uses, readyMs, replay },
    }
  })
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
      checkEqual('rows redeemed', wholeRows(size.columnRows, size), columns.redeemed),
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
