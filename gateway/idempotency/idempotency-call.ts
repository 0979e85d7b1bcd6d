/**
 * KeyedCall: one call with an `Idempotency-Key`, from the claim of its key to the answer that is logged before it is told.
 *
 *     CLAIM_KEY ─┬─ answered before ─────────────────────────────▶ that answer, as a replay
 *                ├─ another request ──▶ IDEMPOTENCY_KEY_CONFLICT
 *                ├─ under way ──▶ pause, ask again, at last OUTCOME_UNKNOWN
 *                └─ ours ──▶ the operation ─┬─ decided ──▶ ANSWER_KEY ──▶ told
 *                                           ├─ malformed after all ──▶ ANSWER_KEY with nothing ──▶ told, the key is free
 *                                           └─ undecided ──▶ LET_GO_KEY, told; a retry takes the claim over
 *
 * It stands between the operation and the one who called: a sink to the former, and to the latter what the operation would
 * have been. Must never happen here: a decided answer that is told before its shard has it on disk.
 */
import {
  answerOfRecord,
  isKept,
  isRefusal,
  problemOfRecord,
  recordOfAnswer,
  recordOfProblem,
} from './idempotency-answers.ts'
import { portsOfOperation } from './idempotency-ports.ts'
import { positionText } from '../json/json-text.ts'
import { KEY_PAUSE_FIRST_MS, KEY_PAUSE_MS_MAX, KEY_WAIT_MS_MAX } from '../limits.ts'
import type { Answer, AnswerSink, Operation, OperationInput, OperationPorts } from '../operations/operations.ts'
import { type Problem, problem } from '../problem.ts'
import { refusalProblem, unsettledProblem } from '../operations/shard-call.ts'
import { startOperation } from '../operations/start-operation.ts'
import { type ReplyHandler, SETTLED, type Settled } from '../../engine/transport/port.ts'
import type { ByteReader, Bytes } from '../../protocol/bytes.ts'
import { writeCommand } from '../../protocol/command-codec.ts'
import { type ClaimKey, COMMAND, type Command } from '../../protocol/commands.ts'
import { readOutcome, readPosition } from '../../protocol/outcome-codec.ts'
import { OUTCOME } from '../../protocol/outcomes.ts'
import type { RecordedAnswer } from '../../protocol/recorded-answer.ts'

const STILL_BUSY = problem(
  'OUTCOME_UNKNOWN',
  'another call with this Idempotency-Key is under way; retry with the same key',
)
const NOT_KEPT = problem('OUTCOME_UNKNOWN', 'it may have been done; retry with the same Idempotency-Key')

/** For messages whose end nobody waits for. */
const NOBODY: ReplyHandler = { settled: () => {} }

export interface KeyedRequest {
  readonly operation: Operation
  readonly input: OperationInput
  readonly key: string
  /** SHA-256 of what is asked. */
  readonly digest: Uint8Array
  /** Name of the operation if this is the first call with its key: 16 random bytes. */
  readonly name: Uint8Array
  /** What this very call is called in a refusal's body. */
  readonly requestId: string
}

export class KeyedCall implements AnswerSink {
  private readonly ports: OperationPorts
  private readonly sink: AnswerSink
  private readonly request: KeyedRequest
  private readonly shard: number
  private readonly scope: string | null
  private claimSeq = 0
  private told = false
  private pauseMs = KEY_PAUSE_FIRST_MS
  private waitedMs = 0
  private readonly claimed: ReplyHandler = { settled: (kind, reply) => this.guarded(() => this.onClaim(kind, reply)) }

  constructor(ports: OperationPorts, sink: AnswerSink, request: KeyedRequest) {
    this.ports = ports
    this.sink = sink
    this.request = request
    this.scope = request.input.caller.keyId
    this.shard = ports.router.shardOfKey(this.scope, request.key)
  }

  /** Asks for the key; everything else follows. */
  begin(): void {
    const { key, digest, name } = this.request
    const claim: ClaimKey = {
      type: COMMAND.CLAIM_KEY,
      scope: this.scope,
      key,
      digest: rangeOf(digest),
      operation: rangeOf(name),
    }
    this.send(claim, this.claimed)
  }

  /** The operation was done. */
  answered(answer: Answer): void {
    const record = recordOfAnswer(answer)
    this.keep(record, () => this.tellAnswer(answerOfRecord(record, false)))
  }

  /** The operation was refused, for good or for now. */
  refused(found: Problem, position: string): void {
    const tell = (): void => this.tellRefusal(found, position)
    if (isKept(found.status)) {
      this.keep(recordOfProblem(found, position, this.request.requestId), tell)
    } else if (found.status < 500) {
      this.keep(null, tell)
    } else {
      this.letGo()
      tell()
    }
  }

  private onClaim(kind: Settled, reply: ByteReader): void {
    if (kind !== SETTLED.ANSWERED) {
      this.tellRefusal(unsettledProblem(kind), '')
      return
    }
    const { shard, seq, timeMs } = readPosition(reply)
    const position = positionText(shard, seq, timeMs)
    const outcome = readOutcome(reply)
    switch (outcome.type) {
      case OUTCOME.KEY_CLAIMED:
        this.claimSeq = outcome.claimSeq
        this.run(outcome.operation)
        return
      case OUTCOME.KEY_ANSWERED:
        this.replay(outcome.answer)
        return
      case OUTCOME.KEY_BUSY:
        if (!this.paused(() => this.begin())) this.tellRefusal(STILL_BUSY, position)
        return
      case OUTCOME.REFUSED:
        this.tellRefusal(refusalProblem(outcome), position)
        return
      default:
        throw new Error(`an outcome of type ${outcome.type} answers no claim of a key`)
    }
  }

  private run(operation: Bytes): void {
    const { buf, start, end } = operation
    // The reply's memory is gone when this returns, and the operation may take several turns.
    const name = rangeOf(buf.slice(start, end))
    startOperation(this.request.operation, portsOfOperation(this.ports, name), this.request.input, this)
  }

  /** Logs what came of the claim, then tells; null: nothing that a replay should get. */
  private keep(answer: RecordedAnswer | null, tell: () => void): void {
    const { claimSeq, scope } = this
    const handler: ReplyHandler = {
      settled: (kind, reply) => this.guarded(() => this.onKept(kind, reply, answer, tell)),
    }
    this.send({ type: COMMAND.ANSWER_KEY, scope, key: this.request.key, claimSeq, answer }, handler)
  }

  private onKept(kind: Settled, reply: ByteReader, answer: RecordedAnswer | null, tell: () => void): void {
    if (kind === SETTLED.NOT_DONE_OVERLOADED && this.paused(() => this.keep(answer, tell))) return
    if (kind !== SETTLED.ANSWERED) {
      this.tellRefusal(kind === SETTLED.STORAGE ? unsettledProblem(kind) : NOT_KEPT, '')
      return
    }
    readPosition(reply)
    const outcome = readOutcome(reply)
    if (outcome.type === OUTCOME.KEY_ANSWERED) this.replay(outcome.answer)
    else if (outcome.type === OUTCOME.KEY_KEPT) tell()
    else {
      // There is no room to log it: undecided for whoever asked, and free for who asks again.
      this.letGo()
      this.tellRefusal(outcome.type === OUTCOME.REFUSED ? { ...NOT_KEPT, code: 'STORAGE_UNAVAILABLE' } : NOT_KEPT, '')
    }
  }

  private replay(record: RecordedAnswer): void {
    if (isRefusal(record)) this.tellRefusal(problemOfRecord(record), record.position)
    else this.tellAnswer(answerOfRecord(record, true))
  }

  private tellAnswer(answer: Answer): void {
    if (this.told) return
    this.told = true
    this.sink.answered(answer)
  }

  private tellRefusal(found: Problem, position: string): void {
    if (this.told) return
    this.told = true
    this.sink.refused(found, position)
  }

  private letGo(): void {
    this.send({ type: COMMAND.LET_GO_KEY, claimSeq: this.claimSeq }, NOBODY)
  }

  /** Goes on after a pause; false: it has waited for as long as it may. */
  private paused(goOn: () => void): boolean {
    if (this.waitedMs >= KEY_WAIT_MS_MAX) return false
    setTimeout(() => this.guarded(goOn), this.pauseMs)
    this.waitedMs += this.pauseMs
    this.pauseMs = Math.min(this.pauseMs * 2, KEY_PAUSE_MS_MAX)
    return true
  }

  private send(command: Command<string>, handler: ReplyHandler): void {
    const { writer, transport } = this.ports
    writer.clear()
    writeCommand(writer, command)
    transport.call(this.shard, writer.buf, writer.pos, handler)
  }

  /** What breaks here breaks between decisions: whether the operation was done is for a retry to find out. */
  private guarded(step: () => void): void {
    try {
      step()
    } catch (error) {
      this.tellRefusal(NOT_KEPT, '')
      this.ports.failed(error)
    }
  }
}

function rangeOf(bytes: Uint8Array): Bytes {
  return { buf: bytes, start: 0, end: bytes.length }
}
