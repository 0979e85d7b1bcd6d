// The product as a black box: a child process on a temporary directory and a free port, reached over loopback only.
//
// Settings of the caller's environment go through (so a run can compare two numbers of workers), the address and the
// directory do not. It is stopped by SIGTERM as an operator would, killed by its own id where a workload says so, and
// the last words it printed are part of every error.

import { type ChildProcess, spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { performance } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { ServerLog } from './server-log.ts'
import { endChild, ended, track } from '../children.ts'
import { startEnvironment } from '../project.ts'
import { READY_TIME_LIMIT_MS, STOP_TIME_LIMIT_MS } from '../sizes.ts'

/** What `/readyz` says about the replay before it; null where it says nothing. */
export interface ReplayReport {
  readonly events: number
  readonly elapsedMs: number
}

export interface ProductOptions {
  /** Settings of the product by their environment names; they win over the caller's. */
  readonly settings?: Readonly<Record<string, string>>
  /** A built module that is loaded before the product, in its process. */
  readonly preload?: string
}

export interface Product {
  readonly pid: number
  readonly port: number
  readonly baseUrl: string
  /** What it says, line by line. */
  readonly log: ServerLog
  /** From the start of the process to the first 200 of `/readyz`. */
  readonly readyMs: number
  readonly replay: ReplayReport | null
  /** SIGTERM, then waits; fails when it does not exit with 0 in time. */
  readonly stop: () => Promise<void>
  /** SIGKILL, then waits. */
  readonly kill: () => Promise<void>
}

const READY_POLL_MS = 10
const LAST_WORDS_MAX = 4_000

/** Settings that the bench sets itself. */
const OWN_SETTINGS = ['TEAROFF_HOST', 'TEAROFF_PORT', 'TEAROFF_DATA_DIR', 'TEAROFF_AUTH', 'TEAROFF_LOG_LEVEL'] as const

/** The caller's settings of the product that apply to a run. */
export function callerSettings(): Record<string, string> {
  const settings: Record<string, string> = {}
  for (const [name, value] of Object.entries(process.env)) {
    const own = (OWN_SETTINGS as readonly string[]).includes(name)
    if (name.startsWith('TEAROFF_') && !own && value !== undefined) settings[name] = value
  }
  return settings
}

/** Starts the built entry and waits until it is ready. */
export async function startProduct(entry: string, dataDir: string, options: ProductOptions = {}): Promise<Product> {
  const port = await freePort()
  const preload = options.preload === undefined ? [] : ['--import', pathToFileURL(options.preload).href]
  const startMs = performance.now()
  const child = track(
    spawn(process.execPath, [...preload, entry, 'serve'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...startEnvironment(),
        ...process.env,
        ...options.settings,
        TEAROFF_HOST: '127.0.0.1',
        TEAROFF_PORT: String(port),
        TEAROFF_DATA_DIR: dataDir,
        TEAROFF_AUTH: 'off',
        TEAROFF_LOG_LEVEL: 'info',
      },
    }),
  )
  const lastWords = keepLastWords(child)
  const log = new ServerLog()
  child.stdout?.on('data', (chunk: Buffer) => log.feed(chunk.toString()))
  child.once('exit', (code, signal) => log.end(`the server ended (${signal ?? code})`))
  const baseUrl = `http://127.0.0.1:${port}`
  let replay: ReplayReport | null
  try {
    replay = await untilReady(child, baseUrl)
  } catch (cause) {
    await endChild(child, 'SIGKILL', 1_000)
    throw new Error(`the server did not become ready: ${(cause as Error).message}\n${lastWords()}`, { cause })
  }
  return {
    pid: child.pid as number,
    port,
    baseUrl,
    log,
    readyMs: performance.now() - startMs,
    replay,
    stop: async () => {
      const inTime = await endChild(child, 'SIGTERM', STOP_TIME_LIMIT_MS)
      if (!inTime || child.exitCode !== 0) {
        const how = inTime
          ? `ended with ${child.exitCode ?? child.signalCode}`
          : `was not gone in ${STOP_TIME_LIMIT_MS} ms`
        throw new Error(`the server ${how} after SIGTERM\n${lastWords()}`)
      }
    },
    kill: async () => {
      if (child.exitCode !== null || child.signalCode !== null) {
        throw new Error(`the server ended by itself (${child.exitCode ?? child.signalCode})\n${lastWords()}`)
      }
      child.kill('SIGKILL')
      await ended(child)
    },
  }
}

async function untilReady(child: ChildProcess, baseUrl: string): Promise<ReplayReport | null> {
  const deadlineMs = performance.now() + READY_TIME_LIMIT_MS
  while (performance.now() < deadlineMs) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`it ended with ${child.exitCode ?? child.signalCode}`)
    }
    const answer = await fetch(`${baseUrl}/readyz`, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined)
    const text = await answer?.text().catch(() => '')
    if (answer?.status === 200) return parseReplay(text ?? '')
    await pause(READY_POLL_MS)
  }
  throw new Error(`not within ${READY_TIME_LIMIT_MS} ms`)
}

function parseReplay(text: string): ReplayReport | null {
  let body: { replay?: { events?: unknown; elapsedMs?: unknown } }
  try {
    body = JSON.parse(text) as typeof body
  } catch {
    return null
  }
  const { events, elapsedMs } = body.replay ?? {}
  return typeof events === 'number' && typeof elapsedMs === 'number' ? { events, elapsedMs } : null
}

function keepLastWords(child: ChildProcess): () => string {
  let words = ''
  const keep = (chunk: Buffer): void => {
    words = (words + chunk.toString()).slice(-LAST_WORDS_MAX)
  }
  child.stdout?.on('data', keep)
  child.stderr?.on('data', keep)
  return () => words
}

/** A port nobody listens on at this moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      const port = typeof address === 'object' && address !== null ? address.port : 0
      server.close(() => resolve(port))
    })
  })
}
