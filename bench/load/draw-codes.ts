// Which coupon each request of a run takes: one for all, all in turn, or a few of them most of the time.
//
// The sequence is drawn before the run and handed to the load tool as a list, so that the three kinds of load cost
// the client exactly the same and only the server can tell them apart.

import { seededRandom } from './random.ts'

/** Every code as often as every other, in a shuffled order that repeats. */
export function drawEvenly(codes: readonly string[], length: number, seed: number): string[] {
  const random = seededRandom(seed)
  const order = [...codes]
  for (let last = order.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1))
    const kept = order[last] as string
    order[last] = order[other] as string
    order[other] = kept
  }
  return Array.from({ length }, (_, index) => order[index % order.length] as string)
}

/** The code of rank r (from 1, in the order given) with probability proportional to 1 / r^exponent. */
export function drawZipf(codes: readonly string[], exponent: number, length: number, seed: number): string[] {
  const cumulative = new Float64Array(codes.length)
  let sum = 0
  for (let rank = 1; rank <= codes.length; rank++) {
    sum += rank ** -exponent
    cumulative[rank - 1] = sum
  }
  const random = seededRandom(seed)
  return Array.from({ length }, () => codes[firstAtLeast(cumulative, random() * sum)] as string)
}

/** Index of the first number that is at least `wanted`, in an ascending list whose last number is. */
function firstAtLeast(ascending: Float64Array, wanted: number): number {
  let low = 0
  let high = ascending.length - 1
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((ascending[middle] as number) >= wanted) high = middle
    else low = middle + 1
  }
  return low
}
