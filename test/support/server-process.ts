// The built server as a child process: started on a free port, watched, and ended by its own id.
//
//     start ──▶ listening (its log names the port) ──▶ ready (its log says so) ──▶ stop | kill | ends by itself
//
// Whatever it says is kept, because its last line is part of what is promised. Nothing polls: both moments are lines of its
// log, and the end is the event of the child. A child that outlives its test is killed when the test's process ends.

import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { PRODUCT_ENTRY } from './project.ts'

const LAST_WORDS_MAX = 20_000

export interface ServerOptions {
  readonly dataDir: string
  /** TEAROFF_ settings without their prefix, beyond address, directory and log level. */
  readonly settings?: Readonly<Record<string, string>>
  /** Put before the command, such as a tracer. */
  readonly wrap?: readonly string[]
  /** Run by a shell before the server in the same process, such as `ulimit -f 100`. */
  readonly shell?: string
  /** Of node itself, such as `--import`. */
  readonly nodeOptions?: readonly string[]
  /** What is started: the engine with its gateway, unless said otherwise. */
  readonly command?: 'serve' | 'gateway'
  /** Of another build than the product's. */
  readonly entry?: string
  readonly env?: Readonly<Record<string, string>>
}

export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

const live = new Set<ChildProcess>()
process.prependListener('exit', () => {
  for (const child of live) child.kill('SIGKILL')
})

export class ServerProcess {
  /** Settles when the process is gone and its output read. */
  readonly ended: Promise<Ending>
  /** Settles with the port; rejects when the process ends before. */
  readonly listening: Promise<number>
  /** Settles when the shards serve; rejects when the process ends before. */
  readonly ready: Promise<void>
  /** Standard error, line by line. */
  readonly errorLines: string[] = []
  /** Lines of the log, parsed. */
  readonly log: Record<string, unknown>[] = []
  /** Known once it listens. */
  port = 0
  private readonly child: ChildProcess
  private words = ''
  private readonly listeners: { readonly message: string; readonly resolve: () => void }[] = []
  private hasEnded: Ending | null = null

  constructor(options: ServerOptions) {
    this.child = spawnServer(options)
    live.add(this.child)
    const listening = deferred<number>()
    const ready = deferred<void>()
    this.listening = listening.promise
    this.ready = ready.promise
    // Nobody may be waiting for either: a start that is meant to fail is judged by its ending.
    this.listening.catch(() => {})
    this.ready.catch(() => {})
    const { stdout, stderr } = this.child
    if (stdout === null || stderr === null) throw new Error('the output of a child is piped')
    createInterface({ input: stdout }).on('line', (line) => {
      this.keep(line)
      const entry = parsedLine(line)
      if (entry === null) return
      this.log.push(entry)
      for (const { message, resolve } of this.listeners) if (message === entry['msg']) resolve()
      if (typeof entry['url'] === 'string') {
        this.port = Number(new URL(entry['url']).port)
        listening.resolve(this.port)
      }
      if (entry['msg'] === 'ready') ready.resolve()
    })
    createInterface({ input: stderr }).on('line', (line) => {
      this.keep(line)
      this.errorLines.push(line)
    })
    this.ended = new Promise((resolve) => {
      this.child.once('close', (code, signal) => {
        live.delete(this.child)
        this.hasEnded = { code, signal }
        const early = new Error(`the server ended early (${signal ?? code})\n${this.words}`)
        listening.reject(early)
        ready.reject(early)
        resolve(this.hasEnded)
      })
    })
  }

  get pid(): number {
    return this.child.pid as number
  }

  get baseUrl(): string {
    return `http://127.0.0.1:${this.port}`
  }

  get isRunning(): boolean {
    return this.hasEnded === null
  }

  /** Everything it said, or the end of it. */
  get lastWords(): string {
    return this.words
  }

  /** The last line on standard error; '' when there was none. */
  get lastErrorLine(): string {
    return this.errorLines.at(-1) ?? ''
  }

  /** Settles when its log has the message, which it may have already; never where it does not come. */
  async hasSaid(message: string): Promise<void> {
    if (this.log.some(({ msg }) => msg === message)) return
    await new Promise<void>((resolve) => this.listeners.push({ message, resolve }))
  }

  /** SIGKILL, then waits. */
  async kill(): Promise<Ending> {
    this.child.kill('SIGKILL')
    return await this.ended
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  /** SIGTERM, then waits; throws when it does not end with 0. */
  async stop(): Promise<void> {
    this.child.kill('SIGTERM')
    const { code, signal } = await this.ended
    if (code !== 0) throw new Error(`the server ended with ${signal ?? code} after SIGTERM\n${this.words}`)
  }

  private keep(line: string): void {
    this.words = `${this.words}${line}\n`.slice(-LAST_WORDS_MAX)
  }
}

/** Starts a server and waits until it is ready. */
export async function startServer(options: ServerOptions): Promise<ServerProcess> {
  const server = new ServerProcess(options)
  await server.listening
  await server.ready
  return server
}

function spawnServer({
  dataDir,
  settings = {},
  wrap = [],
  shell,
  nodeOptions = [],
  entry,
  command: what = 'serve',
  env = {},
}: ServerOptions): ChildProcess {
  const command = [...wrap, process.execPath, ...nodeOptions, entry ?? PRODUCT_ENTRY, what]
  const [program, ...args] = shell === undefined ? command : ['bash', '-c', `${shell}; exec "$@"`, 'bash', ...command]
  return spawn(program as string, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...withoutSettings(process.env),
      ...env,
      ...prefixed({ HOST: '127.0.0.1', PORT: '0', DATA_DIR: dataDir, ...settings }),
    },
  })
}

/** The caller's environment without settings of the product: a test says all of them itself. */
function withoutSettings(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('TEAROFF_')))
}

function prefixed(settings: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(settings).map(([name, value]) => [`TEAROFF_${name}`, value]))
}

interface Deferred<Value> {
  readonly promise: Promise<Value>
  readonly resolve: (value: Value) => void
  readonly reject: (error: Error) => void
}

/** Promise.withResolvers of later versions of Node. */
function deferred<Value>(): Deferred<Value> {
  let resolve: (value: Value) => void = () => {}
  let reject: (error: Error) => void = () => {}
  const promise = new Promise<Value>((onValue, onError) => {
    resolve = onValue
    reject = onError
  })
  return { promise, resolve, reject }
}

function parsedLine(line: string): Record<string, unknown> | null {
  if (!line.startsWith('{')) return null
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    return null
  }
}
