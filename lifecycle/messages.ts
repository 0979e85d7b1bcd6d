/**
 * What crosses between the main thread and the thread of the watcher: rare, so plain messages.
 */
import type { Found } from './event-table.ts'
import type { FeedEventType, FeedPage, FeedQuery } from '../gateway/event-feed.ts'

export interface WatcherSettings {
  readonly dataDir: string
}

export type ToWatcher =
  | { readonly type: 'page'; readonly id: number; readonly query: FeedQuery }
  | { readonly type: 'tell'; readonly event: FeedEventType; readonly atMs: number; readonly membersJson: string }
  | { readonly type: 'stop' }

export type FromWatcher =
  | { readonly type: 'page'; readonly id: number; readonly page: FeedPage }
  | { readonly type: 'failed'; readonly id: number; readonly message: string }
  /** Events are in the database. */
  | { readonly type: 'found'; readonly found: readonly Found[] }
  | { readonly type: 'stopped' }
