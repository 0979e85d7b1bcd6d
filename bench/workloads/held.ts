// held: a sale that does not end. One rate for minutes, while snapshots are made, segments change and lists are kept.
//
//   10,000/s ──────────────────────────────────────────────────────▶   latency from when each request was due
//            ·  snapshots made  ·  segments sealed, archived  ·        asserted: at least three, and a new segment
//            ·  footprint every 10 s                          ·        memory beyond the state must not grow
//
// What a short run cannot show: the tail while the log is turned into snapshots beside it, and whether anything grows that
// is not in the state. Snapshots are counted by the server's log and by the files in its directory.

import { join } from 'node:path'
import { runChild } from '../children.ts'
import { measureDiskSync } from '../load/disk-sync.ts'
import { latencyLine, type LatencySummary } from '../load/latency.ts'
import type { OpenLoopInput, OpenLoopResult } from '../load/open-loop.ts'
import { ENTRIES } from '../project.ts'
import {
  atLeast,
  atMost,
  type Check,
  checkAtLeast,
  checkEqual,
  type Figure,
  median,
  type WorkloadReport,
} from '../report/figure.ts'
import { chartLines, type Series } from '../report/series.ts'
import { slopeOf } from '../report/trend.ts'
import { couponUses, createCoupon } from '../server/coupons.ts'
import { countArchived, countSegments, snapshottedEvents } from '../server/data-directory.ts'
import { type Footprint, FootprintSampler } from '../server/footprint.ts'
import { callerSettings } from '../server/product.ts'
import { type LogLine, SNAPSHOTS_MADE } from '../server/server-log.ts'
import { CHILD_TIME_LIMIT_MS, type HeldSize } from '../sizes.ts'
import type { BenchContext } from './context.ts'
import { PRODUCT_DATA, withProduct } from './with-product.ts'

const P999_TARGET_MS = 50
const RATE_SHARE_MIN = 0.99

/** Nothing but the state may keep anything of each redemption: not even the smallest record that the state has of one. */
const GROWTH_TARGET_BYTES = 16

/** Of the measured time: tables of the process, caches and compiled code are made in it. */
const MEMORY_WARMUP_SHARE = 0.25

const CODE = 'HELD00001'
const SNAPSHOT_SETTING = 'TEAROFF_SNAPSHOT_EVENTS'
/** The product's own number of new events after which snapshots are made. */
const SNAPSHOT_EVENTS_DEFAULT = 1_000_000
/** More than are asked for, because the last one has to be whole before the end. */
const SNAPSHOTS_SPARE = 1.5

const MIB = 1_048_576

interface Held {
  readonly load: OpenLoopResult
  readonly snapshotEvents: number
  /** Made while the load was on. */
  readonly snapshots: readonly LogLine[]
  /** While the load was on, seconds from the beginning of the measured time. */
  readonly footprints: readonly (Footprint & { readonly atSecond: number })[]
  readonly missedFootprints: readonly string[]
  readonly segmentsBefore: number
  readonly segmentsAfter: number
  readonly archivedAfter: number
  readonly snapshottedEvents: number
  readonly warnings: Readonly<Record<string, number>>
  readonly uses: number
}

export async function runHeld(context: BenchContext, size: HeldSize, diskSyncs: number): Promise<WorkloadReport> {
  const snapshotEvents = snapshotEventsFor(size)
  return await withProduct(
    context,
    async (product, scratch) => {
      const dataDir = join(scratch, PRODUCT_DATA)
      await createCoupon(product.baseUrl, CODE, 'once')
      const diskBefore = measureDiskSync(scratch, diskSyncs)
      context.say(`disk before   ${latencyLine(diskBefore)}`)
      context.say(
        `holding ${size.ratePerSecond.toLocaleString('en')}/s for ${size.seconds} s, snapshots every ${snapshotEvents.toLocaleString('en')} events`,
      )
      const segmentsBefore = countSegments(dataDir)
      const sampler = new FootprintSampler(product.pid, product.baseUrl, size.footprintEverySeconds * 1_000)
      let load: OpenLoopResult
      try {
        const runMs = (size.warmupSeconds + size.seconds + size.drainSeconds) * 1_000
        load = await runChild<OpenLoopInput, OpenLoopResult>(
          ENTRIES.openLoop,
          { port: product.port, code: CODE, tag: 'h', seed: context.seed, ...size },
          runMs + CHILD_TIME_LIMIT_MS,
        )
      } finally {
        await sampler.stop()
      }
      const beganMs = load.startedAtMs + size.warmupSeconds * 1_000
      const isDuring = (atMs: number): boolean => atMs >= beganMs && atMs <= beganMs + size.seconds * 1_000
      const held: Held = {
        load,
        snapshotEvents,
        snapshots: product.log.all(SNAPSHOTS_MADE).filter(({ timeMs }) => isDuring(timeMs)),
        footprints: sampler.samples
          .filter(({ atMs }) => isDuring(atMs))
          .map((sample) => ({ ...sample, atSecond: (sample.atMs - beganMs) / 1_000 })),
        missedFootprints: sampler.missed,
        segmentsBefore,
        segmentsAfter: countSegments(dataDir),
        archivedAfter: countArchived(dataDir),
        snapshottedEvents: snapshottedEvents(dataDir),
        warnings: product.log.warnings(),
        uses: await couponUses(product.baseUrl, CODE),
      }
      const diskAfter = measureDiskSync(scratch, diskSyncs)
      const series = seriesOf(held, size, beganMs)
      for (const line of linesOf(held, beganMs, series)) context.say(line)
      context.say(`disk after    ${latencyLine(diskAfter)}`)
      return {
        workload: 'held',
        figures: [
          ...latencyFigures(held, size),
          ...memoryFigures(held, size),
          ...logFigures(held),
          { name: 'held: fdatasync p99.9 (disk alone)', value: diskAfter.p999Ms, unit: 'ms', target: null },
        ],
        checks: checksOf(held, size),
        series,
        detail: { ...held, diskBefore, diskAfter },
      }
    },
    { settings: { [SNAPSHOT_SETTING]: String(snapshotEvents) } },
  )
}

/** The product's default or the caller's, unless the run is too short for enough snapshots with it. */
function snapshotEventsFor({ ratePerSecond, seconds, snapshotsMin }: HeldSize): number {
  const asked = callerSettings()[SNAPSHOT_SETTING]
  if (asked !== undefined) return Number(asked)
  const forEnough = Math.floor((ratePerSecond * seconds) / (snapshotsMin + SNAPSHOTS_SPARE))
  return Math.min(SNAPSHOT_EVENTS_DEFAULT, forEnough)
}

/** A row for each stretch: its latencies, and what the server held at the last sample until its end. */
function seriesOf({ load, footprints, snapshots }: Held, { sliceSeconds }: HeldSize, beganMs: number): Series {
  const rows = load.slices.map((slice, index) => {
    const untilSecond = (index + 1) * sliceSeconds
    const footprint = footprints.filter(({ atSecond }) => atSecond <= untilSecond).at(-1)
    const made = snapshots.filter(({ timeMs }) => (timeMs - beganMs) / 1_000 <= untilSecond).length
    return [
      untilSecond,
      slice.count,
      slice.p50Ms,
      slice.p99Ms,
      slice.p999Ms,
      slice.maxMs,
      (footprint?.anonymousBytes ?? Number.NaN) / MIB,
      (footprint?.stateBytes ?? Number.NaN) / MIB,
      footprint?.readModelLagMs ?? Number.NaN,
      made,
    ]
  })
  return {
    columns: [
      'untilSecond',
      'requests',
      'p50Ms',
      'p99Ms',
      'p999Ms',
      'maxMs',
      'anonymousMiB',
      'stateMiB',
      'readModelLagMs',
      'snapshots',
    ],
    rows,
  }
}

function linesOf({ load, snapshots, warnings, missedFootprints }: Held, beganMs: number, series: Series): string[] {
  const column = (name: string): number[] => {
    const index = series.columns.indexOf(name)
    return series.rows.map((row) => row[index] as number)
  }
  const state = column('stateMiB')
  return [
    `latency       ${latencyLine(load.latency)}`,
    `sent late     ${latencyLine(load.sendLag)}; generator ${(load.generatorCpu * 100).toFixed(0)} % of a core`,
    ...(load.firstError === '' ? [] : [`first error   ${load.firstError}`]),
    ...snapshots.map(({ timeMs, fields }) => {
      const { events, bytes, segmentsArchived, elapsedMs } = fields
      return `snapshots at ${((timeMs - beganMs) / 1_000).toFixed(0)} s: ${String(events)} events, ${String(bytes)} bytes, ${String(segmentsArchived)} segments archived, took ${String(elapsedMs)} ms`
    }),
    ...Object.entries(warnings).map(([message, times]) => `warned ${times} times: ${message}`),
    ...missedFootprints.map((reason) => `a footprint is missing: ${reason}`),
    ...chartLines('p99 of each stretch, ms', column('p99Ms')),
    ...chartLines('anonymous memory, MiB', column('anonymousMiB')),
    ...chartLines(
      'anonymous memory beyond the state, MiB',
      column('anonymousMiB').map((value, index) => value - (state[index] as number)),
    ),
  ]
}

function latencyFigures({ load }: Held, size: HeldSize): Figure[] {
  const worst = (of: (slice: LatencySummary) => number): number => Math.max(...load.slices.map(of))
  const minutes = size.seconds / 60
  const length = minutes >= 1 ? `${minutes.toLocaleString('en')} min` : `${size.seconds} s`
  return [
    {
      name: `held: redemptions at ${size.ratePerSecond.toLocaleString('en')}/s for ${length}`,
      value: load.achievedPerSecond,
      unit: '/s',
      target: atLeast(size.ratePerSecond * RATE_SHARE_MIN),
    },
    { name: 'held: errors', value: load.errors, unit: '', target: atMost(0) },
    { name: 'held: p50', value: load.latency.p50Ms, unit: 'ms', target: null },
    { name: 'held: p99', value: load.latency.p99Ms, unit: 'ms', target: null },
    { name: 'held: p99.9', value: load.latency.p999Ms, unit: 'ms', target: atMost(P999_TARGET_MS) },
    { name: 'held: max', value: load.latency.maxMs, unit: 'ms', target: null },
    {
      name: `held: p99 of the worst ${size.sliceSeconds} s`,
      value: worst(({ p99Ms }) => p99Ms),
      unit: 'ms',
      target: null,
    },
  ]
}

function memoryFigures({ load, footprints, snapshots }: Held, size: HeldSize): Figure[] {
  const settled = footprints.filter(({ atSecond }) => atSecond >= size.seconds * MEMORY_WARMUP_SHARE)
  const beyond = settled.map(({ atSecond, anonymousBytes, stateBytes }) => ({
    x: atSecond,
    y: anonymousBytes - stateBytes,
  }))
  const bytesPerSecond = slopeOf(beyond)
  const last = footprints.at(-1)
  const perMinute = (bytesPerSecond * 60) / MIB
  return [
    {
      name: 'held: memory beyond the state, growth a redemption',
      value: bytesPerSecond / load.achievedPerSecond,
      unit: 'B',
      target: atMost(GROWTH_TARGET_BYTES),
    },
    { name: 'held: memory beyond the state, growth', value: perMinute, unit: 'MiB/min', target: null },
    { name: 'held: memory beyond the state', value: median(beyond.map(({ y }) => y)) / MIB, unit: 'MiB', target: null },
    {
      name: 'held: memory beyond the state, highest',
      value: Math.max(...beyond.map(({ y }) => y)) / MIB,
      unit: 'MiB',
      target: null,
    },
    {
      name: 'held: anonymous memory at the end',
      value: (last?.anonymousBytes ?? Number.NaN) / MIB,
      unit: 'MiB',
      target: null,
    },
    { name: 'held: state at the end', value: (last?.stateBytes ?? Number.NaN) / MIB, unit: 'MiB', target: null },
    {
      name: 'held: lag of the read model, highest',
      value: Math.max(...footprints.map(({ readModelLagMs }) => readModelLagMs)),
      unit: 'ms',
      target: null,
    },
    { name: 'held: snapshots made meanwhile', value: snapshots.length, unit: '', target: null },
  ]
}

function logFigures({ segmentsBefore, segmentsAfter, archivedAfter }: Held): Figure[] {
  return [
    { name: 'held: segments before', value: segmentsBefore, unit: '', target: null },
    { name: 'held: segments after', value: segmentsAfter, unit: '', target: null },
    { name: 'held: of these archived', value: archivedAfter, unit: '', target: null },
  ]
}

function checksOf(held: Held, size: HeldSize): Check[] {
  const { load, uses, snapshots, segmentsBefore, segmentsAfter, snapshotEvents, footprints } = held
  // The one that was made last covers at least all that made the ones asked for due.
  const coveredMin = snapshotEvents * size.snapshotsMin
  const lagsKnown = footprints.filter(({ readModelLagMs }) => !Number.isNaN(readModelLagMs)).length
  return [
    checkEqual('requests sent', load.planned, load.sent),
    checkEqual('redeemed and errors together', load.planned, load.redeemed + load.errors),
    load.errors === 0
      ? checkEqual('uses of the coupon', load.redeemed, uses)
      : { name: 'errors', expected: 'none', seen: load.firstError, holds: false },
    checkAtLeast('snapshots made under load', size.snapshotsMin, snapshots.length),
    checkAtLeast('events in the newest snapshots', coveredMin, held.snapshottedEvents),
    checkAtLeast('segments after', segmentsBefore + 1, segmentsAfter),
    checkAtLeast('footprints', 2, footprints.length),
    checkEqual('footprints with a lag of the read model', footprints.length, lagsKnown),
  ]
}
