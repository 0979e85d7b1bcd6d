/** A nats-server of its own for a test, on loopback: Debian's package. Where it is missing the test fails, and says so. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'

const live = new Set<ChildProcess>()
process.prependListener('exit', () => {
  for (const child of live) child.kill('SIGKILL')
})

export class NatsServer {
  readonly port: number
  private readonly args: readonly string[]
  private child: ChildProcess | null = null
  private ended: Promise<void> = Promise.resolve()

  private constructor(port: number, args: readonly string[]) {
    this.port = port
    this.args = args
  }

  /** Settles when it takes connections. `args`: beside address and port. */
  static async start(...args: readonly string[]): Promise<NatsServer> {
    const server = new NatsServer(await freePort(), args)
    await server.start()
    return server
  }

  get pid(): number {
    return this.child?.pid as number
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`
  }

  /** Again on the same port, after `kill`. */
  async start(): Promise<void> {
    const child = spawn('nats-server', ['-a', '127.0.0.1', '-p', String(this.port), ...this.args], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    this.child = child
    live.add(child)
    const words: string[] = []
    let hasEnded: () => void = () => {}
    this.ended = new Promise((resolve) => {
      hasEnded = resolve
    })
    await new Promise<void>((resolve, reject) => {
      child.once('error', (cause) => {
        live.delete(child)
        hasEnded()
        reject(new Error('nats-server cannot be started; it is the Debian package nats-server', { cause }))
      })
      child.once('close', () => {
        live.delete(child)
        hasEnded()
        reject(new Error(`nats-server ended early\n${words.join('\n')}`))
      })
      createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (line) => {
        words.push(line)
        if (line.includes('Server is ready')) resolve()
      })
    })
  }

  async kill(): Promise<void> {
    this.child?.kill('SIGKILL')
    await this.ended
  }

  signal(signal: NodeJS.Signals): void {
    this.child?.kill(signal)
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number }
      probe.close(() => resolve(port))
    })
  })
}
