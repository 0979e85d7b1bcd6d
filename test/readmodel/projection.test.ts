// What each event of the log means for lists of coupons, reservations and redemptions.

import { describe, expect, test } from 'vitest'
import type { ReservationFilter } from '../../gateway/lists/read-model.ts'
import { bytesOf } from '../../protocol/bytes.ts'
import { EVENT, type Event, type StackedCoupon } from '../../protocol/events.ts'
import { couponWith } from '../engine/support/samples.ts'
import { created, prepared, priceOf, redeemed, reserved, reversed } from './support/events.ts'
import { ALL, TestModel } from './support/model.ts'
import { BEGIN_MS, TestLog } from './support/test-log.ts'

const SHARD = 3
const OTHER = 5
const LATER_MS = BEGIN_MS + 1_000
const HOUR_MS = 3_600_000

function modelOf(...events: (Event | number)[]): TestModel {
  const log = new TestLog()
  log.append(SHARD, BEGIN_MS, ...events)
  const model = new TestModel()
  model.project(log.entries)
  return model
}

/** One coupon's state as a list shows it. */
function stateOf(model: TestModel, code: string, nowMs = LATER_MS): Record<string, unknown> {
  const coupon = model.coupons(nowMs).find((each) => each['code'] === code)
  if (coupon === undefined) throw new Error(`no ${code} in the list`)
  const { status, uses, reserved: held, version, lockedBy, lockExpiresAt } = coupon
  const lock = lockedBy === undefined ? {} : { lockedBy, lockExpiresAt }
  return { status, uses, reserved: held, version, ...lock }
}

function reservationsOf(model: TestModel, filter: Partial<ReservationFilter> = {}): string[] {
  return model.places({ list: 'reservations', filter: { coupon: null, userId: null, ...filter }, range: ALL })
}

const NO_REDEMPTION_FILTER = { coupon: null, campaign: null, userId: null, orderId: null, fromMs: null, toMs: null }

describe('coupons of one shard', () => {
  test('a creation is a row', () => {
    const model = modelOf(created(0, 'NEW', { maxUses: 3, category: 'food' }))
    expect(model.coupons(LATER_MS)).toEqual([
      {
        couponId: 'cpn_030',
        code: 'NEW',
        type: 'PERCENT',
        value: 10,
        category: 'food',
        maxUses: 3,
        scope: 'ORDER',
        stacking: 'EXCLUSIVE',
        priority: 0,
        listed: false,
        status: 'ACTIVE',
        uses: 0,
        reserved: 0,
        remaining: 3,
        version: 1,
        createdAt: new Date(BEGIN_MS).toISOString(),
        updatedAt: new Date(BEGIN_MS).toISOString(),
      },
    ])
  })

  test('a change replaces the rules, and moves version and time on', () => {
    const definition = couponWith('CHANGED', { category: 'toys', maxUses: 9, validUntilMs: LATER_MS + HOUR_MS })
    const model = modelOf(created(0, 'CHANGED', { category: 'food' }), 700, {
      type: EVENT.COUPON_CHANGED,
      ordinal: 0,
      by: null,
      change: 'PATCHED',
      reason: null,
      definition,
      imported: null,
    })
    expect(model.coupons(LATER_MS, { category: 'toys', expiresAfterMs: LATER_MS })).toMatchObject([
      { code: 'CHANGED', maxUses: 9, version: 2, updatedAt: new Date(BEGIN_MS + 700).toISOString() },
    ])
    expect(model.codes(LATER_MS, { category: 'food' })).toEqual([])
  })

  test.each(['DISABLED', 'DELETED'] as const)(
    'switched to %s it is disabled, and enabled again it is not',
    (change) => {
      const off: Event = { type: EVENT.COUPON_SWITCHED, ordinal: 0, by: null, change }
      expect(stateOf(modelOf(created(0, 'S'), off), 'S')).toMatchObject({ status: 'DISABLED', version: 2 })
      const on: Event = { type: EVENT.COUPON_SWITCHED, ordinal: 0, by: null, change: 'ENABLED' }
      expect(stateOf(modelOf(created(0, 'S'), off, on), 'S')).toMatchObject({ status: 'ACTIVE', version: 3 })
    },
  )

  test('the clock moves a window on, with or without an event', () => {
    const windowed = created(0, 'W', { validFromMs: BEGIN_MS + 10, validUntilMs: BEGIN_MS + 20 })
    const passed: Event = { type: EVENT.COUPON_WINDOW_PASSED, ordinal: 0, edge: 'STARTED' }
    for (const model of [modelOf(windowed), modelOf(windowed, 10, passed)]) {
      expect(stateOf(model, 'W', BEGIN_MS + 9)).toMatchObject({ status: 'SCHEDULED', version: 1 })
      expect(stateOf(model, 'W', BEGIN_MS + 10)).toMatchObject({ status: 'ACTIVE', version: 1 })
      expect(stateOf(model, 'W', BEGIN_MS + 20)).toMatchObject({ status: 'EXPIRED', version: 1 })
    }
  })

  test('a redemption uses each of its coupons once', () => {
    const model = modelOf(created(0, 'ONE', { maxUses: 1 }), created(1, 'MANY', { maxUses: 5 }), redeemed([0, 1]))
    expect(stateOf(model, 'ONE')).toEqual({ status: 'REDEEMED', uses: 1, reserved: 0, version: 1 })
    expect(stateOf(model, 'MANY')).toEqual({ status: 'ACTIVE', uses: 1, reserved: 0, version: 1 })
  })

  test('uses up to the limit exhaust it, and a reversal gives a use back when it says so', () => {
    const full = [created(0, 'TWO', { maxUses: 2 }), redeemed([0]), redeemed([0], { order: 'order-2' })]
    expect(stateOf(modelOf(...full), 'TWO')).toMatchObject({ status: 'EXHAUSTED', uses: 2 })
    expect(stateOf(modelOf(...full, reversed(2, [0], true)), 'TWO')).toMatchObject({ status: 'ACTIVE', uses: 1 })
    expect(stateOf(modelOf(...full, reversed(2, [0], false)), 'TWO')).toMatchObject({ status: 'EXHAUSTED', uses: 2 })
  })

  test('a reservation holds until its time, and no longer', () => {
    const untilMs = BEGIN_MS + 500
    const model = modelOf(created(0, 'LOCK', { maxUses: 1 }), reserved([0], untilMs, { user: 'bob' }))
    expect(stateOf(model, 'LOCK', untilMs - 1)).toEqual({
      status: 'LOCKED',
      uses: 0,
      reserved: 1,
      version: 1,
      lockedBy: 'bob',
      lockExpiresAt: new Date(untilMs).toISOString(),
    })
    expect(stateOf(model, 'LOCK', untilMs)).toEqual({ status: 'ACTIVE', uses: 0, reserved: 0, version: 1 })
  })

  test('a reservation moved in time, released, or redeemed', () => {
    const begin = [created(0, 'R', { maxUses: 4 }), reserved([0], BEGIN_MS + 500)]
    const retimed: Event = { type: EVENT.RESERVATION_RETIMED, reservationSeq: 2, expiresAtMs: BEGIN_MS + HOUR_MS }
    expect(stateOf(modelOf(...begin, retimed), 'R')).toMatchObject({ reserved: 1 })
    const released: Event = {
      type: EVENT.RESERVATION_RELEASED,
      reservationSeq: 2,
      cause: 'RELEASED',
      expiresAtMs: BEGIN_MS + HOUR_MS,
    }
    expect(stateOf(modelOf(...begin, retimed, released), 'R')).toMatchObject({ uses: 0, reserved: 0 })
    const made = redeemed([0], { reservationSeq: 2 })
    expect(stateOf(modelOf(...begin, retimed, made), 'R')).toMatchObject({ uses: 1, reserved: 0 })
  })

  test('a late redemption counts though its reservation was closed before', () => {
    const released: Event = {
      type: EVENT.RESERVATION_RELEASED,
      reservationSeq: 2,
      cause: 'EXPIRED',
      expiresAtMs: BEGIN_MS + 1,
    }
    const model = modelOf(
      created(0, 'LATE', { maxUses: 4 }),
      reserved([0], BEGIN_MS + 1),
      released,
      redeemed([0], { reservationSeq: 2, late: true }),
    )
    expect(stateOf(model, 'LATE')).toMatchObject({ uses: 1, reserved: 0 })
  })

  test('a new price changes nothing that a list of coupons shows', () => {
    const repriced: Event = { type: EVENT.RESERVATION_REPRICED, reservationSeq: 2, ordinals: [0], price: priceOf(7) }
    const model = modelOf(created(0, 'P', { maxUses: 4 }), reserved([0], BEGIN_MS + HOUR_MS), repriced)
    expect(stateOf(model, 'P')).toEqual({ status: 'ACTIVE', uses: 0, reserved: 1, version: 1 })
  })

  test('events of a whole shard touch no coupon', () => {
    const before = modelOf(created(0, 'Q')).image()
    const digest = bytesOf('d'.repeat(32))
    const operation = bytesOf('o'.repeat(16))
    const model = modelOf(
      created(0, 'Q'),
      { type: EVENT.ORDERS_FORGOTTEN, beforeSeq: 1 },
      { type: EVENT.CLOCK_DIFFERED, wallMs: 5, stampedMs: 9 },
      { type: EVENT.MESSAGES_DELIVERED, seqs: [1], shards: [2] },
      { type: EVENT.KEY_CLAIMED, scope: null, key: 'k', digest, operation },
      { type: EVENT.KEY_ANSWERED, scope: null, key: 'k', claimSeq: 5, answer: null },
      { type: EVENT.OPERATION_DONE, operation, shows: 'NOTHING', number: 0, again: false },
      { type: EVENT.KEYS_FORGOTTEN, beforeSeq: 2 },
    )
    expect(model.image()).toEqual({ ...before, cursor: [[SHARD, 8]] })
  })
})

describe('redemptions and reservations', () => {
  const log = new TestLog()
  log.append(SHARD, BEGIN_MS, created(0, 'A'), created(1, 'B'))
  log.append(OTHER, BEGIN_MS, created(0, 'C'))
  log.append(SHARD, BEGIN_MS + 10, redeemed([0], { user: 'ann', order: 'o-1' }))
  log.append(OTHER, BEGIN_MS + 20, redeemed([0], { user: 'ann', order: 'o-2' }), reserved([0], LATER_MS))
  log.append(SHARD, BEGIN_MS + 30, redeemed([0, 1], { user: 'bob', order: 'o-1' }))
  log.append(SHARD, BEGIN_MS + 40, reserved([1], LATER_MS, { user: 'bob' }), 5, reserved([0, 1], LATER_MS))
  const model = new TestModel()
  model.project(log.entries)

  function redemptions(filter: Partial<typeof NO_REDEMPTION_FILTER | Record<string, unknown>>): string[] {
    return model.places({ list: 'redemptions', filter: { ...NO_REDEMPTION_FILTER, ...filter }, range: ALL })
  }

  test.each([
    ['all, the newest first', {}, ['3:4', '5:2', '3:3']],
    ['of a user', { userId: 'ann' }, ['5:2', '3:3']],
    ['of an order', { orderId: 'o-1' }, ['3:4', '3:3']],
    ['of a coupon', { coupon: { shard: SHARD, ordinal: 0 } }, ['3:4', '3:3']],
    ['of a coupon that shares a redemption', { coupon: { shard: SHARD, ordinal: 1 } }, ['3:4']],
    ['of a coupon with the same number on another shard', { coupon: { shard: OTHER, ordinal: 0 } }, ['5:2']],
    ['of a user on a coupon', { userId: 'ann', coupon: { shard: SHARD, ordinal: 0 } }, ['3:3']],
    ['of a user with an order', { userId: 'bob', orderId: 'o-1' }, ['3:4']],
    ['of a user with the order of another', { userId: 'bob', orderId: 'o-2' }, []],
    ['from an instant on', { fromMs: BEGIN_MS + 20 }, ['3:4', '5:2']],
    ['up to an instant, exclusive', { toMs: BEGIN_MS + 20 }, ['3:3']],
    ['of a user within a time', { userId: 'ann', fromMs: BEGIN_MS + 10, toMs: BEGIN_MS + 20 }, ['3:3']],
    ['of nobody', { userId: 'nobody' }, []],
  ])('redemptions %s', (_, filter, expected) => {
    expect(redemptions(filter)).toEqual(expected)
  })

  test.each([
    ['all, the newest first', {}, ['3:6', '3:5', '5:3']],
    ['of a user', { userId: 'bob' }, ['3:5']],
    ['of a coupon', { coupon: { shard: SHARD, ordinal: 1 } }, ['3:6', '3:5']],
    ['of a user on a coupon', { userId: 'ann', coupon: { shard: SHARD, ordinal: 1 } }, ['3:6']],
  ])('reservations %s', (_, filter, expected) => {
    expect(reservationsOf(model, filter)).toEqual(expected)
  })
})

describe('coupons on several shards', () => {
  /** Shard 3 coordinates; its transaction begins at sequence 2, right behind the creation. */
  const txn = { shard: SHARD, seq: 2 }
  const coupons: StackedCoupon[] = [
    { shard: OTHER, ordinal: 0, code: 'P', heldSeq: 2 },
    { shard: SHARD, ordinal: 0, code: 'C', heldSeq: 2 },
  ]
  const stack = { txnSeq: 2, coupons }
  const untilMs = BEGIN_MS + HOUR_MS

  class Pair {
    readonly log = new TestLog()
    readonly model = new TestModel()
    private projected = 0

    constructor() {
      this.log.append(SHARD, BEGIN_MS, created(0, 'C', { maxUses: 5 }))
      this.log.append(OTHER, BEGIN_MS, created(0, 'P', { maxUses: 1 }))
      this.log.append(SHARD, BEGIN_MS, prepared({ shard: SHARD, seq: 0 }, [0], { shards: [OTHER] }))
      this.log.append(OTHER, BEGIN_MS, prepared(txn, [0]))
    }

    on(shard: number, event: Event): this {
      this.log.append(shard, BEGIN_MS, event)
      return this
    }

    reserve(): this {
      return this.on(SHARD, reserved([0], untilMs, { stack })).on(OTHER, {
        type: EVENT.BRANCH_RESERVED,
        txn,
        reservationSeq: 3,
        expiresAtMs: untilMs,
      })
    }

    /** Uses and holds of both; `inBatches`: every entry is a batch of its own. */
    counters(nowMs = LATER_MS, inBatches = false): Record<string, unknown>[] {
      const entries = this.log.entries.slice(this.projected)
      this.projected = this.log.entries.length
      if (inBatches) for (const entry of entries) this.model.project([entry])
      else this.model.project(entries)
      return ['C', 'P'].map((code) => {
        const { uses, reserved: held } = stateOf(this.model, code, nowMs)
        return { uses, reserved: held }
      })
    }
  }

  const none = { uses: 0, reserved: 0 }
  const held = { uses: 0, reserved: 1 }
  const used = { uses: 1, reserved: 0 }
  const BRANCH_REDEEMED: Event = {
    type: EVENT.BRANCH_REDEEMED,
    txn,
    redemptionSeq: 3,
    ordinals: [0],
    user: bytesOf('ann'),
    order: bytesOf('order-1'),
    amounts: [100],
  }

  test.each([false, true])('what is prepared is held, whatever the clock says (a batch an entry: %s)', (inBatches) => {
    expect(new Pair().counters(untilMs * 2, inBatches)).toEqual([held, held])
  })

  test.each([false, true])('aborted it is free again (a batch an entry: %s)', (inBatches) => {
    const aborted: Event = { type: EVENT.BRANCH_ABORTED, txn }
    expect(new Pair().on(SHARD, aborted).on(OTHER, aborted).counters(LATER_MS, inBatches)).toEqual([none, none])
  })

  test.each([false, true])(
    'redeemed at once it is used, and stands in all lists once (a batch an entry: %s)',
    (inBatches) => {
      const pair = new Pair().on(SHARD, redeemed([0], { stack })).on(OTHER, BRANCH_REDEEMED)
      expect(pair.counters(LATER_MS, inBatches)).toEqual([used, used])
      for (const filter of [{}, { coupon: { shard: SHARD, ordinal: 0 } }, { coupon: { shard: OTHER, ordinal: 0 } }]) {
        const question = { list: 'redemptions', filter: { ...NO_REDEMPTION_FILTER, ...filter }, range: ALL } as const
        expect(pair.model.places(question)).toEqual(['3:3'])
      }
      expect(pair.model.history(OTHER, 0).map(({ type }) => type)).toEqual([
        'COUPON_CREATED',
        'BRANCH_PREPARED',
        'BRANCH_REDEEMED',
      ])
      expect(pair.model.history(SHARD, 0).map(({ type }) => type)).toEqual([
        'COUPON_CREATED',
        'BRANCH_PREPARED',
        'A REDEMPTION',
      ])
    },
  )

  test.each([false, true])(
    'reserved, the clock lets go where it was decided only (a batch an entry: %s)',
    (inBatches) => {
      const pair = new Pair().reserve()
      expect(pair.counters(LATER_MS, inBatches)).toEqual([held, held])
      expect(stateOf(pair.model, 'P', untilMs - 1)).toMatchObject({
        status: 'LOCKED',
        lockedBy: 'ann',
        lockExpiresAt: new Date(untilMs).toISOString(),
      })
      expect(pair.counters(untilMs)).toEqual([none, held])
      for (const shard of [SHARD, OTHER]) {
        expect(reservationsOf(pair.model, { coupon: { shard, ordinal: 0 } })).toEqual(['3:3'])
      }
    },
  )

  test.each([false, true])('a reservation moved in time, then released (a batch an entry: %s)', (inBatches) => {
    const laterMs = untilMs + HOUR_MS
    const pair = new Pair()
      .reserve()
      .on(SHARD, { type: EVENT.RESERVATION_RETIMED, reservationSeq: 3, expiresAtMs: laterMs })
      .on(OTHER, { type: EVENT.BRANCH_RETIMED, txn, expiresAtMs: laterMs })
    expect(pair.counters(untilMs, inBatches)).toEqual([held, held])
    expect(stateOf(pair.model, 'P')).toMatchObject({ lockExpiresAt: new Date(laterMs).toISOString() })
    pair
      .on(SHARD, { type: EVENT.RESERVATION_RELEASED, reservationSeq: 3, cause: 'RELEASED', expiresAtMs: laterMs })
      .on(OTHER, { type: EVENT.BRANCH_RELEASED, txn, cause: 'RELEASED' })
    expect(pair.counters(LATER_MS, inBatches)).toEqual([none, none])
    expect(pair.model.image()).toMatchObject({ hold: [], alias: [] })
  })

  test.each([false, true])(
    'a reservation prepared for an order: aborted, then redeemed (a batch an entry: %s)',
    (inBatches) => {
      const second = { shard: SHARD, seq: 4 }
      const pair = new Pair()
        .reserve()
        .on(SHARD, prepared({ shard: SHARD, seq: 0 }, [0], { reservationTxnSeq: 2, shards: [OTHER] }))
        .on(OTHER, prepared(second, [0], { reservationTxnSeq: 2 }))
      // Undecided, so no clock lets go.
      expect(pair.counters(untilMs, inBatches)).toEqual([held, held])
      const aborted: Event = { type: EVENT.BRANCH_ABORTED, txn: second }
      pair.on(SHARD, aborted).on(OTHER, aborted)
      expect(pair.counters(untilMs, inBatches)).toEqual([none, held])
      const third = { shard: SHARD, seq: 6 }
      pair
        .on(SHARD, prepared({ shard: SHARD, seq: 0 }, [0], { reservationTxnSeq: 2, shards: [OTHER] }))
        .on(OTHER, prepared(third, [0], { reservationTxnSeq: 2 }))
        .on(SHARD, redeemed([0], { reservationSeq: 3, stack: { txnSeq: 6, coupons } }))
        .on(OTHER, { ...BRANCH_REDEEMED, txn: third, redemptionSeq: 7 })
      expect(pair.counters(LATER_MS, inBatches)).toEqual([used, used])
      expect(pair.model.image()).toMatchObject({ hold: [], alias: [] })
    },
  )

  test('a reversal gives the uses back on every shard', () => {
    const pair = new Pair()
      .on(SHARD, redeemed([0], { stack }))
      .on(OTHER, BRANCH_REDEEMED)
      .on(SHARD, { ...reversed(3, [0], true), stack: { heldSeq: 2, shards: [OTHER] } })
      .on(OTHER, {
        type: EVENT.BRANCH_REVERSED,
        redemption: { shard: SHARD, seq: 3 },
        heldSeq: 2,
        ordinals: [0],
        user: bytesOf('ann'),
        reason: 'refund',
        returnUse: true,
        amounts: [],
      })
    expect(pair.counters()).toEqual([none, none])
  })
})
