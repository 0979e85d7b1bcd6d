// One HTTP call, made until it is answered: JSON out, JSON in, retried with exponential backoff and full jitter.
//
//     no answer, 429, 5xx   try again; never before the Retry-After of the answer; give up after `patienceMs`
//     anything else         an answer, for the caller to read
//
// Retrying is only right because every call made through here is idempotent: it carries an order, an id, or a key, and
// the other side gives the first answer again. Nothing that is not may ever be sent through here. Jitter matters: after
// a restart of the other side every waiting checkout would otherwise come back in the same millisecond.

const BACKOFF_FIRST_MS = 50
const BACKOFF_MAX_MS = 5_000
const ATTEMPT_TIMEOUT_MS = 5_000

export interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

export interface Reply {
  readonly status: number
  readonly headers: Headers
  /** The parsed body; an empty object where there is none or it is no JSON object. */
  readonly json: Readonly<Record<string, unknown>>
}

/** How long to go on, and what to wait with. Tests put in their own clock. */
export interface Pace {
  /** No attempt begins later than this after the first one. */
  readonly patienceMs: number
  readonly sleep: (ms: number) => Promise<void>
  /** 0 ≤ x < 1. */
  readonly random: () => number
  readonly nowMs: () => number
}

/** The pace of a checkout with a customer in front of it. What is not done by then is resumed in the background. */
export const INTERACTIVE_PACE: Pace = {
  patienceMs: 10_000,
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  random: Math.random,
  nowMs: Date.now,
}

/** Patience has run out. Whether the call was carried out is not known; the same call may be made again at any time. */
export class ServiceUnavailable extends Error {
  override readonly name = 'ServiceUnavailable'
  /** What the last Retry-After asked for; 0 where there was none. */
  readonly retryAfterMs: number

  constructor(message: string, retryAfterMs: number, cause: unknown) {
    super(message, { cause })
    this.retryAfterMs = retryAfterMs
  }
}

/**
 * The other side does not take this call, and will not take it again: a wrong key, a wrong address, a defect of ours.
 */
export class ServiceMisuse extends Error {
  override readonly name = 'ServiceMisuse'
}

/** Throws ServiceUnavailable. */
export async function callUntilAnswered(call: Call, pace: Pace): Promise<Reply> {
  const startMs = pace.nowMs()
  for (let attempt = 0; ; attempt++) {
    const tried = await attemptOnce(call)
    if (tried.kind === 'ANSWERED') return tried.reply
    const pauseMs = tried.retryAfterMs + pace.random() * Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** attempt)
    if (pace.nowMs() - startMs + pauseMs > pace.patienceMs) {
      const message = `${call.method} ${call.url}: ${tried.why}, after ${attempt + 1} attempts`
      throw new ServiceUnavailable(message, tried.retryAfterMs, tried.cause)
    }
    await pace.sleep(pauseMs)
  }
}

type Attempt =
  | { readonly kind: 'ANSWERED'; readonly reply: Reply }
  | { readonly kind: 'RETRY'; readonly why: string; readonly retryAfterMs: number; readonly cause?: unknown }

async function attemptOnce({ method, url, headers, body }: Call): Promise<Attempt> {
  let response: Response
  let text: string
  try {
    response = await fetch(url, {
      method,
      headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(ATTEMPT_TIMEOUT_MS),
    })
    text = await response.text()
  } catch (cause) {
    // Refused, cut off or too slow: the call may have been carried out all the same.
    return { kind: 'RETRY', why: 'no answer', retryAfterMs: 0, cause }
  }
  const json = jsonObject(text)
  if (response.status === 429 || response.status >= 500) {
    const { code } = json
    const why = typeof code === 'string' ? `${response.status} ${code}` : String(response.status)
    return { kind: 'RETRY', why, retryAfterMs: retryAfterMs(response.headers) }
  }
  return { kind: 'ANSWERED', reply: { status: response.status, headers: response.headers, json } }
}

/** Retry-After in seconds, as Tearoff says it, or as a date, as a proxy between may; 0 where there is none. */
function retryAfterMs(headers: Headers): number {
  const value = headers.get('retry-after')
  if (value === null) return 0
  const seconds = Number(value)
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1_000)
  const dateMs = Date.parse(value)
  return Number.isNaN(dateMs) ? 0 : Math.max(0, dateMs - Date.now())
}

function jsonObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(text)
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
