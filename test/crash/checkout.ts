// One checkout's calls over either wire, with one answer for both: done with a result, refused with a code, or in doubt.
//
// In doubt is everything where no whole answer came, and the two codes by which the server itself says that it does not
// know. Every other 503 means that nothing was done.

import type { HttpClient, HttpReply } from '../support/http-client.ts'
import type { WsCalls, WsReply } from '../support/ws-calls.ts'

export type Answer =
  | {
      readonly kind: 'done'
      readonly result: Record<string, unknown>
      readonly isNew: boolean
      readonly timeMs: number
    }
  | { readonly kind: 'refused'; readonly code: string; readonly detail: string; readonly timeMs: number }
  | { readonly kind: 'doubt'; readonly why: string }

export interface RowsAnswer {
  readonly outcomes: readonly number[]
  readonly discounts: readonly number[]
}

const UNDECIDED: ReadonlySet<unknown> = new Set(['OUTCOME_UNKNOWN', 'STORAGE_UNAVAILABLE'])

/** The calls that the proof makes. */
export interface Checkout {
  redeem(body: Record<string, unknown>): Promise<Answer>
  reserve(body: Record<string, unknown>): Promise<Answer>
  release(reservationId: string): Promise<Answer>
  claim(campaignId: string, userId: string): Promise<Answer>
  redeemReservation(reservationId: string, body: Record<string, unknown>): Promise<Answer>
  validate(body: Record<string, unknown>): Promise<Answer>
  get(kind: 'redemption' | 'reservation' | 'coupon', id: string): Promise<Answer>
}

export class HttpCheckout implements Checkout {
  readonly http: HttpClient

  constructor(http: HttpClient) {
    this.http = http
  }

  redeem(body: Record<string, unknown>): Promise<Answer> {
    return this.call('POST', '/v1/redemptions', body)
  }

  /** The form for one coupon: the answer names the redemption and no more. */
  redeemOne(code: string, body: Record<string, unknown>): Promise<Answer> {
    return this.call('POST', `/v1/coupons/${code}/redeem`, body)
  }

  reserve(body: Record<string, unknown>): Promise<Answer> {
    return this.call('POST', '/v1/reservations', body)
  }

  release(reservationId: string): Promise<Answer> {
    return this.call('DELETE', `/v1/reservations/${reservationId}`)
  }

  redeemReservation(reservationId: string, body: Record<string, unknown>): Promise<Answer> {
    return this.call('POST', `/v1/reservations/${reservationId}/redeem`, body)
  }

  claim(campaignId: string, userId: string): Promise<Answer> {
    return this.call('POST', `/v1/campaigns/${campaignId}/claims`, { userId })
  }

  reverse(redemptionId: string): Promise<Answer> {
    return this.call('POST', `/v1/redemptions/${redemptionId}/reverse`, { reason: 'cancelled' })
  }

  extend(reservationId: string, ttlSeconds: number): Promise<Answer> {
    return this.call('POST', `/v1/reservations/${reservationId}/extend`, { ttlSeconds })
  }

  /** PATCH of what buyers do not see. */
  describe(code: string, version: string, description: string): Promise<Answer> {
    return this.call('PATCH', `/v1/coupons/${code}`, { description }, { 'if-match': `"${version}"` })
  }

  createCampaign(body: Record<string, unknown>): Promise<Answer> {
    return this.call('POST', '/v1/campaigns', body)
  }

  getCampaign(id: string): Promise<Answer> {
    return this.call('GET', `/v1/campaigns/${id}`)
  }

  switchCoupon(code: string, enabled: boolean): Promise<Answer> {
    return this.call('POST', `/v1/coupons/${code}/${enabled ? 'enable' : 'disable'}`)
  }

  createCoupon(body: Record<string, unknown>): Promise<Answer> {
    return this.call('POST', '/v1/coupons', body)
  }

  validate(body: Record<string, unknown>): Promise<Answer> {
    return this.call('POST', '/v1/validate', body)
  }

  get(kind: 'redemption' | 'reservation' | 'coupon', id: string): Promise<Answer> {
    return this.call('GET', `/v1/${kind}s/${id}`)
  }

  private async call(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    try {
      return answerOfHttp(await this.http.call(method, path, body, headers))
    } catch (error) {
      return { kind: 'doubt', why: (error as Error).message }
    }
  }
}

export class WsCheckout implements Checkout {
  readonly session: WsCalls

  constructor(session: WsCalls) {
    this.session = session
  }

  redeem(body: Record<string, unknown>): Promise<Answer> {
    return this.call('redeem', body)
  }

  reserve(body: Record<string, unknown>): Promise<Answer> {
    return this.call('reserve', body)
  }

  release(reservationId: string): Promise<Answer> {
    return this.call('release', { reservationId })
  }

  redeemReservation(reservationId: string, body: Record<string, unknown>): Promise<Answer> {
    return this.call('redeemReservation', { reservationId, ...body })
  }

  validate(body: Record<string, unknown>): Promise<Answer> {
    return this.call('validate', body)
  }

  claim(campaignId: string, userId: string): Promise<Answer> {
    return this.call('claim', { campaignId, userId })
  }

  get(kind: 'redemption' | 'reservation' | 'coupon', id: string): Promise<Answer> {
    return this.call('get', { [kind === 'coupon' ? 'coupon' : `${kind}Id`]: id })
  }

  /** null: in doubt as a whole. */
  async redeemColumns(body: Record<string, unknown>): Promise<RowsAnswer | null> {
    try {
      const { ok, outcomes, discounts, error } = await this.session.callBinary('redeemColumns', body)
      if (ok && outcomes !== undefined && discounts !== undefined) return { outcomes, discounts }
      if (UNDECIDED.has(error?.['code']) || isUnavailable(error?.['code'])) return null
      throw new TypeError(`columns were refused: ${JSON.stringify(error)}`)
    } catch (error) {
      if (error instanceof TypeError) throw error
      return null
    }
  }

  private async call(op: string, body: Record<string, unknown>): Promise<Answer> {
    try {
      return answerOfMessage(await this.session.call(op, body))
    } catch (error) {
      return { kind: 'doubt', why: (error as Error).message }
    }
  }
}

function answerOfHttp({ status, json, headers }: HttpReply): Answer {
  if (status < 300) {
    return { kind: 'done', result: json, isNew: status === 201, timeMs: timeOf(String(headers['x-tearoff-position'])) }
  }
  return refusal(json, String(headers['x-tearoff-position']))
}

function answerOfMessage({ ok, result, error, position, replayed }: WsReply): Answer {
  if (!ok) return refusal(error ?? {}, position ?? '')
  return { kind: 'done', result: result ?? {}, isNew: replayed !== true, timeMs: timeOf(position ?? '') }
}

function refusal(found: Record<string, unknown>, position: string): Answer {
  const code = String(found['code'])
  const detail = String(found['detail'])
  if (UNDECIDED.has(code) || isUnavailable(code)) return { kind: 'doubt', why: code }
  return { kind: 'refused', code, detail, timeMs: timeOf(position) }
}

/** Nothing was done. Asking again later settles it, so it is kept like a doubt. */
export function isUnavailable(code: unknown): boolean {
  return code === 'SHARD_UNAVAILABLE' || code === 'OVERLOADED'
}

/** `shard:seq@timeMs`, of the first shard where several have answered → timeMs. */
function timeOf(position: string): number {
  const [first = ''] = position.split(',')
  return Number(first.slice(first.indexOf('@') + 1))
}
