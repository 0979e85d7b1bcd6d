// ceiling: how much of what uWebSockets.js can do is left when the product decides and stores.
//
//   round 1:  bare/redeem  redeem  bare/validate  validate     round 2:  bare/redeem  redeem …
//
// The four take turns within one run, because the speed of a shared machine drifts by more than the differences that
// matter; each round gives one ratio, and the median of the rounds counts. The bare server answers what the product
// really answered to one such request, byte for byte.

import { startChild } from '../children.ts'
import { type ClosedLoopResult, runClosedLoop, writeCodes } from '../load/closed-loop.ts'
import { redeemBody, validateBody } from '../load/redeem-request.ts'
import { ENTRIES } from '../project.ts'
import {
  atLeast,
  type Check,
  checkBetween,
  checkEqual,
  type Figure,
  median,
  type WorkloadReport,
} from '../report/figure.ts'
import type { BareServerInput } from '../server/bare-server-main.ts'
import { couponUses, createCoupon } from '../server/coupons.ts'
import { freePort } from '../server/product.ts'
import { sampleAnswer } from '../server/sample.ts'
import type { CeilingSize } from '../sizes.ts'
import type { BenchContext } from './context.ts'
import { withProduct } from './with-product.ts'

const REDEEM_SHARE_TARGET = 0.6
const VALIDATE_SHARE_TARGET = 0.75
/** The promise about redeem is made for this many connections. */
const REDEEM_TARGET_CONNECTIONS = 256

const CODE = 'CEILING01'
const KINDS = ['redeem', 'validate'] as const
type Kind = (typeof KINDS)[number]

interface Pair {
  readonly kind: Kind
  readonly connections: number
  readonly round: number
  readonly bare: ClosedLoopResult
  readonly product: ClosedLoopResult
}

export async function runCeiling(context: BenchContext, size: CeilingSize): Promise<WorkloadReport> {
  return await withProduct(context, async (product, scratch) => {
    await createCoupon(product.baseUrl, CODE, 'once')
    const codesFile = writeCodes(scratch, 'ceiling', [CODE])
    const redeemed = await sampleAnswer(product.port, '/v1/redemptions', redeemBody(CODE, 'sample', 0), 201)
    const validated = await sampleAnswer(product.port, '/v1/validate', validateBody(CODE, 'sample', 1), 200)
    const bare = await startChild<BareServerInput, { port: number }>(ENTRIES.bareServer, {
      port: await freePort(),
      answers: { '/v1/redemptions': redeemed, '/v1/validate': validated },
    })
    const ports = { bare: bare.result.port, product: product.port }
    let runs = 0
    const load = async (server: keyof typeof ports, kind: Kind, connections: number, seconds: number) =>
      await runClosedLoop(context.loadTool, {
        port: ports[server],
        kind,
        codesFile,
        tag: `c${String(runs++).padStart(3, '0')}`,
        connections,
        seconds,
      })
    const pairs: Pair[] = []
    const warmups: ClosedLoopResult[] = []
    try {
      for (const kind of size.warmupSeconds > 0 ? KINDS : []) {
        const connections = size.connections[0] as number
        await load('bare', kind, connections, size.warmupSeconds)
        const warmup = await load('product', kind, connections, size.warmupSeconds)
        if (kind === 'redeem') warmups.push(warmup)
      }
      for (const connections of size.connections) {
        for (let round = 1; round <= size.rounds; round++) {
          for (const kind of KINDS) {
            const bareRun = await load('bare', kind, connections, size.secondsPerRun)
            const productRun = await load('product', kind, connections, size.secondsPerRun)
            pairs.push({ kind, connections, round, bare: bareRun, product: productRun })
            context.say(pairLine(pairs[pairs.length - 1] as Pair))
          }
        }
      }
    } finally {
      await bare.end()
    }
    const uses = await couponUses(product.baseUrl, CODE)
    return {
      workload: 'ceiling',
      figures: size.connections.flatMap((connections) => KINDS.flatMap((kind) => figuresOf(pairs, kind, connections))),
      checks: checksOf(pairs, warmups, uses, size),
      detail: { loadTool: context.loadTool, pairs, uses, redeemed, validated },
    }
  })
}

function pairLine(pair: Pair): string {
  const bare = Math.round(pair.bare.succeededPerSecond).toLocaleString('en')
  const product = Math.round(pair.product.succeededPerSecond).toLocaleString('en')
  const share = ((pair.product.succeededPerSecond / pair.bare.succeededPerSecond) * 100).toFixed(1)
  return `${pair.kind.padEnd(8)} ${pair.connections} connections, round ${pair.round}: ${product}/s of ${bare}/s = ${share} %`
}

function figuresOf(pairs: readonly Pair[], kind: Kind, connections: number): Figure[] {
  const mine = pairs.filter((pair) => pair.kind === kind && pair.connections === connections)
  const share = median(mine.map((pair) => pair.product.succeededPerSecond / pair.bare.succeededPerSecond))
  const rate = median(mine.map((pair) => pair.product.succeededPerSecond))
  const bareRate = median(mine.map((pair) => pair.bare.succeededPerSecond))
  const promised = kind === 'validate' || connections === REDEEM_TARGET_CONNECTIONS
  const target = atLeast(kind === 'validate' ? VALIDATE_SHARE_TARGET : REDEEM_SHARE_TARGET)
  return [
    {
      name: `ceiling: ${kind} ÷ bare, ${connections} connections`,
      value: share,
      unit: '%',
      target: promised ? target : null,
    },
    { name: `ceiling: ${kind}, ${connections} connections`, value: rate, unit: '/s', target: null },
    { name: `ceiling: bare ${kind}, ${connections} connections`, value: bareRate, unit: '/s', target: null },
  ]
}

function checksOf(
  pairs: readonly Pair[],
  warmups: readonly ClosedLoopResult[],
  uses: number,
  size: CeilingSize,
): Check[] {
  const redeems = pairs.filter((pair) => pair.kind === 'redeem')
  const acknowledged =
    redeems.reduce((sum, pair) => sum + pair.product.succeeded, 0) +
    warmups.reduce((sum, warmup) => sum + warmup.succeeded, 0)
  const cutOff =
    redeems.reduce((sum, pair) => sum + pair.connections, 0) + warmups.length * (size.connections[0] as number)
  const errors = pairs.reduce((sum, pair) => sum + pair.bare.errors + pair.product.errors, 0)
  const sampled = 1
  return [
    checkEqual('errors', 0, errors),
    // Requests that were open when a run ended may have been done without being counted.
    checkBetween('uses of the coupon', acknowledged + sampled, acknowledged + sampled + cutOff, uses),
  ]
}
