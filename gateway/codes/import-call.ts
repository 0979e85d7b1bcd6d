/**
 * `POST /imports/coupons`, once the file is on disk: its job is logged on a shard of its own, and somebody beside the gateway
 * works it off (`import-port.ts`).
 */
import { begunJob } from './job-calls.ts'
import type { AnswerSink, Operation, OperationInput, OperationPorts } from '../operations/operations.ts'
import { problem } from '../problem.ts'
import { isRefused, refusalProblem, ShardCall } from '../operations/shard-call.ts'
import { COMMAND } from '../../protocol/commands.ts'
import type { ImportFormat, ImportPlan } from '../../protocol/jobs.ts'
import { type Outcome, OUTCOME } from '../../protocol/outcomes.ts'

/** A file that came in whole. What of it makes two requests the same stands in the input's `body` (see `upload-call.ts`). */
export interface ReceivedFile {
  readonly format: ImportFormat
  readonly file: string
  readonly bytes: number
}

const NO_IMPORTS = problem('SHARD_UNAVAILABLE', 'nothing was done; this server takes no imports')
const NO_FILE = problem('INVALID_REQUEST', 'send the file as the body, over HTTP')

class ImportCall extends ShardCall {
  begin({ format, file, bytes }: ReceivedFile, input: OperationInput): void {
    const { random, router } = this.ports
    const [high = 0, low = 0] = random(2)
    const plan: ImportPlan = { kind: 'IMPORT', format, file, bytes }
    this.send((high * 256 + low) % router.shards, { type: COMMAND.START_JOB, by: input.caller.keyId, plan })
  }

  protected concluded(shard: number, outcome: Outcome): void {
    if (isRefused(outcome)) {
      this.refuse(refusalProblem(outcome))
      return
    }
    if (outcome.type !== OUTCOME.JOB) this.misplaced(outcome)
    this.ports.imports?.started()
    this.answer(begunJob(shard, outcome.jobSeq))
  }
}

export const importCoupons: Operation = {
  name: 'importCoupons',
  roles: ['marketing'],
  start(ports: OperationPorts, input: OperationInput, sink: AnswerSink) {
    if (ports.imports === undefined) sink.refused(NO_IMPORTS, '')
    else if (input.received === undefined) sink.refused(NO_FILE, '')
    else new ImportCall(ports, sink).begin(input.received, input)
  },
}
