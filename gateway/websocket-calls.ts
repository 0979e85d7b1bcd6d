/**
 * Calls of a session under way: each knows its session, the id to answer with and the form of the answer, and settles once.
 * Small objects instead of closures, because thousands of them are in flight on a connection.
 */
import type { AnswerSink, Answer } from './operations.ts'
import { writeColumnsReply, columnsReplyJson } from './columns-reply.ts'
import { type Problem, problem } from './problem.ts'
import { refusalProblem, unsettledProblem } from './shard-call.ts'
import { type AnswerForm, errorText, resultText, type Session, type SessionTopic } from './websocket-session.ts'
import { type ReplyHandler, SETTLED, type Settled } from '../engine/transport/port.ts'
import { type ByteReader, type Bytes, ByteWriter } from '../protocol/bytes.ts'
import { readOutcome, readPosition } from '../protocol/outcome-codec.ts'
import { OUTCOME } from '../protocol/outcomes.ts'

/** Every message but columns counts as one redemption in flight. */
export const MESSAGE_WEIGHT = 1

/** An operation started by a message. */
export class MessageCall implements AnswerSink {
  private readonly session: Session
  private readonly idJson: string
  private readonly form: AnswerForm
  private told = false

  constructor(session: Session, idJson: string, form: AnswerForm) {
    this.session = session
    this.idJson = idJson
    this.form = form
  }

  answered(answer: Answer): void {
    const result = answer.body === '' ? 'null' : answer.body
    this.tell(resultText(this.idJson, result, answer.position, answer.replayed))
  }

  refused(found: Problem, position: string): void {
    this.tell(errorText(this.idJson, found, position))
  }

  /** Once, or what is in flight would be counted wrong. */
  private tell(text: string): void {
    if (this.told) return
    this.told = true
    this.session.settle(MESSAGE_WEIGHT, text, this.form)
  }
}

/** For one answer at a time; what leaves is copied out of it. */
const scratch = new ByteWriter(65_536)

/** Columns on their way through a shard. */
export class ColumnsCall implements ReplyHandler {
  private readonly session: Session
  private readonly idJson: string
  /** The id as it stood in a binary frame; null for text. */
  private readonly idElement: Bytes | null
  private readonly form: AnswerForm
  private readonly rows: number
  private readonly code: string
  private readonly failed: (error: unknown) => void

  constructor(
    session: Session,
    id: { readonly json: string; readonly element: Bytes | null },
    form: AnswerForm,
    columns: { readonly rows: number; readonly code: string },
    failed: (error: unknown) => void,
  ) {
    this.session = session
    this.idJson = id.json
    this.idElement = id.element
    this.form = form
    this.rows = columns.rows
    this.code = columns.code
    this.failed = failed
  }

  settled(kind: Settled, reply: ByteReader): void {
    let answer: string | Uint8Array
    try {
      answer = kind === SETTLED.ANSWERED ? this.answerOf(reply) : errorText(this.idJson, unsettledProblem(kind))
    } catch (error) {
      const found = problem('OUTCOME_UNKNOWN', 'it may have been done, but the answer could not be read')
      answer = errorText(this.idJson, found)
      this.failed(error)
    }
    this.session.settle(this.rows, answer, this.form)
  }

  private answerOf(reply: ByteReader): string | Uint8Array {
    const { shard, seq, timeMs } = readPosition(reply)
    const position = `${shard}:${seq}@${timeMs}`
    if (reply.buf[reply.pos] !== OUTCOME.COLUMNS) return this.refusalText(reply, position)
    reply.skip(1)
    if (this.idElement === null) return columnsReplyJson(this.idJson, position, reply)
    scratch.clear()
    writeColumnsReply(scratch, this.idElement, position, reply)
    return scratch.buf.slice(0, scratch.pos)
  }

  private refusalText(reply: ByteReader, position: string): string {
    const outcome = readOutcome(reply)
    if (outcome.type !== OUTCOME.REFUSED) throw new Error(`an outcome of type ${outcome.type} does not answer columns`)
    return errorText(this.idJson, { ...refusalProblem(outcome), coupon: this.code }, position)
  }
}

/** A subscription: its answer first, then pushes for as long as the session listens. */
export class Subscription implements SessionTopic {
  private readonly session: Session
  private readonly topic: string
  private readonly answerText: string
  private readonly idJson: string
  private readonly form: AnswerForm
  private answered = false

  constructor(session: Session, topic: string, answerText: string, idJson: string, form: AnswerForm) {
    this.session = session
    this.topic = topic
    this.answerText = answerText
    this.idJson = idJson
    this.form = form
  }

  watching(): void {
    this.answer(this.answerText)
  }

  refused(found: Problem): void {
    this.session.takeTopic(this.topic)
    this.answer(errorText(this.idJson, found))
  }

  /** Taken back before the coupon was seen: it was subscribed all the same, and needs its answer. */
  left(): void {
    this.answer(this.answerText)
  }

  push(text: string): void {
    if (this.session.authorised()) this.session.say(text, { binary: this.form.binary, grouped: false })
  }

  private answer(text: string): void {
    if (this.answered) return
    this.answered = true
    this.session.settle(MESSAGE_WEIGHT, text, this.form)
  }
}
