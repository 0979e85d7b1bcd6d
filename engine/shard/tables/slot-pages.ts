// Slots of int32 words, one behind the other, in pages of typed arrays: the memory under PagedTable.
//
//   slot 70,000 → pages[70000 >>> pageBits], word (70000 & pageMask) × slotWords
//   pages: | first: small, doubles | whole | whole | – | – | whole |      –: not needed yet, no memory
//
// Pages come where they are needed, from both ends while a table stretches. What must always hold: every slot that a
// home may fall on exists, and so does the slot behind every taken one; so a search along a run never leaves memory.
// A slot is free when its first two words are 0; the others may hold anything.

import type { DumpWriter } from './dump.ts'

/** A page holds the largest power of two of slots that fits. */
const PAGE_BYTES_MAX = 1 << 18
const NO_PAGE = new Int32Array(0)

export class SlotPages {
  protected readonly slotWords: number
  protected readonly pageBits: number
  protected readonly pageMask: number
  protected readonly pages: Int32Array[] = []
  private allocatedWords = 0

  constructor(slotWords: number) {
    this.slotWords = slotWords
    this.pageBits = Math.floor(Math.log2(PAGE_BYTES_MAX / (slotWords * 4)))
    this.pageMask = (1 << this.pageBits) - 1
  }

  protected get pageBytes(): number {
    return this.allocatedWords * 4
  }

  /** Word `index` of a slot, keys first; int32. */
  word(slot: number, index: number): number {
    return this.pages[slot >>> this.pageBits]![(slot & this.pageMask) * this.slotWords + index]!
  }

  /** Writes a value word; kept as int32. */
  setWord(slot: number, index: number, value: number): void {
    this.pages[slot >>> this.pageBits]![(slot & this.pageMask) * this.slotWords + index] = value
  }

  /** The taken slot after `slot`; or -1 at the end, and at a free slot from `giveUpFrom` on. */
  next(slot: number, giveUpFrom = Number.POSITIVE_INFINITY): number {
    const words = this.slotWords
    let at = slot + 1
    const lastPage = this.pages.length - 1
    for (let index = at >>> this.pageBits; index <= lastPage; index++) {
      const page = this.pages[index]!
      const end = page.length
      const first = index << this.pageBits
      const giveUpAt = (giveUpFrom - first) * words
      for (let offset = (at - first) * words; offset < end; offset += words) {
        if (page[offset] !== 0 || page[offset + 1] !== 0) return first + offset / words
        if (offset >= giveUpAt) return -1
      }
      at = (index + 1) << this.pageBits
      if (at > giveUpFrom) return -1
    }
    return -1
  }

  /**
   * All records in order, those with an equal first word in order of the others, so that two tables with the same
   * records give the same words wherever they lie. Without those that `isKept` is false for.
   */
  dumpTo(writer: DumpWriter, isKept: (slot: number) => boolean = () => true): void {
    let count = 0
    for (let slot = this.first; slot >= 0; slot = this.next(slot)) if (isKept(slot)) count++
    writer.word(this.slotWords)
    writer.word(count)
    let slot = this.first
    while (slot >= 0) {
      const after = this.next(slot)
      if (after >= 0 && this.word(after, 0) === this.word(slot, 0)) {
        slot = this.dumpEqual(slot, writer, isKept)
      } else {
        if (isKept(slot)) this.dumpSlot(slot, writer)
        slot = after
      }
    }
  }

  private get first(): number {
    return this.isTaken(0) ? 0 : this.next(0)
  }

  /** The records from `first` on that have its first word; returns the slot behind them, or -1. */
  private dumpEqual(first: number, writer: DumpWriter, isKept: (slot: number) => boolean): number {
    const slots: number[] = []
    let slot = first
    for (; slot >= 0 && this.word(slot, 0) === this.word(first, 0); slot = this.next(slot)) {
      if (isKept(slot)) slots.push(slot)
    }
    slots.sort((a, b) => this.compare(a, b))
    for (const each of slots) this.dumpSlot(each, writer)
    return slot
  }

  private compare(a: number, b: number): number {
    for (let word = 1; word < this.slotWords; word++) {
      const difference = this.word(a, word) - this.word(b, word)
      if (difference !== 0) return difference
    }
    return 0
  }

  private dumpSlot(slot: number, writer: DumpWriter): void {
    const words = this.slotWords
    const page = this.pages[slot >>> this.pageBits]!
    const at = (slot & this.pageMask) * words
    for (let word = 0; word < words; word++) writer.word(page[at + word]!)
  }

  protected isTaken(slot: number): boolean {
    const page = this.pages[slot >>> this.pageBits]!
    const at = (slot & this.pageMask) * this.slotWords
    return page[at] !== 0 || page[at + 1] !== 0
  }

  /** Makes `slot` free to write by moving the run that begins there one slot up. Its old words stay in it. */
  protected open(slot: number): void {
    const words = this.slotWords
    let free = slot
    search: for (;;) {
      const page = this.pages[free >>> this.pageBits]!
      const end = page.length
      for (let at = (free & this.pageMask) * words; at < end; at += words, free++) {
        if (page[at] === 0 && page[at + 1] === 0) break search
      }
    }
    // The slot behind every taken one exists, so that no search runs off the end.
    if (((free + 1) & this.pageMask) === 0 || free < this.pageMask) this.ensureSlot(free + 1)
    while (free > slot) {
      const page = this.pages[free >>> this.pageBits]!
      const inPage = free & this.pageMask
      if (inPage === 0) {
        const below = this.pages[(free - 1) >>> this.pageBits]!
        const from = this.pageMask * words
        for (let word = 0; word < words; word++) page[word] = below[from + word]!
        free--
        continue
      }
      const count = Math.min(free - slot, inPage)
      const from = (inPage - count) * words
      for (let at = inPage * words - 1; at >= from; at--) page[at + words] = page[at]!
      free -= count
    }
  }

  /** Moves the records of [slot + 1, end) one slot down. */
  protected shiftDown(slot: number, end: number): void {
    const words = this.slotWords
    for (let to = slot; to < end - 1; to++) {
      const page = this.pages[to >>> this.pageBits]!
      const at = (to & this.pageMask) * words
      const above = this.pages[(to + 1) >>> this.pageBits]!
      const from = ((to + 1) & this.pageMask) * words
      for (let word = 0; word < words; word++) page[at + word] = above[from + word]!
    }
  }

  protected clear(slot: number): void {
    const page = this.pages[slot >>> this.pageBits]!
    const at = (slot & this.pageMask) * this.slotWords
    page[at] = 0
    page[at + 1] = 0
  }

  protected ensurePages(fromSlot: number, toSlot: number): void {
    const last = toSlot >>> this.pageBits
    for (let index = fromSlot >>> this.pageBits; index <= last; index++) this.ensurePage(index, toSlot)
  }

  protected ensureSlot(slot: number): void {
    this.ensurePage(slot >>> this.pageBits, slot)
  }

  /** The first page begins small and doubles; every other one comes whole. `slot` says how far the first must reach. */
  protected ensurePage(index: number, slot: number): void {
    while (this.pages.length <= index) this.pages.push(NO_PAGE)
    const page = this.pages[index]!
    const pageWords = (this.pageMask + 1) * this.slotWords
    if (page.length === pageWords) return
    let wantedWords = pageWords
    if (index === 0) {
      const reach = Math.min(slot, this.pageMask) + 1
      if (page.length >= reach * this.slotWords) return
      wantedWords = Math.min(pageWords, Math.max(reach, 2 * (page.length / this.slotWords)) * this.slotWords)
    }
    const grown = new Int32Array(wantedWords)
    grown.set(page)
    this.pages[index] = grown
    this.allocatedWords += wantedWords - page.length
  }
}
