/** One call after another: several shards answer as one shard does. STACK_RUNS sets the number of walks, STACK_SEED repeats one. */
import { describe, expect, test } from 'vitest'
import { SameWalk } from '../stack/same-walk.ts'

const RUNS = Number(process.env['STACK_RUNS'] ?? 150)
const SEED = process.env['STACK_SEED']
const FIRST = Date.now() % 1_000_000_007

describe('coupons on several shards', () => {
  test(`are answered like coupons on one, on ${RUNS} random walks`, { timeout: 60_000 + RUNS * 100 }, () => {
    const counts: Record<string, number> = {}
    const seeds = SEED === undefined ? Array.from({ length: RUNS }, (_, i) => FIRST + i) : [Number(SEED)]
    for (const seed of seeds) {
      try {
        new SameWalk(seed, counts).run()
      } catch (cause) {
        throw new Error(`STACK_SEED=${seed}: ${(cause as Error).message}`, { cause })
      }
    }
    if (process.env['STACK_COUNTS'] !== undefined) console.log(counts)
    expect(Object.keys(counts).length).toBeGreaterThan(0)
  })
})
