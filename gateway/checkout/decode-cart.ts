/**
 * Carts of requests. The hand-written twin of the schemas `Cart` and `CartOfTotal`: one pass over the keys, pointers only
 * made where something is wrong. Sums and duplicate lines are judged by the domain's own `cartFault`.
 */
import {
  amountAt,
  arrayAt,
  BadField,
  currencyAt,
  integerAt,
  type JsonObject,
  objectAt,
  required,
  textAt,
  unknownField,
} from '../json/decode-fields.ts'
import { CART_LINES_MAX, LINE_CATEGORIES_MAX, NAME_LENGTH_MAX } from '../limits.ts'
import { type Cart, cartFault, type CartLine, cartOfTotal } from '../../engine/domain/cart.ts'

const NO_CATEGORIES: readonly string[] = Object.freeze([])

/** A cart, or the total that stands for one. */
export function cartAt(value: unknown, at: string): Cart {
  const fields = objectAt(value, at)
  if (Object.hasOwn(fields, 'orderTotal')) return totalAt(fields, at)
  let currency = ''
  let lines: CartLine[] | null = null
  let shippingMinor = 0
  let channel: string | null = null
  for (const key in fields) {
    const field = fields[key]
    switch (key) {
      case 'currency':
        currency = currencyAt(field, `${at}/currency`)
        break
      case 'lines':
        lines = linesAt(field, at)
        break
      case 'shipping':
        shippingMinor = amountAt(field, `${at}/shipping`)
        break
      case 'channel':
        channel = textAt(field, `${at}/channel`, NAME_LENGTH_MAX)
        break
      default:
        unknownField(at, key)
    }
  }
  if (currency === '') required(`${at}/currency`)
  if (lines === null) required(`${at}/lines`)
  const cart: Cart = { currency, lines, shippingMinor, channel }
  const fault = cartFault(cart)
  if (fault !== null) throw new BadField(at, fault)
  return cart
}

/** `{orderTotal, currency}` in place of a cart. */
function totalAt(fields: JsonObject, at: string): Cart {
  for (const key in fields) if (key !== 'orderTotal' && key !== 'currency') unknownField(at, key)
  if (fields['currency'] === undefined) required(`${at}/currency`)
  return cartOfTotal(
    amountAt(fields['orderTotal'], `${at}/orderTotal`),
    currencyAt(fields['currency'], `${at}/currency`),
  )
}

function linesAt(value: unknown, at: string): CartLine[] {
  const elements = arrayAt(value, `${at}/lines`, 1, CART_LINES_MAX)
  const lines: CartLine[] = []
  for (let index = 0; index < elements.length; index++) lines.push(lineAt(elements[index], at, index))
  return lines
}

function lineAt(value: unknown, cartAtPointer: string, index: number): CartLine {
  if (typeof value !== 'object' || value === null) objectAt(value, `${cartAtPointer}/lines/${index}`)
  const fields = value as JsonObject
  let lineId: string | null = null
  let productId: string | null = null
  let categoryIds = NO_CATEGORIES
  let quantity = 0
  let unitPriceMinor = -1
  for (const key in fields) {
    const field = fields[key]
    switch (key) {
      case 'productId':
        productId = nameAt(field, cartAtPointer, index, key)
        break
      case 'quantity':
        quantity = countAt(field, cartAtPointer, index, key, 1)
        break
      case 'unitPrice':
        unitPriceMinor = countAt(field, cartAtPointer, index, key, 0)
        break
      case 'lineId':
        lineId = nameAt(field, cartAtPointer, index, key)
        break
      case 'categoryIds':
        categoryIds = categoriesAt(field, `${cartAtPointer}/lines/${index}/categoryIds`)
        break
      default:
        // An array comes here too, with its first index as key, unless it is empty: then a field is missing.
        objectAt(value, `${cartAtPointer}/lines/${index}`)
        unknownField(`${cartAtPointer}/lines/${index}`, key)
    }
  }
  if (productId === null) required(`${cartAtPointer}/lines/${index}/productId`)
  if (quantity === 0) required(`${cartAtPointer}/lines/${index}/quantity`)
  if (unitPriceMinor < 0) required(`${cartAtPointer}/lines/${index}/unitPrice`)
  return { lineId: lineId ?? String(index), productId, categoryIds, quantity, unitPriceMinor }
}

/** `textAt` and `integerAt` for fields of a line; the pointer is put together only for a fault. */
function nameAt(value: unknown, at: string, index: number, key: string): string {
  if (typeof value === 'string' && value.length > 0 && value.length <= NAME_LENGTH_MAX && value.isWellFormed()) {
    return value
  }
  return textAt(value, `${at}/lines/${index}/${key}`, NAME_LENGTH_MAX)
}

function countAt(value: unknown, at: string, index: number, key: string, min: number): number {
  if (Number.isSafeInteger(value) && (value as number) >= min) return value as number
  return integerAt(value, `${at}/lines/${index}/${key}`, min, Number.MAX_SAFE_INTEGER)
}

function categoriesAt(value: unknown, pointer: string): readonly string[] {
  const elements = arrayAt(value, pointer, 0, LINE_CATEGORIES_MAX)
  return elements.map((element, place) => textAt(element, `${pointer}/${place}`, NAME_LENGTH_MAX))
}
