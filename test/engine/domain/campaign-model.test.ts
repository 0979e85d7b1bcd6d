/**
 * Random walks with campaigns on the engine and on a naive model of the contract: every answer equal, every limit and budget
 * kept, days counted where they lie, the log replayable.
 *
 * FC_RUNS sets the number of walks, FC_SEED repeats a failure. The names of the tests say both.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CampaignDefinition } from '../../../protocol/campaign.ts'
import { campaignWalk } from '../model/campaign-steps.ts'
import { type CampaignPlant, CampaignWalk } from '../model/campaign-walk.ts'

const RUNS = Number(process.env['FC_RUNS'] ?? 1_000)
const SEED = Number(process.env['FC_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const TIMEOUT_MS = 60_000 + RUNS * 40

const property = (plant?: CampaignPlant, met?: Map<string, number>) =>
  fc.property(campaignWalk, (steps) => new CampaignWalk(plant, met).take(steps))

/** What campaigns add to what a shard can answer. A walk that never gets there proves nothing about it. */
const ANSWERS = [
  'CAMPAIGN',
  'CLAIMED',
  'CLAIMED AGAIN',
  'CAMPAIGN_NOT_FOUND',
  'CAMPAIGN_EXHAUSTED',
  'BUDGET_EXHAUSTED',
  'DAILY_LIMIT_REACHED',
  'POOL_EMPTY',
  'USER_LIMIT_REACHED',
  'COUPON_LOCKED',
  'COUPON_DISABLED',
  'COUPON_NOT_STARTED',
  'COUPON_EXPIRED',
  'INVALID_TRANSITION',
  'VERSION_CONFLICT',
  'RESERVATION',
  'REDEMPTION',
]

describe(`campaigns on the engine against the naive model (seed ${SEED})`, () => {
  test(`${RUNS} random walks end alike and meet every answer`, { timeout: TIMEOUT_MS }, () => {
    const met = new Map<string, number>()
    fc.assert(property(undefined, met), { seed: SEED, numRuns: RUNS })
    expect([...met.keys()]).toEqual(expect.arrayContaining(ANSWERS))
  })

  test.each<[string, CampaignPlant]>([
    ['the limit of a campaign', (definition) => oneMore(definition, 'maxUses')],
    ['its limit per user', (definition) => oneMore(definition, 'maxUsesPerUser')],
    ['its budget', (definition) => oneMore(definition, 'budgetMinor')],
  ])('an off-by-one planted in %s is found', { timeout: TIMEOUT_MS }, (_, plant) => {
    const found = fc.check(property(plant), { seed: SEED, numRuns: RUNS })
    expect(found.failed).toBe(true)
    // Found by what the engine did with the limit, not by seeing the limit itself.
    expect(String(found.errorInstance)).not.toContain('definition')
  })

  test('a limit a day planted one too high, and a day in the wrong zone, are found', { timeout: TIMEOUT_MS }, () => {
    const plants: CampaignPlant[] = [
      (definition) => {
        const { dailyLimit } = definition
        return dailyLimit === null
          ? definition
          : { ...definition, dailyLimit: { ...dailyLimit, perUser: dailyLimit.perUser + 1 } }
      },
      (definition) => ({ ...definition, timezone: definition.timezone === 'UTC' ? 'Asia/Kolkata' : 'UTC' }),
    ]
    for (const plant of plants) {
      expect(fc.check(property(plant), { seed: SEED, numRuns: RUNS, endOnFailure: true }).failed).toBe(true)
    }
  })
})

function oneMore(
  definition: CampaignDefinition,
  limit: 'maxUses' | 'maxUsesPerUser' | 'budgetMinor',
): CampaignDefinition {
  const value = definition[limit]
  return value === null ? definition : { ...definition, [limit]: value + 1 }
}
