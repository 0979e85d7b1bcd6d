import { describe, expect, test } from 'vitest'
import { decodeDefinition, definitionJson, patchedDefinition } from '../../gateway/coupons/coupon-json.ts'
import { decodeExpire, decodeExtend } from '../../gateway/coupons/decode-coupon.ts'
import { BadField, timeAt } from '../../gateway/json/decode-fields.ts'
import { DEFINITION } from './support/outcomes.ts'

const GENERATED = (): string => 'GENERATED2'

function faultOf(decode: () => unknown): string {
  try {
    decode()
    return ''
  } catch (error) {
    if (!(error instanceof BadField)) throw error
    return `${error.pointer}: ${error.message}`
  }
}

test('the smallest coupon gets the defaults of the contract', () => {
  expect(decodeDefinition({ type: 'PERCENT', value: 10, code: ' save10', maxUses: 100 }, GENERATED)).toEqual(DEFINITION)
})

test('a coupon without a code gets a generated one', () => {
  expect(decodeDefinition({ type: 'FREESHIP' }, GENERATED).code).toBe('GENERATED2')
})

const FULL = {
  code: 'FULL-1',
  type: 'FIXED',
  value: 250,
  currency: 'EUR',
  maxDiscount: 1_000,
  maxUnits: 3,
  minOrderAmount: 0,
  minQuantity: 2,
  applicableProductIds: ['p1'],
  applicableCategoryIds: ['c1', 'c2'],
  excludedProductIds: ['p9'],
  excludedCategoryIds: ['c9'],
  channels: ['web'],
  merchantId: 'm1',
  userId: 'u1',
  category: 'summer',
  description: 'Ünïcode',
  maxUses: 5,
  maxUsesPerUser: 1,
  validFrom: '2026-01-01T00:00:00.000Z',
  validUntil: '2027-01-01T00:00:00.500Z',
  scope: 'ITEM',
  allocation: 'UNIT',
  stacking: 'STACKABLE',
  priority: -4,
  listed: true,
}

test('every field of a coupon comes back as it was written', () => {
  expect(definitionJson(decodeDefinition(FULL, GENERATED))).toEqual(FULL)
})

test('percentages keep two decimals', () => {
  for (const [value, bps] of [
    [0.01, 1],
    [0.07, 7],
    [12.5, 1_250],
    [33.33, 3_333],
    [99.99, 9_999],
    [100, 10_000],
  ] as const) {
    const definition = decodeDefinition({ type: 'PERCENT', value }, GENERATED)
    expect(definition.offer?.percentBps).toBe(bps)
    expect(definitionJson(definition)['value']).toBe(value)
  }
})

describe('a creation is refused with a pointer', () => {
  test.each<[unknown, string]>([
    [{}, '/type: is required'],
    [{ type: 'GIFT' }, '/type: has to be one of PERCENT, FIXED, FREESHIP'],
    [{ type: 'PERCENT' }, '/value: is required'],
    [{ type: 'PERCENT', value: 0 }, '/value: has to be a percentage above 0, at most 100, with up to 2 decimals'],
    [{ type: 'PERCENT', value: 100.01 }, '/value: has to be a percentage above 0, at most 100, with up to 2 decimals'],
    [{ type: 'PERCENT', value: 1.234 }, '/value: has to be a percentage above 0, at most 100, with up to 2 decimals'],
    [{ type: 'PERCENT', value: '10' }, '/value: has to be a percentage above 0, at most 100, with up to 2 decimals'],
    [{ type: 'FIXED', value: 5 }, '/currency: is required beside an amount of money'],
    [{ type: 'FIXED', currency: 'EUR' }, '/value: is required'],
    [{ type: 'FIXED', currency: 'EUR', value: 0 }, '/value: has to be an integer from 1 to 2^53-1'],
    [{ type: 'FREESHIP', value: 5 }, '/value: has to be 0 or absent for type FREESHIP'],
    [{ type: 'FREESHIP', maxDiscount: 5 }, '/currency: is required beside an amount of money'],
    [{ type: 'PERCENT', value: 5, minOrderAmount: 1 }, '/currency: is required beside an amount of money'],
    [{ type: 'PERCENT', value: 5, allocation: 'UNIT' }, '/allocation: belongs to type FIXED with scope ITEM'],
    [{ type: 'PERCENT', value: 5, maxUnits: 1 }, '/maxUnits: belongs to scope ITEM'],
    [{ type: 'PERCENT', value: 5, code: 'AB' }, '/code: a code has 3 to 64 characters of A-Z, 0-9, _ and -'],
    [{ type: 'PERCENT', value: 5, code: 'redeem' }, '/code: REDEEM is the name of a path; choose another code'],
    [{ type: 'PERCENT', value: 5, code: 7 }, '/code: has to be a string'],
    [{ type: 'PERCENT', value: 5, status: 'ACTIVE' }, '/status: is given by the engine and cannot be written'],
    [{ campaignId: 'c' }, '/campaignId: has to be the id of a campaign'],
    [
      { type: 'PERCENT', value: 5, dailyLimit: { perUser: 0 } },
      '/dailyLimit/perUser: has to be an integer from 1 to 2^53-1',
    ],
    [{ type: 'PERCENT', value: 5, dailyLimit: { scope: 'ME' } }, '/dailyLimit/scope: has to be one of ALL, CAMPAIGN'],
    [{ type: 'PERCENT', value: 5, dailyLimit: { per: 1 } }, '/dailyLimit/per: is no field of this request'],
    [{ campaignId: 'cmp_003', type: 'PERCENT' }, '/type: is given by the campaign; a coupon of a campaign has none'],
    [
      { campaignId: 'cmp_003', stacking: 'STACKABLE' },
      '/stacking: is given by the campaign; a coupon of a campaign has none',
    ],
    [{ type: 'PERCENT', value: 5, colour: 1 }, '/colour: is no field of this request'],
    [JSON.parse('{"type":"PERCENT","value":5,"__proto__":{}}'), '/__proto__: is no field of this request'],
    [{ type: 'PERCENT', value: 5, maxUses: 0 }, '/maxUses: has to be an integer from 1 to 2^53-1'],
    [{ type: 'PERCENT', value: 5, maxUses: null }, '/maxUses: has to be a number'],
    [{ type: 'PERCENT', value: 5, channels: ['web', 3] }, '/channels/1: has to be a string'],
    [
      { type: 'PERCENT', value: 5, validFrom: '2026-02-01T00:00:00Z', validUntil: '2026-02-01T00:00:00Z' },
      '/validUntil: has to be later than validFrom',
    ],
  ])('%j', (body, expected) => {
    expect(faultOf(() => decodeDefinition(body, GENERATED))).toBe(expected)
  })
})

test.each([
  ['2026-12-24T18:00:00Z', Date.UTC(2026, 11, 24, 18)],
  ['2026-12-24T18:00:00.5Z', Date.UTC(2026, 11, 24, 18, 0, 0, 500)],
  ['2026-12-24T18:00:00.123999Z', Date.UTC(2026, 11, 24, 18, 0, 0, 123)],
  ['2026-12-24T18:00:00+00:00', Date.UTC(2026, 11, 24, 18)],
  ['2028-02-29T00:00:00Z', Date.UTC(2028, 1, 29)],
])('the time %s is read', (text, expected) => {
  expect(timeAt(text, '')).toBe(expected)
})

test.each([
  '2026-12-24',
  '2026-12-24T18:00:00',
  '2026-12-24T18:00:00+02:00',
  '2026-02-30T00:00:00Z',
  '2026-12-24T24:00:00Z',
  '2026-12-24T18:00:60Z',
  '1969-12-31T23:59:59Z',
  ' 2026-12-24T18:00:00Z',
  1_795_197_600_000,
])('the time %j is refused', (value) => {
  expect(() => timeAt(value, '/at')).toThrow(BadField)
})

describe('a patch', () => {
  const before = decodeDefinition(FULL, GENERATED)

  test('sets and removes members and leaves the others', () => {
    const after = patchedDefinition(before, { maxUses: 9, description: null, applicableCategoryIds: ['c3'] })
    const { description: _gone, ...kept } = FULL
    expect(definitionJson(after)).toEqual({ ...kept, maxUses: 9, applicableCategoryIds: ['c3'] })
  })

  test('puts defaults back where it removes', () => {
    const after = patchedDefinition(before, { priority: null, stacking: null, listed: null, allocation: null })
    expect(definitionJson(after)).toMatchObject({
      priority: 0,
      stacking: 'EXCLUSIVE',
      listed: false,
      allocation: 'ACROSS',
    })
  })

  test('may repeat what cannot change', () => {
    expect(patchedDefinition(before, { code: 'full-1', currency: 'EUR' })).toEqual(before)
  })

  test.each<[unknown, string]>([
    [[], ': the body has to be a JSON object'],
    [{ code: 'OTHER' }, '/code: cannot change'],
    [{ code: null }, '/code: cannot change'],
    [{ currency: 'USD' }, '/currency: cannot change'],
    [{ currency: null }, '/currency: cannot change'],
    [{ campaignId: 'cmp_003' }, '/campaignId: cannot change'],
    [{ uses: 0 }, '/uses: is given by the engine and cannot be written'],
    [{ type: null }, '/type: is required'],
    [{ type: 'PERCENT', value: 5 }, '/allocation: belongs to type FIXED with scope ITEM'],
    [{ validUntil: '2025-01-01T00:00:00Z' }, '/validUntil: has to be later than validFrom'],
  ])('%j is refused', (patch, expected) => {
    expect(faultOf(() => patchedDefinition(before, patch))).toBe(expected)
  })

  test('with a key of the prototype changes nothing outside', () => {
    expect(faultOf(() => patchedDefinition(before, JSON.parse('{"__proto__":{"listed":false}}')))).toBe(
      '/__proto__: is no field of this request',
    )
    expect(({} as Record<string, unknown>)['listed']).toBeUndefined()
  })
})

test.each<[unknown, string]>([
  [{ validUntil: '2027-01-01T00:00:00Z', reason: 'more' }, ''],
  [{ validUntil: '2027-01-01T00:00:00Z', reason: 'more', override: true }, ''],
  [{ reason: 'more' }, '/validUntil: is required'],
  [{ validUntil: '2027-01-01T00:00:00Z' }, '/reason: is required'],
  [
    { validUntil: null, reason: 'more' },
    '/validUntil: has to be a time of RFC 3339 in UTC, such as 2026-12-24T18:00:00Z',
  ],
])('extending with %j', (body, expected) => {
  expect(faultOf(() => decodeExtend(body))).toBe(expected)
})

test('expiring needs a reason', () => {
  expect(decodeExpire({ reason: 'over' })).toBe('over')
  expect(faultOf(() => decodeExpire({}))).toBe('/reason: is required')
  expect(faultOf(() => decodeExpire({ reason: 'x', at: 1 }))).toBe('/at: is no field of this request')
})
