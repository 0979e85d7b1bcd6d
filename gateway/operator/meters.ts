/**
 * Counting calls, cheap enough for the hot path: an addition into fixed arrays for each. Nothing is formatted before
 * somebody scrapes; the text is written here because prom-client's own histogram costs more than the call it measures.
 *
 * Labels are route templates and statuses, never what a client sent, so the number of series is fixed.
 */

/** Upper bounds, seconds. */
const BUCKET_BOUNDS_S = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const BUCKETS = BUCKET_BOUNDS_S.length
const BOUNDS_MS = Float64Array.from(BUCKET_BOUNDS_S, (bound) => bound * 1_000)
const STATUSES = 600

export class RouteMeter {
  readonly method: string
  readonly route: string
  private readonly byStatus = new Float64Array(STATUSES)
  /** One more than there are bounds: the last takes what is slower. */
  private readonly byBucket = new Float64Array(BUCKETS + 1)
  private sumMs = 0

  constructor(method: string, route: string) {
    this.method = method
    this.route = route
  }

  count(status: number, tookMs: number): void {
    this.byStatus[status] = (this.byStatus[status] as number) + 1
    let bucket = 0
    while (bucket < BUCKETS && tookMs > (BOUNDS_MS[bucket] as number)) bucket++
    this.byBucket[bucket] = (this.byBucket[bucket] as number) + 1
    this.sumMs += tookMs
  }

  requestLines(): string {
    let text = ''
    for (const [status, count] of this.byStatus.entries()) {
      if (count > 0) text += `tearoff_http_requests_total{${this.labels()},status="${status}"} ${count}\n`
    }
    return text
  }

  durationLines(): string {
    let text = ''
    let count = 0
    for (const [bucket, bound] of BUCKET_BOUNDS_S.entries()) {
      count += this.byBucket[bucket] as number
      text += `tearoff_http_request_duration_seconds_bucket{${this.labels()},le="${bound}"} ${count}\n`
    }
    count += this.byBucket[BUCKETS] as number
    if (count === 0) return ''
    text += `tearoff_http_request_duration_seconds_bucket{${this.labels()},le="+Inf"} ${count}\n`
    text += `tearoff_http_request_duration_seconds_sum{${this.labels()}} ${this.sumMs / 1_000}\n`
    return text + `tearoff_http_request_duration_seconds_count{${this.labels()}} ${count}\n`
  }

  private labels(): string {
    return `method="${this.method}",route="${this.route}"`
  }
}

/** The Prometheus text of some meters. Status 499 counts clients that went away before their answer. */
export function metersText(meters: readonly RouteMeter[]): string {
  return (
    '# HELP tearoff_http_requests_total Requests by route and status; 499: the client went away.\n' +
    '# TYPE tearoff_http_requests_total counter\n' +
    meters.map((meter) => meter.requestLines()).join('') +
    '# HELP tearoff_http_request_duration_seconds From the complete request to its answer.\n' +
    '# TYPE tearoff_http_request_duration_seconds histogram\n' +
    meters.map((meter) => meter.durationLines()).join('')
  )
}
