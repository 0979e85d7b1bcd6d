/** Two-phase redemption where messages are lost, late or doubled, and where undecided calls stand in each other's way. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { COMMAND } from '../../../protocol/commands.ts'
import { EVENT } from '../../../protocol/events.ts'
import { MESSAGE } from '../../../protocol/messages.ts'
import { OUTCOME } from '../../../protocol/outcomes.ts'
import { DELIVERY_WAIT_MS, RELAXED_FLUSH_MS } from '../../../engine/shard/limits.ts'
import { byCode } from '../support/samples.ts'
import { brief } from '../support/scene.ts'
import { AB, BA, expectQuiet, pair } from '../stack/pair.ts'
import { StackScene } from '../stack/stack-scene.ts'
import type { OnWire } from '../support/shard-cluster.ts'

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

  test('a PREPARE that comes after its abort takes nothing', () => {
    const scene = pair()
    const redeem = scene.begins.redeem(AB)
    scene.runOnly(({ type }) => type !== MESSAGE.PREPARE)
    const frames = scene.cluster.wire.splice(0)
    scene.cluster.pass(1_100)
    expect(scene.saysOf(redeem)).toBe('not done')
    scene.cluster.wire.push(...frames)
    scene.cluster.run()
    expect(scene.counts(...AB)).toBe('0/0 0/0')
    scene.cluster.pass(2_500)
    expectQuiet(scene)
  })

  test.each([false, true])(
    'copies that come when all is over take nothing, a start between them or not: %s',
    (isStarted) => {
      const scene = pair()
      const kept: OnWire[] = []
      const reserve = scene.begins.reserve(AB)
      scene.cluster.pass(20, false)
      while (scene.cluster.wire.length > 0 || scene.cluster.hasFlush) {
        scene.cluster.settleFlushes()
        kept.push(...scene.cluster.wire.slice(0, 1))
        if (scene.cluster.wire.length > 0) scene.cluster.deliver(0)
      }
      scene.release(scene.idOf(reserve))
      scene.cluster.pass(3_000)
      if (isStarted) scene.cluster.crash()
      const copies = kept.filter(({ message }) => message.to === 1)
      expect(copies.map(({ message }) => message.type)).toEqual([
        MESSAGE.ASK_QUOTES,
        MESSAGE.PREPARE,
        MESSAGE.COMMIT_RESERVED,
      ])
      const logged = scene.cluster.loggedEvents(1).length
      scene.cluster.wire.push(...copies)
      scene.cluster.run().pass(20_000)
      expect(scene.counts(...AB)).toBe('0/0 0/0')
      expect(scene.cluster.loggedEvents(1)).toHaveLength(logged)
      expectQuiet(scene)
    },
  )

  test('an end of a reservation that was overtaken on its way does not follow the newer one', () => {
    const scene = pair()
    const id = scene.madeBy(AB, scene.reserve(AB))
    const { cluster } = scene
    const told = (ttlSeconds: number): OnWire[] => {
      scene.begins.extend(id, ttlSeconds)
      scene.runOnly(({ type }) => type !== MESSAGE.RETIME)
      return cluster.wire.splice(0)
    }
    const older = told(400)
    cluster.pass(20, false)
    const newer = told(900)
    expect([older.length, newer.length]).toEqual([1, 1])
    cluster.wire = [...newer, ...older]
    cluster.run().pass(1_000)
    const ends = cluster.loggedEvents(1).flatMap(({ event }) => {
      return event.type === EVENT.BRANCH_RETIMED ? [event.expiresAtMs] : []
    })
    const reservation = scene.reservation(id)
    expect(ends).toEqual([reservation.type === OUTCOME.RESERVATION ? reservation.expiresAtMs : 0])
    expectQuiet(scene)
  })

  test('a REVERSE that comes twice gives one use back', () => {
    const scene = pair()
    const redeemed = scene.madeBy(AB, scene.redeem(AB))
    scene.redeem(['B1'], { user: 'bob', order: 'o-2' })
    const reverse = scene.begins.reverse(redeemed)
    scene.runOnly(({ type }) => type !== MESSAGE.REVERSE)
    const [frame] = scene.cluster.wire
    if (frame === undefined) throw new Error('the other shard is not told')
    scene.cluster.wire.push(frame)
    scene.cluster.run().pass(100)
    expect(scene.saysOf(reverse)).toBe('reversed 190')
    expect(scene.counts(...AB)).toBe('0/0 1/0')
    expectQuiet(scene)
  })

  test('one shard’s word does not stand for another’s', () => {
    const scene = new StackScene().has('A0').has('B1').has('C2')
    scene.cluster.pass(200)
    const codes = ['A0', 'B1', 'C2']
    const redeem = scene.begins.redeem(codes)
    scene.runOnly(({ type }) => type !== MESSAGE.COMMIT_REDEEMED)
    expect(scene.cluster.dropWhere(({ to }) => to === 2)).toBe(1)
    scene.cluster.run().pass(3_000)
    expect(scene.saysOf(redeem)).toBe('redeemed 271')
    expect(scene.counts(...codes)).toBe('1/0 1/0 1/0')
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

describe('an answer', () => {
  test('waits until the other shard has the commit on disk, for a while at most', () => {
    const scene = pair()
    const redeem = scene.begins.redeem(AB)
    scene.runOnly(({ type }) => type !== MESSAGE.COMMIT_REDEEMED)
    expect(scene.saysOf(redeem)).toBe('waits')
    scene.cluster.pass(DELIVERY_WAIT_MS - 20, false)
    expect(scene.saysOf(redeem)).toBe('waits')
    scene.cluster.pass(40, false)
    expect(scene.saysOf(redeem)).toBe('redeemed 190')
  })

  test('leaves as soon as the other shard has said so, and not before its flush', () => {
    const scene = pair()
    const redeem = scene.begins.redeem(AB)
    scene.runOnly(({ type }) => type !== MESSAGE.COMMIT_REDEEMED)
    scene.cluster.deliver(0)
    expect(scene.cluster.wire).toEqual([])
    expect(scene.saysOf(redeem)).toBe('waits')
    scene.cluster.run()
    expect(scene.saysOf(redeem)).toBe('redeemed 190')
  })

  test('that comes of what others said waits for all that its lane has appended', () => {
    const scene = new StackScene().has('A0').has('B1', { maxUses: 1 })
    scene.redeem(['B1'], { user: 'bob', order: 'o-9' })
    scene.cluster.pass(200)
    const redeem = scene.begins.redeem(AB)
    scene.runOnly(({ type }) => type !== MESSAGE.QUOTED)
    // One flush is under way, and more was appended since.
    for (const change of ['DISABLED', 'ENABLED'] as const) {
      scene.cluster.call(0, { type: COMMAND.SWITCH_COUPON, coupon: byCode('A0'), by: null, change })
    }
    scene.cluster.deliver(0)
    expect(scene.saysOf(redeem)).toBe('waits')
    scene.cluster.settleFlush(0)
    expect(scene.saysOf(redeem)).toBe('waits')
    scene.cluster.settleFlush(0)
    expect(scene.saysOf(redeem)).toBe('COUPON_EXHAUSTED of code 2')
  })
})

describe('with durability relaxed', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('a shard is told only what is on disk, though answers do not wait for it', () => {
    const scene = new StackScene([[0], [1]], true)
    const flush = (): void => {
      vi.advanceTimersByTime(RELAXED_FLUSH_MS)
      scene.cluster.settleFlushes()
    }
    scene.has('A0').has('B1')
    flush()
    const redeem = scene.begins.redeem(AB)
    scene.runOnly(() => true)
    expect(scene.cluster.state(0).undecided.size).toBe(1)
    expect(scene.cluster.state(1).undecided.size).toBe(0)
    flush()
    scene.runOnly(() => true)
    expect(scene.cluster.state(1).undecided.size).toBe(1)
    for (let i = 0; scene.saysOf(redeem) === 'waits' && i < 10; i++) {
      flush()
      scene.runOnly(() => true)
    }
    expect(scene.saysOf(redeem)).toBe('redeemed 190')
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
    const scene = new StackScene().has('A0').has('B1').has('C2')
    scene.cluster.pass(200)
    const redeem = scene.begins.redeem(['A0', 'B1', 'C2'])
    scene.runOnly(({ type }) => type !== MESSAGE.PREPARED)
    const early = [...scene.cluster.wire]
    scene.runOnly(({ type, to }) => type !== MESSAGE.PREPARE || to !== 2)
    const [toC2] = scene.cluster.wire.splice(0)
    scene.patch('C2', { description: 'other' })
    if (toC2 !== undefined) scene.cluster.wire.push(toC2)
    // C2 answers that its rules have moved, and everything begins anew; then the first answer of B1 comes once more.
    scene.runOnly(({ type, from, to }) => type !== MESSAGE.PREPARE || from !== 0 || to !== 1)
    scene.cluster.wire.unshift(...early)
    scene.cluster.deliver(0)
    expect(scene.cluster.wire.filter(({ message }) => message.to === 2)).toEqual([])
    scene.cluster.run().pass(600)
    expect(scene.saysOf(redeem)).toBe('redeemed 271')
    expect(scene.counts('A0', 'B1', 'C2')).toBe('1/0 1/0 1/0')
    expectQuiet(scene)
  })

  test('what an aborted redemption claims there is free for the next, though the word of it was lost', () => {
    const scene = pair()
    const id = scene.madeBy(AB, scene.reserve(AB))
    const first = scene.begins.redeemReservation(id, 'o-1')
    scene.runOnly(({ type }) => type !== MESSAGE.PREPARED)
    scene.cluster.dropWhere(() => true)
    scene.cluster.pass(1_020, false)
    expect(scene.saysOf(first)).toBe('not done')
    expect(scene.cluster.dropWhere(({ type }) => type === MESSAGE.ABORT)).toBeGreaterThan(0)
    const second = scene.begins.redeemReservation(id, 'o-2')
    scene.cluster.run().pass(600)
    expect(scene.saysOf(second)).toBe('redeemed 190')
    expect(scene.counts(...AB)).toBe('1/0 1/0')
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

  test('who clicks twice is never told of a conflict with himself, however long the first click takes', () => {
    const scene = pair()
    const first = scene.begins.redeem(AB)
    scene.runOnly(({ type }) => type !== MESSAGE.PREPARED)
    const held = scene.cluster.wire.splice(0)
    const clicks = [scene.begins.redeem(BA), scene.begins.redeem(['A0']), scene.begins.redeem(['B1'])]
    scene.cluster.pass(400)
    expect(clicks.map((click) => scene.saysOf(click))).toEqual(['waits', 'not done', 'not done'])
    scene.cluster.wire.push(...held)
    scene.cluster.run().pass(600)
    expect([first, ...clicks].map((click) => scene.saysOf(click))).toEqual([
      'redeemed 190',
      'redeemed 190 again',
      'not done',
      'not done',
    ])
    expect(brief(scene.redeem(BA))).toBe('redeemed 190 again')
    expect(brief(scene.redeem(['B1']))).toBe('ORDER_CONFLICT')
  })

  test('an order whose other call is undecided on another shard alone waits, and learns what came of it', () => {
    const scene = new StackScene().has('A0').has('B1').has('C2')
    scene.cluster.pass(200)
    const first = scene.begins.redeem(['B1', 'C2'])
    scene.runOnly(({ type }) => type !== MESSAGE.PREPARED)
    const held = scene.cluster.wire.splice(0)
    const second = scene.begins.redeem(['A0', 'B1'])
    scene.cluster.pass(600)
    expect(scene.saysOf(second)).toBe('waits')
    scene.cluster.wire.push(...held)
    scene.cluster.run()
    expect([scene.saysOf(first), scene.saysOf(second)]).toEqual(['redeemed 190', 'ORDER_CONFLICT of code 2'])
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
