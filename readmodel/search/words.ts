/**
 * Words of a text: what is compared when somebody searches. Case and marks over letters do not count (Café is cafe), letters and
 * digits make words, everything else stands between them. Scripts that write no spaces give a word a letter.
 */

/** Letters of a word that are compared; the rest is cut off, of texts and of searches alike. */
export const WORD_LENGTH_MAX = 64

const ASCII = /^[\x20-\x7e]*$/
const ASCII_WORD = /[a-z0-9]+/g
const MARKS = /\p{M}+/gu
const UNSPACED = '[\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}]'
const ANY_WORD = new RegExp(`${UNSPACED}|(?:(?!${UNSPACED})[\\p{L}\\p{N}])+`, 'gu')

/** In the order of the text, repetitions included. */
export function wordsOf(text: string): string[] {
  const isAscii = ASCII.test(text)
  const plain = isAscii ? text.toLowerCase() : text.toLowerCase().normalize('NFKD').replace(MARKS, '')
  const words = plain.match(isAscii ? ASCII_WORD : ANY_WORD) ?? []
  return words.map((word) => (word.length > WORD_LENGTH_MAX ? word.slice(0, WORD_LENGTH_MAX).toWellFormed() : word))
}

/** Whether the last word may still be going on: nothing stands behind it. */
export function endsInWord(text: string): boolean {
  return /[\p{L}\p{N}\p{M}]$/u.test(text)
}
