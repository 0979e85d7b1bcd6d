/**
 * Calls on a reservation or a redemption that exists, named by its id: read, extend, redeem, release, reverse. Whichever of
 * them is called, the answer is the thing itself, as it stands after the call.
 */
import { decodeExtendReservation, decodeRedeemReservation, decodeReverse } from './decode-checkout.ts'
import { NamingCall } from '../operations/naming-call.ts'
import type { AnswerSink, Operation, OperationInput, OperationPorts } from '../operations/operations.ts'
import { problem } from '../problem.ts'
import { redemptionText, reservationText } from './render-checkout.ts'
import { answerOf, refusalProblem } from '../operations/shard-call.ts'
import { shardedTarget } from '../operations/target.ts'
import { COMMAND, type Command } from '../../protocol/commands.ts'
import { formatId } from '../../protocol/ids.ts'
import { OUTCOME, type Outcome, type Refused } from '../../protocol/outcomes.ts'

class ReceiptCall extends NamingCall {
  private readonly creates: boolean
  private command: Command<string> | null = null

  /** `creates`: an outcome that is not a replay made something new. */
  constructor(ports: OperationPorts, sink: AnswerSink, creates: boolean) {
    super(ports, sink)
    this.creates = creates
  }

  begin(shard: number, command: Command<string>): void {
    this.command = command
    this.send(shard, command)
  }

  protected override decided(shard: number, outcome: Outcome): void {
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
        this.refused(shard, outcome)
        return
      default:
        this.misplaced(outcome)
    }
  }

  /** The redemption of a reservation is a checkout call; the codes are the reservation's. */
  private refused(shard: number, outcome: Refused): void {
    const found = refusalProblem(outcome)
    const { command } = this
    if (command?.type !== COMMAND.REDEEM_RESERVATION) this.refuse(found)
    else {
      const question = { type: COMMAND.GET_RESERVATION, seq: command.reservationSeq } as const
      this.refuseNaming(shard, outcome, found, null, question)
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
