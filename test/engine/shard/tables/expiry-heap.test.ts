import { describe, expect, test } from 'vitest'
import { EMPTY_HEAP, ExpiryHeap } from '../../../../engine/shard/tables/expiry-heap.ts'
import { type F64Column, RowPool } from '../../../../engine/shard/tables/row-pool.ts'
import { SeededRandom } from './seeded-random.ts'

function build(): { pool: RowPool; timeMs: F64Column; heap: ExpiryHeap } {
  const pool = new RowPool()
  const timeMs = pool.f64Column()
  return { pool, timeMs, heap: new ExpiryHeap(pool, timeMs) }
}

function walk(heap: ExpiryHeap, root: number, timeMs: number): number[] {
  const rows: number[] = []
  for (let row = heap.firstUpTo(root, timeMs); row >= 0; row = heap.nextUpTo(row, timeMs)) rows.push(row)
  return rows
}

describe('an expiry heap', () => {
  test('agrees with a sorted list under random inserts, removals and looks, for several heaps in one pool', () => {
    const random = new SeededRandom()
    const { pool, timeMs, heap } = build()
    const roots = [EMPTY_HEAP, EMPTY_HEAP, EMPTY_HEAP]
    const models: number[][] = [[], [], []]
    const before = (a: number, b: number): number => timeMs.get(a) - timeMs.get(b) || a - b
    const change = (turn: number): void => {
      const which = random.below(roots.length)
      const model = models[which]!
      const growing = turn % 6000 < 3500
      if (model.length === 0 || random.below(10) < (growing ? 6 : 3)) {
        const row = pool.alloc()
        timeMs.set(row, random.below(300))
        roots[which] = heap.insert(roots[which]!, row)
        model.push(row)
      } else {
        const place = random.below(3) === 0 ? model.indexOf(roots[which]!) : random.below(model.length)
        const [row] = model.splice(place, 1)
        roots[which] = heap.remove(roots[which]!, row!)
        pool.free(row!)
      }
    }
    for (let turn = 0; turn < 30_000; turn++) {
      change(turn)
      const which = turn % (roots.length * 25)
      if (which >= roots.length) continue
      const horizon = random.below(300)
      const model = models[which]!
      const due = model.filter((row) => timeMs.get(row) <= horizon).sort(before)
      const note = `seed ${random.seed}, turn ${turn}`
      expect(heap.countUpTo(roots[which]!, horizon), note).toBe(due.length)
      expect(walk(heap, roots[which]!, horizon), note).toEqual(due)
      expect(heap.min(roots[which]!), note).toBe([...model].sort(before)[0] ?? -1)
    }
  })

  test('equal times come out by row', () => {
    const { pool, timeMs, heap } = build()
    let root = EMPTY_HEAP
    const rows = Array.from({ length: 8 }, () => pool.alloc())
    for (const row of [5, 1, 7, 3, 0, 6, 2, 4]) {
      timeMs.set(rows[row]!, 1000)
      root = heap.insert(root, rows[row]!)
    }
    const order: number[] = []
    while (root >= 0) {
      order.push(heap.min(root))
      root = heap.remove(root, heap.min(root))
    }
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  })

  test('the time itself is included, and a later one is not', () => {
    const { pool, timeMs, heap } = build()
    const row = pool.alloc()
    timeMs.set(row, 1000)
    const root = heap.insert(EMPTY_HEAP, row)
    expect([heap.countUpTo(root, 999), heap.countUpTo(root, 1000), heap.countUpTo(EMPTY_HEAP, 1000)]).toEqual([0, 1, 0])
  })

  test('a crowd of 100,000 under one overdue row is sorted out once, not at every look', () => {
    const { pool, timeMs, heap } = build()
    let root = EMPTY_HEAP
    for (let turn = 0; turn < 100_000; turn++) {
      const row = pool.alloc()
      timeMs.set(row, turn === 0 ? 1 : 1000 + turn)
      root = heap.insert(root, row)
    }
    expect(heap.countUpTo(root, 500)).toBe(1)
    // From here a look touches the root and its only child; 200,000 scans of the crowd would take minutes.
    let total = 0
    for (let look = 0; look < 200_000; look++) total += heap.countUpTo(root, 500)
    expect(total).toBe(200_000)
    expect(heap.countUpTo(root, 1010)).toBe(11)
  })

  test('100,000 rows in ascending or descending time leave in order without overflowing the stack', () => {
    for (const sign of [1, -1]) {
      const { pool, timeMs, heap } = build()
      let root = EMPTY_HEAP
      for (let turn = 0; turn < 100_000; turn++) {
        const row = pool.alloc()
        timeMs.set(row, sign * turn)
        root = heap.insert(root, row)
      }
      let previous = -Infinity
      let out = 0
      for (; root >= 0; out++) {
        const row = heap.min(root)
        expect(timeMs.get(row) > previous).toBe(true)
        previous = timeMs.get(row)
        root = heap.remove(root, row)
      }
      expect(out).toBe(100_000)
    }
  })
})
