/**
 * Random walks over several shards with a wire that loses and reorders, and with crashes. STACK_RUNS sets their number, and
 * STACK_SEED repeats one.
 */
import { describe, expect, test } from 'vitest'
import { ChaosWalk, type WalkCounts } from '../stack/chaos-walk.ts'

const RUNS = Number(process.env['STACK_RUNS'] ?? 150)
const SEED = process.env['STACK_SEED']
const ANSWERS = [
  'reserved',
  'redeemed',
  'redeemed again',
  'reversed',
  'released',
  'not done',
  'COUPON_LOCKED',
  'claimed',
  'claimed again',
  'DAILY_LIMIT_REACHED',
  'CAMPAIGN_EXHAUSTED',
  'BUDGET_EXHAUSTED',
  'days counted',
]
const FIRST = Date.now() % 1_000_000_007

describe('redemption over several shards', () => {
  test(`keeps its promises on ${RUNS} random walks`, { timeout: 60_000 + RUNS * 100 }, () => {
    const counts: WalkCounts = {}
    const seeds = SEED === undefined ? Array.from({ length: RUNS }, (_, i) => FIRST + i) : [Number(SEED)]
    for (const seed of seeds) {
      try {
        new ChaosWalk(seed, counts).run()
      } catch (cause) {
        throw new Error(`STACK_SEED=${seed}: ${(cause as Error).message}`, { cause })
      }
    }
    if (process.env['STACK_COUNTS'] !== undefined) console.log(counts)
    const isWhole = SEED === undefined && RUNS >= 100
    // A walk that never gets there proves nothing about it.
    expect(isWhole ? ANSWERS.filter((what) => counts[what] === undefined) : []).toEqual([])
  })
})
