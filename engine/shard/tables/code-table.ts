// Coupon codes → coupon ordinals. Up to 12 letters of the generated alphabet are the key themselves:
//
//   packed: | length / 4 : 2 | letters 1–6, 5 bits each : 30 |   | length % 4 : 2 | letters 7–12, 5 bits each : 30 |
//   slot:   | mixed0 | mixed1 | ordinal |                        12 bytes, about 15 with the free slots between
//
// The table wants evenly spread keys, so the packed words go through a keyed permutation (a Feistel network of four
// rounds): nothing is lost, equality stays exact, the code can be read back from its slot, and nobody can choose codes
// that crowd together. The length is part of the key: AAA and AAAA pack to the same letters and never meet.
// All other codes live in LongCodes. Codes come in canonical form (upper case); letters outside the contract are just
// codes that nobody has set.

import assert from 'node:assert/strict'
import { KeyHash } from '../../domain/key-hash.ts'
import { LETTER_OF, VALUE_OF } from './code-letters.ts'
import type { DumpReader, DumpWriter } from './dump.ts'
import { LONG_CODE_BYTES_MAX, LongCodes } from './long-codes.ts'
import { ORDER_SPAN, PagedTable } from './paged-table.ts'

const PACKED_LETTERS_MAX = 12
const HALF_LETTERS = 6
const HALF_MASK = 0x3fff_ffff
const ORDINAL = 2
const DOMAIN_ROUND_KEYS = 0xc0de_0002

/** Called with an ordinal and its code in the first `length` bytes of a buffer that is reused. False: enough. */
export type CodeVisitor = (ordinal: number, code: Uint8Array, length: number) => boolean

export class CodeTable {
  private readonly packed = new PagedTable(2, 1)
  private readonly long: LongCodes
  private readonly codeBuffer = new Uint8Array(LONG_CODE_BYTES_MAX)
  private readonly round0: number
  private readonly round1: number
  private readonly round2: number
  private readonly round3: number
  private key0 = 0
  private key1 = 0

  /** `secret` is the deployment's hash secret, 32 bytes. The order of `scan` depends on it. */
  constructor(secret: Uint8Array) {
    const hash = new KeyHash(secret)
    hash.hash(this.codeBuffer, 0, 0, DOMAIN_ROUND_KEYS)
    this.round0 = hash.k0
    this.round1 = hash.k1
    this.round2 = hash.k2
    this.round3 = hash.k3
    this.long = new LongCodes(hash)
  }

  /** Number of codes. */
  get size(): number {
    return this.packed.size + this.long.size
  }

  /** Bytes allocated. */
  get bytes(): number {
    return this.packed.bytes + this.long.bytes
  }

  /** Makes room for `packedCodes` codes that pack and `longCodes` others. Call it before loading a snapshot. */
  reserve(packedCodes: number, longCodes = 0): void {
    this.packed.reserve(packedCodes)
    this.long.reserve(longCodes)
  }

  dumpTo(writer: DumpWriter): void {
    this.packed.dumpTo(writer)
    this.long.dumpTo(writer)
  }

  /** Into an empty table made with the same secret. */
  loadFrom(reader: DumpReader): void {
    this.packed.loadFrom(reader)
    this.long.loadFrom(reader)
  }

  /** The ordinal of the code in the bytes from `start` to before `end`, or -1. */
  get(bytes: Uint8Array, start: number, end: number): number {
    if (!this.pack(bytes, start, end)) return this.long.get(bytes, start, end)
    const slot = this.packed.find2(this.key0, this.key1)
    return slot < 0 ? -1 : this.packed.word(slot, ORDINAL) >>> 0
  }

  /** Inserts a code of 1 to 64 bytes or replaces its ordinal (u32). */
  set(bytes: Uint8Array, start: number, end: number, ordinal: number): void {
    assert(end > start && end - start <= LONG_CODE_BYTES_MAX, 'a code has 1 to 64 characters')
    if (!this.pack(bytes, start, end)) {
      this.long.set(bytes, start, end, ordinal)
      return
    }
    let slot = this.packed.find2(this.key0, this.key1)
    if (slot < 0) slot = this.packed.insert2(this.key0, this.key1)
    this.packed.setWord(slot, ORDINAL, ordinal)
  }

  /**
   * Visits codes from `cursor` on (0 at first) until the visitor has enough, and returns the cursor to go on from, or
   * -1 after the last code. The order is fixed by the secret; codes set meanwhile appear if they lie ahead, and no
   * code is visited twice or left out. Codes whose order is equal come together, so after "enough" a few may follow.
   */
  scan(cursor: number, visit: CodeVisitor): number {
    if (cursor < ORDER_SPAN) {
      const next = this.scanPacked(cursor, visit)
      if (next < ORDER_SPAN) return next
      if (next === ORDER_SPAN + 1) return ORDER_SPAN
    }
    return this.scanLong(Math.max(0, cursor - ORDER_SPAN), visit)
  }

  /** A cursor below ORDER_SPAN to go on from; ORDER_SPAN at the end; ORDER_SPAN + 1 at the end when it was enough. */
  private scanPacked(cursor: number, visit: CodeVisitor): number {
    let more = true
    let order = -1
    for (let slot = this.packed.firstFrom(cursor); slot >= 0; slot = this.packed.next(slot)) {
      const slotOrder = this.packed.orderOf(slot)
      if (!more && slotOrder !== order) return slotOrder
      order = slotOrder
      const length = this.unpack(this.packed.word(slot, 0), this.packed.word(slot, 1))
      if (!visit(this.packed.word(slot, ORDINAL) >>> 0, this.codeBuffer, length)) more = false
    }
    return more ? ORDER_SPAN : ORDER_SPAN + 1
  }

  private scanLong(from: number, visit: CodeVisitor): number {
    let more = true
    let order = -1
    for (let slot = this.long.firstFrom(from); slot >= 0; slot = this.long.next(slot)) {
      const slotOrder = this.long.orderOf(slot)
      if (!more && slotOrder !== order) return ORDER_SPAN + slotOrder
      order = slotOrder
      const length = this.long.copyCode(slot, this.codeBuffer)
      if (!visit(this.long.ordinal(slot), this.codeBuffer, length)) more = false
    }
    return -1
  }

  /** Leaves the key of a code in key0 and key1; false when the code does not pack. */
  private pack(bytes: Uint8Array, start: number, end: number): boolean {
    const length = end - start
    if (length < 1 || length > PACKED_LETTERS_MAX) return false
    const middle = Math.min(end, start + HALF_LETTERS)
    let first = 0
    for (let index = start; index < middle; index++) {
      const value = VALUE_OF[bytes[index]!]!
      if (value < 0) return false
      first = (first << 5) | value
    }
    let second = 0
    for (let index = middle; index < end; index++) {
      const value = VALUE_OF[bytes[index]!]!
      if (value < 0) return false
      second = (second << 5) | value
    }
    this.mix(first | ((length >>> 2) << 30), second | ((length & 3) << 30))
    // A free slot is (0, 0). No code packs to (0, 0), its length would be 0, so that image is free to stand in.
    if (this.key0 === 0 && this.key1 === 0) this.mix(0, 0)
    return true
  }

  private mix(packed0: number, packed1: number): void {
    let left = packed0
    let right = packed1
    left ^= scramble(right ^ this.round0)
    right ^= scramble(left ^ this.round1)
    left ^= scramble(right ^ this.round2)
    right ^= scramble(left ^ this.round3)
    this.key0 = left
    this.key1 = right
  }

  /** Writes the code of a key to the buffer and returns its length. */
  private unpack(mixed0: number, mixed1: number): number {
    this.unmix(mixed0, mixed1)
    if (this.key0 === 0 && this.key1 === 0) this.unmix(0, 0)
    const length = ((this.key0 >>> 30) << 2) | (this.key1 >>> 30)
    const middle = Math.min(length, HALF_LETTERS)
    let first = this.key0 & HALF_MASK
    for (let index = middle - 1; index >= 0; index--) {
      this.codeBuffer[index] = LETTER_OF[first & 31]!
      first >>>= 5
    }
    let second = this.key1 & HALF_MASK
    for (let index = length - 1; index >= middle; index--) {
      this.codeBuffer[index] = LETTER_OF[second & 31]!
      second >>>= 5
    }
    return length
  }

  private unmix(mixed0: number, mixed1: number): void {
    let left = mixed0
    let right = mixed1
    right ^= scramble(left ^ this.round3)
    left ^= scramble(right ^ this.round2)
    right ^= scramble(left ^ this.round1)
    left ^= scramble(right ^ this.round0)
    this.key0 = left
    this.key1 = right
  }
}

/** Spreads every bit of a word over all of it; constants found by Wellons' search ("lowbias32"). */
function scramble(word: number): number {
  let mixed = word ^ (word >>> 16)
  mixed = Math.imul(mixed, 0x7feb_352d)
  mixed ^= mixed >>> 15
  mixed = Math.imul(mixed, 0x846c_a68b | 0)
  return mixed ^ (mixed >>> 16)
}
