// The designs that the product is held against, and how a gateway opens the parts of one.

import type { PeerStore } from './peer-store.ts'
import { connectPostgres, type PostgresAddress, type TransactionForm } from './postgres-connection.ts'
import { connectRedis } from './redis-connection.ts'
import { RedisLuaStore } from './redis-lua.ts'
import { RedisPostgresStore } from './redis-postgres.ts'
import { connectUsualClient } from './redis-usual-client.ts'

/** `lean` is redis-connection.ts, `usual` the client from the registry. */
export type RedisClientKind = 'lean' | 'usual'

/** What the gateway of a peer is started with; travels between processes. */
export type PeerDesign =
  | { readonly kind: 'redisLua'; readonly redisSocket: string; readonly client: RedisClientKind }
  | {
      readonly kind: 'redisPostgres'
      readonly redisSocket: string
      readonly postgres: PostgresAddress
      readonly form: TransactionForm
    }

/**
 * Connections to PostgreSQL. Tried at 256 callers on two cores: one row 16: 10,000/s, 32: 8,800, 64: 7,700; statements 16:
 * 4,600/s, 32: 4,400, 64: 4,200.
 */
const POSTGRES_CONNECTIONS = 16

export async function openStore(design: PeerDesign): Promise<PeerStore> {
  if (design.kind === 'redisLua') {
    const connect = design.client === 'lean' ? connectRedis : connectUsualClient
    return await RedisLuaStore.open(await connect(design.redisSocket))
  }
  const redis = await connectRedis(design.redisSocket)
  return new RedisPostgresStore(redis, await connectPostgres(design.postgres, POSTGRES_CONNECTIONS, design.form))
}
