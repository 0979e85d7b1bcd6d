// The codes that do not pack: other letters than the generated alphabet's, or more than twelve of them.
//
//   slot:  | hash0 | hash1 | ordinal | ref |      16 bytes
//   arena: … | length | byte | byte | … |          pages of 64 KiB, a code never crosses a page, refs count 4 bytes
//
// The keyed hash only leads to candidates; what decides is the comparison of every byte, so two codes with the same
// 64-bit hash both find their own ordinal. Codes are never erased, so the arena only grows.

import assert from 'node:assert/strict'
import type { Chaskey } from '../../domain/key-hash.ts'
import type { DumpReader, DumpWriter } from './dump.ts'
import { u8Page } from './page-memory.ts'
import { PagedTable } from './paged-table.ts'

const ORDINAL = 2
const REF = 3
const ARENA_PAGE_BITS = 16
const ARENA_PAGE_BYTES = 1 << ARENA_PAGE_BITS
const REF_SHIFT = 2
const REFS_MAX = 2 ** 32
/** Separates these hashes from those of users and orders under the same secret. */
const DOMAIN_CODE = 0xc0de_0001
export const LONG_CODE_BYTES_MAX = 64

export class LongCodes {
  private readonly table = new PagedTable(2, 2)
  private readonly hash: Chaskey
  private readonly hashMask: number
  private readonly arena: Uint8Array[] = []
  private arenaUsed = 0

  /** `hashMask` other than -1 keeps only some bits of the hash: tests provoke collisions with it. */
  constructor(hash: Chaskey, hashMask = -1) {
    this.hash = hash
    this.hashMask = hashMask
  }

  get size(): number {
    return this.table.size
  }

  get bytes(): number {
    return this.table.bytes + this.arena.length * ARENA_PAGE_BYTES
  }

  reserve(entries: number): void {
    this.table.reserve(entries)
  }

  /** The ordinal, or -1. */
  get(bytes: Uint8Array, start: number, end: number): number {
    const slot = this.find(bytes, start, end)
    return slot < 0 ? -1 : this.ordinal(slot)
  }

  /** Inserts a code of 1 to 64 bytes or replaces its ordinal. */
  set(bytes: Uint8Array, start: number, end: number, ordinal: number): void {
    let slot = this.find(bytes, start, end)
    if (slot < 0) {
      const ref = this.store(bytes, start, end)
      slot = this.table.insert2(this.hash0(), this.hash1())
      this.table.setWord(slot, REF, ref)
    }
    this.table.setWord(slot, ORDINAL, ordinal)
  }

  dumpTo(writer: DumpWriter): void {
    this.table.dumpTo(writer)
    writer.number(this.arenaUsed)
    for (const [index, page] of this.arena.entries()) writer.raw(page.subarray(0, this.usedOf(index)))
  }

  /** Into an empty table. */
  loadFrom(reader: DumpReader): void {
    this.table.loadFrom(reader)
    this.arenaUsed = reader.number()
    const pages = Math.ceil(this.arenaUsed / ARENA_PAGE_BYTES)
    for (let page = 0; page < pages; page++) {
      const bytes = u8Page(ARENA_PAGE_BYTES)
      reader.rawInto(bytes.subarray(0, this.usedOf(page)))
      this.arena.push(bytes)
    }
  }

  firstFrom(order: number): number {
    return this.table.firstFrom(order)
  }

  next(slot: number): number {
    return this.table.next(slot)
  }

  orderOf(slot: number): number {
    return this.table.orderOf(slot)
  }

  ordinal(slot: number): number {
    return this.table.word(slot, ORDINAL) >>> 0
  }

  /** Writes the code of a slot to the beginning of `target` and returns its length. */
  copyCode(slot: number, target: Uint8Array): number {
    const at = (this.table.word(slot, REF) >>> 0) * (1 << REF_SHIFT)
    const page = this.arenaPage(at)
    const offset = at & (ARENA_PAGE_BYTES - 1)
    const length = page[offset]!
    for (let index = 0; index < length; index++) target[index] = page[offset + 1 + index]!
    return length
  }

  /** Leaves the hash of the code in `this.hash`. */
  private find(bytes: Uint8Array, start: number, end: number): number {
    this.hash.hash(bytes, start, end, DOMAIN_CODE)
    const hash0 = this.hash0()
    const hash1 = this.hash1()
    let slot = this.table.find2(hash0, hash1)
    while (slot >= 0 && !this.isCode(slot, bytes, start, end)) slot = this.table.findNext2(slot, hash0, hash1)
    return slot
  }

  private hash0(): number {
    return this.hash.k0 & this.hashMask
  }

  private hash1(): number {
    const hash1 = this.hash.k1 & this.hashMask
    return hash1 === 0 && this.hash0() === 0 ? 1 : hash1
  }

  private isCode(slot: number, bytes: Uint8Array, start: number, end: number): boolean {
    const at = (this.table.word(slot, REF) >>> 0) * (1 << REF_SHIFT)
    const page = this.arenaPage(at)
    let offset = at & (ARENA_PAGE_BYTES - 1)
    if (page[offset] !== end - start) return false
    for (let index = start; index < end; index++) {
      offset++
      if (page[offset] !== bytes[index]) return false
    }
    return true
  }

  private store(bytes: Uint8Array, start: number, end: number): number {
    const length = end - start
    assert(length >= 1 && length <= LONG_CODE_BYTES_MAX, 'a code has 1 to 64 characters')
    const room = ARENA_PAGE_BYTES - (this.arenaUsed % ARENA_PAGE_BYTES)
    if (room < length + 1) this.arenaUsed += room
    if (this.arenaUsed >= this.arena.length * ARENA_PAGE_BYTES) this.arena.push(u8Page(ARENA_PAGE_BYTES))
    const ref = this.arenaUsed / (1 << REF_SHIFT)
    assert(ref < REFS_MAX, 'the arena of long codes is out of references')
    const page = this.arenaPage(this.arenaUsed)
    const offset = this.arenaUsed & (ARENA_PAGE_BYTES - 1)
    page[offset] = length
    for (let index = 0; index < length; index++) page[offset + 1 + index] = bytes[start + index]!
    const alignment = 1 << REF_SHIFT
    this.arenaUsed += Math.ceil((length + 1) / alignment) * alignment
    return ref
  }

  private usedOf(page: number): number {
    return Math.min(ARENA_PAGE_BYTES, this.arenaUsed - page * ARENA_PAGE_BYTES)
  }

  private arenaPage(at: number): Uint8Array {
    return this.arena[Math.floor(at / ARENA_PAGE_BYTES)]!
  }
}
