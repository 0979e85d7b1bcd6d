// Searches of an index, against going through all entries one by one, and by example where the contract says what comes first.

import { describe, expect, test } from 'vitest'
import type { SearchSort } from '../../../gateway/lists/search-port.ts'
import type { SearchEntry } from '../../../readmodel/search/entries.ts'
import { SearchIndex } from '../../../readmodel/search/index.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { described, entry, NOW_MS, TestIndex } from './support.ts'

function ascending(a: number, b: number): number {
  return a - b
}

describe('words', () => {
  const index = new TestIndex([
    ...described('Summer shoes', 'summer hats and shoes', 'winter hats'),
    entry(4, { category: 'Shoes', merchant: 'Hatter & Sons' }),
    entry(5, { code: 'SHOES-20' }),
  ])

  test.each<[string, number[]]>([
    ['summer', [1, 2]],
    ['SUMMER shoes', [1, 2]],
    ['shoes summer', [1, 2]],
    ['summer winter', []],
    ['shoes', [4, 5, 1, 2]],
    ['hat', [4, 3, 2]],
    ['hat ', []],
    ['shoes 2', [5]],
    ['shoes-20', [5]],
    ['sho s', []],
    ['sons hatter', [4]],
    ['nothing', []],
    ['summer nothing', []],
  ])('%j finds %j', (text, ids) => {
    expect(index.find(text).toSorted(ascending)).toEqual(ids.toSorted(ascending))
  })

  test('none at all finds everything, the newest first', () => {
    expect(index.find('')).toEqual([5, 4, 3, 2, 1])
    expect(index.find(' - ')).toEqual([5, 4, 3, 2, 1])
  })

  test('only the last may be a beginning', () => {
    expect(index.find('summer sho').toSorted(ascending)).toEqual([1, 2])
    expect(index.find('summ shoes')).toEqual([])
  })

  test('beyond the tenth are left out', () => {
    const long = new TestIndex(described('a b c d e f g h i j k', 'a b c d e f g h i'))
    expect(long.find('a b c d e f g h i j z')).toEqual([1])
  })
})

describe('by relevance', () => {
  test('a category says more than a merchant, that more than a description', () => {
    const fields = [{ description: 'toys' }, { merchant: 'toys' }, { category: 'toys' }]
    expect(new TestIndex(fields.map((each, i) => entry(i + 1, each))).find('toys')).toEqual([3, 2, 1])
  })

  test('a word of two fields says more than of one', () => {
    const both = entry(1, { category: 'toys', description: 'wooden toys' })
    expect(new TestIndex([both, entry(2, { category: 'toys' })]).find('toys')).toEqual([1, 2])
  })

  test('a short description says more than a long one', () => {
    const long = `shoes ${'and many other fine things '.repeat(8)}`
    expect(new TestIndex(described('fine shoes', long)).find('shoes')).toEqual([1, 2])
  })

  test('a rare word counts more than a common one', () => {
    // Both have both words, each in another field; only which of them is common differs.
    const filler = Array.from({ length: 200 }, (_, i) => entry(100 + i, { description: 'sale of everything' }))
    const index = new TestIndex([
      entry(1, { category: 'sale', description: 'quinces today' }),
      entry(2, { category: 'quinces', description: 'sale today' }),
      ...filler,
    ])
    expect(index.find('sale quinces ')).toEqual([2, 1])
  })

  test('the whole word comes before one that only begins so', () => {
    expect(new TestIndex(described('hat', 'hatters')).find('hat')).toEqual([1, 2])
  })

  test('an old entry that fits best comes before ten thousand newer ones', () => {
    const many = Array.from({ length: 10_000 }, (_, i) => entry(2 + i, { description: 'garden chairs and more' }))
    const index = new TestIndex([entry(1, { category: 'garden', description: 'garden chairs' }), ...many])
    expect(index.find('garden', {}, 2)).toEqual([1, 10_001])
  })

  test('equals come the newest first', () => {
    expect(new TestIndex(described('one hat', 'one hat', 'one hat')).find('hat')).toEqual([3, 2, 1])
  })
})

test('of more than can be laid out the newest are found, and a rare word finds an old one all the same', () => {
  const index = new TestIndex([entry(1, { description: 'quince aardvark' })])
  for (let id = 2; id < 220_000; id++) index.index.put(entry(id, { description: id % 2 === 0 ? 'apples' : 'apricots' }))
  expect(index.find('a', { listedOnly: true }, 3)).toEqual([219_999, 219_998, 219_997])
  expect(index.find('quince a', { listedOnly: true })).toEqual([1])
})

describe('a code', () => {
  const index = new TestIndex([
    entry(1, { code: 'SPRING10', description: 'flowers', isListed: true }),
    entry(2, { code: 'SPRING20', description: 'flowers', isListed: false }),
  ])

  test('is found by its beginning and as a whole', () => {
    expect(index.find('spr')).toEqual([2, 1])
    expect(index.find('SPRING10')).toEqual([1])
    expect(index.find('flowers spring2')).toEqual([2])
  })

  test.each(['s', 'spr', 'spring10', 'SPRING10', 'spring10 ', 'flowers spring', 'flowers spring10 '])(
    'is not found by %j for whoever sees what is listed only',
    (text) => {
      expect(index.find(text, { listedOnly: true })).toEqual([])
    },
  )

  test('does not keep a listed coupon from being found by its text', () => {
    expect(index.find('flow', { listedOnly: true })).toEqual([1])
  })
})

describe('filters', () => {
  const past = NOW_MS - 1
  const future = NOW_MS + 1
  const index = new TestIndex([
    entry(1, { description: 'x', type: 'FIXED', category: 'a' }),
    entry(2, { description: 'x', type: 'FREESHIP', category: 'a b' }),
    entry(3, { description: 'x', isDisabled: true }),
    entry(4, { description: 'x', validUntilMs: NOW_MS }),
    entry(5, { description: 'x', validFromMs: future, maxUses: 2 }),
    entry(6, { description: 'x', validFromMs: NOW_MS, validUntilMs: future, maxUses: 1 }),
    entry(7, { description: 'x', isDisabled: true, validUntilMs: past }),
  ])

  test.each<[object, number[]]>([
    [{ type: 'FIXED' }, [1]],
    [{ type: 'FREESHIP' }, [2]],
    [{ type: 'HALF' }, []],
    [{ category: 'a' }, [1]],
    [{ category: 'A' }, []],
    [{ category: 'b' }, []],
    [{ category: 'a b', type: 'FIXED' }, []],
    [{ status: 'DISABLED' }, [7, 3]],
    [{ status: 'EXPIRED' }, [4]],
    [{ status: 'SCHEDULED' }, [5]],
    // By their uses these may be so; the rows decide.
    [{ status: 'REDEEMED' }, [6]],
    [{ status: 'LOCKED' }, [6]],
    [{ status: 'EXHAUSTED' }, [5]],
    [{ status: 'ACTIVE' }, [6, 2, 1]],
  ])('%j', (wanted, ids) => {
    for (const text of ['x', 'x ', '']) expect(index.find(text, wanted), text).toEqual(ids)
  })
})

describe('a changed entry', () => {
  test('is found by what it says now, once', () => {
    const index = new TestIndex([entry(1, { description: 'red hats' }), entry(2, { description: 'red shoes' })])
    index.index.put(entry(1, { description: 'blue hats' }))
    expect(index.find('red')).toEqual([2])
    expect(index.find('blue')).toEqual([1])
    expect(index.find('hats')).toEqual([1])
    index.index.put(entry(1, { description: 'red hats' }))
    expect(index.find('red')).toEqual([2, 1])
    expect(index.find('')).toEqual([2, 1])
  })

  test('whose words are the same keeps its place and takes the rest', () => {
    const index = new TestIndex([entry(1, { description: 'hats' })])
    index.index.put(entry(1, { description: 'hats', isListed: false, isDisabled: true, validUntilMs: NOW_MS - 5 }))
    expect(index.index.entries.count).toBe(1)
    expect(index.find('hats', { listedOnly: true })).toEqual([])
    expect(index.find('hats', { status: 'DISABLED' })).toEqual([1])
  })
})

describe('pages', () => {
  test.each<SearchSort>(['relevance', 'newest', 'expiry'])(
    'by %s hold while others come and change: nothing twice, nothing left out',
    (sort) => {
      const first = Array.from({ length: 500 }, (_, i) =>
        entry(i + 1, {
          description: i % 3 === 0 ? 'hats' : 'hats and very many other things for everybody who likes them',
          createdAtMs: NOW_MS - (i % 50),
          validUntilMs: i % 4 === 0 ? null : NOW_MS + (i % 40),
        }),
      )
      const index = new TestIndex(first)
      let next = 1_000
      const found = index.pages('hats ', { sort }, 7, () => {
        // So many that the word becomes common and would weigh less.
        for (let i = 0; i < 20; i++) {
          const description = i % 2 === 0 ? 'hats' : 'gloves'
          index.index.put(entry(next++, { description, createdAtMs: NOW_MS + next, validUntilMs: NOW_MS - next }))
        }
        index.index.put(entry(1 + (next % 500), { description: 'no longer any' }))
        index.index.put(first[next % 500] as SearchEntry)
      })
      const old = found.filter((id) => id < 1_000)
      expect(new Set(found).size).toBe(found.length)
      expect(old.toSorted(ascending)).toEqual(first.map(({ id }) => id))
    },
  )
})

describe('against going through all entries', () => {
  const random = new SeededRandom()
  const vocabulary = Array.from({ length: 120 }, () => {
    return Array.from({ length: 1 + random.below(5) }, () => random.pick(['a', 'b', 'c'])).join('')
  })
  const text = (words: number): string => Array.from({ length: words }, () => random.pick(vocabulary)).join(' ')

  function randomEntry(id: number): SearchEntry {
    return entry(id, {
      createdAtMs: NOW_MS - random.below(300),
      validUntilMs: random.pick([null, NOW_MS + 1 + random.below(200)]),
      description: random.pick([null, text(1 + random.below(8))]),
      category: random.pick([null, text(1)]),
      merchant: random.pick([null, text(1)]),
      code: text(1 + random.below(2))
        .replaceAll(' ', '-')
        .toUpperCase(),
      isListed: random.below(2) === 0,
      type: random.pick(['PERCENT', 'FIXED']),
    })
  }

  /** Whether it fits, by looking at it. */
  function fits(each: SearchEntry, search: string, listedOnly: boolean): boolean {
    if (listedOnly && !each.isListed) return false
    const texts = [each.description, each.category, each.merchant, listedOnly ? null : each.code]
    const has = texts.flatMap((part) => (part ?? '').toLowerCase().split(/[ -]/)).filter((word) => word !== '')
    const words = search.split(' ').filter((word) => word !== '')
    const typed = search.endsWith(' ') ? undefined : words.pop()
    return (
      words.every((word) => has.includes(word)) && (typed === undefined || has.some((word) => word.startsWith(typed)))
    )
  }

  test(`every search finds exactly what fits, in order (seed ${random.seed})`, { timeout: 60_000 }, () => {
    const index = new TestIndex()
    const known = new Map<number, SearchEntry>()
    let found = 0
    for (let round = 0; round < 400; round++) {
      for (let i = 0; i < 12; i++) {
        const each = randomEntry(1 + random.below(3_000))
        known.set(each.id, each)
        index.index.put(each)
      }
      if (round % 5 === 0) while (index.index.isUntidy) index.index.tidy()
      const search = text(1 + random.below(3)) + random.pick(['', ' '])
      const listedOnly = random.below(2) === 0
      const wanted = [...known.values()].filter((each) => fits(each, search, listedOnly))
      const newest = wanted.toSorted((a, b) => b.createdAtMs - a.createdAtMs || b.id - a.id).map(({ id }) => id)
      const until = ({ validUntilMs }: SearchEntry): number => validUntilMs ?? Number.MAX_SAFE_INTEGER
      const soonest = wanted.toSorted((a, b) => until(a) - until(b) || b.id - a.id).map(({ id }) => id)
      const count = 1 + random.below(40)
      expect(index.pages(search, { listedOnly, sort: 'newest' }, count), search).toEqual(newest)
      expect(index.pages(search, { listedOnly, sort: 'expiry' }, count), search).toEqual(soonest)
      const ranked = index.pages(search, { listedOnly }, count)
      expect(ranked.toSorted(ascending), search).toEqual(newest.toSorted(ascending))
      found += newest.length
    }
    expect(found).toBeGreaterThan(10_000)
  })
})

/** Of all arrays of numbers that can be reached from it. */
function bytesOfArrays(from: object, seen = new Set<object>()): number {
  if (seen.has(from)) return 0
  seen.add(from)
  if (ArrayBuffer.isView(from)) return from.byteLength
  let bytes = 0
  for (const value of Object.values(from) as unknown[]) {
    if (typeof value === 'object' && value !== null) bytes += bytesOfArrays(value, seen)
  }
  return bytes
}

test('the bytes that an index says it has are those that it has', () => {
  const index = new SearchIndex()
  for (let id = 1; id <= 50_000; id++) index.put(entry(id, { code: `CODE-${id}`, description: `summer offer ${id}` }))
  while (index.isUntidy) index.tidy()
  const allocated = bytesOfArrays(index)
  // Columns that have just doubled are half in use.
  expect(index.bytesInUse).toBeGreaterThan(allocated / 2)
  expect(index.bytesInUse).toBeLessThan(allocated)
})
