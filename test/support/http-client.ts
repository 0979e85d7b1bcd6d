// HTTP as a checkout speaks it: kept-alive connections, one request at a time on each, JSON in and out.
//
// Nothing is retried here: an error of the connection is an answer that never came, and only the caller knows what that means.

import { Agent, request } from 'node:http'

export interface HttpReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  /** The parsed body; an empty object where there is none or it is no JSON. */
  readonly json: Record<string, unknown>
}

export class HttpClient {
  private readonly agent: Agent
  private readonly port: number

  constructor(port: number, connections = 64) {
    this.port = port
    this.agent = new Agent({ keepAlive: true, maxSockets: connections })
  }

  get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<HttpReply> {
    return this.call('GET', path, undefined, headers)
  }

  post(path: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<HttpReply> {
    return this.call('POST', path, body, headers)
  }

  /** A string or bytes go out as they are, anything else as JSON. Rejects when no whole answer came. */
  call(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<HttpReply> {
    const payload = payloadOf(body)
    const all: Record<string, string | number> =
      payload === null ? {} : { 'content-type': 'application/json', 'content-length': payload.length }
    return new Promise((resolve, reject) => {
      const outgoing = request(
        { agent: this.agent, host: '127.0.0.1', port: this.port, method, path, headers: { ...all, ...headers } },
        (incoming) => {
          const chunks: Buffer[] = []
          incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
          incoming.on('error', reject)
          incoming.on('aborted', () => reject(new Error('the answer was cut off')))
          incoming.on('end', () => {
            const text = Buffer.concat(chunks).toString('utf8')
            const { statusCode, headers: found } = incoming
            try {
              resolve({
                status: statusCode ?? 0,
                headers: found,
                text,
                json: jsonOf(text, String(found['content-type'])),
              })
            } catch (cause) {
              reject(new Error(`the answer is no JSON: ${text.slice(0, 200)}`, { cause }))
            }
          })
        },
      )
      outgoing.on('error', reject)
      outgoing.end(payload ?? undefined)
    })
  }

  close(): void {
    this.agent.destroy()
  }
}

function jsonOf(text: string, contentType: string): Record<string, unknown> {
  return contentType.includes('json') && text !== '' ? (JSON.parse(text) as Record<string, unknown>) : {}
}

function payloadOf(body: unknown): Buffer | null {
  if (body === undefined) return null
  if (body instanceof Uint8Array) return Buffer.from(body)
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
}
