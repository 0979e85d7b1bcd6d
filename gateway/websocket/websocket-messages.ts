/**
 * Messages: from a frame to calls. Text is JSON, binary MessagePack, and either is one message or an array of them.
 *
 *     frame ─┬─ binary ─ columns? ─▶ scanned in place, bytes go to the shard          (columns-frame.ts)
 *            │             └─ other ─▶ walked over (websocket-prescan.ts), decoded ─┐
 *            └─ text ─▶ parsed ─────────────────────────────────────────────────────┴─▶ id, op ─▶ operation
 *
 * A frame that cannot be read is refused as a whole, before any message in it does anything, with `id` null. A message
 * that can be read gets an answer of its own, whatever happens to its neighbours.
 */
import { Unpackr } from 'msgpackr'
import { type CheckoutGuard, CheckoutVisit, userOfBody } from '../guard/checkout-guard.ts'
import type { Columns } from './columns.ts'
import { ColumnsFrame, SCANNED } from './columns-frame.ts'
import { ColumnsJson } from './columns-json.ts'
import { characters } from './columns-text.ts'
import { escaped } from '../json/decode-fields.ts'
import { quoted } from '../json/json-text.ts'
import { startKeyedOperation, takesKey } from '../idempotency/idempotency.ts'
import { OVERLOADED_RETRY_AFTER_S, PSEUDONYM_LENGTH_MAX } from '../limits.ts'
import type { OperationPorts } from '../operations/operations.ts'
import { invalid, NO_SUCH_COUPON, type Problem, problem } from '../problem.ts'
import { RequestIds } from '../http/request-ids.ts'
import { isCheckoutCall } from '../http/routes.ts'
import { startOperation } from '../operations/start-operation.ts'
import type { Topics } from './topics.ts'
import { ColumnsCall, MESSAGE_WEIGHT, MessageCall, Subscription } from './websocket-calls.ts'
import { FRAME_MESSAGES_MAX } from './websocket-limits.ts'
import { askedOperation, type MessageBody, OUTCOME_NAMES_JSON } from './websocket-operations.ts'
import { behindHeader, countAt, isArray, skipElement, unsoundSentence } from './websocket-prescan.ts'
import { type AnswerForm, errorText, resultText, type Session } from './websocket-session.ts'
import { type Bytes, bytesOf } from '../../protocol/bytes.ts'
import { canonicalCode, codeFault } from '../../protocol/codes.ts'
import { writeCommand } from '../../protocol/command-codec.ts'
import { COMMAND } from '../../protocol/commands.ts'

const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' })

const SESSION_FULL: Problem = {
  ...problem('OVERLOADED', 'nothing was done; too much is in flight on this connection'),
  retryAfterSeconds: OVERLOADED_RETRY_AFTER_S,
}
const NOT_READY = problem('SHARD_UNAVAILABLE', 'nothing was done; the server is not ready')
const MESSAGE_ID_RULE = 'an id is a text of 1 to 128 characters or a whole number from 0 to 2^53-1'
const NO_ID = 'null'

const SINGLE_TEXT: AnswerForm = { binary: false, grouped: false }
const GROUPED_TEXT: AnswerForm = { binary: false, grouped: true }
const SINGLE_BINARY: AnswerForm = { binary: true, grouped: false }
const GROUPED_BINARY: AnswerForm = { binary: true, grouped: true }

export class Messages {
  private readonly ports: OperationPorts
  /** For callers whose refusals are uniform. */
  private readonly uniformPorts: OperationPorts
  private readonly topics: Topics
  private readonly guard: CheckoutGuard
  private readonly ready: () => boolean
  private readonly columnsFrame = new ColumnsFrame()
  private readonly columnsJson = new ColumnsJson()
  private readonly requestIds: RequestIds

  /** While `ready` says no, every message is answered SHARD_UNAVAILABLE. */
  constructor(ports: OperationPorts, topics: Topics, guard: CheckoutGuard, ready: () => boolean) {
    this.ports = ports
    this.uniformPorts = { ...ports, isUniform: true }
    this.topics = topics
    this.guard = guard
    this.ready = ready
    this.requestIds = new RequestIds(ports.random)
  }

  takeText(session: Session, text: string): void {
    let frame: unknown
    try {
      frame = JSON.parse(text)
    } catch {
      session.say(errorText(NO_ID, invalid('', 'the frame is not valid JSON')), SINGLE_TEXT)
      return
    }
    if (!Array.isArray(frame)) {
      this.message(session, frame, SINGLE_TEXT)
      return
    }
    const fault = countFault(frame.length)
    if (fault !== null) session.say(errorText(NO_ID, fault), SINGLE_TEXT)
    else for (const message of frame as readonly unknown[]) this.message(session, message, GROUPED_TEXT)
  }

  /** `bytes` are looked at during the call only. */
  takeBinary(session: Session, bytes: Uint8Array): void {
    const fault = isArray(bytes[0] ?? 0) ? this.binaryArray(session, bytes) : this.binaryMessage(session, bytes)
    if (fault !== null) session.say(errorText(NO_ID, fault), SINGLE_BINARY)
  }

  private binaryMessage(session: Session, bytes: Uint8Array): Problem | null {
    const scanned = this.columnsFrame.scan(bytes, 0, bytes.length)
    if (scanned === SCANNED.COLUMNS) {
      if (this.columnsFrame.end !== bytes.length) return TRAILING
      this.scannedColumns(session, SINGLE_BINARY)
      return null
    }
    const end = skipElement(bytes, 0, bytes.length)
    if (end < 0) return invalid('', unsoundSentence(end))
    if (end !== bytes.length) return TRAILING
    if (scanned === SCANNED.FAULTY) this.refuseColumns(session, SINGLE_BINARY)
    else this.message(session, unpackr.unpack(bytes), SINGLE_BINARY)
    return null
  }

  /** The whole frame is walked over before its first message does anything. */
  private binaryArray(session: Session, bytes: Uint8Array): Problem | null {
    const end = skipElement(bytes, 0, bytes.length)
    if (end < 0) return invalid('', unsoundSentence(end))
    if (end !== bytes.length) return TRAILING
    const fault = countFault(countAt(bytes, 0))
    if (fault !== null) return fault
    for (let at = behindHeader(bytes[0] as number, 0); at < end; ) at = this.arrayItem(session, bytes, at)
    return null
  }

  private arrayItem(session: Session, bytes: Uint8Array, at: number): number {
    const scanned = this.columnsFrame.scan(bytes, at, bytes.length)
    if (scanned === SCANNED.COLUMNS) {
      const end = this.columnsFrame.end
      this.scannedColumns(session, GROUPED_BINARY)
      return end
    }
    const end = skipElement(bytes, at, bytes.length)
    if (scanned === SCANNED.FAULTY) this.refuseColumns(session, GROUPED_BINARY)
    else this.message(session, unpackr.unpack(bytes.subarray(at, end)), GROUPED_BINARY)
    return end
  }

  private message(session: Session, message: unknown, form: AnswerForm): void {
    if (typeof message !== 'object' || message === null || Array.isArray(message)) {
      session.say(errorText(NO_ID, invalid('', 'a message is an object with id and op')), form)
      return
    }
    const { id, op, ...body } = message as Record<string, unknown>
    const idJson = messageIdJson(id)
    if (idJson === null) {
      session.say(errorText(NO_ID, invalid('/id', MESSAGE_ID_RULE)), form)
    } else if (typeof op !== 'string') {
      session.say(errorText(idJson, invalid('/op', 'the operation as a text is expected')), form)
    } else if (!this.ready()) {
      session.say(errorText(idJson, NOT_READY), form)
    } else {
      this.operation(session, op, body, idJson, form)
    }
  }

  private operation(session: Session, op: string, body: MessageBody, idJson: string, form: AnswerForm): void {
    if (op === 'redeemColumns') {
      const fault = this.columnsJson.take(body)
      if (fault !== null) session.say(errorText(idJson, fault), form)
      else this.redeemColumns(session, this.columnsJson, { json: idJson, element: null }, form)
      return
    }
    if (!session.admit(MESSAGE_WEIGHT)) {
      session.say(errorText(idJson, SESSION_FULL), form)
      return
    }
    const answer = this.ownOperation(session, op, body, idJson, form)
    if (answer !== null) session.settle(MESSAGE_WEIGHT, answer, form)
  }

  /** The answer's text; null when it comes later. */
  private ownOperation(
    session: Session,
    op: string,
    body: MessageBody,
    idJson: string,
    form: AnswerForm,
  ): string | null {
    switch (op) {
      case 'outcomes': {
        const other = Object.keys(body)[0]
        if (other !== undefined) return errorText(idJson, invalid(`/${escaped(other)}`, 'unknown field'))
        return resultText(idJson, OUTCOME_NAMES_JSON)
      }
      case 'subscribe':
      case 'unsubscribe': {
        const { topic, ...rest } = body
        const other = Object.keys(rest)[0]
        if (other !== undefined) return errorText(idJson, invalid(`/${escaped(other)}`, 'unknown field'))
        if (typeof topic !== 'string') return errorText(idJson, invalid('/topic', 'a topic as a text is expected'))
        const answer = resultText(idJson, `{"topic":${quoted(topic)}}`)
        if (op === 'subscribe') return this.subscribe(session, topic, answer, idJson, form)
        this.unsubscribe(session, topic)
        return answer
      }
      default:
        return this.sharedOperation(session, op, body, idJson, form)
    }
  }

  private sharedOperation(
    session: Session,
    op: string,
    body: MessageBody,
    idJson: string,
    form: AnswerForm,
  ): string | null {
    const asked = askedOperation(op, 'idempotencyKey' in body ? withoutKey(body) : body)
    if (asked === null) return errorText(idJson, invalid('/op', 'there is no such operation'))
    if ('code' in asked) return errorText(idJson, asked)
    const input = { body: asked.body, target: asked.target, query: '', ifMatch: '', caller: session.caller }
    const visit = isCheckoutCall(asked.operation) ? new CheckoutVisit(this.guard, session.caller) : null
    const limited = visit === null ? null : (this.enter(session, visit) ?? visit.admit(userOfBody(asked.body)))
    if (limited !== null) return errorText(idJson, limited)
    const call = new MessageCall(session, idJson, form, visit)
    const ports = visit?.isUniform === true ? this.uniformPorts : this.ports
    const text = body['idempotencyKey']
    if (text === undefined || !takesKey(asked.operation)) {
      startOperation(asked.operation, ports, input, call)
    } else if (typeof text === 'string') {
      const key = { text, pointer: KEY_POINTER, requestId: this.requestIds.next() }
      startKeyedOperation(asked.operation, ports, input, key, call)
    } else {
      return errorText(idJson, invalid(KEY_POINTER, 'a text is expected'))
    }
    return null
  }

  /** A checkout call comes past the guard. null: it may go on. */
  private enter({ address }: Session, visit: CheckoutVisit): Problem | null {
    const { limits } = this.guard
    return limits === null || address === null ? null : visit.enter(limits, address)
  }

  private subscribe(session: Session, topic: string, answer: string, idJson: string, form: AnswerForm): string | null {
    if (session.hasTopic(topic)) return answer
    const isUniform = this.guard.holdFor(session.caller) !== null
    if (isUniform && topic.startsWith('coupon:')) return errorText(idJson, NO_COUPON_TOPICS)
    if (session.topicsFull) return errorText(idJson, problem('OVERLOADED', 'this connection has too many topics'))
    const subscription = new Subscription(session, topic, answer, idJson, form)
    session.addTopic(topic, subscription)
    const found = this.topics.subscribe(topic, subscription)
    if (found !== null) subscription.refused(found)
    return null
  }

  private unsubscribe(session: Session, topic: string): void {
    const subscription = session.takeTopic(topic)
    if (subscription === undefined) return
    this.topics.unsubscribe(topic, subscription)
    subscription.left()
  }

  private scannedColumns(session: Session, form: AnswerForm): void {
    const { id } = this.columnsFrame
    // The frame's memory is gone when the answer comes.
    const buf = id.buf.slice(id.start, id.end)
    const element = { buf, start: 0, end: buf.length }
    const json = JSON.stringify(unpackr.unpack(buf))
    if (this.ready()) this.redeemColumns(session, this.columnsFrame, { json, element }, form)
    else session.say(errorText(json, NOT_READY), form)
  }

  private refuseColumns(session: Session, form: AnswerForm): void {
    const { id, pointer, detail } = this.columnsFrame
    const hasId = id.end > id.start
    const json = hasId ? JSON.stringify(unpackr.unpack(id.buf.slice(id.start, id.end))) : NO_ID
    session.say(errorText(json, invalid(pointer, detail)), form)
  }

  /**
   * One shard decides all rows of a frame. For limits it is one call of its address: columns are for services that call for
   * many buyers at once, and a row cannot be refused on its own before its shard has seen it.
   */
  private redeemColumns(
    session: Session,
    columns: Columns,
    id: { readonly json: string; readonly element: Bytes | null },
    form: AnswerForm,
  ): void {
    const visit = new CheckoutVisit(this.guard, session.caller)
    const limited = this.enter(session, visit)
    if (limited !== null) {
      session.say(errorText(id.json, limited), form)
      return
    }
    const code = canonicalCode(columns.code)
    if (codeFault(code) !== null) {
      const found = { ...problem('COUPON_NOT_FOUND', NO_SUCH_COUPON), coupon: code }
      const text = errorText(id.json, visit.wrongCodes(1, session.address) ?? found)
      visit.tellWrong(() => session.say(text, form))
      return
    }
    if (!session.admit(columns.count)) {
      session.say(errorText(id.json, SESSION_FULL), form)
      return
    }
    const { transport, router, writer, failed } = this.ports
    const call = new ColumnsCall(session, id, form, { rows: columns.count, code, visit }, failed)
    writer.clear()
    writeCommand(writer, {
      type: COMMAND.REDEEM_COLUMNS,
      coupon: { code: bytesOf(code), ordinal: -1 },
      currency: columns.currency,
      count: columns.count,
      users: columns.users,
      orders: columns.orders,
      totals: columns.totals,
      oneTotal: columns.oneTotal,
    })
    transport.call(router.shardOfCode(code), writer.buf, writer.pos, call)
  }
}

const KEY_POINTER = '/idempotencyKey'
/** A topic tells of a coupon whatever its status is, and goes on telling. */
const NO_COUPON_TOPICS = problem(
  'FORBIDDEN',
  'where refusals are uniform, topics of coupons need a key of role operations',
)

/** Members of the operation's own. */
function withoutKey(body: MessageBody): MessageBody {
  const rest: Record<string, unknown> = { ...body }
  delete rest['idempotencyKey']
  return rest
}

const TRAILING = invalid('', 'bytes follow the MessagePack of the frame')

function countFault(messages: number): Problem | null {
  if (messages === 0) return invalid('', 'the frame has no message')
  if (messages <= FRAME_MESSAGES_MAX) return null
  return invalid('', `a frame has at most ${FRAME_MESSAGES_MAX} messages`)
}

/** The id as JSON text; null when it is none that an answer could carry. */
function messageIdJson(id: unknown): string | null {
  if (typeof id === 'number') return Number.isSafeInteger(id) && id >= 0 ? String(id + 0) : null
  if (typeof id !== 'string') return null
  const length = characters(id)
  return length >= 1 && length <= PSEUDONYM_LENGTH_MAX ? quoted(id) : null
}
