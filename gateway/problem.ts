/**
 * Problem: why a call was refused, in the words of the contract, before it takes a form. HTTP makes RFC 9457 of it, a
 * WebSocket session its `error`. Codes are a closed union: those of shards (`protocol/refusals.ts`) and those below,
 * which only a gateway can find out.
 *
 * Must never happen here: text of a caught exception, a stack, or a code or user that the caller did not send itself.
 */
import { quoted } from './json/json-text.ts'
import { type RefusalCode, REFUSALS } from '../protocol/refusals.ts'

/** Refusals of the gateway itself; COUPON_NOT_FOUND and others of shards have their status in REFUSALS. */
export const GATEWAY_STATUS = {
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  PAYLOAD_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  PRECONDITION_REQUIRED: 428,
  RATE_LIMITED: 429,
  INTERNAL_ERROR: 500,
  OVERLOADED: 503,
  SHARD_UNAVAILABLE: 503,
  OUTCOME_UNKNOWN: 503,
} as const

export type ProblemCode = RefusalCode | keyof typeof GATEWAY_STATUS

export interface Problem {
  readonly code: ProblemCode
  readonly status: number
  readonly detail: string
  /** JSON pointer into the request's body; '' is the whole of it, null: the fault is not in the body. */
  readonly pointer: string | null
  /** The code, as canonical, that the refusal concerns; null: none in particular. */
  readonly coupon: string | null
  /** JSON text of the array that `/validate` answers as `coupons`; null: the call carried no codes. */
  readonly couponsJson: string | null
  /** 0: not known. */
  readonly retryAfterSeconds: number
  /** Methods that the path has, for METHOD_NOT_ALLOWED. */
  readonly allow: string | null
  /** The body that was sent first, when this is a replay under an Idempotency-Key; otherwise null. */
  readonly recordedBody: string | null
  /** Codes of the call that do not exist. Absent: one where `code` says so, otherwise none. */
  readonly wrongCodes?: number
}

/** Codes of a refused call that do not exist. */
export function wrongCodesOf({ code, wrongCodes }: Problem): number {
  return wrongCodes ?? (code === 'COUPON_NOT_FOUND' ? 1 : 0)
}

export function problem(code: ProblemCode, detail: string): Problem {
  return {
    code,
    status: statusOf(code),
    detail,
    pointer: null,
    coupon: null,
    couponsJson: null,
    retryAfterSeconds: 0,
    allow: null,
    recordedBody: null,
  }
}

/** INVALID_REQUEST for one field; `pointer` as in RFC 6901. */
export function invalid(pointer: string, detail: string): Problem {
  return { ...problem('INVALID_REQUEST', detail), pointer }
}

/** What the shards say of it, too. */
export const NO_SUCH_COUPON = 'there is no such coupon'

/** A coupon, named in the path, that does not exist or cannot. */
export function couponOfPathNotFound(): Problem {
  return { ...problem('COUPON_NOT_FOUND', NO_SUCH_COUPON), status: 404 }
}

/** A campaign, named in the path or in a body, that does not exist or cannot. */
export function campaignNotFound(): Problem {
  return problem('CAMPAIGN_NOT_FOUND', 'there is no such campaign')
}

function statusOf(code: ProblemCode): number {
  return code in REFUSALS ? REFUSALS[code as RefusalCode].status : GATEWAY_STATUS[code as keyof typeof GATEWAY_STATUS]
}

/** `COUPON_NOT_FOUND` as `Coupon not found`: the title is the code for human eyes, the same for every occurrence. */
function titleOf(code: ProblemCode): string {
  const words = code.replaceAll('_', ' ').toLowerCase()
  return words.charAt(0).toUpperCase() + words.slice(1)
}

/** The members that HTTP and WebSocket share, without braces: `"code":…,"detail":…,…`. */
export function problemMembers(found: Problem): string {
  let text = `"code":"${found.code}","detail":${quoted(found.detail)}`
  if (found.pointer !== null) {
    text += `,"errors":[{"pointer":${quoted(found.pointer)},"detail":${quoted(found.detail)}}]`
  }
  if (found.coupon !== null) text += `,"coupon":${quoted(found.coupon)}`
  if (found.couponsJson !== null) text += `,"coupons":${found.couponsJson}`
  return text
}

/** The body of an `application/problem+json` answer. The type is a stable name, not an address. */
export function problemBody(found: Problem, requestId: string): string {
  const name = found.code.toLowerCase().replaceAll('_', '-')
  return (
    `{"type":"urn:tearoff:problem:${name}","title":"${titleOf(found.code)}","status":${found.status},` +
    `${problemMembers(found)},"requestId":"${requestId}"}`
  )
}
