/** Columns are declared in several places (rows of pools, pages of codes made in bulk): a snapshot has to hold all of them. */
import { expect, test } from 'vitest'
import { bytesOf } from '../../../protocol/bytes.ts'
import { EVENT, type Event } from '../../../protocol/events.ts'
import { BULK_ORDINALS, CAMPAIGN_ORDINALS } from '../../../protocol/ordinals.ts'
import { listSnapshots, type SnapshotFile } from '../../../persistence/snapshot-file.ts'
import { apply } from '../../../engine/domain/apply.ts'
import type { ShardState } from '../../../engine/domain/state.ts'
import type { Column } from '../../../engine/domain/tables.ts'
import { emptyState, readSnapshot, writeSnapshot } from '../../../engine/shard/snapshot-state.ts'
import { deployment, temporaryDirectory } from '../../persistence/support.ts'
import { GOLDEN_CAMPAIGN_EVENTS } from '../../protocol/golden-campaign-events.ts'
import { couponWith } from '../support/samples.ts'

test('every column of every table comes back', () => {
  const state = stateWithOneOfEach()
  const wanted = new Map<string, number>()
  for (const [name, column, row] of columnsOf(state)) {
    const value = wanted.size + 1
    column.set(row, value)
    wanted.set(name, value)
  }
  expect(wanted.size).toBeGreaterThan(90)
  // What a column holds is not looked at when a state is written or read, so any number does.
  const dataDir = temporaryDirectory()
  const { seq, timeMs } = state
  const where = { lane: 0, segment: 0, record: 1, offset: 0 }
  writeSnapshot(dataDir, deployment, state, { seq, timeMs, hash: new Uint8Array(32), where }, timeMs)
  const [file] = listSnapshots(dataDir, state.shard) as [SnapshotFile]
  const loaded = readSnapshot(file, deployment).state
  expect(new Map(columnsOf(loaded).map(([name, column, row]) => [name, column.get(row)]))).toEqual(wanted)
})

/** A coupon, a campaign, a code made in bulk, and a hold on the coupon. */
function stateWithOneOfEach(): ShardState {
  const state = emptyState(1, deployment)
  const definition = couponWith('SAVE10')
  const [user, stack] = [bytesOf('ann'), null]
  const campaign = GOLDEN_CAMPAIGN_EVENTS.find(({ event }) => event.type === EVENT.CAMPAIGN_CREATED)?.event
  if (campaign?.type !== EVENT.CAMPAIGN_CREATED) throw new Error('there is no golden campaign')
  const plan = { kind: 'COUPONS', count: 1, length: 8, prefix: '', distribution: 'EXPORTED', userIds: [] } as const
  const events: Event[] = [
    { type: EVENT.COUPON_CREATED, by: null, ordinal: 0, definition, imported: null },
    { ...campaign, index: 0 },
    { type: EVENT.JOB_STARTED, by: null, plan: { ...plan, definition: couponWith('', { maxUses: 1 }) } },
    { type: EVENT.CODES_MADE, jobSeq: 3, firstOrdinal: BULK_ORDINALS, count: 1, letters: bytesOf('QX4TZ37K') },
    { type: EVENT.RESERVED, ordinals: [0], user, order: null, expiresAtMs: 1_800_000_000_000, price: null, stack },
  ]
  for (const event of events) apply(state, event, 1_760_000_000_000)
  return state
}

/** All columns by name, each with a row of it; heaps have none of their own to be set. */
function columnsOf({ tables }: ShardState): (readonly [string, Column, number])[] {
  const { coupons, campaigns, bulk, holds } = tables
  const found: (readonly [string, Column, number])[] = []
  const add = (table: string, columns: object, row: number): void => {
    for (const [name, value] of Object.entries(columns)) {
      for (const [word, column] of [value].flat().entries()) {
        const isColumn = typeof column === 'object' && 'get' in column && 'set' in column
        if (isColumn) found.push([`${table}.${name}.${word}`, column as Column, row])
      }
    }
  }
  const { importJob: _, importLine: _1, ...ofAll } = coupons
  const { salt: _2, userSalt: _3, ...ofMade } = ofAll
  add('coupons', coupons, 0)
  add('coupons of campaigns', ofAll, CAMPAIGN_ORDINALS)
  add('coupons of codes', ofMade, BULK_ORDINALS)
  add('campaigns', campaigns, 0)
  add('bulk', bulk, BULK_ORDINALS)
  add('holds', holds, 0)
  return found
}
