// The served schemas and the hand-written decoders judge alike. Bodies are drawn valid and then damaged in one place, so
// that most of them lie near the border where the two could differ.

import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import fc from 'fast-check'
import type { TSchema } from 'typebox'
import { expect, test } from 'vitest'
import { decodeCampaign } from '../../gateway/campaigns/campaign-json.ts'
import { ClaimBody, CreateCampaignBody } from '../../gateway/openapi/campaign-schemas.ts'
import { decodeClaim } from '../../gateway/checkout/claim-calls.ts'
import { decodeDefinition } from '../../gateway/coupons/coupon-json.ts'
import {
  decodeOneCoupon,
  decodeRedeem,
  decodeRedeemReservation,
  decodeReserve,
  decodeReverse,
  decodeValidate,
} from '../../gateway/checkout/decode-checkout.ts'
import { decodeExtend } from '../../gateway/coupons/decode-coupon.ts'
import { BadField } from '../../gateway/json/decode-fields.ts'
import {
  LockBody,
  RedeemBody,
  RedeemCouponBody,
  RedeemReservationBody,
  ReserveBody,
  ReverseBody,
  ValidateBody,
} from '../../gateway/openapi/checkout-schemas.ts'
import { CreateCouponBody, ExtendCouponBody } from '../../gateway/openapi/coupon-schemas.ts'

const ajv = new Ajv2020({ strict: false })
addFormats.default(ajv)

const RUNS = 4_000

const name = fc.oneof(
  fc.constantFrom('p1', 'x'.repeat(128), 'ü', '😀'.repeat(128)),
  fc.string({ minLength: 1, maxLength: 8 }),
)
const amount = fc.oneof(fc.nat(), fc.constantFrom(0, Number.MAX_SAFE_INTEGER))
const currency = fc.constantFrom('EUR', 'USD')
const line = fc.record(
  {
    productId: name,
    quantity: fc.integer({ min: 1, max: 9 }),
    unitPrice: fc.nat(),
    lineId: name,
    categoryIds: fc.array(name),
  },
  { requiredKeys: ['productId', 'quantity', 'unitPrice'] },
)
const cart = fc.oneof(
  fc.record(
    { currency, lines: fc.array(line, { minLength: 1, maxLength: 3 }), shipping: amount, channel: name },
    { requiredKeys: ['currency', 'lines'] },
  ),
  fc.record({ currency, orderTotal: amount }),
)
const codes = fc.array(fc.constantFrom('SAVE10', ' save10', 'ABC', 'bad code'), { minLength: 1, maxLength: 3 })
const time = fc.constantFrom('2026-01-01T00:00:00Z', '2027-06-30T23:59:59.5Z', '2026-01-01T00:00:00+00:00')
const count = fc.integer({ min: 1, max: 1_000 })
const ids = fc.array(name, { maxLength: 3 })

const VALUES = { PERCENT: 12.5, FIXED: 500, FREESHIP: 0 }

/** Fields go together as the contract says, so that most coupons are right before they are damaged. */
const coupon = fc
  .record(
    {
      type: fc.constantFrom('PERCENT' as const, 'FIXED' as const, 'FREESHIP' as const),
      code: fc.constantFrom('SAVE10', ' x-1 '),
      currency,
      scope: fc.constantFrom('ORDER', 'ITEM'),
      allocation: fc.constantFrom('UNIT', 'LINE', 'ACROSS'),
      maxDiscount: count,
      maxUnits: count,
      minOrderAmount: amount,
      minQuantity: count,
      applicableProductIds: ids,
      excludedCategoryIds: ids,
      channels: ids,
      stacking: fc.constantFrom('EXCLUSIVE', 'STACKABLE'),
      priority: fc.integer({ min: -10, max: 10 }),
      merchantId: name,
      userId: name,
      category: name,
      description: name,
      listed: fc.boolean(),
      maxUses: count,
      maxUsesPerUser: count,
      validFrom: time,
    },
    { requiredKeys: ['type', 'currency'] },
  )
  .map(({ allocation, maxUnits, ...rest }) => {
    const isItem = rest.scope === 'ITEM'
    return {
      ...rest,
      value: VALUES[rest.type],
      ...(allocation !== undefined && isItem && rest.type === 'FIXED' ? { allocation } : {}),
      ...(maxUnits !== undefined && isItem && rest.type !== 'FREESHIP' ? { maxUnits } : {}),
    }
  })

const dailyLimit = fc.record({ perUser: count, scope: fc.constantFrom('ALL', 'CAMPAIGN') }, { requiredKeys: [] })

const OF_OFFERS: ReadonlySet<string> = new Set([
  'type',
  'value',
  'currency',
  'scope',
  'allocation',
  'maxDiscount',
  'maxUnits',
  'minOrderAmount',
  'minQuantity',
  'applicableProductIds',
  'excludedCategoryIds',
  'channels',
  'stacking',
  'priority',
])

/** A coupon's offer, and the rest of a campaign beside it. */
const campaign = fc
  .record(
    {
      of: coupon,
      name,
      merchantId: name,
      timezone: fc.constantFrom('UTC', 'Europe/Berlin', 'Asia/Kolkata'),
      listed: fc.boolean(),
      maxUses: count,
      maxUsesPerUser: count,
      budget: count,
      dailyLimit,
      lockSeconds: fc.integer({ min: 1, max: 3_600 }),
      lowStockAt: fc.constantFrom(0, 0.1, 0.25, 1),
      validFrom: time,
    },
    { requiredKeys: ['of', 'name'] },
  )
  .map(({ of, ...rest }) => ({
    ...rest,
    offer: Object.fromEntries(Object.entries(of).filter(([key]) => OF_OFFERS.has(key))),
  }))

/** Values that are wrong nearly everywhere. */
const intruder = fc.constantFrom<unknown>(
  null,
  true,
  -1,
  0,
  1.5,
  Number.MAX_SAFE_INTEGER + 1,
  1e300,
  '',
  '1',
  'x'.repeat(129),
  '😀'.repeat(129),
  'x'.repeat(2_001),
  [],
  [null],
  {},
  'eur',
  '2026-02-30',
)

/** Puts an intruder somewhere into a copy of the body, takes a member away, or adds one. */
function damaged(body: unknown, place: number, value: unknown, how: number): unknown {
  const copy: unknown = structuredClone(body)
  const spots: { readonly owner: Record<string, unknown>; readonly key: string }[] = []
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return
    for (const key of Object.keys(node)) {
      spots.push({ owner: node as Record<string, unknown>, key })
      visit((node as Record<string, unknown>)[key])
    }
  }
  visit(copy)
  const spot = spots[place % Math.max(spots.length, 1)]
  if (spot === undefined) return value
  if (how === 0) spot.owner[spot.key] = value
  else if (how === 1 && !Array.isArray(spot.owner)) delete spot.owner[spot.key]
  else if (!Array.isArray(spot.owner)) spot.owner['further'] = value
  return copy
}

/** Faults that no schema of one body can say; a decoder may refuse for them what the schema takes. */
const BEYOND_SCHEMA = [
  /^\/codes\/\d+: is the same code a second time$/,
  /: two lines have the id /,
  /: the cart exceeds 2\^53-1 /,
  /^\/(?:allocation|maxUnits): belongs to /,
  /^\/currency: (?:is required|differs)/,
  /^\/orderTotal: stands for a cart/,
  /^\/value: /,
  /^\/offer\/(?:value|currency|allocation|maxUnits): /,
  /^\/timezone: /,
  /^\/campaignId: /,
  /: is given by the campaign; /,
  /^\/code: /,
  /^\/validUntil: has to be later than validFrom$/,
  /: has to be a moment that exists/,
]

const pairs: readonly [string, TSchema, fc.Arbitrary<unknown>, (body: unknown) => unknown][] = [
  [
    'validate',
    ValidateBody,
    fc.record({ codes, cart, userId: name }, { requiredKeys: ['codes', 'cart'] }),
    decodeValidate,
  ],
  [
    'reserve',
    ReserveBody,
    fc.record({ codes, userId: name, cart, orderId: name, ttlSeconds: count }, { requiredKeys: ['codes', 'userId'] }),
    decodeReserve,
  ],
  ['redeem', RedeemBody, fc.record({ codes, userId: name, orderId: name, cart }), decodeRedeem],
  [
    'lockCoupon',
    LockBody,
    fc.record({ userId: name, orderTotal: amount, currency, cart }, { requiredKeys: ['userId'] }),
    (body) => decodeOneCoupon(body, false),
  ],
  [
    'redeemCoupon',
    RedeemCouponBody,
    fc.record({ userId: name, orderId: name, orderTotal: amount, currency }, { requiredKeys: ['userId', 'orderId'] }),
    (body) => decodeOneCoupon(body, true),
  ],
  [
    'redeemReservation',
    RedeemReservationBody,
    fc.record({ orderId: name, cart, allowLate: fc.boolean() }, { requiredKeys: ['orderId'] }),
    decodeRedeemReservation,
  ],
  [
    'reverse',
    ReverseBody,
    fc.record({ reason: name, returnUse: fc.boolean() }, { requiredKeys: ['reason'] }),
    decodeReverse,
  ],
  ['createCoupon', CreateCouponBody, coupon, (body) => decodeDefinition(body, () => 'GENERATED2')],
  ['createCampaign', CreateCampaignBody, campaign, decodeCampaign],
  ['claimCoupon', ClaimBody, fc.record({ userId: name }), decodeClaim],
  [
    'createCoupon of a campaign',
    CreateCouponBody,
    fc.record(
      { campaignId: fc.constant('cmp_003'), category: name, dailyLimit, validFrom: time },
      { requiredKeys: ['campaignId'] },
    ),
    (body) => decodeDefinition(body, () => 'GENERATED2'),
  ],
  [
    'extendCoupon',
    ExtendCouponBody,
    fc.record({ validUntil: time, reason: name, override: fc.boolean() }, { requiredKeys: ['validUntil', 'reason'] }),
    decodeExtend,
  ],
]

test.each(pairs)('the decoder of %s takes what its schema takes', (_name, schema, whole, decode) => {
  const check = ajv.compile(schema)
  const seen = { taken: 0, refused: 0 }
  const body = fc
    .tuple(whole, fc.nat(40), intruder, fc.integer({ min: 0, max: 3 }))
    .map(([made, place, value, how]) => (how === 3 ? made : damaged(made, place, value, how)))
  fc.assert(
    fc.property(body, (drawn) => {
      const isTakenBySchema = check(drawn)
      const fault = faultOf(decode, drawn)
      if (fault === null) seen.taken++
      else seen.refused++
      const isBeyond = fault !== null && BEYOND_SCHEMA.some((form) => form.test(fault))
      if (fault === null && !isTakenBySchema)
        return expect.fail(`only the schema refuses: ${ajv.errorsText(check.errors)}`)
      if (fault !== null && isTakenBySchema && !isBeyond) return expect.fail(`only the decoder refuses: ${fault}`)
      return undefined
    }),
    { numRuns: RUNS, seed: seedOfRun() },
  )
  // Both sides of the border were met, otherwise nothing was compared.
  expect(Math.min(seen.taken, seen.refused)).toBeGreaterThan(RUNS / 50)
})

function faultOf(decode: (body: unknown) => unknown, body: unknown): string | null {
  try {
    decode(body)
    return null
  } catch (error) {
    if (!(error instanceof BadField)) throw error
    return `${error.pointer}: ${error.message}`
  }
}

/** A new seed a run; fast-check prints it beside a counterexample. */
function seedOfRun(): number {
  const given = process.env['TEAROFF_TEST_SEED']
  return given === undefined ? Date.now() & 0x7fff_ffff : Number(given)
}
