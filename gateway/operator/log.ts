/**
 * The log of the gateway: pino, structured, and silent about ordinary calls. Failures and slow calls get a line, at most so
 * many a second, because an overload must not become a flood of lines about it.
 *
 * Codes, users and orders are personal or worth money. Lines are made of chosen fields that hold none of them; the redaction
 * below is the second net, for whatever is logged with an object of the protocol in it.
 */
import { type DestinationStream, type Logger, pino } from 'pino'
import type { Guesser } from '../guard/guessing.ts'
import type { Problem } from '../problem.ts'

const SECRET_FIELDS = ['code', 'codes', 'userId', 'userIds', 'orderId', 'orderIds', 'lockedBy', 'authorization', 'body']

/** A logger of JSON lines; `destination` is standard output unless given. */
export function createLogger(level: string, destination?: DestinationStream): Logger {
  const paths = SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`])
  const options = {
    level,
    base: null,
    redact: { paths, censor: '[redacted]' },
    timestamp: pino.stdTimeFunctions.isoTime,
  }
  return destination === undefined ? pino(options) : pino(options, destination)
}

const LINES_A_SECOND_MAX = 20

/** What the gateway reports. Messages are constant, details are fields. */
export class Report {
  private readonly logger: Logger
  private readonly nowMs: () => number
  private secondStartedMs = Number.NEGATIVE_INFINITY
  private lines = 0
  private suppressed = 0

  constructor(logger: Logger, nowMs: () => number) {
    this.logger = logger
    this.nowMs = nowMs
  }

  /** A call that ended with 5xx. `trace` is the request's `traceparent` or ''. */
  refused(operation: string, found: Problem, requestId: string, trace: string): void {
    if (!this.mayWrite()) return
    this.logger.warn(
      { operation, problem: found.code, status: found.status, requestId, ...traceId(trace) },
      'call failed',
    )
  }

  slow(operation: string, status: number, tookMs: number, trace: string): void {
    if (!this.mayWrite()) return
    this.logger.warn({ operation, status, tookMs: Math.round(tookMs), ...traceId(trace) }, 'call was slow')
  }

  /** Who it is stands in the feed of events, not here. */
  guessing({ by, moreThan, windowSeconds }: Guesser): void {
    if (this.mayWrite()) this.logger.warn({ by, moreThan, windowSeconds }, 'somebody guesses codes')
  }

  /** An error that no client caused: a fault of this program. */
  failed(error: unknown): void {
    if (this.mayWrite()) this.logger.error({ err: error }, 'the gateway failed at a call')
  }

  private mayWrite(): boolean {
    const nowMs = this.nowMs()
    if (nowMs - this.secondStartedMs >= 1_000) {
      if (this.suppressed > 0) this.logger.warn({ lines: this.suppressed }, 'further lines were left out')
      this.secondStartedMs = nowMs
      this.lines = 0
      this.suppressed = 0
    }
    if (this.lines < LINES_A_SECOND_MAX) {
      this.lines++
      return true
    }
    this.suppressed++
    return false
  }
}

const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/

/** The trace a call belongs to, so that its line can be found from there. Anything else a client put there is left out. */
function traceId(trace: string): { readonly traceId?: string } {
  const found = TRACEPARENT.exec(trace)?.[1]
  return found === undefined ? {} : { traceId: found }
}
