/**
 * A thread that answers questions, as the main thread sees it: started, asked, and started again when it dies.
 *
 * Nothing of it may touch a checkout: questions are bounded in number and in time, a dead thread refuses them and takes nothing
 * else with it. Pauses between starts double, so that a defect that comes at once costs little.
 */
import { Worker } from 'node:worker_threads'
import {
  HEAP_MIB_MAX,
  LIST_MS_MAX,
  LISTS_WAITING_MAX,
  RESTART_MS_MAX,
  RESTART_MS_MIN,
  SETTLED_MS,
  STOP_MS_MAX,
} from './limits.ts'
import type { FromThread, ToThread } from './messages.ts'
import { BACKGROUND_NEW_SPACE_MIB } from '../engine/idle-priority.ts'
import { workerEntry } from '../engine/worker-entry.ts'
import { ReadModelUnavailable } from '../gateway/read-model.ts'

export interface ThreadOptions<Told> {
  /** As people call it. */
  readonly name: string
  /** A path from `engine/`, see `worker-entry.ts`. */
  readonly entry: string
  readonly workerData: object
  /** What it says beside answers. */
  readonly onTold: (message: Told) => void
  /** It has ended, whyever. */
  readonly onEnded: () => void
  /** It died, and is started again after so long. */
  readonly onDied: (error: unknown, restartMs: number) => void
}

interface Waiting<Answer> {
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: Error) => void
  readonly timer: NodeJS.Timeout
}

export class ThreadHost<Question, Answer, Tell, Told> {
  private readonly options: ThreadOptions<Told>
  private readonly waiting = new Map<number, Waiting<Answer>>()
  private worker: Worker | null = null
  private restart: NodeJS.Timeout | null = null
  private restartMs = RESTART_MS_MIN
  private nextId = 1
  private hasStopped = false
  private whenStopped: (() => void) | null = null

  constructor(options: ThreadOptions<Told>) {
    this.options = options
  }

  start(): void {
    if (this.hasStopped) return
    const startedMs = performance.now()
    const { name, entry, workerData, onEnded } = this.options
    const worker = new Worker(workerEntry(entry), {
      workerData,
      name,
      resourceLimits: {
        maxOldGenerationSizeMb: HEAP_MIB_MAX,
        maxYoungGenerationSizeMb: BACKGROUND_NEW_SPACE_MIB,
      },
    })
    this.worker = worker
    let cause: unknown = null
    worker.on('message', (message: FromThread<Answer, Told>) => this.hear(message))
    worker.on('error', (error) => {
      cause = error
    })
    worker.on('exit', (code) => {
      this.worker = null
      onEnded()
      this.refuseAll()
      this.whenStopped?.()
      if (!this.hasStopped) this.startAgain(cause ?? new Error(`it ended with exit code ${code}`), startedMs)
    })
  }

  /** Settles when it has closed what it has open, or after a while: that is whole too. */
  async stop(): Promise<void> {
    this.hasStopped = true
    if (this.restart !== null) clearTimeout(this.restart)
    const { worker } = this
    this.refuseAll()
    if (worker === null) return
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>((resolve) => {
      this.whenStopped = resolve
      timer = setTimeout(resolve, STOP_MS_MAX)
      this.post({ type: 'stop' })
    })
    clearTimeout(timer)
  }

  /** Throws ReadModelUnavailable when it cannot answer now. */
  async ask(question: Question): Promise<Answer> {
    const { name } = this.options
    if (this.worker === null || this.hasStopped) throw new ReadModelUnavailable(`the ${name} does not run`)
    if (this.waiting.size >= LISTS_WAITING_MAX) throw new ReadModelUnavailable('too many questions are waiting')
    const id = this.nextId++
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(id)
        reject(new ReadModelUnavailable('the answer took too long'))
      }, LIST_MS_MAX)
      this.waiting.set(id, { resolve, reject, timer })
      this.post({ type: 'ask', id, askedAtMs: Date.now(), question })
    })
  }

  tell(message: Tell): void {
    this.post({ type: 'tell', message })
  }

  private hear(message: FromThread<Answer, Told>): void {
    switch (message.type) {
      case 'answer':
        this.settle(message.id)?.resolve(message.answer)
        return
      case 'refused':
        this.settle(message.id)?.reject(new ReadModelUnavailable(message.reason))
        return
      case 'failed':
        this.settle(message.id)?.reject(new Error(`the ${this.options.name} failed at a question: ${message.message}`))
        return
      case 'told':
        this.options.onTold(message.message)
        return
      case 'stopped':
        this.whenStopped?.()
        return
    }
  }

  private settle(id: number): Waiting<Answer> | undefined {
    const waiting = this.waiting.get(id)
    this.waiting.delete(id)
    clearTimeout(waiting?.timer)
    return waiting
  }

  private refuseAll(): void {
    for (const id of this.waiting.keys()) {
      this.settle(id)?.reject(new ReadModelUnavailable(`the ${this.options.name} has ended`))
    }
  }

  private startAgain(cause: unknown, startedMs: number): void {
    if (performance.now() - startedMs > SETTLED_MS) this.restartMs = RESTART_MS_MIN
    const { restartMs } = this
    this.restartMs = Math.min(RESTART_MS_MAX, restartMs * 2)
    this.options.onDied(cause, restartMs)
    this.restart = setTimeout(() => this.start(), restartMs)
  }

  private post(message: ToThread<Question, Tell>): void {
    this.worker?.postMessage(message)
  }
}
