/**
 * `GET /v1/events` as `text/event-stream`: what is kept behind `Last-Event-ID` (or `after`), and then what comes.
 *
 *     feed: something new ──▶ page behind the last id ──▶ write ──▶ all of it? ── no ──▶ next page
 *                                                          └── socket full: wait until it is writable
 *
 * A stream holds an id and nothing else: a reader that is slow or comes back gets everything from where it was, and nothing
 * is kept for it in memory. Must never happen here: a write to a response that ended or was aborted.
 */
import type { HttpResponse } from 'uWebSockets.js'
import { type Authenticator, type Caller, forbidden } from '../access/authenticate.ts'
import { BadField } from '../json/decode-fields.ts'
import type { EventFeed, FeedPage, FeedQuery } from './event-feed.ts'
import { decodeEventsQuery, listEvents, permitted } from './events-call.ts'
import { EVENT_STREAMS_MAX, STREAM_BEAT_MS, STREAM_PAGE } from '../guard/guard-limits.ts'
import { OVERLOADED_RETRY_AFTER_S } from '../limits.ts'
import { invalid, type Problem, problem } from '../problem.ts'

export const EVENT_STREAM_TYPE = 'text/event-stream'

const TOO_MANY: Problem = {
  ...problem('OVERLOADED', 'too many event streams are open'),
  retryAfterSeconds: OVERLOADED_RETRY_AFTER_S,
}

/** What a request for a stream says. */
export interface StreamRequest {
  readonly caller: Caller
  /** The header that the caller was found by. */
  readonly authorization: string
  readonly query: string
  /** `Last-Event-ID`; '' where there was none. */
  readonly lastEventId: string
}

export class EventStreams {
  private readonly feed: EventFeed
  private readonly authenticator: Authenticator | null
  private readonly failed: (error: unknown) => void
  private readonly streams = new Set<EventStream>()
  private beat: NodeJS.Timeout | null = null

  constructor(feed: EventFeed, authenticator: Authenticator | null, failed: (error: unknown) => void) {
    this.feed = feed
    this.authenticator = authenticator
    this.failed = failed
  }

  get open(): number {
    return this.streams.size
  }

  /** A stream that has not begun yet, or why there is none. */
  prepare(request: StreamRequest): EventStream | Problem {
    const { caller, authorization, lastEventId } = request
    const denied = forbidden(caller, listEvents.roles)
    if (denied !== null) return denied
    if (this.streams.size >= EVENT_STREAMS_MAX) return TOO_MANY
    let query: FeedQuery | Problem
    try {
      query = permitted(decodeEventsQuery(request.query), caller)
    } catch (error) {
      if (!(error instanceof BadField)) throw error
      return invalid(error.pointer, error.message)
    }
    if ('code' in query) return query
    const after = lastEventId === '' ? query.after : lastEventId
    return new EventStream(this.feed, { ...query, after, limit: STREAM_PAGE }, authorization, {
      began: (stream) => this.began(stream),
      ended: (stream) => this.ended(stream),
      failed: this.failed,
    })
  }

  /** Ends all of them; readers come back with their last id. */
  close(): void {
    for (const stream of this.streams) stream.end()
  }

  private began(stream: EventStream): void {
    this.streams.add(stream)
    this.beat ??= setInterval(() => this.beatAll(), STREAM_BEAT_MS)
  }

  private ended(stream: EventStream): void {
    this.streams.delete(stream)
    if (this.streams.size > 0 || this.beat === null) return
    clearInterval(this.beat)
    this.beat = null
  }

  private beatAll(): void {
    for (const stream of this.streams) {
      if (this.authenticator === null || this.authenticator.roleOf(stream.authorization) !== null) stream.beat()
      else stream.end()
    }
  }
}

interface StreamEvents {
  readonly began: (stream: EventStream) => void
  readonly ended: (stream: EventStream) => void
  readonly failed: (error: unknown) => void
}

export class EventStream {
  readonly authorization: string
  private readonly feed: EventFeed
  private readonly events: StreamEvents
  private query: FeedQuery
  /** null: not begun, or ended. */
  private res: HttpResponse | null = null
  private stopListening: () => void = () => {}
  private isReading = false
  /** Something may be there that was not read yet. */
  private hasNews = true
  private isFull = false

  constructor(feed: EventFeed, query: FeedQuery, authorization: string, events: StreamEvents) {
    this.feed = feed
    this.query = query
    this.authorization = authorization
    this.events = events
  }

  /** Head first, then what is kept. */
  begin(res: HttpResponse, requestId: string): void {
    this.res = res
    this.events.began(this)
    this.stopListening = this.feed.listen(() => this.news())
    res.onWritable(() => {
      this.isFull = false
      this.read()
      return true
    })
    res.cork(() => {
      res.writeStatus('200 OK').writeHeader('content-type', EVENT_STREAM_TYPE)
      res.writeHeader('cache-control', 'no-store').writeHeader('x-request-id', requestId)
      res.write(': events\n\n')
    })
    this.read()
  }

  /** The client went away. */
  aborted(): void {
    this.release()
  }

  /** A sign of life, and another look where the last one failed. */
  beat(): void {
    this.write(':\n\n')
    this.news()
  }

  end(): void {
    const { res } = this
    this.release()
    res?.cork(() => res.end('', true))
  }

  private release(): void {
    if (this.res === null) return
    this.res = null
    this.stopListening()
    this.events.ended(this)
  }

  private news(): void {
    this.hasNews = true
    this.read()
  }

  /** One page at a time. */
  private read(): void {
    if (this.isReading || this.isFull || !this.hasNews || this.res === null) return
    this.isReading = true
    this.hasNews = false
    this.feed.page(this.query).then(
      (page) => {
        this.isReading = false
        this.show(page)
      },
      (error: unknown) => {
        // Read again with the next beat.
        this.isReading = false
        if (error instanceof Error && 'code' in error && error.code === 'FEED_UNAVAILABLE') return
        this.events.failed(error)
      },
    )
  }

  private show({ events, hasMore }: FeedPage): void {
    const last = events.at(-1)
    if (last !== undefined) {
      this.query = { ...this.query, after: last.id }
      this.write(events.map(({ id, type, text }) => `id: ${id}\nevent: ${type}\ndata: ${text}\n\n`).join(''))
    }
    if (hasMore) this.hasNews = true
    this.read()
  }

  private write(text: string): void {
    const { res } = this
    res?.cork(() => {
      if (!res.write(text)) this.isFull = true
    })
  }
}
