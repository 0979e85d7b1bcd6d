/**
 * A WebSocket connection, the client's side of RFC 6455 and no more of it than text needs: Node 20 has none of its own.
 *
 *     byte 0   1000 opcode       whole frames only, the server sends no others
 *     byte 1   mask · length     126: two bytes of length follow; 127: eight
 *     then     4 bytes of mask   from the client only, then the payload, masked with them
 */
import { createHash, randomBytes } from 'node:crypto'
import { request } from 'node:http'
import type { Socket } from 'node:net'

const OPCODE = { TEXT: 1, CLOSE: 8, PING: 9, PONG: 10 } as const
const WHOLE_FRAME = 0x80
const MASKED = 0x80
const TWO_BYTES_FOLLOW = 126
const EIGHT_BYTES_FOLLOW = 127
const TWO_BYTES_MAX = 65_535
/** RFC 6455, section 1.3. */
const HANDSHAKE_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** Connects to the loopback. Throws when the server does not agree. */
export async function connectWebSocket(port: number, path: string): Promise<WebSocketConnection> {
  const key = randomBytes(16).toString('base64')
  const headers = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': key,
  }
  return await new Promise((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port, path, headers })
    call.once('upgrade', (response, socket: Socket, first) => {
      const accepted = createHash('sha1')
        .update(key + HANDSHAKE_GUID)
        .digest('base64')
      if (response.headers['sec-websocket-accept'] === accepted) resolve(new WebSocketConnection(socket, first))
      else reject(new Error('the server does not speak WebSocket'))
    })
    call.once('response', (response) =>
      reject(new Error(`the server refused the WebSocket with ${response.statusCode}`)),
    )
    call.once('error', reject)
    call.end()
  })
}

export class WebSocketConnection {
  private readonly socket: Socket
  private held: Buffer
  private isClosed = false
  private onText: (text: string) => void = () => {}
  private onBroken: (error: Error) => void = () => {}

  constructor(socket: Socket, first: Buffer) {
    this.socket = socket
    this.held = first
    socket.setNoDelay(true)
  }

  /** Once: `onText` for every message; `onBroken` when the connection ends without `close`, or a call of `onText` throws. */
  listen(onText: (text: string) => void, onBroken: (error: Error) => void): void {
    this.onText = onText
    this.onBroken = onBroken
    this.socket.on('data', (chunk: Buffer) => this.guarded(() => this.receive(chunk)))
    this.socket.on('error', (error) => this.broken(error))
    this.socket.on('close', () => this.broken(new Error('the server closed the connection')))
  }

  send(text: string): void {
    this.sendFrame(OPCODE.TEXT, Buffer.from(text))
  }

  close(): void {
    this.isClosed = true
    this.socket.destroy()
  }

  private broken(error: Error): void {
    if (!this.isClosed) this.onBroken(error)
  }

  private guarded(step: () => void): void {
    try {
      step()
    } catch (error) {
      this.broken(error instanceof Error ? error : new Error(String(error)))
    }
  }

  private receive(chunk: Buffer): void {
    this.held = this.held.length === 0 ? chunk : Buffer.concat([this.held, chunk])
    let from = 0
    for (let end = this.frameEnd(from); end > 0; end = this.frameEnd(from)) from = end
    this.held = this.held.subarray(from)
  }

  /** Takes the frame that starts there; where it ends, or 0 when it is not complete yet. */
  private frameEnd(from: number): number {
    const { held } = this
    if (held.length < from + 2) return 0
    const short = held.readUInt8(from + 1)
    const headBytes = short === EIGHT_BYTES_FOLLOW ? 10 : short === TWO_BYTES_FOLLOW ? 4 : 2
    if (held.length < from + headBytes) return 0
    let length = short
    if (short === TWO_BYTES_FOLLOW) length = held.readUInt16BE(from + 2)
    if (short === EIGHT_BYTES_FOLLOW) length = Number(held.readBigUInt64BE(from + 2))
    const end = from + headBytes + length
    if (held.length < end) return 0
    this.take(held.readUInt8(from), held.subarray(from + headBytes, end))
    return end
  }

  private take(head: number, payload: Buffer): void {
    switch (head - WHOLE_FRAME) {
      case OPCODE.TEXT:
        this.onText(payload.toString())
        return
      case OPCODE.PING:
        this.sendFrame(OPCODE.PONG, payload)
        return
      case OPCODE.PONG:
        return
      case OPCODE.CLOSE:
        throw new Error('the server ended the conversation')
      default:
        throw new Error(`a frame that was not asked for begins with ${head}`)
    }
  }

  private sendFrame(opcode: number, payload: Buffer): void {
    const isShort = payload.length < TWO_BYTES_FOLLOW
    const isMedium = !isShort && payload.length <= TWO_BYTES_MAX
    const maskAt = isShort ? 2 : isMedium ? 4 : 10
    const frame = Buffer.alloc(maskAt + 4 + payload.length)
    frame.writeUInt8(WHOLE_FRAME + opcode, 0)
    frame.writeUInt8(MASKED + (isShort ? payload.length : isMedium ? TWO_BYTES_FOLLOW : EIGHT_BYTES_FOLLOW), 1)
    if (isMedium) frame.writeUInt16BE(payload.length, 2)
    else if (!isShort) frame.writeBigUInt64BE(BigInt(payload.length), 2)
    const mask = randomBytes(4)
    frame.set(mask, maskAt)
    for (let i = 0; i < payload.length; i++) frame[maskAt + 4 + i] = (payload[i] as number) ^ (mask[i & 3] as number)
    this.socket.write(frame)
  }
}
