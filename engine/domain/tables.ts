/**
 * What the domain needs of the tables that hold its state. The tables themselves (engine/shard/tables) are typed arrays
 * and live in the shell; `decide` and `apply` see only this, so a test may put a Map in their place.
 *
 * Keys are 128 bits in four int32 words. Slot and row numbers are small integers; -1 means none. A slot is valid until
 * the next insertion or removal in its table, a row until it is freed.
 */
import type { CouponDefinition } from '../../protocol/coupon.ts'

export interface CodeIndex {
  readonly size: number
  readonly bytes: number
  /** The ordinal of a canonical code, or -1. */
  get(bytes: Uint8Array, start: number, end: number): number
  set(bytes: Uint8Array, start: number, end: number, ordinal: number): void
}

export interface UserCounters {
  readonly size: number
  readonly bytes: number
  find(k0: number, k1: number, k2: number, k3: number): number
  findOrInsert(k0: number, k1: number, k2: number, k3: number): number
  uses(slot: number): number
  held(slot: number): number
  setUses(slot: number, uses: number): void
  setHeld(slot: number, held: number): void
  remove(slot: number): void
  /** Begins to fetch the record of a key; the result means nothing but has to be used. */
  warm(k0: number): number
  /** Makes room for so many records in one pass. */
  reserve(entries: number): void
}

/** Sequence numbers by key, with room for two further words. */
export interface SeqIndex {
  readonly size: number
  readonly bytes: number
  find(k0: number, k1: number, k2: number, k3: number): number
  findOrInsert(k0: number, k1: number, k2: number, k3: number): number
  seq(slot: number): number
  digest0(slot: number): number
  digest1(slot: number): number
  setRecord(slot: number, digest0: number, digest1: number, seq: number): void
  /** Begins to fetch the record of a key; the result means nothing but has to be used. */
  warm(k0: number): number
  /** Makes room for so many records in one pass. */
  reserve(entries: number): void
  /** Forgets records below a sequence in the next slice of the table; returns how many. */
  evictBelow(seq: number, budgetSlots: number): number
}

export interface RowIndex {
  readonly size: number
  readonly bytes: number
  get(k0: number, k1: number, k2: number, k3: number): number
  set(k0: number, k1: number, k2: number, k3: number, row: number): void
  remove(k0: number, k1: number, k2: number, k3: number): boolean
}

export interface Column {
  get(row: number): number
  set(row: number, value: number): void
}

export interface Rows {
  readonly size: number
  readonly bytes: number
  alloc(): number
  free(row: number): void
}

/** Heaps of rows by time; a heap is its root row, -1 when empty. */
export interface TimeHeap {
  insert(root: number, row: number): number
  remove(root: number, row: number): number
  countUpTo(root: number, timeMs: number): number
  firstUpTo(root: number, timeMs: number): number
  nextUpTo(row: number, timeMs: number): number
}

/**
 * Whatever has a limit on uses, by ordinal (protocol/ordinals.ts): coupons, campaigns, codes made in bulk. Only rows of
 * coupons made one by one are allocated here; the others have their rows in `campaigns` and `bulk`.
 */
export interface CouponColumns {
  readonly rows: Rows
  readonly uses: Column
  readonly reserved: Column
  /** Holds among these that this shard's clock does not end: those of undecided transactions and of other coordinators. */
  readonly endless: Column
  readonly version: Column
  readonly disabled: Column
  readonly createdAtMs: Column
  readonly updatedAtMs: Column
  /** Sequence at which the limit per user began to hold; uses before it were not counted. */
  readonly userLimitSinceSeq: Column
  /** Root of the heap of this coupon's holds. */
  readonly holds: Column
  /** The next edge of its window that has no event yet; the key of `edges`. */
  readonly edgeAtMs: Column
  readonly edges: TimeHeap
  /** The same for campaigns, by index. */
  readonly campaignEdges: TimeHeap
  /** The import that made or changed it last, as `txnKey` of its job, and the line; 0: none. Of coupons made one by one. */
  readonly importJob: Column
  readonly importLine: Column
  /** Four words: tells keys of this coupon from those of others. */
  readonly salt: readonly [Column, Column, Column, Column]
  /** Four words: likewise for the counters of its present limit per user. */
  readonly userSalt: readonly [Column, Column, Column, Column]
}

/** What coupons made one by one say, by ordinal. */
export interface Definitions {
  readonly bytes: number
  get(ordinal: number): CouponDefinition
  set(ordinal: number, definition: CouponDefinition): void
}

/** One row a campaign, by index. */
export interface CampaignColumns {
  readonly rows: Rows
  /** Sum of the discounts of its redemptions that stand, minor units. */
  readonly discountTotal: Column
  /** Discounts that open reservations may still take, overdue ones included. */
  readonly discountHeld: Column
  /** Codes that were made for it here. */
  readonly codes: Column
  /** Ordinals of the first and the last code that may be claimed, -1: none; and how many there are. */
  readonly poolFirst: Column
  readonly poolLast: Column
  readonly poolSize: Column
}

/** Codes made in bulk, by ordinal, in the order in which they were made. */
export interface BulkCodes {
  readonly size: number
  readonly bytes: number
  /** Adds the next code; its ordinal. */
  add(code: Uint8Array, start: number, end: number): number
  /** Writes a code to the beginning of `into`; its length. */
  copyCode(ordinal: number, into: Uint8Array): number
  /** The event that redeemed it, or holds it; 0: none. */
  readonly lastSeq: Column
  /** Neighbours among the codes that may be claimed; 0: it is none of them, -1: it is the first or last. */
  readonly before: Column
  readonly behind: Column
  /** Key of the only user it serves; all 0: everybody. */
  readonly owner: readonly [Column, Column, Column, Column]
}

/**
 * One row a hold. The first hold of a reservation also carries the reservation; `head` of the others points at it, and
 * `nextHold` chains them in order of the codes.
 */
export interface HoldColumns {
  readonly rows: Rows
  readonly ordinal: Column
  readonly expiresAtMs: Column
  readonly head: Column
  readonly nextHold: Column
  /** Chains the holds of one user on one coupon. */
  readonly nextOfUser: Column
  readonly userKey: readonly [Column, Column, Column, Column]
  /** Sequence of the reservation's event; while a transaction is undecided, of its BRANCH_PREPARED here. */
  readonly seq: Column
  /** Of the reservation: */
  readonly startedAtMs: Column
  /** The event with its present price: that of its beginning or of its last repricing. */
  readonly priceSeq: Column
  readonly hasOrder: Column
  readonly orderKey: readonly [Column, Column, Column, Column]
  /**
   * Of a reservation over several shards: the coordinating shard (-1: all its coupons live here), the transaction that took
   * its capacity, and the one that is undecided at present (0: none; the former while it is being made).
   */
  readonly txnShard: Column
  readonly txnSeq: Column
  readonly claimSeq: Column
  /** Until when it lasts for people; `expiresAtMs` is endless wherever this shard's clock must not let go. */
  readonly untilMs: Column
  /** The order that an undecided transaction claims its coupons for. */
  readonly hasClaim: Column
  /** Of a campaign's budget, minor units. */
  readonly amount: Column
  readonly claimKey: readonly [Column, Column, Column, Column]
  /** Heap of a coupon's holds, and heap of all reservations of the shard. */
  readonly byCoupon: TimeHeap
  readonly byShard: TimeHeap
}

export interface StateTables {
  readonly codes: CodeIndex
  readonly coupons: CouponColumns
  readonly definitions: Definitions
  readonly campaigns: CampaignColumns
  readonly bulk: BulkCodes
  readonly users: UserCounters
  /** (coupon, order) → redemption. */
  readonly orders: SeqIndex
  /** (coupon, user) → first hold. */
  readonly holdsOfUser: RowIndex
  /** reservation sequence → its first hold, while open. */
  readonly open: RowIndex
  /** (coordinating shard, transaction) → first hold of what it took here, until that is redeemed or given back. */
  readonly branches: RowIndex
  /** (coupon, order) → first hold of an undecided transaction that redeems for that order. */
  readonly claims: RowIndex
  /** reservation sequence → the event that closed it; the digest words hold the sequence of its last price. */
  readonly closed: SeqIndex
  /** redemption (its sequence, or shard and sequence where another shard coordinated) → its reversal. */
  readonly reversals: SeqIndex
  /** (caller, idempotency key) → its claim; the digest words hold the sequence of its answer, 0 while there is none. */
  readonly keys: SeqIndex
  /** name of an operation with a key → the event that says it was done. */
  readonly operations: SeqIndex
  readonly holds: HoldColumns
  /** (user, what counts, local day) → how many coupons, in the first digest word; the sequence is the end of the day, in ms. */
  readonly days: SeqIndex
}
