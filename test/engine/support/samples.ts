/**
 * Short ways to write coupons, carts and commands in tests. Defaults are the plainest there are: 10 % off everything,
 * no limit, no window.
 */
import type { Cart } from '../../../engine/domain/cart.ts'
import type { Offer } from '../../../engine/domain/offer.ts'
import type { Bytes } from '../../../protocol/bytes.ts'
import { type CheckoutCommand, COMMAND, type Command, type CouponRef } from '../../../protocol/commands.ts'
import type { CouponDefinition } from '../../../protocol/coupon.ts'

export type AnyCommand = Command<string | Bytes>

const PLAIN_OFFER: Offer = {
  type: 'PERCENT',
  percentBps: 1_000,
  valueMinor: 0,
  currency: null,
  scope: 'ORDER',
  allocation: 'ACROSS',
  maxDiscountMinor: null,
  maxUnits: null,
  minOrderMinor: null,
  minQuantity: null,
  applicableProductIds: [],
  applicableCategoryIds: [],
  excludedProductIds: [],
  excludedCategoryIds: [],
  channels: null,
  stacking: 'EXCLUSIVE',
  priority: 0,
}

export function offerWith(fields: Partial<Offer>): Offer {
  return { ...PLAIN_OFFER, ...fields }
}

export function couponWith(
  code: string,
  fields: Partial<Omit<CouponDefinition, 'code' | 'offer'>> = {},
  offer: Partial<Offer> = {},
): CouponDefinition {
  return {
    code,
    offer: offerWith(offer),
    campaign: null,
    dailyLimit: null,
    merchantId: null,
    userId: null,
    category: null,
    description: null,
    listed: false,
    maxUses: null,
    maxUsesPerUser: null,
    validFromMs: null,
    validUntilMs: null,
    ...fields,
  }
}

/** Of a coupon that stands alone. */
export function offerOf({ code, offer }: CouponDefinition): Offer {
  if (offer === null) throw new Error(`${code} has the offer of its campaign`)
  return offer
}

/** One line of that amount, as a bare order total stands for it. */
export function total(totalMinor: number, currency = 'EUR'): Cart {
  const line = { lineId: '0', productId: null, categoryIds: [], quantity: 1, unitPriceMinor: totalMinor }
  return { currency, lines: [line], shippingMinor: 0, channel: null }
}

export function byCode(code: string): CouponRef<string> {
  return { code, ordinal: -1 }
}

export function byOrdinal(ordinal: number): CouponRef<string> {
  return { code: null, ordinal }
}

export function create(definition: CouponDefinition): AnyCommand {
  return { type: COMMAND.CREATE_COUPON, by: null, definition }
}

interface CheckoutFields {
  readonly user?: string | null
  readonly order?: string | null
  readonly cart?: Cart | null
  readonly ttlSeconds?: number
}

export function checkout(
  type: CheckoutCommand['type'],
  codes: string | readonly string[],
  { user = null, order = null, cart = null, ttlSeconds = 300 }: CheckoutFields,
): AnyCommand {
  const coupons = (typeof codes === 'string' ? [codes] : codes).map(byCode)
  return { type, coupons, user, order, cart, ttlSeconds }
}
