/**
 * A request of the past, as it lies in a file. Three forms:
 *
 *     {"method": "POST", "path": "/v1/redemptions", "body": {…}, "ifMatch": "…"}      as it went over HTTP
 *     {"op": "redeem", "codes": […], …}                                              as a WebSocket message
 *     {"codes": […], …}                                                              the bare body, with --operation
 *
 * What comes out is the gateway's own operation with its input, so it is decoded by the code that decoded it then.
 */
import { ANYBODY } from '../../gateway/access/authenticate.ts'
import { OPERATIONS, type OperationName } from '../../gateway/operations/operation-table.ts'
import type { Operation, OperationInput } from '../../gateway/operations/operations.ts'
import { type Method, ROUTES } from '../../gateway/http/routes.ts'
import { askedOperation } from '../../gateway/websocket/websocket-operations.ts'
import { UsageFault } from '../rebuild/positions.ts'

export interface PastRequest {
  readonly operation: Operation
  readonly input: OperationInput
}

export interface BareBody {
  readonly operation: string | null
  /** What stands for `{coupon}` or `{id}` in the path. */
  readonly target: string
}

type Fields = Readonly<Record<string, unknown>>

/** Throws UsageFault where it is no request. */
export function pastRequest(file: unknown, bare: BareBody): PastRequest {
  if (bare.operation !== null) return bareBody(file, bare.operation, bare.target)
  if (!isFields(file)) throw new UsageFault('the request has to be a JSON object')
  if (typeof file['method'] === 'string' && typeof file['path'] === 'string') {
    return overHttp(file['method'].toUpperCase(), file['path'], file)
  }
  if (typeof file['op'] === 'string') return overWebSocket(file['op'], file)
  throw new UsageFault(
    'the request has to name "method" and "path" (or, over WebSocket, "op"), or its operation has to be given with --operation',
  )
}

function bareBody(body: unknown, name: string, target: string): PastRequest {
  if (!(name in OPERATIONS)) {
    throw new UsageFault(`there is no operation ${name}; there are ${Object.keys(OPERATIONS).join(', ')}`)
  }
  return { operation: OPERATIONS[name as OperationName], input: inputOf({ body, target }) }
}

function overHttp(method: string, pathAndQuery: string, file: Fields): PastRequest {
  const [path = '', query = ''] = pathAndQuery.split(/\?(.*)/s)
  for (const route of ROUTES) {
    const target = route.method === (method as Method) ? targetOf(route.path, path) : null
    if (target === null) continue
    const ifMatch = typeof file['ifMatch'] === 'string' ? file['ifMatch'] : ''
    const body = route.body === 'none' ? undefined : file['body']
    return { operation: route.operation, input: inputOf({ body, target, query, ifMatch }) }
  }
  throw new UsageFault(`${method} ${path} is no call of a shard`)
}

function overWebSocket(op: string, file: Fields): PastRequest {
  const { id: _, op: __, ...body } = file
  const asked = askedOperation(op, body)
  if (asked === null) throw new UsageFault(`"${op}" is no operation of a shard`)
  if ('code' in asked) throw new UsageFault(`the message is no call of a shard: ${asked.detail}`)
  return { operation: asked.operation, input: inputOf(asked) }
}

function inputOf(
  given: Pick<OperationInput, 'body' | 'target'> & Partial<Pick<OperationInput, 'query' | 'ifMatch'>>,
): OperationInput {
  const { body, target, query = '', ifMatch = '' } = given
  return { body, target, query, ifMatch, caller: ANYBODY }
}

/** What stands for the parameter of a template, decoded, '' where it has none; null: the path is another one. */
function targetOf(template: string, path: string): string | null {
  const parts = template.split('/')
  const segments = path.split('/')
  if (parts.length !== segments.length) return null
  let target = ''
  for (const [i, part] of parts.entries()) {
    const segment = segments[i] ?? ''
    if (part.startsWith('{') && segment !== '') target = decoded(segment)
    else if (part !== segment) return null
  }
  return target
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
