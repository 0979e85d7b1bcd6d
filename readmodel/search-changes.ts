/**
 * What the search has to look at again: one row a batch of the projection, with the coupons and campaigns that were made or changed
 * in it, eight bytes each. A row for each of them would take as long as all the rest of a batch that makes coupons.
 *
 * The search reads them by a connection of its own (`search/feed.ts`).
 */
import type { Database, Sql } from './database.ts'

/** Batches that a search may be behind; one that is further behind begins anew. */
const BATCHES_KEPT = 2_000

export class SearchChanges {
  private readonly insert: Sql
  private readonly drop: Sql
  private readonly changed = new Set<number>()

  constructor(database: Database) {
    this.insert = database.sql('INSERT INTO search_change (entries) VALUES (?)')
    this.drop = database.sql(
      `DELETE FROM search_change WHERE seq <= (SELECT max(seq) FROM search_change) - ${BATCHES_KEPT}`,
    )
  }

  /** `id` is that of `couponNumber`, of a campaign by its ordinal. */
  note(id: number): void {
    this.changed.add(id)
  }

  /** Part of the caller's transaction. */
  write(): void {
    if (this.changed.size === 0) return
    this.insert.run(new Uint8Array(Float64Array.from(this.changed).buffer))
    this.drop.run()
    this.changed.clear()
  }
}

/** The entries of a row. */
export function changedEntries(bytes: Uint8Array): Float64Array {
  // A copy, because the bytes of a row may lie anywhere.
  return new Float64Array(new Uint8Array(bytes).buffer)
}
