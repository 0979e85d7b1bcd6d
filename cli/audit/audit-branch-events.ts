/**
 * Decodes what a log says of calls over several shards, as docs/formats/events.md describes it. A transaction is named by
 * its coordinator's shard and a sequence of that shard's log.
 */
import { type DayRead, dayIn } from './audit-campaign-events.ts'
import { type AuditCursor, AuditFault } from './audit-cursor.ts'

export interface TransactionName {
  readonly shard: number
  readonly seq: number
}

/** A coupon of a call over several shards, as the coordinator names it. */
export interface StackedCouponRead {
  readonly shard: number
  readonly coupon: number
  /** null: a campaign, of a coupon that lives on another shard than it. */
  readonly code: string | null
  /** Of its coupon, or its own, in the price. */
  readonly place: number
  /** On its shard: of the event that took its capacity. */
  readonly heldSeq: number
}

export interface StackRead {
  /** Of the coordinator. */
  readonly transaction: number
  /** Coupons in the order of the price, then the campaigns that live elsewhere. */
  readonly coupons: readonly StackedCouponRead[]
}

export interface ReversedStackRead {
  readonly heldSeq: number
  readonly shards: readonly number[]
}

export type BranchEvent =
  | {
      readonly kind: 'branchPrepared'
      /** `seq` 0: this event begins it. */
      readonly transaction: TransactionName
      readonly coupons: readonly number[]
      readonly userId: string
      readonly orderId: string | null
      /** Transaction of the reservation that is made final; 0: capacity is taken. */
      readonly reservation: number
      readonly shards: readonly number[]
      /** What each of the coupons may give of a budget; empty: nothing. */
      readonly amounts: readonly number[]
      readonly days: readonly DayRead[]
    }
  | { readonly kind: 'branchAborted'; readonly transaction: TransactionName }
  | {
      readonly kind: 'branchReserved'
      readonly transaction: TransactionName
      readonly reservation: number
      readonly expiresAtMs: number
    }
  | {
      readonly kind: 'branchRedeemed'
      readonly transaction: TransactionName
      readonly redemption: number
      readonly coupons: readonly number[]
      readonly userId: string
      readonly orderId: string
      readonly amounts: readonly number[]
    }
  | { readonly kind: 'branchRetimed'; readonly transaction: TransactionName; readonly expiresAtMs: number }
  | { readonly kind: 'branchReleased'; readonly transaction: TransactionName }
  | {
      readonly kind: 'branchReversed'
      readonly redemption: TransactionName
      readonly heldSeq: number
      readonly coupons: readonly number[]
      readonly userId: string
      readonly givesUseBack: boolean
      readonly amounts: readonly number[]
    }
  | { readonly kind: 'delivered'; readonly seqs: readonly number[]; readonly shards: readonly number[] }

const RELEASE_KINDS_MAX = 2

/** Types 13 to 20, behind the type; null: another type. */
export function branchEventIn(type: number, from: AuditCursor): BranchEvent | null {
  switch (type) {
    case 13: {
      const transaction = transactionIn(from)
      const coupons = numbersIn(from)
      const userId = from.text()
      const orderId = from.textOrNone()
      const reservation = from.varint()
      const shards = numbersIn(from)
      const amounts = tailIn(from)
      const days: DayRead[] = []
      while (!from.isAtEnd) days.push(dayIn(from))
      return { kind: 'branchPrepared', transaction, coupons, userId, orderId, reservation, shards, amounts, days }
    }
    case 14:
      return { kind: 'branchAborted', transaction: transactionIn(from) }
    case 15: {
      const transaction = transactionIn(from)
      const reservation = from.varint()
      return { kind: 'branchReserved', transaction, reservation, expiresAtMs: from.varint() }
    }
    case 16: {
      const transaction = transactionIn(from)
      const redemption = from.varint()
      const coupons = numbersIn(from)
      const userId = from.text()
      const orderId = from.text()
      const amounts = coupons.map(() => from.varint())
      return { kind: 'branchRedeemed', transaction, redemption, coupons, userId, orderId, amounts }
    }
    case 17: {
      const transaction = transactionIn(from)
      return { kind: 'branchRetimed', transaction, expiresAtMs: from.varint() }
    }
    case 18: {
      const transaction = transactionIn(from)
      const cause = from.byte()
      if (cause > RELEASE_KINDS_MAX) throw new AuditFault(`an event names the unknown kind ${cause}`)
      return { kind: 'branchReleased', transaction }
    }
    case 19: {
      const redemption = transactionIn(from)
      const heldSeq = from.varint()
      const coupons = numbersIn(from)
      const userId = from.text()
      from.text()
      const givesUseBack = from.isSaid()
      return { kind: 'branchReversed', redemption, heldSeq, coupons, userId, givesUseBack, amounts: tailIn(from) }
    }
    case 20: {
      const seqs = numbersIn(from)
      return { kind: 'delivered', seqs, shards: seqs.map(() => from.varint()) }
    }
    default:
      return null
  }
}

/** What a reservation or redemption over several shards has before its price. */
export function stackIn(from: AuditCursor): StackRead {
  const transaction = from.varint()
  let place = 0
  const coupons = from.list(() => {
    const shard = from.varint()
    const coupon = from.varint()
    const code = from.text()
    return { shard, coupon, code, place: place++, heldSeq: from.varint() }
  })
  return { transaction, coupons }
}

/** The campaigns of a stack that live elsewhere than their coupons; they stand behind its price, up to the end. */
export function withCampaignsIn(from: AuditCursor, { transaction, coupons }: StackRead): StackRead {
  const all = [...coupons]
  while (!from.isAtEnd) {
    const place = from.varint()
    if (place >= coupons.length) throw new AuditFault('a campaign stands for a coupon that is not there')
    const shard = from.varint()
    const coupon = from.varint()
    all.push({ shard, coupon, code: null, place, heldSeq: from.varint() })
  }
  return { transaction, coupons: all }
}

/** Numbers at the end of an event, where older ones end. */
export function tailIn(from: AuditCursor): number[] {
  return from.isAtEnd ? [] : numbersIn(from)
}

export function reversedStackIn(from: AuditCursor): ReversedStackRead {
  const heldSeq = from.varint()
  return { heldSeq, shards: numbersIn(from) }
}

function transactionIn(from: AuditCursor): TransactionName {
  const shard = from.varint()
  return { shard, seq: from.varint() }
}

function numbersIn(from: AuditCursor): number[] {
  return from.list(() => from.varint())
}
