// Peer 1, Redis alone: one Lua script a redemption, in a Redis that flushes its log before it answers.
//
//   c:<ordinal>:uses    number of redemptions, and the number of the last one
//   c:<ordinal>:users   hash: user → uses
//   c:<ordinal>:orders  hash: order → number and facts, for the first answer again
//
// The script reads everything first, so that a refusal writes nothing. Calls of one turn of the event loop leave in one
// write; Redis runs what came in together and flushes once for all of it, so this is group commit as well.

import { createHash } from 'node:crypto'
import type { PeerCoupon, PeerStore, Redeemed, RedemptionFacts, Remembered } from './peer-store.ts'
import { factsOfText, factsText } from './peer-store.ts'
import type { RedisConnection, RedisReply } from './redis-connection.ts'

const USER_LIMIT = -1
const EXHAUSTED = -2

/** KEYS uses, users, orders. ARGV limit of the coupon, limit a user (0: none), order, user, facts. */
const REDEEM_SCRIPT = `
local earlier = redis.call('HGET', KEYS[3], ARGV[3])
if earlier then return earlier end
local perUser = tonumber(ARGV[2])
if perUser > 0 and tonumber(redis.call('HGET', KEYS[2], ARGV[4]) or 0) >= perUser then return ${USER_LIMIT} end
local uses = tonumber(redis.call('GET', KEYS[1]) or 0)
local limit = tonumber(ARGV[1])
if limit > 0 and uses >= limit then return ${EXHAUSTED} end
uses = redis.call('INCR', KEYS[1])
if perUser > 0 then redis.call('HINCRBY', KEYS[2], ARGV[4], 1) end
redis.call('HSET', KEYS[3], ARGV[3], uses .. ' ' .. ARGV[5])
return uses
`

export interface RedisKeys {
  readonly uses: string
  readonly users: string
  readonly orders: string
}

export function redisKeys(ordinal: number): RedisKeys {
  return { uses: `c:${ordinal}:uses`, users: `c:${ordinal}:users`, orders: `c:${ordinal}:orders` }
}

interface Prepared {
  readonly keys: RedisKeys
  /** Runs the script for an order, a user and the facts. */
  readonly redeem: (words: readonly string[]) => Promise<RedisReply>
}

export class RedisLuaStore implements PeerStore {
  private readonly redis: RedisConnection
  private readonly scriptId: string
  private readonly prepared: Prepared[] = []

  private constructor(redis: RedisConnection, scriptId: string) {
    this.redis = redis
    this.scriptId = scriptId
  }

  static async open(redis: RedisConnection): Promise<RedisLuaStore> {
    const scriptId = createHash('sha1').update(REDEEM_SCRIPT).digest('hex')
    const loaded = await redis.send(['SCRIPT', 'LOAD', REDEEM_SCRIPT])
    if (loaded !== scriptId) throw new Error(`Redis names the script ${String(loaded)}, not ${scriptId}`)
    return new RedisLuaStore(redis, scriptId)
  }

  async createCoupon({ ordinal, definition }: PeerCoupon): Promise<void> {
    await this.redis.send(['HSET', 'coupons', definition.code, JSON.stringify({ ordinal, definition })])
    const keys = redisKeys(ordinal)
    const limits = [String(definition.maxUses ?? 0), String(definition.maxUsesPerUser ?? 0)]
    const words = ['EVALSHA', this.scriptId, '3', keys.uses, keys.users, keys.orders, ...limits]
    this.prepared[ordinal] = { keys, redeem: this.redis.template(words, 3) }
  }

  redeem(coupon: PeerCoupon, facts: RedemptionFacts): Promise<Redeemed> {
    const { userId, orderId } = facts
    const done = this.preparedFor(coupon).redeem([orderId, userId, factsText(facts)])
    return done.then((reply) => redeemed(orderId, reply))
  }

  async redemptionOf(coupon: PeerCoupon, orderId: string): Promise<Remembered | null> {
    const found = await this.redis.send(['HGET', this.preparedFor(coupon).keys.orders, orderId])
    return typeof found === 'string' ? remembered(orderId, found) : null
  }

  async usesOf(coupon: PeerCoupon): Promise<number> {
    return Number(await this.redis.send(['GET', this.preparedFor(coupon).keys.uses]))
  }

  async close(): Promise<void> {
    await this.redis.close()
  }

  private preparedFor(coupon: PeerCoupon): Prepared {
    const prepared = this.prepared[coupon.ordinal]
    if (prepared === undefined) throw new Error(`no coupon with ordinal ${coupon.ordinal}`)
    return prepared
  }
}

function redeemed(orderId: string, reply: RedisReply): Redeemed {
  if (typeof reply === 'number') {
    if (reply > 0) return reply
    if (reply === USER_LIMIT) return 'USER_LIMIT_REACHED'
    if (reply === EXHAUSTED) return 'COUPON_EXHAUSTED'
  }
  if (typeof reply === 'string') return remembered(orderId, reply)
  throw new Error(`the script answered ${String(reply)}`)
}

/** `<number> <facts>`, as the script put it together. */
function remembered(orderId: string, text: string): Remembered {
  const space = text.indexOf(' ')
  return { seq: Number(text.slice(0, space)), ...factsOfText(orderId, text.slice(space + 1)) }
}
