/**
 * The one door into operations: role, then the operation, and every fault of a request turned into a problem.
 */
import { forbidden } from './authenticate.ts'
import { BadField } from './decode-fields.ts'
import type { AnswerSink, Operation, OperationInput, OperationPorts } from './operations.ts'
import { invalid, problem } from './problem.ts'

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
