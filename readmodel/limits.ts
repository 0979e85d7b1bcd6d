/**
 * Every bound of the read model, by name. Times in milliseconds, sizes in bytes.
 */
import type { ThreadLimits } from '../engine/thread-host.ts'

/** Of the log in one batch: about ten thousand redemptions, which take some fifty milliseconds. */
export const BATCH_BYTES = 512 * 1_024
/** How long the log is left alone when there was nothing more in it: most of the lag of a quiet server. */
export const POLL_EVERY_MS = 400
/** How long a list waits for the moment of its request. */
export const LIST_WAIT_MS_MAX = 250
/** Tidying behind a batch, unless lists have become too slow to look for. */
export const TIDY_MS_MAX = 30
/** Beyond so many runs, tidying comes before anything new. */
export const RUNS_MAX = 64
/** While it catches up it works at most this share of the time, however idle the machine seems. */
export const CATCH_UP_SHARE = 0.5

/** Priority of the search's thread: people wait for it, but checkouts go first. */
export const SEARCH_NICE = 5
/** While the index is loaded it works at most this share of the time; nobody can search yet. */
export const LOAD_SHARE = 0.8
/** While the index follows: a search that comes waits for one slice at most. */
export const FOLLOW_SHARE = 0.5

/** Of each thread. Lists, or searches, asked for that are not answered yet; beyond, they are refused. */
export const THREAD_LIMITS: ThreadLimits = { heapMib: 512, questions: 256, answerMs: 10_000, tellsKept: 0 }
