/**
 * Calls of those who own coupons: create, read, patch, extend, expire, switch. All answer with the coupon.
 */
import { type CodeSource, decodeDefinition, patchedDefinition } from './coupon-json.ts'
import { campaignElsewhere, refuseWindowBeyond, withCampaign } from './coupon-of-campaign.ts'
import { decodeExpire, decodeExtend } from './decode-coupon.ts'
import { BadField } from '../json/decode-fields.ts'
import { generatedCode, generatedCodeOn } from '../codes/generated-code.ts'
import { entityTag, matches } from '../http/if-match.ts'
import { GENERATED_CODE_TRIES } from '../limits.ts'
import type { AnswerSink, Operation, OperationInput, OperationPorts } from '../operations/operations.ts'
import { campaignNotFound, couponOfPathNotFound, invalid, problem } from '../problem.ts'
import { couponText } from './render-coupon.ts'
import { answerOf, refusalOfPath, ShardCall } from '../operations/shard-call.ts'
import { type CouponTarget, couponTarget, couponTargetFor } from '../operations/target.ts'
import { type ChangeCoupon, COMMAND, type Command } from '../../protocol/commands.ts'
import type { CampaignRef, CouponDefinition } from '../../protocol/coupon.ts'
import type { SwitchKind } from '../../protocol/events.ts'
import { formatId } from '../../protocol/ids.ts'
import { type CampaignOutcome, type CouponOutcome, OUTCOME, type Outcome } from '../../protocol/outcomes.ts'

/** A coupon that waits for the campaign which has its offer. */
interface Incomplete {
  readonly shard: number
  readonly outcome: CouponOutcome
  readonly judgedAtMs: number
  readonly position: string
}

class CouponCall extends ShardCall {
  private incomplete: Incomplete | null = null

  protected override get isAboutCodes(): boolean {
    return true
  }

  begin(shard: number, command: Command<string>): void {
    this.send(shard, command)
  }

  protected override concluded(shard: number, outcome: Outcome): void {
    if (outcome.type === OUTCOME.COUPON) this.whole(shard, outcome)
    else if (outcome.type === OUTCOME.CAMPAIGN) this.campaignRead(outcome)
    else if (outcome.type === OUTCOME.REFUSED) this.refuse(refusalOfPath(outcome))
    else this.misplaced(outcome)
  }

  /** `shown`, when everything that an answer says of the coupon is here. */
  protected whole(shard: number, outcome: CouponOutcome): void {
    const campaign = campaignElsewhere(outcome)
    if (campaign === null) {
      this.shown(shard, outcome)
      return
    }
    this.incomplete = { shard, outcome, judgedAtMs: this.judgedAtMs, position: this.position }
    this.look(campaign.shard, { type: COMMAND.GET_CAMPAIGN, index: campaign.index })
  }

  protected campaignRead(campaign: CampaignOutcome): void {
    const { incomplete } = this
    if (incomplete === null) this.misplaced(campaign)
    const { shard, outcome, judgedAtMs, position } = incomplete
    this.incomplete = null
    this.position = `${position}, ${this.position}`
    this.shown(shard, withCampaign(outcome, campaign, judgedAtMs))
  }

  protected shown(shard: number, outcome: CouponOutcome): void {
    const answer = answerOf(200, couponText(shard, outcome))
    answer.etag = entityTag(outcome)
    this.answer(answer)
  }

  /** A step that may find a fault in the request after all. */
  protected judging(step: () => void): void {
    try {
      step()
    } catch (error) {
      if (!(error instanceof BadField)) throw error
      this.refuse(invalid(error.pointer, error.message))
    }
  }
}

/**
 * A creation; with a generated code it tries again when that code turns out to be taken. A coupon of a campaign asks for that
 * first: it has to be there, and the window within its own.
 */
class CreateCall extends CouponCall {
  private definition: CouponDefinition
  private readonly by: string | null
  private triesLeft: number
  private hasCampaign = false

  constructor(ports: OperationPorts, sink: AnswerSink, definition: CouponDefinition, by: string | null, tries: number) {
    super(ports, sink)
    this.definition = definition
    this.by = by
    this.triesLeft = tries
  }

  create(): void {
    const { campaign } = this.definition
    if (campaign === null) this.put()
    else if (campaign.shard >= this.ports.router.shards) this.refuse(campaignNotFound())
    else this.look(campaign.shard, { type: COMMAND.GET_CAMPAIGN, index: campaign.index })
  }

  protected override campaignRead(campaign: CampaignOutcome): void {
    if (this.hasCampaign) {
      super.campaignRead(campaign)
      return
    }
    this.hasCampaign = true
    this.judging(() => {
      refuseWindowBeyond(this.definition, campaign.definition)
      this.put()
    })
  }

  private put(): void {
    this.triesLeft--
    const { definition, by } = this
    this.begin(this.ports.router.shardOfCode(definition.code), { type: COMMAND.CREATE_COUPON, by, definition })
  }

  protected override concluded(shard: number, outcome: Outcome): void {
    const taken = outcome.type === OUTCOME.REFUSED && outcome.refusal === 'CODE_TAKEN'
    if (!taken || this.triesLeft === 0) {
      super.concluded(shard, outcome)
      return
    }
    this.definition = { ...this.definition, code: codeSource(this.ports)(this.definition.campaign) }
    this.put()
  }

  protected override shown(shard: number, outcome: CouponOutcome): void {
    const answer = answerOf(201, couponText(shard, outcome))
    answer.etag = entityTag(outcome)
    answer.location = `/v1/coupons/${formatId('cpn_', shard, outcome.ordinal)}`
    this.answer(answer)
  }
}

/**
 * Reads the coupon, checks the version the client saw, merges, and replaces the definition that was read. Between the
 * two commands somebody else may have changed it: then the shard refuses with VERSION_CONFLICT, as it should be.
 *
 *     coupon ──▶ version ──▶ merged ─┬─ stands alone ─────────────────────────▶ change ──▶ answer
 *                                    └─ of a campaign ──▶ campaign ──▶ window ──┘
 */
class PatchCall extends CouponCall {
  private readonly target: CouponTarget
  private readonly input: OperationInput
  private isRead = false
  /** What waits for its campaign to be read. */
  private change: { readonly shard: number; readonly definition: CouponDefinition; readonly ifVersion: number } | null =
    null

  constructor(ports: OperationPorts, sink: AnswerSink, target: CouponTarget, input: OperationInput) {
    super(ports, sink)
    this.target = target
    this.input = input
  }

  patch(): void {
    this.begin(this.target.shard, { type: COMMAND.GET_COUPON, coupon: this.target.ref })
  }

  protected override whole(shard: number, outcome: CouponOutcome): void {
    if (this.isRead) {
      super.whole(shard, outcome)
      return
    }
    this.isRead = true
    if (!matches(this.input.ifMatch, entityTag(outcome))) {
      this.refuse(problem('VERSION_CONFLICT', `the coupon is at version ${outcome.version} now`))
      return
    }
    this.judging(() => {
      const definition = patchedDefinition(outcome.definition, this.input.body)
      this.change = { shard, definition, ifVersion: outcome.version }
      const { campaign } = definition
      if (campaign === null || !hasWindow(definition)) this.replace()
      else this.look(campaign.shard, { type: COMMAND.GET_CAMPAIGN, index: campaign.index })
    })
  }

  protected override campaignRead(campaign: CampaignOutcome): void {
    const { change } = this
    if (change === null) {
      super.campaignRead(campaign)
      return
    }
    this.judging(() => {
      refuseWindowBeyond(change.definition, campaign.definition)
      this.replace()
    })
  }

  private replace(): void {
    const { change } = this
    if (change === null) return
    this.change = null
    const { shard, definition, ifVersion } = change
    this.begin(shard, {
      type: COMMAND.CHANGE_COUPON,
      coupon: this.target.ref,
      by: this.input.caller.name,
      change: 'PATCHED',
      reason: null,
      ifVersion,
      definition,
      validUntilMs: 0,
      override: false,
    })
  }

  /** The change is there already; what was read is what it made. */
  protected override doneBefore(shard: number, outcome: Outcome): void {
    this.isRead = true
    this.concluded(shard, outcome)
  }
}

function hasWindow({ validFromMs, validUntilMs }: CouponDefinition): boolean {
  return validFromMs !== null || validUntilMs !== null
}

/** The end of a coupon of a campaign cannot lie behind the campaign's, so both are read first. */
class ExtendCall extends CouponCall {
  private readonly change: ChangeCoupon<string>
  private step: 'coupon' | 'campaign' | 'change' = 'coupon'
  private home = 0

  constructor(ports: OperationPorts, sink: AnswerSink, change: ChangeCoupon<string>) {
    super(ports, sink)
    this.change = change
  }

  extend(shard: number): void {
    this.home = shard
    this.begin(shard, { type: COMMAND.GET_COUPON, coupon: this.change.coupon })
  }

  protected override whole(shard: number, outcome: CouponOutcome): void {
    if (this.step !== 'coupon') {
      super.whole(shard, outcome)
      return
    }
    const { campaign } = outcome.definition
    this.step = campaign === null ? 'change' : 'campaign'
    if (campaign === null) this.begin(shard, this.change)
    else this.look(campaign.shard, { type: COMMAND.GET_CAMPAIGN, index: campaign.index })
  }

  protected override campaignRead(campaign: CampaignOutcome): void {
    if (this.step !== 'campaign') {
      super.campaignRead(campaign)
      return
    }
    this.step = 'change'
    const { validUntilMs } = this.change
    this.judging(() => {
      refuseWindowBeyond({ validFromMs: null, validUntilMs }, campaign.definition)
      this.begin(this.home, this.change)
    })
  }

  protected override doneBefore(shard: number, outcome: Outcome): void {
    this.step = 'change'
    this.concluded(shard, outcome)
  }
}

/** Where codes of creations come from that name none. */
function codeSource({ router, random }: OperationPorts): CodeSource {
  return (campaign: CampaignRef | null) =>
    campaign === null || campaign.shard >= router.shards
      ? generatedCode(random)
      : generatedCodeOn(router, campaign.shard, random)
}

export const createCoupon: Operation = {
  name: 'createCoupon',
  roles: ['marketing'],
  start(ports, input, sink) {
    let tries = 1
    const definition = decodeDefinition(input.body, (campaign) => {
      tries = GENERATED_CODE_TRIES
      return codeSource(ports)(campaign)
    })
    new CreateCall(ports, sink, definition, input.caller.name, tries).create()
  },
}

export const patchCoupon: Operation = {
  name: 'patchCoupon',
  roles: ['marketing'],
  start(ports, input, sink) {
    if (input.ifMatch === '') {
      sink.refused(problem('PRECONDITION_REQUIRED', 'send the ETag you saw as If-Match'), '')
      return
    }
    const target = couponTarget(ports.router, input.target)
    if (target === null) sink.refused(couponOfPathNotFound(), '')
    else new PatchCall(ports, sink, target, input).patch()
  },
}

/** A call that is one command on the coupon of the path. */
function operation(
  name: string,
  command: (coupon: CouponTarget['ref'], input: OperationInput) => Command<string>,
  roles: Operation['roles'] = ['marketing'],
): Operation {
  return {
    name,
    roles,
    start(ports: OperationPorts, input: OperationInput, sink: AnswerSink): void {
      const target = couponTargetFor(ports, input.target)
      const asked = command(target?.ref ?? { code: null, ordinal: 0 }, input)
      if (target === null) sink.refused(couponOfPathNotFound(), '')
      else new CouponCall(ports, sink).begin(target.shard, asked)
    },
  }
}

/** Checkouts may look at a coupon as well: a session of theirs has the operation `get`. */
export const getCoupon = operation('getCoupon', (coupon) => ({ type: COMMAND.GET_COUPON, coupon }), [
  'marketing',
  'checkout',
])

export const extendCoupon: Operation = {
  name: 'extendCoupon',
  roles: ['marketing'],
  start(ports, { body, caller, target: named }, sink) {
    const decoded = decodeExtend(body)
    const target = couponTarget(ports.router, named)
    if (target === null) {
      sink.refused(couponOfPathNotFound(), '')
      return
    }
    const change: ChangeCoupon<string> = {
      type: COMMAND.CHANGE_COUPON,
      coupon: target.ref,
      by: caller.name,
      change: 'EXTENDED',
      ifVersion: 0,
      definition: null,
      ...decoded,
    }
    new ExtendCall(ports, sink, change).extend(target.shard)
  },
}

export const expireCoupon = operation('expireCoupon', (coupon, { body, caller }) => ({
  type: COMMAND.CHANGE_COUPON,
  coupon,
  by: caller.name,
  change: 'EXPIRED',
  reason: decodeExpire(body),
  ifVersion: 0,
  definition: null,
  validUntilMs: 0,
  override: false,
}))

function switching(name: string, change: SwitchKind): Operation {
  return operation(name, (coupon, { caller }) => ({ type: COMMAND.SWITCH_COUPON, coupon, by: caller.name, change }))
}

export const disableCoupon = switching('disableCoupon', 'DISABLED')
export const enableCoupon = switching('enableCoupon', 'ENABLED')
export const deleteCoupon = switching('deleteCoupon', 'DELETED')
