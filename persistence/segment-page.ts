/**
 * The nodes of a page of a segment (see segment-reader.ts for the drawing): where they begin, and where the content of one
 * in a leaf lies. Every number is checked before it is used; what does not fit is told by −1 or null.
 */

import { RECORD_BYTES_MAX } from './record.ts'

export const PAGE_HEAD_BYTES = 24
export const NODE_HEAD_BYTES = 8
export const KEY_BYTES = 4
export const META_PAGES = 2
const BIG_DATA = 1

interface RootBounds {
  readonly lastPage: number
}

export interface LeafContent {
  /** In the file when `overflow`, else in the page. */
  readonly at: number
  readonly length: number
  readonly overflow: boolean
}

export function nodeCount(page: Buffer): number {
  return page.readUInt16LE(20) >> 1
}

/** Offset of a node in its page; −1 when it does not lie within. */
export function nodeAt(page: Buffer, index: number, pageBytes: number, keyBytes: number): number {
  if (index < 0 || index >= nodeCount(page)) return -1
  const at = PAGE_HEAD_BYTES + page.readUInt16LE(PAGE_HEAD_BYTES + index * 2)
  return at + NODE_HEAD_BYTES + keyBytes > pageBytes ? -1 : at
}

export function leafContentOf(page: Buffer, node: number, pageBytes: number, root: RootBounds): LeafContent | null {
  const length = page.readUInt32LE(node)
  const flags = page.readUInt16LE(node + 4)
  const at = node + NODE_HEAD_BYTES + KEY_BYTES
  if (page.readUInt16LE(node + 6) !== KEY_BYTES || length > RECORD_BYTES_MAX) return null
  if (flags === 0) return at + length > pageBytes ? null : { at, length, overflow: false }
  if (flags !== BIG_DATA || at + PAGE_HEAD_BYTES > pageBytes) return null
  const first = readU64(page, at)
  const pages = readU64(page, at + 16)
  const holds = pages * pageBytes - PAGE_HEAD_BYTES
  if (first < META_PAGES || first + pages - 1 > root.lastPage || holds < length) return null
  return { at: first * pageBytes + PAGE_HEAD_BYTES, length, overflow: true }
}

/** Beyond 2^53 it is damage anyway: the next comparison turns it down. */
export function readU64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 0x1_0000_0000
}
