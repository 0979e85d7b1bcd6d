/**
 * `keys.json` in the data directory: hashes of API keys with role, name and times. Small, changed by a person now and then.
 *
 *     {
 *       "format": 1,
 *       "keys": [
 *         { "keyId": "key_0a…", "role": "checkout", "name": "shop", "sha256": "9f86…",
 *           "createdAt": "2026-11-20T18:00:00.000Z", "revokedAt": null }
 *       ]
 *     }
 *
 * A change writes a draft beside it, flushes, renames and flushes the directory, so a reader sees the old or the new file
 * whole. The draft is also the lock: it is opened only where there is none, so two commands at once cannot lose a key.
 * A draft left behind by a killed command is taken away after some seconds.
 */
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { type Role, ROLES } from './authenticate.ts'

const FORMAT = 1
const FILE_NAME = 'keys.json'
const DRAFT_NAME = 'keys.json.draft'
/** A command holds the draft for milliseconds; one this old was left behind. */
const DRAFT_ABANDONED_MS = 10_000

export interface KeyRecord {
  readonly keyId: string
  readonly role: Role
  readonly name: string
  /** Hexadecimal. */
  readonly sha256: string
  readonly createdAt: string
  readonly revokedAt: string | null
}

/** Keys could not be read or changed; the message says what to do. Never holds a key. */
export class KeysError extends Error {
  override readonly name = 'KeysError'
  readonly code = 'KEYS'
  readonly retryable: boolean

  constructor(sentence: string, options: { cause?: unknown; retryable?: boolean } = {}) {
    super(sentence, options.cause === undefined ? undefined : { cause: options.cause })
    this.retryable = options.retryable ?? false
  }
}

/** None where there is no file. */
export function readKeys(dataDir: string): readonly KeyRecord[] {
  const path = join(dataDir, FILE_NAME)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    if (isErrno(cause, 'ENOENT')) return []
    throw new KeysError(`${path} cannot be read`, { cause })
  }
  return parseKeys(text, path)
}

/** Differs whenever the file is another one: each change is a new file, renamed into its place. */
export function stampOfKeys(dataDir: string): string {
  const found = statSync(join(dataDir, FILE_NAME), { throwIfNoEntry: false })
  return found === undefined ? '' : `${found.ino}:${found.size}:${found.mtimeMs}`
}

/** Replaces the keys by what `change` makes of them; nothing is changed when it throws. */
export function changeKeys(dataDir: string, change: (keys: readonly KeyRecord[]) => readonly KeyRecord[]): void {
  mkdirSync(dataDir, { recursive: true })
  const draft = join(dataDir, DRAFT_NAME)
  const fd = openDraft(draft)
  try {
    try {
      const keys = change(readKeys(dataDir))
      fchmodSync(fd, 0o600)
      writeFileSync(fd, `${JSON.stringify({ format: FORMAT, keys }, null, 2)}\n`)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(draft, join(dataDir, FILE_NAME))
  } catch (error) {
    rmSync(draft, { force: true })
    throw error
  }
  const directory = openSync(dataDir, 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}

function openDraft(draft: string): number {
  const found = statSync(draft, { throwIfNoEntry: false })
  if (found !== undefined && Date.now() - found.mtimeMs > DRAFT_ABANDONED_MS) rmSync(draft, { force: true })
  try {
    return openSync(draft, 'wx', 0o600)
  } catch (cause) {
    if (!isErrno(cause, 'EEXIST')) throw new KeysError(`${draft} cannot be written`, { cause })
    throw new KeysError('another command is changing the keys; try again in a moment', { cause, retryable: true })
  }
}

function parseKeys(text: string, path: string): readonly KeyRecord[] {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    // The parser's message quotes the text, which has no business in a log.
    throw new KeysError(`${path} is not valid JSON; restore it from a backup, or remove it and make new keys`)
  }
  const { format, keys } = (parsed ?? {}) as { format?: unknown; keys?: unknown }
  if (typeof format === 'number' && format > FORMAT) {
    throw new KeysError(`${path} was written by a later version of Tearoff (format ${format})`)
  }
  if (format !== FORMAT || !Array.isArray(keys) || !keys.every(isRecord)) {
    throw new KeysError(`${path} is not a list of keys; restore it from a backup, or remove it and make new keys`)
  }
  return keys
}

function isRecord(value: unknown): value is KeyRecord {
  const { keyId, role, name, sha256, createdAt, revokedAt } = (value ?? {}) as Record<string, unknown>
  return (
    [keyId, name, createdAt].every((text) => typeof text === 'string') &&
    typeof sha256 === 'string' &&
    /^[0-9a-f]{64}$/.test(sha256) &&
    ROLES.includes(role as Role) &&
    (revokedAt === null || typeof revokedAt === 'string')
  )
}

function isErrno(cause: unknown, code: string): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === code
}
