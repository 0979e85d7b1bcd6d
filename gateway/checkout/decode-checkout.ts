/**
 * Bodies and queries of the checkout calls. One pass over the keys for each kind of body; defaults are filled in here.
 *
 * Codes come out canonical. A malformed one is kept, as canonical as it gets: at checkout it is a coupon that
 * does not exist, which is an answer and no fault of the request.
 */
import { cartAt } from './decode-cart.ts'
import {
  amountAt,
  arrayAt,
  BadField,
  booleanAt,
  currencyAt,
  integerAt,
  objectAt,
  pseudonymAt,
  required,
  textAt,
  unknownField,
} from '../json/decode-fields.ts'
import { CODES_MAX, REASON_LENGTH_MAX, TTL_SECONDS_DEFAULT, TTL_SECONDS_MAX } from '../limits.ts'
import { type Cart, cartOfTotal } from '../../engine/domain/cart.ts'
import { canonicalCode } from '../../protocol/codes.ts'

/** What a checkout call carries; a coupon of the path is not in it. */
export interface CheckoutInput {
  /** Canonical, in request order, no two alike. */
  readonly codes: readonly string[]
  readonly userId: string | null
  readonly orderId: string | null
  readonly cart: Cart | null
  readonly ttlSeconds: number
}

/** Fields of the three calls with codes: what is allowed, what is required. */
interface CodesForm {
  readonly takesOrder: boolean
  readonly takesTtl: boolean
  readonly needsUser: boolean
  readonly needsOrder: boolean
  readonly needsCart: boolean
}

const VALIDATE: CodesForm = { takesOrder: false, takesTtl: false, needsUser: false, needsOrder: false, needsCart: true }
const RESERVE: CodesForm = { takesOrder: true, takesTtl: true, needsUser: true, needsOrder: false, needsCart: false }
const REDEEM: CodesForm = { takesOrder: true, takesTtl: false, needsUser: true, needsOrder: true, needsCart: true }

export function decodeValidate(body: unknown): CheckoutInput {
  return decodeCodesCall(body, VALIDATE)
}

export function decodeReserve(body: unknown): CheckoutInput {
  return decodeCodesCall(body, RESERVE)
}

export function decodeRedeem(body: unknown): CheckoutInput {
  return decodeCodesCall(body, REDEEM)
}

function decodeCodesCall(body: unknown, form: CodesForm): CheckoutInput {
  const fields = objectAt(body, '')
  let codes: readonly string[] | null = null
  let userId: string | null = null
  let orderId: string | null = null
  let cart: Cart | null = null
  let ttlSeconds = TTL_SECONDS_DEFAULT
  for (const key in fields) {
    const field = fields[key]
    switch (key) {
      case 'codes':
        codes = codesAt(field, '/codes')
        break
      case 'userId':
        userId = pseudonymAt(field, '/userId')
        break
      case 'cart':
        cart = cartAt(field, '/cart')
        break
      case 'orderId':
        if (!form.takesOrder) unknownField('', key)
        orderId = pseudonymAt(field, '/orderId')
        break
      case 'ttlSeconds':
        if (!form.takesTtl) unknownField('', key)
        ttlSeconds = ttlAt(field, '/ttlSeconds')
        break
      default:
        unknownField('', key)
    }
  }
  if (codes === null) required('/codes')
  if (userId === null && form.needsUser) required('/userId')
  if (orderId === null && form.needsOrder) required('/orderId')
  if (cart === null && form.needsCart) required('/cart')
  return { codes, userId, orderId, cart, ttlSeconds }
}

/** `{userId, orderTotal?, currency?, cart?}` of a lock; `{userId, orderId, …}` of a redemption of one coupon. */
export function decodeOneCoupon(body: unknown, needsOrder: boolean): CheckoutInput {
  const fields = objectAt(body, '')
  let userId: string | null = null
  let orderId: string | null = null
  let orderTotal: number | null = null
  let currency: string | null = null
  let cart: Cart | null = null
  for (const key in fields) {
    const field = fields[key]
    switch (key) {
      case 'userId':
        userId = pseudonymAt(field, '/userId')
        break
      case 'orderId':
        if (!needsOrder) unknownField('', key)
        orderId = pseudonymAt(field, '/orderId')
        break
      case 'orderTotal':
        orderTotal = amountAt(field, '/orderTotal')
        break
      case 'currency':
        currency = currencyAt(field, '/currency')
        break
      case 'cart':
        cart = cartAt(field, '/cart')
        break
      default:
        unknownField('', key)
    }
  }
  if (userId === null) required('/userId')
  if (orderId === null && needsOrder) required('/orderId')
  if (cart !== null && orderTotal !== null) throw new BadField('/orderTotal', 'stands for a cart; send one of them')
  if (cart !== null && currency !== null && cart.currency !== currency) {
    throw new BadField('/currency', 'differs from the currency of the cart')
  }
  if (orderTotal !== null && currency === null) required('/currency')
  if (orderTotal !== null && currency !== null) cart = cartOfTotal(orderTotal, currency)
  return { codes: [], userId, orderId, cart, ttlSeconds: TTL_SECONDS_DEFAULT }
}

const WHOLE_NUMBER = /^(?:0|[1-9]\d{0,15})$/

/** `?userId&orderTotal&currency`, all optional. Pointers name the parameter as if the query were an object. */
export function decodeValidateQuery(query: string): CheckoutInput {
  let userId: string | null = null
  let orderTotal: number | null = null
  let currency: string | null = null
  const seen = new Set<string>()
  for (const [key, value] of new URLSearchParams(query)) {
    if (seen.has(key)) throw new BadField(`/${key}`, 'stands twice in the query')
    seen.add(key)
    switch (key) {
      case 'userId':
        userId = pseudonymAt(value, '/userId')
        break
      case 'orderTotal':
        orderTotal = amountAt(WHOLE_NUMBER.test(value) ? Number(value) : Number.NaN, '/orderTotal')
        break
      case 'currency':
        currency = currencyAt(value, '/currency')
        break
      default:
        unknownField('', key)
    }
  }
  if (orderTotal !== null && currency === null) required('/currency')
  const cart = orderTotal !== null && currency !== null ? cartOfTotal(orderTotal, currency) : null
  return { codes: [], userId, orderId: null, cart, ttlSeconds: TTL_SECONDS_DEFAULT }
}

export interface RedeemReservationInput {
  readonly orderId: string
  readonly cart: Cart | null
  readonly allowLate: boolean
}

export function decodeRedeemReservation(body: unknown): RedeemReservationInput {
  const fields = objectAt(body, '')
  let orderId: string | null = null
  let cart: Cart | null = null
  let allowLate = false
  for (const key in fields) {
    const field = fields[key]
    if (key === 'orderId') orderId = pseudonymAt(field, '/orderId')
    else if (key === 'cart') cart = cartAt(field, '/cart')
    else if (key === 'allowLate') allowLate = booleanAt(field, '/allowLate')
    else unknownField('', key)
  }
  if (orderId === null) required('/orderId')
  return { orderId, cart, allowLate }
}

export function decodeExtendReservation(body: unknown): number {
  const fields = objectAt(body, '')
  for (const key in fields) if (key !== 'ttlSeconds') unknownField('', key)
  if (fields['ttlSeconds'] === undefined) required('/ttlSeconds')
  return ttlAt(fields['ttlSeconds'], '/ttlSeconds')
}

export function decodeReverse(body: unknown): { readonly reason: string; readonly returnUse: boolean } {
  const fields = objectAt(body, '')
  let reason: string | null = null
  let returnUse = true
  for (const key in fields) {
    if (key === 'reason') reason = textAt(fields[key], '/reason', REASON_LENGTH_MAX)
    else if (key === 'returnUse') returnUse = booleanAt(fields[key], '/returnUse')
    else unknownField('', key)
  }
  if (reason === null) required('/reason')
  return { reason, returnUse }
}

function ttlAt(value: unknown, pointer: string): number {
  return integerAt(value, pointer, 1, TTL_SECONDS_MAX)
}

function codesAt(value: unknown, pointer: string): readonly string[] {
  const elements = arrayAt(value, pointer, 1, CODES_MAX)
  const codes: string[] = []
  for (let index = 0; index < elements.length; index++) {
    const raw = elements[index]
    if (typeof raw !== 'string') throw new BadField(`${pointer}/${index}`, 'has to be a string')
    if (!raw.isWellFormed()) throw new BadField(`${pointer}/${index}`, 'holds half of a surrogate pair')
    const code = canonicalCode(raw)
    if (index > 0 && codes.includes(code)) throw new BadField(`${pointer}/${index}`, 'is the same code a second time')
    codes.push(code)
  }
  return codes
}
