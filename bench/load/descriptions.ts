// Descriptions of coupons, each different: twelve words a text, drawn from twenty thousand whose shares fall slowly, so that
// the most common ones stand in nearly a tenth of all texts and most in a few hundred of a million.
//
// Words are made of syllables, so beginnings are shared as those of a language are. Everything follows from the seed: whoever
// searches knows the words without having seen a text.

import { seededRandom } from './random.ts'

const WORDS = 20_000
const WORDS_A_TEXT = 12
/** Of Zipf's law; 1 would be a language, where a common word stands in every text. */
const EXPONENT = 0.6
const SYLLABLES_MIN = 2
const SYLLABLES_MORE = 3
const CONSONANTS = 'bcdfghklmnprstvz'
const VOWELS = 'aeiou'

export class Descriptions {
  /** The most common one first. */
  readonly words: readonly string[]
  readonly #cumulative: Float64Array
  readonly #random: () => number

  constructor(seed: number) {
    this.words = vocabulary(seed)
    this.#cumulative = new Float64Array(this.words.length)
    let sum = 0
    for (let rank = 0; rank < this.words.length; rank++) {
      sum += (rank + 1) ** -EXPONENT
      this.#cumulative[rank] = sum
    }
    this.#random = seededRandom(seed + 1)
  }

  /** The next text. */
  next(): string {
    return Array.from({ length: WORDS_A_TEXT }, () => this.#word()).join(' ')
  }

  #word(): string {
    const wanted = this.#random() * (this.#cumulative.at(-1) as number)
    let low = 0
    let high = this.words.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#cumulative[middle] as number) >= wanted) high = middle
      else low = middle + 1
    }
    return this.words[low] as string
  }
}

function vocabulary(seed: number): string[] {
  const random = seededRandom(seed)
  const letter = (letters: string): string => letters[Math.floor(random() * letters.length)] as string
  const words = new Set<string>()
  while (words.size < WORDS) {
    const syllables = SYLLABLES_MIN + Math.floor(random() * SYLLABLES_MORE)
    words.add(Array.from({ length: syllables }, () => letter(CONSONANTS) + letter(VOWELS)).join(''))
  }
  return [...words]
}
