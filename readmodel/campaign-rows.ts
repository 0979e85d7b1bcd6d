/**
 * Campaigns: a row each, with the rules that they are found by. Their counters are not here, their shards show them.
 */
import type { Database, Sql } from './database.ts'
import { ByteReader, ByteWriter } from '../protocol/bytes.ts'
import { type CampaignDefinition, readCampaign, writeCampaign } from '../protocol/campaign.ts'

/** `id` is that of `couponNumber`, of the ordinal that a campaign has among coupons. */
export class CampaignRows {
  private readonly insert: Sql
  private readonly update: Sql
  private readonly switchOne: Sql
  private readonly writer = new ByteWriter()

  constructor(database: Database) {
    this.insert = database.sql('INSERT INTO campaign (id, created_at, disabled, bytes) VALUES (?, ?, 0, ?)')
    this.update = database.sql('UPDATE campaign SET bytes = ? WHERE id = ?')
    this.switchOne = database.sql('UPDATE campaign SET disabled = ? WHERE id = ?')
  }

  create(id: number, atMs: number, definition: CampaignDefinition): void {
    this.insert.run(id, atMs, this.bytesOf(definition))
  }

  changeTo(id: number, definition: CampaignDefinition): void {
    this.update.run(this.bytesOf(definition), id)
  }

  switchTo(id: number, isDisabled: boolean): void {
    this.switchOne.run(isDisabled ? 1 : 0, id)
  }

  private bytesOf(definition: CampaignDefinition): Uint8Array {
    this.writer.clear()
    writeCampaign(this.writer, definition)
    return this.writer.view()
  }
}

export function campaignOf(bytes: Uint8Array): CampaignDefinition {
  return readCampaign(new ByteReader(bytes))
}
