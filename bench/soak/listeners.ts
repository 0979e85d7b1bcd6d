// Those who only listen: a WebSocket that has subscribed to a coupon and a campaign and is opened anew now and then, and a reader
// of the feed of events that stays for the whole run.

import { get, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { openWebSocket, pong, textFrame } from '../load/open-websocket.ts'
import { OPCODE, WebSocketReader } from '../load/websocket-reader.ts'
import type { Stock } from './stock.ts'

/** So long a subscriber stays before it goes and another comes. */
const STAYS_MS = 20_000

export interface Heard {
  readonly pushes: number
  readonly events: number
  readonly sessions: number
  /** Connections that ended without being asked to. */
  readonly lost: number
}

export class Listeners {
  readonly #port: number
  readonly #stock: Stock
  #pushes = 0
  #events = 0
  #sessions = 0
  #lost = 0
  #isOver = false
  #session: Socket | null = null
  #feed: IncomingMessage | null = null
  #timer: NodeJS.Timeout | undefined

  constructor(port: number, stock: Stock) {
    this.#port = port
    this.#stock = stock
  }

  get heard(): Heard {
    return { pushes: this.#pushes, events: this.#events, sessions: this.#sessions, lost: this.#lost }
  }

  async start(): Promise<void> {
    await Promise.all([this.#subscribe(), this.#follow()])
    this.#timer = setInterval(() => {
      this.#leave()
      this.#subscribe().catch(() => this.#lost++)
    }, STAYS_MS)
  }

  stop(): void {
    this.#isOver = true
    clearInterval(this.#timer)
    this.#leave()
    this.#feed?.destroy()
  }

  async #subscribe(): Promise<void> {
    const socket = await openWebSocket(this.#port)
    this.#sessions++
    this.#session = socket
    const reader = new WebSocketReader((opcode, payload) => {
      if (opcode === OPCODE.ping) socket.write(pong(payload))
      else if (opcode === OPCODE.text && payload.includes('"topic"')) this.#pushes++
    })
    socket.on('data', (chunk: Buffer) => reader.feed(chunk, chunk.length))
    socket.on('error', () => {})
    socket.on('close', () => {
      if (this.#session === socket && !this.#isOver) this.#lost++
    })
    const topics = [`coupon:${this.#stock.hot[0]}`]
    if (this.#stock.campaignId !== null) topics.push(`campaign:${this.#stock.campaignId}`)
    for (const [id, topic] of topics.entries()) socket.write(textFrame(JSON.stringify({ id, op: 'subscribe', topic })))
  }

  #leave(): void {
    const socket = this.#session
    this.#session = null
    socket?.destroy()
  }

  async #follow(): Promise<void> {
    const headers = { accept: 'text/event-stream' }
    const feed = await new Promise<IncomingMessage>((resolve, reject) => {
      get({ port: this.#port, host: '127.0.0.1', path: '/v1/events', headers }, resolve).once('error', reject)
    })
    if (feed.statusCode !== 200) throw new Error(`the feed answered ${feed.statusCode}`)
    this.#feed = feed
    let rest = ''
    feed.setEncoding('utf8')
    feed.on('data', (text: string) => {
      const records = (rest + text).split('\n\n')
      rest = records.pop() ?? ''
      this.#events += records.filter((record) => record.includes('data:')).length
    })
    feed.on('error', () => {})
    feed.on('close', () => {
      if (!this.#isOver) this.#lost++
    })
  }
}
