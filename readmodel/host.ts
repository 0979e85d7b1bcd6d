/**
 * The read model as the gateway sees it: a thread that is started, asked, and started again when it dies.
 *
 * Nothing of it may touch a checkout: lists are bounded in number and in time, a dead thread refuses them and takes nothing
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
import type { Answer, FromProjector, ProjectorSettings, ToProjector } from './messages.ts'
import type { Question } from './queries.ts'
import { workerEntry } from '../engine/worker-entry.ts'
import {
  type CouponFilter,
  type CouponName,
  type HistoryItem,
  type Listed,
  type PageRange,
  type Place,
  type ReadModel,
  ReadModelUnavailable,
  type RedemptionFilter,
  type ReservationFilter,
} from '../gateway/read-model.ts'

export interface ReadModelEvents {
  /** The database did not fit, was dropped, and is built anew. */
  readonly onRebuilding: (reason: string) => void
  /** The thread died, and is started again after so long. */
  readonly onDied: (error: unknown, restartMs: number) => void
}

interface Waiting {
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: Error) => void
  readonly timer: NodeJS.Timeout
}

export class ReadModelHost implements ReadModel {
  private readonly dataDir: string
  private readonly events: ReadModelEvents
  private readonly waiting = new Map<number, Waiting>()
  private worker: Worker | null = null
  private restart: NodeJS.Timeout | null = null
  private restartMs = RESTART_MS_MIN
  private nextId = 1
  private asOfMs = 0
  private hasStopped = false
  private whenStopped: (() => void) | null = null

  constructor(dataDir: string, events: ReadModelEvents) {
    this.dataDir = dataDir
    this.events = events
  }

  start(): void {
    if (this.hasStopped) return
    const startedMs = performance.now()
    const workerData: ProjectorSettings = { dataDir: this.dataDir }
    const worker = new Worker(workerEntry('../readmodel/projector-thread'), {
      workerData,
      name: 'read model',
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB_MAX },
    })
    this.worker = worker
    let cause: unknown = null
    worker.on('message', (message: FromProjector) => this.hear(message))
    worker.on('error', (error) => {
      cause = error
    })
    worker.on('exit', (code) => {
      this.worker = null
      this.asOfMs = 0
      this.refuseAll()
      this.whenStopped?.()
      if (!this.hasStopped) this.startAgain(cause ?? new Error(`it ended with exit code ${code}`), startedMs)
    })
  }

  /** Settles when the database is closed, or after a while: an open one is whole too. */
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
      this.tell({ type: 'stop' })
    })
    clearTimeout(timer)
  }

  async coupons(filter: CouponFilter, range: PageRange): Promise<Listed<string>> {
    return (await this.ask({ list: 'coupons', filter, range })) as Listed<string>
  }

  async history(coupon: CouponName, range: PageRange): Promise<Listed<HistoryItem>> {
    return (await this.ask({ list: 'history', coupon, range })) as Listed<HistoryItem>
  }

  async redemptions(filter: RedemptionFilter, range: PageRange): Promise<Listed<Place>> {
    return (await this.ask({ list: 'redemptions', filter, range })) as Listed<Place>
  }

  async reservations(filter: ReservationFilter, range: PageRange): Promise<Listed<Place>> {
    return (await this.ask({ list: 'reservations', filter, range })) as Listed<Place>
  }

  lagMs(): number | null {
    return this.asOfMs === 0 ? null : Math.max(0, Date.now() - this.asOfMs)
  }

  private async ask(question: Question): Promise<Answer> {
    if (this.worker === null || this.hasStopped) throw new ReadModelUnavailable('the read model does not run')
    if (this.waiting.size >= LISTS_WAITING_MAX) throw new ReadModelUnavailable('too many lists are waiting')
    const id = this.nextId++
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(id)
        reject(new ReadModelUnavailable('the list took too long'))
      }, LIST_MS_MAX)
      this.waiting.set(id, { resolve, reject, timer })
      this.tell({ type: 'ask', id, askedAtMs: Date.now(), question })
    })
  }

  private hear(message: FromProjector): void {
    switch (message.type) {
      case 'answer':
        this.settle(message.id)?.resolve(message.answer)
        return
      case 'failed':
        this.settle(message.id)?.reject(new Error(`the read model failed at a list: ${message.message}`))
        return
      case 'progress':
        this.asOfMs = message.asOfMs
        return
      case 'rebuilding':
        this.events.onRebuilding(message.reason)
        return
      case 'stopped':
        this.whenStopped?.()
        return
    }
  }

  private settle(id: number): Waiting | undefined {
    const waiting = this.waiting.get(id)
    this.waiting.delete(id)
    clearTimeout(waiting?.timer)
    return waiting
  }

  private refuseAll(): void {
    for (const id of this.waiting.keys()) {
      this.settle(id)?.reject(new ReadModelUnavailable('the read model has ended'))
    }
  }

  private startAgain(cause: unknown, startedMs: number): void {
    if (performance.now() - startedMs > SETTLED_MS) this.restartMs = RESTART_MS_MIN
    const { restartMs } = this
    this.restartMs = Math.min(RESTART_MS_MAX, restartMs * 2)
    this.events.onDied(cause, restartMs)
    this.restart = setTimeout(() => this.start(), restartMs)
  }

  private tell(message: ToProjector): void {
    this.worker?.postMessage(message)
  }
}
