/** A snapshot in memory: the words of a state's dump, and back. Sections are walked in the order in which they were written. */
import type { DumpReader, DumpWriter } from '../../engine/shard/tables/dump.ts'

const halves = new Int32Array(2)
const double = new Float64Array(halves.buffer)

export class WordsWriter implements DumpWriter {
  private buffer = new Int32Array(4_096)
  private used = 0

  section(): void {}

  word(value: number): void {
    if (this.used === this.buffer.length) {
      const larger = new Int32Array(this.used * 2)
      larger.set(this.buffer)
      this.buffer = larger
    }
    this.buffer[this.used++] = value
  }

  number(value: number): void {
    double[0] = value
    this.word(halves[0] as number)
    this.word(halves[1] as number)
  }

  raw(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += 4) {
      let word = 0
      for (let i = 0; i < 4 && at + i < bytes.length; i++) word |= (bytes[at + i] as number) << (8 * i)
      this.word(word)
    }
  }

  /** What was written so far. */
  words(): Int32Array {
    return this.buffer.slice(0, this.used)
  }
}

export class WordsReader implements DumpReader {
  private readonly words: Int32Array
  private at = 0

  constructor(words: Int32Array) {
    this.words = words
  }

  section(): void {}

  word(): number {
    const word = this.words[this.at++]
    if (word === undefined) throw new Error('the dump is at its end')
    return word
  }

  number(): number {
    const low = this.word()
    halves[1] = this.word()
    halves[0] = low
    return double[0] as number
  }

  rawInto(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += 4) {
      const word = this.word()
      for (let i = 0; i < 4 && at + i < bytes.length; i++) bytes[at + i] = word >>> (8 * i)
    }
  }
}
