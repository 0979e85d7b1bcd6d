import { expect, test } from 'vitest'
import { CounterTable } from '../../../../engine/shard/tables/counter-table.ts'
import { HoldIndex } from '../../../../engine/shard/tables/hold-index.ts'
import { SeededRandom } from './seeded-random.ts'

test('a new counter is at zero and keeps what is set, up to 2^32 − 1', () => {
  const counters = new CounterTable()
  const slot = counters.findOrInsert(1, 2, 3, 4)
  expect([counters.uses(slot), counters.held(slot)]).toEqual([0, 0])
  counters.setUses(slot, 4_294_967_295)
  counters.setHeld(slot, 3_000_000_000)
  const found = counters.find(1, 2, 3, 4)
  expect([counters.uses(found), counters.held(found)]).toEqual([4_294_967_295, 3_000_000_000])
  expect(counters.find(1, 2, 3, 5)).toBe(-1)
  expect([0, 1, 2, 3].map((index) => counters.key(found, index))).toEqual([1, 2, 3, 4])
})

test('counters of 50,000 users add up, and removed ones begin again', () => {
  const random = new SeededRandom()
  const counters = new CounterTable()
  const users = Array.from(
    { length: 50_000 },
    () => [random.word(), random.word(), random.word(), random.word()] as const,
  )
  const model = new Uint32Array(users.length)
  for (let turn = 0; turn < 200_000; turn++) {
    const user = random.below(users.length)
    const slot = counters.findOrInsert(...users[user]!)
    if (turn % 50 === 0) {
      counters.remove(slot)
      model[user] = 0
    } else {
      counters.setUses(slot, counters.uses(slot) + 1)
      model[user]!++
    }
  }
  const uses = users.map((key) => {
    const slot = counters.find(...key)
    return slot < 0 ? 0 : counters.uses(slot)
  })
  expect(uses, `seed ${random.seed}`).toEqual([...model])
  let walked = 0
  for (let slot = counters.first(); slot >= 0; slot = counters.next(slot)) walked++
  expect(walked).toBe(counters.size)
})

test('a million counters cost at most 36 bytes each, also while the table grows', () => {
  const random = new SeededRandom()
  const counters = new CounterTable()
  let worst = 0
  for (let index = 1; index <= 1_000_000; index++) {
    counters.findOrInsert(random.word(), random.word(), random.word(), random.word())
    if (index > 250_000 && index % 1000 === 0) worst = Math.max(worst, counters.bytes / counters.size)
  }
  expect(counters.size).toBe(1_000_000)
  expect(worst, `seed ${random.seed}`).toBeLessThan(36)
}, 30_000)

test('a hold index gives the row that was set last, row 0 included, until it is removed', () => {
  const index = new HoldIndex()
  expect(index.get(1, 2, 3, 4)).toBe(-1)
  index.set(1, 2, 3, 4, 0)
  expect(index.get(1, 2, 3, 4)).toBe(0)
  index.set(1, 2, 3, 4, 2_147_483_647)
  expect(index.get(1, 2, 3, 4)).toBe(2_147_483_647)
  expect(index.size).toBe(1)
  expect(index.remove(1, 2, 3, 4)).toBe(true)
  expect(index.remove(1, 2, 3, 4)).toBe(false)
  expect(index.get(1, 2, 3, 4)).toBe(-1)
})
