/** Coupons as the people behind them see them: status, limits and windows that change, and what that does to what is open. */
import { describe, expect, test } from 'vitest'
import { OUTCOME } from '../../../protocol/outcomes.ts'
import { brief, Scene, seqOf, START_MS } from '../support/scene.ts'
import { couponWith, create, total } from '../support/samples.ts'

describe('the status is the first that holds', () => {
  const LATER = START_MS + 10_000
  test.each<[string, (s: Scene) => void]>([
    ['ACTIVE', (s) => s.has('X')],
    ['LOCKED', (s) => s.has('X', { maxUses: 1 }).reserve('X')],
    ['ACTIVE', (s) => s.has('X', { maxUses: 2 }).reserve('X')],
    ['SCHEDULED', (s) => s.has('X', { validFromMs: LATER })],
    ['SCHEDULED', (s) => (s.has('X', { maxUses: 1 }).reserve('X'), s.patch('X', { maxUses: 1, validFromMs: LATER }))],
    ['REDEEMED', (s) => s.has('X', { maxUses: 1 }).redeem('X')],
    ['REDEEMED', (s) => (s.has('X', { maxUses: 1 }).redeem('X'), s.patch('X', { maxUses: 1, validFromMs: LATER }))],
    ['EXHAUSTED', (s) => (s.has('X', { maxUses: 2 }).redeem('X'), s.redeem('X', { order: 'o-2' }))],
    ['EXPIRED', (s) => s.has('X', { validUntilMs: START_MS })],
    ['EXPIRED', (s) => (s.has('X', { maxUses: 1 }).redeem('X'), s.expire('X'))],
    ['DISABLED', (s) => (s.has('X', { validUntilMs: START_MS }).redeem('X'), s.switchTo('X', 'DISABLED'))],
    ['ACTIVE', (s) => (s.has('X').switchTo('X', 'DISABLED'), s.switchTo('X', 'ENABLED'))],
  ])('%s', (status, tell) => {
    const s = new Scene()
    tell(s)
    expect(s.coupon('X').status).toBe(status)
  })

  test('a locked coupon names who holds it, and until when', () => {
    const s = new Scene()
    s.has('X', { maxUses: 1 }).reserve('X', { user: 'bob', ttlSeconds: 60 })
    expect(s.coupon('X').lock).toEqual({ userId: 'bob', expiresAtMs: START_MS + 60_000 })
    expect(s.later(60_000).coupon('X').lock).toBe(null)
  })
})

describe('version', () => {
  test('changes with rules and status, never with counters', () => {
    const s = new Scene()
    s.has('X')
    s.redeem('X')
    s.reserve('X', { order: 'o-2' })
    expect(s.coupon('X').version).toBe(1)
    s.switchTo('X', 'DISABLED')
    s.switchTo('X', 'DISABLED')
    expect(s.coupon('X').version).toBe(2)
    s.patch('X', { maxUses: 5 })
    expect(s.coupon('X').version).toBe(3)
    expect(brief(s.patch('X', { maxUses: 6 }, {}, 2))).toBe('VERSION_CONFLICT')
  })

  test('a code that exists is not created again', () => {
    const s = new Scene()
    expect(brief(s.has('X').say(create(couponWith('X'))))).toBe('CODE_TAKEN')
  })
})

describe('changing a limit', () => {
  test.each([
    [3, 'ACTIVE'],
    [2, 'ACTIVE'],
    [1, 'INVALID_TRANSITION'],
  ])('to %i, with one use and one hold: %s', (maxUses, expected) => {
    const s = new Scene()
    s.has('X', { maxUses: 5 }).redeem('X')
    s.reserve('X', { user: 'bob' })
    expect(brief(s.patch('X', { maxUses }))).toBe(expected)
  })

  test('overdue holds do not count, and are released where the limit falls below them', () => {
    const s = new Scene()
    s.has('X', { maxUses: 5 }).reserve('X', { user: 'bob', ttlSeconds: 1 })
    s.reserve('X', { user: 'cid', ttlSeconds: 1 })
    s.later(1_000)
    expect(brief(s.patch('X', { maxUses: 1 }))).toBe('ACTIVE')
    expect(s.events().slice(-3)).toEqual(['RESERVATION_RELEASED', 'RESERVATION_RELEASED', 'COUPON_CHANGED'])
  })

  test('a limit per user that is added later counts from then', () => {
    const s = new Scene()
    s.has('X').redeem('X')
    s.redeem('X', { order: 'o-2' })
    s.patch('X', { maxUsesPerUser: 1 })
    expect(brief(s.redeem('X', { order: 'o-3' }))).toBe('redeemed 100')
    expect(brief(s.redeem('X', { order: 'o-4' }))).toBe('USER_LIMIT_REACHED')
  })

  test('a reservation from before a limit per user does not count, neither while it is open nor when it ends', () => {
    const s = new Scene()
    const seq = seqOf(s.has('X').reserve('X', { order: 'o-1' }))
    s.patch('X', { maxUsesPerUser: 1 })
    expect(brief(s.redeem('X', { order: 'o-2' }))).toBe('redeemed 100')
    expect(brief(s.release(seq))).toBe('released')
    expect(brief(s.redeem('X', { order: 'o-3' }))).toBe('USER_LIMIT_REACHED')
  })

  test('a limit per user taken away and set again counts from the second time', () => {
    const s = new Scene()
    s.has('X', { maxUsesPerUser: 1 }).redeem('X')
    s.patch('X', {})
    s.patch('X', { maxUsesPerUser: 1 })
    expect(brief(s.redeem('X', { order: 'o-2' }))).toBe('redeemed 100')
    expect(brief(s.redeem('X', { order: 'o-3' }))).toBe('USER_LIMIT_REACHED')
  })
})

describe('ending and extending', () => {
  const UNTIL = START_MS + 10_000

  test('expiring releases what is open; it cannot be redeemed late', () => {
    const s = new Scene()
    const seq = seqOf(s.has('X', { maxUses: 1 }).reserve('X'))
    expect(brief(s.expire('X'))).toBe('EXPIRED')
    expect(s.coupon('X')).toMatchObject({ reserved: 0 })
    expect(s.reservation(seq)).toMatchObject({ status: 'EXPIRED' })
    expect(brief(s.redeemReservation(seq, 'o-1', { allowLate: true }))).toBe('RESERVATION_EXPIRED')
    expect(brief(s.release(seq))).toBe('released')
  })

  test('moving validUntil into the past by a patch does the same', () => {
    const s = new Scene()
    const seq = seqOf(s.has('X').reserve('X'))
    s.patch('X', { validUntilMs: START_MS - 1 })
    expect(s.reservation(seq)).toMatchObject({ status: 'EXPIRED' })
  })

  test('an earlier end bounds what is open', () => {
    const s = new Scene()
    const seq = seqOf(s.has('X').reserve('X'))
    s.patch('X', { validUntilMs: UNTIL })
    expect(s.reservation(seq)).toMatchObject({ status: 'RESERVED', expiresAtMs: UNTIL })
  })

  test('expiring a coupon that has ended changes nothing', () => {
    const s = new Scene()
    s.has('X', { validUntilMs: UNTIL }).later(10_000)
    s.expire('X')
    expect(s.coupon('X')).toMatchObject({ version: 1, definition: { validUntilMs: UNTIL } })
  })

  test.each<[string, string, number, number, boolean]>([
    ['to a later end', 'ACTIVE', 0, UNTIL + 1, false],
    ['to the end it has', 'INVALID_TRANSITION', 0, UNTIL, false],
    ['of an expired coupon', 'INVALID_TRANSITION', 10_000, UNTIL + 60_000, false],
    ['of an expired coupon with override', 'ACTIVE', 10_000, UNTIL + 60_000, true],
    ['of an expired coupon into the past', 'INVALID_TRANSITION', 10_000, UNTIL, true],
  ])('an extension %s: %s', (_, expected, waitMs, untilMs, override) => {
    const s = new Scene()
    s.has('X', { validUntilMs: UNTIL }).later(waitMs)
    expect(brief(s.extend('X', untilMs, override))).toBe(expected)
  })

  test.each([[UNTIL + 60_000], [null]])(
    'a patch of validUntil to %s does not bring an expired coupon back',
    (validUntilMs) => {
      const s = new Scene()
      s.has('X', { validUntilMs: UNTIL }).later(10_000)
      expect(brief(s.patch('X', { validUntilMs }))).toBe('INVALID_TRANSITION')
      expect(brief(s.patch('X', { validUntilMs: UNTIL, maxUses: 3 }))).toBe('EXPIRED')
    },
  )

  test('both edges of a window get their events, also where nobody looked until it was over', () => {
    const s = new Scene()
    s.has('X', { validFromMs: START_MS + 1_000, validUntilMs: UNTIL }).later(60_000)
    s.sweep().sweep().sweep()
    expect(s.events()).toEqual(['COUPON_CREATED', 'COUPON_WINDOW_PASSED', 'COUPON_WINDOW_PASSED'])
  })
})

describe('validating', () => {
  test('judges every code for itself, changes nothing, and leaves out what was not asked', () => {
    const s = new Scene()
    s.has('A', {}, { stacking: 'STACKABLE' }).has(
      'B',
      { userId: 'bob' },
      { stacking: 'STACKABLE', minOrderMinor: 5_000 },
    )
    const before = s.shard.state.seq
    expect(brief(s.validate(['A', 'NOPE', 'B']))).toBe('100, COUPON_NOT_FOUND, USER_NOT_ELIGIBLE')
    expect(brief(s.validate(['A', 'B'], total(1_000), null))).toBe('100, MIN_ORDER_NOT_MET')
    expect(s.validate(['A', 'B'], null, null)).toMatchObject({ type: OUTCOME.VALIDATED, price: null })
    expect(s.shard.state.seq).toBe(before)
  })
})
