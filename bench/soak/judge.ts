// The judgement over a soak: figures with their targets, and checks that have to hold. Pure, so that made-up samples can be judged
// in a test.
//
//   anonymous − state ─▶ after the warm-up ─▶ slope between any two samples ─▶ their median ≤ 1 MB a minute
//
// The median of all slopes (Theil and Sen) forgives the peaks of snapshots and of the collector, and no steady growth.

import { atLeast, atMost, type Check, checkEqual, type Figure, median, type WorkloadReport } from '../report/figure.ts'
import { slopeOf } from '../report/trend.ts'
import type { LogLine } from '../server/server-log.ts'
import type { Exactness } from './exactness.ts'
import type { LoadTotals } from './load.ts'
import { OPERATIONS, type SoakSize, WARMUP_SHARE } from './mix.ts'
import { LOST, NOT_SENT } from './meters.ts'
import type { SoakSample } from './watch.ts'

/** Of all answers, those that nobody provoked: a run that mostly errs wears nothing out. */
const SURPRISE_SHARE_MAX = 0.001
/** Between the first and the last tenth of the samples. Files of the archive are kept open for look-ups, sixteen a lane at most. */
const HANDLES_DRIFT_MAX = 48
/** Threads of snapshots and of imports come and go. */
const THREADS_DRIFT_MAX = 2
/** What the server's reconciliation says in its log. */
const COUNTER_DIFFERS = 'a counter is not what the log makes'
const MB = 1_000_000
const MIB = 1_048_576

/** Everything a run came to. */
export interface SoakRun {
  readonly size: SoakSize
  readonly samples: readonly SoakSample[]
  readonly missedSamples: readonly string[]
  readonly totals: LoadTotals
  readonly snapshots: number
  readonly segmentsArchived: number
  readonly warnings: Readonly<Record<string, number>>
  /** Whole, for whoever looks for their cause. */
  readonly firstWarnings: readonly LogLine[]
  readonly exactness: Exactness
}

/** Samples behind the warm-up. */
export function settledSamples(samples: readonly SoakSample[], seconds: number): SoakSample[] {
  return samples.filter(({ atSecond }) => atSecond >= seconds * WARMUP_SHARE && atSecond <= seconds)
}

/** Bytes a minute that memory beyond the state grows by, after the warm-up; NaN for too few samples. */
export function growthPerMinute(samples: readonly SoakSample[], seconds: number): number {
  const points = settledSamples(samples, seconds).map(({ atSecond, anonymousBytes, stateBytes }) => ({
    x: atSecond / 60,
    y: anonymousBytes - stateBytes,
  }))
  return slopeOf(points)
}

export function judgeSoak(run: SoakRun): WorkloadReport {
  return {
    workload: 'soak',
    figures: [...memoryFigures(run), ...loadFigures(run), ...serverFigures(run)],
    checks: [...loadChecks(run), ...exactnessChecks(run.exactness)],
    detail: { ...run },
  }
}

function memoryFigures({ samples, size }: SoakRun): Figure[] {
  const settled = settledSamples(samples, size.seconds)
  const beyond = settled.map(({ anonymousBytes, stateBytes }) => anonymousBytes - stateBytes)
  const last = settled.at(-1)
  return [
    {
      name: `soak: memory beyond the state, growth over ${minutesOf(size.seconds)}`,
      value: growthPerMinute(samples, size.seconds) / MB,
      unit: 'MB/min',
      target: size.growthMbPerMinuteMax === null ? null : atMost(size.growthMbPerMinuteMax),
    },
    { name: 'soak: memory beyond the state', value: median(beyond) / MIB, unit: 'MiB', target: null },
    { name: 'soak: memory beyond the state, highest', value: Math.max(...beyond) / MIB, unit: 'MiB', target: null },
    { name: 'soak: anonymous memory at the end', value: of(last, 'anonymousBytes') / MIB, unit: 'MiB', target: null },
    { name: 'soak: state at the end', value: of(last, 'stateBytes') / MIB, unit: 'MiB', target: null },
  ]
}

function loadFigures({ totals, size, samples }: SoakRun): Figure[] {
  const { redeem, search } = totals.operations
  return [
    {
      name: 'soak: operations',
      value: samples.reduce((sum, sample) => sum + countOf(sample), 0) / Math.max(size.seconds, 1),
      unit: '/s',
      target: null,
    },
    { name: 'soak: errors that are not documented', value: undocumented(totals), unit: '', target: atMost(0) },
    {
      name: 'soak: refusals that nobody provoked',
      value: surprises(totals) / Math.max(answers(totals), 1),
      unit: '%',
      target: atMost(SURPRISE_SHARE_MAX),
    },
    { name: 'soak: redemption p99', value: redeem.latency.p99Ms, unit: 'ms', target: null },
    { name: 'soak: redemption p99.9', value: redeem.latency.p999Ms, unit: 'ms', target: null },
    { name: 'soak: search p99', value: search.latency.p99Ms, unit: 'ms', target: null },
  ]
}

function serverFigures({ samples, size, snapshots, segmentsArchived }: SoakRun): Figure[] {
  const settled = settledSamples(samples, size.seconds)
  const highest = (key: 'loopDelayP99Ms' | 'readModelLagMs' | 'handles' | 'threads'): number =>
    Math.max(...settled.map((sample) => sample[key]))
  const disk = (sample: SoakSample | undefined): number =>
    of(sample, 'logBytes') + of(sample, 'archiveBytes') + of(sample, 'snapshotBytes') + of(sample, 'databaseBytes')
  return [
    { name: 'soak: event loop p99, median', value: median(settled.map(loopOf)), unit: 'ms', target: null },
    { name: 'soak: event loop p99, highest', value: highest('loopDelayP99Ms'), unit: 'ms', target: null },
    { name: 'soak: lag of the read model, highest', value: highest('readModelLagMs'), unit: 'ms', target: null },
    { name: 'soak: open handles, most', value: highest('handles'), unit: '', target: null },
    {
      name: 'soak: open handles, drift',
      value: drift(settled, 'handles'),
      unit: '',
      target: atMost(HANDLES_DRIFT_MAX),
    },
    { name: 'soak: threads, most', value: highest('threads'), unit: '', target: null },
    { name: 'soak: threads, drift', value: drift(settled, 'threads'), unit: '', target: atMost(THREADS_DRIFT_MAX) },
    { name: 'soak: on disk at the end', value: disk(settled.at(-1)) / MIB, unit: 'MiB', target: null },
    { name: 'soak: snapshots made', value: snapshots, unit: '', target: atLeast(size.snapshotsMin) },
    { name: 'soak: segments archived', value: segmentsArchived, unit: '', target: atLeast(1) },
  ]
}

function loadChecks({ totals, missedSamples, samples, size, warnings }: SoakRun): Check[] {
  const never = OPERATIONS.filter((name) => totals.operations[name].done === 0)
  const { rounds, heard } = totals
  const expectedSamples = Math.floor(size.seconds / size.sampleEverySeconds)
  return [
    checkNone('operations that never succeeded', never),
    checkNone('errors that are not documented', undocumentedNames(totals)),
    checkNone('rounds of jobs that came out otherwise', rounds.faults),
    atLeastCheck('rounds of jobs', 1, rounds.rounds),
    atLeastCheck('jobs cancelled in the middle', 1, rounds.jobsCancelled),
    atLeastCheck('pushes to subscribers', 1, heard.pushes),
    atLeastCheck('events in the feed', 1, heard.events),
    checkEqual('listeners that were cut off', 0, heard.lost),
    checkEqual('counters that the server found different from its log', 0, warnings[COUNTER_DIFFERS] ?? 0),
    atLeastCheck('samples', Math.floor(expectedSamples * 0.8), samples.length),
    checkNone('samples that are missing', missedSamples.length > expectedSamples * 0.05 ? missedSamples : []),
  ]
}

function exactnessChecks({ faults, uses, reservedAtEnd, verifyExitCode, verifyWords, stopped }: Exactness): Check[] {
  const differing = uses
    .filter(({ told, logged, shown }) => told !== logged || told !== shown)
    .map(({ name, told, logged, shown }) => `${name}: told ${told}, logged ${logged}, shown ${shown}`)
  return [
    checkNone('the server stopped as it should', stopped === '' ? [] : [stopped]),
    checkNone('faults that the audit finds in the log', faults),
    atLeastCheck('coupons and campaigns with uses', 1, uses.filter(({ told }) => told > 0).length),
    checkNone('uses as told, logged and shown', differing),
    checkEqual('uses still reserved when all has lapsed', 0, reservedAtEnd),
    { name: 'tearoff verify', expected: '0', seen: `${verifyExitCode} ${verifyWords}`, holds: verifyExitCode === 0 },
  ]
}

function undocumented(totals: LoadTotals): number {
  return OPERATIONS.reduce((sum, name) => sum + sumOf(totals.operations[name].undocumented), 0)
}

function undocumentedNames(totals: LoadTotals): string[] {
  return OPERATIONS.flatMap((name) =>
    Object.entries(totals.operations[name].undocumented).map(([code, count]) => `${name}: ${count} × ${code}`),
  )
}

function surprises(totals: LoadTotals): number {
  return OPERATIONS.reduce((sum, name) => sum + sumOf(totals.operations[name].surprises), 0)
}

function answers(totals: LoadTotals): number {
  return OPERATIONS.reduce((sum, name) => sum + totals.operations[name].latency.count, 0)
}

/** All answers of a stretch. */
function countOf({ operations, refusals }: SoakSample): number {
  const all = Object.values(operations).reduce((sum, { count }) => sum + count, 0)
  return all - (refusals[LOST] ?? 0) - (refusals[NOT_SENT] ?? 0)
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0)
}

function of(sample: SoakSample | undefined, key: Exclude<keyof SoakSample, 'operations' | 'refusals'>): number {
  return sample === undefined ? Number.NaN : sample[key]
}

/** How much higher something is at the end than at the beginning, single samples aside. */
function drift(settled: readonly SoakSample[], key: 'handles' | 'threads'): number {
  const tenth = Math.ceil(settled.length / 10)
  const middle = (samples: readonly SoakSample[]): number => median(samples.map((sample) => sample[key]))
  return middle(settled.slice(-tenth)) - middle(settled.slice(0, tenth))
}

function loopOf({ loopDelayP99Ms }: SoakSample): number {
  return loopDelayP99Ms
}

function minutesOf(seconds: number): string {
  return seconds >= 60 ? `${(seconds / 60).toLocaleString('en')} min` : `${seconds} s`
}

function atLeastCheck(name: string, lowest: number, seen: number): Check {
  return { name, expected: `at least ${lowest}`, seen: String(seen), holds: seen >= lowest }
}

function checkNone(name: string, found: readonly string[]): Check {
  const words = found.slice(0, 5).join('; ')
  return { name, expected: 'none', seen: found.length === 0 ? 'none' : words, holds: found.length === 0 }
}
