// Asks for a list once a second while something else loads the server, as somebody who watches a sale would: how far behind
// the list is (`X-Tearoff-Lag-Ms`), how long it took, and whether it was answered at all.

import { performance } from 'node:perf_hooks'
import { latencyHistogram, type LatencySummary, recordMs, summarise } from '../load/latency.ts'

const POLL_EVERY_MS = 1_000

/** A list may wait for the moment of its request and be looked for; longer and it has failed. */
const ANSWER_TIME_LIMIT_MS = 10_000

export interface ListPollResult {
  readonly polls: number
  /** Answers other than 200 with a lag. */
  readonly errors: number
  readonly firstError: string
  /** NaN without an answer. */
  readonly lagMaxMs: number
  readonly lagsMs: readonly number[]
  /** From the request to the whole answer. */
  readonly latency: LatencySummary
}

/** What one request for a list gave. */
export interface ListAnswer {
  readonly status: number
  /** NaN where the answer says nothing of it. */
  readonly lagMs: number
  readonly text: string
}

export async function askList(baseUrl: string, path: string): Promise<ListAnswer> {
  const answer = await fetch(`${baseUrl}${path}`, { signal: AbortSignal.timeout(ANSWER_TIME_LIMIT_MS) })
  const text = await answer.text()
  const lag = answer.headers.get('x-tearoff-lag-ms')
  return { status: answer.status, lagMs: lag === null ? Number.NaN : Number(lag), text }
}

export class ListPoll {
  readonly #baseUrl: string
  readonly #path: string
  readonly #timer: NodeJS.Timeout
  readonly #lagsMs: number[] = []
  readonly #latency = latencyHistogram()
  readonly #open = new Set<Promise<void>>()
  #polls = 0
  #errors = 0
  #firstError = ''

  constructor(baseUrl: string, path: string) {
    this.#baseUrl = baseUrl
    this.#path = path
    this.#timer = setInterval(() => this.#poll(), POLL_EVERY_MS)
  }

  /** Resolves when every list asked for has been answered. */
  async stop(): Promise<ListPollResult> {
    clearInterval(this.#timer)
    await Promise.all(this.#open)
    return {
      polls: this.#polls,
      errors: this.#errors,
      firstError: this.#firstError,
      lagMaxMs: this.#lagsMs.length === 0 ? Number.NaN : Math.max(...this.#lagsMs),
      lagsMs: this.#lagsMs,
      latency: summarise(this.#latency),
    }
  }

  /** Every second, whether the last one was answered or not: a slow list must not be asked for less often. */
  #poll(): void {
    this.#polls += 1
    const polled = this.#ask().finally(() => this.#open.delete(polled))
    this.#open.add(polled)
  }

  async #ask(): Promise<void> {
    const askedAtMs = performance.now()
    try {
      const { status, lagMs, text } = await askList(this.#baseUrl, this.#path)
      recordMs(this.#latency, performance.now() - askedAtMs)
      if (status === 200 && !Number.isNaN(lagMs)) this.#lagsMs.push(lagMs)
      else this.#failed(`status ${status}: ${text.slice(0, 300)}`)
    } catch (cause) {
      this.#failed(cause instanceof Error ? cause.message : String(cause))
    }
  }

  #failed(reason: string): void {
    this.#errors += 1
    if (this.#firstError === '') this.#firstError = reason
  }
}
