// The fast way in against the ordinary one: where the scanner takes a body, its command is byte for byte the one that
// JSON.parse, the decoders and writeCommand make; where those refuse, it does not take it.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkoutCommand, refsOf } from '../../gateway/checkout/checkout-calls.ts'
import {
  type CheckoutInput,
  decodeRedeem,
  decodeReserve,
  decodeValidate,
} from '../../gateway/checkout/decode-checkout.ts'
import { BadField } from '../../gateway/json/decode-fields.ts'
import { parseBody } from '../../gateway/http/read-body.ts'
import { CheckoutScanner, type ScannedType } from '../../gateway/checkout/scan-checkout.ts'
import { Router } from '../../engine/routing.ts'
import { ByteWriter } from '../../protocol/bytes.ts'
import { codeFault } from '../../protocol/codes.ts'
import { writeCommand } from '../../protocol/command-codec.ts'
import { COMMAND } from '../../protocol/commands.ts'
import { SECRET } from './support/gateway.ts'

const router = new Router(16, SECRET)
const scanner = new CheckoutScanner(router)
const TYPES: readonly [ScannedType, (body: unknown) => CheckoutInput][] = [
  [COMMAND.VALIDATE, decodeValidate],
  [COMMAND.RESERVE, decodeReserve],
  [COMMAND.REDEEM, decodeRedeem],
]

/** `shard code bytes` of the ordinary way; null where it refuses or does not send one command. */
function ordinary(type: ScannedType, decode: (body: unknown) => CheckoutInput, bytes: Buffer): string | null {
  try {
    const input = decode(parseBody(bytes))
    const [code = '', ...further] = input.codes
    if (codeFault(code) !== null || further.length > 0) return null
    const writer = new ByteWriter()
    writeCommand(writer, checkoutCommand(type, refsOf(input.codes), input))
    return `${router.shardOfCode(code)} ${code} ${Buffer.from(writer.view()).toString('hex')}`
  } catch (error) {
    if (error instanceof BadField) return null
    throw error
  }
}

function scanned(type: ScannedType, bytes: Buffer): string | null {
  const writer = new ByteWriter(4)
  if (!scanner.scan(type, bytes, writer)) return null
  return `${scanner.shard} ${scanner.code} ${Buffer.from(writer.view()).toString('hex')}`
}

const CART = { currency: 'EUR', lines: [{ productId: 'p1', quantity: 1, unitPrice: 4_999 }] }
const BODY = { codes: ['SAVE10'], userId: 'u1', orderId: 'o1', cart: CART }
const TEXT = JSON.stringify(BODY)
const TEXT_WITHOUT_ORDER = TEXT.replace('"orderId":"o1",', '')

test.each([
  ['as it is written', TEXT],
  ['with its members in another order', JSON.stringify({ cart: CART, orderId: 'o1', userId: 'u1', codes: ['SAVE10'] })],
  ['with space', JSON.stringify(BODY, null, 2) + '\n'],
  ['with shipping', JSON.stringify({ ...BODY, cart: { ...CART, shipping: 490 } })],
  ['with 32 lines', JSON.stringify({ ...BODY, cart: { ...CART, lines: new Array(32).fill(CART.lines[0]) } })],
  ['with names of 128 letters', TEXT.replace('u1', 'u'.repeat(128)).replace('p1', 'p'.repeat(128))],
])('a usual redemption %s is taken', (_what, text) => {
  const bytes = Buffer.from(text)
  const expected = ordinary(COMMAND.REDEEM, decodeRedeem, bytes)
  expect(expected).not.toBeNull()
  expect(scanned(COMMAND.REDEEM, bytes)).toBe(expected)
})

test.each([
  ['two codes', TEXT.replace('["SAVE10"]', '["SAVE10","OTHER"]')],
  ['a code in small letters', TEXT.replace('SAVE10', 'save10')],
  ['a name of a path as code', TEXT.replace('SAVE10', 'SEARCH')],
  ['an escape', TEXT.replace('u1', '\\u0041')],
  ['a letter beyond ASCII', TEXT.replace('u1', 'ü')],
  ['a control character', TEXT.replace('u1', 'u\u007f\u0001')],
  ['a member twice', TEXT.replace('"userId"', '"userId":"u0","userId"')],
  ['a line id', TEXT.replace('"quantity"', '"lineId":"a","quantity"')],
  ['a fraction', TEXT.replace('4999', '49.99')],
  ['an exponent', TEXT.replace('4999', '4e3')],
  ['a leading zero', TEXT.replace('4999', '04999')],
  ['a number of 16 digits', TEXT.replace('4999', '1000000000000000')],
  ['a sum beyond the bound', TEXT.replace('4999', '999999999999999').replace('"quantity":1', '"quantity":10')],
  ['33 lines', JSON.stringify({ ...BODY, cart: { ...CART, lines: new Array(33).fill(CART.lines[0]) } })],
  ['something after it', TEXT + '{}'],
  ['a comma at the end', TEXT.slice(0, -1) + ',}'],
  ['no end', TEXT.slice(0, -1)],
  ['nothing', ''],
  ['a user of 129 letters', TEXT.replace('u1', 'u'.repeat(129))],
  ['no user', TEXT.replace('"userId":"u1",', '')],
  ['no lines', TEXT.replace(/\[\{.*\}\]/, '[]')],
])('a body with %s is left to the ordinary way', (_what, text) => {
  expect(scanned(COMMAND.REDEEM, Buffer.from(text))).toBeNull()
})

test('a code that shares its place in the cache with others is never taken for one of them', () => {
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 10_000; i++) {
      const code = `C${i}X`
      expect(scanner.scan(COMMAND.REDEEM, Buffer.from(TEXT.replace('SAVE10', code)), new ByteWriter())).toBe(true)
      if (scanner.code !== code || scanner.shard !== router.shardOfCode(code))
        expect.fail(`${code} became ${scanner.code}`)
    }
  }
})

const name = fc.oneof(fc.constantFrom('u1', 'x"', 'ü', '\\', ''), fc.string({ maxLength: 6 }))
const number = fc.oneof(fc.nat(50), fc.constantFrom(0, 1.5, -1, 999_999_999_999_999, 2 ** 53, '1'))
const line = fc.record(
  { productId: name, quantity: number, unitPrice: number, lineId: name },
  { requiredKeys: ['productId', 'quantity', 'unitPrice'] },
)
const cart = fc.record(
  {
    currency: fc.constantFrom('EUR', 'eur', 'EURO'),
    lines: fc.array(line, { maxLength: 3 }),
    shipping: number,
    channel: name,
  },
  { requiredKeys: ['currency', 'lines'] },
)
const body = fc.record(
  {
    codes: fc.oneof(
      fc.constant(['SAVE10']),
      fc.array(fc.constantFrom('SAVE10', 'save', 'A', 'REDEEM', 'CPN_1', 'X-1_2')),
    ),
    userId: name,
    orderId: name,
    cart,
    ttlSeconds: number,
  },
  { requiredKeys: ['codes', 'userId', 'cart'] },
)

/** The text of a body with one byte changed, taken away or doubled. */
const damagedText = fc
  .tuple(
    fc.constantFrom(TEXT, JSON.stringify(BODY, null, 1), TEXT_WITHOUT_ORDER),
    fc.nat(),
    fc.oneof(fc.constantFrom(...Buffer.from(' \n0123456789abzAZ_-",:{}[]\\.e')), fc.integer({ min: 0, max: 255 })),
    fc.nat(2),
  )
  .map(([text, place, byte, how]) => {
    const bytes = Buffer.from(text)
    const at = place % bytes.length
    const kept = how === 1 ? at + 1 : at
    const put = how === 1 ? [] : [byte]
    const rest = how === 0 ? at + 1 : kept
    return Buffer.concat([bytes.subarray(0, at), Buffer.from(put), bytes.subarray(rest)])
  })

test.each(TYPES)('command %d: what the scanner takes is what the ordinary way makes', (type, decode) => {
  let taken = 0
  const drawn = fc.oneof(
    body.map((value) => Buffer.from(JSON.stringify(value))),
    damagedText,
  )
  const seed = Number(process.env['TEAROFF_TEST_SEED'] ?? Date.now() & 0x7fff_ffff)
  fc.assert(
    fc.property(drawn, (bytes) => {
      const fast = scanned(type, bytes)
      if (fast === null) return
      taken++
      expect(fast).toBe(ordinary(type, decode, bytes))
    }),
    { numRuns: 20_000, seed },
  )
  expect(taken, `seed ${seed}`).toBeGreaterThan(200)
})
