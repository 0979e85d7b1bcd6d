/**
 * Ids as clients see them, made a second time.
 */

const ID_DIGITS = '0123456789abcdefghjkmnpqrstvwxyz'

/** Prefix, two digits for the shard, then the number; base 32. */
export function idOf(prefix: string, shard: number, number: number): string {
  let digits = ''
  for (let rest = number; rest > 0 || digits === ''; rest = Math.floor(rest / 32))
    digits = `${ID_DIGITS[rest % 32]}${digits}`
  return `${prefix}${ID_DIGITS[Math.floor(shard / 32)]}${ID_DIGITS[shard % 32]}${digits}`
}
