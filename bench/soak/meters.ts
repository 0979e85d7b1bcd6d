// Counts what every operation came to and how long it took from when it was due: for the stretch between two samples, and for the
// whole run.
//
//   answer ─▶ done | provoked (the load asked for it) | surprise (documented, but nobody asked for it) | undocumented

import type { Histogram } from 'hdr-histogram-js'
import { latencyHistogram, type LatencySummary, recordMs, summarise } from '../load/latency.ts'
import { isDocumented } from './documented.ts'
import { OPERATIONS, type OperationName, PROVOKED } from './mix.ts'

/** What the load itself calls an answer that never came, and a call that found no connection: the server has fallen behind. */
export const LOST = 'CONNECTION_LOST'
export const NOT_SENT = 'NOT_SENT'

export interface OperationTotals {
  readonly done: number
  /** By code. */
  readonly provoked: Readonly<Record<string, number>>
  readonly surprises: Readonly<Record<string, number>>
  readonly undocumented: Readonly<Record<string, number>>
  readonly latency: LatencySummary
}

export interface OperationStretch {
  readonly count: number
  readonly p99Ms: number
}

/** Answers of the stretch that were no success, by code: provoked ones and others. */
export interface Stretch {
  readonly operations: Partial<Record<OperationName, OperationStretch>>
  readonly refusals: Readonly<Record<string, number>>
}

class Meter {
  readonly stretch: Histogram = latencyHistogram()
  readonly whole: Histogram = latencyHistogram()
  done = 0
  readonly provoked = new Map<string, number>()
  readonly surprises = new Map<string, number>()
  readonly undocumented = new Map<string, number>()
}

/** Of each operation and code. */
const EXAMPLES_MAX = 2

export class Meters {
  readonly #meters = new Map<OperationName, Meter>(OPERATIONS.map((name) => [name, new Meter()]))
  #refusals = new Map<string, number>()
  readonly #examples = new Map<string, string[]>()

  /** Answers that nobody asked for, in words: some of each kind. */
  get examples(): string[] {
    return [...this.#examples.values()].flat()
  }

  done(name: OperationName, latencyMs: number): void {
    const meter = this.#took(name, latencyMs)
    meter.done++
  }

  /** `status` 0: there was no answer. */
  refused(name: OperationName, latencyMs: number, status: number, code: string, words: string): void {
    const meter = this.#took(name, latencyMs)
    count(this.#refusals, code)
    if (PROVOKED[name]?.includes(code) === true) {
      count(meter.provoked, code)
      return
    }
    const examples = this.#examples.get(`${name} ${code}`) ?? []
    if (examples.length === 0) this.#examples.set(`${name} ${code}`, examples)
    if (examples.length < EXAMPLES_MAX) {
      examples.push(`${new Date().toISOString()} ${name}: ${status} ${words.slice(0, 300)}`)
    }
    const isSurprise = code === NOT_SENT || isDocumented(status, code)
    count(isSurprise ? meter.surprises : meter.undocumented, `${status} ${code}`)
  }

  /** What was counted since it was asked last. */
  takeStretch(): Stretch {
    const operations: Partial<Record<OperationName, OperationStretch>> = {}
    for (const [name, { stretch }] of this.#meters) {
      if (stretch.totalCount === 0) continue
      operations[name] = { count: stretch.totalCount, p99Ms: stretch.getValueAtPercentile(99) / 1_000 }
      stretch.reset()
    }
    const refusals = Object.fromEntries(this.#refusals)
    this.#refusals = new Map()
    return { operations, refusals }
  }

  totals(): Record<OperationName, OperationTotals> {
    const entries = [...this.#meters].map(([name, { done, provoked, surprises, undocumented, whole }]) => [
      name,
      {
        done,
        provoked: Object.fromEntries(provoked),
        surprises: Object.fromEntries(surprises),
        undocumented: Object.fromEntries(undocumented),
        latency: summarise(whole),
      },
    ])
    return Object.fromEntries(entries) as Record<OperationName, OperationTotals>
  }

  #took(name: OperationName, latencyMs: number): Meter {
    const meter = this.#meters.get(name) as Meter
    recordMs(meter.stretch, latencyMs)
    recordMs(meter.whole, latencyMs)
    return meter
  }
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}
