/**
 * ShardCall: one operation under way, from its first command to the one answer. A small object a call instead of closures.
 *
 * It owns what every operation has in common: sending a command, telling the ways a call can end without an outcome, and
 * telling the sink once. What stands between is `concluded` of the operations.
 * Must never happen here: a decision about a coupon. A refusal is handed through, not made.
 */
import { positionText } from '../json/json-text.ts'
import type { Answer, AnswerSink, OperationPorts } from './operations.ts'
import { OVERLOADED_RETRY_AFTER_S } from '../limits.ts'
import { type Problem, problem } from '../problem.ts'
import { StatusCheck } from '../guard/uniform-check.ts'
import { doubtfulVerdicts, uniformOutcome, verdictsOf } from '../guard/uniform-refusals.ts'
import { type ReplyHandler, SETTLED, type Settled } from '../../engine/transport/port.ts'
import type { ByteReader } from '../../protocol/bytes.ts'
import { writeCommand } from '../../protocol/command-codec.ts'
import type { Command } from '../../protocol/commands.ts'
import { readOutcome } from '../../protocol/outcome-codec.ts'
import { OUTCOME, type Outcome, type Refused, type Verdict } from '../../protocol/outcomes.ts'
import type { RefusalCode } from '../../protocol/refusals.ts'

const UNSETTLED: Readonly<Record<Exclude<Settled, typeof SETTLED.ANSWERED>, Problem>> = {
  [SETTLED.NOT_DONE_OVERLOADED]: {
    ...problem('OVERLOADED', 'nothing was done; too many calls are waiting'),
    retryAfterSeconds: OVERLOADED_RETRY_AFTER_S,
  },
  [SETTLED.NOT_DONE_UNAVAILABLE]: problem('SHARD_UNAVAILABLE', 'nothing was done; the shard cannot be reached now'),
  [SETTLED.UNKNOWN]: problem('OUTCOME_UNKNOWN', 'it may have been done; retry with the same order or key'),
  [SETTLED.STORAGE]: problem('STORAGE_UNAVAILABLE', 'it may have been done; retry with the same order or key'),
}

/** Why a call ended without an outcome. */
export function unsettledProblem(kind: Settled): Problem {
  return kind === SETTLED.ANSWERED ? problem('INTERNAL_ERROR', 'an answer was taken for a failure') : UNSETTLED[kind]
}

/** The one answer object: valid while a sink looks at it, then used again. */
const scratch: Answer = { status: 200, body: '', position: '', replayed: false, location: '', etag: '' }

/** An answer with everything but status and body at rest. */
export function answerOf(status: Answer['status'], body: string): Answer {
  scratch.status = status
  scratch.body = body
  scratch.position = ''
  scratch.replayed = false
  scratch.location = ''
  scratch.etag = ''
  scratch.wrongCodes = 0
  return scratch
}

export abstract class ShardCall implements ReplyHandler {
  protected readonly ports: OperationPorts
  protected position = ''
  /** When the shard that spoke last judged, by its clock. */
  protected judgedAtMs = 0
  private readonly sink: AnswerSink
  private told = false

  constructor(ports: OperationPorts, sink: AnswerSink) {
    this.ports = ports
    this.sink = sink
  }

  protected send(shard: number, command: Command<string>): void {
    const { writer, transport } = this.ports
    writer.clear()
    writeCommand(writer, command)
    transport.call(shard, writer.buf, writer.pos, this)
  }

  /** A read beside the operation: with an Idempotency-Key it does not carry the operation's name, so it is what it is now. */
  protected look(shard: number, command: Command<string>): void {
    const { writer, transport, plainTransport = transport } = this.ports
    writer.clear()
    writeCommand(writer, command)
    plainTransport.call(shard, writer.buf, writer.pos, this)
  }

  settled(kind: Settled, reply: ByteReader): void {
    if (kind !== SETTLED.ANSWERED) {
      this.refuse(UNSETTLED[kind])
      return
    }
    try {
      const shard = reply.u16()
      const seq = reply.varint()
      this.judgedAtMs = reply.varint()
      this.position = positionText(shard, seq, this.judgedAtMs)
      this.read(shard, reply)
    } catch (error) {
      // The shard decided and this program cannot say what: only a retry of the same order may find out.
      this.refuse(problem('OUTCOME_UNKNOWN', 'it may have been done, but the answer could not be read'))
      this.ports.failed(error)
    }
  }

  /** Reads the outcome, which the reader stands before. Calls with a leaner way to read override it. */
  protected read(shard: number, reply: ByteReader): void {
    let outcome = readOutcome(reply)
    if (outcome.type === OUTCOME.ACROSS) {
      const { positions } = outcome
      outcome = outcome.outcome
      if (isJudged(outcome))
        for (const each of positions) this.position += `, ${positionText(each.shard, each.seq, each.timeMs)}`
    }
    if (outcome.type === OUTCOME.DONE_BEFORE) this.doneBefore(shard, outcome.outcome)
    else if (this.ports.isUniform === true && this.isAboutCodes) this.concludeUniform(shard, outcome)
    else this.concluded(shard, outcome)
  }

  /** Whether the client has sent codes, and might be trying them. */
  protected get isAboutCodes(): boolean {
    return false
  }

  /** Where the coupon of a verdict lives. */
  protected shardOfVerdict(shard: number, _index: number): number {
    return shard
  }

  /** Tells what such a caller may know, perhaps after a question more. */
  private concludeUniform(shard: number, outcome: Outcome): void {
    const doubtful = doubtfulVerdicts(outcome)
    if (doubtful.length === 0) {
      this.concluded(shard, uniformOutcome(outcome, []))
      return
    }
    const verdicts = verdictsOf(outcome)
    const asked = doubtful.map((index) => {
      const { ordinal } = verdicts[index] as Verdict
      return { index, shard: this.shardOfVerdict(shard, index), ordinal }
    })
    const done = (unusable: readonly number[]): void => this.concluded(shard, uniformOutcome(outcome, unusable))
    new StatusCheck(this.ports, asked, done).next()
  }

  /**
   * An earlier try of this operation was done, and nobody was told. Calls of several commands override it where what comes
   * back is not the answer to the command that was sent.
   */
  protected doneBefore(shard: number, outcome: Outcome): void {
    this.concluded(shard, outcome)
  }

  protected abstract concluded(shard: number, outcome: Outcome): void

  /** For an outcome that the command cannot have. */
  protected misplaced(outcome: Outcome): never {
    throw new Error(`an outcome of type ${outcome.type} answers no command of this call`)
  }

  protected answer(answer: Answer): void {
    if (this.told) return
    this.told = true
    answer.position = this.position
    this.sink.answered(answer)
  }

  protected refuse(found: Problem): void {
    if (this.told) return
    this.told = true
    this.sink.refused(found, this.position)
  }
}

/** A shard's refusal of a call whose codes, if any, the client does not need to be told. */
export function refusalProblem(outcome: Refused): Problem {
  return {
    ...problem(outcome.refusal, outcome.detail),
    retryAfterSeconds: retryAfterSeconds(outcome.refusal, outcome.retryAfterMs),
  }
}

/** The same for a coupon that stood in the path: what is not there is 404. */
export function refusalOfPath(outcome: Refused): Problem {
  const found = refusalProblem(outcome)
  return outcome.refusal === 'COUPON_NOT_FOUND' ? { ...found, status: 404 } : found
}

/** At least 1 where it is known or the contract promises it. */
function retryAfterSeconds(refusal: RefusalCode, retryAfterMs: number): number {
  if (retryAfterMs === 0 && refusal !== 'COUPON_LOCKED') return 0
  return Math.max(1, Math.ceil(retryAfterMs / 1_000))
}

/** Made from what several shards said, and logged nowhere: whoever asks why has to know what each of them saw. */
function isJudged(outcome: Outcome): boolean {
  return outcome.type === OUTCOME.REFUSED || outcome.type === OUTCOME.VALIDATED
}

export function isRefused(outcome: Outcome): outcome is Refused {
  return outcome.type === OUTCOME.REFUSED
}
