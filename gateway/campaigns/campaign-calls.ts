/**
 * Calls of those who run campaigns: create, read, patch, switch. All answer with the campaign.
 */
import { decodeCampaign, patchedCampaign } from './campaign-json.ts'
import { BadField } from '../json/decode-fields.ts'
import { entityTag, matches } from '../http/if-match.ts'
import type { AnswerSink, Operation, OperationInput, OperationPorts } from '../operations/operations.ts'
import { campaignNotFound, invalid, problem } from '../problem.ts'
import { campaignText } from './render-campaign.ts'
import { answerOf, refusalProblem, ShardCall } from '../operations/shard-call.ts'
import { campaignTarget } from '../operations/target.ts'
import type { CampaignDefinition } from '../../protocol/campaign.ts'
import { COMMAND, type Command } from '../../protocol/commands.ts'
import type { CampaignRef } from '../../protocol/coupon.ts'
import { formatId } from '../../protocol/ids.ts'
import { type CampaignOutcome, OUTCOME, type Outcome } from '../../protocol/outcomes.ts'

class CampaignCall extends ShardCall {
  begin(shard: number, command: Command<string>): void {
    this.send(shard, command)
  }

  protected override concluded(shard: number, outcome: Outcome): void {
    if (outcome.type === OUTCOME.CAMPAIGN) this.shown(shard, outcome)
    else if (outcome.type === OUTCOME.REFUSED) this.refuse(refusalProblem(outcome))
    else this.misplaced(outcome)
  }

  protected shown(shard: number, outcome: CampaignOutcome): void {
    const answer = answerOf(200, campaignText(shard, outcome))
    answer.etag = entityTag(outcome)
    this.answer(answer)
  }
}

class CreateCall extends CampaignCall {
  protected override shown(shard: number, outcome: CampaignOutcome): void {
    const answer = answerOf(201, campaignText(shard, outcome))
    answer.etag = entityTag(outcome)
    answer.location = `/v1/campaigns/${formatId('cmp_', shard, outcome.index)}`
    this.answer(answer)
  }
}

/** Reads, checks the version that the client saw, merges, and replaces the definition that was read; as with coupons. */
class PatchCall extends CampaignCall {
  private readonly target: CampaignRef
  private readonly input: OperationInput
  private isRead = false

  constructor(ports: OperationPorts, sink: AnswerSink, target: CampaignRef, input: OperationInput) {
    super(ports, sink)
    this.target = target
    this.input = input
  }

  patch(): void {
    this.begin(this.target.shard, { type: COMMAND.GET_CAMPAIGN, index: this.target.index })
  }

  protected override shown(shard: number, outcome: CampaignOutcome): void {
    if (this.isRead) {
      super.shown(shard, outcome)
      return
    }
    this.isRead = true
    if (!matches(this.input.ifMatch, entityTag(outcome))) {
      this.refuse(problem('VERSION_CONFLICT', `the campaign is at version ${outcome.version} now`))
      return
    }
    const definition = this.merged(outcome)
    if (definition === null) return
    const { index, version: ifVersion } = outcome
    this.begin(shard, { type: COMMAND.CHANGE_CAMPAIGN, index, by: this.input.caller.name, ifVersion, definition })
  }

  /** The change is there already; what was read is what it made. */
  protected override doneBefore(shard: number, outcome: Outcome): void {
    this.isRead = true
    this.concluded(shard, outcome)
  }

  /** null: refused. */
  private merged(outcome: CampaignOutcome): CampaignDefinition | null {
    try {
      return patchedCampaign(outcome.definition, this.input.body)
    } catch (error) {
      if (!(error instanceof BadField)) throw error
      this.refuse(invalid(error.pointer, error.message))
      return null
    }
  }
}

/** Campaigns are spread over the shards by chance: nothing about one says where it lives but its id. */
function drawnShard({ router, random }: OperationPorts): number {
  const [low, high] = random(2) as Uint8Array & [number, number]
  return (high * 256 + low) % router.shards
}

export const createCampaign: Operation = {
  name: 'createCampaign',
  roles: ['marketing'],
  start(ports, input, sink) {
    const definition = decodeCampaign(input.body)
    const command = { type: COMMAND.CREATE_CAMPAIGN, by: input.caller.name, definition } as const
    new CreateCall(ports, sink).begin(drawnShard(ports), command)
  },
}

export const patchCampaign: Operation = {
  name: 'patchCampaign',
  roles: ['marketing'],
  start(ports, input, sink) {
    if (input.ifMatch === '') {
      sink.refused(problem('PRECONDITION_REQUIRED', 'send the ETag you saw as If-Match'), '')
      return
    }
    const target = campaignTarget(ports.router, input.target)
    if (target === null) sink.refused(campaignNotFound(), '')
    else new PatchCall(ports, sink, target, input).patch()
  },
}

/** A call that is one command on the campaign of the path. */
function operation(name: string, command: (index: number, input: OperationInput) => Command<string>): Operation {
  return {
    name,
    roles: ['marketing'],
    start(ports, input, sink) {
      const target = campaignTarget(ports.router, input.target)
      if (target === null) sink.refused(campaignNotFound(), '')
      else new CampaignCall(ports, sink).begin(target.shard, command(target.index, input))
    },
  }
}

export const getCampaign = operation('getCampaign', (index) => ({ type: COMMAND.GET_CAMPAIGN, index }))

function switching(name: string, change: 'ENABLED' | 'DISABLED'): Operation {
  return operation(name, (index, { caller }) => ({ type: COMMAND.SWITCH_CAMPAIGN, index, by: caller.name, change }))
}

export const disableCampaign = switching('disableCampaign', 'DISABLED')
export const enableCampaign = switching('enableCampaign', 'ENABLED')
