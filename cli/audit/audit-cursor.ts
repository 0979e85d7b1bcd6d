/**
 * Reads the bytes of events: whole numbers, texts, lists, one behind the other. Part of the audit, which judges the engine
 * and therefore borrows nothing from it: this is written from docs/formats, not from the engine's own reader.
 *
 *     varint   7 bits a byte, the lowest first, the top bit says "one more"      up to 2^53 − 1
 *     text     varint length in bytes, then UTF-8
 */

/** The log does not say what it should. The message is the fault, as a sentence. */
export class AuditFault extends Error {
  override readonly name = 'AuditFault'
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export class AuditCursor {
  readonly #bytes: Uint8Array
  readonly #end: number
  at: number

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes
    this.at = start
    this.#end = end
  }

  get isAtEnd(): boolean {
    return this.at === this.#end
  }

  byte(): number {
    const byte = this.at < this.#end ? this.#bytes[this.at] : undefined
    if (byte === undefined) throw new AuditFault('an event goes on behind the end of its bytes')
    this.at++
    return byte
  }

  short(): number {
    return this.byte() + 256 * this.byte()
  }

  varint(): number {
    let value = 0
    let weight = 1
    for (;;) {
      const byte = this.byte()
      value += (byte % 128) * weight
      if (byte < 128) break
      weight *= 128
    }
    if (!Number.isSafeInteger(value)) throw new AuditFault('a number is larger than 2^53 − 1')
    return value
  }

  /** Written as one more, so that 0 can say that there is none. */
  varintOrNone(): number | null {
    const value = this.varint()
    return value === 0 ? null : value - 1
  }

  text(): string {
    const length = this.varint()
    if (length > this.#end - this.at) throw new AuditFault('a text goes on behind the end of its event')
    const bytes = this.#bytes.subarray(this.at, this.at + length)
    this.at += length
    try {
      return utf8.decode(bytes)
    } catch {
      throw new AuditFault('a text is not UTF-8')
    }
  }

  textOrNone(): string | null {
    return this.isSaid() ? this.text() : null
  }

  /** A byte that is 0 or 1. */
  isSaid(): boolean {
    const byte = this.byte()
    if (byte > 1) throw new AuditFault(`a byte that says yes or no is ${byte}`)
    return byte === 1
  }

  list<T>(read: () => T): T[] {
    const count = this.varint()
    // Nothing takes less than a byte: a larger count is damage, not a reason to make a large list.
    if (count > this.#end - this.at) throw new AuditFault('a list has more elements than bytes')
    return Array.from({ length: count }, read)
  }

  /** A cursor over the next bytes; this one goes on behind them. */
  part(length: number): AuditCursor {
    if (length > this.#end - this.at) throw new AuditFault('an event is longer than its entry')
    const part = new AuditCursor(this.#bytes, this.at, this.at + length)
    this.at += length
    return part
  }
}
