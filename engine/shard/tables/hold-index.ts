// Finds the open reservations of a user on a coupon: 128-bit key → the first row of a chain in the RowPool.
//
//   slot: | k0 | k1 | k2 | k3 | row |     20 bytes
//
// Works by key only, so no slot number leaves this file.

import type { DumpReader, DumpWriter } from './dump.ts'
import { PagedTable } from './paged-table.ts'

const ROW = 4

export class HoldIndex {
  private readonly table = new PagedTable(4, 1)

  /** Number of keys. */
  get size(): number {
    return this.table.size
  }

  /** Bytes allocated. */
  get bytes(): number {
    return this.table.bytes
  }

  /** Makes room for `entries` keys at once; see {@link PagedTable.reserve}. */
  reserve(entries: number): void {
    this.table.reserve(entries)
  }

  dumpTo(writer: DumpWriter): void {
    this.table.dumpTo(writer)
  }

  /** Into an empty index. */
  loadFrom(reader: DumpReader): void {
    this.table.loadFrom(reader)
  }

  /** The row of a key, or -1. */
  get(k0: number, k1: number, k2: number, k3: number): number {
    const slot = this.table.find4(k0, k1, k2, k3)
    return slot < 0 ? -1 : this.table.word(slot, ROW)
  }

  /** Inserts the key or replaces its row (0 to 2^31 − 1). */
  set(k0: number, k1: number, k2: number, k3: number, row: number): void {
    this.table.setWord(this.table.findOrInsert4(k0, k1, k2, k3), ROW, row)
  }

  /** True when the key was there. */
  remove(k0: number, k1: number, k2: number, k3: number): boolean {
    const slot = this.table.find4(k0, k1, k2, k3)
    if (slot < 0) return false
    this.table.remove(slot)
    return true
  }
}
