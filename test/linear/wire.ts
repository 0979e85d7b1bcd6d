// The calls of a history over either wire, and their answers in the words of the specification. An answer that says what the
// contract does not allow in its place ends the run: that is no question of order.

import { type Answer as WireAnswer, HttpCheckout, isUnavailable, type WsCheckout } from '../crash/checkout.ts'
import { Violation } from '../crash/ledger.ts'
import { columnsBody } from '../crash/load.ts'
import type { Answer, Call, CouponRules } from './operation.ts'

const CURRENCY = 'EUR'
const ROW_REDEEMED = 0
const ROW_REPLAYED = 1

/** null: no answer, or none that decides. */
export type Heard =
  | { readonly kind: 'ANSWERED'; readonly answer: Answer; readonly timeMs: number }
  | { readonly kind: 'NOT_DONE' }
  | null

type Redeem = Extract<Call, { type: 'REDEEM' }>
type Found = Extract<WireAnswer, { kind: 'done' }>

/** `isShort`: by the form for one coupon where there is one. Reversals and switches have no message, so they go over `http`. */
export async function ask(
  checkout: HttpCheckout | WsCheckout,
  http: HttpCheckout,
  { code }: CouponRules,
  call: Call,
  isShort: boolean,
): Promise<Heard> {
  const read = readerOf(call, checkout instanceof HttpCheckout, isShort)
  return heard(call, await sent(checkout, http, code, call, isShort), read)
}

function sent(
  checkout: HttpCheckout | WsCheckout,
  http: HttpCheckout,
  code: string,
  call: Call,
  isShort: boolean,
): Promise<WireAnswer> {
  switch (call.type) {
    case 'REDEEM': {
      const { user: userId, order: orderId, totalMinor } = call
      if (isShort && checkout instanceof HttpCheckout) {
        return checkout.redeemOne(code, { userId, orderId, ...cartOf(totalMinor) })
      }
      return checkout.redeem({ codes: [code], userId, orderId, cart: cartOf(totalMinor) })
    }
    case 'RESERVE': {
      const { user: userId, order, totalMinor, ttlSeconds } = call
      const forOrder = order === null ? {} : { orderId: order }
      return checkout.reserve({ codes: [code], userId, ...forOrder, cart: cartOf(totalMinor), ttlSeconds })
    }
    case 'REDEEM_RESERVATION': {
      const cart = call.totalMinor === null ? {} : { cart: cartOf(call.totalMinor) }
      const late = call.allowLate ? { allowLate: true } : {}
      return checkout.redeemReservation(call.reservationId, { orderId: call.order, ...cart, ...late })
    }
    case 'RELEASE':
      return checkout.release(call.reservationId)
    case 'REVERSE':
      return http.reverse(call.redemptionId)
    case 'SWITCH':
      return http.switchCoupon(code, call.enabled)
    case 'READ_COUPON':
      return checkout.get('coupon', code)
    case 'READ_RESERVATION':
      return checkout.get('reservation', call.reservationId)
    case 'READ_REDEMPTION':
      return checkout.get('redemption', call.redemptionId)
    case 'VALIDATE':
      return checkout.validate({ codes: [code], cart: cartOf(call.totalMinor) })
  }
}

/** Several redemptions as one frame of columns; null: in doubt as a whole. `names`: what the numbers of outcomes mean. */
export async function askRows(
  ws: WsCheckout,
  names: ReadonlyMap<number, string>,
  coupon: CouponRules,
  calls: readonly Redeem[],
): Promise<readonly Answer[] | null> {
  const rows = calls.map(({ user, order, totalMinor }) => ({ coupon, userId: user, orderId: order, totalMinor }))
  const found = await ws.redeemColumns(columnsBody(coupon, rows))
  if (found === null) return null
  return calls.map((_, row): Answer => {
    const outcome = found.outcomes[row] as number
    if (outcome > ROW_REPLAYED) return { kind: 'REFUSED', code: names.get(outcome) ?? `outcome ${outcome}` }
    return {
      kind: 'REDEMPTION',
      isNew: outcome === ROW_REDEEMED,
      redemptionId: null,
      reservationId: undefined,
      discountMinor: found.discounts[row] as number,
      status: null,
    }
  })
}

/** What the numbers in the outcomes of columns mean. */
export async function outcomeNames({ session }: WsCheckout): Promise<ReadonlyMap<number, string>> {
  const { result } = await session.call('outcomes', {})
  return new Map(Object.entries(result ?? {}).map(([number, code]) => [Number(number), String(code)]))
}

function cartOf(orderTotal: number): Record<string, unknown> {
  return { orderTotal, currency: CURRENCY }
}

function heard(call: Call, answer: WireAnswer, read: (found: Found) => Answer): Heard {
  if (answer.kind === 'doubt') return isUnavailable(answer.why) ? { kind: 'NOT_DONE' } : null
  const { timeMs } = answer
  if (answer.kind === 'refused') return { kind: 'ANSWERED', answer: { kind: 'REFUSED', code: answer.code }, timeMs }
  try {
    return { kind: 'ANSWERED', answer: read(answer), timeMs }
  } catch (cause) {
    const what = `${JSON.stringify(call)} was answered ${JSON.stringify(answer.result)}`
    throw new Violation(`${what}: ${(cause as Error).message}`, { cause })
  }
}

function readerOf(call: Call, isHttp: boolean, isShort: boolean): (found: Found) => Answer {
  switch (call.type) {
    case 'REDEEM':
      return isHttp && isShort ? shortReceiptOf : receiptOf
    case 'REDEEM_RESERVATION':
      return receiptOf
    // Neither is said to be new, whatever the status of the answer.
    case 'REVERSE':
    case 'READ_REDEMPTION':
      return (found) => receiptOf({ ...found, isNew: false })
    // Over WebSocket a reservation does not say whether it was there before.
    case 'RESERVE':
      return (found) => reservationOf(found, isHttp ? found.isNew : null)
    case 'READ_RESERVATION':
      return (found) => reservationOf(found, false)
    case 'RELEASE':
      return () => ({ kind: 'RELEASED' })
    case 'SWITCH':
    case 'READ_COUPON':
      return couponOf
    case 'VALIDATE':
      return verdictOf
  }
}

function receiptOf({ result, isNew }: Found): Answer {
  const { redemptionId, reservationId, discount, status } = result
  return {
    kind: 'REDEMPTION',
    isNew,
    redemptionId: textOf(redemptionId),
    reservationId: reservationId === undefined ? null : textOf(reservationId),
    discountMinor: numberOf((discount as Record<string, unknown>)['total']),
    status: textOf(status),
  }
}

function shortReceiptOf({ result, isNew }: Found): Answer {
  const redemptionId = textOf(result['redemptionId'])
  const discountMinor = numberOf(result['discountApplied'])
  return { kind: 'REDEMPTION', isNew, redemptionId, reservationId: undefined, discountMinor, status: null }
}

function reservationOf({ result }: Found, isNew: boolean | null): Answer {
  const { reservationId, expiresAt, discount, status } = result
  return {
    kind: 'RESERVATION',
    isNew,
    reservationId: textOf(reservationId),
    expiresAtMs: Date.parse(textOf(expiresAt)),
    discountMinor: numberOf((discount as Record<string, unknown>)['total']),
    status: textOf(status),
  }
}

function couponOf({ result }: Found): Answer {
  const { uses, reserved, remaining, status } = result
  return {
    kind: 'COUPON',
    uses: numberOf(uses),
    reserved: numberOf(reserved),
    remaining: remaining === null ? null : numberOf(remaining),
    status: textOf(status),
  }
}

function verdictOf({ result }: Found): Answer {
  const [verdict] = result['coupons'] as readonly Record<string, unknown>[]
  const isApplicable = verdict?.['applicable'] === true
  if (isApplicable !== result['valid']) throw new TypeError('it is valid and not applicable, or the other way round')
  return isApplicable
    ? { kind: 'VALIDATED', reason: null, amountMinor: numberOf(verdict['amount']) }
    : { kind: 'VALIDATED', reason: textOf(verdict?.['reason']), amountMinor: null }
}

function textOf(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError('a text is missing')
  return value
}

function numberOf(value: unknown): number {
  if (typeof value !== 'number') throw new TypeError('a number is missing')
  return value
}
