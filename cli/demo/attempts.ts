/**
 * Attempts of buyers to get the coupon, and the queue that hands them to connections.
 *
 * Every fifth buyer tries in two tabs: the same user with two orders, somewhere else in the queue.
 */

export const CODE = 'FLASH50'

export interface Attempt {
  readonly userId: string
  readonly orderId: string
}

/** What a buyer was told. */
export type Answer =
  | { readonly kind: 'redeemed'; readonly redemptionId: string }
  | { readonly kind: 'refused'; readonly code: string; readonly detail: string }

/** How an attempt reached the server. */
export type Way = 'websocket' | 'http'

/** Where connections take attempts and bring answers. */
export interface Queue {
  /** The next attempts, at most so many; none: the race is over, or what is left is under way elsewhere. */
  take(most: number): readonly Attempt[]
  answered(attempt: Attempt, answer: Answer, way: Way): void
}

const TWO_TABS_EVERY = 5

/** The body of a redemption. */
export function redemptionOf(attempt: Attempt): Readonly<Record<string, unknown>> {
  return { codes: [CODE], ...attempt, cart: { orderTotal: 4_990, currency: 'EUR' } }
}

/** In random order. */
export function attemptsOf(buyers: number): Attempt[] {
  const attempts: Attempt[] = []
  for (let buyer = 1; buyer <= buyers; buyer++) {
    attempts.push({ userId: `buyer-${buyer}`, orderId: `order-${buyer}` })
    if (buyer % TWO_TABS_EVERY === 0) attempts.push({ userId: `buyer-${buyer}`, orderId: `order-${buyer}-second-tab` })
  }
  for (let last = attempts.length - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1))
    const swapped = attempts[last] as Attempt
    attempts[last] = attempts[other] as Attempt
    attempts[other] = swapped
  }
  return attempts
}
