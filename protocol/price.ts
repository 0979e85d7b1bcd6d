/**
 * The price of a cart under some coupons, as a fact: what was computed at the time, never computed again.
 *
 * The usual cart has one line with the default id and one coupon; then `lines` is null and the line follows from the
 * sums. `lines` stands where there is more to remember.
 */
import type { ByteReader, ByteWriter } from './bytes.ts'

export interface LineFact {
  readonly lineId: string
  readonly amountMinor: number
  /** What each coupon took off this line, in the order of the coupons. */
  readonly perCoupon: readonly number[]
}

export interface PriceFact {
  /** See `currency.ts`. */
  readonly currency: number
  readonly subtotalMinor: number
  readonly shippingMinor: number
  readonly shippingDiscountMinor: number
  /** What each coupon gave, shipping included, in the order of the coupons. */
  readonly amounts: readonly number[]
  readonly lines: readonly LineFact[] | null
}

const HAS_SHIPPING = 1
const HAS_LINES = 2

export function writePrice(w: ByteWriter, price: PriceFact): void {
  const detailed = price.lines !== null
  const shipped = price.shippingMinor !== 0
  w.u8((shipped ? HAS_SHIPPING : 0) | (detailed ? HAS_LINES : 0))
  w.u16(price.currency)
  w.varint(price.subtotalMinor)
  const amounts = price.amounts
  for (let i = 0; i < amounts.length; i++) w.varint(amounts[i] as number)
  if (shipped) {
    w.varint(price.shippingMinor)
    w.varint(price.shippingDiscountMinor)
  }
  if (price.lines === null) return
  w.varint(price.lines.length)
  for (const line of price.lines) {
    w.text(line.lineId)
    w.varint(line.amountMinor)
    for (const amount of line.perCoupon) w.varint(amount)
  }
}

/** `coupons` is their number, known from the event around the price. */
export function readPrice(r: ByteReader, coupons: number): PriceFact {
  const flags = r.u8()
  const currency = r.u16()
  const subtotalMinor = r.varint()
  const amounts = readAmounts(r, coupons)
  const shipped = (flags & HAS_SHIPPING) !== 0
  const shippingMinor = shipped ? r.varint() : 0
  const shippingDiscountMinor = shipped ? r.varint() : 0
  const lines = (flags & HAS_LINES) !== 0 ? readLines(r, coupons) : null
  return { currency, subtotalMinor, shippingMinor, shippingDiscountMinor, amounts, lines }
}

function readLines(r: ByteReader, coupons: number): LineFact[] {
  const count = r.varint()
  const lines: LineFact[] = []
  for (let i = 0; i < count; i++) {
    lines.push({ lineId: r.text(), amountMinor: r.varint(), perCoupon: readAmounts(r, coupons) })
  }
  return lines
}

function readAmounts(r: ByteReader, coupons: number): number[] {
  const amounts: number[] = []
  for (let i = 0; i < coupons; i++) amounts.push(r.varint())
  return amounts
}

export function totalOf(price: PriceFact): number {
  let total = 0
  for (const amount of price.amounts) total += amount
  return total
}
