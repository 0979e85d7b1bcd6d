/**
 * The demo's server: this same program as a child process, `tearoff serve` on a free port. Its log lines say where it listens
 * and when it is ready, so nothing is polled. It never outlives the demo.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'

export interface DemoServer {
  readonly pid: number
  readonly port: number
  readonly url: string
  /** SIGTERM; throws unless it ends with 0. */
  stop(): Promise<void>
  /** SIGKILL, if it still runs. */
  kill(): void
}

const PROGRAM = fileURLToPath(new URL('../main.js', import.meta.url))

/** Resolves when the server is ready. Throws with its last words when it ends before. */
export async function startServer(dataDir: string): Promise<DemoServer> {
  const flags = ['--host', '127.0.0.1', '--port', '0', '--data-dir', dataDir, '--auth', 'off', '--log-level', 'info']
  const child = spawn(process.execPath, [PROGRAM, 'serve', ...flags], { stdio: ['ignore', 'pipe', 'pipe'] })
  const kill = (): void => {
    child.kill('SIGKILL')
  }
  // Before the listener that removes its directory.
  process.prependOnceListener('exit', kill)
  const lastWords = lastLineOf(child.stderr)
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) => resolve(`${signal ?? `exit code ${code}`}${lastWords()}`))
  })
  const url = await Promise.race([
    untilReady(child.stdout),
    ended.then((how): never => {
      throw new Error(`the server did not start: ${how}`)
    }),
  ])
  return {
    pid: child.pid ?? 0,
    port: Number(new URL(url).port),
    url,
    stop: async () => await stop(child, ended),
    kill,
  }
}

async function stop(child: ChildProcess, ended: Promise<string>): Promise<void> {
  child.kill('SIGTERM')
  const how = await ended
  if (child.exitCode !== 0) throw new Error(`the server did not stop in order: ${how}`)
}

/** The address it listens on, once it says that it is ready. Goes on reading, so that the child never waits. */
async function untilReady(output: Readable): Promise<string> {
  return await new Promise((resolve) => {
    let url = ''
    createInterface({ input: output }).on('line', (line) => {
      const said = JSON.parse(line) as { url?: string; msg?: string }
      url = said.url ?? url
      if (said.msg === 'ready') resolve(url)
    })
  })
}

function lastLineOf(output: Readable): () => string {
  let last = ''
  createInterface({ input: output }).on('line', (line) => {
    last = line
  })
  return () => (last === '' ? '' : ` (${last})`)
}
