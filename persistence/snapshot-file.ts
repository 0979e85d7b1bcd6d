/**
 * The bytes of a snapshot: one shard's state after one of its sequences, so that a start need not replay what is before.
 * A snapshot is a cache of the log: it is never the only place of a fact, and one that does not fit is passed over.
 *
 *   <data>/snapshots/0003/0000000000012345.snapshot      shard 3 after its sequence 12,345; the last two are kept
 *
 *   head (192 bytes)                                     section chunk, any number behind one another
 *     0  "TEARSNAP"                                        0  name of the section, 16 bytes, zeros behind it
 *     8  crc         u32  CRC-32 of all behind it         16  number   u32  of the chunk in the file, from 0
 *    12  version     u32  1                               20  length   u32  of its bytes, a multiple of 4
 *    16  layout      u32  of the state, the shell's       24  crc      u32  CRC-32 of 0 … 24 and of the bytes
 *    20  shard       u32                                  28  zero     u32
 *    24  shards      u32                                  32  the bytes, at most 256 KiB
 *    28  hashVersion u32
 *    32  deployment  32 bytes  SHA-256 over the secret    The last chunk has the name "end" and no bytes: a file without
 *    64  hash        32 bytes  of the last entry          it was cut off.
 *    96  seq u64 · timeMs f64 · madeAtMs f64              What the bytes of a section mean is the business of whoever
 *   120  lane · segment · record · offset  u32 each       dumps into it (engine/shard/snapshot-sections.ts).
 *   136  zeros                                            Little endian, no padding.
 *
 * A draft is written beside its place, flushed, renamed, and the directory flushed. What must never happen here: that a
 * file under its final name is changed.
 */

import { createHash } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { crc32 } from 'node:zlib'
import { assert } from '../protocol/assert.ts'
import type { Deployment } from './deployment.ts'
import { syncDirectory } from './durable-file.ts'
import { JournalError } from './errors.ts'
import type { ShardHead } from './lane-merge.ts'

export const SNAPSHOTS_DIRECTORY = 'snapshots'
const VERSION = 1
const HEAD_BYTES = 192
const CHUNK_HEAD_BYTES = 32
const CHUNK_BYTES_MAX = 256 * 1024
const NAME_BYTES = 16
const MAGIC = Buffer.from('TEARSNAP')
const END = 'end'
const TWO_32 = 0x1_0000_0000

/** A snapshot that a shard has, by its name. */
export interface SnapshotFile {
  readonly path: string
  readonly shard: number
  /** Of the last event in it. */
  readonly seq: number
}

/** What a snapshot says of itself. */
export interface SnapshotHead extends ShardHead {
  readonly shard: number
  /** Number of the state's layout: another one cannot be loaded. */
  readonly layout: number
  readonly madeAtMs: number
}

export function snapshotPath(dataDir: string, shard: number, seq: number): string {
  return join(shardDirectory(dataDir, shard), `${String(seq).padStart(16, '0')}.snapshot`)
}

/** The snapshots of a shard, newest first. */
export function listSnapshots(dataDir: string, shard: number): SnapshotFile[] {
  const directory = shardDirectory(dataDir, shard)
  if (!existsSync(directory)) return []
  return readdirSync(directory)
    .map((name) => /^(\d{16})\.snapshot$/.exec(name)?.[1])
    .filter((digits) => digits !== undefined)
    .map((digits) => ({ path: join(directory, `${digits}.snapshot`), shard, seq: Number(digits) }))
    .sort((a, b) => b.seq - a.seq)
}

/** Removes the snapshots of a shard behind the newest `keep`, and what a killed process left half written. */
export function removeOldSnapshots(dataDir: string, shard: number, keep: number): void {
  for (const { path } of listSnapshots(dataDir, shard).slice(keep)) rmSync(path, { force: true })
  const directory = shardDirectory(dataDir, shard)
  if (!existsSync(directory)) return
  for (const name of readdirSync(directory)) if (name.endsWith('.draft')) rmSync(join(directory, name), { force: true })
}

/** Renames a snapshot that cannot be read, so that somebody may look at it; it counts no more. */
export function setSnapshotAside({ path }: SnapshotFile): void {
  renameSync(path, `${path}.damaged`)
}

function shardDirectory(dataDir: string, shard: number): string {
  return join(dataDir, SNAPSHOTS_DIRECTORY, String(shard).padStart(4, '0'))
}

/** Writes one snapshot; nothing is under its name before `finish`. Errors of the file system are thrown as they are. */
export class SnapshotWriter {
  readonly #path: string
  readonly #draft: string
  readonly #fd: number
  readonly #afterChunk: (bytes: number, fd: number) => void
  readonly #chunk = Buffer.alloc(CHUNK_HEAD_BYTES + CHUNK_BYTES_MAX)
  readonly #words = new Int32Array(this.#chunk.buffer, this.#chunk.byteOffset + CHUNK_HEAD_BYTES, CHUNK_BYTES_MAX / 4)
  readonly #double = new Float64Array(1)
  readonly #halves = new Int32Array(this.#double.buffer)
  #used = 0
  #chunks = 0
  #section = ''
  #bytes = 0

  /** `afterChunk` is called behind every chunk with its bytes and the descriptor: there a writer may take its time. */
  constructor(
    dataDir: string,
    deployment: Deployment,
    head: SnapshotHead,
    afterChunk: (bytes: number, fd: number) => void = () => {},
  ) {
    this.#path = snapshotPath(dataDir, head.shard, head.seq)
    this.#draft = `${this.#path}.draft`
    this.#afterChunk = afterChunk
    mkdirSync(dirname(this.#path), { recursive: true })
    this.#fd = openSync(this.#draft, 'w')
    this.#write(encodeHead(deployment, head))
  }

  /** What follows belongs to the section of that name, at most 16 letters. */
  section(name: string): void {
    assert(name.length <= NAME_BYTES, 'a section of a snapshot has a name of at most 16 letters')
    this.#endChunk()
    this.#section = name
  }

  word(value: number): void {
    if (this.#used === this.#words.length) this.#endChunk()
    this.#words[this.#used++] = value
  }

  number(value: number): void {
    this.#double[0] = value
    this.word(this.#halves[0] ?? 0)
    this.word(this.#halves[1] ?? 0)
  }

  raw(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length; ) {
      if (this.#used === this.#words.length) this.#endChunk()
      const at = CHUNK_HEAD_BYTES + this.#used * 4
      const count = Math.min(bytes.length - from, this.#chunk.length - at)
      this.#chunk.set(bytes.subarray(from, from + count), at)
      const padded = Math.ceil(count / 4)
      this.#chunk.fill(0, at + count, at + padded * 4)
      this.#used += padded
      from += count
    }
  }

  /** Puts the snapshot in its place, durable; returns its bytes. */
  finish(): number {
    this.#endChunk()
    this.#section = END
    this.#writeChunk()
    fdatasyncSync(this.#fd)
    closeSync(this.#fd)
    renameSync(this.#draft, this.#path)
    syncDirectory(dirname(this.#path))
    syncDirectory(dirname(dirname(this.#path)))
    return this.#bytes
  }

  /** Leaves nothing behind. */
  abandon(): void {
    closeSync(this.#fd)
    rmSync(this.#draft, { force: true })
  }

  #endChunk(): void {
    if (this.#used > 0) this.#writeChunk()
  }

  #writeChunk(): void {
    const length = this.#used * 4
    const chunk = this.#chunk
    chunk.fill(0, 0, CHUNK_HEAD_BYTES)
    chunk.write(this.#section, 0, NAME_BYTES, 'ascii')
    chunk.writeUInt32LE(this.#chunks++, 16)
    chunk.writeUInt32LE(length, 20)
    chunk.writeUInt32LE(chunkCrc(chunk, length), 24)
    this.#used = 0
    this.#write(chunk.subarray(0, CHUNK_HEAD_BYTES + length))
  }

  #write(bytes: Buffer): void {
    let done = 0
    while (done < bytes.length) done += writeSync(this.#fd, bytes, done, bytes.length - done)
    this.#bytes += bytes.length
    this.#afterChunk(bytes.length, this.#fd)
  }
}

/**
 * Reads one snapshot, section by section in the order of writing; every chunk is checked before its first word is given
 * out. Throws `SNAPSHOT_DAMAGED`, `JOURNAL_NEWER_FORMAT`, or `DEPLOYMENT_MISMATCH` when it is another deployment's.
 */
export class SnapshotReader {
  readonly path: string
  readonly head: SnapshotHead
  readonly fileBytes: number
  readonly #fd: number
  readonly #chunk = Buffer.alloc(CHUNK_HEAD_BYTES + CHUNK_BYTES_MAX)
  readonly #words = new Int32Array(this.#chunk.buffer, this.#chunk.byteOffset + CHUNK_HEAD_BYTES, CHUNK_BYTES_MAX / 4)
  readonly #double = new Float64Array(1)
  readonly #halves = new Int32Array(this.#double.buffer)
  #at = 0
  #length = 0
  #chunks = 0
  #fileAt = HEAD_BYTES
  #section = ''

  constructor(file: SnapshotFile, deployment: Deployment) {
    this.path = file.path
    try {
      this.#fd = openSync(file.path, 'r')
    } catch (cause) {
      throw new JournalError('STORAGE_FAILED', `${file.path} cannot be opened for reading`, { cause })
    }
    try {
      this.fileBytes = fstatSync(this.#fd).size
      const head = Buffer.alloc(HEAD_BYTES)
      this.#read(head, HEAD_BYTES, 0)
      this.head = decodeHead(head, deployment, this.path)
      if (this.head.shard !== file.shard || this.head.seq !== file.seq)
        throw damaged(this.path, 'has another name than it was given')
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** Goes on with the next section, which must be that one, and the one before must be at its end. */
  section(name: string): void {
    if (this.#at < this.#length) throw this.#damaged(`has more in its section ${this.#section} than belongs there`)
    this.#section = name
    this.#at = 0
    this.#length = 0
  }

  word(): number {
    if (this.#at === this.#length) this.#nextChunk()
    return this.#words[this.#at++] as number
  }

  number(): number {
    this.#halves[0] = this.word()
    this.#halves[1] = this.word()
    return this.#double[0] as number
  }

  rawInto(bytes: Uint8Array): void {
    for (let to = 0; to < bytes.length; ) {
      if (this.#at === this.#length) this.#nextChunk()
      const from = CHUNK_HEAD_BYTES + this.#at * 4
      const count = Math.min(bytes.length - to, (this.#length - this.#at) * 4)
      bytes.set(this.#chunk.subarray(from, from + count), to)
      this.#at += Math.ceil(count / 4)
      to += count
    }
  }

  /** There must be nothing more. */
  end(): void {
    this.section(END)
    this.#nextChunk()
    if (this.#length > 0 || this.#fileAt !== this.fileBytes) throw this.#damaged('goes on behind its end')
  }

  close(): void {
    closeSync(this.#fd)
  }

  #nextChunk(): void {
    const chunk = this.#chunk
    this.#read(chunk, CHUNK_HEAD_BYTES, this.#fileAt)
    const length = chunk.readUInt32LE(20)
    if (length > CHUNK_BYTES_MAX || length % 4 !== 0) throw this.#damaged(`has a chunk of ${length} bytes`)
    this.#read(chunk, length, this.#fileAt + CHUNK_HEAD_BYTES, CHUNK_HEAD_BYTES)
    const name = chunk.toString('ascii', 0, NAME_BYTES).replace(/\0+$/, '')
    const isWhole = chunk.readUInt32LE(24) === chunkCrc(chunk, length) && chunk.readUInt32LE(28) === 0
    if (!isWhole || chunk.readUInt32LE(16) !== this.#chunks) {
      throw this.#damaged(`does not fit the check sum of its chunk ${this.#chunks} (section ${this.#section})`)
    }
    if (name !== this.#section) throw this.#damaged(`has the section ${name} where ${this.#section} was expected`)
    if (length === 0 && name !== END) throw this.#damaged(`has an empty chunk in its section ${name}`)
    this.#chunks++
    this.#fileAt += CHUNK_HEAD_BYTES + length
    this.#at = 0
    this.#length = length / 4
  }

  #read(target: Buffer, length: number, at: number, offset = 0): void {
    let done = 0
    while (done < length) {
      const count = readSync(this.#fd, target, offset + done, length - done, at + done)
      if (count === 0) throw this.#damaged(`ends at byte ${at + done}: it was cut off`)
      done += count
    }
  }

  #damaged(whatIsWrong: string): JournalError {
    return damaged(this.path, whatIsWrong)
  }
}

function chunkCrc(chunk: Buffer, length: number): number {
  const head = crc32(chunk.subarray(0, 24))
  return crc32(chunk.subarray(CHUNK_HEAD_BYTES, CHUNK_HEAD_BYTES + length), head)
}

function encodeHead(deployment: Deployment, head: SnapshotHead): Buffer {
  const bytes = Buffer.alloc(HEAD_BYTES)
  MAGIC.copy(bytes)
  bytes.writeUInt32LE(VERSION, 12)
  bytes.writeUInt32LE(head.layout, 16)
  bytes.writeUInt32LE(head.shard, 20)
  bytes.writeUInt32LE(deployment.shards, 24)
  bytes.writeUInt32LE(deployment.hashVersion, 28)
  deploymentMark(deployment).copy(bytes, 32)
  bytes.set(head.hash, 64)
  bytes.writeUInt32LE(head.seq % TWO_32, 96)
  bytes.writeUInt32LE(Math.floor(head.seq / TWO_32), 100)
  bytes.writeDoubleLE(head.timeMs, 104)
  bytes.writeDoubleLE(head.madeAtMs, 112)
  bytes.writeUInt32LE(head.where.lane, 120)
  bytes.writeUInt32LE(head.where.segment, 124)
  bytes.writeUInt32LE(head.where.record, 128)
  bytes.writeUInt32LE(head.where.offset, 132)
  bytes.writeUInt32LE(crc32(bytes.subarray(12)), 8)
  return bytes
}

function decodeHead(bytes: Buffer, deployment: Deployment, path: string): SnapshotHead {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw damaged(path, 'does not start like a snapshot')
  if (bytes.readUInt32LE(8) !== crc32(bytes.subarray(12))) throw damaged(path, 'does not fit the check sum of its head')
  const version = bytes.readUInt32LE(12)
  if (version !== VERSION) {
    throw new JournalError(
      'JOURNAL_NEWER_FORMAT',
      `${path} has the format ${version} and this program reads ${VERSION}`,
    )
  }
  if (bytes.readUInt32LE(24) !== deployment.shards || !bytes.subarray(32, 64).equals(deploymentMark(deployment))) {
    throw new JournalError('DEPLOYMENT_MISMATCH', `${path} belongs to another deployment`)
  }
  return {
    layout: bytes.readUInt32LE(16),
    shard: bytes.readUInt32LE(20),
    hash: Uint8Array.from(bytes.subarray(64, 96)),
    seq: bytes.readUInt32LE(96) + bytes.readUInt32LE(100) * TWO_32,
    timeMs: bytes.readDoubleLE(104),
    madeAtMs: bytes.readDoubleLE(112),
    where: {
      lane: bytes.readUInt32LE(120),
      segment: bytes.readUInt32LE(124),
      record: bytes.readUInt32LE(128),
      offset: bytes.readUInt32LE(132),
    },
  }
}

/** Says which deployment without giving its secret away. */
function deploymentMark({ shards, hashVersion, secret, createdAtMs }: Deployment): Buffer {
  return createHash('sha256').update(`snapshot ${shards} ${hashVersion} ${createdAtMs} `).update(secret).digest()
}

function damaged(path: string, whatIsWrong: string): JournalError {
  return new JournalError('SNAPSHOT_DAMAGED', `${path} ${whatIsWrong}`)
}
