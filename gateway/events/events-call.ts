/**
 * `GET /v1/events`: one page of the feed. With `Accept: text/event-stream` the same query opens a stream (`event-streams.ts`).
 */
import type { Caller } from '../access/authenticate.ts'
import { BadField, integerAt, unknownField } from '../json/decode-fields.ts'
import {
  EVENT_TYPES,
  type FeedEventType,
  type FeedPage,
  type FeedQuery,
  FeedUnavailable,
  OPERATIONS_ONLY,
} from './event-feed.ts'
import { LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX } from '../limits.ts'
import type { Operation } from '../operations/operations.ts'
import { type Problem, problem } from '../problem.ts'
import { answerOf } from '../operations/shard-call.ts'

const WHOLE_NUMBER = /^(?:0|[1-9]\d{0,15})$/
/** What an id may look like; whether one is known is for the feed to say. */
const ID = /^[0-9a-z-]{1,40}$/

const EVENTS_UNAVAILABLE = problem('SHARD_UNAVAILABLE', 'nothing was done; events cannot be read now')

/** `?types&after&limit`; `cursor` is another name for `after`. Throws BadField. */
export function decodeEventsQuery(query: string): FeedQuery {
  let types: readonly FeedEventType[] = EVENT_TYPES
  let after: string | null = null
  let limit = LIST_LIMIT_DEFAULT
  const seen = new Set<string>()
  for (const [name, value] of new URLSearchParams(query)) {
    const key = name === 'cursor' ? 'after' : name
    if (seen.has(key)) throw new BadField(`/${name}`, 'stands twice in the query')
    seen.add(key)
    if (key === 'types') types = typesAt(value)
    else if (key === 'after') after = idAt(value, `/${name}`)
    else if (key === 'limit') {
      limit = integerAt(WHOLE_NUMBER.test(value) ? Number(value) : Number.NaN, '/limit', 1, LIST_LIMIT_MAX)
    } else unknownField('', name)
  }
  return { types, after, limit }
}

/** What this caller may see of it; a problem where it asks for what it may not. */
export function permitted(query: FeedQuery, caller: Caller): FeedQuery | Problem {
  if (caller.role === 'operations') return query
  const denied = query.types.find((type) => OPERATIONS_ONLY.includes(type))
  if (denied === undefined) return query
  if (query.types.length < EVENT_TYPES.length) {
    return problem('FORBIDDEN', `events of type ${denied} need a key of role operations`)
  }
  return { ...query, types: query.types.filter((type) => !OPERATIONS_ONLY.includes(type)) }
}

function pageText({ events, hasMore }: FeedPage): string {
  const last = events.at(-1)
  const next = hasMore && last !== undefined ? `"${last.id}"` : 'null'
  return `{"data":[${events.map(({ text }) => text).join(',')}],"nextCursor":${next}}`
}

export const listEvents: Operation = {
  name: 'listEvents',
  roles: ['marketing'],
  start(ports, input, sink) {
    const query = permitted(decodeEventsQuery(input.query), input.caller)
    if ('code' in query) {
      sink.refused(query, '')
      return
    }
    if (ports.events === undefined) {
      sink.refused(EVENTS_UNAVAILABLE, '')
      return
    }
    ports.events.page(query).then(
      (page) => sink.answered(answerOf(200, pageText(page))),
      (error: unknown) => {
        if (error instanceof FeedUnavailable) {
          sink.refused(EVENTS_UNAVAILABLE, '')
          return
        }
        sink.refused(problem('INTERNAL_ERROR', 'the events could not be read'), '')
        ports.failed(error)
      },
    )
  },
}

function typesAt(value: string): readonly FeedEventType[] {
  const names = value.split(',').map((name) => name.trim().toUpperCase())
  return names.map((name) => {
    const type = EVENT_TYPES.find((each) => each === name)
    if (type === undefined) throw new BadField('/types', `is a list of ${EVENT_TYPES.join(', ')}, with commas`)
    return type
  })
}

function idAt(value: string, pointer: string): string {
  if (!ID.test(value)) throw new BadField(pointer, 'is not the id of an event')
  return value
}
