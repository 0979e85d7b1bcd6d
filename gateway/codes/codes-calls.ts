/**
 * `POST /campaigns/{id}/codes`: begins the job by which the campaign's shard makes codes.
 */
import { decodeCodes } from './codes-fields.ts'
import { objectAt, unknownField } from '../json/decode-fields.ts'
import { begunJob } from './job-calls.ts'
import type { Operation, OperationInput } from '../operations/operations.ts'
import { problem } from '../problem.ts'
import { refusalProblem, ShardCall } from '../operations/shard-call.ts'
import { Refusal } from '../operations/shard-question.ts'
import { shardedTarget } from '../operations/target.ts'
import { COMMAND, type StartJob } from '../../protocol/commands.ts'
import type { CampaignRef, CouponDefinition } from '../../protocol/coupon.ts'
import { OUTCOME, type Outcome } from '../../protocol/outcomes.ts'

const FIELDS: ReadonlySet<string> = new Set(['count', 'length', 'prefix', 'distribution', 'userIds'])

/** A call that begins a job and answers with its name. */
class StartJobCall extends ShardCall {
  begin(shard: number, command: StartJob): void {
    this.send(shard, command)
  }

  protected override concluded(shard: number, outcome: Outcome): void {
    if (outcome.type === OUTCOME.JOB) this.answer(begunJob(shard, outcome.jobSeq))
    else if (outcome.type === OUTCOME.REFUSED) this.refuse(refusalProblem(outcome))
    else this.misplaced(outcome)
  }
}

/** A code of a campaign: everything else about it is the campaign's. */
function singleUseOf(campaign: CampaignRef): CouponDefinition {
  return {
    code: '',
    offer: null,
    campaign,
    dailyLimit: null,
    merchantId: null,
    userId: null,
    category: null,
    description: null,
    listed: false,
    maxUses: 1,
    maxUsesPerUser: null,
    validFromMs: null,
    validUntilMs: null,
  }
}

export const createCodes: Operation = {
  name: 'createCodes',
  roles: ['marketing'],
  start(ports, input, sink) {
    const target = shardedTarget(ports.router, 'cmp_', input.target)
    if (target === null) {
      sink.refused(problem('CAMPAIGN_NOT_FOUND', 'there is no such campaign'), '')
      return
    }
    try {
      new StartJobCall(ports, sink).begin(target.shard, startOf(input, { shard: target.shard, index: target.number }))
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      sink.refused(error.found, '')
    }
  },
}

function startOf({ body, caller }: OperationInput, campaign: CampaignRef): StartJob {
  const fields = objectAt(body, '')
  for (const key in fields) if (!FIELDS.has(key)) unknownField('', key)
  return {
    type: COMMAND.START_JOB,
    by: caller.name,
    plan: { kind: 'CODES', definition: singleUseOf(campaign), ...decodeCodes(fields) },
  }
}
