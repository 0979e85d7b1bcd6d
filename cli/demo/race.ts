/**
 * The race: attempts in one queue, taken by many connections at once, and everything that was answered noted down.
 *
 *     attempts  ─┬─▶ 24 WebSocket connections, 4 frames of 32 messages each under way
 *                └─▶ 32 HTTP connections, one request each
 *
 * An attempt whose fate is open (overloaded, unknown) is made again with the same order, as a checkout would.
 */
import type { Acknowledgement } from '../audit/audit-acknowledgements.ts'
import { type Answer, type Attempt, CODE, type Queue, type Way } from './attempts.ts'
import { HttpBuyers } from './http-buyers.ts'
import { connectWebSocketBuyer } from './websocket-buyer.ts'

export interface RaceProgress {
  readonly answered: number
  readonly redeemed: number
}

export interface RaceResult {
  readonly acknowledgements: readonly Acknowledgement[]
  /** How many were refused, by code. */
  readonly refusals: ReadonlyMap<string, number>
  readonly answered: Readonly<Record<Way, number>>
  readonly tookMs: number
}

const WEBSOCKET_CONNECTIONS = 24
const HTTP_CONNECTIONS = 32
const REPORT_MS = 100

/** Made again with the same order. */
const UNDECIDED: ReadonlySet<string> = new Set(['OVERLOADED', 'SHARD_UNAVAILABLE', 'OUTCOME_UNKNOWN'])
/** How a coupon can be missed; any other refusal is a defect of the demo or of the server. */
const MISSED: ReadonlySet<string> = new Set(['COUPON_EXHAUSTED', 'USER_LIMIT_REACHED'])
/** More attempts than this that had to be made again: the server is stuck. */
const REPEATED_MAX = 100_000

/** Runs until every attempt has its answer. Throws when a connection breaks or an answer makes no sense. */
export async function race(
  port: number,
  attempts: readonly Attempt[],
  onProgress: (progress: RaceProgress) => void,
): Promise<RaceResult> {
  const tally = new Tally(attempts)
  const connecting = Array.from({ length: WEBSOCKET_CONNECTIONS }, () => connectWebSocketBuyer(port, tally))
  const websockets = await Promise.all(connecting)
  const http = new HttpBuyers(port, HTTP_CONNECTIONS, tally)
  const report = setInterval(() => onProgress(tally.progress()), REPORT_MS)
  const startedMs = performance.now()
  try {
    const running = [...websockets, http].map((buyers) => buyers.run())
    // Rejects as soon as one of them breaks; resolves when the last attempt is answered.
    await Promise.race([tally.finished, Promise.all(running).then(async () => await tally.finished)])
  } finally {
    clearInterval(report)
    for (const buyers of [...websockets, http]) buyers.close()
  }
  onProgress(tally.progress())
  return tally.result(performance.now() - startedMs)
}

class Tally implements Queue {
  /** Settles when the last attempt is answered, or with the answer that made no sense. */
  readonly finished: Promise<void>
  private readonly waiting: Attempt[]
  private readonly acknowledgements: Acknowledgement[] = []
  private readonly refusals = new Map<string, number>()
  private readonly ways = { websocket: 0, http: 0 }
  private readonly total: number
  private repeated = 0
  private count = 0
  private resolve: () => void = () => {}
  private reject: (error: Error) => void = () => {}

  constructor(attempts: readonly Attempt[]) {
    this.waiting = attempts.toReversed()
    this.total = attempts.length
    this.finished = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
  }

  take(most: number): readonly Attempt[] {
    return this.waiting.splice(Math.max(0, this.waiting.length - most)).reverse()
  }

  answered(attempt: Attempt, answer: Answer, way: Way): void {
    if (answer.kind === 'refused' && UNDECIDED.has(answer.code) && this.repeated < REPEATED_MAX) {
      this.repeated++
      this.waiting.push(attempt)
      return
    }
    if (answer.kind === 'redeemed')
      this.acknowledgements.push({ ...attempt, code: CODE, redemptionId: answer.redemptionId })
    else if (MISSED.has(answer.code)) this.refusals.set(answer.code, (this.refusals.get(answer.code) ?? 0) + 1)
    else this.reject(new Error(`a buyer was refused with ${answer.code}: ${answer.detail}`))
    this.ways[way]++
    this.count++
    if (this.count === this.total) this.resolve()
  }

  progress(): RaceProgress {
    return { answered: this.count, redeemed: this.acknowledgements.length }
  }

  result(tookMs: number): RaceResult {
    return { acknowledgements: this.acknowledgements, refusals: this.refusals, answered: this.ways, tookMs }
  }
}
