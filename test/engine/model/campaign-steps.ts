/**
 * Random walks through the life of two campaigns, their coupons and their pools. Codes are numbered: first those of the other
 * walks, made one by one, then those made in bulk in their order.
 */
import fc from 'fast-check'
import { ZONES } from '../support/zones.ts'
import { CODES, create, index, maybe, OFFERS, type Step, stepsOn, user } from './steps.ts'

export const CAMPAIGNS = 2

/** Where a walk begins: some hours before clocks change, or on an ordinary day. */
export const BEGINNINGS_MS = [
  1_760_000_000_000,
  // Germany, to winter and to summer.
  Date.UTC(2026, 9, 24, 21, 30),
  Date.UTC(2027, 2, 27, 22, 30),
  // New York, to summer and to winter.
  Date.UTC(2027, 2, 14, 4, 30),
  Date.UTC(2027, 10, 7, 3, 30),
  // Lord Howe, half an hour.
  Date.UTC(2027, 3, 3, 12, 30),
] as const

/** Of eight codes made in bulk at most; beyond those that there are it is one that nobody made. */
const BULK = 8
const alone = fc.constantFrom(0, 0, 0, 1, 1, 2, 2, 3, 3, CODES.length - 1)
const bulk = fc.nat({ max: BULK - 1 }).map((one) => CODES.length + one)
const code = fc.oneof({ weight: 3, arbitrary: alone }, { weight: 2, arbitrary: bulk })
const codes = fc.oneof(
  { weight: 5, arbitrary: code.map((one) => [one]) },
  { weight: 3, arbitrary: fc.uniqueArray(code, { minLength: 2, maxLength: 3 }) },
)

const campaignTerms = {
  offer: fc.constantFrom(0, 1, 1, 1, 2, 2, 2, 3, 4, 5, OFFERS.length - 1),
  maxUses: maybe(fc.constantFrom(1, 2, 3, 4), 2),
  maxUsesPerUser: maybe(fc.constantFrom(1, 1, 2), 2),
  // One short of what one, two or three discounts come to, more often than not.
  budgetMinor: maybe(fc.constantFrom(0, 499, 499, 999, 999, 999, 1_000, 1_899, 2_500), 3),
  // Open for as long as the walk lasts, most of the time: every redemption under a campaign has to pass its window.
  window: fc
    .nat({ max: 15 })
    .map((n) => (['BOTH', 'STARTS_LATER', 'ENDS_SOON', 'ENDED'] as const)[n] ?? ('OPEN' as const)),
  daily: maybe(
    fc.record({ perUser: fc.constantFrom(1, 1, 2), scope: fc.constantFrom('CAMPAIGN', 'CAMPAIGN', 'ALL') }),
    2,
  ),
  zone: index(ZONES.length),
  lockSeconds: fc.constantFrom(1, 5, 300),
}

const campaign = fc.constantFrom(0, 0, 0, 0, 1, 1, 1, CAMPAIGNS)

const createCampaign = fc.record({ kind: fc.constant('createCampaign'), ...campaignTerms })
const makeCodes = fc.record({
  kind: fc.constant('makeCodes'),
  campaign: fc.constantFrom(0, 0, 1),
  count: fc.constantFrom(1, 2, 3),
  pool: fc.constantFrom(true, true, true, false),
  owned: fc.constantFrom(false, false, false, true),
})

const step = fc.oneof(
  { weight: 60, arbitrary: stepsOn(code, codes) },
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('claim'), campaign, user }) },
  { weight: 2, arbitrary: makeCodes },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('patchCampaign'),
      campaign,
      stale: fc.nat({ max: 9 }).map((n) => n === 0),
      ...campaignTerms,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('switchCampaign'),
      campaign,
      enabled: fc.constantFrom(true, true, true, false),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('getCampaign'), campaign }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('midnight'), campaign, shiftMs: fc.integer({ min: -1, max: 1 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash') }) },
)

const beginning = fc.record({ kind: fc.constant('begin'), at: index(BEGINNINGS_MS.length) })

export type CampaignStep =
  | Step
  | (typeof step extends fc.Arbitrary<infer T> ? T : never)
  | (typeof createCampaign extends fc.Arbitrary<infer T> ? T : never)
  | (typeof beginning extends fc.Arbitrary<infer T> ? T : never)

const first = fc
  .tuple(
    beginning,
    createCampaign,
    createCampaign,
    makeCodes.map((made) => ({ ...made, campaign: 0 as const, pool: true, owned: false })),
    ...CODES.slice(0, -1).map((_, number) => create.map((made) => ({ ...made, code: number }))),
  )
  .map((steps) => steps as readonly CampaignStep[])
const middle = fc.array(step, { minLength: 1, maxLength: 80, size: 'max' })

export const campaignWalk = fc.noBias(
  fc.tuple(first, middle).map(([before, then]): readonly CampaignStep[] => [...before, ...then]),
)
