/**
 * Columns: many values of one kind as the MessagePack elements of an array, without the array's header. This is how
 * the rows of `redeemColumns` travel from the socket to the shard: the gateway checks every element once and copies
 * the bytes as they are, the shard steps through them row by row, and no id becomes a JavaScript string on the way.
 *
 *     a8 75 30 30 30 30 30 30 31 │ a8 75 30 … │ d9 24 … │        texts:   fixstr, str 8, str 16, str 32
 *     cd 07 d0 │ 05 │ cb 40 9f 40 00 00 00 00 00 │               amounts: positive int, uint, int, whole float
 *
 * Nothing is allocated while stepping. What is read here was validated before it was sent, so a fault is a broken
 * invariant. Must never happen here: leniency, or a value above 2^53−1.
 */
import { assert } from './assert.ts'
import { type Bytes, noBytes } from './bytes.ts'

/** First bytes of MessagePack elements, named as its specification names the formats. */
export const ELEMENT = {
  FIXSTR: 0xa0,
  FLOAT_32: 0xca,
  FLOAT_64: 0xcb,
  UINT_8: 0xcc,
  UINT_16: 0xcd,
  UINT_32: 0xce,
  UINT_64: 0xcf,
  INT_8: 0xd0,
  INT_16: 0xd1,
  INT_32: 0xd2,
  INT_64: 0xd3,
  STR_8: 0xd9,
  STR_16: 0xda,
  STR_32: 0xdb,
} as const

const TWO_TO_32 = 0x1_0000_0000
const PAST_THE_END = 'read past the end of a column'

const scratch = new DataView(new ArrayBuffer(8))

/** Steps through one column. One reader serves many columns, one after another. */
export class ColumnReader {
  private buf: Uint8Array
  private at: number
  private end: number

  constructor(column: Bytes = noBytes()) {
    this.buf = column.buf
    this.at = column.start
    this.end = column.end
  }

  /** Begins at the first element of another column. */
  reset(column: Bytes): void {
    this.buf = column.buf
    this.at = column.start
    this.end = column.end
  }

  get done(): boolean {
    return this.at >= this.end
  }

  /** Points `into` at the UTF-8 of the next text; valid as long as the column's memory is. */
  nextText(into: Bytes): void {
    const buf = this.buf
    const at = this.at
    const head = buf[at] as number
    let start = at + 1
    let length = head & 31
    if ((head & 0xe0) !== ELEMENT.FIXSTR) {
      const lengthBytes = head === ELEMENT.STR_8 ? 1 : head === ELEMENT.STR_16 ? 2 : head === ELEMENT.STR_32 ? 4 : 0
      assert(lengthBytes > 0, 'an element of a column is not a text')
      length = bigEndian(buf, start, lengthBytes)
      start += lengthBytes
    }
    assert(start + length <= this.end, PAST_THE_END)
    into.buf = buf
    into.start = start
    into.end = start + length
    this.at = start + length
  }

  /** The next whole number, 0 to 2^53−1, in whichever encoding it stands. */
  nextUint(): number {
    const head = this.buf[this.at] as number
    assert(this.at < this.end, PAST_THE_END)
    if (head < 128) {
      this.at += 1
      return head
    }
    const bytes = numberBytes(head)
    assert(bytes >= 0, 'an element of a column is not a number')
    assert(this.at + 1 + bytes <= this.end, PAST_THE_END)
    const value = wholeNumberAt(this.buf, this.at)
    assert(value >= 0, 'an element of a column is not a whole number from 0 to 2^53-1')
    this.at += 1 + bytes
    return value
  }
}

/** How many bytes follow the first byte of a number; 0 for the small ones within it, -1 where there is no number. */
export function numberBytes(head: number): number {
  if (head < 128 || head >= 0xe0) return 0
  switch (head) {
    case ELEMENT.UINT_8:
    case ELEMENT.INT_8:
      return 1
    case ELEMENT.UINT_16:
    case ELEMENT.INT_16:
      return 2
    case ELEMENT.UINT_32:
    case ELEMENT.INT_32:
    case ELEMENT.FLOAT_32:
      return 4
    case ELEMENT.UINT_64:
    case ELEMENT.INT_64:
    case ELEMENT.FLOAT_64:
      return 8
    default:
      return -1
  }
}

/**
 * The number that begins at `at`, all of whose bytes are there (see `numberBytes`); -1 unless it is whole and from 0 to
 * 2^53−1.
 */
export function wholeNumberAt(buf: Uint8Array, at: number): number {
  const head = buf[at] as number
  if (head < 128) return head
  switch (head) {
    case ELEMENT.UINT_8:
      return buf[at + 1] as number
    case ELEMENT.UINT_16:
      return bigEndian(buf, at + 1, 2)
    case ELEMENT.UINT_32:
      return bigEndian(buf, at + 1, 4)
    case ELEMENT.INT_8:
      return notNegative(buf, at, 1)
    case ELEMENT.INT_16:
      return notNegative(buf, at, 2)
    case ELEMENT.INT_32:
      return notNegative(buf, at, 4)
    case ELEMENT.UINT_64:
    case ELEMENT.INT_64: {
      const high = bigEndian(buf, at + 1, 4)
      return high < 0x20_0000 ? high * TWO_TO_32 + bigEndian(buf, at + 5, 4) : -1
    }
    case ELEMENT.FLOAT_32:
      return whole(floatAt(buf, at + 1, 4))
    case ELEMENT.FLOAT_64:
      return whole(floatAt(buf, at + 1, 8))
    default:
      return -1
  }
}

function notNegative(buf: Uint8Array, at: number, bytes: number): number {
  return (buf[at + 1] as number) > 127 ? -1 : bigEndian(buf, at + 1, bytes)
}

function floatAt(buf: Uint8Array, at: number, bytes: 4 | 8): number {
  for (let i = 0; i < bytes; i++) scratch.setUint8(i, buf[at + i] as number)
  return bytes === 4 ? scratch.getFloat32(0) : scratch.getFloat64(0)
}

/** Adding 0 makes 0 of -0. */
function whole(value: number): number {
  return Number.isSafeInteger(value) && value >= 0 ? value + 0 : -1
}

function bigEndian(buf: Uint8Array, at: number, bytes: number): number {
  let value = 0
  for (let i = 0; i < bytes; i++) value = value * 256 + (buf[at + i] as number)
  return value
}
