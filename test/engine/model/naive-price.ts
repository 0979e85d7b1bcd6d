/**
 * The price of a cart, the slow way, for coupons over the whole order: percent before fixed, then priority, then the order
 * of the request, free shipping last; each works on what earlier ones left. BigInt throughout, so that nothing rounds
 * by accident. Line by line allocation is left out: pricing has its own tests.
 */
import type { Cart } from '../../../engine/domain/cart.ts'
import type { Offer } from '../../../engine/domain/offer.ts'
import { currencyNumber } from '../../../protocol/currency.ts'

export interface NaivePrice {
  readonly currency: number
  readonly subtotalMinor: number
  readonly shippingMinor: number
  readonly shippingDiscountMinor: number
  readonly amounts: readonly number[]
}

const SEQUENCE = ['PERCENT', 'FIXED', 'FREESHIP']

export function naiveSubtotal(cart: Cart): number {
  return Number(cart.lines.reduce((sum, line) => sum + BigInt(line.quantity) * BigInt(line.unitPriceMinor), 0n))
}

export function naivePrice(cart: Cart, offers: readonly Offer[]): NaivePrice {
  const subtotalMinor = naiveSubtotal(cart)
  const turns = offers.map((offer, index) => ({ offer, index }))
  turns.sort(
    (a, b) =>
      SEQUENCE.indexOf(a.offer.type) - SEQUENCE.indexOf(b.offer.type) ||
      b.offer.priority - a.offer.priority ||
      a.index - b.index,
  )
  let left = BigInt(subtotalMinor)
  let shippingLeft = BigInt(cart.shippingMinor)
  const amounts = offers.map(() => 0)
  for (const { offer, index } of turns) {
    const isShipping = offer.type === 'FREESHIP'
    let amount = isShipping ? shippingLeft : gives(offer, left)
    if (offer.maxDiscountMinor !== null) amount = least(amount, BigInt(offer.maxDiscountMinor))
    if (isShipping) shippingLeft -= amount
    else left -= amount
    amounts[index] = Number(amount)
  }
  return {
    currency: currencyNumber(cart.currency),
    subtotalMinor,
    shippingMinor: cart.shippingMinor,
    shippingDiscountMinor: cart.shippingMinor - Number(shippingLeft),
    amounts,
  }
}

/** Half up to the minor unit. */
function gives(offer: Offer, left: bigint): bigint {
  if (offer.type === 'FIXED') return least(BigInt(offer.valueMinor), left)
  return (left * BigInt(offer.percentBps) * 2n + 10_000n) / 20_000n
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}
