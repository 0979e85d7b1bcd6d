// What the watcher of a soak writes down every few seconds: memory and state, sizes on disk, handles and threads, how late the
// gateway's event loop was, and what the load saw since the last time.
//
//   anonymous memory = state (`tearoff_state_bytes`) + everything else; only "everything else" must not grow
//
// Everything is read from outside: `/metrics`, `/proc`, the names and sizes in the data directory.

import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { footprintOf, metricsText, sumOfMetric } from '../server/footprint.ts'
import type { Product } from '../server/product.ts'
import type { Meters, Stretch } from './meters.ts'

export interface SoakSample extends Stretch {
  /** From the beginning of the load. */
  readonly atSecond: number
  /** Since the last sample. */
  readonly seconds: number
  readonly anonymousBytes: number
  readonly stateBytes: number
  /** Of the search, which holds coupons too and is judged with everything else all the same. */
  readonly searchBytes: number
  /** Of the gateway's thread. */
  readonly heapBytes: number
  readonly readModelLagMs: number
  readonly logBytes: number
  readonly archiveBytes: number
  readonly snapshotBytes: number
  /** The read model and the feed. */
  readonly databaseBytes: number
  /** Open file descriptors, sockets among them. */
  readonly handles: number
  readonly threads: number
  /** Of the gateway's thread since the last sample, beyond what the timer that measures it waits by itself. */
  readonly loopDelayP99Ms: number
  readonly ordersRemembered: number
}

/** The period of the timer behind prom-client's `nodejs_eventloop_lag_p99_seconds`, which counts it in. */
const LOOP_TIMER_MS = 10

export class Watch {
  readonly samples: SoakSample[] = []
  /** Why samples are missing. */
  readonly missed: string[] = []
  readonly #product: Product
  readonly #dataDir: string
  readonly #meters: Meters
  readonly #startMs = performance.now()
  readonly #timer: NodeJS.Timeout
  #lastMs = performance.now()
  /** Shards that have said how large they are: one that is late is left out of the metrics, and the sum would be too small. */
  #shards = 0
  #last: Promise<void> = Promise.resolve()

  constructor(product: Product, dataDir: string, meters: Meters, everyMs: number) {
    this.#product = product
    this.#dataDir = dataDir
    this.#meters = meters
    this.#timer = setInterval(() => {
      this.#last = this.#last.then(async () => await this.#sample())
    }, everyMs)
  }

  /** Resolves when the last sample is there. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#last
  }

  async #sample(): Promise<void> {
    let text: string
    try {
      text = await metricsText(this.#product.baseUrl)
    } catch (cause) {
      this.missed.push(cause instanceof Error ? cause.message : String(cause))
      return
    }
    const shards = text.split('\ntearoff_state_bytes{').length - 1
    this.#shards = Math.max(this.#shards, shards)
    if (shards < this.#shards) {
      this.missed.push(`${this.#shards - shards} shards did not say in time how large they are`)
      return
    }
    const nowMs = performance.now()
    const { pid } = this.#product
    const { anonymousBytes, stateBytes, searchBytes, readModelLagMs } = footprintOf(pid, text)
    this.samples.push({
      atSecond: (nowMs - this.#startMs) / 1_000,
      seconds: (nowMs - this.#lastMs) / 1_000,
      anonymousBytes,
      stateBytes,
      searchBytes,
      readModelLagMs,
      heapBytes: sumOfMetric(text, 'nodejs_heap_size_used_bytes'),
      logBytes: bytesBelow(this.#dataDir, 'lanes'),
      archiveBytes: bytesBelow(this.#dataDir, 'archive'),
      snapshotBytes: bytesBelow(this.#dataDir, 'snapshots'),
      databaseBytes: bytesBelow(this.#dataDir, '', /\.db(-wal|-shm)?$/),
      handles: handlesOf(pid),
      threads: threadsOf(pid),
      loopDelayP99Ms: sumOfMetric(text, 'nodejs_eventloop_lag_p99_seconds') * 1_000 - LOOP_TIMER_MS,
      ordersRemembered: sumOfMetric(text, 'tearoff_shard_orders'),
      ...this.#meters.takeStretch(),
    })
    this.#lastMs = nowMs
  }
}

const BLOCK_BYTES = 512

/** What the files of a folder take on disk; files that go away meanwhile count nothing. */
function bytesBelow(dataDir: string, folder: string, named?: RegExp): number {
  let bytes = 0
  let names: string[]
  const path = join(dataDir, folder)
  try {
    names = readdirSync(path, { recursive: named === undefined, encoding: 'utf8' })
  } catch {
    return 0
  }
  for (const name of names) {
    if (named?.test(name) === false) continue
    try {
      const found = lstatSync(join(path, name))
      if (found.isFile()) bytes += found.blocks * BLOCK_BYTES
    } catch {
      // Moved or removed between the two looks.
    }
  }
  return bytes
}

function handlesOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length
  } catch {
    return Number.NaN
  }
}

function threadsOf(pid: number): number {
  try {
    return Number(/^Threads:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
  } catch {
    return Number.NaN
  }
}
