/**
 * What a shard knows of the deployment around it, given by the shell: pure functions and constants, no clock, no randomness.
 *
 * Only judgements look at it. What they found in it stands in their events, so `apply` needs none of it.
 */
import type { Bytes } from '../../protocol/bytes.ts'
import { type Calendar, UTC_DAYS } from './calendar.ts'

/** Which endings, 0 to 1023, bring a code whose other letters these are to this shard; see engine/routing.ts. */
export interface CodeEndings {
  /** How many there are: the same whatever the other letters. */
  readonly count: number
  /** The `pick`-th of them, 0 to before `count`, for the first `length` letters of `head`. */
  ending(head: Uint8Array, length: number, pick: number): number
}

export interface Surroundings {
  /** A power of two to 1,024. */
  readonly shards: number
  /** Where local days begin and end. */
  readonly calendar: Calendar
  readonly endings: CodeEndings
  /** The shard on which a user's coupons of the day are counted. */
  shardOfUser(user: Bytes): number
}

/** A deployment of one shard in Greenwich: for states that are only replayed. */
export const ALONE: Surroundings = {
  shards: 1,
  calendar: UTC_DAYS,
  endings: { count: 1_024, ending: (_head, _length, pick) => pick },
  shardOfUser: () => 0,
}
