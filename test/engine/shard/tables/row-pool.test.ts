import { describe, expect, test } from 'vitest'
import { RowPool } from '../../../../engine/shard/tables/row-pool.ts'
import { SeededRandom } from './seeded-random.ts'

describe('a row pool', () => {
  test('gives dense rows, and the last freed one first', () => {
    const pool = new RowPool()
    expect([pool.alloc(), pool.alloc(), pool.alloc()]).toEqual([0, 1, 2])
    pool.free(0)
    pool.free(2)
    expect([pool.alloc(), pool.alloc(), pool.alloc()]).toEqual([2, 0, 3])
    expect(pool.size).toBe(4)
    expect(pool.rowsEnd).toBe(4)
  })

  test('keeps the columns of a row apart from all others, over many pages', () => {
    const random = new SeededRandom()
    const pool = new RowPool()
    const counts = pool.u32Column()
    const links = pool.i32Column()
    const times = pool.f64Column()
    const model = new Map<number, number>()
    for (let turn = 0; turn < 100_000; turn++) {
      const known = random.below(Math.max(1, pool.rowsEnd))
      if (random.below(3) === 0 && pool.isLive(known)) {
        pool.free(known)
        model.delete(known)
        continue
      }
      const row = pool.alloc()
      expect(model.has(row)).toBe(false)
      model.set(row, turn)
      counts.set(row, 4_294_967_295 - turn)
      links.set(row, -turn)
      times.set(row, turn * 1_000_000_007)
    }
    expect(pool.size).toBe(model.size)
    for (const [row, turn] of model) {
      const held = [counts.get(row), links.get(row), times.get(row)]
      if (held.join() !== [4_294_967_295 - turn, -turn, turn * 1_000_000_007].join()) {
        throw new Error(`seed ${random.seed}: row ${row} holds ${held.join()}`)
      }
    }
  })

  test('reports the bytes of its columns and stays within them when rows come and go', () => {
    const pool = new RowPool()
    pool.u32Column()
    pool.f64Column()
    expect(pool.bytes).toBe(0)
    for (let turn = 0; turn < 50_000; turn++) {
      const row = pool.alloc()
      pool.free(row)
    }
    expect(pool.rowsEnd).toBe(1)
    expect(pool.bytes).toBe(4096 * (4 + 4 + 8))
  })

  test('refuses to free a row twice, or one it never gave, and a column after the first row', () => {
    const pool = new RowPool()
    const row = pool.alloc()
    pool.free(row)
    expect(() => {
      pool.free(row)
    }).toThrow(/not in use/)
    expect(() => {
      pool.free(77)
    }).toThrow(/not in use/)
    expect(() => {
      pool.free(-1)
    }).toThrow(/not in use/)
    expect(() => pool.u32Column()).toThrow(/before the first row/)
  })
})
