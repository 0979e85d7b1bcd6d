/**
 * Schemas of checkout calls: carts, reservations, redemptions, the form for one coupon, and what is answered.
 */
import Type from 'typebox'
import { CART_LINES_MAX, CODES_MAX, LINE_CATEGORIES_MAX, TTL_SECONDS_DEFAULT, TTL_SECONDS_MAX } from '../limits.ts'
import { Amount, closed, Code, Count, Currency, Id, Name, oneOf, Pseudonym, Reason, Time } from './schema-parts.ts'
import { RESERVATION_STATUSES } from '../../protocol/outcomes.ts'
import { REFUSALS } from '../../protocol/refusals.ts'

const Codes = Type.Array(Code, { minItems: 1, maxItems: CODES_MAX })
const Ttl = Type.Integer({ minimum: 1, maximum: TTL_SECONDS_MAX })

const CartLine = closed({
  lineId: Type.Optional(Name),
  productId: Name,
  categoryIds: Type.Optional(Type.Array(Name, { maxItems: LINE_CATEGORIES_MAX })),
  quantity: Count,
  unitPrice: Amount,
})
const CartOfLines = closed({
  currency: Currency,
  lines: Type.Array(CartLine, { minItems: 1, maxItems: CART_LINES_MAX }),
  shipping: Type.Optional(Amount),
  channel: Type.Optional(Name),
})
const CartOfTotal = closed({ orderTotal: Amount, currency: Currency })
const Cart = Type.Union([CartOfLines, CartOfTotal])

export const ValidateBody = closed({ codes: Codes, userId: Type.Optional(Pseudonym), cart: Cart })
export const ReserveBody = closed({
  codes: Codes,
  userId: Pseudonym,
  cart: Type.Optional(Cart),
  orderId: Type.Optional(Pseudonym),
  ttlSeconds: Type.Optional(Type.Integer({ minimum: 1, maximum: TTL_SECONDS_MAX, default: TTL_SECONDS_DEFAULT })),
})
export const RedeemBody = closed({ codes: Codes, userId: Pseudonym, orderId: Pseudonym, cart: Cart })
export const RedeemReservationBody = closed({
  orderId: Pseudonym,
  cart: Type.Optional(Cart),
  allowLate: Type.Optional(Type.Boolean()),
})
export const ExtendReservationBody = closed({ ttlSeconds: Ttl })
export const ReverseBody = closed({ reason: Reason, returnUse: Type.Optional(Type.Boolean({ default: true })) })
export const LockBody = closed({
  userId: Pseudonym,
  orderTotal: Type.Optional(Amount),
  currency: Type.Optional(Currency),
  cart: Type.Optional(Cart),
})
export const RedeemCouponBody = closed({
  userId: Pseudonym,
  orderId: Pseudonym,
  orderTotal: Type.Optional(Amount),
  currency: Type.Optional(Currency),
  cart: Type.Optional(Cart),
})

const GivenAmount = closed({ code: Type.String(), amount: Amount })
const DiscountLine = closed({
  lineId: Type.String(),
  amount: Amount,
  discount: Amount,
  final: Amount,
  coupons: Type.Array(GivenAmount),
})
const Discount = closed({
  currency: Currency,
  total: Amount,
  subtotal: Amount,
  shipping: Amount,
  finalPrice: Amount,
  lines: Type.Array(DiscountLine),
  shippingDiscount: Amount,
})
export const refusalCodes = Object.keys(REFUSALS)
const Verdict = Type.Union([
  closed({
    code: Type.String(),
    couponId: Id,
    applicable: Type.Literal(true),
    amount: Type.Optional(Amount),
  }),
  closed({
    code: Type.String(),
    applicable: Type.Literal(false),
    reason: oneOf(refusalCodes),
    detail: Type.String(),
  }),
])
export const Verdicts = Type.Array(Verdict)

export const Validation = closed({
  valid: Type.Boolean(),
  discount: Type.Union([Discount, Type.Null()]),
  coupons: Verdicts,
})
const ReservedCoupon = closed({ couponId: Id, code: Type.String(), amount: Type.Optional(Amount) })
export const Reservation = closed({
  reservationId: Id,
  status: oneOf(RESERVATION_STATUSES),
  userId: Pseudonym,
  orderId: Type.Optional(Pseudonym),
  expiresAt: Time,
  discount: Type.Optional(Discount),
  coupons: Type.Array(ReservedCoupon),
})
export const Redemption = closed({
  redemptionId: Id,
  status: oneOf(['REDEEMED', 'REVERSED']),
  orderId: Pseudonym,
  userId: Pseudonym,
  reservationId: Type.Optional(Id),
  currency: Currency,
  discount: Discount,
  coupons: Type.Array(closed({ couponId: Id, code: Type.String(), amount: Amount })),
  redeemedAt: Time,
  reversedAt: Type.Optional(Time),
  reason: Type.Optional(Reason),
})
export const Lock = closed({
  couponId: Id,
  status: Type.Literal('LOCKED'),
  lockedBy: Pseudonym,
  lockExpiresAt: Time,
  reservationId: Id,
})
export const Success = closed({
  status: Type.Literal('SUCCESS'),
  discountApplied: Amount,
  finalPrice: Amount,
  redemptionId: Id,
})
