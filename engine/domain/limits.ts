/**
 * Bounds of the domain. Every queue, batch and table of the shell has its own file of limits; these hold wherever the
 * rules run, so that replay and simulation meet the same ones.
 */

/** A reservation lasts at most so long after its beginning (API.md). */
export const RESERVATION_MAX_MS = 3_600_000

/** Overdue reservations released by one command, beyond the ones it needs. Bounds the time of a command after a mass lapse. */
export const OVERDUE_RELEASES_MAX = 64
