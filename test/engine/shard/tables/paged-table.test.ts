import { describe, expect, test } from 'vitest'
import { firstOrderAt, ORDER_SPAN, PagedTable } from '../../../../engine/shard/tables/paged-table.ts'
import { SeededRandom } from './seeded-random.ts'

type Key = [number, number, number, number]

const VALUE = 4

function keyOf(random: SeededRandom): Key {
  return [random.word(), random.word(), random.word(), random.word()]
}

function put(table: PagedTable, key: Key, value: number): void {
  table.setWord(table.findOrInsert4(...key), VALUE, value)
}

/** Everything a table says, against what it should hold; also that a scan comes in key order. */
function expectHolds(table: PagedTable, model: Map<string, { key: Key; value: number }>, note: string): void {
  expect(table.size, note).toBe(model.size)
  let wrong = 0
  for (const { key, value } of model.values()) {
    const slot = table.find4(...key)
    if (slot < 0 || table.word(slot, VALUE) !== value) wrong++
  }
  expect(wrong, `${note}: keys not found or with another value`).toBe(0)
  let scanned = 0
  let previous = -1
  for (let slot = table.firstFrom(0); slot >= 0; slot = table.next(slot)) {
    if (table.orderOf(slot) < previous) wrong++
    previous = table.orderOf(slot)
    if (!model.has([0, 1, 2, 3].map((word) => table.word(slot, word)).join())) wrong++
    scanned++
  }
  expect(wrong, `${note}: scanned out of order or never inserted`).toBe(0)
  expect(scanned, note).toBe(model.size)
}

/** Random inserts and removals with `pickKey`, checked against a Map every so often. */
function runAgainstModel(random: SeededRandom, operations: number, checks: number, pickKey: () => Key): PagedTable {
  const table = new PagedTable(4, 2)
  const model = new Map<string, { key: Key; value: number }>()
  const inserted: Key[] = []
  for (let operation = 1; operation <= operations; operation++) {
    const known = inserted.length > 0 ? inserted[random.below(inserted.length)]! : undefined
    const choice = random.below(10)
    if (choice < 6 || known === undefined) {
      const key = pickKey()
      put(table, key, operation)
      if (!model.has(key.join())) inserted.push(key)
      model.set(key.join(), { key, value: operation })
    } else if (choice < 8) {
      const slot = table.find4(...known)
      if (slot >= 0 !== model.has(known.join())) throw new Error(`seed ${random.seed}: lost or raised ${known.join()}`)
      if (slot >= 0) table.remove(slot)
      model.delete(known.join())
    } else {
      put(table, known, operation)
      model.set(known.join(), { key: known, value: operation })
    }
    if (operation % Math.floor(operations / checks) === 0) {
      expectHolds(table, model, `seed ${random.seed}, operation ${operation}`)
    }
  }
  return table
}

describe('a paged table behaves like a map', () => {
  test('for random keys, over several pages', () => {
    const random = new SeededRandom()
    const table = runAgainstModel(random, 120_000, 6, () => keyOf(random))
    expect(table.bytes).toBeGreaterThan(4 * 262_144)
  })

  test('after every single step while it is small', () => {
    const random = new SeededRandom()
    for (let round = 0; round < 20; round++) {
      const table = runAgainstModel(random, 400, 400, () => keyOf(random))
      expect(table.size).toBeGreaterThan(100)
    }
  })

  test('for keys that crowd together: few first words, small numbers around the mark of a free slot, both ends', () => {
    const random = new SeededRandom()
    const firstWords = [0, 0, 1, -1, 2_147_483_647, -2_147_483_648, 5, 6, 7]
    const table = runAgainstModel(random, 6_000, 40, () => [
      firstWords[random.below(firstWords.length)]!,
      random.below(40) + 1,
      random.below(3),
      random.below(3),
    ])
    expect(table.size).toBeGreaterThan(100)
  })

  test('for keys in ascending order, which is the hard case for it', () => {
    const random = new SeededRandom()
    let order = 0
    const table = runAgainstModel(random, 6_000, 20, () => {
      order += random.below(2000)
      return [(order - ORDER_SPAN / 2) | 0, 1, order, 0]
    })
    expect(table.size).toBeGreaterThan(1000)
  })

  test('for keys in descending order', () => {
    const random = new SeededRandom()
    let order = ORDER_SPAN
    const table = runAgainstModel(random, 6_000, 20, () => {
      order -= random.below(2000)
      return [(order - ORDER_SPAN / 2) | 0, 1, order | 0, 0]
    })
    expect(table.size).toBeGreaterThan(1000)
  })
})

describe('keys are compared whole', () => {
  test('a difference in any one of four words is another key', () => {
    const table = new PagedTable(4, 1)
    const base: Key = [7, 7, 7, 7]
    put(table, base, 1)
    for (let word = 0; word < 4; word++) {
      const other: Key = [...base]
      other[word] = 8
      expect(table.find4(...other)).toBe(-1)
      put(table, other, 10 + word)
    }
    expect(table.size).toBe(5)
    expect(table.word(table.find4(...base), VALUE)).toBe(1)
  })

  test('unsigned and signed forms of a word are one key', () => {
    const table = new PagedTable(4, 1)
    put(table, [-5, -6, -7, -8], 9)
    expect(table.find4(-5 >>> 0, -6 >>> 0, -7 >>> 0, -8 >>> 0)).toBe(table.find4(-5, -6, -7, -8))
  })

  test('a key that would look like a free slot is refused, and not found', () => {
    const table = new PagedTable(4, 1)
    expect(() => table.findOrInsert4(0, 0, 1, 1)).toThrow(/both 0/)
    expect(() => new PagedTable(2, 1).insert2(0, 0)).toThrow(/both 0/)
    expect(table.find4(0, 0, 0, 0)).toBe(-1)
    expect(table.find4(0, 0, 1, 1)).toBe(-1)
  })

  test('equal keys of two words lie behind each other and are all found', () => {
    const table = new PagedTable(2, 1)
    for (let value = 1; value <= 3; value++) {
      table.setWord(table.insert2(9, 4), 2, value)
      table.setWord(table.insert2(9, 5), 2, 100 + value)
    }
    const values: number[] = []
    for (let slot = table.find2(9, 4); slot >= 0; slot = table.findNext2(slot, 9, 4)) values.push(table.word(slot, 2))
    expect(values.sort((a, b) => a - b)).toEqual([1, 2, 3])
  })
})

describe('slots', () => {
  test('a new record begins with zeros where a removed one lay', () => {
    const table = new PagedTable(4, 2)
    const slot = table.findOrInsert4(1, 2, 3, 4)
    table.setWord(slot, 4, 77)
    table.setWord(slot, 5, 78)
    table.remove(slot)
    const again = table.findOrInsert4(1, 2, 3, 4)
    expect([table.word(again, 4), table.word(again, 5)]).toEqual([0, 0])
  })

  test('find moves nothing: a slot stays good over any number of lookups', () => {
    const random = new SeededRandom()
    const table = new PagedTable(4, 1)
    for (let entry = 0; entry < 5000; entry++) put(table, keyOf(random), entry)
    const key = keyOf(random)
    const slot = table.findOrInsert4(...key)
    for (let lookup = 0; lookup < 1000; lookup++) table.find4(...keyOf(random))
    expect(table.find4(...key)).toBe(slot)
  })

  test('removeAndNext visits every other record once', () => {
    const random = new SeededRandom()
    const table = new PagedTable(4, 1)
    for (let entry = 0; entry < 3000; entry++) put(table, keyOf(random), entry)
    const visited = new Set<number>()
    let visits = 0
    for (let slot = table.firstFrom(0); slot >= 0; visits++) {
      const value = table.word(slot, VALUE)
      visited.add(value)
      slot = value % 2 === 0 ? table.removeAndNext(slot) : table.next(slot)
    }
    expect(visits, `seed ${random.seed}`).toBe(3000)
    expect(visited.size).toBe(3000)
    expect(table.size).toBe(1500)
  })
})

describe('memory', () => {
  test('an entry costs its slot divided by the load, at every size on the way', () => {
    const random = new SeededRandom()
    const table = new PagedTable(4, 2)
    let worst = 0
    for (let entry = 1; entry <= 300_000; entry++) {
      put(table, keyOf(random), entry)
      if (entry > 100_000 && entry % 1000 === 0) worst = Math.max(worst, table.bytes / table.size)
    }
    // 24 bytes at a load of 0.66, and the third that a stretch adds in advance, less what has come in until then.
    expect(worst, `seed ${random.seed}`).toBeLessThan(48)
  })

  test('a table that loses as many as it gains stays as large as it is', () => {
    const random = new SeededRandom()
    const table = new PagedTable(4, 2)
    const keys: Key[] = []
    for (let entry = 0; entry < 30_000; entry++) keys.push(keyOf(random))
    for (const key of keys) put(table, key, 1)
    const bytes = table.bytes
    for (let turn = 0; turn < 300_000; turn++) {
      const index = turn % keys.length
      table.remove(table.find4(...keys[index]!))
      keys[index] = keyOf(random)
      put(table, keys[index]!, turn)
    }
    expect(table.size).toBe(30_000)
    expect(table.bytes - bytes, `seed ${random.seed}`).toBeLessThanOrEqual(262_144)
    const missing = keys.filter((key) => table.find4(...key) < 0)
    expect(missing).toEqual([])
  })

  test('an emptied table answers misses and fills again', () => {
    const random = new SeededRandom()
    const table = new PagedTable(4, 2)
    const keys = Array.from({ length: 20_000 }, () => keyOf(random))
    for (const key of keys) put(table, key, 1)
    for (const key of keys) table.remove(table.find4(...key))
    expect(table.size).toBe(0)
    expect(table.firstFrom(0)).toBe(-1)
    expect(keys.some((key) => table.find4(...key) >= 0)).toBe(false)
    for (const key of keys) put(table, key, 2)
    expect(keys.every((key) => table.word(table.find4(...key), VALUE) === 2)).toBe(true)
  })

  test('a small table is small', () => {
    expect(new PagedTable(4, 4).bytes).toBeLessThan(4096)
  })

  test('after reserve a sorted load neither grows the table nor crowds', () => {
    const random = new SeededRandom()
    const keys = Array.from({ length: 100_000 }, () => keyOf(random)).sort((a, b) => a[0] - b[0])
    const table = new PagedTable(4, 2)
    table.reserve(keys.length)
    const bytes = table.bytes
    let farthest = 0
    for (const key of keys) {
      const slot = table.findOrInsert4(...key)
      farthest = Math.max(farthest, slot - Math.floor(((key[0] + ORDER_SPAN / 2) / ORDER_SPAN) * table.capacity))
    }
    expect(table.bytes).toBe(bytes)
    expect(farthest, `seed ${random.seed}`).toBeLessThan(500)
  })

  test('reserve on a filled table keeps what is there', () => {
    const random = new SeededRandom()
    const table = new PagedTable(4, 1)
    const keys = Array.from({ length: 10_000 }, () => keyOf(random))
    keys.forEach((key, index) => {
      put(table, key, index)
    })
    table.reserve(200_000)
    expect(table.capacity).toBeGreaterThan(200_000)
    expect(keys.every((key, index) => table.word(table.find4(...key), VALUE) === index)).toBe(true)
  })
})

test('the border between two scales is exact where the division rounds to a neighbour', () => {
  // 208,933,203 × 400,000,003 / 2^32 rounds up to slot 19,458,421; found by search.
  expect(firstOrderAt(19_458_421, 400_000_003 / ORDER_SPAN)).toBe(208_933_203)
  expect(firstOrderAt(0, 64 / ORDER_SPAN)).toBe(0)
  expect(firstOrderAt(63, 64 / ORDER_SPAN)).toBe(63 * 2 ** 26)
})
