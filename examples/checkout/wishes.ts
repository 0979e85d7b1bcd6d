// What a browser may say, read with distrust: carts, submits, refunds.
//
// Prices come from the shop's catalogue, never from the browser. Codes are brought into one form and doubles dropped
// here, because Tearoff refuses a malformed call as a defect of the caller, and a customer who types a code twice is
// none. A code that does not exist is no malformed call: it goes through, and comes back as COUPON_NOT_FOUND for the
// customer to read.

import type { PaymentMethod } from './orders.ts'
import type { Cart, CartLine } from './tearoff-client.ts'

/** Minor units. */
const CATALOGUE: ReadonlyMap<unknown, number> = new Map([
  ['mug', 950],
  ['shirt', 2_400],
  ['poster', 1_500],
])
const SHIPPING_MINOR = 490
const CURRENCY = 'EUR'
const LINES_MAX = 100
const QUANTITY_MAX = 1_000
const REASON_LENGTH_MAX = 200
/** What one call of Tearoff takes. */
const CODES_MAX = 10
const USER_ID = /^[\w-]{1,64}$/

type Body = Readonly<Record<string, unknown>>

export interface CartWish {
  readonly userId: string
  readonly cart: Cart
  readonly codes: readonly string[]
}

export interface SubmitWish {
  readonly payment: PaymentMethod
  readonly totalMinor: number
}

/** null: not a cart of things that are sold here. */
export function cartWishOf({ userId, lines, codes }: Body): CartWish | null {
  if (typeof userId !== 'string' || !USER_ID.test(userId)) return null
  if (!Array.isArray(lines) || lines.length < 1 || lines.length > LINES_MAX || !Array.isArray(codes)) return null
  const cartLines = lines.map(lineOf).filter((line) => line !== null)
  if (cartLines.length < lines.length || !codes.every((code) => typeof code === 'string')) return null
  const distinct = [...new Set(codes.map((code) => code.trim().toUpperCase()))]
  if (distinct.length > CODES_MAX) return null
  return { userId, cart: { currency: CURRENCY, lines: cartLines, shipping: SHIPPING_MINOR }, codes: distinct }
}

/** null: neither a card nor an invoice, or no total. */
export function submitWishOf({ card, invoice, totalMinor }: Body): SubmitWish | null {
  if (typeof totalMinor !== 'number') return null
  if (invoice === true) return { payment: { kind: 'INVOICE' }, totalMinor }
  return typeof card === 'string' ? { payment: { kind: 'CARD', token: card }, totalMinor } : null
}

export function reasonOf({ reason }: Body): string {
  return typeof reason === 'string' && reason !== '' ? reason.slice(0, REASON_LENGTH_MAX) : 'returned'
}

function lineOf(line: unknown): CartLine | null {
  if (typeof line !== 'object' || line === null) return null
  const { productId, quantity } = line as { readonly productId?: unknown; readonly quantity?: unknown }
  const unitPrice = CATALOGUE.get(productId)
  const isCount =
    typeof quantity === 'number' && Number.isInteger(quantity) && quantity >= 1 && quantity <= QUANTITY_MAX
  return unitPrice === undefined || !isCount ? null : { productId: String(productId), quantity, unitPrice }
}
