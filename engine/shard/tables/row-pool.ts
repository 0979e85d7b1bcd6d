// Rows of fixed columns for things that come and go, such as reservations. Row ids are dense, start at 0 and are
// reused, last freed first, so that the same calls give the same rows on every replay.
//
//   row 4,711 of a column = pages[4711 >>> 12][4711 & 4095]
//
// A column is declared once, before the first row. A row keeps its id until it is freed; its columns are not cleared
// by alloc: whoever takes a row writes every column it will read.

import assert from 'node:assert/strict'
import type { DumpReader, DumpWriter } from './dump.ts'
import { f64Page, i32Page, u32Page } from './page-memory.ts'

const PAGE_BITS = 12
const PAGE_ROWS = 1 << PAGE_BITS
const PAGE_MASK = PAGE_ROWS - 1
/** Row ids are int32 so that they stay small integers everywhere and -1 can mean "none". */
const ROWS_MAX = 2 ** 31 - 1
const LIVE = -2

/** Whole numbers from 0 to 2^32 − 1. */
export class U32Column {
  private readonly pages: Uint32Array[] = []

  get(row: number): number {
    return this.pages[row >>> PAGE_BITS]![row & PAGE_MASK]!
  }

  set(row: number, value: number): void {
    this.pages[row >>> PAGE_BITS]![row & PAGE_MASK] = value
  }

  /** Called by the pool only. */
  addPage(): number {
    return this.pages.push(u32Page(PAGE_ROWS))
  }

  /** Called by the pool only: the bytes of the first `rows` rows, a page at a time. */
  bytesOf(rows: number): Uint8Array[] {
    return bytesOfRows(this.pages, rows)
  }
}

/** Whole numbers from −2^31 to 2^31 − 1; for row ids, where -1 means none. */
export class I32Column {
  private readonly pages: Int32Array[] = []

  get(row: number): number {
    return this.pages[row >>> PAGE_BITS]![row & PAGE_MASK]!
  }

  set(row: number, value: number): void {
    this.pages[row >>> PAGE_BITS]![row & PAGE_MASK] = value
  }

  /** Called by the pool only. */
  addPage(): number {
    return this.pages.push(i32Page(PAGE_ROWS))
  }

  /** Called by the pool only: the bytes of the first `rows` rows, a page at a time. */
  bytesOf(rows: number): Uint8Array[] {
    return bytesOfRows(this.pages, rows)
  }
}

/** Numbers with 53 exact bits: times in ms, sequences, money. */
export class F64Column {
  private readonly pages: Float64Array[] = []

  get(row: number): number {
    return this.pages[row >>> PAGE_BITS]![row & PAGE_MASK]!
  }

  set(row: number, value: number): void {
    this.pages[row >>> PAGE_BITS]![row & PAGE_MASK] = value
  }

  /** Called by the pool only. */
  addPage(): number {
    return this.pages.push(f64Page(PAGE_ROWS))
  }

  /** Called by the pool only: the bytes of the first `rows` rows, a page at a time. */
  bytesOf(rows: number): Uint8Array[] {
    return bytesOfRows(this.pages, rows)
  }
}

function bytesOfRows(pages: readonly (Uint32Array | Int32Array | Float64Array)[], rows: number): Uint8Array[] {
  return pages.map((page, index) => {
    const inPage = Math.max(0, Math.min(PAGE_ROWS, rows - index * PAGE_ROWS))
    return new Uint8Array(page.buffer, page.byteOffset, inPage * page.BYTES_PER_ELEMENT)
  })
}

export class RowPool {
  /** Free rows chained by id, -1 at the end; LIVE for a row in use. */
  private readonly nextFree = new I32Column()
  private readonly columns: Array<U32Column | I32Column | F64Column> = [this.nextFree]
  private bytesPerRow = 4
  private firstFree = -1
  private rowsMade = 0
  private rowsPaged = 0
  private live = 0

  /** Number of rows in use. */
  get size(): number {
    return this.live
  }

  /** Bytes allocated for all columns. */
  get bytes(): number {
    return this.rowsPaged * this.bytesPerRow
  }

  /** All row ids ever given are below this. */
  get rowsEnd(): number {
    return this.rowsMade
  }

  u32Column(): U32Column {
    const column = new U32Column()
    this.declare(column, 4)
    return column
  }

  i32Column(): I32Column {
    const column = new I32Column()
    this.declare(column, 4)
    return column
  }

  f64Column(): F64Column {
    const column = new F64Column()
    this.declare(column, 8)
    return column
  }

  /** A row with unspecified content: the last freed one, otherwise a new one. */
  alloc(): number {
    let row = this.firstFree
    if (row >= 0) {
      this.firstFree = this.nextFree.get(row)
    } else {
      row = this.rowsMade
      assert(row < ROWS_MAX, 'row pool is out of row ids')
      if (row === this.rowsPaged) this.addPages()
      this.rowsMade++
    }
    this.nextFree.set(row, LIVE)
    this.live++
    return row
  }

  /** Gives a row back. Freeing a row that is not in use is a broken invariant. */
  free(row: number): void {
    assert(this.isLive(row), 'freed a row that is not in use')
    this.nextFree.set(row, this.firstFree)
    this.firstFree = row
    this.live--
  }

  isLive(row: number): boolean {
    return row >= 0 && row < this.rowsMade && this.nextFree.get(row) === LIVE
  }

  /** All rows with their columns, the free ones in the order in which they will be given out again. */
  dumpTo(writer: DumpWriter): void {
    writer.word(this.columns.length)
    writer.word(this.bytesPerRow)
    writer.word(this.rowsMade)
    writer.word(this.live)
    writer.word(this.firstFree)
    for (const column of this.columns) for (const bytes of column.bytesOf(this.rowsMade)) writer.raw(bytes)
  }

  /** Into a pool without rows and with the same columns. */
  loadFrom(reader: DumpReader): void {
    assert(this.rowsMade === 0, 'a dump is loaded into a pool that has rows')
    const columns = reader.word()
    const bytesPerRow = reader.word()
    assert(columns === this.columns.length && bytesPerRow === this.bytesPerRow, 'a dump has other columns')
    const rowsMade = reader.word()
    this.live = reader.word()
    this.firstFree = reader.word()
    while (this.rowsPaged < rowsMade) this.addPages()
    this.rowsMade = rowsMade
    for (const column of this.columns) for (const bytes of column.bytesOf(rowsMade)) reader.rawInto(bytes)
  }

  private declare(column: U32Column | I32Column | F64Column, bytesPerRow: number): void {
    assert(this.rowsMade === 0, 'declare columns before the first row')
    this.columns.push(column)
    this.bytesPerRow += bytesPerRow
  }

  private addPages(): void {
    for (const column of this.columns) column.addPage()
    this.rowsPaged += PAGE_ROWS
  }
}
