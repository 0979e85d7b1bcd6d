/**
 * Every bound of WebSocket sessions, by name, and what happens at it. Bounds that hold over HTTP too are in `limits.ts`.
 */

/** A longer frame, whole or in fragments, closes the connection with 1009. */
export const FRAME_BYTES_MAX = 1_048_576
/**
 * Where the server stops collecting a frame and drops the connection without a close frame; it cannot send one in
 * the middle of a frame that it is still reading. Between the two bounds the close is a proper one.
 */
export const FRAME_BYTES_COLLECTED_MAX = 4 * FRAME_BYTES_MAX
/** Messages in one frame; more are refused as a whole, INVALID_REQUEST. */
export const FRAME_MESSAGES_MAX = 16_384
/** An answer with several messages is cut into frames of about this length. */
export const ANSWER_FRAME_BYTES = 262_144

/** Rows of one `redeemColumns`; more are INVALID_REQUEST. */
export const COLUMN_ROWS_MAX = 4_096

/** Connections of one gateway; a further upgrade is refused with OVERLOADED. */
export const SESSIONS_MAX = 16_384
/** Redemptions in flight on one connection, where columns count their rows and every other message one; beyond, OVERLOADED. */
export const SESSION_IN_FLIGHT_MAX = 65_536
/**
 * Bytes that wait for a slow reader before its connection is dropped. Room for the answers to everything that may be in
 * flight (65,536 of some 500 bytes), so that only a client that does not read gets here.
 */
export const SESSION_BUFFERED_BYTES_MAX = 33_554_432
/** Seconds without a sign of life, pings included, before a connection is dropped. Multiples of 4. */
export const SESSION_IDLE_SECONDS = 60

/** Letters of a topic: a kind, a colon, a code with some space around it or an id. */
export const TOPIC_LENGTH_MAX = 128
/** Topics of one connection; more are refused with OVERLOADED. */
export const SESSION_TOPICS_MAX = 100
/** Different coupons watched through one gateway; more are refused with OVERLOADED. Each costs ten reads a second. */
export const TOPICS_MAX = 1_000
/** At least this long between two pushes of one topic to one session: at most ten a second. */
export const TOPIC_PUSH_GAP_MS = 100
/**
 * Cadence of the reads. A little over the gap: at exactly the gap a tick that comes a fraction early would find it not
 * yet over and the push would wait for the next one.
 */
export const TOPIC_POLL_MS = 104
