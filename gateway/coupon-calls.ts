/**
 * Calls of those who own coupons: create, read, patch, extend, expire, switch. All answer with the coupon.
 */
import { decodeDefinition, patchedDefinition } from './coupon-json.ts'
import { decodeExpire, decodeExtend } from './decode-coupon.ts'
import { BadField } from './decode-fields.ts'
import { generatedCode } from './generated-code.ts'
import { GENERATED_CODE_TRIES } from './limits.ts'
import type { AnswerSink, Operation, OperationInput, OperationPorts } from './operations.ts'
import { couponOfPathNotFound, invalid, problem } from './problem.ts'
import { couponText, entityTag } from './render-coupon.ts'
import { answerOf, refusalOfPath, ShardCall } from './shard-call.ts'
import { type CouponTarget, couponTarget } from './target.ts'
import { COMMAND, type Command } from '../protocol/commands.ts'
import type { CouponDefinition } from '../protocol/coupon.ts'
import type { SwitchKind } from '../protocol/events.ts'
import { formatId } from '../protocol/ids.ts'
import { type CouponOutcome, OUTCOME, type Outcome } from '../protocol/outcomes.ts'

class CouponCall extends ShardCall {
  begin(shard: number, command: Command<string>): void {
    this.send(shard, command)
  }

  protected override concluded(shard: number, outcome: Outcome): void {
    if (outcome.type === OUTCOME.COUPON) this.shown(shard, outcome)
    else if (outcome.type === OUTCOME.REFUSED) this.refuse(refusalOfPath(outcome))
    else this.misplaced(outcome)
  }

  protected shown(shard: number, outcome: CouponOutcome): void {
    const answer = answerOf(200, couponText(shard, outcome))
    answer.etag = entityTag(outcome)
    this.answer(answer)
  }
}

/** A creation; with a generated code it tries again when that code turns out to be taken. */
class CreateCall extends CouponCall {
  private definition: CouponDefinition
  private readonly by: string | null
  private triesLeft: number

  constructor(ports: OperationPorts, sink: AnswerSink, definition: CouponDefinition, by: string | null, tries: number) {
    super(ports, sink)
    this.definition = definition
    this.by = by
    this.triesLeft = tries
  }

  create(): void {
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
    this.definition = { ...this.definition, code: generatedCode(this.ports.random) }
    this.create()
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
 */
class PatchCall extends CouponCall {
  private readonly target: CouponTarget
  private readonly input: OperationInput
  private isRead = false

  constructor(ports: OperationPorts, sink: AnswerSink, target: CouponTarget, input: OperationInput) {
    super(ports, sink)
    this.target = target
    this.input = input
  }

  patch(): void {
    this.begin(this.target.shard, { type: COMMAND.GET_COUPON, coupon: this.target.ref })
  }

  protected override shown(shard: number, outcome: CouponOutcome): void {
    if (this.isRead) {
      super.shown(shard, outcome)
      return
    }
    this.isRead = true
    if (!matches(this.input.ifMatch, entityTag(outcome))) {
      this.refuse(problem('VERSION_CONFLICT', `the coupon is at version ${outcome.version} now`))
      return
    }
    const definition = this.merged(outcome)
    if (definition === null) return
    this.begin(shard, {
      type: COMMAND.CHANGE_COUPON,
      coupon: this.target.ref,
      by: this.input.caller.name,
      change: 'PATCHED',
      reason: null,
      ifVersion: outcome.version,
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

  /** null: refused. */
  private merged(outcome: CouponOutcome): CouponDefinition | null {
    try {
      return patchedDefinition(outcome.definition, this.input.body)
    } catch (error) {
      if (!(error instanceof BadField)) throw error
      this.refuse(invalid(error.pointer, error.message))
      return null
    }
  }
}

/** RFC 9110: any of a list of tags, compared strongly, or `*`. */
function matches(ifMatch: string, etag: string): boolean {
  return ifMatch.split(',').some((tag) => tag.trim() === etag || tag.trim() === '*')
}

export const createCoupon: Operation = {
  name: 'createCoupon',
  roles: ['marketing'],
  start(ports, input, sink) {
    let tries = 1
    const definition = decodeDefinition(input.body, () => {
      tries = GENERATED_CODE_TRIES
      return generatedCode(ports.random)
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
      const target = couponTarget(ports.router, input.target)
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

export const extendCoupon = operation('extendCoupon', (coupon, { body, caller }) => ({
  type: COMMAND.CHANGE_COUPON,
  coupon,
  by: caller.name,
  change: 'EXTENDED',
  ifVersion: 0,
  definition: null,
  ...decodeExtend(body),
}))

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
