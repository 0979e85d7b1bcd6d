// Calls of the soak over keep-alive connections: one request each at a time, taken in turn, every connection closed after so many
// requests and opened again, as clients come and go. Latency counts from when a call was due, waiting for a connection included.

import { performance } from 'node:perf_hooks'
import { HttpConnection } from '../load/http-connection.ts'
import type { OperationName } from './mix.ts'
import { LOST, type Meters, NOT_SENT } from './meters.ts'

/** After these a connection is closed and a new one opened. */
const REQUESTS_OF_A_CONNECTION = 2_000
/** Calls that may wait for a connection; beyond, the server has fallen behind for good. */
const WAITING_MAX = 20_000

export interface Request {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly path: string
  /** JSON text, unless `type` says something else. */
  readonly body?: string
  readonly type?: string
  readonly headers?: string
}

export interface Answer {
  readonly status: number
  readonly body: string
}

interface Line {
  readonly connection: HttpConnection
  requests: number
}

class NotSent extends Error {
  override readonly name = 'NotSent'
}

export class Calls {
  readonly #port: number
  readonly #meters: Meters
  readonly #free: Line[] = []
  readonly #waiting: ((line: Line | null) => void)[] = []
  readonly #open = new Set<HttpConnection>()
  #inFlight = 0
  #idle: () => void = () => {}

  constructor(port: number, meters: Meters) {
    this.#port = port
    this.#meters = meters
  }

  async open(connections: number): Promise<void> {
    await Promise.all(Array.from({ length: connections }, async () => this.#free.push(await this.#dial())))
  }

  /** Counts the call under its operation. The answer if it is a success, otherwise null. */
  async done(operation: OperationName, dueAtMs: number, request: Request): Promise<Answer | null> {
    this.#inFlight++
    try {
      const { status, body } = await this.#ask(request)
      const latencyMs = performance.now() - dueAtMs
      if (status >= 200 && status < 300) {
        this.#meters.done(operation, latencyMs)
        return { status, body }
      }
      this.#meters.refused(operation, latencyMs, status, codeOf(body), body)
    } catch (cause) {
      const words = cause instanceof Error ? cause.message : String(cause)
      const code = cause instanceof NotSent ? NOT_SENT : LOST
      this.#meters.refused(operation, performance.now() - dueAtMs, 0, code, words)
    } finally {
      this.#inFlight--
      if (this.#inFlight === 0) this.#idle()
    }
    return null
  }

  /** Resolves when every call has been answered. */
  async answered(): Promise<void> {
    if (this.#inFlight === 0) return
    await new Promise<void>((resolve) => {
      this.#idle = resolve
    })
  }

  close(): void {
    for (const connection of this.#open) connection.close()
  }

  async #ask(request: Request): Promise<Answer> {
    const line = await this.#line()
    try {
      const status = await line.connection.ask(textOf(request))
      const body = line.connection.lastBody
      line.requests++
      if (line.requests < REQUESTS_OF_A_CONNECTION) this.#giveBack(line)
      else this.#replace(line)
      return { status, body }
    } catch (cause) {
      this.#replace(line)
      throw cause
    }
  }

  async #line(): Promise<Line> {
    for (let free = this.#free.shift(); free !== undefined; free = this.#free.shift()) {
      if (!free.connection.isClosed) return free
      // A server may close a connection that is left alone for ten seconds; nothing was asked on it.
      this.#replace(free)
    }
    if (this.#waiting.length >= WAITING_MAX) throw new NotSent('no connection became free')
    const line = await new Promise<Line | null>((resolve) => this.#waiting.push(resolve))
    if (line === null) throw new NotSent('no connection could be opened')
    return line
  }

  #giveBack(line: Line): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free.push(line)
    else next(line)
  }

  #replace({ connection }: Line): void {
    connection.close()
    this.#open.delete(connection)
    this.#dial().then(
      (line) => this.#giveBack(line),
      () => {
        for (const waiting of this.#waiting.splice(0)) waiting(null)
      },
    )
  }

  async #dial(): Promise<Line> {
    const connection = await HttpConnection.open(this.#port)
    this.#open.add(connection)
    return { connection, requests: 0 }
  }
}

function textOf({ method, path, body, type = 'application/json', headers = '' }: Request): string {
  const head = `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${headers}`
  if (body === undefined) return `${head}\r\n`
  return `${head}Content-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
}

function codeOf(body: string): string {
  return /"code":"([A-Z_]+)"/.exec(body)?.[1] ?? 'NO_CODE'
}
