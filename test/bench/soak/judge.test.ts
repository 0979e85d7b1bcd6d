// The judge of a soak, from samples that nobody measured: what it calls growth, what it forgives, and that nothing that went wrong
// gets past it.

import { describe, expect, it } from 'vitest'
import { meets, type WorkloadReport } from '../../../bench/report/figure.ts'
import { chartSvg } from '../../../bench/report/svg-chart.ts'
import { isDocumented } from '../../../bench/soak/documented.ts'
import { growthPerMinute, judgeSoak, type SoakRun } from '../../../bench/soak/judge.ts'
import { Meters, type OperationTotals } from '../../../bench/soak/meters.ts'
import { FULL_RATE_PER_SECOND, OPERATIONS, type OperationName, soakSize } from '../../../bench/soak/mix.ts'
import { soakPage } from '../../../bench/soak/page.ts'
import type { SoakSample } from '../../../bench/soak/watch.ts'
import { SeededRandom } from '../../support/seeded-random.ts'

const HOUR = soakSize(60, FULL_RATE_PER_SECOND)
const EVERY_SECONDS = 5
const MB = 1_000_000
const SEED = 20_261_121

/** Memory beyond the state at each second, bytes; the state itself grows, and is none of the judge's business. */
function samplesOf(beyondAt: (second: number) => number): SoakSample[] {
  return Array.from({ length: 3_600 / EVERY_SECONDS }, (_, index) => {
    const atSecond = (index + 1) * EVERY_SECONDS
    const stateBytes = 30 * MB + atSecond * 40_000
    return {
      atSecond,
      seconds: EVERY_SECONDS,
      stateBytes,
      anonymousBytes: stateBytes + beyondAt(atSecond),
      searchBytes: MB,
      heapBytes: 40 * MB,
      readModelLagMs: 100,
      logBytes: 1,
      archiveBytes: 2,
      snapshotBytes: 3,
      databaseBytes: 4,
      handles: 100,
      threads: 20,
      loopDelayP99Ms: 1,
      ordersRemembered: 5,
      operations: { redeem: { count: 5_000, p99Ms: 3 } },
      refusals: {},
    }
  })
}

function operations(change: Partial<Record<OperationName, Partial<OperationTotals>>>): SoakRun['totals']['operations'] {
  const latency = { count: 1_000_000, p50Ms: 1, p99Ms: 3, p999Ms: 5, maxMs: 9 }
  const sound = { done: 1_000_000, provoked: {}, surprises: {}, undocumented: {}, latency }
  return Object.fromEntries(OPERATIONS.map((name) => [name, { ...sound, ...change[name] }])) as Record<
    OperationName,
    OperationTotals
  >
}

const SOUND: SoakRun = {
  size: HOUR,
  samples: samplesOf(() => 300 * MB),
  missedSamples: [],
  totals: {
    operations: operations({}),
    examples: [],
    rounds: {
      rounds: 60,
      codesMade: 600_000,
      codesExported: 600_000,
      jobsCancelled: 60,
      rowsImported: 120_000,
      faults: [],
    },
    heard: { pushes: 30_000, events: 200, sessions: 180, lost: 0 },
  },
  snapshots: 50,
  segmentsArchived: 48,
  warnings: {},
  firstWarnings: [],
  exactness: {
    uses: [{ name: 'HOT00000', told: 7, logged: 7, shown: 7 }],
    faults: [],
    events: 1_000,
    reservedAtEnd: 0,
    verifyExitCode: 0,
    verifyWords: 'the counters are what the events make',
    stopped: '',
  },
}

/** Evenly between minus and plus so much, the same for every run. */
function noiseOf(bytes: number): () => number {
  const random = new SeededRandom(SEED)
  return () => (random.below(2_001) / 1_000 - 1) * bytes
}

/** The names of everything that is short or does not hold. */
function complaints({ figures, checks }: WorkloadReport): string[] {
  return [...figures.filter((figure) => !meets(figure)), ...checks.filter(({ holds }) => !holds)].map(
    ({ name }) => name,
  )
}

const GROWTH = 'soak: memory beyond the state, growth over 60 min'

describe('the growth of memory beyond the state', () => {
  it('of 2 MB a minute is short', () => {
    const run = { ...SOUND, samples: samplesOf((second) => 300 * MB + (second / 60) * 2 * MB) }
    expect(growthPerMinute(run.samples, HOUR.seconds) / MB).toBeCloseTo(2, 6)
    expect(complaints(judgeSoak(run))).toEqual([GROWTH])
  })

  it('of 1.3 MB a minute is short under noise of twenty', () => {
    const noise = noiseOf(20 * MB)
    const run = { ...SOUND, samples: samplesOf((second) => 300 * MB + (second / 60) * 1.3 * MB + noise()) }
    // 576 samples over 48 minutes: the slope of such noise alone has a deviation of 0.035 MB a minute.
    expect(growthPerMinute(run.samples, HOUR.seconds) / MB).toBeGreaterThan(1.1)
    expect(complaints(judgeSoak(run))).toEqual([GROWTH])
  })

  it('of half a megabyte a minute is met, and so is none', () => {
    expect(complaints(judgeSoak({ ...SOUND, samples: samplesOf((second) => (second / 60) * 0.5 * MB) }))).toEqual([])
    expect(complaints(judgeSoak(SOUND))).toEqual([])
  })

  it('is not what the warm-up takes, nor the peaks of snapshots', () => {
    const noise = noiseOf(40 * MB)
    const warm = samplesOf((second) => Math.min(second, 700) * MB + noise())
    expect(Math.abs(growthPerMinute(warm, HOUR.seconds)) / MB).toBeLessThan(0.25)
    const peaks = samplesOf((second) => (second % 60 === 0 ? 900 * MB : 300 * MB))
    expect(growthPerMinute(peaks, HOUR.seconds)).toBe(0)
  })

  it('is short where nothing was measured', () => {
    expect(growthPerMinute([], HOUR.seconds)).toBeNaN()
    expect(complaints(judgeSoak({ ...SOUND, samples: [] }))).toEqual([
      GROWTH,
      'soak: open handles, drift',
      'soak: threads, drift',
      'samples',
    ])
    const unknown = SOUND.samples.map((sample) => ({ ...sample, anonymousBytes: Number.NaN }))
    expect(complaints(judgeSoak({ ...SOUND, samples: unknown }))).toEqual([GROWTH])
  })
})

describe('handles and threads', () => {
  it('may come and go, and not pile up', () => {
    const leaking = SOUND.samples.map((sample, i) => ({ ...sample, handles: 100 + Math.floor(i / 10), threads: 20 }))
    expect(complaints(judgeSoak({ ...SOUND, samples: leaking }))).toEqual(['soak: open handles, drift'])
    const threads = SOUND.samples.map((sample, i) => ({ ...sample, threads: 20 + Math.floor(i / 100) }))
    expect(complaints(judgeSoak({ ...SOUND, samples: threads }))).toEqual(['soak: threads, drift'])
    const coming = SOUND.samples.map((sample, i) => ({ ...sample, handles: i % 7 === 0 ? 400 : 100 }))
    expect(complaints(judgeSoak({ ...SOUND, samples: coming }))).toEqual([])
  })
})

describe('a soak that is not exact', () => {
  const { exactness, totals } = SOUND
  const wrong: readonly [what: string, run: SoakRun, complaint: string][] = [
    [
      'a use that was told and is not in the log',
      { ...SOUND, exactness: { ...exactness, uses: [{ name: 'HOT00000', told: 7, logged: 6, shown: 7 }] } },
      'uses as told, logged and shown',
    ],
    [
      'a counter that shows another number',
      { ...SOUND, exactness: { ...exactness, uses: [{ name: 'HOT00000', told: 7, logged: 7, shown: 8 }] } },
      'uses as told, logged and shown',
    ],
    [
      'a fault of the audit',
      { ...SOUND, exactness: { ...exactness, faults: ['one too many'] } },
      'faults that the audit finds in the log',
    ],
    ['a failed verify', { ...SOUND, exactness: { ...exactness, verifyExitCode: 1 } }, 'tearoff verify'],
    [
      'a hold that stayed',
      { ...SOUND, exactness: { ...exactness, reservedAtEnd: 1 } },
      'uses still reserved when all has lapsed',
    ],
    [
      'a stop that failed',
      { ...SOUND, exactness: { ...exactness, stopped: 'it hung' } },
      'the server stopped as it should',
    ],
    [
      'a job with a missing code',
      { ...SOUND, totals: { ...totals, rounds: { ...totals.rounds, faults: ['of 10000 codes 9999 were exported'] } } },
      'rounds of jobs that came out otherwise',
    ],
    [
      'an operation that never worked',
      { ...SOUND, totals: { ...totals, operations: operations({ search: { done: 0 } }) } },
      'operations that never succeeded',
    ],
    [
      'a feed that was cut off',
      { ...SOUND, totals: { ...totals, heard: { ...totals.heard, lost: 1 } } },
      'listeners that were cut off',
    ],
    [
      'a counter that the server itself found wrong',
      { ...SOUND, warnings: { 'a counter is not what the log makes': 1 } },
      'counters that the server found different from its log',
    ],
    ['a run without snapshots', { ...SOUND, snapshots: 2 }, 'soak: snapshots made'],
  ]
  for (const [what, run, complaint] of wrong) {
    it(`is told by ${what}`, () => expect(complaints(judgeSoak(run))).toEqual([complaint]))
  }

  it('is told by one error that the contract does not have', () => {
    const run = {
      ...SOUND,
      totals: { ...totals, operations: operations({ claim: { undocumented: { '500 INTERNAL_ERROR': 1 } } }) },
    }
    expect(complaints(judgeSoak(run))).toEqual([
      'soak: errors that are not documented',
      'errors that are not documented',
    ])
  })

  it('is told by many refusals that nobody provoked', () => {
    const run = {
      ...SOUND,
      totals: { ...totals, operations: operations({ claim: { surprises: { '503 OVERLOADED': 50_000 } } }) },
    }
    expect(complaints(judgeSoak(run))).toEqual(['soak: refusals that nobody provoked'])
  })
})

describe('answers', () => {
  it('are done, provoked, a surprise, or none of the contract’s', () => {
    const meters = new Meters()
    meters.done('redeem', 5)
    meters.refused('claim', 5, 409, 'POOL_EMPTY', '{}')
    meters.refused('redeem', 5, 503, 'OVERLOADED', '{}')
    meters.refused('redeem', 5, 500, 'INTERNAL_ERROR', '{}')
    meters.refused('redeem', 5, 0, 'CONNECTION_LOST', 'closed')
    meters.refused('redeem', 5, 0, 'NOT_SENT', 'no connection became free')
    const { claim, redeem } = meters.totals()
    expect(claim).toMatchObject({ done: 0, provoked: { POOL_EMPTY: 1 }, surprises: {}, undocumented: {} })
    expect(redeem).toMatchObject({
      done: 1,
      provoked: {},
      surprises: { '503 OVERLOADED': 1, '0 NOT_SENT': 1 },
      undocumented: { '500 INTERNAL_ERROR': 1, '0 CONNECTION_LOST': 1 },
    })
    expect(meters.examples).toHaveLength(4)
    expect(meters.takeStretch()).toMatchObject({ operations: { redeem: { count: 5 }, claim: { count: 1 } } })
    expect(meters.takeStretch()).toEqual({ operations: {}, refusals: {} })
  })

  it('are documented by status and code together', () => {
    expect(isDocumented(409, 'POOL_EMPTY')).toBe(true)
    expect(isDocumented(404, 'COUPON_NOT_FOUND')).toBe(true)
    expect(isDocumented(422, 'COUPON_NOT_FOUND')).toBe(true)
    expect(isDocumented(400, 'COUPON_NOT_FOUND')).toBe(false)
    expect(isDocumented(500, 'INTERNAL_ERROR')).toBe(false)
  })
})

describe('the page', () => {
  it('draws a line, leaves a hole where nothing is known, and says nothing as markup', () => {
    const lines = [{ name: '<b>', values: [0, 10, Number.NaN, 10, 5] }]
    const svg = chartSvg({ title: 'a & b', unit: 'ms', times: [0, 1, 2, 3, 4], lines })
    // From the bottom left (64, 212) to the top (12): the highest value is the highest line of the grid.
    expect(svg).toContain('d="M64.0 212.0L222.0 12.0M538.0 12.0L696.0 112.0"')
    expect(svg).toContain('>4 min</text>')
    expect(svg).toContain('a &amp; b')
    expect(svg).toContain('&lt;b&gt;')
    expect(svg).not.toContain('<b></span>')
  })

  it('needs nothing from elsewhere and says what is short first', () => {
    const run = { ...SOUND, samples: samplesOf((second) => (second / 60) * 2 * MB) }
    const page = soakPage(run, judgeSoak(run), ['a machine'])
    expect(page).not.toMatch(/(?:src|href)=|https?:|@import|url\(/)
    expect(page).toContain(`Short: ${GROWTH}`)
    expect(page).toContain('slope that is judged, 2.00 MB a minute')
    expect(soakPage(SOUND, judgeSoak(SOUND), [])).toContain('Met: nothing grows')
  })
})
