/** Corners of two-phase redemption, one story each: retries, reservations that end, rules that move. */
import { describe, expect, test } from 'vitest'
import { MESSAGE } from '../../../protocol/messages.ts'
import { brief } from '../support/scene.ts'
import { CLUSTER_BEGIN_MS } from '../support/shard-cluster.ts'
import { couponWith, total } from '../support/samples.ts'
import { AB, BA, expectQuiet, pair } from '../stack/pair.ts'

describe('two coupons on two shards', () => {
  test('are redeemed together, logged on both, and told once', () => {
    const scene = pair()
    expect(brief(scene.redeem(AB))).toBe('redeemed 190')
    scene.cluster.pass(100)
    expect(scene.counts(...AB)).toBe('1/0 1/0')
    expect(scene.events(0)).toEqual(['COUPON_CREATED', 'BRANCH_PREPARED', 'REDEEMED', 'MESSAGES_DELIVERED'])
    expect(scene.events(1)).toEqual(['COUPON_CREATED', 'BRANCH_PREPARED', 'BRANCH_REDEEMED'])
    expectQuiet(scene)
  })

  test('a double click redeems once', () => {
    const scene = pair()
    const clicks = [scene.begins.redeem(AB), scene.begins.redeem(BA)]
    scene.cluster.run().pass(600)
    expect(clicks.map((click) => scene.saysOf(click)).sort()).toEqual(['redeemed 190', 'redeemed 190 again'])
    expect(scene.counts(...AB)).toBe('1/0 1/0')
  })

  test('a double click reserves once, without an order and without limits', () => {
    const scene = pair()
    const clicks = [scene.begins.reserve(AB), scene.begins.reserve(BA)]
    scene.cluster.run().pass(600)
    expect(clicks.map((click) => scene.saysOf(click)).sort()).toEqual(['reserved 190', 'reserved 190 again'])
    expect(scene.counts(...AB)).toBe('0/1 0/1')
  })

  test('an order that redeemed one of them before is a conflict, on either shard', () => {
    const scene = pair()
    scene.redeem(['A0'], { order: 'o-a' })
    scene.redeem(['B1'], { order: 'o-b' })
    expect(brief(scene.redeem(AB, { order: 'o-a' }))).toBe('ORDER_CONFLICT')
    expect(brief(scene.redeem(AB, { order: 'o-b' }))).toBe('ORDER_CONFLICT of code 2')
    expect(brief(scene.reserve(AB, { order: 'o-b' }))).toBe('ORDER_CONFLICT of code 2')
    expect(scene.counts(...AB)).toBe('1/0 1/0')
  })

  test('an order that redeemed both is a conflict on either alone', () => {
    const scene = pair()
    scene.redeem(AB)
    expect(brief(scene.redeem(['A0']))).toBe('ORDER_CONFLICT')
    expect(brief(scene.redeem(['B1']))).toBe('ORDER_CONFLICT')
    expect(brief(scene.redeem(AB, { cart: total(2_000) }))).toBe('ORDER_CONFLICT')
    expect(brief(scene.redeem(AB, { user: 'bob' }))).toBe('ORDER_CONFLICT')
  })

  test('after a reversal the order is told so on every way', () => {
    const scene = pair({ maxUses: 1 })
    const id = scene.madeBy(AB, scene.redeem(AB))
    expect(brief(scene.reverse(id))).toBe('reversed 190')
    scene.cluster.pass(100)
    expect(scene.counts(...AB)).toBe('0/0 0/0')
    expect(brief(scene.redeem(AB))).toBe('REDEMPTION_REVERSED')
    expect(brief(scene.redeem(AB, { order: 'o-2' }))).toBe('redeemed 190')
    expect(brief(scene.reverse(scene.madeBy(AB, scene.redeem(AB, { order: 'o-2' })), false))).toBe('reversed 190')
    scene.cluster.pass(100)
    expect(scene.counts(...AB)).toBe('1/0 1/0')
    expectQuiet(scene)
  })

  test('are redeemed where a hold that ran out is in the way on the shard that coordinates', () => {
    const scene = pair({ maxUses: 1 })
    scene.reserve(['A0'], { user: 'bob', ttlSeconds: 1 })
    scene.cluster.elapsedMs += 1_000
    const call = scene.begins.redeem(AB)
    scene.cluster.run()
    expect(scene.saysOf(call)).toBe('redeemed 190')
    expect(scene.events(0).slice(1, 4)).toEqual(['RESERVED', 'RESERVATION_RELEASED', 'BRANCH_PREPARED'])
  })

  test('rules that move between quote and prepare are quoted anew', () => {
    const scene = pair()
    const call = scene.begins.redeem(AB)
    scene.runOnly(({ type }) => type !== MESSAGE.PREPARE)
    const definition = couponWith('B1', {}, { stacking: 'STACKABLE', percentBps: 5_000 })
    const patch = scene.cluster.call(1, {
      type: 14,
      coupon: { code: 'B1', ordinal: -1 },
      by: null,
      change: 'PATCHED',
      reason: null,
      ifVersion: 1,
      definition,
      validUntilMs: 0,
      override: false,
    })
    scene.runOnly(({ type }) => type !== MESSAGE.PREPARE)
    expect(scene.saysOf(patch)).toBe('ACTIVE')
    scene.cluster.run()
    expect(scene.saysOf(call)).toBe('redeemed 550')
    expect(scene.events(0)).toEqual([
      'COUPON_CREATED',
      'BRANCH_PREPARED',
      'BRANCH_ABORTED',
      'BRANCH_PREPARED',
      'REDEEMED',
    ])
  })
})

describe('two calls on one stacked reservation', () => {
  test('a release between hand-over and quotes closes it', () => {
    const scene = pair()
    const id = scene.madeBy(AB, scene.reserve(AB))
    const redeem = scene.begins.redeemReservation(id, 'o-1')
    expect(brief(scene.release(id))).toBe('released')
    scene.cluster.pass(400)
    expect(scene.saysOf(redeem)).toBe('RESERVATION_CLOSED')
  })

  test('an extension and a release', () => {
    const scene = pair()
    const id = scene.madeBy(AB, scene.reserve(AB))
    const extend = scene.begins.extend(id, 3_000)
    expect(brief(scene.release(id))).toBe('released')
    scene.cluster.pass(400)
    expect(scene.saysOf(extend)).toBe('RESERVATION_CLOSED')
  })

  test('a redemption for another order at the same time', () => {
    const scene = pair()
    const id = scene.madeBy(AB, scene.reserve(AB))
    const first = scene.begins.redeemReservation(id, 'o-1')
    const second = scene.begins.redeemReservation(id, 'o-2')
    scene.cluster.run().pass(600)
    expect([scene.saysOf(first), scene.saysOf(second)]).toEqual(['redeemed 190', 'RESERVATION_CLOSED'])
    expect(scene.counts(...AB)).toBe('1/0 1/0')
  })

  test('a release while it is being redeemed waits for the end of that', () => {
    const scene = pair()
    const id = scene.madeBy(AB, scene.reserve(AB))
    const redeem = scene.begins.redeemReservation(id, 'o-1')
    scene.runOnly(({ type }) => type !== MESSAGE.PREPARE)
    const release = scene.begins.release(id)
    expect(scene.saysOf(release)).toBe('waits')
    scene.cluster.run()
    expect([scene.saysOf(redeem), scene.saysOf(release)]).toEqual(['redeemed 190', 'RESERVATION_CLOSED'])
  })

  test('it runs out while its redemption asks the other shards', () => {
    const scene = pair({ maxUses: 1 })
    const id = scene.madeBy(AB, scene.reserve(AB, { ttlSeconds: 1 }))
    scene.cluster.pass(990)
    const strict = scene.begins.redeemReservation(id, 'o-1')
    scene.cluster.elapsedMs += 15
    scene.cluster.run()
    expect(scene.saysOf(strict)).toBe('RESERVATION_EXPIRED')
  })

  test('it runs out while its late redemption asks the other shards: redeemed late, and it stays redeemed', () => {
    for (const sweeps of [false, true]) {
      const scene = pair({ maxUses: 5 })
      const id = scene.madeBy(AB, scene.reserve(AB, { ttlSeconds: 1 }))
      scene.cluster.pass(990)
      const late = scene.begins.redeemReservation(id, 'o-1', { allowLate: true })
      if (sweeps) scene.cluster.pass(40, false)
      else scene.cluster.elapsedMs += 15
      scene.cluster.run().pass(600)
      expect(scene.saysOf(late)).toBe('redeemed 190')
      expect(scene.counts(...AB)).toBe('1/0 1/0')
      expect(brief(scene.reservation(id))).toBe('redeemed 190 again')
      expectQuiet(scene)
    }
  })

  test('it runs out while its late redemption asks, and the last use there was its own', () => {
    const scene = pair({ maxUses: 1 })
    const id = scene.madeBy(AB, scene.reserve(AB, { ttlSeconds: 1 }))
    scene.cluster.pass(990)
    const late = scene.begins.redeemReservation(id, 'o-1', { allowLate: true })
    scene.cluster.elapsedMs += 15
    scene.cluster.run().pass(600)
    expect(scene.saysOf(late)).toBe('redeemed 190')
    expect(scene.counts(...AB)).toBe('1/0 1/0')
    expect(brief(scene.reservation(id))).toBe('redeemed 190 again')
  })
})

describe('late redemption over several shards', () => {
  test.each([
    ['nobody took it', [], 'redeemed 190'],
    ['the last use here is gone', ['A0'], 'COUPON_EXHAUSTED'],
    ['the last use there is gone', ['B1'], 'COUPON_EXHAUSTED of code 2'],
  ])('%s', (_, taken, says) => {
    const scene = pair({ maxUses: 1 })
    const id = scene.madeBy(AB, scene.reserve(AB, { ttlSeconds: 1 }))
    scene.cluster.pass(1_100)
    for (const code of taken) scene.redeem([code], { user: 'bob', order: `o-${code}` })
    expect(brief(scene.redeemReservation(id, 'o-1'))).toBe('RESERVATION_EXPIRED')
    expect(brief(scene.redeemReservation(id, 'o-1', { allowLate: true }))).toBe(says)
    scene.cluster.pass(100)
    expectQuiet(scene)
  })

  test('for two orders at the same time redeems it once', () => {
    const scene = pair({ maxUses: 5 })
    const id = scene.madeBy(AB, scene.reserve(AB, { ttlSeconds: 1 }))
    scene.cluster.pass(1_100)
    const calls = ['o-1', 'o-2'].map((order) => scene.begins.redeemReservation(id, order, { allowLate: true }))
    scene.cluster.run().pass(600)
    expect(calls.map((call) => scene.saysOf(call)).sort()).toEqual(['RESERVATION_CLOSED', 'redeemed 190'])
    expect(scene.counts(...AB)).toBe('1/0 1/0')
    expectQuiet(scene)
  })

  test('straight after a crash, before the other shard was told of its end', () => {
    const scene = pair({ maxUses: 1 })
    const id = scene.madeBy(AB, scene.reserve(AB, { ttlSeconds: 1 }))
    scene.cluster.pass(1_100, false)
    scene.cluster.settleFlushes()
    scene.cluster.crash()
    expect(brief(scene.redeemReservation(id, 'o-1', { allowLate: true }))).toBe('redeemed 190')
  })
})

describe('a reservation never outlasts its coupons', () => {
  test.each([
    ['the coordinator', 'A0'],
    ['another shard', 'B1'],
  ])('expired on %s while it is open', (_, code) => {
    const scene = pair()
    const id = scene.madeBy(AB, scene.reserve(AB))
    scene.expire(code)
    scene.cluster.pass(200)
    expect(scene.counts(...AB)).toBe('0/0 0/0')
    expect(brief(scene.reservation(id))).toBe('expired 190 again')
    expectQuiet(scene)
  })

  test.each([
    ['the coordinator', 'A0', MESSAGE.PREPARE],
    ['another shard', 'B1', MESSAGE.PREPARED],
  ])('expired on %s while it is being made', (_, code, held) => {
    const scene = pair()
    const reserve = scene.begins.reserve(AB)
    scene.runOnly(({ type }) => type !== held)
    const change = scene.cluster.call(code === 'A0' ? 0 : 1, {
      type: 14,
      coupon: { code, ordinal: -1 },
      by: null,
      change: 'EXPIRED',
      reason: 'over',
      ifVersion: 0,
      definition: null,
      validUntilMs: 0,
      override: false,
    })
    scene.runOnly(({ type }) => type !== held)
    expect(scene.saysOf(change)).toBe('EXPIRED')
    scene.cluster.run().pass(400)
    expect(scene.saysOf(reserve)).toBe('reserved 190')
    expect(scene.counts(...AB)).toBe('0/0 0/0')
    expectQuiet(scene)
  })

  test.each([
    ['the coordinator', 'A0'],
    ['another shard', 'B1'],
  ])('it is cut short when the coupon of %s ends earlier, and an extension is bounded by it', (_, code) => {
    const scene = pair()
    const id = scene.madeBy(AB, scene.reserve(AB))
    const endsMs = CLUSTER_BEGIN_MS + 60_000
    scene.patch(code, { validUntilMs: endsMs })
    scene.cluster.pass(200)
    expect(scene.extend(id, 3_000)).toMatchObject({ expiresAtMs: endsMs })
    expect(scene.reservation(id)).toMatchObject({ expiresAtMs: endsMs })
  })

  test('a disabled coupon leaves it alone', () => {
    const scene = pair()
    const id = scene.madeBy(AB, scene.reserve(AB))
    scene.switchTo('B1', 'DISABLED')
    scene.switchTo('A0', 'DISABLED')
    expect(brief(scene.redeemReservation(id, 'o-1'))).toBe('redeemed 190')
  })
})
