// The real server on a free port over the fake transport, and a client that shows an answer whole.

import { randomBytes } from 'node:crypto'
import { request } from 'node:http'
import { Writable } from 'node:stream'
import type { Authenticator } from '../../../gateway/access/authenticate.ts'
import type { EngineHealth, ReconcileFigures, SnapshotFigures } from '../../../gateway/operator/health.ts'
import { createLogger } from '../../../gateway/operator/log.ts'
import { type Gateway, type GatewayOptions, startGateway } from '../../../gateway/server.ts'
import { Router } from '../../../engine/routing.ts'
import { FakeTransport } from './fake-transport.ts'

export interface TestGateway {
  readonly gateway: Gateway
  readonly transport: FakeTransport
  readonly router: Router
  readonly health: FakeHealth
  /** Lines of the log, parsed. */
  readonly log: Record<string, unknown>[]
}

export class FakeHealth implements EngineHealth {
  durability: 'flush' | 'relaxed' = 'flush'
  isReady = true
  failure: string | null = null
  ready(): boolean {
    return this.isReady
  }
  progress(): { events: number; eventsTotal: number | null; elapsedMs: number } {
    return { events: 12, eventsTotal: 40, elapsedMs: 3 }
  }
  failed(): string | null {
    return this.failure
  }
  snapshots(): SnapshotFigures {
    return { madeAtMs: 1_760_000_000_000, eventsBehind: 77, archiveBytes: null }
  }
  reconciliation(): ReconcileFigures {
    return {
      endedAtMs: 1_760_000_000_000,
      countersCompared: 5_000,
      roundsForAll: 4,
      differences: 1,
      lastDifferenceAtMs: 1_760_000_000_000,
    }
  }
}

export const SECRET = new Uint8Array(32).fill(7)

export async function startTestGateway(
  changes: Partial<GatewayOptions> & { readonly authenticator?: Authenticator | null } = {},
): Promise<TestGateway> {
  const transport = new FakeTransport()
  const router = new Router(transport.shards, SECRET)
  const health = new FakeHealth()
  const log: Record<string, unknown>[] = []
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      log.push(JSON.parse(chunk.toString('utf8')) as Record<string, unknown>)
      done()
    },
  })
  const gateway = await startGateway({
    host: '127.0.0.1',
    port: 0,
    transport,
    router,
    authenticator: null,
    logger: createLogger('info', sink),
    health,
    nowMs: () => performance.now(),
    random: (length) => randomBytes(length),
    attachSessions: null,
    ...changes,
  })
  return { gateway, transport, router, health, log }
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  /** The parsed body; undefined where there is none or it is no JSON. */
  readonly json: unknown
}

export interface Sent {
  readonly method?: string
  readonly path: string
  readonly headers?: Record<string, string>
  /** A string goes out as it is, anything else as JSON. */
  readonly body?: unknown
}

export async function send(port: number, { method = 'GET', path, headers = {}, body }: Sent): Promise<HttpAnswer> {
  const payload = body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body)
  const all = payload === null ? headers : { 'content-type': 'application/json', ...headers }
  return await new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, method, path, headers: all, agent: false }, (incoming) => {
      let text = ''
      incoming.setEncoding('utf8')
      incoming.on('data', (piece: string) => {
        text += piece
      })
      incoming.on('end', () => {
        const isJson = (incoming.headers['content-type'] ?? '').includes('json')
        const json: unknown = isJson && text !== '' ? JSON.parse(text) : undefined
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text, json })
      })
    })
    outgoing.on('error', reject)
    outgoing.end(payload ?? undefined)
  })
}
