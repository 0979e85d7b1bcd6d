/**
 * Every bound of the watch over sales, by name. Times in milliseconds, sizes in bytes.
 */
import type { ThreadLimits } from '../engine/thread-host.ts'

/** Events that are kept; older ones are forgotten, and who asks behind one of them begins at the oldest. */
export const EVENTS_KEPT = 262_144
/** Forgotten so many at a time. */
export const EVENTS_SLACK = 4_096
/** Of the log in one batch. */
export const BATCH_BYTES = 512 * 1_024
/** How long the log is left alone when there was nothing more in it: most of the delay of an event. */
export const POLL_EVERY_MS = 400
/** While it catches up it works at most this share of the time. */
export const CATCH_UP_SHARE = 0.5
/** Coupons whose stock is in memory; beyond, all are read again from the database. */
export const STOCKS_CACHED = 65_536
/** Share of a coupon's uses that is left when it is low, in millionths: of fewer than ten uses none. */
export const LOW_STOCK_PPM = 100_000

/** An event that happened longer ago than this before the start gets no line in the log. */
export const OLD_NEWS_MS = 60_000

/**
 * Of the thread. Pages asked for that are not answered yet are refused beyond their number; events of the gateway that wait while it
 * does not run are dropped beyond theirs, the oldest first, and a line of the log says so.
 */
export const THREAD_LIMITS: ThreadLimits = { heapMib: 256, questions: 512, answerMs: 10_000, tellsKept: 1_000 }
