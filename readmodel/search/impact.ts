/**
 * Impact: how much a word says about an entry, from 1 to 31. The term part of BM25F (Robertson, Zaragoza 2009), each field with
 * a weight of its own:
 *
 *     Σ over fields   weight · n / (n + 1.2 · (0.25 + 0.75 · words of the field / usual words of it))
 *
 * It is worked out when the entry comes and never again: the usual length is a constant, not the mean of what happens to be
 * there, so that an entry does not move on other people's account.
 */
import type { SearchEntry } from './entries.ts'
import { IMPACT_MAX } from './postings.ts'
import { wordsOf } from './words.ts'

const K = 1.2
const B = 0.75
/** Steps of impact for 1; a word that stands once in a description of usual length has 4 of them. */
const STEPS = 8

const FIELDS = {
  description: { weight: 1, usual: 12 },
  category: { weight: 3, usual: 1 },
  merchant: { weight: 2, usual: 1 },
  code: { weight: 4, usual: 1 },
} as const

type Sums = Map<string, number>

export interface EntryWords {
  /** Word to impact, of the fields that everybody may search. */
  readonly words: ReadonlyMap<string, number>
  /** Of the code, which not everybody may. */
  readonly codeWords: ReadonlyMap<string, number>
}

export function entryWords({ description, category, merchant, code }: SearchEntry): EntryWords {
  const words: Sums = new Map()
  if (description !== null) addField(words, description, FIELDS.description)
  if (category !== null) addField(words, category, FIELDS.category)
  if (merchant !== null) addField(words, merchant, FIELDS.merchant)
  const codeWords: Sums = new Map()
  if (code !== null) addField(codeWords, code, FIELDS.code)
  for (const sums of [words, codeWords]) for (const [word, sum] of sums) sums.set(word, impactOf(sum))
  return { words, codeWords }
}

function addField(sums: Sums, text: string, { weight, usual }: { weight: number; usual: number }): void {
  const words = wordsOf(text)
  const norm = K * (1 - B + (B * words.length) / usual)
  const counts = new Map<string, number>()
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  for (const [word, count] of counts) sums.set(word, (sums.get(word) ?? 0) + (weight * count) / (count + norm))
}

function impactOf(sum: number): number {
  return Math.min(IMPACT_MAX, Math.max(1, Math.round(sum * STEPS)))
}
