/**
 * Campaigns: rules, limits and a budget shared by many coupons. Command → outcome for every rule of the contract.
 */
import { describe, expect, test } from 'vitest'
import { EVENT } from '../../../protocol/events.ts'
import type { Outcome } from '../../../protocol/outcomes.ts'
import { CampaignScene, told } from '../support/campaign-scene.ts'
import { total } from '../support/samples.ts'
import { seqOf, START_MS } from '../support/scene.ts'

const HOUR_MS = 3_600_000
const STACKS = { stacking: 'STACKABLE' } as const
/** 100 off. */
const HUNDRED = { type: 'FIXED', percentBps: 0, valueMinor: 100, currency: 'EUR', ...STACKS } as const

/** A campaign with these terms and three codes that anybody may use often. */
function sale(terms: Parameters<CampaignScene['campaign']>[0] = {}): CampaignScene {
  const s = new CampaignScene()
  s.campaign(terms)
  return s.joins(0, 'AAA', { maxUses: null }).joins(0, 'BBB', { maxUses: null }).joins(0, 'CCC', { maxUses: null })
}

/** Uses of the only campaign, as the redemptions in the log have them. */
function usesLogged(s: CampaignScene): number {
  return s.shard
    .loggedEvents()
    .reduce((uses, { event }) => uses + (event.type === EVENT.REDEEMED ? event.ordinals.length : 0), 0)
}

type Terms = Parameters<CampaignScene['campaign']>[0]
type Story = [string, string, (s: CampaignScene) => unknown, Terms?]

describe('a redemption under a campaign', () => {
  test.each<Story>([
    ['with nothing in the way', 'redeemed 100', (s) => s.redeem('AAA')],
    ['that is disabled', 'COUPON_DISABLED', (s) => (s.switchCampaign(0, 'DISABLED'), s.redeem('AAA'))],
    [
      'that is enabled again',
      'redeemed 100',
      (s) => (s.switchCampaign(0, 'DISABLED'), s.switchCampaign(0, 'ENABLED'), s.redeem('AAA')),
    ],
    ['a millisecond too early', 'COUPON_NOT_STARTED', (s) => s.redeem('AAA'), { validFromMs: START_MS + 1 }],
    ['at its first instant', 'redeemed 100', (s) => s.redeem('AAA'), { validFromMs: START_MS }],
    ['at the instant it ends', 'COUPON_EXPIRED', (s) => s.redeem('AAA'), { validUntilMs: START_MS }],
    ['a millisecond before', 'redeemed 100', (s) => s.redeem('AAA'), { validUntilMs: START_MS + 1 }],
    [
      'of a coupon that ended within it',
      'COUPON_EXPIRED',
      (s) => s.joins(0, 'SHORT', { validUntilMs: START_MS }).redeem('SHORT'),
      { validUntilMs: START_MS + HOUR_MS },
    ],
    [
      'that is disabled, of a coupon that has expired: disabled is asked first',
      'COUPON_DISABLED',
      (s) => (s.joins(0, 'SHORT', { validUntilMs: START_MS }).switchCampaign(0, 'DISABLED'), s.redeem('SHORT')),
    ],
    [
      'of a disabled coupon while the campaign has ended: disabled is asked first',
      'COUPON_DISABLED',
      (s) => (s.switchTo('AAA', 'DISABLED'), s.redeem('AAA')),
      { validUntilMs: START_MS },
    ],
    [
      'in another currency',
      'CURRENCY_MISMATCH',
      (s) => s.redeem('AAA', { cart: total(1_000, 'USD') }),
      { offer: HUNDRED },
    ],
    [
      'of a user who had one of its other codes',
      'USER_LIMIT_REACHED',
      (s) => (s.redeem('AAA'), s.redeem('BBB', { order: 'o-2' })),
      { maxUsesPerUser: 1 },
    ],
    [
      'of a user who holds one of its other codes',
      'USER_LIMIT_REACHED',
      (s) => (s.reserve('AAA'), s.redeem('BBB', { order: 'o-2' })),
      { maxUsesPerUser: 1 },
    ],
    [
      'of a user whose hold on another code has run out',
      'redeemed 100',
      (s) => (s.reserve('AAA', { ttlSeconds: 1 }), s.later(1_000).redeem('BBB')),
      { maxUsesPerUser: 1 },
    ],
    [
      'of another user than the one who had it',
      'redeemed 100',
      (s) => (s.redeem('AAA'), s.redeem('BBB', { user: 'bob', order: 'o-2' })),
      { maxUsesPerUser: 1 },
    ],
    [
      'that is used up',
      'CAMPAIGN_EXHAUSTED',
      (s) => (s.redeem('AAA', { user: 'bob' }), s.redeem('BBB', { order: 'o-2' })),
      { maxUses: 1 },
    ],
    [
      'whose last use is held',
      'COUPON_LOCKED',
      (s) => (s.reserve('AAA', { user: 'bob' }), s.redeem('BBB', { order: 'o-2' })),
      { maxUses: 1 },
    ],
    [
      'by a coupon that is itself used up: the coupon’s limit is asked first',
      'COUPON_EXHAUSTED',
      (s) => (s.joins(0, 'ONE').redeem('ONE', { user: 'bob' }), s.redeem('ONE', { order: 'o-2' })),
      { maxUses: 1 },
    ],
    [
      'by a user whose limit and the campaign’s are both reached: the user’s is asked first',
      'USER_LIMIT_REACHED',
      (s) => (s.redeem('AAA'), s.redeem('BBB', { order: 'o-2' })),
      { maxUses: 1, maxUsesPerUser: 1 },
    ],
    [
      'by two codes at once',
      'redeemed 200',
      (s) => s.redeem(['AAA', 'BBB']),
      { maxUses: 2, maxUsesPerUser: 2, offer: HUNDRED },
    ],
    [
      'by two codes at once that has one use left',
      'CAMPAIGN_EXHAUSTED of code 2',
      (s) => s.redeem(['AAA', 'BBB']),
      { maxUses: 1, offer: HUNDRED },
    ],
    [
      'by two codes of one user who has one use left',
      'USER_LIMIT_REACHED of code 2',
      (s) => s.redeem(['AAA', 'BBB']),
      { maxUsesPerUser: 1, offer: HUNDRED },
    ],
    [
      'by two codes at once, one use held by somebody else',
      'COUPON_LOCKED of code 2',
      (s) => (s.reserve('CCC', { user: 'bob' }), s.redeem(['AAA', 'BBB'])),
      { maxUses: 2, offer: HUNDRED },
    ],
    ['of its whole budget', 'redeemed 100', (s) => s.redeem('AAA'), { budgetMinor: 100, offer: HUNDRED }],
    [
      'of one minor unit more than its budget',
      'BUDGET_EXHAUSTED',
      (s) => s.redeem('AAA'),
      { budgetMinor: 99, offer: HUNDRED },
    ],
    [
      'of less than the offer, because the cart is small',
      'redeemed 99',
      (s) => s.redeem('AAA', { cart: total(99) }),
      { budgetMinor: 99, offer: HUNDRED },
    ],
    [
      'of what is left of its budget beside a reservation',
      'BUDGET_EXHAUSTED',
      (s) => (s.reserve('AAA', { user: 'bob' }), s.redeem('BBB')),
      { budgetMinor: 199, offer: HUNDRED },
    ],
    [
      'of a budget that a reservation holds no more',
      'redeemed 100',
      (s) => (s.reserve('AAA', { user: 'bob', ttlSeconds: 1 }), s.later(1_000).redeem('BBB')),
      { budgetMinor: 199, offer: HUNDRED },
    ],
    [
      'by two codes that do not fit together: refused whole',
      'BUDGET_EXHAUSTED of code 2',
      (s) => s.redeem(['AAA', 'BBB']),
      { budgetMinor: 199, offer: HUNDRED },
    ],
    [
      'by an exhausted campaign without budget: the uses are asked first',
      'CAMPAIGN_EXHAUSTED',
      (s) => (s.redeem('AAA'), s.redeem('BBB', { order: 'o-2' })),
      { maxUses: 1, budgetMinor: 100, offer: HUNDRED },
    ],
    [
      'by nobody, of a discount of nothing, with no budget at all',
      'redeemed 0',
      (s) => s.redeem('AAA', { cart: total(0) }),
      { budgetMinor: 0 },
    ],
  ])('%s: %s', (_, expected, tell, terms = {}) => {
    const s = sale(terms)
    expect(told(tell(s) as Outcome)).toBe(expected)
    // What was refused has used nothing, and what was redeemed is counted.
    expect(s.sees(0).uses).toBe(usesLogged(s))
  })

  test('a refused cart takes nothing of limits and budget', () => {
    const s = sale({ maxUses: 5, maxUsesPerUser: 5, budgetMinor: 150, offer: HUNDRED })
    expect(told(s.redeem(['AAA', 'BBB']))).toBe('BUDGET_EXHAUSTED of code 2')
    expect(s.sees(0)).toMatchObject({ uses: 0, reserved: 0, discountTotalMinor: 0 })
    expect(told(s.redeem('AAA'))).toBe('redeemed 100')
    expect(s.sees(0)).toMatchObject({ uses: 1, reserved: 0, discountTotalMinor: 100 })
  })

  test('a locked campaign says when its first hold may come back', () => {
    const s = sale({ maxUses: 2 })
    s.reserve('AAA', { user: 'bob', ttlSeconds: 60 })
    s.reserve('BBB', { user: 'cid', ttlSeconds: 30 })
    expect(s.later(1_000).redeem('CCC')).toMatchObject({ refusal: 'COUPON_LOCKED', retryAfterMs: 29_000 })
  })

  test('a coupon’s own limits hold beside the campaign’s', () => {
    const s = sale({ maxUses: 10, maxUsesPerUser: 10 })
    s.joins(0, 'OWN', { maxUses: 2, maxUsesPerUser: 1 })
    expect(told(s.redeem('OWN'))).toBe('redeemed 100')
    expect(told(s.redeem('OWN', { order: 'o-2' }))).toBe('USER_LIMIT_REACHED')
    s.redeem('OWN', { user: 'bob', order: 'o-3' })
    expect(told(s.redeem('OWN', { user: 'cid', order: 'o-4' }))).toBe('COUPON_EXHAUSTED')
    expect(s.sees(0).uses).toBe(2)
  })
})

describe('the status', () => {
  test.each<[string, string, string, Terms, ((s: CampaignScene) => unknown)?]>([
    ['of a campaign as it was made', 'ACTIVE', 'ACTIVE', {}],
    ['before the window', 'SCHEDULED', 'SCHEDULED', { validFromMs: START_MS + 1 }],
    ['after the window', 'EXPIRED', 'EXPIRED', { validUntilMs: START_MS }],
    ['disabled', 'DISABLED', 'DISABLED', {}, (s) => s.switchCampaign(0, 'DISABLED')],
    [
      'disabled and after the window',
      'DISABLED',
      'DISABLED',
      { validUntilMs: START_MS },
      (s) => s.switchCampaign(0, 'DISABLED'),
    ],
    ['used up', 'EXHAUSTED', 'ACTIVE', { maxUses: 1 }, (s) => s.redeem('BBB')],
    ['all held', 'ACTIVE', 'ACTIVE', { maxUses: 1 }, (s) => s.reserve('BBB')],
    [
      'used up and after the window',
      'EXPIRED',
      'EXPIRED',
      { maxUses: 1, validUntilMs: START_MS + 5 },
      (s) => (s.redeem('BBB'), s.later(5)),
    ],
  ])('%s is %s, and its coupons are %s', (_, ofCampaign, ofCoupon, terms, tell) => {
    const s = sale(terms)
    tell?.(s)
    expect(s.sees(0).status).toBe(ofCampaign)
    expect(s.coupon('AAA').status).toBe(ofCoupon)
  })

  test('a coupon that has ended is EXPIRED, though its campaign was put off until later', () => {
    const s = sale()
    s.joins(0, 'SHORT', { validUntilMs: START_MS + 5 })
    s.patchCampaign(0, { validFromMs: START_MS + HOUR_MS })
    expect(s.later(5).coupon('SHORT').status).toBe('EXPIRED')
  })
})

describe('the budget', () => {
  test('is held by reservations, given back by a release, and taken by a redemption', () => {
    const s = sale({ budgetMinor: 250, offer: HUNDRED })
    const held = seqOf(s.reserve('AAA', { user: 'bob' }))
    s.reserve('BBB', { user: 'cid' })
    expect(s.sees(0)).toMatchObject({ uses: 0, reserved: 2, discountTotalMinor: 0 })
    expect(told(s.redeem('CCC'))).toBe('BUDGET_EXHAUSTED')
    s.release(held)
    expect(told(s.redeem('CCC'))).toBe('redeemed 100')
    expect(s.sees(0)).toMatchObject({ uses: 1, reserved: 1, discountTotalMinor: 100 })
    expect(told(s.redeem('BBB', { user: 'cid', order: 'o-2' }))).toBe('redeemed 100')
    expect(s.sees(0)).toMatchObject({ uses: 2, reserved: 0, discountTotalMinor: 200 })
  })

  test('a reservation without a cart holds nothing of it, and is refused when it is redeemed beyond it', () => {
    const s = sale({ budgetMinor: 100, offer: HUNDRED })
    const held = seqOf(s.reserve('AAA', { user: 'bob', cart: null }))
    expect(told(s.redeem('BBB', { cart: total(60) }))).toBe('redeemed 60')
    expect(told(s.redeemReservation(held, 'o-2', { cart: total(500) }))).toBe('BUDGET_EXHAUSTED')
    expect(told(s.redeemReservation(held, 'o-2', { cart: total(40) }))).toBe('redeemed 40')
    expect(s.sees(0).discountTotalMinor).toBe(100)
  })

  test('a repriced reservation holds its new price: more only where there is more, less gives back at once', () => {
    const s = sale({ budgetMinor: 150 })
    const held = seqOf(s.reserve('AAA', { cart: total(1_000) }))
    expect(told(s.reserve('AAA', { cart: total(1_600) }))).toBe('BUDGET_EXHAUSTED')
    expect(told(s.reservation(held))).toBe('claimed again')
    expect(told(s.redeem('BBB', { user: 'bob', cart: total(510) }))).toBe('BUDGET_EXHAUSTED')
    expect(told(s.redeem('BBB', { user: 'bob', cart: total(500) }))).toBe('redeemed 50')
    s.reserve('AAA', { cart: total(400) })
    expect(told(s.redeem('CCC', { user: 'cid', order: 'o-2', cart: total(600) }))).toBe('redeemed 60')
    expect(told(s.redeemReservation(held, 'o-3'))).toBe('redeemed 40')
    expect(s.sees(0).discountTotalMinor).toBe(150)
  })

  test('what one code of a reservation gives less, another of the same campaign may give more', () => {
    const s = sale({ budgetMinor: 200, offer: STACKS })
    // 10 % of 1,000 and of what is left: 100 + 90.
    const held = seqOf(s.reserve(['AAA', 'BBB'], { cart: total(1_000) }))
    s.patchCampaign(0, { budgetMinor: 200, offer: { ...STACKS, percentBps: 9_000 } })
    // 90 % of 200 and of what is left: 180 + 18. The first alone is more than is held for it and left beside.
    expect(told(s.reserve(['AAA', 'BBB'], { cart: total(200) }))).toBe('claimed again')
    expect(told(s.redeem('CCC', { user: 'bob', order: 'o-2', cart: total(3) }))).toBe('BUDGET_EXHAUSTED')
    expect(told(s.redeem('CCC', { user: 'bob', order: 'o-2', cart: total(2) }))).toBe('redeemed 2')
    s.crash()
    expect(told(s.redeemReservation(held, 'o-1'))).toBe('redeemed 198')
    expect(s.sees(0)).toMatchObject({ discountTotalMinor: 200, reserved: 0, uses: 3 })
  })

  test('a hold that has run out is free at once for a reservation that needs more, swept or not', () => {
    for (const isSwept of [false, true]) {
      const s = sale({ budgetMinor: 200, offer: HUNDRED })
      s.reserve('AAA', { user: 'bob', ttlSeconds: 1 })
      const held = seqOf(s.reserve('BBB', { cart: null }))
      s.redeem('CCC', { user: 'cid' })
      s.later(1_000)
      if (isSwept) s.sweep()
      expect(told(s.validate('BBB'))).toBe('100')
      expect(told(s.reserve('BBB'))).toBe('claimed again')
      expect(told(s.redeemReservation(held, 'o-2', { cart: total(1_000) }))).toBe('redeemed 100')
      expect(s.sees(0)).toMatchObject({ discountTotalMinor: 200, reserved: 0 })
    }
  })

  test('a reversal gives it back always, and the uses only with returnUse', () => {
    for (const returnUse of [true, false]) {
      const s = sale({ budgetMinor: 100, maxUses: 1, maxUsesPerUser: 1, offer: HUNDRED })
      s.reverse(seqOf(s.redeem('AAA')), returnUse)
      expect(s.sees(0)).toMatchObject({ uses: returnUse ? 0 : 1, discountTotalMinor: 0 })
      expect(told(s.redeem('BBB', { order: 'o-2' }))).toBe(returnUse ? 'redeemed 100' : 'USER_LIMIT_REACHED')
    }
    const s = sale({ budgetMinor: 100, offer: HUNDRED })
    s.reverse(seqOf(s.redeem('AAA')), false)
    expect(told(s.redeem('BBB', { order: 'o-2' }))).toBe('redeemed 100')
  })

  test('a reversal twice gives it back once', () => {
    const s = sale({ budgetMinor: 200, offer: HUNDRED })
    const seq = seqOf(s.redeem('AAA'))
    s.redeem('BBB', { order: 'o-2' })
    s.reverse(seq)
    s.reverse(seq)
    expect(s.sees(0)).toMatchObject({ uses: 1, discountTotalMinor: 100 })
  })
})

describe('after its time, with allowLate', () => {
  test.each<Story>([
    ['at the reserved price', 'redeemed 100', () => undefined, {}],
    [
      'after the campaign’s last use went',
      'CAMPAIGN_EXHAUSTED',
      (s) => s.redeem('BBB', { user: 'bob', order: 'b' }),
      { maxUses: 1 },
    ],
    ['after its last use was reserved', 'COUPON_LOCKED', (s) => s.reserve('BBB', { user: 'bob' }), { maxUses: 1 }],
    [
      'after the user had another of its codes',
      'USER_LIMIT_REACHED',
      (s) => s.redeem('BBB', { order: 'b' }),
      { maxUsesPerUser: 1 },
    ],
    [
      'after the budget went',
      'BUDGET_EXHAUSTED',
      (s) => s.redeem('BBB', { user: 'bob', order: 'b' }),
      { budgetMinor: 199, offer: HUNDRED },
    ],
    [
      'while the budget is there',
      'redeemed 100',
      (s) => s.redeem('BBB', { user: 'bob', order: 'b' }),
      { budgetMinor: 200, offer: HUNDRED },
    ],
    ['counted for its day already', 'redeemed 100', () => undefined, { dailyLimit: { perUser: 1, scope: 'CAMPAIGN' } }],
  ])('%s: %s', (_, expected, tell, terms = {}) => {
    const s = sale(terms)
    const seq = seqOf(s.reserve('AAA', { ttlSeconds: 1 }))
    tell(s.later(1_000))
    expect(told(s.redeemReservation(seq, 'late', { allowLate: true }))).toBe(expected)
  })

  test('two codes of the campaign need two uses and both discounts', () => {
    const s = sale({ maxUses: 2, budgetMinor: 200, offer: HUNDRED })
    const seq = seqOf(s.reserve(['AAA', 'BBB'], { ttlSeconds: 1 }))
    s.later(1_000)
    const one = seqOf(s.redeem('CCC', { user: 'bob', order: 'b', cart: total(1) }))
    expect(told(s.redeemReservation(seq, 'late', { allowLate: true }))).toBe('CAMPAIGN_EXHAUSTED of code 2')
    s.reverse(one)
    expect(told(s.redeemReservation(seq, 'late', { allowLate: true }))).toBe('redeemed 200')
    expect(s.sees(0)).toMatchObject({ uses: 2, reserved: 0, discountTotalMinor: 200 })
  })
})

describe('PATCH', () => {
  test.each<[string, string, (s: CampaignScene) => unknown, Terms, Terms]>([
    ['of maxUses to what is taken', 'EXHAUSTED', (s) => s.redeem('AAA'), {}, { maxUses: 1 }],
    [
      'of maxUses below what is used',
      'INVALID_TRANSITION',
      (s) => (s.redeem('AAA'), s.redeem('BBB', { order: 'o-2' })),
      {},
      { maxUses: 1 },
    ],
    [
      'of maxUses below what is used and reserved',
      'INVALID_TRANSITION',
      (s) => (s.redeem('AAA'), s.reserve('BBB')),
      {},
      { maxUses: 1 },
    ],
    [
      'of maxUses to what is used beside a hold that has run out',
      'EXHAUSTED',
      (s) => (s.redeem('AAA'), s.reserve('BBB', { ttlSeconds: 1 }), s.later(1_000)),
      {},
      { maxUses: 1 },
    ],
    ['of the budget to what is spent', 'ACTIVE', (s) => s.redeem('AAA'), {}, { budgetMinor: 100 }],
    ['of the budget below what is spent', 'INVALID_TRANSITION', (s) => s.redeem('AAA'), {}, { budgetMinor: 99 }],
    [
      'of the budget below what is spent and reserved',
      'INVALID_TRANSITION',
      (s) => (s.redeem('AAA'), s.reserve('BBB')),
      {},
      { budgetMinor: 199 },
    ],
    [
      'of the budget to what is spent and reserved',
      'ACTIVE',
      (s) => (s.redeem('AAA'), s.reserve('BBB')),
      {},
      { budgetMinor: 200 },
    ],
    [
      'of a budget to what is spent beside a hold that has run out',
      'ACTIVE',
      (s) => (s.redeem('AAA'), s.reserve('BBB', { ttlSeconds: 1 }), s.later(1_000)),
      { budgetMinor: 1_000 },
      { budgetMinor: 100 },
    ],
    [
      'of the first budget to what is spent beside a hold that has run out',
      'ACTIVE',
      (s) => (s.redeem('AAA'), s.reserve('BBB', { ttlSeconds: 1 }), s.later(1_000)),
      {},
      { budgetMinor: 100 },
    ],
    ['that ends it', 'EXPIRED', (s) => s.later(10), {}, { validUntilMs: START_MS + 10 }],
    [
      'that brings it back',
      'ACTIVE',
      (s) => s.later(10),
      { validUntilMs: START_MS + 5 },
      { validUntilMs: START_MS + 20 },
    ],
  ])('%s: %s', (_, expected, tell, before, after) => {
    const s = sale(before)
    tell(s)
    expect(told(s.patchCampaign(0, { ...before, ...after }))).toBe(expected)
    s.crash()
    expect(told(s.patchCampaign(0, { ...before, ...after }))).toBe(expected)
  })

  test('at another version than the present one is refused', () => {
    const s = sale()
    expect(told(s.patchCampaign(0, { maxUses: 5 }, 2))).toBe('VERSION_CONFLICT')
    expect(s.sees(0).version).toBe(1)
    s.patchCampaign(0, { maxUses: 5 })
    expect(s.sees(0).version).toBe(2)
    s.redeem('AAA')
    expect(s.sees(0).version).toBe(2)
    s.switchCampaign(0, 'DISABLED')
    s.switchCampaign(0, 'DISABLED')
    expect(s.sees(0).version).toBe(3)
    expect(told(s.patchCampaign(0, { maxUses: 5 }, 2))).toBe('VERSION_CONFLICT')
  })

  test('a changed offer holds from that instant for the rest, and never for a reservation’s price', () => {
    const s = sale()
    const held = seqOf(s.reserve('AAA', { user: 'bob', cart: total(1_000) }))
    const bare = seqOf(s.reserve('BBB', { user: 'bob', cart: null }))
    s.later(5)
    s.patchCampaign(0, { offer: { percentBps: 5_000 } })
    expect(s.coupon('CCC').definition.offer).toMatchObject({ percentBps: 5_000 })
    expect(told(s.redeem('CCC'))).toBe('redeemed 500')
    expect(told(s.redeemReservation(bare, 'o-2', { cart: total(1_000) }))).toBe('redeemed 500')
    // The very cart it was reserved with, brought again.
    expect(told(s.redeem('AAA', { user: 'bob', order: 'o-3', cart: total(1_000) }))).toBe('redeemed 100')
    expect(s.reservation(held)).toMatchObject({ status: 'REDEEMED' })
  })

  test('a changed offer holds for a cart that a reservation is made anew for', () => {
    const s = sale()
    s.reserve('AAA', { cart: total(1_000) })
    s.later(5)
    s.patchCampaign(0, { offer: { percentBps: 5_000 } })
    expect(told(s.redeem('AAA', { cart: total(2_000) }))).toBe('redeemed 1000')
  })

  test('an earlier end bounds open reservations, and one in the past releases them', () => {
    const s = sale({ maxUses: 2 })
    const one = seqOf(s.reserve('AAA', { user: 'bob', ttlSeconds: 300 }))
    const two = seqOf(s.reserve('BBB', { user: 'cid', ttlSeconds: 10 }))
    s.patchCampaign(0, { maxUses: 2, validUntilMs: START_MS + 60_000 })
    expect(s.reservation(one)).toMatchObject({ expiresAtMs: START_MS + 60_000 })
    expect(s.reservation(two)).toMatchObject({ expiresAtMs: START_MS + 10_000 })
    s.later(20)
    s.patchCampaign(0, { maxUses: 2, validUntilMs: START_MS + 20 })
    expect(s.reservation(one)).toMatchObject({ status: 'EXPIRED' })
    expect(s.sees(0)).toMatchObject({ status: 'EXPIRED', reserved: 0 })
    expect(told(s.redeemReservation(one, 'o-1', { allowLate: true }))).toBe('RESERVATION_EXPIRED')
  })

  test('a reservation never outlasts its campaign, nor does its extension', () => {
    const s = sale({ validUntilMs: START_MS + 60_000 })
    const seq = seqOf(s.reserve('AAA', { ttlSeconds: 300 }))
    expect(s.reservation(seq)).toMatchObject({ expiresAtMs: START_MS + 60_000 })
    expect(s.extendReservation(seq, 3_600)).toMatchObject({ expiresAtMs: START_MS + 60_000 })
  })

  test('a limit per user added later counts from then, held uses that are older included nowhere', () => {
    const s = sale()
    s.redeem('AAA')
    const old = seqOf(s.reserve('BBB', { order: 'o-9' }))
    s.patchCampaign(0, { maxUsesPerUser: 1 })
    expect(told(s.redeem('CCC', { order: 'o-2' }))).toBe('redeemed 100')
    expect(told(s.redeem('AAA', { order: 'o-3' }))).toBe('USER_LIMIT_REACHED')
    s.release(old)
    s.crash()
    expect(told(s.redeem('AAA', { order: 'o-3' }))).toBe('USER_LIMIT_REACHED')
    s.patchCampaign(0, {})
    s.patchCampaign(0, { maxUsesPerUser: 1 })
    expect(told(s.redeem('AAA', { order: 'o-3' }))).toBe('redeemed 100')
  })

  test('disabling honours open reservations', () => {
    const s = sale()
    const seq = seqOf(s.reserve('AAA'))
    s.switchCampaign(0, 'DISABLED')
    expect(told(s.redeemReservation(seq, 'o-1'))).toBe('redeemed 100')
  })

  test('what was replayed from the log judges as before', () => {
    const s = sale({ budgetMinor: 300, maxUses: 3, maxUsesPerUser: 2, offer: HUNDRED })
    s.redeem('AAA')
    s.reserve('BBB', { user: 'bob' })
    s.crash()
    expect(s.sees(0)).toMatchObject({ uses: 1, reserved: 1, discountTotalMinor: 100 })
    expect(told(s.redeem('BBB', { order: 'o-2' }))).toBe('redeemed 100')
    expect(told(s.redeem('CCC', { order: 'o-3' }))).toBe('USER_LIMIT_REACHED')
    expect(told(s.redeem('CCC', { user: 'cid', order: 'o-3' }))).toBe('COUPON_LOCKED')
  })
})

test('there is no campaign where none was made', () => {
  const s = new CampaignScene()
  expect(() => s.sees(0)).toThrow('there is no campaign 0')
  expect(told(s.switchCampaign(0, 'DISABLED'))).toBe('CAMPAIGN_NOT_FOUND')
  expect(told(s.patchCampaign(0, {}, 1))).toBe('CAMPAIGN_NOT_FOUND')
  expect(told(s.claim(0))).toBe('CAMPAIGN_NOT_FOUND')
})
