// What a workload hands back: figures that are published, checks that have to hold, and everything else as detail.
//
// A missed target is a figure like any other and is printed as it is; a check that does not hold means that the
// figures beside it are worth nothing, and ends the bench with an error.

import type { Series } from './series.ts'

export const WORKLOADS = [
  'checkout',
  'ceiling',
  'stacked',
  'columns',
  'spread',
  'recovery',
  'ready',
  'read-model',
  'search',
  'claims',
  'import',
  'codes',
  'memory',
  'held',
] as const
export type WorkloadName = (typeof WORKLOADS)[number]

export interface Target {
  readonly bound: 'atLeast' | 'atMost'
  readonly value: number
}

export interface Figure {
  readonly name: string
  readonly value: number
  /** `ms`, `/s`, `%` (a share of 1, printed as percent), `×` (a ratio), `MiB`, `B` or empty for a count. */
  readonly unit: 'ms' | '/s' | '%' | '×' | 'MiB' | 'MiB/min' | 'MB/min' | 'B' | ''
  readonly target: Target | null
}

/** Something that has to hold for the figures to mean anything: acknowledged equals counted, no error. */
export interface Check {
  readonly name: string
  readonly expected: string
  readonly seen: string
  readonly holds: boolean
}

export interface WorkloadReport {
  /** `peers` and `soak` are benches of their own. */
  readonly workload: WorkloadName | 'peers' | 'soak'
  readonly figures: readonly Figure[]
  readonly checks: readonly Check[]
  /** Written beside the results, as CSV. */
  readonly series?: Series
  readonly detail: Readonly<Record<string, unknown>>
}

export function atLeast(value: number): Target {
  return { bound: 'atLeast', value }
}

export function atMost(value: number): Target {
  return { bound: 'atMost', value }
}

/** A figure that could not be measured (NaN) meets no target. */
export function meets(figure: Figure): boolean {
  if (figure.target === null) return true
  return figure.target.bound === 'atLeast' ? figure.value >= figure.target.value : figure.value <= figure.target.value
}

/** The check that two numbers are the same. */
export function checkEqual(name: string, expected: number, seen: number): Check {
  return { name, expected: String(expected), seen: String(seen), holds: expected === seen }
}

/** The check that a number is no lower than another. */
export function checkAtLeast(name: string, lowest: number, seen: number): Check {
  return { name, expected: `at least ${lowest}`, seen: String(seen), holds: seen >= lowest }
}

/** The check that a number lies between two others, both included. */
export function checkBetween(name: string, lowest: number, highest: number, seen: number): Check {
  return { name, expected: `${lowest} to ${highest}`, seen: String(seen), holds: seen >= lowest && seen <= highest }
}

/** The middle of a list, the mean of the two middle ones for an even length; NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right)
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN
  return (lower + upper) / 2
}
