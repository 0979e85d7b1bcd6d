/**
 * Routing: which shard owns a code. Ids carry their shard (`protocol/ids.ts`), so this is all the directory there is.
 *
 *     shard = (H(code without its last two letters) + number(last two letters)) mod shards
 *
 * A generator of codes tries last letters until a code lands on its campaign's shard; 1,024 endings reach every shard of up
 * to 1,024. The hash is keyed with the deployment's secret, so nobody outside can aim codes at one shard.
 */
import { KeyHash } from './domain/key-hash.ts'
import { type Bytes, bytesOf } from '../protocol/bytes.ts'
import { lastLettersNumber } from '../protocol/codes.ts'

/** Keeps routing apart from every other use of the deployment's hash. */
const ROUTING_DOMAIN = 0x526f_7574

/** Keeps idempotency keys apart from codes. */
const KEY_ROUTING_DOMAIN = 0x4b65_7973

/** Keeps users apart from both. */
const USER_ROUTING_DOMAIN = 0x5573_6572

/** Codes have at most 64 letters. */
const LETTERS_MAX = 64

export class Router {
  readonly shards: number
  private readonly hash: KeyHash
  private readonly letters = new Uint8Array(LETTERS_MAX)

  /** `shards` is a power of two from 1 to 1,024; `secret` the deployment's 32 bytes. */
  constructor(shards: number, secret: Uint8Array) {
    this.shards = shards
    this.hash = new KeyHash(secret)
  }

  /** `code` is canonical (see `protocol/codes.ts`): 3 to 64 ASCII letters. */
  shardOfCode(code: string): number {
    const length = code.length
    for (let i = 0; i < length; i++) this.letters[i] = code.charCodeAt(i)
    this.hash.hash(this.letters, 0, length - 2, ROUTING_DOMAIN)
    return ((this.hash.k0 >>> 0) + lastLettersNumber(this.letters, length)) % this.shards
  }

  /** The `pick`-th ending that brings a code with these first letters to a shard; there are 1,024 ÷ shards of them. */
  endingFor(shard: number, head: Uint8Array, length: number, pick: number): number {
    this.hash.hash(head, 0, length, ROUTING_DOMAIN)
    const first = (shard - ((this.hash.k0 >>> 0) % this.shards) + this.shards) % this.shards
    return first + pick * this.shards
  }

  /** Where a user's coupons of the day are counted. */
  shardOfUser(user: Bytes): number {
    this.hash.hash(user.buf, user.start, user.end, USER_ROUTING_DOMAIN)
    return (this.hash.k0 >>> 0) % this.shards
  }

  /** Where an idempotency key of a caller is remembered; `scope` is the id of the API key, null without authentication. */
  shardOfKey(scope: string | null, key: string): number {
    const name = bytesOf(`${scope ?? ''}\u0000${key}`)
    this.hash.hash(name.buf, name.start, name.end, KEY_ROUTING_DOMAIN)
    return (this.hash.k0 >>> 0) % this.shards
  }
}
