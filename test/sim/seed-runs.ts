/** Runs of many seeds, and what they come to. */
import { plan } from './plan.ts'
import { run } from './run.ts'
import type { Mode } from './steps.ts'

/** Seeds from `from` on, each with so many operations. */
export interface SeedRange {
  readonly mode: Mode
  readonly operations: number
  readonly from: number
  readonly seeds: number
}

export interface SeedRuns {
  readonly seeds: number
  readonly operations: number
  readonly commands: number
  readonly events: number
  /** By the names under which the world counts. */
  readonly counts: Readonly<Record<string, number>>
  /** Seeds that broke a promise, and how. */
  readonly failed: readonly { readonly seed: number; readonly faults: readonly string[] }[]
  /** Processor time of this process, in µs. */
  readonly processorUs: number
}

export const NO_RUNS: SeedRuns = {
  seeds: 0,
  operations: 0,
  commands: 0,
  events: 0,
  counts: {},
  failed: [],
  processorUs: 0,
}

export function runSeeds({ mode, operations, from, seeds }: SeedRange): SeedRuns {
  const begun = process.cpuUsage()
  let runs = NO_RUNS
  for (let seed = from; seed < from + seeds; seed++) {
    const { faults, counts, commands, events } = run(plan(seed, { mode, operations }))
    const failed = faults.length > 0 ? [{ seed, faults }] : []
    runs = sumOf(runs, { seeds: 1, operations, commands, events, counts, failed, processorUs: 0 })
  }
  const { user, system } = process.cpuUsage(begun)
  return { ...runs, processorUs: user + system }
}

export function sumOf(a: SeedRuns, b: SeedRuns): SeedRuns {
  const counts: Record<string, number> = { ...a.counts }
  for (const [what, count] of Object.entries(b.counts)) counts[what] = (counts[what] ?? 0) + count
  return {
    seeds: a.seeds + b.seeds,
    operations: a.operations + b.operations,
    commands: a.commands + b.commands,
    events: a.events + b.events,
    counts,
    failed: [...a.failed, ...b.failed],
    processorUs: a.processorUs + b.processorUs,
  }
}
