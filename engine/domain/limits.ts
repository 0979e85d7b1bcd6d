/**
 * Bounds of the domain. Every queue, batch and table of the shell has its own file of limits; these hold wherever the
 * rules run, so that replay and simulation meet the same ones.
 */

/** A reservation lasts at most so long after its beginning (API.md). */
export const RESERVATION_MAX_MS = 3_600_000

/** Overdue reservations released by one command, beyond the ones it needs. Bounds the time of a command after a mass lapse. */
export const OVERDUE_RELEASES_MAX = 64

/** An idempotency key counts for so long after its claim (API.md). */
export const KEY_WINDOW_MS = 24 * 3_600_000

/**
 * Claims and operations are remembered for longer than keys count: the operation of a claim is done on another shard, whose
 * clock may be behind, and has to be known there for as long as the claim can be taken over.
 */
export const KEY_MEMORY_MS = KEY_WINDOW_MS + 3_600_000

/** Rows of an import whose fault is shown; the others are counted. */
export const JOB_ERRORS_KEPT_MAX = 1_000

/** Codes that one event makes: some 20 KiB of letters, some milliseconds of work. */
export const CODES_AT_ONCE_MAX = 2_048

/** Codes that one page of a list looks at, wanted or not. */
export const LISTED_CODES_SEEN_MAX = 8_192

/** Codes of one job (API.md). */
export const CODES_OF_JOB_MAX = 5_000_000

/** Jobs that have not ended on one shard. */
export const OPEN_JOBS_MAX = 1_000

/** Transactions over several shards that may be undecided on one shard at a time; beyond it new ones are not begun. */
export const UNDECIDED_MAX = 1_000_000

/** Open reservations over several shards that one shard may coordinate at a time. */
export const STACKS_MAX = 4_000_000

/** Events of one shard that other shards may still have to act on; beyond it nothing new is begun over several shards. */
export const OUTBOX_MAX = 1_000_000

/** Holds of a coupon that are looked through before a call is told that all that is left is held. */
export const DOUBTFUL_HOLDS_MAX = 64
