/**
 * Every bound of the gateway, by name, and what happens at it. A bound that stands nowhere else is decided here.
 *
 * Lengths of text are counted in code points, as JSON Schema counts them, sizes in bytes, times in milliseconds unless
 * the name says otherwise. The served OpenAPI document is made from the same constants (see `schema-parts.ts`).
 */

/** A longer body is PAYLOAD_TOO_LARGE. */
export const BODY_BYTES_MAX = 1_048_576
/** What a refused body may still send before its connection is closed instead of being read to the end. */
export const BODY_DRAIN_BYTES_MAX = 8 * BODY_BYTES_MAX

/**
 * Levels of arrays and objects in a body; deeper is INVALID_REQUEST. The deepest body that can be right has four (body, cart, lines,
 * line with its categories). Some of what looks at a body calls itself for each level.
 */
export const NESTING_MAX = 16

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
/** What somebody types to search, in units of UTF-16. */
export const SEARCH_TERM_LENGTH_MAX = 200

export const TTL_SECONDS_MAX = 3_600
export const TTL_SECONDS_DEFAULT = 300

/** How long a claimed coupon is kept. */
export const LOCK_SECONDS_MAX = 3_600
export const LOCK_SECONDS_DEFAULT = 300
/** Share of a campaign's limit that is left when operators are told. */
export const LOW_STOCK_DEFAULT = 0.1
/** The longest name in the IANA database has 32 letters. */
export const TIMEZONE_LENGTH_MAX = 64
/** Rules of campaigns that claims are answered with, kept as text; beyond, all are made anew. */
export const CLAIM_RULES_KEPT_MAX = 1_024

/** Letters of a generated code: 32^10 of them, about 10^15. */
export const GENERATED_CODE_LENGTH = 10
/** Generated codes that may turn out to be taken before the call gives up with CODE_TAKEN. */
export const GENERATED_CODE_TRIES = 5
/** Letters of codes made in bulk, those of their prefix included. */
export const CODE_LENGTH_MIN = 8
export const CODE_LENGTH_MAX = 16
/** Users that one job makes codes for; what they may take together is the narrower bound. */
export const JOB_USERS_MAX = 100_000
/** Beyond it INVALID_REQUEST, which says how many fit: the event that begins a job stays below 256 KiB. */
export const JOB_USERS_BYTES_MAX = 245_760
/** Coupons that one call makes and answers with; beyond, it answers with its job. */
export const GENERATED_AT_ONCE_MAX = 1_000
/** The same where they are longer together, as text. */
export const GENERATE_BYTES_MAX = 4 * 1_048_576
/** How long such a call waits for jobs before its own; and the pauses in between, which double. */
export const GENERATE_WAIT_MS_MAX = 10_000
export const GENERATE_PAUSE_FIRST_MS = 2
export const GENERATE_PAUSE_MS_MAX = 100

/** Exports of codes at one time; beyond, OVERLOADED. */
export const EXPORTS_MAX = 16
/** Codes that one page of an export asks a shard for: some milliseconds of its time. */
export const EXPORT_PAGE_CODES = 4_096
/** The same of codes that were made one by one, which are asked for so. */
export const EXPORT_ALONE_PAGE = 200

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
