/**
 * Walks over MessagePack without decoding it, before a decoder may see it. A decoder trusts lengths: five bytes that
 * claim four billion elements would be an array of that size, and a kilobyte of opening brackets a deep recursion.
 * What passes here is as tame as JSON: maps with text keys, arrays, valid texts, numbers, booleans and null, nested a
 * few levels, every length covered by bytes that are there.
 *
 * Must never pass here: extensions and binaries (they have no place in the contract, and decoders make objects of them).
 */
import { ELEMENT, numberBytes } from '../../protocol/columns.ts'
import { utf8Characters } from './columns-text.ts'

/** Messages nest five levels (frame, message, cart, lines, line with its categories); the rest is slack. */
const NESTING_MAX = 16

/** What is wrong with an element, returned in place of the offset behind it. */
const UNSOUND = { CUT_SHORT: -1, TOO_DEEP: -2, KIND: -3, KEY: -4, UTF8: -5 } as const

export function unsoundSentence(fault: number): string {
  switch (fault) {
    case UNSOUND.TOO_DEEP:
      return `the MessagePack nests deeper than ${NESTING_MAX} levels`
    case UNSOUND.KIND:
      return 'the MessagePack has an element that is no map, array, text, number, boolean or null'
    case UNSOUND.KEY:
      return 'a key of a MessagePack map is not a text'
    case UNSOUND.UTF8:
      return 'a text in the MessagePack is not valid UTF-8'
    default:
      return 'the MessagePack ends in the middle of an element'
  }
}

/** The offset behind the element that begins at `at` and must end by `end`, or one of UNSOUND. */
export function skipElement(buf: Uint8Array, at: number, end: number, levels: number = NESTING_MAX): number {
  if (at >= end) return UNSOUND.CUT_SHORT
  const head = buf[at] as number
  const numberLength = numberBytes(head)
  if (numberLength >= 0) return at + 1 + numberLength <= end ? at + 1 + numberLength : UNSOUND.CUT_SHORT
  if (isText(head)) return skipText(buf, at, end)
  if (head === 0xc0 || head === 0xc2 || head === 0xc3) return at + 1
  const map = isMap(head)
  if (!map && !isArray(head)) return UNSOUND.KIND
  if (levels === 0) return UNSOUND.TOO_DEEP
  const from = behindHeader(head, at)
  if (from > end) return UNSOUND.CUT_SHORT
  const count = countAt(buf, at)
  // Every element has a byte at least, which settles a lie about the count before anything is walked.
  if (from + count * (map ? 2 : 1) > end) return UNSOUND.CUT_SHORT
  return map ? skipPairs(buf, from, end, count, levels - 1) : skipItems(buf, from, end, count, levels - 1)
}

function skipItems(buf: Uint8Array, from: number, end: number, count: number, levels: number): number {
  let at = from
  for (let i = 0; i < count && at >= 0; i++) at = skipElement(buf, at, end, levels)
  return at
}

function skipPairs(buf: Uint8Array, from: number, end: number, count: number, levels: number): number {
  let at = from
  for (let i = 0; i < count && at >= 0; i++) {
    if (at >= end) return UNSOUND.CUT_SHORT
    if (!isText(buf[at] as number)) return UNSOUND.KEY
    at = skipText(buf, at, end)
    if (at >= 0) at = skipElement(buf, at, end, levels)
  }
  return at
}

function skipText(buf: Uint8Array, at: number, end: number): number {
  const from = behindHeader(buf[at] as number, at)
  if (from > end) return UNSOUND.CUT_SHORT
  const behind = from + countAt(buf, at)
  if (behind > end) return UNSOUND.CUT_SHORT
  return utf8Characters(buf, from, behind) < 0 ? UNSOUND.UTF8 : behind
}

export function isText(head: number): boolean {
  return (head & 0xe0) === ELEMENT.FIXSTR || (head >= ELEMENT.STR_8 && head <= ELEMENT.STR_32)
}

export function isMap(head: number): boolean {
  return (head & 0xf0) === 0x80 || head === 0xde || head === 0xdf
}

export function isArray(head: number): boolean {
  return (head & 0xf0) === 0x90 || head === 0xdc || head === 0xdd
}

/** Where the content of a text, array or map begins that has this head at `at`. */
export function behindHeader(head: number, at: number): number {
  if (head < 0xc0) return at + 1
  if (head === ELEMENT.STR_8) return at + 2
  return head === ELEMENT.STR_16 || head === 0xdc || head === 0xde ? at + 3 : at + 5
}

/** Bytes of the text, elements of the array or pairs of the map that begins at `at`; its header must be there. */
export function countAt(buf: Uint8Array, at: number): number {
  const head = buf[at] as number
  if (head < 0xa0) return head & 15
  if (head < 0xc0) return head & 31
  let count = 0
  for (let i = at + 1; i < behindHeader(head, at); i++) count = count * 256 + (buf[i] as number)
  return count
}
