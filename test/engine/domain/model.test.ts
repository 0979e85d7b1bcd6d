/**
 * Random walks on the engine and on a naive model of the contract: every answer equal, every limit kept, the log replayable.
 *
 * FC_RUNS sets the number of walks (10,000 for the long form), FC_SEED repeats a failure. The names of the tests say both.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CouponDefinition } from '../../../protocol/coupon.ts'
import { walk } from '../model/steps.ts'
import { type Plant, Walk } from '../model/walk.ts'

const RUNS = Number(process.env['FC_RUNS'] ?? 1_500)
const SEED = Number(process.env['FC_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const TIMEOUT_MS = 40_000 + RUNS * 20

const property = (plant?: Plant, met?: Map<string, number>) =>
  fc.property(walk, (steps) => new Walk(plant, met).take(steps))

/** What a shard can answer to the commands of a walk. A walk that never gets there proves nothing about it. */
const ANSWERS = [
  'RESERVATION',
  'REDEMPTION',
  'COUPON',
  'VALIDATED',
  'RELEASED',
  'INVALID_REQUEST',
  'COUPON_NOT_FOUND',
  'ORDER_CONFLICT',
  'REDEMPTION_REVERSED',
  'COUPON_DISABLED',
  'COUPON_NOT_STARTED',
  'COUPON_EXPIRED',
  'USER_NOT_ELIGIBLE',
  'CHANNEL_NOT_ALLOWED',
  'CURRENCY_MISMATCH',
  'MIN_ORDER_NOT_MET',
  'MIN_QUANTITY_NOT_MET',
  'NOT_STACKABLE',
  'USER_LIMIT_REACHED',
  'COUPON_EXHAUSTED',
  'COUPON_LOCKED',
  'RESERVATION_NOT_FOUND',
  'RESERVATION_CLOSED',
  'RESERVATION_EXPIRED',
  'REDEMPTION_NOT_FOUND',
  'CODE_TAKEN',
  'INVALID_TRANSITION',
  'VERSION_CONFLICT',
]

describe(`the engine against the naive model (seed ${SEED})`, () => {
  test(`${RUNS} random walks end alike and meet every answer`, { timeout: TIMEOUT_MS }, () => {
    const met = new Map<string, number>()
    fc.assert(property(undefined, met), { seed: SEED, numRuns: RUNS })
    expect([...met.keys()].sort()).toEqual([...ANSWERS].sort())
  })

  test.each<[string, Plant]>([
    ['the limit of a coupon', (definition) => oneMore(definition, 'maxUses')],
    ['the limit per user', (definition) => oneMore(definition, 'maxUsesPerUser')],
  ])('an off-by-one planted in %s is found', { timeout: TIMEOUT_MS }, (_, plant) => {
    const found = fc.check(property(plant), { seed: SEED, numRuns: RUNS })
    expect(found.failed).toBe(true)
    // Found by what the engine did with the limit, not by seeing the limit itself.
    expect(String(found.errorInstance)).not.toContain('definition')
  })
})

function oneMore(definition: CouponDefinition, limit: 'maxUses' | 'maxUsesPerUser'): CouponDefinition {
  const value = definition[limit]
  return value === null ? definition : { ...definition, [limit]: value + 1 }
}
