// Latencies in microseconds, in a histogram of fixed size, and the four numbers that are published of them.

import { build, type Histogram } from 'hdr-histogram-js'

export interface LatencySummary {
  readonly count: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
  readonly maxMs: number
}

/** Longer latencies are recorded as this. */
const HIGHEST_US = 120_000_000

/** Three significant digits from 1 µs to two minutes; values are whole microseconds. */
export function latencyHistogram(): Histogram {
  return build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: HIGHEST_US,
    numberOfSignificantValueDigits: 3,
    autoResize: false,
  })
}

/** Records a latency in milliseconds; one above the histogram's range counts as the highest it can hold. */
export function recordMs(histogram: Histogram, latencyMs: number): void {
  histogram.recordValue(Math.min(HIGHEST_US, Math.max(0, Math.round(latencyMs * 1_000))))
}

export function summarise(histogram: Histogram): LatencySummary {
  return {
    count: histogram.totalCount,
    p50Ms: histogram.getValueAtPercentile(50) / 1_000,
    p99Ms: histogram.getValueAtPercentile(99) / 1_000,
    p999Ms: histogram.getValueAtPercentile(99.9) / 1_000,
    maxMs: histogram.maxValue / 1_000,
  }
}

export function latencyLine(latency: LatencySummary): string {
  const parts = [
    `p50 ${latency.p50Ms.toFixed(2)}`,
    `p99 ${latency.p99Ms.toFixed(2)}`,
    `p99.9 ${latency.p999Ms.toFixed(2)}`,
    `max ${latency.maxMs.toFixed(2)} ms`,
  ]
  return `${parts.join(' · ')} (${latency.count.toLocaleString('en')} samples)`
}
