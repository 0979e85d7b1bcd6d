// Histories written by hand: who asked what, from when to when, and what was told. For tests of the checker.

import type { Answer, Call, CouponRules, History, Operation } from './operation.ts'

const PLAIN_RULES: CouponRules = { code: 'HAND', maxUses: null, maxUsesPerUser: null, percentBps: 1_000 }
/** Of an order of 1,000 by these rules. */
const DISCOUNT_MINOR = 100

export interface Written {
  readonly client?: string
  /** Began and ended; no end: nobody was told. */
  readonly at: readonly [number, number] | readonly [number]
  readonly call: Call
  readonly answer?: Answer
  readonly timeMs?: number
  readonly openUntil?: number
}

export function historyOf(rules: Partial<CouponRules>, written: readonly Written[], isTimed = false): History {
  const operations = written
    .toSorted((a, b) => a.at[0] - b.at[0])
    .map(({ client = 'ann', at, call, answer, timeMs, openUntil }, id): Operation => {
      if ((at[1] === undefined) !== (answer === undefined)) throw new Error('what has an end has an answer')
      return {
        id,
        client,
        call,
        invokedAt: at[0],
        returnedAt: at[1] ?? Number.POSITIVE_INFINITY,
        answer: answer ?? null,
        timeMs: timeMs ?? null,
        openUntil: openUntil ?? Number.POSITIVE_INFINITY,
      }
    })
  return { rules: { ...PLAIN_RULES, ...rules }, isTimed, operations }
}

export function redeem(order: string, user = 'ann', totalMinor = 1_000): Call {
  return { type: 'REDEEM', user, order, totalMinor }
}

export function reserve(user = 'ann', order: string | null = null, totalMinor = 1_000, ttlSeconds = 300): Call {
  return { type: 'RESERVE', user, order, totalMinor, ttlSeconds }
}

export function release(reservationId: string): Call {
  return { type: 'RELEASE', reservationId }
}

export function reverse(redemptionId: string): Call {
  return { type: 'REVERSE', redemptionId }
}

export const READ: Call = { type: 'READ_COUPON' }

type RedemptionAnswer = Extract<Answer, { kind: 'REDEMPTION' }>

export function receipt(redemptionId: string, told: Partial<RedemptionAnswer> = {}): Answer {
  const plain = { isNew: true, reservationId: null, discountMinor: DISCOUNT_MINOR, status: 'REDEEMED' }
  return { kind: 'REDEMPTION', redemptionId, ...plain, ...told }
}

type ReservationAnswer = Extract<Answer, { kind: 'RESERVATION' }>

export function reserved(reservationId: string, told: Partial<ReservationAnswer> = {}): Answer {
  const plain = { isNew: true, expiresAtMs: 0, discountMinor: DISCOUNT_MINOR, status: 'RESERVED' }
  return { kind: 'RESERVATION', reservationId, ...plain, ...told }
}

export function refused(code: string): Answer {
  return { kind: 'REFUSED', code }
}

/** Of a coupon without a limit, unless told otherwise. */
export function shown(uses: number, reservedNow = 0, maxUses: number | null = null, status = 'ACTIVE'): Answer {
  const remaining = maxUses === null ? null : maxUses - uses - reservedNow
  return { kind: 'COUPON', uses, reserved: reservedNow, remaining, status }
}
