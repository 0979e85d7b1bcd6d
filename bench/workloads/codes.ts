// codes: made in bulk, exported, redeemed.
//
//   made      from the request to the end of its job, which is on disk then
//   exported  from the request to the last byte; no code twice, letters even
//   redeemed  codes of a campaign with limit, limit per user and budget, and of one with none, by turns in one run

import { type ClosedLoopResult, runClosedLoop, writeCodes } from '../load/closed-loop.ts'
import { atLeast, atMost, type Check, checkBetween, checkEqual, median, type WorkloadReport } from '../report/figure.ts'
import { campaignOf, createCampaign, makeCodes } from '../server/campaigns.ts'
import { exportCodes } from '../server/codes-file.ts'
import { EXPECTED_DISCOUNT_MINOR } from '../server/coupons.ts'
import type { Product } from '../server/product.ts'
import type { CodesSize } from '../sizes.ts'
import type { BenchContext } from './context.ts'
import { withProduct } from './with-product.ts'

const TARGET_MS = 3_000
const UNEVENNESS_TARGET = 0.01
const SHARE_TARGET = 0.9
const LETTERS = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789'
/** The last two letters bring a code to its shard. */
const ENDING_LETTERS = 2
/** Limits that no run reaches, so that judging them is part of every redemption. */
const LIMITS = { maxUses: 1_000_000_000, maxUsesPerUser: 1_000, budget: 1_000_000_000_000 } as const
const KINDS = ['limited', 'free'] as const
type Kind = (typeof KINDS)[number]

interface Run extends ClosedLoopResult {
  readonly kind: Kind
  /** 0 is the warm-up: it counts for the uses, not for the figures. */
  readonly round: number
}

export async function runCodes(context: BenchContext, size: CodesSize): Promise<WorkloadReport> {
  return await withProduct(context, async (product, scratch) => {
    const made = await makeAndExport(context, product, size)
    const { runs, checks } = await redeemByTurns(context, product, scratch, size)
    const share = shareOf(runs, size.rounds)
    return {
      workload: 'codes',
      figures: [
        {
          name: `codes: ${counted(size.codes)} made and durable`,
          value: made.madeMs,
          unit: 'ms',
          target: atMost(TARGET_MS),
        },
        {
          name: `codes: ${counted(size.codes)} exported`,
          value: made.exportedMs,
          unit: 'ms',
          target: atMost(TARGET_MS),
        },
        {
          name: 'codes: letter furthest from its share',
          value: made.unevenness,
          unit: '%',
          target: size.codes < 1_000_000 ? null : atMost(UNEVENNESS_TARGET),
        },
        { name: 'codes: redemptions with limits ÷ without', value: share, unit: '%', target: atLeast(SHARE_TARGET) },
        {
          name: 'codes: redemptions with campaign limit, limit per user, budget',
          value: median(ratesOf(runs, 'limited')),
          unit: '/s',
          target: null,
        },
      ],
      checks: [
        checkEqual('codes exported', size.codes, made.rows),
        checkEqual('different codes', size.codes, made.different),
        ...checks,
      ],
      detail: { loadTool: context.loadTool, made, runs },
    }
  })
}

async function makeAndExport(context: BenchContext, product: Product, size: CodesSize) {
  const campaignId = await createCampaign(product.baseUrl, { name: 'bulk' })
  const madeMs = await makeCodes(product.baseUrl, campaignId, size.codes)
  const { codes, bytes, elapsedMs } = await exportCodes(product.baseUrl, campaignId)
  const unevenness = unevennessOf(codes)
  context.say(
    `${counted(size.codes)} codes made in ${madeMs.toFixed(0)} ms, exported (${counted(bytes)} bytes) in ${elapsedMs.toFixed(0)} ms, letters within ${(unevenness * 100).toFixed(2)} %`,
  )
  return { madeMs, exportedMs: elapsedMs, bytes, rows: codes.length, different: new Set(codes).size, unevenness }
}

/** How far the letter lies that is furthest from its share, the endings left out. */
function unevennessOf(codes: readonly string[]): number {
  const seen = new Uint32Array(128)
  let all = 0
  for (const code of codes) {
    for (let at = 0; at < code.length - ENDING_LETTERS; at++) {
      const letter = code.charCodeAt(at)
      seen[letter] = (seen[letter] as number) + 1
      all++
    }
  }
  const share = all / LETTERS.length
  const gaps = LETTERS.split('').map((letter) => Math.abs((seen[letter.charCodeAt(0)] as number) - share) / share)
  return Math.max(...gaps)
}

async function redeemByTurns(context: BenchContext, product: Product, scratch: string, size: CodesSize) {
  const { baseUrl, port } = product
  const campaigns = {
    limited: await createCampaign(baseUrl, { name: 'limited', ...LIMITS }),
    free: await createCampaign(baseUrl, { name: 'free' }),
  }
  const firstRound = size.warmupSeconds > 0 ? 0 : 1
  const secondsOf = (round: number): number => (round === 0 ? size.warmupSeconds : size.secondsPerRun)
  const perRun = Math.ceil(size.codesPerSecond * Math.max(size.warmupSeconds, size.secondsPerRun))
  const runs: Run[] = []
  const codesOf = {} as Record<Kind, readonly string[]>
  for (const kind of KINDS) {
    await makeCodes(baseUrl, campaigns[kind], perRun * (size.rounds + 1 - firstRound))
    codesOf[kind] = (await exportCodes(baseUrl, campaigns[kind])).codes
  }
  for (let round = firstRound; round <= size.rounds; round++) {
    for (const kind of KINDS) {
      const from = (round - firstRound) * perRun
      const result = await runClosedLoop(context.loadTool, {
        port,
        kind: 'redeem',
        codesFile: writeCodes(scratch, `${kind}${round}`, codesOf[kind].slice(from, from + perRun)),
        tag: `c${String(runs.length).padStart(3, '0')}`,
        connections: size.connections,
        seconds: secondsOf(round),
      })
      runs.push({ ...result, kind, round })
    }
    if (round > 0) context.say(roundLine(runs, round))
  }
  const checks: Check[] = [
    checkEqual(
      'errors',
      0,
      runs.reduce((sum, run) => sum + run.errors, 0),
    ),
  ]
  for (const kind of KINDS) checks.push(...(await campaignChecks(baseUrl, campaigns[kind], kind, runs, size)))
  return { runs, checks }
}

/** Requests that were open when a run ended may have been done without being counted. */
async function campaignChecks(
  baseUrl: string,
  campaignId: string,
  kind: Kind,
  runs: readonly Run[],
  size: CodesSize,
): Promise<Check[]> {
  const mine = runs.filter((run) => run.kind === kind)
  const acknowledged = mine.reduce((sum, run) => sum + run.succeeded, 0)
  const { uses, discountTotal } = await campaignOf(baseUrl, campaignId)
  return [
    checkBetween(`uses, ${kind}`, acknowledged, acknowledged + mine.length * size.connections, Number(uses)),
    checkEqual(`discounts of all uses, ${kind}`, Number(uses) * EXPECTED_DISCOUNT_MINOR, Number(discountTotal)),
  ]
}

function ratesOf(runs: readonly Run[], kind: Kind): number[] {
  return runs.filter((run) => run.kind === kind && run.round > 0).map((run) => run.succeededPerSecond)
}

function shareOf(runs: readonly Run[], rounds: number): number {
  const [limited, free] = [ratesOf(runs, 'limited'), ratesOf(runs, 'free')]
  return median(Array.from({ length: rounds }, (_, index) => (limited[index] as number) / (free[index] as number)))
}

function roundLine(runs: readonly Run[], round: number): string {
  const rates = KINDS.map((kind) => {
    const rate = runs.find((run) => run.kind === kind && run.round === round)?.succeededPerSecond ?? Number.NaN
    return `${kind} ${counted(Math.round(rate))}/s`
  })
  return `round ${round}: ${rates.join(', ')}`
}

function counted(count: number): string {
  return count.toLocaleString('en')
}
