/**
 * The query of a search, and its cursor: the order, and the numbers of a page's end in base 36, as those of lists are.
 *
 *     q1j4-l8x3k2a9-3f0-9k2     relevance: score, time, id, weights of the words
 */
import { OFFER_TYPES } from '../coupons/coupon-json.ts'
import { BadField, choiceAt } from '../json/decode-fields.ts'
import { SEARCH_TERM_LENGTH_MAX } from '../limits.ts'
import { limitOf, maybe, nameAt, valuesOf } from './list-query.ts'
import { SEARCH_SORTS, type SearchEnd, type SearchQuestion, type SearchSort } from './search-port.ts'
import { COUPON_STATUSES } from '../../protocol/outcomes.ts'

const PARAMETERS = ['search_term', 'type', 'category', 'status', 'sort'] as const

const CURSOR_LETTERS: Readonly<Record<SearchSort, string>> = { relevance: 'q', newest: 'm', expiry: 'x' }
const CURSOR = /^([a-z])([0-9a-z]{1,11})-([0-9a-z]{1,11})-([0-9a-z]{1,11})-([0-9a-z]{1,11})$/

/** Without a term everything fits. */
export function decodeSearchQuery(query: string, listedOnly: boolean): SearchQuestion {
  const values = valuesOf(query, PARAMETERS)
  const sort = maybe(values, 'sort', (value, at) => choiceAt(value, at, SEARCH_SORTS)) ?? 'relevance'
  return {
    text: maybe(values, 'search_term', termAt) ?? '',
    sort,
    status: maybe(values, 'status', (value, at) => choiceAt(value, at, COUPON_STATUSES)),
    type: maybe(values, 'type', (value, at) => choiceAt(value, at, OFFER_TYPES)),
    category: maybe(values, 'category', nameAt),
    listedOnly,
    limit: limitOf(values),
    after: maybe(values, 'cursor', (value, at) => searchEndAt(value, at, sort)),
  }
}

/** An empty one too: somebody is about to type. */
function termAt(value: string, pointer: string): string {
  if (value.length > SEARCH_TERM_LENGTH_MAX || !value.isWellFormed()) {
    throw new BadField(pointer, `has to be Unicode text of at most ${SEARCH_TERM_LENGTH_MAX} characters`)
  }
  return value
}

export function searchCursorText(sort: SearchSort, { score, atMs, id, weights }: SearchEnd): string {
  return CURSOR_LETTERS[sort] + [score, atMs, id, weights].map((number) => number.toString(36)).join('-')
}

function searchEndAt(value: string, pointer: string, sort: SearchSort): SearchEnd {
  const [, letter, ...texts] = CURSOR.exec(value) ?? []
  const numbers = texts.map((text) => Number.parseInt(text, 36))
  if (letter !== CURSOR_LETTERS[sort] || !numbers.every(Number.isSafeInteger)) {
    throw new BadField(pointer, 'is not the nextCursor of a page of this search')
  }
  const [score, atMs, id, weights] = numbers as [number, number, number, number]
  return { score, atMs, id, weights }
}
