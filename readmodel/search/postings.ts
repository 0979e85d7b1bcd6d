/**
 * Postings: which entries have a term, and how much it says about each. One number of 32 bits a posting:
 *
 *     slot 27 bits │ impact 5 bits       slots only grow, so a list is sorted as it is written
 *
 * A list is a chain of blocks from the newest to the oldest, each up to twice as long as the one before; a single posting, which
 * most codes and rare words have, lies in the list's head itself.
 *
 *     head ──▶ [previous│room│used│p p p p p p · ·] ──▶ [previous│…│p p p p] ──▶ …
 *
 * Reading goes backwards: the newest entries come first, and whoever has seen enough stops. The first posting of a block tells
 * whether the block may be passed over.
 */
import { assert } from '../../protocol/assert.ts'
import { withRoom } from './grow.ts'

/** Entries that one index can hold in its life; beyond, it has to be made anew (see `index.ts`). */
export const SLOTS_MAX = 2 ** 27
export const IMPACT_BITS = 5
export const IMPACT_MAX = 2 ** IMPACT_BITS - 1
const IMPACTS = 2 ** IMPACT_BITS

const PAGE_WORDS = 65_536
const BLOCK_FIRST = 2
const BLOCK_MAX = 2_048
/** Words of a block before its postings: reference of the previous block, room, used. */
const HEADER = 3

/** Numbers in pages, handed out in stretches that never cross a page. References count words. */
export class Pages {
  readonly pages: Uint32Array[] = []
  private next = PAGE_WORDS

  allocate(words: number): number {
    if (this.next + words > PAGE_WORDS) {
      this.pages.push(new Uint32Array(PAGE_WORDS))
      this.next = 0
    }
    const ref = (this.pages.length - 1) * PAGE_WORDS + this.next
    this.next += words
    return ref
  }

  pageOf(ref: number): Uint32Array {
    return this.pages[Math.floor(ref / PAGE_WORDS)] as Uint32Array
  }

  get bytes(): number {
    return this.pages.length * PAGE_WORDS * 4
  }
}

export function offsetOf(ref: number): number {
  return ref % PAGE_WORDS
}

export class PostingLists {
  readonly pages = new Pages()
  /** Of a list of one: the posting itself. */
  heads = new Uint32Array(8_192)
  counts = new Uint32Array(8_192)

  /** Of so many terms: heads, counts, and the blocks. */
  bytesInUse(terms: number): number {
    return terms * 8 + this.pages.bytes
  }

  /** Slots of one list come in ascending order. */
  add(term: number, slot: number, impact: number): void {
    assert(slot < SLOTS_MAX && impact >= 1 && impact <= IMPACT_MAX, 'a posting does not fit its 32 bits')
    const posting = slot * IMPACTS + impact
    this.heads = withRoom(this.heads, term + 1)
    this.counts = withRoom(this.counts, term + 1)
    const count = this.counts[term] as number
    this.counts[term] = count + 1
    if (count === 0) {
      this.heads[term] = posting
      return
    }
    if (count === 1) {
      const first = this.heads[term] as number
      this.heads[term] = this.block(0, BLOCK_FIRST)
      this.append(term, first)
    }
    this.append(term, posting)
  }

  private append(term: number, posting: number): void {
    const ref = this.heads[term] as number
    let page = this.pages.pageOf(ref)
    let offset = offsetOf(ref)
    const room = page[offset + 1] as number
    if (page[offset + 2] === room) {
      // References of blocks count from 1, so that 0 is none.
      const next = this.block(ref + 1, Math.min(BLOCK_MAX, room * 2))
      this.heads[term] = next
      page = this.pages.pageOf(next)
      offset = offsetOf(next)
    }
    const used = page[offset + 2] as number
    page[offset + HEADER + used] = posting
    page[offset + 2] = used + 1
  }

  private block(previous: number, room: number): number {
    const ref = this.pages.allocate(HEADER + room)
    const page = this.pages.pageOf(ref)
    page[offsetOf(ref)] = previous
    page[offsetOf(ref) + 1] = room
    return ref
  }
}

const NOTHING = new Uint32Array(HEADER + 1)

/** One list, from its newest entry to its oldest. */
export class PostingCursor {
  /** Where it stands; -1: it is at its end. */
  slot = -1
  impact = 0
  private readonly lists: PostingLists
  private page: Uint32Array = NOTHING
  private offset = 0
  private at = 0

  constructor(lists: PostingLists, term: number) {
    this.lists = lists
    const count = lists.counts[term] ?? 0
    if (count === 0) return
    const head = lists.heads[term] as number
    if (count === 1) this.stand(head)
    else this.enter(head)
  }

  /** To the next older one. */
  step(): void {
    if (this.at > 0) {
      this.at--
      this.stand(this.page[this.offset + HEADER + this.at] as number)
    } else {
      this.leave()
    }
  }

  /** To the newest one that is not newer than `slot`. */
  seek(slot: number): void {
    if (this.slot <= slot) return
    const wanted = slot * IMPACTS + IMPACT_MAX
    while (this.slot > slot) {
      // A block whose oldest posting is newer still has nothing.
      if (this.at === 0 || (this.page[this.offset + HEADER] as number) > wanted) {
        this.leave()
        continue
      }
      this.at = this.lastUpTo(wanted)
      this.stand(this.page[this.offset + HEADER + this.at] as number)
    }
  }

  /** Of the postings before the present one. */
  private lastUpTo(wanted: number): number {
    let low = 0
    let high = this.at - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if ((this.page[this.offset + HEADER + middle] as number) <= wanted) low = middle
      else high = middle - 1
    }
    return low
  }

  private leave(): void {
    const previous = this.page[this.offset] as number
    if (previous > 0) {
      this.enter(previous - 1)
      return
    }
    this.page = NOTHING
    this.offset = 0
    this.at = 0
    this.slot = -1
  }

  private enter(ref: number): void {
    this.page = this.lists.pages.pageOf(ref)
    this.offset = offsetOf(ref)
    this.at = (this.page[this.offset + 2] as number) - 1
    this.stand(this.page[this.offset + HEADER + this.at] as number)
  }

  private stand(posting: number): void {
    this.slot = posting >>> IMPACT_BITS
    this.impact = posting & IMPACT_MAX
  }
}
