/**
 * Writes MessagePack elements in their shortest form: the few kinds that columns and their answers are made of.
 */
import type { ByteWriter } from '../../protocol/bytes.ts'
import { ELEMENT } from '../../protocol/columns.ts'

const encoder = new TextEncoder()

export function writeTextElement(w: ByteWriter, text: string): void {
  const length = text.length
  w.ensure(length + 1)
  const buf = w.buf
  let at = w.pos + 1
  if (length < 32) {
    let i = 0
    for (; i < length; i++) {
      const unit = text.charCodeAt(i)
      if (unit > 127) break
      buf[at++] = unit
    }
    if (i === length) {
      buf[w.pos] = ELEMENT.FIXSTR | length
      w.pos = at
      return
    }
  }
  const bytes = encoder.encode(text)
  if (bytes.length < 32) w.u8(ELEMENT.FIXSTR | bytes.length)
  else if (bytes.length < 256) writeSized(w, ELEMENT.STR_8, bytes.length, 1)
  else if (bytes.length < 65_536) writeSized(w, ELEMENT.STR_16, bytes.length, 2)
  else writeSized(w, ELEMENT.STR_32, bytes.length, 4)
  w.raw(bytes, 0, bytes.length)
}

/** A whole number from 0 to 2^53−1. */
export function writeUintElement(w: ByteWriter, value: number): void {
  if (value < 128) w.u8(value)
  else if (value < 0x100) writeSized(w, ELEMENT.UINT_8, value, 1)
  else if (value < 0x1_0000) writeSized(w, ELEMENT.UINT_16, value, 2)
  else if (value < 0x1_0000_0000) writeSized(w, ELEMENT.UINT_32, value, 4)
  else {
    writeSized(w, ELEMENT.UINT_64, Math.floor(value / 0x1_0000_0000), 4)
    for (let shift = 24; shift >= 0; shift -= 8) w.u8((value >>> shift) & 255)
  }
}

export function writeArrayHead(w: ByteWriter, count: number): void {
  if (count < 16) w.u8(0x90 | count)
  else if (count < 65_536) writeSized(w, 0xdc, count, 2)
  else writeSized(w, 0xdd, count, 4)
}

function writeSized(w: ByteWriter, head: number, value: number, bytes: 1 | 2 | 4): void {
  w.u8(head)
  for (let shift = (bytes - 1) * 8; shift >= 0; shift -= 8) w.u8((value >>> shift) & 255)
}
