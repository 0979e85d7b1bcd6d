/**
 * Operations: the calls of the contract without a wire. HTTP routes and WebSocket sessions start the same ones, so that a
 * redemption is decoded, routed and rendered in one place whichever way it came.
 *
 *     input ── start ──▶ decode ──▶ command ──▶ transport ──▶ outcome ──▶ sink.answered | sink.refused
 *                          └──────────────── problem ────────────────────▶ sink.refused
 *
 * The sink is told exactly once, perhaps before `start` returns. An operation may take several commands (a cart whose codes
 * live on several shards, a PATCH that reads first); nobody outside sees that.
 */
import type { Caller, Role } from './authenticate.ts'
import type { Problem } from './problem.ts'
import type { ReadModel } from './read-model.ts'
import type { CheckoutScanner } from './scan-checkout.ts'
import type { Router } from '../engine/routing.ts'
import type { ShardTransport } from '../engine/transport/port.ts'
import type { ByteWriter } from '../protocol/bytes.ts'

export interface OperationInput {
  /** The parsed JSON body; undefined where there was none. */
  readonly body: unknown
  /** What stands for `{coupon}` or `{id}` in the path, percent-decoded; '' where the path has none. */
  readonly target: string
  /** The raw query string without its question mark; over WebSocket ''. */
  readonly query: string
  /** `If-Match`; '' where there was none. */
  readonly ifMatch: string
  readonly caller: Caller
}

/** A success. Valid during the call of `answered` only: whoever needs it longer copies what it needs. */
export interface Answer {
  status: 200 | 201 | 204
  /** JSON text; '' with 204. */
  body: string
  /** `shard:seq@timeMs`, several separated by a comma and a space where several shards answered, '' where none did. */
  position: string
  /** A first answer again: `Idempotent-Replayed: true`. */
  replayed: boolean
  /** Path of what was created; '' otherwise. */
  location: string
  /** With its quotes; '' where the answer is no coupon. */
  etag: string
  /** Of a list: how far behind the log it is. Absent elsewhere. */
  lagMs?: number
}

export interface AnswerSink {
  answered(answer: Answer): void
  /** `position` is '' where no shard answered. */
  refused(problem: Problem, position: string): void
}

export interface OperationPorts {
  readonly transport: ShardTransport
  readonly router: Router
  /** Scratch for one command at a time: the transport copies before its `call` returns. */
  readonly writer: ByteWriter
  /** So many random bytes, from a CSPRNG. */
  readonly random: (length: number) => Uint8Array
  /** An error that no client caused; whoever reports it has already told the sink. */
  readonly failed: (error: unknown) => void
  /** Lists; absent where nobody makes any. */
  readonly readModel?: ReadModel
}

export interface Operation {
  /** The operationId of the OpenAPI document, and the label in metrics. */
  readonly name: string
  /** Beside `operations`, which may do everything. */
  readonly roles: readonly Role[]
  start(ports: OperationPorts, input: OperationInput, sink: AnswerSink): void
  /**
   * A faster start from the bytes of a JSON body, which are valid during the call only. False: it does not take this body,
   * and nothing was done; parse it and use `start`. Absent: there is none.
   */
  readonly startBytes?: (
    ports: OperationPorts,
    scanner: CheckoutScanner,
    bytes: Uint8Array,
    sink: AnswerSink,
  ) => boolean
}
