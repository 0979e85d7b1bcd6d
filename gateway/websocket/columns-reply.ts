/**
 * Answers to `redeemColumns`, written from the shard's bytes without an array in between.
 *
 *     from   <count> <outcome:1> × count  <discount:varint> × count            (see `protocol/outcome-codec.ts`)
 *     to     85 id … ok c3 position … outcomes dc 10 00 │ 00 00 … │ discounts dc 10 00 │ cd 01 f4 … │
 *     or     {"id":…,"ok":true,"position":"…","outcomes":[0,0,…],"discounts":[500,500,…]}
 */
import type { ByteReader, Bytes, ByteWriter } from '../../protocol/bytes.ts'
import { ELEMENT } from '../../protocol/columns.ts'
import { writeArrayHead, writeTextElement, writeUintElement } from './columns-elements.ts'

/** `r` stands behind the outcome's type; `id` is the MessagePack element that the request had. */
export function writeColumnsReply(w: ByteWriter, id: Bytes, position: string, r: ByteReader): void {
  w.u8(0x85)
  writeTextElement(w, 'id')
  w.raw(id.buf, id.start, id.end)
  writeTextElement(w, 'ok')
  w.u8(0xc3)
  writeTextElement(w, 'position')
  writeTextElement(w, position)
  const count = r.varint()
  writeTextElement(w, 'outcomes')
  writeArrayHead(w, count)
  writeOutcomes(w, r.buf, r.skip(count), count)
  writeTextElement(w, 'discounts')
  writeArrayHead(w, count)
  for (let row = 0; row < count; row++) writeUintElement(w, r.varint())
}

/** Refusals have numbers below 128 for a long time to come, and such a number is its own element. */
function writeOutcomes(w: ByteWriter, buf: Uint8Array, from: number, count: number): void {
  let bits = 0
  for (let at = from; at < from + count; at++) bits |= buf[at] as number
  if (bits < 128) {
    w.raw(buf, from, from + count)
    return
  }
  for (let at = from; at < from + count; at++) {
    const outcome = buf[at] as number
    if (outcome > 127) w.u8(ELEMENT.UINT_8)
    w.u8(outcome)
  }
}

/** `idJson` is JSON text; otherwise as above. */
export function columnsReplyJson(idJson: string, position: string, r: ByteReader): string {
  const count = r.varint()
  let text = `{"id":${idJson},"ok":true,"position":"${position}","outcomes":[`
  for (let row = 0; row < count; row++) text += row === 0 ? r.u8() : `,${r.u8()}`
  text += '],"discounts":['
  for (let row = 0; row < count; row++) text += row === 0 ? r.varint() : `,${r.varint()}`
  return `${text}]}`
}
