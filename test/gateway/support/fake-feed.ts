// A feed of events in memory.

import {
  EVENT_TYPES,
  type EventFeed,
  type FeedEvent,
  type FeedEventType,
  type FeedPage,
  type FeedQuery,
  FeedUnavailable,
} from '../../../gateway/events/event-feed.ts'

export class FakeFeed implements EventFeed {
  readonly counts = new Map<FeedEventType, number>(EVENT_TYPES.map((type) => [type, 0]))
  readonly events: FeedEvent[] = []
  readonly listeners = new Set<() => void>()
  isDown = false
  private left: () => void = () => {}

  page({ types, after, limit }: FeedQuery): Promise<FeedPage> {
    if (this.isDown) return Promise.reject(new FeedUnavailable('down'))
    const behind = this.events.findIndex(({ id }) => id === after) + 1
    const found = this.events.slice(behind).filter(({ type }) => types.includes(type))
    return Promise.resolve({ events: found.slice(0, limit), hasMore: found.length > limit })
  }

  listen(listener: () => void): () => void {
    this.listeners.add(listener)
    return () => {
      this.listeners.delete(listener)
      this.left()
    }
  }

  /** Settles when so few listen. */
  async untilListeners(count: number): Promise<void> {
    while (this.listeners.size > count) {
      await new Promise<void>((resolve) => {
        this.left = resolve
      })
    }
  }

  tell(type: FeedEventType, membersJson: string): void {
    const id = `0000000a-${(this.events.length + 1).toString(36)}`
    const members = membersJson === '' ? '' : `,${membersJson}`
    const text = `{"id":"${id}","type":"${type}","at":"2026-11-20T18:00:00.000Z"${members}}`
    this.events.push({ id, type, text })
    this.counts.set(type, (this.counts.get(type) ?? 0) + 1)
    for (const listener of this.listeners) listener()
  }
}
