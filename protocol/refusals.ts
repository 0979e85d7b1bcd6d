/**
 * Every refusal there is: its number (in logs of outcomes and `redeemColumns`), name, HTTP status. Numbers are for ever:
 * new codes are added at the end, none is ever used again for something else. 0 and 1 are no refusals in the columns
 * (redeemed and replayed), so numbers begin at 2.
 *
 * `rank` is the place in the order of checks (API.md, "Refusals"): of several failing checks the lowest rank answers.
 */

export const REFUSALS = {
  INVALID_REQUEST: { number: 2, status: 400, rank: 0 },
  COUPON_NOT_FOUND: { number: 3, status: 422, rank: 1 },
  ORDER_CONFLICT: { number: 4, status: 409, rank: 2 },
  REDEMPTION_REVERSED: { number: 5, status: 409, rank: 2 },
  COUPON_DISABLED: { number: 6, status: 422, rank: 3 },
  COUPON_NOT_STARTED: { number: 7, status: 422, rank: 4 },
  COUPON_EXPIRED: { number: 8, status: 422, rank: 5 },
  USER_NOT_ELIGIBLE: { number: 9, status: 422, rank: 6 },
  CHANNEL_NOT_ALLOWED: { number: 10, status: 422, rank: 7 },
  CURRENCY_MISMATCH: { number: 11, status: 422, rank: 8 },
  MIN_ORDER_NOT_MET: { number: 12, status: 422, rank: 9 },
  MIN_QUANTITY_NOT_MET: { number: 13, status: 422, rank: 9 },
  NOT_APPLICABLE: { number: 14, status: 422, rank: 10 },
  NOT_STACKABLE: { number: 15, status: 422, rank: 11 },
  USER_LIMIT_REACHED: { number: 16, status: 409, rank: 14 },
  COUPON_EXHAUSTED: { number: 17, status: 409, rank: 15 },
  COUPON_LOCKED: { number: 18, status: 423, rank: 15 },
  RESERVATION_NOT_FOUND: { number: 19, status: 404, rank: 1 },
  RESERVATION_CLOSED: { number: 20, status: 409, rank: 2 },
  RESERVATION_EXPIRED: { number: 21, status: 410, rank: 2 },
  REDEMPTION_NOT_FOUND: { number: 22, status: 404, rank: 1 },
  CODE_TAKEN: { number: 23, status: 409, rank: 1 },
  INVALID_TRANSITION: { number: 24, status: 409, rank: 3 },
  VERSION_CONFLICT: { number: 25, status: 412, rank: 2 },
  STORAGE_UNAVAILABLE: { number: 26, status: 503, rank: 0 },
  CAMPAIGN_NOT_FOUND: { number: 27, status: 404, rank: 1 },
  JOB_NOT_FOUND: { number: 28, status: 404, rank: 1 },
  DAILY_LIMIT_REACHED: { number: 29, status: 409, rank: 13 },
  IDEMPOTENCY_KEY_CONFLICT: { number: 30, status: 422, rank: 2 },
  CAMPAIGN_EXHAUSTED: { number: 31, status: 409, rank: 16 },
  BUDGET_EXHAUSTED: { number: 32, status: 409, rank: 17 },
  POOL_EMPTY: { number: 33, status: 409, rank: 15 },
  CODE_SPACE_TOO_SMALL: { number: 34, status: 422, rank: 4 },
} as const

export type RefusalCode = keyof typeof REFUSALS

const byNumber = new Map<number, RefusalCode>()
for (const code of Object.keys(REFUSALS) as RefusalCode[]) byNumber.set(REFUSALS[code].number, code)

export function refusalOfNumber(number: number): RefusalCode | null {
  return byNumber.get(number) ?? null
}
