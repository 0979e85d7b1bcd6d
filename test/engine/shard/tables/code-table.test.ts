import { describe, expect, test } from 'vitest'
import { Chaskey } from '../../../../engine/domain/key-hash.ts'
import { CodeTable } from '../../../../engine/shard/tables/code-table.ts'
import { LongCodes } from '../../../../engine/shard/tables/long-codes.ts'
import { SeededRandom } from './seeded-random.ts'

const SECRET = Uint8Array.from({ length: 32 }, (_, index) => 255 - index)
const PACKABLE = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789'
const ALL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-'
const encoder = new TextEncoder()
const decoder = new TextDecoder()

function get(table: CodeTable, code: string): number {
  const bytes = encoder.encode(code)
  return table.get(bytes, 0, bytes.length)
}

function set(table: CodeTable, code: string, ordinal: number): void {
  const bytes = encoder.encode(code)
  table.set(bytes, 0, bytes.length, ordinal)
}

function randomCode(random: SeededRandom, letters: string, shortest: number, longest: number): string {
  let code = ''
  for (let left = shortest + random.below(longest - shortest + 1); left > 0; left--) {
    code += letters[random.below(letters.length)]!
  }
  return code
}

describe('a code table', () => {
  test('finds what was set, and nothing else, for codes of all lengths and letters', () => {
    const random = new SeededRandom()
    const table = new CodeTable(SECRET)
    const model = new Map<string, number>()
    for (let ordinal = 0; ordinal < 40_000; ordinal++) {
      const code = random.below(2) === 0 ? randomCode(random, PACKABLE, 1, 14) : randomCode(random, ALL, 1, 64)
      set(table, code, ordinal)
      model.set(code, ordinal)
    }
    expect(table.size, `seed ${random.seed}`).toBe(model.size)
    const wrong = [...model].filter(([code, ordinal]) => get(table, code) !== ordinal)
    expect(wrong, `seed ${random.seed}`).toEqual([])
    for (let probe = 0; probe < 20_000; probe++) {
      const code = randomCode(random, random.below(2) === 0 ? PACKABLE : ALL, 1, 16)
      expect(get(table, code), `seed ${random.seed}, ${code}`).toBe(model.get(code) ?? -1)
    }
  })

  test('keeps codes apart that pack to the same letters: every run of A, and every run of 9', () => {
    const table = new CodeTable(SECRET)
    for (let length = 1; length <= 64; length++) {
      set(table, 'A'.repeat(length), length)
      set(table, '9'.repeat(length), 100 + length)
    }
    expect(table.size).toBe(128)
    for (let length = 1; length <= 64; length++) {
      expect(get(table, 'A'.repeat(length))).toBe(length)
      expect(get(table, '9'.repeat(length))).toBe(100 + length)
    }
  })

  test('tells codes apart that differ in a single letter, at every place of six, seven and twelve letters', () => {
    const table = new CodeTable(SECRET)
    const codes = new Set<string>()
    for (const base of ['AAAAAA', 'AAAAAAA', 'AAAAAAAAAAAA', '999999999999']) {
      for (let place = 0; place < base.length; place++) {
        for (const letter of PACKABLE) codes.add(base.slice(0, place) + letter + base.slice(place + 1))
      }
    }
    let ordinal = 0
    for (const code of codes) set(table, code, ordinal++)
    expect(table.size).toBe(codes.size)
    ordinal = 0
    for (const code of codes) expect(get(table, code)).toBe(ordinal++)
  })

  test('reads a code in the middle of other bytes', () => {
    const table = new CodeTable(SECRET)
    set(table, 'SAVE2', 5)
    set(table, 'SAVE-10', 6)
    const body = encoder.encode('{"code":"SAVE2","other":"SAVE-10"}')
    expect(table.get(body, 9, 14)).toBe(5)
    expect(table.get(body, 9, 13)).toBe(-1)
    expect(table.get(body, 25, 32)).toBe(6)
    expect(table.get(body, 25, 31)).toBe(-1)
  })

  test('replaces an ordinal, up to the largest', () => {
    const table = new CodeTable(SECRET)
    for (const code of ['ABC', 'A-C']) {
      set(table, code, 1)
      set(table, code, 4_294_967_295)
      expect(get(table, code)).toBe(4_294_967_295)
    }
    expect(table.size).toBe(2)
  })

  test('refuses an empty code and one of 65 letters, and finds neither', () => {
    const table = new CodeTable(SECRET)
    expect(() => {
      set(table, '', 1)
    }).toThrow(/1 to 64/)
    expect(() => {
      set(table, 'A'.repeat(65), 1)
    }).toThrow(/1 to 64/)
    expect(get(table, '')).toBe(-1)
    expect(get(table, 'A'.repeat(65))).toBe(-1)
  })

  test('costs at most 20 bytes a code at 300,000 random codes of ten letters', () => {
    const random = new SeededRandom()
    const table = new CodeTable(SECRET)
    let worst = 0
    for (let ordinal = 0; ordinal < 300_000; ordinal++) {
      set(table, randomCode(random, PACKABLE, 10, 10), ordinal)
      if (ordinal > 100_000 && ordinal % 1000 === 0) worst = Math.max(worst, table.bytes / table.size)
    }
    expect(worst, `seed ${random.seed}`).toBeLessThan(20)
  })
})

describe('a scan in pages', () => {
  function page(table: CodeTable, cursor: number, limit: number, into: Map<string, number>): number {
    let taken = 0
    return table.scan(cursor, (ordinal, code, length) => {
      const text = decoder.decode(code.subarray(0, length))
      expect(into.has(text)).toBe(false)
      into.set(text, ordinal)
      return ++taken < limit
    })
  }

  test('gives every code once, spelt out, though the table grows between the pages', () => {
    const random = new SeededRandom()
    const table = new CodeTable(SECRET)
    const model = new Map<string, number>()
    const add = (code: string): void => {
      if (model.has(code)) return
      model.set(code, model.size)
      set(table, code, model.size - 1)
    }
    for (let index = 0; index < 3000; index++) add(randomCode(random, PACKABLE, 1, 12))
    for (let index = 0; index < 1000; index++) add(randomCode(random, ALL, 3, 64))
    const before = new Map(model)
    const seen = new Map<string, number>()
    let pages = 0
    for (let cursor = 0; cursor >= 0; pages++) {
      cursor = page(table, cursor, 50, seen)
      for (let index = 0; index < 20; index++) add(randomCode(random, PACKABLE, 9, 12))
      for (let index = 0; index < 5; index++) add(randomCode(random, ALL, 13, 30))
    }
    expect(pages).toBeGreaterThan(79)
    for (const [code, ordinal] of before) expect(seen.get(code), `seed ${random.seed}, ${code}`).toBe(ordinal)
    for (const [code, ordinal] of seen) expect(model.get(code), `seed ${random.seed}, ${code}`).toBe(ordinal)
  })

  test('passes from packed codes to others, and ends, at any page size', () => {
    const table = new CodeTable(SECRET)
    expect(table.scan(0, () => true)).toBe(-1)
    for (const code of ['ABC', 'DEF', 'X-1', 'Y-2']) set(table, code, 1)
    for (let limit = 1; limit <= 5; limit++) {
      const seen = new Map<string, number>()
      for (let cursor = 0; cursor >= 0; ) cursor = page(table, cursor, limit, seen)
      expect([...seen.keys()].sort((a, b) => (a < b ? -1 : 1))).toEqual(['ABC', 'DEF', 'X-1', 'Y-2'])
    }
  })
})

test('long codes with equal hashes are told apart by their bytes', () => {
  const codes = new LongCodes(new Chaskey(Int32Array.of(1, 2, 3, 4)), 1)
  const code = (index: number): Uint8Array => encoder.encode(`CODE-${index}`)
  for (let index = 0; index < 500; index++) codes.set(code(index), 0, code(index).length, index)
  expect(codes.size).toBe(500)
  for (let index = 0; index < 500; index++) expect(codes.get(code(index), 0, code(index).length)).toBe(index)
  expect(codes.get(code(500), 0, code(500).length)).toBe(-1)
})
