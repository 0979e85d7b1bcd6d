/**
 * Calls of a session under way: each knows its session, the id to answer with and the form of the answer, and settles once.
 * Small objects instead of closures, because thousands of them are in flight on a connection.
 */
import type { CheckoutVisit } from '../guard/checkout-guard.ts'
import type { AnswerSink, Answer } from '../operations/operations.ts'
import { writeColumnsReply, columnsReplyJson } from './columns-reply.ts'
import { NO_SUCH_COUPON, type Problem, problem, wrongCodesOf } from '../problem.ts'
import { refusalProblem, unsettledProblem } from '../operations/shard-call.ts'
import { type AnswerForm, errorText, resultText, type Session, type SessionTopic } from './websocket-session.ts'
import { type ReplyHandler, SETTLED, type Settled } from '../../engine/transport/port.ts'
import { type ByteReader, type Bytes, ByteWriter } from '../../protocol/bytes.ts'
import { readOutcome, readPosition } from '../../protocol/outcome-codec.ts'
import { OUTCOME } from '../../protocol/outcomes.ts'

/** Rows with outcomes up to this one, which is a replay, are redeemed; beyond are the numbers of refusals. */
const REPLAYED_ROW = 1

/** Every message but columns counts as one redemption in flight. */
export const MESSAGE_WEIGHT = 1

/** An operation started by a message. */
export class MessageCall implements AnswerSink {
  private readonly session: Session
  private readonly idJson: string
  private readonly form: AnswerForm
  /** null: no checkout call. */
  private readonly visit: CheckoutVisit | null
  private told = false

  constructor(session: Session, idJson: string, form: AnswerForm, visit: CheckoutVisit | null) {
    this.session = session
    this.idJson = idJson
    this.form = form
    this.visit = visit
  }

  answered(answer: Answer): void {
    const wrong = answer.wrongCodes ?? 0
    const limited = this.wrongCodes(wrong)
    if (limited !== null) {
      this.tellWrong(errorText(this.idJson, limited))
      return
    }
    if (wrong > 0 && this.visit?.isUniform === true) {
      this.tellWrong(resultText(this.idJson, answer.body))
      return
    }
    const result = answer.body === '' ? 'null' : answer.body
    this.tell(resultText(this.idJson, result, answer.position, answer.replayed))
  }

  refused(found: Problem, position: string): void {
    const wrong = wrongCodesOf(found)
    if (wrong === 0 || this.visit === null) {
      this.tell(errorText(this.idJson, found, position))
      return
    }
    const limited = this.wrongCodes(wrong)
    const isSilent = limited !== null || this.visit.isUniform
    this.tellWrong(errorText(this.idJson, limited ?? found, isSilent ? '' : position))
  }

  /** At its moment. */
  private tellWrong(text: string): void {
    if (this.visit === null) this.tell(text)
    else this.visit.tellWrong(() => this.tell(text))
  }

  private wrongCodes(count: number): Problem | null {
    return this.visit === null || count === 0 ? null : this.visit.wrongCodes(count, this.session.address)
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
  private readonly visit: CheckoutVisit
  private readonly failed: (error: unknown) => void

  constructor(
    session: Session,
    id: { readonly json: string; readonly element: Bytes | null },
    form: AnswerForm,
    columns: { readonly rows: number; readonly code: string; readonly visit: CheckoutVisit },
    failed: (error: unknown) => void,
  ) {
    this.session = session
    this.idJson = id.json
    this.idElement = id.element
    this.form = form
    this.rows = columns.rows
    this.code = columns.code
    this.visit = columns.visit
    this.failed = failed
  }

  settled(kind: Settled, reply: ByteReader): void {
    let answer: string | Uint8Array
    try {
      if (kind !== SETTLED.ANSWERED) answer = errorText(this.idJson, unsettledProblem(kind))
      else if (this.visit.isUniform && isFruitless(reply)) {
        this.tellUniform()
        return
      } else answer = this.answerOf(reply)
    } catch (error) {
      const found = problem('OUTCOME_UNKNOWN', 'it may have been done, but the answer could not be read')
      answer = errorText(this.idJson, found)
      this.failed(error)
    }
    this.session.settle(this.rows, answer, this.form)
  }

  /** Of columns that redeemed nothing such a caller is told what it is told of a code that does not exist. */
  private tellUniform(): void {
    const found = { ...problem('COUPON_NOT_FOUND', NO_SUCH_COUPON), coupon: this.code }
    const text = errorText(this.idJson, this.visit.wrongCodes(1, this.session.address) ?? found)
    this.visit.tellWrong(() => this.session.settle(this.rows, text, this.form))
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
    const found = { ...refusalProblem(outcome), coupon: this.code }
    const wrong = wrongCodesOf(found)
    const limited = wrong === 0 ? null : this.visit.wrongCodes(wrong, this.session.address)
    return limited === null ? errorText(this.idJson, found, position) : errorText(this.idJson, limited)
  }
}

/** Whether no row was redeemed or replayed. The reader stays where it is. */
function isFruitless(reply: ByteReader): boolean {
  const start = reply.pos
  try {
    readPosition(reply)
    if (reply.u8() !== OUTCOME.COLUMNS) return true
    const count = reply.varint()
    const from = reply.skip(count)
    return reply.buf.subarray(from, from + count).every((outcome) => outcome > REPLAYED_ROW)
  } finally {
    reply.pos = start
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
