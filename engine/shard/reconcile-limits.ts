/**
 * The budget of reconciliation: a background check that takes its time, and the same little of a machine whatever the size of a
 * deployment.
 */

/** It works so much of the time and rests for the remainder, on a thread that everybody else goes before. */
export const RECONCILE_SHARE = 0.1

/** Work between two rests, and so the longest that it keeps a core from anybody where threads have no priorities. */
export const RECONCILE_WORK_MS = 5

/** Bytes of events read at once: some milliseconds of work. */
export const RECONCILE_POLL_BYTES = 64 * 1024

/** Pages of rows that are counted at once, 16 KiB each; with more the slice becomes narrower. */
export const ROW_PAGES_MAX = 1_024

/** Counters of users and of their days that are counted at once, some 200 bytes each; with more the slice becomes narrower. */
export const USERS_COUNTED_MAX = 65_536

/** After the start, so that it does not compete with clients that come back. */
export const RECONCILE_FIRST_MS = 2_000

/** Between the end of a round and the beginning of the next. */
export const RECONCILE_EVERY_MS = 60_000

/** A round that failed is begun again after this. */
export const RECONCILE_RETRY_MS = 60_000

/** How often it looks whether the log has got to where an answer was made. */
export const RECONCILE_WAIT_MS = 5

/** Differences of one round that are told; the others are counted. A fault in the code may show in every coupon. */
export const DIFFERENCES_TOLD_MAX = 100

/** Differences that are remembered as told, so that a round does not say again what the one before said. */
export const DIFFERENCES_REMEMBERED_MAX = 10_000

/** Memory of the thread's heap; beyond, it ends, and a later round begins with nothing. */
export const RECONCILE_HEAP_MIB_MAX = 256
