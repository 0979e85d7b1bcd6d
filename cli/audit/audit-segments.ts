/**
 * Finds and reads the segments of a log: LMDB files with records under the keys 1, 2, 3 …, read page by page without LMDB
 * and without the engine's reader. For a log that nobody writes to.
 *
 *     lanes/00/000001.mdb    page 0, 1   meta: the last two roots; the newer counts, or the one that the seal names
 *              000001.opened page n      24 bytes of head (page u64 · txn u64 · pad u16 · flags u16 · lower u16 · upper u16),
 *              000001.sealed             offsets of nodes u16 …, nodes at these offsets behind the head
 *     archive/00/…           the same files, moved there when they are old
 *
 *     node   bytes of data u32 · flags u16 · bytes of key u16 · key u32 · data       in a branch the first 6 bytes are a page
 *     flag 1 of a node: the data is u64, the first of a run of pages with the record behind one head
 */
import { closeSync, existsSync, fstatSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { AuditFault } from './audit-cursor.ts'

export interface SegmentFile {
  readonly lane: number
  readonly segment: number
  readonly path: string
}

/** A record, by its place in the file. */
export interface RecordPlace {
  readonly record: number
  readonly at: number
  readonly length: number
}

const HEAD_BYTES = 24
const META_BYTES = 160
const LMDB_MAGIC = 0xbeefc0de
const NODE_HEAD_BYTES = 8
const KEY_BYTES = 4
const BRANCH = 1
const LEAF = 2
const KIND_MASK = 15
const ON_PAGES_OF_ITS_OWN = 1
const TWO_32 = 2 ** 32

/**
 * The segments by lane and number, wherever they lie: one that is found in the archive is whole there, even where its lane
 * still has it. Missing ones are told to `fault`.
 */
export function segmentsOf(dataDir: string, fault: (sentence: string) => void): SegmentFile[] {
  const places = [join(dataDir, 'archive'), join(dataDir, 'lanes')].filter((directory) => existsSync(directory))
  if (places.length === 0) throw new AuditFault(`${dataDir} holds no log`)
  const segments: SegmentFile[] = []
  const laneNames = new Set(places.flatMap((directory) => readdirSync(directory)))
  for (const laneName of [...laneNames].sort()) {
    const directories = places.map((place) => join(place, laneName)).filter((directory) => existsSync(directory))
    const paths = new Map<number, string>()
    const opened = new Set<number>()
    for (const directory of directories) {
      const names = readdirSync(directory)
      for (const segment of numbersOf(names, '.mdb')) {
        if (!paths.has(segment)) paths.set(segment, join(directory, fileName(segment)))
      }
      for (const segment of numbersOf(names, '.opened')) opened.add(segment)
    }
    const numbers = [...paths.keys()].sort((one, other) => one - other)
    for (const [index, segment] of numbers.entries()) {
      if (segment !== index + 1) fault(`lane ${laneName}: segment ${index + 1} is missing`)
      segments.push({ lane: Number(laneName), segment, path: paths.get(segment) ?? '' })
    }
    for (const segment of opened) {
      if (!paths.has(segment)) fault(`lane ${laneName}: segment ${segment} was written and is missing`)
    }
  }
  return segments
}

function numbersOf(names: readonly string[], ending: string): number[] {
  const found = names.filter((name) => name.endsWith(ending)).map((name) => Number(name.slice(0, -ending.length)))
  return found.sort((a, b) => a - b)
}

function fileName(segment: number): string {
  return `${String(segment).padStart(6, '0')}.mdb`
}

interface Root {
  readonly transaction: number
  readonly records: number
  readonly page: number
  readonly depth: number
}

export class SegmentPages {
  readonly file: SegmentFile
  readonly #fd: number
  #pageBytes = 0

  constructor(file: SegmentFile) {
    this.file = file
    this.#fd = openSync(file.path, 'r')
  }

  close(): void {
    closeSync(this.#fd)
  }

  bytesAt(at: number, length: number): Buffer {
    const bytes = Buffer.alloc(length)
    if (readSync(this.#fd, bytes, 0, length, at) !== length)
      throw new AuditFault(`${this.file.path} ends before byte ${at + length}`)
    return bytes
  }

  /** Every record, in order. Throws AuditFault where the tree is broken. */
  *records(): Generator<RecordPlace, void, void> {
    if (this.#isUnused()) return
    const root = this.#root()
    if (root.records === 0) return
    let next = 1
    for (const place of this.#below(root.page, root.depth)) {
      if (place.record !== next) throw new AuditFault(`${this.file.path}: record ${next} is missing`)
      next++
      yield place
    }
    if (next - 1 !== root.records)
      throw new AuditFault(`${this.file.path} holds ${next - 1} records and counts ${root.records}`)
  }

  /** Made, and never marked as opened: its writer was stopped before the first record. */
  #isUnused(): boolean {
    return fstatSync(this.#fd).size < HEAD_BYTES + META_BYTES && !existsSync(this.#beside('.opened'))
  }

  #beside(ending: string): string {
    return this.file.path.slice(0, -'.mdb'.length) + ending
  }

  #root(): Root {
    this.#pageBytes = this.bytesAt(0, HEAD_BYTES + META_BYTES).readUInt32LE(HEAD_BYTES + 24)
    const roots = [this.#meta(0), this.#meta(this.#pageBytes)].sort((a, b) => b.transaction - a.transaction)
    const seal = this.#beside('.sealed')
    if (!existsSync(seal)) return roots[0] as Root
    const { records, transaction } = JSON.parse(readFileSync(seal, 'utf8')) as { records: number; transaction: number }
    const sealed = roots.find((root) => root.transaction === transaction && root.records === records)
    if (sealed === undefined) throw new AuditFault(`${this.file.path} does not end where it was sealed`)
    return sealed
  }

  #meta(at: number): Root {
    const meta = this.bytesAt(at + HEAD_BYTES, META_BYTES)
    if (meta.readUInt32LE(0) !== LMDB_MAGIC) throw new AuditFault(`${this.file.path} is not an LMDB file`)
    return {
      transaction: u64(meta, 128),
      records: u64(meta, 104),
      // All ones where there is no tree, then there are no records.
      page: meta.readUInt32LE(112) + meta.readUInt16LE(116) * TWO_32,
      depth: meta.readUInt16LE(78),
    }
  }

  *#below(page: number, depth: number): Generator<RecordPlace, void, void> {
    const pageAt = page * this.#pageBytes
    const bytes = this.bytesAt(pageAt, this.#pageBytes)
    const kind = bytes.readUInt16LE(18) & KIND_MASK
    if (u64(bytes, 0) !== page || kind !== (depth === 1 ? LEAF : BRANCH)) {
      throw new AuditFault(`${this.file.path}: page ${page} is not the page that the tree says`)
    }
    const nodes = bytes.readUInt16LE(20) / 2
    for (let node = 0; node < nodes; node++) {
      const at = HEAD_BYTES + bytes.readUInt16LE(HEAD_BYTES + node * 2)
      if (kind === BRANCH) yield* this.#below(bytes.readUInt32LE(at) + bytes.readUInt16LE(at + 4) * TWO_32, depth - 1)
      else yield this.#place(bytes, at, pageAt)
    }
  }

  #place(page: Buffer, at: number, pageAt: number): RecordPlace {
    const length = page.readUInt32LE(at)
    const flags = page.readUInt16LE(at + 4)
    if (page.readUInt16LE(at + 6) !== KEY_BYTES)
      throw new AuditFault(`${this.file.path} has a key that is no record number`)
    const record = page.readUInt32LE(at + NODE_HEAD_BYTES)
    const dataAt = at + NODE_HEAD_BYTES + KEY_BYTES
    if (flags !== ON_PAGES_OF_ITS_OWN) return { record, at: pageAt + dataAt, length }
    return { record, at: u64(page, dataAt) * this.#pageBytes + HEAD_BYTES, length }
  }
}

function u64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * TWO_32
}
