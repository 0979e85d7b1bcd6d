/**
 * Every bound of the gateway, by name, and what happens at it. A bound that stands nowhere else is decided here.
 *
 * Lengths of text are counted in code points, as JSON Schema counts them, sizes in bytes, times in milliseconds unless
 * the name says otherwise. The served OpenAPI document is made from the same constants (see `schemas.ts`).
 */

/** A longer body is PAYLOAD_TOO_LARGE. */
export const BODY_BYTES_MAX = 1_048_576
/** What a refused body may still send before its connection is closed instead of being read to the end. */
export const BODY_DRAIN_BYTES_MAX = 8 * BODY_BYTES_MAX

/** Calls over HTTP that wait for a shard; beyond, OVERLOADED. Connections have one each. */
export const HTTP_IN_FLIGHT_MAX = 16_384
/** How long a client is asked to stay away after OVERLOADED. */
export const OVERLOADED_RETRY_AFTER_S = 1

/** Codes in one checkout call; more are INVALID_REQUEST, like everything below. */
export const CODES_MAX = 10
export const CART_LINES_MAX = 500
/** userId and orderId. */
export const PSEUDONYM_LENGTH_MAX = 128
/** Names that clients give to products, categories, lines, channels, merchants. */
export const NAME_LENGTH_MAX = 128
export const LINE_CATEGORIES_MAX = 100
/** Ids in one list of an offer. */
export const OFFER_IDS_MAX = 1_000
export const OFFER_CHANNELS_MAX = 50
/** An Idempotency-Key. */
export const KEY_LENGTH_MAX = 128
export const DESCRIPTION_LENGTH_MAX = 2_000
export const REASON_LENGTH_MAX = 500
/** Magnitude of an offer's priority. */
export const PRIORITY_MAX = 1_000_000

/** Items of one page of a list. */
export const LIST_LIMIT_MAX = 200
export const LIST_LIMIT_DEFAULT = 50

export const TTL_SECONDS_MAX = 3_600
export const TTL_SECONDS_DEFAULT = 300

/** Letters of a generated code: 32^10 of them, about 10^15. */
export const GENERATED_CODE_LENGTH = 10
/** Generated codes that may turn out to be taken before the call gives up with CODE_TAKEN. */
export const GENERATED_CODE_TRIES = 5

/**
 * How long a call waits for another one with its key that is under way, or for room to log its answer, before it ends as
 * OUTCOME_UNKNOWN; and the pauses in between, which double from the first to the longest.
 */
export const KEY_WAIT_MS_MAX = 2_000
export const KEY_PAUSE_FIRST_MS = 2
export const KEY_PAUSE_MS_MAX = 64

/** The last moment that RFC 3339 can write with four digits of a year. */
export const TIME_MS_MAX = 253_402_300_799_999

/** A call that takes longer is logged. */
export const SLOW_CALL_MS = 1_000
/** How long a stop waits for answers in flight before it closes their connections. */
export const DRAIN_MS_MAX = 8_000
/** How long a scrape of /metrics waits for the shards' sizes; those that are late are left out. */
export const DESCRIBE_SHARDS_MS_MAX = 2_000
