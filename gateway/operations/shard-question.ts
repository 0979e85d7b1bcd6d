/**
 * One question to a shard as a promise, for calls that ask many in a row. Calls of the hot path are `ShardCall`s instead.
 */
import { positionText } from '../json/json-text.ts'
import type { OperationPorts } from './operations.ts'
import type { Problem } from '../problem.ts'
import { refusalProblem, unsettledProblem } from './shard-call.ts'
import { type ReplyHandler, SETTLED, type Settled } from '../../engine/transport/port.ts'
import type { ByteReader } from '../../protocol/bytes.ts'
import { writeCommand } from '../../protocol/command-codec.ts'
import type { Command } from '../../protocol/commands.ts'
import { readOutcome, readPosition } from '../../protocol/outcome-codec.ts'
import { OUTCOME, type Outcome } from '../../protocol/outcomes.ts'

export interface ShardReply {
  readonly outcome: Outcome
  /** `shard:seq@timeMs` */
  readonly position: string
  /** The shard's time when it answered. */
  readonly atMs: number
}

/** The call ends with this problem. */
export class Refusal extends Error {
  readonly found: Problem
  readonly position: string
  override readonly name = 'Refusal'
  constructor(found: Problem, position = '') {
    super(found.detail)
    this.found = found
    this.position = position
  }
}

/** What a shard answers; throws a Refusal where it refuses or cannot answer. */
export async function askShard(ports: OperationPorts, shard: number, command: Command<string>): Promise<ShardReply> {
  const { writer, transport } = ports
  return await new Promise((resolve, reject) => {
    writer.clear()
    writeCommand(writer, command)
    transport.call(shard, writer.buf, writer.pos, new Question(resolve, reject))
  })
}

class Question implements ReplyHandler {
  private readonly resolve: (reply: ShardReply) => void
  private readonly reject: (error: Error) => void

  constructor(resolve: (reply: ShardReply) => void, reject: (error: Error) => void) {
    this.resolve = resolve
    this.reject = reject
  }

  settled(kind: Settled, reply: ByteReader): void {
    if (kind !== SETTLED.ANSWERED) {
      this.reject(new Refusal(unsettledProblem(kind)))
      return
    }
    try {
      const { shard, seq, timeMs } = readPosition(reply)
      const position = positionText(shard, seq, timeMs)
      let outcome = readOutcome(reply)
      if (outcome.type === OUTCOME.ACROSS || outcome.type === OUTCOME.DONE_BEFORE) outcome = outcome.outcome
      if (outcome.type === OUTCOME.REFUSED) this.reject(new Refusal(refusalProblem(outcome), position))
      else this.resolve({ outcome, position, atMs: timeMs })
    } catch (cause) {
      this.reject(new Error('the answer of a shard could not be read', { cause }))
    }
  }
}
