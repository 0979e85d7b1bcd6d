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
import type { Caller, Role } from '../access/authenticate.ts'
import type { EventFeed } from '../events/event-feed.ts'
import type { ReceivedFile } from '../codes/import-call.ts'
import type { Imports } from '../codes/import-port.ts'
import type { Problem } from '../problem.ts'
import type { ReadModel } from '../lists/read-model.ts'
import type { CheckoutScanner } from '../checkout/scan-checkout.ts'
import type { SearchPort } from '../lists/search-port.ts'
import type { Router } from '../../engine/routing.ts'
import type { ShardTransport } from '../../engine/transport/port.ts'
import type { ByteWriter } from '../../protocol/bytes.ts'

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
  /** What came as a file instead of JSON; `body` has what makes two such requests the same. */
  readonly received?: ReceivedFile | undefined
}

/** A success. Valid during the call of `answered` only: whoever needs it longer copies what it needs. */
export interface Answer {
  status: 200 | 201 | 202 | 204
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
  /** Codes of which it says that they do not exist. Absent: none. */
  wrongCodes?: number
}

/** What stands before a long answer. Always 200. */
export interface StreamHead {
  readonly contentType: string
  /** Under which name a browser keeps it. */
  readonly fileName: string
  readonly position: string
}

/** The body of a long answer, written piece by piece. */
export interface AnswerStream {
  /** Settles when the client has room for more; false: it went away. */
  write(piece: Uint8Array): Promise<boolean>
  end(): void
  /** Cuts the connection off, so that nobody takes what he has for the whole. */
  breakOff(): void
}

export interface AnswerSink {
  answered(answer: Answer): void
  /** Begins an answer that is too long to be held in memory, instead of `answered`; null: nobody waits for it any more. */
  streamed?(head: StreamHead): AnswerStream | null
  /** `position` is '' where no shard answered. */
  refused(problem: Problem, position: string): void
}

export interface OperationPorts {
  readonly transport: ShardTransport
  /** The same shards for reads that are no part of an operation with a name; absent where `transport` gives none. */
  readonly plainTransport?: ShardTransport
  readonly router: Router
  /** Scratch for one command at a time: the transport copies before its `call` returns. */
  readonly writer: ByteWriter
  /** So many random bytes, from a CSPRNG. */
  readonly random: (length: number) => Uint8Array
  /** An error that no client caused; whoever reports it has already told the sink. */
  readonly failed: (error: unknown) => void
  /** Lists; absent where nobody makes any. */
  readonly readModel?: ReadModel
  /** Absent where nothing can be searched. */
  readonly search?: SearchPort
  /** Events of a sale; absent where nobody watches. */
  readonly events?: EventFeed
  /** For a caller that is told of a code it may not use what it is told of one that does not exist. */
  readonly isUniform?: boolean
  /** Files of coupons; absent: they are refused. */
  readonly imports?: Imports
}

/** Asked before a checkout call reaches a shard. */
export interface CallGate {
  /** `userId`: whom the call is for, as it was sent; null: nobody. A problem: the call goes no further. */
  admit(userId: string | null): Problem | null
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
    gate: CallGate | null,
  ) => boolean
}
