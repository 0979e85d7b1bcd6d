/**
 * Reads a segment: an LMDB file in which records lie under the keys 1, 2, 3 …, without LMDB.
 *
 * LMDB maps the file and trusts it: a file that is too short ends in SIGBUS, a wrong page number in a crash. Here every
 * byte is read with pread and every number is checked before it is used, so that damage ends in a sentence. It is also
 * faster in bulk, as there is no call into native code for each record, and it needs no lock: a segment is final, or
 * written by the very thread that reads it, between two of its commits, or (by a follower) read by a root that was seen
 * whole and then given up when pages under it are used anew.
 *
 *   page 0, 1  meta: two roots, of the last transaction and of the one before (transaction t in page t mod 2)
 *   branch     sorted keys → page;   leaf  sorted keys → record, or → run of overflow pages that hold it
 *
 *   page head  pgno u64 · txn u64 · pad u16 · flags u16 · lower u16 · upper u16        (24 bytes; lower/2 = nodes)
 *   node       lo u16 · hi u16 · flags u16 · keyBytes u16 · key · data                 (leaf: lo, hi = bytes of data;
 *                                                                                      branch: lo, hi, flags = page)
 *   overflow   page head, then the record, through as many pages as it takes; its node holds pgno u64 · txn u64 · pages u64
 *
 * Source: mdb.c of the lmdb package (data version 2). What must never happen: a write to a segment from here.
 */

import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { JournalError } from './errors.ts'
import { damagedRecord, type RecordPosition } from './record.ts'
import { findSegment, type SegmentName } from './segment-files.ts'
import {
  KEY_BYTES,
  type LeafContent,
  leafContentOf,
  META_PAGES,
  NODE_HEAD_BYTES,
  nodeAt,
  nodeCount,
  PAGE_HEAD_BYTES,
  readU64,
} from './segment-page.ts'

const PAGE_BYTES_MIN = 512
const PAGE_BYTES_MAX = 65_536
const DEPTH_MAX = 16
const META_READ_BYTES = 168
const MAGIC = 0xbeef_c0de
const DATA_VERSION = 2
const BRANCH = 1
const LEAF = 2
const OVERFLOW = 4
const META = 8
const WINDOW_BYTES = 2 * 1024 * 1024
const NO_PAGE = 0xffff_ffff_ffff_ffffn

/** The root of one transaction. */
export interface SegmentRoot {
  readonly transaction: number
  readonly records: number
  readonly depth: number
  /** Page number; not used when there are no records. */
  readonly root: number
  readonly lastPage: number
}

/** Where the bytes of a record lie in the file, and the pages that lead to it, the root first. */
export interface RecordPlace {
  readonly at: number
  readonly length: number
  readonly pages: readonly number[]
}

/** A record in memory: `bytes.subarray(start, start + length)`, valid until the next one is read by the same cursor. */
export interface RecordBytes {
  readonly record: number
  readonly bytes: Buffer
  readonly view: DataView
  readonly start: number
  readonly length: number
  /** Where it lies in the file. */
  readonly at: number
}

export class SegmentReader {
  readonly name: SegmentName
  readonly path: string
  readonly #fd: number
  #pageBytes = 0
  readonly #page: Buffer

  /** Throws `JOURNAL_DAMAGED` or `JOURNAL_TRUNCATED` for what the meta pages already show. */
  constructor(name: SegmentName, path: string) {
    this.name = name
    this.path = path
    this.#fd = openFile(name, path)
    this.#page = Buffer.alloc(PAGE_BYTES_MAX)
    try {
      this.#pageBytes = this.#readPageSize()
    } catch (error) {
      this.close()
      throw error
    }
  }

  get pageBytes(): number {
    return this.#pageBytes
  }

  get fileBytes(): number {
    return fstatSync(this.#fd).size
  }

  close(): void {
    closeSync(this.#fd)
  }

  /** The newest root and the one before it. */
  roots(): { readonly newest: SegmentRoot; readonly previous: SegmentRoot } {
    const even = this.#readMeta(0)
    const odd = this.#readMeta(1)
    const [newest, previous] = even.transaction >= odd.transaction ? [even, odd] : [odd, even]
    const fresh = newest.transaction === 0 && previous.transaction === 0
    if (!fresh && newest.transaction !== previous.transaction + 1) {
      throw this.#damaged(`has meta pages of the transactions ${previous.transaction} and ${newest.transaction}`)
    }
    return { newest, previous }
  }

  /**
   * The same of a segment that somebody else writes to at this moment: null when it changed while it was looked at.
   * What cannot be read then is not told from damage.
   */
  rootsWhileWritten(): { readonly newest: SegmentRoot; readonly previous: SegmentRoot } | null {
    const before = this.#metaBytes()
    try {
      const roots = this.roots()
      return this.#metaBytes().equals(before) ? roots : null
    } catch (error) {
      if (this.#metaBytes().equals(before)) throw error
      return null
    }
  }

  /** Null when the segment has no such record. */
  find(root: SegmentRoot, record: number): RecordPlace | null {
    if (record < 1 || record > root.records) return null
    const position = { ...this.name, record }
    const pages: number[] = []
    let page = root.root
    for (let level = 1; level < root.depth; level++) {
      pages.push(page)
      this.#loadPage(page, BRANCH, root)
      page = this.#childFor(record)
    }
    pages.push(page)
    this.#loadPage(page, LEAF, root)
    const first = this.#leafKey(0, position)
    const node = this.#node(record - first)
    if (record < first || node < 0 || this.#page.readUInt32LE(node + NODE_HEAD_BYTES) !== record) {
      throw damagedRecord(position, 'is not where the tree says')
    }
    const content = this.#leafContent(node, position, root)
    return { at: content.overflow ? content.at : page * this.#pageBytes + content.at, length: content.length, pages }
  }

  /** Reads exactly that much, or throws `JOURNAL_TRUNCATED`. */
  readAt(target: Buffer, offset: number, length: number, at: number): void {
    let done = 0
    while (done < length) {
      const count = readSync(this.#fd, target, offset + done, length - done, at + done)
      if (count === 0) {
        throw new JournalError(
          'JOURNAL_TRUNCATED',
          `${this.path} ends at byte ${at + done}, within what its meta pages say it holds: it was cut off, restore it from a backup`,
        )
      }
      done += count
    }
  }

  /** The records of the root from one on, in order. Throws at the first that is missing, doubled or unreadable. */
  *records(root: SegmentRoot, from = 1): Generator<RecordBytes, void, void> {
    if (root.records < from) return
    const window = new ReadWindow(this)
    let next = 0
    for (const leaf of this.#leaves(root, root.root, 1, from)) {
      const leafBytes = Buffer.from(leaf)
      const leafView = new DataView(leafBytes.buffer, leafBytes.byteOffset)
      const count = nodeCount(leafBytes)
      let index = 0
      if (next === 0) {
        next = from
        index = from - this.#leafKey(0, { ...this.name, record: from })
        if (index < 0 || index >= count) throw damagedRecord({ ...this.name, record: from }, 'is missing')
      }
      for (; index < count; index++) {
        const position = { ...this.name, record: next }
        const node = nodeAt(leafBytes, index, this.#pageBytes, KEY_BYTES)
        if (node < 0 || leafBytes.readUInt16LE(node + 6) !== KEY_BYTES || leafBytes.readUInt32LE(node + 8) !== next) {
          throw damagedRecord(position, 'is missing')
        }
        const content = leafContentOf(leafBytes, node, this.#pageBytes, root)
        if (content === null) throw damagedRecord(position, 'has no readable place in its page')
        if (content.overflow) {
          this.#checkOverflow(window, content, position)
          const start = window.offsetOf(content.at, content.length)
          yield { record: next, bytes: window.bytes, view: window.view, start, length: content.length, at: content.at }
        } else {
          const at = readU64(leafBytes, 0) * this.#pageBytes + content.at
          yield { record: next, bytes: leafBytes, view: leafView, start: content.at, length: content.length, at }
        }
        next++
      }
    }
    if (next - 1 !== root.records) throw damagedRecord({ ...this.name, record: next }, 'is missing')
  }

  /** The leaves from the one on that holds the record `from`, or would. */
  *#leaves(root: SegmentRoot, page: number, level: number, from: number): Generator<Buffer, void, void> {
    if (level === root.depth) {
      this.#loadPage(page, LEAF, root)
      yield this.#page.subarray(0, this.#pageBytes)
      return
    }
    this.#loadPage(page, BRANCH, root)
    const children: number[] = []
    for (let index = this.#childIndexFor(from); index < nodeCount(this.#page); index++) {
      children.push(this.#childAt(index))
    }
    for (const child of children) yield* this.#leaves(root, child, level + 1, from)
  }

  #checkOverflow(window: ReadWindow, content: LeafContent, position: RecordPosition): void {
    // Head and record in one read: the window holds both.
    const head = window.offsetOf(content.at - PAGE_HEAD_BYTES, PAGE_HEAD_BYTES + content.length)
    const page = (content.at - PAGE_HEAD_BYTES) / this.#pageBytes
    if (readU64(window.bytes, head) !== page || (window.bytes.readUInt16LE(head + 18) & OVERFLOW) === 0) {
      throw damagedRecord(position, 'does not lie where its page says')
    }
  }

  #metaBytes(): Buffer {
    const bytes = Buffer.alloc(this.#pageBytes + META_READ_BYTES)
    this.readAt(bytes, 0, bytes.length, 0)
    return bytes
  }

  #readPageSize(): number {
    const size = this.fileBytes
    if (size < PAGE_HEAD_BYTES + META_READ_BYTES) {
      throw new JournalError(
        'JOURNAL_TRUNCATED',
        `${this.path} has only ${size} bytes, not even its first meta page: it was cut off, restore it from a backup`,
      )
    }
    this.readAt(this.#page, 0, META_READ_BYTES, 0)
    const pageBytes = this.#page.readUInt32LE(PAGE_HEAD_BYTES + 24)
    if (pageBytes < PAGE_BYTES_MIN || pageBytes > PAGE_BYTES_MAX || (pageBytes & (pageBytes - 1)) !== 0) {
      throw this.#damaged(`has a meta page with pages of ${pageBytes} bytes`)
    }
    return pageBytes
  }

  #readMeta(index: 0 | 1): SegmentRoot {
    const meta = Buffer.alloc(META_READ_BYTES)
    this.readAt(meta, 0, META_READ_BYTES, index * this.#pageBytes)
    const at = PAGE_HEAD_BYTES
    if (
      (meta.readUInt16LE(18) & META) === 0 ||
      meta.readUInt32LE(at) !== MAGIC ||
      meta.readUInt32LE(at + 24) !== this.#pageBytes
    ) {
      throw this.#damaged(`has a damaged meta page ${index}`)
    }
    const version = meta.readUInt32LE(at + 4) & 0xffff
    if (version > DATA_VERSION) {
      throw new JournalError(
        'JOURNAL_NEWER_FORMAT',
        `${this.path} is an LMDB file of version ${version}: start a later version of Tearoff`,
      )
    }
    const main = at + 72
    const root: SegmentRoot = {
      transaction: readU64(meta, at + 128),
      records: readU64(meta, main + 32),
      depth: meta.readUInt16LE(main + 6),
      root: meta.readBigUInt64LE(main + 40) === NO_PAGE ? 0 : readU64(meta, main + 40),
      lastPage: readU64(meta, at + 120),
    }
    const empty = root.records === 0
    const treeFits = empty || (root.depth >= 1 && root.depth <= DEPTH_MAX && this.#isDataPage(root.root, root))
    const slotFits = root.transaction === 0 || root.transaction % META_PAGES === index
    if (version !== DATA_VERSION || !treeFits || !slotFits || root.records > 0xffff_ffff) {
      throw this.#damaged(`has a meta page ${index} that makes no sense`)
    }
    return root
  }

  #isDataPage(page: number, root: SegmentRoot): boolean {
    return page >= META_PAGES && page <= root.lastPage
  }

  #loadPage(page: number, kind: number, root: SegmentRoot): void {
    if (!this.#isDataPage(page, root)) throw this.#damaged(`points to page ${page} of ${root.lastPage}`)
    this.readAt(this.#page, 0, this.#pageBytes, page * this.#pageBytes)
    const lower = this.#page.readUInt16LE(20)
    const room = this.#pageBytes - PAGE_HEAD_BYTES
    if (
      readU64(this.#page, 0) !== page ||
      (this.#page.readUInt16LE(18) & (BRANCH | LEAF | OVERFLOW | META)) !== kind ||
      lower < 2 ||
      lower > room ||
      readU64(this.#page, 8) > root.transaction
    ) {
      throw this.#damaged(`has a damaged page ${page}`)
    }
  }

  #node(index: number): number {
    return nodeAt(this.#page, index, this.#pageBytes, KEY_BYTES)
  }

  #childAt(index: number): number {
    // The first child has no key: it takes whatever is below the second one's.
    const node = nodeAt(this.#page, index, this.#pageBytes, index === 0 ? 0 : KEY_BYTES)
    if (node < 0) throw this.#damaged('has a branch page with a node outside of it')
    return this.#page.readUInt32LE(node) + this.#page.readUInt16LE(node + 4) * 0x1_0000_0000
  }

  /** The child whose keys include the record: the last one with a key not above it. The first one's key is empty. */
  #childFor(record: number): number {
    return this.#childAt(this.#childIndexFor(record))
  }

  #childIndexFor(record: number): number {
    let low = 0
    let high = nodeCount(this.#page) - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      const node = this.#node(middle)
      if (node < 0) throw this.#damaged('has a branch page with a node outside of it')
      if (this.#page.readUInt32LE(node + NODE_HEAD_BYTES) <= record) low = middle
      else high = middle - 1
    }
    return low
  }

  #leafKey(index: number, position: RecordPosition): number {
    const node = this.#node(index)
    if (node < 0) throw damagedRecord(position, 'has no readable place in its page')
    return this.#page.readUInt32LE(node + NODE_HEAD_BYTES)
  }

  #leafContent(node: number, position: RecordPosition, root: SegmentRoot): LeafContent {
    const content = leafContentOf(this.#page, node, this.#pageBytes, root)
    if (content === null) throw damagedRecord(position, 'has no readable place in its page')
    return content
  }

  #damaged(whatIsWrong: string): JournalError {
    const { lane, segment } = this.name
    return new JournalError(
      'JOURNAL_DAMAGED',
      `lane ${lane}, segment ${segment} (${this.path}) ${whatIsWrong}: the disk or somebody changed it, restore it from a backup`,
    )
  }
}

/** A stretch of the file in memory, so that records that lie one behind the other cost one read for many of them. */
class ReadWindow {
  bytes = Buffer.alloc(WINDOW_BYTES)
  view = new DataView(this.bytes.buffer, this.bytes.byteOffset)
  readonly #reader: SegmentReader
  readonly #fileBytes: number
  #from = 0
  #to = 0

  constructor(reader: SegmentReader) {
    this.#reader = reader
    this.#fileBytes = reader.fileBytes
  }

  /** Where in `bytes` that stretch of the file now lies. */
  offsetOf(at: number, length: number): number {
    if (at < this.#from || at + length > this.#to) this.#load(at, length)
    return at - this.#from
  }

  #load(at: number, length: number): void {
    if (length > this.bytes.length) {
      this.bytes = Buffer.alloc(length + WINDOW_BYTES)
      this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset)
    }
    const count = Math.max(length, Math.min(this.bytes.length, this.#fileBytes - at))
    this.#to = this.#from
    this.#reader.readAt(this.bytes, 0, count, at)
    this.#from = at
    this.#to = at + count
  }
}

/** Opens a segment where it lies, and looks again when it moved to the archive meanwhile. Errors of the constructor. */
export function openSegment(dataDir: string, name: SegmentName): SegmentReader {
  const path = findSegment(dataDir, name)
  try {
    return new SegmentReader(name, path)
  } catch (error) {
    const movedTo = findSegment(dataDir, name)
    if (movedTo === path) throw error
    return new SegmentReader(name, movedTo)
  }
}

function openFile({ lane, segment }: SegmentName, path: string): number {
  try {
    return openSync(path, 'r')
  } catch (cause) {
    throw new JournalError('STORAGE_FAILED', `lane ${lane}, segment ${segment}: ${path} cannot be opened for reading`, {
      cause,
    })
  }
}

export function isEmptyFile(path: string): boolean {
  const fd = openSync(path, 'r')
  try {
    const head = Buffer.alloc(PAGE_HEAD_BYTES + META_READ_BYTES)
    const count = readSync(fd, head, 0, head.length, 0)
    return head.subarray(0, count).every((byte) => byte === 0)
  } finally {
    closeSync(fd)
  }
}
