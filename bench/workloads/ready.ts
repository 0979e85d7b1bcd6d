// ready: how long a shop with ten million codes is away when its server is killed.
//
//   codes in bulk ── claimed and redeemed codes, columns ── snapshots, awaited ── columns ── SIGKILL ── start
//                    └────── as many as make snapshots due ─────┘                └── behind them ──┘
//
// The start loads the snapshots and replays what is behind them. The next run of snapshots begins under the last columns
// and the kill comes into it, so the start may find newer ones of some shards; what it found and what it replayed are
// together the whole log either way. What was acknowledged before the kill has to be counted afterwards, to the last use.

import { join } from 'node:path'
import { runChild } from '../children.ts'
import type { ClaimsInput, ClaimsResult } from '../load/claims.ts'
import { ENTRIES } from '../project.ts'
import { atMost, type Check, checkAtLeast, checkBetween, checkEqual, type WorkloadReport } from '../report/figure.ts'
import { campaignOf } from '../server/campaigns.ts'
import { totalUses } from '../server/coupons.ts'
import { snapshottedEvents } from '../server/data-directory.ts'
import { SNAPSHOTS_MADE } from '../server/server-log.ts'
import { type Product, startProduct } from '../server/product.ts'
import { type ReadySize, SNAPSHOTS_TIME_LIMIT_MS } from '../sizes.ts'
import { type BenchContext, withScratch } from './context.ts'
import {
  campaignOnEachShard,
  codesOfAll,
  couponOnEachShard,
  makeCodesOfAll,
  redeemOnEachShard,
  SHARDS,
} from './every-shard.ts'

const READY_TARGET_MS = 15_000
/** The claims load redeems what it claims but every so many-th: none is let go here. */
const LET_GO_NEVER = Number.MAX_SAFE_INTEGER
/** One event makes so many codes at the least, but for the last of a job. */
const CODES_AN_EVENT_MIN = 1_000
/** Beginnings of shards, campaigns, coupons, jobs and their ends. */
const OTHER_EVENTS_MAX = 2_000

interface Filled {
  readonly campaigns: readonly string[]
  readonly coupons: readonly string[]
  /** Codes that were claimed, each redeemed by its user. */
  readonly claimed: number
  readonly rowsRedeemed: number
  /** Runs of snapshots that were over before the kill. */
  readonly runs: number
}

export async function runReady(context: BenchContext, size: ReadySize): Promise<WorkloadReport> {
  const before = rowsPerShard(size.rowsBefore, size)
  const behind = rowsPerShard(size.rowsBehind, size)
  const settings = { TEAROFF_SNAPSHOT_EVENTS: String(before * SHARDS) }
  return await withScratch(async (scratch) => {
    const dataDir = join(scratch, 'data')
    const first = await startProduct(context.productEntry, dataDir, { settings })
    let filled: Filled
    try {
      filled = await fill(context, first, size, before, behind)
    } finally {
      await first.kill()
    }
    const inSnapshots = snapshottedEvents(dataDir)
    const second = await startProduct(context.productEntry, dataDir, { settings })
    const { readyMs, replay } = second
    const replayed = replay?.events ?? Number.NaN
    context.say(
      `ready after ${readyMs.toFixed(0)} ms: ${counted(inSnapshots)} events in snapshots, ${counted(replayed)} replayed`,
    )
    const checks = await checksOf(second, size, filled, (before + behind) * SHARDS)
    await second.stop()
    const redemptions = filled.claimed + filled.rowsRedeemed
    const events = redemptions + filled.claimed
    return {
      workload: 'ready',
      figures: [
        {
          name: `ready: after SIGKILL, ${counted(size.codes)} codes, ${counted(redemptions)} redemptions`,
          value: readyMs,
          unit: 'ms',
          target: atMost(READY_TARGET_MS),
        },
        { name: 'ready: events replayed behind the snapshots', value: replayed, unit: '', target: null },
      ],
      checks: [
        ...checks,
        checkAtLeast('ready: events in snapshots', before * SHARDS, inSnapshots),
        checkBetween(
          'ready: events in snapshots and replayed',
          events,
          events + Math.ceil(size.codes / CODES_AN_EVENT_MIN) + OTHER_EVENTS_MAX,
          inSnapshots + replayed,
        ),
      ],
      detail: { ...filled, inSnapshots, readyMs, replay },
    }
  })
}

/** Frames are whole and go evenly over the shards. */
function rowsPerShard(rows: number, { rowsPerFrame }: ReadySize): number {
  return Math.floor(rows / SHARDS / rowsPerFrame) * rowsPerFrame
}

async function fill(
  context: BenchContext,
  { baseUrl, port, log }: Product,
  size: ReadySize,
  before: number,
  behind: number,
): Promise<Filled> {
  const campaigns = await campaignOnEachShard(baseUrl)
  await makeCodesOfAll(baseUrl, campaigns, size.codes)
  context.say(`${counted(size.codes)} codes made`)
  const claimed = await claimAndRedeem(port, campaigns[0] as string, size)
  const coupons = await couponOnEachShard(baseUrl, 'READY')
  const perShard = before + behind
  let rowsRedeemed = await redeemOnEachShard(port, coupons, { perShard, from: 0, to: before }, size)
  context.say(`${counted(claimed)} of them claimed and redeemed, ${counted(rowsRedeemed)} redemptions by columns`)
  await log.until(SNAPSHOTS_MADE, 1, SNAPSHOTS_TIME_LIMIT_MS)
  context.say('snapshots made')
  rowsRedeemed += await redeemOnEachShard(port, coupons, { perShard, from: before, to: perShard }, size)
  context.say(`${counted(rowsRedeemed)} redemptions by columns, killed`)
  return { campaigns, coupons, claimed, rowsRedeemed, runs: log.all(SNAPSHOTS_MADE).length }
}

/** How many did both. */
async function claimAndRedeem(port: number, campaignId: string, size: ReadySize): Promise<number> {
  const { claims, redemptions } = await runChild<ClaimsInput, ClaimsResult>(ENTRIES.claims, {
    port,
    campaignId,
    firstUser: 0,
    endUser: size.claims,
    messagesPerFrame: size.messagesPerFrame,
    framesInFlight: size.framesInFlight,
    connections: size.connections,
    letGoEvery: LET_GO_NEVER,
  })
  if (claims !== size.claims || redemptions !== claims) throw new Error(`${claims} claims, ${redemptions} redeemed`)
  return redemptions
}

async function checksOf({ baseUrl }: Product, size: ReadySize, filled: Filled, rows: number): Promise<Check[]> {
  const { campaigns, coupons, claimed, rowsRedeemed } = filled
  const { uses } = await campaignOf(baseUrl, campaigns[0] as string)
  return [
    checkEqual('ready: rows redeemed', rows, rowsRedeemed),
    checkEqual('ready: codes after the kill', size.codes, await codesOfAll(baseUrl, campaigns)),
    checkEqual('ready: uses of codes after the kill', claimed, Number(uses)),
    checkEqual('ready: uses of coupons after the kill', rowsRedeemed, await totalUses(baseUrl, coupons)),
  ]
}

function counted(count: number): string {
  return count.toLocaleString('en')
}
