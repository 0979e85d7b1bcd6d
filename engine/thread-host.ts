/**
 * A thread that answers questions, as the main thread sees it: started, asked, told, and started again when it dies.
 *
 *     ask ──▶ answer | refused | failed      told ──▶ onTold       tell: while it does not run, kept where that is asked for
 *
 * Nothing of it may touch a checkout: questions are bounded in number and in time, a dead thread refuses them and takes nothing
 * else with it. Pauses between starts double, so that a defect that comes at once costs little.
 */
import { Worker } from 'node:worker_threads'
import { BACKGROUND_NEW_SPACE_MIB } from './idle-priority.ts'
import { type GateData, gateMemory, ThreadGate } from './thread-gate.ts'
import type { FromThread, ToThread } from './thread-messages.ts'
import { workerEntry } from './worker-entry.ts'

/** Pauses before the thread is started again after it died, milliseconds: the first, and how far they double. */
const RESTART_MS_MIN = 500
const RESTART_MS_MAX = 30_000
/** A thread that lived so long has died of something new: pauses begin anew. */
const SETTLED_MS = 60_000
/** How long a stop waits for the thread to close what it has open; what is open is whole too. */
export const STOP_MS_MAX = 8_000

export interface ThreadLimits {
  /** Heap of the thread, MiB. */
  readonly heapMib: number
  /** Questions that are not answered yet; beyond, they are refused. */
  readonly questions: number
  /** A question that takes longer, milliseconds, is refused. */
  readonly answerMs: number
  /** What it is told while it does not run and hears when it does; beyond, the older half is dropped. 0: nothing is kept. */
  readonly tellsKept: number
}

export interface ThreadOptions<Told> {
  /** As people call it. */
  readonly name: string
  /** A path from `engine/`, see `worker-entry.ts`. */
  readonly entry: string
  readonly workerData: object
  readonly limits: ThreadLimits
  /** The error of a question that cannot be answered now. */
  readonly unavailable: (reason: string) => Error
  /** What it says beside answers. */
  readonly onTold: (message: Told) => void
  /** It has ended, whyever. */
  readonly onEnded?: () => void
  /** So much of what it was told is lost, because it did not run. */
  readonly onDropped?: (tells: number) => void
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
  private untold: Tell[] = []
  private worker: Worker | null = null
  private gate: ThreadGate | null = null
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
    const { name, entry, workerData, limits } = this.options
    const gate: GateData = { gate: gateMemory() }
    this.gate = new ThreadGate(gate.gate)
    const worker = new Worker(workerEntry(entry), {
      workerData: { ...workerData, ...gate },
      name,
      resourceLimits: {
        maxOldGenerationSizeMb: limits.heapMib,
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
      this.gate = null
      this.options.onEnded?.()
      this.refuseAll()
      this.whenStopped?.()
      if (!this.hasStopped) this.startAgain(cause ?? new Error(`it ended with exit code ${code}`), startedMs)
    })
    for (const message of this.untold.splice(0)) this.tell(message)
  }

  /** Settles when it has closed what it has open, at the latest at that moment of `performance.now()`: that is whole too. */
  async stop(untilMs = performance.now() + STOP_MS_MAX): Promise<void> {
    this.hasStopped = true
    if (this.restart !== null) clearTimeout(this.restart)
    const { worker } = this
    this.refuseAll()
    if (worker === null) return
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>((resolve) => {
      this.whenStopped = resolve
      timer = setTimeout(resolve, Math.max(0, untilMs - performance.now()))
      this.post({ type: 'stop' })
    })
    clearTimeout(timer)
  }

  /**
   * Right before the process ends: the thread begins nothing more, and what it has begun is waited for until that moment of
   * `performance.now()`, this thread standing still.
   */
  freeze(untilMs: number): void {
    this.gate?.close(Math.max(0, untilMs - performance.now()))
  }

  /** Throws the error of `unavailable` when it cannot answer now. */
  async ask(question: Question): Promise<Answer> {
    const { name, limits, unavailable } = this.options
    if (this.worker === null || this.hasStopped) throw unavailable(`the ${name} does not run`)
    if (this.waiting.size >= limits.questions) throw unavailable('too many questions are waiting')
    const id = this.nextId++
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(id)
        reject(unavailable('the answer took too long'))
      }, limits.answerMs)
      this.waiting.set(id, { resolve, reject, timer })
      this.post({ type: 'ask', id, askedAtMs: Date.now(), question })
    })
  }

  tell(message: Tell): void {
    if (this.worker === null) this.keep(message)
    else this.post({ type: 'tell', message })
  }

  private keep(message: Tell): void {
    const { limits, onDropped } = this.options
    if (limits.tellsKept === 0) return
    this.untold.push(message)
    if (this.untold.length <= limits.tellsKept) return
    onDropped?.(this.untold.splice(0, limits.tellsKept / 2).length)
  }

  private hear(message: FromThread<Answer, Told>): void {
    switch (message.type) {
      case 'answer':
        this.settle(message.id)?.resolve(message.answer)
        return
      case 'refused':
        this.settle(message.id)?.reject(this.options.unavailable(message.reason))
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
    const { name, unavailable } = this.options
    for (const id of this.waiting.keys()) this.settle(id)?.reject(unavailable(`the ${name} has ended`))
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
