/**
 * `backup.json`: what a backup holds and where it ends. Written last, so a directory without it is no finished backup.
 *
 *     {"formatVersion": 1, "madeAt": "…", "until": "…" | null, "shards": 16, "events": 4711,
 *      "positions": [{"shard": 0, "seq": 812, "at": "…"}, …],
 *      "files": [{"path": "lanes/00/000001.mdb", "bytes": 73728, "sha256": "…", "isWhole": true, "seal": "…"}, …]}
 *
 * `isWhole` says that a segment is the very file of the source, `seal` what stood beside it: the next backup into the same
 * directory leaves such a file where it is.
 */
import { createHash } from 'node:crypto'
import { closeSync, existsSync, openSync, readFileSync, readSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileDurably } from '../../persistence/durable-file.ts'
import { Divergence } from '../rebuild/divergence.ts'
import { UsageFault } from '../rebuild/positions.ts'

const MANIFEST_FILE = 'backup.json'
/** The one before, while a backup is being made. */
const PREVIOUS_FILE = 'backup.previous.json'
const FORMAT_VERSION = 1
const READ_BYTES = 4 * 1024 * 1024

export interface BackedUpFile {
  /** Relative, with forward slashes. */
  readonly path: string
  readonly bytes: number
  readonly sha256: string
  readonly isWhole: boolean
  /** Of a segment; null for everything else. */
  readonly seal: string | null
}

export interface Manifest {
  readonly formatVersion: number
  readonly madeAt: string
  /** Everything up to this time is in it, nothing behind it; null: all there was of a stopped server. */
  readonly until: string | null
  readonly shards: number
  readonly events: number
  readonly positions: readonly { readonly shard: number; readonly seq: number; readonly at: string }[]
  readonly files: readonly BackedUpFile[]
}

/** Throws UsageFault where there is no finished backup. */
export function readManifest(directory: string): Manifest {
  const path = join(directory, MANIFEST_FILE)
  if (!existsSync(path)) {
    const why = existsSync(join(directory, PREVIOUS_FILE)) ? ', it was never finished' : ''
    throw new UsageFault(`${directory} holds no backup: it has no ${MANIFEST_FILE}${why}`)
  }
  return parsed(path)
}

/** The manifest that stands or stood here; null: none. */
export function manifestBefore(directory: string): Manifest | null {
  for (const name of [MANIFEST_FILE, PREVIOUS_FILE]) {
    const path = join(directory, name)
    if (existsSync(path)) return parsed(path)
  }
  return null
}

/** From now on the directory holds no finished backup, and what it holds is remembered. */
export function beginManifest(directory: string, before: Manifest | null): void {
  const path = join(directory, MANIFEST_FILE)
  const previous = join(directory, PREVIOUS_FILE)
  if (existsSync(path)) renameSync(path, previous)
  else if (before === null)
    writeFileDurably(previous, `${JSON.stringify({ formatVersion: FORMAT_VERSION, files: [] })}\n`)
}

export function writeManifest(directory: string, manifest: Omit<Manifest, 'formatVersion'>): void {
  writeFileDurably(
    join(directory, MANIFEST_FILE),
    `${JSON.stringify({ formatVersion: FORMAT_VERSION, ...manifest }, null, 2)}\n`,
  )
  rmSync(join(directory, PREVIOUS_FILE), { force: true })
}

/** What a file is, read whole. */
export function describeFile(directory: string, path: string, isWhole: boolean): BackedUpFile {
  const file = join(directory, path)
  const seal = path.endsWith('.mdb') ? readFileSync(`${file.slice(0, -'.mdb'.length)}.sealed`, 'utf8') : null
  return { path, bytes: statSync(file).size, sha256: digestOf(file), isWhole, seal }
}

/** Throws Divergence for the first file that is not what the manifest says. */
export function checkFiles(directory: string, { files }: Manifest, onFile: (bytes: number) => void = () => {}): void {
  for (const { path, bytes, sha256 } of files) {
    const file = join(directory, path)
    if (!existsSync(file)) throw new Divergence(`the backup lacks ${file}`)
    const found = statSync(file).size
    if (found !== bytes) throw new Divergence(`${file} has ${found} bytes and was backed up with ${bytes}`)
    if (digestOf(file) !== sha256) throw new Divergence(`${file} does not fit the digest it was backed up with`)
    onFile(bytes)
  }
}

export function digestOf(path: string): string {
  const digest = createHash('sha256')
  const piece = Buffer.alloc(READ_BYTES)
  const fd = openSync(path, 'r')
  try {
    for (let count = -1; count !== 0; ) {
      count = readSync(fd, piece)
      digest.update(piece.subarray(0, count))
    }
  } finally {
    closeSync(fd)
  }
  return digest.digest('hex')
}

function parsed(path: string): Manifest {
  let fields: unknown
  try {
    fields = JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw new Divergence(`${path} is damaged`, { cause })
  }
  const manifest = fields as Manifest
  if (manifest.formatVersion !== FORMAT_VERSION) {
    throw new UsageFault(`${path} was written by a later version of Tearoff (format ${String(manifest.formatVersion)})`)
  }
  return manifest
}
