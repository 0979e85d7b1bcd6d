// A WebSocket client for tests, close enough to the wire to be rude: fragments, wrong lengths, no reading at all.
//
// Frames that arrive wait in a queue; `next` hands them out in order and waits for one where there is none. No timers:
// a test that waits for a frame that never comes ends by the runner's limit.

import { createHash, randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { Packr, Unpackr } from 'msgpackr'

export const OPCODE = { CONTINUATION: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 } as const

const packr = new Packr({ useRecords: false })
const unpackr = new Unpackr({ useRecords: false, int64AsType: 'number' })

export interface ReceivedFrame {
  readonly opcode: number
  readonly payload: Buffer
}

/** The server answered the upgrade with something else than 101. */
export class UpgradeRefused extends Error {
  readonly status: number
  readonly head: string
  readonly body: string
  constructor(answer: string) {
    super(answer.split('\r\n', 1)[0])
    this.status = Number(answer.slice(9, 12))
    this.head = answer.slice(0, answer.indexOf('\r\n\r\n'))
    this.body = answer.slice(answer.indexOf('\r\n\r\n') + 4)
  }
}

/** Connects and does the handshake; throws UpgradeRefused. */
export async function connectWebSocket(
  port: number,
  path = '/v1/ws',
  headers: Readonly<Record<string, string>> = {},
): Promise<WsClient> {
  const key = randomBytes(16).toString('base64')
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  const extra = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n${extra.join('')}\r\n`,
  )
  const { head, rest } = await readHead(socket)
  if (!head.startsWith('HTTP/1.1 101')) {
    socket.destroy()
    throw new UpgradeRefused(head + rest.toString())
  }
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
  if (!head.includes(accept)) throw new Error('the server answered another key')
  return new WsClient(socket, rest)
}

function readHead(socket: Socket): Promise<{ head: string; rest: Buffer }> {
  return new Promise((resolve, reject) => {
    let got = Buffer.alloc(0)
    const take = (chunk: Buffer): void => {
      got = Buffer.concat([got, chunk])
      const end = got.indexOf('\r\n\r\n')
      if (end < 0) return
      const head = got.toString('latin1', 0, end + 4)
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
      if (got.length < end + 4 + length) return
      socket.off('data', take)
      socket.off('error', reject)
      resolve({ head, rest: got.subarray(end + 4) })
    }
    socket.on('data', take)
    socket.once('error', reject)
    socket.once('end', () => reject(new Error('the server closed the connection during the handshake')))
  })
}

export class WsClient {
  readonly socket: Socket
  /** The close code of the server's close frame; null when the connection ended without one. */
  readonly closed: Promise<number | null>
  private held: Buffer
  private readonly frames: ReceivedFrame[] = []
  private readonly waiting: ((frame: ReceivedFrame) => void)[] = []
  private closeCode: number | null = null

  constructor(socket: Socket, rest: Buffer) {
    this.socket = socket
    this.held = rest
    // A server that drops a connection with unread bytes resets it; that is an end like any other.
    socket.on('error', () => {})
    this.closed = new Promise((resolve) => {
      socket.once('close', () => resolve(this.closeCode))
    })
    socket.on('data', (chunk: Buffer) => {
      this.held = Buffer.concat([this.held, chunk])
      this.takeFrames()
    })
    this.takeFrames()
  }

  /** A JSON text frame. */
  say(message: unknown): void {
    this.send(OPCODE.TEXT, Buffer.from(JSON.stringify(message)))
  }

  /** A MessagePack binary frame. */
  pack(message: unknown): void {
    this.send(OPCODE.BINARY, packr.pack(message))
  }

  send(opcode: number, payload: Uint8Array, isFinal = true): void {
    this.socket.write(maskedFrame(opcode, payload, isFinal))
  }

  /** One message in several frames. */
  sendFragments(opcode: number, parts: readonly Uint8Array[]): void {
    parts.forEach((part, i) => {
      this.send(i === 0 ? opcode : OPCODE.CONTINUATION, part, i === parts.length - 1)
    })
  }

  /** The next text or binary frame. */
  nextFrame(): Promise<ReceivedFrame> {
    const frame = this.frames.shift()
    if (frame !== undefined) return Promise.resolve(frame)
    return new Promise((resolve) => {
      this.waiting.push(resolve)
    })
  }

  /** The content of the next frame, whichever way it is encoded. */
  async next(): Promise<unknown> {
    return contentOf(await this.nextFrame())
  }

  /** The next `count` messages, out of as many frames as they come in. */
  async messages(count: number): Promise<Record<string, unknown>[]> {
    const found: Record<string, unknown>[] = []
    while (found.length < count) {
      const content = await this.next()
      if (Array.isArray(content)) found.push(...(content as Record<string, unknown>[]))
      else found.push(content as Record<string, unknown>)
    }
    return found
  }

  /** Frames that have arrived and were not asked for. */
  get unread(): number {
    return this.frames.length
  }

  private takeFrames(): void {
    for (let end = this.frameEnd(); end > 0; end = this.frameEnd()) this.held = this.held.subarray(end)
  }

  private frameEnd(): number {
    const held = this.held
    if (held.length < 2) return 0
    const short = (held[1] as number) & 127
    const start = short === 126 ? 4 : short === 127 ? 10 : 2
    if (held.length < start) return 0
    const length = short === 126 ? held.readUInt16BE(2) : short === 127 ? Number(held.readBigUInt64BE(2)) : short
    if (held.length < start + length) return 0
    this.takeFrame({ opcode: (held[0] as number) & 15, payload: Buffer.from(held.subarray(start, start + length)) })
    return start + length
  }

  private takeFrame(frame: ReceivedFrame): void {
    if (frame.opcode === OPCODE.CLOSE) this.closeCode = frame.payload.length < 2 ? null : frame.payload.readUInt16BE(0)
    else if (frame.opcode === OPCODE.PING) this.send(OPCODE.PONG, frame.payload)
    else if (frame.opcode === OPCODE.TEXT || frame.opcode === OPCODE.BINARY) {
      const wanted = this.waiting.shift()
      if (wanted === undefined) this.frames.push(frame)
      else wanted(frame)
    }
  }
}

export function contentOf(frame: ReceivedFrame): unknown {
  return frame.opcode === OPCODE.TEXT ? JSON.parse(frame.payload.toString()) : unpackr.unpack(frame.payload)
}

function maskedFrame(opcode: number, payload: Uint8Array, isFinal: boolean): Buffer {
  const length = payload.length
  const headLength = length < 126 ? 2 : length < 65_536 ? 4 : 10
  const frame = Buffer.alloc(headLength + 4 + length)
  frame[0] = (isFinal ? 0x80 : 0) | opcode
  frame[1] = 0x80 | (length < 126 ? length : length < 65_536 ? 126 : 127)
  if (headLength === 4) frame.writeUInt16BE(length, 2)
  if (headLength === 10) frame.writeBigUInt64BE(BigInt(length), 2)
  const mask = randomBytes(4)
  mask.copy(frame, headLength)
  for (let i = 0; i < length; i++) {
    frame[headLength + 4 + i] = (payload[i] as number) ^ (mask[i & 3] as number)
  }
  return frame
}
