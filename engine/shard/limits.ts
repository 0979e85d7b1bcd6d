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

/** A keyed call that is neither answered nor let go for so long no longer keeps others from its key. */
export const CLAIM_LEASE_MS = 10_000

/** Keys and operations may take this share of the entries that order memory may; beyond, they are forgotten earlier. */
export const KEY_MEMORY_SHARE = 0.25

/** With durability `relaxed`: replies leave at once, and a flush begins at the latest so long after the first event. */
export const RELAXED_FLUSH_MS = 50

/** Entries of the log kept decoded for look-ups by sequence, for each shard. */
export const READ_ENTRIES_MAX = 4

/** A wall clock further away than this from the shards' time is an event. */
export const CLOCK_GAP_MAX_MS = 1_000

/** A start waits for a wall clock that is behind the log by less than this, and stops at more. */
export const CLOCK_BEHIND_MAX_MS = 60_000

/** How often order memory is held against its bound: each time halves the window, and a week is some ten minutes after 13 of them. */
export const ORDER_MEMORY_EVERY_MS = 1_000

/** How long a call waits for transactions of others that are undecided, before it takes their capacity for gone. */
export const PATIENCE_MS = 250

/** Calls that one shard lets wait so; beyond it they are answered at once. */
export const WAITING_CALLS_MAX = 4_096

/** A call over several shards that is undecided for so long is given up: the other shards cannot be reached. */
export const STACK_CALL_MS = 1_000

/** Times that a call over several shards begins anew because rules or capacity moved between quote and hold. */
export const STACK_TRIES_MAX = 8

/** An answer waits so long at most, past the decision, for the other shards to have logged it. */
export const DELIVERY_WAIT_MS = 250

/** What another shard has not confirmed is told again after so long. */
export const TELL_AGAIN_MS = 200

/** Settled transactions of other shards that a shard remembers, so that a late copy of their messages finds them. */
export const SETTLED_KEPT_MAX = 8_192

/** A participant asks after a transaction that is undecided for so long. */
export const ASK_AFTER_MS = 1_000

/** How often a lane says how many events its log has, for the schedule of snapshots. */
export const TELL_GROWTH_EVERY_MS = 1_000

/** How long a day that is over is remembered: no zone is so far behind another, and no clock. */
export const DAYS_KEPT_MS = 2 * 86_400_000
