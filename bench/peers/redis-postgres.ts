// Peer 2, the design most shops have: Redis counts down at the door, PostgreSQL keeps the truth.
//
//   DECR c:<ordinal>:left ── below 0: INCR, exhausted
//     └─▶ one transaction: the user's use, unique by (coupon, user), and the order's row ── refused: INCR, then why
//
// The counter is only a guess with compensation: whoever dies between the two steps leaks a use until somebody counts the
// rows. That is this design and nothing here repairs it; the check at the end of a run sees whether it happened.
// Users may use a coupon once or without limit: that is all a unique index can say.

import type { PostgresConnection } from './postgres-connection.ts'
import type { PeerCoupon, PeerStore, Redeemed, RedemptionFacts, Remembered } from './peer-store.ts'
import { priceOfText } from './peer-store.ts'
import type { RedisConnection, RedisReply } from './redis-connection.ts'

interface Counter {
  readonly take: () => Promise<RedisReply>
  readonly giveBack: () => Promise<RedisReply>
}

/** The counter of a coupon without a limit starts here. */
const UNLIMITED = Number.MAX_SAFE_INTEGER

const UNIQUE_VIOLATION = '23505'

export function counterKey(ordinal: number): string {
  return `c:${ordinal}:left`
}

export class RedisPostgresStore implements PeerStore {
  private readonly redis: RedisConnection
  private readonly postgres: PostgresConnection
  private readonly counters: Counter[] = []

  constructor(redis: RedisConnection, postgres: PostgresConnection) {
    this.redis = redis
    this.postgres = postgres
  }

  async createCoupon({ ordinal, definition }: PeerCoupon): Promise<void> {
    const { maxUsesPerUser } = definition
    if (maxUsesPerUser !== null && maxUsesPerUser !== 1) throw new Error('this peer knows one use a user, or no limit')
    const key = counterKey(ordinal)
    await this.postgres.query('createCoupon', 'INSERT INTO coupons VALUES ($1, $2, $3)', [
      ordinal,
      definition.code,
      JSON.stringify(definition),
    ])
    await this.redis.send(['SET', key, String(definition.maxUses ?? UNLIMITED)])
    const take = this.redis.template(['DECR', key], 0)
    const giveBack = this.redis.template(['INCR', key], 0)
    this.counters[ordinal] = { take: () => take([]), giveBack: () => giveBack([]) }
  }

  async redeem(coupon: PeerCoupon, facts: RedemptionFacts): Promise<Redeemed> {
    const counter = this.counterOf(coupon)
    const left = await counter.take()
    if (typeof left !== 'number') throw new Error(`DECR answered ${String(left)}`)
    if (left < 0) {
      await counter.giveBack()
      return (await this.redemptionOf(coupon, facts.orderId)) ?? 'COUPON_EXHAUSTED'
    }
    try {
      return await this.postgres.redeem(coupon, facts)
    } catch (error) {
      // Anything else may have been committed: then only the rows know, and the counter is not touched.
      if (!isUniqueViolation(error)) throw error
      await counter.giveBack()
      return (await this.redemptionOf(coupon, facts.orderId)) ?? 'USER_LIMIT_REACHED'
    }
  }

  async redemptionOf(coupon: PeerCoupon, orderId: string): Promise<Remembered | null> {
    const rows = await this.postgres.query(
      'redemptionOf',
      'SELECT redemption_id, user_id, at_ms, price FROM orders WHERE coupon_id = $1 AND order_id = $2',
      [coupon.ordinal, orderId],
    )
    const row = rows[0]
    if (row === undefined) return null
    return {
      seq: Number(row.redemption_id),
      orderId,
      userId: String(row.user_id),
      atMs: Number(row.at_ms),
      price: priceOfText(String(row.price)),
    }
  }

  /** The rows, which are the truth; the counter is not. */
  async usesOf(coupon: PeerCoupon): Promise<number> {
    const rows = await this.postgres.query('usesOf', 'SELECT count(*) AS uses FROM orders WHERE coupon_id = $1', [
      coupon.ordinal,
    ])
    return Number(rows[0]?.uses)
  }

  async close(): Promise<void> {
    await Promise.all([this.redis.close(), this.postgres.close()])
  }

  private counterOf(coupon: PeerCoupon): Counter {
    const counter = this.counters[coupon.ordinal]
    if (counter === undefined) throw new Error(`no coupon with ordinal ${coupon.ordinal}`)
    return counter
  }
}

/** The transaction was rolled back by a unique index. */
function isUniqueViolation(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === UNIQUE_VIOLATION
}
