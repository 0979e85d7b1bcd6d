// A program of the examples as a child process: started from the build, watched by the lines of its log, ended by its
// own id. A child that outlives its test is killed when the test's process ends.

import { type ChildProcess, spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { PROJECT_ROOT } from '../support/project.ts'

const BUILT = join(PROJECT_ROOT, 'dist')
const DIE_AT = join(BUILT, 'test', 'examples', 'children', 'die-at.js')

export type LogEntry = Readonly<Record<string, unknown>>

/** The moment (children/die-at.ts) at which a process is killed. */
export interface Death {
  readonly atMoment: number
  /** Counted from the start on; otherwise from `arm` on. */
  readonly isArmed: boolean
}

interface Waiter {
  readonly matches: (entry: LogEntry) => boolean
  readonly resolve: (entry: LogEntry) => void
  readonly reject: (error: Error) => void
}

const live = new Set<ChildProcess>()
process.prependListener('exit', () => {
  for (const child of live) child.kill('SIGKILL')
})

export class ExampleProcess {
  readonly log: LogEntry[] = []
  /** Settles with the signal that ended it, when its output is read. */
  readonly ended: Promise<NodeJS.Signals | null>
  /** Standard error. */
  errors = ''
  private readonly child: ChildProcess
  private readonly waiters = new Set<Waiter>()
  private isOver = false

  constructor(program: string, env: Readonly<Record<string, string>>, death?: Death) {
    const nodeOptions = death === undefined ? [] : ['--import', DIE_AT]
    this.child = spawn(process.execPath, [...nodeOptions, join(BUILT, 'examples', 'checkout', `${program}.js`)], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env, ...settingsOf(death) },
    })
    live.add(this.child)
    const { stdout, stderr } = this.child
    if (stdout === null || stderr === null) throw new Error('the output of a child is piped')
    createInterface({ input: stdout }).on('line', (line) => this.keep(JSON.parse(line) as LogEntry))
    stderr.on('data', (chunk: Buffer) => {
      this.errors += chunk.toString('utf8')
    })
    this.ended = new Promise((resolve) => {
      this.child.once('close', (_, signal) => {
        live.delete(this.child)
        this.isOver = true
        for (const { reject } of this.waiters) reject(this.early())
        resolve(signal)
      })
    })
  }

  /** The first line of its log, past or to come, that matches; rejects when it ends before. */
  until(matches: (entry: LogEntry) => boolean): Promise<LogEntry> {
    const past = this.log.find(matches)
    if (past !== undefined) return Promise.resolve(past)
    if (this.isOver) return Promise.reject(this.early())
    return new Promise((resolve, reject) => this.waiters.add({ matches, resolve, reject }))
  }

  /** Settles with its address. */
  async listening(): Promise<string> {
    return String((await this.until(({ msg }) => msg === 'listening'))['url'])
  }

  /** From now on moments are counted. */
  async arm(): Promise<void> {
    this.child.kill('SIGUSR2')
    await this.until(({ msg }) => msg === 'armed')
  }

  /** The moment at which it died. */
  get lastMoment(): string {
    const { at } = this.log.find(({ msg }) => msg === 'dies') ?? {}
    return typeof at === 'string' ? at : 'none'
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL')
    await this.ended
  }

  private keep(entry: LogEntry): void {
    this.log.push(entry)
    for (const waiter of this.waiters) {
      if (!waiter.matches(entry)) continue
      this.waiters.delete(waiter)
      waiter.resolve(entry)
    }
  }

  private early(): Error {
    return new Error(`the process ended early\n${this.errors}`)
  }
}

function settingsOf(death: Death | undefined): Record<string, string> {
  if (death === undefined) return {}
  return { DIE_AT: String(death.atMoment), ...(death.isArmed ? { DIE_ARMED: 'yes' } : {}) }
}

/** A port that was free a moment ago, for a program that has to keep it over restarts. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      const port = address !== null && typeof address === 'object' ? address.port : 0
      server.close(() => resolve(port))
    })
  })
}
