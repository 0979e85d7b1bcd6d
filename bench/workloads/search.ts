// search: what people who search wait, beside those who check out, and how soon a new coupon is found.
//
//   create N described coupons ──▶ wait until the last one is found ──▶ redemptions at a fixed rate  ┐
//                                                                       searches at a fixed rate     ├ at the same time
//                                                                       a new coupon every second    ┘
//
// Searches are of several kinds, each as often as every other: common words (the first of the vocabulary, in up to a tenth of all
// texts), two words, words being typed from their second letter on, rare words; filtered by status, and by each order. Latency is
// that of an open loop, from the moment a search was due.

import { performance } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import { runChild } from '../children.ts'
import { type CreateCouponsInput, type CreateCouponsResult, describedCode } from '../load/create-coupons.ts'
import { Descriptions } from '../load/descriptions.ts'
import { latencyLine } from '../load/latency.ts'
import type { OpenLoopInput, OpenLoopResult } from '../load/open-loop.ts'
import type { SearchKind, SearchLoopInput, SearchLoopResult } from '../load/search-loop.ts'
import { ENTRIES } from '../project.ts'
import { atLeast, atMost, checkEqual, type WorkloadReport } from '../report/figure.ts'
import { couponUses, createCoupon } from '../server/coupons.ts'
import { askList } from '../server/list-poll.ts'
import type { SearchSize } from '../sizes.ts'
import type { BenchContext } from './context.ts'
import { withProduct } from './with-product.ts'

const P99_TARGET_MS = 20
const FOUND_TARGET_MS = 1_000
const RATE_SHARE_MIN = 0.99

const CODE = 'SEARCHED'
const TAG = 's'
const PAGE = 20
/** Words that count as common: the first so many of the vocabulary. */
const COMMON_WORDS = 20
const NEW_EVERY_MS = 1_000
const FOUND_POLL_MS = 20
/** How long the index may take to have everything that was created; beyond, the run has failed. */
const INDEXED_LIMIT_MS = 600_000
/** How long a coupon that is made under load is looked for. */
const FOUND_LIMIT_MS = 10_000

interface Found {
  readonly foundMs: readonly number[]
  readonly missing: number
}

export async function runSearch(context: BenchContext, size: SearchSize): Promise<WorkloadReport> {
  return await withProduct(context, async (product) => {
    const { baseUrl, port } = product
    await createCoupon(baseUrl, CODE, 'once')
    const made = await runChild<CreateCouponsInput, CreateCouponsResult>(
      ENTRIES.createCoupons,
      { port, count: size.coupons, connections: size.createConnections, seed: context.seed },
      INDEXED_LIMIT_MS,
    )
    context.say(`${made.created.toLocaleString('en')} coupons created in ${(made.elapsedMs / 1_000).toFixed(1)} s`)
    const indexedMs = await untilFound(baseUrl, describedCode(size.coupons - 1), INDEXED_LIMIT_MS)
    context.say(`the last one is found ${(indexedMs / 1_000).toFixed(1)} s after that`)
    const schedule = {
      port,
      warmupSeconds: size.warmupSeconds,
      seconds: size.seconds,
      drainSeconds: size.drainSeconds,
      seed: context.seed,
    }
    const watch = new NewCoupons(baseUrl)
    const [load, searches] = await Promise.all([
      runChild<OpenLoopInput, OpenLoopResult>(ENTRIES.openLoop, {
        ...schedule,
        code: CODE,
        tag: TAG,
        ratePerSecond: size.redemptionsPerSecond,
        connections: size.connections,
      }),
      runChild<SearchLoopInput, SearchLoopResult>(ENTRIES.searchLoop, {
        ...schedule,
        kinds: kindsOf(context.seed),
        ratePerSecond: size.searchesPerSecond,
        connections: size.searchConnections,
      }),
    ]).finally(() => watch.end())
    const { foundMs, missing } = await watch.result()
    const uses = await couponUses(baseUrl, CODE)
    context.say(`searches    ${latencyLine(searches.latency)}`)
    for (const [name, latency] of Object.entries(searches.byKind))
      context.say(`  ${name.padEnd(18)}${latencyLine(latency)}`)
    context.say(`redemptions ${latencyLine(load.latency)}`)
    const common = await countOf(baseUrl, new Descriptions(context.seed).words[0] as string)
    return {
      workload: 'search',
      figures: [
        { name: 'search: p99', value: searches.latency.p99Ms, unit: 'ms', target: atMost(P99_TARGET_MS) },
        {
          name: 'search: a new coupon found, slowest',
          value: foundMs.length === 0 ? Number.NaN : Math.max(...foundMs),
          unit: 'ms',
          target: atMost(FOUND_TARGET_MS),
        },
        {
          name: `search: redemptions beside it at ${size.redemptionsPerSecond.toLocaleString('en')}/s`,
          value: load.achievedPerSecond,
          unit: '/s',
          target: atLeast(size.redemptionsPerSecond * RATE_SHARE_MIN),
        },
        { name: 'search: p50', value: searches.latency.p50Ms, unit: 'ms', target: null },
        { name: 'search: p99.9', value: searches.latency.p999Ms, unit: 'ms', target: null },
        { name: 'search: redemption p99 beside it', value: load.latency.p99Ms, unit: 'ms', target: null },
        { name: 'search: coupons created', value: made.created / (made.elapsedMs / 1_000), unit: '/s', target: null },
        { name: 'search: last of them found after', value: indexedMs, unit: 'ms', target: null },
      ],
      checks: [
        checkEqual(
          `searches refused${searches.firstError === '' ? '' : ` (${searches.firstError})`}`,
          0,
          searches.errors,
        ),
        checkEqual('searches answered', searches.planned, searches.answered),
        checkEqual(`redemptions refused${load.firstError === '' ? '' : ` (${load.firstError})`}`, 0, load.errors),
        checkEqual('uses of the coupon', load.redeemed, uses),
        checkEqual('new coupons that were not found', 0, missing),
        { name: 'entries with the commonest word', expected: 'at least 1', seen: String(common), holds: common > 0 },
      ],
      detail: { made, indexedMs, searches, load, foundMs },
    }
  })
}

function kindsOf(seed: number): SearchKind[] {
  const { words } = new Descriptions(seed)
  const common = words.slice(0, COMMON_WORDS)
  const rare = words.slice(words.length / 2, words.length / 2 + 1_000)
  const path = (term: string, more = ''): string =>
    `/v1/coupons/search?limit=${PAGE}&search_term=${encodeURIComponent(term)}${more}`
  const pairs = common.flatMap((left, i) => common.slice(i + 1).map((right) => `${left} ${right} `))
  return [
    { name: 'common word', paths: common.map((word) => path(`${word} `)) },
    { name: 'two common words', paths: pairs.map((pair) => path(pair)) },
    {
      name: 'being typed',
      paths: common.flatMap((word) => [2, 3, 4, 5].map((letters) => path(word.slice(0, letters)))),
    },
    { name: 'second being typed', paths: pairs.map((pair) => path(pair.slice(0, pair.indexOf(' ') + 3))) },
    { name: 'rare word', paths: rare.map((word) => path(word)) },
    { name: 'active only', paths: common.map((word) => path(`${word} `, '&status=ACTIVE')) },
    { name: 'newest first', paths: common.map((word) => path(`${word} `, '&sort=newest')) },
    { name: 'of one category', paths: common.map((word, i) => path(`${word} `, `&category=category${i}`)) },
  ]
}

/** How long until a search for that finds something. */
async function untilFound(baseUrl: string, term: string, limitMs: number): Promise<number> {
  const beganMs = performance.now()
  for (;;) {
    if ((await countOf(baseUrl, term)) > 0) return performance.now() - beganMs
    if (performance.now() - beganMs > limitMs) throw new Error(`${term} was not found within ${limitMs} ms`)
    await pause(FOUND_POLL_MS)
  }
}

/** Entries on the first page; 0 where the search cannot answer yet. */
async function countOf(baseUrl: string, term: string): Promise<number> {
  const { status, text } = await askList(baseUrl, `/v1/coupons/search?limit=${PAGE}&search_term=${term}`)
  if (status !== 200) return 0
  return (JSON.parse(text) as { data: readonly unknown[] }).data.length
}

/** Makes a coupon every second and looks for it. */
class NewCoupons {
  readonly #baseUrl: string
  readonly #foundMs: number[] = []
  readonly #running: Promise<void>
  #missing = 0
  #hasEnded = false

  constructor(baseUrl: string) {
    this.#baseUrl = baseUrl
    this.#running = this.#run()
  }

  end(): void {
    this.#hasEnded = true
  }

  async result(): Promise<Found> {
    await this.#running
    return { foundMs: this.#foundMs, missing: this.#missing }
  }

  async #run(): Promise<void> {
    for (let number = 0; !this.#hasEnded; number++) {
      const code = `NEW${String(number).padStart(5, '0')}`
      await createCoupon(this.#baseUrl, code, 'unlimited')
      try {
        this.#foundMs.push(await untilFound(this.#baseUrl, code, FOUND_LIMIT_MS))
      } catch {
        this.#missing++
      }
      await pause(NEW_EVERY_MS)
    }
  }
}
