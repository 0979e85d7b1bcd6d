// stacked: what a cart with several coupons costs when they live on different shards, as a share of a cart with one.
//
//   round 1:  one  two  three     round 2:  two  three  one     round 3:  three  one  two
//
// Coupons are alike (10 %, without limits, stackable), requests differ by the codes in them only. Every request has to
// succeed, and afterwards the coupons of one cart have to have the same uses, with no hold left: all or none.
//
// With several workers the coupons of a cart are spread over them, so that their messages wait for flushes: the dearer case.

import { availableParallelism } from 'node:os'
import { performance } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import { type ClosedLoopResult, runClosedLoop, writeCodes } from '../load/closed-loop.ts'
import { redeemBody } from '../load/redeem-request.ts'
import {
  atLeast,
  type Check,
  checkBetween,
  checkEqual,
  type Figure,
  median,
  type WorkloadReport,
} from '../report/figure.ts'
import { type CouponCounters, couponCounters, createStackableCoupon } from '../server/coupons.ts'
import { callerSettings, type Product } from '../server/product.ts'
import { sampleAnswer } from '../server/sample.ts'
import type { StackedSize } from '../sizes.ts'
import type { BenchContext } from './context.ts'
import { withProduct } from './with-product.ts'

const TWO_SHARE_TARGET = 0.35

const SHAPES = ['one', 'two', 'three'] as const
type Shape = (typeof SHAPES)[number]
const COUPONS_OF: Readonly<Record<Shape, number>> = { one: 1, two: 2, three: 3 }

/** 10 % of 4,999, of the 4,499 that are left, and of the 4,049 then left, each rounded half up. */
const EXPECTED_AMOUNTS = [500, 450, 405]

/** Coupons made in search of enough shards; nearly all are found within the first twenty. */
const CANDIDATES_MAX = 400

/** How long requests that were cut off with the last run may take to end. */
const SETTLE_LIMIT_MS = 10_000
const SETTLE_POLL_MS = 50

/** Shown beside the claim. The product's own default on this machine is what is claimed. */
const SHOWN_WORKERS = 2

interface Run extends ClosedLoopResult {
  readonly shape: Shape
  readonly connections: number
  /** 0 is the warm-up: it counts for the uses, not for the figures. */
  readonly round: number
}

interface Side {
  readonly workers: number
  readonly runs: readonly Run[]
  readonly codes: Readonly<Record<Shape, readonly string[]>>
  readonly shards: Readonly<Record<string, number>>
  readonly counters: Readonly<Record<Shape, readonly CouponCounters[]>>
  readonly checks: readonly Check[]
}

export async function runStacked(context: BenchContext, size: StackedSize): Promise<WorkloadReport> {
  const own = await measure(context, size, workersOf(callerSettings()), size.connections)
  const others: Side[] = []
  if (own.workers !== SHOWN_WORKERS) {
    others.push(await measure(context, size, SHOWN_WORKERS, size.connections.slice(-1)))
  }
  return {
    workload: 'stacked',
    figures: [...figuresOf(own, size, true), ...others.flatMap((side) => figuresOf(side, size, false))],
    checks: [own, ...others].flatMap(({ checks }) => checks),
    detail: { loadTool: context.loadTool, own, others },
  }
}

/** The product's number of workers: as set by the caller, otherwise its default. */
function workersOf(settings: Readonly<Record<string, string>>): number {
  return Number(settings.TEAROFF_WORKERS ?? Math.max(1, availableParallelism() - 1))
}

async function measure(
  context: BenchContext,
  size: StackedSize,
  workers: number,
  connectionCounts: readonly number[],
): Promise<Side> {
  const settings = { TEAROFF_WORKERS: String(workers) }
  return await withProduct(
    context,
    async (product, scratch) => {
      const { codes, shards } = await createCarts(product.baseUrl, workers)
      const checks: Check[] = []
      for (const shape of SHAPES) checks.push(await amountsCheck(product, codes[shape], workers))
      const file = (shape: Shape): string => writeCodes(scratch, shape, [codes[shape].join(',')])
      const files = { one: file('one'), two: file('two'), three: file('three') }
      const runs: Run[] = []
      for (const connections of connectionCounts) {
        for (let round = size.warmupSeconds > 0 ? 0 : 1; round <= size.rounds; round++) {
          for (const shape of rotatedShapes(round)) {
            const result = await runClosedLoop(context.loadTool, {
              port: product.port,
              kind: 'redeem',
              codesFile: files[shape],
              tag: `k${String(runs.length).padStart(3, '0')}`,
              connections,
              seconds: round === 0 ? size.warmupSeconds : size.secondsPerRun,
            })
            runs.push({ ...result, shape, connections, round })
          }
          if (round > 0) context.say(roundLine(runs, workers, connections, round))
        }
      }
      const counters = {
        one: await settledCounters(product.baseUrl, codes.one),
        two: await settledCounters(product.baseUrl, codes.two),
        three: await settledCounters(product.baseUrl, codes.three),
      }
      const errors = runs.reduce((sum, run) => sum + run.errors, 0)
      checks.push(checkEqual(`${workersWords(workers)}: errors`, 0, errors))
      for (const shape of SHAPES) checks.push(...usesChecks(runs, shape, counters[shape], workers))
      return { workers, runs, codes, shards, counters, checks }
    },
    { settings },
  )
}

/**
 * Coupons for the three carts. Those of one cart lie on different shards, and on different workers as far as there are so
 * many (shard s lives on worker s mod workers). Where a code lies depends on the deployment's secret, so it is tried out.
 */
async function createCarts(
  baseUrl: string,
  workers: number,
): Promise<{ codes: Record<Shape, string[]>; shards: Record<string, number> }> {
  const codes: Record<Shape, string[]> = { one: [], two: [], three: [] }
  const shards: Record<string, number> = {}
  for (let candidate = 0; candidate < CANDIDATES_MAX; candidate++) {
    const code = `STACK${String(candidate).padStart(4, '0')}`
    const shard = await createStackableCoupon(baseUrl, code)
    const fits = (shape: Shape): boolean => {
      const taken = codes[shape]
      if (taken.length === COUPONS_OF[shape]) return false
      return shard % workers === taken.length % workers && taken.every((other) => shards[other] !== shard)
    }
    const shape = SHAPES.find(fits)
    if (shape !== undefined) {
      codes[shape].push(code)
      shards[code] = shard
    }
    if (SHAPES.every((each) => codes[each].length === COUPONS_OF[each])) return { codes, shards }
  }
  throw new Error(`${CANDIDATES_MAX} coupons do not lie on enough shards for three different ones: set more shards`)
}

function rotatedShapes(round: number): Shape[] {
  const start = round % SHAPES.length
  return [...SHAPES.slice(start), ...SHAPES.slice(0, start)]
}

/** One cart of each shape is redeemed before the load, and its amounts are looked at. */
async function amountsCheck(product: Product, codes: readonly string[], workers: number): Promise<Check> {
  const body = redeemBody(codes.join(','), 'sample', codes.length)
  const { body: text } = await sampleAnswer(product.port, '/v1/redemptions', body, 201)
  const { coupons } = JSON.parse(text) as { coupons?: { code: string; amount: number }[] }
  const seen = (coupons ?? []).map(({ code, amount }) => `${code} ${amount}`).join(', ')
  const expected = codes.map((code, index) => `${code} ${EXPECTED_AMOUNTS[index]}`).join(', ')
  return { name: `${workersWords(workers)}: amounts`, expected, seen, holds: seen === expected }
}

/** The counters of a cart's coupons once nothing of it is under way any more; the last ones seen if that takes too long. */
async function settledCounters(baseUrl: string, codes: readonly string[]): Promise<CouponCounters[]> {
  const deadlineMs = performance.now() + SETTLE_LIMIT_MS
  let before = ''
  for (;;) {
    const counters: CouponCounters[] = []
    for (const code of codes) counters.push(await couponCounters(baseUrl, code))
    const seen = JSON.stringify(counters)
    const isQuiet = seen === before && isAllOrNone(counters)
    if (isQuiet || performance.now() > deadlineMs) return counters
    before = seen
    await pause(SETTLE_POLL_MS)
  }
}

function isAllOrNone(counters: readonly CouponCounters[]): boolean {
  return counters.every(({ uses, reserved }) => uses === counters[0]?.uses && reserved === 0)
}

function usesChecks(runs: readonly Run[], shape: Shape, counters: readonly CouponCounters[], workers: number): Check[] {
  const mine = runs.filter((run) => run.shape === shape)
  const sampled = 1
  const acknowledged = mine.reduce((sum, run) => sum + run.succeeded, sampled)
  // Requests that were open when a run ended may have been done without being counted.
  const cutOff = mine.reduce((sum, run) => sum + run.connections, 0)
  const name = `${workersWords(workers)}: ${shape}`
  const uses = counters[0]?.uses ?? Number.NaN
  return [
    checkBetween(`${name}, uses`, acknowledged, acknowledged + cutOff, uses),
    {
      name: `${name}, all or none`,
      expected: counters.map(() => `${uses} uses and 0 held`).join(', '),
      seen: counters.map((each) => `${each.uses} uses and ${each.reserved} held`).join(', '),
      holds: isAllOrNone(counters),
    },
  ]
}

function workersWords(workers: number): string {
  return workers === 1 ? '1 worker' : `${workers} workers`
}

function rateOf(runs: readonly Run[], shape: Shape, connections: number, round: number): number {
  const isMeant = (run: Run): boolean => run.shape === shape && run.connections === connections && run.round === round
  return runs.find(isMeant)?.succeededPerSecond ?? Number.NaN
}

function roundLine(runs: readonly Run[], workers: number, connections: number, round: number): string {
  const rate = (shape: Shape): number => rateOf(runs, shape, connections, round)
  const words = SHAPES.map((shape) => `${shape} ${Math.round(rate(shape)).toLocaleString('en')}/s`)
  const share = ((rate('two') / rate('one')) * 100).toFixed(1)
  return `${workersWords(workers)}, ${connections} connections, round ${round}: ${words.join(', ')}; two ÷ one ${share} %`
}

function figuresOf(side: Side, size: StackedSize, isClaimed: boolean): Figure[] {
  const { runs, workers } = side
  const rounds = Array.from({ length: size.rounds }, (_, index) => index + 1)
  const counts = [...new Set(runs.map((run) => run.connections))]
  return counts.flatMap((connections) => {
    const ending = `${connections} connections, ${workersWords(workers)}`
    const share = (shape: Shape): number =>
      median(rounds.map((round) => rateOf(runs, shape, connections, round) / rateOf(runs, 'one', connections, round)))
    const rate = (shape: Shape): number => median(rounds.map((round) => rateOf(runs, shape, connections, round)))
    return [
      {
        name: `stacked: two coupons ÷ one, ${ending}`,
        value: share('two'),
        unit: '%' as const,
        target: isClaimed ? atLeast(TWO_SHARE_TARGET) : null,
      },
      { name: `stacked: three coupons ÷ one, ${ending}`, value: share('three'), unit: '%' as const, target: null },
      ...SHAPES.map((shape) => ({
        name: `stacked: carts with ${shape}, ${ending}`,
        value: rate(shape),
        unit: '/s' as const,
        target: null,
      })),
    ]
  })
}
