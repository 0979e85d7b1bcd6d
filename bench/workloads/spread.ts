// spread: does it matter how the load lies over the coupons? One coupon for all, ten thousand evenly, and ten thousand
// of which a few take most (Zipf), by turns in one run. The client does the same work in all three.

import { type ClosedLoopResult, runClosedLoop, writeCodes } from '../load/closed-loop.ts'
import { drawEvenly, drawZipf } from '../load/draw-codes.ts'
import { atLeast, type Check, checkBetween, checkEqual, median, type WorkloadReport } from '../report/figure.ts'
import { createCoupons, totalUses } from '../server/coupons.ts'
import type { SpreadSize } from '../sizes.ts'
import type { BenchContext } from './context.ts'
import { withProduct } from './with-product.ts'

const ZIPF_SHARE_TARGET = 0.8
const SHAPES = ['one', 'even', 'zipf'] as const
type Shape = (typeof SHAPES)[number]

interface Run extends ClosedLoopResult {
  readonly shape: Shape
  /** 0 is the warm-up: it counts for the uses, not for the figures. */
  readonly round: number
}

/** Codes of one length, so that every request is equally long. */
function codesOf(shape: Shape, count: number): string[] {
  const letters = { one: 'SPO', even: 'SPE', zipf: 'SPZ' }[shape]
  return Array.from({ length: count }, (_, index) => letters + String(index).padStart(6, '0'))
}

export async function runSpread(context: BenchContext, size: SpreadSize): Promise<WorkloadReport> {
  return await withProduct(context, async (product, scratch) => {
    const codes = { one: codesOf('one', 1), even: codesOf('even', size.coupons), zipf: codesOf('zipf', size.coupons) }
    const draws = {
      one: codes.one,
      even: drawEvenly(codes.even, size.draws, context.seed),
      zipf: drawZipf(codes.zipf, size.zipfExponent, size.draws, context.seed),
    }
    const files = {
      one: writeCodes(scratch, 'one', draws.one),
      even: writeCodes(scratch, 'even', draws.even),
      zipf: writeCodes(scratch, 'zipf', draws.zipf),
    }
    for (const shape of SHAPES) await createCoupons(product.baseUrl, codes[shape])
    const runs: Run[] = []
    for (let round = size.warmupSeconds > 0 ? 0 : 1; round <= size.rounds; round++) {
      for (const shape of SHAPES) {
        const result = await runClosedLoop(context.loadTool, {
          port: product.port,
          kind: 'redeem',
          codesFile: files[shape],
          tag: `s${String(runs.length).padStart(3, '0')}`,
          connections: size.connections,
          seconds: round === 0 ? size.warmupSeconds : size.secondsPerRun,
        })
        runs.push({ ...result, shape, round })
      }
      if (round > 0) context.say(roundLine(runs, round))
    }
    const uses = {
      one: await totalUses(product.baseUrl, codes.one),
      even: await totalUses(product.baseUrl, codes.even),
      zipf: await totalUses(product.baseUrl, codes.zipf),
    }
    return {
      workload: 'spread',
      figures: [
        {
          name: `spread: ${size.coupons.toLocaleString('en')} coupons under Zipf ÷ one`,
          value: medianShare(runs, 'zipf', size.rounds),
          unit: '%',
          target: atLeast(ZIPF_SHARE_TARGET),
        },
        {
          name: `spread: ${size.coupons.toLocaleString('en')} coupons evenly ÷ one`,
          value: medianShare(runs, 'even', size.rounds),
          unit: '%',
          target: null,
        },
        {
          name: 'spread: one coupon',
          value: median(
            runs.filter((run) => run.shape === 'one' && run.round > 0).map((run) => run.succeededPerSecond),
          ),
          unit: '/s',
          target: null,
        },
      ],
      checks: [
        checkEqual(
          'errors',
          0,
          runs.reduce((sum, run) => sum + run.errors, 0),
        ),
        ...SHAPES.map((shape) => usesCheck(runs, shape, uses[shape], size.connections)),
      ],
      detail: { loadTool: context.loadTool, runs, uses },
    }
  })
}

function rateOf(runs: readonly Run[], shape: Shape, round: number): number {
  return runs.find((run) => run.shape === shape && run.round === round)?.succeededPerSecond ?? Number.NaN
}

function medianShare(runs: readonly Run[], shape: Shape, rounds: number): number {
  const shares = Array.from(
    { length: rounds },
    (_, index) => rateOf(runs, shape, index + 1) / rateOf(runs, 'one', index + 1),
  )
  return median(shares)
}

function roundLine(runs: readonly Run[], round: number): string {
  const rates = SHAPES.map((shape) => `${shape} ${Math.round(rateOf(runs, shape, round)).toLocaleString('en')}/s`)
  return `round ${round}: ${rates.join(', ')}`
}

/** Requests that were open when a run ended may have been done without being counted. */
function usesCheck(runs: readonly Run[], shape: Shape, uses: number, connections: number): Check {
  const mine = runs.filter((run) => run.shape === shape)
  const acknowledged = mine.reduce((sum, run) => sum + run.succeeded, 0)
  return checkBetween(`uses, ${shape}`, acknowledged, acknowledged + mine.length * connections, uses)
}
