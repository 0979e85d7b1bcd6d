// What a running server holds, sampled from outside at a steady pace.
//
//   anonymous memory = state + index of the search + everything else (heap, code, buffers, read model's cache, a snapshot being made)
//
// Anonymous memory is the kernel's count, the bytes of state and index are the server's own (`tearoff_state_bytes`,
// `tearoff_search_index_bytes`). The state grows
// with what has to be remembered; whether everything else is bounded is what a long run shows. Mapped files are left out:
// the kernel takes their pages back whenever it wants. A sample costs the server one scrape of `/metrics`, as in operation.

import { readFileSync } from 'node:fs'

export interface Footprint {
  /** Unix time. */
  readonly atMs: number
  /** NaN where the system does not tell it (no Linux). */
  readonly anonymousBytes: number
  /** All tables of all shards, as allocated. */
  readonly stateBytes: number
  /** What can be found by its words, in use. */
  readonly searchBytes: number
  /** How far lists were behind; NaN while the read model does not run. */
  readonly readModelLagMs: number
}

const SCRAPE_TIME_LIMIT_MS = 5_000

export class FootprintSampler {
  readonly samples: Footprint[] = []
  /** Why samples are missing, in the order they were missed. */
  readonly missed: string[] = []
  readonly #pid: number
  readonly #baseUrl: string
  readonly #authorization: string
  readonly #timer: NodeJS.Timeout
  #last: Promise<void> = Promise.resolve()

  constructor(pid: number, baseUrl: string, everyMs: number, authorization = '') {
    this.#pid = pid
    this.#baseUrl = baseUrl
    this.#authorization = authorization
    this.#timer = setInterval(() => this.#sample(), everyMs)
    this.#sample()
  }

  /** Resolves when the last sample is there. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#last
  }

  /** One behind the other, however slow the server is. */
  #sample(): void {
    this.#last = this.#last.then(async () => {
      try {
        this.samples.push(await takeFootprint(this.#pid, this.#baseUrl, this.#authorization))
      } catch (cause) {
        this.missed.push(cause instanceof Error ? cause.message : String(cause))
      }
    })
  }
}

/** `authorization` where the server asks for keys. */
export async function takeFootprint(pid: number, baseUrl: string, authorization = ''): Promise<Footprint> {
  return footprintOf(pid, await metricsText(baseUrl, authorization))
}

/** The same from the text of `/metrics`. */
export function footprintOf(pid: number, text: string): Footprint {
  return {
    atMs: Date.now(),
    anonymousBytes: anonymousBytesOf(pid),
    stateBytes: sumOfMetric(text, 'tearoff_state_bytes'),
    searchBytes: sumOfMetric(text, 'tearoff_search_index_bytes'),
    readModelLagMs: sumOfMetric(text, 'tearoff_read_model_lag_seconds') * 1_000,
  }
}

export async function metricsText(baseUrl: string, authorization = ''): Promise<string> {
  const headers = authorization === '' ? {} : { authorization }
  const answer = await fetch(`${baseUrl}/metrics`, { headers, signal: AbortSignal.timeout(SCRAPE_TIME_LIMIT_MS) })
  const text = await answer.text()
  if (answer.status !== 200) throw new Error(`/metrics answered ${answer.status}`)
  return text
}

/** The sum of a metric over its labels; NaN when the text does not have it, or has no number for it. */
export function sumOfMetric(text: string, name: string): number {
  const values = text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .map((line) => Number(line.slice(line.lastIndexOf(' ') + 1)))
  return values.length === 0 ? Number.NaN : values.reduce((sum, value) => sum + value, 0)
}

function anonymousBytesOf(pid: number): number {
  let status: string
  try {
    status = readFileSync(`/proc/${pid}/status`, 'utf8')
  } catch {
    return Number.NaN
  }
  const found = /^RssAnon:\s+(\d+) kB$/m.exec(status)
  return found === null ? Number.NaN : Number(found[1]) * 1_024
}
