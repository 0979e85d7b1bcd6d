// What counts as a word, of texts and of searches alike.

import { expect, test } from 'vitest'
import { endsInWord, WORD_LENGTH_MAX, wordsOf } from '../../../readmodel/search/words.ts'

test.each<[string, string[]]>([
  ['', []],
  ['  … ', []],
  ['Summer SALE, 20% off!', ['summer', 'sale', '20', 'off']],
  ['SUMMER-10_a', ['summer', '10', 'a']],
  ['Café CAFÉ cafe\u0301', ['cafe', 'cafe', 'cafe']],
  ['Größe Łódź', ['große', 'łodz']],
  ['Δώρα за Ёлку', ['δωρα', 'за', 'елку']],
  ['夏のセール50', ['夏', 'の', 'セ', 'ー', 'ル', '50']],
  ['a😀b', ['a', 'b']],
  ['x'.repeat(WORD_LENGTH_MAX + 9), ['x'.repeat(WORD_LENGTH_MAX)]],
])('%j is the words %j', (text, words) => {
  expect(wordsOf(text)).toEqual(words)
})

test.each([
  ['summ', true],
  ['summé', true],
  ['summ ', false],
  ['summ,', false],
  ['', false],
])('%j ends in a word that may go on: %s', (text, may) => {
  expect(endsInWord(text)).toBe(may)
})
