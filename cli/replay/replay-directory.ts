/**
 * Replay: rebuilds every shard from the log alone and holds what comes out against everything else that claims to know it:
 * check sums, chains, a second count of every counter, and the snapshots. Stops at the first divergence, which is thrown.
 */
import { CouponLife, type LifeLine } from './life.ts'
import { checkFiles } from './check-files.ts'
import { SnapshotCheck } from './check-snapshots.ts'
import { counterDifference } from './compare-counters.ts'
import type { DataDirectory } from '../rebuild/data-directory.ts'
import { Divergence } from '../rebuild/divergence.ts'
import { type Cut, shownTime, UsageFault } from '../rebuild/positions.ts'
import type { LogProgress } from '../rebuild/read-log.ts'
import { rebuild } from '../rebuild/rebuild.ts'
import { couponTarget } from '../../gateway/operations/target.ts'
import type { ShardState } from '../../engine/domain/state.ts'
import { Router } from '../../engine/routing.ts'
import { ShardCount } from '../../engine/shard/reconcile-count.ts'
import { parseId } from '../../protocol/ids.ts'
import { BULK_ORDINALS, campaignOrdinal } from '../../protocol/ordinals.ts'

export interface ReplayedShard {
  readonly shard: number
  readonly seq: number
  readonly at: string | null
  readonly coupons: number
  readonly campaigns: number
  /** Made in bulk. */
  readonly codes: number
  /** Of coupons and codes. */
  readonly uses: number
  readonly reserved: number
}

export interface Replayed {
  readonly events: number
  readonly entries: number
  readonly segments: number
  /** Sealed segments that fit the check sum of the whole file; earlier versions made none. */
  readonly files: number
  /** Held against the log. */
  readonly snapshots: number
  /** With events. */
  readonly shards: readonly ReplayedShard[]
  readonly life: readonly LifeLine[] | null
}

export interface Replaying {
  readonly cut: Cut
  /** A code or id of a coupon, or the id of a campaign, whose life is to be told; null: none. */
  readonly coupon: string | null
  readonly onProgress?: LogProgress | undefined
}

/** Throws Divergence, JournalError or UsageFault. */
export function replayDirectory(directory: DataDirectory, { cut, coupon, onProgress }: Replaying): Replayed {
  const counts = new Map<number, ShardCount>()
  const snapshots = new SnapshotCheck(directory)
  const told = coupon === null ? null : lifeOf(directory, coupon)
  const { states, log, events } = rebuild(directory, {
    cut,
    onEvent(state, stored, entry) {
      const { shard } = state
      const count = countOf(counts, shard)
      count.book(stored.event, stored.seq, stored.atMs)
      snapshots.atEvent(state, stored.seq, entry, count)
      if (told?.shard === shard) told.life.book(stored)
    },
    onProgress,
  })
  checkCounters(states, counts)
  const files = checkFiles(directory.path)
  snapshots.end(cut.seqs.size === 0 && cut.untilMs === Number.POSITIVE_INFINITY)
  if (told?.life.isFound === false) throw new UsageFault(`the log holds no coupon ${coupon ?? ''}`)
  return {
    events,
    entries: log.entries,
    segments: log.segments,
    files,
    snapshots: snapshots.checked,
    shards: [...states.values()].filter(({ seq }) => seq > 0).map(replayedShard),
    life: told?.life.lines ?? null,
  }
}

function countOf(counts: Map<number, ShardCount>, shard: number): ShardCount {
  const known = counts.get(shard)
  if (known !== undefined) return known
  const count = new ShardCount(shard)
  counts.set(shard, count)
  return count
}

/** Throws Divergence where a counter of a state is not what the log makes. */
function checkCounters(states: ReadonlyMap<number, ShardState>, counts: ReadonlyMap<number, ShardCount>): void {
  for (const [shard, count] of counts) {
    const state = states.get(shard) as ShardState
    const difference = counterDifference(state, count)
    if (difference === null) continue
    throw new Divergence(`shard ${shard}, after sequence ${state.seq}: ${difference}`, { shard, seq: state.seq })
  }
}

function lifeOf({ deployment }: DataDirectory, coupon: string): { readonly shard: number; readonly life: CouponLife } {
  const campaign = parseId('cmp_', coupon)
  if (campaign !== null) {
    const { shard, number } = campaign
    return { shard, life: new CouponLife(shard, (ordinal) => ordinal === campaignOrdinal(number)) }
  }
  const target = couponTarget(new Router(deployment.shards, deployment.secret), coupon)
  if (target === null) throw new UsageFault(`"${coupon}" can be no coupon's code or id, and no campaign's id`)
  const { shard, ref } = target
  const life = new CouponLife(shard, (ordinal, code) =>
    ref.code === null ? ordinal === ref.ordinal : code === ref.code,
  )
  return { shard, life }
}

function replayedShard(state: ShardState): ReplayedShard {
  const { uses, reserved } = state.tables.coupons
  const codes = state.tables.bulk.size
  let usesTotal = 0
  let reservedTotal = 0
  const add = (first: number, end: number): void => {
    for (let ordinal = first; ordinal < end; ordinal++) {
      usesTotal += uses.get(ordinal)
      reservedTotal += reserved.get(ordinal)
    }
  }
  add(0, state.couponCount)
  add(BULK_ORDINALS, BULK_ORDINALS + codes)
  return {
    shard: state.shard,
    seq: state.seq,
    at: state.seq === 0 ? null : shownTime(state.timeMs),
    coupons: state.couponCount,
    campaigns: state.campaigns.length,
    codes,
    uses: usesTotal,
    reserved: reservedTotal,
  }
}
