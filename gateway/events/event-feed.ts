/**
 * Events of a sale, for people who watch one: what this gateway needs to show them. Who finds and keeps them stands behind
 * this port (`lifecycle/`); the gateway itself adds what only it can see, such as guessing.
 *
 * An id is opaque and orders events as they were found, not as they happened: shards have no order among each other.
 */

export const EVENT_TYPES = [
  'LOW_STOCK',
  'EXHAUSTED',
  'EXPIRED',
  'GUESSING',
  'CLOCK_DIFFERED',
  'COUNTERS_DIFFERED',
  'JOB_ENDED',
] as const
export type FeedEventType = (typeof EVENT_TYPES)[number]

/** About users, addresses and the machine: not for callers of role marketing. */
export const OPERATIONS_ONLY: readonly FeedEventType[] = ['GUESSING', 'CLOCK_DIFFERED', 'COUNTERS_DIFFERED']

export interface FeedEvent {
  readonly id: string
  readonly type: FeedEventType
  /** JSON text of the whole event. */
  readonly text: string
}

export interface FeedQuery {
  readonly types: readonly FeedEventType[]
  /** Id of an event: those behind it. One that is not known any more, and null: from the oldest that is kept. */
  readonly after: string | null
  readonly limit: number
}

export interface FeedPage {
  readonly events: readonly FeedEvent[]
  /** There are more behind the last one now. */
  readonly hasMore: boolean
}

/** The feed cannot be read now. */
export class FeedUnavailable extends Error {
  readonly code = 'FEED_UNAVAILABLE'
  override readonly name = 'FeedUnavailable'
}

export interface EventFeed {
  /** Throws FeedUnavailable. */
  page(query: FeedQuery): Promise<FeedPage>
  /** Calls `listener` whenever there is something new, until the returned function is called. */
  listen(listener: () => void): () => void
  /** Adds an event of this moment; `membersJson`: its own members as JSON text without braces. */
  tell(type: FeedEventType, membersJson: string): void
  /** Events found since the start. */
  readonly counts: ReadonlyMap<FeedEventType, number>
}
