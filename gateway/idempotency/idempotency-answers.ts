/**
 * Answers as they are kept for replays under an `Idempotency-Key`, and back: a replay may come by another way in than the
 * first call, so a refusal kept as the body of HTTP is read again for a WebSocket session.
 */
import type { Answer } from '../operations/operations.ts'
import { type Problem, problem, problemBody, type ProblemCode } from '../problem.ts'
import type { RecordedAnswer } from '../../protocol/recorded-answer.ts'

/** Statuses whose answer is kept. The rest is malformed, overloaded or undecided, and judged anew each time. */
const KEPT_REFUSALS: ReadonlySet<number> = new Set([404, 409, 410, 412, 422, 423])

export function isKept(status: number): boolean {
  return KEPT_REFUSALS.has(status)
}

export function recordOfAnswer({ status, body, position, location, etag }: Answer): RecordedAnswer {
  return { status, body, position, location, etag, retryAfterSeconds: 0 }
}

/** `requestId` is that of the call that is refused; its replays name it too, in the body. */
export function recordOfProblem(found: Problem, position: string, requestId: string): RecordedAnswer {
  const { status, retryAfterSeconds } = found
  return { status, body: problemBody(found, requestId), position, location: '', etag: '', retryAfterSeconds }
}

export function isRefusal({ status }: RecordedAnswer): boolean {
  return status >= 300
}

export function answerOfRecord(record: RecordedAnswer, replayed: boolean): Answer {
  const { body, position, location, etag } = record
  return { status: record.status as Answer['status'], body, position, replayed, location, etag }
}

/** The members of a problem's body (see `problemBody`). */
interface RefusalBody {
  readonly code: ProblemCode
  readonly detail: string
  readonly errors?: readonly { readonly pointer: string }[]
  readonly coupon?: string
  readonly coupons?: unknown
}

export function problemOfRecord({ body, status, retryAfterSeconds }: RecordedAnswer): Problem {
  const { code, detail, errors, coupon, coupons } = JSON.parse(body) as RefusalBody
  return {
    ...problem(code, detail),
    status,
    pointer: errors?.[0]?.pointer ?? null,
    coupon: coupon ?? null,
    couponsJson: coupons === undefined ? null : JSON.stringify(coupons),
    retryAfterSeconds,
    recordedBody: body,
  }
}
