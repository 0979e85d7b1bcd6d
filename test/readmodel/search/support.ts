// Entries of an index, plain where a test says nothing, and searches that say only what matters.

import { Evaluation, type Wanted } from '../../../readmodel/search/evaluate.ts'
import type { SearchEntry } from '../../../readmodel/search/entries.ts'
import { SearchIndex } from '../../../readmodel/search/index.ts'
import type { SearchEnd } from '../../../gateway/lists/search-port.ts'

export const NOW_MS = 1_790_000_000_000

export function entry(id: number, fields: Partial<Omit<SearchEntry, 'id'>> = {}): SearchEntry {
  return {
    id,
    createdAtMs: NOW_MS - 1_000_000 + id,
    validFromMs: null,
    validUntilMs: null,
    type: 'PERCENT',
    category: null,
    merchant: null,
    description: null,
    code: `CODE${id}`,
    isListed: true,
    isDisabled: false,
    maxUses: null,
    ...fields,
  }
}

/** Entries 1, 2, 3 … with these descriptions. */
export function described(...descriptions: string[]): SearchEntry[] {
  return descriptions.map((description, index) => entry(index + 1, { description }))
}

export class TestIndex {
  readonly index = new SearchIndex()
  private readonly evaluation = new Evaluation(this.index)

  constructor(entries: readonly SearchEntry[] = []) {
    for (const each of entries) this.index.put(each)
  }

  /** Ids, the best first. */
  find(text: string, wanted: Partial<Wanted> = {}, count = 1_000): number[] {
    return this.page(text, wanted, count).map(({ id }) => id)
  }

  page(text: string, wanted: Partial<Wanted>, count: number): { readonly id: number; readonly end: SearchEnd }[] {
    return this.evaluation.best(
      {
        text,
        sort: 'relevance',
        status: null,
        type: null,
        category: null,
        listedOnly: false,
        after: null,
        ...wanted,
      },
      count,
      NOW_MS,
    )
  }

  /** All pages of so many, with whatever happens between two of them. */
  pages(text: string, wanted: Partial<Wanted>, count: number, between: () => void = () => {}): number[] {
    const found: number[] = []
    let after: SearchEnd | null = null
    for (;;) {
      const page = this.page(text, { ...wanted, after }, count)
      found.push(...page.map(({ id }) => id))
      const last = page.at(-1)
      if (last === undefined) return found
      after = last.end
      between()
    }
  }
}
