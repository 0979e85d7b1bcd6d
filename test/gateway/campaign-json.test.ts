// Campaigns between JSON and definition: every field both ways, defaults, every fault with its pointer, and patches.

import { describe, expect, test } from 'vitest'
import { campaignJson, decodeCampaign, patchedCampaign } from '../../gateway/campaigns/campaign-json.ts'
import { BadField } from '../../gateway/json/decode-fields.ts'

const FULL = {
  name: 'Summer',
  merchantId: 'm1',
  offer: {
    type: 'FIXED',
    value: 500,
    currency: 'EUR',
    scope: 'ITEM',
    allocation: 'UNIT',
    maxDiscount: 900,
    applicableProductIds: ['p1'],
    stacking: 'STACKABLE',
    priority: 3,
  },
  currency: 'EUR',
  validFrom: '2026-06-01T00:00:00.000Z',
  validUntil: '2026-07-01T00:00:00.000Z',
  timezone: 'Europe/Berlin',
  listed: true,
  maxUses: 1_000,
  maxUsesPerUser: 2,
  budget: 250_000,
  dailyLimit: { perUser: 2, scope: 'CAMPAIGN' },
  lockSeconds: 600,
  lowStockAt: 0.25,
} as const

const LEAST = { name: 'x', offer: { type: 'PERCENT', value: 10 } } as const

function faultOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (error instanceof BadField) return `${error.pointer}: ${error.message}`
    throw error
  }
  return 'no fault'
}

test('every field is kept, and shown as it was sent', () => {
  expect(campaignJson(decodeCampaign(FULL))).toEqual(FULL)
})

test('what was not said has the defaults of the contract', () => {
  expect(campaignJson(decodeCampaign(LEAST))).toEqual({
    name: 'x',
    offer: { type: 'PERCENT', value: 10, scope: 'ORDER', stacking: 'EXCLUSIVE', priority: 0 },
    timezone: 'UTC',
    listed: false,
    lockSeconds: 300,
    lowStockAt: 0.1,
  })
  expect(decodeCampaign({ ...LEAST, dailyLimit: {} }).dailyLimit).toEqual({ perUser: 1, scope: 'ALL' })
})

test('the currency may stand beside the offer or in it, and is that of the budget', () => {
  const beside = decodeCampaign({ ...LEAST, budget: 5, currency: 'EUR' })
  expect(beside.offer.currency).toBe('EUR')
  expect(decodeCampaign({ ...LEAST, budget: 5, offer: { ...LEAST.offer, currency: 'EUR' } })).toEqual(beside)
  expect(campaignJson(beside)).toMatchObject({ currency: 'EUR', budget: 5, offer: { currency: 'EUR' } })
})

test.each([
  [0, 0],
  [1, 1_000_000],
  [0.1, 100_000],
  [0.3, 300_000],
  [0.000001, 1],
  [0.123456, 123_456],
])('a share of %d is %d millionths', (share, ppm) => {
  const campaign = decodeCampaign({ ...LEAST, lowStockAt: share })
  expect(campaign.lowStockPpm).toBe(ppm)
  expect(campaignJson(campaign)['lowStockAt']).toBe(share)
})

test.each(['UTC', 'Asia/Kolkata', 'America/Argentina/Buenos_Aires', 'Etc/GMT+5', 'EST5EDT'])(
  'the time zone %s is taken as it was named',
  (timezone) => {
    expect(decodeCampaign({ ...LEAST, timezone }).timezone).toBe(timezone)
  },
)

describe('a fault is named', () => {
  test.each<[unknown, string]>([
    [null, ': the body has to be a JSON object'],
    [{ offer: LEAST.offer }, '/name: is required'],
    [{ name: '', offer: LEAST.offer }, '/name: has to have 1 to 128 characters'],
    [{ name: 'x' }, '/offer: is required'],
    [{ name: 'x', offer: [] }, '/offer: has to be an object'],
    [{ name: 'x', offer: {} }, '/offer/type: is required'],
    [{ name: 'x', offer: { type: 'HALF' } }, '/offer/type: has to be one of PERCENT, FIXED, FREESHIP'],
    [{ name: 'x', offer: { type: 'FIXED', value: 5 } }, '/offer/currency: is required beside an amount of money'],
    [{ name: 'x', offer: { type: 'FREESHIP', colour: 1 } }, '/offer/colour: is no field of this request'],
    [{ name: 'x', offer: { type: 'FREESHIP', code: 'A-1' } }, '/offer/code: is no field of this request'],
    [
      { name: 'x', offer: { type: 'PERCENT', value: 0 } },
      '/offer/value: has to be a percentage above 0, at most 100, with up to 2 decimals',
    ],
    [{ name: 'x', offer: { type: 'FREESHIP', channels: ['web', 3] } }, '/offer/channels/1: has to be a string'],
    [{ ...FULL, currency: 'USD' }, '/offer/currency: has to be the currency of the campaign, USD'],
    [{ ...LEAST, currency: 'Euro' }, '/currency: has to be an ISO 4217 code of three capital letters'],
    [{ ...LEAST, budget: 5 }, '/currency: is required beside an amount of money'],
    [{ ...LEAST, budget: 0, currency: 'EUR' }, '/budget: has to be an integer from 1 to 2^53-1'],
    [{ ...LEAST, maxUses: 1.5 }, '/maxUses: has to be an integer from 1 to 2^53-1'],
    [{ ...LEAST, lockSeconds: 3_601 }, '/lockSeconds: has to be an integer from 1 to 3600'],
    [{ ...LEAST, lockSeconds: 0 }, '/lockSeconds: has to be an integer from 1 to 3600'],
    [{ ...LEAST, lowStockAt: 1.1 }, '/lowStockAt: has to be a share from 0 to 1 with up to 6 decimals'],
    [{ ...LEAST, lowStockAt: -0.1 }, '/lowStockAt: has to be a share from 0 to 1 with up to 6 decimals'],
    [{ ...LEAST, lowStockAt: 0.1234567 }, '/lowStockAt: has to be a share from 0 to 1 with up to 6 decimals'],
    [{ ...LEAST, lowStockAt: '0.1' }, '/lowStockAt: has to be a share from 0 to 1 with up to 6 decimals'],
    [{ ...LEAST, dailyLimit: { perUser: 0 } }, '/dailyLimit/perUser: has to be an integer from 1 to 2^53-1'],
    [{ ...LEAST, dailyLimit: { a: 0 } }, '/dailyLimit/a: is no field of this request'],
    [{ ...LEAST, status: 'ACTIVE' }, '/status: is given by the engine and cannot be written'],
    [{ ...LEAST, discountTotal: 0 }, '/discountTotal: is given by the engine and cannot be written'],
    [{ ...LEAST, code: 'A-1' }, '/code: is no field of this request'],
    [JSON.parse('{"name":"x","__proto__":{}}'), '/__proto__: is no field of this request'],
    [
      { ...LEAST, validFrom: '2026-02-01T00:00:00Z', validUntil: '2026-02-01T00:00:00Z' },
      '/validUntil: has to be later than validFrom',
    ],
  ])('%j', (body, expected) => {
    expect(faultOf(() => decodeCampaign(body))).toBe(expected)
  })

  test.each(['Europe/Atlantis', '+01:00', 'Berlin', 'Europe/Berlin ', 'x'.repeat(65), '', 7])(
    'the time zone %j',
    (timezone) => {
      expect(faultOf(() => decodeCampaign({ ...LEAST, timezone }))).toMatch(/^\/timezone: has to /)
    },
  )
})

describe('a patch', () => {
  const before = decodeCampaign(FULL)

  test('sets and removes members and leaves the others, in the offer too', () => {
    const after = patchedCampaign(before, { maxUses: 9, merchantId: null, offer: { value: 400, maxDiscount: null } })
    const { merchantId: _gone, ...kept } = FULL
    const { maxDiscount: _too, ...offer } = FULL.offer
    expect(campaignJson(after)).toEqual({ ...kept, maxUses: 9, offer: { ...offer, value: 400 } })
  })

  test('merges the limit a day, and removes it', () => {
    expect(patchedCampaign(before, { dailyLimit: { perUser: 5 } }).dailyLimit).toEqual({
      perUser: 5,
      scope: 'CAMPAIGN',
    })
    expect(patchedCampaign(before, { dailyLimit: { scope: null } }).dailyLimit).toEqual({ perUser: 2, scope: 'ALL' })
    expect(patchedCampaign(before, { dailyLimit: null }).dailyLimit).toBeNull()
    expect(patchedCampaign(decodeCampaign(LEAST), { dailyLimit: { perUser: 3 } }).dailyLimit).toEqual({
      perUser: 3,
      scope: 'ALL',
    })
  })

  test('puts defaults back where it removes', () => {
    const after = patchedCampaign(before, { timezone: null, lockSeconds: null, lowStockAt: null, listed: null })
    expect(campaignJson(after)).toMatchObject({ timezone: 'UTC', lockSeconds: 300, lowStockAt: 0.1, listed: false })
  })

  test('may make another offer of it, if all of it is said', () => {
    const offer = { type: 'PERCENT', value: 20, allocation: null }
    expect(patchedCampaign(before, { offer }).offer).toMatchObject({ type: 'PERCENT', percentBps: 2_000 })
  })

  test('may repeat the currency', () => {
    expect(patchedCampaign(before, { currency: 'EUR', offer: { currency: 'EUR' } })).toEqual(before)
  })

  test.each<[unknown, string]>([
    [[], ': the body has to be a JSON object'],
    [{ currency: 'USD' }, '/currency: cannot change'],
    [{ currency: null }, '/currency: cannot change'],
    [{ offer: { currency: 'USD' } }, '/offer/currency: cannot change'],
    [{ offer: { currency: null } }, '/offer/currency: cannot change'],
    [{ offer: null }, '/offer: is required'],
    [{ offer: 'free' }, '/offer: has to be an object'],
    [{ offer: { type: 'PERCENT', value: 20 } }, '/offer/allocation: belongs to type FIXED with scope ITEM'],
    [{ offer: { type: null } }, '/offer/type: is required'],
    [{ offer: { colour: 1 } }, '/offer/colour: is no field of this request'],
    [{ name: null }, '/name: is required'],
    [{ uses: 1 }, '/uses: is given by the engine and cannot be written'],
    [{ validUntil: '2026-05-01T00:00:00Z' }, '/validUntil: has to be later than validFrom'],
    [JSON.parse('{"offer":{"__proto__":{"type":"FREESHIP"}}}'), '/offer/__proto__: is no field of this request'],
  ])('%j is refused', (patch, expected) => {
    expect(faultOf(() => patchedCampaign(before, patch))).toBe(expected)
  })

  test('gives a campaign without a currency none', () => {
    expect(faultOf(() => patchedCampaign(decodeCampaign(LEAST), { currency: 'EUR' }))).toBe('/currency: cannot change')
  })
})
