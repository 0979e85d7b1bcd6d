/**
 * Buyers over HTTP: one request after the other on each of some kept-alive connections.
 */
import { Agent, request } from 'node:http'
import { type Answer, type Attempt, type Queue, redemptionOf } from './attempts.ts'

export class HttpBuyers {
  private readonly port: number
  private readonly connections: number
  private readonly queue: Queue
  private readonly agent: Agent
  private isClosed = false

  constructor(port: number, connections: number, queue: Queue) {
    this.port = port
    this.connections = connections
    this.queue = queue
    this.agent = new Agent({ keepAlive: true, maxSockets: connections })
  }

  /** Resolves when there is nothing more to take. */
  async run(): Promise<void> {
    await Promise.all(Array.from({ length: this.connections }, () => this.buy()))
  }

  close(): void {
    this.isClosed = true
    this.agent.destroy()
  }

  private async buy(): Promise<void> {
    while (!this.isClosed) {
      const [attempt] = this.queue.take(1)
      if (attempt === undefined) return
      this.queue.answered(attempt, await this.redeem(attempt), 'http')
    }
  }

  private async redeem(attempt: Attempt): Promise<Answer> {
    const body = JSON.stringify(redemptionOf(attempt))
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const options = {
      port: this.port,
      host: '127.0.0.1',
      agent: this.agent,
      method: 'POST',
      path: '/v1/redemptions',
      headers,
    }
    const text = await new Promise<string>((resolve, reject) => {
      const call = request(options, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => resolve(Buffer.concat(chunks).toString()))
        response.on('error', reject)
      })
      call.on('error', reject)
      call.end(body)
    })
    return answerOf(JSON.parse(text) as { redemptionId?: string; code?: string; detail?: string })
  }
}

function answerOf({ redemptionId, code, detail }: { redemptionId?: string; code?: string; detail?: string }): Answer {
  if (redemptionId !== undefined) return { kind: 'redeemed', redemptionId }
  return { kind: 'refused', code: code ?? 'an answer without a code', detail: detail ?? '' }
}
