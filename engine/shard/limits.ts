/**
 * Bounds of shards and lanes, and what happens at each.
 */

/** A lane stops reading commands while a flush is in flight and the open group is larger; the ring fills up behind it. */
export const GROUP_BYTES_MAX = 512 * 1024

/** Less free space than this: commands that write are refused before they are appended, reads go on. */
export const FREE_BYTES_MIN = 256 * 1024 * 1024

/** How often a lane looks for what time has done. */
export const SWEEP_EVERY_MS = 20

/** Events of one sweep of one shard. At about a microsecond each, a slice holds commands up for a millisecond. */
export const SWEEP_EVENTS_MAX = 1024

/** Slots of the order tables cleaned in one sweep. */
export const FORGET_SLOTS_MAX = 4096

/** With durability `relaxed`: replies leave at once, and a flush begins at the latest so long after the first event. */
export const RELAXED_FLUSH_MS = 50

/** Entries of the log kept decoded for look-ups by sequence, for each shard. */
export const READ_ENTRIES_MAX = 4

/** A wall clock further away than this from the shards' time is an event. */
export const CLOCK_GAP_MAX_MS = 1_000

/** A start waits for a wall clock that is behind the log by less than this, and stops at more. */
export const CLOCK_BEHIND_MAX_MS = 60_000

/** How often order memory is held against its bound. */
export const ORDER_MEMORY_EVERY_MS = 60_000
