/**
 * The host of the watcher's thread: starts it, starts it again when it died, asks it for pages, and tells who listens that
 * there is something new. Events of the gateway itself wait here while the thread does not run.
 */
import { Worker } from 'node:worker_threads'
import type { Found } from './event-table.ts'
import {
  HEAP_MIB_MAX,
  PAGE_MS_MAX,
  PAGES_WAITING_MAX,
  RESTART_MS_MAX,
  RESTART_MS_MIN,
  SETTLED_MS,
  STOP_MS_MAX,
  TOLD_WAITING_MAX,
} from './limits.ts'
import type { FromWatcher, ToWatcher, WatcherSettings } from './messages.ts'
import { BACKGROUND_NEW_SPACE_MIB } from '../engine/idle-priority.ts'
import { workerEntry } from '../engine/worker-entry.ts'
import {
  EVENT_TYPES,
  type EventFeed,
  type FeedEventType,
  type FeedPage,
  type FeedQuery,
  FeedUnavailable,
} from '../gateway/event-feed.ts'

export interface WatcherEvents {
  /** For the log; new ones are in the database. */
  readonly onFound: (found: readonly Found[]) => void
  /** The thread died, and is started again after so long. */
  readonly onDied: (error: unknown, restartMs: number) => void
  /** So many events of the gateway were dropped, because the thread did not run. */
  readonly onDropped: (events: number) => void
}

interface Waiting {
  readonly resolve: (page: FeedPage) => void
  readonly reject: (error: Error) => void
  readonly timer: NodeJS.Timeout
}

type Told = ToWatcher & { readonly type: 'tell' }

export class WatcherHost implements EventFeed {
  readonly counts = new Map<FeedEventType, number>(EVENT_TYPES.map((type) => [type, 0]))
  private readonly dataDir: string
  private readonly events: WatcherEvents
  private readonly listeners = new Set<() => void>()
  private readonly waiting = new Map<number, Waiting>()
  private untold: Told[] = []
  private worker: Worker | null = null
  private restart: NodeJS.Timeout | null = null
  private restartMs = RESTART_MS_MIN
  private nextId = 1
  private hasStopped = false
  private whenStopped: (() => void) | null = null

  constructor(dataDir: string, events: WatcherEvents) {
    this.dataDir = dataDir
    this.events = events
  }

  start(): void {
    if (this.hasStopped) return
    const startedMs = performance.now()
    const workerData: WatcherSettings = { dataDir: this.dataDir }
    const worker = new Worker(workerEntry('../lifecycle/watcher-thread'), {
      workerData,
      name: 'watcher',
      resourceLimits: {
        maxOldGenerationSizeMb: HEAP_MIB_MAX,
        maxYoungGenerationSizeMb: BACKGROUND_NEW_SPACE_MIB,
      },
    })
    this.worker = worker
    let cause: unknown = null
    worker.on('message', (message: FromWatcher) => this.hear(message))
    worker.on('error', (error) => {
      cause = error
    })
    worker.on('exit', (code) => {
      this.worker = null
      this.refuseAll()
      this.whenStopped?.()
      if (!this.hasStopped) this.startAgain(cause ?? new Error(`it ended with exit code ${code}`), startedMs)
    })
    for (const told of this.untold.splice(0)) worker.postMessage(told)
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
      worker.postMessage({ type: 'stop' })
    })
    clearTimeout(timer)
  }

  async page(query: FeedQuery): Promise<FeedPage> {
    const { worker } = this
    if (worker === null || this.hasStopped) throw new FeedUnavailable('the watcher does not run')
    if (this.waiting.size >= PAGES_WAITING_MAX) throw new FeedUnavailable('too many pages are waiting')
    const id = this.nextId++
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(id)
        reject(new FeedUnavailable('the page took too long'))
      }, PAGE_MS_MAX)
      this.waiting.set(id, { resolve, reject, timer })
      worker.postMessage({ type: 'page', id, query })
    })
  }

  listen(listener: () => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  tell(event: FeedEventType, membersJson: string): void {
    const told: Told = { type: 'tell', event, atMs: Date.now(), membersJson }
    if (this.worker !== null) this.worker.postMessage(told)
    else {
      this.untold.push(told)
      if (this.untold.length <= TOLD_WAITING_MAX) return
      this.untold = this.untold.slice(TOLD_WAITING_MAX / 2)
      this.events.onDropped(TOLD_WAITING_MAX / 2)
    }
  }

  private hear(message: FromWatcher): void {
    switch (message.type) {
      case 'page':
        this.settle(message.id)?.resolve(message.page)
        return
      case 'failed':
        this.settle(message.id)?.reject(new Error(`the watcher failed at a page: ${message.message}`))
        return
      case 'found':
        for (const { type } of message.found) this.counts.set(type, (this.counts.get(type) ?? 0) + 1)
        this.events.onFound(message.found)
        for (const listener of this.listeners) listener()
        return
      case 'stopped':
        this.whenStopped?.()
    }
  }

  private settle(id: number): Waiting | undefined {
    const waiting = this.waiting.get(id)
    this.waiting.delete(id)
    clearTimeout(waiting?.timer)
    return waiting
  }

  private refuseAll(): void {
    for (const id of this.waiting.keys()) this.settle(id)?.reject(new FeedUnavailable('the watcher has ended'))
  }

  private startAgain(cause: unknown, startedMs: number): void {
    if (performance.now() - startedMs > SETTLED_MS) this.restartMs = RESTART_MS_MIN
    const { restartMs } = this
    this.restartMs = Math.min(RESTART_MS_MAX, restartMs * 2)
    this.events.onDied(cause, restartMs)
    this.restart = setTimeout(() => this.start(), restartMs)
  }
}
