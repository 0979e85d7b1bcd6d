// Per-user counters: how often a user has used a coupon and how many uses are held for them right now.
//
//   slot: | k0 | k1 | k2 | k3 | uses | held |     24 bytes, about 30 with the free slots between
//
// The key is the 128-bit digest of (coupon, user) made by KeyHash, compared whole.
// A slot number is valid until the next findOrInsert or remove on this table; never store one.

import type { DumpReader, DumpWriter } from './dump.ts'
import { PagedTable } from './paged-table.ts'

const USES = 4
const HELD = 5

export class CounterTable {
  private readonly table = new PagedTable(4, 2)

  /** Number of counters. */
  get size(): number {
    return this.table.size
  }

  /** Bytes allocated. */
  get bytes(): number {
    return this.table.bytes
  }

  /** Makes room for `entries` counters at once; see {@link PagedTable.reserve}. */
  reserve(entries: number): void {
    this.table.reserve(entries)
  }

  /** The slot of a key, or -1. Allocation-free when the words are int32, as KeyHash makes them. */
  find(k0: number, k1: number, k2: number, k3: number): number {
    return this.table.find4(k0, k1, k2, k3)
  }

  /** The slot of a key; a new one starts with uses 0 and held 0. */
  findOrInsert(k0: number, k1: number, k2: number, k3: number): number {
    return this.table.findOrInsert4(k0, k1, k2, k3)
  }

  uses(slot: number): number {
    return this.table.word(slot, USES) >>> 0
  }

  held(slot: number): number {
    return this.table.word(slot, HELD) >>> 0
  }

  setUses(slot: number, uses: number): void {
    this.table.setWord(slot, USES, uses)
  }

  setHeld(slot: number, held: number): void {
    this.table.setWord(slot, HELD, held)
  }

  /** See {@link PagedTable.warm}. */
  warm(k0: number): number {
    return this.table.warm(k0)
  }

  /** Removes the counter; every slot number taken before is void afterwards. */
  remove(slot: number): void {
    this.table.remove(slot)
  }

  dumpTo(writer: DumpWriter): void {
    this.table.dumpTo(writer)
  }

  /** Into an empty table. */
  loadFrom(reader: DumpReader): void {
    this.table.loadFrom(reader)
  }

  /** First slot in key order, or -1; with {@link next} the way through all counters, for snapshots. */
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
