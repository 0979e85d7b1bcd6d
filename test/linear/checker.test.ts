/** The checker on histories written by hand: what is wrong is found, and what only looks strange is not. */
import { describe, expect, test } from 'vitest'
import { judgeHistory } from './checker.ts'
import {
  historyOf,
  READ,
  receipt,
  redeem,
  refused,
  release,
  reserve,
  reserved,
  reverse,
  shown,
  type Written,
} from './hand-written.ts'
import type { CouponRules } from './operation.ts'

function isRight(rules: Partial<CouponRules>, written: readonly Written[], isTimed = false): boolean {
  return judgeHistory(historyOf(rules, written, isTimed)).isLinearizable
}

const ONE_USE = { maxUses: 1 }
const RELEASED = { kind: 'RELEASED' } as const

describe('wrong histories', () => {
  test.each<[string, Partial<CouponRules>, Written[]]>([
    [
      'a stale read: a redemption was acknowledged before the read began, and it does not count it',
      {},
      [
        { at: [1, 2], call: redeem('a'), answer: receipt('r1') },
        { at: [3, 4], call: READ, answer: shown(0) },
      ],
    ],
    [
      'two reads, one after the other, of which the second knows less',
      {},
      [
        { client: 'ann', at: [1, 9], call: redeem('a'), answer: receipt('r1') },
        { client: 'bob', at: [2, 3], call: READ, answer: shown(1) },
        { client: 'cid', at: [4, 5], call: READ, answer: shown(0) },
      ],
    ],
    [
      'an acknowledged redemption that is lost: the same order is new again',
      {},
      [
        { at: [1, 2], call: redeem('a'), answer: receipt('r1') },
        { at: [3, 4], call: redeem('a'), answer: receipt('r2') },
      ],
    ],
    [
      'the same order with another answer',
      {},
      [
        { at: [1, 2], call: redeem('a'), answer: receipt('r1') },
        { at: [3, 4], call: redeem('a'), answer: receipt('r2', { isNew: false }) },
      ],
    ],
    [
      'an order that is new for two at once',
      {},
      [
        { client: 'ann', at: [1, 4], call: redeem('a'), answer: receipt('r1') },
        { client: 'ann', at: [2, 3], call: redeem('a'), answer: receipt('r2') },
      ],
    ],
    [
      'a first answer that is told as one of before',
      {},
      [{ at: [1, 2], call: redeem('a'), answer: receipt('r1', { isNew: false }) }],
    ],
    [
      'a use of a user whose limit is held by a reservation for another order',
      { maxUsesPerUser: 1 },
      [
        { at: [1, 2], call: reserve('ann', 'a'), answer: reserved('v1') },
        { at: [3, 4], call: redeem('b', 'ann'), answer: receipt('r1') },
      ],
    ],
    [
      'one name for two redemptions',
      {},
      [
        { at: [1, 2], call: redeem('a'), answer: receipt('r1') },
        { at: [3, 4], call: redeem('b'), answer: receipt('r1') },
      ],
    ],
    [
      'a use beyond the limit',
      ONE_USE,
      [
        { client: 'ann', at: [1, 4], call: redeem('a', 'ann'), answer: receipt('r1') },
        { client: 'bob', at: [2, 3], call: redeem('b', 'bob'), answer: receipt('r2') },
      ],
    ],
    [
      'a use beyond the limit of a user',
      { maxUsesPerUser: 1 },
      [
        { client: 'ann', at: [1, 2], call: redeem('a', 'ann'), answer: receipt('r1') },
        { client: 'bob', at: [3, 4], call: redeem('b', 'bob'), answer: receipt('r2') },
        { client: 'ann', at: [5, 6], call: redeem('c', 'ann'), answer: receipt('r3') },
      ],
    ],
    [
      'a use beyond what others have reserved',
      ONE_USE,
      [
        { client: 'ann', at: [1, 2], call: reserve('ann'), answer: reserved('v1') },
        { client: 'bob', at: [3, 4], call: redeem('b', 'bob'), answer: receipt('r1') },
      ],
    ],
    [
      'an answer from the future: a read counts what was asked after it ended',
      {},
      [
        { at: [1, 2], call: READ, answer: shown(1) },
        { at: [3, 4], call: redeem('a'), answer: receipt('r1') },
      ],
    ],
    [
      'a refusal as exhausted while nobody can have used it',
      ONE_USE,
      [
        { client: 'ann', at: [1, 2], call: redeem('a', 'ann'), answer: refused('COUPON_EXHAUSTED') },
        { client: 'bob', at: [3, 4], call: redeem('b', 'bob'), answer: receipt('r1') },
      ],
    ],
    [
      'capacity that a release did not give back',
      ONE_USE,
      [
        { client: 'ann', at: [1, 2], call: reserve('ann'), answer: reserved('v1') },
        { client: 'ann', at: [3, 4], call: release('v1'), answer: RELEASED },
        { client: 'bob', at: [5, 6], call: redeem('b', 'bob'), answer: refused('COUPON_LOCKED') },
      ],
    ],
    [
      'a reversal that gave nothing back',
      ONE_USE,
      [
        { client: 'ann', at: [1, 2], call: redeem('a', 'ann'), answer: receipt('r1') },
        { client: 'ann', at: [3, 4], call: reverse('r1'), answer: receipt('r1', { isNew: false, status: 'REVERSED' }) },
        { client: 'bob', at: [5, 6], call: redeem('b', 'bob'), answer: refused('COUPON_EXHAUSTED') },
      ],
    ],
    [
      'a reversal that gave back twice',
      ONE_USE,
      [
        { at: [1, 2], call: redeem('a'), answer: receipt('r1') },
        { at: [3, 4], call: reverse('r1'), answer: receipt('r1', { isNew: false, status: 'REVERSED' }) },
        { at: [5, 6], call: reverse('r1'), answer: receipt('r1', { isNew: false, status: 'REVERSED' }) },
        { at: [7, 8], call: redeem('b'), answer: receipt('r2') },
        { at: [9, 10], call: redeem('c'), answer: receipt('r3') },
      ],
    ],
    [
      'a reservation that was left aside by its own user',
      {},
      [
        { at: [1, 2], call: reserve(), answer: reserved('v1') },
        { at: [3, 4], call: redeem('a'), answer: receipt('r1', { reservationId: null }) },
      ],
    ],
    [
      'another price than the order has',
      {},
      [{ at: [1, 2], call: redeem('a', 'ann', 1_995), answer: receipt('r1', { discountMinor: 199 }) }],
    ],
    [
      'counters that do not belong together',
      { maxUses: 5 },
      [{ at: [1, 2], call: READ, answer: { kind: 'COUPON', uses: 0, reserved: 0, remaining: 4, status: 'ACTIVE' } }],
    ],
    [
      'a lost call that takes effect after its process was dead, and a read that already missed it',
      {},
      [
        { client: 'ann', at: [1], openUntil: 3, call: redeem('a', 'ann') },
        { client: 'bob', at: [4, 5], call: READ, answer: shown(0) },
        { client: 'bob', at: [6, 7], call: READ, answer: shown(1) },
      ],
    ],
  ])('%s', (_, rules, written) => {
    expect(isRight(rules, written)).toBe(false)
  })

  test('a hold that is over at its time and still in the way', () => {
    const written: Written[] = [
      { client: 'ann', at: [1, 2], timeMs: 1_000, call: reserve('ann', null, 1_000, 1), answer: endsAt(2_000) },
      { client: 'bob', at: [3, 4], timeMs: 2_000, call: redeem('b', 'bob'), answer: refused('COUPON_LOCKED') },
    ]
    expect(isRight(ONE_USE, written, true)).toBe(false)
  })

  test('a hold that is let go before its time', () => {
    const written: Written[] = [
      { client: 'ann', at: [1, 2], timeMs: 1_000, call: reserve('ann', null, 1_000, 1), answer: endsAt(2_000) },
      { client: 'bob', at: [3, 4], timeMs: 1_999, call: redeem('b', 'bob'), answer: receipt('r1') },
    ]
    expect(isRight(ONE_USE, written, true)).toBe(false)
  })

  test('time that goes backwards', () => {
    const written: Written[] = [
      { at: [1, 2], timeMs: 2_000, call: READ, answer: shown(0) },
      { at: [3, 4], timeMs: 1_999, call: READ, answer: shown(0) },
    ]
    expect(isRight({}, written, true)).toBe(false)
  })
})

describe('right histories', () => {
  test.each<[string, Partial<CouponRules>, Written[]]>([
    [
      'overlapping calls in whatever order: the read that began first counts the redemption that began last',
      {},
      [
        { client: 'ann', at: [1, 6], call: READ, answer: shown(1) },
        { client: 'bob', at: [2, 5], call: READ, answer: shown(0) },
        { client: 'cid', at: [3, 4], call: redeem('a', 'cid'), answer: receipt('r1') },
      ],
    ],
    [
      'a lost redemption that never happened',
      ONE_USE,
      [
        { client: 'ann', at: [1], call: redeem('a', 'ann') },
        { client: 'bob', at: [2, 3], call: redeem('b', 'bob'), answer: receipt('r1') },
      ],
    ],
    [
      'a lost redemption that happened',
      ONE_USE,
      [
        { client: 'ann', at: [1], call: redeem('a', 'ann') },
        { client: 'bob', at: [2, 3], call: redeem('b', 'bob'), answer: refused('COUPON_EXHAUSTED') },
        { client: 'ann', at: [4, 5], call: redeem('a', 'ann'), answer: receipt('r1', { isNew: false }) },
      ],
    ],
    [
      'a lost redemption that happens late, after a read has missed it',
      {},
      [
        { client: 'ann', at: [1], call: redeem('a', 'ann') },
        { client: 'bob', at: [2, 3], call: READ, answer: shown(0) },
        { client: 'bob', at: [4, 5], call: READ, answer: shown(1) },
      ],
    ],
    [
      'a lost redemption that must have happened before an answer that fits without it as well',
      {},
      [
        { client: 'ann', at: [1], openUntil: 3, call: redeem('a', 'ann') },
        {
          client: 'bob',
          at: [4, 5],
          call: { type: 'VALIDATE', totalMinor: 1_000 },
          answer: { kind: 'VALIDATED', reason: null, amountMinor: 100 },
        },
        { client: 'bob', at: [6, 7], call: READ, answer: shown(1) },
      ],
    ],
    [
      'of three lost redemptions two happened, and only the end tells which',
      { maxUses: 2 },
      [
        { client: 'ann', at: [1], openUntil: 4, call: redeem('a', 'ann') },
        { client: 'bob', at: [2], openUntil: 4, call: redeem('b', 'bob') },
        { client: 'cid', at: [3], openUntil: 4, call: redeem('c', 'cid') },
        { client: 'dot', at: [5, 6], call: READ, answer: shown(2, 0, 2, 'EXHAUSTED') },
        { client: 'ann', at: [7, 8], call: redeem('a', 'ann'), answer: receipt('r1', { isNew: false }) },
        { client: 'bob', at: [9, 10], call: redeem('b', 'bob'), answer: refused('COUPON_EXHAUSTED') },
        { client: 'cid', at: [11, 12], call: redeem('c', 'cid'), answer: receipt('r2', { isNew: false }) },
      ],
    ],
    [
      'a lost reservation is found again by its user',
      ONE_USE,
      [
        { client: 'ann', at: [1], call: reserve('ann') },
        { client: 'bob', at: [2, 3], call: redeem('b', 'bob'), answer: refused('COUPON_LOCKED') },
        { client: 'ann', at: [4, 5], call: reserve('ann'), answer: reserved('v1', { isNew: false }) },
        { client: 'ann', at: [6, 7], call: redeem('a', 'ann'), answer: receipt('r1', { reservationId: 'v1' }) },
        { client: 'bob', at: [8, 9], call: READ, answer: shown(1, 0, 1, 'REDEEMED') },
      ],
    ],
    [
      'a refused order that gets through once there is room',
      ONE_USE,
      [
        { client: 'ann', at: [1, 2], call: reserve('ann'), answer: reserved('v1') },
        { client: 'bob', at: [3, 4], call: redeem('b', 'bob'), answer: refused('COUPON_LOCKED') },
        { client: 'ann', at: [5, 6], call: release('v1'), answer: RELEASED },
        { client: 'bob', at: [7, 8], call: redeem('b', 'bob'), answer: receipt('r1') },
        {
          client: 'bob',
          at: [9, 10],
          call: reverse('r1'),
          answer: receipt('r1', { isNew: false, status: 'REVERSED' }),
        },
        { client: 'bob', at: [11, 12], call: redeem('b', 'bob'), answer: refused('REDEMPTION_REVERSED') },
        { client: 'ann', at: [13, 14], call: redeem('a', 'ann'), answer: receipt('r2') },
      ],
    ],
    [
      'a switch that changes nothing where it could first be taken, and something where it has to be',
      {},
      [
        { client: 'ann', at: [1, 8], call: { type: 'SWITCH', enabled: true }, answer: shown(0) },
        {
          client: 'bob',
          at: [2, 3],
          call: { type: 'SWITCH', enabled: false },
          answer: shown(0, 0, null, 'DISABLED'),
        },
        { client: 'bob', at: [4, 5], call: READ, answer: shown(0, 0, null, 'DISABLED') },
        { client: 'bob', at: [9, 10], call: READ, answer: shown(0) },
      ],
    ],
    [
      'an order with another cart is told of the conflict',
      {},
      [
        { at: [1, 2], call: redeem('a'), answer: receipt('r1') },
        { at: [3, 4], call: redeem('a', 'ann', 2_000), answer: refused('ORDER_CONFLICT') },
        { at: [5, 6], call: redeem('a', 'bob'), answer: refused('ORDER_CONFLICT') },
      ],
    ],
  ])('%s', (_, rules, written) => {
    expect(isRight(rules, written)).toBe(true)
  })

  test('a hold that is over at its time is free, a late redemption takes it back where there is room', () => {
    const late = { type: 'REDEEM_RESERVATION', reservationId: 'v1', order: 'a', totalMinor: null } as const
    const written: Written[] = [
      { client: 'ann', at: [1, 2], timeMs: 1_000, call: reserve('ann', null, 1_000, 1), answer: endsAt(2_000) },
      { client: 'bob', at: [3, 4], timeMs: 1_999, call: redeem('b', 'bob'), answer: refused('COUPON_LOCKED') },
      { at: [5, 6], timeMs: 2_000, call: { ...late, allowLate: false }, answer: refused('RESERVATION_EXPIRED') },
      { at: [7, 8], timeMs: 2_000, call: { ...late, allowLate: true }, answer: receipt('r1', { reservationId: 'v1' }) },
    ]
    expect(isRight(ONE_USE, written, true)).toBe(true)
    // The price is the reserved one whatever cart is brought, and the same call again is answered the same.
    const carted = { ...late, allowLate: true, totalMinor: 2_000 }
    const again = receipt('r1', { isNew: false, reservationId: 'v1' })
    expect(isRight(ONE_USE, [...written, { at: [9, 10], timeMs: 2_000, call: carted, answer: again }], true)).toBe(true)
  })

  test('a lost reservation ends at a time that nobody knows', () => {
    const lost: Written = { client: 'ann', at: [1], call: reserve('ann', null, 1_000, 1) }
    const refusedAt = (at: [number, number], timeMs: number): Written => {
      return { client: 'bob', at, timeMs, call: redeem('b', 'bob'), answer: refused('COUPON_LOCKED') }
    }
    const redeemedAt = (at: [number, number], timeMs: number): Written => {
      return { client: 'bob', at, timeMs, call: redeem('b', 'bob'), answer: receipt('r1') }
    }
    const before: Written = { at: [2, 3], timeMs: 5_000, call: READ, answer: shown(0, 1, 1, 'LOCKED') }
    expect(isRight(ONE_USE, [before, lost, refusedAt([4, 5], 5_100), redeemedAt([6, 7], 5_200)], true)).toBe(true)
    // It cannot have begun before that instant, so it does not end within the second after it.
    const first: Written = { at: [-2, -1], timeMs: 4_500, call: READ, answer: shown(0, 0, 1) }
    expect(isRight(ONE_USE, [first, lost, before, redeemedAt([6, 7], 5_200)], true)).toBe(false)
    expect(isRight(ONE_USE, [first, lost, before, redeemedAt([6, 7], 5_500)], true)).toBe(true)
  })
})

function endsAt(expiresAtMs: number): ReturnType<typeof reserved> {
  return reserved('v1', { expiresAtMs })
}
