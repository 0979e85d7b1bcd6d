// All words that begin so, against looking at every word, while runs are merged in slices of any size.

import { expect, test } from 'vitest'
import { TermOrder } from '../../../readmodel/search/term-order.ts'
import { Terms } from '../../../readmodel/search/terms.ts'
import { SeededRandom } from '../../support/seeded-random.ts'

const random = new SeededRandom()

function randomWord(): string {
  return Array.from({ length: 1 + random.below(6) }, () => random.pick(['a', 'b', 'é', '夏', '7'])).join('')
}

function begun(order: TermOrder, prefix: string, max = 1_000_000): number[] {
  const found: number[] = []
  order.withPrefix(new TextEncoder().encode(prefix), max, (term) => found.push(term))
  return found
}

test(`every beginning finds its words, once (seed ${random.seed})`, { timeout: 30_000 }, () => {
  const terms = new Terms()
  const order = new TermOrder(terms)
  const known = new Map<string, number>()
  for (let i = 0; i < 40_000; i++) {
    const word = randomWord()
    const count = terms.count
    const term = terms.add(word)
    expect(term).toBe(known.get(word) ?? count)
    expect(terms.find(word)).toBe(term)
    if (term === count) order.add(term)
    known.set(word, term)
    // Sometimes far too little, so that runs pile up in the middle of a merge.
    if (i % 50 === 0) order.tidy(1 + random.below(random.pick([10, 4_000])))
    if (i % 400 > 0) continue
    const prefix = randomWord().slice(0, 1 + random.below(3))
    const expected = [...known].filter(([each]) => each.startsWith(prefix)).map((pair) => pair[1])
    expect(
      begun(order, prefix).toSorted((a, b) => a - b),
      prefix,
    ).toEqual(expected)
    expect(begun(order, prefix, 3)).toHaveLength(Math.min(3, expected.length))
  }
  while (order.isUntidy) order.tidy(1_000)
  const begunWithA = [...known].filter(([word]) => word.startsWith('a')).map((pair) => pair[1])
  expect(begun(order, 'a').toSorted((a, b) => a - b)).toEqual(begunWithA)
  expect(terms.find('nothing')).toBe(-1)
})
