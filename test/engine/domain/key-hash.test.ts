import { describe, expect, test } from 'vitest'
import { Chaskey, KeyHash } from '../../../engine/domain/key-hash.ts'

const SECRET = Uint8Array.from({ length: 32 }, (_, index) => index * 7)
const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

/** The four result words, unsigned. */
function digest(hash: Chaskey, bytes: Uint8Array, domain: number): number[] {
  hash.hash(bytes, 0, bytes.length, domain)
  return [hash.k0 >>> 0, hash.k1 >>> 0, hash.k2 >>> 0, hash.k3 >>> 0]
}

describe('Chaskey', () => {
  // From the authors' reference code: key and tags of the messages 00 01 02 … for the 8-round function. The domain is
  // the first word of the message here, so the vectors begin at four bytes.
  const key = Int32Array.of(0x833d3433, 0x009f389f, 0x2398e64f, 0x417acf39)
  const vectors: Array<[length: number, tag: number[]]> = [
    [4, [0x30b2d171, 0xe38532fb, 0x16707c16, 0x73ed45f0]],
    [5, [0xbc983d0c, 0x31b14064, 0x234cd7a2, 0x0c92bbf9]],
    [6, [0x0dd0688a, 0xe131756c, 0x94c5e6de, 0x84942131]],
    [7, [0x7f670454, 0xf25b03e0, 0x19d68362, 0x9f4d24d8]],
    [8, [0x09330f69, 0x62b5dce0, 0xa4fba462, 0xf20d3c12]],
    [9, [0x89b3b1be, 0x95b97392, 0xf8444abf, 0x755dadfe]],
    [15, [0x51b94da4, 0xefcc4de8, 0x192412ea, 0xbbc170dd]],
    [16, [0x79271ca9, 0xd66a1c71, 0x81ca474e, 0x49831cad]],
    [17, [0x048da968, 0x4e25d096, 0x2d6cf897, 0xbc3959ca]],
    [31, [0xbbdd0c2d, 0xfab6fcd9, 0xdccc080e, 0x9f04b41f]],
    [32, [0x60b3f7af, 0x37eee7c8, 0x836cfd98, 0x782ca060]],
    [33, [0xdf44ea33, 0xb0b2c398, 0x0583ce6f, 0x846d823e]],
    [63, [0x9047fad7, 0x88136d8c, 0xa488286b, 0x7fe9352c]],
  ]

  test.each(vectors)('gives the published tag of %i bytes', (length, tag) => {
    const message = Uint8Array.from({ length: length - 4 }, (_, index) => index + 4)
    expect(digest(new Chaskey(key), message, 0x03020100)).toEqual(tag)
  })
})

describe('the keyed hash', () => {
  test('is the same for the same secret, domain and bytes, wherever they lie', () => {
    const hash = new KeyHash(SECRET)
    const first = digest(hash, encode('user-4711'), 12)
    const padded = encode('xxuser-4711yyy')
    hash.hash(padded, 2, 11, 12)
    expect([hash.k0 >>> 0, hash.k1 >>> 0, hash.k2 >>> 0, hash.k3 >>> 0]).toEqual(first)
    expect(digest(new KeyHash(SECRET), encode('user-4711'), 12)).toEqual(first)
  })

  test('stays what it is: stored keys depend on it', () => {
    // Computed by a second implementation over byte strings and big integers, itself tied to the published vectors.
    const expected = [0x2a3399a6, 0xac235a21, 0x1027653b, 0xeda76a55]
    expect(digest(new KeyHash(SECRET), encode('user-4711'), 12)).toEqual(expected)
  })

  test('differs when any bit of the secret differs, in either half', () => {
    const plain = digest(new KeyHash(SECRET), encode('user'), 1)
    for (let byte = 0; byte < 32; byte++) {
      const other = SECRET.slice()
      other[byte]! ^= 1
      expect(digest(new KeyHash(other), encode('user'), 1)).not.toEqual(plain)
    }
  })

  test('tells a domain from the bytes, and a longer id of zeros from a shorter one', () => {
    const hash = new KeyHash(SECRET)
    const seen = new Set<string>()
    for (let domain = 0; domain < 1000; domain++) seen.add(digest(hash, encode('user'), domain).join())
    for (let length = 0; length < 100; length++) seen.add(digest(hash, new Uint8Array(length), 0).join())
    // The byte 1 is what fills a block up.
    for (let length = 1; length < 100; length++)
      seen.add(digest(hash, new Uint8Array(length).fill(1, length - 1), 0).join())
    expect(seen.size).toBe(1000 + 100 + 99)
  })

  test('refuses a secret of another length', () => {
    expect(() => new KeyHash(new Uint8Array(16))).toThrow(/16 bytes, not 32/)
  })

  test('changes half of its 128 bits when one bit of the input changes', () => {
    const hash = new KeyHash(SECRET)
    const id = encode('user-00004711')
    const plain = digest(hash, id, 3)
    const flipsOfBit = new Array<number>(128).fill(0)
    let samples = 0
    const count = (changed: number[]): void => {
      let flips = 0
      for (let bit = 0; bit < 128; bit++) {
        const flipped = (((changed[bit >>> 5]! ^ plain[bit >>> 5]!) >>> (bit & 31)) & 1) === 1
        if (flipped) flips++
        if (flipped) flipsOfBit[bit]!++
      }
      samples++
      // 64 expected, standard deviation 5.7: beyond 6.5 of it once in 10^10.
      expect(Math.abs(flips - 64)).toBeLessThan(37)
    }
    for (let bit = 0; bit < id.length * 8; bit++) {
      const changed = id.slice()
      changed[bit >>> 3]! ^= 1 << (bit & 7)
      count(digest(hash, changed, 3))
    }
    for (let bit = 0; bit < 32; bit++) count(digest(hash, id, 3 ^ (1 << bit)))
    const total = flipsOfBit.reduce((sum, flips) => sum + flips, 0)
    expect(Math.abs(total / (samples * 128) - 0.5)).toBeLessThan(0.02)
    for (const flips of flipsOfBit) expect(Math.abs(flips / samples - 0.5)).toBeLessThan(0.25)
  })

  test('has no collision over five million consecutive ids, not even in either half of its bits', () => {
    const hash = new KeyHash(SECRET)
    const ids = 5_000_000
    const id = encode('user-0000000')
    const halves = [new Int32Array(2 * ids), new Int32Array(2 * ids)] as const
    for (let index = 0; index < ids; index++) {
      for (let digit = 11, rest = index; digit > 4; digit--, rest = Math.floor(rest / 10)) id[digit] = 48 + (rest % 10)
      hash.hash(id, 0, id.length, 9)
      halves[0][2 * index] = hash.k0
      halves[0][2 * index + 1] = hash.k1
      halves[1][2 * index] = hash.k2
      halves[1][2 * index + 1] = hash.k3
    }
    for (const half of halves) {
      const sorted = new Float64Array(ids)
      // 53 of the 64 bits: 0.001 collisions expected by chance.
      for (let index = 0; index < ids; index++) {
        sorted[index] = (half[2 * index]! >>> 0) * 2_097_152 + (half[2 * index + 1]! >>> 11)
      }
      sorted.sort()
      let equal = 0
      for (let index = 1; index < ids; index++) if (sorted[index] === sorted[index - 1]) equal++
      expect(equal).toBe(0)
    }
  }, 60_000)
})
