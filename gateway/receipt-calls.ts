/**
 * Calls on a reservation or a redemption that exists, named by its id: read, extend, redeem, release, reverse. Whichever of
 * them is called, the answer is the thing itself, as it stands after the call.
 */
import { decodeExtendReservation, decodeRedeemReservation, decodeReverse } from './decode-checkout.ts'
import type { AnswerSink, Operation, OperationInput, OperationPorts } from './operations.ts'
import { problem } from './problem.ts'
import { redemptionText, reservationText } from './render-checkout.ts'
import { answerOf, refusalProblem, ShardCall } from './shard-call.ts'
import { shardedTarget } from './target.ts'
import { COMMAND, type Command } from '../protocol/commands.ts'
import { formatId } from '../protocol/ids.ts'
import { OUTCOME, type Outcome } from '../protocol/outcomes.ts'

class ReceiptCall extends ShardCall {
  private readonly creates: boolean

  /** `creates`: an outcome that is not a replay made something new. */
  constructor(ports: OperationPorts, sink: AnswerSink, creates: boolean) {
    super(ports, sink)
    this.creates = creates
  }

  begin(shard: number, command: Command<string>): void {
    this.send(shard, command)
  }

  protected override concluded(shard: number, outcome: Outcome): void {
    switch (outcome.type) {
      case OUTCOME.REDEMPTION: {
        const redemptionId = formatId('rdm_', shard, outcome.seq)
        const isNew = this.creates && !outcome.replayed
        const answer = answerOf(isNew ? 201 : 200, redemptionText(shard, redemptionId, outcome))
        answer.replayed = this.creates && outcome.replayed
        if (isNew) answer.location = `/v1/redemptions/${redemptionId}`
        this.answer(answer)
        return
      }
      case OUTCOME.RESERVATION:
        this.answer(answerOf(200, reservationText(shard, outcome)))
        return
      case OUTCOME.RELEASED:
        this.answer(answerOf(204, ''))
        return
      case OUTCOME.REFUSED:
        this.refuse(refusalProblem(outcome))
        return
      default:
        this.misplaced(outcome)
    }
  }
}

type Named = 'rsv_' | 'rdm_'

const NOT_FOUND = {
  rsv_: problem('RESERVATION_NOT_FOUND', 'there is no such reservation'),
  rdm_: problem('REDEMPTION_NOT_FOUND', 'there is no such redemption'),
} as const

function operation(name: string, prefix: Named, command: (seq: number, body: unknown) => Command<string>): Operation {
  return {
    name,
    roles: ['checkout'],
    start(ports: OperationPorts, input: OperationInput, sink: AnswerSink): void {
      const id = shardedTarget(ports.router, prefix, input.target)
      // The body is judged first: a broken request is a broken request, whatever it names.
      const asked = command(id?.number ?? 0, input.body)
      if (id === null) sink.refused(NOT_FOUND[prefix], '')
      else new ReceiptCall(ports, sink, asked.type === COMMAND.REDEEM_RESERVATION).begin(id.shard, asked)
    },
  }
}

export const getReservation = operation('getReservation', 'rsv_', (seq) => ({ type: COMMAND.GET_RESERVATION, seq }))

export const getRedemption = operation('getRedemption', 'rdm_', (seq) => ({ type: COMMAND.GET_REDEMPTION, seq }))

export const releaseReservation = operation('releaseReservation', 'rsv_', (reservationSeq) => ({
  type: COMMAND.RELEASE,
  reservationSeq,
}))

export const extendReservation = operation('extendReservation', 'rsv_', (reservationSeq, body) => ({
  type: COMMAND.EXTEND_RESERVATION,
  reservationSeq,
  ttlSeconds: decodeExtendReservation(body),
}))

export const redeemReservation = operation('redeemReservation', 'rsv_', (reservationSeq, body) => {
  const { orderId, cart, allowLate } = decodeRedeemReservation(body)
  return { type: COMMAND.REDEEM_RESERVATION, reservationSeq, order: orderId, cart, allowLate }
})

export const reverseRedemption = operation('reverseRedemption', 'rdm_', (redemptionSeq, body) => ({
  type: COMMAND.REVERSE,
  redemptionSeq,
  ...decodeReverse(body),
}))
