// Calls over one WebSocket connection: many at once, each answered by its id, all of them rejected when the connection is
// gone. What is asked within a turn of the event loop leaves as one frame with an array, as a busy checkout would send it.

import { connectWebSocket, contentOf, OPCODE, type WsClient } from './ws-client.ts'

export interface WsReply {
  readonly id: string
  readonly ok: boolean
  readonly result?: Record<string, unknown>
  readonly error?: Record<string, unknown>
  readonly outcomes?: readonly number[]
  readonly discounts?: readonly number[]
  readonly position?: string
  readonly replayed?: boolean
}

interface Waiting {
  readonly resolve: (reply: WsReply) => void
  readonly reject: (error: Error) => void
}

/** Messages of one frame. */
const FRAME_MESSAGES_MAX = 256

export class WsCalls {
  /** Settles when the connection is gone. */
  readonly closed: Promise<void>
  private readonly client: WsClient
  private readonly prefix: string
  private readonly waiting = new Map<string, Waiting>()
  private outgoing: Record<string, unknown>[] = []
  private isClosed = false
  private count = 0

  /** `prefix` begins the ids of this connection's messages. */
  constructor(client: WsClient, prefix: string) {
    this.client = client
    this.prefix = prefix
    this.closed = client.closed.then(() => this.lost())
    void this.listen()
  }

  /** Sends one message and settles with its answer; rejects when the connection ends before. */
  call(op: string, body: Readonly<Record<string, unknown>>): Promise<WsReply> {
    if (this.isClosed) return Promise.reject(new Error('the connection is closed'))
    this.count++
    const id = `${this.prefix}${this.count}`
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject })
      this.outgoing.push({ id, op, ...body })
      if (this.outgoing.length === 1) setImmediate(() => this.flush())
    })
  }

  /** The same as a binary frame of its own. */
  callBinary(op: string, body: Readonly<Record<string, unknown>>): Promise<WsReply> {
    if (this.isClosed) return Promise.reject(new Error('the connection is closed'))
    this.count++
    const id = `${this.prefix}${this.count}`
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject })
      this.client.pack({ id, op, ...body })
    })
  }

  close(): void {
    this.client.socket.destroy()
  }

  private flush(): void {
    while (this.outgoing.length > 0) {
      const messages = this.outgoing.slice(0, FRAME_MESSAGES_MAX)
      this.outgoing = this.outgoing.slice(FRAME_MESSAGES_MAX)
      if (!this.isClosed)
        this.client.send(OPCODE.TEXT, Buffer.from(JSON.stringify(messages.length === 1 ? messages[0] : messages)))
    }
  }

  private async listen(): Promise<void> {
    for (;;) {
      const content = contentOf(await this.client.nextFrame())
      for (const message of (Array.isArray(content) ? content : [content]) as WsReply[]) {
        const waiting = this.waiting.get(String(message.id))
        this.waiting.delete(String(message.id))
        waiting?.resolve(message)
      }
    }
  }

  private lost(): void {
    this.isClosed = true
    const left = [...this.waiting.values()]
    this.waiting.clear()
    for (const { reject } of left) reject(new Error('the connection was lost before the answer'))
  }
}

export async function connectCalls(port: number, prefix = 'm'): Promise<WsCalls> {
  return new WsCalls(await connectWebSocket(port), prefix)
}
