/**
 * The form for one coupon, named in the path by code or id: validate, lock, redeem. Lock and redeem are hot.
 */
import { checkoutCommand } from './checkout-calls.ts'
import { type CheckoutInput, decodeOneCoupon, decodeValidateQuery } from './decode-checkout.ts'
import { NamingCall } from '../operations/naming-call.ts'
import type { AnswerSink, Operation, OperationInput, OperationPorts } from '../operations/operations.ts'
import { couponOfPathNotFound } from '../problem.ts'
import { lockText, successText, validatedText } from './render-checkout.ts'
import { answerOf, refusalOfPath, ShardCall } from '../operations/shard-call.ts'
import { couponTargetFor } from '../operations/target.ts'
import { COMMAND, type CouponRef } from '../../protocol/commands.ts'
import { formatId } from '../../protocol/ids.ts'
import { OUTCOME, type Outcome, type Refused } from '../../protocol/outcomes.ts'

class OneCouponCall extends NamingCall {
  private readonly ref: CouponRef<string>

  constructor(ports: OperationPorts, sink: AnswerSink, ref: CouponRef<string>) {
    super(ports, sink)
    this.ref = ref
  }

  protected override get isAboutCodes(): boolean {
    return true
  }

  begin(shard: number, type: typeof COMMAND.RESERVE | typeof COMMAND.REDEEM, input: CheckoutInput): void {
    this.send(shard, checkoutCommand(type, [this.ref], input))
  }

  protected override decided(shard: number, outcome: Outcome): void {
    switch (outcome.type) {
      case OUTCOME.REDEMPTION: {
        const redemptionId = formatId('rdm_', shard, outcome.seq)
        const answer = answerOf(outcome.replayed ? 200 : 201, successText(redemptionId, outcome))
        answer.replayed = outcome.replayed
        if (!outcome.replayed) answer.location = `/v1/redemptions/${redemptionId}`
        this.answer(answer)
        return
      }
      case OUTCOME.RESERVATION: {
        const answer = answerOf(outcome.again ? 200 : 201, lockText(shard, outcome))
        if (!outcome.again) answer.location = `/v1/reservations/${formatId('rsv_', shard, outcome.seq)}`
        this.answer(answer)
        return
      }
      case OUTCOME.REFUSED:
        this.refused(shard, outcome)
        return
      default:
        this.misplaced(outcome)
    }
  }

  /** A path that leads nowhere is no verdict on a coupon. */
  private refused(shard: number, outcome: Refused): void {
    const found = refusalOfPath(outcome)
    const { ref } = this
    if (outcome.refusal === 'COUPON_NOT_FOUND') this.refuse(found)
    else {
      const codes = ref.code === null ? null : [ref.code]
      this.refuseNaming(shard, outcome, found, codes, { type: COMMAND.GET_COUPON, coupon: ref })
    }
  }
}

/** Judges one coupon; by id it first has to learn the code, which the answer names and a verdict does not. */
class ValidateOneCall extends ShardCall {
  private readonly input: CheckoutInput
  private code: string | null

  constructor(ports: OperationPorts, sink: AnswerSink, input: CheckoutInput, code: string | null) {
    super(ports, sink)
    this.input = input
    this.code = code
  }

  protected override get isAboutCodes(): boolean {
    return true
  }

  begin(shard: number, ref: CouponRef<string>): void {
    if (this.code === null) this.send(shard, { type: COMMAND.GET_COUPON, coupon: ref })
    else this.send(shard, checkoutCommand(COMMAND.VALIDATE, [ref], this.input))
  }

  protected override concluded(shard: number, outcome: Outcome): void {
    switch (outcome.type) {
      case OUTCOME.COUPON:
        this.code = outcome.definition.code
        this.begin(shard, { code: this.code, ordinal: -1 })
        return
      case OUTCOME.VALIDATED:
        if (this.code === null || outcome.verdicts[0]?.refusal === 'COUPON_NOT_FOUND')
          this.refuse(couponOfPathNotFound())
        else this.answer(answerOf(200, validatedText(shard, [this.code], outcome.verdicts, outcome.price)))
        return
      case OUTCOME.REFUSED:
        this.refuse(refusalOfPath(outcome))
        return
      default:
        this.misplaced(outcome)
    }
  }
}

function operation(name: string, type: typeof COMMAND.RESERVE | typeof COMMAND.REDEEM): Operation {
  return {
    name,
    roles: ['checkout'],
    start(ports: OperationPorts, input: OperationInput, sink: AnswerSink): void {
      const decoded = decodeOneCoupon(input.body, type === COMMAND.REDEEM)
      const target = couponTargetFor(ports, input.target)
      if (target === null) sink.refused(couponOfPathNotFound(), '')
      else new OneCouponCall(ports, sink, target.ref).begin(target.shard, type, decoded)
    },
  }
}

export const lockCoupon = operation('lockCoupon', COMMAND.RESERVE)
export const redeemCoupon = operation('redeemCoupon', COMMAND.REDEEM)

export const validateCoupon: Operation = {
  name: 'validateCoupon',
  roles: ['checkout'],
  start(ports, input, sink) {
    const decoded = decodeValidateQuery(input.query)
    const target = couponTargetFor(ports, input.target)
    if (target === null) sink.refused(couponOfPathNotFound(), '')
    else new ValidateOneCall(ports, sink, decoded, target.ref.code).begin(target.shard, target.ref)
  },
}
