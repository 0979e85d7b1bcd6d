// Logs that no engine would write, written by the engine's own journal: whole, chained, and wrong in what they say.

import { randomBytes } from 'node:crypto'
import { openOrCreateDeployment } from '../../persistence/deployment.ts'
import { openJournal } from '../../persistence/journal.ts'
import { replayLog } from '../../persistence/recovery.ts'
import { ByteWriter, bytesOf } from '../../protocol/bytes.ts'
import type { CouponDefinition } from '../../protocol/coupon.ts'
import { writeEvent, writeTick } from '../../protocol/event-codec.ts'
import { EVENT, type Event, type Stack } from '../../protocol/events.ts'
import type { PriceFact } from '../../protocol/price.ts'
import type { Offer } from '../../engine/domain/offer.ts'

export const BEGIN_MS = 1_790_000_000_000
const SHARDS = 4

/** An event, so many milliseconds after the one before. */
export interface Timed {
  readonly event: Event
  readonly afterMs: number
}

/** Groups are commits; each is the entry of one shard. */
export interface Group {
  readonly shard: number
  readonly events: readonly (Event | Timed)[]
  /** BEGIN_MS unless said otherwise. */
  readonly timeMs?: number
}

/** Appends the groups, in one run of a journal, after whatever the directory holds. */
export async function writeLog(dataDir: string, groups: readonly Group[], lane = 0): Promise<void> {
  const deployment = openOrCreateDeployment(dataDir, { shards: SHARDS }, Date.now, randomBytes)
  const shards = new Set(Array.from({ length: SHARDS }, (_, shard) => shard))
  const recovered = replayLog(dataDir, deployment, shards, () => {})
  const journal = openJournal({ dataDir, deployment, lane, recovered })
  const nextSeq = new Map([...recovered.heads].map(([shard, head]) => [shard, head.seq + 1]))
  for (const { shard, events, timeMs = BEGIN_MS } of groups) {
    const writer = new ByteWriter()
    for (const timed of events) {
      const { event, afterMs } = 'event' in timed ? timed : { event: timed, afterMs: 0 }
      if (afterMs > 0) writeTick(writer, afterMs)
      writeEvent(writer, event)
    }
    const firstSeq = nextSeq.get(shard) ?? 1
    nextSeq.set(shard, firstSeq + events.length)
    const draft = { shard, firstSeq, eventCount: events.length, timeMs, events: writer.buf, length: writer.pos }
    await new Promise<void>((resolve, reject) => {
      journal.append([draft], (error) => (error === null ? resolve() : reject(error)))
    })
  }
  await journal.close()
}

export const OFFER: Offer = {
  type: 'PERCENT',
  scope: 'ORDER',
  allocation: 'ACROSS',
  stacking: 'EXCLUSIVE',
  percentBps: 1_000,
  valueMinor: 0,
  currency: null,
  maxDiscountMinor: null,
  maxUnits: null,
  minOrderMinor: null,
  minQuantity: null,
  applicableProductIds: ['shirt', 'trousers'],
  applicableCategoryIds: [],
  excludedProductIds: [],
  excludedCategoryIds: ['gift-cards'],
  channels: ['web'],
  priority: -3,
}

export function definitionOf(code: string, terms: Partial<CouponDefinition> = {}): CouponDefinition {
  return {
    code,
    offer: OFFER,
    campaign: null,
    dailyLimit: null,
    merchantId: null,
    userId: null,
    category: 'summer',
    description: 'ten off, für alle',
    listed: false,
    maxUses: null,
    maxUsesPerUser: null,
    validFromMs: null,
    validUntilMs: null,
    ...terms,
  }
}

export function created(ordinal: number, code: string, terms: Partial<CouponDefinition> = {}): Event {
  return { type: EVENT.COUPON_CREATED, ordinal, by: 'shop', definition: definitionOf(code, terms), imported: null }
}

export function changed(ordinal: number, code: string, terms: Partial<CouponDefinition>): Event {
  return {
    type: EVENT.COUPON_CHANGED,
    ordinal,
    by: null,
    change: 'PATCHED',
    reason: 'why',
    definition: definitionOf(code, terms),
    imported: null,
  }
}

const price: PriceFact = {
  currency: 12,
  subtotalMinor: 1_000,
  shippingMinor: 0,
  shippingDiscountMinor: 0,
  amounts: [100],
  lines: null,
}

export interface RedeemedWith {
  readonly ordinals?: readonly number[]
  readonly reservationSeq?: number
  readonly late?: boolean
  readonly price?: PriceFact
}

export function redeemed(user: string, order: string, more: RedeemedWith = {}): Event {
  const { ordinals = [0], reservationSeq = 0, late = false } = more
  return {
    type: EVENT.REDEEMED,
    reservationSeq,
    late,
    ordinals,
    user: bytesOf(user),
    order: bytesOf(order),
    price: more.price ?? price,
    stack: null,
  }
}

export function reserved(user: string, expiresAtMs: number, ordinals: readonly number[] = [0]): Event {
  return { type: EVENT.RESERVED, ordinals, user: bytesOf(user), order: null, expiresAtMs, price: null, stack: null }
}

export function released(reservationSeq: number, cause: 'RELEASED' | 'EXPIRED', expiresAtMs: number): Event {
  return { type: EVENT.RESERVATION_RELEASED, reservationSeq, cause, expiresAtMs }
}

export function reversed(redemptionSeq: number, user: string, returnUse = true): Event {
  return {
    type: EVENT.REDEMPTION_REVERSED,
    redemptionSeq,
    ordinals: [0],
    user: bytesOf(user),
    reason: 'refund',
    returnUse,
    amounts: [],
    stack: null,
  }
}

/** Of a call over shard 0, which coordinates, and shard 1: AAA is coupon 0 there, BBB coupon 0 here. */
export interface StackedWith {
  /** Of the coordinator's BRANCH_PREPARED. */
  readonly txnSeq: number
  /** Of what took the capacity on shard 0 and on shard 1. */
  readonly heldSeqs: readonly [number, number]
  readonly user?: string
  readonly order?: string
  readonly amounts?: readonly [number, number]
  readonly reservationSeq?: number
  readonly late?: boolean
  readonly codes?: readonly [string, string]
}

function stackOf({ txnSeq, heldSeqs, codes = ['AAA', 'BBB'] }: StackedWith): Stack {
  return {
    txnSeq,
    coupons: heldSeqs.map((heldSeq, shard) => ({ shard, ordinal: 0, code: codes[shard] as string, heldSeq })),
  }
}

export function redeemedOverTwo(stacked: StackedWith): Event {
  const { user = 'ann', order = 'o', amounts = [100, 90], reservationSeq = 0, late = false } = stacked
  const alone = redeemed(user, order, { reservationSeq, late, price: { ...price, amounts } })
  return { ...alone, stack: stackOf(stacked) } as Event
}

export function reservedOverTwo(stacked: StackedWith & { readonly expiresAtMs: number }): Event {
  const { user = 'ann', expiresAtMs } = stacked
  return { ...reserved(user, expiresAtMs), stack: stackOf(stacked) } as Event
}

export function reversedOverTwo(redemptionSeq: number, user: string, heldSeq: number): Event {
  return { ...reversed(redemptionSeq, user), stack: { heldSeq, shards: [1] } } as Event
}

export interface PreparedWith {
  readonly user?: string
  readonly order?: string | null
  readonly reservationTxnSeq?: number
  readonly ordinals?: readonly number[]
}

/** On shard 0: its own sequence is the transaction. */
export function prepared(more: PreparedWith = {}): Event {
  return branchPrepared(0, more, [1])
}

/** On shard 1. */
export function preparedThere(txnSeq: number, more: PreparedWith = {}): Event {
  return branchPrepared(txnSeq, more, [])
}

function branchPrepared(seq: number, more: PreparedWith, shards: readonly number[]): Event {
  const { user = 'ann', order = 'o', reservationTxnSeq = 0, ordinals = [0] } = more
  return {
    type: EVENT.BRANCH_PREPARED,
    txn: { shard: 0, seq },
    ordinals,
    user: bytesOf(user),
    order: order === null ? null : bytesOf(order),
    reservationTxnSeq,
    shards,
    amounts: [],
  }
}

export interface RedeemedThere {
  readonly user?: string
  readonly order?: string
  readonly amounts?: readonly number[]
  readonly ordinals?: readonly number[]
}

/** On shard 1: the share of a redemption that shard 0 logged. */
export function redeemedThere(txnSeq: number, redemptionSeq: number, more: RedeemedThere = {}): Event {
  const { user = 'ann', order = 'o', amounts = [90], ordinals = [0] } = more
  return {
    type: EVENT.BRANCH_REDEEMED,
    txn: { shard: 0, seq: txnSeq },
    redemptionSeq,
    ordinals,
    user: bytesOf(user),
    order: bytesOf(order),
    amounts,
  }
}

export function reversedThere(redemptionSeq: number, heldSeq: number, returnUse = true): Event {
  return {
    type: EVENT.BRANCH_REVERSED,
    redemption: { shard: 0, seq: redemptionSeq },
    heldSeq,
    ordinals: [0],
    user: bytesOf('ann'),
    reason: 'refund',
    returnUse,
    amounts: [],
  }
}
