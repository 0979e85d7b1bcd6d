/**
 * Byte writer, byte reader and byte ranges: the ground of every own format here (commands, outcomes, events).
 *
 * A *range* is a view `{buf, start, end}` into somebody else's memory. It is how a user id travels from the
 * socket to the log without ever becoming a JavaScript string. A range is valid only as long as its buffer is:
 * whoever keeps it past the current turn must copy it.
 *
 * Integers up to 2^53−1 are varints (7 bits a byte, little end first); strings are a varint byte length and
 * UTF-8. All of it is plain arithmetic, so it runs in the pure ring and on shared memory, which TextDecoder refuses.
 */
import { assert } from './assert.ts'

/** A mutable range of bytes; see the file head for how long it is valid. */
export class Bytes {
  buf: Uint8Array
  start: number
  end: number
  constructor(buf: Uint8Array, start: number, end: number) {
    this.buf = buf
    this.start = start
    this.end = end
  }
}

const EMPTY = new Uint8Array(0)
const encoder = new TextEncoder()
/** A mark of byte order at the beginning is a letter of the text like any other. */
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** An empty range of its own, for scratch objects. */
export function noBytes(): Bytes {
  return new Bytes(EMPTY, 0, 0)
}

export function bytesOf(text: string): Bytes {
  const buf = encoder.encode(text)
  return new Bytes(buf, 0, buf.length)
}

export function textOf(range: Bytes): string {
  return utf8Text(range.buf, range.start, range.end)
}

export function sameBytes(a: Bytes, b: Bytes): boolean {
  const length = a.end - a.start
  if (b.end - b.start !== length) return false
  for (let i = 0; i < length; i++) if (a.buf[a.start + i] !== b.buf[b.start + i]) return false
  return true
}

/** Decodes UTF-8; short ASCII, which nearly every id is, without leaving JavaScript. */
export function utf8Text(buf: Uint8Array, start: number, end: number): string {
  const length = end - start
  if (length > 64) return decodeCopy(buf, start, end)
  let text = ''
  let at = start
  for (; at + 4 <= end; at += 4) {
    const a = buf[at] as number
    const b = buf[at + 1] as number
    const c = buf[at + 2] as number
    const d = buf[at + 3] as number
    if ((a | b | c | d) > 127) return decodeCopy(buf, start, end)
    text += String.fromCharCode(a, b, c, d)
  }
  for (; at < end; at++) {
    const a = buf[at] as number
    if (a > 127) return decodeCopy(buf, start, end)
    text += String.fromCharCode(a)
  }
  return text
}

function decodeCopy(buf: Uint8Array, start: number, end: number): string {
  return decoder.decode(buf.slice(start, end))
}

/** Appends to a buffer that grows by doubling. `buf` may be replaced by any write: read it after the last one. */
export class ByteWriter {
  buf: Uint8Array
  pos = 0

  constructor(capacityBytes = 1024) {
    this.buf = new Uint8Array(capacityBytes)
  }

  clear(): void {
    this.pos = 0
  }

  /** Makes room for `more` further bytes. */
  ensure(more: number): void {
    const needed = this.pos + more
    if (needed <= this.buf.length) return
    const grown = new Uint8Array(Math.max(needed, this.buf.length * 2))
    grown.set(this.buf.subarray(0, this.pos))
    this.buf = grown
  }

  u8(value: number): void {
    this.ensure(1)
    this.buf[this.pos++] = value
  }

  u16(value: number): void {
    this.ensure(2)
    this.buf[this.pos++] = value
    this.buf[this.pos++] = value >>> 8
  }

  u32(value: number): void {
    this.ensure(4)
    const buf = this.buf
    buf[this.pos++] = value
    buf[this.pos++] = value >>> 8
    buf[this.pos++] = value >>> 16
    buf[this.pos++] = value >>> 24
  }

  /** A whole number from 0 to 2^53−1. */
  varint(value: number): void {
    this.ensure(8)
    const buf = this.buf
    let rest = value
    while (rest > 0x7fffffff) {
      buf[this.pos++] = (rest % 128) | 128
      rest = Math.floor(rest / 128)
    }
    rest |= 0
    while (rest > 127) {
      buf[this.pos++] = (rest & 127) | 128
      rest >>>= 7
    }
    buf[this.pos++] = rest
  }

  /** The varint of `value + 1`, or 0 for null: for amounts and times that may be absent. */
  maybeVarint(value: number | null): void {
    this.varint(value === null ? 0 : value + 1)
  }

  raw(source: Uint8Array, start: number, end: number): void {
    const length = end - start
    this.ensure(length)
    const buf = this.buf
    if (length > 48) {
      buf.set(source.subarray(start, end), this.pos)
      this.pos += length
      return
    }
    let at = this.pos
    for (let i = start; i < end; i++) buf[at++] = source[i] as number
    this.pos = at
  }

  /** A range with its length before it. */
  range(bytes: Bytes): void {
    this.varint(bytes.end - bytes.start)
    this.raw(bytes.buf, bytes.start, bytes.end)
  }

  /** A string with its byte length before it. */
  text(text: string): void {
    const length = text.length
    if (length < 128) {
      this.ensure(length + 1)
      const buf = this.buf
      const from = this.pos
      let at = from + 1
      let i = 0
      for (; i < length; i++) {
        const unit = text.charCodeAt(i)
        if (unit > 127) break
        buf[at++] = unit
      }
      if (i === length) {
        buf[from] = length
        this.pos = at
        return
      }
    }
    const encoded = encoder.encode(text)
    this.varint(encoded.length)
    this.raw(encoded, 0, encoded.length)
  }

  maybeText(text: string | null): void {
    this.u8(text === null ? 0 : 1)
    if (text !== null) this.text(text)
  }

  texts(list: readonly string[]): void {
    this.varint(list.length)
    for (const text of list) this.text(text)
  }

  /** What was written, as a view that the next write may invalidate. */
  view(): Uint8Array {
    return this.buf.subarray(0, this.pos)
  }
}

/** Reads what ByteWriter wrote. Reading past `end` is a broken invariant: the frame's length was checked before. */
export class ByteReader {
  buf: Uint8Array
  pos: number
  end: number

  constructor(buf: Uint8Array = EMPTY, start = 0, end: number = buf.length) {
    this.buf = buf
    this.pos = start
    this.end = end
  }

  reset(buf: Uint8Array, start: number, end: number): void {
    this.buf = buf
    this.pos = start
    this.end = end
  }

  get done(): boolean {
    return this.pos >= this.end
  }

  u8(): number {
    assert(this.pos < this.end, 'read past the end of a frame')
    return this.buf[this.pos++] as number
  }

  u16(): number {
    return this.u8() | (this.u8() << 8)
  }

  u32(): number {
    return (this.u16() | (this.u16() << 16)) >>> 0
  }

  varint(): number {
    const buf = this.buf
    let at = this.pos
    let byte = buf[at++] as number
    let value = byte & 127
    if (byte > 127) {
      let scale = 128
      do {
        byte = buf[at++] as number
        value += (byte & 127) * scale
        scale *= 128
      } while (byte > 127 && at < this.end)
    }
    assert(at <= this.end && byte <= 127, 'read past the end of a frame')
    this.pos = at
    return value
  }

  maybeVarint(): number | null {
    const value = this.varint()
    return value === 0 ? null : value - 1
  }

  skip(length: number): number {
    const start = this.pos
    this.pos += length
    assert(this.pos <= this.end, 'read past the end of a frame')
    return start
  }

  /** Points `into` at the range that follows, without a copy. */
  rangeInto(into: Bytes): void {
    const length = this.varint()
    const start = this.skip(length)
    into.buf = this.buf
    into.start = start
    into.end = start + length
  }

  range(): Bytes {
    const bytes = noBytes()
    this.rangeInto(bytes)
    return bytes
  }

  text(): string {
    const length = this.varint()
    const start = this.skip(length)
    return utf8Text(this.buf, start, start + length)
  }

  maybeText(): string | null {
    return this.u8() === 0 ? null : this.text()
  }

  texts(): string[] {
    const count = this.varint()
    const list: string[] = []
    for (let i = 0; i < count; i++) list.push(this.text())
    return list
  }
}
