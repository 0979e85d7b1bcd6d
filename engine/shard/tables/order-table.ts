// Order records: what makes a retry of an order safe. Key: 128-bit digest of (coupon, order).
//
//   slot: | k0 | k1 | k2 | k3 | seqLo | seqHi |                          24 bytes
//   slot: | k0 | k1 | k2 | k3 | seqLo | seqHi | digest0 | digest1 |      32 bytes, where two further words are kept
//
// seq is where the redemption (or whatever is remembered) lies in the log; what the digest words mean is the caller's.
// Eviction goes by ranges of key order, not of slots, because the same keys lie in other slots after a snapshot has
// been loaded: whoever logs {horizon, from, to} and replays evictRange removes the same records on every replica.
// A slot number is valid until the next findOrInsert, remove or evict call on this table; never store one.

import type { DumpReader, DumpWriter } from './dump.ts'
import { ORDER_SPAN, PagedTable } from './paged-table.ts'

const SEQ_LO = 4
const SEQ_HI = 5
const DIGEST0 = 6
const DIGEST1 = 7
const TWO_32 = 4_294_967_296

export class OrderTable {
  private readonly table: PagedTable
  private readonly keepsDigest: boolean
  private cursor = 0

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

  /** Where the next evictBelow begins: a key order from 0 to 2^32 − 1. */
  get sweepCursor(): number {
    return this.cursor
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
   * Removes the records with a sequence below `seq` from the next slice of the table, about `budgetSlots` slots wide,
   * and moves `sweepCursor` behind it (back to 0 at the end). Returns how many were removed.
   */
  evictBelow(seq: number, budgetSlots: number): number {
    const from = this.cursor
    const to = Math.min(ORDER_SPAN, from + Math.max(1, Math.ceil((budgetSlots / this.table.capacity) * ORDER_SPAN)))
    this.cursor = to === ORDER_SPAN ? 0 : to
    return this.evictRange(seq, from, to)
  }

  /** Removes the records with a sequence below `seq` and a key order in [from, to). Returns how many. */
  evictRange(seq: number, from: number, to: number): number {
    let removed = 0
    let slot = this.table.firstFrom(from)
    while (slot >= 0 && this.table.orderOf(slot) < to) {
      if (this.seq(slot) < seq) {
        slot = this.table.removeAndNext(slot)
        removed++
      } else {
        slot = this.table.next(slot)
      }
    }
    return removed
  }

  /** Without the records below `fromSeq`: they count as gone, and whether they are is a matter of the sweep. */
  dumpTo(writer: DumpWriter, fromSeq = 0): void {
    this.table.dumpTo(writer, (slot) => this.seq(slot) >= fromSeq)
  }

  /** Into an empty table; the next evictBelow begins at its start. */
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
