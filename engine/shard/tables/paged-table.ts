// The hash table under all others: fixed-size records of int32 words in pages of typed arrays.
//
// Order is the whole idea. The first key word is an evenly spread hash, and records lie sorted by it: home(k0) is
// k0 scaled to the capacity, a record lies at its home or behind it, and no free slot lies between the two (linear
// probing kept in order, Amble & Knuth 1974). So a hit and a miss alike stop after two or three neighbours, removal
// shifts back and leaves no tombstone, and a scan by key order survives every growth.
//
// Growth stretches the order by an eighth, a few slots with each insert, from the top down and in place:
//
//   slot 0                        lowBound          gap                                   nextCapacity
//   ├── old scale, still dense ───────┤· · · free · · ·├── new scale, loosened ─────────────┤
//   orders below `frontier`                             orders from `frontier` up
//
// Pages are added where the front arrives; there is never a second copy and never a pause. The price: a slot number
// is valid only until the next insert or remove. Keys inserted in ascending order crowd together, because the
// capacity follows the number of records: whoever loads a sorted snapshot calls reserve first.

import assert from 'node:assert/strict'
import type { DumpReader } from './dump.ts'
import { SlotPages } from './slot-pages.ts'

/** Key orders run from 0 to ORDER_SPAN − 1. */
export const ORDER_SPAN = 4_294_967_296

const SIGN = 2_147_483_648
const FIRST_SLOTS = 32
/** Records for each slot when a stretch is due: the average load, and about the lowest. */
const LOAD = 0.8
/**
 * A stretch adds capacity / STRETCH_DIVISOR slots: the load of a place swings by this share around the average. Smaller
 * stretches leave less memory free and move a record more often. Of 0.66 with 3, 0.75 with 8, 0.8 with 8 and 0.85 with 12,
 * the third takes a quarter less than the first at the same times an operation, and the fourth makes inserts a quarter slower
 * (bench/micro/tables.ts, 6 million records).
 */
const STRETCH_DIVISOR = 8
/** Slots of the old scale that one step moves. */
const STEP_SLOTS = 256
/** 64 bytes. */
const CACHE_LINE_WORDS = 16
/** A table that was just loaded has room for so many times its records before it has to stretch. */
const LOADED_ROOM = 1.05
/** Slot numbers are int32; a table that reaches it stops the shard rather than answering wrongly. */
const SLOTS_MAX = 2 ** 31 - 2 ** 20

export class PagedTable extends SlotPages {
  private records = 0
  private slots = FIRST_SLOTS
  private nextSlots = FIRST_SLOTS
  private lowScale = FIRST_SLOTS / ORDER_SPAN
  private highScale = FIRST_SLOTS / ORDER_SPAN
  private frontier = ORDER_SPAN
  private lowBound = FIRST_SLOTS
  private stepAtSize: number
  /** What `reserve` asks the next stretch to reach in one pass. */
  private wantedSlots = 0
  /** What a step moves: pairs of slots, from and to. */
  private moves = new Int32Array(2 * STEP_SLOTS + 2)
  private moveWords = 0

  /** `keyWords` is 2 or 4; a record is the key followed by `valueWords` words. */
  constructor(keyWords: 2 | 4, valueWords: number) {
    super(keyWords + valueWords)
    this.stepAtSize = Math.floor(FIRST_SLOTS * LOAD)
    this.ensureSlot(FIRST_SLOTS)
  }

  /** Number of records. */
  get size(): number {
    return this.records
  }

  /** Bytes allocated. */
  get bytes(): number {
    return this.pageBytes + this.moves.byteLength
  }

  /** Slots that the homes are spread over. */
  get capacity(): number {
    return this.lowBound < this.slots ? this.nextSlots : this.slots
  }

  /** Grows so that `entries` records fit before the next stretch. At once when the table is empty, else by stretching. */
  reserve(entries: number): void {
    if (this.records === 0 && entries > this.stepAtSize) {
      this.begin(Math.ceil(entries / LOAD))
      const last = this.slots >>> this.pageBits
      for (let page = 0; page <= last; page++) this.ensurePage(page, this.slots)
    }
    this.wantedSlots = Math.ceil(entries / LOAD)
    while (this.slots * LOAD < entries) this.stretch()
    this.wantedSlots = 0
  }

  /** The first slot of a key of two words, or -1. */
  find2(key0: number, key1: number): number {
    return this.scan2(this.home(key0 | 0), key0 | 0, key1 | 0)
  }

  /** The next slot behind `slot` with the same key of two words, or -1. */
  findNext2(slot: number, key0: number, key1: number): number {
    return this.scan2(slot + 1, key0 | 0, key1 | 0)
  }

  /** The slot of a key of four words, or -1. */
  find4(key0: number, key1: number, key2: number, key3: number): number {
    const k0 = key0 | 0
    const k1 = key1 | 0
    const k2 = key2 | 0
    const k3 = key3 | 0
    const words = this.slotWords
    let slot = this.home(k0)
    for (;;) {
      const page = this.pages[slot >>> this.pageBits]!
      const end = page.length
      for (let at = (slot & this.pageMask) * words; at < end; at += words, slot++) {
        const word = page[at]!
        if (word > k0 || (word === 0 && page[at + 1] === 0)) return -1
        if (word === k0 && page[at + 1] === k1 && page[at + 2] === k2 && page[at + 3] === k3) return slot
      }
    }
  }

  /**
   * Adds a record with a key of two words, its values 0, and returns its slot. Equal keys are allowed and lie behind
   * each other, with nothing but keys of the same first word between. The two words must not both be 0.
   */
  insert2(key0: number, key1: number): number {
    const k0 = key0 | 0
    const k1 = key1 | 0
    assert(k0 !== 0 || k1 !== 0, 'the first two key words are both 0')
    if (this.records >= this.stepAtSize) this.stretch()
    const words = this.slotWords
    let slot = this.home(k0)
    for (;;) {
      const page = this.pages[slot >>> this.pageBits]!
      const end = page.length
      for (let at = (slot & this.pageMask) * words; at < end; at += words, slot++) {
        const word = page[at]!
        if (word > k0 || (word === 0 && page[at + 1] === 0)) {
          this.add(slot, k0, k1)
          return slot
        }
      }
    }
  }

  /** The slot of a key of four words, the first two not both 0; a record that was not there is added, its values 0. */
  findOrInsert4(key0: number, key1: number, key2: number, key3: number): number {
    const k0 = key0 | 0
    const k1 = key1 | 0
    const k2 = key2 | 0
    const k3 = key3 | 0
    assert(k0 !== 0 || k1 !== 0, 'the first two key words are both 0')
    if (this.records >= this.stepAtSize) this.stretch()
    const words = this.slotWords
    let slot = this.home(k0)
    for (;;) {
      const page = this.pages[slot >>> this.pageBits]!
      const end = page.length
      for (let at = (slot & this.pageMask) * words; at < end; at += words, slot++) {
        const word = page[at]!
        if (word > k0 || (word === 0 && page[at + 1] === 0)) {
          this.add(slot, k0, k1)
          this.setWord(slot, 2, k2)
          this.setWord(slot, 3, k3)
          return slot
        }
        if (word === k0 && page[at + 1] === k1 && page[at + 2] === k2 && page[at + 3] === k3) return slot
      }
    }
  }

  /**
   * Reads the home of a key whose first word is `key0` and returns what lies there, which means nothing. A lookup
   * waits for memory; whoever has many to make warms a block of keys first, and the waits overlap. The result has to
   * be used for something, lest the compiler drop the read.
   */
  warm(key0: number): number {
    const slot = this.home(key0 | 0)
    const page = this.pages[slot >>> this.pageBits]!
    const at = (slot & this.pageMask) * this.slotWords
    // A run of records often reaches into the next cache line.
    const next = at + CACHE_LINE_WORDS
    return page[at]! ^ page[next < page.length ? next : at]!
  }

  /** Removes the record of a slot by moving the displaced ones behind it forward. */
  remove(slot: number): void {
    let end = slot + 1
    while (this.isDisplaced(end)) end++
    this.shiftDown(slot, end)
    this.clear(end - 1)
    this.records--
  }

  /** Removes a record and returns the slot of the one that followed it in key order, or -1 (see {@link nextBelow}). */
  removeAndNext(slot: number, to = ORDER_SPAN): number {
    this.remove(slot)
    return this.isTaken(slot) ? slot : this.nextBelow(slot, to)
  }

  /**
   * The taken slot after `slot`; or -1 at the end, and where it is clear before that no key order below `to` follows: a record
   * lies behind its home only where no slot between the two is free.
   */
  nextBelow(slot: number, to: number): number {
    return this.next(slot, to >= ORDER_SPAN ? Number.POSITIVE_INFINITY : this.homeOfOrder(to))
  }

  /** Where a record stands in key order: its first word as 0 to 2^32 − 1. */
  orderOf(slot: number): number {
    return this.word(slot, 0) + SIGN
  }

  /** The first slot with a key order ≥ `order`, or -1 (see {@link nextBelow}). */
  firstFrom(order: number, to = ORDER_SPAN): number {
    if (order >= ORDER_SPAN) return -1
    let slot = this.homeOfOrder(order)
    if (!this.isTaken(slot)) return this.nextBelow(slot, to)
    while (slot >= 0 && this.orderOf(slot) < order) slot = this.nextBelow(slot, to)
    return slot
  }

  /** Into an empty table: one pass, every record at its place at once. */
  loadFrom(reader: DumpReader): void {
    assert(this.records === 0, 'a dump is loaded into a table that has records')
    const words = this.slotWords
    assert(reader.word() === words, 'a dump has records of another size')
    const count = reader.word() >>> 0
    this.reserve(Math.ceil(count * LOADED_ROOM))
    let lowest = 0
    let last = -SIGN
    for (let record = 0; record < count; record++) {
      const k0 = reader.word()
      assert(k0 >= last, 'a dump is out of order')
      last = k0
      const slot = Math.max(this.home(k0), lowest)
      lowest = slot + 1
      // The slot behind every taken one exists.
      if ((lowest & this.pageMask) === 0 || slot < this.pageMask) this.ensureSlot(lowest)
      const page = this.pages[slot >>> this.pageBits]!
      const at = (slot & this.pageMask) * words
      page[at] = k0
      for (let word = 1; word < words; word++) page[at + word] = reader.word()
    }
    this.records = count
  }

  private scan2(from: number, k0: number, k1: number): number {
    const words = this.slotWords
    let slot = from
    for (;;) {
      const page = this.pages[slot >>> this.pageBits]!
      const end = page.length
      for (let at = (slot & this.pageMask) * words; at < end; at += words, slot++) {
        const word = page[at]!
        if (word > k0 || (word === 0 && page[at + 1] === 0)) return -1
        if (word === k0 && page[at + 1] === k1) return slot
      }
    }
  }

  private home(k0: number): number {
    return this.homeOfOrder(k0 + SIGN)
  }

  private homeOfOrder(order: number): number {
    return (order * (order < this.frontier ? this.lowScale : this.highScale)) | 0
  }

  /** A taken slot whose record would rather lie further down. */
  private isDisplaced(slot: number): boolean {
    const page = this.pages[slot >>> this.pageBits]!
    const at = (slot & this.pageMask) * this.slotWords
    const k0 = page[at]!
    if (k0 === 0 && page[at + 1] === 0) return false
    return this.home(k0) < slot
  }

  private add(slot: number, k0: number, k1: number): void {
    this.open(slot)
    const words = this.slotWords
    const page = this.pages[slot >>> this.pageBits]!
    const at = (slot & this.pageMask) * words
    page[at] = k0
    page[at + 1] = k1
    for (let word = 2; word < words; word++) page[at + word] = 0
    this.records++
  }

  /** One step of growth: the topmost STEP_SLOTS of the old scale move to where the new scale wants them. */
  private stretch(): void {
    if (this.lowBound === this.slots) {
      const stretched = this.slots + Math.max(STEP_SLOTS, Math.floor(this.slots / STRETCH_DIVISOR))
      this.nextSlots = Math.max(stretched, this.wantedSlots)
      assert(this.nextSlots < SLOTS_MAX, 'a table is out of slot numbers')
      this.highScale = this.nextSlots / ORDER_SPAN
    }
    const from = Math.max(0, this.lowBound - STEP_SLOTS)
    const frontier = from === 0 ? 0 : firstOrderAt(from, this.lowScale)
    const oldFrontier = this.frontier
    const newFrom = Math.floor(oldFrontier * this.highScale)
    this.ensurePages(Math.floor(frontier * this.highScale), newFrom)
    this.frontier = frontier
    this.planMoves(from, oldFrontier, newFrom)
    this.carryOutMoves()
    this.lowBound = from
    if (from === 0) this.begin(this.nextSlots)
    else this.stepAtSize = this.pace()
  }

  /** Everything lies at one scale again: the next stretch is due when the load is reached. */
  private begin(slots: number): void {
    assert(slots < SLOTS_MAX, 'a table is out of slot numbers')
    this.slots = slots
    this.nextSlots = slots
    this.lowScale = slots / ORDER_SPAN
    this.highScale = this.lowScale
    this.frontier = ORDER_SPAN
    this.lowBound = slots
    this.stepAtSize = Math.floor(slots * LOAD)
  }

  /** The size at which the next step is due, so that the stretch ends when the load is reached again. */
  private pace(): number {
    const doneShare = (this.slots - this.lowBound) / this.slots
    return Math.floor((this.slots + (this.nextSlots - this.slots) * doneShare) * LOAD)
  }

  /**
   * Decides, upwards, where the records from slot `from` on have to lie now that the frontier has come down, and notes
   * it in `moves`: those of the old scale, then those of the new scale that stand in their way. The latter had orders
   * from `oldFrontier` up and slots from `newFrom` up. No record ever moves down.
   */
  private planMoves(from: number, oldFrontier: number, newFrom: number): void {
    this.moveWords = 0
    let start = from
    while (this.isTaken(start) && this.orderOf(start) < this.frontier) start++
    let end = Math.max(start, this.lowBound)
    while (this.isTaken(end) && this.orderOf(end) < oldFrontier) end++
    let next = this.planRange(start, end, start)
    let reached = Math.max(end, newFrom)
    this.ensurePages(newFrom, next)
    while (reached < next) {
      const until = next
      next = this.planRange(reached, until, next)
      reached = until
      this.ensurePages(reached, next)
    }
  }

  /**
   * Plans the records in slots [start, end), all of the new scale by now; the first may lie in slot `next` at the
   * lowest. Returns the next `next`.
   */
  private planRange(start: number, end: number, next: number): number {
    const words = this.slotWords
    const scale = this.highScale
    const moves = this.roomForMoves(end - start)
    let count = this.moveWords
    let lowest = next
    let slot = start
    while (slot < end) {
      const page = this.pages[slot >>> this.pageBits]!
      const pageEnd = Math.min(end, (slot | this.pageMask) + 1)
      for (let at = (slot & this.pageMask) * words; slot < pageEnd; slot++, at += words) {
        const k0 = page[at]!
        if (k0 === 0 && page[at + 1] === 0) continue
        const home = ((k0 + SIGN) * scale) | 0
        if (home > lowest) lowest = home
        moves[count] = slot
        moves[count + 1] = lowest
        if (lowest !== slot) count += 2
        lowest++
      }
    }
    this.moveWords = count
    return lowest
  }

  private roomForMoves(more: number): Int32Array {
    const wanted = this.moveWords + 2 * more + 2
    if (wanted > this.moves.length) {
      const wider = new Int32Array(2 * wanted)
      wider.set(this.moves)
      this.moves = wider
    }
    return this.moves
  }

  /** Downwards, so that nothing is overwritten before it has moved. */
  private carryOutMoves(): void {
    const words = this.slotWords
    const moves = this.moves
    for (let index = this.moveWords - 2; index >= 0; index -= 2) {
      const from = moves[index]!
      const to = moves[index + 1]!
      const source = this.pages[from >>> this.pageBits]!
      const target = this.pages[to >>> this.pageBits]!
      const sourceAt = (from & this.pageMask) * words
      const targetAt = (to & this.pageMask) * words
      target[targetAt] = source[sourceAt]!
      target[targetAt + 1] = source[sourceAt + 1]!
      target[targetAt + 2] = source[sourceAt + 2]!
      for (let word = 3; word < words; word++) target[targetAt + word] = source[sourceAt + word]!
      source[sourceAt] = 0
      source[sourceAt + 1] = 0
    }
  }
}

/**
 * The smallest order whose home at `scale` is `slot` or above. The division may round to a neighbour; what counts is
 * the product that home itself rounds, so that no record is taken for one of the other scale.
 */
export function firstOrderAt(slot: number, scale: number): number {
  let order = Math.ceil(slot / scale)
  while (order > 0 && Math.floor((order - 1) * scale) >= slot) order--
  while (Math.floor(order * scale) < slot) order++
  return order
}
