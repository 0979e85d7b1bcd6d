/**
 * WebSocket endpoint `/v1/ws`: upgrade, and the five things that a connection can do to us, handed to its session.
 *
 *     GET /v1/ws ──▶ authenticate ──▶ upgrade ──▶ open ──▶ message … message ──▶ close
 *
 * uWebSockets.js would drop a connection whose frame is too long without a word; the contract says 1009. So it is allowed
 * to collect somewhat more than is accepted, and the bound of the contract is applied here. Compression is off: it costs
 * more than everything else together.
 */
import type { HttpRequest, HttpResponse, TemplatedApp, us_socket_context_t } from 'uWebSockets.js'
import { ANYBODY, authenticate, type Caller, forbidden, isProblem } from '../access/authenticate.ts'
import { type Problem, problem, problemBody } from '../problem.ts'
import { RequestIds } from '../http/request-ids.ts'
import type { Sessions, SessionServices } from '../server.ts'
import { statusLine } from '../http/status-lines.ts'
import { endAnswer } from '../http/end-answer.ts'
import { Topics } from './topics.ts'
import {
  FRAME_BYTES_COLLECTED_MAX,
  FRAME_BYTES_MAX,
  SESSION_BUFFERED_BYTES_MAX,
  SESSION_IDLE_SECONDS,
  SESSIONS_MAX,
} from './websocket-limits.ts'
import { Messages } from './websocket-messages.ts'
import {
  CLOSE,
  type Dropped,
  Session,
  type SessionPorts,
  type SessionSlot,
  type SessionSocket,
} from './websocket-session.ts'

const WEBSOCKET_PATH = '/v1/ws'

/** What a gateway's server hands over (see `server.ts`). */
export type WebSocketServices = Pick<SessionServices, 'ports' | 'authenticator' | 'guard' | 'isOpen'>

/** What the process gives: its clock, its timers, its log. */
export interface WebSocketPlatform {
  readonly monotonicMs: () => number
  /** Calls `tick` every so often until the returned function is called. */
  readonly every: (intervalMs: number, tick: () => void) => () => void
  /** A connection that this side gave up, for the log; `name` is the API key's. */
  readonly dropped: (why: Dropped, name: string | null) => void
}

/** All connections of a gateway. */
export interface WebSockets extends Sessions {
  /** Connections open now. */
  readonly open: number
  /** Coupons that some connection watches now. */
  readonly topics: number
  /** Closes (1001) every connection when its last answer has left; resolves when all are. */
  close(): Promise<void>
}

/** Registers the endpoint; before `app.listen`. */
export function attachWebSocket(
  app: TemplatedApp,
  services: WebSocketServices,
  platform: WebSocketPlatform,
): WebSockets {
  const endpoint = new Endpoint(services, platform)
  app.ws<SessionSlot>(WEBSOCKET_PATH, {
    maxPayloadLength: FRAME_BYTES_COLLECTED_MAX,
    maxBackpressure: SESSION_BUFFERED_BYTES_MAX,
    // The session closes it, on the same condition, after noting why.
    closeOnBackpressureLimit: false,
    idleTimeout: SESSION_IDLE_SECONDS,
    sendPingsAutomatically: true,
    upgrade: (res, req, context) => endpoint.upgrade(res, req, context),
    open: (socket) => endpoint.opened(socket),
    message: (socket, data, isBinary) => endpoint.message(socket.getUserData().session, data, isBinary),
    close: (socket) => endpoint.closed(socket.getUserData().session),
  })
  return endpoint
}

class Endpoint implements WebSockets {
  private readonly services: WebSocketServices
  private readonly sessions = new Set<Session>()
  private readonly watched: Topics
  private readonly messages: Messages
  private readonly sessionPorts: SessionPorts
  private readonly requestIds: RequestIds
  private whenEmpty: (() => void) | null = null
  private closing = false

  constructor(services: WebSocketServices, platform: WebSocketPlatform) {
    const { ports, authenticator, guard } = services
    const { monotonicMs, every, dropped } = platform
    this.services = services
    this.requestIds = new RequestIds(ports.random)
    this.watched = new Topics({ ...ports, monotonicMs, every })
    this.messages = new Messages(ports, this.watched, guard, () => this.isOpen())
    this.sessionPorts = {
      authenticator,
      topics: this.watched,
      dropped: (why, caller) => dropped(why, caller.name),
    }
  }

  get open(): number {
    return this.sessions.size
  }

  get topics(): number {
    return this.watched.size
  }

  close(): Promise<void> {
    this.closing = true
    const empty = new Promise<void>((resolve) => {
      if (this.sessions.size === 0) resolve()
      else this.whenEmpty = resolve
    })
    for (const session of this.sessions) session.finish()
    return empty
  }

  upgrade(res: HttpResponse, req: HttpRequest, context: us_socket_context_t): void {
    const authorization = req.getHeader('authorization')
    const caller = this.callerOf(req, authorization)
    if (isProblem(caller)) {
      refuseUpgrade(res, caller, this.requestIds.next())
      return
    }
    const slot: SessionSlot = { session: new Session(this.sessionPorts, caller, authorization) }
    const key = req.getHeader('sec-websocket-key')
    const protocol = req.getHeader('sec-websocket-protocol')
    res.upgrade(slot, key, protocol, req.getHeader('sec-websocket-extensions'), context)
  }

  opened(socket: SessionSocket): void {
    const { session } = socket.getUserData()
    this.sessions.add(session)
    session.opened(socket, this.services.guard.address(socket.getRemoteAddress()))
    if (this.closing) session.finish()
  }

  /** `data` is taken away when this returns. */
  message(session: Session, data: ArrayBuffer, isBinary: boolean): void {
    if (session.closed || !session.authorised()) return
    if (data.byteLength > FRAME_BYTES_MAX) session.drop('frame too long', CLOSE.TOO_BIG)
    else if (isBinary) this.messages.takeBinary(session, new Uint8Array(data))
    else this.messages.takeText(session, Buffer.from(data).toString('utf8'))
  }

  closed(session: Session): void {
    session.lost()
    this.sessions.delete(session)
    if (this.sessions.size === 0) this.whenEmpty?.()
  }

  private isOpen(): boolean {
    return !this.closing && this.services.isOpen()
  }

  private callerOf(req: HttpRequest, authorization: string): Caller | Problem {
    if (!this.isOpen()) return problem('SHARD_UNAVAILABLE', 'the server is not ready')
    if (this.sessions.size >= SESSIONS_MAX) return problem('OVERLOADED', 'too many connections')
    const { authenticator } = this.services
    if (authenticator === null) return isForeign(req) ? FOREIGN : ANYBODY
    const caller = authenticate(authenticator, authorization)
    return isProblem(caller) ? caller : (forbidden(caller, ['checkout']) ?? caller)
  }
}

const FOREIGN = problem('FORBIDDEN', 'this server has no authentication and serves no pages of other origins')

/**
 * A page of another origin in somebody's browser. Browsers send WebSocket upgrades anywhere without asking, and without
 * authentication nothing else would keep a page from using the server of whoever looks at it.
 */
function isForeign(req: HttpRequest): boolean {
  const origin = req.getHeader('origin')
  return origin !== '' && origin.slice(origin.indexOf('://') + 3) !== req.getHeader('host')
}

function refuseUpgrade(res: HttpResponse, found: Problem, requestId: string): void {
  res.writeStatus(statusLine(found.status))
  res.writeHeader('content-type', 'application/problem+json').writeHeader('x-request-id', requestId)
  if (found.status === 401) res.writeHeader('www-authenticate', 'Bearer')
  if (found.code === 'OVERLOADED') res.writeHeader('retry-after', '1')
  const rest = endAnswer(res, problemBody(found, requestId))
  if (rest !== null) res.onAborted(() => rest.aborted())
}
