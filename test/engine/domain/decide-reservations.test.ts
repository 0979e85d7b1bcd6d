/** Reservations and redemptions as stories: taken, repriced, extended, redeemed, late, given back, reversed, replayed. */
import { describe, expect, test } from 'vitest'
import { brief, Scene, seqOf, START_MS } from '../support/scene.ts'
import { checkout, total } from '../support/samples.ts'
import { COMMAND } from '../../../protocol/commands.ts'
import type { Outcome } from '../../../protocol/outcomes.ts'

const STACKS = { stacking: 'STACKABLE' } as const
const HOUR_MS = 3_600_000

describe('reserving again', () => {
  test('returns the open reservation, its time unchanged', () => {
    const s = new Scene()
    const first = s.has('X').reserve('X', { ttlSeconds: 100 })
    expect(s.later(50_000).reserve('X', { ttlSeconds: 100 })).toEqual({ ...first, again: true })
    expect(s.events()).toEqual(['COUPON_CREATED', 'RESERVED'])
  })

  test('with a new cart is repriced, its time unchanged', () => {
    const s = new Scene()
    const first = s.has('X').reserve('X')
    const again = s.later(1_000).reserve('X', { cart: total(2_000) })
    expect(brief(again)).toBe('reserved 200 again')
    expect(again).toMatchObject({ seq: seqOf(first), expiresAtMs: START_MS + 300_000 })
    expect(s.reservation(seqOf(first))).toMatchObject({ price: { amounts: [200] } })
  })

  test('with a cart that the coupon does not take is refused, and the reservation stays as it was', () => {
    const s = new Scene()
    const first = s.has('X', {}, { minOrderMinor: 500 }).reserve('X')
    expect(brief(s.reserve('X', { cart: total(499) }))).toBe('MIN_ORDER_NOT_MET')
    expect(brief(s.reservation(seqOf(first)))).toBe('reserved 100 again')
  })

  test('with the same cart keeps its price, though the offer was changed so that it no longer takes the cart', () => {
    const s = new Scene()
    s.has('X').reserve('X', { cart: total(1_000) })
    s.patch('X', {}, { minOrderMinor: 5_000 })
    expect(brief(s.later(1_000).reserve('X', { cart: total(1_000) }))).toBe('reserved 100 again')
    expect(brief(s.reserve('X', { cart: total(1_001) }))).toBe('MIN_ORDER_NOT_MET')
  })

  test.each<[string, boolean, Parameters<Scene['reserve']>]>([
    ['the same codes in another order', true, [['Y', 'X']]],
    ['one of the codes', false, [['X']]],
    ['for an order where the first had none', false, [['X', 'Y'], { order: 'o-1' }]],
    ['by another user', false, [['X', 'Y'], { user: 'bob' }]],
  ])('%s: the same reservation is %s', (_, isSame, [codes, buying]) => {
    const s = new Scene()
    const first = seqOf(s.has('X', {}, STACKS).has('Y', {}, STACKS).reserve(['X', 'Y']))
    expect(seqOf(s.reserve(codes, buying)) === first).toBe(isSame)
  })

  test('a disabled coupon honours what is open, and lets nobody else in', () => {
    const s = new Scene()
    const seq = seqOf(s.has('X').reserve('X'))
    s.switchTo('X', 'DISABLED')
    expect(brief(s.reserve('X'))).toBe('reserved 100 again')
    expect(brief(s.reserve('X', { user: 'bob' }))).toBe('COUPON_DISABLED')
    expect(brief(s.redeemReservation(seq, 'o-1'))).toBe('redeemed 100')
  })
})

describe('a reservation', () => {
  test('never outlasts its coupon', () => {
    const s = new Scene()
    expect(s.has('X', { validUntilMs: START_MS + 5_000 }).reserve('X')).toMatchObject({ expiresAtMs: START_MS + 5_000 })
  })

  test('is extended from now, never shortened, and to an hour after its beginning at most', () => {
    const s = new Scene()
    const seq = seqOf(s.has('X').reserve('X', { ttlSeconds: 100 }))
    s.later(10_000)
    expect(s.extendReservation(seq, 50)).toMatchObject({ expiresAtMs: START_MS + 100_000 })
    expect(s.extendReservation(seq, 200)).toMatchObject({ expiresAtMs: START_MS + 210_000 })
    expect(s.extendReservation(seq, 3_600)).toMatchObject({ expiresAtMs: START_MS + HOUR_MS })
  })

  test('is not extended beyond its coupon', () => {
    const s = new Scene()
    const seq = seqOf(s.has('X', { validUntilMs: START_MS + 20_000 }).reserve('X', { ttlSeconds: 1 }))
    expect(s.extendReservation(seq, 60)).toMatchObject({ expiresAtMs: START_MS + 20_000 })
  })

  test('that is given back can be given back again, and so can one that ran out', () => {
    const s = new Scene()
    const seq = seqOf(s.has('X', { maxUses: 1 }).reserve('X'))
    expect(brief(s.release(seq))).toBe('released')
    expect(brief(s.later(5).release(seq))).toBe('released')
    const other = seqOf(s.reserve('X', { ttlSeconds: 1 }))
    expect(brief(s.later(1_000).release(other))).toBe('released')
    expect(brief(s.sweep().release(other))).toBe('released')
  })

  test('that is redeemed cannot be given back', () => {
    const s = new Scene()
    const seq = seqOf(s.has('X').reserve('X'))
    s.redeemReservation(seq, 'o-1')
    expect(brief(s.release(seq))).toBe('RESERVATION_CLOSED')
    expect(brief(s.reservation(seq))).toBe('redeemed 100 again')
  })

  test('that is overdue is free at once, whatever the sweep has come to', () => {
    const s = new Scene()
    s.has('X', { maxUses: 1, maxUsesPerUser: 1 }).reserve('X', { ttlSeconds: 1 })
    s.later(1_000)
    expect(s.coupon('X')).toMatchObject({ reserved: 0, status: 'ACTIVE', lock: null })
    expect(brief(s.redeem('X'))).toBe('redeemed 100')
    expect(s.events()).toEqual(['COUPON_CREATED', 'RESERVED', 'RESERVATION_RELEASED', 'REDEEMED'])
  })

  test('keeps its last price and its last time when it is shown after its end, swept or not', () => {
    const s = new Scene()
    const seq = seqOf(s.has('X').reserve('X', { ttlSeconds: 1 }))
    s.reserve('X', { cart: total(3_000) })
    s.extendReservation(seq, 10)
    s.later(10_000)
    const unswept = s.reservation(seq)
    expect(unswept).toMatchObject({ status: 'EXPIRED', expiresAtMs: START_MS + 10_000, price: { amounts: [300] } })
    expect(s.sweep().reservation(seq)).toEqual(unswept)
  })

  test('that was repriced and given back shows its last price', () => {
    const s = new Scene()
    const seq = seqOf(s.has('X').reserve('X'))
    s.reserve('X', { cart: total(3_000) })
    s.release(seq)
    expect(brief(s.reservation(seq))).toBe('released 300 again')
  })
})

describe('a limit per user', () => {
  test('that only an overdue reservation stands in the way of has it released first', () => {
    const s = new Scene()
    s.has('X', { maxUsesPerUser: 1 }).reserve('X', { ttlSeconds: 1 })
    expect(brief(s.later(1_000).redeem('X'))).toBe('redeemed 100')
    expect(s.events()).toEqual(['COUPON_CREATED', 'RESERVED', 'RESERVATION_RELEASED', 'REDEEMED'])
  })

  test('counts what is given back no more, beside a use and beside another hold', () => {
    const s = new Scene()
    s.has('X', { maxUsesPerUser: 2 }).redeem('X')
    s.release(seqOf(s.reserve('X', { order: 'o-2' })))
    expect(brief(s.redeem('X', { order: 'o-3' }))).toBe('redeemed 100')
    s.has('Y', { maxUsesPerUser: 2 }).reserve('Y', { order: 'o-1' })
    s.release(seqOf(s.reserve('Y', { order: 'o-2' })))
    expect(brief(s.reserve('Y', { order: 'o-3' }))).toBe('reserved 100')
  })
})

test('of several reservations of one coupon the user’s others are found when one is given back', () => {
  const s = new Scene()
  s.has('X')
  const [first, second, third] = ['o-1', 'o-2', 'o-3'].map((order) => seqOf(s.reserve('X', { order })))
  s.release(second as number)
  expect(seqOf(s.reserve('X', { order: 'o-1' }))).toBe(first)
  expect(seqOf(s.reserve('X', { order: 'o-3' }))).toBe(third)
})

test('the sweep logs the end of what ran out, and of nothing else', () => {
  const s = new Scene()
  s.has('X').reserve('X', { ttlSeconds: 1 })
  s.reserve('X', { user: 'bob', ttlSeconds: 2 })
  s.later(999).sweep()
  expect(s.events().slice(3)).toEqual([])
  s.later(1).sweep()
  expect(s.events().slice(3)).toEqual(['RESERVATION_RELEASED'])
})

describe('redeeming a reservation', () => {
  test('takes its price, whatever became of the offer', () => {
    const s = new Scene()
    const seq = seqOf(s.has('X').reserve('X'))
    s.patch('X', {}, { percentBps: 5_000 })
    expect(brief(s.redeemReservation(seq, 'o-1'))).toBe('redeemed 100')
  })

  test.each([
    ['its only coupon', ['X']],
    ['one of its coupons', ['X', 'Y']],
  ])('with the cart it was priced for takes its price, though the offer of %s was changed', (_, codes) => {
    const s = new Scene()
    const prices = ['redeemed 100', 'redeemed 190']
    s.has('X', {}, STACKS).has('Y', {}, STACKS).later(1_000)
    const seq = seqOf(s.reserve(codes))
    s.later(1_000).patch('X', {}, { ...STACKS, percentBps: 5_000 })
    const expected = prices[codes.length - 1]
    expect(brief(s.redeemReservation(seq, 'o-1', { cart: total(1_000) }))).toBe(expected)
  })

  test('with another cart takes that cart’s price, checked now', () => {
    const s = new Scene()
    const seq = seqOf(s.has('X', {}, { minOrderMinor: 500 }).reserve('X'))
    expect(brief(s.redeemReservation(seq, 'o-1', { cart: total(499) }))).toBe('MIN_ORDER_NOT_MET')
    expect(brief(s.redeemReservation(seq, 'o-1', { cart: total(2_000) }))).toBe('redeemed 200')
  })

  test('that has no price needs a cart', () => {
    const s = new Scene()
    const seq = seqOf(s.has('X').reserve('X', { cart: null }))
    expect(brief(s.redeemReservation(seq, 'o-1'))).toBe('INVALID_REQUEST')
    expect(brief(s.redeemReservation(seq, 'o-1', { cart: total(500) }))).toBe('redeemed 50')
  })

  test('a direct redemption uses the user’s reservation of the same codes', () => {
    const s = new Scene()
    const seq = seqOf(s.has('X', { maxUses: 1, maxUsesPerUser: 1 }).reserve('X'))
    expect(s.redeem('X')).toMatchObject({ reservationSeq: seq })
    expect(s.coupon('X')).toMatchObject({ uses: 1, reserved: 0, status: 'REDEEMED' })
  })

  test('a direct redemption prefers the reservation made for its order', () => {
    const s = new Scene()
    s.has('X').reserve('X', { order: 'o-2' })
    const own = seqOf(s.reserve('X', { order: 'o-1' }))
    s.reserve('X', { order: 'o-3' })
    expect(s.redeem('X')).toMatchObject({ reservationSeq: own })
  })

  test('a reservation for another order lends no capacity to this one', () => {
    const s = new Scene()
    s.has('X', { maxUses: 1 }).reserve('X', { order: 'o-2' })
    expect(brief(s.redeem('X'))).toBe('COUPON_LOCKED')
    expect(brief(s.reserve('X', { order: 'o-3' }))).toBe('COUPON_LOCKED')
    expect(s.coupon('X')).toMatchObject({ uses: 0, reserved: 1 })
  })
})

test('a reservation of one code lends nothing to that code as a part of a set; by itself it is held', () => {
  const s = new Scene()
  s.has('X', { maxUses: 1 }, STACKS).has('Y', {}, STACKS).reserve('X', { ttlSeconds: 60 })
  const asASet = s.say(checkout(COMMAND.VALIDATE, ['X', 'Y'], { user: 'ann', cart: total(1_000) }))
  expect(asASet).toMatchObject({ verdicts: [{ refusal: 'COUPON_LOCKED' }, { refusal: null }], price: null })
  expect(brief(s.validate('X'))).toBe('100')
})

describe('a cart that an open reservation does not take', () => {
  test.each<[string, (s: Scene) => Outcome, string[]]>([
    ['reserved again', (s) => s.reserve(['Y', 'X'], { cart: total(5) }), ['Y', 'X']],
    ['redeemed by its codes', (s) => s.redeem(['Y', 'X'], { cart: total(5) }), ['Y', 'X']],
    ['redeemed by its id', (s) => s.redeemReservation(3, 'o-1', { cart: total(5) }), ['X', 'Y']],
  ])('%s, is refused with the verdicts in the order of the call', (_, ask, order) => {
    const s = new Scene()
    s.has('X', {}, STACKS).has('Y', {}, { ...STACKS, minOrderMinor: 100 })
    expect(seqOf(s.reserve(['X', 'Y']))).toBe(3)
    expect(ask(s)).toMatchObject({
      refusal: 'MIN_ORDER_NOT_MET',
      couponIndex: order.indexOf('Y'),
      verdicts: order.map((code) =>
        code === 'X' ? { ordinal: 0, refusal: null } : { ordinal: 1, refusal: 'MIN_ORDER_NOT_MET' },
      ),
    })
  })
})

describe('redeeming late', () => {
  test.each([[true], [false]])('at the reserved price where the capacity is there (swept: %s)', (isSwept) => {
    const s = new Scene()
    const seq = seqOf(s.has('X', { maxUses: 1, maxUsesPerUser: 1 }).reserve('X', { ttlSeconds: 1 }))
    s.patch('X', { maxUses: 1, maxUsesPerUser: 1 }, { percentBps: 5_000 })
    s.later(5_000)
    if (isSwept) s.sweep()
    expect(brief(s.redeemReservation(seq, 'o-1'))).toBe('RESERVATION_EXPIRED')
    expect(brief(s.redeemReservation(seq, 'o-1', { allowLate: true }))).toBe('redeemed 100')
    expect(s.reservation(seq)).toMatchObject({ status: 'REDEEMED' })
    expect(s.events().filter((name) => name === 'RESERVATION_RELEASED')).toHaveLength(1)
  })

  test('is refused where somebody else has the last use by now', () => {
    const s = new Scene()
    const seq = seqOf(s.has('X', { maxUses: 1 }).reserve('X', { ttlSeconds: 1 }))
    s.later(1_000).redeem('X', { user: 'bob' })
    expect(brief(s.redeemReservation(seq, 'o-2', { allowLate: true }))).toBe('COUPON_EXHAUSTED')
  })

  test('of two codes tells of each what stands in its way, or what it would have given', () => {
    const s = new Scene()
    s.has('X', {}, STACKS).has('Y', { maxUses: 1 }, STACKS)
    const seq = seqOf(s.reserve(['X', 'Y'], { ttlSeconds: 1 }))
    s.later(1_000).redeem('Y', { user: 'bob' })
    expect(s.redeemReservation(seq, 'o-2', { allowLate: true })).toMatchObject({
      refusal: 'COUPON_EXHAUSTED',
      couponIndex: 1,
      verdicts: [
        { refusal: null, amountMinor: 100 },
        { refusal: 'COUPON_EXHAUSTED', amountMinor: null },
      ],
    })
  })

  test('is refused where the reservation has no price', () => {
    const s = new Scene()
    const seq = seqOf(s.has('X').reserve('X', { cart: null, ttlSeconds: 1 }))
    expect(brief(s.later(1_000).redeemReservation(seq, 'o-1', { allowLate: true }))).toBe('RESERVATION_EXPIRED')
  })

  test('with another cart at hand is retried with that cart, and gets the first answer', () => {
    const s = new Scene()
    const seq = seqOf(s.has('X').reserve('X', { ttlSeconds: 1 }))
    s.later(1_000)
    const late = { cart: total(9_999), allowLate: true }
    expect(brief(s.redeemReservation(seq, 'o-1', late))).toBe('redeemed 100')
    expect(brief(s.redeemReservation(seq, 'o-1', late))).toBe('redeemed 100 again')
  })
})

describe('the same order again', () => {
  test.each<[string, string, Parameters<Scene['redeem']>]>([
    ['with everything the same', 'redeemed 200 again', [['X', 'Y']]],
    ['with the codes in another order', 'redeemed 200 again', [['Y', 'X']]],
    ['without a cart', 'redeemed 200 again', [['X', 'Y'], { cart: null }]],
    ['for another user', 'ORDER_CONFLICT', [['X', 'Y'], { user: 'bob' }]],
    ['with one of the codes', 'ORDER_CONFLICT', [['X']]],
    ['with one code more', 'ORDER_CONFLICT', [['X', 'Y', 'Z']]],
    ['behind one that it did not redeem', 'ORDER_CONFLICT of code 2', [['Z', 'Y']]],
    ['in another currency', 'ORDER_CONFLICT', [['X', 'Y'], { cart: total(1_000, 'USD') }]],
    ['with another subtotal', 'ORDER_CONFLICT', [['X', 'Y'], { cart: total(999) }]],
    ['with another shipping', 'ORDER_CONFLICT', [['X', 'Y'], { cart: { ...total(1_000), shippingMinor: 1 } }]],
    ['with other codes altogether, a redemption of its own', 'redeemed 100', [['Z']]],
  ])('%s: %s', (_, expected, [codes, buying]) => {
    const s = new Scene()
    for (const code of ['X', 'Y', 'Z'])
      s.has(code, {}, { ...STACKS, type: 'FIXED', percentBps: 0, valueMinor: 100, currency: null })
    expect(brief(s.redeem(['X', 'Y']))).toBe('redeemed 200')
    s.shard.flushAll()
    expect(brief(s.redeem(codes, buying))).toBe(expected)
  })

  test('is one redemption, however it comes: directly, by its reservation, after 300 tries', () => {
    const s = new Scene()
    const seq = seqOf(s.has('X', { maxUses: 1 }).reserve('X'))
    const first = seqOf(s.redeemReservation(seq, 'o-1'))
    for (let i = 0; i < 150; i++) {
      expect(seqOf(s.redeem('X'))).toBe(first)
      expect(s.redeemReservation(seq, 'o-1')).toMatchObject({ seq: first, replayed: true })
    }
    expect(s.coupon('X').uses).toBe(1)
  })

  test.each([
    [false, 'ORDER_CONFLICT of code 2'],
    [true, 'REDEMPTION_REVERSED of code 2'],
  ])('cannot be reserved for behind another code (reversed: %s): %s', (isReversed, expected) => {
    const s = new Scene()
    const seq = seqOf(s.has('X', {}, STACKS).has('Y', {}, STACKS).redeem('X'))
    if (isReversed) s.reverse(seq)
    expect(brief(s.reserve(['Y', 'X'], { order: 'o-1' }))).toBe(expected)
  })

  // After a crash memory is not cleaned yet: what counts is the event.
  test.each([[false], [true]])(
    'is forgotten after its window, and then a new redemption under the same limits (crash: %s)',
    (isCrash) => {
      const s = new Scene()
      s.has('X', { maxUses: 2 }).redeem('X')
      s.later(120_000).has('Y')
      s.shard.actor.sweep(s.nowMs, s.nowMs)
      expect(s.events()).toEqual(['COUPON_CREATED', 'REDEEMED', 'COUPON_CREATED', 'ORDERS_FORGOTTEN'])
      if (isCrash) s.crash()
      expect(brief(s.redeem('X'))).toBe('redeemed 100')
      expect(brief(s.redeem('X', { order: 'o-2' }))).toBe('COUPON_EXHAUSTED')
    },
  )
})

describe('reversing', () => {
  test.each([
    [true, 'redeemed 100', 0],
    [false, 'COUPON_EXHAUSTED', 1],
  ])('with returnUse %s: another redemption is %s', (returnUse, expected, uses) => {
    const s = new Scene()
    const seq = seqOf(s.has('X', { maxUses: 1 }).redeem('X'))
    expect(brief(s.reverse(seq, returnUse))).toBe('reversed 100')
    expect(s.coupon('X').uses).toBe(uses)
    expect(brief(s.redeem('X', { user: 'bob', order: 'o-2' }))).toBe(expected)
  })

  test('gives the use of the user back too, once, however often it is asked', () => {
    const s = new Scene()
    const seq = seqOf(s.has('X', { maxUsesPerUser: 1 }).redeem('X'))
    const first = s.reverse(seq)
    expect(s.later(1_000).reverse(seq)).toEqual(first)
    expect(brief(s.redeem('X', { order: 'o-2' }))).toBe('redeemed 100')
    expect(brief(s.redeem('X', { order: 'o-3' }))).toBe('USER_LIMIT_REACHED')
  })
})
