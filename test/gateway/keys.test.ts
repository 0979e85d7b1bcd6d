// API keys against real files in a temporary directory; time and randomness are given.
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { createHash, randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  createKey,
  isWholeKey,
  KEYS_RELOAD_MS,
  KeyAuthenticator,
  listKeys,
  revokeKey,
} from '../../gateway/access/keys.ts'

let directory = ''
let timeMs = Date.UTC(2026, 10, 20, 18)
const now = (): number => timeMs

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'keys-'))
  timeMs = Date.UTC(2026, 10, 20, 18)
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

function file(): string {
  return join(directory, 'keys.json')
}

describe('a key', () => {
  it('shows its role, carries 256 bits and is kept as its hash only', () => {
    const key = createKey(directory, { role: 'checkout', name: 'shop' }, randomBytes, now)
    expect(key).toMatch(/^tearoff_c_[0-9A-Za-z]{43}[0-9A-Za-z]{6}$/)
    const text = readFileSync(file(), 'utf8')
    expect(text).not.toContain(key)
    expect(text).not.toContain(key.slice(10, 40))
    expect(text).toContain(createHash('sha256').update(key).digest('hex'))
    expect(statSync(file()).mode & 0o777).toBe(0o600)
  })

  it('is made of the random bytes it is given, all of them', () => {
    const ones = (length: number) => new Uint8Array(length).fill(255)
    const key = createKey(directory, { role: 'operations', name: 'all ones' }, ones, now)
    // 2^256 - 1 in base 62, by long division elsewhere.
    let number = 0n
    for (const digit of key.slice(10, 53)) {
      const value = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'.indexOf(digit)
      number = number * 62n + BigInt(value)
    }
    expect(number).toBe(2n ** 256n - 1n)
  })

  it('is told from a mistyped one by its check sum', () => {
    const key = createKey(directory, { role: 'marketing', name: 'm' }, randomBytes, now)
    expect(isWholeKey(key)).toBe(true)
    let noticed = 0
    for (let at = 10; at < key.length; at++) {
      const other = key[at] === 'a' ? 'b' : 'a'
      if (!isWholeKey(key.slice(0, at) + other + key.slice(at + 1))) noticed += 1
    }
    expect(noticed).toBe(key.length - 10)
    expect(isWholeKey(key.replace('_m_', '_o_'))).toBe(false)
    expect(isWholeKey(`${key}x`)).toBe(false)
  })

  it('needs a role and a name of its own', () => {
    createKey(directory, { role: 'checkout', name: 'shop' }, randomBytes, now)
    expect(() => createKey(directory, { role: 'checkout', name: ' shop ' }, randomBytes, now)).toThrow(
      /valid key named/,
    )
    expect(() => createKey(directory, { role: 'checkout', name: ' ' }, randomBytes, now)).toThrow(/needs a name/)
    expect(() => createKey(directory, { role: 'king' as 'checkout', name: 'x' }, randomBytes, now)).toThrow(/a role is/)
    expect(listKeys(directory)).toHaveLength(1)
    // What failed left nothing that would be in the way of the next.
    expect(readdirSync(directory)).toEqual(['keys.json'])
  })

  it('is listed without its hash, revoked ones too', () => {
    createKey(directory, { role: 'checkout', name: 'one' }, randomBytes, now)
    timeMs += 1_000
    createKey(directory, { role: 'marketing', name: 'two' }, randomBytes, now)
    revokeKey(directory, 'one', now)
    const id = expect.stringMatching(/^key_[0-9A-Za-z]{14}$/)
    expect(listKeys(directory)).toEqual([
      {
        keyId: id,
        role: 'checkout',
        name: 'one',
        createdAt: '2026-11-20T18:00:00.000Z',
        revokedAt: '2026-11-20T18:00:01.000Z',
      },
      { keyId: id, role: 'marketing', name: 'two', createdAt: '2026-11-20T18:00:01.000Z', revokedAt: null },
    ])
  })

  it('can be revoked by id, and once', () => {
    createKey(directory, { role: 'checkout', name: 'one' }, randomBytes, now)
    const keyId = listKeys(directory)[0]?.keyId as string
    expect(revokeKey(directory, keyId, now).revokedAt).toBe('2026-11-20T18:00:00.000Z')
    expect(() => revokeKey(directory, keyId, now)).toThrow(/no valid key/)
    expect(() => revokeKey(directory, 'nobody', now)).toThrow(/no valid key/)
  })
})

describe('the authenticator', () => {
  it('finds the caller of a key and nobody else', () => {
    const key = createKey(directory, { role: 'checkout', name: 'shop' }, randomBytes, now)
    const other = createKey(join(directory, 'elsewhere'), { role: 'operations', name: 'x' }, randomBytes, now)
    const authenticator = new KeyAuthenticator(directory, now)
    for (let again = 0; again < 2; again++) {
      expect(authenticator.roleOf(`Bearer ${key}`)).toEqual({
        role: 'checkout',
        name: 'shop',
        keyId: expect.stringMatching(/^key_/),
      })
      expect(authenticator.roleOf(`bearer ${key}`)).toEqual({
        role: 'checkout',
        name: 'shop',
        keyId: expect.stringMatching(/^key_/),
      })
      for (const header of ['', 'Bearer', 'Bearer ', `Basic ${key}`, key, `Bearer ${other}`, `Bearer ${key}1`]) {
        expect(authenticator.roleOf(header)).toBeNull()
      }
    }
  })

  it('takes up new keys and drops revoked ones within a second', () => {
    const authenticator = new KeyAuthenticator(directory, now)
    const key = createKey(directory, { role: 'checkout', name: 'shop' }, randomBytes, now)
    timeMs += KEYS_RELOAD_MS - 1
    expect(authenticator.roleOf(`Bearer ${key}`)).toBeNull()
    timeMs += 1
    expect(authenticator.roleOf(`Bearer ${key}`)).toEqual({
      role: 'checkout',
      name: 'shop',
      keyId: expect.stringMatching(/^key_/),
    })
    revokeKey(directory, 'shop', now)
    timeMs += KEYS_RELOAD_MS
    expect(authenticator.roleOf(`Bearer ${key}`)).toBeNull()
  })

  it('keeps what it knows while the file cannot be read, and says so', () => {
    const key = createKey(directory, { role: 'checkout', name: 'shop' }, randomBytes, now)
    const errors: unknown[] = []
    const authenticator = new KeyAuthenticator(directory, now, (error) => errors.push(error))
    writeFileSync(file(), '{"format":1,"keys":[')
    timeMs += KEYS_RELOAD_MS
    expect(authenticator.roleOf(`Bearer ${key}`)).not.toBeNull()
    expect(errors).toHaveLength(1)
    expect(String(errors[0])).toContain('not valid JSON')
  })
})

describe('the file of keys', () => {
  it.each([
    ['no JSON', '{', /not valid JSON/],
    ['something else', '[]', /not a list of keys/],
    ['a bad hash', '{"format":1,"keys":[{"keyId":"k","role":"checkout","name":"n","sha256":"1"}]}', /not a list/],
    ['a later format', '{"format":2}', /later version/],
    ['null', 'null', /not a list of keys/],
  ])('%s stops the start with a sentence', (_name, text, sentence) => {
    writeFileSync(file(), text)
    expect(() => new KeyAuthenticator(directory, now)).toThrow(sentence)
    expect(() => createKey(directory, { role: 'checkout', name: 'n' }, randomBytes, now)).toThrow(sentence)
    expect(readFileSync(file(), 'utf8')).toBe(text)
  })

  it('is changed by one command at a time; a draft left behind does not last', () => {
    const draft = join(directory, 'keys.json.draft')
    writeFileSync(draft, '')
    expect(() => createKey(directory, { role: 'checkout', name: 'n' }, randomBytes, now)).toThrow(/another command/)
    const longAgo = new Date(Date.now() - 60_000)
    utimesSync(draft, longAgo, longAgo)
    expect(createKey(directory, { role: 'checkout', name: 'n' }, randomBytes, now)).toContain('tearoff_c_')
  })
})
