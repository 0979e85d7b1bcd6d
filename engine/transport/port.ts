/**
 * The transport port: how a gateway reaches shards. In-process rings today, NATS later, both behind this.
 *
 * A call settles exactly once, in one of three ways, and the difference is the whole point:
 * `answered`   the shard decided and its decision is durable as the deployment promises; the outcome is in the reader
 * `notDone`    the command never reached the shard's state; sending it again is safe
 * `unknown`    it may or may not have happened; only a retry with the same order or key is safe
 */
import type { ByteReader } from '../../protocol/bytes.ts'

export const SETTLED = { ANSWERED: 0, NOT_DONE_OVERLOADED: 1, NOT_DONE_UNAVAILABLE: 2, UNKNOWN: 3, STORAGE: 4 } as const
export type Settled = (typeof SETTLED)[keyof typeof SETTLED]

/**
 * In place of a call's number: a message from shard to shard (`protocol/messages.ts`), which nobody waits for and which may
 * be lost where there is no room for it.
 */
export const MESSAGE_MARK = 0xffff_fffe

/** Gets the end of one call. The reader stands before the position and is valid during the call of `settled` only. */
export interface ReplyHandler {
  settled(kind: Settled, reply: ByteReader): void
}

export interface ShardTransport {
  /** Number of shards of the deployment. */
  readonly shards: number
  /**
   * Sends the command in `bytes[0, length)`, which is copied before the call returns. `settled` may be called before the
   * call returns (when it cannot be taken) and is never called twice.
   */
  call(shard: number, bytes: Uint8Array, length: number, handler: ReplyHandler): void
  /** Calls that have not settled. */
  readonly inFlight: number
}
