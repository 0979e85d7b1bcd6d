/** Corners of two-phase redemption, one story each. */
import { describe, expect, test } from 'vitest'
import { MESSAGE } from '../../../protocol/messages.ts'
import { brief } from '../support/scene.ts'
import { CLUSTER_BEGIN_MS } from '../support/shard-cluster.ts'
import { couponWith, total } from '../support/samples.ts'
import { StackScene } from '../stack/stack-scene.ts'

const AB = ['A0', 'B1'] as const
const BA = ['B1', 'A0'] as const

function pair(fields = {}): StackScene {
  const scene = new StackScene().has('A0', fields).has('B1', fields)
  scene.cluster.pass(200)
  return scene
}

/** Nothing is left of any transaction. */
function expectQuiet({ cluster }: StackScene): void {
  for (const shard of cluster.shards) {
    const state = cluster.state(shard)
    expect({ undecided: state.undecided.size, outbox: state.outbox.size, claims: state.tables.claims.size }).toEqual({
      undecided: 0,
      outbox: 0,
      claims: 0,
    })
  }
}

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

describe('messages may come twice, late, or not at all', () => {
  test('a second PREPARE of a reservation that stands takes nothing', () => {
    const scene = pair()
    const reserve = scene.begins.reserve(AB)
    scene.runOnly(({ type }) => type !== MESSAGE.PREPARE)
    const index = scene.cluster.wire.findIndex(({ message }) => message.type === MESSAGE.PREPARE)
    const frame = scene.cluster.wire[index]
    scene.cluster.run()
    const id = scene.idOf(reserve)
    if (frame !== undefined) scene.cluster.wire.push(frame)
    scene.cluster.run().pass(3_000)
    expect(scene.counts(...AB)).toBe('0/1 0/1')
    scene.release(id)
    scene.cluster.pass(3_000)
    expect(scene.counts(...AB)).toBe('0/0 0/0')
    expectQuiet(scene)
  })

  test('a PREPARE that comes after its abort is given up', () => {
    const scene = pair()
    const redeem = scene.begins.redeem(AB)
    scene.runOnly(({ type }) => type !== MESSAGE.PREPARE)
    const frames = scene.cluster.wire.splice(0)
    scene.cluster.pass(1_100)
    expect(scene.saysOf(redeem)).toBe('not done')
    scene.cluster.wire.push(...frames)
    scene.cluster.run()
    expect(scene.counts(...AB)).toBe('0/0 0/1')
    scene.cluster.pass(2_500)
    expect(scene.counts(...AB)).toBe('0/0 0/0')
    expectQuiet(scene)
  })

  test.each(Object.entries(MESSAGE))('every %s lost once is made up for', (_, type) => {
    const scene = pair({ maxUses: 3 })
    let lost = 0
    const go = (ms: number): void => {
      for (let passed = 0; passed < ms; passed += 20) {
        scene.cluster.pass(20, false)
        for (;;) {
          scene.cluster.settleFlushes()
          const { wire } = scene.cluster
          if (wire.length === 0) break
          if (wire[0]?.message.type === type && lost === 0) {
            lost++
            scene.cluster.drop(0)
          } else scene.cluster.deliver(0)
        }
      }
    }
    const story = [
      () => scene.begins.reserve(AB),
      () => scene.begins.extend({ shard: 0, seq: 3 }, 1_000),
      () => scene.begins.redeemReservation({ shard: 0, seq: scene.reservedAt(0) }, 'o-1'),
      () => scene.begins.reserve(AB, { user: 'bob' }),
      () => scene.begins.release({ shard: 0, seq: scene.reservedAt(0) }),
      () => scene.begins.redeem(AB, { user: 'cyd', order: 'o-2' }),
      () => scene.begins.reverse({ shard: 0, seq: scene.redeemedAt(0) }),
    ]
    for (const step of story) {
      const call = step()
      go(2_500)
      expect(scene.saysOf(call)).not.toBe('waits')
    }
    go(2_500)
    expectQuiet(scene)
    expect(scene.coupon('A0')).toMatchObject({ reserved: 0 })
    expect(scene.counts('A0').slice(0, 2)).toBe(scene.counts('B1').slice(0, 2))
  })

  test('an extension that is told again after a later one leaves the end of the later one', () => {
    const scene = pair()
    const id = scene.madeBy(AB, scene.reserve(AB))
    scene.begins.extend(id, 1_000)
    scene.runOnly(({ type }) => type !== MESSAGE.RETIME)
    expect(scene.cluster.dropWhere(({ type }) => type === MESSAGE.RETIME)).toBe(1)
    scene.extend(id, 2_000)
    scene.cluster.run().pass(1_000)
    const { expiresAtMs } = scene.reservation(id) as { expiresAtMs: number }
    const { tables } = scene.cluster.state(1)
    expect(tables.holds.untilMs.get(tables.coupons.holds.get(0))).toBe(expiresAtMs)
    expectQuiet(scene)
  })
})

describe('a participant that asks', () => {
  test('while the coordinator is slow and has not decided is not told to give up', () => {
    const scene = pair()
    const redeem = scene.begins.redeem(AB)
    scene.runOnly(({ type }) => type !== MESSAGE.PREPARED)
    const held = scene.cluster.wire.splice(0)
    for (let i = 0; i < 150; i++) {
      scene.cluster.elapsedMs += 20
      scene.cluster.sweep(1)
      scene.runOnly(() => true)
    }
    scene.cluster.wire.push(...held)
    scene.cluster.run().pass(400)
    expect(scene.saysOf(redeem)).toBe('redeemed 190')
    expect(scene.counts(...AB)).toBe('1/0 1/0')
    expectQuiet(scene)
  })

  test('a reversal that comes before the redemption is put off', () => {
    const scene = pair()
    const redeem = scene.begins.redeem(AB)
    scene.runOnly(({ type }) => type !== MESSAGE.COMMIT_REDEEMED)
    scene.cluster.dropWhere(() => true)
    const reverse = scene.begins.reverse({ shard: 0, seq: scene.redeemedAt(0) })
    scene.cluster.run().pass(600)
    expect([scene.saysOf(redeem), scene.saysOf(reverse)]).toEqual(['redeemed 190', 'reversed 190'])
    expect(scene.counts(...AB)).toBe('0/0 0/0')
    expectQuiet(scene)
  })

  test('an answer to an earlier try does not count for a later one', () => {
    const scene = new StackScene().has('A0').has('B1').has('C2', { maxUses: 1 })
    scene.cluster.pass(200)
    const redeem = scene.begins.redeem(['A0', 'B1', 'C2'])
    scene.runOnly(({ type }) => type !== MESSAGE.PREPARED)
    const [first] = scene.cluster.wire
    scene.runOnly(({ type, from }) => type !== MESSAGE.PREPARED || from !== 2)
    // C2 says that its rules have moved, and everything begins anew; then the first answer of B1 comes once more.
    scene.cluster.dropWhere(({ type }) => type === MESSAGE.PREPARED)
    scene.patch('C2', { description: 'other' })
    scene.cluster.pass(1_100)
    if (first !== undefined) scene.cluster.wire.push(first)
    scene.cluster.run().pass(3_000)
    expect(scene.saysOf(redeem)).toBe('not done')
    expect(scene.counts('A0', 'B1', 'C2')).toBe('0/0 0/0 0/0')
    expectQuiet(scene)
  })
})

describe('limits and undecided transactions', () => {
  test('who waits for a use that somebody gives up gets it', () => {
    const scene = new StackScene().has('A0', { maxUses: 1 }).has('B1', { maxUses: 1 }).has('C2')
    const gives = scene.begins.redeem(['A0', 'C2', 'B1'], { user: 'ann', order: 'o-1' })
    scene.runOnly(({ type, to }) => type !== MESSAGE.PREPARE || to !== 1)
    // Meanwhile the last use of B1 goes.
    scene.begins.redeem(['B1'], { user: 'cyd', order: 'o-3' })
    const waits = scene.begins.redeem(['A0'], { user: 'bob', order: 'o-2' })
    scene.cluster.settleFlushes()
    expect(scene.saysOf(waits)).toBe('waits')
    scene.cluster.run()
    expect([scene.saysOf(gives), scene.saysOf(waits)]).toEqual(['COUPON_EXHAUSTED', 'redeemed 100'])
    scene.cluster.pass(100)
    expectQuiet(scene)
  })

  test('one order with two sets of codes at once redeems one of them', () => {
    const scene = new StackScene().has('A0').has('B1').has('C2')
    scene.cluster.pass(200)
    const calls = [scene.begins.redeem(['A0', 'B1']), scene.begins.redeem(['B1', 'C2'])]
    scene.runOnly(({ type }) => type !== MESSAGE.PREPARE)
    scene.cluster.run().pass(600)
    expect(calls.map((call) => scene.saysOf(call)).sort()).toEqual([
      expect.stringContaining('ORDER_CONFLICT'),
      'redeemed 190',
    ])
    expect(scene.counts('B1')).toBe('1/0')
    scene.cluster.pass(600)
    expectQuiet(scene)
  })

  test('opposite pairs: exactly one gets both', () => {
    const scene = pair({ maxUses: 1 })
    const calls = [
      scene.begins.redeem(AB, { user: 'ann', order: 'o-1' }),
      scene.begins.redeem(BA, { user: 'bob', order: 'o-2' }),
    ]
    scene.cluster.run().pass(600)
    expect(calls.map((call) => scene.saysOf(call)).sort()).toEqual(['COUPON_EXHAUSTED', 'redeemed 190'])
    expect(scene.counts(...AB)).toBe('1/0 1/0')
  })

  test('a limit per user that is added while a use is held', () => {
    const scene = pair()
    const id = scene.madeBy(AB, scene.reserve(AB))
    scene.patch('A0', { maxUsesPerUser: 1 })
    scene.patch('B1', { maxUsesPerUser: 1 })
    const redeemed = scene.redeemReservation(id, 'o-1')
    expect(brief(redeemed)).toBe('redeemed 190')
    expect(brief(scene.redeem(AB, { order: 'o-2' }))).toBe('USER_LIMIT_REACHED')
    // Where it was taken says that nothing was counted, so nothing is undone: one use fewer for this user, never one more.
    expect(brief(scene.reverse(scene.madeBy(AB, redeemed)))).toBe('reversed 190')
    expect(brief(scene.redeem(AB, { order: 'o-3' }))).toBe('USER_LIMIT_REACHED')
    expect(scene.counts(...AB)).toBe('0/0 0/0')
  })

  test('a hold that ran out on another shard is free at once for its own user', () => {
    const scene = pair({ maxUsesPerUser: 1 })
    scene.reserve(AB, { ttlSeconds: 1 })
    scene.cluster.pass(990)
    scene.cluster.elapsedMs += 11
    const call = scene.begins.redeem(AB)
    scene.cluster.run().pass(300)
    expect(scene.saysOf(call)).toBe('redeemed 190')
  })

  test('a hold that ran out on another shard is free at once for others', () => {
    const scene = pair({ maxUses: 1 })
    scene.reserve(AB, { ttlSeconds: 1 })
    scene.cluster.pass(990)
    scene.cluster.elapsedMs += 11
    const call = scene.begins.redeem(['B1'], { user: 'bob', order: 'o-2' })
    scene.cluster.run().pass(300)
    expect(scene.saysOf(call)).toBe('redeemed 100')
  })
})
