/**
 * Asks for the status of coupons before a refusal is told that may hide that they cannot be used at all. Only where refusals
 * are uniform, and only for refusals of a cart: a hop more for those.
 *
 * A coupon that is all reserved now counts as usable: it may well be this buyer who has reserved it.
 */
import type { OperationPorts } from '../operations/operations.ts'
import { isUsable } from './uniform-refusals.ts'
import { type ReplyHandler, SETTLED, type Settled } from '../../engine/transport/port.ts'
import type { ByteReader } from '../../protocol/bytes.ts'
import { writeCommand } from '../../protocol/command-codec.ts'
import { COMMAND } from '../../protocol/commands.ts'
import { readOutcome, readPosition } from '../../protocol/outcome-codec.ts'
import { OUTCOME } from '../../protocol/outcomes.ts'

/** A verdict whose coupon is asked about. */
export interface Asked {
  /** Of the verdict. */
  readonly index: number
  readonly shard: number
  readonly ordinal: number
}

export class StatusCheck implements ReplyHandler {
  private readonly ports: OperationPorts
  private readonly asked: readonly Asked[]
  private readonly done: (unusable: readonly number[]) => void
  private readonly unusable: number[] = []
  private at = 0

  /** `done` gets the indexes of verdicts whose coupons cannot be used, or could not be asked about. */
  constructor(ports: OperationPorts, asked: readonly Asked[], done: (unusable: readonly number[]) => void) {
    this.ports = ports
    this.asked = asked
    this.done = done
  }

  /** One after the other: they are few. */
  next(): void {
    const asked = this.asked[this.at]
    if (asked === undefined) {
      this.done(this.unusable)
      return
    }
    const { writer, transport } = this.ports
    writer.clear()
    writeCommand(writer, { type: COMMAND.GET_COUPON, coupon: { code: null, ordinal: asked.ordinal } })
    transport.call(asked.shard, writer.buf, writer.pos, this)
  }

  settled(kind: Settled, reply: ByteReader): void {
    const asked = this.asked[this.at++]
    if (asked !== undefined && !this.isUsable(kind, reply)) this.unusable.push(asked.index)
    this.next()
  }

  private isUsable(kind: Settled, reply: ByteReader): boolean {
    if (kind !== SETTLED.ANSWERED) return false
    readPosition(reply)
    const outcome = readOutcome(reply)
    return outcome.type === OUTCOME.COUPON && isUsable(outcome.status)
  }
}
