// What really lies in the parts of a peer after the load, counted by other means than the store's own: whole tables and
// hashes, read on connections of this process after the gateway is gone.

import pg from 'pg'
import type { PostgresAddress } from './postgres-connection.ts'
import { connectRedis } from './redis-connection.ts'
import { redisKeys } from './redis-lua.ts'
import { counterKey } from './redis-postgres.ts'

/** All three are the same in a design that did its work: nobody redeemed twice, nothing was counted that is not there. */
export interface PeerCounts {
  /** As the counter says. */
  readonly counted: number
  readonly orders: number
  readonly users: number
}

export async function countRedisLua(socketPath: string, ordinal: number): Promise<PeerCounts> {
  const redis = await connectRedis(socketPath)
  try {
    const { uses, users, orders } = redisKeys(ordinal)
    return {
      counted: Number(await redis.send(['GET', uses])),
      orders: Number(await redis.send(['HLEN', orders])),
      users: Number(await redis.send(['HLEN', users])),
    }
  } finally {
    await redis.close()
  }
}

/** `maxUses` is where the counter began. */
export async function countRedisPostgres(
  socketPath: string,
  { host, user }: PostgresAddress,
  ordinal: number,
  maxUses: number,
): Promise<PeerCounts> {
  const redis = await connectRedis(socketPath)
  const postgres = new pg.Client({ host, user, database: 'postgres' })
  try {
    await postgres.connect()
    const { rows } = await postgres.query<{ orders: string; users: string }>(
      'SELECT count(*) AS orders, count(DISTINCT user_id) AS users FROM orders WHERE coupon_id = $1',
      [ordinal],
    )
    return {
      counted: maxUses - Number(await redis.send(['GET', counterKey(ordinal)])),
      orders: Number(rows[0]?.orders),
      users: Number(rows[0]?.users),
    }
  } finally {
    await Promise.all([redis.close(), postgres.end()])
  }
}
