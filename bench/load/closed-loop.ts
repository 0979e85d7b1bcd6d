// Throughput at a fixed number of connections, each with one request open: wrk with one thread, or autocannon where
// wrk is not installed. Both make the same requests; figures of the two must not be compared with each other.
//
// Closed loops hide stalls, so nothing here is published as a latency. What counts is the ratio of two runs.

import { spawn, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { endChild, runChild, track } from '../children.ts'
import { ENTRIES, WRK_SCRIPT } from '../project.ts'

export type LoadTool = 'wrk' | 'autocannon'

export interface ClosedLoopInput {
  readonly port: number
  readonly kind: 'redeem' | 'validate'
  /** A file with one code a line, or several of one cart with commas between them, as `writeCodes` makes it. */
  readonly codesFile: string
  /** Makes users and orders of this run new. */
  readonly tag: string
  readonly connections: number
  readonly seconds: number
}

export interface ClosedLoopResult {
  /** Answers with a status below 400. */
  readonly succeeded: number
  /** Other answers, broken connections and time-outs. */
  readonly errors: number
  readonly seconds: number
  readonly succeededPerSecond: number
}

/** wrk gives up on an answer after this; the run itself is not longer for it. */
const ANSWER_TIME_LIMIT_SECONDS = 10

export function findLoadTool(): LoadTool {
  return spawnSync('wrk', ['-v'], { stdio: 'ignore' }).error === undefined ? 'wrk' : 'autocannon'
}

/** Writes the sequence of codes that a run walks through; returns the path. */
export function writeCodes(folder: string, name: string, codes: readonly string[]): string {
  const path = join(folder, `${name}.codes`)
  writeFileSync(path, `${codes.join('\n')}\n`)
  return path
}

/** One run. Requests open at its end are cut off: the server may have done up to `connections` more than it counts. */
export async function runClosedLoop(tool: LoadTool, input: ClosedLoopInput): Promise<ClosedLoopResult> {
  if (tool === 'autocannon') return await runChild<ClosedLoopInput, ClosedLoopResult>(ENTRIES.autocannon, input)
  return parseWrk(await runWrk(input))
}

interface WrkSummary {
  readonly requests: number
  readonly durationUs: number
  readonly statusErrors: number
  readonly socketErrors: number
  readonly timeouts: number
}

/** Reads the line of JSON that the script prints at the end. */
export function parseWrk(printed: string): ClosedLoopResult {
  const line = printed.split('\n').find((candidate) => candidate.startsWith('{"requests":'))
  if (line === undefined) throw new Error(`wrk printed no summary: ${printed.slice(0, 500)}`)
  const summary = JSON.parse(line) as WrkSummary
  const seconds = summary.durationUs / 1e6
  const succeeded = summary.requests - summary.statusErrors
  return {
    succeeded,
    errors: summary.statusErrors + summary.socketErrors + summary.timeouts,
    seconds,
    succeededPerSecond: succeeded / seconds,
  }
}

async function runWrk(input: ClosedLoopInput): Promise<string> {
  const options = ['-t1', `-c${input.connections}`, `-d${input.seconds}s`, `--timeout=${ANSWER_TIME_LIMIT_SECONDS}s`]
  const target = `http://127.0.0.1:${input.port}`
  const wrk = track(
    spawn('wrk', [...options, '-s', WRK_SCRIPT, target, '--', input.kind, input.codesFile, input.tag], {
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  )
  let printed = ''
  wrk.stdout?.on('data', (chunk: Buffer) => {
    printed += chunk.toString()
  })
  wrk.stderr?.on('data', (chunk: Buffer) => {
    printed += chunk.toString()
  })
  const timer = setTimeout(
    () => void endChild(wrk, 'SIGTERM', 1_000),
    (input.seconds + ANSWER_TIME_LIMIT_SECONDS) * 1_000,
  )
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      wrk.once('error', reject)
      wrk.once('close', resolve)
    })
    if (code !== 0) throw new Error(`wrk ended with ${code}: ${printed.slice(0, 500)}`)
    return printed
  } finally {
    clearTimeout(timer)
  }
}
