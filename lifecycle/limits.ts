/**
 * Every bound of the watch over sales, by name. Times in milliseconds, sizes in bytes.
 */

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

/** Pages asked for that are not answered yet; beyond, they are refused. */
export const PAGES_WAITING_MAX = 512
/** A page that takes longer is refused. */
export const PAGE_MS_MAX = 10_000
/** Events of the gateway that wait for the thread; beyond, the oldest are dropped and a line of the log says so. */
export const TOLD_WAITING_MAX = 1_000
/** An event that happened longer ago than this before the start gets no line in the log. */
export const OLD_NEWS_MS = 60_000
/** Pauses before the thread is started again after it died: the first, and how far they double. */
export const RESTART_MS_MIN = 500
export const RESTART_MS_MAX = 30_000
/** A thread that lived so long has died of something new. */
export const SETTLED_MS = 60_000
/** How long a stop waits for the database to be closed; an open one is whole too. */
export const STOP_MS_MAX = 2_000
/** Heap of the thread, MiB. */
export const HEAP_MIB_MAX = 256
