// Everything that takes part in a run, started and ready: the product, and each peer with its servers and its gateway.
//
// All of them are up during the whole run and take turns, so that the machine's drift meets all alike; an idle one costs next
// to nothing. All data lies below one folder, so on one file system.

import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { startChild } from '../children.ts'
import { ENTRIES } from '../project.ts'
import { startProduct } from '../server/product.ts'
import type { PeerBinaries } from './binaries.ts'
import { countRedisLua, countRedisPostgres, type PeerCounts } from './counts.ts'
import type { PeerDesign, RedisClientKind } from './designs.ts'
import type { TransactionForm } from './postgres-connection.ts'
import { startPostgres, startRedis } from './server-processes.ts'

export const CONTENDERS = ['tearoff', 'redisLua', 'redisLuaUsual', 'postgresRow', 'postgresStatements'] as const
export type ContenderName = (typeof CONTENDERS)[number]
export type PeerName = Exclude<ContenderName, 'tearoff'>

export const PEER_TITLES: Readonly<Record<PeerName, string>> = {
  redisLua: 'Redis Lua, lean client',
  redisLuaUsual: 'Redis Lua, usual client',
  postgresRow: 'Redis + PostgreSQL, one row',
  postgresStatements: 'Redis + PostgreSQL, statements',
}

export interface Contender {
  readonly name: ContenderName
  readonly port: number
  readonly baseUrl: string
  /** What its parts run with; empty for the product, whose settings stand with the machine. */
  readonly settings: string
  /** Ends the part that takes calls, once those in flight are done. Nothing is counted any more afterwards. */
  readonly endCalls: () => Promise<void>
  /** What lies in its parts for its first coupon, which began with `maxUses`. Null for the product, which is asked itself. */
  readonly counts: ((maxUses: number) => Promise<PeerCounts>) | null
}

const FIRST_COUPON = 0

/** Starts them one after the other and ends what was started when one does not start. */
export async function withContenders<Result>(
  productEntry: string,
  binaries: PeerBinaries,
  folder: string,
  run: (contenders: readonly Contender[]) => Promise<Result>,
): Promise<Result> {
  // PostgreSQL may run as another user, who has to pass through.
  chmodSync(folder, 0o711)
  const stops: (() => Promise<void>)[] = []
  const start: Record<ContenderName, () => Promise<Contender>> = {
    tearoff: async () => await startTearoff(productEntry, folder, stops),
    redisLua: async () => await startRedisLua('redisLua', 'lean', binaries, folder, stops),
    redisLuaUsual: async () => await startRedisLua('redisLuaUsual', 'usual', binaries, folder, stops),
    postgresRow: async () => await startRedisPostgres('postgresRow', 'oneRow', binaries, folder, stops),
    postgresStatements: async () =>
      await startRedisPostgres('postgresStatements', 'statements', binaries, folder, stops),
  }
  try {
    const contenders: Contender[] = []
    for (const name of CONTENDERS) contenders.push(await start[name]())
    return await run(contenders)
  } finally {
    for (const stop of stops.reverse()) await stop()
  }
}

async function startTearoff(productEntry: string, folder: string, stops: (() => Promise<void>)[]): Promise<Contender> {
  const product = await startProduct(productEntry, join(folder, 'tearoff'))
  let stopping: Promise<void> | null = null
  const endCalls = async (): Promise<void> => await (stopping ??= product.stop())
  stops.push(endCalls)
  return { name: 'tearoff', port: product.port, baseUrl: product.baseUrl, settings: '', endCalls, counts: null }
}

async function startRedisLua(
  name: PeerName,
  client: RedisClientKind,
  binaries: PeerBinaries,
  folder: string,
  stops: (() => Promise<void>)[],
): Promise<Contender> {
  const redis = await startRedis(binaries, join(folder, name), 'always')
  stops.push(redis.stop)
  const design = { kind: 'redisLua', redisSocket: redis.socketPath, client } as const
  const gateway = await startPeerGateway(design, stops)
  const counts = async (): Promise<PeerCounts> => await countRedisLua(redis.socketPath, FIRST_COUPON)
  return { name, ...gateway, settings: redis.settings, counts }
}

async function startRedisPostgres(
  name: PeerName,
  form: TransactionForm,
  binaries: PeerBinaries,
  folder: string,
  stops: (() => Promise<void>)[],
): Promise<Contender> {
  const redis = await startRedis(binaries, join(folder, `${name}-redis`), 'everysec')
  stops.push(redis.stop)
  const postgres = await startPostgres(binaries, join(folder, name))
  stops.push(postgres.stop)
  const address = { host: postgres.host, user: postgres.user }
  const design = { kind: 'redisPostgres', redisSocket: redis.socketPath, postgres: address, form } as const
  const gateway = await startPeerGateway(design, stops)
  const counts = async (maxUses: number): Promise<PeerCounts> =>
    await countRedisPostgres(redis.socketPath, address, FIRST_COUPON, maxUses)
  return { name, ...gateway, settings: `${redis.settings}; ${postgres.settings}`, counts }
}

async function startPeerGateway(
  design: PeerDesign,
  stops: (() => Promise<void>)[],
): Promise<{ port: number; baseUrl: string; endCalls: () => Promise<void> }> {
  const { result, end } = await startChild<PeerDesign, { port: number }>(ENTRIES.peerGateway, design)
  stops.push(end)
  return { port: result.port, baseUrl: `http://127.0.0.1:${result.port}`, endCalls: end }
}
