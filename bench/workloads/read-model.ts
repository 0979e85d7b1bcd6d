// read-model: what following the log costs those who check out, and how far lists are behind.
//
//   round 1:  with  without     round 2:  without  with     round 3:  with  without
//
// Each run has a server and a directory of its own, so that both begin equally empty. With the read model a list is asked
// for once a second, as somebody would who watches the sale; that load counts against it. Latency is that of the open loop:
// from the moment a request was due. Each round gives one ratio, and the median of the rounds counts.

import { performance } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import { runChild } from '../children.ts'
import { latencyLine } from '../load/latency.ts'
import type { OpenLoopInput, OpenLoopResult } from '../load/open-loop.ts'
import { ENTRIES } from '../project.ts'
import { atLeast, atMost, type Check, checkEqual, median, type WorkloadReport } from '../report/figure.ts'
import { couponUses, createCoupon } from '../server/coupons.ts'
import { metricsText, sumOfMetric } from '../server/footprint.ts'
import { askList, ListPoll, type ListPollResult } from '../server/list-poll.ts'
import type { Product } from '../server/product.ts'
import type { ReadModelSize } from '../sizes.ts'
import type { BenchContext } from './context.ts'
import { withProduct } from './with-product.ts'

const P99_RATIO_TARGET = 1.3
const LAG_TARGET_MS = 2_000
/** A generator that falls behind by more has not held its rate. */
const RATE_SHARE_MIN = 0.99

const CODE = 'READMODEL'
const LISTS = `/v1/redemptions?couponId=${CODE}&limit=50`
const TAG = 'm'

/** How long the last redemption may take to be listed when the load is over; beyond, the check fails. */
const LISTED_LIMIT_MS = 5_000
const LISTED_POLL_MS = 50

type Side = 'with' | 'without'

interface Run {
  readonly side: Side
  readonly round: number
  readonly load: OpenLoopResult
  readonly uses: number
  /** null: without the read model no list is asked for. */
  readonly lists: ListPollResult | null
  readonly checks: readonly Check[]
}

export async function runReadModel(context: BenchContext, size: ReadModelSize): Promise<WorkloadReport> {
  const runs: Run[] = []
  for (let round = 1; round <= size.rounds; round++) {
    const sides: readonly Side[] = round % 2 === 1 ? ['with', 'without'] : ['without', 'with']
    for (const side of sides) {
      const run = await measure(context, size, side, round)
      context.say(`${side.padEnd(7)} round ${round}: ${latencyLine(run.load.latency)}${listWords(run.lists)}`)
      runs.push(run)
    }
  }
  const rounds = Array.from({ length: size.rounds }, (_, index) => index + 1)
  const p99 = (side: Side, round: number): number => runOf(runs, side, round).load.latency.p99Ms
  const middle = (side: Side, percentile: 'p99Ms' | 'p999Ms'): number =>
    median(rounds.map((round) => runOf(runs, side, round).load.latency[percentile]))
  const lists = runs.flatMap((run) => (run.lists === null ? [] : [run.lists]))
  return {
    workload: 'read-model',
    figures: [
      {
        name: 'read-model: checkout p99 with ÷ without',
        value: median(rounds.map((round) => p99('with', round) / p99('without', round))),
        unit: '×',
        target: atMost(P99_RATIO_TARGET),
      },
      {
        name: 'read-model: lag of a list, highest',
        value: Math.max(...lists.map(({ lagMaxMs }) => lagMaxMs)),
        unit: 'ms',
        target: atMost(LAG_TARGET_MS),
      },
      {
        name: `read-model: lowest rate at ${size.ratePerSecond.toLocaleString('en')}/s`,
        value: Math.min(...runs.map(({ load }) => load.achievedPerSecond)),
        unit: '/s',
        target: atLeast(size.ratePerSecond * RATE_SHARE_MIN),
      },
      { name: 'read-model: checkout p99 with', value: middle('with', 'p99Ms'), unit: 'ms', target: null },
      { name: 'read-model: checkout p99 without', value: middle('without', 'p99Ms'), unit: 'ms', target: null },
      { name: 'read-model: checkout p99.9 with', value: middle('with', 'p999Ms'), unit: 'ms', target: null },
      { name: 'read-model: checkout p99.9 without', value: middle('without', 'p999Ms'), unit: 'ms', target: null },
      {
        name: 'read-model: slowest list',
        value: Math.max(...lists.map(({ latency }) => latency.maxMs)),
        unit: 'ms',
        target: null,
      },
    ],
    checks: runs.flatMap(({ checks }) => checks),
    detail: { runs },
  }
}

async function measure(context: BenchContext, size: ReadModelSize, side: Side, round: number): Promise<Run> {
  const options = side === 'with' ? {} : { preload: ENTRIES.readModelOff }
  return await withProduct(
    context,
    async (product) => {
      await createCoupon(product.baseUrl, CODE, 'once')
      const before = await sideCheck(product, side, round)
      const poll = side === 'with' ? new ListPoll(product.baseUrl, LISTS) : null
      let load: OpenLoopResult
      let lists: ListPollResult | null
      try {
        load = await runChild<OpenLoopInput, OpenLoopResult>(ENTRIES.openLoop, {
          port: product.port,
          code: CODE,
          tag: TAG,
          // Another draw each round, the same for both sides of it.
          seed: context.seed + round,
          ratePerSecond: size.ratePerSecond,
          seconds: size.seconds,
          warmupSeconds: size.warmupSeconds,
          connections: size.connections,
          drainSeconds: size.drainSeconds,
        })
      } finally {
        lists = (await poll?.stop()) ?? null
      }
      const uses = await couponUses(product.baseUrl, CODE)
      const name = `${side}, round ${round}`
      const checks = [
        before,
        checkEqual(`${name}: errors${load.firstError === '' ? '' : ` (${load.firstError})`}`, 0, load.errors),
        checkEqual(`${name}: requests redeemed`, load.planned, load.redeemed),
        checkEqual(`${name}: uses of the coupon`, load.redeemed, uses),
        ...(lists === null ? [] : await listChecks(product, name, lists, load)),
      ]
      return { side, round, load, uses, lists, checks }
    },
    options,
  )
}

/** Whether the server really has the read model, or really has none. */
async function sideCheck(product: Product, side: Side, round: number): Promise<Check> {
  const deadlineMs = performance.now() + LISTED_LIMIT_MS
  for (;;) {
    const { status } = await askList(product.baseUrl, LISTS)
    const lag = sumOfMetric(await metricsText(product.baseUrl), 'tearoff_read_model_lag_seconds')
    const seen = `lists answer ${status}, ${Number.isNaN(lag) ? 'no lag is known' : 'a lag is known'}`
    const expected = side === 'with' ? 'lists answer 200, a lag is known' : 'lists answer 503, no lag is known'
    // Its thread starts behind readiness, so a list may come too early.
    if (seen === expected || performance.now() > deadlineMs) {
      return { name: `${side}, round ${round}: read model`, expected, seen, holds: seen === expected }
    }
    await pause(LISTED_POLL_MS)
  }
}

async function listChecks(
  product: Product,
  name: string,
  { polls, errors, firstError }: ListPollResult,
  load: OpenLoopResult,
): Promise<Check[]> {
  const lastOrder = `o${TAG}${String(load.planned - 1).padStart(8, '0')}`
  const listed = await untilListed(product.baseUrl, lastOrder)
  return [
    { name: `${name}: lists asked for`, expected: 'at least 1', seen: String(polls), holds: polls >= 1 },
    checkEqual(`${name}: lists refused${firstError === '' ? '' : ` (${firstError})`}`, 0, errors),
    checkEqual(`${name}: the last order is listed`, 1, listed),
  ]
}

/** How many redemptions of an order are listed, as soon as there is one. */
async function untilListed(baseUrl: string, orderId: string): Promise<number> {
  const deadlineMs = performance.now() + LISTED_LIMIT_MS
  for (;;) {
    const { text } = await askList(baseUrl, `/v1/redemptions?orderId=${orderId}`)
    const { data } = JSON.parse(text) as { data?: readonly unknown[] }
    const count = data?.length ?? 0
    if (count > 0 || performance.now() > deadlineMs) return count
    await pause(LISTED_POLL_MS)
  }
}

function listWords(lists: ListPollResult | null): string {
  if (lists === null) return ''
  return `; ${lists.polls} lists, lag at most ${lists.lagMaxMs} ms, slowest ${lists.latency.maxMs.toFixed(0)} ms`
}

function runOf(runs: readonly Run[], side: Side, round: number): Run {
  const found = runs.find((run) => run.side === side && run.round === round)
  if (found === undefined) throw new Error(`there was no run ${side} the read model in round ${round}`)
  return found
}
