/** Tables of a size that takes many pages come back from their dumps, and go on as if nothing had happened. */
import { createHash } from 'node:crypto'
import { expect, onTestFailed, test } from 'vitest'
import { CodeTable } from '../../../../engine/shard/tables/code-table.ts'
import type { DumpReader, DumpWriter } from '../../../../engine/shard/tables/dump.ts'
import { ExpiryHeap } from '../../../../engine/shard/tables/expiry-heap.ts'
import { OrderTable } from '../../../../engine/shard/tables/order-table.ts'
import { RowPool } from '../../../../engine/shard/tables/row-pool.ts'
import { SeededRandom } from '../../../support/seeded-random.ts'

/** A dump in memory. */
class Dump implements DumpWriter, DumpReader {
  readonly words: number[] = []
  private at = 0

  word(value?: number): number {
    if (value !== undefined) return this.words.push(value | 0)
    const word = this.words[this.at++]
    if (word === undefined) throw new Error('the dump is at its end')
    return word
  }

  number(value?: number): number {
    const halves = new Int32Array(2)
    const double = new Float64Array(halves.buffer)
    if (value === undefined) {
      halves.set([this.word(), this.word()])
      return double[0] as number
    }
    double[0] = value
    for (const half of halves) this.word(half)
    return value
  }

  raw(bytes: Uint8Array): void {
    const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4)
    padded.set(bytes)
    for (const word of new Int32Array(padded.buffer)) this.word(word)
  }

  rawInto(bytes: Uint8Array): void {
    const words = Int32Array.from({ length: Math.ceil(bytes.length / 4) }, () => this.word())
    bytes.set(new Uint8Array(words.buffer).subarray(0, bytes.length))
  }

  get digest(): string {
    return createHash('sha256').update(Int32Array.from(this.words)).digest('hex')
  }

  get isRead(): boolean {
    return this.at === this.words.length
  }
}

function dumpOf(table: { dumpTo(writer: DumpWriter): void }): Dump {
  const dump = new Dump()
  table.dumpTo(dump)
  return dump
}

function seeded(): SeededRandom {
  const random = new SeededRandom()
  onTestFailed(() => console.error(`seed ${random.seed}`))
  return random
}

const WORD = 2 ** 32

test('a table of records is the same again after any number of records, ties among their first words included', () => {
  const random = seeded()
  const table = new OrderTable()
  const kept = new Map<string, number>()
  const keys: [number, number, number, number][] = []
  for (let round = 0; round < 4; round++) {
    for (let record = 0; record < 10_000; record++) {
      // Few first words now and then: long runs of records that stand for each other's order.
      const k0 = (random.below(10) === 0 ? random.below(50) * 80_000_000 : random.below(WORD)) | 0
      const key: [number, number, number, number] = [k0, random.below(WORD) | 0, random.below(3), random.below(3)]
      if (key[0] === 0 && key[1] === 0) continue
      table.setRecord(table.findOrInsert(...key), record, round, record + 1)
      if (!kept.has(key.join())) keys.push(key)
      kept.set(key.join(), record + 1)
      if (random.below(4) === 0) {
        const [gone] = keys.splice(random.below(keys.length), 1)
        if (gone === undefined) continue
        table.remove(table.find(...gone))
        kept.delete(gone.join())
      }
    }
    const dump = dumpOf(table)
    const loaded = new OrderTable()
    loaded.loadFrom(dump)
    expect(dump.isRead).toBe(true)
    expect(loaded.size).toBe(kept.size)
    expect(dumpOf(loaded).digest).toBe(dump.digest)
    expect(keys.filter((key) => loaded.seq(loaded.find(...key)) !== kept.get(key.join()))).toEqual([])

    // Both go on alike, wherever their records lie.
    for (let step = 0; step < 3_000; step++) {
      const key = keys[random.below(keys.length)]
      if (key === undefined) throw new Error('no key is left')
      if (step % 3 === 0) {
        for (const each of [table, loaded]) each.setRecord(each.findOrInsert(step, step + 1, 7, 7), 0, 0, step + 1)
      } else {
        for (const each of [table, loaded]) each.setRecord(each.find(...key), 1, 2, 3)
      }
    }
    expect(dumpOf(loaded).digest).toBe(dumpOf(table).digest)
    for (let step = 0; step < 3_000; step += 3) {
      const key: [number, number, number, number] = [step, step + 1, 7, 7]
      if (!kept.has(key.join())) keys.push(key)
      kept.set(key.join(), step + 1)
    }
    for (const key of keys) kept.set(key.join(), table.seq(table.find(...key)))
  }
  expect(kept.size).toBeGreaterThan(20_000)
})

test('a dump without what counts as gone does not depend on whether it is there', () => {
  const random = seeded()
  const [swept, unswept] = [new OrderTable(false), new OrderTable(false)]
  for (let record = 1; record <= 20_000; record++) {
    const key = [random.below(300) * 9_000_000, record, 1, 1] as const
    for (const table of [swept, unswept]) table.setRecord(table.findOrInsert(...key), 0, 0, record)
  }
  swept.evictBelow(15_000, 10_000)
  expect(swept.isEvicting).toBe(true)
  expect(swept.size).toBeLessThan(unswept.size)
  const dumps = [swept, unswept].map((table) => {
    const dump = new Dump()
    table.dumpTo(dump, 15_000)
    return dump.digest
  })
  expect(dumps[0]).toBe(dumps[1])
  const loaded = new OrderTable(false)
  const dump = new Dump()
  unswept.dumpTo(dump, 15_000)
  loaded.loadFrom(dump)
  expect(loaded.size).toBe(5_001)
})

test('codes of both kinds are found again, and new ones beside them', () => {
  const random = seeded()
  const secret = new Uint8Array(32).fill(5)
  const table = new CodeTable(secret)
  const codes = Array.from({ length: 30_000 }, (_, ordinal) => {
    const text =
      random.below(2) === 0 ? `LONG-CODE-${ordinal}-${'X'.repeat(random.below(40))}` : `${ordinal.toString(2)}`
    return new TextEncoder().encode(text.replaceAll('0', 'A').replaceAll('1', 'B'))
  })
  const half = codes.length / 2
  for (const [ordinal, code] of codes.slice(0, half).entries()) table.set(code, 0, code.length, ordinal)
  const loaded = new CodeTable(secret)
  const dump = dumpOf(table)
  loaded.loadFrom(dump)
  expect(dump.isRead).toBe(true)
  for (const [index, code] of codes.slice(half).entries()) {
    for (const each of [table, loaded]) each.set(code, 0, code.length, half + index)
  }
  expect(codes.findIndex((code) => loaded.get(code, 0, code.length) !== table.get(code, 0, code.length))).toBe(-1)
  expect(loaded.size).toBe(table.size)
  expect(dumpOf(loaded).digest).toBe(dumpOf(table).digest)
})

test('rows keep their numbers, and are given out again in the same order', () => {
  const random = seeded()
  const make = () => {
    const rows = new RowPool()
    const timeMs = rows.f64Column()
    return { rows, timeMs, heap: new ExpiryHeap(rows, timeMs), root: -1 }
  }
  const [one, other] = [make(), make()]
  const live: number[] = []
  const step = (pools: ReturnType<typeof make>[]) => {
    const isFree = live.length > 0 && random.below(5) < 2
    const [gone] = isFree ? live.splice(random.below(live.length), 1) : []
    const atMs = random.below(40)
    for (const pool of pools) {
      if (gone !== undefined) {
        pool.root = pool.heap.remove(pool.root, gone)
        pool.rows.free(gone)
        continue
      }
      const row = pool.rows.alloc()
      pool.timeMs.set(row, atMs)
      pool.root = pool.heap.insert(pool.root, row)
      if (pool === pools[0]) live.push(row)
    }
  }
  for (let count = 0; count < 60_000; count++) step([one])
  const dump = dumpOf(one.rows)
  other.rows.loadFrom(dump)
  other.root = one.root
  expect(dump.isRead).toBe(true)
  expect(other.rows.size).toBe(live.length)
  for (let count = 0; count < 30_000; count++) step([one, other])
  expect(other.root).toBe(one.root)
  expect(dumpOf(other.rows).digest).toBe(dumpOf(one.rows).digest)
  expect(one.rows.rowsEnd).toBeGreaterThan(3 * 4_096)
})

test('a dump of other columns, or of a record of another size, is refused', () => {
  const rows = new RowPool()
  rows.f64Column()
  const more = new RowPool()
  more.f64Column()
  more.u32Column()
  expect(() => more.loadFrom(dumpOf(rows))).toThrow('other columns')
  expect(() => new OrderTable(true).loadFrom(dumpOf(new OrderTable(false)))).toThrow('another size')
  expect(() => new CodeTable(new Uint8Array(32)).loadFrom(new Dump())).toThrow('at its end')
})
