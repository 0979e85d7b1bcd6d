// Turns (coupon, user) and (coupon, order) into 128-bit keys for the state tables.
//
// The construction is Chaskey with 8 rounds (Mouha, Mennink, Van Herrewege, Watanabe, Preneel, Verbauwhede, SAC 2014;
// its 12-round form is ISO/IEC 29192-6): a MAC made of 32-bit additions, rotations and xor, which is what plain
// JavaScript does fast, with a full 128-bit result. A hash without a key, or one like Murmur whose collisions do not
// depend on the seed, would let a buyer find two user ids that share one limit. Nobody outside sees a digest, only
// whether two ids collide, so 8 rounds leave a margin (the best published attack reaches 7 and needs 2^48 tags).
//
//   message = domain as u32, little endian, then the bytes      key = Chaskey(secret[0..16), secret[16..32))
//
// Both belong to the deployment's hash version: a change makes every stored key void.

const ROUNDS = 8
const SECRET_BYTES = 32

/**
 * Chaskey-8 of a word followed by bytes. The result stands in k0 to k3 as int32 until the next call, so that a call
 * allocates nothing; k0 and k1 are never both 0, which the tables use to mark a free slot.
 */
export class Chaskey {
  k0 = 0
  k1 = 0
  k2 = 0
  k3 = 0
  private readonly key0: number
  private readonly key1: number
  private readonly key2: number
  private readonly key3: number
  /** For a last block that is full: the key times x in GF(2^128). */
  private readonly full: Int32Array
  /** For a last block that was padded: the key times x². */
  private readonly padded: Int32Array

  /** `key` has four words, little endian. */
  constructor(key: Int32Array) {
    this.key0 = key[0]!
    this.key1 = key[1]!
    this.key2 = key[2]!
    this.key3 = key[3]!
    this.full = timesX(key)
    this.padded = timesX(this.full)
  }

  /** Hashes `domain` (u32) and then the bytes from `start` to before `end`. */
  hash(bytes: Uint8Array, start: number, end: number, domain: number): void {
    let v0 = this.key0
    let v1 = this.key1
    let v2 = this.key2
    let v3 = this.key3
    // The domain stands where the four bytes before `start` would be.
    let at = start - 4
    let last: Int32Array | undefined
    for (;;) {
      v0 ^= at < start ? domain : wordAt(bytes, at, end)
      v1 ^= wordAt(bytes, at + 4, end)
      v2 ^= wordAt(bytes, at + 8, end)
      v3 ^= wordAt(bytes, at + 12, end)
      at += 16
      if (at >= end) {
        last = at === end ? this.full : this.padded
        v0 ^= last[0]!
        v1 ^= last[1]!
        v2 ^= last[2]!
        v3 ^= last[3]!
      }
      for (let round = 0; round < ROUNDS; round++) {
        v0 = (v0 + v1) | 0
        v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
        v0 = (v0 << 16) | (v0 >>> 16)
        v2 = (v2 + v3) | 0
        v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
        v0 = (v0 + v3) | 0
        v3 = ((v3 << 13) | (v3 >>> 19)) ^ v0
        v2 = (v2 + v1) | 0
        v1 = ((v1 << 7) | (v1 >>> 25)) ^ v2
        v2 = (v2 << 16) | (v2 >>> 16)
      }
      if (last !== undefined) break
    }
    this.k0 = v0 ^ last[0]!
    this.k1 = v1 ^ last[1]!
    this.k2 = v2 ^ last[2]!
    this.k3 = v3 ^ last[3]!
    if ((this.k0 | this.k1) === 0) this.k1 = 1
  }
}

/** The keyed hash of a deployment. */
export class KeyHash extends Chaskey {
  /** `secret` is the deployment's hash secret, 32 bytes from a CSPRNG; throws a RangeError for another length. */
  constructor(secret: Uint8Array) {
    if (secret.length !== SECRET_BYTES) throw new RangeError(`the hash secret has ${secret.length} bytes, not 32`)
    const inner = new Chaskey(wordsOf(secret, 0))
    inner.hash(secret, 20, 32, wordAt(secret, 16, 32))
    super(Int32Array.of(inner.k0, inner.k1, inner.k2, inner.k3))
  }
}

/** Four bytes as a little-endian word; behind the last byte of the message comes 0x01 and then zeros. */
function wordAt(bytes: Uint8Array, at: number, end: number): number {
  const left = end - at
  if (left >= 4) return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
  if (left < 0) return 0
  let word = 1 << (left * 8)
  if (left > 0) word |= bytes[at]!
  if (left > 1) word |= bytes[at + 1]! << 8
  if (left > 2) word |= bytes[at + 2]! << 16
  return word
}

function wordsOf(bytes: Uint8Array, start: number): Int32Array {
  const end = start + 16
  return Int32Array.of(
    wordAt(bytes, start, end),
    wordAt(bytes, start + 4, end),
    wordAt(bytes, start + 8, end),
    wordAt(bytes, start + 12, end),
  )
}

/** Doubling in GF(2^128) with the polynomial x^128 + x^7 + x^2 + x + 1. */
function timesX(words: Int32Array): Int32Array {
  const [w0, w1, w2, w3] = [words[0]!, words[1]!, words[2]!, words[3]!]
  return Int32Array.of(
    (w0 << 1) ^ (w3 < 0 ? 0x87 : 0),
    (w1 << 1) | (w0 >>> 31),
    (w2 << 1) | (w1 >>> 31),
    (w3 << 1) | (w2 >>> 31),
  )
}
