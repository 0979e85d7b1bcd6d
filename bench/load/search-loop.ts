// An open loop of searches: they leave when they are due, whatever the server does, and latency counts from then (see
// `open-loop.ts`). Searches are few, so each takes the next free connection or waits for one; the waiting counts.

import { performance } from 'node:perf_hooks'
import { poissonArrivals } from './arrivals.ts'
import { HttpConnection } from './http-connection.ts'
import { latencyHistogram, type LatencySummary, recordMs, summarise } from './latency.ts'
import { seededRandom } from './random.ts'

export interface SearchLoopInput {
  readonly port: number
  /** Kinds of searches, each with its paths; every kind is asked for as often as every other. */
  readonly kinds: readonly SearchKind[]
  readonly ratePerSecond: number
  readonly warmupSeconds: number
  readonly seconds: number
  readonly connections: number
  readonly drainSeconds: number
  readonly seed: number
}

export interface SearchKind {
  readonly name: string
  readonly paths: readonly string[]
}

export interface SearchLoopResult {
  readonly planned: number
  readonly answered: number
  /** Other statuses than 200, lost connections, no answer in time. */
  readonly errors: number
  readonly firstError: string
  /** From the intended send time, measured time only. */
  readonly latency: LatencySummary
  readonly byKind: Readonly<Record<string, LatencySummary>>
}

interface Due {
  readonly atMs: number
  readonly kind: SearchKind
  readonly path: string
}

export async function runSearchLoop(input: SearchLoopInput): Promise<SearchLoopResult> {
  const loop = new SearchLoop(input)
  return await loop.run()
}

class SearchLoop {
  readonly #input: SearchLoopInput
  readonly #due: readonly Due[]
  readonly #latency = latencyHistogram()
  readonly #byKind = new Map<string, ReturnType<typeof latencyHistogram>>()
  readonly #free: HttpConnection[] = []
  #next = 0
  #answered = 0
  #open = 0
  #errors = 0
  #firstError = ''
  #startMs = 0
  #finish: () => void = () => {}

  constructor(input: SearchLoopInput) {
    this.#input = input
    const random = seededRandom(input.seed)
    const draw = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)] as Item
    const lengthMs = (input.warmupSeconds + input.seconds) * 1_000
    this.#due = Array.from(poissonArrivals(input.ratePerSecond, lengthMs, input.seed + 1), (atMs) => {
      const kind = draw(input.kinds)
      return { atMs, kind, path: draw(kind.paths) }
    })
    for (const { name } of input.kinds) this.#byKind.set(name, latencyHistogram())
  }

  async run(): Promise<SearchLoopResult> {
    const { connections, port, warmupSeconds, seconds, drainSeconds } = this.#input
    const all = await Promise.all(Array.from({ length: connections }, async () => await HttpConnection.open(port)))
    this.#free.push(...all)
    this.#startMs = performance.now()
    const finished = new Promise<void>((resolve) => {
      this.#finish = resolve
    })
    const giveUp = setTimeout(() => this.#finish(), (warmupSeconds + seconds + drainSeconds) * 1_000)
    this.#pump()
    await finished
    clearTimeout(giveUp)
    for (const connection of all) connection.close()
    const missing = this.#due.length - this.#answered - this.#errors
    if (missing > 0) this.#failed(`${missing} searches were not answered`, missing)
    return {
      planned: this.#due.length,
      answered: this.#answered,
      errors: this.#errors,
      firstError: this.#firstError,
      latency: summarise(this.#latency),
      byKind: Object.fromEntries([...this.#byKind].map(([name, histogram]) => [name, summarise(histogram)])),
    }
  }

  /** Sends what is due and for which a connection is free, and comes again when the next one is due. */
  #pump(): void {
    for (;;) {
      const due = this.#due[this.#next]
      if (due === undefined) {
        if (this.#open === 0) this.#finish()
        return
      }
      const waitMs = due.atMs - (performance.now() - this.#startMs)
      if (waitMs > 0) {
        setTimeout(() => this.#pump(), waitMs)
        return
      }
      // In turn: a connection that is left alone is closed by the server.
      const connection = this.#free.shift()
      // The next answer pumps again.
      if (connection === undefined) return
      this.#next++
      void this.#ask(connection, due)
    }
  }

  async #ask(connection: HttpConnection, due: Due): Promise<void> {
    this.#open++
    try {
      const status = await connection.ask(`GET ${due.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
      if (status === 200) this.#record(due)
      else this.#failed(`${due.path}: ${status} ${connection.lastBody.slice(0, 300)}`, 1)
      this.#free.push(connection)
    } catch (cause) {
      this.#failed(cause instanceof Error ? cause.message : String(cause), 1)
    }
    this.#open--
    const isLate = (this.#due[this.#next]?.atMs ?? 0) <= performance.now() - this.#startMs
    if (isLate) this.#pump()
  }

  #record({ atMs, kind }: Due): void {
    this.#answered++
    if (atMs < this.#input.warmupSeconds * 1_000) return
    const latencyMs = performance.now() - this.#startMs - atMs
    recordMs(this.#latency, latencyMs)
    const histogram = this.#byKind.get(kind.name)
    if (histogram !== undefined) recordMs(histogram, latencyMs)
  }

  #failed(reason: string, count: number): void {
    this.#errors += count
    if (this.#firstError === '') this.#firstError = reason
  }
}
