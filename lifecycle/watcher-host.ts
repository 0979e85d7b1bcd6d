/**
 * The watch over sales as the gateway sees it: a thread that is asked for pages, told of the gateway's own events (which wait
 * while it does not run), and tells what it found; who listens hears that there is something new.
 */
import type { Found } from './event-table.ts'
import { THREAD_LIMITS } from './limits.ts'
import type { TellWatcher, WatcherSettings } from './messages.ts'
import { ThreadHost } from '../engine/thread-host.ts'
import {
  EVENT_TYPES,
  type EventFeed,
  type FeedEventType,
  type FeedPage,
  type FeedQuery,
  FeedUnavailable,
} from '../gateway/events/event-feed.ts'

export interface WatcherEvents {
  /** For the log; new ones are in the database. */
  readonly onFound: (found: readonly Found[]) => void
  /** The thread died, and is started again after so long. */
  readonly onDied: (error: unknown, restartMs: number) => void
  /** So many events of the gateway were dropped, because the thread did not run. */
  readonly onDropped: (events: number) => void
}

export class WatcherHost implements EventFeed {
  readonly counts = new Map<FeedEventType, number>(EVENT_TYPES.map((type) => [type, 0]))
  private readonly events: WatcherEvents
  private readonly listeners = new Set<() => void>()
  private readonly thread: ThreadHost<FeedQuery, FeedPage, TellWatcher, readonly Found[]>

  constructor(dataDir: string, events: WatcherEvents) {
    this.events = events
    const workerData: WatcherSettings = { dataDir }
    this.thread = new ThreadHost({
      name: 'watcher',
      entry: '../lifecycle/watcher-thread',
      workerData,
      limits: THREAD_LIMITS,
      unavailable: (reason) => new FeedUnavailable(reason),
      onTold: (found) => this.hear(found),
      onDied: events.onDied,
      onDropped: events.onDropped,
    })
  }

  start(): void {
    this.thread.start()
  }

  async stop(): Promise<void> {
    await this.thread.stop()
  }

  /** Right before the process ends, see ThreadHost. */
  freeze(untilMs: number): void {
    this.thread.freeze(untilMs)
  }

  async page(query: FeedQuery): Promise<FeedPage> {
    return await this.thread.ask(query)
  }

  listen(listener: () => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  tell(event: FeedEventType, membersJson: string): void {
    this.thread.tell({ event, atMs: Date.now(), membersJson })
  }

  private hear(found: readonly Found[]): void {
    for (const { type } of found) this.counts.set(type, (this.counts.get(type) ?? 0) + 1)
    this.events.onFound(found)
    for (const listener of this.listeners) listener()
  }
}
