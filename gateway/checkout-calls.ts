/**
 * The three calls with codes: validate, reserve, redeem. Hot.
 *
 * When all codes live on one shard, which is always so for one code, the shard gets one command. A cart with codes on
 * several shards is judged by quotes (`quotes.ts`).
 */
import { type CheckoutInput, decodeRedeem, decodeReserve, decodeValidate } from './decode-checkout.ts'
import type { AnswerSink, Operation, OperationInput, OperationPorts } from './operations.ts'
import type { Problem } from './problem.ts'
import { startQuotes } from './quotes.ts'
import { redemptionText, reservationText, validatedText, verdictsText } from './render-checkout.ts'
import { answerOf, refusalProblem, ShardCall } from './shard-call.ts'
import type { CheckoutScanner } from './scan-checkout.ts'
import type { Router } from '../engine/routing.ts'
import { type CheckoutCommand, COMMAND, type CouponRef } from '../protocol/commands.ts'
import { formatId } from '../protocol/ids.ts'
import { OUTCOME, type Outcome, type Refused } from '../protocol/outcomes.ts'

type CheckoutType = CheckoutCommand['type']

/** The operations here; QUOTE is a way to do one of them. */
type CodesType = Exclude<CheckoutType, typeof COMMAND.QUOTE>

class CodesCall extends ShardCall {
  private readonly codes: readonly string[]

  constructor(ports: OperationPorts, sink: AnswerSink, codes: readonly string[]) {
    super(ports, sink)
    this.codes = codes
  }

  begin(shard: number, type: CheckoutType, input: CheckoutInput): void {
    this.send(shard, checkoutCommand(type, refsOf(input.codes), input))
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
        this.answer(answerOf(200, validatedText(shard, this.codes, outcome.verdicts, outcome.price)))
        return
      }
      case OUTCOME.RESERVATION: {
        const answer = answerOf(outcome.again ? 200 : 201, reservationText(shard, outcome))
        if (!outcome.again) answer.location = `/v1/reservations/${formatId('rsv_', shard, outcome.seq)}`
        this.answer(answer)
        return
      }
      case OUTCOME.REFUSED:
        this.refuse(refusalOfCodes(shard, this.codes, outcome))
        return
      default:
        this.misplaced(outcome)
    }
  }
}

function refusalOfCodes(shard: number, codes: readonly string[], outcome: Refused): Problem {
  const only = codes.length === 1 ? 0 : -1
  const place = outcome.couponIndex >= 0 ? outcome.couponIndex : only
  return {
    ...refusalProblem(outcome),
    coupon: codes[place] ?? null,
    couponsJson: outcome.verdicts === null ? null : verdictsText(shard, codes, outcome.verdicts),
  }
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

function operation(name: string, type: CodesType, decode: (body: unknown) => CheckoutInput): Operation {
  return {
    name,
    roles: ['checkout'],
    start(ports: OperationPorts, input: OperationInput, sink: AnswerSink): void {
      const decoded = decode(input.body)
      const shard = decoded.malformed ? -1 : commonShard(ports.router, decoded.codes)
      if (shard >= 0) new CodesCall(ports, sink, decoded.codes).begin(shard, type, decoded)
      else startQuotes(ports, sink, decoded, type !== COMMAND.VALIDATE)
    },
    startBytes(ports: OperationPorts, scanner: CheckoutScanner, bytes: Uint8Array, sink: AnswerSink): boolean {
      if (!scanner.scan(type, bytes, ports.writer)) return false
      new CodesCall(ports, sink, [scanner.code]).beginWritten(scanner.shard)
      return true
    },
  }
}

/** The shard that all codes live on; -1 when there are several. */
function commonShard(router: Router, codes: readonly string[]): number {
  const shard = router.shardOfCode(codes[0] as string)
  for (let i = 1; i < codes.length; i++) if (router.shardOfCode(codes[i] as string) !== shard) return -1
  return shard
}

export const validate = operation('validate', COMMAND.VALIDATE, decodeValidate)
export const reserve = operation('reserve', COMMAND.RESERVE, decodeReserve)
export const redeem = operation('redeem', COMMAND.REDEEM, decodeRedeem)
