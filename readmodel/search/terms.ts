/**
 * Terms: every different word once, numbered from 0 in the order in which they came.
 *
 *     bytes    summer│shoes│sav10│…      UTF-8, one behind the other
 *     starts   0      6     11    16     a word ends where the next begins
 *     hashes   one a word, so that growing the table reads no bytes
 *     table    open addressing, word number + 1, at most half full
 *
 * A `Map` of strings would take five times the memory, and ends at 2^24 words. Words are never removed: what is gone from all
 * entries costs its bytes until the index is made anew.
 */
import { withRoom } from './grow.ts'
import { WORD_LENGTH_MAX } from './words.ts'

/** Where it starts, and its hash. */
const TERM_BYTES = 8

const encoder = new TextEncoder()
/** UTF-8 takes at most three bytes for a unit of UTF-16. */
const scratch = new Uint8Array(WORD_LENGTH_MAX * 3)

export class Terms {
  count = 0
  private bytes = new Uint8Array(64 * 1_024)
  private starts = new Uint32Array(8_192)
  private hashes = new Uint32Array(8_192)
  private table = new Uint32Array(16_384)

  /** What is in use: columns double, and what is not written yet takes no memory. */
  get bytesInUse(): number {
    return (this.starts[this.count] as number) + this.count * TERM_BYTES + this.table.byteLength
  }

  /** -1: no entry has that word. */
  find(word: string): number {
    const length = encoder.encodeInto(word, scratch).written
    return (this.table[this.placeOf(scratch, length, hashOf(scratch, length))] as number) - 1
  }

  /** The number of a word, a new one where it is new: then it equals what `count` was. */
  add(word: string): number {
    const length = encoder.encodeInto(word, scratch).written
    const hash = hashOf(scratch, length)
    const place = this.placeOf(scratch, length, hash)
    const found = this.table[place] as number
    if (found > 0) return found - 1
    const term = this.count
    const start = this.starts[term] as number
    this.bytes = withRoom(this.bytes, start + length)
    for (let i = 0; i < length; i++) this.bytes[start + i] = scratch[i] as number
    this.starts = withRoom(this.starts, term + 2)
    this.starts[term + 1] = start + length
    this.hashes = withRoom(this.hashes, term + 1)
    this.hashes[term] = hash
    this.table[place] = term + 1
    this.count = term + 1
    if (this.count * 2 > this.table.length) this.spread()
    return term
  }

  startsWith(term: number, prefix: Uint8Array): boolean {
    return this.lengthOf(term) >= prefix.length && this.compareToPrefix(term, prefix) === 0
  }

  /** 0: the word begins so; otherwise where it stands to all that do. */
  compareToPrefix(term: number, prefix: Uint8Array): number {
    const start = this.starts[term] as number
    const length = this.lengthOf(term)
    const shared = Math.min(length, prefix.length)
    for (let i = 0; i < shared; i++) {
      const difference = (this.bytes[start + i] as number) - (prefix[i] as number)
      if (difference !== 0) return difference
    }
    return length < prefix.length ? -1 : 0
  }

  /** By bytes. */
  compare(a: number, b: number): number {
    const startA = this.starts[a] as number
    const startB = this.starts[b] as number
    const shared = Math.min(this.lengthOf(a), this.lengthOf(b))
    for (let i = 0; i < shared; i++) {
      const difference = (this.bytes[startA + i] as number) - (this.bytes[startB + i] as number)
      if (difference !== 0) return difference
    }
    return this.lengthOf(a) - this.lengthOf(b)
  }

  private lengthOf(term: number): number {
    return (this.starts[term + 1] as number) - (this.starts[term] as number)
  }

  /** Where the word lies in the table, or where it would. */
  private placeOf(word: Uint8Array, length: number, hash: number): number {
    const mask = this.table.length - 1
    for (let place = hash & mask; ; place = (place + 1) & mask) {
      const found = (this.table[place] as number) - 1
      if (found < 0 || (this.hashes[found] === hash && this.equals(found, word, length))) return place
    }
  }

  private equals(term: number, word: Uint8Array, length: number): boolean {
    if (this.lengthOf(term) !== length) return false
    const start = this.starts[term] as number
    for (let i = 0; i < length; i++) if (this.bytes[start + i] !== word[i]) return false
    return true
  }

  private spread(): void {
    const table = new Uint32Array(this.table.length * 2)
    const mask = table.length - 1
    for (let term = 0; term < this.count; term++) {
      let place = (this.hashes[term] as number) & mask
      while (table[place] !== 0) place = (place + 1) & mask
      table[place] = term + 1
    }
    this.table = table
  }
}

/** FNV-1a, and its bits mixed once more, because a table takes the lowest. */
function hashOf(word: Uint8Array, length: number): number {
  let hash = 0x811c_9dc5
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ (word[i] as number), 0x0100_0193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  return (hash ^ (hash >>> 13)) >>> 0
}
