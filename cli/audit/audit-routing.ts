/**
 * Where a code and a user belong, computed a second time: the keyed hash is Chaskey with 8 rounds (Mouha et al., "Chaskey: an
 * efficient MAC algorithm for 32-bit microcontrollers", 2014), written from the paper and from docs/formats/journal.md.
 *
 *     key      Chaskey(secret[0, 16), secret[16, 32))          message   a number that says what for, u32, then the letters
 *     code     (first word of the hash of all letters but two + number of the last two) mod shards
 *     user     first word of the hash mod shards
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { AuditFault } from './audit-cursor.ts'

const FOR_CODES = 0x526f7574
const FOR_USERS = 0x55736572
const LETTERS = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789'
const BLOCK_BYTES = 16
const ROUNDS = 8

type Words = readonly [number, number, number, number]

export class AuditRouting {
  readonly shards: number
  private readonly key: Words

  constructor(shards: number, secret: Uint8Array) {
    this.shards = shards
    this.key = mac(wordsIn(secret.subarray(0, BLOCK_BYTES)), secret.subarray(BLOCK_BYTES))
  }

  shardOfCode(code: string): number {
    const last = numberOf(code.at(-2) ?? '') * LETTERS.length + numberOf(code.at(-1) ?? '')
    return (this.first(FOR_CODES, code.slice(0, -2)) + last) % this.shards
  }

  shardOfUser(userId: string): number {
    return this.first(FOR_USERS, userId) % this.shards
  }

  private first(what: number, text: string): number {
    const letters = Buffer.from(text, 'utf8')
    const message = Buffer.alloc(4 + letters.length)
    message.writeUInt32LE(what)
    letters.copy(message, 4)
    return mac(this.key, message)[0] >>> 0
  }
}

/** That of a data directory. Throws AuditFault where its file cannot be read. */
export function routingOf(dataDir: string): AuditRouting {
  const path = join(dataDir, 'deployment.json')
  try {
    const { shards, secret } = JSON.parse(readFileSync(path, 'utf8')) as { shards: number; secret: string }
    return new AuditRouting(shards, Buffer.from(secret, 'hex'))
  } catch (error) {
    throw new AuditFault(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** Letters that no generated code has count by their place in ASCII. */
function numberOf(letter: string): number {
  const place = LETTERS.indexOf(letter)
  return place >= 0 ? place : letter.charCodeAt(0) % 32
}

function mac(key: Words, message: Uint8Array): Words {
  const isWhole = message.length > 0 && message.length % BLOCK_BYTES === 0
  const blocks = Math.max(1, Math.ceil(message.length / BLOCK_BYTES))
  const padded = new Uint8Array(blocks * BLOCK_BYTES)
  padded.set(message)
  if (!isWhole) padded[message.length] = 1
  const last = isWhole ? doubled(key) : doubled(doubled(key))
  let state = key
  for (let block = 0; block < blocks; block++) {
    state = mixed(state, wordsIn(padded.subarray(block * BLOCK_BYTES)))
    if (block === blocks - 1) state = mixed(state, last)
    state = permuted(state)
  }
  return mixed(state, last)
}

function wordsIn(bytes: Uint8Array): Words {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  return [view.getInt32(0, true), view.getInt32(4, true), view.getInt32(8, true), view.getInt32(12, true)]
}

function mixed(a: Words, b: Words): Words {
  return [a[0] ^ b[0], a[1] ^ b[1], a[2] ^ b[2], a[3] ^ b[3]]
}

/** Times two in the field of 2^128 elements. */
function doubled([a, b, c, d]: Words): Words {
  return [(a << 1) ^ (d < 0 ? 0x87 : 0), (b << 1) | (a >>> 31), (c << 1) | (b >>> 31), (d << 1) | (c >>> 31)]
}

function permuted(words: Words): Words {
  let [a, b, c, d] = words
  for (let round = 0; round < ROUNDS; round++) {
    a = (a + b) | 0
    c = (c + d) | 0
    b = turned(b, 5) ^ a
    d = turned(d, 8) ^ c
    a = turned(a, 16)
    a = (a + d) | 0
    c = (c + b) | 0
    d = turned(d, 13) ^ a
    b = turned(b, 7) ^ c
    c = turned(c, 16)
  }
  return [a, b, c, d]
}

function turned(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by))
}
