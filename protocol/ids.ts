/**
 * Ids: a prefix, two letters for the shard, then the number that the shard gave (a coupon's ordinal, or the sequence of
 * the event that made the reservation or redemption), in base 32. An id carries its shard, so that any gateway can route
 * it without a directory. Clients treat ids as opaque.
 *
 *     rdm_ 0b 3k9
 *          │  └─ number, base 32, no leading zeros
 *          └──── shard 0 to 1023, two digits
 */

const DIGITS = '0123456789abcdefghjkmnpqrstvwxyz'
const MAX = Number.MAX_SAFE_INTEGER

export type IdPrefix = 'cpn_' | 'cmp_' | 'rsv_' | 'rdm_' | 'job_'

export interface ShardedId {
  readonly shard: number
  readonly number: number
}

export function formatId(prefix: IdPrefix, shard: number, number: number): string {
  let digits = ''
  let rest = number
  while (rest > 0x7fffffff) {
    digits = DIGITS[rest % 32] + digits
    rest = Math.floor(rest / 32)
  }
  for (rest |= 0; rest > 31; rest >>>= 5) digits = DIGITS[rest & 31] + digits
  digits = DIGITS[rest] + digits
  return prefix + DIGITS[shard >>> 5] + DIGITS[shard & 31] + digits
}

/** Reads an id in its one canonical spelling; null for anything else. */
export function parseId(prefix: IdPrefix, id: string): ShardedId | null {
  if (!id.startsWith(prefix) || id.length < 7 || id.length > 18) return null
  if (id[6] === '0' && id.length > 7) return null
  const high = DIGITS.indexOf(id[4] as string)
  const low = DIGITS.indexOf(id[5] as string)
  if (high < 0 || low < 0) return null
  let number = 0
  for (let i = 6; i < id.length; i++) {
    const digit = DIGITS.indexOf(id[i] as string)
    if (digit < 0) return null
    number = number * 32 + digit
  }
  return number <= MAX ? { shard: high * 32 + low, number } : null
}
