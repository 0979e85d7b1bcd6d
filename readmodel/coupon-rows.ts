/**
 * Coupons as lists filter and show them: one narrow row each, its definition beside it, its uses in a table of their own
 * because they change with every redemption.
 *
 * Codes made in bulk have no row here, nor has their use: a list of them pages the table of their shard, and to a search their
 * campaign is one entry.
 */
import type { Database, Sql } from './database.ts'
import { ByteReader, ByteWriter } from '../protocol/bytes.ts'
import { type CouponDefinition, readDefinition, writeDefinition } from '../protocol/coupon.ts'

/** The type of a coupon's offer where its campaign has it: no filter by type finds it. */
export const CAMPAIGN_TYPE = 'CAMPAIGN'

export class CouponRows {
  private readonly insert: Sql
  private readonly insertDefinition: Sql
  private readonly change: Sql
  private readonly changeDefinition: Sql
  private readonly switchOne: Sql
  private readonly addUses: Sql
  private readonly uses = new Map<number, number>()
  private readonly writer = new ByteWriter()

  constructor(database: Database) {
    this.insert = database.sql(
      `INSERT INTO coupon (id, created_at, updated_at, version, disabled, max_uses, valid_from, valid_until, type, category,
         merchant, user) VALUES (?, ?, ?, 1, 0, ?, ?, ?, ?, ?, ?, ?)`,
    )
    this.insertDefinition = database.sql('INSERT INTO coupon_definition VALUES (?, ?)')
    this.change = database.sql(
      `UPDATE coupon SET updated_at = ?, version = version + 1, max_uses = ?, valid_from = ?, valid_until = ?, type = ?,
         category = ?, merchant = ?, user = ? WHERE id = ?`,
    )
    this.changeDefinition = database.sql('UPDATE coupon_definition SET bytes = ? WHERE id = ?')
    this.switchOne = database.sql('UPDATE coupon SET updated_at = ?, version = version + 1, disabled = ? WHERE id = ?')
    this.addUses = database.sql(
      `INSERT INTO coupon_uses SELECT value->>0, value->>1 FROM json_each(?) WHERE true
       ON CONFLICT DO UPDATE SET uses = uses + excluded.uses`,
    )
  }

  create(id: number, atMs: number, definition: CouponDefinition): void {
    const { maxUses, validFromMs, validUntilMs, offer, category, merchantId, userId } = definition
    const type = offer?.type ?? CAMPAIGN_TYPE
    this.insert.run(id, atMs, atMs, maxUses, validFromMs, validUntilMs, type, category, merchantId, userId)
    this.insertDefinition.run(id, this.bytesOf(definition))
  }

  changeTo(id: number, atMs: number, definition: CouponDefinition): void {
    const { maxUses, validFromMs, validUntilMs, offer, category, merchantId, userId } = definition
    const type = offer?.type ?? CAMPAIGN_TYPE
    this.change.run(atMs, maxUses, validFromMs, validUntilMs, type, category, merchantId, userId, id)
    this.changeDefinition.run(this.bytesOf(definition), id)
  }

  switchTo(id: number, atMs: number, isDisabled: boolean): void {
    this.switchOne.run(atMs, isDisabled ? 1 : 0, id)
  }

  /** Uses more; below zero: fewer. */
  use(id: number, more: number): void {
    this.uses.set(id, (this.uses.get(id) ?? 0) + more)
  }

  /** Writes the uses of this batch; part of the caller's transaction. */
  write(): void {
    if (this.uses.size === 0) return
    // In the order of the table, so that neighbours change their page together.
    const rows = [...this.uses].sort((a, b) => a[0] - b[0])
    this.addUses.run(JSON.stringify(rows))
    this.uses.clear()
  }

  private bytesOf(definition: CouponDefinition): Uint8Array {
    this.writer.clear()
    writeDefinition(this.writer, definition)
    return this.writer.view()
  }
}

export function definitionOf(bytes: Uint8Array): CouponDefinition {
  return readDefinition(new ByteReader(bytes))
}
