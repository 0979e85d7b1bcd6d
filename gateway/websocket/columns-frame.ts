/**
 * Recognises a `redeemColumns` message in a binary frame and checks it completely, without decoding its texts: the
 * columns stay ranges of bytes, which go into the shard's command as they are.
 *
 *     87  a2 id …  a2 op ad redeemColumns  a4 code …  a8 currency a3 EUR
 *         a7 userIds     dc 10 00 │ a8 u… a8 u… …           │
 *         a8 orderIds    dc 10 00 │ a8 o… a8 o… …           │  ranges handed out: elements without header
 *         ab orderTotals          │ cd 07 d0                │  one number, or an array of numbers
 *
 * Keys stand in any order, so columns are checked on sight and a fault is held back until it is known that the message
 * is one of columns at all. A frame has thousands of rows and a row has a budget of 20 ns: texts are looked at four
 * bytes at a time, and only those that are not short ASCII are looked at closely.
 * Must never happen here: a range handed out that the shard's reader could stumble over.
 */
import { type Bytes, noBytes, utf8Text } from '../../protocol/bytes.ts'
import { ELEMENT, numberBytes, wholeNumberAt } from '../../protocol/columns.ts'
import { currencyNumber } from '../../protocol/currency.ts'
import { COLUMN_RULE, type Columns } from './columns.ts'
import { utf8Characters } from './columns-text.ts'
import { escaped } from '../json/decode-fields.ts'
import { PSEUDONYM_LENGTH_MAX } from '../limits.ts'
import { COLUMN_ROWS_MAX } from './websocket-limits.ts'
import { behindHeader, countAt, isArray, isMap, isText, skipElement, unsoundSentence } from './websocket-prescan.ts'

/** OTHER: some other operation (not looked at further). FAULTY: columns, but wrong: see `pointer`, `detail` and `id`. */
export const SCANNED = { OTHER: 0, COLUMNS: 1, FAULTY: 2 } as const
export type Scanned = (typeof SCANNED)[keyof typeof SCANNED]

const ABSENT = -1
const NOT_ASCII = 0x80808080 | 0
const NO_VIEW = new DataView(new ArrayBuffer(0))
const OPERATION = 'redeemColumns'

/** The last scanned message. Its ranges are valid as long as the frame is. */
export class ColumnsFrame implements Columns {
  /** The MessagePack element of the id; empty when there was none that can be answered with. */
  readonly id: Bytes = noBytes()
  /** As sent. */
  code = ''
  /** See `protocol/currency.ts`. */
  currency = ABSENT
  count = 0
  readonly users: Bytes = noBytes()
  readonly orders: Bytes = noBytes()
  readonly totals: Bytes = noBytes()
  oneTotal = false
  /** Where the message ends; known after COLUMNS only. */
  end = 0
  /** RFC 6901 pointer and sentence of the first fault. */
  pointer = ''
  detail = ''

  private buf: Uint8Array = new Uint8Array(0)
  private view: DataView = NO_VIEW
  private seen = 0
  private userCount = ABSENT
  private orderCount = ABSENT
  private totalCount = ABSENT

  /** Looks at the message that begins at `start`; `end` is where the frame ends. */
  scan(buf: Uint8Array, start: number, end: number): Scanned {
    this.begin(buf)
    const head = buf[start] as number
    if (start >= end || !isMap(head) || behindHeader(head, start) > end) return SCANNED.OTHER
    const pairs = countAt(buf, start)
    let at = behindHeader(head, start)
    let ours = false
    for (let pair = 0; pair < pairs; pair++) {
      const keyEnd = this.textEnd(at, end)
      if (keyEnd < 0) return this.broken(ours, 'a key is not a text')
      const key = utf8Text(buf, behindHeader(buf[at] as number, at), keyEnd)
      if (key === 'op') {
        const opEnd = this.textEnd(keyEnd, end)
        if (opEnd < 0) return SCANNED.OTHER
        if (utf8Text(buf, behindHeader(buf[keyEnd] as number, keyEnd), opEnd) !== OPERATION) return SCANNED.OTHER
        ours = true
      }
      at = this.value(key, keyEnd, end)
      if (at < 0) return this.broken(ours, unsoundSentence(at))
    }
    if (!ours) return SCANNED.OTHER
    this.end = at
    this.judgeWhole()
    return this.detail === '' ? SCANNED.COLUMNS : SCANNED.FAULTY
  }

  private begin(buf: Uint8Array): void {
    this.buf = buf
    this.view = new DataView(buf.buffer, buf.byteOffset, buf.byteLength)
    this.seen = 0
    this.userCount = this.orderCount = this.totalCount = ABSENT
    this.id.start = this.id.end = 0
    this.code = ''
    this.currency = ABSENT
    this.count = 0
    this.oneTotal = false
    this.pointer = ''
    this.detail = ''
  }

  /** Bytes that are no MessagePack at all; of an unknown message they are the general decoder's business. */
  private broken(ours: boolean, detail: string): Scanned {
    if (!ours) return SCANNED.OTHER
    this.pointer = ''
    this.detail = detail
    return SCANNED.FAULTY
  }

  private fault(pointer: string, detail: string): void {
    if (this.detail !== '') return
    this.pointer = pointer
    this.detail = detail
  }

  /** Takes one value; returns the offset behind it, or below 0 when it is no sound MessagePack. */
  private value(key: string, at: number, end: number): number {
    switch (key) {
      case 'op':
        this.once(key, 1)
        return skipElement(this.buf, at, end)
      case 'id':
        this.once(key, 2)
        return this.takeId(at, end)
      case 'code':
        this.once(key, 4)
        return this.takeCode(at, end)
      case 'currency':
        this.once(key, 8)
        return this.takeCurrency(at, end)
      case 'userIds': {
        this.once(key, 16)
        this.userCount = this.countOf(key, at, end)
        return this.takeColumn(key, this.userCount, this.users, at, end)
      }
      case 'orderIds': {
        this.once(key, 32)
        this.orderCount = this.countOf(key, at, end)
        return this.takeColumn(key, this.orderCount, this.orders, at, end)
      }
      case 'orderTotals':
        this.once(key, 64)
        return this.takeTotals(at, end)
      default:
        this.fault(`/${escaped(key)}`, COLUMN_RULE.UNKNOWN)
        return skipElement(this.buf, at, end)
    }
  }

  private once(key: string, bit: number): void {
    if ((this.seen & bit) !== 0) this.fault(`/${key}`, COLUMN_RULE.TWICE)
    this.seen |= bit
  }

  private takeId(at: number, end: number): number {
    const behind = skipElement(this.buf, at, end)
    if (behind < 0) return behind
    if (isMessageId(this.buf, at, behind)) {
      this.id.buf = this.buf
      this.id.start = at
      this.id.end = behind
    } else {
      this.fault('/id', COLUMN_RULE.MESSAGE_ID)
    }
    return behind
  }

  private takeCode(at: number, end: number): number {
    const behind = skipElement(this.buf, at, end)
    if (behind < 0) return behind
    if (!isText(this.buf[at] as number)) this.fault('/code', COLUMN_RULE.CODE)
    else this.code = utf8Text(this.buf, behindHeader(this.buf[at] as number, at), behind)
    return behind
  }

  private takeCurrency(at: number, end: number): number {
    const behind = skipElement(this.buf, at, end)
    if (behind < 0) return behind
    const isCode = isText(this.buf[at] as number) && behind - at <= 8
    const name = isCode ? utf8Text(this.buf, behindHeader(this.buf[at] as number, at), behind) : ''
    this.currency = currencyNumber(name)
    if (this.currency < 0) this.fault('/currency', COLUMN_RULE.CURRENCY)
    return behind
  }

  /** Rows that the array at `at` claims; ABSENT with a fault when there is no array or too long a one. */
  private countOf(key: string, at: number, end: number): number {
    const head = this.buf[at] as number
    if (at >= end || !isArray(head) || behindHeader(head, at) > end) {
      this.fault(`/${key}`, COLUMN_RULE.ARRAY)
      return ABSENT
    }
    const count = countAt(this.buf, at)
    if (count >= 1 && count <= COLUMN_ROWS_MAX) return count
    this.fault(`/${key}`, COLUMN_RULE.ROWS)
    return ABSENT
  }

  private takeColumn(key: string, count: number, into: Bytes, at: number, end: number): number {
    if (count === ABSENT) return skipElement(this.buf, at, end)
    const from = behindHeader(this.buf[at] as number, at)
    const behind = this.texts(key, from, end, count)
    if (behind < 0) return skipElement(this.buf, at, end)
    into.buf = this.buf
    into.start = from
    into.end = behind
    return behind
  }

  private takeTotals(at: number, end: number): number {
    this.oneTotal = at < end && numberBytes(this.buf[at] as number) >= 0
    if (!this.oneTotal) this.totalCount = this.countOf('orderTotals', at, end)
    if (!this.oneTotal && this.totalCount === ABSENT) return skipElement(this.buf, at, end)
    const from = this.oneTotal ? at : behindHeader(this.buf[at] as number, at)
    const behind = this.totalsEnd(from, end, this.oneTotal ? 1 : this.totalCount)
    if (behind < 0) return skipElement(this.buf, at, end)
    this.totals.buf = this.buf
    this.totals.start = from
    this.totals.end = behind
    return behind
  }

  /** The hot loop: the offset behind `count` ids, or -1 with the fault noted. */
  private texts(key: string, from: number, end: number, count: number): number {
    const { buf, view } = this
    let at = from
    for (let row = 0; row < count; row++) {
      const head = buf[at] as number
      let start = at + 1
      let length = head & 31
      if ((head & 0xe0) !== ELEMENT.FIXSTR) {
        if (at >= end || !isText(head) || behindHeader(head, at) > end) return this.rowFault(key, row, COLUMN_RULE.ID)
        start = behindHeader(head, at)
        length = countAt(buf, at)
      }
      const stop = start + length
      if (stop > end) return this.rowFault(key, row, COLUMN_RULE.ID)
      let bits = 0
      if (length >= 4) {
        const last = stop - 4
        let word = start
        for (; word + 8 <= last; word += 8) bits |= view.getInt32(word, true) | view.getInt32(word + 4, true)
        for (; word < last; word += 4) bits |= view.getInt32(word, true)
        bits |= view.getInt32(last, true)
      } else {
        for (let byte = start; byte < stop; byte++) bits |= buf[byte] as number
      }
      if ((bits & NOT_ASCII) !== 0 || length === 0 || length > PSEUDONYM_LENGTH_MAX) {
        const characters = utf8Characters(buf, start, stop)
        if (characters < 1 || characters > PSEUDONYM_LENGTH_MAX) return this.rowFault(key, row, COLUMN_RULE.ID)
      }
      at = stop
    }
    return at
  }

  private totalsEnd(from: number, end: number, count: number): number {
    const buf = this.buf
    let at = from
    for (let row = 0; row < count; row++) {
      const head = buf[at] as number
      // uint 8, 16 and 32, which nearly every total is, cannot be wrong beyond being cut short.
      const plain = head >= ELEMENT.UINT_8 && head <= ELEMENT.UINT_32
      const bytes = plain ? 1 << (head - ELEMENT.UINT_8) : numberBytes(head)
      const sound = at < end && bytes >= 0 && at + 1 + bytes <= end
      if (!sound || (!plain && head >= 128 && wholeNumberAt(buf, at) < 0)) {
        if (this.oneTotal) this.fault('/orderTotals', COLUMN_RULE.AMOUNT)
        else this.rowFault('orderTotals', row, COLUMN_RULE.AMOUNT)
        return -1
      }
      at += 1 + bytes
    }
    return at
  }

  private rowFault(key: string, row: number, detail: string): number {
    this.fault(`/${key}/${row}`, detail)
    return -1
  }

  /** What can only be judged when all fields are there. */
  private judgeWhole(): void {
    if (this.id.end === this.id.start) this.fault('/id', COLUMN_RULE.MESSAGE_ID)
    if ((this.seen & 4) === 0) this.fault('/code', COLUMN_RULE.MISSING)
    if ((this.seen & 8) === 0) this.fault('/currency', COLUMN_RULE.MISSING)
    if ((this.seen & 16) === 0) this.fault('/userIds', COLUMN_RULE.MISSING)
    if ((this.seen & 32) === 0) this.fault('/orderIds', COLUMN_RULE.MISSING)
    if ((this.seen & 64) === 0) this.fault('/orderTotals', COLUMN_RULE.MISSING)
    if (this.orderCount !== this.userCount) this.fault('/orderIds', COLUMN_RULE.LENGTHS)
    if (!this.oneTotal && this.totalCount !== this.userCount) this.fault('/orderTotals', COLUMN_RULE.LENGTHS)
    this.count = this.userCount
  }

  /** The offset behind the text at `at`; -1 when there is none. */
  private textEnd(at: number, end: number): number {
    const head = this.buf[at] as number
    return at < end && isText(head) ? skipElement(this.buf, at, end) : -1
  }
}

/** Whether a message may be answered with this element as its id. */
function isMessageId(buf: Uint8Array, at: number, behind: number): boolean {
  const head = buf[at] as number
  if (numberBytes(head) >= 0) return wholeNumberAt(buf, at) >= 0
  if (!isText(head)) return false
  const characters = utf8Characters(buf, behindHeader(head, at), behind)
  return characters >= 1 && characters <= PSEUDONYM_LENGTH_MAX
}
