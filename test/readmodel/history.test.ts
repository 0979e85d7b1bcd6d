// The history of a coupon: every event of its life, with its facts, oldest first, page by page.

import { expect, test } from 'vitest'
import { HISTORY_TYPES } from '../../gateway/lists/history-types.ts'
import type { PageEnd, PageRange } from '../../gateway/lists/read-model.ts'
import { bytesOf } from '../../protocol/bytes.ts'
import { EVENT, type Event } from '../../protocol/events.ts'
import { couponWith } from '../engine/support/samples.ts'
import { created, prepared, priceOf, redeemed, reserved, reversed } from './support/events.ts'
import { TestModel } from './support/model.ts'
import { BEGIN_MS, TestLog } from './support/test-log.ts'

const SHARD = 3
const OTHER = 9
const UNTIL_MS = BEGIN_MS + 300_000
const UNTIL = new Date(UNTIL_MS).toISOString()
const TXN = { shard: OTHER, seq: 77 }
const rules = (fields: object): object => ({
  code: 'A',
  type: 'PERCENT',
  value: 10,
  scope: 'ORDER',
  stacking: 'EXCLUSIVE',
  priority: 0,
  listed: false,
  ...fields,
})

/** Events of one coupon with what its history says of each; sequences count from 1. */
const LIFE: readonly (readonly [Event, object])[] = [
  [created(0, 'A'), { type: 'COUPON_CREATED', by: 'marketing', coupon: rules({}) }],
  [
    {
      type: EVENT.COUPON_CHANGED,
      ordinal: 0,
      by: null,
      change: 'EXTENDED',
      reason: 'more "time"',
      definition: couponWith('A', { validUntilMs: UNTIL_MS }),
      imported: null,
    },
    { type: 'COUPON_CHANGED', change: 'EXTENDED', reason: 'more "time"', coupon: rules({ validUntil: UNTIL }) },
  ],
  [
    { type: EVENT.COUPON_SWITCHED, ordinal: 0, by: 'ops', change: 'ENABLED' },
    { type: 'COUPON_SWITCHED', by: 'ops', change: 'ENABLED' },
  ],
  [
    { type: EVENT.COUPON_WINDOW_PASSED, ordinal: 0, edge: 'STARTED' },
    { type: 'COUPON_WINDOW_PASSED', edge: 'STARTED' },
  ],
  [
    reserved([1, 0], UNTIL_MS, { user: 'Zoë', order: 'o-1' }),
    {
      type: 'RESERVED',
      reservationId: 'rsv_035',
      userId: 'Zoë',
      orderId: 'o-1',
      expiresAt: UNTIL,
      amount: 101,
      currency: 'EUR',
    },
  ],
  [
    { type: EVENT.RESERVATION_REPRICED, reservationSeq: 5, ordinals: [1, 0], price: priceOf(7, 8) },
    { type: 'RESERVATION_REPRICED', reservationId: 'rsv_035', amount: 8, currency: 'EUR' },
  ],
  [
    { type: EVENT.RESERVATION_RETIMED, reservationSeq: 5, expiresAtMs: UNTIL_MS + 5 },
    { type: 'RESERVATION_RETIMED', reservationId: 'rsv_035', expiresAt: new Date(UNTIL_MS + 5).toISOString() },
  ],
  [
    { type: EVENT.RESERVATION_RELEASED, reservationSeq: 5, cause: 'COUPON_EXPIRED', expiresAtMs: UNTIL_MS + 5 },
    { type: 'RESERVATION_RELEASED', reservationId: 'rsv_035', cause: 'COUPON_EXPIRED' },
  ],
  // Told by its shard.
  [redeemed([0]), { type: 'A REDEMPTION' }],
  [
    reversed(9, [0], false),
    { type: 'REDEMPTION_REVERSED', redemptionId: 'rdm_039', userId: 'ann', reason: 'refund', returnUse: false },
  ],
  [prepared(TXN, [0]), { type: 'BRANCH_PREPARED', transaction: '9:77', userId: 'ann', orderId: 'order-1' }],
  [
    { type: EVENT.BRANCH_RESERVED, txn: TXN, reservationSeq: 80, expiresAtMs: UNTIL_MS },
    { type: 'BRANCH_RESERVED', transaction: '9:77', reservationId: 'rsv_092g', expiresAt: UNTIL },
  ],
  [
    { type: EVENT.BRANCH_RETIMED, txn: TXN, expiresAtMs: UNTIL_MS },
    { type: 'BRANCH_RETIMED', transaction: '9:77', expiresAt: UNTIL },
  ],
  [
    { type: EVENT.BRANCH_RELEASED, txn: TXN, cause: 'EXPIRED' },
    { type: 'BRANCH_RELEASED', transaction: '9:77', cause: 'EXPIRED' },
  ],
  [prepared({ shard: OTHER, seq: 81 }, [0]), { type: 'BRANCH_PREPARED', transaction: '9:81' }],
  [
    { type: EVENT.BRANCH_ABORTED, txn: { shard: OTHER, seq: 81 } },
    { type: 'BRANCH_ABORTED', transaction: '9:81' },
  ],
  [prepared({ shard: OTHER, seq: 90 }, [1, 0]), { type: 'BRANCH_PREPARED', transaction: '9:90' }],
  [
    {
      type: EVENT.BRANCH_REDEEMED,
      txn: { shard: OTHER, seq: 90 },
      redemptionSeq: 91,
      ordinals: [1, 0],
      user: bytesOf('bob'),
      order: bytesOf('o-2'),
      amounts: [3, 4],
    },
    {
      type: 'BRANCH_REDEEMED',
      transaction: '9:90',
      redemptionId: 'rdm_092v',
      userId: 'bob',
      orderId: 'o-2',
      amount: 4,
    },
  ],
  [
    {
      type: EVENT.BRANCH_REVERSED,
      redemption: { shard: OTHER, seq: 91 },
      heldSeq: 17,
      ordinals: [1, 0],
      user: bytesOf('bob'),
      reason: 'refund',
      returnUse: true,
      amounts: [],
    },
    { type: 'BRANCH_REVERSED', redemptionId: 'rdm_092v', userId: 'bob', reason: 'refund', returnUse: true },
  ],
]

const log = new TestLog()
for (const [index, [event]] of LIFE.entries()) log.append(SHARD, BEGIN_MS + index * 10, event)
const model = new TestModel()
for (const entry of log.entries) model.project([entry])
model.tidy()

test('tells every event with its facts, in order', () => {
  expect(model.history(SHARD, 0)).toMatchObject(
    LIFE.map(([, facts], index) => ({ seq: index + 1, atMs: BEGIN_MS + index * 10, ...facts })),
  )
})

test('tells nothing that an event does not say', () => {
  const [, changed] = model.history(SHARD, 0)
  expect(Object.keys(changed ?? {}).toSorted()).toEqual(['atMs', 'change', 'coupon', 'reason', 'seq', 'type'])
})

test('knows a sentence for every type of the contract', () => {
  const told = new Set(model.history(SHARD, 0).map(({ type }) => type))
  expect(HISTORY_TYPES.filter((type) => !told.has(type) && type !== 'REDEEMED')).toEqual([])
})

test('of another coupon tells what that one took part in', () => {
  expect(model.history(SHARD, 1).map(({ seq }) => seq)).toEqual([5, 6, 7, 8, 17, 18, 19])
  expect(model.history(SHARD, 1)[0]).toMatchObject({ type: 'RESERVED', amount: 100 })
})

test.each([1, 2, 3, 7, 50])('in pages of %i it is the same', (limit) => {
  const whole = model.history(SHARD, 0)
  const read: unknown[] = []
  let after: PageEnd | null = null
  let pages = 0
  do {
    const range: PageRange = { limit, after }
    const page = model.history(SHARD, 0, range)
    read.push(...page)
    after = model.ask({ list: 'history', coupon: { shard: SHARD, ordinal: 0 }, range }).next
    expect(page.length).toBeLessThanOrEqual(limit)
    pages++
  } while (after !== null && pages < 100)
  expect(read).toEqual(whole)
})
