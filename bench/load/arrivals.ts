// When each request of an open loop is meant to leave: a Poisson process, drawn before the clock starts.
//
// Buyers do not wait for each other, so the gaps are exponential and the schedule does not react to the server. A
// generator that plans the next request when the last answer came stops measuring exactly while the server stalls.

import { seededRandom } from './random.ts'

/** Ascending times in milliseconds from the start, `ratePerSecond` a second on average, all below the length. */
export function poissonArrivals(ratePerSecond: number, lengthMs: number, seed: number): Float64Array {
  const random = seededRandom(seed)
  const meanGapMs = 1_000 / ratePerSecond
  const times: number[] = []
  for (let atMs = 0; ; ) {
    atMs -= Math.log(1 - random()) * meanGapMs
    if (atMs >= lengthMs) return Float64Array.from(times)
    times.push(atMs)
  }
}
