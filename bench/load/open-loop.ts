// An open-loop generator: requests leave when they are due, whatever the server does, and latency counts from the
// moment a request was due, not from the moment it was sent (no coordinated omission).
//
//   dueAtMs  0.08 0.11 0.35 … (fixed before the start)
//                      │ due            free connections
//                      ▼                 ┌──────────┐
//                  next ───────────────▶ │ c7 c2 c9 │ ── one request each, no pipelining ──▶ server
//                      when none is free, the request waits, and its waiting counts
//
// The waiting line is arithmetic on the schedule (`next` behind the clock), so it needs no memory of its own.
// Timers of Node have a grain of a millisecond: requests leave up to about one late, which counts against the
// server; `sendLag` says how much of the latency that was. It never spins: the server needs the core.

import type { Histogram } from 'hdr-histogram-js'
import { connect, type Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { poissonArrivals } from './arrivals.ts'
import { HttpReplyReader } from './http-reply.ts'
import { type LatencySummary, latencyHistogram, recordMs, summarise } from './latency.ts'
import { RedeemRequest } from './redeem-request.ts'

export interface OpenLoopInput {
  readonly port: number
  readonly code: string
  /** Makes users and orders of this run new. */
  readonly tag: string
  readonly ratePerSecond: number
  readonly warmupSeconds: number
  readonly seconds: number
  readonly connections: number
  readonly drainSeconds: number
  readonly seed: number
  /** Latencies are summed up for each stretch of so long too; left out: for the whole only. */
  readonly sliceSeconds?: number
}

export interface OpenLoopResult {
  /** Unix time at which the schedule began, its warm-up first. */
  readonly startedAtMs: number
  /** Requests of the whole schedule, warm-up included. */
  readonly planned: number
  readonly sent: number
  /** Answers of status 201. */
  readonly redeemed: number
  /** Everything else: other statuses, lost connections, no answer in time. Warm-up included. */
  readonly errors: number
  readonly errorKinds: Readonly<Record<string, number>>
  /** Body of the first answer that was not 201, or what else went wrong first; empty when nothing did. */
  readonly firstError: string
  /** Answers 201 in the measured time, a second. */
  readonly achievedPerSecond: number
  /** From the intended send time, measured time only. */
  readonly latency: LatencySummary
  /** From the real send time: what a closed-loop tool would have shown. */
  readonly sinceSend: LatencySummary
  /** How late requests left. */
  readonly sendLag: LatencySummary
  /** From the intended send time, one for each stretch of the measured time by when requests were due. */
  readonly slices: readonly LatencySummary[]
  /** Share of one core that the generator itself used. */
  readonly generatorCpu: number
}

const REPLY_BUFFER_BYTES = 16_384
/** A server that loses this many connections is broken; the run stops. */
const LOST_CONNECTIONS_MAX = 1_000

interface Connection {
  socket: Socket
  readonly request: RedeemRequest
  reader: HttpReplyReader
  dueAtMs: number
  sentAtMs: number
  busy: boolean
}

export async function runOpenLoop(input: OpenLoopInput): Promise<OpenLoopResult> {
  const loop = new OpenLoop(input)
  await loop.open()
  return await loop.run()
}

class OpenLoop {
  readonly #input: OpenLoopInput
  readonly #due: Float64Array
  readonly #measuredFromMs: number
  readonly #latency: Histogram = latencyHistogram()
  readonly #sinceSend: Histogram = latencyHistogram()
  readonly #sendLag: Histogram = latencyHistogram()
  readonly #slices: Histogram[] = []
  readonly #all: Connection[] = []
  readonly #free: Connection[] = []
  readonly #errorKinds = new Map<string, number>()
  #firstError = ''
  #errors = 0
  #redeemed = 0
  #redeemedMeasured = 0
  #lastMeasuredReplyMs = 0
  #lost = 0
  #next = 0
  #startMs = 0
  #timer: NodeJS.Timeout | undefined
  #over = false
  #finish: () => void = () => {}

  constructor(input: OpenLoopInput) {
    this.#input = input
    this.#due = poissonArrivals(input.ratePerSecond, (input.warmupSeconds + input.seconds) * 1_000, input.seed)
    this.#measuredFromMs = input.warmupSeconds * 1_000
  }

  async open(): Promise<void> {
    const opening = Array.from({ length: this.#input.connections }, async () => {
      const connection: Connection = {
        socket: await this.#dial((bytes, length) => this.#received(connection, bytes, length)),
        request: new RedeemRequest(this.#input.code, this.#input.tag),
        reader: new HttpReplyReader(),
        dueAtMs: 0,
        sentAtMs: 0,
        busy: false,
      }
      this.#watch(connection)
      this.#all.push(connection)
      this.#free.push(connection)
    })
    await Promise.all(opening)
  }

  async run(): Promise<OpenLoopResult> {
    const cpuBefore = process.cpuUsage()
    const finished = new Promise<void>((resolve) => {
      this.#finish = resolve
    })
    const startedAtMs = Date.now()
    this.#startMs = performance.now()
    const lengthMs = (this.#input.warmupSeconds + this.#input.seconds + this.#input.drainSeconds) * 1_000
    const giveUp = setTimeout(() => this.#finish(), lengthMs)
    this.#pump()
    await finished
    this.#over = true
    clearTimeout(giveUp)
    clearTimeout(this.#timer)
    const wallMs = performance.now() - this.#startMs
    const cpu = process.cpuUsage(cpuBefore)
    this.#countUnanswered(wallMs)
    for (const connection of this.#all) connection.socket.destroy()
    const measuredMs = Math.max(this.#input.seconds * 1_000, this.#lastMeasuredReplyMs - this.#measuredFromMs)
    return {
      startedAtMs,
      planned: this.#due.length,
      sent: this.#next,
      redeemed: this.#redeemed,
      errors: this.#errors,
      errorKinds: Object.fromEntries(this.#errorKinds),
      firstError: this.#firstError,
      achievedPerSecond: this.#redeemedMeasured / (measuredMs / 1_000),
      latency: summarise(this.#latency),
      sinceSend: summarise(this.#sinceSend),
      sendLag: summarise(this.#sendLag),
      slices: this.#slices.map(summarise),
      generatorCpu: (cpu.user + cpu.system) / 1_000 / wallMs,
    }
  }

  /** Sends everything that is due and for which a connection is free; sets the timer for what comes next. */
  #pump(): void {
    let nowMs = performance.now() - this.#startMs
    while (this.#next < this.#due.length) {
      const dueAtMs = this.#due[this.#next] as number
      if (dueAtMs > nowMs) {
        nowMs = performance.now() - this.#startMs
        if (dueAtMs > nowMs) break
      }
      const connection = this.#free.pop()
      if (connection === undefined) return
      this.#send(connection, dueAtMs, nowMs)
    }
    if (this.#next < this.#due.length) {
      clearTimeout(this.#timer)
      this.#timer = setTimeout(() => this.#pump(), (this.#due[this.#next] as number) - nowMs)
    } else if (this.#free.length === this.#all.length) {
      this.#finish()
    }
  }

  #send(connection: Connection, dueAtMs: number, nowMs: number): void {
    connection.dueAtMs = dueAtMs
    connection.sentAtMs = nowMs
    connection.busy = true
    connection.request.become(this.#next)
    this.#next += 1
    connection.socket.write(connection.request.bytes)
    if (dueAtMs >= this.#measuredFromMs) recordMs(this.#sendLag, nowMs - dueAtMs)
  }

  #received(connection: Connection, bytes: Buffer, length: number): void {
    let status: number
    try {
      status = connection.reader.feed(bytes, length)
    } catch (cause) {
      connection.socket.destroy(cause instanceof Error ? cause : new Error(String(cause)))
      return
    }
    if (status === 0) return
    if (!connection.busy) {
      connection.socket.destroy(new Error(`an answer of status ${status} to no request`))
      return
    }
    const nowMs = performance.now() - this.#startMs
    this.#settle(connection, nowMs)
    if (status === 201) {
      this.#redeemed += 1
      if (connection.dueAtMs >= this.#measuredFromMs) {
        this.#redeemedMeasured += 1
        this.#lastMeasuredReplyMs = nowMs
      }
    } else {
      this.#countError(`status ${status}`, connection.reader.lastBody)
    }
    this.#free.push(connection)
    this.#pumpWhenLate(nowMs)
  }

  /** An answer is a chance to send what has become due, without waiting for the timer. */
  #pumpWhenLate(nowMs: number): void {
    const dueAtMs = this.#due[this.#next]
    if (dueAtMs === undefined ? this.#free.length === this.#all.length : dueAtMs <= nowMs) this.#pump()
  }

  #settle(connection: Connection, nowMs: number): void {
    connection.busy = false
    if (connection.dueAtMs < this.#measuredFromMs) return
    this.#record(connection.dueAtMs, nowMs)
    recordMs(this.#sinceSend, nowMs - connection.sentAtMs)
  }

  #record(dueAtMs: number, nowMs: number): void {
    recordMs(this.#latency, nowMs - dueAtMs)
    const { sliceSeconds } = this.#input
    if (sliceSeconds === undefined) return
    const slice = Math.floor((dueAtMs - this.#measuredFromMs) / (sliceSeconds * 1_000))
    while (this.#slices.length <= slice) this.#slices.push(latencyHistogram())
    recordMs(this.#slices[slice] as Histogram, nowMs - dueAtMs)
  }

  #countError(kind: string, detail: string): void {
    this.#errors += 1
    this.#errorKinds.set(kind, (this.#errorKinds.get(kind) ?? 0) + 1)
    if (this.#firstError === '') this.#firstError = `${kind}: ${detail}`.slice(0, 500)
  }

  /** What never got an answer is an error, and its latency is at least the time waited so far. */
  #countUnanswered(nowMs: number): void {
    for (const connection of this.#all) {
      if (!connection.busy) continue
      this.#settle(connection, nowMs)
      this.#countError('no answer', 'the request was open when the run ended')
    }
    for (; this.#next < this.#due.length; this.#next++) {
      const dueAtMs = this.#due[this.#next] as number
      if (dueAtMs >= this.#measuredFromMs) this.#record(dueAtMs, nowMs)
      this.#countError('not sent', 'no connection became free before the run ended')
    }
  }

  #dial(onBytes: (bytes: Buffer, length: number) => void): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const buffer = Buffer.allocUnsafeSlow(REPLY_BUFFER_BYTES)
      const socket = connect({
        port: this.#input.port,
        host: '127.0.0.1',
        noDelay: true,
        onread: {
          buffer,
          callback: (length) => {
            onBytes(buffer, length)
            return true
          },
        },
      })
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        resolve(socket)
      })
    })
  }

  /** A lost connection fails its request and is opened again. */
  #watch(connection: Connection): void {
    let reason = 'closed by the server'
    connection.socket.on('error', (cause) => {
      reason = cause.message
    })
    connection.socket.on('close', () => {
      if (this.#over) return
      const nowMs = performance.now() - this.#startMs
      const wasFree = this.#free.indexOf(connection)
      if (wasFree >= 0) this.#free.splice(wasFree, 1)
      if (connection.busy) {
        this.#settle(connection, nowMs)
        this.#countError('connection lost', reason)
      }
      this.#lost += 1
      if (this.#lost > LOST_CONNECTIONS_MAX) this.#finish()
      else void this.#reopen(connection)
    })
  }

  async #reopen(connection: Connection): Promise<void> {
    try {
      connection.reader = new HttpReplyReader()
      connection.socket = await this.#dial((bytes, length) => this.#received(connection, bytes, length))
    } catch (cause) {
      this.#countError('not reconnected', cause instanceof Error ? cause.message : String(cause))
      this.#all.splice(this.#all.indexOf(connection), 1)
      if (this.#all.length === 0) this.#finish()
      return
    }
    if (this.#over) {
      connection.socket.destroy()
      return
    }
    this.#watch(connection)
    this.#free.push(connection)
    this.#pump()
  }
}
