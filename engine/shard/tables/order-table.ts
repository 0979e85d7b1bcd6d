// Order records: what makes a retry of an order safe. Key: 128-bit digest of (coupon, order).
//
//   slot: | k0 | k1 | k2 | k3 | seqLo | seqHi |                          24 bytes
//   slot: | k0 | k1 | k2 | k3 | seqLo | seqHi | digest0 | digest1 |      32 bytes, where two further words are kept
//
// seq is where the redemption (or whatever is remembered) lies in the log; what the digest words mean is the caller's.
// Eviction visits small slices of key order in an order that is spread over the whole table at every moment. Were it to go from
// one end to the other, the part that it has not reached would fill up while the other is empty: the table sees its average
// and does not grow, and in the full part a search walks a hundred thousand slots.
// A slot number is valid until the next findOrInsert, remove or evict call on this table; never store one.

import type { DumpReader, DumpWriter } from './dump.ts'
import { ORDER_SPAN, PagedTable } from './paged-table.ts'

const SEQ_LO = 4
const SEQ_HI = 5
const DIGEST0 = 6
const DIGEST1 = 7
const TWO_32 = 4_294_967_296
/** Slots of a slice of a round of eviction, up to twice as many. */
const SLICE_SLOTS = 64
/** Multiples of the golden ratio, less their whole part, fill an interval evenly: no gap is more than twice another (Knuth 6.4). */
const GOLDEN = (Math.sqrt(5) - 1) / 2

export class OrderTable {
  private readonly table: PagedTable
  private readonly keepsDigest: boolean
  /** Slices of the round of eviction that goes on, a power of two; and how many of them have been visited. */
  private slices = 1
  private visited = 0

  /** Without a digest a record is a quarter smaller; its digest words must be 0 then. */
  constructor(keepsDigest = true) {
    this.keepsDigest = keepsDigest
    this.table = new PagedTable(4, keepsDigest ? 4 : 2)
  }

  /** Number of records. */
  get size(): number {
    return this.table.size
  }

  /** Bytes allocated. */
  get bytes(): number {
    return this.table.bytes
  }

  /** Whether a round of eviction has begun and not reached every record yet. */
  get isEvicting(): boolean {
    return this.visited > 0
  }

  /** Makes room for `entries` records at once; see {@link PagedTable.reserve}. */
  reserve(entries: number): void {
    this.table.reserve(entries)
  }

  /** The slot of a key, or -1. */
  find(k0: number, k1: number, k2: number, k3: number): number {
    return this.table.find4(k0, k1, k2, k3)
  }

  /** The slot of a key; a new record is all zeros, which `seq` 0 tells from one that was there. */
  findOrInsert(k0: number, k1: number, k2: number, k3: number): number {
    return this.table.findOrInsert4(k0, k1, k2, k3)
  }

  /** First half of the request's digest, int32. */
  digest0(slot: number): number {
    return this.keepsDigest ? this.table.word(slot, DIGEST0) : 0
  }

  /** Second half of the request's digest, int32. */
  digest1(slot: number): number {
    return this.keepsDigest ? this.table.word(slot, DIGEST1) : 0
  }

  /** Sequence of the redemption, 0 to 2^53 − 1. */
  seq(slot: number): number {
    return this.table.word(slot, SEQ_HI) * TWO_32 + (this.table.word(slot, SEQ_LO) >>> 0)
  }

  /** Writes digest and sequence; `seq` is a safe integer, the digest words are kept as int32. */
  setRecord(slot: number, digest0: number, digest1: number, seq: number): void {
    if (this.keepsDigest) {
      this.table.setWord(slot, DIGEST0, digest0)
      this.table.setWord(slot, DIGEST1, digest1)
    }
    this.table.setWord(slot, SEQ_LO, seq | 0)
    this.table.setWord(slot, SEQ_HI, (seq / TWO_32) | 0)
  }

  /** See {@link PagedTable.warm}. */
  warm(k0: number): number {
    return this.table.warm(k0)
  }

  /** Removes the record; every slot number taken before is void afterwards. */
  remove(slot: number): void {
    this.table.remove(slot)
  }

  /**
   * Removes the records with a sequence below `seq` from the next slices of the table, about `budgetSlots` slots together.
   * A round reaches every record that was there when it began. Returns how many were removed.
   */
  evictBelow(seq: number, budgetSlots: number): number {
    const { capacity } = this.table
    if (this.visited === 0) this.slices = 2 ** Math.floor(Math.log2(Math.max(1, capacity / SLICE_SLOTS)))
    const { slices } = this
    const span = ORDER_SPAN / slices
    // Odd, so that a round visits every slice once.
    const stride = Math.floor(slices * GOLDEN) | 1
    const until = Math.min(slices, this.visited + Math.max(1, Math.ceil((budgetSlots / capacity) * slices)))
    let removed = 0
    for (; this.visited < until; this.visited++) {
      const from = ((this.visited * stride) % slices) * span
      removed += this.evictRange(seq, from, from + span)
    }
    if (until === slices) this.visited = 0
    return removed
  }

  /** Of a key order in [from, to). */
  private evictRange(seq: number, from: number, to: number): number {
    let removed = 0
    let slot = this.table.firstFrom(from, to)
    while (slot >= 0 && this.table.orderOf(slot) < to) {
      if (this.seq(slot) < seq) {
        slot = this.table.removeAndNext(slot, to)
        removed++
      } else {
        slot = this.table.nextBelow(slot, to)
      }
    }
    return removed
  }

  /** Without the records below `fromSeq`: they count as gone, and whether they are is a matter of the sweep. */
  dumpTo(writer: DumpWriter, fromSeq = 0): void {
    this.table.dumpTo(writer, (slot) => this.seq(slot) >= fromSeq)
  }

  /** Into an empty table; the next evictBelow begins a round. */
  loadFrom(reader: DumpReader): void {
    this.table.loadFrom(reader)
  }

  /** First slot in key order, or -1; with {@link next} the way through all records, for snapshots. */
  first(): number {
    return this.table.firstFrom(0)
  }

  next(slot: number): number {
    return this.table.next(slot)
  }

  /** Key word 0 to 3 of a slot, int32. */
  key(slot: number, index: number): number {
    return this.table.word(slot, index)
  }
}
