/**
 * The fast way in for the calls with codes: from the bytes of a body straight to the bytes of its command, in one pass and
 * without a string but the code.
 *
 *     {"codes":["SAVE10"],"userId":"u1","cart":{"currency":"EUR","lines":[{"productId":"p1",…}]}}
 *               └─ cached ──┐       └─ range        └─ range                          └─ range, numbers
 *                 code, shard
 *
 * It takes what nearly every checkout sends: one well-formed code, plain ASCII without escapes, whole numbers of at most 15
 * digits, products and quantities. At anything else it gives up before it has done anything, and the ordinary decoder judges
 * the body and finds the words for what is wrong. So it may only ever be stricter: where it says yes, the command is byte for
 * byte the one that the decoders and `writeCommand` make, which a differential test holds it to.
 */
import { CART_LINES_MAX, NAME_LENGTH_MAX, PSEUDONYM_LENGTH_MAX, TTL_SECONDS_DEFAULT } from '../limits.ts'
import type { Router } from '../../engine/routing.ts'
import type { ByteWriter } from '../../protocol/bytes.ts'
import { codeFault } from '../../protocol/codes.ts'
import { COMMAND } from '../../protocol/commands.ts'

export type ScannedType = typeof COMMAND.VALIDATE | typeof COMMAND.RESERVE | typeof COMMAND.REDEEM

/** Carts with more lines take the ordinary way. */
const LINES_MAX = Math.min(32, CART_LINES_MAX)
/** Numbers with more digits may not be exact. */
const DIGITS_MAX = 15
const CODE_LENGTH_MAX = 64
const CACHED_CODES = 4_096

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const BACKSLASH = 0x5c
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

function key(name: string): Uint8Array {
  return Uint8Array.from(name, (letter) => letter.charCodeAt(0))
}
const CODES = key('codes')
const USER_ID = key('userId')
const ORDER_ID = key('orderId')
const CART = key('cart')
const CURRENCY = key('currency')
const LINES = key('lines')
const SHIPPING = key('shipping')
const PRODUCT_ID = key('productId')
const QUANTITY = key('quantity')
const UNIT_PRICE = key('unitPrice')

/** Ids of lines that were given none. */
const LINE_IDS = Array.from({ length: LINES_MAX }, (_unused, index) => String(index))

export class CheckoutScanner {
  /** The code of the last body that was taken, and where it lives. */
  code = ''
  shard = 0
  private readonly router: Router
  private readonly cachedCodes: (string | undefined)[] = new Array<string | undefined>(CACHED_CODES).fill(undefined)
  private readonly cachedShards = new Uint16Array(CACHED_CODES)
  private buf: Uint8Array = new Uint8Array(0)
  private at = 0
  private end = 0
  /** The last string, without its quotes. */
  private textStart = 0
  private textEnd = 0
  /** The last number. */
  private number = 0
  /** Ranges of the body; an end of 0: absent. */
  private userStart = 0
  private userEnd = 0
  private orderStart = 0
  private orderEnd = 0
  private currencyStart = 0
  private currencyEnd = 0
  private hasCart = false
  private shipping = -1
  private lineCount = 0
  private readonly productStarts = new Int32Array(LINES_MAX)
  private readonly productEnds = new Int32Array(LINES_MAX)
  private readonly quantities = new Float64Array(LINES_MAX)
  private readonly unitPrices = new Float64Array(LINES_MAX)

  constructor(router: Router) {
    this.router = router
  }

  /** Whether it takes the body; then the command is in the writer, and `code` and `shard` say about whom it is. */
  scan(type: ScannedType, bytes: Uint8Array, writer: ByteWriter): boolean {
    this.buf = bytes
    this.at = 0
    this.end = bytes.length
    this.code = ''
    this.userEnd = 0
    this.orderEnd = 0
    this.hasCart = false
    if (!this.body() || !this.fits(type)) return false
    this.write(type, writer)
    return true
  }

  /** The user of the last body that was taken; null: it names none. While its bytes are valid. */
  userId(): string | null {
    if (this.userEnd === 0) return null
    const { buf } = this
    let user = ''
    for (let i = this.userStart; i < this.userEnd; i++) user += String.fromCharCode(buf[i] as number)
    return user
  }

  private fits(type: ScannedType): boolean {
    if (this.code === '') return false
    if (type === COMMAND.VALIDATE) return this.hasCart && this.orderEnd === 0
    if (this.userEnd === 0) return false
    return type === COMMAND.RESERVE || (this.hasCart && this.orderEnd !== 0)
  }

  private body(): boolean {
    if (!this.take(OPEN_BRACE)) return false
    do {
      if (!this.text() || !this.topMember()) return false
    } while (this.take(COMMA))
    if (!this.take(CLOSE_BRACE)) return false
    this.skipSpace()
    return this.at === this.end
  }

  private topMember(): boolean {
    if (this.isKey(CODES)) return this.code === '' && this.take(COLON) && this.onlyCode()
    if (this.isKey(USER_ID)) {
      if (this.userEnd !== 0 || !this.take(COLON) || !this.name(PSEUDONYM_LENGTH_MAX)) return false
      this.userStart = this.textStart
      this.userEnd = this.textEnd
      return true
    }
    if (this.isKey(ORDER_ID)) {
      if (this.orderEnd !== 0 || !this.take(COLON) || !this.name(PSEUDONYM_LENGTH_MAX)) return false
      this.orderStart = this.textStart
      this.orderEnd = this.textEnd
      return true
    }
    return this.isKey(CART) && !this.hasCart && this.take(COLON) && this.cart()
  }

  private onlyCode(): boolean {
    return this.take(OPEN_BRACKET) && this.name(CODE_LENGTH_MAX) && this.take(CLOSE_BRACKET) && this.knownCode()
  }

  /** Looks the code up by its letters; only a new one is made a string, judged and routed. */
  private knownCode(): boolean {
    const { buf, textStart, textEnd } = this
    let hash = 0x811c9dc5
    for (let i = textStart; i < textEnd; i++) hash = Math.imul(hash ^ (buf[i] as number), 0x01000193)
    const slot = (hash ^ (hash >>> 15)) & (CACHED_CODES - 1)
    const cached = this.cachedCodes[slot]
    if (cached !== undefined && this.isText(cached)) {
      this.code = cached
      this.shard = this.cachedShards[slot] as number
      return true
    }
    let code = ''
    for (let i = textStart; i < textEnd; i++) code += String.fromCharCode(buf[i] as number)
    if (codeFault(code) !== null) return false
    this.code = code
    this.shard = this.router.shardOfCode(code)
    this.cachedCodes[slot] = code
    this.cachedShards[slot] = this.shard
    return true
  }

  private isText(text: string): boolean {
    const { buf, textStart } = this
    if (text.length !== this.textEnd - textStart) return false
    for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== buf[textStart + i]) return false
    return true
  }

  private cart(): boolean {
    this.hasCart = true
    this.currencyEnd = 0
    this.shipping = -1
    this.lineCount = 0
    if (!this.take(OPEN_BRACE)) return false
    do {
      if (!this.text() || !this.cartMember()) return false
    } while (this.take(COMMA))
    return this.take(CLOSE_BRACE) && this.currencyEnd !== 0 && this.lineCount > 0 && this.isInBounds()
  }

  private cartMember(): boolean {
    if (this.isKey(CURRENCY)) return this.currencyEnd === 0 && this.take(COLON) && this.currency()
    if (this.isKey(LINES)) return this.lineCount === 0 && this.take(COLON) && this.lines()
    if (!this.isKey(SHIPPING) || this.shipping >= 0 || !this.take(COLON) || !this.whole()) return false
    this.shipping = this.number
    return true
  }

  private currency(): boolean {
    if (!this.name(3) || this.textEnd - this.textStart !== 3) return false
    for (let i = this.textStart; i < this.textEnd; i++) {
      const letter = this.buf[i] as number
      if (letter < 0x41 || letter > 0x5a) return false
    }
    this.currencyStart = this.textStart
    this.currencyEnd = this.textEnd
    return true
  }

  private lines(): boolean {
    if (!this.take(OPEN_BRACKET)) return false
    do {
      if (this.lineCount === LINES_MAX || !this.line()) return false
      this.lineCount++
    } while (this.take(COMMA))
    return this.take(CLOSE_BRACKET)
  }

  private line(): boolean {
    const index = this.lineCount
    this.productEnds[index] = 0
    this.quantities[index] = 0
    this.unitPrices[index] = -1
    if (!this.take(OPEN_BRACE)) return false
    do {
      if (!this.text() || !this.lineMember(index)) return false
    } while (this.take(COMMA))
    return (
      this.take(CLOSE_BRACE) &&
      this.productEnds[index] !== 0 &&
      this.quantities[index] !== 0 &&
      (this.unitPrices[index] as number) >= 0
    )
  }

  private lineMember(index: number): boolean {
    if (this.isKey(PRODUCT_ID)) {
      if (this.productEnds[index] !== 0 || !this.take(COLON) || !this.name(NAME_LENGTH_MAX)) return false
      this.productStarts[index] = this.textStart
      this.productEnds[index] = this.textEnd
      return true
    }
    if (this.isKey(QUANTITY)) {
      if (this.quantities[index] !== 0 || !this.take(COLON) || !this.whole()) return false
      this.quantities[index] = this.number
      return true
    }
    if (!this.isKey(UNIT_PRICE) || (this.unitPrices[index] as number) >= 0 || !this.take(COLON) || !this.whole())
      return false
    this.unitPrices[index] = this.number
    return true
  }

  /** The bounds of `cartFault`: sums of money and of units up to 2^53-1. */
  private isInBounds(): boolean {
    let sum = Math.max(this.shipping, 0)
    let units = 0
    for (let i = 0; i < this.lineCount; i++) {
      const quantity = this.quantities[i] as number
      sum += quantity * (this.unitPrices[i] as number)
      units += quantity
      if (sum > Number.MAX_SAFE_INTEGER || units > Number.MAX_SAFE_INTEGER) return false
    }
    return true
  }

  /** The same bytes as `writeCommand`; see `command-codec.ts`, which must change together with this. */
  private write(type: ScannedType, writer: ByteWriter): void {
    const { buf } = this
    writer.clear()
    writer.u8(type)
    writer.u8(1)
    writer.text(this.code)
    writer.u8((this.userEnd === 0 ? 0 : 1) | (this.orderEnd === 0 ? 0 : 2))
    if (this.userEnd !== 0) writeRange(writer, buf, this.userStart, this.userEnd)
    if (this.orderEnd !== 0) writeRange(writer, buf, this.orderStart, this.orderEnd)
    if (this.hasCart) this.writeCart(writer)
    else writer.u8(0)
    writer.varint(type === COMMAND.RESERVE ? TTL_SECONDS_DEFAULT : 0)
  }

  private writeCart(writer: ByteWriter): void {
    const { buf } = this
    writer.u8(1)
    writeRange(writer, buf, this.currencyStart, this.currencyEnd)
    writer.varint(Math.max(this.shipping, 0))
    // No channel.
    writer.u8(0)
    writer.varint(this.lineCount)
    for (let i = 0; i < this.lineCount; i++) {
      writer.text(LINE_IDS[i] as string)
      writer.u8(1)
      writeRange(writer, buf, this.productStarts[i] as number, this.productEnds[i] as number)
      // No categories.
      writer.varint(0)
      writer.varint(this.quantities[i] as number)
      writer.varint(this.unitPrices[i] as number)
    }
  }

  private skipSpace(): void {
    const { buf, end } = this
    let at = this.at
    while (at < end) {
      const byte = buf[at] as number
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break
      at++
    }
    this.at = at
  }

  /** Steps over this mark, and the space before it, if it comes next. */
  private take(mark: number): boolean {
    if (this.at < this.end && this.buf[this.at] === mark) {
      this.at++
      return true
    }
    this.skipSpace()
    if (this.at >= this.end || this.buf[this.at] !== mark) return false
    this.at++
    return true
  }

  /** A string of printable ASCII without escapes. */
  private text(): boolean {
    if (!this.take(QUOTE)) return false
    const { buf, end } = this
    let at = this.at
    this.textStart = at
    while (at < end) {
      const byte = buf[at] as number
      if (byte === QUOTE) {
        this.textEnd = at
        this.at = at + 1
        return true
      }
      if (byte < 0x20 || byte > 0x7e || byte === BACKSLASH) return false
      at++
    }
    return false
  }

  private name(max: number): boolean {
    if (!this.text()) return false
    const length = this.textEnd - this.textStart
    return length >= 1 && length <= max
  }

  /** A whole number that is exact. What follows it is judged by whoever takes the next mark. */
  private whole(): boolean {
    this.skipSpace()
    const { buf, end, at: start } = this
    let at = start
    let value = 0
    while (at < end) {
      const digit = (buf[at] as number) - 0x30
      if (digit < 0 || digit > 9) break
      value = value * 10 + digit
      at++
    }
    const digits = at - start
    if (digits === 0 || digits > DIGITS_MAX || (digits > 1 && buf[start] === 0x30)) return false
    this.number = value
    this.at = at
    return true
  }

  private isKey(name: Uint8Array): boolean {
    const { buf, textStart } = this
    const length = name.length
    if (this.textEnd - textStart !== length) return false
    for (let i = 0; i < length; i++) if (buf[textStart + i] !== name[i]) return false
    return true
  }
}

function writeRange(writer: ByteWriter, buf: Uint8Array, start: number, end: number): void {
  writer.varint(end - start)
  writer.raw(buf, start, end)
}
