/**
 * The audit: reads a log from its files up and tells what really happened, and whether any promise was broken.
 *
 *     files ─▶ pages ─▶ records (CRC) ─▶ entries by shard (sequence, chain of hashes) ─▶ events ─▶ books ─┬─▶ Audit
 *                                                            calls over several shards, all or none ─▶ stacks ─┘
 *
 * It shares no code with the engine, the protocol or the persistence: a mistake there cannot be repeated here. It never
 * writes, and it is meant for the directory of a server that has ended, however it ended.
 */
import { ShardAccounts } from './audit-accounts.ts'
import type { AuditedCampaign } from './audit-campaign.ts'
import type { AuditedCoupon } from './audit-coupon.ts'
import { AuditFault } from './audit-cursor.ts'
import { eventsOf } from './audit-events.ts'
import { idOf } from './audit-ids.ts'
import type { AuditedJob } from './audit-jobs.ts'
import { chainedBytes, type EntryPlace, NO_HASH, readEntries } from './audit-records.ts'
import { routingOf } from './audit-routing.ts'
import { segmentsOf } from './audit-segments.ts'
import { stackFindings } from './audit-stacks.ts'

export interface AuditedShard {
  readonly entries: number
  /** Also the last sequence. */
  readonly events: number
  readonly lastTimeMs: number
}

export interface Audit {
  /** By code: those that were made one by one, and those made in bulk to which something has happened. */
  readonly coupons: ReadonlyMap<string, AuditedCoupon>
  /** By id. */
  readonly campaigns: ReadonlyMap<string, AuditedCampaign>
  readonly jobs: ReadonlyMap<string, AuditedJob>
  /** Codes that jobs have made. */
  readonly codesMade: number
  /** Those with entries. */
  readonly shards: ReadonlyMap<number, AuditedShard>
  readonly segments: number
  readonly records: number
  readonly entries: number
  readonly events: number
  /**
   * What calls over several shards leave open at the end of the log, as sentences: a server that was stopped in the middle of
   * them will end them when it comes back. Known only where the whole log could be read.
   */
  readonly open: readonly string[]
  /** Sentences; none: every promise was kept. */
  readonly faults: readonly string[]
}

export interface AuditOptions {
  /** Nothing was under way when the log ended, so that anything left open is a fault. */
  readonly isSettled: boolean
  /** Whether codes and users have to lie on the shards that the deployment's hash leads them to; true where not said. */
  readonly isRouted?: boolean
}

/** More faults than this are counted, not kept. */
const FAULTS_KEPT_MAX = 100

class Faults {
  readonly sentences: string[] = []
  private count = 0

  readonly add = (sentence: string): void => {
    this.count++
    if (this.count <= FAULTS_KEPT_MAX) this.sentences.push(sentence)
  }

  all(): readonly string[] {
    const more = this.count - this.sentences.length
    return more > 0 ? [...this.sentences, `and ${more} more`] : this.sentences
  }
}

/** Everything about the log of a data directory. Throws AuditFault only where there is no log. */
export function auditLog(dataDir: string, { isSettled, isRouted = true }: AuditOptions = { isSettled: false }): Audit {
  const faults = new Faults()
  let isWhole = true
  const damage = (sentence: string): void => {
    isWhole = false
    faults.add(sentence)
  }
  const table = readEntries(segmentsOf(dataDir, damage), damage)
  const routing = isRouted ? routingOf(dataDir) : null
  const coupons = new Map<string, AuditedCoupon>()
  const campaigns = new Map<string, AuditedCampaign>()
  const jobs = new Map<string, AuditedJob>()
  let codesMade = 0
  const shards = new Map<number, AuditedShard>()
  const books = new Map<number, ShardAccounts>()
  try {
    for (const [shard, entries] of table.shards) {
      const fault = (sentence: string): void => faults.add(`shard ${shard}: ${sentence}`)
      const accounts = new ShardAccounts(shard, fault, routing)
      books.set(shard, accounts)
      shards.set(shard, replayShard(shard, entries, accounts, { fault: faults.add, damage }))
      for (const coupon of [...accounts.coupons, ...accounts.usedCodes.values()]) coupons.set(coupon.code, coupon)
      for (const campaign of accounts.campaigns) campaigns.set(campaign.campaignId, campaign)
      for (const [seq, job] of accounts.jobs.all) {
        jobs.set(idOf('job_', shard, seq), {
          jobSeq: seq,
          count: job.plan?.count ?? null,
          made: job.made,
          end: job.end,
        })
      }
      codesMade += accounts.jobs.codeCount
    }
    for (const sentence of twiceOver([...books.values()])) faults.add(sentence)
  } finally {
    for (const segment of table.segments) segment.close()
  }
  // Where a part of the log is missing, shards that contradict each other say nothing more.
  const { faults: disagreements, open } = isWhole ? stackFindings(books) : { faults: [], open: [] }
  for (const sentence of disagreements) faults.add(sentence)
  if (isSettled) for (const sentence of open) faults.add(sentence)
  for (const sentence of daysBeyond([...books.values()])) faults.add(sentence)
  return {
    coupons,
    campaigns,
    jobs,
    codesMade,
    shards,
    open,
    segments: table.segments.length,
    records: table.records,
    entries: total(shards, ({ entries }) => entries),
    events: total(shards, ({ events }) => events),
    faults: faults.all(),
  }
}

/** Codes that exist on several shards. */
function* twiceOver(books: readonly ShardAccounts[]): Generator<string, void, void> {
  const [first, ...others] = [...books].sort((a, b) => b.codes.size - a.codes.size)
  const seen = first?.codes ?? new Set<string>()
  const more = new Set<string>()
  for (const { codes } of others) {
    for (const code of codes) {
      if (seen.has(code) || more.has(code)) yield `the code ${code} exists twice`
      more.add(code)
    }
  }
}

/** Somebody took more over everything in a day than any limit that ever held would allow. */
function* daysBeyond(books: readonly ShardAccounts[]): Generator<string, void, void> {
  const allowed = Math.max(0, ...books.map(({ mostAllowedOverAll }) => mostAllowedOverAll))
  for (const { days } of books) {
    if (days.mostOverAll > allowed) {
      yield `a user took ${days.mostOverAll} coupons of one day over everything, and the highest limit is ${allowed}`
    }
  }
}

interface Sinks {
  readonly fault: (sentence: string) => void
  /** What follows it was not read. */
  readonly damage: (sentence: string) => void
}

/** Books a shard's entries in order, up to the first that cannot be read. */
function replayShard(
  shard: number,
  entries: readonly EntryPlace[],
  accounts: ShardAccounts,
  { fault, damage }: Sinks,
): AuditedShard {
  let hash = NO_HASH
  let seq = 0
  let timeMs = 0
  let read = 0
  for (const entry of entries) {
    try {
      if (entry.firstSeq !== seq + 1) throw new AuditFault(`sequence ${entry.firstSeq} follows ${seq}`)
      const chained = chainedBytes(entry, hash)
      hash = chained.hash
      for (const { event, atMs } of eventsOf(chained.events, 0, chained.events.length, entry.timeMs)) {
        if (atMs < timeMs) fault(`shard ${shard}: time goes backwards after sequence ${seq}`)
        timeMs = atMs
        seq++
        accounts.book(event, seq, atMs)
      }
      if (seq !== entry.firstSeq + entry.eventCount - 1) {
        throw new AuditFault(`an entry of ${entry.eventCount} events from ${entry.firstSeq} holds others`)
      }
      read++
    } catch (error) {
      if (!(error instanceof AuditFault)) throw error
      damage(`shard ${shard}, after sequence ${seq}: ${error.message}; what follows was not read`)
      break
    }
  }
  return { entries: read, events: seq, lastTimeMs: timeMs }
}

function total(shards: ReadonlyMap<number, AuditedShard>, figure: (shard: AuditedShard) => number): number {
  let sum = 0
  for (const shard of shards.values()) sum += figure(shard)
  return sum
}
