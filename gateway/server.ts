/**
 * The gateway: routes of the table, pages of the operator, WebSocket sessions, on one uWebSockets.js app.
 *
 * Every call is gated here before its body is read: ready, authenticated, in the right media type. To stop: no new
 * connections, answers close theirs, what is in flight ends, then the app is closed.
 */
import { App, type HttpRequest, type HttpResponse, us_listen_socket_close, us_socket_local_port } from 'uWebSockets.js'
import type { TemplatedApp, us_listen_socket } from 'uWebSockets.js'
import type { Logger } from 'pino'
import { Admission } from './operations/admission.ts'
import { authenticate, type Authenticator, forbidden, isProblem } from './access/authenticate.ts'
import { CheckoutGuard } from './guard/checkout-guard.ts'
import { guesserText, Guessing } from './guard/guessing.ts'
import type { EventFeed } from './events/event-feed.ts'
import { EVENT_STREAM_TYPE, EventStreams } from './events/event-streams.ts'
import { listEvents } from './events/events-call.ts'
import type { EngineHealth } from './operator/health.ts'
import { HttpCall } from './http/http-call.ts'
import type { HttpServices } from './http/http-services.ts'
import { takesKey } from './idempotency/idempotency.ts'
import { DRAIN_MS_MAX, SLOW_CALL_MS } from './limits.ts'
import { Report } from './operator/log.ts'
import { RouteMeter } from './operator/meters.ts'
import { Metrics } from './operator/metrics.ts'
import { openApiText } from './openapi/openapi.ts'
import type { OperationPorts } from './operations/operations.ts'
import { attachOperatorPages, unreadiness } from './operator/operator-pages.ts'
import { invalid, problem } from './problem.ts'
import { RateLimits } from './guard/rate-limits.ts'
import { isJsonType } from './http/read-body.ts'
import { RequestIds } from './http/request-ids.ts'
import { type Route, ROUTES } from './http/routes.ts'
import { UploadCall } from './http/upload-call.ts'
import { CheckoutScanner } from './checkout/scan-checkout.ts'
import type { Imports } from './codes/import-port.ts'
import type { ReadModel } from './lists/read-model.ts'
import { UniformHold } from './guard/uniform-refusals.ts'
import type { SearchPort } from './lists/search-port.ts'
import type { Router } from '../engine/routing.ts'
import type { ShardTransport } from '../engine/transport/port.ts'
import { ByteWriter } from '../protocol/bytes.ts'

/** What sessions on the same app get. */
export interface SessionServices {
  readonly ports: OperationPorts
  readonly authenticator: Authenticator | null
  readonly guard: CheckoutGuard
  /** Whether an upgrade may be taken now. */
  readonly isOpen: () => boolean
  readonly report: Report
}

export interface Sessions {
  /** Ends the sessions once what they have in flight is answered. */
  close(): Promise<void>
}

export interface GatewayOptions {
  readonly host: string
  /** 0: any free port. */
  readonly port: number
  readonly transport: ShardTransport
  readonly router: Router
  /** null: authentication is off. */
  readonly authenticator: Authenticator | null
  readonly logger: Logger
  readonly health: EngineHealth
  /** Monotonic milliseconds. */
  readonly nowMs: () => number
  /** So many bytes from a CSPRNG. */
  readonly random: (length: number) => Uint8Array
  /** Adds the WebSocket sessions; null: HTTP only. */
  readonly attachSessions: ((app: TemplatedApp, services: SessionServices) => Sessions) | null
  /** Lists; absent: they are refused. */
  readonly readModel?: ReadModel
  /** Absent: searches are refused. */
  readonly search?: SearchPort
  /** Events of a sale; absent: nobody watches. */
  readonly events?: EventFeed
  /** Files of coupons; absent: they are refused. */
  readonly imports?: Imports
  /** Absent: off. */
  readonly rateLimits?: boolean
  /** Absent: off. */
  readonly uniformRefusals?: boolean
  /** How long a stop waits for answers in flight. */
  readonly drainMs?: number
  readonly slowMs?: number
}

export interface Gateway {
  readonly port: number
  /** For gauges of others, such as the journal's. */
  readonly metrics: Metrics
  /** Stops gracefully; settles when the app is closed. */
  close(): Promise<void>
}

/** The address cannot be listened on: taken, not ours, or not allowed. */
export class ListenFailed extends Error {
  readonly code = 'LISTEN_FAILED'
  override readonly name = 'ListenFailed'
}

export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { transport, router, authenticator, health, nowMs, random } = options
  let stopping = false
  const isStopping = (): boolean => stopping
  const report = new Report(options.logger, nowMs)
  const failed = (error: unknown): void => report.failed(error)
  const guessing = new Guessing(nowMs, (guesser) => {
    report.guessing(guesser)
    options.events?.tell('GUESSING', guesserText(guesser))
  })
  const limits = options.rateLimits === true ? new RateLimits(nowMs) : null
  const uniform = options.uniformRefusals === true ? new UniformHold(nowMs, every) : null
  const guard = new CheckoutGuard({ limits, guessing, uniform, random, nowMs })
  const ports: OperationPorts = {
    transport,
    router,
    random,
    failed,
    writer: new ByteWriter(),
    ...(options.readModel === undefined ? {} : { readModel: options.readModel }),
    ...(options.search === undefined ? {} : { search: options.search }),
    ...(options.events === undefined ? {} : { events: options.events }),
    ...(options.imports === undefined ? {} : { imports: options.imports }),
  }
  const services: HttpServices = {
    ports,
    uniformPorts: { ...ports, isUniform: true },
    scanner: new CheckoutScanner(router),
    admission: new Admission(),
    guard,
    streams: options.events === undefined ? null : new EventStreams(options.events, authenticator, failed),
    requestIds: new RequestIds(random),
    report,
    nowMs,
    slowMs: options.slowMs ?? SLOW_CALL_MS,
    isStopping,
  }
  const app = App()
  const meters = ROUTES.map((route) => {
    const meter = new RouteMeter(route.method, route.path)
    register(app, route, receive(services, route, meter, authenticator, health))
    return meter
  })
  const metrics = new Metrics(transport, meters, () => services.admission.inFlight)
  if (options.readModel !== undefined) metrics.showLag(options.readModel)
  if (options.search !== undefined) metrics.showSearch(options.search)
  metrics.showSnapshots(health)
  metrics.showReconciliation(health)
  metrics.showGuard(guard)
  if (options.events !== undefined) metrics.showEvents(options.events)
  const sessions =
    options.attachSessions?.(app, {
      ports: services.ports,
      authenticator,
      guard,
      isOpen: () => unreadiness(health, stopping) === null,
      report,
    }) ?? null
  const { requestIds } = services
  attachOperatorPages(app, { health, metrics, requestIds, authenticator, contract: openApiText(), isStopping, failed })
  const socket = await listen(app, options.host, options.port)
  const port = us_socket_local_port(socket)

  const stop = async (): Promise<void> => {
    stopping = true
    us_listen_socket_close(socket)
    services.streams?.close()
    await settledWithin(options.drainMs ?? DRAIN_MS_MAX, [
      services.admission.idle(),
      sessions?.close() ?? Promise.resolve(),
    ])
    uniform?.close()
    app.close()
  }
  let stopped: Promise<void> | null = null
  return { port, metrics, close: () => (stopped ??= stop()) }
}

async function listen(app: TemplatedApp, host: string, port: number): Promise<us_listen_socket> {
  return await new Promise((resolve, reject) => {
    app.listen(host, port, (socket) => {
      if (socket === false) reject(new ListenFailed(`cannot listen on ${host}:${port}; is it taken?`))
      else resolve(socket)
    })
  })
}

/** Runs beside everything else, and keeps no process alive. */
function every(intervalMs: number, tick: () => void): () => void {
  const timer = setInterval(tick, intervalMs).unref()
  return () => clearInterval(timer)
}

async function settledWithin(limitMs: number, work: readonly Promise<void>[]): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs)
  })
  await Promise.race([Promise.all(work), late])
  clearTimeout(timer)
}

type Handler = (res: HttpResponse, req: HttpRequest) => void

function register(app: TemplatedApp, route: Route, handler: Handler): void {
  const pattern = route.path.replace(/\{(\w+)\}/, ':$1')
  switch (route.method) {
    case 'GET':
      app.get(pattern, handler)
      return
    case 'POST':
      app.post(pattern, handler)
      return
    case 'PATCH':
      app.patch(pattern, handler)
      return
    case 'DELETE':
      app.del(pattern, handler)
  }
}

const NOT_JSON = problem('UNSUPPORTED_MEDIA_TYPE', 'send the body as application/json in UTF-8')
const BAD_PATH = { ...invalid('', 'the path is not percent-encoded UTF-8'), pointer: null }

/** What happens at the head of a request. `req` lives only here, so everything needed of it is read here. */
function receive(
  services: HttpServices,
  route: Route,
  meter: RouteMeter,
  authenticator: Authenticator | null,
  health: EngineHealth,
): Handler {
  const hasTarget = route.path.includes('{')
  const readsIfMatch = route.body === 'mergePatch'
  const readsQuery = route.method === 'GET'
  const readsKey = takesKey(route.operation)
  const streams = route.operation === listEvents ? services.streams : null
  return (res, req) => {
    const { imports } = services.ports
    const upload =
      route.body === 'upload' && imports !== undefined ? new UploadCall(services, route, meter, res, imports) : null
    const call = upload ?? new HttpCall(services, route, meter, res)
    res.onAborted(() => call.aborted())
    const unready = unreadiness(health, services.isStopping())
    if (unready !== null) {
      call.refused(unready, '')
      return
    }
    call.trace = req.getHeader('traceparent')
    if (authenticator !== null) {
      const caller = authenticate(authenticator, req.getHeader('authorization'))
      if (isProblem(caller)) {
        call.refused(caller, '')
        return
      }
      call.caller = caller
    }
    if (hasTarget) {
      const target = decodedSegment(req.getParameter(0) ?? '')
      if (target === null) {
        call.refused(BAD_PATH, '')
        return
      }
      call.target = target
    }
    // Undefined where the address has no question mark, whatever its type says.
    if (readsQuery) call.query = (req.getQuery() as string | undefined) ?? ''
    if (streams !== null && req.getHeader('accept').includes(EVENT_STREAM_TYPE)) {
      const authorization = req.getHeader('authorization')
      const lastEventId = req.getHeader('last-event-id')
      const stream = streams.prepare({ caller: call.caller, authorization, query: call.query, lastEventId })
      if ('code' in stream) call.refused(stream, '')
      else call.streams(stream)
      return
    }
    if (readsKey) call.key = req.getHeader('idempotency-key')
    if (readsIfMatch) call.ifMatch = req.getHeader('if-match')
    if (upload !== null) {
      const denied = forbidden(call.caller, route.operation.roles)
      if (denied !== null) call.refused(denied, '')
      else if (upload.open(req.getHeader('content-type'))) res.onData((chunk, isLast) => call.data(chunk, isLast))
      return
    }
    if (route.body === 'none' || route.body === 'upload') {
      call.begin(null)
      return
    }
    if (!isJsonType(req.getHeader('content-type'), route.body)) {
      call.refused(NOT_JSON, '')
      return
    }
    res.onData((chunk, isLast) => call.data(chunk, isLast))
  }
}

/** null: not percent-encoded UTF-8. */
function decodedSegment(raw: string): string | null {
  if (!raw.includes('%')) return raw
  try {
    return decodeURIComponent(raw)
  } catch {
    return null
  }
}
