/**
 * The price that an open reservation stands at, and when a cart brought later keeps it.
 */
import { assert } from '../../protocol/assert.ts'
import { currencyNumber } from '../../protocol/currency.ts'
import { EVENT } from '../../protocol/events.ts'
import type { PriceFact } from '../../protocol/price.ts'
import { type Cart, lineAmountMinor, subtotalMinor } from './cart.ts'
import type { History, ShardState } from './state.ts'

/** The price an open reservation stands at; null: it was made without a cart. */
export function reservedPrice(state: ShardState, head: number, history: History): PriceFact | null {
  return priceAt(history, state.tables.holds.priceSeq.get(head))
}

export function priceAt(history: History, priceSeq: number): PriceFact | null {
  const past = history.at(priceSeq)
  assert(past !== null, `the log has no event at ${priceSeq}`)
  const { event } = past
  assert(event.type === EVENT.RESERVED || event.type === EVENT.RESERVATION_REPRICED, 'the price of no reservation')
  return event.price
}

/**
 * Whether a cart keeps the reserved price whatever it would cost today: an offer was changed since the reservation was
 * priced, and the cart has the amounts it was priced for. A changed offer never reaches a reservation's price.
 * `updatedAtMs`: when the offer of each of its coupons was changed last.
 */
export function keepsPrice(
  state: ShardState,
  head: number,
  reserved: PriceFact,
  cart: Cart,
  updatedAtMs: readonly number[],
  history: History,
): boolean {
  if (!isPriceOf(reserved, cart)) return false
  const pricedAtMs = history.at(state.tables.holds.priceSeq.get(head))?.atMs ?? 0
  return updatedAtMs.some((atMs) => atMs >= pricedAtMs)
}

export function isSamePrice(a: PriceFact, b: PriceFact): boolean {
  const equal = (x: readonly number[], y: readonly number[]) => x.length === y.length && x.every((v, i) => v === y[i])
  if (a.currency !== b.currency || a.subtotalMinor !== b.subtotalMinor || a.shippingMinor !== b.shippingMinor)
    return false
  if (!equal(a.amounts, b.amounts)) return false
  if (a.lines === null || b.lines === null) return a.lines === b.lines
  const { lines } = b
  return (
    a.lines.length === lines.length &&
    a.lines.every((line, i) => {
      const other = lines[i]
      if (other === undefined || other.lineId !== line.lineId) return false
      return other.amountMinor === line.amountMinor && equal(other.perCoupon, line.perCoupon)
    })
  )
}

/** Whether a remembered price was computed from a cart of these amounts. */
function isPriceOf(price: PriceFact, cart: Cart): boolean {
  if (currencyNumber(cart.currency) !== price.currency || cart.shippingMinor !== price.shippingMinor) return false
  if (subtotalMinor(cart) !== price.subtotalMinor) return false
  if (price.lines === null) return cart.lines.length === 1 && cart.lines[0]?.lineId === '0'
  const { lines } = price
  return (
    lines.length === cart.lines.length &&
    cart.lines.every((line, i) => lines[i]?.lineId === line.lineId && lines[i]?.amountMinor === lineAmountMinor(line))
  )
}
