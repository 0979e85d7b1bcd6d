// A socket that says exactly what it is told to: for requests that no HTTP client would send.

import { connect, type Socket } from 'node:net'

export class RawClient {
  private readonly socket: Socket
  private received = ''
  private isClosed = false
  private wake: (() => void) | null = null

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (piece: string) => {
      this.received += piece
      this.wake?.()
    })
    // A reset is one way for a server to end a connection.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.isClosed = true
      this.wake?.()
    })
  }

  static async connect(port: number): Promise<RawClient> {
    const socket = connect(port, '127.0.0.1')
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    return new RawClient(socket)
  }

  /** Settles when the kernel has taken the bytes, or there is nobody left to send them to. */
  async write(bytes: string | Buffer): Promise<void> {
    await new Promise<void>((resolve) => {
      this.socket.write(bytes, () => resolve())
    })
  }

  /** Reads no more. */
  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }

  /** Ends the connection at once, with a reset. */
  destroy(): void {
    this.socket.resetAndDestroy()
  }

  end(): void {
    this.socket.end()
  }

  /** What came, once it holds `text`. */
  async until(text: string): Promise<string> {
    while (!this.received.includes(text)) {
      if (this.isClosed) throw new Error(`closed before ${JSON.stringify(text)}: ${this.received}`)
      await this.more()
    }
    return this.received
  }

  /** What came, once it is so long. */
  async untilBytes(count: number): Promise<string> {
    while (this.received.length < count) {
      if (this.isClosed) throw new Error(`closed after ${this.received.length} of ${count} bytes`)
      await this.more()
    }
    return this.received
  }

  /** Everything that came, once the server has closed. */
  async closed(): Promise<string> {
    while (!this.isClosed) await this.more()
    return this.received
  }

  /** Forgets what came so far. */
  forget(): void {
    this.received = ''
  }

  private async more(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.wake = resolve
    })
  }
}

/** A POST of JSON with its length. */
export function postText(path: string, body: string | Buffer, headers = ''): string {
  const text = body.toString('latin1')
  return `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${headers}content-length: ${Buffer.byteLength(body)}\r\n\r\n${text}`
}
