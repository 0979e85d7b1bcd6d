/**
 * Names of lists. A list is what somebody may page through: the redemptions of one user, the moments of one coupon. Its key is
 * a number of 53 bits made from its kind and what it is about, so that a user's list is found without the user's name being
 * stored: names are in the log, and once is enough.
 *
 * Two names could share a number (one chance in 2^53 for each pair), so whoever shows what a list names checks that it fits.
 */
import type { Bytes } from '../protocol/bytes.ts'

export const LIST = {
  REDEMPTIONS: 1,
  REDEMPTIONS_OF_COUPON: 2,
  REDEMPTIONS_OF_USER: 3,
  REDEMPTIONS_OF_ORDER: 4,
  RESERVATIONS: 5,
  RESERVATIONS_OF_COUPON: 6,
  RESERVATIONS_OF_USER: 7,
  /** What happens to a coupon, reservations begun and redemptions apart. */
  MOMENTS_OF_COUPON: 8,
  REDEMPTIONS_OF_CAMPAIGN: 9,
} as const
export type ListKind = (typeof LIST)[keyof typeof LIST]

/** Room for shards beside a sequence or an ordinal, as ids have it. */
const SHARDS_MAX = 1_024
const TWO_32 = 4_294_967_296

/** An event of a deployment as one number; grows with the sequence on each shard. Sequences stay below 2^43. */
export function placeOf(shard: number, seq: number): number {
  return seq * SHARDS_MAX + shard
}

/** A coupon of a deployment as one number. */
export function couponNumber(shard: number, ordinal: number): number {
  return ordinal * SHARDS_MAX + shard
}

export function shardOf(number: number): number {
  return number % SHARDS_MAX
}

/** The sequence of a place, the ordinal of a coupon. */
export function withinShard(number: number): number {
  return Math.floor(number / SHARDS_MAX)
}

/** The list of that kind that has no subject. */
export function keyOfAll(kind: ListKind): number {
  return keyOfNumber(kind, 0)
}

export function keyOfNumber(kind: ListKind, number: number): number {
  let a = begin(kind)
  let b = ~a
  for (const word of [number | 0, Math.floor(number / TWO_32) | 0]) {
    a = Math.imul(a ^ word, 0x85eb_ca6b)
    b = Math.imul(b ^ word, 0xc2b2_ae35)
    a ^= a >>> 13
    b ^= b >>> 16
  }
  return finished(a, b)
}

/** Of a user's or an order's name in UTF-8. */
export function keyOfName(kind: ListKind, { buf, start, end }: Bytes): number {
  let a = begin(kind)
  let b = ~a
  for (let at = start; at < end; at++) {
    const byte = buf[at] as number
    a = Math.imul(a ^ byte, 0x9e37_79b1)
    b = Math.imul(b ^ byte, 0x5f35_6495)
  }
  return finished(a, b ^ (end - start))
}

function begin(kind: ListKind): number {
  return Math.imul(kind + 1, 0x9e37_79b9)
}

/** Mixes both words into each other (the end of cyrb53) and keeps 53 bits of them. */
function finished(a: number, b: number): number {
  let low = Math.imul(a ^ (a >>> 16), 0x85eb_ca6b) ^ Math.imul(b ^ (b >>> 13), 0xc2b2_ae35)
  let high = Math.imul(b ^ (b >>> 16), 0x85eb_ca6b) ^ Math.imul(a ^ (a >>> 13), 0xc2b2_ae35)
  low ^= low >>> 15
  high ^= high >>> 14
  return (high & 0x1f_ffff) * TWO_32 + (low >>> 0)
}
