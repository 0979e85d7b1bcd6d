/**
 * Jobs: look at one, cancel one. What a job is for is begun elsewhere (`codes-calls.ts`, `generate-call.ts`, imports).
 */
import { jobText } from './job-json.ts'
import type { Answer, AnswerSink, Operation, OperationInput, OperationPorts } from '../operations/operations.ts'
import { problem } from '../problem.ts'
import { answerOf, refusalProblem, ShardCall } from '../operations/shard-call.ts'
import { shardedTarget } from '../operations/target.ts'
import { COMMAND, type Command } from '../../protocol/commands.ts'
import { formatId } from '../../protocol/ids.ts'
import { OUTCOME, type Outcome } from '../../protocol/outcomes.ts'

/** 202: the job was begun, and this is what it is called. */
export function begunJob(shard: number, jobSeq: number): Answer {
  const jobId = formatId('job_', shard, jobSeq)
  const answer = answerOf(202, `{"jobId":"${jobId}"}`)
  answer.location = `/v1/jobs/${jobId}`
  return answer
}

class JobCall extends ShardCall {
  begin(shard: number, command: Command<string>): void {
    this.send(shard, command)
  }

  protected override concluded(shard: number, outcome: Outcome): void {
    if (outcome.type === OUTCOME.REFUSED) this.refuse(refusalProblem(outcome))
    else if (outcome.type === OUTCOME.JOB) this.answer(answerOf(200, jobText(shard, outcome, this.atMs())))
    else this.misplaced(outcome)
  }

  /** The shard's time, which ends its position. */
  private atMs(): number {
    return Number(this.position.slice(this.position.indexOf('@') + 1))
  }
}

function operation(name: string, command: (jobSeq: number) => Command<string>): Operation {
  return {
    name,
    roles: ['marketing'],
    start(ports: OperationPorts, input: OperationInput, sink: AnswerSink): void {
      const target = shardedTarget(ports.router, 'job_', input.target)
      if (target === null) sink.refused(problem('JOB_NOT_FOUND', 'there is no such job'), '')
      else new JobCall(ports, sink).begin(target.shard, command(target.number))
    },
  }
}

export const getJob = operation('getJob', (jobSeq) => ({ type: COMMAND.GET_JOB, jobSeq }))

/** What it has made stays. A job that has ended stays as it ended. */
export const cancelJob = operation('cancelJob', (jobSeq) => ({
  type: COMMAND.END_JOB,
  jobSeq,
  end: 'CANCELLED',
  reason: null,
}))
