/**
 * The index of everything that can be found, in memory: entries, their words, and which entry has which word.
 *
 *     entry ──▶ words with their impact ──▶ terms (numbers) ──▶ a posting each
 *
 * Words of codes are kept apart from all others, so that whoever may not search codes cannot: not by a filter that somebody
 * forgets, but because that list is never opened. Whoever may sees both as one.
 *
 * Why not the database's own full text: docs/adr/0017-search.md.
 */
import { Entries, type SearchEntry } from './entries.ts'
import { entryWords } from './impact.ts'
import { PostingLists, SLOTS_MAX } from './postings.ts'
import { TermOrder } from './term-order.ts'
import { Terms } from './terms.ts'

/** Dead slots are worth an index made anew when they are more than this share, and more than so many. */
const DEAD_SHARE_MAX = 0.5
const DEAD_MIN = 100_000
/** Terms that a slice of tidying moves: about two milliseconds. */
const TIDY_TERMS = 16_384

/** Words of one kind. */
export class WordLists {
  readonly terms = new Terms()
  readonly order = new TermOrder(this.terms)
  readonly lists = new PostingLists()

  /** The number of the word's term. */
  add(word: string, slot: number, impact: number): number {
    const known = this.terms.count
    const term = this.terms.add(word)
    if (term === known) this.order.add(term)
    this.lists.add(term, slot, impact)
    return term
  }

  get bytesInUse(): number {
    return this.terms.bytesInUse + this.order.bytesInUse + this.lists.bytesInUse(this.terms.count)
  }

  countOf(term: number): number {
    return this.lists.counts[term] as number
  }
}

/** Words of an entry's terms: which kind stands in the lowest bit. */
export const KIND = { WORDS: 0, CODES: 1 } as const
export type Kind = (typeof KIND)[keyof typeof KIND]

export class SearchIndex {
  readonly entries = new Entries()
  readonly words = new WordLists()
  readonly codes = new WordLists()

  /** Of memory in use. */
  get bytesInUse(): number {
    return this.entries.bytesInUse + this.words.bytesInUse + this.codes.bytesInUse
  }

  of(kind: Kind): WordLists {
    return kind === KIND.WORDS ? this.words : this.codes
  }

  /** Adds an entry, or changes it to this. */
  put(entry: SearchEntry): void {
    const { entries } = this
    const sum = textSum(entry)
    const known = entries.slotOf(entry.id)
    if (known >= 0 && entries.textSumOf(known) === sum) {
      entries.fill(known, entry)
      return
    }
    const slot = entries.add(entry, sum)
    const { words, codeWords } = entryWords(entry)
    const keys: number[] = []
    const impacts: number[] = []
    for (const [kind, found] of [
      [KIND.WORDS, words],
      [KIND.CODES, codeWords],
    ] as const) {
      for (const [word, impact] of found) {
        keys.push(this.of(kind).add(word, slot, impact) * 2 + kind)
        impacts.push(impact)
      }
    }
    entries.setTerms(slot, keys, impacts)
  }

  /** Whether `tidy` would do anything. */
  get isUntidy(): boolean {
    return this.words.order.isUntidy || this.codes.order.isUntidy
  }

  /** A slice of work that keeps words that are being typed quick to look for. */
  tidy(): void {
    this.words.order.tidy(TIDY_TERMS)
    this.codes.order.tidy(TIDY_TERMS)
  }

  /** Whether so much of it is dead, or used up, that it should be made anew. */
  get isWorn(): boolean {
    const { dead, count } = this.entries
    return (dead > DEAD_MIN && dead > count * DEAD_SHARE_MAX) || count > SLOTS_MAX * 0.9
  }
}

/** Tells texts apart, but for one pair in 2^32. */
function textSum({ description, category, merchant, code }: SearchEntry): number {
  let sum = 0x811c_9dc5
  for (const text of [description, category, merchant, code]) {
    for (let i = 0; i < (text?.length ?? 0); i++) sum = Math.imul(sum ^ (text as string).charCodeAt(i), 0x0100_0193)
    // A unit that no text has, so that fields do not run into each other; another one where there is none.
    sum = Math.imul(sum ^ (text === null ? 0x1_0001 : 0x1_0000), 0x0100_0193)
  }
  return (sum ^ (sum >>> 15)) >>> 0
}
