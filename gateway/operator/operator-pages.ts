/**
 * What an operator asks: alive, ready, figures, the contract; and the answer for every path that does not exist.
 *
 * `/livez` says that the process turns its event loop, `/readyz` that a call would be taken. Both name the durability, so
 * that nobody runs `relaxed` without knowing. They and the contract are open; the figures need role `operations`.
 */
import type { HttpRequest, HttpResponse, TemplatedApp } from 'uWebSockets.js'
import { ANYBODY, authenticate, type Authenticator, forbidden, isProblem } from '../access/authenticate.ts'
import { endAnswer } from '../http/end-answer.ts'
import type { EngineHealth } from './health.ts'
import { METRICS_CONTENT_TYPE, type Metrics } from './metrics.ts'
import { type Problem, problem, problemBody } from '../problem.ts'
import type { RequestIds } from '../http/request-ids.ts'
import { methodsOf } from '../http/routes.ts'
import { statusLine } from '../http/status-lines.ts'

export interface OperatorServices {
  readonly health: EngineHealth
  readonly metrics: Metrics
  readonly requestIds: RequestIds
  readonly authenticator: Authenticator | null
  /** JSON text of the OpenAPI document. */
  readonly contract: string
  readonly isStopping: () => boolean
  readonly failed: (error: unknown) => void
}

const JSON_TYPE = 'application/json'
const PROBLEM_TYPE = 'application/problem+json'

export function attachOperatorPages(app: TemplatedApp, services: OperatorServices): void {
  const { health, metrics, requestIds, contract } = services

  app.get('/livez', (res) => {
    write(res, 200, JSON_TYPE, requestIds.next(), `{"status":"live","durability":"${health.durability}"}`)
  })

  app.get('/readyz', (res) => {
    const requestId = requestIds.next()
    const { events, eventsTotal, elapsedMs } = health.progress()
    const replay = `{"events":${events},"eventsTotal":${eventsTotal},"elapsedMs":${elapsedMs}}`
    const members = `"durability":"${health.durability}","replay":${replay}`
    const found = unreadiness(health, services.isStopping())
    if (found === null) {
      write(res, 200, JSON_TYPE, requestId, `{"status":"ready",${members}}`)
    } else {
      write(res, 503, PROBLEM_TYPE, requestId, `${problemBody(found, requestId).slice(0, -1)},${members}}`)
    }
  })

  app.get('/v1/openapi.json', (res) => {
    write(res, 200, JSON_TYPE, requestIds.next(), contract)
  })

  app.get('/metrics', (res, req) => {
    const { authenticator } = services
    const caller = authenticator === null ? ANYBODY : authenticate(authenticator, req.getHeader('authorization'))
    const denied = isProblem(caller) ? caller : forbidden(caller, [])
    if (denied !== null) {
      refuse(res, denied, requestIds.next(), false)
      return
    }
    let isOpen = true
    res.onAborted(() => {
      isOpen = false
    })
    metrics
      .text()
      .then((text) => {
        if (isOpen) write(res, 200, METRICS_CONTENT_TYPE, requestIds.next(), text)
      })
      .catch((error: unknown) => {
        services.failed(error)
        if (isOpen) refuse(res, problem('INTERNAL_ERROR', 'the figures could not be read'), requestIds.next(), false)
      })
  })

  app.any('/*', (res, req) => {
    refuse(res, unrouted(req), requestIds.next(), req.getMethod() === 'head')
  })
}

/** Why a call would not be taken now; null: it would. */
export function unreadiness(health: EngineHealth, isStopping: boolean): Problem | null {
  const failure = health.failed()
  if (failure !== null) return problem('STORAGE_UNAVAILABLE', failure)
  if (isStopping) return problem('SHARD_UNAVAILABLE', 'nothing was done; the server is stopping')
  if (!health.ready()) return problem('SHARD_UNAVAILABLE', 'nothing was done; the log is being replayed')
  return null
}

function unrouted(req: HttpRequest): Problem {
  const methods = methodsOf(req.getUrl())
  if (methods.length === 0) return problem('NOT_FOUND', 'there is no such path; see /v1/openapi.json')
  const allow = methods.join(', ')
  return { ...problem('METHOD_NOT_ALLOWED', `this path takes ${allow}`), allow }
}

function refuse(res: HttpResponse, found: Problem, requestId: string, isHead: boolean): void {
  const allow = found.allow === null ? '' : `\r\nallow: ${found.allow}`
  const challenge = found.status === 401 ? '\r\nwww-authenticate: Bearer' : ''
  if (!isHead) {
    write(res, found.status, PROBLEM_TYPE + allow + challenge, requestId, problemBody(found, requestId))
    return
  }
  // Without a length: uWebSockets.js would wait for as many bytes as it was told, and end the process meanwhile.
  res.cork(() => {
    res.writeStatus(statusLine(found.status)).writeHeader('x-request-id', `${requestId}${allow}`)
    res.endWithoutBody()
  })
}

function write(res: HttpResponse, status: number, contentType: string, requestId: string, body: string): void {
  res.cork(() => {
    res.writeStatus(statusLine(status)).writeHeader('x-request-id', requestId).writeHeader('content-type', contentType)
    const rest = endAnswer(res, body)
    if (rest !== null) res.onAborted(() => rest.aborted())
  })
}
