// A JSON server on node:http: a table of routes, bodies parsed, answers rendered. Yours is the framework you already
// have.
//
// A path's `:name` parts are handed to the handler. What a handler throws is not answered but given to `onFailure`:
// neither of the two servers here knows a state it could go on in.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'

const BODY_BYTES_MAX = 65_536

/** What a `:name` may stand for: ids, which need no decoding. */
const PLAIN = /^[\w-]{1,64}$/

export interface JsonRequest {
  /** The `:name` parts of the path. */
  readonly params: Readonly<Record<string, string>>
  readonly headers: IncomingMessage['headers']
  /** An empty object where there is none. */
  readonly body: Readonly<Record<string, unknown>>
  readonly query: URLSearchParams
}

export interface JsonAnswer {
  readonly status: number
  readonly json?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** The connection is cut instead of an answer. */
  readonly isCut?: boolean
}

/** Keys as `POST /orders/:orderId/submit`. */
export type Routes = Readonly<Record<string, (request: JsonRequest) => Promise<JsonAnswer> | JsonAnswer>>

/** Listens on the loopback address; settles with the address. */
export function listen(routes: Routes, port: number, onFailure: (error: unknown) => void): Promise<string> {
  const server = createServer((incoming, response) => {
    answer(routes, incoming, response).catch(onFailure)
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => resolve(`http://127.0.0.1:${portOf(server)}`))
  })
}

async function answer(routes: Routes, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const [path = '', query = ''] = (incoming.url ?? '').split('?', 2)
  const found = route(routes, incoming.method ?? '', path)
  if (found === null) return send(response, { status: 404, json: { error: 'NO_SUCH_PATH' } })
  const body = await readBody(incoming)
  if (body === null) return send(response, { status: 400, json: { error: 'NOT_JSON' } })
  const { params, handle } = found
  send(response, await handle({ params, headers: incoming.headers, body, query: new URLSearchParams(query) }))
}

function route(routes: Routes, method: string, path: string) {
  const parts = path.split('/')
  for (const [key, handle] of Object.entries(routes)) {
    const [wantedMethod, wantedPath = ''] = key.split(' ')
    const params = wantedMethod === method ? paramsOf(wantedPath.split('/'), parts) : null
    if (params !== null) return { handle, params }
  }
  return null
}

/** null: another path. */
function paramsOf(wanted: readonly string[], parts: readonly string[]): Record<string, string> | null {
  if (wanted.length !== parts.length) return null
  const params: Record<string, string> = {}
  for (const [index, want] of wanted.entries()) {
    const part = parts[index] as string
    if (want.startsWith(':') && PLAIN.test(part)) params[want.slice(1)] = part
    else if (want !== part) return null
  }
  return params
}

/** null: too long, cut off, or no JSON object. */
async function readBody(incoming: IncomingMessage): Promise<Readonly<Record<string, unknown>> | null> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of incoming as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > BODY_BYTES_MAX) return null
      chunks.push(chunk)
    }
    const text = Buffer.concat(chunks).toString('utf8')
    const parsed: unknown = text === '' ? {} : JSON.parse(text)
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : null
  } catch {
    return null
  }
}

function send(response: ServerResponse, { status, json, headers = {}, isCut = false }: JsonAnswer): void {
  if (isCut) {
    response.destroy()
    return
  }
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(json === undefined ? '' : JSON.stringify(json))
}

function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a server that listens has a port')
  return address.port
}
