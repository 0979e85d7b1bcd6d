/**
 * What the log of a data directory holds, shard by shard; and one event or one coupon of it.
 */
import { Bytes, textOf } from '../../protocol/bytes.ts'
import { EVENT, type Event } from '../../protocol/events.ts'
import type { ShardState } from '../../engine/domain/state.ts'
import { parseId } from '../../protocol/ids.ts'
import { OPERATIONS } from '../../gateway/operations/operation-table.ts'
import type { Operation } from '../../gateway/operations/operations.ts'
import { ANYBODY } from '../../gateway/access/authenticate.ts'
import { couponTarget } from '../../gateway/operations/target.ts'
import { Router } from '../../engine/routing.ts'
import { eventName } from '../replay/life.ts'
import type { DataDirectory } from '../rebuild/data-directory.ts'
import { NO_CUT, type ShardPosition, shownTime, UsageFault } from '../rebuild/positions.ts'
import { type LogProgress, LogSoFar, readLog } from '../rebuild/read-log.ts'
import { applyStored, eachEventWithin, emptyStates } from '../rebuild/rebuild.ts'
import { placeText } from '../rebuild/divergence.ts'
import { answerAside, type Judgement, PastJudge } from '../why/judge-past.ts'
import { type Asides, asideKey, type PastShard } from '../why/past-transport.ts'

export interface ShardContents {
  readonly shard: number
  readonly lastSeq: number
  readonly firstAt: string
  readonly lastAt: string
  readonly entries: number
  /** Bytes of events. */
  readonly bytes: number
  readonly coupons: number
  readonly campaigns: number
  /** Made in bulk. */
  readonly codes: number
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
  private campaigns = 0
  private codes = 0
  private readonly events: Record<string, number> = {}

  constructor(shard: number, firstMs: number) {
    this.shard = shard
    this.firstMs = firstMs
  }

  add(event: Event, seq: number, atMs: number): void {
    const name = eventName(event)
    this.events[name] = (this.events[name] ?? 0) + 1
    if (event.type === EVENT.COUPON_CREATED) this.coupons++
    else if (event.type === EVENT.CAMPAIGN_CREATED) this.campaigns++
    else if (event.type === EVENT.CODES_MADE) this.codes += event.count
    this.lastSeq = seq
    this.lastMs = atMs
  }

  shown(): ShardContents {
    const { shard, lastSeq, entries, bytes, coupons, campaigns, codes, events } = this
    return {
      shard,
      lastSeq,
      firstAt: shownTime(this.firstMs),
      lastAt: shownTime(this.lastMs),
      entries,
      bytes,
      coupons,
      campaigns,
      codes,
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

/** The coupon or campaign as it stands at the end of the log, judged at `nowMs`. Throws UsageFault where there is none. */
export function readCoupon(
  directory: DataDirectory,
  code: string,
  nowMs: number,
  onProgress: LogProgress,
): ShownCoupon {
  const { deployment } = directory
  const { shard, operation } = targetOf(directory, code)
  const input = { body: undefined, target: code, query: '', ifMatch: '', caller: ANYBODY }
  const judge = new PastJudge(deployment)
  const shown = (end: EndOfLog, answers?: Asides): { judgement: Judgement; past: PastShard } => {
    const past = end.shard(shard, nowMs)
    return { judgement: judge.judge({ operation, input }, past, null, answers), past }
  }
  let end = readToEnd(directory, new Set([shard]), onProgress)
  try {
    let { judgement, past } = shown(end)
    const { asides } = judgement
    if (judgement.told === null && asides.length > 0) {
      // Its campaign lives on another shard, which has the rest of the answer.
      end.close()
      end = readToEnd(directory, new Set([shard, ...asides.map((aside) => aside.shard)]), onProgress)
      const answers = new Map<string, Uint8Array>()
      for (const aside of asides) {
        const answer = answerAside(aside, deployment.shards, end.shard(aside.shard, nowMs))
        if (answer !== null) answers.set(asideKey(aside), answer)
      }
      ;({ judgement, past } = shown(end, answers))
    }
    const { told } = judgement
    if (told === null || told.code !== null) throw new UsageFault(`the log holds no coupon or campaign ${code}`)
    return {
      shard,
      position: `${shard}:${past.state.seq}`,
      at: shownTime(past.nowMs),
      place: end.placeOf(shard),
      coupon: told.body,
    }
  } finally {
    end.close()
  }
}

function targetOf(
  { deployment }: DataDirectory,
  code: string,
): { readonly shard: number; readonly operation: Operation } {
  const campaign = parseId('cmp_', code)
  const shard = campaign === null ? shardOfCoupon(deployment, code) : campaign.shard
  if (shard === null) throw new UsageFault(`"${code}" can be no coupon's code or id, and no campaign's id`)
  if (shard >= deployment.shards) throw new UsageFault(`there is no shard ${shard}`)
  return { shard, operation: campaign === null ? OPERATIONS.getCoupon : OPERATIONS.getCampaign }
}

function shardOfCoupon({ shards, secret }: DataDirectory['deployment'], code: string): number | null {
  return couponTarget(new Router(shards, secret), code)?.shard ?? null
}

/** Some shards at the end of the log. */
interface EndOfLog {
  shard(shard: number, nowMs: number): PastShard
  placeOf(shard: number): string
  close(): void
}

function readToEnd(directory: DataDirectory, shards: ReadonlySet<number>, onProgress: LogProgress): EndOfLog {
  const log = new LogSoFar(directory)
  const states = emptyStates(directory.deployment)
  const places = new Map<number, string>()
  try {
    readLog(directory, {
      onEntry(entry) {
        if (!shards.has(entry.shard)) return
        const state = states.get(entry.shard) as ShardState
        log.add(entry)
        places.set(entry.shard, placeText(entry.where))
        eachEventWithin(entry, NO_CUT, (stored) => applyStored(state, stored, entry))
      },
      onProgress,
    })
  } catch (error) {
    log.close()
    throw error
  }
  return {
    shard(shard, nowMs) {
      const state = states.get(shard) as ShardState
      return { state, history: log.historyOf(shard), nowMs: Math.max(nowMs, state.timeMs) }
    },
    placeOf: (shard) => places.get(shard) ?? '',
    close: () => log.close(),
  }
}
