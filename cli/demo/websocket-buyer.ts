/**
 * Buyers over WebSocket: frames of many messages, some of them under way at once, on one connection.
 *
 *     ▶ [{id: 1, op: "redeem", …}, {id: 2, op: "redeem", …}, …]     ◀ {id: 2, ok: true, result: {…}}, in any order
 */
import { type Answer, type Attempt, type Queue, redemptionOf } from './attempts.ts'
import { connectWebSocket, type WebSocketConnection } from './websocket-connection.ts'

/** Messages of a frame. */
const FRAME_MESSAGES = 32
const FRAMES_UNDER_WAY = 4

interface Message {
  readonly id: number
  readonly ok: boolean
  readonly result?: { readonly redemptionId: string }
  readonly error?: { readonly code: string; readonly detail: string }
}

export interface WebSocketBuyer {
  /** Resolves when there is nothing more to take and all is answered. */
  run(): Promise<void>
  close(): void
}

export async function connectWebSocketBuyer(port: number, queue: Queue): Promise<WebSocketBuyer> {
  return new Buyer(await connectWebSocket(port, '/v1/ws'), queue)
}

class Buyer implements WebSocketBuyer {
  private readonly connection: WebSocketConnection
  private readonly queue: Queue
  private readonly underWay = new Map<number, Attempt>()
  private lastId = 0
  private resolve: () => void = () => {}

  constructor(connection: WebSocketConnection, queue: Queue) {
    this.connection = connection
    this.queue = queue
  }

  async run(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.resolve = resolve
      this.connection.listen((text) => this.heard(text), reject)
      for (let frame = 0; frame < FRAMES_UNDER_WAY; frame++) this.sendFrame(FRAME_MESSAGES)
      if (this.underWay.size === 0) resolve()
    })
  }

  close(): void {
    this.connection.close()
  }

  private sendFrame(most: number): void {
    const messages = this.queue.take(most).map((attempt) => {
      this.lastId++
      this.underWay.set(this.lastId, attempt)
      return { id: this.lastId, op: 'redeem', ...redemptionOf(attempt) }
    })
    if (messages.length > 0) this.connection.send(JSON.stringify(messages))
  }

  private heard(text: string): void {
    const frame = JSON.parse(text) as Message | readonly Message[]
    for (const message of Array.isArray(frame) ? (frame as readonly Message[]) : [frame as Message])
      this.answered(message)
    const room = FRAME_MESSAGES * FRAMES_UNDER_WAY - this.underWay.size
    if (room >= FRAME_MESSAGES) this.sendFrame(room)
    if (this.underWay.size === 0) this.resolve()
  }

  private answered(message: Message): void {
    const attempt = this.underWay.get(message.id)
    if (attempt === undefined)
      throw new Error(`an answer for the message ${message.id}, which was not sent: ${JSON.stringify(message)}`)
    this.underWay.delete(message.id)
    this.queue.answered(attempt, answerOf(message), 'websocket')
  }
}

function answerOf({ result, error }: Message): Answer {
  if (result !== undefined) return { kind: 'redeemed', redemptionId: result.redemptionId }
  return { kind: 'refused', code: error?.code ?? 'an answer without a code', detail: error?.detail ?? '' }
}
