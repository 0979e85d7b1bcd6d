/**
 * The port to the search: words in, entries out. The embedded one (`readmodel/search/`) stands behind it unless somebody puts
 * another there, a search cluster for instance, that follows the log in its own way.
 *
 * What a caller may find is said in the question, not filtered from the answer: whoever is not told of a code cannot pass it on.
 */
import type { CouponStatus } from '../../protocol/outcomes.ts'

export const SEARCH_SORTS = ['relevance', 'newest', 'expiry'] as const
export type SearchSort = (typeof SEARCH_SORTS)[number]

/** Where a page ends, in the order it has. Numbers are whole and not negative. */
export interface SearchEnd {
  /** 0 in every order but by relevance. */
  readonly score: number
  /** Creation; by expiry: the end, 2^53−1 for none. */
  readonly atMs: number
  readonly id: number
  /** What each word weighed: pages that follow weigh the same, however many entries have come. */
  readonly weights: number
}

export interface SearchQuestion {
  /** As somebody typed it. '': everything. */
  readonly text: string
  readonly sort: SearchSort
  /** null: any. */
  readonly status: CouponStatus | null
  readonly type: string | null
  readonly category: string | null
  /** Only what is listed, and nothing by its code. */
  readonly listedOnly: boolean
  /** At least 1. */
  readonly limit: number
  readonly after: SearchEnd | null
}

/** A coupon as JSON text; or a coupon of a campaign, or a campaign, by where it is: only its shard can show it. */
export type SearchItem =
  | { readonly kind: 'coupon'; readonly text: string }
  | { readonly kind: 'bound'; readonly shard: number; readonly ordinal: number }
  | { readonly kind: 'campaign'; readonly shard: number; readonly index: number }

export interface SearchPage {
  /** A page may be short though there is a next one. Whether what is only named has the status is for whoever shows it to see. */
  readonly items: readonly SearchItem[]
  /** null: there is nothing more. */
  readonly next: SearchEnd | null
  /** How long before the request the moment lies that the answer shows. */
  readonly lagMs: number
}

export interface SearchPort {
  /** Throws ReadModelUnavailable while it cannot answer. */
  search(question: SearchQuestion): Promise<SearchPage>
  /** Memory that the search takes in this process; 0 where it is elsewhere. */
  indexBytes(): number
}
