/**
 * From a cart and the offers on it to the price that is remembered. The usual cart, one line and one coupon, takes the
 * short way through `discountOfOneLine`, which tests prove equal to `priceCart`.
 */
import { currencyNumber } from '../../protocol/currency.ts'
import type { Redeemed } from '../../protocol/events.ts'
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

/** What one shard has to do with a call over several: ordinals, and what each gives, of equal index. */
export interface PartOfShard {
  readonly ordinals: readonly number[]
  readonly amounts: readonly number[]
}

/** The coupons of a redemption that live on a shard, and behind them the campaigns of coupons of others. */
export function partOfShard(shard: number, { ordinals, price, stack }: Redeemed): PartOfShard {
  return stack === null ? { ordinals, amounts: price.amounts } : partOfStack(shard, stack, price.amounts)
}

/** The same of any stack; `amounts`: one a coupon, or none. */
export function partOfStack(
  shard: number,
  stack: Pick<StackOfPlaces, 'coupons' | 'campaigns'>,
  amounts: readonly number[],
): PartOfShard {
  const part: { ordinals: number[]; amounts: number[] } = { ordinals: [], amounts: [] }
  const add = (ordinal: number, place: number): void => {
    part.ordinals.push(ordinal)
    const amountMinor = amounts[place]
    if (amountMinor !== undefined) part.amounts.push(amountMinor)
  }
  const { coupons, campaigns = [] } = stack
  for (let i = 0; i < coupons.length; i++) {
    const coupon = coupons[i] as PlaceOfShard
    if (coupon.shard === shard) add(coupon.ordinal, i)
  }
  for (const { shard: its, ordinal, place } of campaigns) if (its === shard) add(ordinal, place)
  return part
}

interface PlaceOfShard {
  readonly shard: number
  readonly ordinal: number
}

interface StackOfPlaces {
  readonly coupons: readonly PlaceOfShard[]
  readonly campaigns?: readonly (PlaceOfShard & { readonly place: number })[]
}
