/**
 * The three calls with codes: validate, reserve, redeem. Hot.
 *
 * When all codes live on one shard, which is always so for one code, that shard decides. Where they live on several, the lowest
 * of them coordinates, and hears of codes that cannot exist too, since its answer says of each what is the matter.
 */
import { type CheckoutInput, decodeRedeem, decodeReserve, decodeValidate } from './decode-checkout.ts'
import type { AnswerSink, CallGate, Operation, OperationInput, OperationPorts } from '../operations/operations.ts'
import type { Problem } from '../problem.ts'
import { redemptionText, reservationText, type ShardsOfCodes, validatedText, verdictsText } from './render-checkout.ts'
import { answerOf, refusalProblem, ShardCall } from '../operations/shard-call.ts'
import type { CheckoutScanner } from './scan-checkout.ts'
import type { Router } from '../../engine/routing.ts'
import { codeFault } from '../../protocol/codes.ts'
import { type CheckoutCommand, COMMAND, type CouponRef, NO_SHARD } from '../../protocol/commands.ts'
import { formatId } from '../../protocol/ids.ts'
import { OUTCOME, type Outcome, type Refused, type Verdict } from '../../protocol/outcomes.ts'

type CheckoutType = CheckoutCommand['type']

class CodesCall extends ShardCall {
  private readonly codes: readonly string[]
  /** Where they live. */
  private readonly shards: ShardsOfCodes

  constructor(ports: OperationPorts, sink: AnswerSink, codes: readonly string[], shards: ShardsOfCodes) {
    super(ports, sink)
    this.codes = codes
    this.shards = shards
  }

  begin(type: CheckoutType, input: CheckoutInput): void {
    const call = checkoutCommand(type, refsOf(input.codes), input)
    const { shards } = this
    if (typeof shards === 'number') this.send(shards, call)
    else this.send(coordinatorOf(shards), { type: COMMAND.STACK, shards, call })
  }

  protected override get isAboutCodes(): boolean {
    return true
  }

  protected override shardOfVerdict(_shard: number, index: number): number {
    return typeof this.shards === 'number' ? this.shards : (this.shards[index] as number)
  }

  /** For a command that stands in the writer already. */
  beginWritten(shard: number): void {
    const { transport, writer } = this.ports
    transport.call(shard, writer.buf, writer.pos, this)
  }

  protected override concluded(shard: number, outcome: Outcome): void {
    switch (outcome.type) {
      case OUTCOME.REDEMPTION: {
        const redemptionId = formatId('rdm_', shard, outcome.seq)
        const answer = answerOf(outcome.replayed ? 200 : 201, redemptionText(shard, redemptionId, outcome))
        answer.replayed = outcome.replayed
        if (!outcome.replayed) answer.location = `/v1/redemptions/${redemptionId}`
        this.answer(answer)
        return
      }
      case OUTCOME.VALIDATED: {
        const answer = answerOf(200, validatedText(this.shards, this.codes, outcome.verdicts, outcome.price))
        answer.wrongCodes = wrongCodesIn(outcome.verdicts)
        this.answer(answer)
        return
      }
      case OUTCOME.RESERVATION: {
        const answer = answerOf(outcome.again ? 200 : 201, reservationText(shard, outcome))
        if (!outcome.again) answer.location = `/v1/reservations/${formatId('rsv_', shard, outcome.seq)}`
        this.answer(answer)
        return
      }
      case OUTCOME.REFUSED:
        this.refuse(refusalOfCodes(this.shards, this.codes, outcome))
        return
      default:
        this.misplaced(outcome)
    }
  }
}

function refusalOfCodes(shards: ShardsOfCodes, codes: readonly string[], outcome: Refused): Problem {
  const only = codes.length === 1 ? 0 : -1
  const place = outcome.couponIndex >= 0 ? outcome.couponIndex : only
  return {
    ...refusalProblem(outcome),
    coupon: codes[place] ?? null,
    couponsJson: outcome.verdicts === null ? null : verdictsText(shards, codes, outcome.verdicts),
    ...(outcome.verdicts === null ? {} : { wrongCodes: wrongCodesIn(outcome.verdicts) }),
  }
}

/** Codes that do not exist. */
function wrongCodesIn(verdicts: readonly Verdict[]): number {
  let count = 0
  for (let i = 0; i < verdicts.length; i++) if ((verdicts[i] as Verdict).refusal === 'COUPON_NOT_FOUND') count++
  return count
}

export function checkoutCommand(
  type: CheckoutType,
  coupons: readonly CouponRef<string>[],
  input: CheckoutInput,
): CheckoutCommand<string> {
  return {
    type,
    coupons,
    user: input.userId,
    order: input.orderId,
    cart: input.cart,
    ttlSeconds: type === COMMAND.RESERVE ? input.ttlSeconds : 0,
  }
}

export function refsOf(codes: readonly string[]): CouponRef<string>[] {
  const refs: CouponRef<string>[] = []
  for (let i = 0; i < codes.length; i++) refs.push({ code: codes[i] as string, ordinal: -1 })
  return refs
}

function operation(name: string, type: CheckoutType, decode: (body: unknown) => CheckoutInput): Operation {
  return {
    name,
    roles: ['checkout'],
    start(ports: OperationPorts, input: OperationInput, sink: AnswerSink): void {
      const decoded = decode(input.body)
      new CodesCall(ports, sink, decoded.codes, shardsOf(ports.router, decoded.codes)).begin(type, decoded)
    },
    startBytes(
      ports: OperationPorts,
      scanner: CheckoutScanner,
      bytes: Uint8Array,
      sink: AnswerSink,
      gate: CallGate | null,
    ): boolean {
      if (!scanner.scan(type, bytes, ports.writer)) return false
      const found = gate === null ? null : gate.admit(scanner.userId())
      if (found !== null) sink.refused(found, '')
      else new CodesCall(ports, sink, [scanner.code], scanner.shard).beginWritten(scanner.shard)
      return true
    },
  }
}

/** Where each code lives, or one number when that is the same for all; NO_SHARD for a code that cannot exist. */
function shardsOf(router: Router, codes: readonly string[]): ShardsOfCodes {
  const shards: number[] = []
  let isOne = true
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i] as string
    shards.push(codeFault(code) === null ? router.shardOfCode(code) : NO_SHARD)
    if (shards[i] !== shards[0]) isOne = false
  }
  return isOne && shards[0] !== NO_SHARD ? (shards[0] as number) : shards
}

/** The lowest shard; where no code can exist, any will say so. */
function coordinatorOf(shards: readonly number[]): number {
  const lowest = Math.min(...shards)
  return lowest === NO_SHARD ? 0 : lowest
}

export const validate = operation('validate', COMMAND.VALIDATE, decodeValidate)
export const reserve = operation('reserve', COMMAND.RESERVE, decodeReserve)
export const redeem = operation('redeem', COMMAND.REDEEM, decodeRedeem)
