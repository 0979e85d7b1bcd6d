// memory: what idle codes and users take, as the kernel counts the process's anonymous memory.
//
//   codes   jobs of campaigns, one on each shard, up to the number wanted; the slope is taken between two of these sums
//   users   as many users redeem once, by columns, coupons of one use a user, one on each shard: a counter each, and a record of
//           each order, which the product remembers for its window within a share of the machine's memory
//
// The product is told that the machine has 8 GB, so that its shares of memory are those of such a machine.

import { setTimeout as pause } from 'node:timers/promises'
import { ENTRIES } from '../project.ts'
import { atMost, type Check, checkEqual, median, type WorkloadReport } from '../report/figure.ts'
import { type Footprint, takeFootprint } from '../server/footprint.ts'
import type { Product } from '../server/product.ts'
import type { MemorySize } from '../sizes.ts'
import type { BenchContext } from './context.ts'
import {
  campaignOnEachShard,
  codesOfAll,
  couponOnEachShard,
  makeCodesOfAll,
  redeemOnEachShard,
  SHARDS,
} from './every-shard.ts'
import { withProduct } from './with-product.ts'

const BYTES_A_CODE_TARGET = 40
const MIB = 1_048_576
const ALL_TARGET_MIB = 8_192
const SAMPLES = 7
/** Rounds over all shards in which users come, at least; and how often it is said how far they are. */
const ROUNDS = 8
const TOLD = 4

export async function runMemory(context: BenchContext, size: MemorySize): Promise<WorkloadReport> {
  return await withProduct(
    context,
    async (product) => {
      const base = await steadyFootprint(product, size.sampleEveryMs)
      const campaigns = await campaignOnEachShard(product.baseUrl)
      const few = Math.min(size.slopeFrom, size.codes)
      const many = Math.min(10 * few, size.codes)
      const steps: { readonly codes: number; readonly footprint: Footprint }[] = []
      let made = 0
      for (const codes of new Set([few, many, size.codes])) {
        await makeCodesOfAll(product.baseUrl, campaigns, codes - made)
        made = codes
        steps.push({ codes, footprint: await steadyFootprint(product, size.sampleEveryMs) })
        context.say(`${made.toLocaleString('en')} codes: ${words(steps.at(-1)?.footprint as Footprint)}`)
      }
      const codesDone = steps.at(-1)?.footprint as Footprint
      const redeemed = await redeemByUsers(context, product, size)
      const end = await steadyFootprint(product, size.sampleEveryMs)
      const [first, second] = steps as [(typeof steps)[number], (typeof steps)[number] | undefined]
      const slope =
        second === undefined
          ? Number.NaN
          : (second.footprint.anonymousBytes - first.footprint.anonymousBytes) / (second.codes - first.codes)
      const checks: Check[] = [
        checkEqual('codes of all campaigns', size.codes, await codesOfAll(product.baseUrl, campaigns)),
        checkEqual('users that redeemed', usersOf(size), redeemed),
      ]
      return {
        workload: 'memory',
        figures: [
          {
            name: `memory: of an idle code, ${few.toLocaleString('en')} to ${many.toLocaleString('en')}`,
            value: slope,
            unit: 'B',
            // Pages of tables and the heap of the rest are larger than a few thousand codes.
            target: size.codes < 10_000_000 ? null : atMost(BYTES_A_CODE_TARGET),
          },
          {
            name: `memory: of a user with one redemption, ${usersOf(size).toLocaleString('en')}`,
            value: (end.stateBytes - codesDone.stateBytes) / usersOf(size),
            unit: 'B',
            target: null,
          },
          { name: 'memory: before', value: base.anonymousBytes / MIB, unit: 'MiB', target: null },
          {
            name: `memory: ${size.codes.toLocaleString('en')} codes, ${usersOf(size).toLocaleString('en')} users`,
            value: end.anonymousBytes / MIB,
            unit: 'MiB',
            target: atMost(ALL_TARGET_MIB),
          },
        ],
        checks,
        detail: { base, steps, end },
      }
    },
    { preload: ENTRIES.eightGigabytes },
  )
}

function usersOf({ users, rowsPerFrame }: MemorySize): number {
  return Math.floor(users / SHARDS / rowsPerFrame) * SHARDS * rowsPerFrame
}

/** How many did. All shards grow together, as they do under users who come from everywhere. */
async function redeemByUsers(context: BenchContext, product: Product, size: MemorySize): Promise<number> {
  const perShard = usersOf(size) / SHARDS
  // Frames are whole.
  const frames = Math.max(1, Math.floor(Math.min(size.rowsPerRun, perShard / ROUNDS) / size.rowsPerFrame))
  const rowsPerRun = frames * size.rowsPerFrame
  const codes = await couponOnEachShard(product.baseUrl, 'MEMORY')
  let redeemed = 0
  let told = 0
  for (let row = 0; row < perShard; row += rowsPerRun) {
    const rows = { perShard, from: row, to: Math.min(row + rowsPerRun, perShard) }
    redeemed += await redeemOnEachShard(product.port, codes, rows, size)
    if (redeemed - told < usersOf(size) / TOLD) continue
    told = redeemed
    context.say(`${redeemed.toLocaleString('en')} users: ${words(await takeFootprint(product.pid, product.baseUrl))}`)
  }
  return redeemed
}

/** The middle of some samples: garbage comes and goes. */
async function steadyFootprint({ pid, baseUrl }: Product, everyMs: number): Promise<Footprint> {
  const samples: Footprint[] = []
  for (let i = 0; i < SAMPLES; i++) {
    samples.push(await takeFootprint(pid, baseUrl))
    await pause(everyMs)
  }
  const last = samples.at(-1) as Footprint
  return { ...last, anonymousBytes: median(samples.map(({ anonymousBytes }) => anonymousBytes)) }
}

function words({ anonymousBytes, stateBytes }: Footprint): string {
  return `${(anonymousBytes / MIB).toFixed(0)} MiB, of them ${(stateBytes / MIB).toFixed(0)} MiB state`
}
