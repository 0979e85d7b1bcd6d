/**
 * The state of one shard: everything `decide` may look at, and nothing that cannot be rebuilt from its log.
 *
 * Only `apply` changes it. Keys of users and orders are hashed once (128 bits, keyed with the deployment's secret) and
 * xor-ed with a coupon's salt to say "this user on this coupon": two keyed hashes, so a collision stays as unlikely.
 */
import { assert } from '../../protocol/assert.ts'
import type { Bytes } from '../../protocol/bytes.ts'
import type { CouponDefinition } from '../../protocol/coupon.ts'
import type { Event } from '../../protocol/events.ts'
import type { KeyHash } from './key-hash.ts'
import type { Column, StateTables } from './tables.ts'

const USER_DOMAIN = 1
const ORDER_DOMAIN = 2
const SEQ_DOMAIN = 3
const SALT_DOMAIN = 4

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
  /** Where a minute of the log began, oldest first: {timeMs, seq}. What OrdersForgotten is decided by. */
  readonly minutes: { timeMs: number; seq: number }[] = []
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
      t.closed.bytes +
      t.reversals.bytes +
      t.holds.rows.bytes
    )
  }
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
