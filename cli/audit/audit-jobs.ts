/**
 * The books of one shard's jobs and of the codes they made: how many there were to be, how many there are, that none exists twice,
 * and that each lies on the shard that its letters lead to.
 *
 *     started ──▶ codes ──▶ codes ──▶ … ──▶ ended          nothing behind the end, no code beyond the number that was asked for
 *
 * A code that nothing has happened to costs its letters; an account is opened for it when something does.
 */
import type { CampaignEventRead, CodesPlanRead } from './audit-campaign-events.ts'
import { AuditFault } from './audit-cursor.ts'
import type { CouponTerms } from './audit-terms.ts'

export const BULK_CODES_FROM = 2 ** 30

export interface AuditedJob {
  readonly jobSeq: number
  /** Codes that were asked for; null: an import. */
  readonly count: number | null
  readonly made: number
  readonly end: 'SUCCEEDED' | 'FAILED' | 'CANCELLED' | null
}

interface Job {
  readonly jobSeq: number
  readonly plan: CodesPlanRead | null
  made: number
  processed: number
  place: number
  end: AuditedJob['end']
}

/** Codes of one event. */
interface Batch {
  readonly firstCode: number
  readonly count: number
  readonly job: Job
  /** Codes that the job had made before. */
  readonly before: number
  readonly letters: string
}

type JobEvent = Extract<
  CampaignEventRead,
  { kind: 'jobStarted' | 'codesMade' | 'jobProgressed' | 'jobEnded' | 'batchWindowPassed' }
>

export class ShardJobs {
  readonly all = new Map<number, Job>()
  private readonly batches: Batch[] = []
  private nextCode = BULK_CODES_FROM
  private readonly fault: (sentence: string) => void

  constructor(fault: (sentence: string) => void) {
    this.fault = fault
  }

  get codeCount(): number {
    return this.nextCode - BULK_CODES_FROM
  }

  /** Books an event; `onCode` hears of every code that it makes. */
  book(event: JobEvent, seq: number, onCode: (code: string) => void): void {
    switch (event.kind) {
      case 'jobStarted':
        this.all.set(seq, { jobSeq: seq, plan: event.plan, made: 0, processed: 0, place: 0, end: null })
        return
      case 'codesMade':
        this.make(event, onCode)
        return
      case 'jobProgressed': {
        const job = this.open(event.job, 'goes on')
        if (job.plan !== null) this.fault(`job ${event.job} makes codes, and somebody says how far it is`)
        if (event.processed < job.processed || event.place < job.place) this.fault(`job ${event.job} goes backwards`)
        if (event.failed > event.processed) this.fault(`job ${event.job}: more rows failed than there were`)
        job.processed = event.processed
        job.place = event.place
        return
      }
      case 'jobEnded': {
        const job = this.open(event.job, 'ends')
        job.end = event.end
        if (job.plan !== null && event.end === 'SUCCEEDED' && job.made !== job.plan.count) {
          this.fault(`job ${event.job} succeeded with ${job.made} codes of ${job.plan.count}`)
        }
        return
      }
      case 'batchWindowPassed':
        this.job(event.job)
        return
    }
  }

  /** The terms of a code, with its letters and the user it is for. Throws AuditFault for one that was never made. */
  termsOf(ordinal: number): CouponTerms {
    const batch = this.batchOf(ordinal)
    const { plan } = batch.job
    if (plan === null) throw new AuditFault(`code ${ordinal} was made by an import`)
    const index = ordinal - batch.firstCode
    const userId = plan.userIds[batch.before + index] ?? plan.terms.userId
    return { ...plan.terms, code: codeAt(batch, plan, index), userId }
  }

  private make(event: Extract<JobEvent, { kind: 'codesMade' }>, onCode: (code: string) => void): void {
    const { job: jobSeq, firstCode, count, letters } = event
    const job = this.open(jobSeq, 'makes codes')
    const { plan } = job
    if (plan === null) throw new AuditFault(`job ${jobSeq} is an import and makes codes`)
    if (firstCode !== this.nextCode)
      throw new AuditFault(`codes from ${firstCode} are made where ${this.nextCode} is next`)
    if (letters.length !== count * (plan.length - plan.prefix.length)) {
      throw new AuditFault(`job ${jobSeq}: ${letters.length} letters are not those of ${count} codes`)
    }
    const batch = { firstCode, count, job, before: job.made, letters }
    this.batches.push(batch)
    this.nextCode += count
    job.made += count
    if (job.made > plan.count) this.fault(`job ${jobSeq} has made ${job.made} codes, and ${plan.count} were asked for`)
    for (let index = 0; index < count; index++) onCode(codeAt(batch, plan, index))
  }

  private batchOf(ordinal: number): Batch {
    let low = 0
    let high = this.batches.length
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      if ((this.batches[middle] as Batch).firstCode <= ordinal) low = middle + 1
      else high = middle
    }
    const batch = this.batches[low - 1]
    if (batch === undefined || ordinal >= batch.firstCode + batch.count)
      throw new AuditFault(`there is no code ${ordinal} yet`)
    return batch
  }

  private open(seq: number, what: string): Job {
    const job = this.job(seq)
    if (job.end !== null) throw new AuditFault(`job ${seq} ${what} and had ended`)
    return job
  }

  private job(seq: number): Job {
    const job = this.all.get(seq)
    if (job === undefined) throw new AuditFault(`there is no job ${seq} yet`)
    return job
  }
}

function codeAt({ letters }: Batch, { prefix, length }: CodesPlanRead, index: number): string {
  const drawn = length - prefix.length
  return prefix + letters.slice(index * drawn, (index + 1) * drawn)
}
