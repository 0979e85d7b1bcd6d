// Columns by row whose pages exist only where something was written: what most rows have is said once, by `usual`.
//
//   get(row) = pages[row >>> 12]?.[row & 4095] ?? usual
//
// For codes made in bulk, most of which never see more than being made. A row costs nothing until a neighbour within its
// page is written to, and the size of its element from then on.

import type { DumpReader, DumpWriter } from './dump.ts'
import { f64Page, i32Page, u32Page, u8Page } from './page-memory.ts'

const PAGE_BITS = 12
const PAGE_ROWS = 1 << PAGE_BITS
const PAGE_MASK = PAGE_ROWS - 1

type Page = Uint8Array | Uint32Array | Int32Array | Float64Array

export class LazyColumn {
  private readonly pages: (Page | undefined)[] = []
  private readonly newPage: (rows: number) => Page
  private readonly usual: number
  private readonly elementBytes: number
  private pagesMade = 0

  constructor(newPage: (rows: number) => Page, usual: number) {
    this.newPage = newPage
    this.usual = usual
    this.elementBytes = newPage(0).BYTES_PER_ELEMENT
  }

  get bytes(): number {
    return this.pagesMade * PAGE_ROWS * this.elementBytes
  }

  get(row: number): number {
    const page = this.pages[row >>> PAGE_BITS]
    return page === undefined ? this.usual : (page[row & PAGE_MASK] as number)
  }

  set(row: number, value: number): void {
    const index = row >>> PAGE_BITS
    let page = this.pages[index]
    if (page === undefined) {
      if (value === this.usual) return
      page = this.newPage(PAGE_ROWS)
      if (this.usual !== 0) page.fill(this.usual)
      while (this.pages.length < index) this.pages.push(undefined)
      this.pages[index] = page
      this.pagesMade++
    }
    page[row & PAGE_MASK] = value
  }

  dumpTo(writer: DumpWriter): void {
    writer.word(this.pages.length)
    for (const page of this.pages) {
      writer.word(page === undefined ? 0 : 1)
      if (page !== undefined) writer.raw(new Uint8Array(page.buffer, page.byteOffset, page.byteLength))
    }
  }

  /** Into a column without pages. */
  loadFrom(reader: DumpReader): void {
    const count = reader.word()
    for (let index = 0; index < count; index++) {
      if (reader.word() === 0) {
        this.pages.push(undefined)
        continue
      }
      const page = this.newPage(PAGE_ROWS)
      reader.rawInto(new Uint8Array(page.buffer, page.byteOffset, page.byteLength))
      this.pages.push(page)
      this.pagesMade++
    }
  }
}

export function u8Lazy(usual = 0): LazyColumn {
  return new LazyColumn(u8Page, usual)
}

export function u32Lazy(usual = 0): LazyColumn {
  return new LazyColumn(u32Page, usual)
}

export function i32Lazy(usual = 0): LazyColumn {
  return new LazyColumn(i32Page, usual)
}

export function f64Lazy(usual = 0): LazyColumn {
  return new LazyColumn(f64Page, usual)
}
