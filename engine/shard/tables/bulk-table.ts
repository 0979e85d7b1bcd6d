// Codes made in bulk, in the order in which they were made: what leads from an ordinal back to its code, and the links of
// the pools they may be claimed from. Row = ordinal − 2^30.
//
//   packed:  | length / 4 : 2 | letters 1–6, 5 bits each : 30 |   | length % 4 : 2 | letters 7–12, 5 bits each : 30 |
//   long:    | 0 : 2 | arena page : 30 |                          | 0 : 2 | byte in the page : 30 |
//
// 8 bytes a code, and 8 more where it is in a pool; the way from the code to the ordinal is CodeTable's. A packed code has
// a length from 1 to 12, so one of its four length bits is set, and a long one has none.

import assert from 'node:assert/strict'
import { BULK_ORDINALS, ORDINALS_END } from '../../../protocol/ordinals.ts'
import type { BulkCodes } from '../../domain/tables.ts'
import { LETTER_OF, VALUE_OF } from './code-letters.ts'
import type { DumpReader, DumpWriter } from './dump.ts'
import { f64Lazy, i32Lazy, type LazyColumn } from './lazy-column.ts'
import { u32Page, u8Page } from './page-memory.ts'

const PAGE_BITS = 12
const PAGE_ROWS = 1 << PAGE_BITS
const PAGE_MASK = PAGE_ROWS - 1
const PACKED_LETTERS_MAX = 12
const HALF_LETTERS = 6
const HALF_MASK = 0x3fff_ffff
const ARENA_PAGE_BYTES = 65_536

export class BulkTable implements BulkCodes {
  readonly lastSeq: BulkColumn
  readonly before: BulkColumn
  readonly behind: BulkColumn
  readonly owner: readonly [BulkColumn, BulkColumn, BulkColumn, BulkColumn]
  private readonly words: Uint32Array[] = []
  private readonly arena: Uint8Array[] = []
  private arenaUsed = 0
  private rows = 0
  private readonly lazy: LazyColumn[] = []
  private word0 = 0
  private word1 = 0

  constructor() {
    this.lastSeq = this.column(f64Lazy())
    this.before = this.column(i32Lazy())
    this.behind = this.column(i32Lazy())
    this.owner = [this.column(i32Lazy()), this.column(i32Lazy()), this.column(i32Lazy()), this.column(i32Lazy())]
  }

  get size(): number {
    return this.rows
  }

  get bytes(): number {
    let bytes = this.words.length * PAGE_ROWS * 8 + this.arena.length * ARENA_PAGE_BYTES
    for (const column of this.lazy) bytes += column.bytes
    return bytes
  }

  /** Declares a column of these codes, by ordinal; it is dumped with them, in the order of declaration. */
  column(rows: LazyColumn): BulkColumn {
    this.lazy.push(rows)
    return new BulkColumn(rows)
  }

  add(code: Uint8Array, start: number, end: number): number {
    const row = this.rows
    assert(row < ORDINALS_END - BULK_ORDINALS, 'a shard is out of ordinals for codes')
    if ((row & PAGE_MASK) === 0) this.words.push(u32Page(PAGE_ROWS * 2))
    if (!this.pack(code, start, end)) this.store(code, start, end)
    const page = this.words[row >>> PAGE_BITS] as Uint32Array
    page[(row & PAGE_MASK) * 2] = this.word0
    page[(row & PAGE_MASK) * 2 + 1] = this.word1
    this.rows++
    return BULK_ORDINALS + row
  }

  copyCode(ordinal: number, into: Uint8Array): number {
    const row = ordinal - BULK_ORDINALS
    assert(row >= 0 && row < this.rows, 'a code that was never made')
    const page = this.words[row >>> PAGE_BITS] as Uint32Array
    const word0 = page[(row & PAGE_MASK) * 2] as number
    const word1 = page[(row & PAGE_MASK) * 2 + 1] as number
    const length = ((word0 >>> 30) << 2) | (word1 >>> 30)
    if (length === 0) return this.copyLong(word0, word1, into)
    const middle = Math.min(length, HALF_LETTERS)
    let first = word0 & HALF_MASK
    for (let index = middle - 1; index >= 0; index--) {
      into[index] = LETTER_OF[first & 31] as number
      first >>>= 5
    }
    let second = word1 & HALF_MASK
    for (let index = length - 1; index >= middle; index--) {
      into[index] = LETTER_OF[second & 31] as number
      second >>>= 5
    }
    return length
  }

  dumpTo(writer: DumpWriter): void {
    writer.word(this.rows)
    for (let page = 0; page < this.words.length; page++) {
      const rows = Math.min(PAGE_ROWS, this.rows - page * PAGE_ROWS)
      const words = this.words[page] as Uint32Array
      writer.raw(new Uint8Array(words.buffer, words.byteOffset, rows * 8))
    }
    writer.number(this.arenaUsed)
    for (let page = 0; page < this.arena.length; page++)
      writer.raw((this.arena[page] as Uint8Array).subarray(0, this.usedOf(page)))
    for (const column of this.lazy) column.dumpTo(writer)
  }

  /** Into a table without codes. */
  loadFrom(reader: DumpReader): void {
    this.rows = reader.word()
    for (let from = 0; from < this.rows; from += PAGE_ROWS) {
      const words = u32Page(PAGE_ROWS * 2)
      reader.rawInto(new Uint8Array(words.buffer, words.byteOffset, Math.min(PAGE_ROWS, this.rows - from) * 8))
      this.words.push(words)
    }
    this.arenaUsed = reader.number()
    for (let page = 0; page * ARENA_PAGE_BYTES < this.arenaUsed; page++) {
      const bytes = u8Page(ARENA_PAGE_BYTES)
      reader.rawInto(bytes.subarray(0, this.usedOf(page)))
      this.arena.push(bytes)
    }
    for (const column of this.lazy) column.loadFrom(reader)
  }

  private usedOf(page: number): number {
    return Math.min(ARENA_PAGE_BYTES, this.arenaUsed - page * ARENA_PAGE_BYTES)
  }

  private pack(code: Uint8Array, start: number, end: number): boolean {
    const length = end - start
    if (length > PACKED_LETTERS_MAX) return false
    const middle = Math.min(end, start + HALF_LETTERS)
    let first = 0
    for (let index = start; index < middle; index++) {
      const value = VALUE_OF[code[index] as number] as number
      if (value < 0) return false
      first = (first << 5) | value
    }
    let second = 0
    for (let index = middle; index < end; index++) {
      const value = VALUE_OF[code[index] as number] as number
      if (value < 0) return false
      second = (second << 5) | value
    }
    this.word0 = (first | ((length >>> 2) << 30)) >>> 0
    this.word1 = (second | ((length & 3) << 30)) >>> 0
    return true
  }

  private store(code: Uint8Array, start: number, end: number): void {
    const length = end - start
    const room = ARENA_PAGE_BYTES - (this.arenaUsed % ARENA_PAGE_BYTES)
    if (room < length + 1) this.arenaUsed += room
    if (this.arenaUsed >= this.arena.length * ARENA_PAGE_BYTES) this.arena.push(u8Page(ARENA_PAGE_BYTES))
    const number = Math.floor(this.arenaUsed / ARENA_PAGE_BYTES)
    const page = this.arena[number] as Uint8Array
    const at = this.arenaUsed % ARENA_PAGE_BYTES
    page[at] = length
    page.set(code.subarray(start, end), at + 1)
    this.arenaUsed += length + 1
    this.word0 = number
    this.word1 = at
  }

  private copyLong(number: number, at: number, into: Uint8Array): number {
    const page = this.arena[number] as Uint8Array
    const length = page[at] as number
    into.set(page.subarray(at + 1, at + 1 + length))
    return length
  }
}

/** A column of these codes, by ordinal. */
export class BulkColumn {
  private readonly rows: LazyColumn

  constructor(rows: LazyColumn) {
    this.rows = rows
  }

  get(ordinal: number): number {
    return this.rows.get(ordinal - BULK_ORDINALS)
  }

  set(ordinal: number, value: number): void {
    this.rows.set(ordinal - BULK_ORDINALS, value)
  }
}
