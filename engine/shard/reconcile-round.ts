/**
 * Reconciliation: holds what the shards of a running server have counted against a recount of their log, counter by counter, each
 * at one exact sequence.
 *
 *     log ─▶ recount of a slice ─────────────────┐ up to the very event that the answer saw
 *     shard ─▶ "so many, after event 1204" ──────┴─▶ equal? ─ no ─▶ a difference, told once
 *
 * The recount begins with the first event of the log, not with a snapshot, and shares no code with `apply`. A slice that is all
 * there is goes on from round to round; a narrower one is counted anew each time, with the next pick. Nothing here changes a
 * shard or stops it.
 */
import type { Deployment } from '../../persistence/deployment.ts'
import { followLog, type LogFollower } from '../../persistence/log-follower.ts'
import type { StoredEntry } from '../../persistence/record.ts'
import { ByteReader } from '../../protocol/bytes.ts'
import { readEvent } from '../../protocol/event-codec.ts'
import { countersIn, type CounterDifference, differencesIn, questionsFor } from './reconcile-compare.ts'
import { ShardCount } from './reconcile-count.ts'
import {
  DIFFERENCES_REMEMBERED_MAX,
  DIFFERENCES_TOLD_MAX,
  RECONCILE_POLL_BYTES,
  ROW_PAGES_MAX,
  USERS_COUNTED_MAX,
} from './reconcile-limits.ts'
import type { CountersAnswer, CountersQuestion } from './reconcile-questions.ts'
import { Slice } from './reconcile-slice.ts'

export interface Reconciling {
  readonly dataDir: string
  readonly deployment: Deployment
  /** A shard's answer; it may be ahead of what is on disk. */
  readonly ask: (shard: number, question: CountersQuestion) => Promise<CountersAnswer>
  /** Called between two pieces of work; settles when there may be more. */
  readonly rest: () => Promise<void>
  /** Settles after a moment in which the log may have grown. */
  readonly wait: () => Promise<void>
  readonly nowMs: () => number
  readonly onDifference: (difference: CounterDifference) => void
  /** For tests: bounds of a slice. */
  readonly bounds?: SliceBounds
}

export interface SliceBounds {
  readonly rowPages: number
  readonly users: number
}

export interface RoundResult {
  /** Counters that were compared. */
  readonly counters: number
  /** Of these so many differed, also those that were told before. */
  readonly differences: number
  /** Events that were counted for it. */
  readonly events: number
  /** So many rounds see every counter. */
  readonly rounds: number
}

/** The log behind the cursor of this check, up to where an answer was made. */
interface Stop {
  readonly shard: number
  readonly seq: number
  readonly look: (count: ShardCount) => void
}

export class Reconciliation {
  private readonly run: Reconciling
  private readonly bounds: SliceBounds
  private slice = new Slice()
  private counts: ShardCount[] = []
  private follower: LogFollower | null = null
  private stop: Stop | null = null
  private events = 0
  /** What was told, by what it is about: the difference. */
  private readonly told = new Map<string, number>()

  constructor(run: Reconciling) {
    this.run = run
    this.bounds = run.bounds ?? { rowPages: ROW_PAGES_MAX, users: USERS_COUNTED_MAX }
  }

  close(): void {
    this.follower?.close()
    this.follower = null
  }

  /** Looks at every counter of one slice. Throws JournalError where the log is damaged. */
  async round(): Promise<RoundResult> {
    this.begin()
    const eventsBefore = this.events
    await this.catchUp()
    let counters = 0
    let differences = 0
    for (const count of this.counts) {
      for (const question of questionsFor(count, this.slice)) {
        const found = await this.compare(count.shard, question)
        counters += countersIn(question)
        for (const difference of found) {
          differences++
          if (differences <= DIFFERENCES_TOLD_MAX) await this.tell(difference)
        }
        await this.run.rest()
      }
    }
    const rounds = 2 ** Math.max(this.slice.rowBits, this.slice.userBits)
    return { counters, differences, events: this.events - eventsBefore, rounds }
  }

  /** A slice that is everything is only counted on. */
  private begin(): void {
    if (this.follower !== null && this.slice.isWhole) return
    this.close()
    this.slice = this.counts.length === 0 ? this.slice : this.slice.next()
    const { deployment, dataDir } = this.run
    this.counts = Array.from({ length: deployment.shards }, (_, shard) => new ShardCount(shard, this.slice))
    this.follower = followLog(dataDir, deployment, new Map())
  }

  private async catchUp(): Promise<void> {
    while (this.poll() > 0) await this.run.rest()
  }

  /** Asks, reads the log up to the moment of the answer, and compares there. */
  private async compare(shard: number, question: CountersQuestion): Promise<CounterDifference[]> {
    const answer = await this.run.ask(shard, question)
    let found: CounterDifference[] = []
    const look = (count: ShardCount): void => {
      found = differencesIn(count, question, answer, { slice: this.slice, nowMs: this.run.nowMs() })
    }
    const count = this.counts[shard] as ShardCount
    if (count.seq === answer.seq) {
      look(count)
      return found
    }
    if (count.seq > answer.seq) throw new Error(`shard ${shard} answered from ${answer.seq}, behind its own log`)
    this.stop = { shard, seq: answer.seq, look }
    while (this.stop !== null) {
      // What a shard has just appended is not on disk yet.
      if (this.poll() === 0) await this.run.wait()
      else await this.run.rest()
    }
    return found
  }

  private poll(): number {
    const entries = this.follower?.poll((entry) => this.book(entry), RECONCILE_POLL_BYTES) ?? 0
    if (entries > 0) this.bound()
    return entries
  }

  private book(entry: StoredEntry): void {
    const { shard, firstSeq, eventCount } = entry
    const count = this.counts[shard] as ShardCount
    const reader = new ByteReader(entry.events, entry.start, entry.end)
    let atMs = entry.timeMs
    let seq = firstSeq
    while (!reader.done) {
      const event = readEvent(reader)
      if (typeof event === 'number') {
        atMs += event
        continue
      }
      count.book(event, seq, atMs)
      const { stop } = this
      if (stop !== null && stop.shard === shard && stop.seq === seq) {
        stop.look(count)
        this.stop = null
      }
      seq++
    }
    this.events += eventCount
  }

  /** Makes the slice narrower until what is counted of it fits. */
  private bound(): void {
    const nowMs = this.run.nowMs()
    for (const count of this.counts) count.users.forgetDays(Math.min(nowMs, count.timeMs))
    const total = (of: (count: ShardCount) => number): number => this.counts.reduce((sum, each) => sum + of(each), 0)
    for (;;) {
      const hasManyRows = total(({ rows }) => rows.pageCount) > this.bounds.rowPages
      const hasManyUsers = total(({ users }) => users.size + users.days.size) > this.bounds.users
      if ((!hasManyRows && !hasManyUsers) || !this.slice.narrow(hasManyRows ? 'rows' : 'users')) return
      for (const count of this.counts) count.keepSlice()
    }
  }

  private async tell(difference: CounterDifference): Promise<void> {
    const { shard, counter, ordinal, job, user, expected, seen } = difference
    const about = `${shard} ${counter} ${ordinal} ${job} ${user}`
    if (this.told.get(about) === seen - expected) return
    if (this.told.size >= DIFFERENCES_REMEMBERED_MAX) this.told.clear()
    this.told.set(about, seen - expected)
    const isNamed = ordinal !== null && ordinal >= 0
    const named = isNamed ? await this.run.ask(shard, { ask: 'names', ordinals: [ordinal] }) : null
    this.run.onDifference({ ...difference, name: named?.names[0] ?? null })
  }
}
