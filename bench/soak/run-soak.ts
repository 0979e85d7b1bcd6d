// soak: one real server for an hour under everything at once, to see that nothing grows that is not in the state.
//
//   load ──────────────────────────────────────────▶ nobody comes any more ─▶ all lapses ─▶ counters ─▶ SIGTERM
//   watch  ·    ·    ·    ·    ·    ·    ·    ·    ·                                          audit, verify, judgement
//
// The load and the watch share this process: two thousand calls a second leave it time enough, and on two cores a third busy
// process would take it from the server.

import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { ENTRIES } from '../project.ts'
import { countArchived } from '../server/data-directory.ts'
import { type Product, startProduct } from '../server/product.ts'
import { SNAPSHOTS_TIME_LIMIT_MS } from '../sizes.ts'
import { PRODUCT_DATA } from '../workloads/with-product.ts'
import { askCounters, judgeExactness } from './exactness.ts'
import type { SoakRun } from './judge.ts'
import { Load } from './load.ts'
import { ORDER_WINDOW_HOURS, type SoakSize } from './mix.ts'
import { Watch } from './watch.ts'

export interface SoakOptions {
  readonly productEntry: string
  readonly size: SoakSize
  readonly seed: number
  /** A leak that is planted in the server, to see it found; 0: none. */
  readonly leakMbPerMinute: number
  /** Where the server's directory is made. */
  readonly scratch: string
  readonly say: (line: string) => void
}

const SNAPSHOTS_MADE = 'snapshots made'
const WARNINGS_KEPT_MAX = 200
const SAY_EVERY_MS = 60_000

export async function runSoak(options: SoakOptions): Promise<SoakRun> {
  const { productEntry, size, scratch, say, seed } = options
  const dataDir = join(scratch, PRODUCT_DATA)
  const product = await startProduct(productEntry, dataDir, {
    settings: {
      TEAROFF_SNAPSHOT_EVENTS: String(size.snapshotEvents),
      TEAROFF_ORDER_WINDOW_HOURS: String(ORDER_WINDOW_HOURS),
      SOAK_LEAK_MB_PER_MINUTE: String(options.leakMbPerMinute),
    },
    ...(options.leakMbPerMinute > 0 ? { preload: ENTRIES.soakLeak } : {}),
  })
  let load: Load
  let watch: Watch
  try {
    load = new Load(product, size, seed)
    await load.start()
    watch = new Watch(product, dataDir, load.meters, size.sampleEverySeconds * 1_000)
    await hold(load, watch, size, say)
    await watch.stop()
    say('nobody comes any more; what is reserved lapses')
    await load.end(async () => await pause(size.drainSeconds * 1_000))
    await product.log.until(SNAPSHOTS_MADE, size.snapshotsMin, SNAPSHOTS_TIME_LIMIT_MS).catch((cause: unknown) => {
      say(`too few snapshots: ${String(cause)}`)
    })
  } catch (cause) {
    await product.kill().catch((second: unknown) => say(`and ${String(second)}`))
    throw cause
  }
  const shown = await askCounters(product.baseUrl, load.stock)
  const stopped = await stop(product)
  say('the log is audited and verified')
  const exactness = await judgeExactness(productEntry, dataDir, load.stock, shown, stopped)
  return {
    size,
    samples: watch.samples,
    missedSamples: watch.missed,
    totals: load.totals,
    snapshots: product.log.all(SNAPSHOTS_MADE).length,
    segmentsArchived: countArchived(dataDir),
    warnings: product.log.warnings(),
    firstWarnings: product.log.firstWarnings(WARNINGS_KEPT_MAX),
    exactness,
  }
}

/** Until the time is over. Says now and then how things stand. */
async function hold(load: Load, watch: Watch, size: SoakSize, say: (line: string) => void): Promise<void> {
  const untilMs = performance.now() + size.seconds * 1_000
  while (performance.now() < untilMs) {
    await pause(Math.min(SAY_EVERY_MS, untilMs - performance.now()))
    load.check()
    const last = watch.samples.at(-1)
    if (last === undefined) continue
    const { atSecond, anonymousBytes, stateBytes, handles, operations, seconds } = last
    const perSecond = Object.values(operations).reduce((sum, { count }) => sum + count, 0) / seconds
    say(
      `${(atSecond / 60).toFixed(1)} min: ${perSecond.toFixed(0)} operations/s, anonymous ${megabytes(anonymousBytes)}, state ${megabytes(stateBytes)}, ` +
        `beyond ${megabytes(anonymousBytes - stateBytes)}, handles ${handles}, redemption p99 ${(operations.redeem?.p99Ms ?? Number.NaN).toFixed(1)} ms`,
    )
  }
}

/** Why it did not stop as it should; empty when it did. */
async function stop(product: Product): Promise<string> {
  try {
    await product.stop()
    return ''
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause)
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}
