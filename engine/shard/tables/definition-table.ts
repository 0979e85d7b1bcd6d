// What coupons say, by ordinal: packed, because a million described coupons as objects take most of a gigabyte.
//
//   refs:  ordinal → (page + 1) · 2^16 + place    8 bytes; 0: none
//   page:  … | length u32 | bytes as in events | …          64 KiB, a definition never crosses a page
//
// Reading unpacks; the last ones unpacked are kept, because a call looks at its coupon many times and a sale at few coupons.
// A changed definition is written anew and its old bytes stay: changes are few, and a snapshot leaves them out.

import assert from 'node:assert/strict'
import { ByteReader, ByteWriter } from '../../../protocol/bytes.ts'
import { type CouponDefinition, readDefinition, writeDefinition } from '../../../protocol/coupon.ts'
import type { Definitions } from '../../domain/tables.ts'
import { f64Page, u8Page } from './page-memory.ts'

const PAGE_BITS = 16
const PAGE_BYTES = 1 << PAGE_BITS
const LENGTH_BYTES = 4
const REF_PAGE_BITS = 12
const REFS_A_PAGE = 1 << REF_PAGE_BITS
/** Definitions kept unpacked; a power of two. */
const KEPT = 1_024

export class DefinitionTable implements Definitions {
  private readonly pages: Uint8Array[] = []
  private readonly views: DataView[] = []
  private readonly refs: Float64Array[] = []
  private readonly keptOrdinals = new Int32Array(KEPT).fill(-1)
  private readonly kept: (CouponDefinition | null)[] = new Array<CouponDefinition | null>(KEPT).fill(null)
  private readonly writer = new ByteWriter(1_024)
  private readonly reader = new ByteReader()
  private used = PAGE_BYTES

  get bytes(): number {
    let bytes = this.refs.length * REFS_A_PAGE * Float64Array.BYTES_PER_ELEMENT
    for (const page of this.pages) bytes += page.length
    return bytes
  }

  get(ordinal: number): CouponDefinition {
    const place = ordinal & (KEPT - 1)
    if (this.keptOrdinals[place] === ordinal) return this.kept[place] as CouponDefinition
    const packed = this.packed(ordinal)
    this.reader.reset(packed, 0, packed.length)
    const definition = readDefinition(this.reader)
    this.keep(ordinal, definition)
    return definition
  }

  set(ordinal: number, definition: CouponDefinition): void {
    const { writer } = this
    writer.clear()
    writeDefinition(writer, definition)
    this.setPacked(ordinal, writer.buf.subarray(0, writer.pos))
    this.keep(ordinal, definition)
  }

  /** The bytes of a definition; valid until the next change. */
  packed(ordinal: number): Uint8Array {
    const ref = this.refs[ordinal >>> REF_PAGE_BITS]?.[ordinal & (REFS_A_PAGE - 1)] ?? 0
    assert(ref !== 0, 'a coupon without a definition')
    const page = Math.floor(ref / PAGE_BYTES) - 1
    const start = (ref & (PAGE_BYTES - 1)) + LENGTH_BYTES
    const length = (this.views[page] as DataView).getUint32(start - LENGTH_BYTES, true)
    return (this.pages[page] as Uint8Array).subarray(start, start + length)
  }

  setPacked(ordinal: number, bytes: Uint8Array): void {
    const need = LENGTH_BYTES + bytes.length
    if (this.used + need > PAGE_BYTES) this.addPage(need)
    const last = this.pages.length - 1
    ;(this.views[last] as DataView).setUint32(this.used, bytes.length, true)
    ;(this.pages[last] as Uint8Array).set(bytes, this.used + LENGTH_BYTES)
    const number = ordinal >>> REF_PAGE_BITS
    while (this.refs.length <= number) this.refs.push(f64Page(REFS_A_PAGE))
    ;(this.refs[number] as Float64Array)[ordinal & (REFS_A_PAGE - 1)] = (last + 1) * PAGE_BYTES + this.used
    this.used += need
    const place = ordinal & (KEPT - 1)
    if (this.keptOrdinals[place] === ordinal) this.keptOrdinals[place] = -1
  }

  /** One that is larger than a page gets a page of its own. */
  private addPage(need: number): void {
    const page = u8Page(Math.max(PAGE_BYTES, need))
    this.pages.push(page)
    this.views.push(new DataView(page.buffer, page.byteOffset, page.byteLength))
    this.used = 0
  }

  private keep(ordinal: number, definition: CouponDefinition): void {
    const place = ordinal & (KEPT - 1)
    this.keptOrdinals[place] = ordinal
    this.kept[place] = definition
  }
}
