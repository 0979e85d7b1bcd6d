/**
 * Every bound of rate limits, guessing and uniform refusals, by name, and what happens at it.
 *
 * A quota is a token bucket: so many tokens at most, and an empty bucket is full again after its window. Callers without an
 * API key are judged by the address they come from. An API key belongs to a shop's own service, which calls for all its
 * buyers from one address: its quotas only keep a service that ran wild from taking the gateway down.
 */

export interface Quota {
  /** In the `RateLimit` fields and in metrics. */
  readonly name: string
  readonly tokens: number
  readonly windowSeconds: number
}

/** Checkout calls of one user. Beyond: RATE_LIMITED. */
export const USER_CALLS: Quota = { name: 'user', tokens: 60, windowSeconds: 10 }
/** Checkout calls of one address without a key. */
export const ADDRESS_CALLS: Quota = { name: 'address', tokens: 1_000, windowSeconds: 2 }
/** Checkout calls of one address with a key: about as much as HTTP does on a small machine. */
export const SERVICE_CALLS: Quota = { name: 'service', tokens: 100_000, windowSeconds: 2 }

/** Wrong codes of one user. Beyond: every checkout call of the user is RATE_LIMITED. */
export const USER_WRONG_CODES: Quota = { name: 'user-wrong-codes', tokens: 10, windowSeconds: 60 }
/** The same of an address without a key. */
export const ADDRESS_WRONG_CODES: Quota = { name: 'address-wrong-codes', tokens: 100, windowSeconds: 60 }
/**
 * Of an address with a key. Beyond, its wrong codes are answered RATE_LIMITED, and everything else as ever: one guesser
 * must not close the checkout of a whole shop.
 */
export const SERVICE_WRONG_CODES: Quota = { name: 'service-wrong-codes', tokens: 6_000, windowSeconds: 60 }

/** What is usual. One wrong code more is guessing; under the quotas above, so that it is seen before it is stopped. */
export const USER_GUESSES: Quota = { name: 'user', tokens: 9, windowSeconds: 60 }
export const ADDRESS_GUESSES: Quota = { name: 'address', tokens: 60, windowSeconds: 60 }
export const SERVICE_GUESSES: Quota = { name: 'address', tokens: 600, windowSeconds: 60 }
/** Somebody who goes on guessing is reported once in so long. */
export const GUESSING_AGAIN: Quota = { name: 'again', tokens: 1, windowSeconds: 60 }
/** Reports of guessing, over all subjects; beyond, they are only counted. */
export const GUESSING_REPORTS: Quota = { name: 'reports', tokens: 100, windowSeconds: 60 }

/**
 * Subjects that a table of buckets remembers, a power of two. One that is full forgets who is nearest to a full bucket, so an
 * overflow is in favour of callers: nobody is refused for another's calls. 12 bytes each.
 */
export const USERS_REMEMBERED = 1_048_576
export const ADDRESSES_REMEMBERED = 65_536
/** Of those who sent wrong codes lately. */
export const GUESSERS_REMEMBERED = 32_768

/** A uniform refusal leaves so long after its call came, or a multiple of it: longer than a shard nearly ever takes. */
export const UNIFORM_STEP_MS = 50
/** Ticks with which they leave. */
export const UNIFORM_TICK_MS = 5

/** Event streams open at once; a further one is OVERLOADED. */
export const EVENT_STREAMS_MAX = 256
/** Events of one piece of a stream. */
export const STREAM_PAGE = 200
/** A stream without events gets a sign of life so often; then its key is looked at again, too. */
export const STREAM_BEAT_MS = 15_000

/** A user id that is longer is no user id; the call is refused by whoever decodes it. Bytes of UTF-8. */
export const USER_BYTES_MAX = 512
