/**
 * The lane's promise: no answer leaves before the flush that covers what it saw. Flushes settle here when the test says so.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Bytes } from '../../../protocol/bytes.ts'
import { COMMAND } from '../../../protocol/commands.ts'
import { EVENT } from '../../../protocol/events.ts'
import { OUTCOME } from '../../../protocol/outcomes.ts'
import { FREE_BYTES_MIN, GROUP_BYTES_MAX, RELAXED_FLUSH_MS } from '../../../engine/shard/limits.ts'
import { SETTLED } from '../../../engine/transport/port.ts'
import { LaneBench } from '../support/lane-bench.ts'
import { type AnyCommand, byCode, checkout, couponWith, create, total } from '../support/samples.ts'

const ONE = create(couponWith('ONE', { maxUses: 1 }))
const read = (code: string): AnyCommand => ({ type: COMMAND.GET_COUPON, coupon: byCode(code) })
const redeem = (code: string, order: string): AnyCommand =>
  checkout(COMMAND.REDEEM, code, { user: 'u', order, cart: total(1_000) })

const PUT_TWO: AnyCommand = {
  type: COMMAND.PUT_COUPON,
  by: null,
  row: { job: { shard: 0, seq: 1 }, line: 1, uses: 0 },
  definition: couponWith('TWO'),
}
const SIXTEEN_BYTES = new Bytes(new Uint8Array(16), 0, 16)
const CLAIM_KEY: AnyCommand = {
  type: COMMAND.CLAIM_KEY,
  scope: null,
  key: 'k',
  digest: SIXTEEN_BYTES,
  operation: SIXTEEN_BYTES,
}

describe('an answer', () => {
  test('to a write leaves only after the flush that covers it', () => {
    const bench = new LaneBench()
    bench.send(1, 0, ONE)
    expect(bench.idsLeft()).toEqual([])
    bench.journal.settle()
    expect(bench.idsLeft()).toEqual([1])
  })

  test('to a write made during a flush waits for the next flush, not for that one', () => {
    const bench = new LaneBench()
    bench.send(1, 0, ONE)
    bench.send(2, 0, redeem('ONE', 'a'))
    bench.journal.settle()
    expect(bench.idsLeft()).toEqual([1])
    expect(bench.journal.waiting?.entries).toHaveLength(1)
    bench.journal.settle()
    expect(bench.idsLeft()).toEqual([2])
  })

  test('to a write on a lane that was quiet waits as the first one did', () => {
    const bench = new LaneBench()
    bench.send(1, 0, ONE)
    bench.journal.settle()
    expect(bench.idsLeft()).toEqual([1])
    for (let id = 2; id < 6; id++) {
      bench.send(id, 0, create(couponWith(`CODE-${id}`)))
      expect(bench.idsLeft()).toEqual([])
      bench.journal.settle()
      expect(bench.idsLeft()).toEqual([id])
    }
  })

  test('that refuses waits for the last event of its shard, and forces no flush of its own', () => {
    const bench = new LaneBench()
    bench.send(1, 0, ONE)
    bench.send(2, 0, redeem('NOT-THERE', 'a'))
    bench.send(3, 0, ONE)
    expect(bench.idsLeft()).toEqual([])
    bench.journal.settle()
    const left = bench.left()
    expect(left.map(({ id }) => id)).toEqual([1, 2, 3])
    expect(left[2]?.outcome).toMatchObject({ type: OUTCOME.REFUSED, refusal: 'CODE_TAKEN' })
    expect(bench.journal.flushes).toBe(1)
  })

  test('that reads what a waiting group wrote waits for that group', () => {
    const bench = new LaneBench()
    bench.send(1, 0, ONE)
    bench.send(2, 0, redeem('ONE', 'a'))
    bench.send(3, 0, read('ONE'))
    bench.journal.settle()
    expect(bench.idsLeft()).toEqual([1])
    bench.journal.settle()
    expect(bench.left().map(({ id, outcome }) => [id, outcome.type === OUTCOME.COUPON && outcome.uses])).toEqual([
      [2, false],
      [3, 1],
    ])
  })

  test('to a read of a quiet shard leaves at once, beside a flush of another', () => {
    const bench = new LaneBench()
    bench.send(1, 0, ONE)
    bench.send(2, 1, read('NOT-THERE'))
    expect(bench.idsLeft()).toEqual([2])
    expect(bench.journal.flushes).toBe(1)
    bench.journal.settle()
    bench.left()
    bench.send(3, 0, read('ONE'))
    expect(bench.idsLeft()).toEqual([3])
    expect(bench.journal.flushes).toBe(1)
  })

  test('of a shard whose log is ahead of the clock has the time of the log', () => {
    const bench = new LaneBench()
    bench.send(1, 0, ONE)
    bench.journal.settle()
    const aheadMs = (bench.left()[0]?.position.timeMs ?? 0) + 5_000
    const definition = couponWith('TWO')
    bench.actors
      .get(0)
      ?.append({ type: EVENT.COUPON_CREATED, ordinal: 1, by: null, definition, imported: null }, aheadMs)
    bench.send(2, 0, redeem('ONE', 'a'))
    bench.journal.settleAll()
    expect(bench.left()[0]?.position).toEqual({ shard: 0, seq: 3, timeMs: aheadMs })
  })

  test('names the position it was made from', () => {
    const bench = new LaneBench()
    bench.send(1, 0, ONE)
    bench.journal.settle()
    bench.elapsedMs = 5
    bench.send(2, 0, redeem('ONE', 'a'))
    bench.journal.settle()
    const [first, second] = bench.left()
    expect(first?.position).toMatchObject({ shard: 0, seq: 1 })
    expect(second?.position).toEqual({ shard: 0, seq: 2, timeMs: (first?.position.timeMs ?? 0) + 5 })
  })
})

describe('a group commit', () => {
  test('covers everything that queued while the one before was under way, of all shards, in order', () => {
    const bench = new LaneBench()
    bench.send(0, 0, ONE)
    for (let id = 1; id <= 50; id++) bench.send(id, id % 2, create(couponWith(`CODE-${id}`)))
    expect(bench.journal.flushes).toBe(1)
    bench.journal.settle()
    expect(bench.journal.waiting?.entries.map(({ shard, eventCount }) => [shard, eventCount])).toEqual([
      [1, 25],
      [0, 25],
    ])
    bench.journal.settle()
    expect(bench.journal.flushes).toBe(2)
    expect(bench.idsLeft()).toEqual(Array.from({ length: 51 }, (_, id) => id))
  })

  test('that is full stops the reading of commands until the flush under way has settled', () => {
    const bench = new LaneBench()
    bench.send(0, 0, ONE)
    const text = 'x'.repeat(60_000)
    const count = Math.ceil((GROUP_BYTES_MAX / text.length) * 2)
    for (let id = 1; id <= count; id++) bench.push(id, 1, create(couponWith(`CODE-${id}`, { description: text })))
    bench.lane.turn()
    const handled = bench.actors.get(1)?.state.couponCount ?? 0
    expect(handled).toBe(Math.ceil(GROUP_BYTES_MAX / (text.length + 60)))
    let isListening = false
    bench.lane.whenListening(() => {
      isListening = true
    })
    bench.lane.turn()
    expect(bench.actors.get(1)?.state.couponCount).toBe(handled)
    expect(isListening).toBe(false)
    bench.journal.settleAll()
    expect(isListening).toBe(true)
    expect(bench.actors.get(1)?.state.couponCount).toBe(count)
    expect(bench.idsLeft()).toHaveLength(count + 1)
  })

  test('that fails lets nothing out, then or later, and says so once', () => {
    const bench = new LaneBench()
    bench.send(1, 0, ONE)
    bench.send(2, 0, redeem('ONE', 'a'))
    bench.journal.settle(new Error('the disk is gone'))
    bench.send(3, 1, read('ONE'))
    bench.lane.sweep()
    expect(bench.idsLeft()).toEqual([])
    expect(bench.failures.map(({ message }) => message)).toEqual(['the disk is gone'])
    expect(bench.journal.flushes).toBe(1)
  })

  test('carries what time has done, without a command', () => {
    const bench = new LaneBench()
    bench.send(1, 0, ONE)
    bench.journal.settle()
    bench.send(2, 0, checkout(COMMAND.RESERVE, 'ONE', { user: 'u', ttlSeconds: 1 }))
    bench.journal.settle()
    bench.lane.sweep()
    expect(bench.journal.flushes).toBe(2)
    bench.elapsedMs = 1_000
    bench.lane.sweep()
    expect(bench.journal.waiting?.entries).toMatchObject([{ shard: 0, eventCount: 1 }])
  })
})

describe('a disk that is nearly full', () => {
  test('refuses writes before they are appended, and lets reads go on', () => {
    const bench = new LaneBench()
    bench.send(1, 0, ONE)
    bench.journal.settle()
    bench.left()
    bench.journal.free = FREE_BYTES_MIN - 1
    bench.send(2, 0, redeem('ONE', 'a'))
    bench.send(3, 0, read('ONE'))
    const [refused, shown] = bench.left()
    expect(refused?.outcome).toMatchObject({ type: OUTCOME.REFUSED, refusal: 'STORAGE_UNAVAILABLE' })
    expect(shown?.outcome).toMatchObject({ type: OUTCOME.COUPON, uses: 0 })
    expect(bench.journal.flushes).toBe(1)
    bench.journal.free = FREE_BYTES_MIN
    bench.send(4, 0, redeem('ONE', 'a'))
    bench.journal.settle()
    expect(bench.left()[0]?.outcome).toMatchObject({ type: OUTCOME.REDEMPTION })
  })

  test('lets sweeps go on once there is room, though nobody calls', () => {
    const bench = new LaneBench()
    bench.send(1, 0, ONE)
    bench.journal.settle()
    bench.send(2, 0, checkout(COMMAND.RESERVE, 'ONE', { user: 'u', ttlSeconds: 1 }))
    bench.journal.settle()
    bench.journal.free = FREE_BYTES_MIN - 1
    bench.send(3, 0, read('ONE'))
    bench.elapsedMs = 1_000
    bench.lane.sweep()
    expect(bench.journal.waiting).toBeNull()
    bench.journal.free = FREE_BYTES_MIN
    bench.lane.sweep()
    expect(bench.journal.waiting?.entries).toMatchObject([{ shard: 0, eventCount: 1 }])
  })
})

test.each<[string, AnyCommand]>([
  ['a claim', { type: COMMAND.CLAIM, index: 0, user: 'u' }],
  ['a reservation', checkout(COMMAND.RESERVE, 'ONE', { user: 'u' })],
  ['a new coupon', create(couponWith('TWO'))],
  ['a row of an import', PUT_TWO],
  ['a key', CLAIM_KEY],
])('%s is refused for want of space before it is looked at', (_, command) => {
  const bench = new LaneBench()
  bench.journal.free = FREE_BYTES_MIN - 1
  bench.send(1, 0, command)
  expect(bench.left()[0]?.outcome).toMatchObject({ refusal: 'STORAGE_UNAVAILABLE' })
  expect(bench.journal.flushes).toBe(0)
})

describe('with durability relaxed', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('answers leave at once, and a flush begins within the promised time', () => {
    const bench = new LaneBench({ relaxed: true })
    bench.send(1, 0, ONE)
    bench.send(2, 0, redeem('ONE', 'a'))
    expect(bench.idsLeft()).toEqual([1, 2])
    vi.advanceTimersByTime(RELAXED_FLUSH_MS - 1)
    expect(bench.journal.flushes).toBe(0)
    vi.advanceTimersByTime(1)
    expect(bench.journal.waiting?.entries).toMatchObject([{ shard: 0, eventCount: 2 }])
  })
})

describe('a full ring of replies', () => {
  test('holds answers back in order, and none is lost or doubled', async () => {
    const bench = new LaneBench({ replyBytes: 512 })
    for (let id = 0; id < 40; id++) bench.push(id, 0, read('NOT-THERE'))
    bench.lane.turn()
    const ids = bench.idsLeft()
    expect(ids.length).toBeLessThan(40)
    // There is room now, and those that were held back have not had their turn yet.
    bench.send(40, 0, read('NOT-THERE'))
    while (ids.length < 41) {
      await new Promise<void>((resolve) => void setImmediate(resolve))
      ids.push(...bench.idsLeft())
    }
    expect(ids).toEqual(Array.from({ length: 41 }, (_, id) => id))
  })
})

describe('a lane that is asked to stop', () => {
  test('handles what has arrived, flushes it, and only then settles', async () => {
    const bench = new LaneBench()
    bench.send(1, 0, ONE)
    bench.push(2, 0, redeem('ONE', 'a'))
    let isDrained = false
    const drained = bench.lane.drained().then(() => {
      isDrained = true
    })
    await Promise.resolve()
    expect(isDrained).toBe(false)
    bench.journal.settleAll()
    await drained
    expect(bench.idsLeft()).toEqual([1, 2])
    expect(bench.journal.disk.stored.reduce((sum, { eventCount }) => sum + eventCount, 0)).toBe(2)
  })
})

describe('the clock', () => {
  test('a wall clock that jumps is logged once, and the shards keep their own time', () => {
    const bench = new LaneBench()
    bench.send(1, 0, ONE)
    bench.journal.settle()
    bench.wallJumpMs = 3_600_000
    bench.elapsedMs = 20
    bench.lane.sweep()
    bench.lane.sweep()
    expect(bench.clockGaps).toEqual([3_600_000])
    bench.journal.settleAll()
    bench.send(2, 0, redeem('ONE', 'a'))
    bench.journal.settle()
    const [first, second] = bench.left()
    expect(first?.kind).toBe(SETTLED.ANSWERED)
    const movedMs = (second?.position.timeMs ?? 0) - (first?.position.timeMs ?? 0)
    expect(movedMs).toBeGreaterThanOrEqual(20)
    expect(movedMs).toBeLessThanOrEqual(21)
  })
})
