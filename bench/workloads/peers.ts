// peers: what the usual designs do on this machine in the same minutes, behind the same gateway.
//
//   proof of each  ·  warm-up  ·  round 1: tearoff, Redis Lua, …  ·  round 2: Redis Lua, …, tearoff  ·  …  ·  counts
//
// One hot coupon with one use a user; every request brings a new user and a new order, so all succeed and every design does
// all of its work. Each round gives one ratio a peer, the median of the rounds counts, and each round begins with another
// contender, so that nobody always runs in the wake of the same other one. A ratio stands only when what lies in the parts
// afterwards is what was acknowledged.

import type { PeerBinaries } from '../peers/binaries.ts'
import {
  CONTENDERS,
  type Contender,
  type ContenderName,
  PEER_TITLES,
  type PeerName,
  withContenders,
} from '../peers/contenders.ts'
import { prove, type Proof, sameAnswers } from '../peers/proof.ts'
import { type ClosedLoopResult, runClosedLoop, writeCodes } from '../load/closed-loop.ts'
import {
  atLeast,
  type Check,
  checkBetween,
  checkEqual,
  type Figure,
  median,
  type WorkloadReport,
} from '../report/figure.ts'
import { couponUses, createCoupon } from '../server/coupons.ts'
import type { PeersSize } from '../sizes.ts'
import { type BenchContext, withScratch } from './context.ts'

const REDIS_LUA_RATIO_TARGET = 2
const POSTGRES_RATIO_TARGET = 12

const PEERS = Object.keys(PEER_TITLES) as PeerName[]

const TARGETS: Readonly<Record<PeerName, number>> = {
  redisLua: REDIS_LUA_RATIO_TARGET,
  redisLuaUsual: REDIS_LUA_RATIO_TARGET,
  postgresRow: POSTGRES_RATIO_TARGET,
  postgresStatements: POSTGRES_RATIO_TARGET,
}

const CODE = 'PEERSHOT1'

interface Run extends ClosedLoopResult {
  readonly name: ContenderName
  readonly connections: number
  /** 0 is the warm-up: it counts for the uses, not for the figures. */
  readonly round: number
}

export async function runPeers(
  context: BenchContext,
  size: PeersSize,
  binaries: PeerBinaries,
): Promise<WorkloadReport> {
  return await withScratch(
    async (folder) =>
      await withContenders(context.productEntry, binaries, folder, async (contenders) => {
        const proofs = new Map<string, Proof>()
        for (const { name, baseUrl } of contenders) {
          // The first coupon of each, before those of the proof.
          await createCoupon(baseUrl, CODE, 'once')
          proofs.set(name, await prove(name, baseUrl))
        }
        context.say(`each redeems, replays, refuses and stays exact in races: ${[...proofs.keys()].join(', ')}`)
        const runs = await loadByTurns(context, size, folder, contenders)
        const countChecks: Check[] = []
        for (const contender of contenders) countChecks.push(...(await countsOf(contender, runs)))
        return {
          workload: 'peers',
          figures: size.connections.flatMap((connections) => figuresOf(runs, connections)),
          checks: [...[...proofs.values()].flatMap(({ checks }) => checks), ...sameAnswers(proofs), ...countChecks],
          detail: {
            loadTool: context.loadTool,
            runs,
            settings: Object.fromEntries(contenders.map(({ name, settings }) => [name, settings])),
          },
        }
      }),
  )
}

async function loadByTurns(
  context: BenchContext,
  size: PeersSize,
  folder: string,
  contenders: readonly Contender[],
): Promise<Run[]> {
  const codesFile = writeCodes(folder, 'peers', [CODE])
  const runs: Run[] = []
  for (const connections of size.connections) {
    for (let round = size.warmupSeconds > 0 ? 0 : 1; round <= size.rounds; round++) {
      for (const { name, port } of rotated(contenders, round)) {
        const result = await runClosedLoop(context.loadTool, {
          port,
          kind: 'redeem',
          codesFile,
          tag: `p${String(runs.length).padStart(3, '0')}`,
          connections,
          seconds: round === 0 ? size.warmupSeconds : size.secondsPerRun,
        })
        runs.push({ ...result, name, connections, round })
      }
      if (round > 0) context.say(roundLine(runs, connections, round))
    }
  }
  return runs
}

/** The same list, beginning with another one each round. */
export function rotated<Item>(items: readonly Item[], round: number): Item[] {
  const start = round % items.length
  return [...items.slice(start), ...items.slice(0, start)]
}

async function countsOf(contender: Contender, runs: readonly Run[]): Promise<Check[]> {
  const { name } = contender
  const mine = runs.filter((run) => run.name === name)
  const acknowledged = mine.reduce((sum, run) => sum + run.succeeded, 0)
  const errors = mine.reduce((sum, run) => sum + run.errors, 0)
  // Requests that were open when a run ended may have been done without being counted.
  const cutOff = mine.reduce((sum, run) => sum + run.connections, 0)
  const maxUses = await maxUsesOf(contender)
  const told = await couponUses(contender.baseUrl, CODE)
  await contender.endCalls()
  const checks = [
    checkEqual(`${name}: errors`, 0, errors),
    checkBetween(`${name}: uses as it tells them`, acknowledged, acknowledged + cutOff, told),
  ]
  if (contender.counts === null) return checks
  const { counted, orders, users } = await contender.counts(maxUses)
  return [
    ...checks,
    checkBetween(`${name}: orders in its parts`, acknowledged, acknowledged + cutOff, orders),
    checkEqual(`${name}: users in its parts`, orders, users),
    checkEqual(`${name}: its counter`, orders, counted),
  ]
}

async function maxUsesOf({ baseUrl }: Contender): Promise<number> {
  const answer = await fetch(`${baseUrl}/v1/coupons/${CODE}`)
  const { maxUses } = (await answer.json()) as { maxUses?: unknown }
  if (typeof maxUses !== 'number') throw new Error(`coupon ${CODE} has no maxUses`)
  return maxUses
}

function rateOf(runs: readonly Run[], name: ContenderName, connections: number, round: number): number {
  const isMeant = (run: Run): boolean => run.name === name && run.connections === connections && run.round === round
  return runs.find(isMeant)?.succeededPerSecond ?? Number.NaN
}

function roundLine(runs: readonly Run[], connections: number, round: number): string {
  const rates = CONTENDERS.map((name) => {
    return `${name} ${Math.round(rateOf(runs, name, connections, round)).toLocaleString('en')}/s`
  })
  return `${connections} connections, round ${round}: ${rates.join(', ')}`
}

function figuresOf(runs: readonly Run[], connections: number): Figure[] {
  const rounds = new Set(runs.filter((run) => run.round > 0 && run.connections === connections).map((run) => run.round))
  const rate = (name: ContenderName): number =>
    median([...rounds].map((round) => rateOf(runs, name, connections, round)))
  const ratio = (peer: PeerName): number =>
    median(
      [...rounds].map((round) => rateOf(runs, 'tearoff', connections, round) / rateOf(runs, peer, connections, round)),
    )
  const ending = `${connections} connections`
  return [
    ...PEERS.map((peer) => ({
      name: `peers: Tearoff ÷ ${PEER_TITLES[peer]}, ${ending}`,
      value: ratio(peer),
      unit: '×' as const,
      target: atLeast(TARGETS[peer]),
    })),
    { name: `peers: Tearoff, ${ending}`, value: rate('tearoff'), unit: '/s', target: null },
    ...PEERS.map((peer) => ({
      name: `peers: ${PEER_TITLES[peer]}, ${ending}`,
      value: rate(peer),
      unit: '/s' as const,
      target: null,
    })),
  ]
}
