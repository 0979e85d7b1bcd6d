/**
 * Batches: which campaign codes made in bulk belong to, by ranges of their ordinals, and the jobs that are under way. All of
 * them are in memory: a batch is one row for as many codes as were made without a break.
 *
 *     ordinals   2^30 ── batch ──┬── batch ──┬── …        sorted, per shard; looked up by halving
 */
import type { Database, Sql } from '../readmodel/database.ts'

/** A job as its end names it. */
export interface OpenJob {
  readonly kind: string
  /** Ordinal of the campaign on the same shard; -1: none here. */
  readonly campaign: number
}

interface Batch {
  readonly first: number
  /** Behind the last one. */
  end: number
  readonly jobSeq: number
  readonly campaign: number
}

export class Batches {
  private readonly putJob: Sql
  private readonly putBatch: Sql
  private readonly jobs = new Map<number, Map<number, OpenJob>>()
  private readonly batches = new Map<number, Batch[]>()

  constructor(database: Database) {
    this.putJob = database.sql('INSERT INTO job VALUES (?, ?, ?, ?)')
    this.putBatch = database.sql(
      'INSERT INTO batch VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET end_at = excluded.end_at',
    )
    for (const row of database.query('SELECT shard, seq, kind, campaign FROM job').all()) {
      const [shard, seq, kind, campaign] = row as [number, number, string, number]
      this.jobsOf(shard).set(seq, { kind, campaign })
    }
    const rows = database.query('SELECT shard, first, end_at, job, campaign FROM batch ORDER BY shard, first').all()
    for (const row of rows) {
      const [shard, first, end, jobSeq, campaign] = row as [number, number, number, number, number]
      this.batchesOf(shard).push({ first, end, jobSeq, campaign })
    }
  }

  /** Part of the caller's transaction, like all changes here. */
  begin(shard: number, seq: number, job: OpenJob): void {
    this.jobsOf(shard).set(seq, job)
    this.putJob.run(shard, seq, job.kind, job.campaign)
  }

  made(shard: number, jobSeq: number, first: number, count: number): void {
    const campaign = this.job(shard, jobSeq)?.campaign ?? -1
    const batches = this.batchesOf(shard)
    const last = batches.at(-1)
    if (last !== undefined && last.jobSeq === jobSeq && last.end === first) last.end += count
    else batches.push({ first, end: first + count, jobSeq, campaign })
    const batch = batches.at(-1) as Batch
    this.putBatch.run(shard, batch.first, batch.end, jobSeq, campaign)
  }

  job(shard: number, seq: number): OpenJob | null {
    return this.jobs.get(shard)?.get(seq) ?? null
  }

  /** Ordinal of the campaign on the same shard; -1: none here. */
  campaignOf(shard: number, ordinal: number): number {
    const batches = this.batches.get(shard)
    if (batches === undefined) return -1
    let low = 0
    let high = batches.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((batches[middle] as Batch).end <= ordinal) low = middle + 1
      else high = middle
    }
    const batch = batches[low]
    return batch !== undefined && batch.first <= ordinal ? batch.campaign : -1
  }

  private jobsOf(shard: number): Map<number, OpenJob> {
    let jobs = this.jobs.get(shard)
    if (jobs === undefined) {
      jobs = new Map()
      this.jobs.set(shard, jobs)
    }
    return jobs
  }

  private batchesOf(shard: number): Batch[] {
    let batches = this.batches.get(shard)
    if (batches === undefined) {
      batches = []
      this.batches.set(shard, batches)
    }
    return batches
  }
}
