/**
 * Rows of a recount: what the log makes of the counters of one shard's coupons, campaigns and codes, by ordinal, in pages that
 * exist only where something happened. An idle code costs nothing here.
 *
 *     page     uses i32 × 2,048 │ reserved i32 × 2,048 │ limitedFrom f64 × 2,048, where one of them ever had or lost a limit
 */
import { isCampaign } from '../../protocol/ordinals.ts'
import { PAGE_BITS, PAGE_ROWS, type Slice } from './reconcile-slice.ts'

const NOT_SAID = 0
const NO_LIMIT = -1

interface Page {
  readonly uses: Int32Array
  readonly reserved: Int32Array
  /** 0: not said; −1: none; otherwise one more than the sequence at which the limit per user began to hold. */
  limitedFrom: Float64Array | null
}

export class CountedRows {
  private readonly pages = new Map<number, Page>()
  private campaignPages = 0

  /** Those of campaigns aside, which every slice has. */
  get pageCount(): number {
    return this.pages.size - this.campaignPages
  }

  uses(ordinal: number): number {
    return this.pages.get(ordinal >>> PAGE_BITS)?.uses[ordinal & (PAGE_ROWS - 1)] ?? 0
  }

  reserved(ordinal: number): number {
    return this.pages.get(ordinal >>> PAGE_BITS)?.reserved[ordinal & (PAGE_ROWS - 1)] ?? 0
  }

  use(ordinal: number, more: number): void {
    const { uses } = this.page(ordinal)
    const at = ordinal & (PAGE_ROWS - 1)
    uses[at] = (uses[at] as number) + more
  }

  hold(ordinal: number, more: 1 | -1): void {
    const { reserved } = this.page(ordinal)
    const at = ordinal & (PAGE_ROWS - 1)
    reserved[at] = (reserved[at] as number) + more
  }

  /** Sequence since which users are counted; null: they are not; undefined: nothing was said of this one. */
  limitedFrom(ordinal: number): number | null | undefined {
    const said = this.pages.get(ordinal >>> PAGE_BITS)?.limitedFrom?.[ordinal & (PAGE_ROWS - 1)] ?? NOT_SAID
    if (said === NOT_SAID) return undefined
    return said === NO_LIMIT ? null : said - 1
  }

  setLimit(ordinal: number, fromSeq: number | null): void {
    const page = this.page(ordinal)
    page.limitedFrom ??= new Float64Array(PAGE_ROWS)
    page.limitedFrom[ordinal & (PAGE_ROWS - 1)] = fromSeq === null ? NO_LIMIT : fromSeq + 1
  }

  hasPage(ordinal: number): boolean {
    return this.pages.has(ordinal >>> PAGE_BITS)
  }

  /** The ordinals of the pages that there are; of a page those from its first on that `isWanted` takes. */
  *touched(isWanted: (ordinal: number) => boolean): Generator<number, void, void> {
    for (const number of this.pages.keys()) {
      const first = number * PAGE_ROWS
      for (let at = 0; at < PAGE_ROWS && isWanted(first + at); at++) yield first + at
    }
  }

  /** Forgets what is not in the slice any more. */
  keep(slice: Slice, shard: number): void {
    for (const number of this.pages.keys()) if (!slice.hasRow(shard, number * PAGE_ROWS)) this.pages.delete(number)
  }

  private page(ordinal: number): Page {
    const number = ordinal >>> PAGE_BITS
    let page = this.pages.get(number)
    if (page === undefined) {
      page = { uses: new Int32Array(PAGE_ROWS), reserved: new Int32Array(PAGE_ROWS), limitedFrom: null }
      this.pages.set(number, page)
      if (isCampaign(ordinal)) this.campaignPages++
    }
    return page
  }
}

/** The campaign of each coupon that was made one by one: −1 where it has none here. */
export class CampaignLinks {
  private readonly pages = new Map<number, Int32Array>()

  get(ordinal: number): number {
    return (this.pages.get(ordinal >>> PAGE_BITS)?.[ordinal & (PAGE_ROWS - 1)] ?? 0) - 1
  }

  set(ordinal: number, campaign: number): void {
    const number = ordinal >>> PAGE_BITS
    const page = this.pages.get(number) ?? new Int32Array(PAGE_ROWS)
    this.pages.set(number, page)
    page[ordinal & (PAGE_ROWS - 1)] = campaign + 1
  }
}
