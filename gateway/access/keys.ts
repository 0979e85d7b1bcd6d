/**
 * API keys: what one looks like, and how a caller is found by it.
 *
 *     tearoff_c_ 3vX…(43 letters)…9Q  0aZ3kP
 *     │       │  │                    └ check sum of everything before it, so a typing error is told from a revoked key
 *     │       │  └ 256 random bits in base 62
 *     │       └ role: c checkout, m marketing, o operations
 *     └ so that people and secret scanners see what it is
 *
 * A key is shown once, when it is made. Kept is its SHA-256 (see `keys-file.ts`): 256 random bits need no slow hash, and
 * since callers are looked up by hash there is no comparison whose time could tell anything.
 * Must never happen here: a key in a log line, an error or a file.
 */
import { createHash } from 'node:crypto'
import { type Authenticator, type Caller, type Role, ROLES } from './authenticate.ts'
import { changeKeys, type KeyRecord, KeysError, readKeys, stampOfKeys } from './keys-file.ts'

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const SECRET_BYTES = 32
/** 62^43 is the first power above 2^256. */
const SECRET_DIGITS = 43
/** 62^6 is the first power above 2^32. */
const CHECK_DIGITS = 6
const KEY_FORM = /^tearoff_[cmo]_[0-9A-Za-z]{49}$/
const BEARER = /^Bearer +([^ ]+)$/i

const KEY_ID_BYTES = 10
const KEY_NAME_LENGTH_MAX = 100
/** Headers whose caller is remembered, so that a call costs no hash; at the bound the memory starts over. */
const REMEMBERED_MAX = 1_024
/** How often the file is looked at: a revoked key works for no longer than this. */
export const KEYS_RELOAD_MS = 1_000

export type RandomBytes = (length: number) => Uint8Array

/** What is known of a key beside its secret. */
export interface KeyListing {
  readonly keyId: string
  readonly role: Role
  readonly name: string
  readonly createdAt: string
  readonly revokedAt: string | null
}

/**
 * Makes a key, keeps its hash in the data directory and returns it, to be shown once. Names are unique among valid keys.
 * Throws KeysError.
 */
export function createKey(
  dataDir: string,
  input: { readonly role: Role; readonly name: string },
  random: RandomBytes,
  now: () => number,
): string {
  const name = input.name.trim()
  if (!ROLES.includes(input.role)) throw new KeysError(`a role is one of ${ROLES.join(', ')}`)
  if (name === '' || name.length > KEY_NAME_LENGTH_MAX || !name.isWellFormed()) {
    throw new KeysError(`a key needs a name of 1 to ${KEY_NAME_LENGTH_MAX} characters`)
  }
  const key = formatKey(input.role, random(SECRET_BYTES))
  const keyId = `key_${base62(random(KEY_ID_BYTES), 14)}`
  const createdAt = new Date(now()).toISOString()
  changeKeys(dataDir, (keys) => {
    if (keys.some((other) => other.name === name && other.revokedAt === null)) {
      throw new KeysError(`there is a valid key named "${name}"; revoke it first or choose another name`)
    }
    return [...keys, { keyId, role: input.role, name, sha256: hashOf(key), createdAt, revokedAt: null }]
  })
  return key
}

/** All keys, revoked ones too, oldest first. Throws KeysError. */
export function listKeys(dataDir: string): KeyListing[] {
  return readKeys(dataDir).map(({ keyId, role, name, createdAt, revokedAt }) => ({
    keyId,
    role,
    name,
    createdAt,
    revokedAt,
  }))
}

/** Revokes the valid key with this id or name, for ever. Throws KeysError, also when there is none. */
export function revokeKey(dataDir: string, idOrName: string, now: () => number): KeyListing {
  let revoked: KeyRecord | undefined
  changeKeys(dataDir, (keys) =>
    keys.map((key) => {
      if (key.revokedAt !== null || (key.keyId !== idOrName && key.name !== idOrName)) return key
      revoked = { ...key, revokedAt: new Date(now()).toISOString() }
      return revoked
    }),
  )
  if (revoked === undefined) throw new KeysError(`there is no valid key with the id or name "${idOrName}"`)
  const { keyId, role, name, createdAt, revokedAt } = revoked
  return { keyId, role, name, createdAt, revokedAt }
}

/** Whether a text is a key as it was made, revoked or not: a typing error fails its check sum. */
export function isWholeKey(text: string): boolean {
  if (!KEY_FORM.test(text)) return false
  const body = text.slice(0, -CHECK_DIGITS)
  return text.slice(-CHECK_DIGITS) === checkSum(body)
}

/** Finds callers by the keys of a data directory; follows changes of the file while it runs. */
export class KeyAuthenticator implements Authenticator {
  private readonly dataDir: string
  private readonly now: () => number
  private readonly unreadable: (error: unknown) => void
  private callers: ReadonlyMap<string, Caller>
  private remembered = new Map<string, Caller>()
  private stamp: string
  private lookedAtMs: number

  /**
   * Throws KeysError when the file cannot be read. Later, an unreadable file is reported and the keys read before stay:
   * half an edit must not lock every checkout out.
   */
  constructor(dataDir: string, now: () => number, unreadable: (error: unknown) => void = () => {}) {
    this.dataDir = dataDir
    this.now = now
    this.unreadable = unreadable
    this.lookedAtMs = now()
    this.stamp = stampOfKeys(dataDir)
    this.callers = callersOf(readKeys(dataDir))
  }

  roleOf(authorizationHeader: string): Caller | null {
    if (this.now() - this.lookedAtMs >= KEYS_RELOAD_MS) this.reload()
    const known = this.remembered.get(authorizationHeader)
    if (known !== undefined) return known
    const key = BEARER.exec(authorizationHeader)?.[1]
    if (key === undefined || !isWholeKey(key)) return null
    const caller = this.callers.get(hashOf(key))
    if (caller === undefined) return null
    if (this.remembered.size >= REMEMBERED_MAX) this.remembered.clear()
    this.remembered.set(authorizationHeader, caller)
    return caller
  }

  private reload(): void {
    this.lookedAtMs = this.now()
    try {
      // The stamp is taken first: a change between the two is read at the next look, never missed.
      const stamp = stampOfKeys(this.dataDir)
      if (stamp === this.stamp) return
      this.callers = callersOf(readKeys(this.dataDir))
      this.remembered.clear()
      this.stamp = stamp
    } catch (error) {
      this.unreadable(error)
    }
  }
}

function callersOf(keys: readonly KeyRecord[]): Map<string, Caller> {
  const callers = new Map<string, Caller>()
  for (const { sha256, role, name, keyId, revokedAt } of keys) {
    if (revokedAt === null) callers.set(sha256, Object.freeze({ role, name, keyId }))
  }
  return callers
}

function formatKey(role: Role, secret: Uint8Array): string {
  const body = `tearoff_${role.charAt(0)}_${base62(secret, SECRET_DIGITS)}`
  return body + checkSum(body)
}

function checkSum(body: string): string {
  return base62(createHash('sha256').update(body).digest().subarray(0, 4), CHECK_DIGITS)
}

function hashOf(key: string): string {
  return createHash('sha256').update(key).digest('hex')
}

/** A big-endian number in base 62, padded to `digits`. */
function base62(bytes: Uint8Array, digits: number): string {
  let number = 0n
  for (const byte of bytes) number = number * 256n + BigInt(byte)
  let text = ''
  for (let i = 0; i < digits; i++) {
    text = (DIGITS[Number(number % 62n)] as string) + text
    number /= 62n
  }
  return text
}
