// A read model on a temporary database, and all there is in one as a value that can be compared.

import type { LogEntry } from '../../../readmodel/cursor.ts'
import { type Database, openDatabase } from '../../../readmodel/database.ts'
import { decodeBlock, PostingColumns } from '../../../readmodel/block.ts'
import { Projection } from '../../../readmodel/projection.ts'
import { Queries, type Question } from '../../../readmodel/queries.ts'
import type { CouponFilter, HistoryItem, PageEnd, PageRange, Place } from '../../../gateway/lists/read-model.ts'
import { afterAll } from 'vitest'
import { removeDirectory, temporaryDirectory } from '../../support/temporary-directory.ts'

export const ANY_COUPON: CouponFilter = {
  status: null,
  type: null,
  category: null,
  merchantId: null,
  userId: null,
  expiresBeforeMs: null,
  expiresAfterMs: null,
}
export const ALL: PageRange = { limit: 1_000, after: null }

const directories = new Set<string>()
afterAll(() => {
  for (const directory of directories) removeDirectory(directory)
})

/** A directory that is gone when the tests of the file have ended. */
export function modelDirectory(): string {
  const directory = temporaryDirectory('read-model')
  directories.add(directory)
  return directory
}

export class TestModel {
  readonly dataDir: string
  readonly database: Database
  readonly projection: Projection
  readonly queries: Queries

  constructor(dataDir = modelDirectory(), deployment = 'a deployment', bootId = 'a boot') {
    this.dataDir = dataDir
    this.database = openDatabase({ dataDir, deployment, bootId }).database
    this.projection = new Projection(this.database)
    this.queries = new Queries(this.database, this.projection.runs, this.projection.facts)
  }

  /** One batch. */
  project(entries: readonly LogEntry[]): number {
    return this.projection.project((onEntry) => {
      for (const entry of entries) onEntry(entry)
    })
  }

  /** Gone with its directory. */
  drop(): void {
    this.database.close()
    directories.delete(this.dataDir)
    removeDirectory(this.dataDir)
  }

  tidy(): void {
    while (this.projection.isUntidy) this.projection.tidy()
  }

  /** Coupons as JSON says them. */
  coupons(nowMs: number, filter: Partial<CouponFilter> = {}, range: PageRange = ALL): Record<string, unknown>[] {
    const { items } = this.ask({ list: 'coupons', filter: { ...ANY_COUPON, ...filter }, range }, nowMs)
    return items.map((item) => JSON.parse(item as string) as Record<string, unknown>)
  }

  codes(nowMs: number, filter: Partial<CouponFilter> = {}, range: PageRange = ALL): unknown[] {
    return this.coupons(nowMs, filter, range).map(({ code }) => code)
  }

  history(shard: number, ordinal: number, range: PageRange = ALL): Record<string, unknown>[] {
    const { items } = this.ask({ list: 'history', coupon: { shard, ordinal }, range })
    return (items as HistoryItem[]).map(({ seq, atMs, membersJson }) => ({
      seq,
      atMs,
      ...(membersJson === null ? { type: 'A REDEMPTION' } : (JSON.parse(`{${membersJson}}`) as object)),
    }))
  }

  /** `shard:seq` of each. */
  places(question: Question): string[] {
    return (this.ask(question).items as Place[]).map(({ shard, seq }) => `${shard}:${seq}`)
  }

  ask(question: Question, nowMs = 0): { readonly items: readonly unknown[]; readonly next: PageEnd | null } {
    return this.queries.answer(question, nowMs)
  }

  /** Every table, and every list as its postings with the events they refer to, however they are spread over runs. */
  image(): Record<string, unknown> {
    const tables = ['coupon', 'coupon_definition', 'coupon_uses', 'hold', 'alias']
    const rows = tables.map((table) => [table, this.database.query(`SELECT * FROM ${table} ORDER BY 1, 2`).all()])
    const cursor = this.database.query('SELECT shard, seq FROM cursor ORDER BY shard').all()
    return { ...(Object.fromEntries(rows) as Record<string, unknown>), cursor, postings: this.postings() }
  }

  private postings(): unknown[] {
    const columns = new PostingColumns()
    const found: [number, number, number, unknown][] = []
    const runs = new Set(this.projection.runs.readable.map(({ id }) => id))
    for (const [run, bytes] of this.database.query('SELECT run, bytes FROM block').all()) {
      if (!runs.has(run as number)) continue
      decodeBlock(bytes as Uint8Array, columns)
      for (let i = 0; i < columns.count; i++) {
        const ref = columns.refs[i] as number
        const event =
          ref === 0 ? null : Buffer.from(JSON.stringify(this.projection.facts.at(ref), bytesAsText)).toString()
        found.push([columns.keys[i] as number, columns.atMs[i] as number, columns.places[i] as number, event])
      }
    }
    return found.sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2])
  }
}

/** Ranges of bytes as what they hold. */
function bytesAsText(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('buf' in value)) return value
  const { buf, start, end } = value as { buf: Uint8Array; start: number; end: number }
  return Buffer.from(buf.subarray(start, end)).toString('utf8')
}
