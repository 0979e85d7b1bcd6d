/**
 * A search as the index understands it: every word has to be there; the last one may still be being typed, so it stands for all
 * words that begin so.
 *
 *     "cafe sum"  ──▶  cafe              weight of rare words is high (BM25's, in whole steps)
 *                      sum·summer·…      weighed as one
 *
 * Weights travel in the cursor, five bits a word: they follow from how many entries have a word, and the pages of one search
 * have to be weighed alike.
 */
import { KIND, type Kind, type SearchIndex, type WordLists } from './index.ts'
import { endsInWord, wordsOf } from './words.ts'

/** Words of a search that count; further ones are left out. */
const QUERY_WORDS_MAX = 10
/** Different words of a kind that one beginning may stand for; of more the last ones in the alphabet are left out. */
const PREFIX_TERMS_MAX = 20_000

const WEIGHT_MAX = 31
const WEIGHTS = WEIGHT_MAX + 1

/** What stands for one word of the search. */
export interface WordGroup {
  /** Lists of postings, see `listOf`. */
  readonly lists: readonly number[]
  /** Postings of all lists. */
  readonly total: number
  readonly isPrefix: boolean
  readonly weight: number
}

/** A list as one number: twenty thousand of them are nothing unusual. */
function listNumber(term: number, kind: Kind, isWhole: boolean): number {
  return term * 4 + kind * 2 + (isWhole ? 1 : 0)
}

/** A term and its kind as one number: those of an entry are kept so, too. */
export function termKey(list: number): number {
  return Math.floor(list / 2)
}

export function termOf(list: number): number {
  return Math.floor(list / 4)
}

export function kindOf(list: number): Kind {
  return (Math.floor(list / 2) % 2) as Kind
}

/** What an impact counts for: twice for the word itself, once for one that only begins so. */
export function factorOf(list: number): 1 | 2 {
  return list % 2 === 1 ? 2 : 1
}

export interface ParsedQuery {
  readonly groups: readonly WordGroup[]
  readonly weights: number
  /** A word that nothing has. */
  readonly isHopeless: boolean
}

/** `weights`: those of the page before; null: of now. */
export function parseQuery(index: SearchIndex, text: string, withCodes: boolean, weights: number | null): ParsedQuery {
  const all = wordsOf(text)
  const words = all.slice(0, QUERY_WORDS_MAX)
  const last = all.length === words.length && endsInWord(text) ? (words.pop() ?? null) : null
  const kinds: readonly Kind[] = withCodes ? [KIND.WORDS, KIND.CODES] : [KIND.WORDS]
  const found = [...new Set(words)].map((word) => ({ lists: wholeLists(index, kinds, word), isPrefix: false }))
  if (last !== null) found.push({ lists: prefixLists(index, kinds, last), isPrefix: true })
  const groups = found.map(({ lists, isPrefix }, place) => {
    const total = lists.reduce((sum, list) => sum + index.of(kindOf(list)).countOf(termOf(list)), 0)
    const weight = weights === null ? weightOf(total, index.entries.count) : weightAt(weights, place)
    return { lists, total, isPrefix, weight }
  })
  return {
    groups,
    weights: groups.reduce((sum, { weight }, place) => sum + weight * WEIGHTS ** place, 0),
    isHopeless: groups.some(({ total }) => total === 0),
  }
}

function wholeLists(index: SearchIndex, kinds: readonly Kind[], word: string): number[] {
  return kinds.flatMap((kind) => {
    const term = index.of(kind).terms.find(word)
    return term < 0 ? [] : [listNumber(term, kind, true)]
  })
}

function prefixLists(index: SearchIndex, kinds: readonly Kind[], word: string): number[] {
  const prefix = new TextEncoder().encode(word)
  const found: number[] = []
  for (const kind of kinds) {
    const { order, terms }: WordLists = index.of(kind)
    // The word itself stands in no particular place among those that begin so, and must not be what is left out.
    const whole = terms.find(word)
    if (whole >= 0) found.push(listNumber(whole, kind, true))
    order.withPrefix(prefix, PREFIX_TERMS_MAX, (term) => {
      if (term !== whole) found.push(listNumber(term, kind, false))
    })
  }
  return found
}

/** Twice the logarithm of how rare it is, in whole steps. */
function weightOf(total: number, entries: number): number {
  const rarity = Math.log2(1 + entries / Math.max(1, Math.min(total, entries)))
  return Math.min(WEIGHT_MAX, Math.max(1, Math.round(2 * rarity)))
}

function weightAt(weights: number, place: number): number {
  return Math.floor(weights / WEIGHTS ** place) % WEIGHTS
}
