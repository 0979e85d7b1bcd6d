/**
 * The one door into operations: role, then the operation, and every fault of a request turned into a problem.
 */
import { type Caller, forbidden } from '../access/authenticate.ts'
import { BadField } from '../json/decode-fields.ts'
import type { AnswerSink, CallGate, Operation, OperationInput, OperationPorts } from './operations.ts'
import { invalid, problem } from '../problem.ts'
import type { CheckoutScanner } from '../checkout/scan-checkout.ts'

/** Never throws. The sink is told once, perhaps before this returns; `input` must stay as it is until then. */
export function startOperation(
  operation: Operation,
  ports: OperationPorts,
  input: OperationInput,
  sink: AnswerSink,
): void {
  const denied = forbidden(input.caller, operation.roles)
  if (denied !== null) {
    sink.refused(denied, '')
    return
  }
  try {
    operation.start(ports, input, sink)
  } catch (error) {
    if (error instanceof BadField) {
      sink.refused(invalid(error.pointer, error.message), '')
    } else {
      sink.refused(problem('INTERNAL_ERROR', 'the call failed inside the gateway before anything was done'), '')
      ports.failed(error)
    }
  }
}

/**
 * The same from the bytes of a body, where the operation has a way for them. False: it has none, or it does not take this
 * body; nothing was done.
 */
export function startFromBytes(
  operation: Operation,
  ports: OperationPorts,
  caller: Caller,
  scanner: CheckoutScanner,
  bytes: Uint8Array,
  sink: AnswerSink,
  gate: CallGate | null,
): boolean {
  if (operation.startBytes === undefined || forbidden(caller, operation.roles) !== null) return false
  return operation.startBytes(ports, scanner, bytes, sink, gate)
}
