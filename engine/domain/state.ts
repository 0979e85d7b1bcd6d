/**
 * The state of one shard: everything `decide` may look at, and nothing that cannot be rebuilt from its log.
 *
 * Only `apply` changes it. Keys of users and orders are hashed once (128 bits, keyed with the deployment's secret) and
 * xor-ed with a coupon's salt to say "this user on this coupon": two keyed hashes, so a collision stays as unlikely.
 */
import { assert } from '../../protocol/assert.ts'
import { type Bytes, bytesOf } from '../../protocol/bytes.ts'
import type { CampaignDefinition } from '../../protocol/campaign.ts'
import type { CouponDefinition } from '../../protocol/coupon.ts'
import type { DayTake, Event, TxnId } from '../../protocol/events.ts'
import { campaignIndex, campaignOrdinal, isBulk, isCampaign } from '../../protocol/ordinals.ts'
import { CodeRanges } from './code-ranges.ts'
import type { Job } from './jobs.ts'
import type { Offer } from './offer.ts'
import { ALONE, type Surroundings } from './surroundings.ts'
import type { KeyHash } from './key-hash.ts'
import type { Column, StateTables } from './tables.ts'

const USER_DOMAIN = 1
const ORDER_DOMAIN = 2
const SEQ_DOMAIN = 3
const SALT_DOMAIN = 4
const TXN_DOMAIN = 5
const KEY_DOMAIN = 6
const OPERATION_DOMAIN = 7
const DAY_DOMAIN = 8

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
  /** First hold of what it has taken, or of the reservation that it makes final; -1: it only counts a day here. */
  readonly head: number
  /** On the coordinator: the other shards, in the order in which they prepare. */
  readonly shards: readonly number[]
  /** What it has counted of days so far; null: nothing. */
  readonly days: PendingDays | null
}

/** What an abort takes back. */
export interface PendingDays {
  readonly user: Key
  readonly takes: readonly DayTake[]
}

/** An open reservation over several shards, on its coordinator. */
export interface OpenStack {
  readonly txnSeq: number
  /** The other shards, ascending. */
  readonly shards: readonly number[]
}

/** What a coupon and a campaign have in common: limits and a window. */
export type Limits = Pick<CouponDefinition, 'maxUses' | 'maxUsesPerUser' | 'validFromMs' | 'validUntilMs'>

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
  /** The same for the windows of campaigns. */
  campaignEdges = -1
  /** The next edge of a window of codes made in bulk that has no event yet; 0: none. */
  batchEdgeMs = 0
  /** Order records and closed reservations of earlier events do not count any more. */
  rememberedFromSeq = 0
  /** Claims of keys and records of operations of earlier events do not count any more. */
  keysRememberedFromSeq = 0
  /** The last event about a key or an operation; 0: none yet. While it is remembered, so are the minutes up to it. */
  lastKeySeq = 0
  /** Where a minute of the log began, or a stretch of 65,536 events, oldest first: {timeMs, seq}. OrdersForgotten and KeysForgotten are decided by it. */
  readonly minutes: { timeMs: number; seq: number }[] = []
  /** By `txnKey`. Few: each lasts for some messages between shards. */
  readonly undecided = new Map<number, Undecided>()
  /** By sequence of the reservation. */
  readonly stacks = new Map<number, OpenStack>()
  /** Sequence of an event that other shards have to act on → those that have not yet said that they have. */
  readonly outbox = new Map<number, readonly number[]>()
  /** By index. */
  readonly campaigns: CampaignDefinition[] = []
  /** By sequence, in order of their beginning. */
  readonly jobs = new Map<number, Job>()
  /** Those that have not ended, in order of their beginning. */
  readonly openJobs = new Map<number, Job>()
  /** Which job made which of the codes made in bulk. */
  readonly ranges = new CodeRanges()
  /** Codes made in bulk that were changed one by one. */
  readonly changedCodes = new Map<number, CouponDefinition>()
  /** What it knows of the deployment around it. */
  readonly around: Surroundings
  /** Keys of the command or event in hand. */
  readonly userKey = new Key()
  readonly orderKey = new Key()
  private readonly number = new Uint8Array(48)
  private readonly codeBuffer = new Uint8Array(64)
  private readonly saltOf = new Key()
  private saltOrdinal = -1
  private saltSinceSeq = -1
  private readonly numberView = new DataView(this.number.buffer)

  constructor(shard: number, tables: StateTables, hash: KeyHash, around: Surroundings = ALONE) {
    this.around = around
    this.shard = shard
    this.tables = tables
    this.hash = hash
  }

  /** Whatever has the ordinal: a coupon or a campaign. */
  limits(ordinal: number): Limits {
    return isCampaign(ordinal) ? this.campaign(ordinal) : this.definition(ordinal)
  }

  campaign(ordinal: number): CampaignDefinition {
    const definition = this.campaigns[campaignIndex(ordinal)]
    assert(definition !== undefined, 'a campaign without a definition')
    return definition
  }

  /** Ordinal of the campaign that a coupon belongs to, where that lives here; -1: it stands alone, or its campaign is elsewhere. */
  campaignOf(ordinal: number): number {
    if (isCampaign(ordinal)) return -1
    const { campaign } = this.definition(ordinal)
    return campaign !== null && campaign.shard === this.shard ? campaignOrdinal(campaign.index) : -1
  }

  /** Whether a coupon belongs to a campaign that lives on another shard. */
  isAway(ordinal: number): boolean {
    const { campaign } = this.definition(ordinal)
    return campaign !== null && campaign.shard !== this.shard
  }

  /** null: it belongs to a campaign that lives on another shard. */
  offer(ordinal: number): Offer | null {
    const { offer } = this.definition(ordinal)
    if (offer !== null) return offer
    const campaign = this.campaignOf(ordinal)
    return campaign < 0 ? null : this.campaign(campaign).offer
  }

  /** The code of a coupon. */
  code(ordinal: number): string {
    if (!isBulk(ordinal)) return this.definition(ordinal).code
    const length = this.tables.bulk.copyCode(ordinal, this.codeBuffer)
    return String.fromCharCode(...this.codeBuffer.subarray(0, length))
  }

  /** Of a code made in bulk, what its job says, unless it was changed; its `code` is empty then, see `code`. */
  definition(ordinal: number): CouponDefinition {
    if (isBulk(ordinal)) return this.changedCodes.get(ordinal) ?? this.jobOf(ordinal).definition
    return this.tables.definitions.get(ordinal)
  }

  /** Whether it serves one user only. */
  hasOwner(ordinal: number): boolean {
    if (this.definition(ordinal).userId !== null) return true
    if (!isBulk(ordinal)) return false
    const [k0, k1] = this.tables.bulk.owner
    return (k0.get(ordinal) | k1.get(ordinal)) !== 0
  }

  /** Whether it serves the user in hand, by its key; true where it serves everybody. */
  servesKey(ordinal: number): boolean {
    const { owner } = this.tables.bulk
    if (!isBulk(ordinal) || (owner[0].get(ordinal) | owner[1].get(ordinal)) === 0) return true
    const { k0, k1, k2, k3 } = this.userKey
    return (
      owner[0].get(ordinal) === k0 &&
      owner[1].get(ordinal) === k1 &&
      owner[2].get(ordinal) === k2 &&
      owner[3].get(ordinal) === k3
    )
  }

  createdAtMs(ordinal: number): number {
    return isBulk(ordinal) ? this.ranges.of(ordinal).atMs : this.tables.coupons.createdAtMs.get(ordinal)
  }

  /** Of its last change, or of that of its campaign. */
  rulesChangedAtMs(ordinal: number): number {
    const campaign = this.campaignOf(ordinal)
    const { updatedAtMs } = this.tables.coupons
    return campaign < 0 ? this.updatedAtMs(ordinal) : Math.max(this.updatedAtMs(ordinal), updatedAtMs.get(campaign))
  }

  updatedAtMs(ordinal: number): number {
    const atMs = this.tables.coupons.updatedAtMs.get(ordinal)
    return atMs === 0 ? this.createdAtMs(ordinal) : atMs
  }

  /** Grows with every change of its rules, those of its campaign included. */
  rulesVersion(ordinal: number): number {
    const { version } = this.tables.coupons
    const campaign = this.campaignOf(ordinal)
    return version.get(ordinal) + (campaign < 0 ? 0 : version.get(campaign))
  }

  /** When it ends, by its own window or its campaign's; null: never. */
  endsAtMs(ordinal: number): number | null {
    const own = this.limits(ordinal).validUntilMs
    const campaign = this.campaignOf(ordinal)
    const other = campaign < 0 ? null : this.campaign(campaign).validUntilMs
    if (own === null || other === null) return own ?? other
    return Math.min(own, other)
  }

  private jobOf(ordinal: number): { readonly definition: CouponDefinition } {
    const job = this.jobs.get(this.ranges.of(ordinal).jobSeq)
    assert(job !== undefined && job.plan.kind !== 'IMPORT', 'a code that no job has made')
    return job.plan
  }

  setDefinition(ordinal: number, definition: CouponDefinition): void {
    if (isBulk(ordinal)) {
      this.changedCodes.set(ordinal, definition)
      return
    }
    this.tables.definitions.set(ordinal, definition)
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
    this.hashSalt(ordinal, sinceSeq)
    salt[0].set(ordinal, this.hash.k0)
    salt[1].set(ordinal, this.hash.k1)
    salt[2].set(ordinal, this.hash.k2)
    salt[3].set(ordinal, this.hash.k3)
  }

  /** What a user has taken of the coupons that count for `limit` in a local day. The user's key is in `user`. */
  hashDay(user: Key, limit: number, dayStartMs: number, into: Key): void {
    const { numberView } = this
    numberView.setInt32(0, user.k0, true)
    numberView.setInt32(4, user.k1, true)
    numberView.setInt32(8, user.k2, true)
    numberView.setInt32(12, user.k3, true)
    numberView.setInt32(16, limit, true)
    numberView.setFloat64(20, dayStartMs, true)
    this.hash.hash(this.number, 0, 28, DAY_DOMAIN)
    const { k0, k1, k2, k3 } = this.hash
    into.set(k0, (k0 | k1) === 0 ? 1 : k1, k2, k3)
  }

  /** The salt that `setSalt` would give; for codes made in bulk, which have no room for theirs. The last one is kept. */
  computedSalt(ordinal: number, sinceSeq: number): Key {
    const { saltOf } = this
    if (this.saltOrdinal === ordinal && this.saltSinceSeq === sinceSeq) return saltOf
    this.hashSalt(ordinal, sinceSeq)
    saltOf.set(this.hash.k0, this.hash.k1, this.hash.k2, this.hash.k3)
    this.saltOrdinal = ordinal
    this.saltSinceSeq = sinceSeq
    return saltOf
  }

  private hashSalt(ordinal: number, sinceSeq: number): void {
    this.numberView.setUint32(0, ordinal, true)
    this.numberView.setFloat64(4, sinceSeq, true)
    this.hash.hash(this.number, 0, 12, SALT_DOMAIN)
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
      t.holds.rows.bytes +
      t.definitions.bytes +
      t.campaigns.rows.bytes +
      t.bulk.bytes +
      t.days.bytes
    )
  }
}

const SHARDS_MAX = 1024

/** A transaction as one number, exact up to sequence 2^43. */
export function txnKey({ shard, seq }: TxnId): number {
  return seq * SHARDS_MAX + shard
}

/** `key` on a coupon: each word xor-ed with the coupon's salt. Never 0 in both first words, which tables cannot hold. */
export function saltedInto(state: ShardState, key: Key, ordinal: number, into: Key): void {
  if (isBulk(ordinal)) mixInto(key, state.computedSalt(ordinal, 0), into)
  else salted(key, state.tables.coupons.salt, ordinal, into)
}

/** The same for the counters of the present limit per user. */
export function userSaltedInto(state: ShardState, key: Key, ordinal: number, into: Key): void {
  const { coupons } = state.tables
  if (isBulk(ordinal)) mixInto(key, state.computedSalt(ordinal, coupons.userLimitSinceSeq.get(ordinal)), into)
  else salted(key, coupons.userSalt, ordinal, into)
}

function salted(key: Key, salt: readonly [Column, Column, Column, Column], ordinal: number, into: Key): void {
  const k0 = key.k0 ^ salt[0].get(ordinal)
  const k1 = key.k1 ^ salt[1].get(ordinal)
  into.set(k0, (k0 | k1) === 0 ? 1 : k1, key.k2 ^ salt[2].get(ordinal), key.k3 ^ salt[3].get(ordinal))
}

function mixInto(key: Key, salt: Key, into: Key): void {
  const k0 = key.k0 ^ salt.k0
  const k1 = key.k1 ^ salt.k1
  into.set(k0, (k0 | k1) === 0 ? 1 : k1, key.k2 ^ salt.k2, key.k3 ^ salt.k3)
}
