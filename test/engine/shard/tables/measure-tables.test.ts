import { expect, test } from 'vitest'
import { measureTables } from '../../../../bench/micro/tables.ts'

test('the micro bench of the tables runs, and finds the bytes within their bounds', () => {
  const { hashNs, warmed, tables } = measureTables({ codes: 100_000, users: 100_000 })
  expect(tables.map(({ table }) => table)).toEqual(['codes', 'user counters', 'orders'])
  expect(hashNs).toBeGreaterThan(0)
  expect(warmed.hitNs).toBeGreaterThan(0)
  for (const figures of tables) {
    expect(figures.entries).toBe(100_000)
    expect(figures.insertNs).toBeGreaterThan(0)
  }
  expect(tables[0]!.bytesPerEntry).toBeLessThan(20)
  expect(tables[1]!.bytesPerEntry).toBeLessThan(36)
})
