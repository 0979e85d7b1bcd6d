/**
 * HttpCall: one request from its head to its answer. It is the operation's input and its sink, so a call over HTTP is this
 * object and one of the operation's own.
 *
 *     head ──▶ refused at once (not ready, role, media type)
 *      └─────▶ body ──▶ refused (413, 400, OVERLOADED)
 *               └─────▶ operation ──▶ answered | refused ──▶ cork, one write
 *      at any time: aborted. What is under way goes on, its answer finds no socket.
 *
 * Headers go out as one string behind the first one's value: each call into the native part costs as much as putting the
 * whole answer together. No value among them comes from a client, so nothing can break out of a line.
 * Must never happen here: touching `res` after it was ended or aborted; uWebSockets.js would take the process down.
 */
import type { HttpResponse } from 'uWebSockets.js'
import { ANYBODY, type Caller } from '../access/authenticate.ts'
import { CheckoutVisit, userOfBody, userOfQuery } from '../guard/checkout-guard.ts'
import { BadField } from '../json/decode-fields.ts'
import type { EventStream } from '../events/event-streams.ts'
import { endAnswer, type UnreadRest } from './end-answer.ts'
import { HttpBody } from './http-body.ts'
import type { HttpServices } from './http-services.ts'
import type { ReceivedFile } from '../codes/import-call.ts'
import { startKeyedOperation } from '../idempotency/idempotency.ts'
import { BODY_BYTES_MAX, BODY_DRAIN_BYTES_MAX, OVERLOADED_RETRY_AFTER_S } from '../limits.ts'
import type { RouteMeter } from '../operator/meters.ts'
import type { Answer, AnswerSink, OperationInput, OperationPorts, StreamHead } from '../operations/operations.ts'
import { invalid, type Problem, problem, problemBody, wrongCodesOf } from '../problem.ts'
import { parseBody } from './read-body.ts'
import { isCheckoutCall, type Route } from './routes.ts'
import { startFromBytes, startOperation } from '../operations/start-operation.ts'
import { statusLine } from './status-lines.ts'

const TOO_MANY: Problem = {
  ...problem('OVERLOADED', 'nothing was done; too many calls are under way'),
  retryAfterSeconds: OVERLOADED_RETRY_AFTER_S,
}
const TOO_LARGE = problem('PAYLOAD_TOO_LARGE', `a body has at most ${BODY_BYTES_MAX} bytes`)

/** Counted in metrics for a request whose client went away before its answer; never sent. */
const STATUS_ABORTED = 499

export class HttpCall implements AnswerSink, OperationInput {
  body: unknown = undefined
  target = ''
  query = ''
  ifMatch = ''
  /** `Idempotency-Key`; '' where there was none or it is not looked at. */
  key = ''
  caller: Caller = ANYBODY
  received: ReceivedFile | undefined = undefined
  /** `traceparent` of the request; '' where there was none. */
  trace = ''
  private readonly services: HttpServices
  private readonly route: Route
  private readonly meter: RouteMeter
  /** Drawn beforehand where the answer is kept with it; '' : drawn with the answer. */
  private requestId = ''
  /** When the request was complete; 0: it is not yet. */
  private begunMs = 0
  /** null: ended or aborted. */
  private res: HttpResponse | null
  /** An operation is under way and was counted. */
  private isEntered = false
  /** null: no checkout call. */
  private visit: CheckoutVisit | null = null
  /** Has the response now: a stream, or what the client has not read of the answer. */
  private stream: EventStream | HttpBody | UnreadRest | null = null
  private pieces: Buffer[] | null = null
  private bodyBytes = 0
  private isTooLarge = false

  constructor(services: HttpServices, route: Route, meter: RouteMeter, res: HttpResponse) {
    this.services = services
    this.route = route
    this.meter = meter
    this.res = res
  }

  /** The client went away. */
  aborted(): void {
    this.stream?.aborted()
    if (this.res === null) return
    this.res = null
    this.dropPieces()
    if (!this.isEntered) this.meter.count(STATUS_ABORTED, 0)
  }

  /** A piece of the body, valid during this call. Pieces still come after an early answer; they find `res` null. */
  data(chunk: ArrayBuffer, isLast: boolean): void {
    if (this.res === null) return
    this.bodyBytes += chunk.byteLength
    if (this.isTooLarge || this.bodyBytes > BODY_BYTES_MAX) {
      this.drain(isLast)
      return
    }
    if (isLast && this.pieces === null) {
      this.begin(Buffer.from(chunk))
      return
    }
    if (!this.services.admission.hold(chunk.byteLength)) {
      this.dropPieces()
      this.refused(TOO_MANY, '')
      return
    }
    // The first copy is a view, the second owns its bytes: the chunk is taken back when this returns.
    this.pieces ??= []
    this.pieces.push(Buffer.from(Buffer.from(chunk)))
    if (!isLast) return
    const whole = Buffer.concat(this.pieces)
    this.dropPieces()
    this.begin(whole)
  }

  /** A client that is told while it still sends may never read the answer: so the rest is read first, up to a bound. */
  private drain(isLast: boolean): void {
    this.isTooLarge = true
    this.dropPieces()
    if (isLast) this.refused(TOO_LARGE, '')
    else if (this.bodyBytes > BODY_DRAIN_BYTES_MAX) this.refuse(TOO_LARGE, '', true)
  }

  /** Forgets what was held of the body. */
  private dropPieces(): void {
    if (this.pieces === null) return
    for (const piece of this.pieces) this.services.admission.release(piece.length)
    this.pieces = null
  }

  /** The request is complete. */
  begin(bytes: Buffer | null): void {
    if (!this.services.admission.enter()) {
      this.refused(TOO_MANY, '')
      return
    }
    this.isEntered = true
    this.begunMs = this.services.nowMs()
    const isKeyed = this.key !== ''
    const denied = this.enter()
    if (denied !== null) {
      this.refused(denied, '')
      return
    }
    if (bytes !== null) {
      const { scanner } = this.services
      const ports = this.ports()
      if (!isKeyed && startFromBytes(this.route.operation, ports, this.caller, scanner, bytes, this, this.visit)) return
      try {
        this.body = parseBody(bytes)
      } catch (error) {
        if (!(error instanceof BadField)) throw error
        this.refused(invalid(error.pointer, error.message), '')
        return
      }
    }
    const found = this.visit?.admit(userOfBody(this.body) ?? userOfQuery(this.query)) ?? null
    if (found !== null) this.refused(found, '')
    else if (isKeyed) this.startKeyed()
    else startOperation(this.route.operation, this.ports(), this, this)
  }

  /** Answers with a stream, for as long as it lasts. */
  streams(stream: EventStream): void {
    const { res } = this
    if (res === null) return
    this.res = null
    this.stream = stream
    this.meter.count(200, 0)
    stream.begin(res, this.ownRequestId())
  }

  private ports(): OperationPorts {
    const { ports, uniformPorts } = this.services
    return this.visit?.isUniform === true ? uniformPorts : ports
  }

  /** A checkout call comes past the guard. null: it may go on. */
  private enter(): Problem | null {
    const { res } = this
    const { guard } = this.services
    if (!isCheckoutCall(this.route.operation) || res === null) return null
    this.visit = new CheckoutVisit(guard, this.caller)
    return guard.limits === null ? null : this.visit.enter(guard.limits, guard.address(res.getRemoteAddress()))
  }

  /** The answer says of so many codes that they do not exist. A problem is told instead. */
  private wrongCodes(count: number): Problem | null {
    const { res, visit } = this
    if (visit === null || count === 0) return null
    return visit.wrongCodes(count, res === null ? null : this.services.guard.address(res.getRemoteAddress()))
  }

  private startKeyed(): void {
    const { route, services } = this
    this.requestId = services.requestIds.next()
    const key = { text: this.key, pointer: null, requestId: this.requestId }
    startKeyedOperation(route.operation, this.ports(), this, key, this)
  }

  /** Answers with a body that is written piece by piece; the call is under way until its end. */
  streamed(head: StreamHead): HttpBody | null {
    const { res } = this
    if (res === null) {
      this.settleMeters(STATUS_ABORTED)
      return null
    }
    this.res = null
    const body = new HttpBody(res, head, this.ownRequestId(), () => this.settleMeters(200))
    this.stream = body
    return body
  }

  answered(answer: Answer): void {
    const wrong = answer.wrongCodes ?? 0
    if (wrong === 0 || this.visit === null) {
      this.answer(answer)
      return
    }
    const found = this.wrongCodes(wrong)
    const kept = this.visit.isUniform ? { ...answer, position: '' } : answer
    this.visit.tellWrong(() => {
      if (found === null) this.answer(kept)
      else this.refuse(found, '', this.services.isStopping())
    })
  }

  private answer(answer: Answer): void {
    let headers = this.ownRequestId()
    if (answer.status !== 204) headers += '\r\ncontent-type: application/json'
    if (answer.position !== '') headers += `\r\nx-tearoff-position: ${answer.position}`
    if (answer.location !== '') headers += `\r\nlocation: ${answer.location}`
    if (answer.etag !== '') headers += `\r\netag: ${answer.etag}`
    if (answer.replayed) headers += '\r\nidempotent-replayed: true'
    if (answer.lagMs !== undefined) headers += `\r\nx-tearoff-lag-ms: ${Math.round(answer.lagMs)}`
    this.end(answer.status, answer.body, headers, this.services.isStopping())
  }

  refused(found: Problem, position: string): void {
    const wrong = wrongCodesOf(found)
    if (wrong === 0 || this.visit === null) {
      this.refuse(found, position, this.services.isStopping())
      return
    }
    const limited = this.wrongCodes(wrong)
    const isSilent = limited !== null || this.visit.isUniform
    this.visit.tellWrong(() => this.refuse(limited ?? found, isSilent ? '' : position, this.services.isStopping()))
  }

  private refuse(found: Problem, position: string, closes: boolean): void {
    const requestId = this.ownRequestId()
    let headers = '\r\ncontent-type: application/problem+json'
    if (position !== '') headers += `\r\nx-tearoff-position: ${position}`
    if (found.retryAfterSeconds > 0) headers += `\r\nretry-after: ${found.retryAfterSeconds}`
    if (found.allow !== null) headers += `\r\nallow: ${found.allow}`
    if (found.recordedBody !== null) headers += '\r\nidempotent-replayed: true'
    if (found.status === 401) headers += '\r\nwww-authenticate: Bearer'
    if (found.status >= 500) this.services.report.refused(this.route.operation.name, found, requestId, this.trace)
    this.end(found.status, found.recordedBody ?? problemBody(found, requestId), requestId + headers, closes)
  }

  private ownRequestId(): string {
    return this.requestId === '' ? this.services.requestIds.next() : this.requestId
  }

  /**
   * Writes the answer, if anybody still waits for it, and settles what was counted. `headers` begins with the request id,
   * the value of the header that carries them all.
   */
  private end(status: number, body: string, headers: string, closes: boolean): void {
    const { res } = this
    const all = this.visit === null ? headers : headers + this.visit.fields()
    this.res = null
    if (res !== null) {
      res.cork(() => {
        res.writeStatus(statusLine(status)).writeHeader('x-request-id', all)
        // A 204 has no length. Without arguments: a missing length is printed as 2^63 where it is passed as undefined.
        if (status === 204 && !closes) res.endWithoutBody()
        else if (closes) res.end(body, true)
        else this.stream = endAnswer(res, body)
      })
    }
    this.settleMeters(res === null ? STATUS_ABORTED : status)
  }

  private settleMeters(status: number): void {
    const { services } = this
    const tookMs = this.begunMs === 0 ? 0 : services.nowMs() - this.begunMs
    this.meter.count(status, tookMs)
    if (tookMs >= services.slowMs) services.report.slow(this.route.operation.name, status, tookMs, this.trace)
    if (!this.isEntered) return
    this.isEntered = false
    services.admission.leave()
  }
}
