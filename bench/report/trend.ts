// How fast something grows, from samples that are noisy and now and then far off.

import { median } from './figure.ts'

export interface Point {
  readonly x: number
  readonly y: number
}

/**
 * The slope of the points: the median of the slopes between any two of them (Theil and Sen). Up to a quarter of the points
 * may lie anywhere without moving it much, which a least-squares line does not forgive: memory has a peak while a snapshot
 * is made. NaN for fewer than two points.
 */
export function slopeOf(points: readonly Point[]): number {
  const slopes: number[] = []
  points.forEach((left, index) => {
    for (const right of points.slice(index + 1)) {
      if (right.x !== left.x) slopes.push((right.y - left.y) / (right.x - left.x))
    }
  })
  return median(slopes)
}
