/**
 * Evaluation: the best entries that have all words of a search, ranked over all matches up to a bound, not over a sample.
 *
 *     the rarest word leads ──▶ every other word: does it have this slot?  (cursors jump)
 *            │                  the one being typed: a map of slots, or the entry's own terms, whichever is less work
 *            ▼
 *     filters by columns ──▶ score ──▶ the best so far
 *
 * Everything goes from the newest entry to the oldest. Where there is too much of it (a word in most of millions of entries, a
 * beginning of one letter), the oldest are left out: the bounds below are what keeps a search short.
 */
import type { CouponStatus } from '../../protocol/outcomes.ts'
import type { SearchEnd, SearchSort } from '../../gateway/lists/search-port.ts'
import { Best } from './best.ts'
import { FLAG, NO_TYPE, OFFER_KINDS, type OfferKind, TYPE_SHIFT } from './entries.ts'
import { withRoom } from './grow.ts'
import type { SearchIndex } from './index.ts'
import { PostingCursor } from './postings.ts'
import { factorOf, kindOf, type ParsedQuery, parseQuery, termKey, termOf, type WordGroup } from './query.ts'

/** Entries that one search looks at; of more matches than that the oldest are not ranked. */
const LOOKED_AT_MAX = 300_000
/** Postings of a word being typed that are laid out as a map; of more the oldest are left out. */
const MAPPED_MAX = 200_000
/** Looking into an entry's own terms takes as long as laying out so many postings, or as looking at so many entries. */
const TERMS_COST = 12

export interface Wanted {
  readonly text: string
  readonly sort: SearchSort
  readonly status: CouponStatus | null
  readonly type: string | null
  readonly category: string | null
  readonly listedOnly: boolean
  readonly after: SearchEnd | null
}

export interface Match {
  readonly id: number
  /** Where a page ends that ends with it. */
  readonly end: SearchEnd
}

/** Whether an entry has a word, and how much it says there; asked with slots that only grow smaller. */
interface Word {
  /** Impact, twice for the whole word; 0: it does not have it. */
  at(slot: number): number
  /** What asking takes, in entries looked at. */
  readonly cost: number
}

/** A word whose entries can be walked along. */
interface Leader extends Word {
  /** The newest slot that has it and is not newer; −1: none. */
  next(slot: number): number
}

export class Evaluation {
  private readonly index: SearchIndex
  /** Impact by slot of a word being typed; zeros between searches. */
  private map = new Uint8Array(1_024)
  /** Factor by term of a word being typed; zeros between searches. */
  private factors = new Uint8Array(1_024)

  constructor(index: SearchIndex) {
    this.index = index
  }

  /** At most `count` entries behind `after`. */
  best(wanted: Wanted, count: number, nowMs: number): Match[] {
    const query = parseQuery(this.index, wanted.text, !wanted.listedOnly, wanted.after?.weights ?? null)
    const filter = new Filter(this.index, wanted, nowMs)
    if (query.isHopeless || filter.isHopeless) return []
    const best = new Best(count)
    try {
      this.collect(query, wanted, filter, best)
    } finally {
      this.clear(query)
    }
    return this.matches(best, wanted, query.weights)
  }

  private collect({ groups }: ParsedQuery, wanted: Wanted, filter: Filter, best: Best): void {
    const { entries } = this.index
    const [first, ...others] = groups.toSorted((a, b) => a.total - b.total)
    const leader = first === undefined ? everything : this.leader(first)
    const words = others.map((group) => this.word(group, (first as WordGroup).total))
    const weights = others.map(({ weight }) => weight)
    const order = new Order(this.index, wanted)
    const isRanked = wanted.sort === 'relevance'
    let slot = leader.next(entries.count - 1)
    const cost = words.reduce((sum, word) => sum + word.cost, 0)
    for (let looked = 0; slot >= 0 && looked < LOOKED_AT_MAX; looked++, slot = leader.next(slot - 1)) {
      if (!filter.lets(slot)) continue
      let score = isRanked && first !== undefined ? first.weight * leader.at(slot) : 0
      looked += cost
      let hasAll = true
      for (let i = 0; i < words.length && hasAll; i++) {
        const impact = (words[i] as Word).at(slot)
        hasAll = impact > 0
        if (isRanked) score += impact * (weights[i] as number)
      }
      if (hasAll) order.offer(best, slot, score)
    }
  }

  private leader(group: WordGroup): Leader {
    const [list] = group.lists
    if (group.lists.length === 1 && list !== undefined) return this.oneList(list)
    return group.isPrefix ? this.mapped(group) : this.fewLists(group)
  }

  /** Of a word that does not lead, where the leader has at most so many entries. */
  private word(group: WordGroup, leading: number): Word {
    const [list] = group.lists
    if (group.lists.length === 1 && list !== undefined) return this.oneList(list)
    if (!group.isPrefix) return this.fewLists(group)
    return group.total > MAPPED_MAX || group.total > leading * TERMS_COST ? this.byTerms(group) : this.mapped(group)
  }

  /** A whole word of texts and of codes. */
  private fewLists({ lists }: WordGroup): FewLists {
    return new FewLists(lists.map((list) => this.oneList(list)))
  }

  private oneList(list: number): OneList {
    return new OneList(this.cursor(list), factorOf(list))
  }

  private cursor(list: number): PostingCursor {
    return new PostingCursor(this.index.of(kindOf(list)).lists, termOf(list))
  }

  /** Lays a word's postings out by slot. There is one word being typed, so one map is enough. */
  private mapped({ lists, total }: WordGroup): Leader {
    const { count } = this.index.entries
    this.map = withRoom(this.map, count)
    const { map } = this
    const oldest = total <= MAPPED_MAX ? 0 : Math.ceil(count * (1 - MAPPED_MAX / total))
    for (const list of lists) {
      const cursor = this.cursor(list)
      const factor = factorOf(list)
      for (; cursor.slot >= oldest; cursor.step()) {
        const impact = cursor.impact * factor
        if (impact > (map[cursor.slot] as number)) map[cursor.slot] = impact
      }
    }
    return new MappedWord(map, oldest)
  }

  /** Marks a word's terms, to be looked for among those of an entry. */
  private byTerms({ lists }: WordGroup): Word {
    const { words, codes, entries } = this.index
    this.factors = withRoom(this.factors, 2 * Math.max(words.terms.count, codes.terms.count))
    const { factors } = this
    for (const list of lists) factors[termKey(list)] = factorOf(list)
    return { at: (slot) => entries.greatestImpact(slot, factors), cost: TERMS_COST }
  }

  private clear({ groups }: ParsedQuery): void {
    this.map.fill(0, 0, this.index.entries.count)
    for (const { lists, isPrefix } of groups) {
      if (isPrefix) for (const list of lists) this.factors[termKey(list)] = 0
    }
  }

  private matches(best: Best, { sort }: Wanted, weights: number): Match[] {
    const { createdAtMs, validUntilMs } = this.index.entries
    return best.drain().map(({ slot, score, id }) => {
      const atMs = (sort === 'expiry' ? validUntilMs : createdAtMs)[slot] as number
      return { id, end: { score, atMs: Math.min(atMs, Number.MAX_SAFE_INTEGER), id, weights } }
    })
  }
}

const everything: Leader = { next: (slot) => slot, at: () => 0, cost: 0 }

class OneList implements Leader {
  readonly cost = 0
  private readonly cursor: PostingCursor
  private readonly factor: number

  constructor(cursor: PostingCursor, factor: number) {
    this.cursor = cursor
    this.factor = factor
  }

  next(slot: number): number {
    this.cursor.seek(slot)
    return this.cursor.slot
  }

  at(slot: number): number {
    const { cursor } = this
    if (cursor.slot > slot) cursor.seek(slot)
    return cursor.slot === slot ? cursor.impact * this.factor : 0
  }
}

class FewLists implements Leader {
  readonly cost = 0
  private readonly lists: readonly OneList[]

  constructor(lists: readonly OneList[]) {
    this.lists = lists
  }

  next(slot: number): number {
    let newest = -1
    for (const list of this.lists) newest = Math.max(newest, list.next(slot))
    return newest
  }

  at(slot: number): number {
    let greatest = 0
    for (const list of this.lists) greatest = Math.max(greatest, list.at(slot))
    return greatest
  }
}

class MappedWord implements Leader {
  readonly cost = 0
  private readonly map: Uint8Array
  private readonly oldest: number

  constructor(map: Uint8Array, oldest: number) {
    this.map = map
    this.oldest = oldest
  }

  next(slot: number): number {
    const { map, oldest } = this
    let at = slot
    while (at >= oldest && map[at] === 0) at--
    return at < oldest ? -1 : at
  }

  at(slot: number): number {
    return this.map[slot] as number
  }
}

/** What the columns of an entry can tell of the filters. Uses are not among them: `answers.ts` looks at these. */
class Filter {
  readonly isHopeless: boolean
  private readonly flagMask: number
  private readonly flagValue: number
  private readonly statusBits: { readonly mask: number; readonly value: number }
  private readonly flags: Uint8Array
  private readonly categories: Uint32Array
  private readonly validFromMs: Float64Array
  private readonly validUntilMs: Float64Array
  private readonly category: number
  private readonly status: CouponStatus | null
  private readonly nowMs: number

  constructor(index: SearchIndex, { status, type, category, listedOnly }: Wanted, nowMs: number) {
    const { entries } = index
    const offer = type === null ? 0 : OFFER_KINDS.indexOf(type as OfferKind)
    this.category = category === null ? 0 : entries.categoryNumber(category)
    this.isHopeless = this.category < 0 || offer < 0
    const typeMask = type === null ? 0 : 3 << TYPE_SHIFT
    this.flagMask = FLAG.ALIVE | (listedOnly ? FLAG.LISTED : 0) | typeMask
    this.flagValue = FLAG.ALIVE | (listedOnly ? FLAG.LISTED : 0) | (offer << TYPE_SHIFT)
    this.statusBits = bitsOf(status)
    this.flags = entries.flags
    this.categories = entries.categories
    this.validFromMs = entries.validFromMs
    this.validUntilMs = entries.validUntilMs
    this.status = status
    this.nowMs = nowMs
  }

  lets(slot: number): boolean {
    const flags = this.flags[slot] as number
    if ((flags & this.flagMask) !== this.flagValue) return false
    if (this.category > 0 && this.categories[slot] !== this.category) return false
    // The campaign of a coupon has a say in its status, and only their shards know both.
    if (this.status === null || flags >> TYPE_SHIFT === NO_TYPE) return true
    return (flags & this.statusBits.mask) === this.statusBits.value && this.isInTime(slot, this.status)
  }

  private isInTime(slot: number, status: CouponStatus): boolean {
    const { nowMs } = this
    if (status === 'DISABLED') return true
    const hasEnded = (this.validUntilMs[slot] as number) <= nowMs
    if (hasEnded || status === 'EXPIRED') return hasEnded && status === 'EXPIRED'
    if (status === 'REDEEMED' || status === 'EXHAUSTED') return true
    const hasBegun = (this.validFromMs[slot] as number) <= nowMs
    return hasBegun === (status !== 'SCHEDULED')
  }
}

/** Flags that an entry of a status has to have, and those that tell. */
function bitsOf(status: CouponStatus | null): { readonly mask: number; readonly value: number } {
  switch (status) {
    case null:
      return { mask: 0, value: 0 }
    case 'DISABLED':
      return { mask: FLAG.DISABLED, value: FLAG.DISABLED }
    case 'REDEEMED':
    case 'LOCKED':
      return { mask: FLAG.DISABLED | FLAG.SINGLE, value: FLAG.SINGLE }
    case 'EXHAUSTED':
      return { mask: FLAG.DISABLED | FLAG.LIMITED, value: FLAG.LIMITED }
    default:
      return { mask: FLAG.DISABLED, value: 0 }
  }
}

/** The order of a search, and what of it lies behind the page before. */
class Order {
  private readonly seconds: Float64Array
  private readonly sign: 1 | -1
  private readonly ids: Float64Array
  private readonly after: SearchEnd | null
  private readonly afterSecond: number

  constructor(index: SearchIndex, { sort, after }: Wanted) {
    const { entries } = index
    this.sign = sort === 'expiry' ? -1 : 1
    this.seconds = sort === 'expiry' ? entries.validUntilMs : entries.createdAtMs
    this.ids = entries.ids
    this.after = after
    this.afterSecond = after === null ? 0 : this.sign * after.atMs
  }

  offer(best: Best, slot: number, score: number): void {
    const endless = this.sign * Math.min(this.seconds[slot] as number, Number.MAX_SAFE_INTEGER)
    const id = this.ids[slot] as number
    if (this.isBehind(score, endless, id)) best.offer(slot, score, endless, id)
  }

  private isBehind(score: number, second: number, id: number): boolean {
    if (this.after === null) return true
    if (score !== this.after.score) return score < this.after.score
    return second === this.afterSecond ? id < this.after.id : second < this.afterSecond
  }
}
