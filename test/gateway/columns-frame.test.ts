// The scanner of binary columns frames, judged by an independent decoder (msgpackr) and by hand-made bytes.
import fc from 'fast-check'
import { Packr } from 'msgpackr'
import { describe, expect, it } from 'vitest'
import { ColumnsFrame, SCANNED } from '../../gateway/websocket/columns-frame.ts'
import { noBytes, textOf, type Bytes } from '../../protocol/bytes.ts'
import { ColumnReader } from '../../protocol/columns.ts'
import { currencyNumber } from '../../protocol/currency.ts'

const packr = new Packr({ useRecords: false })
const EUR = currencyNumber('EUR')

function message(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    id: 7,
    op: 'redeemColumns',
    code: 'SAVE10',
    currency: 'EUR',
    userIds: ['u1', 'u2', 'u3'],
    orderIds: ['o1', 'o2', 'o3'],
    orderTotals: [2_000, 0, 5],
    ...changes,
  }
}

function scanned(bytes: Uint8Array): { frame: ColumnsFrame; verdict: number } {
  const frame = new ColumnsFrame()
  return { frame, verdict: frame.scan(bytes, 0, bytes.length) }
}

function faultOf(value: unknown): string {
  const { frame, verdict } = scanned(packr.pack(value))
  expect(verdict).toBe(SCANNED.FAULTY)
  return `${frame.pointer}: ${frame.detail}`
}

function textsOf(column: Bytes): string[] {
  const reader = new ColumnReader(column)
  const texts: string[] = []
  const into = noBytes()
  while (!reader.done) {
    reader.nextText(into)
    texts.push(textOf(into))
  }
  return texts
}

function uintsOf(column: Bytes): number[] {
  const reader = new ColumnReader(column)
  const numbers: number[] = []
  while (!reader.done) numbers.push(reader.nextUint())
  return numbers
}

/** Concatenates bytes, ASCII texts as MessagePack fixstr. */
function bytes(...parts: (number | string)[]): Uint8Array {
  const out: number[] = []
  for (const part of parts) {
    if (typeof part === 'number') out.push(part)
    else out.push(0xa0 | part.length, ...Buffer.from(part, 'latin1'))
  }
  return Uint8Array.from(out)
}

/** A frame of one row whose user id and total are given as raw elements. */
function oneRow(user: readonly number[], total: readonly number[]): Uint8Array {
  const head = bytes(0x87, 'id', 1, 'op', 'redeemColumns', 'code', 'SAVE10', 'currency', 'EUR', 'userIds', 0x91)
  const orders = bytes('orderIds', 0x91, 'o1', 'orderTotals')
  return Uint8Array.from([...head, ...user, ...orders, ...total])
}

describe('a frame of columns', () => {
  it('is recognised and handed out as ranges of elements', () => {
    const { frame, verdict } = scanned(packr.pack(message()))
    expect(verdict).toBe(SCANNED.COLUMNS)
    expect(frame).toMatchObject({ code: 'SAVE10', currency: EUR, count: 3, oneTotal: false })
    expect(textsOf(frame.users)).toEqual(['u1', 'u2', 'u3'])
    expect(textsOf(frame.orders)).toEqual(['o1', 'o2', 'o3'])
    expect(uintsOf(frame.totals)).toEqual([2_000, 0, 5])
    expect([...frame.id.buf.subarray(frame.id.start, frame.id.end)]).toEqual([7])
  })

  it('may have one total for all rows', () => {
    const { frame, verdict } = scanned(packr.pack(message({ orderTotals: 70_000 })))
    expect(verdict).toBe(SCANNED.COLUMNS)
    expect(frame.oneTotal).toBe(true)
    expect(uintsOf(frame.totals)).toEqual([70_000])
  })

  it('is recognised with its keys in any order', () => {
    const keys = Object.keys(message())
    fc.assert(
      fc.property(fc.shuffledSubarray(keys, { minLength: keys.length }), (order) => {
        const turned = Object.fromEntries(order.map((key) => [key, message()[key]]))
        const { frame, verdict } = scanned(packr.pack(turned))
        expect(verdict).toBe(SCANNED.COLUMNS)
        expect(textsOf(frame.users)).toEqual(['u1', 'u2', 'u3'])
        expect(textsOf(frame.orders)).toEqual(['o1', 'o2', 'o3'])
        expect(uintsOf(frame.totals)).toEqual([2_000, 0, 5])
      }),
      { numRuns: 300 },
    )
  })

  it('leaves every other message to the general decoder', () => {
    for (const other of [{ id: 1, op: 'redeem', codes: ['A'] }, { id: 1 }, {}, [], 'text', 5, null, { op: 5 }]) {
      expect(scanned(packr.pack(other)).verdict).toBe(SCANNED.OTHER)
    }
    expect(scanned(packr.pack({ userIds: 5, deep: [[[1]]], op: 'get' })).verdict).toBe(SCANNED.OTHER)
    expect(scanned(new Uint8Array(0)).verdict).toBe(SCANNED.OTHER)
  })

  it('agrees with another decoder on random ids and totals', () => {
    const id = fc.string({ unit: 'binary', minLength: 1, maxLength: 128 })
    const total = fc.oneof(fc.maxSafeNat(), fc.nat(70_000), fc.nat(200))
    const rows = fc.array(fc.tuple(id, id, total), { minLength: 1, maxLength: 60 })
    const at = fc.nat(9)
    fc.assert(
      fc.property(rows, at, (table, offset) => {
        const [userIds, orderIds, orderTotals] = [0, 1, 2].map((field) => table.map((row) => row[field]))
        const packed = packr.pack(message({ userIds, orderIds, orderTotals }))
        // The message lies anywhere in its memory, as in a frame with several.
        const memory = new Uint8Array(packed.length + offset + 5)
        memory.set(packed, offset)
        const frame = new ColumnsFrame()
        expect(frame.scan(memory, offset, offset + packed.length)).toBe(SCANNED.COLUMNS)
        expect(frame.end).toBe(offset + packed.length)
        expect(textsOf(frame.users)).toEqual(userIds)
        expect(textsOf(frame.orders)).toEqual(orderIds)
        expect(uintsOf(frame.totals)).toEqual(orderTotals)
      }),
      { numRuns: 300 },
    )
  })
})

describe('faults of columns', () => {
  const long = 'x'.repeat(129)
  const wide = '\u{1F3AB}'
  it.each([
    ['a field too many', message({ extra: 1 }), '/extra: unknown field'],
    ['a field with a slash', message({ 'a/b~': 1 }), '/a~1b~0: unknown field'],
    ['no code', message({ code: null }), '/code: a coupon code as a text is expected'],
    ['a number for a currency', message({ currency: 5 }), '/currency: an ISO 4217 code'],
    ['a lower-case currency', message({ currency: 'eur' }), '/currency: an ISO 4217 code'],
    ['a long currency', message({ currency: 'EUREUREUREUR' }), '/currency: an ISO 4217 code'],
    ['a text for a column', message({ userIds: 'u1' }), '/userIds: an array'],
    ['an empty id', message({ userIds: ['u1', '', 'u3'] }), '/userIds/1: a text of 1 to 128'],
    ['a long id', message({ orderIds: ['o1', 'o2', long] }), '/orderIds/2: a text of 1 to 128'],
    ['a long id that is not ASCII', message({ userIds: [wide.repeat(129), 'u2', 'u3'] }), '/userIds/0: a text'],
    ['a number for an id', message({ userIds: ['u1', 2, 'u3'] }), '/userIds/1: a text of 1 to 128'],
    ['one user too few', message({ userIds: ['u1', 'u2'] }), '/orderIds: the columns differ'],
    ['one total too many', message({ orderTotals: [1, 2, 3, 4] }), '/orderTotals: the columns differ'],
    ['no rows', message({ userIds: [], orderIds: [], orderTotals: 1 }), '/userIds: a column has 1 to 4096 rows'],
    ['half a cent', message({ orderTotals: [1, 2.5, 3] }), '/orderTotals/1: a whole number'],
    ['less than nothing', message({ orderTotals: [1, 2, -3] }), '/orderTotals/2: a whole number'],
    ['one total below nothing', message({ orderTotals: -1 }), '/orderTotals: a whole number'],
    ['2^53', message({ orderTotals: 2 ** 53 }), '/orderTotals: a whole number'],
    ['infinity', message({ orderTotals: Number.POSITIVE_INFINITY }), '/orderTotals: a whole number'],
    ['a text for a total', message({ orderTotals: ['1', '2', '3'] }), '/orderTotals/0: a whole number'],
    ['no total', message({ orderTotals: null }), '/orderTotals: an array'],
    ['an id that is a map', message({ id: {} }), '/id: a text'],
    ['an id that is not whole', message({ id: 0.5 }), '/id: a text'],
    ['no id', { op: 'redeemColumns' }, '/id: a text'],
    ['nothing else', { op: 'redeemColumns', id: 1 }, '/code: the field is missing'],
  ])('%s', (_name, value, expected) => {
    expect(faultOf(value).startsWith(expected)).toBe(true)
  })

  it('128 characters are enough, however many bytes they take', () => {
    const userIds = [wide.repeat(128), 'x'.repeat(128), 'é'.repeat(128)]
    const { frame, verdict } = scanned(packr.pack(message({ userIds })))
    expect(verdict).toBe(SCANNED.COLUMNS)
    expect(textsOf(frame.users)).toEqual(userIds)
  })

  it('4,096 rows pass and 4,097 do not', () => {
    const rows = (count: number) => {
      const ids = Array.from({ length: count }, (_, row) => `n${row}`)
      return message({ userIds: ids, orderIds: ids, orderTotals: 1 })
    }
    expect(scanned(packr.pack(rows(4_096))).verdict).toBe(SCANNED.COLUMNS)
    expect(faultOf(rows(4_097))).toBe('/userIds: a column has 1 to 4096 rows')
  })

  it('a field that stands twice', () => {
    const twice = bytes(0x83, 'id', 1, 'op', 'redeemColumns', 'id', 2)
    const { frame, verdict } = scanned(twice)
    expect(verdict).toBe(SCANNED.FAULTY)
    expect(frame.pointer).toBe('/id')
    expect(frame.detail).toBe('the field stands twice')
  })

  it.each([
    ['an overlong slash', [0xa2, 0xc0, 0xaf]],
    ['an overlong euro', [0xa4, 0xf0, 0x82, 0x82, 0xac]],
    ['a surrogate', [0xa3, 0xed, 0xa0, 0x80]],
    ['above U+10FFFF', [0xa4, 0xf4, 0x90, 0x80, 0x80]],
    ['a lone continuation', [0xa1, 0x80]],
    ['a cut sequence', [0xa2, 0xe2, 0x82]],
    ['bytes that never occur', [0xa1, 0xff]],
    ['a bad byte far in', [0xa9, 0x61, 0x61, 0x61, 0x61, 0x61, 0xff, 0x61, 0x61, 0x61]],
  ])('text that is not UTF-8: %s', (_name, element) => {
    const { verdict, frame } = scanned(oneRow(element, [1]))
    expect(verdict).toBe(SCANNED.FAULTY)
    expect(frame.detail).toMatch(/UTF-8|characters/)
  })

  it('a bad byte is found at every place of a text of any length', () => {
    for (let length = 1; length < 32; length++) {
      for (let place = 0; place < length; place++) {
        const element = [0xa0 | length, ...new Array<number>(length).fill(0x61)]
        expect(scanned(oneRow(element, [1])).verdict).toBe(SCANNED.COLUMNS)
        element[1 + place] = 0xff
        expect(scanned(oneRow(element, [1])).verdict).toBe(SCANNED.FAULTY)
      }
    }
  })

  it('every cut of a frame is a fault or nothing, never columns', () => {
    const whole = packr.pack(message())
    const frame = new ColumnsFrame()
    for (let length = 0; length < whole.length; length++) {
      expect(frame.scan(whole.subarray(0, length), 0, length)).not.toBe(SCANNED.COLUMNS)
      // The same when other bytes follow in memory.
      expect(frame.scan(whole, 0, length)).not.toBe(SCANNED.COLUMNS)
    }
  })

  it('random damage never throws, and what passes can be read', () => {
    const whole = packr.pack(message())
    const damage = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(damage, (changes) => {
        const bent = Uint8Array.from(whole)
        for (const [at, byte] of changes) bent[at] = byte
        const { frame, verdict } = scanned(bent)
        if (verdict !== SCANNED.COLUMNS) return
        expect(textsOf(frame.users)).toHaveLength(frame.count)
        expect(textsOf(frame.orders)).toHaveLength(frame.count)
        expect(uintsOf(frame.totals)).toHaveLength(frame.oneTotal ? 1 : frame.count)
      }),
      { numRuns: 5_000 },
    )
  })
})

describe('numbers of columns in every encoding', () => {
  it.each([
    ['positive fixint', [0x05], 5],
    ['uint 8', [0xcc, 0xff], 255],
    ['uint 16', [0xcd, 0x07, 0xd0], 2_000],
    ['uint 32', [0xce, 0xff, 0xff, 0xff, 0xff], 4_294_967_295],
    ['uint 64', [0xcf, 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], Number.MAX_SAFE_INTEGER],
    ['int 8', [0xd0, 0x7f], 127],
    ['int 16', [0xd1, 0x01, 0x00], 256],
    ['int 32', [0xd2, 0x7f, 0xff, 0xff, 0xff], 2_147_483_647],
    ['int 64', [0xd3, 0, 0, 0, 1, 0, 0, 0, 0], 4_294_967_296],
    ['float 32', [0xca, 0x44, 0xfa, 0, 0], 2_000],
    ['float 64', [0xcb, 0x40, 0x9f, 0x40, 0, 0, 0, 0, 0], 2_000],
    ['minus zero', [0xcb, 0x80, 0, 0, 0, 0, 0, 0, 0], 0],
  ])('%s', (_name, element, expected) => {
    const { frame, verdict } = scanned(oneRow([0xa1, 0x75], element))
    expect(verdict).toBe(SCANNED.COLUMNS)
    expect(uintsOf(frame.totals)).toEqual([expected])
  })

  it.each([
    ['negative fixint', [0xff]],
    ['int 8 below zero', [0xd0, 0x80]],
    ['int 64 below zero', [0xd3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
    ['uint 64 of 2^53', [0xcf, 0, 0x20, 0, 0, 0, 0, 0, 0]],
    ['float 64 that is not whole', [0xcb, 0x3f, 0xe0, 0, 0, 0, 0, 0, 0]],
    ['not a number', [0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0]],
  ])('%s is refused', (_name, element) => {
    const { frame, verdict } = scanned(oneRow([0xa1, 0x75], element))
    expect(verdict).toBe(SCANNED.FAULTY)
    expect(frame.pointer).toBe('/orderTotals')
  })

  it.each([
    ['str 8', [0xd9, 2, 0x75, 0x31]],
    ['str 16', [0xda, 0, 2, 0x75, 0x31]],
    ['str 32', [0xdb, 0, 0, 0, 2, 0x75, 0x31]],
  ])('a text as %s', (_name, element) => {
    const { frame, verdict } = scanned(oneRow(element, [1]))
    expect(verdict).toBe(SCANNED.COLUMNS)
    expect(textsOf(frame.users)).toEqual(['u1'])
  })
})

describe('the reader of columns', () => {
  it('stops at what no gateway sends', () => {
    const reader = new ColumnReader()
    const column = (...elements: number[]): Bytes => ({
      buf: Uint8Array.from(elements),
      start: 0,
      end: elements.length,
    })
    reader.reset(column(0xc0))
    expect(() => reader.nextText(noBytes())).toThrow('not a text')
    reader.reset(column(0xa5, 0x61))
    expect(() => reader.nextText(noBytes())).toThrow('past the end')
    reader.reset(column(0xa1, 0x61))
    expect(() => reader.nextUint()).toThrow('not a number')
    reader.reset(column(0xcd, 0x01))
    expect(() => reader.nextUint()).toThrow('past the end')
    reader.reset(column())
    expect(() => reader.nextUint()).toThrow('past the end')
    reader.reset(column(0xff))
    expect(() => reader.nextUint()).toThrow('whole number')
  })
})
