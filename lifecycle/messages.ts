/**
 * What crosses between the main thread and the thread of the watcher: rare, so plain messages.
 */
import type { Found } from './event-table.ts'
import type { FromThread, ToThread } from '../engine/thread-messages.ts'
import type { FeedEventType, FeedPage, FeedQuery } from '../gateway/events/event-feed.ts'

export interface WatcherSettings {
  readonly dataDir: string
}

/** An event of the gateway itself. */
export interface TellWatcher {
  readonly event: FeedEventType
  readonly atMs: number
  readonly membersJson: string
}

export type ToWatcher = ToThread<FeedQuery, TellWatcher>
/** It tells of events that are in the database. */
export type FromWatcher = FromThread<FeedPage, readonly Found[]>
