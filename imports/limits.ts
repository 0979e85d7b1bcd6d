/**
 * Every bound of imports, by name. Sizes in bytes, times in milliseconds.
 */

/** Uploads that come in at a time; more are OVERLOADED. */
export const UPLOADS_MAX = 8
/** Of one upload that wait for the disk before its socket is paused. */
export const UPLOAD_WAITING_BYTES_MAX = 4 * 1_048_576
/** With less free space an upload is refused, or ends. The log needs room for what the rows make. */
export const FREE_BYTES_MIN = 512 * 1_048_576

/** Rows that travel together from the reading thread to the shards. */
export const BATCH_ROWS = 256
/** Batches that are not answered yet. */
export const BATCHES_IN_FLIGHT_MAX = 8
/** How often progress is logged, at most: a job that a crash interrupts does so much again, which does nothing twice. */
export const PROGRESS_EVERY_MS = 500
/** Faults that travel with one report of progress. */
export const ERRORS_A_REPORT_MAX = 200
/** A row that is longer is a fault of the file. */
export const ROW_BYTES_MAX = 1_048_576
/** A detail that is shown beside a row. */
export const DETAIL_LENGTH_MAX = 300

/** Pauses before a row that the shards could not take is sent again: the first, and how far they double. */
export const RETRY_MS_MIN = 20
export const RETRY_MS_MAX = 1_000
/** How long the host waits before it looks for jobs again when their shards did not answer. */
export const LOOK_AGAIN_MS = 1_000
/** Heap of the reading thread, MiB. */
export const HEAP_MIB_MAX = 192
