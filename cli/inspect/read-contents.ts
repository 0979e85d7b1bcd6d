/**
 * What the log of a data directory holds, shard by shard; and one event or one coupon of it.
 */
import { Bytes, textOf } from '../../protocol/bytes.ts'
import type { Event } from '../../protocol/events.ts'
import { OPERATIONS } from '../../gateway/operation-table.ts'
import { ANYBODY } from '../../gateway/authenticate.ts'
import { couponTarget } from '../../gateway/target.ts'
import { Router } from '../../engine/routing.ts'
import { eventName } from '../replay/life.ts'
import type { DataDirectory } from '../rebuild/data-directory.ts'
import { NO_CUT, type ShardPosition, shownTime, UsageFault } from '../rebuild/positions.ts'
import { type LogProgress, LogSoFar, readLog } from '../rebuild/read-log.ts'
import { applyStored, eachEventWithin, emptyStates } from '../rebuild/rebuild.ts'
import { placeText } from '../rebuild/divergence.ts'
import { PastJudge } from '../why/judge-past.ts'

export interface ShardContents {
  readonly shard: number
  readonly lastSeq: number
  readonly firstAt: string
  readonly lastAt: string
  readonly entries: number
  /** Bytes of events. */
  readonly bytes: number
  readonly coupons: number
  /** How many of each type. */
  readonly events: Readonly<Record<string, number>>
}

export interface ShownEvent {
  readonly position: string
  readonly at: string
  readonly type: string
  readonly lane: number
  readonly segment: number
  readonly record: number
  readonly event: Readonly<Record<string, unknown>>
}

export function readContents(directory: DataDirectory, onProgress: LogProgress): readonly ShardContents[] {
  const shards = new Map<number, Growing>()
  readLog(directory, {
    onEntry(entry) {
      const contents = shards.get(entry.shard) ?? new Growing(entry.shard, entry.timeMs)
      shards.set(entry.shard, contents)
      contents.entries++
      contents.bytes += entry.end - entry.start
      eachEventWithin(entry, NO_CUT, ({ event, seq, atMs }) => contents.add(event, seq, atMs))
    },
    onProgress,
  })
  return [...shards.values()].sort((a, b) => a.shard - b.shard).map((contents) => contents.shown())
}

class Growing {
  readonly shard: number
  entries = 0
  bytes = 0
  private readonly firstMs: number
  private lastSeq = 0
  private lastMs = 0
  private coupons = 0
  private readonly events: Record<string, number> = {}

  constructor(shard: number, firstMs: number) {
    this.shard = shard
    this.firstMs = firstMs
  }

  add(event: Event, seq: number, atMs: number): void {
    const name = eventName(event)
    this.events[name] = (this.events[name] ?? 0) + 1
    if (name === 'COUPON_CREATED') this.coupons++
    this.lastSeq = seq
    this.lastMs = atMs
  }

  shown(): ShardContents {
    const { shard, lastSeq, entries, bytes, coupons, events } = this
    return {
      shard,
      lastSeq,
      firstAt: shownTime(this.firstMs),
      lastAt: shownTime(this.lastMs),
      entries,
      bytes,
      coupons,
      events,
    }
  }
}

/** Throws UsageFault where the log has no such event. */
export function readEventAt(
  directory: DataDirectory,
  { shard, seq }: ShardPosition,
  onProgress: LogProgress,
): ShownEvent {
  let shown: ShownEvent | null = null
  readLog(directory, {
    onEntry(entry) {
      if (entry.shard !== shard || seq < entry.firstSeq || seq >= entry.firstSeq + entry.eventCount) return
      eachEventWithin(entry, NO_CUT, (stored) => {
        if (stored.seq !== seq) return
        const { lane, segment, record } = entry.where
        const { type: _, ...fields } = stored.event
        const position = `${shard}:${seq}`
        shown = {
          position,
          at: shownTime(stored.atMs),
          type: eventName(stored.event),
          lane,
          segment,
          record,
          event: plain(fields),
        }
      })
    },
    onProgress,
  })
  if (shown === null) throw new UsageFault(`the log holds no event ${seq} of shard ${shard}`)
  return shown
}

/** Ranges of bytes become texts. */
function plain(fields: object): Readonly<Record<string, unknown>> {
  return JSON.parse(
    JSON.stringify(fields, (_, value: unknown) => (value instanceof Bytes ? textOf(value) : value)),
  ) as Record<string, unknown>
}

export interface ShownCoupon {
  readonly shard: number
  readonly position: string
  readonly at: string
  readonly place: string
  /** As the server answers it. */
  readonly coupon: unknown
}

/** The coupon as it stands at the end of the log, judged at `nowMs`. Throws UsageFault where there is none. */
export function readCoupon(
  directory: DataDirectory,
  code: string,
  nowMs: number,
  onProgress: LogProgress,
): ShownCoupon {
  const { deployment } = directory
  const target = couponTarget(new Router(deployment.shards, deployment.secret), code)
  if (target === null) throw new UsageFault(`"${code}" can be no coupon's code or id`)
  const log = new LogSoFar(directory)
  try {
    const state = emptyStates(deployment).get(target.shard)
    if (state === undefined) throw new UsageFault(`there is no shard ${target.shard}`)
    let place = ''
    readLog(directory, {
      onEntry(entry) {
        if (entry.shard !== target.shard) return
        log.add(entry)
        place = placeText(entry.where)
        eachEventWithin(entry, NO_CUT, (stored) => applyStored(state, stored, entry))
      },
      onProgress,
    })
    const past = { state, history: log.historyOf(target.shard), nowMs: Math.max(nowMs, state.timeMs) }
    const input = { body: undefined, target: code, query: '', ifMatch: '', caller: ANYBODY }
    const { told } = new PastJudge(deployment).judge({ operation: OPERATIONS.getCoupon, input }, past)
    if (told === null || told.code !== null) throw new UsageFault(`the log holds no coupon ${code}`)
    return {
      shard: state.shard,
      position: `${state.shard}:${state.seq}`,
      at: shownTime(past.nowMs),
      place,
      coupon: told.body,
    }
  } finally {
    log.close()
  }
}
