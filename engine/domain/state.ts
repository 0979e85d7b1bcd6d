/**
 * The state of one shard: everything `decide` may look at, and nothing that cannot be rebuilt from its log.
 *
 * Only `apply` changes it. Keys of users and orders are hashed once (128 bits, keyed with the deployment's secret) and
 * xor-ed with a coupon's salt to say "this user on this coupon": two keyed hashes, so a collision stays as unlikely.
 */
import { assert } from '../../protocol/assert.ts'
import { type Bytes, bytesOf } from '../../protocol/bytes.ts'
import type { CouponDefinition } from '../../protocol/coupon.ts'
import type { Event, TxnId } from '../../protocol/events.ts'
import type { KeyHash } from './key-hash.ts'
import type { Column, StateTables } from './tables.ts'

const USER_DOMAIN = 1
const ORDER_DOMAIN = 2
const SEQ_DOMAIN = 3
const SALT_DOMAIN = 4
const TXN_DOMAIN = 5
const KEY_DOMAIN = 6
const OPERATION_DOMAIN = 7

/** A 128-bit key in hand. Mutable: one object serves many look-ups. */
export class Key {
  k0 = 0
  k1 = 0
  k2 = 0
  k3 = 0

  set(k0: number, k1: number, k2: number, k3: number): void {
    this.k0 = k0
    this.k1 = k1
    this.k2 = k2
    this.k3 = k3
  }
}

/** A past event with its time, as the log tells it. */
export interface PastEvent {
  readonly event: Event
  readonly atMs: number
}

/** The shard's own log, for looking up facts by sequence; null for a sequence that is not in it. */
export interface History {
  at(seq: number): PastEvent | null
}

/** A transaction over several shards that this shard has prepared and whose end it does not know. */
export interface Undecided {
  readonly txn: TxnId
  /** First hold of what it has taken, or of the reservation that it makes final. */
  readonly head: number
  /** On the coordinator: the other shards, ascending. */
  readonly shards: readonly number[]
}

/** An open reservation over several shards, on its coordinator. */
export interface OpenStack {
  readonly txnSeq: number
  /** The other shards, ascending. */
  readonly shards: readonly number[]
}

const DEFINITION_PAGE_BITS = 12
const DEFINITION_PAGE = 1 << DEFINITION_PAGE_BITS

export class ShardState {
  readonly shard: number
  readonly tables: StateTables
  readonly hash: KeyHash
  /** Sequence of the last event applied; 0: none. */
  seq = 0
  /** Time of the last event applied. */
  timeMs = 0
  couponCount = 0
  /** Roots of the shard's heaps: reservations by expiry, coupons by the next edge of their window. */
  expiries = -1
  edges = -1
  /** Order records and closed reservations of earlier events do not count any more. */
  rememberedFromSeq = 0
  /** Claims of keys and records of operations of earlier events do not count any more. */
  keysRememberedFromSeq = 0
  /** The last event about a key or an operation; 0: none yet. While it is remembered, so are the minutes up to it. */
  lastKeySeq = 0
  /** Where a minute of the log began, oldest first: {timeMs, seq}. OrdersForgotten and KeysForgotten are decided by it. */
  readonly minutes: { timeMs: number; seq: number }[] = []
  /** By `txnKey`. Few: each lasts for some messages between shards. */
  readonly undecided = new Map<number, Undecided>()
  /** By sequence of the reservation. */
  readonly stacks = new Map<number, OpenStack>()
  /** Sequence of an event that other shards have to act on → those that have not yet said that they have. */
  readonly outbox = new Map<number, readonly number[]>()
  /** Keys of the command or event in hand. */
  readonly userKey = new Key()
  readonly orderKey = new Key()
  private readonly definitions: CouponDefinition[][] = []
  private readonly number = new Uint8Array(16)
  private readonly numberView = new DataView(this.number.buffer)

  constructor(shard: number, tables: StateTables, hash: KeyHash) {
    this.shard = shard
    this.tables = tables
    this.hash = hash
  }

  definition(ordinal: number): CouponDefinition {
    const definition = this.definitions[ordinal >>> DEFINITION_PAGE_BITS]?.[ordinal & (DEFINITION_PAGE - 1)]
    assert(definition !== undefined, 'a coupon without a definition')
    return definition
  }

  setDefinition(ordinal: number, definition: CouponDefinition): void {
    const number = ordinal >>> DEFINITION_PAGE_BITS
    let page = this.definitions[number]
    if (page === undefined) {
      page = []
      this.definitions[number] = page
    }
    page[ordinal & (DEFINITION_PAGE - 1)] = definition
  }

  hashUser(user: Bytes, into: Key): void {
    this.hash.hash(user.buf, user.start, user.end, USER_DOMAIN)
    into.set(this.hash.k0, this.hash.k1, this.hash.k2, this.hash.k3)
  }

  hashOrder(order: Bytes, into: Key): void {
    this.hash.hash(order.buf, order.start, order.end, ORDER_DOMAIN)
    into.set(this.hash.k0, this.hash.k1, this.hash.k2, this.hash.k3)
  }

  hashSeq(seq: number, into: Key): void {
    this.numberView.setFloat64(0, seq, true)
    this.hash.hash(this.number, 0, 8, SEQ_DOMAIN)
    into.set(this.hash.k0, this.hash.k1, this.hash.k2, this.hash.k3)
  }

  /** A transaction or redemption of any shard. */
  hashTxn(shard: number, seq: number, into: Key): void {
    this.numberView.setFloat64(0, seq, true)
    this.numberView.setUint32(8, shard, true)
    this.hash.hash(this.number, 0, 12, TXN_DOMAIN)
    into.set(this.hash.k0, this.hash.k1, this.hash.k2, this.hash.k3)
  }

  /** An idempotency key of one caller. No id of an API key has a zero in it, so the two parts cannot be shifted. */
  hashKey(scope: string | null, key: string, into: Key): void {
    const name = bytesOf(`${scope ?? ''}\u0000${key}`)
    this.hash.hash(name.buf, name.start, name.end, KEY_DOMAIN)
    into.set(this.hash.k0, this.hash.k1, this.hash.k2, this.hash.k3)
  }

  hashOperation(operation: Bytes, into: Key): void {
    this.hash.hash(operation.buf, operation.start, operation.end, OPERATION_DOMAIN)
    into.set(this.hash.k0, this.hash.k1, this.hash.k2, this.hash.k3)
  }

  /** Gives a coupon its salt, or with `sinceSeq` the salt of its counters per user. */
  setSalt(salt: readonly [Column, Column, Column, Column], ordinal: number, sinceSeq: number): void {
    this.numberView.setUint32(0, ordinal, true)
    this.numberView.setFloat64(4, sinceSeq, true)
    this.hash.hash(this.number, 0, 12, SALT_DOMAIN)
    salt[0].set(ordinal, this.hash.k0)
    salt[1].set(ordinal, this.hash.k1)
    salt[2].set(ordinal, this.hash.k2)
    salt[3].set(ordinal, this.hash.k3)
  }

  get bytes(): number {
    const t = this.tables
    return (
      t.codes.bytes +
      t.coupons.rows.bytes +
      t.users.bytes +
      t.orders.bytes +
      t.holdsOfUser.bytes +
      t.open.bytes +
      t.branches.bytes +
      t.claims.bytes +
      t.closed.bytes +
      t.reversals.bytes +
      t.keys.bytes +
      t.operations.bytes +
      t.holds.rows.bytes
    )
  }
}

const SHARDS_MAX = 1024

/** A transaction as one number, exact up to sequence 2^43. */
export function txnKey({ shard, seq }: TxnId): number {
  return seq * SHARDS_MAX + shard
}

/** `key` on a coupon: each word xor-ed with the coupon's salt. Never 0 in both first words, which tables cannot hold. */
export function saltedInto(
  key: Key,
  salt: readonly [Column, Column, Column, Column],
  ordinal: number,
  into: Key,
): void {
  const k0 = key.k0 ^ salt[0].get(ordinal)
  const k1 = key.k1 ^ salt[1].get(ordinal)
  into.set(k0, (k0 | k1) === 0 ? 1 : k1, key.k2 ^ salt[2].get(ordinal), key.k3 ^ salt[3].get(ordinal))
}
