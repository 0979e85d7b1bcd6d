/**
 * The watcher: follows the durable log behind a cursor of its own and finds what people who watch a sale want to hear of. It
 * judges nothing and nobody waits for it; every event of the log is looked at once.
 *
 *     log ── follower ──▶ batch ──▶ stock, windows, clocks ──▶ events ──▶ feed
 *     gateway (guessing), reconciliation ────────────────────▶ events
 *
 * Another history than the one it watched (a restored backup) means a new database, and so new ids.
 */
import { createHash } from 'node:crypto'
import { EventTable, type Found } from './event-table.ts'
import { BATCH_BYTES } from './limits.ts'
import { namedText, Stocks } from './stock.ts'
import { closeWatchDatabase, dropWatchDatabase, openWatchDatabase } from './watch-database.ts'
import { partOfShard } from '../engine/domain/price-fact.ts'
import type { FeedEventType, FeedPage, FeedQuery } from '../gateway/events/event-feed.ts'
import { quoted, timeText } from '../gateway/json/json-text.ts'
import { type Deployment, readDeployment } from '../persistence/deployment.ts'
import { followLog, type LogFollower } from '../persistence/log-follower.ts'
import { currentProcess } from '../persistence/process-identity.ts'
import { ByteReader } from '../protocol/bytes.ts'
import { plainType, readEvent, readRedeemedOrdinals, skipEvent, TICK, typeAt } from '../protocol/event-codec.ts'
import { EVENT, type Event, type Redeemed } from '../protocol/events.ts'
import { formatId } from '../protocol/ids.ts'
import { campaignOrdinal } from '../protocol/ordinals.ts'
import { Cursor, type LogEntry, LogDiffers } from '../readmodel/cursor.ts'
import { type Database, isDamage } from '../readmodel/database.ts'

/** Types of events that are decoded; all others are stepped over, most redemptions are only counted. */
const LOOKED_AT: ReadonlySet<number> = new Set([
  EVENT.COUPON_CREATED,
  EVENT.COUPON_CHANGED,
  EVENT.COUPON_WINDOW_PASSED,
  EVENT.REDEMPTION_REVERSED,
  EVENT.CLOCK_DIFFERED,
  EVENT.BRANCH_REDEEMED,
  EVENT.BRANCH_REVERSED,
  EVENT.CAMPAIGN_CREATED,
  EVENT.CAMPAIGN_CHANGED,
  EVENT.CAMPAIGN_WINDOW_PASSED,
  EVENT.JOB_STARTED,
  EVENT.CODES_MADE,
  EVENT.JOB_ENDED,
  EVENT.BATCH_WINDOW_PASSED,
])

/** What an entry of the log comes to, in the caller's transaction. Apart from where entries come from. */
export class SaleProjection {
  private readonly events: EventTable
  private readonly stocks: Stocks
  private readonly reader = new ByteReader()
  private readonly ordinals: number[] = []
  private found: Found[] = []
  private shard = 0
  private seq = 0
  private atMs = 0

  constructor(database: Database, events: EventTable) {
    this.events = events
    this.stocks = new Stocks(database, (type, membersJson) => this.tell(type, membersJson))
  }

  entry({ shard, firstSeq, timeMs, events, start, end }: LogEntry): void {
    const { reader } = this
    this.shard = shard
    this.seq = firstSeq - 1
    this.atMs = timeMs
    reader.reset(events, start, end)
    while (!reader.done) {
      const byte = typeAt(reader)
      const type = plainType(byte)
      if (type === TICK) {
        this.atMs += readEvent(reader) as number
        continue
      }
      this.seq++
      if (type === EVENT.REDEEMED) this.redeemed(byte !== type)
      else if (LOOKED_AT.has(type)) this.event(readEvent(reader) as Event)
      else skipEvent(reader)
    }
  }

  /** Writes what changed, and hands over what was found since. */
  write(): readonly Found[] {
    this.stocks.write()
    const { found } = this
    this.found = []
    return found
  }

  /** On one shard, what it gave is read only where it comes out of a budget. */
  private redeemed(isStacked: boolean): void {
    const { shard, reader, stocks, ordinals } = this
    if (isStacked) {
      const part = partOfShard(shard, readEvent(reader) as Redeemed)
      this.branch(part.ordinals, part.amounts, 1)
      return
    }
    const start = reader.pos
    const count = readRedeemedOrdinals(reader, ordinals)
    let takesBudget = false
    for (let i = 0; i < count; i++) {
      const ordinal = ordinals[i] as number
      stocks.use(shard, ordinal, 1)
      takesBudget ||= stocks.hasBudget(shard, ordinal)
    }
    if (!takesBudget) return
    reader.pos = start
    const { price } = readEvent(reader) as Redeemed
    for (const [i, amount] of price.amounts.entries()) stocks.spend(shard, ordinals[i] as number, amount)
  }

  private event(event: Event): void {
    const { shard, stocks } = this
    switch (event.type) {
      case EVENT.COUPON_CREATED:
        stocks.coupon(shard, event.ordinal, event.definition, event.imported?.uses ?? 0)
        return
      case EVENT.COUPON_CHANGED:
        stocks.coupon(shard, event.ordinal, event.definition, 0)
        return
      case EVENT.CAMPAIGN_CREATED:
      case EVENT.CAMPAIGN_CHANGED:
        stocks.campaign(shard, event.index, event.definition)
        return
      case EVENT.COUPON_WINDOW_PASSED:
        if (event.edge === 'ENDED') this.expired(event.ordinal)
        return
      case EVENT.CAMPAIGN_WINDOW_PASSED:
        if (event.edge === 'ENDED') this.expired(campaignOrdinal(event.index))
        return
      case EVENT.BATCH_WINDOW_PASSED:
        if (event.edge === 'ENDED') this.tell('EXPIRED', this.jobText(event.jobSeq))
        return
      case EVENT.BRANCH_REDEEMED:
        this.branch(event.ordinals, event.amounts, 1)
        return
      case EVENT.REDEMPTION_REVERSED:
      case EVENT.BRANCH_REVERSED:
        this.branch(event.returnUse ? event.ordinals : [], [], -1)
        for (const [i, amount] of event.amounts.entries()) stocks.spend(shard, event.ordinals[i] as number, -amount)
        return
      case EVENT.CLOCK_DIFFERED:
        this.tell('CLOCK_DIFFERED', `"wall":"${timeText(event.wallMs)}","stamped":"${timeText(event.stampedMs)}"`)
        return
      default:
        this.jobEvent(event)
    }
  }

  private jobEvent(event: Event): void {
    const { shard, stocks } = this
    switch (event.type) {
      case EVENT.JOB_STARTED: {
        const { plan } = event
        const campaign = plan.kind === 'IMPORT' ? null : plan.definition.campaign
        const at = campaign !== null && campaign.shard === shard ? campaignOrdinal(campaign.index) : -1
        stocks.batches.begin(shard, this.seq, { kind: plan.kind, campaign: at })
        return
      }
      case EVENT.CODES_MADE:
        stocks.batches.made(shard, event.jobSeq, event.firstOrdinal, event.count)
        return
      case EVENT.JOB_ENDED: {
        const detail = event.reason === null ? '' : `,"detail":${quoted(event.reason)}`
        this.tell('JOB_ENDED', `${this.jobText(event.jobSeq)},"state":"${event.end}"${detail}`)
        return
      }
      default:
    }
  }

  private branch(ordinals: readonly number[], amounts: readonly number[], uses: 1 | -1): void {
    const { shard, stocks } = this
    for (const [i, ordinal] of ordinals.entries()) {
      stocks.use(shard, ordinal, uses)
      stocks.spend(shard, ordinal, amounts[i] ?? 0)
    }
  }

  private expired(ordinal: number): void {
    this.tell('EXPIRED', namedText(this.shard, ordinal, this.stocks.nameOf(this.shard, ordinal)))
  }

  /** Members that name a job, and the campaign it worked for. */
  private jobText(jobSeq: number): string {
    const { shard, stocks } = this
    const job = stocks.batches.job(shard, jobSeq)
    const kind = job === null ? '' : `,"kind":"${job.kind}"`
    const at = job === null || job.campaign < 0 ? '' : `,${namedText(shard, job.campaign, null)}`
    return `"jobId":"${formatId('job_', shard, jobSeq)}"${kind}${at}`
  }

  private tell(type: FeedEventType, membersJson: string): void {
    const position = `"position":"${this.shard}:${this.seq}"`
    this.found.push(this.events.add(type, this.atMs, `${position},${membersJson}`))
  }
}

interface Opened {
  readonly database: Database
  readonly cursor: Cursor
  readonly events: EventTable
  readonly projection: SaleProjection
  readonly follower: LogFollower
}

export class Watcher {
  private readonly dataDir: string
  private readonly deployment: Deployment
  private readonly onFound: (found: readonly Found[]) => void
  private opened: Opened

  /** `onFound` is told of events once they are in the database. Throws JournalError when the deployment cannot be read. */
  constructor(dataDir: string, onFound: (found: readonly Found[]) => void) {
    this.dataDir = dataDir
    this.deployment = readDeployment(dataDir)
    this.onFound = onFound
    this.opened = this.open()
  }

  /** Looks at one batch of the log; whether it reached its end, as far as that is durable. Throws JournalError. */
  step(): boolean {
    try {
      return this.batch()
    } catch (error) {
      if (!(error instanceof LogDiffers) && !isDamage(error)) throw error
      this.opened.follower.close()
      this.opened.database.close()
      dropWatchDatabase(this.dataDir)
      this.opened = this.open()
      return false
    }
  }

  page(query: FeedQuery): FeedPage {
    return this.opened.events.page(query)
  }

  /** Adds an event that is in no log. */
  tell(type: FeedEventType, atMs: number, membersJson: string): void {
    const { database, events } = this.opened
    const found: Found[] = []
    database.transaction(() => found.push(events.add(type, atMs, membersJson)))
    this.onFound(found)
  }

  close(): void {
    this.opened.follower.close()
    closeWatchDatabase(this.opened.database, this.dataDir)
  }

  private batch(): boolean {
    const { database, cursor, projection, follower } = this.opened
    let entries = 0
    let bytes = 0
    let found: readonly Found[] = []
    database.transaction(() => {
      entries = follower.poll((entry) => {
        bytes += entry.end - entry.start
        if (!cursor.isNew(entry)) return
        projection.entry(entry)
        cursor.advance(entry)
      }, BATCH_BYTES)
      if (entries === 0) cursor.confirmAll()
      else {
        found = projection.write()
        cursor.write()
      }
    })
    if (found.length > 0) this.onFound(found)
    return entries === 0 || bytes < BATCH_BYTES / 2
  }

  private open(): Opened {
    const { deployment, dataDir } = this
    const { database, epoch } = openWatchDatabase({
      dataDir,
      deployment: createHash('sha256').update(deployment.secret).digest('hex'),
      bootId: currentProcess().bootId,
    })
    const cursor = new Cursor(database)
    const events = new EventTable(database, epoch)
    const follower = followLog(dataDir, deployment, cursor.beginsAfter())
    return { database, cursor, events, projection: new SaleProjection(database, events), follower }
  }
}
