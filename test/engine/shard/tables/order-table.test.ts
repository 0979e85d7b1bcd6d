import { describe, expect, test } from 'vitest'
import { OrderTable } from '../../../../engine/shard/tables/order-table.ts'
import { SeededRandom } from './seeded-random.ts'

type Key = [number, number, number, number]

/** Orders with the sequences 1 to `count`. */
function filled(count: number, random: SeededRandom): { orders: OrderTable; keys: Key[] } {
  const orders = new OrderTable()
  const keys: Key[] = []
  for (let seq = 1; seq <= count; seq++) {
    const key: Key = [random.word(), random.word(), random.word(), random.word()]
    keys.push(key)
    orders.setRecord(orders.findOrInsert(...key), seq, -seq, seq)
  }
  return { orders, keys }
}

function seqsLeft(orders: OrderTable): number[] {
  const seqs: number[] = []
  for (let slot = orders.first(); slot >= 0; slot = orders.next(slot)) seqs.push(orders.seq(slot))
  return seqs.sort((a, b) => a - b)
}

/** Slots that lie taken side by side. */
function longestRun(orders: OrderTable): number {
  let longest = 0
  let run = 0
  let before = -2
  for (let slot = orders.first(); slot >= 0; slot = orders.next(slot)) {
    run = slot === before + 1 ? run + 1 : 1
    longest = Math.max(longest, run)
    before = slot
  }
  return longest
}

test('an order record keeps digest and sequence exactly, up to 2^53 − 1', () => {
  const orders = new OrderTable()
  for (const seq of [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 7, Number.MAX_SAFE_INTEGER]) {
    const slot = orders.findOrInsert(1, 2, 3, 4)
    orders.setRecord(slot, -1, 2_147_483_647, seq)
    expect(orders.seq(orders.find(1, 2, 3, 4))).toBe(seq)
    expect([orders.digest0(slot), orders.digest1(slot)]).toEqual([-1, 2_147_483_647])
  }
  expect(orders.size).toBe(1)
})

describe('eviction', () => {
  test('goes on where it stopped and leaves exactly the younger records after a round', () => {
    const random = new SeededRandom()
    const { orders, keys } = filled(20_000, random)
    let removed = 0
    let calls = 0
    do {
      removed += orders.evictBelow(15_001, 100)
      calls++
    } while (orders.isEvicting)
    expect(removed, `seed ${random.seed}`).toBe(15_000)
    expect(calls).toBeGreaterThan(200)
    expect(seqsLeft(orders)).toEqual(Array.from({ length: 5000 }, (_, index) => 15_001 + index))
    expect(keys.every((key, index) => orders.find(...key) >= 0 === index + 1 > 15_000)).toBe(true)
  })

  test('reaches every old record in a round although the table grows meanwhile', () => {
    const random = new SeededRandom()
    const { orders } = filled(5000, random)
    let seq = 5000
    do {
      orders.evictBelow(5001, 200)
      for (let more = 0; more < 200; more++) {
        orders.setRecord(orders.findOrInsert(random.word(), random.word(), random.word(), random.word()), 0, 0, ++seq)
      }
    } while (orders.isEvicting)
    expect(seqsLeft(orders), `seed ${random.seed}`).toEqual(
      Array.from({ length: seq - 5000 }, (_, index) => 5001 + index),
    )
  })

  test('leaves no part of the table behind that fills up while the rest is empty', () => {
    const random = new SeededRandom()
    const { orders } = filled(200_000, random)
    let seq = 200_000
    let longest = 0
    do {
      orders.evictBelow(200_001, 4_096)
      for (let more = 0; more < 2_000; more++) {
        orders.setRecord(orders.findOrInsert(random.word(), random.word(), random.word(), random.word()), 0, 0, ++seq)
      }
      longest = Math.max(longest, longestRun(orders))
    } while (orders.isEvicting)
    expect(orders.size).toBe(seq - 200_000)
    // Whoever looks for what is not there walks to the end of a run, in the worst case all of it.
    expect(longest, `seed ${random.seed}`).toBeLessThan(8_000)
  })

  test('a steady flow of new and evicted orders stays within its bytes', () => {
    const random = new SeededRandom()
    const { orders } = filled(10_000, random)
    const bytes = orders.bytes
    for (let seq = 10_001; seq <= 150_000; seq++) {
      orders.setRecord(orders.findOrInsert(random.word(), random.word(), random.word(), random.word()), 0, 0, seq)
      if (seq % 50 === 0) orders.evictBelow(seq - 10_000, 500)
    }
    expect(orders.size, `seed ${random.seed}`).toBeLessThan(13_000)
    expect(orders.bytes).toBeLessThan(2 * bytes)
  })
})
