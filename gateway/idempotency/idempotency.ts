/**
 * `Idempotency-Key`: the door of operations for calls that bring one. A key makes sense for writes that no order makes safe
 * to retry; redemptions are safe by their order, so a key there is accepted and not looked at, and so it is on reads.
 *
 * The form of a request is judged before its key is claimed, by starting the operation on shards that never answer. What is
 * malformed is refused there and then, and leaves no trace.
 */
import { createHash } from 'node:crypto'
import { canonicalJson } from '../json/canonical-json.ts'
import { characters } from '../websocket/columns-text.ts'
import { isKept } from './idempotency-answers.ts'
import { KeyedCall } from './idempotency-call.ts'
import { KEY_LENGTH_MAX } from '../limits.ts'
import type { OperationName } from '../operations/operation-table.ts'
import type { Answer, AnswerSink, Operation, OperationInput, OperationPorts } from '../operations/operations.ts'
import { invalid, type Problem } from '../problem.ts'
import { startOperation } from '../operations/start-operation.ts'
import type { ShardTransport } from '../../engine/transport/port.ts'

const KEYED: ReadonlySet<string> = new Set<OperationName>([
  'reserve',
  'extendReservation',
  'releaseReservation',
  'reverseRedemption',
  'createCoupon',
  'patchCoupon',
  'deleteCoupon',
  'disableCoupon',
  'enableCoupon',
  'extendCoupon',
  'expireCoupon',
  'lockCoupon',
  'createCampaign',
  'patchCampaign',
  'disableCampaign',
  'enableCampaign',
  'claimCoupon',
  'generateCoupons',
  'createCodes',
  'cancelJob',
  'importCoupons',
])

const NAME_BYTES = 16

/** Whether a key of this operation is looked at. */
export function takesKey(operation: Operation): boolean {
  return KEYED.has(operation.name)
}

/** A key as it came, and where it came from. */
export interface IdempotencyKey {
  readonly text: string
  /** Pointer into a message; null: it was a header. */
  readonly pointer: string | null
  /** Id of the request, for the body of a refusal and of its replays. */
  readonly requestId: string
}

/** As `startOperation`, for an operation that takes a key and a call that has one. */
export function startKeyedOperation(
  operation: Operation,
  ports: OperationPorts,
  input: OperationInput,
  key: IdempotencyKey,
  sink: AnswerSink,
): void {
  const fault = keyFault(key) ?? formFault(operation, ports, input)
  if (fault !== null) {
    sink.refused(fault, '')
    return
  }
  const { text, requestId } = key
  const digest = digestOf(operation, input)
  const name = ports.random(NAME_BYTES)
  new KeyedCall(ports, sink, { operation, input, key: text, digest, name, requestId }).begin()
}

function keyFault({ text, pointer }: IdempotencyKey): Problem | null {
  const length = characters(text)
  if (length >= 1 && length <= KEY_LENGTH_MAX) return null
  return { ...invalid('', `an Idempotency-Key has 1 to ${KEY_LENGTH_MAX} characters`), pointer }
}

/** Role and form, judged by a start that reaches no shard. What is refused for another reason is decided, and so kept. */
function formFault(operation: Operation, ports: OperationPorts, input: OperationInput): Problem | null {
  const trial = new Trial(ports.transport.shards)
  startOperation(operation, { ...ports, transport: trial }, input, trial)
  return trial.fault !== null && !isKept(trial.fault.status) ? trial.fault : null
}

/** Takes every command and answers none. */
class Trial implements ShardTransport, AnswerSink {
  readonly shards: number
  readonly inFlight = 0
  fault: Problem | null = null

  constructor(shards: number) {
    this.shards = shards
  }

  call(): void {}

  answered(_answer: Answer): void {}

  refused(found: Problem): void {
    this.fault = found
  }
}

/** What makes two requests the same: everything but who asks, which the key's scope tells. */
function digestOf({ name }: Operation, { target, query, ifMatch, body }: OperationInput): Uint8Array {
  return createHash('sha256')
    .update(canonicalJson([name, target, query, ifMatch]))
    .update(canonicalJson(body))
    .digest()
}
