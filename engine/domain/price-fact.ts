/**
 * From a cart and the offers on it to the price that is remembered. The usual cart, one line and one coupon, takes the
 * short way through `discountOfOneLine`, which tests prove equal to `priceCart`.
 */
import { currencyNumber } from '../../protocol/currency.ts'
import type { PriceFact } from '../../protocol/price.ts'
import { type Cart, type CartLine, lineAmountMinor } from './cart.ts'
import { discountOfOneLine, priceCart } from './discount.ts'
import type { Offer } from './offer.ts'

/** The price of a cart under offers that were all judged eligible and combinable. */
export function priceFact(cart: Cart, offers: readonly Offer[]): PriceFact {
  const only = cart.lines.length === 1 ? (cart.lines[0] as CartLine) : null
  if (only !== null && only.lineId === '0' && offers.length === 1) {
    return oneLineFact(cart, only, offers[0] as Offer)
  }
  const priced = priceCart(cart, offers)
  return {
    currency: currencyNumber(cart.currency),
    subtotalMinor: priced.subtotalMinor,
    shippingMinor: priced.shippingMinor,
    shippingDiscountMinor: priced.shippingDiscountMinor,
    amounts: priced.amounts,
    lines: priced.lines.map(({ lineId, amountMinor, perOffer }) => ({ lineId, amountMinor, perCoupon: perOffer })),
  }
}

function oneLineFact(cart: Cart, line: CartLine, offer: Offer): PriceFact {
  const amount = discountOfOneLine(offer, line.quantity, line.unitPriceMinor, cart.shippingMinor)
  return {
    currency: currencyNumber(cart.currency),
    subtotalMinor: lineAmountMinor(line),
    shippingMinor: cart.shippingMinor,
    shippingDiscountMinor: offer.type === 'FREESHIP' ? amount : 0,
    amounts: [amount],
    lines: null,
  }
}
