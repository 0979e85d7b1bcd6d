/**
 * Every refusal a shard can give, and which of several failing checks answers. The order is the contract's (API.md, "Refusals").
 */
import { describe, expect, test } from 'vitest'
import { brief, Scene, seqOf, START_MS } from '../support/scene.ts'
import { total } from '../support/samples.ts'

const HOUR_MS = 3_600_000
const STACKS = { stacking: 'STACKABLE' } as const

describe('a redemption is refused', () => {
  test.each<[string, string, (s: Scene) => ReturnType<Scene['redeem']>]>([
    ['of a code that was never made', 'COUPON_NOT_FOUND', (s) => s.redeem('NOPE')],
    ['of a disabled coupon', 'COUPON_DISABLED', (s) => (s.has('X').switchTo('X', 'DISABLED'), s.redeem('X'))],
    ['of a deleted coupon', 'COUPON_DISABLED', (s) => (s.has('X').switchTo('X', 'DELETED'), s.redeem('X'))],
    [
      'a millisecond before the window begins',
      'COUPON_NOT_STARTED',
      (s) => s.has('X', { validFromMs: START_MS + 1 }).redeem('X'),
    ],
    ['at the instant the window ends', 'COUPON_EXPIRED', (s) => s.has('X', { validUntilMs: START_MS }).redeem('X')],
    ['of another user’s coupon', 'USER_NOT_ELIGIBLE', (s) => s.has('X', { userId: 'bob' }).redeem('X')],
    [
      'in a channel that is not listed',
      'CHANNEL_NOT_ALLOWED',
      (s) => s.has('X', {}, { channels: ['app'] }).redeem('X'),
    ],
    [
      'in another currency',
      'CURRENCY_MISMATCH',
      (s) => s.has('X', {}, { currency: 'EUR' }).redeem('X', { cart: total(1_000, 'USD') }),
    ],
    ['one minor unit short', 'MIN_ORDER_NOT_MET', (s) => s.has('X', {}, { minOrderMinor: 1_001 }).redeem('X')],
    ['one unit short', 'MIN_QUANTITY_NOT_MET', (s) => s.has('X', {}, { minQuantity: 2 }).redeem('X')],
    [
      'where no line is applicable',
      'NOT_APPLICABLE',
      (s) => s.has('X', {}, { applicableProductIds: ['p'] }).redeem('X'),
    ],
    [
      'of an exclusive coupon beside another',
      'NOT_STACKABLE of code 2',
      (s) => s.has('X', {}, STACKS).has('Y').redeem(['X', 'Y']),
    ],
    [
      'of a user who has had all of theirs',
      'USER_LIMIT_REACHED',
      (s) => (s.has('X', { maxUsesPerUser: 1 }).redeem('X'), s.redeem('X', { order: 'o-2' })),
    ],
    [
      'of a user whose uses are held for another order',
      'USER_LIMIT_REACHED',
      (s) => (s.has('X', { maxUsesPerUser: 1 }).reserve('X', { order: 'o-2' }), s.redeem('X')),
    ],
    [
      'when all uses are used',
      'COUPON_EXHAUSTED',
      (s) => (s.has('X', { maxUses: 1 }).redeem('X', { user: 'bob' }), s.redeem('X', { order: 'o-2' })),
    ],
    [
      'when all uses that are left are reserved',
      'COUPON_LOCKED',
      (s) => (s.has('X', { maxUses: 1 }).reserve('X', { user: 'bob' }), s.redeem('X')),
    ],
    [
      'when the last use is held by the same user for another order',
      'COUPON_LOCKED',
      (s) => (s.has('X', { maxUses: 1 }).reserve('X', { order: 'o-2' }), s.redeem('X')),
    ],
    ['without a cart and without a lock', 'INVALID_REQUEST', (s) => s.has('X').redeem('X', { cart: null })],
    [
      'for an order that had it with another total',
      'ORDER_CONFLICT',
      (s) => (s.has('X').redeem('X'), s.redeem('X', { cart: total(1_001) })),
    ],
    [
      'for an order whose redemption was reversed',
      'REDEMPTION_REVERSED',
      (s) => (s.reverse(seqOf(s.has('X').redeem('X'))), s.redeem('X')),
    ],
  ])('%s: %s', (_, expected, tell) => {
    const scene = new Scene()
    expect(brief(tell(scene))).toBe(expected)
  })
})

test.each([
  ['at the instant the window begins', { validFromMs: START_MS }],
  ['a millisecond before the window ends', { validUntilMs: START_MS + 1 }],
])('a redemption is made %s', (_, window) => {
  expect(brief(new Scene().has('X', window).redeem('X'))).toBe('redeemed 100')
})

describe('calls on what is not there, or is over', () => {
  test.each<[string, string, (s: Scene) => ReturnType<Scene['redeem']>]>([
    ['a reservation that never was', 'RESERVATION_NOT_FOUND', (s) => s.redeemReservation(99, 'o-1')],
    ['a sequence that is no reservation', 'RESERVATION_NOT_FOUND', (s) => s.has('X').release(1)],
    ['a redemption that never was', 'REDEMPTION_NOT_FOUND', (s) => s.reverse(0)],
    ['a sequence that is no redemption', 'REDEMPTION_NOT_FOUND', (s) => s.has('X').redemption(1)],
    [
      'redeeming what was given back',
      'RESERVATION_CLOSED',
      (s) => {
        const seq = seqOf(s.has('X').reserve('X'))
        s.release(seq)
        return s.redeemReservation(seq, 'o-1')
      },
    ],
    [
      'redeeming for a second order',
      'RESERVATION_CLOSED',
      (s) => {
        const seq = seqOf(s.has('X').reserve('X'))
        s.redeemReservation(seq, 'o-1')
        return s.redeemReservation(seq, 'o-2')
      },
    ],
    [
      'redeeming at the instant it runs out',
      'RESERVATION_EXPIRED',
      (s) => {
        const seq = seqOf(s.has('X').reserve('X', { ttlSeconds: 1 }))
        return s.later(1_000).redeemReservation(seq, 'o-1')
      },
    ],
    [
      'redeeming for another order than it was made for',
      'ORDER_CONFLICT',
      (s) => s.redeemReservation(seqOf(s.has('X').reserve('X', { order: 'o-1' })), 'o-2'),
    ],
    [
      'reserving for an order that redeemed',
      'ORDER_CONFLICT',
      (s) => (s.has('X').redeem('X'), s.reserve('X', { order: 'o-1' })),
    ],
    [
      'extending what ran out',
      'RESERVATION_EXPIRED',
      (s) => {
        const seq = seqOf(s.has('X').reserve('X', { ttlSeconds: 1 }))
        return s.later(1_000).extendReservation(seq, 10)
      },
    ],
  ])('%s: %s', (_, expected, tell) => {
    const scene = new Scene()
    expect(brief(tell(scene))).toBe(expected)
  })
})

describe('of several failing checks the first in the contract’s order answers', () => {
  /** Each line fails one check more than the next; the last one fails none. */
  const cart = { ...total(10, 'USD'), channel: 'shop' }
  test('for one coupon: disabled, window, user, channel, currency, minimum, quantity, applicability, limits', () => {
    const s = new Scene()
    const all = { maxUses: 1, maxUsesPerUser: 1 }
    s.has('X', all)
    s.reserve('X', { order: 'held', ttlSeconds: 3_600 })
    const offers = [
      { applicableProductIds: ['p'] },
      { minQuantity: 2 },
      { minOrderMinor: 11 },
      { currency: 'EUR' },
      { channels: ['app'] },
    ]
    const answers: string[] = [brief(s.redeem('X', { cart }))]
    let offer = {}
    for (const more of offers) {
      offer = { ...offer, ...more }
      s.patch('X', all, offer)
      answers.push(brief(s.redeem('X', { cart })))
    }
    s.patch('X', { ...all, userId: 'bob' }, offer)
    answers.push(brief(s.redeem('X', { cart })))
    s.patch('X', { ...all, userId: 'bob', validFromMs: START_MS + HOUR_MS }, offer)
    answers.push(brief(s.redeem('X', { cart })))
    s.switchTo('X', 'DISABLED')
    answers.push(brief(s.redeem('X', { cart })))
    expect(answers).toEqual([
      'USER_LIMIT_REACHED',
      'NOT_APPLICABLE',
      'MIN_QUANTITY_NOT_MET',
      'MIN_ORDER_NOT_MET',
      'CURRENCY_MISMATCH',
      'CHANNEL_NOT_ALLOWED',
      'USER_NOT_ELIGIBLE',
      'COUPON_NOT_STARTED',
      'COUPON_DISABLED',
    ])
  })

  test.each<[string, string, readonly string[]]>([
    ['existence before everything', 'COUPON_NOT_FOUND of code 3', ['OFF', 'ENDED', 'NOPE']],
    ['disabled before expired, whichever comes first in the request', 'COUPON_DISABLED of code 2', ['ENDED', 'OFF']],
    ['not started before expired', 'COUPON_NOT_STARTED of code 2', ['ENDED', 'LATER']],
    ['a minimum before stacking', 'MIN_ORDER_NOT_MET of code 2', ['ALONE', 'BIG']],
    ['stacking before limits', 'NOT_STACKABLE of code 2', ['GONE', 'ALONE']],
    ['the limit per user before the coupon’s', 'USER_LIMIT_REACHED of code 2', ['GONE', 'HAD']],
    ['the first code of those that fail the same check', 'COUPON_EXHAUSTED', ['GONE', 'GONE-TOO']],
  ])('over several codes: %s: %s', (_, expected, codes) => {
    const s = new Scene()
    s.has('OFF', {}, STACKS).switchTo('OFF', 'DISABLED')
    s.has('ENDED', { validUntilMs: START_MS }, STACKS).has('LATER', { validFromMs: START_MS + 1 }, STACKS)
    s.has('BIG', {}, { ...STACKS, minOrderMinor: 5_000 }).has('ALONE')
    for (const code of ['GONE', 'GONE-TOO'])
      s.has(code, { maxUses: 1 }, STACKS).redeem(code, { user: 'bob', order: 'b' })
    s.has('HAD', { maxUsesPerUser: 1 }, STACKS).redeem('HAD', { order: 'h' })
    const outcome = s.redeem(codes)
    expect(brief(outcome)).toBe(expected)
    expect(brief(s.reserve(codes))).toBe(expected)
    expect(s.shard.state.tables.open.size).toBe(0)
  })

  test('a replay comes before every check but existence: expired, disabled and used up as the coupon may be', () => {
    const s = new Scene()
    s.has('X', { maxUses: 1, maxUsesPerUser: 1, validUntilMs: START_MS + 10 })
    s.redeem('X')
    s.switchTo('X', 'DISABLED')
    s.later(HOUR_MS)
    expect(brief(s.redeem('X'))).toBe('redeemed 100 again')
  })
})

describe('late, by several codes', () => {
  test('check by check: the second code’s limit per user answers before the first code’s own limit', () => {
    const s = new Scene()
    s.has('A', { maxUses: 1 }, STACKS).has('B', { maxUsesPerUser: 1 }, STACKS)
    const seq = seqOf(s.reserve(['A', 'B'], { ttlSeconds: 1 }))
    s.later(1_000)
    s.redeem('A', { user: 'bob', order: 'b' })
    s.redeem('B', { order: 'mine' })
    expect(brief(s.redeemReservation(seq, 'o-1', { allowLate: true }))).toBe('USER_LIMIT_REACHED of code 2')
  })
})

describe('COUPON_LOCKED', () => {
  test('says when the first hold may come back', () => {
    const s = new Scene()
    s.has('X', { maxUses: 2 })
    s.reserve('X', { user: 'bob', ttlSeconds: 60 })
    s.reserve('X', { user: 'cid', ttlSeconds: 30 })
    s.later(1_000)
    expect(s.redeem('X')).toMatchObject({ refusal: 'COUPON_LOCKED', retryAfterMs: 29_000 })
    s.later(29_000)
    expect(brief(s.redeem('X'))).toBe('redeemed 100')
    expect(s.redeem('X', { user: 'dee', order: 'o-2' })).toMatchObject({
      refusal: 'COUPON_LOCKED',
      retryAfterMs: 30_000,
    })
  })
})
