// Builds `redeemColumns` frames as they go over the wire, masked, before any clock runs.
//
//   82 ff <length:8> <mask:4>                      WebSocket: binary, final, masked, 64-bit length
//   87                                             MessagePack: map of 7
//      "id" ce <u32>  "op" "redeemColumns"  "code" …  "currency" …
//      "userIds"  dc <rows:2>  a8 "u0000001" a8 "u0000002" …
//      "orderIds" dc <rows:2>  a8 "o0000001" a8 "o0000002" …
//      "orderTotals" cd <u16>                      one number for all rows
//
// Written by hand because 15 million rows have to be ready in seconds and stay below a gigabyte: ids are a letter and
// seven base-36 digits of a counter, nine bytes with their length. The counter never starts over within a run, so
// every user and every order is new.

import { randomBytes } from 'node:crypto'
import { CURRENCY, LINE_AMOUNT_MINOR } from './redeem-request.ts'

const ID_DIGITS = 7
const DIGIT_LETTERS = Buffer.from('0123456789abcdefghijklmnopqrstuvwxyz')
const FRAME_HEAD_BYTES = 14

export interface ColumnsFrames {
  /** Ready to be written to the socket, one frame each; the message id of a frame is its index. */
  readonly frames: readonly Buffer[]
  readonly rowsPerFrame: number
}

/** Frames for at most `rowsMax` rows, all whole; users and orders are numbered from `firstRow`. */
export function encodeColumnsFrames(options: {
  readonly code: string
  readonly rowsPerFrame: number
  readonly rowsMax: number
  readonly firstRow: number
}): ColumnsFrames {
  const { code, rowsPerFrame, rowsMax, firstRow } = options
  const counter = new IdCounter(firstRow)
  const mask = randomBytes(4)
  const frames: Buffer[] = []
  for (let index = 0; (index + 1) * rowsPerFrame <= rowsMax; index++) {
    frames.push(encodeFrame(index, code, rowsPerFrame, counter, mask))
  }
  return { frames, rowsPerFrame }
}

function encodeFrame(index: number, code: string, rows: number, counter: IdCounter, mask: Buffer): Buffer {
  const before = Buffer.concat([
    Buffer.from([0x87]),
    text('id'),
    Buffer.from([0xce, index >>> 24, (index >>> 16) & 0xff, (index >>> 8) & 0xff, index & 0xff]),
    text('op'),
    text('redeemColumns'),
    text('code'),
    text(code),
    text('currency'),
    text(CURRENCY),
    text('userIds'),
    arrayHead(rows),
  ])
  const between = Buffer.concat([text('orderIds'), arrayHead(rows)])
  const after = Buffer.concat([
    text('orderTotals'),
    Buffer.from([0xcd, LINE_AMOUNT_MINOR >>> 8, LINE_AMOUNT_MINOR & 0xff]),
  ])
  const idBytes = ID_DIGITS + 2
  const payloadBytes = before.length + between.length + after.length + 2 * rows * idBytes
  const frame = Buffer.allocUnsafeSlow(FRAME_HEAD_BYTES + payloadBytes)
  frame[0] = 0x82
  frame[1] = 0xff
  frame.writeBigUInt64BE(BigInt(payloadBytes), 2)
  mask.copy(frame, 10)
  let userAt = FRAME_HEAD_BYTES + before.copy(frame, FRAME_HEAD_BYTES)
  let orderAt = userAt + rows * idBytes
  orderAt += between.copy(frame, orderAt)
  for (let row = 0; row < rows; row++) {
    userAt = counter.write(frame, userAt, 0x75)
    orderAt = counter.write(frame, orderAt, 0x6f)
    counter.advance()
  }
  after.copy(frame, orderAt)
  maskInPlace(frame, FRAME_HEAD_BYTES, mask)
  return frame
}

/** Base-36 digits that count up in place: no division and no string for each of millions of ids. */
class IdCounter {
  readonly #digits = new Uint8Array(ID_DIGITS)

  constructor(start: number) {
    let rest = start
    for (let place = ID_DIGITS - 1; place >= 0; place--) {
      this.#digits[place] = rest % 36
      rest = Math.floor(rest / 36)
    }
  }

  /** Writes `a8 <letter> <seven digits>`; returns the offset behind it. */
  write(target: Buffer, at: number, letter: number): number {
    target[at] = 0xa0 + ID_DIGITS + 1
    target[at + 1] = letter
    for (let place = 0; place < ID_DIGITS; place++) {
      target[at + 2 + place] = DIGIT_LETTERS[this.#digits[place] as number] as number
    }
    return at + 2 + ID_DIGITS
  }

  advance(): void {
    for (let place = ID_DIGITS - 1; place >= 0; place--) {
      const digit = (this.#digits[place] as number) + 1
      this.#digits[place] = digit === 36 ? 0 : digit
      if (digit < 36) return
    }
  }
}

function maskInPlace(frame: Buffer, from: number, mask: Buffer): void {
  const [m0, m1, m2, m3] = mask as unknown as [number, number, number, number]
  let at = from
  for (; at + 3 < frame.length; at += 4) {
    frame[at] = (frame[at] as number) ^ m0
    frame[at + 1] = (frame[at + 1] as number) ^ m1
    frame[at + 2] = (frame[at + 2] as number) ^ m2
    frame[at + 3] = (frame[at + 3] as number) ^ m3
  }
  for (let place = 0; at < frame.length; at++, place++) {
    frame[at] = (frame[at] as number) ^ (mask[place] as number)
  }
}

/** A MessagePack string of up to 255 bytes. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  const head = bytes.length < 32 ? [0xa0 + bytes.length] : [0xd9, bytes.length]
  return Buffer.concat([Buffer.from(head), bytes])
}

function arrayHead(length: number): Buffer {
  return Buffer.from([0xdc, length >>> 8, length & 0xff])
}
